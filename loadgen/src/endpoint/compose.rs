//! How an endpoint's requests are filled in.

use super::{Endpoint, Env};
use crate::dialog::Dialog;
use crate::digest::Answer;
use crate::link::{Link, Place};
use crate::number::push_number;
use crate::population::{Identity, address_of, mix};
use crate::registration::Registration;
use crate::settings::{Dialect, Transport};
use crate::subscription::Package;
use crate::template::{Field, Fields};

/// How a Lync client says that it need not be asked for answers.
const BENOTIFY: &[u8] = b"Supported: ms-benotify\r\nProxy-Require: ms-benotify\r\n";

/// Buffers for the fields of one request.
#[derive(Debug, Default)]
pub(super) struct Text {
    pub(super) branch: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) call_id: Vec<u8>,
    pub(super) cseq: Vec<u8>,
    pub(super) expires: Vec<u8>,
    pub(super) if_match: Vec<u8>,
    pub(super) lines: Vec<u8>,
    pub(super) uri: Vec<u8>,
}

/// A request of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Ack,
    AckOfRefusal,
    Bye,
    Chat,
    Contacts,
    Invite,
    Join,
    Message,
    Own,
    Subscribe,
    Typing,
    Unsubscribe(Package),
    Unwatch,
    Watch,
}

/// A request outside dialogs that is answered with a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Create,
    Poll,
    Provisioning,
    Search,
}

impl Env {
    /// Transport token as the dialect writes it.
    fn transport(&self) -> &'static [u8] {
        match (self.settings.dialect, self.settings.transport) {
            (Dialect::Ms, Transport::Tls) => b"tls",
            (Dialect::Ms, Transport::Tcp) => b"tcp",
            (Dialect::Simple, Transport::Tls) => b"TLS",
            (Dialect::Simple, Transport::Tcp) => b"TCP",
        }
    }

    /// Appends the users of a batch to the text.
    pub(super) fn name_resources(&mut self, users: &[u32]) {
        for number in users {
            let address = address_of(&self.settings, *number);
            let resource = format!("<resource uri=\"sip:{address}\"/>\r\n");
            self.text.body.extend_from_slice(resource.as_bytes());
        }
    }

    /// Writes the Expires line of a subscription or publication.
    pub(super) fn name_interval(&mut self) {
        let Env { text, settings, .. } = self;
        text.expires.clear();
        text.expires.extend_from_slice(b"Expires: ");
        push_number(&mut text.expires, settings.expires.as_secs());
        text.expires.extend_from_slice(b"\r\n");
    }
}

