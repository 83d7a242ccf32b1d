#![no_main]

#[path = "../../harness/mod.rs"]
mod harness;
#[path = "../../sim/octets.rs"]
mod octets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| octets::body(data));
