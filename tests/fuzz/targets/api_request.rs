#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynah::fuzz::run("api_request", data));
