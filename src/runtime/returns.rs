//! The answers of the store on their way back to a core.

use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use super::mesh::Mesh;
use crate::base::ids::{ShardId, Slot};
use crate::shard::durable::NotWritten;
use crate::store::WayBack;

/// An answer of the store: the ticket of the write and what became of it.
pub type Written = (Slot, Result<(), NotWritten>);

/// A queue with room for the answers to all writes that one core may have under way, so that none
/// is ever lost or waited for.
#[derive(Debug)]
pub struct Returns {
    shard: ShardId,
    mesh: Arc<Mesh>,
    answers: ArrayQueue<Written>,
}

impl Returns {
    /// The answers to `shard`, whose bell in `mesh` they ring; at most `max` are under way.
    pub fn new(shard: ShardId, mesh: Arc<Mesh>, max: usize) -> Arc<Self> {
        Arc::new(Returns { shard, mesh, answers: ArrayQueue::new(max.max(1)) })
    }

    /// The next answer. Called by the core alone.
    pub fn take(&self) -> Option<Written> {
        self.answers.pop()
    }

    /// True when no answer waits.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    /// Wakes the core if it sleeps.
    pub fn ring(&self) {
        if let Some(bell) = self.mesh.bell(self.shard) {
            bell.ring();
        }
    }
}

impl WayBack for Returns {
    fn written(&self, ticket: Slot, result: Result<(), NotWritten>) {
        // The courier lets no more writes out than there are places.
        let kept = self.answers.push((ticket, result));
        debug_assert!(kept.is_ok(), "more answers than writes");
        self.ring();
    }
}
