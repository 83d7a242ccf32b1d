//! Body of the fuzz target `presence_steps`.

use super::presentity::tests::properties::run;
use super::presentity::tests::steps::any_step;

/// Whatever happens to a presentity in whatever order, it is what the model has, and whoever watches
/// it sees exactly the view of his level.
pub fn steps(data: &[u8]) {
    run(crate::fuzz::steps(&any_step(), data));
}
