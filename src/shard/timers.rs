//! What wakes a shard by itself.

use std::time::Duration;

use super::Shard;
use super::connection::Connection;
use crate::base::ids::{ConferenceId, ConnId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;

/// What a timer of the wheel looks at.
#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    /// A connection must have signed in by now.
    Authenticate(ConnId),
    /// An endpoint of the user in this slot may have expired.
    Registration(Slot),
    /// A session may have been silent for too long.
    Session(Slot),
    /// An invitation may have been unanswered for too long.
    Invitation(Slot),
    /// A subscription of a connection may have run out.
    Subscriptions(ConnId),
    /// The presence of the user in this slot may change by itself.
    Presence(Slot),
    /// A search may have waited for too long.
    Search(Slot),
    /// The time of a conference may be up.
    Conference(ConferenceId),
    /// The store is asked again to keep a conference, or to forget it.
    KeepConference(ConferenceId),
    /// A leg in a conference may have waited too long for the answer to its join.
    Join(Slot),
}

/// Width of a slot of the timer wheel: one tick of the core.
pub(super) const TICK_MS: u64 = 20;

/// Longest a timer is armed ahead for what a client may put off as often as it likes: timers are
/// not cancelled, so what rings in vain must soon have rung.
pub(super) const LOOK_AHEAD: Duration = Duration::from_secs(600);

impl Shard {
    /// Looks at all that is due.
    pub(super) fn tick(&mut self, now: Now) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for timer in due.drain(..) {
            match timer {
                Timer::Authenticate(conn) => {
                    let late = |c: &Connection| c.user.is_none() || c.is_late_with_keys(now);
                    if self.connections.get(conn).is_some_and(late) {
                        self.counters.hit(Limit::AuthenticateTime);
                        self.close(now, conn, CloseReason::AuthenticateTimeout);
                    }
                }
                Timer::Registration(slot) => self.expire_endpoints(now, slot),
                Timer::Session(slot) => self.session_due(now, slot),
                Timer::Invitation(slot) => self.invitation_due(now, slot),
                Timer::Subscriptions(conn) => self.subscriptions_due(now, conn),
                Timer::Presence(slot) => self.presence_due(now, slot),
                Timer::Search(slot) => self.answer_search(slot),
                Timer::Conference(id) => self.conference_due(now, id),
                Timer::KeepConference(id) => self.write_conference_again(now, id),
                Timer::Join(slot) => self.join_due(now, slot),
            }
        }
        self.due = due;
        self.leave_on(now);
        self.sweep_relays(now);
        self.conversations.tick(now);
        self.note_conversations();
        for table in
            [&mut self.failed_users, &mut self.failed_addresses, &mut self.locked_addresses]
        {
            for _ in 0..table.take_evicted() {
                self.counters.hit(Limit::LockoutEntries);
            }
        }
        self.counters.count(Series::Ticks);
    }
}
