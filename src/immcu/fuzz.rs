//! Body of the fuzz target `session_steps`.

use super::{pager, session};

/// Whatever happens in a session, and in conversations in pager mode, in whatever order, each begins
/// and ends at most once, and each message is counted once.
pub fn sessions(data: &[u8]) {
    let outcome = session::tests::run(crate::fuzz::steps(&session::tests::any_step(), data));
    assert!(outcome.is_ok(), "{outcome:?}");
    let outcome = pager::tests::run(crate::fuzz::steps(&pager::tests::any_step(), data));
    assert!(outcome.is_ok(), "{outcome:?}");
}
