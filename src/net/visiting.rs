//! One wake-up of a core: the connections that are ready are visited one after the other, frames of
//! other shards between them, and then everything that waits leaves. Handshakes come last and few at
//! a time: each costs as much as twenty messages, and after a restart all users want one.

use std::task::Context;
use std::time::Instant;

use super::carrier::Carrier;
use super::connection::Phase;
use super::inner::Inner;
use super::readiness::{Ready, Source};
use crate::base::ids::Slot;
use crate::base::time::Now;
use crate::shard::Machine;

/// Frames of other shards handled between two visits.
const PULLED: usize = 64;
/// Time after which the tick and the inbox have their turn before the next visit.
const TURN_MS: u64 = 5;
/// Handshakes take one part of so many of the time of a busy core, and what is left over of an idle
/// one.
const HANDSHAKE_PART: u32 = 4;

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Has `slot` visited soon, whatever its socket says.
    pub fn revisit(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !std::mem::replace(&mut connection.expected, true) {
            self.expected.push_back(slot);
            if let Some(visitor) = &self.visitor {
                visitor.wake_by_ref();
            }
        }
    }

    /// Visits what is ready, for a while. True when there may be more; else the task is woken for
    /// it.
    pub fn visit_all(&mut self, cx: &mut Context<'_>) -> bool {
        if self.visitor.is_none() {
            self.visitor = Some(cx.waker().clone());
        }
        let asked = Instant::now();
        let began = self.clock.at(asked);
        if self.ready.is_empty() {
            self.sockets.take(&mut self.ready);
            self.learned = asked;
        }
        let expected = self.expected.len();
        let idle = self.ready.is_empty()
            && expected == 0
            && self.shaking.is_empty()
            && !self.has_knocks(began);
        let mut now = began;
        while now.mono_ms.saturating_sub(began.mono_ms) <= TURN_MS
            && let Some(Ready { source, hangup }) = self.ready.pop_front()
        {
            match source {
                Source::Listener(number) => self.knocked(number),
                Source::Connection(slot) => {
                    if let Some(connection) = self.connections.get_mut(slot) {
                        connection.hangup |= hangup;
                        if connection.phase == Phase::Handshake {
                            if !std::mem::replace(&mut connection.shaking, true) {
                                connection.learned = self.learned;
                                self.shaking.push_back(slot);
                            }
                            continue;
                        }
                        // What an earlier visit left is older.
                        if !connection.expected && !connection.paused {
                            connection.learned = self.learned;
                        }
                        now = self.visit(slot);
                    }
                }
            }
        }
        for _ in 0..expected {
            if now.mono_ms.saturating_sub(began.mono_ms) > TURN_MS {
                break;
            }
            let Some(slot) = self.expected.pop_front() else { break };
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.expected = false;
                now = self.visit(slot);
            }
        }
        now = self.shake_hands(asked, now);
        self.accept_some(now);
        self.flush(now);
        !idle
            || !self.shaking.is_empty()
            || !self.expected.is_empty()
            || self.sockets.poll(cx).is_ready()
    }

    /// Takes handshakes a step further: one, and others as long as those who are served, since
    /// `since`, have had the greater part of the time. Then the sockets are looked at again, so who
    /// is served waits for one handshake, not for all.
    fn shake_hands(&mut self, since: Instant, mut now: Now) -> Now {
        if self.shaking.is_empty() {
            return now;
        }
        let began = Instant::now();
        let time = began.saturating_duration_since(since) / (HANDSHAKE_PART - 1);
        while let Some(slot) = self.shaking.pop_front() {
            let Some(connection) = self.connections.get_mut(slot) else { continue };
            connection.shaking = false;
            now = self.visit(slot);
            if began.elapsed() >= time {
                break;
            }
        }
        now
    }

    /// One visit, and what may not wait for the others; when it was. The time of a visit in which
    /// a message came in is that of the processing of its messages, and the one look at the clock
    /// at its end serves all questions.
    fn visit(&mut self, slot: Slot) -> Now {
        let began = Instant::now();
        let now = self.clock.at(began);
        self.guarded(slot, now, |inner| inner.step(slot, now));
        let done = Instant::now();
        let messages = self.holding.end_visit();
        if messages > 0 {
            let took = done.saturating_duration_since(began);
            self.machine.counters().processing.observe(took, messages);
        }
        if self.pull_is_due(done) {
            self.pull(PULLED, done, now);
        }
        if self.flush_is_due(done.max(self.pulled)) {
            self.flush(now);
        }
        now
    }
}
