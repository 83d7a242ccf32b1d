//! What is said in a conference, at the shard of the members' connections: one MESSAGE to each leg,
//! its answer, and the report to the author when it did not reach a member.

use std::sync::Arc;

use bytes::Bytes;

use super::forward::fill_via;
use super::frame::Cargo;
use super::frame::conference::{Carry, ToConference, Typing};
use super::relay::Purpose;
use super::{Shard, stamp};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, LegId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::ms::conference::{imdn, typing};
use crate::dialect::speech::Renditions;
use crate::immcu::conference::{Leaving, Reach};
use crate::metrics::names::Series;
use crate::wire::sip::Method;

impl Shard {
    /// Carries what was said to legs of this shard.
    pub(super) fn carry(&mut self, now: Now, carry: &Carry) {
        let settings = Arc::clone(&self.settings);
        let mut renditions = Renditions::new(&carry.speech, &settings.limits);
        for slot in carry.legs.iter().filter(|slot| Some(**slot) != carry.except) {
            self.carry_to(now, *slot, carry, &mut renditions);
        }
    }

    fn carry_to(&mut self, now: Now, slot: Slot, carry: &Carry, renditions: &mut Renditions<'_>) {
        let (conference, number) = (carry.conference, carry.speech.number);
        let max = self.settings.limits.conference_unanswered_max;
        let Some(entry) = self.legs.get(slot) else {
            // It is over, and the word of that is on its way, or lost.
            self.undelivered(slot, conference, number, 408);
            return self.disown_leg(conference, slot);
        };
        if entry.in_flight.len() >= max {
            self.counters.hit(Limit::ConferenceUnanswered);
            self.undelivered(slot, conference, number, 408);
            self.send_on_leg(now, slot, Method::Bye, b"", None);
            return self.leave(slot, Leaving::Unresponsive);
        }
        let (conn, accepts) = (entry.conn, entry.accepts);
        let Some(transport) = self.connections.get(conn).map(|c| c.transport) else { return };
        let Some(written) = renditions.of(accepts) else {
            return self.undelivered(slot, conference, number, 415);
        };
        let purpose = Purpose::Carried { leg: slot, number };
        let Some(relay) = self.reserve_relay(now, Some(conn), None, purpose) else {
            return self.undelivered(slot, conference, number, 503);
        };
        self.write_via(relay.token());
        self.arena.reserve(written.body.len() + 1024);
        let Some(entry) = self.legs.get_mut(slot) else { return };
        let via_at = entry.dialog.start_line_len(Method::Message);
        let (writer, cseq) = entry.dialog.request(&mut self.arena, Method::Message, &self.lines);
        let writer = match accepts.sender {
            true => writer.line_fmt("Ms-Sender", format_args!("<sip:{}>", carry.speech.author)),
            false => writer,
        };
        writer.content(&written.content_type, &written.body);
        let mut bytes = self.arena.split();
        fill_via(&mut bytes, via_at, &self.sent_by, transport, relay);
        entry.in_flight.push_back((relay.slot, number));
        let stamp = stamp(&self.hasher, entry.dialog.call_id(), cseq, b"MESSAGE");
        if let Some(relay) = self.relays.get_mut(relay.slot) {
            relay.stamp = Some(stamp);
        }
        self.counters.count(Series::ConferenceDeliveries);
        self.deliver(conn, bytes.freeze(), Cargo::Plain);
    }

    /// A leg has answered what was said to it, or has not in time (`None`).
    pub(super) fn carried(&mut self, leg: Slot, relay: Slot, number: u64, status: Option<u16>) {
        let Some(entry) = self.legs.get_mut(leg) else { return };
        let conference = entry.conference;
        if let Some(at) = entry.in_flight.iter().position(|(known, _)| *known == relay) {
            entry.in_flight.remove(at);
        }
        match status.unwrap_or(408) {
            200..300 => {}
            // The dialog is gone at the client, or so it says.
            status @ (480 | 481) => {
                self.undelivered(leg, conference, number, status);
                self.leave(leg, Leaving::Unresponsive);
            }
            status => self.undelivered(leg, conference, number, status),
        }
    }

    fn undelivered(&mut self, slot: Slot, conference: ConferenceId, number: u64, status: u16) {
        let reach = Reach::Leg(LegId::new(self.id, slot));
        self.tell_conference(conference, ToConference::Undelivered { reach, number, status });
    }

    /// Tells an author that something did not reach a member (MS-CONFIM; the Lync client shows it).
    /// Other clients have not asked for such reports (RFC 5438 section 7).
    pub(super) fn report(
        &mut self,
        now: Now,
        slot: Slot,
        number: u64,
        recipient: &Aor,
        status: u16,
    ) {
        if !self.legs.get(slot).is_some_and(|entry| entry.accepts.sender) {
            return;
        }
        let body = imdn::body(&number.to_string(), recipient, status);
        let content = Some((imdn::CONTENT_TYPE, body.as_bytes()));
        let lines = b"Event: message-delivery\r\n";
        self.send_on_leg(now, slot, Method::Benotify, lines, content);
    }

    /// Tells legs of this shard that somebody types.
    pub(super) fn tell_typing(&mut self, now: Now, word: &Typing) {
        let body = typing::keyboard_activity(word.typing);
        let sender = format!("Ms-Sender: <sip:{}>\r\n", word.who);
        let lines = Bytes::from(sender);
        for slot in word.legs.iter().filter(|slot| Some(**slot) != word.except) {
            if self.legs.get(*slot).is_some_and(|entry| entry.accepts.typing) {
                let content = Some((typing::KEYBOARD_ACTIVITY, body.as_bytes()));
                self.send_on_leg(now, *slot, Method::Info, &lines, content);
            }
        }
    }
}
