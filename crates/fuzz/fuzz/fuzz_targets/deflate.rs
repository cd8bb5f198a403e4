//! libFuzzer over `fuzz::deflate`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::deflate(data));
