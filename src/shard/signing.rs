//! Signatures of the connections that sign in by NTLM (MS-SIPAE): nothing of what such a
//! connection sends is looked at before its signature holds, and all that goes to it is signed
//! where it leaves, when no header changes any more.
//!
//! While a client makes new keys, which it does every eight hours on the connection it has, it
//! forgets the old ones at once and takes the new ones in use as soon as it has our challenge. In
//! between, its requests are unsigned and bounced, and what is for it waits.

use bytes::{BufMut, Bytes};

use super::Shard;
use super::connection::Connection;
use super::output::Output;
use crate::auth::ntlm::{Handshake, NtlmCredentials, offer};
use crate::auth::security_association::{SecurityAssociation, Signature};
use crate::base::ids::ConnId;
use crate::base::limits::Limit;
use crate::base::time::{Deadline, Now};
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::wire::sip::{Credentials, HeaderName, Message, Method, SignedParts};

/// What a connection that signs in by NTLM has.
#[derive(Debug, Default)]
pub struct Signing {
    /// The keys in force.
    pub association: Option<SecurityAssociation>,
    /// How far it is with new ones.
    pub step: Step,
    /// What must be signed and waits for the new keys.
    pub held: Vec<Bytes>,
    /// Requests bounced since the client began to make new keys.
    pub bounced: u32,
}

/// How far a client is with new keys.
#[derive(Debug, Default)]
pub enum Step {
    /// It makes none.
    #[default]
    Idle,
    /// It asked, and was offered NTLM.
    Offered(Deadline),
    /// It has our challenge.
    Challenged(Handshake, Deadline),
    /// It has answered; its home judges.
    Answered(Deadline),
}

impl Step {
    /// When it is to be done.
    pub const fn deadline(&self) -> Option<Deadline> {
        match self {
            Step::Idle => None,
            Step::Offered(deadline) | Step::Challenged(_, deadline) | Step::Answered(deadline) => {
                Some(*deadline)
            }
        }
    }

    /// Whether the client may have its new keys in use.
    const fn is_between_keys(&self) -> bool {
        matches!(self, Step::Challenged(..) | Step::Answered(_))
    }
}

/// What came of looking at a signature.
enum Verdict {
    /// It holds, or none is needed.
    Genuine,
    /// It is missing because the client makes new keys.
    Early,
    /// It is missing or does not hold.
    Forged,
}

impl Connection {
    /// Whether it has keys.
    pub(super) fn signs(&self) -> bool {
        self.signing.as_ref().is_some_and(|signing| signing.association.is_some())
    }

    /// Whether a client that signs shows no signature but makes new keys.
    pub(super) fn makes_new_keys(&self, message: Message<'_>) -> bool {
        self.signs() && message.method() == Method::Register && is_handshake(message)
    }

    /// Whether it has made new keys for too long.
    pub(super) fn is_late_with_keys(&self, now: Now) -> bool {
        let deadline = self.signing.as_ref().and_then(|signing| signing.step.deadline());
        deadline.is_some_and(|deadline| now.reached(deadline))
    }
}

impl Shard {
    /// Whether a message that came may be looked at. If not, it was dropped, bounced, or has
    /// ended the connection.
    pub(super) fn is_genuine(&mut self, now: Now, conn: ConnId, message: Message<'_>) -> bool {
        match self.verdict(conn, message) {
            Verdict::Genuine => return true,
            Verdict::Early if message.is_request() && message.method() != Method::Ack => {
                self.bounce(now, conn, message);
            }
            // Its answer, which nobody can verify: whoever asked is told that none came.
            Verdict::Early => {}
            Verdict::Forged => self.close(now, conn, CloseReason::Signature),
        }
        false
    }

    fn verdict(&mut self, conn: ConnId, message: Message<'_>) -> Verdict {
        let signing = self.connections.get_mut(conn).and_then(|c| c.signing.as_deref_mut());
        let Some(Signing { association: Some(association), step, .. }) = signing else {
            return Verdict::Genuine;
        };
        // A sign-in is proven by other means.
        if message.is_request() && message.method() == Method::Register && is_handshake(message) {
            return Verdict::Genuine;
        }
        let signature = signature(message);
        let target = &self.settings.name;
        let holds = signature
            .zip(SignedParts::of(message))
            .is_some_and(|(signature, parts)| association.verify(&signature, &parts, target));
        let of_these_keys =
            signature.is_some_and(|signature| association.opaque().is(signature.opaque));
        match (holds, step) {
            (true, _) => Verdict::Genuine,
            (false, Step::Idle) => Verdict::Forged,
            (false, _) if of_these_keys => Verdict::Forged,
            (false, _) => Verdict::Early,
        }
    }

