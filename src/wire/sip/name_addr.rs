//! `name-addr` and `addr-spec` with header parameters: From, To, Contact, Route
//! (RFC 3261 section 20.10).

use super::error::Error;
use super::octets;
use super::params::Params;
use super::uri;

/// An address with a display name and header parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NameAddr<'a> {
    /// The display name: without its quotes, escapes left; empty when there is none.
    pub display: &'a [u8],
    /// The URI, without angle brackets. It has a scheme; `Uri::parse` reads the rest.
    pub uri: &'a [u8],
    /// The header's parameters. Without angle brackets all parameters are the header's.
    pub params: Params<'a>,
}

impl<'a> NameAddr<'a> {
    /// Reads one address.
    ///
    /// # Errors
    /// [`Error::NameAddr`], or [`Error::Params`] when its parameters break the grammar or `tag`
    /// stands twice.
    pub fn parse(value: &'a [u8]) -> Result<NameAddr<'a>, Error> {
        let value = octets::trim(value);
        let Some((display, rest)) = split_display(value) else { return bare(value) };
        let (uri, rest) = uri::take_absolute(rest).ok_or(Error::NameAddr)?;
        let params = Params::parse(rest.strip_prefix(b">").ok_or(Error::NameAddr)?, "tag")?;
        Ok(NameAddr { display, uri, params })
    }

    /// The `tag` parameter.
    pub fn tag(&self) -> Option<&'a [u8]> {
        self.params.get("tag")
    }
}

/// The display name, and what follows the `<`; `None` when the value is no `name-addr`.
#[inline]
fn split_display(value: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(rest) = value.strip_prefix(b"<") {
        return Some((&[], rest));
    }
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let (display, rest) = quoted.split_at_checked(octets::closing_quote(quoted)?)?;
        let rest = octets::trim_start(rest.get(1..)?).strip_prefix(b"<")?;
        return Some((display, rest));
    }
    let special = |o: &u8| matches!(o, b'<' | b'>' | b'"' | b':' | b';' | b',');
    let len = value.iter().position(special)?;
    let (display, rest) = value.split_at_checked(len)?;
    Some((octets::trim_end(display), rest.strip_prefix(b"<")?))
}

/// An `addr-spec`: a URI that ends at the first semicolon, and must not hold a comma or a question
/// mark (RFC 3261 section 20).
fn bare(value: &[u8]) -> Result<NameAddr<'_>, Error> {
    let len = memchr::memchr(b';', value).unwrap_or(value.len());
    let (uri, params) = value.split_at_checked(len).ok_or(Error::NameAddr)?;
    let uri = octets::trim_end(uri);
    if !uri::is_absolute(uri) || memchr::memchr2(b',', b'?', uri).is_some() {
        return Err(Error::NameAddr);
    }
    Ok(NameAddr { display: &[], uri, params: Params::parse(params, "tag")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> (&str, &str, &str) {
        let name = NameAddr::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"));
        let text_of = |b| std::str::from_utf8(b).unwrap();
        (text_of(name.display), text_of(name.uri), text_of(name.params.as_bytes()))
    }

    #[test]
    fn every_form_of_the_grammar_is_read() {
        assert_eq!(parse("<sip:a@b>;tag=x"), ("", "sip:a@b", ";tag=x"));
        assert_eq!(parse("Alice B. <sip:a@b;lr>"), ("Alice B.", "sip:a@b;lr", ""));
        assert_eq!(parse("\"A \\\"<B>\\\"\" <sip:a@b>"), ("A \\\"<B>\\\"", "sip:a@b", ""));
        assert_eq!(parse("sip:a@b ; tag=x"), ("", "sip:a@b", "; tag=x"));
        assert_eq!(parse("\"\"<sip:a@b>\r\n ;tag=x "), ("", "sip:a@b", ";tag=x"));
        assert_eq!(parse("J\u{fc}rgen <tel:+1>"), ("J\u{fc}rgen", "tel:+1", ""));
        assert_eq!(parse("<sip:a@b?Route=x,y>"), ("", "sip:a@b?Route=x,y", ""));
    }

    #[test]
    fn the_tag_is_the_headers_not_the_uris() {
        let name = NameAddr::parse(b"<sip:a@b;tag=uri>;epid=1;tag=header").unwrap();
        assert_eq!(name.tag(), Some(&b"header"[..]));
        assert_eq!(NameAddr::parse(b"<sip:a@b;tag=uri>").unwrap().tag(), None);
        assert_eq!(NameAddr::parse(b"sip:a@b;tag=bare").unwrap().tag(), Some(&b"bare"[..]));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in [
            "",
            "%",
            "*",
            "<>",
            "<sip:>",
            "alice",
            "<sip:a@b",
            "sip:a@b>",
            "\"open <sip:a@b>",
            "\"a\" sip:a@b",
            "<sip:a@b <c>",
            "sip:a@b?x=y",
            "sip:a@b,sip:c@d",
            "< sip:a@b>",
            "Bell, A <sip:a@b>",
            "sip:a b@c",
            "a;b <sip:a@b>",
        ] {
            assert_eq!(NameAddr::parse(bad.as_bytes()), Err(Error::NameAddr), "{bad}");
        }
        for bad in ["<sip:a@b>x", "<sip:a@b>;tag=a;tag=b", "<sip:a@b>;tag=", "<sip:a@b>,<sip:c@d>"]
        {
            assert_eq!(NameAddr::parse(bad.as_bytes()), Err(Error::Params), "{bad}");
        }
    }
}
