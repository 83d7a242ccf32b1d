//! HTML, as far as links in it are to be found: as clients read it once its character references
//! are resolved.

use std::borrow::Cow;

/// Longest character reference that is resolved, without `&`. Longer ones are no characters that
/// links are made of.
const REFERENCE_LEN_MAX: usize = 12;

/// Names of the characters that links are made of, or that end them.
const NAMED: &[(&[u8], Option<char>)] = &[
    (b"amp", Some('&')),
    (b"apos", Some('\'')),
    (b"bsol", Some('\\')),
    (b"colon", Some(':')),
    (b"comma", Some(',')),
    (b"commat", Some('@')),
    (b"equals", Some('=')),
    (b"gt", Some('>')),
    (b"hyphen", Some('-')),
    (b"lowbar", Some('_')),
    (b"lt", Some('<')),
    (b"nbsp", Some(' ')),
    (b"NewLine", None),
    (b"num", Some('#')),
    (b"percnt", Some('%')),
    (b"period", Some('.')),
    (b"quest", Some('?')),
    (b"quot", Some('"')),
    (b"sol", Some('/')),
    (b"Tab", None),
    (b"UnderBar", Some('_')),
];

/// HTML with its character references resolved.
pub(super) struct Resolved<'a> {
    /// The text. Tags stay.
    pub(super) text: Cow<'a, [u8]>,
    /// Where each octet of the text comes from; `None` where it is in its old place.
    origins: Option<Vec<usize>>,
}

impl<'a> Resolved<'a> {
    /// Resolves the references of `html`.
    pub(super) fn new(html: &'a [u8]) -> Self {
        if memchr::memchr(b'&', html).is_none() {
            return Resolved { text: Cow::Borrowed(html), origins: None };
        }
        let mut text = Vec::with_capacity(html.len());
        let mut origins = Vec::with_capacity(html.len());
        let mut at = 0;
        while let Some(octet) = html.get(at) {
            let reference = (*octet == b'&').then(|| reference(html.get(at + 1..)?)).flatten();
            let len = match &reference {
                Some((character, len)) => {
                    let mut octets = [0; 4];
                    let octets = character.map(|character| character.encode_utf8(&mut octets));
                    text.extend_from_slice(octets.map_or(b"", |octets| octets.as_bytes()));
                    len + 1
                }
                None => {
                    text.push(*octet);
                    1
                }
            };
            origins.resize(text.len(), at);
            at += len;
        }
        Resolved { text: Cow::Owned(text), origins: Some(origins) }
    }

    /// Where the octet at `at` of the text stands in the HTML.
    pub(super) fn origin(&self, at: usize) -> usize {
        match &self.origins {
            Some(origins) => origins.get(at).copied().unwrap_or(at),
            None => at,
        }
    }
}

/// The character that the text behind an `&` refers to, and the octets it takes. Line breaks and
/// tabs are nothing: browsers drop them from links.
fn reference(text: &[u8]) -> Option<(Option<char>, usize)> {
    let text = text.get(..REFERENCE_LEN_MAX.min(text.len()))?;
    let (character, len) = match text.strip_prefix(b"#") {
        Some([b'x' | b'X', digits @ ..]) => number(digits, 16).map(|(c, len)| (c, len + 2))?,
        Some(digits) => number(digits, 10).map(|(c, len)| (c, len + 1))?,
        None => {
            let len = text.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
            let name = text.get(..len)?;
            NAMED
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, character)| (*character, len))?
        }
    };
    let end = usize::from(text.get(len) == Some(&b';'));
    Some((character, len + end))
}

/// The character of a number, and its digits.
fn number(text: &[u8], radix: u32) -> Option<(Option<char>, usize)> {
    let len = text.iter().take_while(|octet| char::from(**octet).is_digit(radix)).count();
    let number = std::str::from_utf8(text.get(..len)?).ok()?;
    let character = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
    let kept = !matches!(character, '\0' | '\t' | '\n' | '\r');
    Some((kept.then_some(character), len))
}

/// A text as HTML in any charset that has ASCII in it, on lines of its own.
pub(super) fn lines(text: &str) -> Vec<u8> {
    let mut html = String::with_capacity(text.len() + 4);
    for c in text.trim_end().chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\r' => {}
            '\n' => html.push_str("<br>"),
            c if c.is_ascii() => html.push(c),
            c => html.push_str(&format!("&#{};", u32::from(c))),
        }
    }
    html.push_str("<br>");
    html.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(html: &str) -> String {
        String::from_utf8(Resolved::new(html.as_bytes()).text.into_owned()).unwrap()
    }

    #[test]
    fn references_are_read_as_clients_read_them() {
        for (html, text) in [
            ("no reference", "no reference"),
            ("&#104;ttp&colon;&sol;&#x2F;a", "http://a"),
            ("&#104ttp&#X3a//a&amp;b", "http://a&b"),
            ("ht&#9;tp&#10;s:&Tab;&NewLine;", "https:"),
            ("&lt;&gt;&quot;", "<>\""),
            ("& &; &unknown; &#; &#x; &#1114112; &", "& &; &unknown; &#; &#x; &#1114112; &"),
            ("&#228;", "\u{e4}"),
        ] {
            assert_eq!(resolved(html), text, "{html}");
        }
    }

    #[test]
    fn every_octet_is_found_in_the_html() {
        let html = b"a&amp;b&#228;c";
        let resolved = Resolved::new(html);
        let origins: Vec<usize> = (0..resolved.text.len()).map(|at| resolved.origin(at)).collect();
        assert_eq!(origins, [0, 1, 6, 7, 7, 13]);
        assert_eq!(Resolved::new(b"ab").origin(1), 1);
    }

    #[test]
    fn a_notice_cannot_be_mistaken_for_tags() {
        assert_eq!(lines("a<b>&\u{e4}\r\nc\n"), b"a&lt;b&gt;&amp;&#228;<br>c<br>");
    }
}