    /// Asks for a request again: the client repeats it, signed once it has its new keys.
    fn bounce(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let max = self.settings.limits.auth_rechallenges_per_connection_max;
        let signing = self.connections.get_mut(conn).and_then(|c| c.signing.as_deref_mut());
        let Some(signing) = signing else { return };
        signing.bounced = signing.bounced.saturating_add(1);
        if signing.bounced > max {
            self.counters.hit(Limit::AuthRechallenges);
            return self.close(now, conn, CloseReason::Signature);
        }
        let value = offer(&self.settings.name, self.settings.ntlm_version.number());
        self.counters.count(Series::Challenges);
        self.respond(conn, message, 401, |writer| {
            writer.line("WWW-Authenticate", &value).finish();
        });
    }

    /// Sends what waited for new keys.
    pub(super) fn release(&mut self, conn: ConnId) {
        let signing = self.connections.get_mut(conn).and_then(|c| c.signing.as_deref_mut());
        let Some(signing) = signing else { return };
        for bytes in std::mem::take(&mut signing.held) {
            self.send(conn, bytes);
        }
    }

    /// Sends octets to a connection of ours, signed if it has keys. The only way out.
    pub(super) fn send(&mut self, conn: ConnId, bytes: Bytes) {
        let connection = self.connections.get_mut(conn);
        let Some(signing) = connection.and_then(|c| c.signing.as_deref_mut()) else {
            return self.outputs.push_back(Output::Send { conn, bytes });
        };
        let indexed = matches!(self.signing_head.index(&bytes, &self.own_limits), Ok(Some(_)));
        let message = Message::new(&bytes, &self.signing_head);
        let parts = (indexed && is_signed(message)).then(|| SignedParts::of(message)).flatten();
        let out = match (parts, &mut signing.association) {
            (Some(_), _) if signing.step.is_between_keys() => {
                if signing.held.len() < self.settings.limits.held_messages_per_connection_max {
                    return signing.held.push(bytes);
                }
                // The client passes over it: that is better than keys it does not have.
                self.counters.hit(Limit::HeldMessages);
                bytes
            }
            (Some(parts), Some(association)) => {
                let target = &self.settings.name;
                let blank_line = message.head().len().saturating_sub(2);
                let (lines, rest) = bytes.split_at_checked(blank_line).unwrap_or((&bytes, &[]));
                self.arena.reserve(bytes.len() + SecurityAssociation::line_len_max(target));
                self.arena.put_slice(lines);
                association.sign(&parts, &mut self.seed, target, &mut self.arena);
                self.arena.put_slice(rest);
                self.arena.split().freeze()
            }
            (_, None) | (None, _) => bytes,
        };
        self.outputs.push_back(Output::Send { conn, bytes: out });
    }
}

/// Whether the client wants a signature on what we send: it takes a challenge and a refused
/// REGISTER without one, and may have other keys by then. It would pass over a provisional answer
/// without one, and would complain.
fn is_signed(message: Message<'_>) -> bool {
    match message.status() {
        401 | 407 => false,
        status => status < 300 || message.method() != Method::Register,
    }
}

/// Whether a REGISTER carries a step of a handshake, or asks for one by carrying nothing.
fn is_handshake(message: Message<'_>) -> bool {
    match ntlm(message, |credentials| (credentials.is_handshake(), credentials.signature.is_some()))
    {
        Some((is_handshake, is_signed)) => is_handshake || !is_signed,
        None => true,
    }
}

/// The signature of a message.
pub(super) fn signature<'a>(message: Message<'a>) -> Option<Signature<'a>> {
    ntlm(message, |credentials: NtlmCredentials<'a>| credentials.signature)?
}

/// What `read` makes of the first NTLM credentials of a message.
fn ntlm<'a, T>(message: Message<'a>, read: impl FnOnce(NtlmCredentials<'a>) -> T) -> Option<T> {
    let values = message.headers(HeaderName::Authorization);
    let credentials = values
        .filter_map(|value| NtlmCredentials::read(&Credentials::parse(value).ok()?))
        .next()?;
    Some(read(credentials))
}
