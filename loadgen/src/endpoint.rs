//! One user's SIP client: registration, dialogs, answers to everything it receives. It reads
//! messages and writes octets; it knows no sockets and no clock.

use crate::answer::{Extra, answer};
use crate::dialog::{Dialog, State};
use crate::digest::Answer;
use crate::link::{Link, Place};
use crate::number::{push_number, read_number};
use crate::population::{Identity, mix};
use crate::registration::{Granted, Next, Registration};
use crate::scan::{Message, Name, param_of};
use crate::settings::{Dialect, Settings, Transport};
use crate::stamp::Stamp;
use crate::stats::{Cause, Operation, Seen};
use crate::template::{Field, Fields, Templates};
use crate::transactions::{Pending, Transactions};
use std::sync::Arc;
use std::time::Duration;

/// Most dialogs an endpoint holds; further INVITEs are answered 486.
const DIALOGS_MAX: usize = 64;
/// Most requests of one dialog (or outside dialogs) that may wait for answers.
pub const OUTSTANDING_MAX: usize = 65_536;

/// What all endpoints of a thread share.
#[derive(Debug)]
pub struct Env {
    /// The run's settings.
    pub settings: Arc<Settings>,
    /// Requests.
    pub templates: Templates,
    /// Number of this run, so that texts and Call-IDs of another one are not taken for ours.
    pub run: u64,
    text: Text,
}

/// Buffers for the fields of one request.
#[derive(Debug, Default)]
struct Text {
    branch: Vec<u8>,
    body: Vec<u8>,
    call_id: Vec<u8>,
    cseq: Vec<u8>,
    lines: Vec<u8>,
    uri: Vec<u8>,
}

impl Env {
    /// For one thread.
    ///
    /// # Errors
    /// When a built-in template is broken.
    pub fn new(settings: Arc<Settings>, run: u64) -> Result<Env, String> {
        let templates = match settings.dialect {
            Dialect::Ms => Templates::ms()?,
            Dialect::Simple => Templates::simple()?,
        };
        Ok(Env { settings, templates, run, text: Text::default() })
    }

    /// Transport token as the dialect writes it.
    fn transport(&self) -> &'static [u8] {
        match (self.settings.dialect, self.settings.transport) {
            (Dialect::Ms, Transport::Tls) => b"tls",
            (Dialect::Ms, Transport::Tcp) => b"tcp",
            (Dialect::Simple, Transport::Tls) => b"TLS",
            (Dialect::Simple, Transport::Tcp) => b"TCP",
        }
    }
}

/// A request of ours that waits for an answer; what its deadline is armed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// In a dialog.
    Dialog {
        /// Which dialog.
        id: u32,
        /// CSeq number.
        number: u32,
    },
    /// Outside dialogs.
    Pager {
        /// CSeq number.
        number: u32,
    },
    /// REGISTER.
    Registration {
        /// Which one.
        serial: u32,
    },
}

/// What an endpoint reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A request of ours has its outcome.
    Finished {
        /// What it was and when it was meant to be sent.
        pending: Pending,
        /// How it ended.
        result: Result<(), Cause>,
    },
    /// The server granted a registration.
    Granted(Granted),
    /// An instant message with a stamp arrived.
    Arrived(Stamp),
    /// The other side ended a session.
    Ended,
}

/// A request of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Ack,
    AckOfRefusal,
    Bye,
    Invite,
    Message,
}

/// One user's client.
#[derive(Debug)]
pub struct Endpoint {
    /// Who it is.
    pub identity: Identity,
    /// Its registration.
    pub registration: Registration,
    contact: Vec<u8>,
    dialogs: Vec<Dialog>,
    dialog_count: u32,
    pager: Transactions,
    pager_count: u32,
    /// Ends every Call-ID and tag of ours: different for each endpoint and run.
    stem: Vec<u8>,
}

impl Endpoint {
    /// User `number` of the population.
    pub fn new(env: &Env, number: u32) -> Endpoint {
        let stem = format!("{:016x}", mix(env.run ^ mix(u64::from(number))));
        Endpoint {
            identity: Identity::new(&env.settings, number),
            registration: Registration::default(),
            contact: Vec::new(),
            dialogs: Vec::new(),
            dialog_count: 0,
            pager: Transactions::default(),
            pager_count: 0,
            stem: stem.into_bytes(),
        }
    }

    /// Sends REGISTER; `leaving` ends the registration.
    pub fn register(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        pending: Pending,
        leaving: bool,
    ) -> Wait {
        self.registration.begin(pending, leaving);
        if !self.registration.signed_in {
            self.contact = self.contact_before_gruu(env, link);
        }
        self.send_register(env, link);
        Wait::Registration { serial: self.registration.serial }
    }

