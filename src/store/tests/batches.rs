//! The store's thread: group commits, bounds, a disk that refuses.

use std::sync::Arc;

use crossbeam::channel::{self, Sender};
use futures_lite::future::{block_on, poll_once};

use super::super::handle::Shared;
use super::super::request::{Keep, Reply, Request};
use super::super::writer::{Queues, Writer};
use super::super::{CdrQuery, Full, Receipt, Store, StoreError, UserChange};
use super::conferences::{conference_cdrs, conference_started, entered};
use super::*;
use crate::metrics::store::{Alarm, StoreCounters};
use crate::shard::durable::{ConferenceWrite, Write};

/// A writer that a test steps by hand, and the other ends of its queues.
pub struct Bench {
    pub writer: Writer,
    pub records: Sender<Record>,
    pub writes: Sender<(Keep, Receipt)>,
    requests: Sender<Request>,
    shared: Arc<Shared>,
}

impl Bench {
    pub fn new(folder: &Path, limits: &Limits) -> Self {
        let database = Database::open(folder, limits.store_busy_timeout).unwrap();
        let (records, records_out) = channel::bounded(limits.control_queue_max);
        let (writes, writes_out) = channel::unbounded();
        let (requests, requests_out) = channel::bounded(limits.store_requests_max);
        let shared = Arc::new(Shared::default());
        let queues = Queues { records: records_out, writes: writes_out, requests: requests_out };
        let writer = Writer::new(database, queues, Arc::clone(&shared), limits);
        Bench { writer, records, writes, requests, shared }
    }

    pub fn flush(&mut self) -> Result<(), StoreError> {
        let (answer, reply) = Reply::channel();
        self.requests.send(Request::Flush(answer)).unwrap();
        self.settle(reply)
    }

    /// Hands the row of a conference over.
    pub fn write_conference(&self, write: ConferenceWrite, receipt: Receipt) {
        self.writes.send((Keep::Conference(write), receipt)).unwrap();
    }

    /// Hands rows of a user over.
    pub fn write(&self, (write, receipt): (Write, Receipt)) {
        self.writes.send((Keep::User(write), receipt)).unwrap();
    }

    fn change(&self, change: UserChange) -> Reply<()> {
        let (answer, reply) = Reply::channel();
        self.requests.send(Request::Change(vec![change], answer)).unwrap();
        reply
    }

    /// Steps until the answer is there; a timer of the writer may be due in between.
    fn settle<T>(&mut self, mut reply: Reply<T>) -> Result<T, StoreError> {
        loop {
            if let Some(result) = block_on(poll_once(&mut reply)) {
                return result;
            }
            self.writer.step();
        }
    }

    pub fn counters(&self) -> StoreCounters {
        self.shared.counters()
    }
}

/// Small bounds, and a short time between retries.
pub fn small(commit_rows_max: usize, control_queue_max: usize) -> Limits {
    Limits {
        commit_rows_max,
        control_queue_max,
        store_retry_time: Duration::from_millis(1),
        ..limits()
    }
}

#[test]
fn what_was_handed_over_is_there_when_the_flush_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    for record in (0..1000).flat_map(both) {
        handle.try_record(record).unwrap();
    }
    handle.flush().unwrap().wait().unwrap();
    assert_eq!(cdrs(&open(folder.path())), (0..1000).map(whole).collect::<Vec<_>>());
    let counters = handle.counters();
    assert_eq!((counters.rows, counters.strays, counters.alarm), (2000, 0, None));
}

#[test]
fn a_record_is_committed_without_being_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path(), &limits());
    bench.records.send(Record::Started(started(1))).unwrap();
    bench.writer.step();
    assert_eq!((bench.counters().pending, bench.counters().rows), (1, 0));
    // The next event is the end of `commit_time_max`.
    bench.writer.step();
    assert_eq!((bench.counters().pending, bench.counters().rows), (0, 1));
    assert_eq!(cdrs(&open(folder.path())).len(), 1);
}

#[test]
fn rows_are_committed_together_up_to_commit_rows_max() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path(), &small(100, 1000));
    for n in 0..250 {
        bench.records.send(Record::Started(started(n))).unwrap();
    }
    bench.writer.step();
    assert_eq!((bench.counters().rows, bench.counters().commits.count()), (100, 1));
    bench.flush().unwrap();
    assert_eq!((bench.counters().rows, bench.counters().commits.count()), (250, 3));
}

#[test]
fn a_change_of_a_user_is_answered_after_its_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    let alice = user("alice@example.test", "secret");
    handle.change_user(UserChange::Add(alice.clone())).unwrap().wait().unwrap();
    assert_eq!(open(folder.path()).users().unwrap(), std::slice::from_ref(&alice));
    let again = handle.change_user(UserChange::Add(alice.clone())).unwrap().wait();
    assert!(matches!(again, Err(StoreError::UserExists(_))));
    let changes = handle.users_since(0).unwrap().wait().unwrap().unwrap();
    assert_eq!(changes.changed, [alice]);
    assert_eq!(handle.users_since(changes.version).unwrap().wait().unwrap(), None);
}

