//! The store as the rest of the server sees it.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam::channel::{self, Sender};

use super::cdr::CdrQuery;
use super::database::Database;
use super::error::StoreError;
use super::folder::Lock;
use super::receipt::Receipt;
use super::request::{Answer, Keep, Reply, Request, UserChange};
use super::users::UserChanges;
use super::writer::{Queues, Writer};
use crate::base::limits::Limits;
use crate::metrics::store::StoreCounters;
use crate::records::{KeptRecord, Record};
use crate::shard::durable::{ConferenceWrite, NotWritten, Write};

/// The server's store: its thread and its hold on the data folder. Drop it last.
#[derive(Debug)]
pub struct Store {
    handle: StoreHandle,
    thread: Option<JoinHandle<()>>,
    lost: usize,
    _lock: Lock,
}

impl Store {
    /// Takes the data folder for this process, opens its database (both are made when absent),
    /// ends the records that a dead server left open, and starts the thread.
    pub fn open(folder: &Path, limits: &Limits) -> Result<Self, StoreError> {
        super::folder::prepare(folder)?;
        let lock = Lock::take(folder)?;
        let mut database = Database::open(folder, limits.store_busy_timeout)?;
        let lost = database.end_lost_cdrs()?;
        let (records, records_out) = channel::bounded(limits.control_queue_max);
        // Only an unbounded queue gives up what it holds when its reader ends; the handles bound
        // it.
        let (writes, writes_out) = channel::unbounded();
        let (requests, requests_out) = channel::bounded(limits.store_requests_max);
        let shared = Arc::new(Shared::default());
        let queues = Queues { records: records_out, writes: writes_out, requests: requests_out };
        let writer = Writer::new(database, queues, Arc::clone(&shared), limits);
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run())
            .map_err(StoreError::Thread)?;
        let handle = StoreHandle {
            records,
            writes,
            requests,
            shared,
            writes_max: limits.store_writes_max,
            cdr_query_rows_max: limits.cdr_query_rows_max,
        };
        Ok(Store { handle, thread: Some(thread), lost, _lock: lock })
    }

    /// Fails when a server has the data folder now, and says which; a folder that is absent is free.
    pub fn check_free(folder: &Path) -> Result<(), StoreError> {
        if folder.exists() {
            super::folder::prepare(folder)?;
            Lock::take(folder)?;
        }
        Ok(())
    }

    /// A handle for another thread.
    pub fn handle(&self) -> StoreHandle {
        self.handle.clone()
    }

    /// Records found open at start and ended as lost with their server.
    pub fn lost_records(&self) -> usize {
        self.lost
    }

    /// Writes what was handed over before, ends the thread and lets go of the data folder. What is
    /// handed over later is refused.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.stop()
    }

    fn stop(&mut self) -> Result<(), StoreError> {
        let Some(thread) = self.thread.take() else { return Ok(()) };
        let (answer, reply) = Reply::channel();
        // Waits for a place in the queue if need be: the thread always comes round to it.
        let sent = self.handle.requests.send(Request::Stop(answer));
        match (sent, thread.join()) {
            (Ok(()), Ok(())) => reply.last(),
            _ => Err(StoreError::Stopped),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            tracing::error!(%error, "store did not end in order");
        }
    }
}

/// The way to the store's thread: cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct StoreHandle {
    records: Sender<Record>,
    writes: Sender<(Keep, Receipt)>,
    requests: Sender<Request>,
    shared: Arc<Shared>,
    writes_max: usize,
    cdr_query_rows_max: usize,
}

/// The queue is full, or the store's thread has ended. Gives the record back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store takes no more records")]
pub struct Full(pub Record);

impl StoreHandle {
    /// Hands a record over; never blocks. It is durable once a later
    /// [`flush`](Self::flush) is answered, as a rule within `commit_time_max` and a sync.
    pub fn try_record(&self, record: Record) -> Result<(), Full> {
        self.records.try_send(record).map_err(|error| {
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            Full(error.into_inner())
        })
    }

    /// Hands rows of a user over; never blocks. `receipt` is answered once they are durable, or at
    /// once when there is no room for them.
    pub fn write(&self, write: Write, receipt: Receipt) {
        self.keep(Keep::User(write), receipt);
    }

    /// Hands the row of a scheduled conference over, as [`write`](Self::write) does those of a user.
    pub fn write_conference(&self, write: ConferenceWrite, receipt: Receipt) {
        self.keep(Keep::Conference(write), receipt);
    }

    fn keep(&self, write: Keep, receipt: Receipt) {
        // Cores that look at the same time may put one each beyond the bound.
        if self.writes.len() >= self.writes_max {
            return receipt.answer(Err(NotWritten::Full));
        }
        // Fails when the thread has ended: the receipt says so when it is dropped.
        let _ = self.writes.send((write, receipt));
    }

    /// Asks to commit all records handed over before. The answer is an error while the disk
    /// refuses; the records are kept then.
    pub fn flush(&self) -> Result<Reply<()>, StoreError> {
        self.ask(Request::Flush)
    }

    /// Asks for a change of a user; the answer comes after its commit.
    pub fn change_user(&self, change: UserChange) -> Result<Reply<()>, StoreError> {
        self.change_users(vec![change])
    }

    /// Asks for changes of users, which are committed together and take one place in the queue. Each
    /// is applied on its own; the answer is that of the first that is refused.
    pub fn change_users(&self, changes: Vec<UserChange>) -> Result<Reply<()>, StoreError> {
        self.ask(|answer| Request::Change(changes, answer))
    }

    /// Asks what changed in the directory after `version`, by any process; 0 asks for all users.
    /// `None` says that nothing did. Cheap enough for every second.
    pub fn users_since(&self, version: u64) -> Result<Reply<Option<UserChanges>>, StoreError> {
        self.ask(|answer| Request::UsersSince(version, answer))
    }

    /// Asks for records, at most `cdr_query_rows_max`, the newest.
    pub fn cdrs(&self, mut query: CdrQuery) -> Result<Reply<Vec<KeptRecord>>, StoreError> {
        let bound = self.cdr_query_rows_max;
        query.rows_max = Some(query.rows_max.map_or(bound, |rows| rows.min(bound)));
        self.ask(|answer| Request::Cdrs(query, answer))
    }

    /// How the store does. An alarm stands in it.
    pub fn counters(&self) -> StoreCounters {
        let mut counters = self.shared.counters();
        counters.queued = self.records.len() as u64;
        counters.refused = self.shared.refused.load(Ordering::Relaxed);
        counters
    }

    fn ask<T>(&self, request: impl FnOnce(Answer<T>) -> Request) -> Result<Reply<T>, StoreError> {
        let (answer, reply) = Reply::channel();
        self.requests.try_send(request(answer)).map_err(|error| match error {
            channel::TrySendError::Full(_) => StoreError::QueueFull,
            channel::TrySendError::Disconnected(_) => StoreError::Stopped,
        })?;
        Ok(reply)
    }
}

/// What the thread shows of itself.
#[derive(Debug, Default)]
pub struct Shared {
    refused: AtomicU64,
    counters: Mutex<StoreCounters>,
}

impl Shared {
    /// The counters as last published.
    pub fn counters(&self) -> StoreCounters {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes `counters`.
    pub fn publish(&self, counters: StoreCounters) {
        *self.counters.lock().unwrap_or_else(PoisonError::into_inner) = counters;
    }
}
