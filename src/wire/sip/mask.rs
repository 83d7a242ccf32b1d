//! Secrets in a message that somebody is to read: masked in place, octet by octet, so that every
//! length and offset of the message stays right.
//!
//! Masked are the values of credentials and challenges that prove or help to prove something, in
//! whatever part of the message a line begins with the name of such a header, and passwords in
//! SIP URIs. What is not known to be harmless is masked.

/// Headers that hold credentials, challenges or proofs, in lower case.
const HEADERS: [&[u8]; 6] = [
    b"authorization",
    b"authentication-info",
    b"proxy-authenticate",
    b"proxy-authentication-info",
    b"proxy-authorization",
    b"www-authenticate",
];

/// Schemes whose parameters are known; of others nothing is shown.
const SCHEMES: [&[u8]; 4] = [b"digest", b"kerberos", b"ntlm", b"tls-dsk"];

/// Parameters that prove nothing: shown.
const SHOWN: [&[u8]; 11] = [
    b"algorithm",
    b"cnum",
    b"nc",
    b"qop",
    b"realm",
    b"snum",
    b"stale",
    b"targetname",
    b"uri",
    b"username",
    b"version",
];

/// Parameters whose names may be shown, and their values not. The name of any other is masked too:
/// what looks like a name may be a token.
const HIDDEN: [&[u8]; 9] = [
    b"cnonce",
    b"crand",
    b"gssapi-data",
    b"nextnonce",
    b"nonce",
    b"opaque",
    b"response",
    b"rspauth",
    b"srand",
];

/// What stands for a masked octet.
const MASK: u8 = b'*';

/// Masks the secrets of a message, which need not be well-formed.
pub fn mask_secrets(message: &mut [u8]) {
    mask_uris(message);
    let mut rest = message;
    while !rest.is_empty() {
        let len = line_len(rest);
        let (line, after) = rest.split_at_mut(len);
        rest = after;
        let Some(colon) = line.iter().position(|octet| *octet == b':') else { continue };
        let (name, value) = line.split_at_mut(colon);
        if HEADERS.iter().any(|header| name.trim_ascii().eq_ignore_ascii_case(header)) {
            mask_value(value.get_mut(1..).unwrap_or_default());
        }
    }
}

/// Octets of the first line, with the lines that continue it and the end of each.
fn line_len(octets: &[u8]) -> usize {
    let mut len = 0;
    loop {
        let rest = octets.get(len..).unwrap_or_default();
        let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else { return octets.len() };
        let crlf = rest.get(end..).is_some_and(|end| end.starts_with(b"\r\n"));
        len += end + if crlf { 2 } else { 1 };
        if !matches!(octets.get(len), Some(b' ' | b'\t')) {
            return len;
        }
    }
}

/// Masks what is secret of the value of one header.
fn mask_value(value: &mut [u8]) {
    let mut at = skip(value, 0, is_space);
    let word = at..skip(value, at, is_token);
    let has_scheme = value.get(word.end).is_none_or(|octet| is_space(*octet));
    if has_scheme {
        if !is_one_of(value.get(word.clone()), &SCHEMES) {
            // Where nothing follows it, the word is no scheme but what should have followed one.
            let alone = skip(value, word.end, is_space) == value.len();
            return mask(value, if alone { word.start } else { word.end }..usize::MAX);
        }
        at = word.end;
    }
    loop {
        at = skip(value, at, |octet| is_space(octet) || octet == b',');
        let name = at..skip(value, at, is_token);
        let equals = skip(value, name.end, is_space);
        let is_param = !name.is_empty() && value.get(equals) == Some(&b'=');
        if !is_param {
            if is_one_of(value.get(name.clone()), &SCHEMES) {
                // One more challenge in the same header.
                at = name.end;
                continue;
            }
            return mask(value, name.start..usize::MAX);
        }
        let start = skip(value, equals + 1, is_space);
        let (secret, end) = param_value(value, start);
        let shown = is_one_of(value.get(name.clone()), &SHOWN);
        let known = shown || is_one_of(value.get(name.clone()), &HIDDEN);
        if !known {
            mask(value, name);
        }
        if !shown {
            mask(value, secret);
        }
        if end >= value.len() {
            return;
        }
        at = end;
    }
}