#[test]
fn a_change_that_cannot_be_does_not_take_its_batch_along() {
    let folder = tempfile::tempdir().unwrap();
    // The batch waits for the flush.
    let limits = Limits { commit_time_max: Duration::from_secs(3600), ..limits() };
    let mut bench = Bench::new(folder.path(), &limits);
    bench.records.send(Record::Started(started(1))).unwrap();
    let bad = bench.change(UserChange::Remove("nobody@example.test".to_owned()));
    let good = bench.change(UserChange::Add(user("alice@example.test", "secret")));
    bench.flush().unwrap();
    assert!(matches!(bad.wait(), Err(StoreError::NoSuchUser(_))));
    good.wait().unwrap();
    assert_eq!(bench.counters().commits.count(), 1);
    assert_eq!(cdrs(&open(folder.path())).len(), 1);
}

#[test]
fn the_server_sees_a_user_that_a_command_adds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    assert_eq!(handle.users_since(0).unwrap().wait().unwrap(), None);
    let alice = user("alice@example.test", "secret");
    open(folder.path()).change_user(&UserChange::Add(alice.clone())).unwrap();
    let changes = handle.users_since(0).unwrap().wait().unwrap().unwrap();
    assert_eq!(changes.changed, [alice]);
}

#[test]
fn an_answer_can_be_awaited_on_any_executor() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let reply = store.handle().flush().unwrap();
    block_on(reply).unwrap();
}

/// Limit `control_queue_max`.
#[test]
fn a_full_queue_gives_the_record_back_at_once_and_counts_it() {
    let folder = tempfile::tempdir().unwrap();
    let limits = small(1, 3);
    let store = Store::open(folder.path(), &limits).unwrap();
    let handle = store.handle();
    // Another process holds the database, so the thread cannot write.
    let mut other = open(folder.path());
    let transaction = other.begin().unwrap();
    let refused = (0..)
        .map(|n| Record::Started(started(n)))
        .find(|record| handle.try_record(record.clone()) == Err(Full(record.clone())))
        .unwrap();
    assert_eq!(handle.counters().refused, 1);
    drop(transaction);
    handle.flush().unwrap().wait().unwrap();
    let kept = cdrs(&open(folder.path()));
    assert!((3..=4).contains(&kept.len()), "three in the queue, one in hand: {}", kept.len());
    assert!(kept.iter().all(|cdr| cdr.id != refused.id()));
}

/// Limit `store_requests_max`.
#[test]
fn too_many_requests_are_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { store_requests_max: 2, ..limits() };
    let store = Store::open(folder.path(), &limits).unwrap();
    let handle = store.handle();
    let mut other = open(folder.path());
    let transaction = other.begin().unwrap();
    // Keeps the thread busy until the other process lets go.
    handle.try_record(Record::Started(started(1))).unwrap();
    let mut replies = Vec::new();
    let error = loop {
        match handle.flush() {
            Ok(reply) => replies.push(reply),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::QueueFull), "{error}");
    drop(transaction);
    for reply in replies {
        reply.wait().unwrap();
    }
}

/// Limit `cdr_query_rows_max`.
#[test]
fn a_running_server_lists_no_more_records_than_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { cdr_query_rows_max: 5, ..limits() };
    let store = Store::open(folder.path(), &limits).unwrap();
    let handle = store.handle();
    for n in 0..20 {
        handle.try_record(Record::Started(started(n))).unwrap();
    }
    handle.flush().unwrap().wait().unwrap();
    let newest = |rows_max| {
        let query = CdrQuery { rows_max, ..CdrQuery::default() };
        handle.cdrs(query).unwrap().wait().unwrap().len()
    };
    assert_eq!((newest(None), newest(Some(100)), newest(Some(2))), (5, 5, 2));
}

