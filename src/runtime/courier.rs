//! The way out of one core and into it: frames to other shards and from them, frames to itself,
//! records to the store.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ledger::Ledger;
use super::mesh::{Inbox, Mesh, Outbox};
use crate::base::ids::ShardId;
use crate::base::limits::Limit;
use crate::metrics::counters::Counters;
use crate::net::carrier::Carrier;
use crate::records::Record;
use crate::shard::frame::Frame;
use crate::shard::output::Output;

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
}

impl Courier {
    /// The courier of `shard`.
    pub fn new(shard: ShardId, mesh: &Arc<Mesh>, ledger: Arc<dyn Ledger>) -> Self {
        let (outbox, inbox) = (mesh.outbox(shard), mesh.inbox(shard));
        Courier { shard, outbox, inbox, local: VecDeque::new(), ledger, records: VecDeque::new() }
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
            Output::Frame { to, frame } if to == self.shard => self.local.push_back(frame),
            Output::Frame { to, frame } => self.outbox.send(to, frame, counters),
            Output::Record(record) => self.record(record, counters),
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
        !self.inbox.is_empty() || self.outbox.has_room()
    }

    fn congested(&self) -> bool {
        self.outbox.congested() || !self.records.is_empty()
    }
}
