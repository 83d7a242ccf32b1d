#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynah::fuzz::run("address", data));