    /// Sends INVITE for a session with `peer` (`user@domain`).
    pub fn invite(&mut self, env: &mut Env, link: &mut Link, peer: &str, pending: Pending) -> Wait {
        let id = self.next_dialog();
        let call_id = [b"s", id.to_string().as_bytes(), b".", &self.stem].concat();
        let tag = [self.stem.as_slice(), b"s", id.to_string().as_bytes()].concat();
        let mut dialog = Dialog::invite(id, call_id, tag, peer);
        dialog.cseq = 1;
        dialog.transactions.begin(1, pending);
        self.send_in_dialog(env, link, &dialog, Request::Invite, 1);
        self.dialogs.push(dialog);
        Wait::Dialog { id, number: 1 }
    }

    /// Sends a text in the session that is established; `None` when there is none.
    pub fn message_in_session(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        stamp: &Stamp,
        length: usize,
    ) -> Option<Result<Wait, Cause>> {
        let at = self.dialogs.iter().position(|dialog| dialog.state == State::Established)?;
        let mut dialog = self.dialogs.swap_remove(at);
        let result = if dialog.transactions.span() >= OUTSTANDING_MAX {
            Err(Cause::Overrun)
        } else {
            dialog.cseq += 1;
            let pending = Pending { operation: Operation::Message, intended: stamp.intended };
            dialog.transactions.begin(dialog.cseq, pending);
            env.text.body.clear();
            stamp.write(length, &mut env.text.body);
            self.send_in_dialog(env, link, &dialog, Request::Message, dialog.cseq);
            Ok(Wait::Dialog { id: dialog.id, number: dialog.cseq })
        };
        self.dialogs.push(dialog);
        Some(result)
    }

    /// Sends a text outside any dialog to `peer` (`user@domain`).
    pub fn message_to(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        peer: &str,
        stamp: &Stamp,
        length: usize,
    ) -> Result<Wait, Cause> {
        if self.pager.span() >= OUTSTANDING_MAX {
            return Err(Cause::Overrun);
        }
        self.pager_count += 1;
        let number = self.pager_count;
        let pending = Pending { operation: Operation::Message, intended: stamp.intended };
        self.pager.begin(number, pending);
        let transport = env.transport();
        let Env { templates, text, .. } = env;
        text.begin(number, &self.stem, b'm');
        text.call_id.clear();
        text.call_id.push(b'm');
        push_number(&mut text.call_id, u64::from(number));
        text.call_id.push(b'.');
        text.call_id.extend_from_slice(&self.stem);
        text.uri.clear();
        text.uri.extend_from_slice(b"sip:");
        text.uri.extend_from_slice(peer.as_bytes());
        text.body.clear();
        stamp.write(length, &mut text.body);
        let mut fields = self.fields(&link.place, text, transport);
        fields
            .set(Field::Uri, &text.uri)
            .set(Field::Peer, peer.as_bytes())
            .set(Field::Tag, &self.stem)
            .set(Field::CallId, &text.call_id)
            .set(Field::Body, &text.body);
        templates.message.render(&fields, &mut link.out);
        Ok(Wait::Pager { number })
    }

    /// Sends BYE in every session of ours; returns what waits for answers.
    pub fn bye(&mut self, env: &mut Env, link: &mut Link, pending: Pending, waits: &mut Vec<Wait>) {
        let mut dialogs = std::mem::take(&mut self.dialogs);
        for dialog in dialogs.iter_mut().filter(|dialog| dialog.state == State::Established) {
            dialog.cseq += 1;
            dialog.state = State::Ending;
            dialog.transactions.begin(dialog.cseq, pending);
            self.send_in_dialog(env, link, dialog, Request::Bye, dialog.cseq);
            waits.push(Wait::Dialog { id: dialog.id, number: dialog.cseq });
        }
        self.dialogs = dialogs;
    }

    /// The deadline of a request has come: it fails unless it was answered.
    pub fn expire(&mut self, wait: Wait, events: &mut Vec<Event>) {
        let pending = match wait {
            Wait::Registration { serial } if serial == self.registration.serial => {
                self.registration.finish()
            }
            Wait::Registration { .. } => None,
            Wait::Pager { number } => self.pager.finish(number),
            Wait::Dialog { id, number } => {
                let at = self.dialogs.iter().position(|dialog| dialog.id == id);
                let pending = at.and_then(|at| self.dialogs[at].transactions.finish(number));
                if let (Some(at), Some(pending)) = (at, pending)
                    && pending.operation != Operation::Message
                {
                    self.forget(at, events);
                }
                pending
            }
        };
        if let Some(pending) = pending {
            events.push(Event::Finished { pending, result: Err(Cause::Timeout) });
        }
    }