impl Endpoint {
    pub(super) fn contact_before_gruu(&self, env: &Env, link: &Link) -> Vec<u8> {
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

    pub(super) fn send_register(&mut self, env: &mut Env, link: &mut Link) {
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
        let signed_along = match self.registration.ntlm.take() {
            Some(offer) => self.write_ntlm(env, &offer, &mut lines),
            None if std::mem::take(&mut self.registration.renews_keys) => None,
            None => {
                self.write_credentials(env, &mut lines);
                Some(Vec::new())
            }
        };
        let from = link.out.len();
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
        if let Some(parameters) = signed_along {
            self.sign_with(env, link, from, &parameters);
        }
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
    pub(super) fn send_in_dialog(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        dialog: &Dialog,
        request: Request,
        number: u32,
    ) {
        let from = link.out.len();
        let transport = env.transport();
        let Env { templates, text, benotify, .. } = env;
        let (template, kind) = match request {
            Request::Invite => (&templates.invite, b'i'),
            Request::Join => (&templates.conference.join, b'i'),
            Request::Chat => (&templates.conference.chat, b'i'),
            Request::Message => (&templates.message, b'm'),
            Request::Bye => (&templates.bye, b'b'),
            Request::Subscribe => (&templates.subscribe, b'w'),
            Request::Contacts => (&templates.lync.contacts, b'w'),
            Request::Own => (&templates.lync.own, b'w'),
            Request::Typing => (&templates.lync.typing, b't'),
            Request::Unsubscribe(_) => (&templates.unsubscribe, b'w'),
            Request::Watch => (&templates.conference.watch, b'w'),
            Request::Unwatch => (&templates.conference.unwatch, b'w'),
            Request::Ack => (&templates.ack, b'a'),
            // Part of the INVITE's own transaction: same branch.
            Request::AckOfRefusal => (&templates.ack, b'i'),
        };
        let event = match request {
            Request::Unsubscribe(package) => package.name(),
            _ => "",
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
            .set(Field::Benotify, if *benotify { BENOTIFY } else { &[] })
            .set(Field::Event, event.as_bytes())
            .set(Field::Expires, &text.expires)
            .set(Field::Body, &text.body);
        template.render(&fields, &mut link.out);
        self.sign(env, link, from);
    }

    /// Sends a MESSAGE outside dialogs; its text stands in the buffer.
    pub(super) fn send_pager(&mut self, env: &mut Env, link: &mut Link, peer: &str, number: u32) {
        let from = link.out.len();
        let transport = env.transport();
        let Env { templates, text, .. } = env;
        text.begin_alone(number, &self.stem, b'm');
        text.uri.clear();
        text.uri.extend_from_slice(b"sip:");
        text.uri.extend_from_slice(peer.as_bytes());
        let mut fields = self.fields(&link.place, text, transport);
        fields
            .set(Field::Uri, &text.uri)
            .set(Field::Peer, peer.as_bytes())
            .set(Field::Tag, &self.stem)
            .set(Field::CallId, &text.call_id)
            .set(Field::Body, &text.body);
        templates.message.render(&fields, &mut link.out);
        self.sign(env, link, from);
    }

    /// Sends a publication, or takes the last one back; the part of its document that differs and
    /// its condition stand in the buffers.
    pub(super) fn send_publish(
        &mut self,
        env: &mut Env,
        link: &mut Link,
        number: u32,
        taken_back: bool,
    ) {
        let from = link.out.len();
        let transport = env.transport();
        env.name_interval();
        let Env { templates, text, .. } = env;
        text.begin_alone(number, &self.stem, b'p');
        let mut fields = self.fields(&link.place, text, transport);
        fields
            .set(Field::Tag, &self.stem)
            .set(Field::CallId, &text.call_id)
            .set(Field::Expires, &text.expires)
            .set(Field::IfMatch, &text.if_match)
            .set(Field::Body, &text.body);
        let unpublish = templates.unpublish.as_ref().filter(|_| taken_back);
        unpublish.unwrap_or(&templates.publish).render(&fields, &mut link.out);
        self.sign(env, link, from);
    }

    /// Asks a service; its URI and the part of the document that differs stand in the buffers.
    pub(super) fn ask(&mut self, env: &mut Env, link: &mut Link, question: Question, number: u32) {
        let from = link.out.len();
        let transport = env.transport();
        let Env { templates, text, settings, .. } = env;
        let (template, kind) = match question {
            Question::Create => (&templates.conference.create, b'f'),
            Question::Poll => (&templates.lync.poll, b'q'),
            Question::Provisioning => (&templates.lync.provisioning, b'q'),
            Question::Search => (&templates.lync.search, b'd'),
        };
        text.begin_alone(number, &self.stem, kind);
        let mut fields = self.fields(&link.place, text, transport);
        fields
            .set(Field::Domain, settings.domain.as_bytes())
            .set(Field::Uri, &text.uri)
            .set(Field::Tag, &self.stem)
            .set(Field::CallId, &text.call_id)
            .set(Field::Body, &text.body);
        template.render(&fields, &mut link.out);
        self.sign(env, link, from);
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
    /// The same as [`Text::begin`] for a request outside dialogs, and its Call-ID.
    fn begin_alone(&mut self, number: u32, stem: &[u8], kind: u8) {
        self.begin(number, stem, kind);
        self.call_id.clear();
        self.call_id.push(kind);
        self.call_id.extend_from_slice(&self.cseq);
        self.call_id.push(b'.');
        self.call_id.extend_from_slice(stem);
    }

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
