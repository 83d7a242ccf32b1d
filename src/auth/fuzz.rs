//! Body of the fuzz target `gate_steps`.

use super::gate::tests::{any_step, run};

/// Whatever a client tries at a gate in whatever order, nothing passes twice. The first octet says how
/// many guesses it has.
pub fn gate(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let outcome = run(1 + u32::from(*first % 3), crate::fuzz::steps(&any_step(), rest));
    assert!(outcome.is_ok(), "{outcome:?}");
}
