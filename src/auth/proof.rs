//! A proof of either scheme on its way to the user's home.

use super::digest::{DigestProof, Ha1};
use super::ntlm::NtlmProof;
use super::security_association::SessionKey;
use crate::metrics::counters::AuthFailure;

/// A way to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Digest: proves who it is once.
    Digest,
    /// NTLM: leaves a security association behind.
    Ntlm,
}

/// Credentials that were read and may be verified by whoever has the hashes of the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By Digest.
    Digest(DigestProof),
    /// By NTLM.
    Ntlm(NtlmProof),
}

/// The hashes of a user's password, as the directory keeps them. As good as the password to
/// whoever reads them.
#[derive(Clone, Copy)]
pub struct Secrets<'a> {
    /// For Digest.
    pub ha1: Ha1<'a>,
    /// For NTLM: MD4 of the password in UTF-16LE.
    pub nt_hash: &'a [u8; 16],
}

impl std::fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets([hidden])")
    }
}

impl Proof {
    /// By which scheme.
    pub const fn scheme(&self) -> Scheme {
        match self {
            Proof::Digest(_) => Scheme::Digest,
            Proof::Ntlm(_) => Scheme::Ntlm,
        }
    }

    /// Whether the user named is the one with this login and address.
    pub fn names(&self, login: &str, aor: &str) -> bool {
        match self {
            Proof::Digest(proof) => {
                proof.username() == login || proof.username().eq_ignore_ascii_case(aor)
            }
            Proof::Ntlm(proof) => proof.names(login, aor),
        }
    }

    /// Whether the client knew the password; the session key if the scheme makes one. Takes as
    /// long without a user.
    ///
    /// # Errors
    /// [`AuthFailure::WrongPassword`], [`AuthFailure::UnknownUser`].
    pub fn verify(&self, secrets: Option<Secrets<'_>>) -> Result<Option<SessionKey>, AuthFailure> {
        match self {
            Proof::Digest(proof) => proof.verify(secrets.map(|secrets| secrets.ha1)).map(|()| None),
            Proof::Ntlm(proof) => proof.verify(secrets.map(|secrets| secrets.nt_hash)).map(Some),
        }
    }
}
