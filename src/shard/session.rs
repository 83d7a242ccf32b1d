//! Sessions at their owner: what is relayed in them, how they end, what is recorded.

use bytes::Bytes;

use super::forward;
use super::frame::{Cargo, Frame, InDialog, Reply, Stamp};
use super::invitation::Invitation;
use super::relay::{Purpose, Relay};
use super::summons::Summons;
use super::{Shard, Timer, stamp};
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, RelayId, SessionId, Slot};
use crate::base::limits::Limit;
use crate::base::side::Side;
use crate::base::time::Now;
use crate::base::transport::Transport;
use crate::dialect::reject::Reject;
use crate::dialect::text::PLAIN;
use crate::immcu::session::{Ending, Input, Output as Notice, Session};
use crate::metrics::names::Series;
use crate::records::{self, End, Ended, Kind, Record, RecordId, Started};
use crate::sip::dialog::{Dialog, Order};
use crate::wire::sip::Method;
use crate::wire::sip::write::request;

/// Where one end of a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leg {
    /// Not chosen yet.
    Open,
    /// Behind a connection, in a dialog.
    Connection(ConnId, Transport),
    /// A pager-mode client: what is for it leaves the session through its home.
    Pager,
}

/// A session and all that belongs to it.
#[derive(Debug)]
pub(super) struct SessionEntry {
    /// Who talks, how much, how it ends.
    pub(super) session: Session,
    /// Its call detail record.
    pub(super) record: RecordId,
    /// Where caller and callee are.
    pub(super) legs: [Leg; 2],
    /// It is an invitation to a conference.
    pub(super) summons: Option<Box<Summons>>,
    /// The dialog, once there is one.
    pub(super) dialog: Option<Dialog>,
    /// The number of the INVITE whose 2xx the caller has not acknowledged.
    pub(super) ack: Option<u32>,
    /// The invitation, until it is answered.
    pub(super) invitation: Option<Slot>,
    /// Requests in flight in its dialog.
    pub(super) in_flight: Vec<Slot>,
    /// How it ends, while it waits for the answers to what is in flight: a message that was
    /// delivered counts even if its writer said goodbye right after it.
    pub(super) closing: Option<Ending>,
}

impl SessionEntry {
    /// The leg of one end.
    pub(super) fn leg(&self, side: Side) -> Leg {
        self.legs[side.index()]
    }

    /// The end behind `conn`.
    fn side_of(&self, conn: ConnId) -> Option<Side> {
        [Side::Caller, Side::Callee]
            .into_iter()
            .find(|side| matches!(self.leg(*side), Leg::Connection(leg, _) if leg == conn))
    }
}

