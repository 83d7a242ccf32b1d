//! The end of a wake-up: what waits on each connection leaves at once.
//!
//! Connections that are ready together are handled one after the other, and then all of them are
//! flushed. When that takes long, the flush does not wait for the last of them.

use std::time::{Duration, Instant};

use super::carrier::Carrier;
use super::connection::{Connection, Phase};
use super::inner::Inner;
use super::outbound::Wire;
use crate::base::ids::Slot;
use crate::base::time::Now;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;

/// Connections that wait to be flushed before it is done without further delay: some hundred
/// publications that forty watchers see each, so that what those have for one watcher leaves in
/// one record.
pub(super) const DIRTY_MAX: usize = 4096;

/// Longest a flush waits for the connections that are ready. Only a core that has that much to do
/// waits at all; with 1 ms a saturated one spends half as much again on a notification, as fewer
/// leave together.
const FLUSH_WAIT: Duration = Duration::from_millis(5);

/// Queues of idle connections that are kept for the next ones.
const SPARE_MAX: usize = 64;

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Has `slot` flushed at the end of this wake-up.
    pub fn mark_dirty(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !std::mem::replace(&mut connection.dirty, true) {
            self.dirty.push(slot);
            self.schedule_flush();
        }
    }

    pub fn schedule_flush(&mut self) {
        if std::mem::replace(&mut self.flush_coming, true) {
            return;
        }
        self.flush_asked = Instant::now();
    }

    /// True when, at this moment, the flush that was asked for should not wait for the end of the
    /// wake-up.
    pub fn flush_is_due(&self, at: Instant) -> bool {
        self.flush_coming
            && (self.dirty.len() >= DIRTY_MAX
                || at.saturating_duration_since(self.flush_asked) > FLUSH_WAIT)
    }

    /// Ends a wake-up: every connection with something to send is flushed once, then whoever got
    /// a frame is woken, and connections that waited for the mesh go on.
    pub fn flush(&mut self, now: Now) {
        self.caught(|inner| inner.settle(now));
        while let Some(slot) = self.dirty.pop() {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.dirty = false;
                self.guarded(slot, now, |inner| {
                    inner.flush_one(slot, now);
                    inner.settle(now);
                });
            }
        }
        self.carrier.flush(self.machine.counters());
        self.flush_coming = false;
        if !self.holding.is_empty() {
            self.holding.release(Instant::now(), &mut self.machine.counters().holding);
        }
        if !self.carrier.congested() {
            while let Some(slot) = self.paused.pop() {
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.paused = false;
                    self.revisit(slot);
                }
            }
        }
    }

    /// Sends what waits on one connection; closes our side once a closing one has nothing left.
    pub fn flush_one(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let Connection { stream, tls, outbound, .. } = &mut **connection;
        if !outbound.is_empty() {
            let mut wire = Wire { stream, tls: tls.as_deref_mut(), sent: 0 };
            let result = outbound.flush(&mut wire, &mut self.buffers.scratch);
            self.machine.counters().add(Series::WireBytesSent, wire.sent);
            match result {
                Ok(0) => {}
                Ok(moved) => {
                    let counters = self.machine.counters();
                    counters.count(Series::Flushes);
                    counters.add(Series::BytesSent, moved as u64);
                }
                Err(error) => {
                    tracing::debug!(peer = %connection.peer, %error, "write failed");
                    connection.outbound.clear();
                    self.close(slot, CloseReason::Reset, now);
                    return;
                }
            }
            // Idle connections share the memory of their queues.
            if let Some(spare) = outbound.spare()
                && self.spare.len() < SPARE_MAX
            {
                self.spare.push(spare);
            }
        }
        if connection.phase == Phase::Closing && !connection.outbound.is_blocked() {
            self.shut(slot);
        }
    }
}
