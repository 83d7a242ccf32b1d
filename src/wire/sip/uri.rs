//! SIP and SIPS URIs (RFC 3261 section 19.1); any other scheme is kept as text.

use std::hash::Hasher;

use super::error::Error;
use super::octets;
use super::params::Params;

/// A URI as ranges of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uri<'a> {
    /// The scheme as written.
    pub scheme: &'a [u8],
    /// The user part as written, escapes left; `None` when the URI names a host only.
    pub user: Option<&'a [u8]>,
    /// The password part as written. Never used; kept so that nothing is taken for the user.
    pub password: Option<&'a [u8]>,
    /// The host; an IPv6 address with its brackets. For a scheme other than sip and sips: all that
    /// follows the colon.
    pub host: &'a [u8],
    /// The port.
    pub port: Option<u16>,
    /// `;name=value` behind the host.
    pub params: Params<'a>,
    /// What follows the question mark.
    pub headers: &'a [u8],
}

impl<'a> Uri<'a> {
    /// Reads a URI.
    ///
    /// # Errors
    /// [`Error::Uri`] when it has no scheme, holds octets no URI may hold, or, for sip and sips,
    /// breaks the grammar of user, host or port.
    pub fn parse(text: &'a [u8]) -> Result<Uri<'a>, Error> {
        if let Some(rest) = text.strip_prefix(b"sip:") {
            return sip(text.get(..3).unwrap_or(&[]), rest).ok_or(Error::Uri);
        }
        let (scheme, rest) = split_scheme(text).ok_or(Error::Uri)?;
        if scheme.eq_ignore_ascii_case(b"sip") || scheme.eq_ignore_ascii_case(b"sips") {
            return sip(scheme, rest).ok_or(Error::Uri);
        }
        if !octets::all(rest, octets::URI) {
            return Err(Error::Uri);
        }
        Ok(Uri {
            scheme,
            user: None,
            password: None,
            host: rest,
            port: None,
            params: Params::default(),
            headers: &[],
        })
    }

    /// Whether the scheme is sip or sips.
    pub fn is_sip(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sip") || self.is_sips()
    }

    /// Whether the scheme is sips.
    pub fn is_sips(&self) -> bool {
        self.scheme.eq_ignore_ascii_case(b"sips")
    }

    /// The address-of-record, `user@host`: escapes of unreserved octets decoded, all in lower case
    /// (the product's addresses have no case), without scheme, password, port and parameters.
    /// `None` when the URI has no user. Allocates; [`Uri::is_aor`] does not.
    pub fn aor(&self) -> Option<String> {
        self.user.map(|user| self.normalised(user).map(char::from).collect())
    }

    /// Feeds the address-of-record to `state`, as [`Uri::aor`] writes it; false, and nothing fed,
    /// when the URI has no user. Does not allocate.
    pub fn hash_aor(&self, state: &mut impl Hasher) -> bool {
        let Some(user) = self.user else { return false };
        self.normalised(user).for_each(|octet| state.write_u8(octet));
        true
    }

    /// Whether `aor` is this URI's address-of-record, as [`Uri::aor`] writes it.
    pub fn is_aor(&self, aor: &str) -> bool {
        self.user.is_some_and(|user| self.normalised(user).eq(aor.bytes()))
    }

    fn normalised(&self, user: &'a [u8]) -> impl Iterator<Item = u8> + use<'a> {
        let user = Unescaped { rest: user };
        let host = self.host.iter().map(u8::to_ascii_lowercase);
        user.map(|octet| octet.to_ascii_lowercase()).chain([b'@']).chain(host)
    }
}

/// The octets of a text with the escapes of unreserved octets decoded (RFC 3986 section 6.2.2.2).
struct Unescaped<'a> {
    rest: &'a [u8],
}

impl Iterator for Unescaped<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        if let [b'%', high, low, tail @ ..] = self.rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
            && octets::is_unreserved(high << 4 | low)
        {
            self.rest = tail;
            return Some(high << 4 | low);
        }
        self.rest = rest;
        Some(*first)
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Whether the text is a scheme, a colon and something, of octets that may stand in a URI.
#[inline]
pub(super) fn is_absolute(text: &[u8]) -> bool {
    take_absolute(text).is_some_and(|(_, rest)| rest.is_empty())
}

/// Cuts the longest prefix of octets that may stand in a URI; `None` when it is not a scheme, a
/// colon and something.
#[inline]
pub(super) fn take_absolute(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let (uri, rest) = octets::take(text, octets::URI);
    let absolute = (uri.len() > 4 && uri.starts_with(b"sip:")) || split_scheme(uri).is_some();
    absolute.then_some((uri, rest))
}

/// Scheme and what follows its colon; neither may be empty.
#[inline]
fn split_scheme(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let len = text
        .iter()
        .position(|&o| !(o.is_ascii_alphanumeric() || matches!(o, b'+' | b'-' | b'.')))?;
    let (scheme, rest) = text.split_at_checked(len)?;
    let rest = rest.strip_prefix(b":")?;
    let named = scheme.first().is_some_and(u8::is_ascii_alphabetic) && !rest.is_empty();
    named.then_some((scheme, rest))
}

/// What follows `sip:`. An `@` has to be escaped everywhere but behind the user, so there is at
/// most one.
fn sip<'a>(scheme: &'a [u8], text: &'a [u8]) -> Option<Uri<'a>> {
    let (user, password, rest) = split_user(text)?;
    let (host, port, rest) = split_host(rest)?;
    let (params, rest) = octets::take(rest, octets::URI_PARAMS);
    let headers = match rest.split_first() {
        None => rest,
        Some((b'?', headers)) => headers,
        Some(_) => return None,
    };
    let valid = (params.is_empty() || params.starts_with(b";"))
        && octets::all(headers, octets::URI)
        && !headers.contains(&b'@');
    valid.then_some(Uri {
        scheme,
        user,
        password,
        host,
        port,
        params: Params::new(params),
        headers,
    })
}

/// User and password before the `@`, if there is one, and what follows.
type UserSplit<'a> = (Option<&'a [u8]>, Option<&'a [u8]>, &'a [u8]);

