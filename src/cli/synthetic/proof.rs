//! The client's side of Digest (RFC 3261 section 22, RFC 8760).

use md5::Md5;
use sha2::Sha256;

use crate::auth::digest::Algorithm;
use crate::wire::sip::{Credentials, HeaderName, Message};

/// Who answers a challenge.
pub struct Answer<'a> {
    /// The login name.
    pub login: &'a str,
    /// The password.
    pub password: &'a str,
    /// Method of the request.
    pub method: &'a str,
    /// Its Request-URI.
    pub uri: &'a str,
    /// Our nonce.
    pub cnonce: &'a str,
}

/// The header line that answers the first challenge by Digest in a 401 or 407 that can be answered;
/// `None` when there is none.
pub fn line(challenged: Message<'_>, answer: &Answer<'_>) -> Option<String> {
    let (asks, answers) = match challenged.status() {
        407 => (HeaderName::ProxyAuthenticate, "Proxy-Authorization"),
        _ => (HeaderName::WwwAuthenticate, "Authorization"),
    };
    challenged.headers(asks).find_map(|value| {
        let challenge = Credentials::parse(value).ok()?;
        Some(format!("{answers}: {}\r\n", credentials(&challenge, answer)?))
    })
}

fn credentials(challenge: &Credentials<'_>, answer: &Answer<'_>) -> Option<String> {
    if !challenge.is_scheme("Digest") {
        return None;
    }
    let text = |name| std::str::from_utf8(challenge.get(name)?).ok();
    let algorithm = match challenge.get("algorithm") {
        Some(token) => Algorithm::parse(token)?,
        None => Algorithm::Md5,
    };
    let offers = text("qop").unwrap_or_default();
    let auth = offers.split(',').any(|qop| qop.trim().eq_ignore_ascii_case("auth"));
    if !auth {
        return None;
    }
    let (realm, nonce) = (text("realm")?, text("nonce")?);
    let Answer { login, password, method, uri, cnonce } = answer;
    let hash = |text: String| match algorithm {
        Algorithm::Md5 => hex::<Md5>(&text),
        Algorithm::Sha256 => hex::<Sha256>(&text),
    };
    let secret = hash(format!("{login}:{realm}:{password}"));
    let request = hash(format!("{method}:{uri}"));
    let response = hash(format!("{secret}:{nonce}:00000001:{cnonce}:auth:{request}"));
    let opaque = text("opaque").map(|opaque| format!(", opaque=\"{opaque}\"")).unwrap_or_default();
    Some(format!(
        "Digest username=\"{login}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         algorithm={}, qop=auth, nc=00000001, cnonce=\"{cnonce}\", response=\"{response}\"{opaque}",
        algorithm.name()
    ))
}

fn hex<D: sha2::Digest>(text: &str) -> String {
    D::digest(text.as_bytes()).iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 section 3.9.1.
    fn response(algorithm: &str) -> String {
        let challenge = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", \
             algorithm={algorithm}, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", \
             opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
        );
        let answer = Answer {
            login: "Mufasa",
            password: "Circle of Life",
            method: "GET",
            uri: "/dir/index.html",
            cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        };
        let challenge = Credentials::parse(challenge.as_bytes()).unwrap();
        let text = credentials(&challenge, &answer).unwrap();
        text.split("response=\"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    #[test]
    fn the_examples_of_the_standard() {
        assert_eq!(response("MD5"), "8ca523f5e9506fed4657c9700eebdbec");
        assert_eq!(
            response("SHA-256"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }
}
