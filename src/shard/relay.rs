//! Requests in flight: what we forwarded or sent and whose answer is due.

use bytes::Bytes;

use super::frame::{Origin, Stamp};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, Slot};
use crate::base::side::Side;
use crate::base::slab::Slab;
use crate::base::time::{Deadline, Now};
use crate::wire::sip::Method;

/// One request in flight: our client transaction (RFC 3261 section 17.1). Streams do not lose
/// octets, so there is nothing to retransmit; what is left of timers B and F is `deadline`.
#[derive(Debug)]
pub struct Relay {
    /// The connection it went to: only an answer from there counts. `None` when another shard
    /// answers.
    pub to: Option<ConnId>,
    /// Call-ID and CSeq, which the answer must bear; `None` when another shard answers.
    pub stamp: Option<Stamp>,
    /// The request as it went out, our Via on top: what an answer of our own is made from.
    pub request: Bytes,
    /// Timer F.
    pub deadline: Deadline,
    /// What to do with the answer.
    pub purpose: Purpose,
}

/// Why a request was sent.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// A request in a session's dialog: the answer goes back to the other leg.
    InDialog {
        /// The session; may be over by the time of the answer.
        session: Slot,
        /// The end that sent it.
        side: Side,
        /// The connection that sent it.
        from: ConnId,
        /// Its method.
        method: Method,
        /// Its sequence number.
        cseq: u32,
    },
    /// A branch of an invitation.
    Invite {
        /// The invitation.
        invitation: Slot,
        /// Which branch.
        branch: u16,
    },
    /// A branch of a pager-mode message.
    Pager {
        /// The message.
        fork: Slot,
        /// Which branch.
        branch: u16,
    },
    /// A message of a session that went out to a pager-mode end.
    ToPager {
        /// The session.
        session: Slot,
        /// The end that wrote it.
        side: Side,
        /// The connection that wrote it.
        from: ConnId,
        /// Its sequence number.
        cseq: u32,
    },
    /// A pager-mode message that the bridge carried into a session.
    Bridged {
        /// The session.
        session: Slot,
        /// The end on whose behalf it was sent.
        side: Side,
        /// Where its answer goes.
        origin: Origin,
        /// The pager-mode request.
        pager: Bytes,
    },
    /// A notification: the next one waits for its answer.
    Notification {
        /// The subscription; may be over by the time of the answer.
        subscription: Slot,
    },
    /// What was said in a conference, on its way to a member.
    Carried {
        /// His leg; may be over by the time of the answer.
        leg: Slot,
        /// The number of what was said.
        number: u64,
    },
    /// The same to a member in pager mode.
    Paged {
        /// The conference.
        conference: ConferenceId,
        /// Who.
        member: Aor,
        /// The number of what was said.
        number: u64,
    },
    /// A request of our own whose answer nobody waits for.
    Own,
}

impl Purpose {
    /// True when somebody waits for what becomes of something he has said. An invitation may ring
    /// for minutes.
    pub fn has_sender(&self) -> bool {
        match self {
            Purpose::InDialog { .. }
            | Purpose::Pager { .. }
            | Purpose::ToPager { .. }
            | Purpose::Bridged { .. }
            | Purpose::Carried { .. }
            | Purpose::Paged { .. } => true,
            Purpose::Invite { .. } | Purpose::Notification { .. } | Purpose::Own => false,
        }
    }
}

/// The requests in flight of a shard.
#[derive(Debug)]
pub struct Relays {
    slab: Slab<Relay>,
    /// Next slot index the sweep looks at.
    cursor: u32,
}

/// Slots the sweep looks at in one tick: with a tick of 20 ms every one of 500,000 is seen
/// within 2.5 s, at some 20 µs a tick.
const SWEEP: u32 = 4096;

impl Relays {
    /// No request; at most `max` at a time.
    pub fn new(max: usize) -> Self {
        Relays { slab: Slab::new(max), cursor: 0 }
    }

    /// Takes note of at most `max` from now on.
    pub fn set_max(&mut self, max: usize) {
        self.slab.set_max(max);
    }

    /// Takes note of a request; `None` at the bound.
    pub fn insert(&mut self, relay: Relay) -> Option<Slot> {
        self.slab.insert(relay).ok()
    }

    /// The request in `slot`.
    pub fn get(&self, slot: Slot) -> Option<&Relay> {
        self.slab.get(slot)
    }

    /// Like [`get`](Self::get), to change it.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Relay> {
        self.slab.get_mut(slot)
    }

    /// Its final answer is there.
    pub fn remove(&mut self, slot: Slot) -> Option<Relay> {
        self.slab.remove(slot)
    }

    /// How many more there may be.
    pub fn room(&self) -> usize {
        self.slab.room()
    }

    /// Number of requests in flight.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// The requests and their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Slot, &Relay)> {
        self.slab.iter()
    }

    /// Looks at some slots and appends those whose time is up to `due`. A timer for each would
    /// cost more than this: nearly all are answered in milliseconds.
    pub fn sweep(&mut self, now: Now, due: &mut Vec<Slot>) {
        let slots = self.slab.slots();
        for _ in 0..SWEEP.min(slots) {
            if self.cursor >= slots {
                self.cursor = 0;
            }
            if let Some((slot, relay)) = self.slab.at(self.cursor)
                && now.reached(relay.deadline)
            {
                due.push(slot);
            }
            self.cursor += 1;
        }
    }
}
