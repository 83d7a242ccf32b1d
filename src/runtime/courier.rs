//! The way out of one core and into it: frames to other shards and from them, frames to itself,
//! records and rows to the store, answers to operators, and what applications watch.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

use super::inquiries::Inquiries;
use super::ledger::Ledger;
use super::mesh::{Inbox, Mesh, Outbox};
use super::observers::Observers;
use super::returns::{Returns, Written};
use crate::base::ids::{ShardId, Slot};
use crate::base::limits::{Limit, Limits};
use crate::metrics::counters::Counters;
use crate::net::carrier::Carrier;
use crate::records::Record;
use crate::shard::durable::NotWritten;
use crate::shard::frame::Frame;
use crate::shard::output::Output;
use crate::store::Receipt;

/// Carries the effects of one core's machine.
pub struct Courier {
    shard: ShardId,
    outbox: Outbox,
    inbox: Inbox,
    local: VecDeque<Frame>,
    ledger: Arc<dyn Ledger>,
    /// Records that the store could not take yet, oldest first. The core reads no connection
    /// meanwhile, so few are added.
    records: VecDeque<Record>,
    /// Writes that the store has not answered, or whose answer was not taken: at most
    /// `writes_max`, for which `returns` has room.
    writes: usize,
    writes_max: usize,
    returns: Arc<Returns>,
    /// Tickets of writes that were one too many.
    refused: VecDeque<Slot>,
    inquiries: Rc<Inquiries>,
    observers: Rc<Observers>,
}

impl Courier {
    /// The courier of `shard`.
    pub fn new(
        shard: ShardId,
        mesh: &Arc<Mesh>,
        ledger: Arc<dyn Ledger>,
        inquiries: Rc<Inquiries>,
        observers: Rc<Observers>,
        limits: &Limits,
    ) -> Self {
        let writes_max = limits.writes_in_flight_per_shard_max;
        let (outbox, inbox) = (mesh.outbox(shard), mesh.inbox(shard));
        Courier {
            shard,
            outbox,
            inbox,
            local: VecDeque::new(),
            ledger,
            records: VecDeque::new(),
            writes: 0,
            writes_max,
            returns: Returns::new(shard, mesh.clone(), writes_max),
            refused: VecDeque::new(),
            inquiries,
            observers,
        }
    }

    /// Has `write` hand something over that is answered under `ticket`, if there may be one more.
    fn write(
        &mut self,
        ticket: Slot,
        counters: &mut Counters,
        write: impl FnOnce(&dyn Ledger, Receipt),
    ) {
        if self.writes < self.writes_max {
            self.writes += 1;
            write(&*self.ledger, Receipt::new(ticket, self.returns.clone()));
        } else {
            counters.hit(Limit::WritesInFlight);
            self.refused.push_back(ticket);
            self.returns.ring();
        }
    }

    fn record(&mut self, record: Record, counters: &mut Counters) {
        if !self.records.is_empty() {
            self.records.push_back(record);
        } else if let Err(record) = self.ledger.record(record) {
            counters.hit(Limit::ControlQueue);
            self.records.push_back(record);
        }
    }
}

impl Carrier for Courier {
    fn carry(&mut self, output: Output, counters: &mut Counters) {
        match output {
            Output::Answer { ticket, answer } => self.inquiries.answer(ticket, answer),
            Output::Observed { observer, sight } => self.observers.show(observer, *sight),
            Output::Frame { to, frame } if to == self.shard => self.local.push_back(frame),
            Output::Frame { to, frame } => self.outbox.send(to, frame, counters),
            Output::Record(record) => self.record(record, counters),
            Output::Write(write) => {
                let ticket = write.ticket;
                self.write(ticket, counters, |ledger, receipt| ledger.write(write, receipt));
            }
            Output::WriteConference(write) => {
                let ticket = write.ticket;
                self.write(ticket, counters, |ledger, receipt| {
                    ledger.write_conference(write, receipt);
                });
            }
            // The partition carries these out itself.
            Output::Send { .. } | Output::Close { .. } => {}
        }
    }

    fn next_local(&mut self) -> Option<Frame> {
        self.local.pop_front()
    }

    fn next_arrived(&mut self) -> Option<Frame> {
        self.inbox.pop()
    }

    fn next_written(&mut self, counters: &mut Counters) -> Option<Written> {
        let Some((ticket, result)) = self.returns.take() else {
            return self.refused.pop_front().map(|ticket| (ticket, Err(NotWritten::Full)));
        };
        self.writes = self.writes.saturating_sub(1);
        if result == Err(NotWritten::Full) {
            counters.hit(Limit::StoreWrites);
        }
        Some((ticket, result))
    }

    fn flush(&mut self, counters: &mut Counters) {
        self.outbox.flush(counters);
        while let Some(record) = self.records.pop_front() {
            if let Err(record) = self.ledger.record(record) {
                self.records.push_front(record);
                break;
            }
        }
    }

    fn has_work(&self) -> bool {
        // The store does not ring; records are tried again with the tick.
        !self.inbox.is_empty()
            || self.outbox.has_room()
            || !self.returns.is_empty()
            || !self.refused.is_empty()
    }

    fn congested(&self) -> bool {
        self.outbox.congested() || !self.records.is_empty()
    }
}
