//! Parameters: `;name=value;flag` behind an address, a Via or inside a URI.

use super::error::Error;
use super::octets;

/// Raw parameters, from their first semicolon on; read lazily.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Parameters that are not checked: what cannot be read ends the iteration.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Params(bytes)
    }

    /// Header parameters (RFC 3261 `generic-param`): each is a token, alone or with a value.
    /// `once` names the parameter that must not stand twice.
    ///
    /// # Errors
    /// [`Error::Params`] when they break the grammar, or `once` stands twice.
    #[inline]
    pub fn parse(bytes: &'a [u8], once: &str) -> Result<Self, Error> {
        let mut seen = false;
        let mut params = Params(octets::trim(bytes)).iter();
        while !params.rest.is_empty() {
            let (name, value) = params.next().ok_or(Error::Params)?;
            if !octets::is_token(name) || !params.last_is_valid(value) {
                return Err(Error::Params);
            }
            if name.eq_ignore_ascii_case(once.as_bytes()) {
                if seen {
                    return Err(Error::Params);
                }
                seen = true;
            }
        }
        Ok(Params(octets::trim(bytes)))
    }

    /// The parameters as written, from the first semicolon on.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }

    /// The value of the first parameter of that name (compared without case): without quotes, its
    /// escapes left; empty for a flag.
    #[inline]
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }

    /// Names and values in order; see [`Params::get`] for the values.
    #[inline]
    pub fn iter(&self) -> Iter<'a> {
        Iter { rest: self.0, form: Form::Flag }
    }
}

/// Iterator over parameters.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
    /// How the last parameter was written.
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Flag,
    Plain,
    Quoted,
}

impl Iter<'_> {
    /// Whether the value of the parameter just returned follows `gen-value`.
    #[inline]
    fn last_is_valid(&self, value: &[u8]) -> bool {
        match self.form {
            Form::Flag | Form::Quoted => true,
            Form::Plain => {
                !value.is_empty() && value.iter().all(|&o| o != b',' && octets::is(o, octets::URI))
            }
        }
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = octets::trim_start(self.rest).strip_prefix(b";")?;
        let end = rest.iter().position(|&o| o == b';' || o == b'=').unwrap_or(rest.len());
        let (name, rest) = rest.split_at_checked(end)?;
        let name = octets::trim(name);
        let Some(rest) = rest.strip_prefix(b"=") else {
            self.form = Form::Flag;
            self.rest = rest;
            return Some((name, &[]));
        };
        if let Some(quoted) = octets::trim_start(rest).strip_prefix(b"\"") {
            let (value, rest) = quoted.split_at_checked(octets::closing_quote(quoted)?)?;
            let rest = octets::trim_start(rest.get(1..)?);
            if !rest.is_empty() && !rest.starts_with(b";") {
                return None;
            }
            self.form = Form::Quoted;
            self.rest = rest;
            return Some((name, value));
        }
        let end = memchr::memchr(b';', rest).unwrap_or(rest.len());
        let (value, rest) = rest.split_at_checked(end)?;
        self.form = Form::Plain;
        self.rest = rest;
        Some((name, octets::trim(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(&str, &str)> {
        let text_of = |b| std::str::from_utf8(b).unwrap();
        Params::new(text.as_bytes()).iter().map(|(n, v)| (text_of(n), text_of(v))).collect()
    }

    #[test]
    fn names_values_flags_and_quotes_are_read() {
        assert_eq!(
            pairs(r#";tag=a;lr ; x = y;q="<a;b\",c>" ;last"#),
            [("tag", "a"), ("lr", ""), ("x", "y"), ("q", r#"<a;b\",c>"#), ("last", "")]
        );
        assert_eq!(pairs(""), []);
    }

    #[test]
    fn get_compares_names_without_case_and_takes_the_first() {
        let params = Params::new(b";Tag=One;tag=two;rport");
        assert_eq!(params.get("TAG"), Some(&b"One"[..]));
        assert_eq!(params.get("rport"), Some(&b""[..]));
        assert_eq!(params.get("branch"), None);
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for good in ["", " ;a", ";a=b ; c", ";a=\"\"", ";received=[::1]", ";+sip.instance=\"<x>\""]
        {
            assert!(Params::parse(good.as_bytes(), "tag").is_ok(), "{good}");
        }
        for bad in [
            "a",
            ";",
            ";;a",
            ";a=",
            ";a b",
            ";a=b c",
            ";a=\"b",
            ";a=\"b\"c",
            ";a=b,c",
            ";=b",
            ";a=<b>",
            ";tag=a;TAG=b",
            ";a@b",
            ";a=b\"c\"",
        ] {
            assert_eq!(Params::parse(bad.as_bytes(), "tag"), Err(Error::Params), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_iteration() {
        assert_eq!(pairs(";a=b junk;c"), [("a", "b junk"), ("c", "")]);
        assert_eq!(pairs(";a=\"open;c"), []);
        assert_eq!(pairs("junk;c"), []);
    }
}
