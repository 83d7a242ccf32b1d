//! Rows of users and conferences on their way through the store's thread: committed together, answered once, never
//! left waiting.

use std::sync::{Arc, Mutex};

use super::super::{Receipt, Store, WayBack};
use super::batches::{Bench, small};
use super::conferences::{scheduled, scheduled_in, write_of};
use super::durable::{ALICE, contact, write};
use super::*;
use crate::base::aor::Aor;
use crate::base::ids::Slot;
use crate::contacts::Row;
use crate::immcu::conference::Description;
use crate::metrics::store::Alarm;
use crate::shard::durable::{ConferenceWrite, NotWritten, Rows, Write};
use crate::store::UserChange;

/// A shard that remembers what it was answered.
#[derive(Default)]
struct Shard(Mutex<Vec<(u32, Result<(), NotWritten>)>>);

impl WayBack for Shard {
    fn written(&self, ticket: Slot, result: Result<(), NotWritten>) {
        self.0.lock().unwrap().push((ticket.index, result));
    }
}

impl Shard {
    fn answers(&self) -> Vec<(u32, Result<(), NotWritten>)> {
        self.0.lock().unwrap().clone()
    }
}

/// The `n`th write: a contact of alice.
fn nth(shard: &Arc<Shard>, n: u32) -> (Write, Receipt) {
    let ticket = Slot { index: n, generation: 1 };
    let rows =
        Rows::Contacts(vec![contact(&format!("c{n}@example.test")), Row::DeltaNumber(n + 2)]);
    (Write { ticket, ..write(ALICE, rows) }, Receipt::new(ticket, shard.clone()))
}

/// The same with a scheduled conference of hers.
fn conference(shard: &Arc<Shard>, n: u32) -> (ConferenceWrite, Receipt) {
    let ticket = Slot { index: n, generation: 1 };
    let write = ConferenceWrite { ticket, ..write_of(&scheduled(n.into())) };
    (write, Receipt::new(ticket, shard.clone()))
}

fn with_alice(folder: &Path) {
    open(folder).change_user(&UserChange::Add(user(ALICE, "secret"))).unwrap();
}

fn kept(folder: &Path) -> usize {
    let rows = open(folder).contact_rows(ALICE).unwrap();
    rows.iter().filter(|row| matches!(row, Row::PutContact(_))).count()
}

#[test]
fn rows_are_durable_when_they_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    with_alice(folder.path());
    let mut bench = Bench::new(folder.path(), &limits());
    let shard = Arc::<Shard>::default();
    (0..10).for_each(|n| bench.write(nth(&shard, n)));
    bench.records.send(Record::Started(started(1))).unwrap();
    bench.writer.step();
    assert_eq!(shard.answers(), []);
    // The next event is the end of `commit_time_max`.
    bench.writer.step();
    assert_eq!(shard.answers(), (0..10).map(|n| (n, Ok(()))).collect::<Vec<_>>());
    assert_eq!(kept(folder.path()), 10);
    assert_eq!((bench.counters().commits.count(), bench.counters().rows), (1, 21));
}

#[test]
fn many_rows_are_committed_without_waiting() {
    let folder = tempfile::tempdir().unwrap();
    with_alice(folder.path());
    let mut bench = Bench::new(folder.path(), &small(20, 1000));
    let shard = Arc::<Shard>::default();
    (0..25).for_each(|n| bench.write(nth(&shard, n)));
    bench.writer.step();
    assert_eq!(shard.answers().len(), 10, "20 rows make a batch");
    bench.flush().unwrap();
    assert_eq!((shard.answers().len(), kept(folder.path())), (25, 25));
}

#[test]
fn a_write_for_nobody_does_not_take_its_batch_along() {
    let folder = tempfile::tempdir().unwrap();
    with_alice(folder.path());
    let mut bench = Bench::new(folder.path(), &limits());
    let shard = Arc::<Shard>::default();
    bench.write(nth(&shard, 0));
    let nobody = write("nobody@example.test", Rows::Contacts(vec![Row::DeltaNumber(2)]));
    let ticket = Slot { index: 1, generation: 1 };
    bench.write((nobody, Receipt::new(ticket, shard.clone())));
    bench.write(nth(&shard, 2));
    let (write, receipt) = conference(&shard, 3);
    let nobodys = Description { organiser: Aor::new("nobody@example.test"), ..scheduled(3) };
    bench.write_conference(ConferenceWrite { row: Some(Box::new(nobodys)), ..write }, receipt);
    let (write, receipt) = conference(&shard, 4);
    bench.write_conference(write, receipt);
    bench.flush().unwrap();
    let nobody = |n| (n, Err(NotWritten::NoSuchUser));
    let good = |n| (n, Ok(()));
    assert_eq!(shard.answers(), [good(0), nobody(1), good(2), nobody(3), good(4)]);
    assert_eq!(kept(folder.path()), 2);
    assert_eq!(scheduled_in(&open(folder.path())), [scheduled(4)]);
}

