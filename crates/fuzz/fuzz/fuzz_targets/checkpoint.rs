//! libFuzzer over `fuzz::checkpoint`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::checkpoint(data));
