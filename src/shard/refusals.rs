//! The last refusals, so that somebody can say why a user could not do what he wanted: who, from
//! where, what, and the reason. Those of sign-ins are kept apart: others are far more, and most of
//! them are in the order of things.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::Shard;
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::base::transport::Transport;
use crate::dialect::reject::Reject;
use crate::metrics::counters::AuthFailure;
use crate::wire::sip::{HeaderName, Message, Method, Uri};

/// Refused sign-ins that one shard remembers.
const SIGN_INS_MAX: usize = 512;
/// Other refused requests that one shard remembers.
const REQUESTS_MAX: usize = 512;
/// Octets kept of what a client calls itself.
const CLIENT_LEN_MAX: usize = 96;
/// Longest address kept of whom a request was to, in octets.
const TO_LEN_MAX: usize = 128;

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its sender did not prove who he is.
    Auth(AuthFailure),
    /// Any other reason.
    Reject(Reject),
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// When, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// Who sent it, or says so.
    pub user: Aor,
    /// The other end of the connection; `None` when another core holds it.
    pub peer: Option<SocketAddr>,
    /// Where the client is; on a link not the other end.
    pub origin: Option<IpAddr>,
    /// TLS or plain.
    pub transport: Option<Transport>,
    /// What was wanted.
    pub method: Method,
    /// Of whom, if the request was to a user, and not to the sender himself.
    pub to: Option<Aor>,
    /// Why it was refused.
    pub cause: Cause,
    /// What the client calls itself.
    pub client: Box<str>,
}

/// What one shard remembers, oldest first.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    sign_ins: VecDeque<Refused>,
    requests: VecDeque<Refused>,
}

impl Refusals {
    fn push(&mut self, refused: Refused) {
        let is_sign_in =
            refused.method == Method::Register || matches!(refused.cause, Cause::Auth(_));
        let (kept, max) = match is_sign_in {
            true => (&mut self.sign_ins, SIGN_INS_MAX),
            false => (&mut self.requests, REQUESTS_MAX),
        };
        if kept.len() >= max {
            kept.pop_front();
        }
        kept.push_back(refused);
    }

    /// Those of one user, or of all.
    pub(super) fn of(&self, user: Option<&Aor>) -> impl Iterator<Item = &Refused> {
        let all = self.sign_ins.iter().chain(&self.requests);
        all.filter(move |refused| user.is_none_or(|user| refused.user == *user))
    }
}

impl Shard {
    /// Remembers that a request is refused. One whose sender names nobody is not worth it.
    pub(super) fn note_refusal(&mut self, conn: ConnId, request: Message<'_>, cause: Cause) {
        let connection = self.connections.get(conn);
        let known = connection.and_then(|connection| connection.user.clone());
        let Some(user) = known.or_else(|| sender(request)) else { return };
        let client = request.header(HeaderName::UserAgent).unwrap_or_default();
        let client = client.get(..CLIENT_LEN_MAX).unwrap_or(client);
        let to = Uri::parse(request.uri()).ok().and_then(|uri| uri.aor());
        let to = to.filter(|to| to.len() <= TO_LEN_MAX).map(|to| Aor::new(&to));
        self.refusals.push(Refused {
            unix_ms: self.now.unix_ms,
            to: to.filter(|to| *to != user),
            user,
            peer: connection.map(|connection| connection.peer),
            origin: connection.and_then(|connection| connection.origin),
            transport: connection.map(|connection| connection.transport),
            method: request.method(),
            cause,
            client: String::from_utf8_lossy(client).into(),
        });
    }
}

fn sender(request: Message<'_>) -> Option<Aor> {
    let from = request.from().ok()?;
    Some(Aor::new(&Uri::parse(from.uri).ok()?.aor()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(number: u64, method: Method, cause: Cause) -> Refused {
        Refused {
            unix_ms: number,
            user: Aor::new(&format!("user{}@example.test", number % 2)),
            peer: None,
            origin: None,
            transport: None,
            method,
            to: None,
            cause,
            client: "".into(),
        }
    }

    #[test]
    fn requests_push_no_sign_in_out() {
        let mut refusals = Refusals::default();
        refusals.push(refused(0, Method::Message, Cause::Auth(AuthFailure::Disabled)));
        refusals.push(refused(1, Method::Register, Cause::Reject(Reject::AnotherUser)));
        for number in 2..3 * REQUESTS_MAX as u64 {
            refusals.push(refused(number, Method::Message, Cause::Reject(Reject::NoEndpoint)));
        }
        assert_eq!(refusals.of(None).count(), 2 + REQUESTS_MAX);
        assert_eq!(refusals.of(None).take(2).map(|r| r.unix_ms).collect::<Vec<_>>(), [0, 1]);
        for number in 0..2 * SIGN_INS_MAX as u64 {
            refusals.push(refused(number, Method::Register, Cause::Auth(AuthFailure::Replay)));
        }
        assert_eq!(refusals.of(None).count(), SIGN_INS_MAX + REQUESTS_MAX);
        let one = Aor::new("user1@example.test");
        assert!(refusals.of(Some(&one)).all(|refused| refused.unix_ms % 2 == 1));
    }
}
