//! What members of conferences do. Addresses are without scheme.

use super::{Output, Slot, World};
use crate::clock::Moment;
use crate::endpoint::{Endpoint, Env, Wait};
use crate::link::Link;
use crate::stamp::Stamp;
use crate::stats::{Cause, Operation};
use crate::transactions::Pending;

impl World {
    /// Asks for a conference of the user's own; false when the user cannot.
    pub fn create_conference(&mut self, slot: Slot, now: Moment) -> bool {
        self.ask(slot, Operation::Create, now, Endpoint::create_conference)
    }

    /// Brings the user into the conference with this focus; false when the user cannot.
    pub fn join(&mut self, slot: Slot, focus: &str, now: Moment) -> bool {
        self.ask(slot, Operation::Focus, now, |endpoint, env, link, pending| {
            endpoint.join(env, link, focus, pending)
        })
    }

    /// Lets the user follow the roster of the conference with this focus; false when the user
    /// cannot.
    pub fn watch_conference(&mut self, slot: Slot, focus: &str, now: Moment) -> bool {
        self.ask(slot, Operation::Subscribe, now, |endpoint, env, link, pending| {
            endpoint.watch_conference(env, link, focus, pending)
        })
    }

    /// Lets the user take up the instant messages of a conference; false when the user cannot.
    pub fn chat(&mut self, slot: Slot, chat: &str, now: Moment) -> bool {
        self.ask(slot, Operation::Invite, now, |endpoint, env, link, pending| {
            endpoint.chat(env, link, chat, pending)
        })
    }

    fn ask(
        &mut self,
        slot: Slot,
        operation: Operation,
        now: Moment,
        send: impl FnOnce(&mut Endpoint, &mut Env, &mut Link, Pending) -> Wait,
    ) -> bool {
        if !self.is_signed_in(slot) {
            return false;
        }
        let World { endpoints, links, env, .. } = self;
        let pending = Pending { operation, intended: now };
        let wait = send(&mut endpoints[slot], env, &mut links[slot], pending);
        self.sent(slot, wait, now);
        true
    }

    /// Sends a text in the user's session; what cannot be sent fails at once and is false.
    pub fn say(&mut self, slot: Slot, stamp: &Stamp, length: usize, now: Moment) -> bool {
        let overrun = self.is_overrun(slot);
        let World { endpoints, links, env, .. } = self;
        let link = &mut links[slot];
        let result = if !link.is_up() {
            Err(Cause::NoSession)
        } else if overrun {
            Err(Cause::Overrun)
        } else {
            let sent = endpoints[slot].message_in_session(env, link, stamp, length);
            sent.unwrap_or(Err(Cause::NoSession))
        };
        self.message_sent(slot, stamp, result, now)
    }

    /// Nothing more is read for the user until [`World::hear`]. From now on he answers nothing and
    /// asks for nothing but an end, and none of it counts.
    pub fn deafen(&mut self, slot: Slot) {
        self.links[slot].silent = true;
        self.outputs.push_back(Output::Deafen(slot));
    }

    /// Reads again for a user, so that it is seen whether the server still knows him.
    pub fn hear(&mut self, slot: Slot) {
        self.outputs.push_back(Output::Hear(slot));
    }
}
