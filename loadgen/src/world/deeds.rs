//! What scenarios do: connections, sessions, messages, subscriptions and publications of users.

use super::{Output, Slot, Timer, World};
use crate::clock::Moment;
use crate::endpoint::{Wait, Which};
use crate::link::{Purpose, State};
use crate::settings::Dialect;
use crate::stamp::{Arrival, Stamp};
use crate::stats::{Cause, Operation};
use crate::transactions::Pending;

impl World {
    /// Opens a connection. The operation of `purpose` succeeds or fails once, counted from
    /// `intended`.
    pub fn open(&mut self, slot: Slot, purpose: Purpose, intended: Moment, now: Moment) {
        let source = self.env.settings.source(self.number(slot));
        let link = &mut self.links[slot];
        debug_assert_eq!(link.state, State::Closed);
        link.reset();
        link.state = State::Opening { purpose, intended, began: now };
        let generation = link.generation;
        self.opening += 1;
        self.wheel.arm(now.after(self.env.settings.timeout), Timer::Opening { slot, generation });
        match self.lanes.carrier(slot) {
            Some(carrier) => self.board(slot, carrier, now),
            None => self.outputs.push_back(Output::Open { slot, generation, source }),
        }
    }

    /// Closes a connection; the scenario hears [`super::Notice::Down`].
    pub fn close(&mut self, slot: Slot) {
        if self.links[slot].is_up() {
            self.links[slot].state = State::Closing;
            self.outputs.push_back(Output::Close(slot));
        }
    }

    /// Renews a registration.
    pub fn refresh(&mut self, slot: Slot, intended: Moment, now: Moment) {
        if !self.is_signed_in(slot) {
            return self.fail(Operation::Refresh, intended, Cause::NoSession);
        }
        if self.endpoints[slot].registration.pending.is_some() {
            return self.fail(Operation::Refresh, intended, Cause::Overrun);
        }
        self.register(slot, Operation::Refresh, intended, now);
    }

    /// Ends a registration; false when there is none, or a REGISTER is under way.
    pub fn sign_out(&mut self, slot: Slot, now: Moment) -> bool {
        let can = self.is_signed_in(slot) && self.endpoints[slot].registration.pending.is_none();
        if can {
            self.register(slot, Operation::SignOut, now, now);
        }
        can
    }

    /// Begins a session with another user of this thread; false when the user cannot.
    pub fn invite(&mut self, slot: Slot, peer: Slot, now: Moment) -> bool {
        if !self.is_signed_in(slot) {
            return false;
        }
        let peer = self.endpoints[peer].identity.aor.clone();
        let pending = Pending { operation: Operation::Invite, intended: now };
        let wait =
            self.endpoints[slot].invite(&mut self.env, &mut self.links[slot], &peer, pending);
        self.sent(slot, wait, now);
        true
    }

    /// Sends a text to another user of this thread: in the session (`ms`) or on its own
    /// (`simple`). What cannot be sent fails at once and is false.
    pub fn message(
        &mut self,
        slot: Slot,
        peer: Slot,
        stamp: &Stamp,
        length: usize,
        now: Moment,
    ) -> bool {
        if self.env.settings.dialect == Dialect::Ms {
            return self.say(slot, stamp, length, now);
        }
        let overrun = self.is_overrun(slot);
        let World { endpoints, links, env, .. } = self;
        let link = &mut links[slot];
        let result = if !link.is_up() {
            Err(Cause::NoSession)
        } else if overrun {
            Err(Cause::Overrun)
        } else {
            match endpoints.get_disjoint_mut([slot, peer]) {
                Ok([sender, peer]) => {
                    sender.message_to(env, link, &peer.identity.aor, stamp, length)
                }
                Err(_) => Err(Cause::NoSession),
            }
        };
        self.message_sent(slot, stamp, result, now)
    }

    /// A text was sent, or could not be sent, which is false.
    pub(super) fn message_sent(
        &mut self,
        slot: Slot,
        stamp: &Stamp,
        result: Result<Wait, Cause>,
        now: Moment,
    ) -> bool {
        match result {
            Ok(wait) => {
                if self.window.is_some_and(|window| window.holds(stamp.intended)) {
                    self.stats.lag(now.since(stamp.intended));
                }
                self.sent(slot, wait, now);
            }
            Err(cause) => self.fail(Operation::Message, stamp.intended, cause),
        }
        result.is_ok()
    }

