//! NTLMv2 without a connection (MS-NLMP section 3.3.2, MS-SIPAE): the challenges we make, the
//! answers we read, and the proof that travels to whoever knows the hash of the password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md5::Md5;
use subtle::ConstantTimeEq as _;

use super::security_association::{Opaque, REALM, SessionKey, Signature, rc4};
use crate::base::seed::Seed;
use crate::metrics::counters::AuthFailure;
use crate::wire::ntlm::authenticate::{OCTETS_MAX, text};
use crate::wire::ntlm::{Authenticate, Challenge};
use crate::wire::sip::Credentials;

/// Longest NetBIOS name.
const NETBIOS_LEN_MAX: usize = 15;

/// The version from which the last REGISTER of a handshake is signed itself.
pub const SIGNS_REGISTER: u8 = 4;

/// The value of a `WWW-Authenticate` header that offers NTLM: `target` is the name of this
/// server, `version` 3 or 4.
pub fn offer(target: &str, version: u8) -> String {
    format!("NTLM realm=\"{REALM}\", targetname=\"{target}\", version={version}")
}

/// The NTLM parameters of an Authorization header; what is absent is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NtlmCredentials<'a> {
    /// The token of a handshake in base64; `None` in a message that is only signed.
    pub gssapi_data: Option<&'a [u8]>,
    /// The signature of the message; `None` without one.
    pub signature: Option<Signature<'a>>,
    /// Which handshake or security association.
    pub opaque: &'a [u8],
}

impl<'a> NtlmCredentials<'a> {
    /// The parameters of credentials of this scheme; `None` for any other.
    pub fn read(credentials: &Credentials<'a>) -> Option<Self> {
        if !credentials.is_scheme("NTLM") {
            return None;
        }
        let get = |name| credentials.get(name);
        let opaque = get("opaque").unwrap_or_default();
        let signature = get("response").map(|response| Signature {
            opaque,
            crand: get("crand").unwrap_or_default(),
            cnum: get("cnum").unwrap_or_default(),
            response,
        });
        Some(NtlmCredentials { gssapi_data: get("gssapi-data"), signature, opaque })
    }

    /// Whether they are part of a handshake, and no mere signature.
    pub fn is_handshake(&self) -> bool {
        self.gssapi_data.is_some()
    }
}

/// A challenge that waits for its answer: half a security association. It is good for one answer.
#[derive(Clone, Debug)]
pub struct Handshake {
    opaque: Opaque,
    server_challenge: [u8; 8],
}

impl Handshake {
    /// A new challenge.
    pub fn new(seed: &mut Seed) -> Self {
        let opaque = Opaque::mint(seed);
        Handshake { opaque, server_challenge: seed.next_u64().to_le_bytes() }
    }

    /// The value of the `WWW-Authenticate` header that carries it: `domain` is that of the user,
    /// `target` the name of this server.
    pub fn challenge(&self, domain: &str, target: &str, version: u8) -> String {
        let (netbios_domain, netbios_computer) = (netbios(domain), netbios(target));
        let challenge = Challenge {
            server_challenge: self.server_challenge,
            netbios_domain: &netbios_domain,
            netbios_computer: &netbios_computer,
            dns_domain: domain,
            dns_computer: target,
        };
        let data = STANDARD.encode(challenge.octets());
        let opaque = self.opaque.as_str();
        format!(
            "NTLM opaque=\"{opaque}\", gssapi-data=\"{data}\", targetname=\"{target}\", \
             realm=\"{REALM}\", version={version}"
        )
    }

    /// Whether a client answers this challenge.
    pub fn is(&self, opaque: &[u8]) -> bool {
        self.opaque.is(opaque)
    }

    /// Reads the answer, a token in base64; the challenge is used up.
    ///
    /// # Errors
    /// [`AuthFailure::Malformed`] when it cannot be read.
    pub fn answer(self, gssapi_data: &[u8]) -> Result<NtlmProof, AuthFailure> {
        self.read(gssapi_data).ok_or(AuthFailure::Malformed)
    }

    fn read(self, gssapi_data: &[u8]) -> Option<NtlmProof> {
        if gssapi_data.len() / 4 * 3 > OCTETS_MAX {
            return None;
        }
        let token = STANDARD.decode(gssapi_data).ok()?;
        let answer = Authenticate::read(&token).ok()?;
        let mut covered = Vec::with_capacity(self.server_challenge.len() + answer.blob.len());
        covered.extend_from_slice(&self.server_challenge);
        covered.extend_from_slice(answer.blob);
        Some(NtlmProof {
            user: text(answer.user)?.into(),
            domain: text(answer.domain)?.into(),
            covered: covered.into(),
            proof: *answer.proof,
            session_key: *answer.session_key,
            opaque: self.opaque,
        })
    }
}

/// The answer to a challenge, which whoever has the NT hash of the password can verify. Owns its
/// parts, so that it can travel to the user's home shard; `OCTETS_MAX` bounds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NtlmProof {
    user: Box<str>,
    domain: Box<str>,
    /// Both challenges and what else the proof covers.
    covered: Box<[u8]>,
    proof: [u8; 16],
    /// Encrypted.
    session_key: [u8; 16],
    opaque: Opaque,
}

impl NtlmProof {
    /// Whether the user named is the one with this login and address: by his login, with or
    /// without a domain in front, or by his whole address. Windows names compare without case.
    pub fn names(&self, login: &str, aor: &str) -> bool {
        let (user, domain) = (&*self.user, &*self.domain);
        if domain.is_empty() && user.eq_ignore_ascii_case(aor) {
            return true;
        }
        match login.split_once('\\') {
            Some((of, name)) => {
                same(user, name) && same(domain, of) || domain.is_empty() && same(user, login)
            }
            None => same(user, login),
        }
    }

    /// The security association it would make.
    pub fn opaque(&self) -> Opaque {
        self.opaque
    }

    /// The session key, if the client knew the password whose NT hash this is; compared in
    /// constant time. Without a user the same work is done, so that time does not tell who
    /// exists; the failure differs for the counters and must not be told to the client either.
    ///
    /// # Errors
    /// [`AuthFailure::WrongPassword`], [`AuthFailure::UnknownUser`].
    pub fn verify(&self, nt_hash: Option<&[u8; 16]>) -> Result<SessionKey, AuthFailure> {
        // NTOWFv2: the user in upper case, the domain as it came.
        let upper = self.user.to_uppercase();
        let name: Vec<u8> = upper
            .encode_utf16()
            .chain(self.domain.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect();
        let key = hmac_md5(nt_hash.unwrap_or(&[0; 16]), &name);
        let expected = hmac_md5(&key, &self.covered);
        let base = hmac_md5(&key, &expected);
        let session_key = SessionKey::new(rc4(&base, self.session_key));
        match (nt_hash, bool::from(expected.ct_eq(&self.proof))) {
            (Some(_), true) => Ok(session_key),
            (Some(_), false) => Err(AuthFailure::WrongPassword),
            (None, _) => Err(AuthFailure::UnknownUser),
        }
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_uppercase() == b.to_uppercase()
}

fn hmac_md5(key: &[u8; 16], text: &[u8]) -> [u8; 16] {
    // HMAC takes a block of 64 octets; a shorter key is filled with zeros (RFC 2104 section 2).
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    Hmac::<Md5>::new(&block.into()).chain_update(text).finalize().into_bytes().into()
}

/// The first label of a name in upper case, as Windows would have named the same.
fn netbios(name: &str) -> String {
    let label = name.split('.').next().unwrap_or_default();
    label.chars().take(NETBIOS_LEN_MAX).collect::<String>().to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
