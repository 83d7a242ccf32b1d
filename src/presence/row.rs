//! What outlives the process: the durable rows of one user's presence.

use super::container::Container;
use super::publication::{Key, Publication};
use crate::base::aor::Aor;

/// A change that the store keeps. Rows of one user are written in the order in which they were
/// given; reading the remains back in any order restores the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Keeps a static publication; replaces what is kept under its key.
    PutPublication(Publication),
    /// Keeps, instead of a publication, the last version given under its key, so that the next
    /// one under it is higher.
    DeletePublication {
        /// What was deleted.
        key: Key,
        /// Its last version.
        version: u32,
    },
    /// Removes what is kept under a deleted key, and keeps one number for the user: no key that
    /// is not kept gets a version up to `floor`.
    Forget {
        /// What is forgotten.
        key: Key,
        /// The highest version of any forgotten key.
        floor: u32,
    },
    /// Keeps the members of a container.
    PutContainer(Container),
    /// Keeps that the user was told, or has to be told, that somebody added him.
    PutSubscriber {
        /// Who added him.
        user: Aor,
        /// The user has seen it.
        acknowledged: bool,
    },
    /// Removes that.
    DeleteSubscriber(Aor),
}
