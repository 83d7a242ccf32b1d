//! Comma-separated header values (RFC 3261 section 7.3.1).

use std::slice;

use super::head::Field;
use super::header::HeaderName;
use super::octets;

/// The elements of a comma list: trimmed, empty ones left out. Commas in quotes and in angle
/// brackets do not separate.
#[derive(Clone, Debug)]
pub struct List<'a> {
    rest: &'a [u8],
}

impl<'a> List<'a> {
    /// The elements of one header value.
    #[inline]
    pub fn new(value: &'a [u8]) -> Self {
        List { rest: value }
    }

    /// What follows the elements returned so far, behind their comma.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

impl<'a> Iterator for List<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        while !self.rest.is_empty() {
            let (element, rest) = cut(self.rest, b',');
            self.rest = rest;
            let element = octets::trim(element);
            if !element.is_empty() {
                return Some(element);
            }
        }
        None
    }
}

/// The elements of the comma lists of all header lines of one name.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    bytes: &'a [u8],
    name: HeaderName,
    /// Header lines not begun yet.
    fields: slice::Iter<'a, Field>,
    list: List<'a>,
}

impl<'a> Elements<'a> {
    /// The elements of the headers of that name in `fields`, which index `bytes`.
    #[inline]
    pub(super) fn new(bytes: &'a [u8], fields: &'a [Field], name: HeaderName) -> Self {
        Elements { bytes, name, fields: fields.iter(), list: List::new(&[]) }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            if let Some(element) = self.list.next() {
                return Some(element);
            }
            let name = self.name;
            let field = self.fields.find(|field| field.name == name)?;
            self.list = List::new(field.value.of(self.bytes));
        }
    }
}

/// The elements of a value between separators: trimmed, empty ones left out.
pub(super) fn split(mut value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let elements = std::iter::from_fn(move || {
        if value.is_empty() {
            return None;
        }
        let (element, rest) = cut(value, separator);
        value = rest;
        Some(octets::trim(element))
    });
    elements.filter(|element| !element.is_empty())
}

/// Cuts at the first separator outside of quotes and angle brackets. An open quote or bracket
/// reaches to the end.
#[inline]
fn cut(value: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let mut at = 0usize;
    while let Some(rest) = value.get(at..) {
        let found = memchr::memchr3(separator, b'"', b'<', rest);
        #[cfg(test)]
        octets::steps::add(found.unwrap_or(rest.len()) + 1);
        let Some(found) = found else { break };
        let here = at + found;
        let inner = value.get(here + 1..).unwrap_or(&[]);
        let skipped = match value.get(here) {
            Some(b'"') => octets::closing_quote(inner),
            Some(octet) if *octet == separator => {
                return (value.get(..here).unwrap_or(&[]), inner);
            }
            _ => memchr::memchr(b'>', inner),
        };
        match skipped {
            Some(len) => at = here + len + 2,
            None => break,
        }
    }
    (value, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(value: &str) -> Vec<&str> {
        List::new(value.as_bytes()).map(|e| std::str::from_utf8(e).unwrap()).collect()
    }

    #[test]
    fn elements_are_trimmed_and_empty_ones_left_out() {
        assert_eq!(list("gruu-10, adhoclist,\r\n msrtc"), ["gruu-10", "adhoclist", "msrtc"]);
        assert_eq!(list(" , a ,, b,"), ["a", "b"]);
        assert_eq!(list(""), [""; 0]);
        assert_eq!(list(",,,"), [""; 0]);
    }

    #[test]
    fn commas_in_quotes_and_brackets_do_not_separate() {
        assert_eq!(
            list(r#""Bell, A. \", G." <sip:a,b@x>;methods="A, B", <sip:c@d>"#),
            [r#""Bell, A. \", G." <sip:a,b@x>;methods="A, B""#, "<sip:c@d>"]
        );
    }

    #[test]
    fn an_open_quote_or_bracket_reaches_to_the_end() {
        assert_eq!(list(r#"a, "b, c"#), ["a", r#""b, c"#]);
        assert_eq!(list("a, <b, c"), ["a", "<b, c"]);
    }
}
