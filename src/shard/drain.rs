//! The end of a shard: no new work, and every conversation ended and recorded. The connections are
//! the partition's to close, spread over its window: until then what is in flight is answered.
//!
//! A server that is told to end has its shards refuse new work for as long as somebody waits for an
//! answer, which is not long, and then end. One that is to leave has them take no new work before
//! that, and go on with what there is while their connections are closed one by one.
//!
//! | what comes to a shard that leaves | answer |
//! |---|---|
//! | a sign-in | 503, and the end of the connection; a Lync client is sent elsewhere, if there is a place |
//! | REGISTER of who is signed in | as ever: without it he would go before his turn, in the midst of what he says; a Lync client is sent elsewhere, if there is a place |
//! | INVITE, OPTIONS | 503 |
//! | whatever has its dialog: INVITE, MESSAGE, INFO, REFER to remove somebody, SUBSCRIBE, ACK, BYE | as ever |
//! | MESSAGE outside dialogs | 503, but for one whose recipient has a session with the sender through the bridge, and one of a member of a conference |
//! | SUBSCRIBE for something new | 503 |
//! | PUBLISH, SERVICE | 503, but for what keeps or takes back a publication, and what only asks |
//! | making, joining and calling others into a conference | 503 |
//!
//! What was accepted before is delivered: the answers pass as long as there is a connection.

use std::time::Duration;

use super::Shard;
use super::connection::Connection;
use crate::base::host_port::HostPort;
use crate::base::ids::{ConnId, Dialect, Slot};
use crate::base::time::{Deadline, Now};
use crate::dialect::reject::Reject;
use crate::immcu::session::Ending;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::wire::sip::{Message, Method};

/// A shard that takes no new work.
#[derive(Clone, Debug)]
pub(super) struct Leave {
    /// When its last connection is closed.
    until: Deadline,
    /// Where clients that follow are sent.
    to: Option<HostPort>,
    /// Seconds until then, as of the last tick.
    left_s: u64,
}

impl Leave {
    fn new(now: Now, until: Deadline, to: Option<HostPort>) -> Self {
        let mut leave = Leave { until, to, left_s: 0 };
        leave.look(now);
        leave
    }

    fn look(&mut self, now: Now) {
        self.left_s = self.until.0.saturating_sub(now.mono_ms).div_ceil(1000);
    }
}

impl Shard {
    /// Takes the word that no new work is to be taken, and that all connections are closed over a
    /// time; clients that follow are sent to `to`.
    pub(super) fn leave_over(&mut self, now: Now, over: Duration, to: Option<HostPort>) {
        self.leaving = Some(Leave::new(now, now.after(over), to));
    }

    /// Looks how much of that time is left.
    pub(super) fn leave_on(&mut self, now: Now) {
        if let Some(leaving) = &mut self.leaving {
            leaving.look(now);
        }
    }

    /// Seconds for which nobody need come again, because the server is leaving.
    pub(super) fn leaving_s(&self) -> u64 {
        self.leaving.as_ref().map_or(0, |leaving| leaving.left_s)
    }

    /// True when no new work is taken.
    pub(super) fn refuses_work(&self) -> bool {
        self.draining || self.leaving.is_some()
    }

    /// Refuses a request of a connection that is nobody's, and ends it: there is nothing here for
    /// whoever it is.
    pub(super) fn turn_away(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        if message.method() != Method::Register || !self.redirect(conn, message) {
            self.reject(conn, message, Reject::GoingDown);
        }
        self.close(now, conn, CloseReason::Drain);
    }

    /// Sends a Lync client to where it is to sign in instead, and says whether that is somewhere: it
    /// connects there at once. Standard clients do not follow a redirection of their REGISTER; they
    /// look up another server themselves when they are refused (RFC 3263 section 4.3).
    pub(super) fn redirect(&mut self, conn: ConnId, message: Message<'_>) -> bool {
        let to = self.leaving.as_ref().and_then(|leaving| leaving.to.clone());
        let speaks_ms = |c: &Connection| c.dialect == Dialect::Ms;
        let Some(to) = to.filter(|_| self.connections.get(conn).is_some_and(speaks_ms)) else {
            return false;
        };
        self.counters.count(Series::Redirects);
        self.respond(conn, message, 301, |writer| {
            writer.line_fmt("Contact", format_args!("<sip:{to};transport=tls>")).finish();
        });
        true
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
