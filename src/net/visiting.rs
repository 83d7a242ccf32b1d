//! One wake-up of a core: the connections that are ready are visited one after the other, frames of
//! other shards between them, and then everything that waits leaves.

use std::task::Context;

use super::carrier::Carrier;
use super::inner::Inner;
use super::readiness::{Ready, Source};
use crate::base::ids::Slot;
use crate::shard::Machine;

/// Frames of other shards handled between two visits.
const PULLED: usize = 64;

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Has `slot` visited soon, whatever its socket says.
    pub fn revisit(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !std::mem::replace(&mut connection.expected, true) {
            self.expected.push(slot);
            if let Some(visitor) = &self.visitor {
                visitor.wake_by_ref();
            }
        }
    }

    /// Visits what is ready. True when there may be more; else the task is woken for it.
    pub fn visit_all(&mut self, cx: &mut Context<'_>) -> bool {
        if self.visitor.is_none() {
            self.visitor = Some(cx.waker().clone());
        }
        let mut ready = std::mem::take(&mut self.ready);
        self.sockets.take(&mut ready);
        let mut expected = std::mem::take(&mut self.expected);
        let idle = ready.is_empty() && expected.is_empty() && !self.has_knocks(self.clock.now());
        for Ready { source, hangup } in ready.drain(..) {
            match source {
                Source::Listener(number) => self.knocked(number),
                Source::Connection(slot) => {
                    if let Some(connection) = self.connections.get_mut(slot) {
                        connection.hangup |= hangup;
                        self.visit(slot);
                    }
                }
            }
        }
        self.ready = ready;
        for slot in expected.drain(..) {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.expected = false;
                self.visit(slot);
            }
        }
        if self.expected.is_empty() {
            self.expected = expected;
        }
        let now = self.clock.now();
        self.accept_some(now);
        self.flush(now);
        !idle || !self.expected.is_empty() || self.sockets.poll(cx).is_ready()
    }

    fn visit(&mut self, slot: Slot) {
        let now = self.clock.now();
        self.guarded(slot, now, |inner| inner.step(slot, now));
        if self.pull_is_due() {
            self.pull(PULLED, now);
        }
        if self.flush_is_due() {
            self.flush(now);
        }
    }
}
