//! The bridge between an end that holds a session and one that speaks pager mode. For the end in
//! the session the IMMCU is the other end; towards the other it sends and takes MESSAGE requests
//! outside any dialog.

use bytes::Bytes;

use super::Shard;
use super::frame::{Bridge, Frame, InDialog, Origin, Pager};
use super::invitation::Invitation;
use super::relay::Purpose;
use super::session::{Leg, SessionEntry};
use crate::base::aor::Aor;
use crate::base::ids::{RelayId, SessionId, Slot};
use crate::base::limits::Limit;
use crate::base::side::Side;
use crate::base::time::Now;
use crate::dialect::reject::Reject;
use crate::dialect::text::{self, PLAIN};
use crate::immcu::session::{Ending, Input};
use crate::metrics::names::Series;
use crate::wire::mime::sdp;
use crate::wire::sip::Method;
use crate::wire::sip::write::request;

impl Shard {
    /// Takes a request from the end in the session, `side`, for the pager-mode end.
    pub(super) fn bridge_out(&mut self, now: Now, slot: Slot, side: Side, request: InDialog) {
        match request.method {
            Method::Message => self.text_out(now, slot, side, request),
            Method::Bye => {
                self.note_answered(slot, side, request.cseq, 200);
                self.answer_in_dialog(request, 200);
                self.end_session(now, slot, Ending::Bye(side));
            }
            // Typing: a pager-mode client has no use for it.
            Method::Info => {
                self.note_answered(slot, side, request.cseq, 200);
                self.answer_in_dialog(request, 200);
            }
            _ => {
                self.refuse_next(slot, side, request, Reject::MethodNotAllowed);
            }
        }
    }

    /// Carries a message of the session out as a pager-mode MESSAGE to the other end's home.
    fn text_out(&mut self, now: Now, slot: Slot, side: Side, request: InDialog) {
        let forwarded = Bytes::copy_from_slice(&request.bytes);
        let mut content = None;
        self.with_message(&forwarded, |_, message| {
            let content_type = message.content_type();
            content = Some(match text::plain(content_type, message.body()) {
                Some(text) => Ok(Bytes::copy_from_slice(text)),
                None if text::is_signal(content_type) => Err(200),
                None => Err(415),
            });
        });
        let text = match content {
            Some(Ok(text)) => text,
            Some(Err(200)) => {
                self.note_answered(slot, side, request.cseq, 200);
                return self.answer_in_dialog(request, 200);
            }
            Some(Err(_)) | None => {
                return self.refuse_next(slot, side, request, Reject::UnsupportedMedia);
            }
        };
        let Some(entry) = self.sessions.get(slot) else { return };
        let from = entry.session.party(side).clone();
        let to = entry.session.party(side.other()).clone();
        let purpose =
            Purpose::ToPager { session: slot, side, from: request.from, cseq: request.cseq };
        let Some(relay) = self.reserve_relay(now, None, None, purpose) else {
            return self.refuse_next(slot, side, request, Reject::Overloaded);
        };
        if let Some(entry) = self.relays.get_mut(relay.slot) {
            entry.request = forwarded;
        }
        if let Some(entry) = self.sessions.get_mut(slot) {
            entry.in_flight.push(relay.slot);
        }
        let writer = format!("sip:{from}");
        let request = self.pager_request(relay, &writer, to.as_str(), PLAIN.as_bytes(), &text);
        self.counters.count(Series::BridgeMessages);
        let home = to.home(self.shards);
        let pager = Pager { from, to, origin: Origin::Relay(relay), request };
        self.send_frame(home, Frame::Pager(Box::new(pager)));
    }

    /// The octets of a pager-mode MESSAGE of our own (RFC 3428 section 4); `from` is a URI.
    pub(super) fn pager_request(
        &mut self,
        relay: RelayId,
        from: &str,
        to: &str,
        content_type: &[u8],
        text: &[u8],
    ) -> Bytes {
        let (tag, call) = (self.seed.token(), self.seed.token());
        self.write_via(relay.token());
        self.arena.reserve(text.len() + 1024);
        request(&mut self.arena, "MESSAGE", format!("sip:{to}").as_bytes())
            .raw(&self.lines)
            .line("Max-Forwards", "70")
            .line_fmt("From", format_args!("<{from}>;tag={}", tag.escape_ascii()))
            .line_fmt("To", format_args!("<sip:{to}>"))
            .line_fmt("Call-ID", format_args!("{}@{}", call.escape_ascii(), self.settings.name))
            .line("CSeq", "1 MESSAGE")
            .content(content_type, text);
        self.arena.split().freeze()
    }

