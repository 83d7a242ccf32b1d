//! The client's side of SIP Digest (RFC 3261 section 22, RFC 8760): reading a challenge and
//! writing credentials for it.

use crate::auth_params::{Params, after_scheme, push_quoted};
use md5::Md5;
use sha2::Sha256;

/// Hash function of a challenge, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5 (RFC 2617), also when the challenge names none.
    Md5,
    /// SHA-256 (RFC 8760).
    Sha256,
}

/// One Digest challenge of a 401 or 407.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// Hash function to use.
    pub algorithm: Algorithm,
    /// Nonce, as received.
    pub nonce: Vec<u8>,
    /// Opaque, to be sent back when present.
    pub opaque: Option<Vec<u8>>,
    /// True when `qop=auth` was offered.
    pub qop_auth: bool,
    /// Protection space, as received.
    pub realm: Vec<u8>,
    /// True when only the nonce was too old: the password is not refused.
    pub stale: bool,
}

/// Who answers a challenge, and for which request.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// User name.
    pub user: &'a [u8],
    /// Password.
    pub password: &'a [u8],
    /// Method of the request.
    pub method: &'a [u8],
    /// Value of the `uri` parameter, which is hashed as it stands.
    pub uri: &'a [u8],
    /// Our nonce.
    pub cnonce: &'a [u8],
    /// How often this server nonce has been used, from 1.
    pub nonce_count: u32,
}

impl Challenge {
    /// Reads the value of a WWW-Authenticate or Proxy-Authenticate header. `None` when it is not
    /// a Digest challenge that can be answered (other scheme, `-sess`, `auth-int` only).
    pub fn parse(value: &[u8]) -> Option<Challenge> {
        let rest = after_scheme(value, "Digest")?;
        let mut challenge = Challenge {
            algorithm: Algorithm::Md5,
            nonce: Vec::new(),
            opaque: None,
            qop_auth: false,
            realm: Vec::new(),
            stale: false,
        };
        let (mut has_nonce, mut has_qop) = (false, false);
        for (name, value) in Params(rest) {
            match () {
                () if name.eq_ignore_ascii_case(b"algorithm") => {
                    challenge.algorithm = algorithm(value)?;
                }
                () if name.eq_ignore_ascii_case(b"nonce") => {
                    challenge.nonce = value.to_vec();
                    has_nonce = true;
                }
                () if name.eq_ignore_ascii_case(b"opaque") => {
                    challenge.opaque = Some(value.to_vec());
                }
                () if name.eq_ignore_ascii_case(b"qop") => {
                    has_qop = true;
                    challenge.qop_auth = value
                        .split(|&b| b == b',')
                        .any(|q| q.trim_ascii().eq_ignore_ascii_case(b"auth"));
                }
                () if name.eq_ignore_ascii_case(b"realm") => challenge.realm = value.to_vec(),
                () if name.eq_ignore_ascii_case(b"stale") => {
                    challenge.stale = value.eq_ignore_ascii_case(b"true");
                }
                () => {}
            }
        }
        (has_nonce && (challenge.qop_auth || !has_qop)).then_some(challenge)
    }

    /// Appends credentials (the header's value) for this challenge.
    pub fn credentials(&self, answer: &Answer<'_>, out: &mut Vec<u8>) {
        let mut count = [0u8; 8];
        for (at, digit) in count.iter_mut().enumerate() {
            *digit = b"0123456789abcdef"[(answer.nonce_count >> (28 - 4 * at) & 0xf) as usize];
        }
        let response = self.response(answer, &count);
        push_quoted(out, b"Digest username=\"", answer.user);
        push_quoted(out, b", realm=\"", &self.realm);
        push_quoted(out, b", nonce=\"", &self.nonce);
        push_quoted(out, b", uri=\"", answer.uri);
        if self.qop_auth {
            out.extend_from_slice(b", qop=auth, nc=");
            out.extend_from_slice(&count);
            push_quoted(out, b", cnonce=\"", answer.cnonce);
        }
        push_quoted(out, b", response=\"", response.as_bytes());
        out.extend_from_slice(match self.algorithm {
            Algorithm::Md5 => b", algorithm=MD5".as_slice(),
            Algorithm::Sha256 => b", algorithm=SHA-256".as_slice(),
        });
        if let Some(opaque) = &self.opaque {
            push_quoted(out, b", opaque=\"", opaque);
        }
    }

