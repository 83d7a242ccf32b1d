//! Members' dialogs with conferences, at the shard of their connection: how they are made, what is
//! asked in them, how they end. What is said to them is `fanout`'s business.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::answer::ALLOW;
use super::connection::{Asked, Invite};
use super::forward::{self, fill_via};
use super::frame::conference::{Join, Operation, Say, ToConference, ToLeg};
use super::frame::{Cargo, Frame};
use super::relay::Purpose;
use super::{Shard, Timer, stamp};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, Dialect, LegId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::conference_uri::{self, ConferenceUri};
use crate::dialect::ms::conference as c3p;
use crate::dialect::ms::conference::response::Success;
use crate::dialect::reject::Reject;
use crate::dialect::text;
use crate::immcu::conference::{Accepts, Leaving, LegKind, Reach};
use crate::metrics::names::Series;
use crate::sip::dialog::DialogHash;
use crate::sip::own_dialog::OwnDialog;
use crate::sip::transaction_key::TransactionKey;
use crate::wire::mime::sdp;
use crate::wire::sip::{HeaderName, Message, Method};

/// One dialog of a member with a conference.
#[derive(Debug)]
pub(super) struct LegEntry {
    /// On this connection.
    pub(super) conn: ConnId,
    /// Of this conference.
    pub(super) conference: ConferenceId,
    /// Whose it is.
    pub(super) organiser: Aor,
    /// Whose leg it is.
    pub(super) who: Aor,
    /// What it is for.
    pub(super) kind: LegKind,
    /// The URI under which we take requests in its dialog.
    contact: Box<str>,
    /// What the client understands.
    pub(super) accepts: Accepts,
    /// The dialog.
    pub(super) dialog: OwnDialog,
    /// The INVITE, until it is answered.
    invite: Option<Bytes>,
    /// Messages that have no answer yet, oldest first: the request in flight and the number of
    /// what was said.
    pub(super) in_flight: VecDeque<(Slot, u64)>,
}

/// What an INVITE to a conference asks for.
struct Wish {
    conference: ConferenceId,
    organiser: Aor,
    kind: LegKind,
    /// The URI that was asked for.
    contact: Box<str>,
    endpoint: Box<str>,
    accepts: Accepts,
}

impl Shard {
    /// Takes an INVITE to a conference from the user signed in on `conn`.
    pub(super) fn join_received(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        key: TransactionKey,
        uri: ConferenceUri,
    ) {
        if let Err(reject) = self.join_leg(now, conn, message, key, uri) {
            self.reject(conn, message, reject);
        }
    }