impl Shard {
    /// Takes a request in the dialog of a session that this shard owns.
    pub(super) fn relay_in_dialog(&mut self, now: Now, mut request: InDialog) {
        let slot = request.session.slot;
        let Some(entry) = self.sessions.get_mut(slot) else {
            return self.refuse_in_dialog(request, Reject::UnknownDialog);
        };
        let Some(side) = entry
            .dialog
            .as_ref()
            .and_then(|dialog| dialog.sender(request.dialog))
            .filter(|side| entry.side_of(request.from) == Some(*side))
        else {
            return self.refuse_in_dialog(request, Reject::UnknownDialog);
        };
        if request.method == Method::Ack {
            return self.relay_ack(now, slot, side, request);
        }
        if entry.closing.is_some() {
            // Both ends said goodbye at once, or one writes to a conversation that is over.
            return match request.method {
                Method::Bye => self.answer_in_dialog(request, 200),
                _ => self.refuse_in_dialog(request, Reject::UnknownDialog),
            };
        }
        let Some(dialog) = entry.dialog.as_mut() else { return };
        match dialog.order(side, request.cseq) {
            Order::Next => {}
            Order::Repeat => {
                let answered = dialog.end(side).answered;
                if answered != 0 {
                    self.answer_in_dialog(request, answered);
                }
                return;
            }
            Order::Old => return self.refuse_in_dialog(request, Reject::OutOfOrder),
        }
        if request.method == Method::Invite {
            // Refusing a new offer leaves the session as it was (RFC 3261 section 14.2).
            return self.refuse_next(slot, side, request, Reject::NotAcceptable);
        }
        let full = entry.in_flight.len() >= self.settings.limits.relays_per_connection_max;
        if full && request.method != Method::Bye {
            self.counters.hit(Limit::RelaysPerConnection);
            return self.refuse_next(slot, side, request, Reject::TooManyRequests);
        }
        let Leg::Connection(to, transport) = entry.leg(side.other()) else {
            return self.bridge_out(now, slot, side, request);
        };
        if request.method == Method::Message {
            self.counters.count(Series::SessionMessages);
        }
        let purpose = Purpose::InDialog {
            session: slot,
            side,
            from: request.from,
            method: request.method,
            cseq: request.cseq,
        };
        let ends = request.method == Method::Bye;
        let relay = match self.reserve_relay(now, Some(to), Some(request.stamp), purpose) {
            Some(relay) => relay,
            None if ends => return self.part(now, slot, side, request, to, transport),
            None => return self.refuse_next(slot, side, request, Reject::Overloaded),
        };
        forward::fill_via(&mut request.bytes, request.via_at, &self.sent_by, transport, relay);
        let bytes = request.bytes.freeze();
        if let Some(relay) = self.relays.get_mut(relay.slot) {
            relay.request = bytes.clone();
        }
        if let Some(entry) = self.sessions.get_mut(slot) {
            entry.in_flight.push(relay.slot);
        }
        self.deliver(to, bytes, Cargo::Request(relay));
        if ends {
            self.end_session(now, slot, Ending::Bye(side));
        }
    }

    /// Passes a goodbye on when there is no place to wait for its answer: it is answered here. Whoever
    /// wants to leave is not held back.
    fn part(
        &mut self,
        now: Now,
        slot: Slot,
        side: Side,
        mut request: InDialog,
        to: ConnId,
        transport: Transport,
    ) {
        let (from, relay) = (request.from, self.untracked(request.cseq));
        forward::fill_via(&mut request.bytes, request.via_at, &self.sent_by, transport, relay);
        let bytes = request.bytes.freeze();
        self.deliver(to, bytes.clone(), Cargo::Plain);
        self.answer_forwarded(from, &bytes, 200);
        self.end_session(now, slot, Ending::Bye(side));
    }

    /// Takes the answer to a request that was relayed in a session.
    pub(super) fn reply_in_dialog(&mut self, now: Now, relay: RelayId, reply: Reply) {
        let Some(Purpose::InDialog { session, side, from, method, cseq }) =
            self.relays.get(relay.slot).map(|relay| relay.purpose.clone())
        else {
            return;
        };
        self.deliver(from, reply.bytes, Cargo::Plain);
        if reply.status < 200 {
            return;
        }
        self.relays.remove(relay.slot);
        self.settle(now, session, relay.slot, side, cseq, method, reply.status);
    }

    /// Notes the final answer to a request of `side` in a session.
    #[expect(clippy::too_many_arguments, reason = "one fact each, all known at the call")]
    pub(super) fn settle(
        &mut self,
        now: Now,
        session: Slot,
        relay: Slot,
        side: Side,
        cseq: u32,
        method: Method,
        status: u16,
    ) {
        let Some(entry) = self.sessions.get_mut(session) else { return };
        entry.in_flight.retain(|slot| *slot != relay);
        if let Some(dialog) = entry.dialog.as_mut() {
            dialog.answered(side, cseq, status);
        }
        let delivered = method == Method::Message && (200..300).contains(&status);
        let input = if delivered { Input::Deliver { from: side } } else { Input::Touch };
        entry.session.handle(now, input);
        self.close_if_settled(now, session);
    }

