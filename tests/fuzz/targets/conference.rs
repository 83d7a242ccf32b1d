#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynah::wire::conference::fuzz::body(data));
