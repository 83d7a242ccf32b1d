//! What users ask for once, and what they subscribe to for a while.

use super::{Slot, World};
use crate::clock::Moment;
use crate::endpoint::{Endpoint, Env, Wait};
use crate::link::Link;
use crate::stats::{Cause, Operation};
use crate::subscription::Package;
use crate::transactions::Pending;

impl World {
    /// Asks for what a Lync client wants to know when it has signed in: what the server has for
    /// clients, the contact list, and what the user has published.
    pub fn own_data(&mut self, slot: Slot, now: Moment) {
        let operation = Operation::OwnData;
        self.question(slot, operation, now, now, Endpoint::provision);
        for package in [Package::Contacts, Package::Own] {
            self.question(slot, operation, now, now, |endpoint, env, link, pending| {
                endpoint.subscribe_own(env, link, package, pending)
            });
        }
    }

    /// Subscribes to the presence of users, to end it soon.
    pub fn subscribe_shortly(&mut self, slot: Slot, users: &[u32], intended: Moment, now: Moment) {
        let operation = Operation::ShortSubscribe;
        self.question(slot, operation, intended, now, |endpoint, env, link, pending| {
            endpoint.subscribe(env, link, users, pending)
        });
    }

    /// Asks for the documents of users.
    pub fn poll(&mut self, slot: Slot, users: &[u32], intended: Moment, now: Moment) {
        self.question(slot, Operation::Poll, intended, now, |endpoint, env, link, pending| {
            endpoint.poll(env, link, users, pending)
        });
    }

    /// Looks up to `results_max` users up whose name begins with `name`.
    pub fn search(
        &mut self,
        slot: Slot,
        name: &str,
        results_max: u32,
        intended: Moment,
        now: Moment,
    ) {
        self.question(slot, Operation::Search, intended, now, |endpoint, env, link, pending| {
            endpoint.search(env, link, (name, results_max), pending)
        });
    }

    /// Says in the user's session that he is typing; what cannot be sent fails at once.
    pub fn typing(&mut self, slot: Slot, intended: Moment, now: Moment) {
        let World { endpoints, links, env, .. } = self;
        let pending = Pending { operation: Operation::Typing, intended };
        let sent = match links[slot].is_up() {
            true => endpoints[slot].typing(env, &mut links[slot], pending),
            false => None,
        };
        match sent.unwrap_or(Err(Cause::NoSession)) {
            Ok(wait) => self.sent(slot, wait, now),
            Err(cause) => self.fail(Operation::Typing, intended, cause),
        }
    }

    /// Sends what is counted from `intended`; what cannot be sent fails at once.
    fn question(
        &mut self,
        slot: Slot,
        operation: Operation,
        intended: Moment,
        now: Moment,
        send: impl FnOnce(&mut Endpoint, &mut Env, &mut Link, Pending) -> Wait,
    ) {
        if !self.is_signed_in(slot) {
            return self.fail(operation, intended, Cause::NoSession);
        }
        if self.is_overrun(slot) {
            return self.fail(operation, intended, Cause::Overrun);
        }
        let World { endpoints, links, env, .. } = self;
        let pending = Pending { operation, intended };
        let wait = send(&mut endpoints[slot], env, &mut links[slot], pending);
        if self.counts(operation, intended) {
            self.stats.lag(now.since(intended));
        }
        self.sent(slot, wait, now);
    }
}
