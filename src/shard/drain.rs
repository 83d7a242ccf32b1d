//! The end of a shard: no new work, and every conversation ended and recorded. The connections are
//! the partition's to close, spread over its window: until then what is in flight is answered.
//!
//! It comes in one step when the server is told to end, or in two: a shard that leaves takes no new
//! work and goes on with what there is while its connections are closed one by one.

use std::time::Duration;

use super::Shard;
use crate::base::ids::{ConnId, Slot};
use crate::base::time::{Deadline, Now};
use crate::dialect::reject::Reject;
use crate::immcu::session::Ending;
use crate::metrics::counters::CloseReason;
use crate::wire::sip::Message;

/// A shard that takes no new work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    /// When its last connection is closed.
    until: Deadline,
    /// Seconds until then, as of the last tick.
    left_s: u64,
}

impl Leave {
    fn new(now: Now, until: Deadline) -> Self {
        Leave { until, left_s: until.0.saturating_sub(now.mono_ms).div_ceil(1000) }
    }
}

impl Shard {
    /// Takes the word that no new work is to be taken, and that all connections are closed over a
    /// time.
    pub(super) fn leave_over(&mut self, now: Now, over: Duration) {
        self.leaving = Some(Leave::new(now, now.after(over)));
    }

    /// Looks how much of that time is left.
    pub(super) fn leave_on(&mut self, now: Now) {
        if let Some(leaving) = &mut self.leaving {
            *leaving = Leave::new(now, leaving.until);
        }
    }

    /// Seconds for which nobody need come again, because the server is leaving.
    pub(super) fn leaving_s(&self) -> u64 {
        self.leaving.map_or(0, |leaving| leaving.left_s)
    }

    /// True when no new work is taken.
    pub(super) fn refuses_work(&self) -> bool {
        self.draining || self.leaving.is_some()
    }

    /// Refuses a request of a connection that is nobody's, and ends it: there is nothing here for
    /// whoever it is.
    pub(super) fn turn_away(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        self.reject(conn, message, Reject::GoingDown);
        self.close(now, conn, CloseReason::Drain);
    }

    /// Takes the word that the server goes down.
    pub(super) fn drain(&mut self, now: Now) {
        self.draining = true;
        let sessions: Vec<Slot> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in sessions {
            let invitation = self.sessions.get(slot).and_then(|entry| entry.invitation);
            match invitation {
                Some(invitation) => self.drain_invitation(now, invitation),
                None => self.end_session(now, slot, Ending::Drained),
            }
            // What is in flight is not waited for: the records are.
            if let Some(entry) = self.sessions.get_mut(slot) {
                entry.in_flight.clear();
            }
            self.close_if_settled(now, slot);
        }
        self.drain_conferences(now);
        self.conversations.drain();
        self.note_conversations();
    }
}
