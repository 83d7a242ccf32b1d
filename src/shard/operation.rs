//! What is asked of conferences: C3P operations by SERVICE and INFO (MS-CONFBAS), REFER (RFC 4579
//! section 5.5), the operator's end; and how each is answered.

use std::sync::Arc;

use bytes::Bytes;

use super::durable::{ConferenceWrite, NotWritten};
use super::edit::Pending;
use super::frame::Frame;
use super::frame::conference::{Convene, Operation, Page, ToConference, ToLeg};
use super::output::Output as Effect;
use super::question::Answer;
use super::{Shard, Timer};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, SessionId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::conference_info;
use crate::dialect::conference_uri::{self, ConferenceUri};
use crate::dialect::ms::conference::request::{self, Wanted};
use crate::dialect::ms::conference::response::{Success, failure, success};
use crate::dialect::reject::Reject;
use crate::dialect::simple::refer::{self, Refer};
use crate::immcu::conference::{Admission, Command, Description, Input, Refusal, Role};
use crate::metrics::names::Series;
use crate::sip::subscription::Content;
use crate::wire::sip::{HeaderName, Message, Method};

/// Who waits for an answer of a conference.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// Nobody.
    Nobody,
    /// Who said something on a leg.
    Author(Page),
    /// Who said something in pager mode.
    Page(Page),
    /// Who asked somebody in, by an invitation that we took for him.
    Summons(SessionId),
    /// Who wants something done.
    Operation(Operation),
    /// The operator, by the ticket of his order.
    Operator(Slot),
}

/// A change of what is kept of a conference, on its way to the store.
#[derive(Debug)]
pub(super) struct ConferenceEdit {
    /// Which.
    conference: ConferenceId,
    /// Who waits for it.
    asker: Asker,
    /// The conference comes into being once it is written.
    made: Option<Box<Description>>,
}

impl Shard {
    /// Takes a SERVICE with a C3P request from the user signed in on `conn`.
    pub(super) fn operation_received(&mut self, conn: ConnId, message: Message<'_>) {
        let by = self.connections.get(conn).and_then(|connection| connection.user.clone());
        let Some(by) = by else { return self.reject(conn, message, Reject::NotYourIdentity) };
        if let Err(reject) = self.route_operation(conn, message, &by) {
            let (organiser, request) = (by.clone(), self.keep(message));
            let operation = Operation { by, conn, leg: None, organiser, request };
            self.refuse_operation(&Asker::Operation(operation), reject);
        }
    }

    fn route_operation(
        &mut self,
        conn: ConnId,
        message: Message<'_>,
        by: &Aor,
    ) -> Result<(), Reject> {
        let uri = ConferenceUri::parse(message.uri()).ok_or(Reject::UnknownUser)?;
        let request = request::read(message.body(), &uri, by, &self.settings.limits);
        let request = request.map_err(|refusal| self.counted(refusal))?;
        let operation =
            |organiser, request| Operation { by: by.clone(), conn, leg: None, organiser, request };
        let (conference, organiser) = match uri {
            ConferenceUri::Focus(organiser, id) => (id, organiser),
            ConferenceUri::Chat(..) => return Err(Reject::MethodNotAllowed),
            ConferenceUri::Factory => match &request.operation {
                request::Operation::Capabilities => {
                    self.answer_capabilities(conn, message, &request);
                    return Ok(());
                }
                request::Operation::Add(wanted) => {
                    if self.refuses_work() {
                        return Err(Reject::GoingDown);
                    }
                    let minted = ConferenceId(
                        u128::from(self.seed.next_u64()) << 64 | u128::from(self.seed.next_u64()),
                    );
                    let conference = wanted.id.unwrap_or(minted);
                    let operation = operation(by.clone(), self.keep(message));
                    let home = by.home(self.shards);
                    let convene = Convene { conference, name: None, operation };
                    self.send_frame(home, Frame::Convene(Box::new(convene)));
                    return Ok(());
                }
                request::Operation::Get(Some(id))
                | request::Operation::Delete(Some(id))
                | request::Operation::Modify(Some(id), _) => (*id, by.clone()),
                request::Operation::Get(None)
                | request::Operation::Delete(None)
                | request::Operation::Modify(None, _) => return Err(Reject::UnknownConference),
                _ => return Err(Reject::UnknownConferenceOperation),
            },
        };
        if !self.serves(&organiser) {
            return Err(Reject::UnknownDomain);
        }
        let operation = operation(organiser, self.keep(message));
        self.tell_conference(conference, ToConference::Operation(operation));
        Ok(())
    }

