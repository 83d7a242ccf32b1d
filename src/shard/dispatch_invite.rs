//! An invitation, at the shard of the caller's connection, which owns the session from now on:
//! the callee is looked up and his endpoints ring. What they answer is `invitation`'s business.

use bytes::Bytes;

use super::NEVER;
use super::Shard;
use super::connection::{Asked, Invite};
use super::forward;
use super::frame::{self, Frame, Locate, Located};
use super::home::Endpoint;
use super::invitation::{Branch, Invitation};
use super::relay::Purpose;
use super::session::Leg;
use super::summons::Summons;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Dialect, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::conference_uri::ConferenceUri;
use crate::dialect::ms;
use crate::dialect::reject::Reject;
use crate::sip::Kind;
use crate::sip::fork::{self, Fork};
use crate::sip::server_transaction::{self as server, Action};
use crate::sip::transaction_key::{KeyParts, TransactionKey};
use crate::wire::mime::content_type::ContentType;
use crate::wire::mime::sdp;
use crate::wire::sip::{HeaderName, Message};

impl Shard {
    /// Takes an INVITE outside any dialog from the user signed in on `conn`.
    pub(super) fn invite(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let Some(key) = self.transaction_key(conn, message, false) else { return };
        if self.is_repetition(now, conn, message, key) {
            return;
        }
        if let Some(uri) = ConferenceUri::parse(message.uri()) {
            return self.join_received(now, conn, message, key, uri);
        }
        let Some(connection) = self.connections.get(conn) else { return };
        let Some(from) = connection.user.clone() else { return };
        let max = self.settings.limits.sessions_per_connection_max;
        let room = connection.legs.len() < max && connection.invites.len() < max;
        let transport = connection.transport;
        let (to, summons) = match self.may_invite(message) {
            Ok(callee) => callee,
            Err(reject) => return self.reject(conn, message, reject),
        };
        if !room {
            self.counters.hit(Limit::SessionsPerConnection);
            return self.reject(conn, message, Reject::TooManyRequests);
        }
        let invite = self.keep(message);
        let legs = [Leg::Connection(conn, transport), Leg::Open];
        let invitation = Invitation::of_caller(invite, conn);
        let Some(slot) = self.new_session(now, from, to, legs, invitation) else {
            return self.reject(conn, message, Reject::Overloaded);
        };
        if let Some(summons) = summons {
            self.mark_summons(slot, summons);
        }
        self.respond(conn, message, 100, |writer| writer.finish());
        let session = self.session_id(slot);
        let call = message.call_id().map_or(0, |call_id| self.hash_call(call_id));
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.legs.push(frame::Leg { session, call });
            connection.invites.push(Invite::new(key, Asked::Session(session)));
        }
        self.find_callee(slot);
    }

    /// Whom an INVITE invites, if it may, and to what conference, if it is to one.
    fn may_invite(&self, message: Message<'_>) -> Result<(Aor, Option<Summons>), Reject> {
        let to = self.local_user(message.uri())?;
        if ms::is_room_service(&to) {
            // Nobody's conversation: refused before there is anything to record.
            return Err(Reject::UnknownUser);
        }
        if self.requires_more(message) {
            return Err(Reject::BadExtension);
        }
        forward::hops_left(message).ok_or(Reject::TooManyHops)?;
        if let Some(summons) = Summons::of(message, &self.settings.limits) {
            return Ok((to, Some(summons?)));
        }
        let content_type = message.content_type().map(ContentType::parse);
        if !content_type.is_some_and(|content_type| content_type.is("application/sdp")) {
            return Err(Reject::UnsupportedMedia);
        }
        if !sdp::offers_message(message.body()) {
            return Err(Reject::NotAcceptable);
        }
        Ok((to, None))
    }

    /// Asks the callee's home where he is.
    pub(super) fn find_callee(&mut self, slot: Slot) {
        let Some(entry) = self.sessions.get(slot) else { return };
        let Some(invitation) = entry.invitation.and_then(|slot| self.invitations.get(slot)) else {
            return;
        };
        let (aor, invite) = (entry.session.callee().clone(), invitation.invite.clone());
        let mut uri = Box::default();
        self.with_message(&invite, |_, message| uri = message.uri().into());
        let home = aor.home(self.shards);
        let locate = Locate { aor, uri, session: self.session_id(slot) };
        self.send_frame(home, Frame::Locate(Box::new(locate)));
    }

    /// Takes the answer where the callee is: his endpoints ring.
    pub(super) fn located(&mut self, now: Now, located: Located) {
        let session = located.session.slot;
        let Some(slot) = self.sessions.get(session).and_then(|entry| entry.invitation) else {
            return;
        };
        let Some(invitation) = self.invitations.get(slot).filter(|i| i.fork.is_none()) else {
            return;
        };
        let caller = invitation.caller;
        let Some(mut endpoints) = located.endpoints else {
            return self.refuse_invitation(now, slot, Reject::UnknownUser);
        };
        endpoints.retain(|endpoint| Some(endpoint.conn) != caller);
        if endpoints.is_empty() {
            return self.refuse_invitation(now, slot, Reject::NoEndpoint);
        }
        // A standard client may hold sessions too, so what it sends is offered to all; what a
        // Lync client sends, a pager-mode client gets over the bridge.
        let dialect = caller.and_then(|conn| self.connections.get(conn)).map(|c| c.dialect);
        let is_summons = self.sessions.get(session).is_some_and(|entry| entry.summons.is_some());
        if is_summons {
            endpoints.retain(|endpoint| endpoint.dialect == Dialect::Ms);
            if endpoints.is_empty() {
                return self.take_summons(session);
            }
        } else if dialect != Some(Dialect::Simple) {
            endpoints.retain(|endpoint| endpoint.dialect == Dialect::Ms);
            if endpoints.is_empty() {
                return match caller {
                    Some(caller) => self.accept_for_pager(now, slot, caller),
                    None => self.refuse_invitation(now, slot, Reject::NoEndpoint),
                };
            }
        }
        self.ring(now, slot, endpoints);
    }

    fn ring(&mut self, now: Now, slot: Slot, endpoints: Vec<Endpoint>) {
        let Some(invitation) = self.invitations.get(slot) else { return };
        let (invite, session) = (invitation.invite.clone(), invitation.session);
        let Some(entry) = self.sessions.get(session) else { return };
        let from = entry.session.caller().clone();
        let (mut stamp, mut call) = (None, 0);
        self.with_message(&invite, |shard, message| {
            stamp = shard.stamp(message);
            call = message.call_id().map_or(0, |call_id| shard.hash_call(call_id));
        });
        let session = self.session_id(session);
        let mut branches = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let branch = branches.len() as u16;
            let purpose = Purpose::Invite { invitation: slot, branch };
            let Some(relay) = self.reserve_relay(now, Some(endpoint.conn), stamp, purpose) else {
                break;
            };
            let sent = self.forwarded(&invite, relay, &endpoint, &from, Some(session));
            // Kept while it rings: a copy of its own does not hold on to the arena.
            let sent = Bytes::copy_from_slice(&sent);
            if let Some(entry) = self.relays.get_mut(relay.slot) {
                // The fork has the timers of its branches.
                entry.deadline = NEVER;
            }
            branches.push(Branch { relay, endpoint, sent });
        }
        if branches.is_empty() {
            return self.refuse_invitation(now, slot, Reject::Overloaded);
        }
        let fork = Fork::new(now, Kind::Invite, branches.len(), &self.settings.limits);
        let deadline = fork.next_deadline();
        let leg = frame::Leg { session, call };
        for branch in &branches {
            let (conn, relay) = (branch.endpoint.conn, branch.relay);
            let invite = Frame::Invite { conn, bytes: branch.sent.clone(), relay, leg };
            self.send_frame(conn.shard, invite);
        }
        if let Some(invitation) = self.invitations.get_mut(slot) {
            invitation.branches = branches;
            invitation.fork = Some(fork);
        }
        self.watch_invitation(slot, deadline);
    }

    /// Takes a CANCEL: 200 for itself, 487 in the end for the invitation (RFC 3261 section 9.2).
    pub(super) fn cancel(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let key = self.transaction_key(conn, message, true);
        let asked = self.connections.get(conn).and_then(|connection| {
            let invite = connection.invites.iter().find(|invite| Some(invite.key) == key);
            invite.map(|invite| invite.asked)
        });
        let Some(asked) = asked else {
            return self.reject(conn, message, Reject::NothingToCancel);
        };
        self.respond(conn, message, 200, |writer| writer.finish());
        // A conference answers without asking anybody: too late to take that back.
        let Asked::Session(session) = asked else { return };
        let Some(slot) = self.sessions.get(session.slot).and_then(|entry| entry.invitation) else {
            return;
        };
        if let Some(invitation) = self.invitations.get_mut(slot) {
            invitation.cancelled = true;
            match invitation.fork {
                Some(_) => self.drive(now, slot, fork::Input::Cancel, None),
                None => self.refuse_invitation(now, slot, Reject::Cancelled),
            }
        }
    }

    /// Takes an ACK; true if it is that of a refusal and ends here.
    pub(super) fn acknowledged(&mut self, now: Now, conn: ConnId, message: Message<'_>) -> bool {
        let key = self.transaction_key(conn, message, false);
        let limits = &self.settings.limits;
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        let Some(invite) = connection.invites.iter_mut().find(|i| Some(i.key) == key) else {
            return false;
        };
        let action = invite.transaction.handle(now, server::Input::Ack, limits);
        connection.invites.retain(|invite| !invite.transaction.is_ended());
        action != Action::Pass
    }

    /// True if an INVITE came before and was dealt with. Forgets those whose ACK never came.
    fn is_repetition(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        key: TransactionKey,
    ) -> bool {
        let limits = &self.settings.limits;
        let Some(connection) = self.connections.get_mut(conn) else { return true };
        connection.invites.retain_mut(|invite| {
            invite.transaction.handle(now, server::Input::Deadline, limits);
            !invite.transaction.is_ended()
        });
        let Some(invite) = connection.invites.iter_mut().find(|invite| invite.key == key) else {
            return false;
        };
        let action = invite.transaction.handle(now, server::Input::Request, limits);
        if let Action::Repeat(status) = action {
            self.respond(conn, message, status, |writer| writer.finish());
        }
        true
    }

    /// The server transaction a request belongs to; that of its INVITE for a CANCEL.
    fn transaction_key(
        &self,
        conn: ConnId,
        message: Message<'_>,
        of_cancelled: bool,
    ) -> Option<TransactionKey> {
        let via = message.top_via().ok()?;
        let cseq = message.cseq().ok()?;
        let parts = KeyParts {
            conn,
            method: cseq.method,
            branch: via.branch(),
            sent_by: via.sent_by,
            top_via: message.header(HeaderName::Via)?,
            call_id: message.call_id().ok()?,
            cseq: cseq.number,
            from_tag: message.from_tag(),
            to_tag: message.to_tag(),
            request_uri: message.uri(),
        };
        Some(match of_cancelled {
            true => self.transaction_keys.cancelled(&parts),
            false => self.transaction_keys.key(&parts),
        })
    }
}
