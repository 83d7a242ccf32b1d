//! Digest as a client computes it (RFC 7616).

use md5::Md5;
use sha2::{Digest as _, Sha256};

/// The parts of an answer to a challenge that tests vary.
#[derive(Clone, Debug)]
pub struct Credentials<'a> {
    pub user: &'a str,
    pub realm: &'a str,
    pub password: &'a str,
    pub method: &'a str,
    pub uri: &'a str,
    pub nonce: &'a str,
    pub nc: &'a str,
    pub algorithm: &'a str,
}

impl Credentials<'_> {
    /// The value of an Authorization header. MD5 names no algorithm, as the Lync client does not.
    pub fn value(&self) -> String {
        let Credentials { user, realm, password, method, uri, nonce, nc, algorithm } = self;
        let hash = |text: String| match *algorithm {
            "SHA-256" => hex(&Sha256::digest(text.as_bytes())),
            _ => hex(&Md5::digest(text.as_bytes())),
        };
        let ha1 = hash(format!("{user}:{realm}:{password}"));
        let ha2 = hash(format!("{method}:{uri}"));
        let response = hash(format!("{ha1}:{nonce}:{nc}:d4cddc31:auth:{ha2}"));
        let named = match *algorithm {
            "" => String::new(),
            name => format!(", algorithm={name}"),
        };
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
             qop=auth, nc={nc}, cnonce=\"d4cddc31\", response=\"{response}\"{named}"
        )
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