    /// A leg's connection is gone.
    pub(super) fn leg_lost(&mut self, now: Now, slot: Slot, conn: ConnId) {
        let Some(entry) = self.sessions.get(slot) else { return };
        if let Some(invitation) = entry.invitation {
            return self.ringing_leg_lost(now, invitation, conn);
        }
        let Some(side) = entry.side_of(conn) else { return };
        let lost: Vec<Slot> = entry
            .in_flight
            .iter()
            .copied()
            .filter(|relay| self.relays.get(*relay).is_some_and(|relay| relay.to == Some(conn)))
            .collect();
        self.end_session(now, slot, Ending::ConnectionLost(side));
        for relay in lost {
            self.fail_relay(now, relay, Reject::EndpointLost);
        }
    }

    /// Ends a session: tells the end that does not know yet, and once nothing is in flight lets
    /// both connections go and writes the record.
    pub(super) fn end_session(&mut self, now: Now, slot: Slot, ending: Ending) {
        let Some(entry) = self.sessions.get_mut(slot) else { return };
        if entry.closing.is_none() {
            entry.closing = Some(ending);
            for side in [Side::Caller, Side::Callee] {
                let knows =
                    matches!(ending, Ending::Bye(_)) || ending == Ending::ConnectionLost(side);
                if !knows {
                    self.say_goodbye(now, slot, side);
                }
            }
        }
        self.close_if_settled(now, slot);
    }

    /// Lets a session go that is over and for whose dialog nothing is in flight.
    pub(super) fn close_if_settled(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.sessions.get_mut(slot) else { return };
        let Some(ending) = entry.closing else { return };
        if !entry.in_flight.is_empty() {
            return;
        }
        entry.session.handle(now, Input::End(ending));
        self.note(slot);
        let Some(entry) = self.sessions.remove(slot) else { return };
        let session = SessionId::new(self.id, slot);
        for leg in entry.legs {
            if let Leg::Connection(conn, _) = leg {
                self.send_frame(conn.shard, Frame::Leave { conn, session });
            }
        }
        if entry.session.is_bridged() {
            self.bridge_closed(&entry, session);
        }
        self.counters.set(Series::SessionsCurrent, self.sessions.len() as u64);
    }

    /// Time has passed for a session.
    pub(super) fn session_due(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.sessions.get(slot) else { return };
        match entry.session.next_deadline() {
            Some(deadline) if now.reached(deadline) => self.end_session(now, slot, Ending::Idle),
            Some(deadline) => self.wheel.arm(deadline, Timer::Session(slot)),
            None => {}
        }
    }

    /// Carries what a session wants recorded to the store.
    pub(super) fn note(&mut self, slot: Slot) {
        let Some(entry) = self.sessions.get_mut(slot) else { return };
        let Some(notice) = entry.session.next_output() else { return };
        let session = &entry.session;
        let (id, bridged) = (entry.record, session.is_bridged());
        if entry.summons.is_some() {
            return self.summons_noted(slot, &notice);
        }
        match notice {
            Notice::Started => {
                let started = started(id, session);
                self.counters.count(Series::SessionsStarted);
                self.record(Record::Started(started));
            }
            Notice::Ended(ending) => {
                let end = End {
                    end_unix_ms: session.last().unix_ms,
                    messages_from_caller: session.messages(Side::Caller),
                    messages_from_callee: session.messages(Side::Callee),
                    ending: recorded(ending),
                };
                // An invitation that nobody took has no first half yet.
                let unanswered = !session.was_established();
                let first = unanswered.then(|| Record::Started(started(id, session)));
                for record in first.into_iter().chain([Record::Ended(Ended { id, end, bridged })]) {
                    self.record(record);
                }
            }
        }
    }