    fn answer_capabilities(
        &mut self,
        conn: ConnId,
        message: Message<'_>,
        request: &request::Request,
    ) {
        let body = success(request, Success::Capabilities);
        self.respond(conn, message, 200, |writer| {
            writer.body(request::CONTENT_TYPE, body.as_bytes());
        });
    }

    /// Somebody makes a conference: at his home, which knows his name, and at the owner.
    pub(super) fn convene(&mut self, now: Now, mut convene: Convene) {
        let id = convene.conference;
        let Some(name) = convene.name.take() else {
            convene.name = Some(self.name_of(&convene.operation.by));
            return self.send_frame(id.home(self.shards), Frame::Convene(Box::new(convene)));
        };
        let operation = convene.operation;
        if self.refuses_work() {
            return self.refuse_operation(&Asker::Operation(operation), Reject::GoingDown);
        }
        if let Some(entry) = self.conferences.get(id) {
            let is_his = entry.is_of(&operation.by);
            let asker = Asker::Operation(operation);
            return match is_his {
                // Asked for twice: the answer to the first was lost.
                true => self.operation_done(id, &asker),
                false => self.refuse_operation(&asker, Reject::ConferenceExists),
            };
        }
        if self.being_made(id).is_some_and(|organiser| *organiser != operation.by) {
            return self.refuse_operation(&Asker::Operation(operation), Reject::ConferenceExists);
        }
        if let Err(reject) = self.room_for(&operation.by) {
            return self.refuse_operation(&Asker::Operation(operation), reject);
        }
        let Some(request) = self.read_operation(&operation) else { return };
        let request::Operation::Add(wanted) = request.operation else { return };
        if !wanted.chat {
            // Nothing but messages is carried here.
            let asker = Asker::Operation(operation);
            return self.refuse_operation(&asker, Reject::NotAcceptable);
        }
        let description = self.description(now, id, &operation.by, name, wanted);
        let asker = Asker::Operation(operation);
        if let Err(reject) = self.may_be_made(now, &description) {
            return self.refuse_operation(&asker, reject);
        }
        if !description.scheduled {
            self.put_conference(now, description);
            return self.operation_done(id, &asker);
        }
        let made = Some(Box::new(description.clone()));
        self.write_conference(now, id, Some(description), asker, made);
    }

    /// Whose the conference is that the store is about to keep for the first time.
    fn being_made(&self, id: ConferenceId) -> Option<&Aor> {
        self.edits.iter().find_map(|(_, pending)| match pending {
            Pending::Conference(edit) if edit.conference == id => {
                edit.made.as_ref().map(|made| &made.organiser)
            }
            Pending::Conference(_) | Pending::User(_) => None,
        })
    }

    /// The conference that somebody wants.
    fn description(
        &self,
        now: Now,
        id: ConferenceId,
        organiser: &Aor,
        name: Box<str>,
        wanted: Wanted,
    ) -> Description {
        let ad_hoc = self.settings.limits.conference_ad_hoc_time_max.as_millis() as u64;
        let ad_hoc_until = now.unix_ms.saturating_add(ad_hoc);
        let expires_unix_ms = wanted.expires_unix_ms.unwrap_or(ad_hoc_until);
        let max = self.settings.limits.conference_invited_max;
        Description {
            id,
            organiser: organiser.clone(),
            organiser_name: name,
            subject: wanted.subject,
            admission: wanted.admission,
            lobby: wanted.lobby,
            locked: false,
            expires_unix_ms,
            scheduled: expires_unix_ms > ad_hoc_until,
            invited: wanted.invited.into_iter().take(max).collect(),
        }
    }

