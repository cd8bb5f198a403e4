//! libFuzzer over `fuzz::stores`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::stores(data));
