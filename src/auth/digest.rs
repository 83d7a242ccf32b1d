//! Digest access authentication (RFC 7616, for SIP RFC 8760; RFC 2617 before them): the challenge
//! we make, the credentials a client answers with, and the proof that travels to whoever knows
//! the hash of the password.

use md5::Md5;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::metrics::counters::AuthFailure;

/// A hash algorithm a challenge may name. The `-sess` variants are not among them: RFC 8760 gives
/// them no use, and real clients compute them each in its own way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RFC 7616 `MD5`: what the Lync client and old phones know, and the meaning of no name.
    Md5,
    /// RFC 8760 `SHA-256`.
    Sha256,
}

impl Algorithm {
    /// The token of the `algorithm` parameter.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of a token, in any case; `None` for one we do not know.
    pub fn parse(token: &[u8]) -> Option<Self> {
        [Algorithm::Md5, Algorithm::Sha256]
            .into_iter()
            .find(|algorithm| token.eq_ignore_ascii_case(algorithm.name().as_bytes()))
    }

    /// Octets of its hash.
    const fn hash_len(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha256 => 32,
        }
    }
}

/// The value of a `WWW-Authenticate` or `Proxy-Authenticate` header. `stale` tells the client
/// that only its nonce was bad, so it may try again without asking its user.
///
/// The same nonce may stand in the challenges of several algorithms of one answer, the preferred
/// one first (RFC 8760 section 2.4).
pub fn challenge(realm: &str, nonce: &str, algorithm: Algorithm, stale: bool) -> String {
    let mut value = String::with_capacity(64 + realm.len() + nonce.len());
    value.push_str("Digest realm=\"");
    for c in realm.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            value.push('\\');
        }
        value.push(c);
    }
    value.push_str("\", nonce=\"");
    value.push_str(nonce);
    value.push_str("\", qop=\"auth\", algorithm=");
    value.push_str(algorithm.name());
    if stale {
        value.push_str(", stale=true");
    }
    value
}

/// The parameters of an `Authorization` or `Proxy-Authorization` header of the Digest scheme,
/// without their quotes. An absent parameter that must be there is an empty slice.
#[derive(Clone, Copy, Debug, Default)]
pub struct DigestResponse<'a> {
    /// Who, in the client's words.
    pub username: &'a [u8],
    /// The realm of the challenge it answers.
    pub realm: &'a [u8],
    /// The nonce of that challenge.
    pub nonce: &'a [u8],
    /// What the client hashed as the URI: its Request-URI, or whatever a broken client says.
    pub uri: &'a [u8],
    /// Quality of protection.
    pub qop: Option<&'a [u8]>,
    /// How often the client has used the nonce, as text.
    pub nc: Option<&'a [u8]>,
    /// The client's own nonce.
    pub cnonce: Option<&'a [u8]>,
    /// The algorithm; none means MD5.
    pub algorithm: Option<&'a [u8]>,
    /// The hash, in hexadecimal.
    pub response: &'a [u8],
    /// Not used: our challenges have none, so nothing hangs on it.
    pub opaque: Option<&'a [u8]>,
}

/// What a challenge offered, which is what its answer is held to.
#[derive(Clone, Copy, Debug)]
pub struct DigestPolicy<'a> {
    /// The realm.
    pub realm: &'a str,
    /// The algorithms, the preferred one first.
    pub algorithms: &'a [Algorithm],
    /// Takes the form of RFC 2069, without qop, and so without protection against replay but
    /// that of the nonce. Our challenges offer qop, so only a client older than RFC 2617 does it.
    pub legacy: bool,
}

/// Credentials that were read and may be verified by whoever has the hash of the password. Owns
/// its parts, so that it can travel to the user's home shard; it is about as long as the header
/// line they came in, which `sip_header_line_bytes_max` bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestProof {
    username: Box<str>,
    algorithm: Algorithm,
    nc: Option<u32>,
    /// All that is hashed after HA1, without the colon between them.
    rest: Box<str>,
    response: Hash,
}

impl DigestProof {
    /// Reads the answer to a challenge made under `policy`, sent with a request of `method`.
    ///
    /// The URI is hashed as presented and not compared with the Request-URI: the Lync client
    /// sends the literal `(null)`, and the identity is bound to the connection, not the URI.
    ///
    /// Refuses with [`AuthFailure::Malformed`] a realm or algorithm that was not offered, a qop
    /// other than `auth`, one without `nc` or `cnonce` or these without it, a count that is not
    /// eight hexadecimal digits or is zero, a hash of the wrong length, and text that is not UTF-8.
    pub fn read(
        response: &DigestResponse<'_>,
        method: &[u8],
        policy: &DigestPolicy<'_>,
    ) -> Result<Self, AuthFailure> {
        Self::read_parts(response, method, policy).ok_or(AuthFailure::Malformed)
    }

