//! The gate of one connection: what it takes until the connection is somebody's. Holds the counts
//! of failures and of used nonces, and decides between challenge, proof and refusal.
//!
//! A caller that gets a proof sends it to the user's home shard and brings the verdict back with
//! [`Gate::settle`], or says [`Gate::abandon`] when none comes.

use super::digest::{DigestPolicy, DigestProof, DigestResponse};
use super::nonce::{NonceCheck, NonceKey, NonceMark};
use super::nonce_count::NonceCounts;
use super::ntlm::{Handshake, NtlmCredentials, NtlmProof};
use crate::base::ids::ConnId;
use crate::base::limits::{Limit, Limits};
use crate::base::time::Now;
use crate::metrics::counters::AuthFailure;

/// Nonces of which the used counts are known. A client uses the newest; one more is for a
/// pipeline that straddles a new challenge.
const NONCES: usize = 2;

/// What the credentials of a connection are held to.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    /// The key of our nonces.
    pub key: &'a NonceKey,
    /// The connection the credentials came on.
    pub conn: ConnId,
    /// What our challenges offer.
    pub policy: DigestPolicy<'a>,
    /// The bounds in force.
    pub limits: &'a Limits,
}

/// Why nobody is let in yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Answer with a new challenge: 401 or 407, as the dialect has it.
    Challenge {
        /// Only the nonce was bad: the client may try again without asking its user.
        stale: bool,
        /// What to count; none when nothing was wrong.
        cause: Option<AuthFailure>,
    },
    /// Answer 403. The text must not tell [`AuthFailure::UnknownUser`] from
    /// [`AuthFailure::WrongPassword`].
    Forbid(AuthFailure),
}

impl Refusal {
    /// The bound that was hit, to be counted.
    pub fn limit(self) -> Option<Limit> {
        match self {
            Refusal::Forbid(
                AuthFailure::UnknownUser | AuthFailure::WrongPassword | AuthFailure::Malformed,
            ) => Some(Limit::AuthFailuresPerConnection),
            Refusal::Forbid(
                AuthFailure::ForeignNonce | AuthFailure::StaleNonce | AuthFailure::Replay,
            ) => Some(Limit::AuthRechallenges),
            Refusal::Forbid(AuthFailure::UserLocked) => Some(Limit::AuthFailuresPerUser),
            Refusal::Forbid(AuthFailure::AddressLocked) => Some(Limit::AuthFailuresPerAddress),
            Refusal::Forbid(
                AuthFailure::BadSignature | AuthFailure::Disabled | AuthFailure::IdentityMismatch,
            )
            | Refusal::Challenge { .. } => None,
        }
    }
}

/// The sign-in state of one connection.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    /// Since the last success.
    failures: u32,
    /// Since the last success.
    rechallenges: u32,
    /// Proofs on their way to a home shard and back.
    pending: u32,
    closed: Option<AuthFailure>,
    uses: [Option<NonceUse>; NONCES],
    /// Nonces made at or before this time and not in `uses` may have been used: they left.
    forgotten_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
struct NonceUse {
    mark: NonceMark,
    counts: NonceCounts,
}

impl Gate {
    /// A gate nobody has tried.
    pub fn new() -> Self {
        Gate::default()
    }

    /// Looks at a request of `method` that needs a user and at the credentials it has for our
    /// realm, if any. `Ok` is a proof for the home shard of the user it names.
    ///
    /// At most `auth_failures_per_connection_max` proofs are under way or failed, so a pipeline
    /// of guesses gets no more tries than one after the other.
    pub fn examine(
        &mut self,
        now: Now,
        method: &[u8],
        credentials: Option<&DigestResponse<'_>>,
        terms: &Terms<'_>,
    ) -> Result<DigestProof, Refusal> {
        if let Some(cause) = self.closed {
            return Err(Refusal::Forbid(cause));
        }
        let Some(response) = credentials else {
            return Err(Refusal::Challenge { stale: false, cause: None });
        };
        let limits = terms.limits;
        let proof = DigestProof::read(response, method, &terms.policy)
            .map_err(|cause| self.fail(cause, limits))?;
        let check = terms.key.check(
            now,
            response.nonce,
            terms.conn,
            terms.policy.realm,
            limits.nonce_lifetime,
        );
        let mark = match check {
            NonceCheck::Fresh(mark) => mark,
            NonceCheck::Stale => return Err(self.rechallenge(AuthFailure::StaleNonce, limits)),
            NonceCheck::Foreign => {
                return Err(self.rechallenge(AuthFailure::ForeignNonce, limits));
            }
        };
        if self.failures.saturating_add(self.pending) >= failures_max(limits) {
            return Err(Refusal::Challenge { stale: true, cause: None });
        }
        if !self.take(mark, proof.nc()) {
            return Err(self.rechallenge(AuthFailure::Replay, limits));
        }
        self.pending += 1;
        Ok(proof)
    }