    /// Takes the final status of a message that went out to the pager-mode end.
    pub(super) fn text_out_answered(&mut self, now: Now, relay: Slot, status: u16) {
        let Some(entry) = self.relays.remove(relay) else { return };
        let Purpose::ToPager { session, side, from, cseq } = entry.purpose else { return };
        match reject_of(status) {
            None => self.answer_forwarded(from, &entry.request, 200),
            Some(reject) => self.reject_forwarded(from, &entry.request, reject),
        }
        self.settle(now, session, relay, side, cseq, Method::Message, status);
    }

    /// Takes a pager-mode message at the home of a user all of whose endpoints hold sessions:
    /// into the session there is, or into a new one. Typing needs no session, and what is not
    /// text gets none.
    pub(super) fn bridge(&mut self, now: Now, user: Slot, pager: Pager) {
        let (mut is_text, mut is_signal) = (false, false);
        let request = pager.request.clone();
        self.with_message(&request, |_, message| {
            let content_type = message.content_type();
            is_text = text::plain(content_type, message.body()).is_some();
            is_signal = text::is_signal(content_type);
        });
        if is_signal {
            return self.answer_pager(&pager, Ok(()));
        }
        if !is_text {
            return self.pager_refused(&pager, Reject::UnsupportedMedia);
        }
        match self.users.bridge_to(user, &pager.from) {
            Some(session) => {
                let bridge = Bridge { session, pager };
                self.send_frame(session.shard, Frame::Bridge(Box::new(bridge)));
            }
            None => self.open_bridge(now, pager),
        }
    }

    /// Invites the recipient of a pager-mode message to a session with us, in which the message
    /// is the first.
    fn open_bridge(&mut self, now: Now, pager: Pager) {
        if self.refuses_work() {
            return self.pager_refused(&pager, Reject::GoingDown);
        }
        let (caller, callee) = (pager.from.clone(), pager.to.clone());
        let offer = sdp::message_session(&self.settings.name);
        let contact = |call: &str| format!("<sip:{caller};opaque=app:im:{call};gruu>");
        let invite = self.own_invite(&caller, &callee, contact, "application/sdp", &offer);
        let invitation = Invitation::for_pager(invite, vec![pager.clone()]);
        let legs = [Leg::Pager, Leg::Open];
        let (from, to) = (caller.clone(), callee.clone());
        let Some(slot) = self.new_session(now, from, to, legs, invitation) else {
            return self.pager_refused(&pager, Reject::Overloaded);
        };
        let idle = self.settings.limits.pager_idle_timeout;
        if let Some(entry) = self.sessions.get_mut(slot) {
            entry.session.bridge(idle);
        }
        let session = self.session_id(slot);
        self.users.bridge(&callee, caller, session, true);
        self.find_callee(slot);
    }

    /// An INVITE of ours on behalf of a user; `contact` makes the Contact from the Call-ID's token.
    pub(super) fn own_invite(
        &mut self,
        from: &Aor,
        to: &Aor,
        contact: impl FnOnce(&str) -> String,
        media_type: &str,
        body: &str,
    ) -> Bytes {
        let (tag, call) = (self.seed.token(), self.seed.token());
        let contact = contact(&call.escape_ascii().to_string());
        request(&mut self.arena, "INVITE", format!("sip:{to}").as_bytes())
            .line("Max-Forwards", "70")
            .line_fmt("From", format_args!("<sip:{from}>;tag={}", tag.escape_ascii()))
            .line_fmt("To", format_args!("<sip:{to}>"))
            .line_fmt("Call-ID", format_args!("{}@{}", call.escape_ascii(), self.settings.name))
            .line("CSeq", "1 INVITE")
            .line("Contact", contact)
            .body(media_type, body.as_bytes());
        // Kept while the recipient's endpoints ring.
        Bytes::copy_from_slice(&self.arena.split())
    }

