//! The credentials in a request.

use crate::auth::digest::DigestResponse;
use crate::auth::ntlm::NtlmCredentials;
use crate::wire::sip::{Credentials, HeaderName, Message};

/// What a request shows to prove who sent it, by each scheme.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Presented<'a> {
    /// Digest credentials for our realm.
    pub(super) digest: Option<DigestResponse<'a>>,
    /// A step of an NTLM handshake.
    pub(super) ntlm: Option<NtlmCredentials<'a>>,
}

impl<'a> Presented<'a> {
    /// Reads the credentials of a request to `realm`; of several for one scheme the last one
    /// counts, and what is for another scheme or realm is passed over. `None` when there are some
    /// and none can be read.
    pub(super) fn read(message: Message<'a>, realm: &str) -> Option<Self> {
        let values = message
            .headers(HeaderName::ProxyAuthorization)
            .chain(message.headers(HeaderName::Authorization));
        let mut presented = Presented::default();
        let (mut some, mut readable) = (false, false);
        for value in values {
            some = true;
            let Ok(credentials) = Credentials::parse(value) else { continue };
            readable = true;
            let ntlm = NtlmCredentials::read(&credentials).filter(NtlmCredentials::is_handshake);
            presented.digest = digest_response(&credentials, realm).or(presented.digest);
            presented.ntlm = ntlm.or(presented.ntlm);
        }
        (readable || !some).then_some(presented)
    }
}

/// The Digest credentials for our realm; `None` for any other scheme or realm.
fn digest_response<'a>(credentials: &Credentials<'a>, realm: &str) -> Option<DigestResponse<'a>> {
    if !credentials.scheme.eq_ignore_ascii_case(b"Digest") {
        return None;
    }
    let get = |name| credentials.get(name);
    let response = DigestResponse {
        username: get("username").unwrap_or_default(),
        realm: get("realm").unwrap_or_default(),
        nonce: get("nonce").unwrap_or_default(),
        uri: get("uri").unwrap_or_default(),
        qop: get("qop"),
        nc: get("nc"),
        cnonce: get("cnonce"),
        algorithm: get("algorithm"),
        response: get("response").unwrap_or_default(),
        opaque: get("opaque"),
    };
    (response.realm == realm.as_bytes()).then_some(response)
}
