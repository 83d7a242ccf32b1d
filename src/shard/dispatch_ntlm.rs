//! The steps of a sign-in by NTLM (MS-SIPAE), at the edge and, the last of them, at the user's
//! home; the keys it leaves are `signing`'s business.

use bytes::Bytes;

use super::frame::SignInError;
use super::signing::{self, Signing, Step};
use super::{Shard, Timer};
use crate::auth::ntlm::{Handshake, NtlmCredentials, SIGNS_REGISTER};
use crate::auth::proof::{Proof, Scheme};
use crate::auth::security_association::SecurityAssociation;
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::base::time::Now;
use crate::metrics::counters::AuthFailure;
use crate::metrics::names::Series;
use crate::wire::sip::{Message, SignedParts};

impl Signing {
    /// The client has answered: the challenge it had is used up.
    pub(super) fn answered(&mut self) -> Option<Handshake> {
        match std::mem::take(&mut self.step) {
            Step::Challenged(handshake, deadline) => {
                self.step = Step::Answered(deadline);
                Some(handshake)
            }
            other => {
                self.step = other;
                None
            }
        }
    }
}

impl Shard {
    /// Takes a step of an NTLM handshake: empty data asks for a challenge, anything else answers
    /// one.
    pub(super) fn examine_ntlm(
        &mut self,
        now: Now,
        conn: ConnId,
        aor: &Aor,
        message: Message<'_>,
        credentials: &NtlmCredentials<'_>,
    ) -> Option<Proof> {
        if credentials.gssapi_data == Some(b"") {
            self.challenge_ntlm(now, conn, message, aor);
            return None;
        }
        let connection = self.connections.get_mut(conn)?;
        let signing = connection.signing.get_or_insert_default();
        let handshake = signing.answered();
        let limits = &self.settings.limits;
        match connection.gate.examine_ntlm(handshake, credentials, limits) {
            Ok(proof) => Some(Proof::Ntlm(proof)),
            Err(refusal) => {
                self.settle_keys(conn, None);
                self.refuse_sign_in(now, conn, message, aor, Scheme::Ntlm, refusal);
                self.release(conn);
                None
            }
        }
    }

    /// Answers with the challenge of an NTLM handshake.
    fn challenge_ntlm(&mut self, now: Now, conn: ConnId, message: Message<'_>, aor: &Aor) {
        let handshake = Handshake::new(&mut self.seed);
        let version = self.settings.ntlm_version.number();
        let value = handshake.challenge(aor.domain(), &self.settings.name, version);
        self.makes_keys(now, conn, Some(handshake));
        self.counters.count(Series::Challenges);
        self.respond(conn, message, 401, |writer| {
            writer.line("WWW-Authenticate", &value).finish();
        });
    }

    /// A client begins to make keys, or has its challenge. All steps together have the time of one
    /// sign-in.
    pub(super) fn makes_keys(&mut self, now: Now, conn: ConnId, handshake: Option<Handshake>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let signing = connection.signing.get_or_insert_default();
        let deadline = signing.step.deadline().unwrap_or_else(|| {
            let deadline = now.after(self.settings.limits.authenticate_timeout);
            self.wheel.arm(deadline, Timer::Authenticate(conn));
            deadline
        });
        signing.step = match handshake {
            Some(handshake) => Step::Challenged(handshake, deadline),
            None => Step::Offered(deadline),
        };
    }

    /// Takes the keys of a sign-in in use; what waited for them goes out with
    /// [`release`](Self::release). Without new ones the old ones stay.
    pub(super) fn settle_keys(&mut self, conn: ConnId, association: Option<SecurityAssociation>) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if association.is_none() && connection.signing.is_none() {
            return;
        }
        let signing = connection.signing.get_or_insert_default();
        signing.step = Step::Idle;
        signing.bounced = 0;
        if association.is_some() {
            signing.association = association;
        }
    }

    /// A security association whose first message holds, at the user's home: from version 4 on
    /// the request that proves the identity is signed itself.
    pub(super) fn confirmed(
        &mut self,
        mut association: SecurityAssociation,
        request: &Bytes,
    ) -> Result<SecurityAssociation, SignInError> {
        if self.settings.ntlm_version.number() < SIGNS_REGISTER {
            return Ok(association);
        }
        let mut holds = false;
        self.with_message(request, |shard, message| {
            let signed = signing::signature(message).zip(SignedParts::of(message));
            holds = signed.is_some_and(|(signature, parts)| {
                association.verify(&signature, &parts, &shard.settings.name)
            });
        });
        match holds {
            true => Ok(association),
            false => Err(SignInError::Auth(AuthFailure::BadSignature)),
        }
    }
}
