//! Body of the fuzz target `authorization`: what a client shows to prove who it is.

use md5::{Digest, Md5};
use sha2::Sha256;

use super::credentials::Presented;
use crate::auth::digest::{Algorithm, DigestPolicy, DigestResponse, Ha1};
use crate::auth::gate::{Gate, Terms};
use crate::auth::nonce::NonceKey;
use crate::auth::ntlm::{Handshake, NtlmCredentials};
use crate::auth::security_association::{Opaque, SecurityAssociation, SessionKey};
use crate::base::ids::{ConnId, ShardId, Slot};
use crate::base::limits::Limits;
use crate::base::seed::Seed;
use crate::base::time::Now;
use crate::wire::sip::mask::mask_secrets;
use crate::wire::sip::{Credentials, Framed, Framer, Head, HeaderName, Message, SignedParts};

const REALM: &str = "example.test";
const NOW: Now = Now { mono_ms: 0, unix_ms: 1_795_208_935_362 };
const START: &[u8] = b"REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z9hG4bK1\r\n\
    From: <sip:alice@example.test>;tag=1\r\nTo: <sip:alice@example.test>\r\nCall-ID: c\r\n\
    CSeq: 1 REGISTER\r\nContent-Length: 0\r\nAuthorization: ";
/// Parameters that people may see; any other is a secret.
const HARMLESS: [&str; 11] = [
    "algorithm",
    "cnum",
    "nc",
    "qop",
    "realm",
    "snum",
    "stale",
    "targetname",
    "uri",
    "username",
    "version",
];

/// A nonce, which the octet `$` stands for, the name of a handshake, for which `#` does, and the seed
/// that the handshake is made of: no fuzzer guesses what a client was told.
struct Challenge {
    key: NonceKey,
    nonce: String,
    opaque: Opaque,
}

impl Challenge {
    fn new() -> Self {
        let key = NonceKey::new([3; 32]);
        let nonce = key.mint(NOW, &mut Seed::from_u64(3), conn(), REALM).as_str().to_owned();
        Challenge { key, nonce, opaque: Opaque::mint(&mut Seed::from_u64(5)) }
    }

    /// The same challenge each time, as it is good for one answer.
    fn handshake() -> Handshake {
        Handshake::new(&mut Seed::from_u64(5))
    }
}

fn conn() -> ConnId {
    ConnId::new(ShardId(0), Slot { index: 1, generation: 1 })
}

/// Whatever stands in an Authorization header, it lets in who knows the password and nobody else,
/// each proof once; and nothing secret of it is shown to people.
pub fn authorization(data: &[u8]) {
    let challenge = Challenge::new();
    let mut text = START.to_vec();
    for octet in data {
        match octet {
            b'$' => text.extend_from_slice(challenge.nonce.as_bytes()),
            b'#' => text.extend_from_slice(challenge.opaque.as_str().as_bytes()),
            octet => text.push(*octet),
        }
    }
    text.extend_from_slice(b"\r\n\r\n");
    let limits = Limits::default();
    let mut head = Head::new();
    let Ok(Framed::Message { len }) = Framer::new().next(&text, &limits, &mut head) else { return };
    let message = Message::new(&text[..len], &head);
    for value in message.headers(HeaderName::Authorization) {
        hidden(value);
        let Ok(credentials) = Credentials::parse(value) else { continue };
        if let Some(ntlm) = NtlmCredentials::read(&credentials)
            && let (Some(signature), Some(parts)) = (ntlm.signature, SignedParts::of(message))
        {
            let mut association =
                SecurityAssociation::new(&SessionKey::new([7; 16]), challenge.opaque);
            assert!(!association.verify(&signature, &parts, "fe01"), "a signature without the key");
        }
    }
    let Some(presented) = Presented::read(message, REALM) else { return };
    if let Some(response) = &presented.digest {
        digest(response, &challenge, &limits);
    }
    if let Some(ntlm) = &presented.ntlm {
        let mut gate = Gate::new();
        if let Ok(proof) = gate.examine_ntlm(Some(Challenge::handshake()), ntlm, &limits) {
            assert!(challenge.opaque.is(ntlm.opaque));
            assert!(proof.verify(Some(&[7; 16])).is_err(), "a proof without the password");
        }
        assert!(gate.examine_ntlm(None, ntlm, &limits).is_err(), "the answer to no challenge");
    }
}

/// An answer to a challenge by Digest is right when the hash is that of RFC 7616, or of RFC 2069
/// where there is no qop.
fn digest(response: &DigestResponse<'_>, challenge: &Challenge, limits: &Limits) {
    let terms = Terms {
        key: &challenge.key,
        conn: conn(),
        policy: DigestPolicy {
            realm: REALM,
            algorithms: &[Algorithm::Md5, Algorithm::Sha256],
            legacy: true,
        },
        limits,
    };
    let login = format!("alice:{REALM}:secret");
    let (md5, sha256) = (Md5::digest(&login).into(), Sha256::digest(&login).into());
    let ha1 = Ha1 { md5: &md5, sha256: &sha256 };
    let is_sha256 = response.algorithm.and_then(Algorithm::parse) == Some(Algorithm::Sha256);
    let expected = match is_sha256 {
        true => hash::<Sha256>(&hex(&sha256), response),
        false => hash::<Md5>(&hex(&md5), response),
    };
    let answers = [response.response, expected.as_bytes()];
    for answer in answers {
        let response = DigestResponse { response: answer, ..*response };
        let mut gate = Gate::new();
        let Ok(proof) = gate.examine(NOW, b"REGISTER", Some(&response), &terms) else { continue };
        assert_eq!(response.nonce, challenge.nonce.as_bytes(), "a nonce that is not ours");
        let is_right = answer.eq_ignore_ascii_case(expected.as_bytes());
        assert_eq!(proof.verify(Some(ha1)).is_ok(), is_right, "{expected}");
        let again = gate.examine(NOW, b"REGISTER", Some(&response), &terms);
        assert!(again.is_err(), "the same proof twice");
    }
}

fn hash<D: Digest>(ha1: &str, response: &DigestResponse<'_>) -> String {
    let ha2 = hex(&D::digest([b"REGISTER:", response.uri].concat()));
    let mut parts = vec![ha1.as_bytes(), response.nonce];
    if let Some(qop) = response.qop {
        parts.extend([response.nc.unwrap_or_default(), response.cnonce.unwrap_or_default(), qop]);
    }
    parts.push(ha2.as_bytes());
    hex(&D::digest(parts.join(&b':')))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// No value of a secret parameter is left after masking.
fn hidden(value: &[u8]) {
    let line = [b"Authorization: ", value, b"\r\n"].concat();
    let mut masked = line.clone();
    mask_secrets(&mut masked);
    assert_eq!(masked.len(), line.len());
    let start = line.len() - value.len() - 2;
    let Ok(credentials) = Credentials::parse(&line[start..line.len() - 2]) else { return };
    for (name, secret) in credentials.iter() {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if HARMLESS.contains(&&*name) {
            continue;
        }
        let at = secret.as_ptr().addr() - line.as_ptr().addr();
        let shown = &masked[at..at + secret.len()];
        assert!(shown.iter().all(|o| *o == b'*' || o.is_ascii_whitespace()), "{name} is shown");
    }
}
