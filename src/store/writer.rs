//! The store's thread: the only writer of the process.

use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam::channel::{self, Receiver};

use super::database::Database;
use super::error::{Fault, StoreError};
use super::handle::Shared;
use super::request::{Answer, Request, UserChange};
use super::{cdr, users};
use crate::base::limits::Limits;
use crate::metrics::store::{Alarm, StoreCounters};
use crate::records::Record;

/// Collects rows and commits them together.
#[derive(Debug)]
pub struct Writer {
    pub(super) database: Database,
    records: Receiver<Record>,
    requests: Receiver<Request>,
    shared: Arc<Shared>,
    rows_max: usize,
    commit_time_max: Duration,
    retry_time: Duration,
    /// Rows of the next commit; kept when it fails, and then no more are taken.
    pending: Vec<Record>,
    changes: Vec<(UserChange, Answer<()>)>,
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
    Request(Request),
    /// Every handle is gone.
    Orphaned,
}

impl Writer {
    /// A writer on `database` that is fed by the two queues.
    pub fn new(
        database: Database,
        records: Receiver<Record>,
        requests: Receiver<Request>,
        shared: Arc<Shared>,
        limits: &Limits,
    ) -> Self {
        Writer {
            database,
            records,
            requests,
            shared,
            rows_max: limits.commit_rows_max,
            commit_time_max: limits.commit_time_max,
            retry_time: limits.store_retry_time,
            pending: Vec::new(),
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
                self.take(record);
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
        let records = if self.has_room() { &self.records } else { &never };
        let due = self.due.map_or_else(channel::never, channel::at);
        channel::select_biased! {
            recv(due) -> _ => Event::Due,
            recv(self.requests) -> request => request.map_or(Event::Orphaned, Event::Request),
            recv(records) -> record => record.map_or(Event::Orphaned, Event::Record),
        }
    }

    /// Answers what can be answered at once; false when told to stop.
    fn serve(&mut self, request: Request) -> bool {
        match request {
            Request::Cdrs(query, answer) => {
                answer.send(self.database.cdrs(&query));
            }
            Request::Change(change, answer) => {
                self.changes.push((change, answer));
                self.arm(self.commit_time_max);
            }
            Request::Flush(answer) => {
                self.flush();
                answer.send(self.fault.map_or(Ok(()), |fault| Err(fault.into())));
            }
            Request::Stop(answer) => {
                self.flush();
                let records = self.pending.len() + self.records.len();
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

    fn take(&mut self, record: Record) {
        self.pending.push(record);
        while self.has_room() {
            let Ok(record) = self.records.try_recv() else { break };
            self.pending.push(record);
        }
        self.arm(self.commit_time_max);
    }

    /// Commits what was handed over before now, in as many batches as it takes; ends at the first
    /// that fails.
    fn flush(&mut self) {
        let mut left = self.records.len();
        loop {
            while left > 0 && self.has_room() {
                left -= 1;
                self.pending.extend(self.records.try_recv());
            }
            self.commit();
            if left == 0 || self.fault.is_some() {
                return;
            }
        }
    }

    /// Commits what waits. Changes of users are answered either way; records are kept when the
    /// database refuses, and tried again.
    fn commit(&mut self) {
        self.due = None;
        let changes = mem::take(&mut self.changes);
        if self.pending.is_empty() && changes.is_empty() && self.fault.is_none() {
            return;
        }
        let began = Instant::now();
        match write(&mut self.database, &self.pending, &changes) {
            Ok(written) => {
                self.counters.commits.observe(began.elapsed());
                self.counters.rows += (self.pending.len() + changes.len()) as u64;
                self.counters.strays += written.strays;
                self.pending.clear();
                self.set_fault(None);
                for ((_, answer), outcome) in changes.into_iter().zip(written.outcomes) {
                    answer.send(outcome);
                }
            }
            Err(fault) => {
                self.counters.failures += 1;
                self.set_fault(Some(fault));
                self.arm(self.retry_time);
                for (_, answer) in changes {
                    answer.send(Err(fault.into()));
                }
            }
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
        self.pending.len() + self.changes.len()
    }
}

/// What a commit did beyond writing every row.
struct Written {
    strays: u64,
    /// One for each change, in order.
    outcomes: Vec<Result<(), StoreError>>,
}

/// Writes everything in one transaction, or nothing. With nothing to write it tries whether the
/// disk takes anything.
fn write(
    database: &mut Database,
    records: &[Record],
    changes: &[(UserChange, Answer<()>)],
) -> Result<Written, Fault> {
    let mut written = Written { strays: 0, outcomes: Vec::with_capacity(changes.len()) };
    if records.is_empty() && changes.is_empty() {
        database.probe()?;
        return Ok(written);
    }
    let transaction = database.begin()?;
    for record in records {
        if !cdr::apply(&transaction, record)? {
            written.strays += 1;
        }
    }
    for (change, _) in changes {
        written.outcomes.push(users::apply(&transaction, change)?);
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
