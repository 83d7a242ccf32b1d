//! What an endpoint does with what it receives.

use super::compose::Request;
use super::conference::{carried_out, create_answered, is_attributed};
use super::{DIALOGS_MAX, Endpoint, Env, Event};
use crate::answer::{Extra, answer};
use crate::dialog::{Dialog, Kind, State};
use crate::link::Link;
use crate::registration::Next;
use crate::scan::{Message, Name, param_of};
use crate::settings::Dialect;
use crate::stamp::Stamp;
use crate::stats::{Cause, Operation, Seen};

impl Endpoint {
    /// Takes an answer; false when it answers nothing.
    pub(super) fn answered(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        status: u16,
        events: &mut Vec<Event>,
    ) -> bool {
        let call_id = message.value(Name::CallId);
        let Some(own) = call_id.strip_suffix(self.stem.as_slice()) else {
            // Sessions that others began have a Call-ID of theirs.
            return self.dialog_answered(env, link, message, status, events);
        };
        match own.first() {
            Some(b'r') => self.register_answered(env, link, message, events),
            Some(b's') => self.dialog_answered(env, link, message, status, events),
            Some(b'w') => self.subscription_answered(env, message, status, events),
            Some(kind @ (b'd' | b'f' | b'm' | b'p' | b'q')) => {
                self.answered_alone(*kind, message, status, events)
            }
            _ => false,
        }
    }

    /// Takes the answer to a request outside dialogs.
    fn answered_alone(
        &mut self,
        kind: u8,
        message: Message<'_>,
        status: u16,
        events: &mut Vec<Event>,
    ) -> bool {
        let number = message.cseq();
        if !self.is_of_ours(message) {
            return false;
        }
        if status < 200 {
            return self.pager.peek(number).is_some();
        }
        let Some(pending) = self.pager.finish(number) else { return false };
        let result = match kind {
            b'd' | b'q' => self.question_answered(pending.operation, message, status),
            b'f' => create_answered(message, status, events),
            b'p' => self.publish_answered(pending.operation, message, status),
            _ => outcome(status),
        };
        events.push(Event::Finished { pending, result });
        true
    }

    fn register_answered(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        events: &mut Vec<Event>,
    ) -> bool {
        let result = match self.registration.answered(&env.settings, &self.identity.uuid, message) {
            Next::Nothing => return message.status().is_some_and(|status| status < 200),
            Next::Authenticate => {
                self.send_register(env, link);
                return true;
            }
            Next::Done(granted) => {
                if let Some(gruu) = &granted.gruu {
                    self.contact.clone_from(gruu);
                }
                if self.registration.signed_in {
                    events.push(Event::Granted(granted));
                }
                Ok(())
            }
            Next::Failed(cause) => Err(cause),
        };
        self.settle_keys(env, link, result.is_ok());
        if let Some(pending) = self.registration.finish() {
            events.push(Event::Finished { pending, result });
        }
        true
    }

    fn dialog_answered(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        status: u16,
        events: &mut Vec<Event>,
    ) -> bool {
        let own_tag = param_of(message.value(Name::From), "tag");
        let call_id = message.value(Name::CallId);
        let Some(at) = self.dialogs.iter().position(|dialog| dialog.matches(call_id, own_tag))
        else {
            return false;
        };
        let number = message.cseq();
        if status < 200 {
            return self.dialogs[at].transactions.peek(number).is_some();
        }
        if message.method() == b"INVITE" {
            return self.invite_answered(env, link, message, at, status, events);
        }
        let Some(pending) = self.dialogs[at].transactions.finish(number) else { return false };
        // Who was told of the end before does not know the dialog any more.
        let gone = status == 481 && self.dialogs[at].crossed;
        let result = if gone { Ok(()) } else { outcome(status) };
        events.push(Event::Finished { pending, result });
        if pending.operation == Operation::Bye {
            self.forget(at, events);
        }
        true
    }

    fn invite_answered(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        at: usize,
        status: u16,
        events: &mut Vec<Event>,
    ) -> bool {
        let mut dialog = self.dialogs.swap_remove(at);
        let number = message.cseq();
        let pending = dialog.transactions.finish(number);
        let mut result = outcome(status);
        if result.is_ok() && dialog.state == State::Inviting && !dialog.establish(message) {
            result = Err(Cause::Protocol);
        }
        if result.is_ok() && dialog.kind == Kind::Focus {
            result = carried_out(message, events);
        }
        if result.is_err()
            && let Some(tag) = param_of(message.value(Name::To), "tag")
        {
            dialog.peer_tag = [b";tag=", tag].concat();
        }
        // Also for a repeated 2xx and for a refusal (RFC 3261 sections 13.2.2.4 and 17.1.1.3).
        let ack = if result.is_ok() { Request::Ack } else { Request::AckOfRefusal };
        self.send_in_dialog(env, link, &dialog, ack, number);
        if result.is_ok() {
            self.dialogs.push(dialog);
        }
        match pending {
            Some(pending) => events.push(Event::Finished { pending, result }),
            None => return result.is_ok(),
        }
        true
    }