    fn join_leg(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        key: TransactionKey,
        uri: ConferenceUri,
    ) -> Result<(), Reject> {
        let connection = self.connections.get(conn).ok_or(Reject::EndpointLost)?;
        let who = connection.user.clone().ok_or(Reject::NotYourIdentity)?;
        let dialect = connection.dialect;
        let wish = self.wish_of(&who, dialect, message, &uri)?;
        let limits = &self.settings.limits;
        let connection = self.connections.get(conn).ok_or(Reject::EndpointLost)?;
        let room = connection.conference_legs.len() < limits.legs_per_connection_max
            && connection.invites.len() < limits.sessions_per_connection_max;
        if !room {
            self.counters.hit(Limit::LegsPerConnection);
            return Err(Reject::TooManyRequests);
        }
        let tag = self.seed.token();
        let dialog =
            OwnDialog::new(&self.hasher, message, &tag, &wish.contact, |writer| writer.end())
                .map_err(|_| Reject::BadContact)?;
        if dialog.octets() > limits.subscription_bytes_max {
            self.counters.hit(Limit::SubscriptionBytes);
            return Err(Reject::SubscriptionTooLong);
        }
        let id = dialog.id();
        let entry = LegEntry {
            conn,
            conference: wish.conference,
            organiser: wish.organiser.clone(),
            who: who.clone(),
            kind: wish.kind,
            contact: wish.contact,
            accepts: wish.accepts,
            dialog,
            invite: Some(self.keep(message)),
            in_flight: VecDeque::new(),
        };
        let slot = self.legs.insert(entry).map_err(|_| {
            self.counters.hit(Limit::Legs);
            Reject::Overloaded
        })?;
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.conference_legs.push((id, slot));
            connection.invites.push(Invite::new(key, Asked::Leg(slot)));
        }
        self.counters.set(Series::LegsCurrent, self.legs.len() as u64);
        let time = self.settings.limits.home_answer_time_max;
        self.wheel.arm(now.after(time), Timer::Join(slot));
        let home = who.home(self.shards);
        let join = Join {
            conference: wish.conference,
            organiser: wish.organiser,
            reach: Reach::Leg(LegId::new(self.id, slot)),
            who,
            name: None,
            kind: wish.kind,
            endpoint: wish.endpoint,
            accepts: wish.accepts,
            asked_by: None,
            first: None,
            summons: None,
        };
        self.send_frame(home, Frame::Join(Box::new(join)));
        Ok(())
    }

    /// What an INVITE asks for, if it may be asked for.
    fn wish_of(
        &mut self,
        who: &Aor,
        dialect: Dialect,
        message: Message<'_>,
        uri: &ConferenceUri,
    ) -> Result<Wish, Reject> {
        let (organiser, conference, contact) = match uri {
            ConferenceUri::Focus(organiser, id) => {
                (organiser, *id, conference_uri::focus(organiser, *id))
            }
            ConferenceUri::Chat(organiser, id) => {
                (organiser, *id, conference_uri::chat(organiser, *id))
            }
            ConferenceUri::Factory => return Err(Reject::MethodNotAllowed),
        };
        let organiser = organiser.clone();
        if !self.serves(&organiser) {
            return Err(Reject::UnknownDomain);
        }
        if self.requires_more(message) {
            return Err(Reject::BadExtension);
        }
        forward::hops_left(message).ok_or(Reject::TooManyHops)?;
        let body = message.body();
        let sender = message.has_token(HeaderName::Supported, "ms-sender");
        let (kind, endpoint, accepts) = if message.is_media_type(c3p::request::CONTENT_TYPE) {
            let request = c3p::request::read(body, uri, who, &self.settings.limits);
            let request = request.map_err(|refusal| self.counted(refusal))?;
            let c3p::request::Operation::Join { endpoint } = request.operation else {
                return Err(Reject::BadConferenceRequest);
            };
            (LegKind::Focus, endpoint, Accepts::default())
        } else if body.is_empty() || message.is_media_type("application/sdp") {
            // Without an offer (RFC 4579 section 5.1) ours is in the answer.
            if !body.is_empty() && !sdp::offers_message(body) {
                return Err(Reject::NotAcceptable);
            }
            let is_listed = |media| !body.is_empty() && sdp::accepts(body, media);
            let accepts = Accepts {
                html: is_listed("text/html"),
                alternative: is_listed("multipart/alternative"),
                typing: sender && dialect == Dialect::Ms,
                sender,
            };
            (LegKind::Chat, Box::default(), accepts)
        } else {
            return Err(Reject::UnsupportedMedia);
        };
        Ok(Wish { conference, organiser, kind, contact: contact.into(), endpoint, accepts })
    }

    /// A word of a conference for a leg of this shard.
    pub(super) fn leg_told(&mut self, now: Now, slot: Slot, word: ToLeg) {
        match word {
            ToLeg::Joined { conference, outcome } => {
                self.join_answered(now, slot, conference, outcome);
            }
            ToLeg::Report { number, recipient, status } => {
                self.report(now, slot, number, &recipient, status);
            }
            ToLeg::Tell { method, lines, content } => {
                let content = Some((content.media_type.as_ref(), content.body.as_ref()));
                self.send_on_leg(now, slot, method, &lines, content);
            }
            ToLeg::Release => self.release_leg(now, slot),
        }
    }

    /// A join has waited for so long that it, or its answer, must be lost.
    pub(super) fn join_due(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.legs.get(slot).filter(|entry| entry.is_joining()) else { return };
        let conference = entry.conference;
        self.join_answered(now, slot, conference, Err(Reject::Overloaded));
        // Should he be in by now, he is not any more.
        self.disown_leg(conference, slot);
    }

    /// Tells a conference that a leg it may know of is over.
    pub(super) fn disown_leg(&mut self, conference: ConferenceId, slot: Slot) {
        let reach = Reach::Leg(LegId::new(self.id, slot));
        let how = Leaving::ConnectionLost;
        self.tell_conference(conference, ToConference::Left { reach, how });
    }

    /// Answers the INVITE of a leg.
    fn join_answered(
        &mut self,
        now: Now,
        slot: Slot,
        conference: ConferenceId,
        outcome: Result<(), Reject>,
    ) {
        let Some(entry) = self.legs.get_mut(slot) else {
            if outcome.is_ok() {
                // Its connection went while it joined; the word of that may have come before it.
                self.disown_leg(conference, slot);
            }
            return;
        };
        let Some(invite) = entry.invite.take() else { return };
        let conn = entry.conn;
        let status = match outcome {
            Ok(()) => {
                self.accept_join(slot, &invite);
                200
            }
            Err(reject) => {
                self.with_message(&invite, |shard, message| shard.reject(conn, message, reject));
                self.drop_leg(slot);
                reject.status()
            }
        };
        self.answered_invite(now, conn, Asked::Leg(slot), status);
    }

    fn accept_join(&mut self, slot: Slot, invite: &Bytes) {
        let Some(entry) = self.legs.get(slot) else { return };
        let (conn, kind) = (entry.conn, entry.kind);
        let contact = entry.contact.clone();
        let focus = ConferenceUri::Focus(entry.organiser.clone(), entry.conference);
        let who = entry.who.clone();
        let tag = entry.dialog.tag().to_vec();
        let settings = Arc::clone(&self.settings);
        let (limits, description) = (&settings.limits, sdp::conference(&settings.name));
        self.with_message(invite, |shard, message| {
            let bytes = shard.response_bytes_tagged(conn, message, 200, Some(&tag), |writer| {
                let writer = writer
                    .line_fmt("Contact", format_args!("<{contact}>;isfocus"))
                    .line("Allow", ALLOW)
                    .line("Allow-Events", "conference");
                match kind {
                    LegKind::Focus => {
                        let body = c3p::request::read(message.body(), &focus, &who, limits);
                        let body = body.map(|request| {
                            c3p::response::success(&request, Success::Joined(&contact))
                        });
                        let body = body.unwrap_or_default();
                        writer.body(c3p::request::CONTENT_TYPE, body.as_bytes());
                    }
                    LegKind::Chat => writer
                        .line("Supported", "ms-sender")
                        .body("application/sdp", description.as_bytes()),
                }
            });
            shard.counters.answered(message.method() as usize, 200);
            shard.deliver(conn, bytes, Cargo::Plain);
        });
    }

    /// The leg whose dialog a request is in.
    pub(super) fn leg_of(&self, conn: ConnId, message: Message<'_>) -> Option<Slot> {
        let legs = &self.connections.get(conn)?.conference_legs;
        if legs.is_empty() {
            return None;
        }
        let (call_id, from, to) = (message.call_id().ok()?, message.from_tag()?, message.to_tag()?);
        let id = DialogHash::of(&self.hasher, call_id, from, to);
        legs.iter().find(|(known, _)| *known == id).map(|(_, slot)| *slot)
    }

    /// Takes a request in the dialog of a leg.
    pub(super) fn leg_request(&mut self, conn: ConnId, slot: Slot, message: Message<'_>) {
        if message.method() == Method::Ack {
            return;
        }
        let (Some(entry), Ok(cseq)) = (self.legs.get_mut(slot), message.cseq()) else { return };
        if entry.invite.is_some() {
            return self.reject(conn, message, Reject::UnknownDialog);
        }
        if !entry.dialog.order(cseq.number) {
            return self.reject(conn, message, Reject::OutOfOrder);
        }
        let (kind, conference) = (entry.kind, entry.conference);
        match message.method() {
            Method::Bye => {
                self.respond(conn, message, 200, |writer| writer.finish());
                self.leave(slot, Leaving::Bye);
            }
            Method::Message if kind == LegKind::Chat => match self.typing_of(message) {
                Some(typing) => {
                    self.respond(conn, message, 200, |writer| writer.finish());
                    self.types(conference, slot, typing);
                }
                None if text::is_signal(message.content_type()) => {
                    self.respond(conn, message, 200, |writer| writer.finish());
                }
                None => {
                    let (leg, request) = (LegId::new(self.id, slot), self.keep(message));
                    let say = Say { conference, leg, conn, request };
                    self.send_frame(conference.home(self.shards), Frame::Say(say));
                }
            },
            Method::Info if message.is_media_type(c3p::request::CONTENT_TYPE) => {
                self.operate_in_dialog(conn, slot, message);
            }
            Method::Info => {
                self.respond(conn, message, 200, |writer| writer.finish());
                if let Some(typing) = self.typing_of(message) {
                    self.types(conference, slot, typing);
                }
            }
            Method::Refer => self.operate_in_dialog(conn, slot, message),
            Method::Options => self.options(conn, message),
            Method::Invite if kind == LegKind::Chat => {
                // A refresh: what is offered is what there is.
                let body = sdp::conference(&self.settings.name);
                let contact =
                    self.legs.get(slot).map(|leg| leg.contact.clone()).unwrap_or_default();
                self.respond(conn, message, 200, |writer| {
                    writer
                        .line_fmt("Contact", format_args!("<{contact}>;isfocus"))
                        .body("application/sdp", body.as_bytes());
                });
            }
            Method::Invite => self.reject(conn, message, Reject::NotAcceptable),
            _ => self.reject(conn, message, Reject::MethodNotAllowed),
        }
    }

    /// Hands an operation in the dialog of a leg to the conference.
    fn operate_in_dialog(&mut self, conn: ConnId, slot: Slot, message: Message<'_>) {
        let request = self.keep(message);
        let Some(entry) = self.legs.get(slot) else { return };
        let (by, organiser) = (entry.who.clone(), entry.organiser.clone());
        let (leg, conference) = (Some(LegId::new(self.id, slot)), entry.conference);
        let operation = Operation { by, conn, leg, organiser, request };
        self.tell_conference(conference, ToConference::Operation(operation));
    }

    /// Whether the sender types; `None` for a message that says something else.
    fn typing_of(&self, message: Message<'_>) -> Option<bool> {
        let content_type = message.content_type().filter(|of| text::is_signal(Some(of)))?;
        c3p::typing::read(content_type, message.body(), &self.settings.limits)
    }

    fn types(&mut self, conference: ConferenceId, slot: Slot, typing: bool) {
        let leg = LegId::new(self.id, slot);
        self.tell_conference(conference, ToConference::Type { leg, typing });
    }

    /// Sends a word to the owner of a conference.
    pub(super) fn tell_conference(&mut self, conference: ConferenceId, word: ToConference) {
        let home = conference.home(self.shards);
        self.send_frame(home, Frame::ToConference { conference, word: Box::new(word) });
    }

    /// A leg is over: the conference is told, after what did not reach it.
    pub(super) fn leave(&mut self, slot: Slot, how: Leaving) {
        let Some(entry) = self.drop_leg(slot) else { return };
        let reach = Reach::Leg(LegId::new(self.id, slot));
        if how != Leaving::Bye {
            for (_, number) in entry.in_flight {
                let reach = reach.clone();
                let word = ToConference::Undelivered { reach, number, status: 408 };
                self.tell_conference(entry.conference, word);
            }
        }
        self.tell_conference(entry.conference, ToConference::Left { reach, how });
    }

    /// The conference lets a leg go. The focus leg of a Lync client ends without a word if it has
    /// one with the IMMCU: it ends its own when it hears that the other is over.
    fn release_leg(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.legs.get(slot) else { return };
        let is_told = entry.kind == LegKind::Chat || !self.has_chat_leg(entry);
        if is_told && entry.invite.is_none() {
            self.send_on_leg(now, slot, Method::Bye, b"", None);
        }
        self.drop_leg(slot);
    }

    /// True if the client of a leg has one for messages in the same conference.
    fn has_chat_leg(&self, of: &LegEntry) -> bool {
        let Some(connection) = self.connections.get(of.conn) else { return false };
        connection.conference_legs.iter().any(|(_, slot)| {
            self.legs.get(*slot).is_some_and(|other| {
                let is_chat = other.kind == LegKind::Chat && !other.is_joining();
                is_chat && other.conference == of.conference
            })
        })
    }

    /// Forgets a leg here.
    fn drop_leg(&mut self, slot: Slot) -> Option<LegEntry> {
        let entry = self.legs.remove(slot)?;
        for (relay, _) in &entry.in_flight {
            self.relays.remove(*relay);
        }
        if let Some(connection) = self.connections.get_mut(entry.conn) {
            connection.leave_conference(slot);
        }
        self.counters.set(Series::LegsCurrent, self.legs.len() as u64);
        Some(entry)
    }

    /// Sends a request of ours in the dialog of a leg, whose answer nobody waits for.
    pub(super) fn send_on_leg(
        &mut self,
        now: Now,
        slot: Slot,
        method: Method,
        lines: &[u8],
        content: Option<(&str, &[u8])>,
    ) {
        let Some(entry) = self.legs.get(slot) else { return };
        let conn = entry.conn;
        let Some(transport) = self.connections.get(conn).map(|c| c.transport) else { return };
        // A Lync client does not answer INFO at the focus, and nobody answers BENOTIFY.
        let is_answered = match method {
            Method::Benotify => false,
            Method::Info => entry.kind == LegKind::Chat,
            _ => true,
        };
        let tracked =
            is_answered.then(|| self.reserve_relay(now, Some(conn), None, Purpose::Own)).flatten();
        let serial = self.seed.next_u64() as u32;
        let relay = tracked.unwrap_or_else(|| self.untracked(serial));
        self.write_via(relay.token());
        self.arena.reserve(content.map_or(0, |(_, body)| body.len()) + 1024);
        let Some(entry) = self.legs.get_mut(slot) else { return };
        let via_at = entry.dialog.start_line_len(method);
        let (writer, cseq) = entry.dialog.request(&mut self.arena, method, &self.lines);
        let writer = writer.raw(lines);
        match content {
            Some((media_type, body)) => writer.body(media_type, body),
            None => writer.finish(),
        }
        let mut bytes = self.arena.split();
        fill_via(&mut bytes, via_at, &self.sent_by, transport, relay);
        if let Some(relay) = tracked.and_then(|relay| self.relays.get_mut(relay.slot)) {
            let call_id = entry.dialog.call_id();
            relay.stamp = Some(stamp(&self.hasher, call_id, cseq, method.as_str().as_bytes()));
        }
        self.deliver(conn, bytes.freeze(), Cargo::Plain);
    }
}

impl LegEntry {
    /// True until its INVITE is answered.
    pub(super) fn is_joining(&self) -> bool {
        self.invite.is_some()
    }
}