    fn response(&self, answer: &Answer<'_>, count: &[u8]) -> String {
        let hash = |parts: &[&[u8]]| self.hash(parts);
        let one = hash(&[answer.user, &self.realm, answer.password]);
        let two = hash(&[answer.method, answer.uri]);
        if self.qop_auth {
            hash(&[one.as_bytes(), &self.nonce, count, answer.cnonce, b"auth", two.as_bytes()])
        } else {
            hash(&[one.as_bytes(), &self.nonce, two.as_bytes()])
        }
    }

    /// Hash of the parts joined by colons, in lower-case hexadecimal.
    fn hash(&self, parts: &[&[u8]]) -> String {
        fn joined<D: sha2::Digest>(parts: &[&[u8]]) -> String {
            let mut hash = D::new();
            for (at, part) in parts.iter().enumerate() {
                if at > 0 {
                    hash.update(b":");
                }
                hash.update(part);
            }
            hash.finalize()
                .iter()
                .flat_map(|byte| [byte >> 4, byte & 0xf])
                .map(|nibble| char::from(b"0123456789abcdef"[usize::from(nibble)]))
                .collect()
        }
        match self.algorithm {
            Algorithm::Md5 => joined::<Md5>(parts),
            Algorithm::Sha256 => joined::<Sha256>(parts),
        }
    }
}

fn algorithm(value: &[u8]) -> Option<Algorithm> {
    if value.eq_ignore_ascii_case(b"MD5") {
        Some(Algorithm::Md5)
    } else if value.eq_ignore_ascii_case(b"SHA-256") {
        Some(Algorithm::Sha256)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(challenge: &Challenge, answer: &Answer<'_>) -> String {
        let mut out = Vec::new();
        challenge.credentials(answer, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// RFC 7616 section 3.9.1.
    fn rfc7616(algorithm: &str) -> String {
        let challenge = Challenge::parse(
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
                 algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
                 opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
            .as_bytes(),
        )
        .unwrap();
        let answer = Answer {
            user: b"Mufasa",
            password: b"Circle of Life",
            method: b"GET",
            uri: b"/dir/index.html",
            cnonce: b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            nonce_count: 1,
        };
        credentials(&challenge, &answer)
    }

    #[test]
    fn rfc7616_md5() {
        let text = rfc7616("MD5");
        assert!(text.contains("response=\"8ca523f5e9506fed4657c9700eebdbec\""), "{text}");
        assert!(text.contains("nc=00000001"), "{text}");
        assert!(text.ends_with("opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""));
    }

    #[test]
    fn rfc7616_sha256() {
        let text = rfc7616("SHA-256");
        let expected = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
        assert!(text.contains(expected), "{text}");
    }

    /// A sign-in of the Lync client as it was on the wire.
    #[test]
    fn lync_client_with_its_literal_null_uri() {
        let challenge = Challenge::parse(
            b"Digest realm=\"example.test\", nonce=\"e41260d00e0419c7\", qop=\"auth\", algorithm=MD5",
        )
        .unwrap();
        let answer = Answer {
            user: b"bob",
            password: b"secret",
            method: b"REGISTER",
            uri: b"(null)",
            cnonce: b"d4cddc31",
            nonce_count: 1,
        };
        let text = credentials(&challenge, &answer);
        assert!(text.contains("response=\"1507c60eb2973738e5eb7cfbede9adf1\""), "{text}");
    }

    /// RFC 2617 without qop (RFC 2069): MD5(MD5(A1):nonce:MD5(A2)).
    #[test]
    fn without_qop_there_is_no_count() {
        let challenge = Challenge::parse(b"Digest realm=\"r\",nonce=\"n\"").unwrap();
        let answer = Answer {
            user: b"u",
            password: b"p",
            method: b"REGISTER",
            uri: b"sip:r",
            cnonce: b"c",
            nonce_count: 1,
        };
        let text = credentials(&challenge, &answer);
        assert!(!text.contains("nc=") && !text.contains("cnonce"), "{text}");
    }

    #[test]
    fn challenges_that_cannot_be_answered_are_refused() {
        for text in [
            "Basic realm=\"x\"",
            "Digest realm=\"x\"",
            "Digest nonce=\"x\", algorithm=SHA-512-256",
            "Digest nonce=\"x\", qop=\"auth-int\"",
            "Digest nonce=\"unclosed",
            "Digest",
            "",
        ] {
            assert_eq!(Challenge::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn quotes_commas_and_stale_are_read() {
        let challenge = Challenge::parse(
            b"digest realm=\"a, \\\"b\\\"\" , stale=TRUE,nonce=\"n=1,2\" ,qop=auth",
        )
        .unwrap();
        assert_eq!(challenge.realm, b"a, \\\"b\\\"");
        assert_eq!(challenge.nonce, b"n=1,2");
        assert!(challenge.stale && challenge.qop_auth);
    }
}
