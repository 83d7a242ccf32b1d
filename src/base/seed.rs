//! Randomness as a value: one generator a shard, seeded by the caller, so that a seed replays a
//! run exactly and nothing below the runtime asks the system.

use rand::{Rng, SeedableRng, rngs::StdRng};

/// A cryptographic generator with a seed from outside.
#[derive(Debug)]
pub struct Seed(StdRng);

impl Seed {
    /// The generator of `seed`. The runtime takes the seed from the system; tests name it.
    pub fn new(seed: [u8; 32]) -> Self {
        Seed(StdRng::from_seed(seed))
    }

    /// A generator for tests and simulations.
    pub fn from_u64(seed: u64) -> Self {
        Seed(StdRng::seed_from_u64(seed))
    }

    /// 64 fresh bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Fresh bytes.
    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    /// 16 lower-case hexadecimal digits: a tag, a Call-ID or a part of one.
    pub fn token(&mut self) -> [u8; 16] {
        let mut value = self.next_u64();
        let mut out = [0u8; 16];
        for byte in &mut out {
            *byte = b"0123456789abcdef"[(value & 0xf) as usize];
            value >>= 4;
        }
        out
    }

    /// A number below `bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }
}
