//! Credentials and challenges: Authorization, Proxy-Authorization, WWW-Authenticate and
//! Proxy-Authenticate (RFC 3261 section 25.1, RFC 7235), for any scheme.

use super::error::Error;
use super::head::Span;
use super::octets;

/// Parameters of one header: Digest has 13 of them, NTLM ten; more are an attack.
pub const CREDENTIALS_PARAMS_MAX: usize = 32;

/// A scheme and its parameters.
#[derive(Clone, Debug)]
pub struct Credentials<'a> {
    /// The scheme as written: `Digest`, `NTLM`.
    pub scheme: &'a [u8],
    bytes: &'a [u8],
    params: [(Span, Span); CREDENTIALS_PARAMS_MAX],
    count: usize,
}

impl<'a> Credentials<'a> {
    /// Reads `scheme name=value, name="value", ...`.
    ///
    /// # Errors
    /// [`Error::Credentials`] when the grammar is broken, a name stands twice, no parameter or
    /// more than [`CREDENTIALS_PARAMS_MAX`] are there.
    pub fn parse(value: &'a [u8]) -> Result<Credentials<'a>, Error> {
        Self::read(octets::trim(value)).ok_or(Error::Credentials)
    }

    /// The value of a parameter (its name compared without case): without quotes, escapes left.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Whether the scheme is this one (compared without case).
    pub fn is_scheme(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme.as_bytes())
    }

    /// Names and values in order; see [`Credentials::get`] for the values.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        let bytes = self.bytes;
        let params = self.params.iter().take(self.count);
        params.map(move |(name, value)| (name.of(bytes), value.of(bytes)))
    }

    fn read(bytes: &'a [u8]) -> Option<Credentials<'a>> {
        u16::try_from(bytes.len()).ok()?;
        let (scheme, rest) = octets::take(bytes, octets::TOKEN);
        let mut credentials = Credentials {
            scheme,
            bytes,
            params: [(Span::default(), Span::default()); CREDENTIALS_PARAMS_MAX],
            count: 0,
        };
        let mut next = octets::trim_start(rest);
        if scheme.is_empty() || next.len() == rest.len() {
            return None;
        }
        loop {
            let (name, value, rest) = split_param(next)?;
            credentials.push(name, value)?;
            next = match rest.split_first() {
                None => return Some(credentials),
                Some((b',', rest)) => octets::trim_start(rest),
                Some(_) => return None,
            };
        }
    }

    /// Adds a parameter; `None` when there is no place, or the name is there already.
    fn push(&mut self, name: &'a [u8], value: &'a [u8]) -> Option<()> {
        if self.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        let param = (self.span(name), self.span(value));
        *self.params.get_mut(self.count)? = param;
        self.count += 1;
        Some(())
    }

    /// The place of a part of `bytes`, which is shorter than 65,536 octets.
    fn span(&self, part: &[u8]) -> Span {
        let start = part.as_ptr().addr().saturating_sub(self.bytes.as_ptr().addr());
        Span { start: start as u16, end: (start + part.len()) as u16 }
    }
}

/// Name, value and what follows the parameter and its blanks.
fn split_param(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (name, rest) = octets::take(text, octets::TOKEN);
    if name.is_empty() {
        return None;
    }
    let rest = octets::trim_start(octets::trim_start(rest).strip_prefix(b"=")?);
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        let (value, rest) = quoted.split_at_checked(octets::closing_quote(quoted)?)?;
        return Some((name, value, octets::trim_start(rest.get(1..)?)));
    }
    let len =
        rest.iter().position(|&o| o == b',' || !octets::is(o, octets::URI)).unwrap_or(rest.len());
    let (value, rest) = rest.split_at_checked(len)?;
    (!value.is_empty()).then_some((name, value, octets::trim_start(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lync_clients_digest_is_read() {
        let value = br#"Digest username="alice", realm="example.test", nonce="04ddf43288b31386", uri="(null)", qop=auth, nc=00000001, cnonce="7bd619ca", response="7008dd0626450fadca88d0ea358c9193""#;
        let credentials = Credentials::parse(value).unwrap();
        assert!(credentials.is_scheme("digest"));
        for (name, value) in [
            ("username", &b"alice"[..]),
            ("REALM", b"example.test"),
            ("nonce", b"04ddf43288b31386"),
            ("uri", b"(null)"),
            ("qop", b"auth"),
            ("nc", b"00000001"),
            ("cnonce", b"7bd619ca"),
            ("response", b"7008dd0626450fadca88d0ea358c9193"),
        ] {
            assert_eq!(credentials.get(name), Some(value), "{name}");
        }
        assert_eq!(credentials.get("opaque"), None);
        assert_eq!(credentials.iter().count(), 8);
    }

    #[test]
    fn ntlm_empty_values_escapes_and_folds_are_read() {
        let value =
            b"NTLM qop=\"auth\",\r\n realm = \"a\\\"b, c\" ,gssapi-data=\"\", version=4, x=Ab+/==";
        let credentials = Credentials::parse(value).unwrap();
        assert_eq!(credentials.scheme, b"NTLM");
        assert_eq!(credentials.get("realm"), Some(&b"a\\\"b, c"[..]));
        assert_eq!(credentials.get("gssapi-data"), Some(&b""[..]));
        assert_eq!(credentials.get("version"), Some(&b"4"[..]));
        assert_eq!(credentials.get("x"), Some(&b"Ab+/=="[..]));
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for bad in [
            "",
            "Digest",
            "Digest ",
            "Digest,",
            "Digest a",
            "Digest a=",
            "Digest a=\"b",
            "Digest =b",
            "Digest a=b c=d",
            "Digest a=b,",
            "Digest a=b,,c=d",
            "Digest a=\"b\"c",
            "Digest a=b\"c\"",
            "Digest a=b, A=c",
            "Dig/est a=b",
            "Basic dXNlcjpwdw",
            "Digest a=\"b\\\"",
        ] {
            let read = Credentials::parse(bad.as_bytes()).map(|c| c.count);
            assert_eq!(read, Err(Error::Credentials), "{bad}");
        }
    }

    #[test]
    fn the_bound_on_parameters_is_hit() {
        let with = |count: usize| {
            let params: Vec<String> = (0..count).map(|i| format!("p{i}=v{i}")).collect();
            Credentials::parse(format!("Digest {}", params.join(", ")).as_bytes()).map(|c| c.count)
        };
        assert_eq!(with(CREDENTIALS_PARAMS_MAX), Ok(CREDENTIALS_PARAMS_MAX));
        assert_eq!(with(CREDENTIALS_PARAMS_MAX + 1), Err(Error::Credentials));
    }
}