    /// Removes a dialog; what still waits in it has lost its session.
    pub(super) fn forget(&mut self, at: usize, events: &mut Vec<Event>) {
        let mut dialog = self.dialogs.swap_remove(at);
        events.extend(
            dialog
                .transactions
                .drain()
                .map(|pending| Event::Finished { pending, result: Err(Cause::NoSession) }),
        );
    }

    /// Takes a request.
    pub(super) fn requested(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        seen: &mut Seen,
        events: &mut Vec<Event>,
    ) {
        let from = link.out.len();
        self.respond(env, link, message, seen, events);
        self.sign(env, link, from);
    }

    fn respond(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        seen: &mut Seen,
        events: &mut Vec<Event>,
    ) {
        if matches!(message.method(), b"NOTIFY" | b"BENOTIFY") {
            self.notified(message, events);
        }
        let own_tag = param_of(message.value(Name::To), "tag");
        let call_id = message.value(Name::CallId);
        let known = self.dialogs.iter().position(|dialog| dialog.matches(call_id, own_tag));
        let ok = "200 OK";
        let gone = "481 Call/Transaction Does Not Exist";
        let status = match (message.method(), own_tag.is_some(), known) {
            (b"BENOTIFY", ..) => {
                // Subscriptions have dialogs of their own: in a session it is a delivery report.
                seen.reports += u64::from(known.is_some());
                return;
            }
            (b"ACK", ..) => return,
            (b"INVITE", ..) => {
                return self.invited(env, link, message, own_tag.is_some(), known, seen);
            }
            (b"MESSAGE", true, None) | (b"INFO" | b"BYE" | b"CANCEL", _, None) => gone,
            (b"MESSAGE", ..) => {
                if let Some(stamp) = Stamp::read(message.body()) {
                    let attributed = is_attributed(&env.settings, message, stamp.pair);
                    let event = if attributed { Event::Arrived } else { Event::Misattributed };
                    events.push(event(stamp));
                }
                ok
            }
            // Our own is on its way; its answer ends the dialog.
            (b"BYE", _, Some(at)) if self.dialogs[at].state == State::Ending => {
                self.dialogs[at].crossed = true;
                ok
            }
            (b"BYE", _, Some(at)) => {
                self.forget(at, events);
                events.push(Event::Ended);
                ok
            }
            (b"INFO" | b"CANCEL" | b"NOTIFY" | b"OPTIONS", ..) => ok,
            _ => "501 Not Implemented",
        };
        if status == ok {
            seen.requests_answered += 1;
        } else {
            seen.requests_refused += 1;
        }
        // The Lync client names itself in answers inside a session.
        let named = env.settings.dialect == Dialect::Ms && known.is_some();
        let contact = if named { self.contact.as_slice() } else { &[] };
        let extra = Extra { contact, ..Extra::default() };
        answer(message, status, &self.stem, &extra, &mut link.out);
    }

    fn invited(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        in_dialog: bool,
        known: Option<usize>,
        seen: &mut Seen,
    ) {
        let out = &mut link.out;
        let mut refuse = |status, stem: &[u8]| {
            seen.requests_refused += 1;
            answer(message, status, stem, &Extra::default(), out);
        };
        if in_dialog && known.is_none() {
            return refuse("481 Call/Transaction Does Not Exist", &self.stem);
        }
        if env.settings.dialect == Dialect::Simple {
            return refuse("488 Not Acceptable Here", &self.stem);
        }
        let call_id = message.value(Name::CallId);
        let at = known.or_else(|| self.dialogs.iter().position(|dialog| dialog.call_id == call_id));
        let tag = match at {
            Some(at) => self.dialogs[at].local_tag.clone(),
            None if self.dialogs.len() >= DIALOGS_MAX => {
                return refuse("486 Busy Here", &self.stem);
            }
            None => {
                let id = self.next_dialog();
                let tag = [self.stem.as_slice(), b"c", id.to_string().as_bytes()].concat();
                let Some(dialog) = Dialog::invited(id, tag.clone(), message) else {
                    return refuse("400 Bad Request", &self.stem);
                };
                self.dialogs.push(dialog);
                tag
            }
        };
        seen.requests_answered += 1;
        let sdp = self.session_description(link);
        let extra = Extra { contact: &self.contact, record_route: true, sdp: &sdp };
        answer(message, "200 OK", &tag, &extra, &mut link.out);
    }

    fn session_description(&self, link: &Link) -> Vec<u8> {
        let types = "text/plain text/html image/gif application/im-iscomposing+xml \
                     application/ms-imdn+xml text/x-msmsgsinvite";
        [
            b"v=0\r\no=- 0 0 IN IP4 ".as_slice(),
            &link.place.ip,
            b"\r\ns=session\r\nc=IN IP4 ",
            &link.place.ip,
            b"\r\nt=0 0\r\nm=message 5061 sip sip:",
            self.identity.aor.as_bytes(),
            b"\r\na=accept-types:",
            types.as_bytes(),
            b"\r\n",
        ]
        .concat()
    }
}

pub(super) fn outcome(status: u16) -> Result<(), Cause> {
    if (200..300).contains(&status) { Ok(()) } else { Err(Cause::Status(status)) }
}
