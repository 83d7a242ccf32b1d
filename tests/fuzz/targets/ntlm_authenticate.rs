#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynah::fuzz::run("ntlm_authenticate", data));
