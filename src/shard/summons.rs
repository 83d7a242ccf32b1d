//! Invitations to a conference (application/ms-conf-invite+xml): they ring like any other, but what
//! they make is no conversation. Who takes one joins by himself; for a user with pager-mode clients
//! it is we who take it, once he is in.

use bytes::Bytes;

use super::Shard;
use super::frame::conference::{Operation, ToConference, ToLeg};
use super::frame::{Cargo, Frame};
use super::invitation::Invitation;
use super::session::Leg;
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, LegId, Slot};
use crate::base::limits::Limits;
use crate::base::side::Side;
use crate::base::time::Now;
use crate::dialect::conference_uri::{self, ConferenceUri};
use crate::dialect::ms::conference::invite as ms_invite;
use crate::dialect::reject::Reject;
use crate::dialect::simple::refer::{self, Refer};
use crate::immcu::session::{Ending, Output as Notice};
use crate::sip::subscription::Content;
use crate::wire::sip::write::response;
use crate::wire::sip::{HeaderName, Message, Method};

/// What an invitation to a conference is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Summons {
    conference: ConferenceId,
    organiser: Aor,
    /// Who is told what came of it, if a REFER asked for it.
    refer: Option<LegId>,
}

impl Summons {
    /// That of an INVITE; `None` if it is for something else.
    pub(super) fn of(message: Message<'_>, limits: &Limits) -> Option<Result<Self, Reject>> {
        message.is_media_type(ms_invite::CONTENT_TYPE).then(|| {
            match ms_invite::read(message.body(), limits)?.focus {
                Some(ConferenceUri::Focus(organiser, conference)) => {
                    Ok(Summons { conference, organiser, refer: None })
                }
                _ => Err(Reject::BadBody),
            }
        })
    }
}

impl Shard {
    /// Takes an invitation for a user all of whose endpoints speak pager mode: he joins, if there is
    /// such a conference and it lets him in.
    pub(super) fn take_summons(&mut self, session: Slot) {
        let Some(entry) = self.sessions.get(session) else { return };
        let (inviter, callee) = (entry.session.caller().clone(), entry.session.callee().clone());
        let Some(Summons { conference, organiser, .. }) = entry.summons.as_deref().cloned() else {
            return;
        };
        let summons = Some(self.session_id(session));
        self.join_pager(conference, organiser, callee, Some(inviter), None, summons);
    }

    /// He is in, or is not: now the invitation is answered, unless it was taken back.
    pub(super) fn summoned(&mut self, now: Now, session: Slot, outcome: Result<(), Reject>) {
        let Some(slot) = self.sessions.get(session).and_then(|entry| entry.invitation) else {
            return;
        };
        if let Err(reject) = outcome {
            return self.refuse_invitation(now, slot, reject);
        }
        let Some(invitation) = self.invitations.remove(slot) else { return };
        let Some(entry) = self.sessions.get_mut(session) else { return };
        entry.invitation = None;
        let callee = entry.session.callee().clone();
        if let Some(caller) = invitation.caller {
            self.accept_summons(&invitation.invite, caller, &callee);
            self.answered_caller(now, caller, session, 200);
        }
        self.tell_referrer(session, 200);
        self.end_session(now, session, Ending::Bye(Side::Callee));
    }

    fn accept_summons(&mut self, invite: &Bytes, caller: ConnId, callee: &Aor) {
        let tag = self.seed.token();
        self.with_message(invite, |shard, message| {
            shard.arena.reserve(message.head().len() + 512);
            response(&mut shard.arena, message, 200, Some(&tag), None)
                .line_fmt("Contact", format_args!("<sip:{callee}>"))
                .finish();
            let bytes = shard.arena.split().freeze();
            shard.counters.answered(message.method() as usize, 200);
            shard.deliver(caller, bytes, Cargo::Plain);
        });
    }