#[test]
fn a_full_disk_refuses_writes_at_once_until_it_recovers() {
    let folder = tempfile::tempdir().unwrap();
    with_alice(folder.path());
    // The probe of a retry needs no new page, so it would find this disk well: none comes by itself.
    let limits = Limits { store_retry_time: Duration::from_secs(3600), ..small(200, 1000) };
    let mut bench = Bench::new(folder.path(), &limits);
    let pages = |bench: &Bench, pages: i64| {
        let connection = &bench.writer.database.connection;
        connection.pragma_update(None, "max_page_count", pages).unwrap();
    };
    let connection = &bench.writer.database.connection;
    let used: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    pages(&bench, used);
    let shard = Arc::<Shard>::default();
    (0..100).for_each(|n| bench.write(nth(&shard, n)));
    assert!(bench.flush().is_err());
    assert_eq!(bench.counters().alarm, Some(Alarm::DiskFull));
    let failing = |n| (n, Err(NotWritten::Failing));
    assert_eq!(shard.answers(), (0..100).map(failing).collect::<Vec<_>>());
    assert_eq!(kept(folder.path()), 0);

    // Nobody waits for a disk that is known to refuse.
    bench.write(nth(&shard, 100));
    let (write, receipt) = conference(&shard, 101);
    bench.write_conference(write, receipt);
    while shard.answers().len() < 102 {
        bench.writer.step();
    }
    assert_eq!(shard.answers()[100..], [failing(100), failing(101)]);

    pages(&bench, 1 << 20);
    bench.flush().unwrap();
    assert_eq!(bench.counters().alarm, None);
    bench.write(nth(&shard, 102));
    let (write, receipt) = conference(&shard, 103);
    bench.write_conference(write, receipt);
    bench.flush().unwrap();
    assert_eq!(shard.answers()[102..], [(102, Ok(())), (103, Ok(()))]);
    assert_eq!(kept(folder.path()), 1);
    assert_eq!(scheduled_in(&open(folder.path())), [scheduled(103)]);
}

/// Limit `store_writes_max`.
#[test]
fn a_write_too_many_is_answered_at_once() {
    let folder = tempfile::tempdir().unwrap();
    with_alice(folder.path());
    let limits = Limits { store_writes_max: 3, commit_rows_max: 1, ..limits() };
    let store = Store::open(folder.path(), &limits).unwrap();
    let handle = store.handle();
    // Another process holds the database, so the thread cannot write.
    let mut other = open(folder.path());
    let transaction = other.begin().unwrap();
    let shard = Arc::<Shard>::default();
    let refused = (0..)
        .find(|n| {
            let (write, receipt) = nth(&shard, *n);
            handle.write(write, receipt);
            !shard.answers().is_empty()
        })
        .unwrap();
    assert_eq!(shard.answers(), [(refused, Err(NotWritten::Full))]);
    drop(transaction);
    handle.flush().unwrap().wait().unwrap();
    let written = shard.answers().iter().filter(|(_, result)| result.is_ok()).count();
    assert_eq!(written, kept(folder.path()));
    assert_eq!(written, refused as usize);
}

#[test]
fn closing_writes_what_waits_and_then_answers_that_it_has_stopped() {
    let folder = tempfile::tempdir().unwrap();
    with_alice(folder.path());
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    let shard = Arc::<Shard>::default();
    for n in 0..700 {
        let (write, receipt) = nth(&shard, n);
        handle.write(write, receipt);
    }
    let (write, receipt) = conference(&shard, 999);
    handle.write_conference(write, receipt);
    store.close().unwrap();
    assert_eq!(kept(folder.path()), 700);
    assert_eq!(scheduled_in(&open(folder.path())), [scheduled(999)]);
    let (write, receipt) = nth(&shard, 700);
    handle.write(write, receipt);
    assert_eq!(shard.answers().last(), Some(&(700, Err(NotWritten::Stopped))));
    assert_eq!(shard.answers().len(), 702);
}

#[test]
fn no_end_of_the_thread_leaves_a_shard_waiting() {
    let folder = tempfile::tempdir().unwrap();
    with_alice(folder.path());
    // The batch waits for longer than the thread lives.
    let limits = Limits { commit_time_max: Duration::from_secs(3600), ..limits() };
    let mut bench = Bench::new(folder.path(), &limits);
    let shard = Arc::<Shard>::default();
    bench.write(nth(&shard, 0));
    bench.writer.step();
    bench.write(nth(&shard, 1));
    let Bench { writer, .. } = bench;
    drop(writer);
    let stopped = |n| (n, Err(NotWritten::Stopped));
    let mut answers = shard.answers();
    answers.sort_by_key(|(n, _)| *n);
    assert_eq!(answers, [stopped(0), stopped(1)]);
}
