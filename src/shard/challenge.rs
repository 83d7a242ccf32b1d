//! What a sign-in that is not proven is answered with: a challenge, or the end of patience.

use super::Shard;
use super::refusals::Cause;
use crate::auth::digest::{Algorithm, challenge};
use crate::auth::gate::Refusal;
use crate::auth::ntlm::offer;
use crate::auth::proof::Scheme;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Dialect};
use crate::base::time::Now;
use crate::config::AuthMethod;
use crate::dialect::reject::Reject;
use crate::dialect::{ms, simple};
use crate::metrics::counters::AuthFailure;
use crate::metrics::names::Series;
use crate::wire::sip::{HeaderName, Message, Method};

impl Shard {
    /// Answers a failed sign-in: with a new challenge, or with the end of patience.
    pub(super) fn refuse_sign_in(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        aor: &Aor,
        scheme: Scheme,
        refusal: Refusal,
    ) {
        let cause = match refusal {
            Refusal::Challenge { cause, .. } => cause,
            Refusal::Forbid(cause) => Some(cause),
        };
        refusal.limit().into_iter().for_each(|limit| self.counters.hit(limit));
        if let Some(cause) = cause {
            self.counters.auth_failure(cause);
        }
        match refusal {
            // The Lync client takes a challenge after its answer for the end, and says nothing of
            // the reason; nor would it ask its user for another password.
            Refusal::Challenge {
                cause: Some(cause @ (AuthFailure::UnknownUser | AuthFailure::WrongPassword)),
                ..
            } if scheme == Scheme::Ntlm => self.forbid(conn, message, cause),
            Refusal::Challenge { stale, cause } => {
                if let Some(cause) = cause {
                    self.note_refusal(conn, message, Cause::Auth(cause));
                }
                self.challenge(now, conn, message, aor, stale);
            }
            Refusal::Forbid(cause) => self.forbid(conn, message, cause),
        }
    }

    fn challenge(&mut self, now: Now, conn: ConnId, message: Message<'_>, aor: &Aor, stale: bool) {
        let Some(connection) = self.connections.get(conn) else { return };
        let (dialect, signs) = (connection.dialect, connection.signs());
        let offers = |method| dialect == Dialect::Ms && self.settings.lync_auth.contains(&method);
        let offers_ntlm = offers(AuthMethod::Ntlm);
        let offers_digest = dialect == Dialect::Simple || offers(AuthMethod::Digest) && !signs;
        // The Lync client knows Digest only from a proxy, standard clients only from a registrar.
        let from_proxy =
            !offers_ntlm && (dialect == Dialect::Ms || message.method() != Method::Register);
        let (status, header) = match from_proxy {
            true => (407, "Proxy-Authenticate"),
            false => (401, "WWW-Authenticate"),
        };
        let mut challenges = Vec::new();
        if offers_ntlm {
            challenges.push(offer(&self.settings.name, self.settings.ntlm_version.number()));
        }
        if offers_digest {
            let realm = aor.domain();
            let nonce = self.nonces.mint(now, &mut self.seed, conn, realm);
            let algorithms = offered(dialect, message, &self.algorithms).iter();
            challenges.extend(
                algorithms.map(|algorithm| challenge(realm, nonce.as_str(), *algorithm, stale)),
            );
        }
        if signs && message.method() == Method::Register {
            self.makes_keys(now, conn, None);
        }
        self.counters.count(Series::Challenges);
        self.respond(conn, message, status, |writer| {
            challenges.iter().fold(writer, |writer, value| writer.line(header, value)).finish();
        });
    }

    /// Refuses a sign-in for good, in words that do not tell who exists.
    pub(super) fn forbid(&mut self, conn: ConnId, message: Message<'_>, cause: AuthFailure) {
        let reject = match cause {
            AuthFailure::Disabled => Reject::Disabled,
            AuthFailure::UserLocked | AuthFailure::AddressLocked => Reject::LockedOut,
            AuthFailure::Malformed => Reject::BadCredentials,
            _ => Reject::WrongPassword,
        };
        self.note_refusal(conn, message, Cause::Auth(cause));
        let source = self.settings.name.clone();
        self.respond(conn, message, reject.status(), |writer| {
            let writer = simple::warning(writer, reject.reason(), &source);
            ms::public_diagnostics(writer, reject).finish();
        });
    }
}

/// The algorithms a client is offered: MD5 alone, if it is allowed at all, where the client can
/// take nothing else.
pub(super) fn offered<'a>(
    dialect: Dialect,
    message: Message<'_>,
    configured: &'a [Algorithm],
) -> &'a [Algorithm] {
    const MD5: &[Algorithm] = &[Algorithm::Md5];
    let user_agent = message.header(HeaderName::UserAgent).unwrap_or_default();
    let md5_only = match dialect {
        Dialect::Ms => true,
        Dialect::Simple => simple::challenge::stumbles_over_algorithms(user_agent),
    };
    if md5_only && configured.contains(&Algorithm::Md5) { MD5 } else { configured }
}