    /// Subscribes to the presence of other users: to all at once (`ms`) or to each on its own
    /// (`simple`).
    pub fn subscribe(&mut self, slot: Slot, watched: &[u32], now: Moment) {
        if !self.is_signed_in(slot) {
            return self.fail(Operation::Subscribe, now, Cause::NoSession);
        }
        let pending = Pending { operation: Operation::Subscribe, intended: now };
        let parts = match self.env.settings.dialect {
            Dialect::Ms => watched.len().max(1),
            Dialect::Simple => 1,
        };
        for part in watched.chunks(parts) {
            let World { endpoints, links, env, .. } = self;
            let wait = endpoints[slot].subscribe(env, &mut links[slot], part, pending);
            self.sent(slot, wait, now);
        }
    }

    /// Ends the user's subscriptions.
    pub fn unsubscribe(&mut self, slot: Slot, now: Moment) {
        self.unsubscribe_from(slot, Which::All, now);
    }

    /// Ends the user's subscriptions of a kind.
    pub fn unsubscribe_from(&mut self, slot: Slot, which: Which, now: Moment) {
        if !self.links[slot].is_up() {
            return;
        }
        let pending = Pending { operation: Operation::Unsubscribe, intended: now };
        let mut waits = Vec::new();
        let World { endpoints, links, env, .. } = self;
        endpoints[slot].unsubscribe(env, &mut links[slot], which, pending, &mut waits);
        for wait in waits {
            self.sent(slot, wait, now);
        }
    }

    /// Takes back a state that would outlive the user's connection.
    pub fn unpublish(&mut self, slot: Slot, now: Moment) {
        if !self.links[slot].is_up() {
            return;
        }
        let pending = Pending { operation: Operation::Unpublish, intended: now };
        let World { endpoints, links, env, .. } = self;
        if let Some(wait) = endpoints[slot].unpublish(env, &mut links[slot], pending) {
            self.sent(slot, wait, now);
        }
    }

    /// Publishes a state of the user; what cannot be sent fails at once and is false.
    pub fn publish(&mut self, slot: Slot, stamp: &Stamp, now: Moment) -> bool {
        let sent = match self.is_signed_in(slot) {
            true => self.endpoints[slot].publish(&mut self.env, &mut self.links[slot], stamp),
            false => Err(Cause::NoSession),
        };
        match sent {
            Ok(wait) => {
                if self.counts(Operation::Publish, stamp.intended) {
                    self.stats.lag(now.since(stamp.intended));
                }
                self.sent(slot, wait, now);
            }
            Err(cause) => self.fail(Operation::Publish, stamp.intended, cause),
        }
        sent.is_ok()
    }

    /// Ends the user's sessions.
    pub fn bye(&mut self, slot: Slot, now: Moment) {
        if !self.links[slot].is_up() {
            return;
        }
        let pending = Pending { operation: Operation::Bye, intended: now };
        let mut waits = Vec::new();
        self.endpoints[slot].bye(&mut self.env, &mut self.links[slot], pending, &mut waits);
        for wait in waits {
            self.sent(slot, wait, now);
        }
    }

    /// The scenario hears [`super::Notice::Reminder`] at `at`.
    pub fn remind(&mut self, slot: Slot, what: u32, at: Moment) {
        self.wheel.arm(at, Timer::Reminder { slot, what });
    }

    /// Counts a failure.
    pub fn fail(&mut self, operation: Operation, intended: Moment, cause: Cause) {
        if self.counts(operation, intended) {
            self.stats.fail(operation, cause, 1);
        }
    }

    /// Counts a success.
    pub fn succeed(&mut self, operation: Operation, intended: Moment, now: Moment) {
        if self.counts(operation, intended) {
            self.stats.succeed(operation, intended, now);
        }
        if self.window.is_some_and(|window| window.holds(now)) {
            self.stats.complete_in_window(operation);
        }
    }

    /// Counts how a message that has reached a user stands to those before it; false when it was
    /// there already.
    pub fn is_new(&mut self, arrival: Arrival, intended: Moment) -> bool {
        let counts = u64::from(self.counts(Operation::Delivery, intended));
        match arrival {
            Arrival::InOrder => {}
            Arrival::Late => self.stats.seen.reordered += counts,
            Arrival::Repeated => self.stats.seen.duplicates += counts,
        }
        arrival != Arrival::Repeated
    }

    /// Whether an operation meant for this moment counts.
    pub fn counts(&self, operation: Operation, intended: Moment) -> bool {
        !self.measured.contains(&operation)
            || self.window.is_some_and(|window| window.holds(intended))
    }
}