    fn read_parts(
        response: &DigestResponse<'_>,
        method: &[u8],
        policy: &DigestPolicy<'_>,
    ) -> Option<Self> {
        let username = text(response.username)?;
        if username.is_empty() {
            return None;
        }
        if response.realm != policy.realm.as_bytes() {
            return None;
        }
        let algorithm = response.algorithm.map_or(Some(Algorithm::Md5), Algorithm::parse)?;
        if !policy.algorithms.contains(&algorithm) {
            return None;
        }
        let ha2 = Hash::of(algorithm, &[method, b":", text(response.uri)?.as_bytes()]);
        let nonce = text(response.nonce)?;
        let (rest, nc) = match (response.qop, response.nc, response.cnonce) {
            (Some(b"auth"), Some(nc), Some(cnonce)) => {
                let count = nonce_count(nc)?;
                (format!("{nonce}:{}:{}:auth:{}", text(nc)?, text(cnonce)?, ha2.hex()), Some(count))
            }
            (None, None, None) if policy.legacy => (format!("{nonce}:{}", ha2.hex()), None),
            _ => return None,
        };
        Some(DigestProof {
            username: username.into(),
            algorithm,
            nc,
            rest: rest.into(),
            response: Hash::from_hex(algorithm, response.response)?,
        })
    }

    /// The name the client gave; the user it means is found by it.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The nonce count, at least 1; `None` in the form without qop.
    pub fn nc(&self) -> Option<u32> {
        self.nc
    }

    /// The algorithm, which says which hash of the password verifies it.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the client knew the password, in constant time. Without a user the same work is
    /// done, so that time does not tell who exists; the failure differs for the counters and must
    /// not be told to the client either.
    pub fn verify(&self, ha1: Option<Ha1<'_>>) -> Result<(), AuthFailure> {
        let nobody = Ha1 { md5: &[0; 16], sha256: &[0; 32] };
        let ha1_text = ha1.unwrap_or(nobody).hash(self.algorithm).hex();
        let expected = Hash::of(self.algorithm, &[ha1_text.as_bytes(), b":", self.rest.as_bytes()]);
        let same = bool::from(expected.octets.ct_eq(&self.response.octets));
        match (ha1, same) {
            (Some(_), true) => Ok(()),
            (Some(_), false) => Err(AuthFailure::WrongPassword),
            (None, _) => Err(AuthFailure::UnknownUser),
        }
    }
}

/// H(username ":" realm ":" password) of one user by each algorithm, as the directory keeps it.
/// As good as the password to whoever reads it.
#[derive(Clone, Copy)]
pub struct Ha1<'a> {
    /// By MD5 (RFC 7616 section 3.4.2).
    pub md5: &'a [u8; 16],
    /// By SHA-256 (RFC 8760).
    pub sha256: &'a [u8; 32],
}

impl Ha1<'_> {
    fn hash(self, algorithm: Algorithm) -> Hash {
        match algorithm {
            Algorithm::Md5 => Hash::new(algorithm, self.md5),
            Algorithm::Sha256 => Hash::new(algorithm, self.sha256),
        }
    }
}

impl std::fmt::Debug for Ha1<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ha1([hidden])")
    }
}

/// A hash of either algorithm; the octets beyond its length are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hash {
    octets: [u8; 32],
    len: usize,
}

impl Hash {
    fn new(algorithm: Algorithm, from: &[u8]) -> Self {
        let mut octets = [0; 32];
        for (to, from) in octets.iter_mut().zip(from) {
            *to = *from;
        }
        Hash { octets, len: algorithm.hash_len() }
    }

    fn of(algorithm: Algorithm, parts: &[&[u8]]) -> Self {
        fn hash<D: sha2::Digest>(parts: &[&[u8]]) -> impl AsRef<[u8]> {
            let mut hash = D::new();
            for part in parts {
                hash.update(part);
            }
            hash.finalize()
        }
        match algorithm {
            Algorithm::Md5 => Hash::new(algorithm, hash::<Md5>(parts).as_ref()),
            Algorithm::Sha256 => Hash::new(algorithm, hash::<Sha256>(parts).as_ref()),
        }
    }

    /// Reads hexadecimal digits of either case, exactly as many as the algorithm's hash has.
    fn from_hex(algorithm: Algorithm, text: &[u8]) -> Option<Self> {
        if text.len() != algorithm.hash_len() * 2 {
            return None;
        }
        let mut hash = Hash::new(algorithm, &[]);
        for (octet, digits) in hash.octets.iter_mut().zip(text.chunks_exact(2)) {
            *octet = u8::try_from(hex_number(digits)?).ok()?;
        }
        Some(hash)
    }

    /// Lower-case hexadecimal, as it is hashed again.
    fn hex(&self) -> String {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
        let octets = self.octets.iter().take(self.len);
        octets.flat_map(|octet| [digit(octet >> 4), digit(octet & 0xf)]).collect()
    }
}

fn text(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok()
}

/// Eight hexadecimal digits, counted from 1 (RFC 7616 section 3.4).
fn nonce_count(text: &[u8]) -> Option<u32> {
    if text.len() != 8 {
        return None;
    }
    hex_number(text).filter(|count| *count > 0)
}

/// The number of at most eight hexadecimal digits.
fn hex_number(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0u32, |number, digit| Some((number << 4) | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests;
