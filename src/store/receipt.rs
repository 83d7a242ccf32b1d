//! The way of an answer back to the shard whose rows were to be written.

use std::fmt;
use std::sync::Arc;

use crate::base::ids::Slot;
use crate::shard::durable::NotWritten;

/// Takes answers to writes to their shard; called on the store's thread and on that of the shard.
pub trait WayBack: Send + Sync {
    /// Takes one. Has room for it, whatever happens, and does not wait.
    fn written(&self, ticket: Slot, result: Result<(), NotWritten>);
}

/// Travels with a write and answers it, once: one that is dropped says that the store has stopped,
/// so that no end of the store's thread leaves a shard waiting.
pub struct Receipt {
    ticket: Slot,
    way_back: Option<Arc<dyn WayBack>>,
}

impl Receipt {
    /// The receipt of the write with that ticket.
    pub fn new(ticket: Slot, way_back: Arc<dyn WayBack>) -> Self {
        Receipt { ticket, way_back: Some(way_back) }
    }

    /// Answers.
    pub fn answer(mut self, result: Result<(), NotWritten>) {
        self.send(result);
    }

    fn send(&mut self, result: Result<(), NotWritten>) {
        if let Some(way_back) = self.way_back.take() {
            way_back.written(self.ticket, result);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.send(Err(NotWritten::Stopped));
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt").field("ticket", &self.ticket).finish_non_exhaustive()
    }
}
