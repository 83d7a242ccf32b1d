//! Where the records of conversations and the rows of users and conferences go.

use crate::metrics::store::StoreCounters;
use crate::records::Record;
use crate::shard::durable::{ConferenceWrite, Write};
use crate::store::{Full, Receipt, StoreHandle};

/// Takes records and rows on any core.
pub trait Ledger: Send + Sync {
    /// Takes a record without waiting, or gives it back when there is no room.
    fn record(&self, record: Record) -> Result<(), Record>;

    /// Takes rows of a user without waiting. `receipt` is answered once they are durable, or at
    /// once when there is no room.
    fn write(&self, write: Write, receipt: Receipt);

    /// The same with the row of a scheduled conference.
    fn write_conference(&self, write: ConferenceWrite, receipt: Receipt);

    /// How it does.
    fn counters(&self) -> StoreCounters;
}

impl Ledger for StoreHandle {
    fn record(&self, record: Record) -> Result<(), Record> {
        self.try_record(record).map_err(|Full(record)| record)
    }

    fn write(&self, write: Write, receipt: Receipt) {
        StoreHandle::write(self, write, receipt);
    }

    fn write_conference(&self, write: ConferenceWrite, receipt: Receipt) {
        StoreHandle::write_conference(self, write, receipt);
    }

    fn counters(&self) -> StoreCounters {
        StoreHandle::counters(self)
    }
}