    /// Whether there may be such a conference.
    fn may_be_made(&mut self, now: Now, description: &Description) -> Result<(), Reject> {
        if description.admission == Admission::Anonymous {
            return Err(Reject::GuestsNotAllowed);
        }
        if description.expires_unix_ms <= now.unix_ms {
            return Err(Reject::BadConferenceExpiry);
        }
        let checked = description.check(&self.settings.limits);
        checked.map_err(|refusal| self.refused_by(refusal))
    }

    /// The C3P request of an operation, which was read before at the edge.
    fn read_operation(&mut self, operation: &Operation) -> Option<request::Request> {
        let (settings, bytes) = (Arc::clone(&self.settings), operation.request.clone());
        let mut wanted = None;
        self.with_message(&bytes, |_, message| {
            let at = operation.at(message);
            let request = request::read(message.body(), &at, &operation.by, &settings.limits);
            wanted = request.ok();
        });
        wanted
    }

    /// Carries out what is asked of a conference that this shard owns.
    pub(super) fn operate(&mut self, now: Now, id: ConferenceId, operation: Operation) {
        let (settings, bytes) = (Arc::clone(&self.settings), operation.request.clone());
        let asker = Asker::Operation(operation);
        let Asker::Operation(operation) = &asker else { return };
        if !self.conferences.get(id).is_some_and(|entry| entry.is_of(&operation.organiser)) {
            return self.refuse_operation(&asker, Reject::UnknownConference);
        }
        let mut wish = Err(Reject::BadBody);
        self.with_message(&bytes, |shard, message| {
            let (at, by) = (operation.at(message), &operation.by);
            wish = match message.method() {
                _ if at.conference().is_some_and(|named| named != id) => {
                    Err(Reject::UnknownConference)
                }
                Method::Refer => shard.referred(message),
                _ => match request::read(message.body(), &at, by, &settings.limits) {
                    Ok(request) => shard.commands(now, id, operation, request.operation),
                    Err(refusal) => Err(shard.counted(refusal)),
                },
            };
        });
        let mut commands = match wish {
            Ok(commands) => commands,
            Err(reject) => return self.refuse_operation(&asker, reject),
        };
        let calls = commands.iter().any(|command| matches!(command, Command::Invite { .. }));
        if calls && self.refuses_work() {
            return self.refuse_operation(&asker, Reject::GoingDown);
        }
        // Nothing changes: the answer shows what there is.
        let Some(last) = commands.pop() else { return self.operation_done(id, &asker) };
        let by = Some(operation.by.clone());
        for command in commands {
            let by = by.clone();
            self.conference(now, id, Input::Command { by, command }, Asker::Nobody);
        }
        self.conference(now, id, Input::Command { by, command: last }, asker);
    }

    /// The commands of a C3P request; none for one that only asks.
    fn commands(
        &self,
        now: Now,
        id: ConferenceId,
        operation: &Operation,
        wanted: request::Operation,
    ) -> Result<Vec<Command>, Reject> {
        let commands = match wanted {
            request::Operation::Commands(commands) => commands,
            request::Operation::Delete(_) => vec![Command::End],
            request::Operation::Modify(_, modification) => vec![Command::Modify(modification)],
            request::Operation::Get(_) => {
                let may = self.conferences.get(id).is_some_and(|entry| {
                    entry.is_of(&operation.by) || entry.machine.member(&operation.by).is_some()
                });
                return if may { Ok(Vec::new()) } else { Err(Reject::NotMember) };
            }
            _ => return Err(Reject::UnknownConferenceOperation),
        };
        for command in &commands {
            let Command::Modify(change) = command else { continue };
            if change.admission == Some(Admission::Anonymous) {
                return Err(Reject::GuestsNotAllowed);
            }
            if change.expires_unix_ms.is_some_and(|expires| expires <= now.unix_ms) {
                return Err(Reject::BadConferenceExpiry);
            }
        }
        Ok(commands)
    }