#[inline]
fn split_user(text: &[u8]) -> Option<UserSplit<'_>> {
    let (user, rest) = take_user(text);
    match rest.split_first() {
        Some((b'@', rest)) => (!user.is_empty()).then_some((Some(user), None, rest)),
        Some((b':', secret)) => {
            let (password, rest) = take_user(secret);
            match rest.split_first() {
                Some((b'@', rest)) => {
                    (!user.is_empty()).then_some((Some(user), Some(password), rest))
                }
                _ => Some((None, None, text)),
            }
        }
        _ => Some((None, None, text)),
    }
}

/// `user` or `password` at the start of `text`: octets of the class, and complete escapes.
#[inline]
fn take_user(text: &[u8]) -> (&[u8], &[u8]) {
    let mut len = octets::span(text, octets::USER);
    while let Some([b'%', high, low, tail @ ..]) = text.get(len..)
        && hex(*high).is_some()
        && hex(*low).is_some()
    {
        len += 3 + octets::span(tail, octets::USER);
    }
    text.split_at_checked(len).unwrap_or((text, &[]))
}

/// Host and port from the start of `text`, and what follows them. The port is `Some` when there
/// is a colon; a colon without a number below 65,536 is refused.
pub(super) fn split_host(text: &[u8]) -> Option<(&[u8], Option<u16>, &[u8])> {
    let len = if text.starts_with(b"[") {
        let close = memchr::memchr(b']', text)?;
        let address = text.get(1..close)?;
        let octets_of_ipv6 = |o: &u8| o.is_ascii_hexdigit() || matches!(o, b':' | b'.');
        if address.is_empty() || !address.iter().all(octets_of_ipv6) {
            return None;
        }
        close + 1
    } else {
        octets::take(text, octets::HOST).0.len()
    };
    let (host, rest) = text.split_at_checked(len)?;
    if host.is_empty() {
        return None;
    }
    let Some(after) = rest.strip_prefix(b":") else { return Some((host, None, rest)) };
    let end = after.iter().position(|o| !o.is_ascii_digit()).unwrap_or(after.len());
    let (digits, rest) = after.split_at_checked(end)?;
    let port = u16::try_from(octets::digits(digits)?).ok()?;
    Some((host, Some(port), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Uri<'_> {
        Uri::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"))
    }

    #[test]
    fn every_part_is_found() {
        let uri = parse("SIP:al%69ce:pw@Host.example:5061;transport=tls;lr?Subject=x&a=b");
        assert_eq!(uri.scheme, b"SIP");
        assert_eq!(uri.user, Some(&b"al%69ce"[..]));
        assert_eq!(uri.password, Some(&b"pw"[..]));
        assert_eq!(uri.host, b"Host.example");
        assert_eq!(uri.port, Some(5061));
        assert_eq!(uri.params.get("transport"), Some(&b"tls"[..]));
        assert_eq!(uri.params.get("lr"), Some(&b""[..]));
        assert_eq!(uri.headers, b"Subject=x&a=b");
        assert!(uri.is_sip() && !uri.is_sips());
    }

    #[test]
    fn a_gruu_of_the_lync_client_is_read() {
        let uri = parse("sip:bob@example.test;opaque=user:epid:DJNj2mKyWT-B536mSCziwQAAA;gruu");
        assert_eq!(uri.aor().as_deref(), Some("bob@example.test"));
        assert_eq!(uri.params.get("opaque"), Some(&b"user:epid:DJNj2mKyWT-B536mSCziwQAAA"[..]));
        assert_eq!(uri.params.get("gruu"), Some(&b""[..]));
    }

    #[test]
    fn hosts_without_user_and_ipv6_are_read() {
        let uri = parse("sip:example.test");
        assert_eq!((uri.user, uri.host, uri.aor()), (None, &b"example.test"[..], None));
        let uri = parse("sips:u@[2001:db8::1]:5061");
        assert_eq!((uri.host, uri.port), (&b"[2001:db8::1]"[..], Some(5061)));
        assert!(uri.is_sips());
    }

    #[test]
    fn semicolons_and_question_marks_belong_to_the_user_before_the_at() {
        let uri = parse("sip:user;par=u%40x?y@example.test;lr");
        assert_eq!(uri.user, Some(&b"user;par=u%40x?y"[..]));
        assert_eq!(uri.params.as_bytes(), b";lr");
    }

    #[test]
    fn other_schemes_keep_their_text() {
        let uri = parse("tel:+1-201-555-0123;phone-context=x");
        assert_eq!((uri.scheme, uri.host), (&b"tel"[..], &b"+1-201-555-0123;phone-context=x"[..]));
        assert_eq!((uri.user, uri.is_sip()), (None, false));
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for bad in [
            "",
            "%",
            "sip",
            "sip:",
            ":x",
            "sip:@host",
            "sip:a@",
            "sip:a@b@c",
            "sip:a@b:",
            "sip:a@b:x",
            "sip:a@b:65536",
            "sip:a@[::1",
            "sip:a@[]",
            "sip:a@[g]",
            "sip:a b@c",
            "sip:a@b c",
            "sip:a%4@b",
            "sip:a%zz@b",
            "sip:a\"@b",
            "<sip:a@b>",
            "sip:a@b\r\nX: y",
            "1sip:a@b",
            "sip:a@b/c",
            "sip::pw@b",
            "sip:a@b;x=c@d",
            "sip:\u{e4}@b",
            "sip:a@b\0",
        ] {
            assert_eq!(Uri::parse(bad.as_bytes()), Err(Error::Uri), "{bad:?}");
        }
    }

    #[test]
    fn the_address_of_record_is_normalised() {
        for text in [
            "sip:Alice@Example.TEST",
            "sips:alice@example.test:5061;transport=tls",
            "sip:%61lice@example.test",
            "sip:%41LICE:secret@example.test?x=y",
        ] {
            let uri = parse(text);
            assert_eq!(uri.aor().as_deref(), Some("alice@example.test"), "{text}");
            assert!(uri.is_aor("alice@example.test"), "{text}");
            assert!(!uri.is_aor("alice@example.tes") && !uri.is_aor("alice@example.testx"));
        }
        let uri = parse("sip:a%40B%2Fc@x");
        assert_eq!(uri.aor().as_deref(), Some("a%40b%2fc@x"));
        assert!(!parse("sip:example.test").is_aor("@example.test"));
    }
}
