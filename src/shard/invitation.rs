//! An invitation while its endpoints ring, and after: their answers, who is connected, who is
//! told to stop.

use bytes::Bytes;

use super::connection::Asked;
use super::dispatch_message::unanswered;
use super::frame::{AnsweringEnd, Cargo, Frame, Pager, Reply};
use super::home::Endpoint;
use super::relay::Purpose;
use super::session::Leg;
use super::{Shard, Timer, stamp};
use crate::base::ids::{ConnId, RelayId, SessionId, Slot};
use crate::base::side::Side;
use crate::base::time::{Deadline, Now};
use crate::dialect::reject::Reject;
use crate::immcu::session::{Ending, Input};
use crate::sip::dialog::{Dialog, End};
use crate::sip::fork::{self, Fork, Output, Source};
use crate::sip::server_transaction as server;
use crate::wire::mime::sdp;
use crate::wire::sip::write::{request, response};
use crate::wire::sip::{HeaderName, Message};

/// An invitation. Outlives the moment of its final answer until every endpoint has answered: one
/// that takes it too late is told goodbye.
#[derive(Debug)]
pub(super) struct Invitation {
    /// The session it makes; may be over before it is.
    pub(super) session: Slot,
    /// The INVITE: as it came, or as we made it for a pager-mode caller.
    pub(super) invite: Bytes,
    /// The caller's connection, of this shard; none for a pager-mode caller.
    pub(super) caller: Option<ConnId>,
    /// The endpoints' transactions; none until the callee is located.
    pub(super) fork: Option<Fork>,
    /// The endpoints that ring.
    pub(super) branches: Vec<Branch>,
    /// The caller took it back.
    pub(super) cancelled: bool,
    /// The timer that looks at it is armed for this time.
    armed: Option<Deadline>,
    /// The best refusal so far, as the caller would see it.
    held: Option<Bytes>,
    /// Pager-mode messages that wait for the session.
    pub(super) waiting: Vec<Pager>,
}

/// An endpoint that rings.
#[derive(Debug)]
pub(super) struct Branch {
    /// The request in flight.
    pub(super) relay: RelayId,
    /// Where.
    pub(super) endpoint: Endpoint,
    /// The INVITE as it went there.
    pub(super) sent: Bytes,
}

impl Invitation {
    /// The invitation of a caller in a session.
    pub(super) fn of_caller(invite: Bytes, conn: ConnId) -> Self {
        Invitation { caller: Some(conn), ..Invitation::for_pager(invite, Vec::new()) }
    }

    /// When its timer looks at it next.
    pub(super) fn armed(&self) -> Option<Deadline> {
        self.armed
    }

    /// The invitation to the session in `slot`.
    pub(super) fn into_session(self, slot: Slot) -> Self {
        Invitation { session: slot, ..self }
    }

    /// The invitation we make for a pager-mode caller, to carry his messages.
    pub(super) fn for_pager(invite: Bytes, waiting: Vec<Pager>) -> Self {
        Invitation {
            session: Slot::default(),
            invite,
            caller: None,
            fork: None,
            branches: Vec::new(),
            cancelled: false,
            armed: None,
            held: None,
            waiting,
        }
    }
}

impl Shard {
    /// Takes an endpoint's answer to an invitation.
    pub(super) fn branch_answered(&mut self, now: Now, slot: Slot, branch: u16, reply: Reply) {
        let (branch, status) = (usize::from(branch), reply.status);
        if status >= 200 {
            self.relays.remove(reply.relay.slot);
        }
        self.drive(now, slot, fork::Input::Response { branch, status }, Some(reply));
    }

    /// Ends an invitation because the server goes down.
    pub(super) fn drain_invitation(&mut self, now: Now, slot: Slot) {
        let Some(invitation) = self.invitations.get_mut(slot) else { return };
        let (session, invite) = (invitation.session, invitation.invite.clone());
        for pager in std::mem::take(&mut invitation.waiting) {
            self.answer_pager(&pager, Err(Reject::GoingDown));
        }
        let caller = self.invitations.get_mut(slot).and_then(|invitation| invitation.caller.take());
        if let Some(caller) = caller {
            let reject = Reject::GoingDown;
            self.with_message(&invite, |shard, message| shard.reject(caller, message, reject));
            self.answered_caller(now, caller, session, reject.status());
        }
        self.drive(now, slot, fork::Input::CallerLost, None);
        self.leave_branches(slot);
        self.end_session(now, session, Ending::Drained);
    }

