#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynah::wire::ntlm::fuzz::authenticate(data));