    /// The connection is gone: everything that waits fails, and one endpoint fewer is signed in.
    pub fn disconnect(&mut self, cause: Cause, signed_in: &mut usize, events: &mut Vec<Event>) {
        *signed_in -= usize::from(self.registration.signed_in);
        let Endpoint { registration, dialogs, pager, .. } = self;
        let waiting = registration.finish().into_iter().chain(pager.drain());
        let waiting =
            waiting.chain(dialogs.iter_mut().flat_map(|dialog| dialog.transactions.drain()));
        events.extend(waiting.map(|pending| Event::Finished { pending, result: Err(cause) }));
        dialogs.clear();
        registration.reset();
    }

    /// Reads one message and writes what it calls for.
    pub fn receive(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        seen: &mut Seen,
        events: &mut Vec<Event>,
    ) {
        match message.status() {
            Some(status) => {
                if !self.answered(env, link, message, status, events) {
                    seen.stray_answers += 1;
                }
            }
            None => self.requested(env, link, message, seen, events),
        }
    }

    fn next_dialog(&mut self) -> u32 {
        self.dialog_count += 1;
        self.dialog_count
    }

    /// Takes an answer; false when it answers nothing.
    fn answered(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        status: u16,
        events: &mut Vec<Event>,
    ) -> bool {
        let call_id = message.value(Name::CallId);
        let Some(own) = call_id.strip_suffix(self.stem.as_slice()) else { return false };
        match own.first() {
            Some(b'r') => self.register_answered(env, link, message, events),
            Some(b'm') => {
                let number = own.get(1..own.len() - 1).and_then(read_number);
                if number != Some(u64::from(message.cseq())) {
                    return false;
                }
                if status < 200 {
                    return self.pager.peek(message.cseq()).is_some();
                }
                let Some(pending) = self.pager.finish(message.cseq()) else { return false };
                events.push(Event::Finished { pending, result: outcome(status) });
                true
            }
            Some(b's') => self.dialog_answered(env, link, message, status, events),
            _ => false,
        }
    }

