//! Copies of messages for a collector: counted on the control thread, and by the cores.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the copies.
#[derive(Debug, Default)]
pub struct HepCounters {
    /// Copies that did not fit into a queue, or that the collector's machine refused.
    pub lost: Arc<AtomicU64>,
    sent: AtomicU64,
}

impl HepCounters {
    /// One more was sent.
    pub fn count_sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    /// One more is gone.
    pub fn count_lost(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
    }

    /// Sent and lost ones.
    pub fn values(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.lost.load(Ordering::Relaxed))
    }
}