    /// Like [`examine`](Self::examine) for the answer to an NTLM challenge. `handshake` is the
    /// challenge this connection has; an answer to any other was never asked for, or comes twice.
    pub fn examine_ntlm(
        &mut self,
        handshake: Option<Handshake>,
        credentials: &NtlmCredentials<'_>,
        limits: &Limits,
    ) -> Result<NtlmProof, Refusal> {
        if let Some(cause) = self.closed {
            return Err(Refusal::Forbid(cause));
        }
        let Some(handshake) = handshake.filter(|handshake| handshake.is(credentials.opaque)) else {
            return Err(self.rechallenge(AuthFailure::ForeignNonce, limits));
        };
        let proof = handshake
            .answer(credentials.gssapi_data.unwrap_or_default())
            .map_err(|cause| self.fail(cause, limits))?;
        if self.failures.saturating_add(self.pending) >= failures_max(limits) {
            return Err(Refusal::Challenge { stale: true, cause: None });
        }
        self.pending += 1;
        Ok(proof)
    }

    /// Takes the verdict of the home shard on a proof. `Ok` makes the connection that user's.
    pub fn settle(
        &mut self,
        verdict: Result<(), AuthFailure>,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        self.pending = self.pending.saturating_sub(1);
        match verdict {
            Ok(()) => {
                self.failures = 0;
                self.rechallenges = 0;
                Ok(())
            }
            Err(cause @ (AuthFailure::UnknownUser | AuthFailure::WrongPassword)) => {
                Err(self.fail(cause, limits))
            }
            Err(cause) => Err(self.close(cause)),
        }
    }

    /// Gives up on a proof whose verdict does not come.
    pub fn abandon(&mut self) {
        self.pending = self.pending.saturating_sub(1);
    }

    /// Why everything is refused from now on, if it is.
    pub fn closed(&self) -> Option<AuthFailure> {
        self.closed
    }

    /// Uses a count of a nonce; false when it may have been used before.
    fn take(&mut self, mark: NonceMark, nc: Option<u32>) -> bool {
        let known = self.uses.iter_mut().flatten().find(|known| known.mark == mark);
        let used = match known {
            Some(known) => known,
            None if self.forgotten_ms.is_some_and(|forgotten| mark.unix_ms <= forgotten) => {
                return false;
            }
            None => self.remember(mark),
        };
        match nc {
            Some(count) => used.counts.take(count),
            None => used.counts.take_all(),
        }
    }

    /// Makes room for a nonce: the one made first leaves.
    fn remember(&mut self, mark: NonceMark) -> &mut NonceUse {
        self.uses.sort_unstable_by_key(|known| known.map(|known| known.mark.unix_ms));
        let [oldest, ..] = &mut self.uses;
        self.forgotten_ms = self.forgotten_ms.max(oldest.map(|left| left.mark.unix_ms));
        oldest.insert(NonceUse { mark, counts: NonceCounts::default() })
    }

    fn fail(&mut self, cause: AuthFailure, limits: &Limits) -> Refusal {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= failures_max(limits) {
            return self.close(cause);
        }
        Refusal::Challenge { stale: false, cause: Some(cause) }
    }

    /// A bad nonce is no guess at a password, but must not go round for ever either.
    fn rechallenge(&mut self, cause: AuthFailure, limits: &Limits) -> Refusal {
        self.rechallenges = self.rechallenges.saturating_add(1);
        if self.rechallenges > limits.auth_rechallenges_per_connection_max {
            return self.close(cause);
        }
        Refusal::Challenge { stale: true, cause: Some(cause) }
    }

    fn close(&mut self, cause: AuthFailure) -> Refusal {
        self.closed = Some(cause);
        Refusal::Forbid(cause)
    }
}

/// At least one, or nobody could ever sign in.
fn failures_max(limits: &Limits) -> u32 {
    limits.auth_failures_per_connection_max.max(1)
}

#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(super) mod tests;