    /// The command of a REFER: somebody is to be asked in, or removed.
    fn referred(&self, message: Message<'_>) -> Result<Vec<Command>, Reject> {
        let value = message.header(HeaderName::ReferTo).ok_or(Reject::BadReferTo)?;
        match refer::read(value).ok_or(Reject::BadReferTo)? {
            Refer::Invite(who) if !self.serves(&who) => Err(Reject::UnknownDomain),
            Refer::Invite(who) => Ok(vec![Command::Invite { who, role: Role::Attendee }]),
            Refer::Bye(who) => Ok(vec![Command::Eject { who }]),
        }
    }

    /// Answers who wanted something done: it is done.
    pub(super) fn operation_done(&mut self, id: ConferenceId, asker: &Asker) {
        let operation = match asker {
            Asker::Operation(operation) => operation,
            Asker::Operator(ticket) => {
                let answer = Answer::ConferenceEnded;
                return self.outputs.push_back(Effect::Answer { ticket: *ticket, answer });
            }
            Asker::Nobody | Asker::Author(_) | Asker::Page(_) | Asker::Summons(_) => return,
        };
        let Some(body) = self.success_body(id, operation) else {
            self.answer_operation(operation, 202, None);
            return self.refer_done(id, operation);
        };
        let content = Content { media_type: request::CONTENT_TYPE.into(), body: body.into() };
        match operation.leg {
            None => self.answer_operation(operation, 200, Some(&content)),
            Some(leg) => {
                self.answer_operation(operation, 202, None);
                let (method, lines) = (Method::Info, Bytes::new());
                let word = Box::new(ToLeg::Tell { method, lines, content });
                self.send_frame(leg.shard, Frame::ToLeg { leg: leg.slot, word });
            }
        }
    }

    /// The C3P answer to an operation that succeeded; `None` for a REFER.
    fn success_body(&mut self, id: ConferenceId, operation: &Operation) -> Option<String> {
        let request = self.read_operation(operation)?;
        let entry = self.conferences.get(id);
        let version = entry.map_or(1, |entry| entry.machine.version());
        let focus = conference_uri::focus(&operation.organiser, id);
        Some(match (&request.operation, entry) {
            (request::Operation::Add(_) | request::Operation::Modify(..), _) => {
                success(&request, Success::Made { focus: &focus, version })
            }
            (request::Operation::Delete(_), _) => success(&request, Success::Deleted(&focus)),
            (request::Operation::Get(_), Some(entry)) => {
                let document = conference_info::full(&entry.machine, &operation.by);
                success(&request, Success::Told(&[document]))
            }
            _ => success(&request, Success::Done),
        })
    }

    /// A conference refuses what somebody wanted done.
    pub(super) fn operation_refused(&mut self, asker: &Asker, refusal: Refusal) {
        let reject = self.refused_by(refusal);
        self.refuse_operation(asker, reject);
    }

    /// Refuses an operation, in both languages of a C3P client.
    pub(super) fn refuse_operation(&mut self, asker: &Asker, reject: Reject) {
        let operation = match asker {
            Asker::Operation(operation) => operation,
            Asker::Operator(ticket) => {
                // One that the store still keeps comes back with the next start.
                let answer = match reject {
                    Reject::StoreBusy => Answer::ConferenceStays,
                    _ => Answer::NoSuchConference,
                };
                return self.outputs.push_back(Effect::Answer { ticket: *ticket, answer });
            }
            Asker::Nobody | Asker::Author(_) | Asker::Page(_) | Asker::Summons(_) => return,
        };
        let content = self.read_operation(operation).map(|request| Content {
            media_type: request::CONTENT_TYPE.into(),
            body: failure(&request, reject.into()).into(),
        });
        let (conn, request) = (operation.conn, operation.request.clone());
        self.with_message(&request, |shard, message| match &content {
            Some(content) => shard.reject_with(conn, message, reject, content),
            None => shard.reject(conn, message, reject),
        });
    }

    fn answer_operation(&mut self, operation: &Operation, status: u16, content: Option<&Content>) {
        let (conn, request) = (operation.conn, operation.request.clone());
        self.with_message(&request, |shard, message| {
            shard.respond(conn, message, status, |writer| match content {
                Some(content) => writer.body(&content.media_type, &content.body),
                None => writer.finish(),
            });
        });
    }

