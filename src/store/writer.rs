//! The store's thread: the only writer of the process.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{self, Receiver};

use super::database::Database;
use super::error::{Fault, StoreError};
use super::handle::Shared;
use super::receipt::Receipt;
use super::request::{Answer, Keep, Request, UserChange};
use super::{cdr, conferences, durable, users};
use crate::base::limits::Limits;
use crate::metrics::store::{Alarm, StoreCounters};
use crate::records::Record;
use crate::shard::durable::NotWritten;

/// What feeds the store.
#[derive(Debug)]
pub struct Queues {
    /// Call detail records.
    pub records: Receiver<Record>,
    /// Rows of users and conferences.
    pub writes: Receiver<(Keep, Receipt)>,
    /// All else.
    pub requests: Receiver<Request>,
}

/// Collects rows and commits them together.
#[derive(Debug)]
pub struct Writer {
    pub(super) database: Database,
    queues: Queues,
    shared: Arc<Shared>,
    rows_max: usize,
    commit_time_max: Duration,
    retry_time: Duration,
    /// Rows of the next commit; kept when it fails, and then no more are taken.
    pending: Vec<Record>,
    /// Rows of users and conferences for the next commit, answered whatever becomes of it; none while a fault
    /// stands.
    writes: Vec<(Keep, Receipt)>,
    /// Rows in them.
    rows_written: usize,
    changes: Vec<(Vec<UserChange>, Answer<()>)>,
    /// When the next commit, or the next try, is due.
    due: Option<Instant>,
    /// Why the last commit failed.
    fault: Option<Fault>,
    counters: StoreCounters,
}

/// What woke the thread.
enum Event {
    Due,
    Record(Record),
    Write(Keep, Receipt),
    Request(Request),
    /// Every handle is gone.
    Orphaned,
}

impl Writer {
    /// A writer on `database` that is fed by the queues.
    pub fn new(database: Database, queues: Queues, shared: Arc<Shared>, limits: &Limits) -> Self {
        Writer {
            database,
            queues,
            shared,
            rows_max: limits.commit_rows_max,
            commit_time_max: limits.commit_time_max,
            retry_time: limits.store_retry_time,
            pending: Vec::new(),
            writes: Vec::new(),
            rows_written: 0,
            changes: Vec::new(),
            due: None,
            fault: None,
            counters: StoreCounters::default(),
        }
    }

    /// Serves until it is told to stop or every handle is gone.
    pub fn run(mut self) {
        let _guard = StoppedGuard(Arc::clone(&self.shared));
        while self.step() {}
    }

    /// Waits for one event and does what it asks; false at the end.
    pub fn step(&mut self) -> bool {
        let goes_on = match self.wait() {
            Event::Due => {
                self.commit();
                true
            }
            Event::Record(record) => {
                self.pending.push(record);
                self.gather();
                true
            }
            Event::Write(write, receipt) => {
                self.take(write, receipt);
                self.gather();
                true
            }
            Event::Request(request) => self.serve(request),
            Event::Orphaned => {
                self.flush();
                false
            }
        };
        if self.rows_waiting() >= self.rows_max && self.fault.is_none() {
            self.commit();
        }
        self.counters.pending = self.pending.len() as u64;
        self.shared.publish(self.counters);
        goes_on
    }

    fn wait(&self) -> Event {
        // With a whole batch in hand records stay where they are: the queue is their bound.
        let never = channel::never();
        let records = if self.has_room() { &self.queues.records } else { &never };
        let due = self.due.map_or_else(channel::never, channel::at);
        channel::select_biased! {
            recv(due) -> _ => Event::Due,
            recv(self.queues.requests) -> request => request.map_or(Event::Orphaned, Event::Request),
            recv(self.queues.writes) -> write => {
                write.map_or(Event::Orphaned, |(write, receipt)| Event::Write(write, receipt))
            }
            recv(records) -> record => record.map_or(Event::Orphaned, Event::Record),
        }
    }

    /// Answers what can be answered at once; false when told to stop.
    fn serve(&mut self, request: Request) -> bool {
        match request {
            Request::Cdrs(query, answer) => {
                answer.send(self.database.cdrs(&query));
            }
            Request::Change(changes, answer) => {
                self.changes.push((changes, answer));
                self.arm(self.commit_time_max);
            }
            Request::Flush(answer) => {
                self.flush();
                answer.send(self.fault.map_or(Ok(()), |fault| Err(fault.into())));
            }
            Request::Stop(answer) => {
                self.flush();
                let records = self.pending.len() + self.queues.records.len();
                answer.send(match self.fault {
                    Some(fault) if records > 0 => Err(StoreError::Unwritten { records, fault }),
                    _ => Ok(()),
                });
                return false;
            }
            Request::UsersSince(version, answer) => {
                answer.send(self.database.users_since(version));
            }
        }
        true
    }

    /// Takes what else waits, so that neither queue keeps the other waiting for long.
    fn gather(&mut self) {
        while self.has_room() {
            let Ok(record) = self.queues.records.try_recv() else { break };
            self.pending.push(record);
        }
        while self.rows_written < self.rows_max {
            let Ok((write, receipt)) = self.queues.writes.try_recv() else { break };
            self.take(write, receipt);
        }
        self.arm(self.commit_time_max);
    }

