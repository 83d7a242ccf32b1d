//! The last word on a proof, spoken by the home shard of the user it names.

use super::lockout::Lockout;
use super::proof::{Proof, Secrets};
use super::security_association::SessionKey;
use crate::base::time::Now;
use crate::metrics::counters::AuthFailure;

/// What the directory knows of the user a proof names.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// The hashes of the password.
    pub secrets: Secrets<'a>,
    /// May not sign in, password or not.
    pub disabled: bool,
}

/// Judges `proof` for the user known as `name`, whose account is `account` if there is one, and
/// counts the outcome in `lockout`. A name without an account is counted and locked out like any
/// other, so neither the answer nor its time tells who exists; that an account is disabled is
/// told only to who knows its password. Of a proof by NTLM the session key comes back.
pub fn judge(
    now: Now,
    proof: &Proof,
    name: &str,
    account: Option<Account<'_>>,
    lockout: &mut Lockout,
) -> Result<Option<SessionKey>, AuthFailure> {
    if lockout.locked(now, name).is_some() {
        return Err(AuthFailure::UserLocked);
    }
    let session_key = match proof.verify(account.map(|account| account.secrets)) {
        Ok(session_key) => session_key,
        Err(cause) => {
            lockout.failure(now, name);
            return Err(cause);
        }
    };
    lockout.success(now, name);
    match account {
        Some(Account { disabled: true, .. }) => Err(AuthFailure::Disabled),
        _ => Ok(session_key),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use md5::{Digest as _, Md5};

    use super::*;
    use crate::auth::digest::{Algorithm, DigestPolicy, DigestProof, DigestResponse, Ha1};
    use crate::base::seed::Seed;

    const POLICY: DigestPolicy<'_> =
        DigestPolicy { realm: "example.test", algorithms: &[Algorithm::Md5], legacy: false };

    /// The proof of the transcript `reg-digest407`: alice with password `secret`.
    fn proof() -> Proof {
        let response = DigestResponse {
            username: b"alice",
            realm: b"example.test",
            nonce: b"04ddf43288b31386",
            uri: b"(null)",
            qop: Some(b"auth"),
            nc: Some(b"00000001"),
            cnonce: Some(b"7bd619ca"),
            response: b"7008dd0626450fadca88d0ea358c9193",
            ..DigestResponse::default()
        };
        Proof::Digest(DigestProof::read(&response, b"REGISTER", &POLICY).unwrap())
    }

    fn account(md5: &[u8; 16], disabled: bool) -> Option<Account<'_>> {
        let ha1 = Ha1 { md5, sha256: &[0; 32] };
        Some(Account { secrets: Secrets { ha1, nt_hash: &[0; 16] }, disabled })
    }

    fn ha1(password: &str) -> [u8; 16] {
        Md5::digest(format!("alice:example.test:{password}").as_bytes()).into()
    }

    fn lockout() -> Lockout {
        Lockout::new(3, Duration::from_secs(900), 8, &mut Seed::from_u64(1))
    }

    #[test]
    fn the_right_password_is_admitted_and_clears_the_failures() {
        let (right, wrong) = (ha1("secret"), ha1("other"));
        let mut lockout = lockout();
        let mut judge = |md5, disabled| {
            let account = account(md5, disabled);
            judge(Now::default(), &proof(), "alice", account, &mut lockout).map(drop)
        };
        for _ in 0..3 {
            assert_eq!(judge(&wrong, false), Err(AuthFailure::WrongPassword));
            assert_eq!(judge(&wrong, false), Err(AuthFailure::WrongPassword));
            assert_eq!(judge(&right, false), Ok(()));
        }
        assert_eq!(judge(&right, true), Err(AuthFailure::Disabled));
        assert_eq!(judge(&wrong, true), Err(AuthFailure::WrongPassword));
    }

    #[test]
    fn repeated_failures_lock_out_even_the_right_password() {
        let (right, wrong) = (ha1("secret"), ha1("other"));
        let mut lockout = lockout();
        let mut judge =
            |now, md5| judge(now, &proof(), "alice", account(md5, false), &mut lockout).map(drop);
        let now = Now::default();
        for _ in 0..3 {
            assert_eq!(judge(now, &wrong), Err(AuthFailure::WrongPassword));
        }
        assert_eq!(judge(now, &right), Err(AuthFailure::UserLocked));
        assert_eq!(judge(now.plus(Duration::from_secs(900)), &right), Ok(()));
    }

    #[test]
    fn a_name_without_an_account_is_locked_out_like_any_other() {
        let mut lockout = lockout();
        let mut judge = || judge(Now::default(), &proof(), "nobody", None, &mut lockout).map(drop);
        for _ in 0..3 {
            assert_eq!(judge(), Err(AuthFailure::UnknownUser));
        }
        assert_eq!(judge(), Err(AuthFailure::UserLocked));
    }
}