    fn register_answered(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        events: &mut Vec<Event>,
    ) -> bool {
        let dialect = env.settings.dialect;
        let result = match self.registration.answered(dialect, &self.identity.uuid, message) {
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
        events.push(Event::Finished { pending, result: outcome(status) });
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
    fn forget(&mut self, at: usize, events: &mut Vec<Event>) {
        let mut dialog = self.dialogs.swap_remove(at);
        events.extend(
            dialog
                .transactions
                .drain()
                .map(|pending| Event::Finished { pending, result: Err(Cause::NoSession) }),
        );
    }

    fn requested(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        message: Message<'_>,
        seen: &mut Seen,
        events: &mut Vec<Event>,
    ) {
        let own_tag = param_of(message.value(Name::To), "tag");
        let call_id = message.value(Name::CallId);
        let known = self.dialogs.iter().position(|dialog| dialog.matches(call_id, own_tag));
        let ok = "200 OK";
        let gone = "481 Call/Transaction Does Not Exist";
        let status = match (message.method(), own_tag.is_some(), known) {
            (b"ACK" | b"BENOTIFY", ..) => return,
            (b"INVITE", ..) => {
                return self.invited(env, link, message, own_tag.is_some(), known, seen);
            }
            (b"MESSAGE", true, None) | (b"INFO" | b"BYE" | b"CANCEL", _, None) => gone,
            (b"MESSAGE", ..) => {
                events.extend(Stamp::read(message.body()).map(Event::Arrived));
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

    fn contact_before_gruu(&self, env: &Env, link: &Link) -> Vec<u8> {
        let Identity { aor, user, .. } = &self.identity;
        let local = String::from_utf8_lossy(&link.place.local);
        let transport = env.settings.transport;
        match env.settings.dialect {
            Dialect::Ms => {
                let port = local.rsplit(':').next().unwrap_or_default();
                let ip = String::from_utf8_lossy(&link.place.ip);
                format!("sip:{aor}:{port};maddr={ip};transport={transport}").into_bytes()
            }
            Dialect::Simple => format!("sip:{user}@{local};transport={transport}").into_bytes(),
        }
    }

    fn send_register(&mut self, env: &mut Env, link: &mut Link) {
        let transport = env.transport();
        let mut expires = Vec::new();
        let leaving = self.registration.leaving;
        // The Lync client names no interval when it signs in.
        if leaving || env.settings.dialect == Dialect::Simple {
            let seconds = if leaving { 0 } else { env.settings.expires.as_secs() };
            expires.extend_from_slice(b"Expires: ");
            push_number(&mut expires, seconds);
            expires.extend_from_slice(b"\r\n");
        }
        let mut lines = std::mem::take(&mut env.text.lines);
        lines.clear();
        self.write_credentials(env, &mut lines);
        let Env { templates, text, settings, .. } = env;
        text.begin(self.registration.cseq, &self.stem, b'r');
        let call_id = [b"r.", self.stem.as_slice()].concat();
        let mut fields = self.fields(&link.place, text, transport);
        fields
            .set(Field::Domain, settings.domain.as_bytes())
            .set(Field::Tag, &self.stem)
            .set(Field::CallId, &call_id)
            .set(Field::Authorization, &lines)
            .set(Field::Expires, &expires);
        templates.register.render(&fields, &mut link.out);
        env.text.lines = lines;
    }

    /// Writes the Authorization line for what the server asked last, if it asked.
    fn write_credentials(&mut self, env: &Env, lines: &mut Vec<u8>) {
        let Registration { challenge, nonce_count, proxy, .. } = &mut self.registration;
        let Some(challenge) = challenge else { return };
        *nonce_count += 1;
        let seed = mix(env.run ^ u64::from(*nonce_count));
        let cnonce = format!("{:08x}", seed & 0xffff_ffff);
        let uri = match env.settings.dialect {
            // The Lync client hashes the URI of the answer, which is none.
            Dialect::Ms => "(null)".to_owned(),
            Dialect::Simple => format!("sip:{}", env.settings.domain),
        };
        let credentials = Answer {
            user: self.identity.user.as_bytes(),
            password: env.settings.password.as_bytes(),
            method: b"REGISTER",
            uri: uri.as_bytes(),
            cnonce: cnonce.as_bytes(),
            nonce_count: *nonce_count,
        };
        let name: &[u8] = if *proxy { b"Proxy-Authorization: " } else { b"Authorization: " };
        lines.extend_from_slice(name);
        challenge.credentials(&credentials, lines);
        lines.extend_from_slice(b"\r\n");
    }

    /// Sends a request of a dialog; the text of a MESSAGE stands in the buffer.
    fn send_in_dialog(
        &self,
        env: &mut Env,
        link: &mut Link,
        dialog: &Dialog,
        request: Request,
        number: u32,
    ) {
        let transport = env.transport();
        let Env { templates, text, .. } = env;
        let (template, kind) = match request {
            Request::Invite => (&templates.invite, b'i'),
            Request::Message => (&templates.message, b'm'),
            Request::Bye => (&templates.bye, b'b'),
            Request::Ack => (&templates.ack, b'a'),
            // Part of the INVITE's own transaction: same branch.
            Request::AckOfRefusal => (&templates.ack, b'i'),
        };
        text.begin(number, &dialog.local_tag, kind);
        let mut fields = self.fields(&link.place, text, transport);
        fields
            .set(Field::Uri, &dialog.target)
            .set(Field::Routes, &dialog.routes)
            .set(Field::Peer, dialog.peer.as_bytes())
            .set(Field::PeerTag, &dialog.peer_tag)
            .set(Field::Tag, &dialog.local_tag)
            .set(Field::CallId, &dialog.call_id)
            .set(Field::Body, &text.body);
        template.render(&fields, &mut link.out);
    }

    fn fields<'a>(&'a self, place: &'a Place, text: &'a Text, transport: &'a [u8]) -> Fields<'a> {
        let mut fields = Fields::new();
        fields
            .set(Field::Aor, self.identity.aor.as_bytes())
            .set(Field::Branch, &text.branch)
            .set(Field::CSeq, &text.cseq)
            .set(Field::Contact, &self.contact)
            .set(Field::Epid, self.identity.epid.as_bytes())
            .set(Field::Ip, &place.ip)
            .set(Field::Local, &place.local)
            .set(Field::Transport, transport)
            .set(Field::User, self.identity.user.as_bytes())
            .set(Field::Uuid, self.identity.uuid.as_bytes());
        fields
    }
}

impl Text {
    /// Writes the CSeq number and a branch of its own.
    fn begin(&mut self, number: u32, stem: &[u8], kind: u8) {
        self.cseq.clear();
        push_number(&mut self.cseq, u64::from(number));
        self.branch.clear();
        self.branch.extend_from_slice(b"z9hG4bK");
        self.branch.extend_from_slice(stem);
        self.branch.push(kind);
        self.branch.extend_from_slice(&self.cseq);
    }
}

fn outcome(status: u16) -> Result<(), Cause> {
    if (200..300).contains(&status) { Ok(()) } else { Err(Cause::Status(status)) }
}

/// The granted registration interval, or the one asked for.
pub fn renewal(granted: Option<Duration>, dialect: Dialect, asked: Duration) -> Duration {
    let interval = granted.unwrap_or(asked);
    // The Lync client renews 30 s before the end.
    let early = match dialect {
        Dialect::Ms => Duration::from_secs(30).min(interval / 2),
        Dialect::Simple => interval / 10,
    };
    interval.saturating_sub(early).max(Duration::from_secs(1))
}

#[cfg(test)]
mod tests;
