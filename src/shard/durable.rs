//! What a shard has the store keep: rows of its users, and its scheduled conferences, that survive a
//! restart.

use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, Slot};
use crate::contacts;
use crate::immcu::conference::Description;
use crate::presence::row;

/// Rows of one user that are written together or not at all. The store answers each once, after
/// their commit, with [`Control::Written`](super::input::Control::Written).
#[derive(Clone, Debug)]
pub struct Write {
    /// What the answer is known by; chosen by the shard, and nothing to the store.
    pub ticket: Slot,
    /// Whose rows they are.
    pub aor: Aor,
    /// The rows.
    pub rows: Rows,
}

/// The row of a scheduled conference, written or removed. Answered as a [`Write`] is; whoever made
/// it must be in the directory, and his conferences go with him.
#[derive(Clone, Debug)]
pub struct ConferenceWrite {
    /// What the answer is known by; chosen by the shard, from the same numbers as those of
    /// [`Write`], and nothing to the store.
    pub ticket: Slot,
    /// Which conference.
    pub id: ConferenceId,
    /// All that its organiser has laid down; `None` removes what is kept.
    pub row: Option<Box<Description>>,
}

/// Durable rows of one user.
#[derive(Clone, Debug)]
pub enum Rows {
    /// Of his contact list.
    Contacts(Vec<contacts::Row>),
    /// Of his presence document.
    Presence(Vec<row::Row>),
}

impl Rows {
    /// Number of rows.
    pub fn len(&self) -> usize {
        match self {
            Rows::Contacts(rows) => rows.len(),
            Rows::Presence(rows) => rows.len(),
        }
    }

    /// True for no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why rows were not written. Nothing of the write is kept then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NotWritten {
    /// More is on its way to the store than may be.
    #[error("too much waits for the store")]
    Full,
    /// The database refuses, or the disk below it.
    #[error("the store cannot write")]
    Failing,
    /// The user is no longer in the directory, or who made the conference.
    #[error("the user is gone")]
    NoSuchUser,
    /// The store has ended.
    #[error("the store has stopped")]
    Stopped,
}