    /// Asks somebody in on behalf of a presenter (RFC 4579 section 5.5).
    pub(super) fn summon(&mut self, now: Now, id: ConferenceId, who: Aor, operation: Operation) {
        let Some(entry) = self.conferences.get(id) else { return };
        let description = entry.machine.description();
        let (organiser, subject) = (description.organiser.clone(), description.subject.clone());
        let focus = conference_uri::focus(&organiser, id);
        let body = ms_invite::write(&focus, &subject);
        let contact = |_: &str| format!("<{focus}>;isfocus");
        let media_type = ms_invite::CONTENT_TYPE;
        let invite = self.own_invite(&operation.by, &who, contact, media_type, &body);
        let invitation = Invitation::for_pager(invite, Vec::new());
        let legs = [Leg::Open, Leg::Open];
        let summons = Summons { conference: id, organiser, refer: operation.leg };
        self.tell_refer(operation.leg, 100);
        let Some(slot) = self.new_session(now, operation.by, who, legs, invitation) else {
            return self.tell_refer(summons.refer, 503);
        };
        self.mark_summons(slot, summons);
        self.find_callee(slot);
    }

    /// The session in `slot` is an invitation to a conference.
    pub(super) fn mark_summons(&mut self, slot: Slot, summons: Summons) {
        let time = self.settings.limits.request_timeout;
        if let Some(entry) = self.sessions.get_mut(slot) {
            entry.summons = Some(Box::new(summons));
            // Until it is acknowledged: there is no conversation to come.
            entry.session.hold_for(time);
        }
    }

    /// An invitation to a conference is taken or over: nobody's conversation is recorded.
    pub(super) fn summons_noted(&mut self, session: Slot, notice: &Notice) {
        match notice {
            Notice::Started => self.tell_referrer(session, 200),
            Notice::Ended(Ending::Declined(status)) => self.tell_referrer(session, *status),
            Notice::Ended(Ending::NoAnswer) => self.tell_referrer(session, 408),
            Notice::Ended(_) => {}
        }
    }

    /// An invitation to a conference ends with its acknowledgement: neither end says goodbye.
    pub(super) fn end_if_summons(&mut self, now: Now, session: Slot) {
        if self.sessions.get(session).is_some_and(|entry| entry.summons.is_some()) {
            self.end_session(now, session, Ending::Bye(Side::Caller));
        }
    }

    /// A REFER is carried out. Who has asked for nobody to be rung is told the end of it now.
    pub(super) fn refer_done(&mut self, id: ConferenceId, operation: &Operation) {
        let mut wish = None;
        let request = operation.request.clone();
        self.with_message(&request, |_, message| {
            wish = message.header(HeaderName::ReferTo).and_then(refer::read);
        });
        let rings = match wish {
            Some(Refer::Invite(who)) => {
                let conference = self.conferences.get(id);
                conference.is_some_and(|entry| entry.machine.member(&who).is_none())
            }
            Some(Refer::Bye(_)) | None => false,
        };
        if !rings {
            self.tell_refer(operation.leg, 200);
        }
    }

    /// Tells who asked by REFER what came of it.
    pub(super) fn tell_referrer(&mut self, session: Slot, status: u16) {
        let entry = self.sessions.get(session);
        let refer = entry.and_then(|entry| entry.summons.as_ref()?.refer);
        self.tell_refer(refer, status);
    }

    /// Tells the leg on which a REFER came how far it is (RFC 3515 section 2.4.4).
    fn tell_refer(&mut self, leg: Option<LegId>, status: u16) {
        let Some(leg) = leg else { return };
        let standing = match status {
            100..200 => "active;expires=60",
            _ => "terminated;reason=noresource",
        };
        let lines = format!("Event: refer\r\nSubscription-State: {standing}\r\n").into();
        let body = refer::sipfrag(status);
        let content = Content { media_type: refer::CONTENT_TYPE.into(), body: body.into() };
        let word = Box::new(ToLeg::Tell { method: Method::Notify, lines, content });
        self.send_frame(leg.shard, Frame::ToLeg { leg: leg.slot, word });
    }

    /// Takes a REFER outside any dialog: conferences are asked in the dialog of a member.
    pub(super) fn refer_received(&mut self, conn: ConnId, message: Message<'_>) {
        let Some(ConferenceUri::Focus(organiser, conference)) = ConferenceUri::parse(message.uri())
        else {
            return self.reject(conn, message, Reject::UnknownDialog);
        };
        let Some(by) = self.connections.get(conn).and_then(|connection| connection.user.clone())
        else {
            return;
        };
        let operation = Operation { by, conn, leg: None, organiser, request: self.keep(message) };
        let word = ToConference::Operation(operation);
        self.tell_conference(conference, word);
    }
}
