//! Body of the fuzz target `contact_steps`.

use super::list::tests::{an_edit, run};

/// Whatever is asked of a contact list in whatever order, all who follow it have what it has. The
/// first octet says when one of them signs in.
pub fn steps(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let outcome = run(crate::fuzz::steps(&an_edit(), rest), usize::from(*first % 32));
    assert!(outcome.is_ok(), "{outcome:?}");
}
