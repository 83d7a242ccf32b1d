#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mynah::immcu::filter::fuzz::im_filter(data));
