//! Body of the fuzz target `registrar_steps`.

use super::registrar::tests::{any_step, run};

/// Whatever happens to the endpoints of a user in whatever order, they are what the model has.
pub fn steps(data: &[u8]) {
    let outcome = run(crate::fuzz::steps(&any_step(), data));
    assert!(outcome.is_ok(), "{outcome:?}");
}