    /// Passes the ACK of the 2xx on; it has no answer and no transaction. Any other ACK is of an
    /// answer of our own, or none at all.
    fn relay_ack(&mut self, now: Now, slot: Slot, side: Side, mut request: InDialog) {
        let Some(entry) = self.sessions.get_mut(slot) else { return };
        if side != Side::Caller || entry.ack != Some(request.cseq) {
            return;
        }
        entry.ack = None;
        entry.session.handle(now, Input::Touch);
        if let Leg::Connection(to, transport) = entry.leg(side.other()) {
            let relay = self.untracked(request.cseq);
            forward::fill_via(&mut request.bytes, request.via_at, &self.sent_by, transport, relay);
            self.deliver(to, request.bytes.freeze(), Cargo::Plain);
        }
        self.end_if_summons(now, slot);
    }

    /// Sends BYE to one end on behalf of the other (RFC 3261 section 15.1.1).
    pub(super) fn say_goodbye(&mut self, now: Now, slot: Slot, to: Side) {
        let Some(entry) = self.sessions.get(slot) else { return };
        if entry.dialog.is_none() {
            return;
        }
        self.send_in_dialog(now, slot, to, Method::Bye, None, Purpose::Own);
    }

    /// The name of a request whose answer nobody waits for and that takes no place: an answer is a
    /// stray one. A goodbye goes out even when there is no place left.
    pub(super) fn untracked(&self, cseq: u32) -> RelayId {
        RelayId::new(self.id, Slot { index: u32::MAX, generation: cseq })
    }

    /// Takes a place for a request in flight; its octets follow.
    pub(super) fn reserve_relay(
        &mut self,
        now: Now,
        to: Option<ConnId>,
        stamp: Option<Stamp>,
        purpose: Purpose,
    ) -> Option<RelayId> {
        let deadline = now.after(self.settings.limits.request_timeout);
        let relay = Relay { to, stamp, request: Bytes::new(), deadline, purpose };
        let slot = self.relays.insert(relay);
        if slot.is_none() {
            self.counters.hit(Limit::Relays);
        }
        slot.map(|slot| RelayId::new(self.id, slot))
    }

    /// Sends a request of our own to one end of a session, on behalf of the other: From and To
    /// are those of the dialog, so that the client knows the conversation.
    pub(super) fn send_in_dialog(
        &mut self,
        now: Now,
        slot: Slot,
        to: Side,
        method: Method,
        text: Option<&[u8]>,
        purpose: Purpose,
    ) -> Option<RelayId> {
        let entry = self.sessions.get_mut(slot)?;
        let Leg::Connection(conn, transport) = entry.leg(to) else { return None };
        let from = to.other();
        let cseq = entry.dialog.as_mut()?.next_cseq(from);
        let dialog = entry.dialog.as_ref()?;
        let stamp = stamp(&self.hasher, &dialog.call_id, cseq, method.as_str().as_bytes());
        let own = matches!(purpose, Purpose::Own);
        let relay = match self.reserve_relay(now, Some(conn), Some(stamp), purpose) {
            None if own => self.untracked(cseq),
            relay => relay?,
        };
        let entry = self.sessions.get(slot)?;
        let dialog = entry.dialog.as_ref()?;
        let writer = request(&mut self.arena, method.as_str(), &dialog.end(to).target)
            .line_fmt(
                "Via",
                format_args!(
                    "SIP/2.0/{} {};branch=z9hG4bK{}",
                    transport.via(),
                    self.sent_by,
                    relay.token().escape_ascii()
                ),
            )
            .line("Max-Forwards", "70")
            .line_fmt(
                "From",
                format_args!(
                    "<sip:{}>;tag={}",
                    entry.session.party(from),
                    dialog.end(from).tag.escape_ascii()
                ),
            )
            .line_fmt(
                "To",
                format_args!(
                    "<sip:{}>;tag={}",
                    entry.session.party(to),
                    dialog.end(to).tag.escape_ascii()
                ),
            )
            .line("Call-ID", &dialog.call_id)
            .line_fmt("CSeq", format_args!("{cseq} {}", method.as_str()));
        match text {
            Some(text) => writer.body(PLAIN, text),
            None => writer.finish(),
        }
        let bytes = self.arena.split().freeze();
        if let Some(entry) = self.relays.get_mut(relay.slot) {
            entry.request = bytes.clone();
        }
        self.deliver(conn, bytes, Cargo::Request(relay));
        Some(relay)
    }