    /// A presenter has asked somebody in: by REFER it is we who ask him.
    pub(super) fn invited(&mut self, now: Now, id: ConferenceId, who: Aor, asker: &Asker) {
        let Asker::Operation(operation) = asker else { return };
        let mut is_refer = false;
        let request = operation.request.clone();
        self.with_message(&request, |_, message| is_refer = message.method() == Method::Refer);
        if is_refer {
            self.summon(now, id, who, operation.clone());
        }
    }

    /// Has the store keep what a scheduled conference is now.
    pub(super) fn keep_conference(&mut self, now: Now, id: ConferenceId, asker: Asker) {
        let description = self.conferences.get(id).map(|entry| entry.machine.description().clone());
        match description.filter(|description| description.scheduled) {
            Some(description) => self.write_conference(now, id, Some(description), asker, None),
            None => self.operation_done(id, &asker),
        }
    }

    /// Has the store forget a scheduled conference.
    pub(super) fn remove_conference(&mut self, now: Now, id: ConferenceId, asker: Asker) {
        self.write_conference(now, id, None, asker, None);
    }

    fn write_conference(
        &mut self,
        now: Now,
        conference: ConferenceId,
        row: Option<Description>,
        asker: Asker,
        made: Option<Box<Description>>,
    ) {
        let edit = ConferenceEdit { conference, asker, made };
        match self.edits.insert(Pending::Conference(edit)) {
            Ok(ticket) => {
                self.counters.count(Series::Writes);
                let row = row.map(Box::new);
                let write = ConferenceWrite { ticket, id: conference, row };
                self.outputs.push_back(Effect::WriteConference(write));
            }
            Err(Pending::Conference(edit)) => {
                self.counters.hit(Limit::WritesInFlight);
                self.conference_written(now, edit, Err(NotWritten::Full));
            }
            Err(Pending::User(_)) => {}
        }
    }

    /// The store has answered.
    pub(super) fn conference_written(
        &mut self,
        now: Now,
        edit: ConferenceEdit,
        result: Result<(), NotWritten>,
    ) {
        let ConferenceEdit { conference, asker, made } = edit;
        match result {
            Ok(()) => {
                if let Some(description) = made {
                    self.put_conference(now, *description);
                }
                self.operation_done(conference, &asker);
            }
            Err(error) => {
                self.refuse_operation(&asker, Reject::StoreBusy);
                let may_pass = matches!(error, NotWritten::Full | NotWritten::Failing);
                if made.is_none() && may_pass {
                    self.write_conference_later(now, conference);
                }
            }
        }
    }

    /// What was changed stands here though the store did not take it: it is tried again, or one that
    /// was removed would be there again after the next start.
    fn write_conference_later(&mut self, now: Now, id: ConferenceId) {
        if self.conferences.unkept.insert(id) {
            let time = self.settings.limits.store_retry_time;
            self.wheel.arm(now.after(time), Timer::KeepConference(id));
        }
    }

    /// Tries again what the store has not taken.
    pub(super) fn write_conference_again(&mut self, now: Now, id: ConferenceId) {
        // One that is made anew under the name is written as it is then.
        if !self.conferences.unkept.remove(&id) || self.being_made(id).is_some() {
            return;
        }
        let description = self.conferences.get(id).map(|entry| entry.machine.description());
        let row = description.filter(|description| description.scheduled).cloned();
        self.write_conference(now, id, row, Asker::Nobody, None);
    }

    /// The operator ends a conference.
    pub(super) fn end_conference(&mut self, now: Now, ticket: Slot, id: ConferenceId) {
        let asker = Asker::Operator(ticket);
        if self.conferences.get(id).is_none() {
            return self.refuse_operation(&asker, Reject::UnknownConference);
        }
        let command = Command::End;
        self.conference(now, id, Input::Command { by: None, command }, asker);
    }
}

impl Operation {
    /// What it was sent to: the factory, or the focus in whose dialog it came.
    fn at(&self, message: Message<'_>) -> ConferenceUri {
        ConferenceUri::parse(message.uri()).unwrap_or(ConferenceUri::Factory)
    }
}