    /// The connection of the caller, or of an endpoint that rings, is gone.
    pub(super) fn ringing_leg_lost(&mut self, now: Now, slot: Slot, conn: ConnId) {
        let Some(invitation) = self.invitations.get_mut(slot) else { return };
        if invitation.caller == Some(conn) {
            invitation.caller = None;
            let session = invitation.session;
            self.drive(now, slot, fork::Input::CallerLost, None);
            self.leave_branches(slot);
            return self.end_session(now, session, Ending::ConnectionLost(Side::Caller));
        }
        let branches = (0..).zip(&invitation.branches);
        let lost = branches.filter(|(_, branch)| branch.endpoint.conn == conn);
        let lost: Vec<(usize, RelayId)> = lost.map(|(i, branch)| (i, branch.relay)).collect();
        for (branch, relay) in lost {
            self.relays.remove(relay.slot);
            self.drive(now, slot, fork::Input::Lost { branch }, None);
        }
    }

    /// Time has passed for an invitation.
    pub(super) fn invitation_due(&mut self, now: Now, slot: Slot) {
        let Some(invitation) = self.invitations.get_mut(slot) else { return };
        // A sooner deadline armed another timer since: that one goes on.
        if invitation.armed.is_none_or(|armed| !now.reached(armed)) {
            return;
        }
        invitation.armed = None;
        match invitation.fork {
            Some(_) => self.drive(now, slot, fork::Input::Deadline, None),
            // The callee's home does not say where he is.
            None => self.refuse_invitation(now, slot, Reject::NoAnswer),
        }
    }

    /// Arms the timer of an invitation, unless an earlier one is armed.
    pub(super) fn watch_invitation(&mut self, slot: Slot, deadline: Option<Deadline>) {
        let Some(invitation) = self.invitations.get_mut(slot) else { return };
        let Some(next) = deadline else { return };
        if invitation.armed.is_none_or(|armed| next < armed) {
            invitation.armed = Some(next);
            self.wheel.arm(next, Timer::Invitation(slot));
        }
    }

    /// Gives the fork an input and does what it says. `reply` is the answer the input came from.
    pub(super) fn drive(&mut self, now: Now, slot: Slot, input: fork::Input, reply: Option<Reply>) {
        let limits = &self.settings.limits;
        let Some(fork) = self.invitations.get_mut(slot).and_then(|i| i.fork.as_mut()) else {
            return self.drop_if_caller_lost(slot, input);
        };
        fork.handle(now, input, limits);
        loop {
            let invitation = self.invitations.get_mut(slot);
            let Some(output) = invitation.and_then(|i| i.fork.as_mut()?.next_output()) else {
                break;
            };
            self.carry_out(now, slot, output, reply.as_ref());
        }
        let Some(fork) = self.invitations.get(slot).and_then(|i| i.fork.as_ref()) else { return };
        if !fork.is_finished() {
            return self.watch_invitation(slot, fork.next_deadline());
        }
        for branch in self.invitations.remove(slot).into_iter().flat_map(|i| i.branches) {
            self.relays.remove(branch.relay.slot);
        }
    }

    fn drop_if_caller_lost(&mut self, slot: Slot, input: fork::Input) {
        if input == fork::Input::CallerLost {
            self.invitations.remove(slot);
        }
    }

    fn carry_out(&mut self, now: Now, slot: Slot, output: Output, reply: Option<&Reply>) {
        match (output, reply) {
            (Output::Provisional { .. }, Some(reply)) => {
                if let Some(caller) = self.invitations.get(slot).and_then(|i| i.caller) {
                    self.deliver(caller, reply.bytes.clone(), Cargo::Plain);
                }
            }
            (Output::Hold { .. }, Some(reply)) => {
                if let Some(invitation) = self.invitations.get_mut(slot) {
                    invitation.held = Some(Bytes::copy_from_slice(&reply.bytes));
                }
            }
            (Output::Final { from: Source::Branch(branch), status: 200..300 }, Some(reply)) => {
                self.connect(now, slot, branch, reply);
            }
            (Output::Final { from: Source::Branch(_), status }, _) => {
                let held = self.invitations.get_mut(slot).and_then(|i| i.held.take());
                self.pass_refusal(now, slot, status, held);
            }
            (Output::Final { from: Source::Own, status }, _) => {
                self.refuse_invitation(now, slot, unanswered(status));
            }
            (Output::Cancel { branch }, _) => self.send_cancel(slot, branch),
            (Output::Ack { branch }, Some(reply)) => self.send_ack(slot, branch, reply, false),
            (Output::Late2xx { branch }, Some(reply)) => {
                self.send_ack(slot, branch, reply, true);
                self.send_late_bye(now, slot, branch, reply);
            }
            (Output::Provisional { .. } | Output::Hold { .. }, None) => {}
            (Output::Ack { .. } | Output::Late2xx { .. }, None) => {}
        }
    }