/// What the value of a parameter is, without quotes, and where it ends.
fn param_value(value: &[u8], start: usize) -> (std::ops::Range<usize>, usize) {
    if value.get(start) != Some(&b'"') {
        let end = skip(value, start, |octet| octet != b',' && !is_space(octet));
        return (start..end, end);
    }
    let mut at = start + 1;
    while let Some(octet) = value.get(at) {
        match octet {
            b'"' => return (start + 1..at, at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    (start + 1..value.len(), value.len())
}

/// Masks `password` of each `sip:user:password@host`.
fn mask_uris(message: &mut [u8]) {
    let mut at = 0;
    while let Some(colon) = memchr::memchr(b':', message.get(at..).unwrap_or_default()) {
        let userinfo = at + colon + 1;
        let scheme = message.get(..userinfo - 1).unwrap_or_default();
        at = userinfo;
        if !ends_with_ignoring_case(scheme, b"sip") && !ends_with_ignoring_case(scheme, b"sips") {
            continue;
        }
        let end = skip(message, userinfo, |octet| {
            octet.is_ascii_graphic() && !matches!(octet, b'@' | b'<' | b'>' | b'"')
        });
        let password = skip(message, userinfo, |octet| octet != b':') + 1;
        if message.get(end) == Some(&b'@') && password < end {
            mask(message, password..end);
            at = end;
        }
    }
}

fn ends_with_ignoring_case(octets: &[u8], end: &[u8]) -> bool {
    octets
        .len()
        .checked_sub(end.len())
        .and_then(|start| octets.get(start..))
        .is_some_and(|last| last.eq_ignore_ascii_case(end))
}

fn is_one_of(word: Option<&[u8]>, words: &[&[u8]]) -> bool {
    word.is_some_and(|word| words.iter().any(|known| word.eq_ignore_ascii_case(known)))
}

/// The first place from `from` on whose octet is not `wanted`.
fn skip(octets: &[u8], from: usize, wanted: impl Fn(u8) -> bool) -> usize {
    let rest = octets.get(from..).unwrap_or_default();
    from + rest.iter().position(|octet| !wanted(*octet)).unwrap_or(rest.len())
}

/// Masks a part; ends of lines stay, so that the message keeps its form.
fn mask(octets: &mut [u8], part: std::ops::Range<usize>) {
    let end = part.end.min(octets.len());
    for octet in octets.get_mut(part.start..end).unwrap_or_default() {
        if !is_space(*octet) {
            *octet = MASK;
        }
    }
}

fn is_space(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-.!%*_+`'~/".contains(&octet)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let mut octets = text.as_bytes().to_vec();
        mask_secrets(&mut octets);
        assert_eq!(octets.len(), text.len());
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn digest_shows_who_and_not_how() {
        assert_eq!(
            masked(
                "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"alice\", realm=\"a\", \
                 nonce=\"abc\",uri=\"sip:a\", response=\"0123\", cnonce=xy, nc=00000001\r\nX: y\r\n\r\n"
            ),
            "REGISTER sip:a SIP/2.0\r\nAuthorization: Digest username=\"alice\", realm=\"a\", \
             nonce=\"***\",uri=\"sip:a\", response=\"****\", cnonce=**, nc=00000001\r\nX: y\r\n\r\n"
        );
    }

    #[test]
    fn tokens_and_signatures_are_masked() {
        assert_eq!(
            masked("proxy-authorization : NTLM qop=\"auth\", gssapi-data=\"TlRM\", version=4\r\n"),
            "proxy-authorization : NTLM qop=\"auth\", gssapi-data=\"****\", version=4\r\n"
        );
        assert_eq!(
            masked("Authentication-Info: rspauth=\"01\", srand=\"AB\", snum=\"1\"\r\n"),
            "Authentication-Info: rspauth=\"**\", srand=\"**\", snum=\"1\"\r\n"
        );
        assert_eq!(
            masked("WWW-Authenticate: NTLM realm=\"r\", Digest nonce=\"n\", realm=\"q\"\r\n"),
            "WWW-Authenticate: NTLM realm=\"r\", Digest nonce=\"*\", realm=\"q\"\r\n"
        );
    }

    #[test]
    fn what_is_not_understood_is_masked() {
        for (text, expected) in [
            ("Authorization: Basic YTpi\r\n", "Authorization: Basic ****\r\n"),
            ("Authorization:Bearer a.b=c\r\n", "Authorization:Bearer *****\r\n"),
            ("Authorization: Digest YTpi=\r\n", "Authorization: Digest ****=\r\n"),
            ("Authorization: Digest {x}\r\n", "Authorization: Digest ***\r\n"),
            ("Authorization: Digest response=\"ab\r\n", "Authorization: Digest response=\"**\r\n"),
            (
                "Authorization: Digest response=\"a\\\"b\"",
                "Authorization: Digest response=\"****\"",
            ),
            ("Authorization: c2VjcmV0", "Authorization: ********"),
            ("Authorization", "Authorization"),
        ] {
            assert_eq!(masked(text), expected);
        }
    }

    #[test]
    fn folded_lines_and_bodies_are_looked_at_too() {
        assert_eq!(
            masked("Authorization: Digest\r\n response=\"ab\",\n\tnc=1\rX: 1\r\n"),
            "Authorization: Digest\r\n response=\"**\",\n\tnc=1\rX: 1\r\n"
        );
        assert_eq!(
            masked("A: b\r\n\r\nSIP/2.0 200 OK\nAuthorization: Digest response=abc\n"),
            "A: b\r\n\r\nSIP/2.0 200 OK\nAuthorization: Digest response=***\n"
        );
    }

    #[test]
    fn a_uri_keeps_its_user_and_loses_its_password() {
        assert_eq!(
            masked("To: <sip:alice:secret@a.test:5061>, SIPS:b:c@d;x=1, sip:a.test:5061"),
            "To: <sip:alice:******@a.test:5061>, SIPS:b:*@d;x=1, sip:a.test:5061"
        );
        assert_eq!(masked("gossip: a:b@c"), "gossip: a:b@c");
    }

    #[test]
    fn no_octets_are_too_odd() {
        let mut seed = 1u64;
        for _ in 0..2_000 {
            let mut octets = b"Authorization:".to_vec();
            for _ in 0..40 {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1);
                let index = (seed >> 33) as usize % 16;
                octets.push(b"a=\"\\, \r\n:@sip<Dn\xff"[index]);
            }
            let len = octets.len();
            mask_secrets(&mut octets);
            assert_eq!(octets.len(), len);
        }
    }
}
