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

    /// Header parameters (RFC 3261 `generic-param`): each is a name, alone or with a value.
    /// `once` names the parameter that must not stand twice.
    ///
    /// # Errors
    /// [`Error::Params`] when they break the grammar, or `once` stands twice.
    #[inline]
    pub fn parse(bytes: &'a [u8], once: &str) -> Result<Self, Error> {
        let bytes = octets::trim(bytes);
        let mut seen = false;
        let mut params = Params(bytes).iter();
        while !params.rest.is_empty() {
            let (name, _) = params.next().ok_or(Error::Params)?;
            if name.eq_ignore_ascii_case(once.as_bytes()) {
                if seen {
                    return Err(Error::Params);
                }
                seen = true;
            }
        }
        Ok(Params(bytes))
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
        Iter { rest: self.0 }
    }
}

/// Iterator over parameters; it ends where the grammar is broken.
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = octets::trim_start(self.rest).strip_prefix(b";")?;
        let (name, rest) = octets::take(octets::trim_start(rest), octets::PARAM_NAME);
        if name.is_empty() {
            return None;
        }
        let rest = octets::trim_start(rest);
        let (value, rest) = match rest.strip_prefix(b"=") {
            None => (&[][..], rest),
            Some(rest) => {
                let (value, rest) = split_value(octets::trim_start(rest))?;
                (value, octets::trim_start(rest))
            }
        };
        if !rest.is_empty() && !rest.starts_with(b";") {
            return None;
        }
        self.rest = rest;
        Some((name, value))
    }
}

/// The value at the start of `text`, without its quotes, and what follows.
#[inline]
fn split_value(text: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        let (value, rest) = quoted.split_at_checked(octets::closing_quote(quoted)?)?;
        return Some((value, rest.get(1..)?));
    }
    let (value, rest) = octets::take(text, octets::PARAM_VALUE);
    (!value.is_empty()).then_some((value, rest))
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
        assert_eq!(pairs(";x;a=b junk;c"), [("x", "")]);
        assert_eq!(pairs(";a=\"open;c"), []);
        assert_eq!(pairs("junk;c"), []);
    }
}
