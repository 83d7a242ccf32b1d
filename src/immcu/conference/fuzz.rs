//! Body of the fuzz target `conference_steps`.

use super::tests::properties::run;
use super::tests::steps::{any_description, any_end, any_step, limits};
use crate::base::limits::Limits;

/// Whatever happens to a conference in whatever order, it does what the model does; watchers know what
/// is, and no leg is sent anything twice.
pub fn steps(data: &[u8]) {
    let (first, rest) = crate::fuzz::split(data);
    let beginning = (any_description(), any_end());
    let Some((description, end)) = crate::fuzz::one(&beginning, first) else { return };
    let limits = Limits { conference_reports_max: 1000, ..limits() };
    let outcome = run(description, limits, crate::fuzz::steps(&any_step(), rest), end);
    assert!(outcome.is_ok(), "{outcome:?}");
}