    /// Makes room for a session that an invitation asks for.
    pub(super) fn new_session(
        &mut self,
        now: Now,
        caller: Aor,
        callee: Aor,
        legs: [Leg; 2],
        invitation: Invitation,
    ) -> Option<Slot> {
        let idle = self.settings.limits.session_idle_timeout;
        let entry = SessionEntry {
            session: Session::new(now, caller, callee, idle),
            record: RecordId::new(now.unix_ms, &mut self.seed),
            legs,
            summons: None,
            dialog: None,
            ack: None,
            invitation: None,
            in_flight: Vec::new(),
            closing: None,
        };
        let Ok(slot) = self.sessions.insert(entry) else {
            self.counters.hit(Limit::Sessions);
            return None;
        };
        let invitation = self.invitations.insert(invitation.into_session(slot));
        let Ok(invitation) = invitation else {
            self.counters.hit(Limit::Sessions);
            self.sessions.remove(slot);
            return None;
        };
        if let Some(entry) = self.sessions.get_mut(slot) {
            entry.invitation = Some(invitation);
        }
        let until = now.after(self.settings.limits.request_timeout);
        self.watch_invitation(invitation, Some(until));
        self.counters.set(Series::SessionsCurrent, self.sessions.len() as u64);
        Some(slot)
    }

    /// Refuses a request in a dialog; an ACK is dropped.
    pub(super) fn refuse_in_dialog(&mut self, request: InDialog, reject: Reject) {
        if request.method != Method::Ack {
            let from = request.from;
            self.reject_forwarded(from, &request.bytes.freeze(), reject);
        }
    }

    /// Refuses a request that is the next of its end; again if it comes again.
    pub(super) fn refuse_next(
        &mut self,
        slot: Slot,
        side: Side,
        request: InDialog,
        reject: Reject,
    ) {
        self.note_answered(slot, side, request.cseq, reject.status());
        self.refuse_in_dialog(request, reject);
    }

    /// Notes how a request of one end was finally answered.
    pub(super) fn note_answered(&mut self, slot: Slot, side: Side, cseq: u32, status: u16) {
        let dialog = self.sessions.get_mut(slot).and_then(|entry| entry.dialog.as_mut());
        if let Some(dialog) = dialog {
            dialog.answered(side, cseq, status);
        }
    }

    /// Answers a request in a dialog ourselves.
    pub(super) fn answer_in_dialog(&mut self, request: InDialog, status: u16) {
        let from = request.from;
        self.answer_forwarded(from, &request.bytes.freeze(), status);
    }
}

fn started(id: RecordId, session: &Session) -> Started {
    Started {
        id,
        kind: Kind::Session,
        caller: session.caller().as_str().to_owned(),
        callee: session.callee().as_str().to_owned(),
        start_unix_ms: session.started().unix_ms,
        bridged: session.is_bridged(),
    }
}

fn recorded(ending: Ending) -> records::Ending {
    match ending {
        Ending::Bye(Side::Caller) => records::Ending::ByeCaller,
        Ending::Bye(Side::Callee) => records::Ending::ByeCallee,
        Ending::Declined(status) => records::Ending::Declined(status),
        Ending::Cancelled => records::Ending::Cancelled,
        Ending::NoAnswer => records::Ending::NoAnswer,
        Ending::ConnectionLost(Side::Caller) => records::Ending::ConnectionLostCaller,
        Ending::ConnectionLost(Side::Callee) => records::Ending::ConnectionLostCallee,
        Ending::Idle => records::Ending::Idle,
        Ending::Drained => records::Ending::Drained,
    }
}