#[test]
fn a_full_disk_keeps_records_refuses_users_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path(), &small(200, 1000));
    let pages: i64 = bench
        .writer
        .database
        .connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    bench.writer.database.connection.pragma_update(None, "max_page_count", pages).unwrap();
    for n in 0..500 {
        bench.records.send(Record::Started(started(n))).unwrap();
    }
    let full = bench.flush().unwrap_err().to_string();
    assert_eq!(
        full,
        "the disk is full: free space on the file system of the data folder (SQLite code 13)"
    );
    let counters = bench.counters();
    assert_eq!(counters.alarm, Some(Alarm::DiskFull));
    assert_eq!((counters.rows, counters.failures, counters.pending), (0, 1, 200));
    assert_eq!(bench.records.len(), 300, "the rest waits in the queue");

    let reply = bench.change(UserChange::Add(user("alice@example.test", "secret")));
    let refused = bench.settle(reply);
    assert!(matches!(refused, Err(StoreError::Fault(f)) if f.alarm == Alarm::DiskFull));
    assert!(bench.counters().failures >= 2);
    bench.records.send(Record::ConferenceStarted(conference_started(1))).unwrap();
    bench.records.send(Record::ConferenceEntered(entered(1, 0))).unwrap();

    bench.writer.database.connection.pragma_update(None, "max_page_count", 1 << 20).unwrap();
    // The retry is due by itself, then the queue is read again.
    while bench.counters().alarm.is_some() {
        bench.writer.step();
    }
    assert_eq!(bench.counters().rows, 200);
    bench.flush().unwrap();
    let kept: Vec<_> = cdrs(&open(folder.path())).iter().map(|cdr| cdr.id).collect();
    assert_eq!(kept, (0..500).map(|n| started(n).id).collect::<Vec<_>>());
    let conferences = conference_cdrs(&open(folder.path()));
    let visits: Vec<_> = conferences.iter().map(|cdr| (cdr.id, cdr.visits.len())).collect();
    assert_eq!(visits, [(conference_started(1).id, 1)]);
}

#[test]
fn a_read_only_database_raises_the_alarm_and_a_probe_clears_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path(), &small(50, 1000));
    bench.writer.database.connection.pragma_update(None, "query_only", true).unwrap();
    let reply = bench.change(UserChange::Add(user("alice@example.test", "secret")));
    let refused = bench.settle(reply);
    assert!(matches!(refused, Err(StoreError::Fault(f)) if f.alarm == Alarm::ReadOnly));
    // Nothing waits, yet the writer tries.
    bench.writer.step();
    assert_eq!((bench.counters().alarm, bench.counters().failures), (Some(Alarm::ReadOnly), 2));
    bench.writer.database.connection.pragma_update(None, "query_only", false).unwrap();
    bench.writer.step();
    assert_eq!(bench.counters().alarm, None);
}

/// Limit `store_busy_timeout`.
#[test]
fn a_process_that_holds_the_database_too_long_raises_the_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { store_busy_timeout: Duration::from_millis(1), ..small(50, 1000) };
    let mut bench = Bench::new(folder.path(), &limits);
    let mut other = open(folder.path());
    let transaction = other.begin().unwrap();
    bench.records.send(Record::Started(started(1))).unwrap();
    assert!(matches!(bench.flush(), Err(StoreError::Fault(f)) if f.alarm == Alarm::Busy));
    drop(transaction);
    bench.flush().unwrap();
    assert_eq!(cdrs(&open(folder.path())).len(), 1);
}

#[test]
fn stopping_says_how_many_records_the_disk_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::new(folder.path(), &small(50, 1000));
    bench.writer.database.connection.pragma_update(None, "query_only", true).unwrap();
    for n in 0..70 {
        bench.records.send(Record::Started(started(n))).unwrap();
    }
    let (answer, reply) = Reply::channel();
    bench.requests.send(Request::Stop(answer)).unwrap();
    assert!(!bench.writer.step());
    assert!(matches!(reply.wait(), Err(StoreError::Unwritten { records: 70, .. })));
}

#[test]
fn closing_writes_what_waits_and_then_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    for record in (0..700).flat_map(both) {
        handle.try_record(record).unwrap();
    }
    store.close().unwrap();
    assert_eq!(cdrs(&open(folder.path())).len(), 700);
    assert!(handle.try_record(Record::Started(started(1))).is_err());
    assert!(matches!(handle.flush(), Err(StoreError::Stopped)));
    assert_eq!(handle.counters().alarm, Some(Alarm::Stopped));
}

#[test]
fn records_left_open_by_a_dead_server_are_ended_once_a_server_starts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    for record in both(1) {
        handle.try_record(record).unwrap();
    }
    for n in 2..5 {
        handle.try_record(Record::Started(started(n))).unwrap();
    }
    store.close().unwrap();
    // A command is no server.
    assert_eq!(cdrs(&open(folder.path())).iter().filter(|cdr| cdr.end.is_none()).count(), 3);
    let store = Store::open(folder.path(), &limits()).unwrap();
    assert_eq!(store.lost_records(), 3);
    let kept = cdrs(&open(folder.path()));
    assert_eq!(kept[0], whole(1));
    for cdr in &kept[1..] {
        let end = cdr.end.unwrap();
        assert_eq!((end.ending, end.end_unix_ms), (Ending::ServerLost, started(4).start_unix_ms));
        assert_eq!((end.messages_from_caller, end.messages_from_callee), (0, 0));
    }
    store.close().unwrap();
    assert_eq!(Store::open(folder.path(), &limits()).unwrap().lost_records(), 0);
}