    /// Takes rows of a user or a conference. While a fault stands they are refused at once: somebody waits for the
    /// answer, and the retry of the rest tells when writing works again.
    fn take(&mut self, write: Keep, receipt: Receipt) {
        if self.fault.is_some() {
            return receipt.answer(Err(NotWritten::Failing));
        }
        self.rows_written += write.len();
        self.writes.push((write, receipt));
    }

    /// Commits what was handed over before now, in as many batches as it takes; ends at the first
    /// that fails.
    fn flush(&mut self) {
        let mut records = self.queues.records.len();
        let mut writes = self.queues.writes.len();
        loop {
            while records > 0 && self.has_room() {
                records -= 1;
                self.pending.extend(self.queues.records.try_recv());
            }
            while writes > 0 && self.rows_written < self.rows_max {
                writes -= 1;
                if let Ok((write, receipt)) = self.queues.writes.try_recv() {
                    self.take(write, receipt);
                }
            }
            self.commit();
            if records + writes == 0 || self.fault.is_some() {
                return;
            }
        }
    }

    /// Commits what waits. Changes, and rows of users and conferences, are answered either way; records are kept
    /// when the database refuses, and tried again.
    fn commit(&mut self) {
        self.due = None;
        let changes = mem::take(&mut self.changes);
        let writes = mem::take(&mut self.writes);
        let changed: usize = changes.iter().map(|(list, _)| list.len()).sum();
        let rows = self.pending.len() + changed + mem::take(&mut self.rows_written);
        if rows + writes.len() == 0 && self.fault.is_none() {
            return;
        }
        let began = Instant::now();
        match self
            .look_for_room()
            .and_then(|()| write(&mut self.database, &self.pending, &changes, &writes))
        {
            Ok(written) => {
                self.counters.commits.observe(began.elapsed());
                self.counters.rows += rows as u64;
                self.counters.strays += written.strays;
                self.pending.clear();
                self.set_fault(None);
                for ((_, answer), outcome) in changes.into_iter().zip(written.outcomes) {
                    answer.send(outcome);
                }
                for ((_, receipt), outcome) in writes.into_iter().zip(written.receipts) {
                    receipt.answer(outcome);
                }
            }
            Err(fault) => {
                self.counters.failures += 1;
                self.set_fault(Some(fault));
                self.arm(self.retry_time);
                for (_, answer) in changes {
                    answer.send(Err(fault.into()));
                }
                for (_, receipt) in writes {
                    receipt.answer(Err(NotWritten::Failing));
                }
            }
        }
    }

    /// After a full disk: an alarm that is cleared by what finds room by chance is raised again by
    /// the next that does not.
    fn look_for_room(&self) -> Result<(), Fault> {
        match self.fault {
            Some(Fault { alarm: Alarm::DiskFull, .. }) => self.database.look_for_room(),
            Some(_) | None => Ok(()),
        }
    }

    /// Raises, changes or clears the alarm; says so once.
    fn set_fault(&mut self, fault: Option<Fault>) {
        match fault {
            Some(fault) if self.fault != Some(fault) => {
                tracing::error!(%fault, kept = self.pending.len(), "store cannot write");
            }
            None if self.fault.is_some() => tracing::info!("store writes again"),
            _ => {}
        }
        self.fault = fault;
        self.counters.alarm = fault.map(|fault| fault.alarm);
    }

    /// Sees to it that a commit comes, at the latest in `after`; an armed one stands.
    fn arm(&mut self, after: Duration) {
        self.due.get_or_insert_with(|| Instant::now() + after);
    }

    fn has_room(&self) -> bool {
        self.pending.len() < self.rows_max
    }

    fn rows_waiting(&self) -> usize {
        let changes: usize = self.changes.iter().map(|(list, _)| list.len()).sum();
        self.pending.len() + changes + self.rows_written
    }
}

/// What a commit did beyond writing every row.
struct Written {
    strays: u64,
    /// One for each change, in order.
    outcomes: Vec<Result<(), StoreError>>,
    /// One for each write, in order.
    receipts: Vec<Result<(), NotWritten>>,
}

/// Writes everything in one transaction, or nothing. With nothing to write it tries whether the
/// disk takes anything.
fn write(
    database: &mut Database,
    records: &[Record],
    changes: &[(Vec<UserChange>, Answer<()>)],
    writes: &[(Keep, Receipt)],
) -> Result<Written, Fault> {
    let outcomes = Vec::with_capacity(changes.len());
    let mut written = Written { strays: 0, outcomes, receipts: Vec::with_capacity(writes.len()) };
    if records.is_empty() && changes.is_empty() && writes.is_empty() {
        database.probe()?;
        return Ok(written);
    }
    let transaction = database.begin()?;
    for record in records {
        if !cdr::apply(&transaction, record)? {
            written.strays += 1;
        }
    }
    for (list, _) in changes {
        let mut outcome = Ok(());
        for change in list {
            outcome = outcome.and(users::apply(&transaction, change)?);
        }
        written.outcomes.push(outcome);
    }
    for (write, _) in writes {
        written.receipts.push(match write {
            Keep::Conference(write) => conferences::apply(&transaction, write)?,
            Keep::User(write) => durable::apply(&transaction, write)?,
        });
    }
    transaction.commit()?;
    Ok(written)
}

/// Shows that the thread has ended, also when it panicked.
struct StoppedGuard(Arc<Shared>);

impl Drop for StoppedGuard {
    fn drop(&mut self) {
        let counters = StoreCounters { alarm: Some(Alarm::Stopped), ..self.0.counters() };
        self.0.publish(counters);
    }
}
