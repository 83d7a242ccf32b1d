//! Where the records of conversations go.

use crate::metrics::store::StoreCounters;
use crate::records::Record;
use crate::store::{Full, StoreHandle};

/// Takes records on any core.
pub trait Ledger: Send + Sync {
    /// Takes a record without waiting, or gives it back when there is no room.
    fn record(&self, record: Record) -> Result<(), Record>;

    /// How it does.
    fn counters(&self) -> StoreCounters;
}

impl Ledger for StoreHandle {
    fn record(&self, record: Record) -> Result<(), Record> {
        self.try_record(record).map_err(|Full(record)| record)
    }

    fn counters(&self) -> StoreCounters {
        StoreHandle::counters(self)
    }
}
