#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynah::wire::mime::fuzz::multipart(data));