    /// An endpoint took the invitation first: the dialog stands.
    fn connect(&mut self, now: Now, slot: Slot, branch: usize, reply: &Reply) {
        let Some(invitation) = self.invitations.get(slot) else { return };
        let Some(ringing) = invitation.branches.get(branch) else { return };
        let (endpoint, session) = (ringing.endpoint.clone(), invitation.session);
        let (invite, caller) = (invitation.invite.clone(), invitation.caller);
        let Some(end) = reply.end.as_deref() else { return };
        self.establish(now, session, &invite, end);
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.legs[Side::Callee.index()] = Leg::Connection(endpoint.conn, endpoint.transport);
        }
        self.leave_branches_but(slot, Some(branch));
        match caller {
            Some(caller) => {
                self.deliver(caller, reply.bytes.clone(), Cargo::Plain);
                self.answered_caller(now, caller, session, reply.status);
            }
            None => {
                self.send_ack(slot, branch, reply, true);
                self.deliver_waiting(now, slot, session);
                self.end_if_summons(now, session);
            }
        }
    }

    /// Answers the invitation of a Lync client to somebody who is signed in with pager-mode
    /// clients only: from now on we are the other end.
    pub(super) fn accept_for_pager(&mut self, now: Now, slot: Slot, caller: ConnId) {
        let Some(invitation) = self.invitations.remove(slot) else { return };
        let session = invitation.session;
        let Some(entry) = self.sessions.get(session) else { return };
        let (aor, peer) = (entry.session.caller().clone(), entry.session.callee().clone());
        let id = self.session_id(session);
        let tag = self.seed.token();
        let target = format!("sip:{peer};opaque=app:im:{};gruu", id.token().escape_ascii());
        let body = sdp::message_session(&self.settings.name);
        let mut transport = crate::base::transport::Transport::Tls;
        if let Some(connection) = self.connections.get(caller) {
            transport = connection.transport;
        }
        self.with_message(&invitation.invite, |shard, message| {
            shard.lines.clear();
            shard.write_record_route(id, transport);
            shard.arena.reserve(message.head().len() + body.len() + 512);
            response(&mut shard.arena, message, 200, Some(&tag), None)
                .raw(&shard.lines)
                .line_fmt("Contact", format_args!("<{target}>"))
                .body("application/sdp", body.as_bytes());
            let bytes = shard.arena.split().freeze();
            shard.counters.answered(message.method() as usize, 200);
            shard.deliver(caller, bytes, Cargo::Plain);
        });
        let idle = self.settings.limits.pager_idle_timeout;
        if let Some(entry) = self.sessions.get_mut(session) {
            entry.session.bridge(idle);
            entry.legs[Side::Callee.index()] = Leg::Pager;
        }
        let end = AnsweringEnd { tag: tag.as_slice().into(), target: target.as_bytes().into() };
        self.establish(now, session, &invitation.invite, &end);
        self.answered_caller(now, caller, session, 200);
        let home = aor.home(self.shards);
        self.send_frame(home, Frame::BridgeState { aor, peer, session: id, open: true });
    }

    /// Refuses an invitation on behalf of the callee.
    pub(super) fn refuse_invitation(&mut self, now: Now, slot: Slot, reject: Reject) {
        let Some(invitation) = self.invitations.get(slot) else { return };
        let (caller, invite) = (invitation.caller, invitation.invite.clone());
        if let Some(caller) = caller {
            self.with_message(&invite, |shard, message| shard.reject(caller, message, reject));
        }
        self.refused(now, slot, reject);
        // Nobody rings: nothing is left to wait for.
        if self.invitations.get(slot).is_some_and(|invitation| invitation.fork.is_none()) {
            self.invitations.remove(slot);
        }
    }

    /// Passes the best refusal of the endpoints on to the caller.
    fn pass_refusal(&mut self, now: Now, slot: Slot, status: u16, held: Option<Bytes>) {
        let caller = self.invitations.get(slot).and_then(|invitation| invitation.caller);
        if let (Some(caller), Some(held)) = (caller, held) {
            self.deliver(caller, held, Cargo::Plain);
        }
        self.refused_with(now, slot, status, Reject::NoEndpoint);
    }

    fn refused(&mut self, now: Now, slot: Slot, reject: Reject) {
        self.refused_with(now, slot, reject.status(), reject);
    }

    /// The invitation is refused and the caller knows: messages that waited fail, the session
    /// ends.
    fn refused_with(&mut self, now: Now, slot: Slot, status: u16, reject: Reject) {
        let Some(invitation) = self.invitations.get_mut(slot) else { return };
        let (session, caller) = (invitation.session, invitation.caller);
        let cancelled = invitation.cancelled;
        for pager in std::mem::take(&mut invitation.waiting) {
            self.answer_pager(&pager, Err(reject));
        }
        if let Some(caller) = caller {
            self.answered_caller(now, caller, session, status);
        }
        self.leave_branches(slot);
        let ending = match status {
            _ if cancelled => Ending::Cancelled,
            408 => Ending::NoAnswer,
            status => Ending::Declined(status),
        };
        self.end_session(now, session, ending);
    }

    /// The caller got the final answer to his INVITE.
    pub(super) fn answered_caller(&mut self, now: Now, caller: ConnId, session: Slot, status: u16) {
        let asked = Asked::Session(self.session_id(session));
        self.answered_invite(now, caller, asked, status);
    }

    /// An INVITE of a connection got its final answer.
    pub(super) fn answered_invite(&mut self, now: Now, conn: ConnId, asked: Asked, status: u16) {
        let limits = &self.settings.limits;
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.invites.retain_mut(|invite| {
                if invite.asked == asked {
                    invite.transaction.handle(now, server::Input::Answer(status), limits);
                }
                !invite.transaction.is_ended()
            });
        }
    }

    /// Makes the dialog of an invitation and its answer, and with it the session.
    fn establish(&mut self, now: Now, session: Slot, invite: &Bytes, answer: &AnsweringEnd) {
        let (mut dialog, mut ack) = (None, None);
        self.with_message(invite, |shard, message| {
            let cseq = message.cseq().map_or(0, |cseq| cseq.number);
            ack = Some(cseq);
            let tag = message.from_tag().unwrap_or_default();
            let caller = End::new(tag, message.remote_target(), cseq);
            let callee = End::new(&answer.tag, &answer.target, 0);
            let call_id = message.call_id().unwrap_or_default();
            dialog = Some(Dialog::new(&shard.hasher, call_id, caller, callee));
        });
        let time = self.settings.limits.ack_timeout;
        let Some(entry) = self.sessions.get_mut(session) else { return };
        entry.dialog = dialog;
        entry.ack = ack;
        entry.invitation = None;
        if matches!(entry.leg(Side::Caller), Leg::Connection(..)) {
            entry.session.wait_for_ack(time);
        }
        entry.session.handle(now, Input::Accept);
        if let Some(deadline) = entry.session.next_deadline() {
            self.wheel.arm(deadline, Timer::Session(session));
        }
        self.note(session);
    }

    /// The session with the recipient stands: what waited for it goes out in order.
    fn deliver_waiting(&mut self, now: Now, slot: Slot, session: Slot) {
        let Some(invitation) = self.invitations.get_mut(slot) else { return };
        for pager in std::mem::take(&mut invitation.waiting) {
            self.text_in(now, session, pager);
        }
    }

    pub(super) fn leave_branches(&mut self, slot: Slot) {
        self.leave_branches_but(slot, None);
    }

    /// The endpoints that ring in vain are no legs of the session any more.
    fn leave_branches_but(&mut self, slot: Slot, winner: Option<usize>) {
        let Some(invitation) = self.invitations.get(slot) else { return };
        let session = SessionId::new(self.id, invitation.session);
        let conns: Vec<ConnId> = (0..)
            .zip(&invitation.branches)
            .filter(|(i, _)| Some(*i) != winner)
            .map(|(_, branch)| branch.endpoint.conn)
            .collect();
        for conn in conns {
            self.send_frame(conn.shard, Frame::Leave { conn, session });
        }
    }

    /// Tells an endpoint to stop ringing (RFC 3261 section 9.1). The answer bears the branch of
    /// the INVITE but another CSeq, so nobody mistakes it.
    fn send_cancel(&mut self, slot: Slot, branch: usize) {
        let Some(ringing) = self.invitations.get(slot).and_then(|i| i.branches.get(branch)) else {
            return;
        };
        let (conn, sent) = (ringing.endpoint.conn, ringing.sent.clone());
        self.with_message(&sent, |shard, invite| {
            hop(shard, invite, "CANCEL", invite.header(HeaderName::To).unwrap_or_default());
            let bytes = shard.arena.split().freeze();
            shard.deliver(conn, bytes, Cargo::Plain);
        });
    }

    /// Acknowledges an endpoint's final answer: a refusal hop by hop with the branch of the
    /// INVITE (RFC 3261 section 17.1.1.3), a 2xx that the caller will not acknowledge at its
    /// remote target.
    fn send_ack(&mut self, slot: Slot, branch: usize, reply: &Reply, accepted: bool) {
        let Some(ringing) = self.invitations.get(slot).and_then(|i| i.branches.get(branch)) else {
            return;
        };
        let (endpoint, sent) = (ringing.endpoint.clone(), ringing.sent.clone());
        let (mut answer, target) = (Bytes::new(), reply.end.as_deref());
        let answered = reply.bytes.clone();
        self.with_message(&answered, |_, message| {
            answer = Bytes::copy_from_slice(message.header(HeaderName::To).unwrap_or_default());
        });
        self.with_message(&sent, |shard, invite| {
            match target.filter(|_| accepted) {
                None => hop(shard, invite, "ACK", &answer),
                Some(end) => {
                    let branch = shard.seed.token();
                    let via = format!(
                        "SIP/2.0/{} {};branch=z9hG4bK{}",
                        endpoint.transport.via(),
                        shard.sent_by,
                        branch.escape_ascii()
                    );
                    line_up(shard, invite, "ACK", &end.target, via.as_bytes(), &answer);
                }
            }
            let bytes = shard.arena.split().freeze();
            shard.deliver(endpoint.conn, bytes, Cargo::Plain);
        });
    }

    /// Ends the dialog of an endpoint that took the invitation too late.
    fn send_late_bye(&mut self, now: Now, slot: Slot, branch: usize, reply: &Reply) {
        let Some(ringing) = self.invitations.get(slot).and_then(|i| i.branches.get(branch)) else {
            return;
        };
        let (endpoint, sent) = (ringing.endpoint.clone(), ringing.sent.clone());
        let Some(end) = reply.end.as_deref() else { return };
        let mut to = Bytes::new();
        self.with_message(&reply.bytes.clone(), |_, message| {
            to = Bytes::copy_from_slice(message.header(HeaderName::To).unwrap_or_default());
        });
        self.with_message(&sent, |shard, invite| {
            let (Ok(call_id), Ok(cseq)) = (invite.call_id(), invite.cseq()) else { return };
            let cseq = cseq.number.saturating_add(1);
            let stamp = stamp(&shard.hasher, call_id, cseq, b"BYE");
            let conn = endpoint.conn;
            let relay = shard.reserve_relay(now, Some(conn), Some(stamp), Purpose::Own);
            let relay = relay.unwrap_or_else(|| shard.untracked(cseq));
            request(&mut shard.arena, "BYE", &end.target)
                .line_fmt(
                    "Via",
                    format_args!(
                        "SIP/2.0/{} {};branch=z9hG4bK{}",
                        endpoint.transport.via(),
                        shard.sent_by,
                        relay.token().escape_ascii()
                    ),
                )
                .line("Max-Forwards", "70")
                .line("From", invite.header(HeaderName::From).unwrap_or_default())
                .line("To", &to)
                .line("Call-ID", call_id)
                .line_fmt("CSeq", format_args!("{cseq} BYE"))
                .finish();
            let bytes = shard.arena.split().freeze();
            shard.deliver(conn, bytes, Cargo::Request(relay));
        });
    }
}

/// Writes a request of the INVITE's own transaction: same Request-URI, same Via.
fn hop(shard: &mut Shard, invite: Message<'_>, method: &str, to: &[u8]) {
    let via = invite.header(HeaderName::Via).unwrap_or_default();
    line_up(shard, invite, method, invite.uri(), via, to);
}

/// Writes a request with the From, Call-ID and CSeq number of an INVITE.
fn line_up(
    shard: &mut Shard,
    invite: Message<'_>,
    method: &str,
    uri: &[u8],
    via: &[u8],
    to: &[u8],
) {
    let number = invite.cseq().map_or(0, |cseq| cseq.number);
    request(&mut shard.arena, method, uri)
        .line("Via", via)
        .line("Max-Forwards", "70")
        .line("From", invite.header(HeaderName::From).unwrap_or_default())
        .line("To", to)
        .line("Call-ID", invite.call_id().unwrap_or_default())
        .line_fmt("CSeq", format_args!("{number} {method}"))
        .finish();
}
