//! The deadlines of connections, all in one wheel that the tick of the core advances.

use super::carrier::Carrier;
use super::connection::{Connection, Phase};
use super::inner::Inner;
use crate::base::ids::Slot;
use crate::base::limits::Limit;
use crate::base::time::{Deadline, Now};
use crate::metrics::counters::CloseReason;
use crate::shard::Machine;

/// Width of a slot of the wheel.
pub(super) const GRANULARITY_MS: u64 = 20;
/// Connections closed in one tick of a drain even when that is more than an even spread asks for.
const DRAIN_BATCH: usize = 64;

/// Which of a connection's deadlines a timer looks at. At most one far timer of a connection is
/// armed, and a near one only while something short is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Near(Slot),
    Far(Slot),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// None is closed before.
    pub from: Deadline,
    /// All connections are closing by then.
    pub until: Deadline,
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Arms the near timer of a connection, unless one is armed that fires early enough.
    pub fn arm_near(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if let Some((deadline, _)) = connection.near_deadline(&self.limits)
            && connection.near.is_none_or(|near| deadline < near)
        {
            connection.near = Some(deadline);
            self.wheel.arm(deadline, Timer::Near(slot));
        }
    }

    /// Looks at the connections whose timers are due.
    pub fn fire(&mut self, now: Now) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for timer in due.drain(..) {
            let (Timer::Near(slot) | Timer::Far(slot)) = timer;
            self.guarded(slot, now, |inner| {
                match timer {
                    Timer::Near(_) => inner.near_due(slot, now),
                    Timer::Far(_) => inner.far_due(slot, now),
                }
                inner.settle(now);
            });
        }
        self.due = due;
    }

    fn near_due(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.near = None;
        match connection.near_deadline(&self.limits) {
            Some((deadline, reason)) if now.reached(deadline) => self.expire(slot, reason, now),
            Some(_) => self.arm_near(slot),
            None => {}
        }
    }

    fn far_due(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let deadline = connection.idle_deadline(&self.limits);
        if !now.reached(deadline) {
            self.wheel.arm(deadline, Timer::Far(slot));
        } else if connection.is_writable() {
            self.machine.counters().hit(Limit::IdleTime);
            self.close(slot, CloseReason::IdleTimeout, now);
        }
    }

    /// Closes a share of the connections in each tick of a drain.
    pub fn drain_some(&mut self, now: Now) {
        let Some(drain) = self.drain.filter(|drain| now.reached(drain.from)) else { return };
        let ticks = (drain.until.0.saturating_sub(now.mono_ms) / GRANULARITY_MS).max(1) as usize;
        let open =
            |connection: &Connection| !matches!(connection.phase, Phase::Closing | Phase::Gone);
        let left = self.connections.iter().filter(|(_, c)| open(c)).count();
        let share = left.div_ceil(ticks).max(DRAIN_BATCH);
        let slots: Vec<Slot> = self
            .connections
            .iter()
            .filter(|(_, c)| open(c))
            .map(|(slot, _)| slot)
            .take(share)
            .collect();
        for slot in slots {
            self.guarded(slot, now, |inner| {
                inner.close(slot, CloseReason::Drain, now);
                inner.settle(now);
            });
        }
    }
}