    /// Takes a pager-mode message at the owner of the bridged session that leads to its
    /// recipient.
    pub(super) fn bridge_in(&mut self, now: Now, bridge: Bridge) {
        let slot = bridge.session.slot;
        let open = self.sessions.get(slot).is_some_and(|entry| {
            entry.closing.is_none()
                && entry.session.is_bridged()
                && entry.legs.contains(&Leg::Pager)
                && (entry.invitation.is_some() || entry.session.is_established())
        });
        if !open {
            let home = bridge.pager.to.home(self.shards);
            return self.send_frame(home, Frame::BridgeGone(Box::new(bridge)));
        }
        let waiting_max = self.settings.limits.bridge_messages_max;
        let invitation = self.sessions.get(slot).and_then(|entry| entry.invitation);
        match invitation.and_then(|invitation| self.invitations.get_mut(invitation)) {
            None => self.text_in(now, slot, bridge.pager),
            Some(ringing) if ringing.waiting.len() < waiting_max => {
                ringing.waiting.push(bridge.pager);
            }
            Some(_) => {
                self.counters.hit(Limit::BridgeMessages);
                self.answer_pager(&bridge.pager, Err(Reject::TooManyRequests));
            }
        }
    }

    /// Takes a message back whose bridge is gone: it opens a new one.
    pub(super) fn bridge_gone(&mut self, now: Now, bridge: Bridge) {
        let Bridge { session, pager } = bridge;
        self.users.bridge(&pager.to.clone(), pager.from.clone(), session, false);
        self.pager(now, pager);
    }

    /// Carries a pager-mode message, which is text, into the session. It counts in the record of
    /// the session and in no other.
    pub(super) fn text_in(&mut self, now: Now, slot: Slot, pager: Pager) {
        let mut text = Bytes::new();
        let kept = pager.request.clone();
        self.with_message(&kept, |_, message| text = kept.slice_ref(message.body()));
        let Some(entry) = self.sessions.get(slot) else {
            return self.answer_pager(&pager, Err(Reject::NoEndpoint));
        };
        if entry.in_flight.len() >= self.settings.limits.relays_per_connection_max {
            self.counters.hit(Limit::RelaysPerConnection);
            return self.answer_pager(&pager, Err(Reject::TooManyRequests));
        }
        let side = match entry.legs {
            [Leg::Pager, _] => Side::Caller,
            _ => Side::Callee,
        };
        let origin = pager.origin;
        let purpose =
            Purpose::Bridged { session: slot, side, origin, pager: pager.request.clone() };
        let sent =
            self.send_in_dialog(now, slot, side.other(), Method::Message, Some(&text), purpose);
        match sent {
            Some(relay) => {
                self.counters.count(Series::BridgeMessages);
                if let Some(entry) = self.sessions.get_mut(slot) {
                    entry.in_flight.push(relay.slot);
                }
            }
            None => self.answer_pager(&pager, Err(Reject::Overloaded)),
        }
    }

    /// Takes the final status of a message that was carried into the session, and tells the
    /// pager-mode client.
    #[expect(clippy::too_many_arguments, reason = "the parts of one purpose")]
    pub(super) fn bridged_answered(
        &mut self,
        now: Now,
        relay: Slot,
        session: Slot,
        side: Side,
        origin: Origin,
        pager: Bytes,
        status: u16,
    ) {
        if let Origin::Connection(conn) = origin {
            self.answer_page(conn, &pager, reject_of(status).map_or(Ok(()), Err));
        }
        let delivered = (200..300).contains(&status);
        let Some(entry) = self.sessions.get_mut(session) else { return };
        entry.in_flight.retain(|slot| *slot != relay);
        let input = if delivered { Input::Deliver { from: side } } else { Input::Touch };
        entry.session.handle(now, input);
        let closing = entry.closing.is_some();
        // The dialog is gone at the client, or so it says: the next message opens a new one.
        if matches!(status, 408 | 480 | 481) {
            if !closing {
                self.say_goodbye(now, session, side.other());
            }
            self.end_session(now, session, Ending::ConnectionLost(side.other()));
        } else {
            self.close_if_settled(now, session);
        }
    }

    /// A bridged session is over: the home of its end in the session forgets it.
    pub(super) fn bridge_closed(&mut self, entry: &SessionEntry, session: SessionId) {
        let held = match entry.legs {
            [Leg::Pager, _] => Side::Callee,
            _ => Side::Caller,
        };
        let aor = entry.session.party(held).clone();
        let peer = entry.session.party(held.other()).clone();
        let home = aor.home(self.shards);
        self.send_frame(home, Frame::BridgeState { aor, peer, session, open: false });
    }
}

/// The refusal that carries a status over the bridge; `None` for success.
fn reject_of(status: u16) -> Option<Reject> {
    Some(match status {
        200..300 => return None,
        404 => Reject::UnknownUser,
        408 => Reject::NoAnswer,
        415 => Reject::UnsupportedMedia,
        488 | 606 => Reject::NotAcceptable,
        500..600 => Reject::Overloaded,
        _ => Reject::NoEndpoint,
    })
}
