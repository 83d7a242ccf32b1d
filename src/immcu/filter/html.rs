//! HTML, as far as links in it are to be found: as clients read it once its character references
//! are resolved.

use std::borrow::Cow;

/// Longest character reference that is resolved, without `&`. Longer ones are no characters that
/// links are made of.
const REFERENCE_LEN_MAX: usize = 12;

/// Names of the characters that links are made of, or that end them.
const NAMED: &[(&[u8], &str)] = &[
    (b"amp", "&"),
    (b"apos", "'"),
    (b"bsol", "\\"),
    (b"colon", ":"),
    (b"comma", ","),
    (b"commat", "@"),
    (b"equals", "="),
    (b"gt", ">"),
    (b"hyphen", "-"),
    (b"lowbar", "_"),
    (b"lt", "<"),
    (b"nbsp", " "),
    (b"NewLine", ""),
    (b"num", "#"),
    (b"percnt", "%"),
    (b"period", "."),
    (b"quest", "?"),
    (b"quot", "\""),
    (b"sol", "/"),
    (b"Tab", ""),
    (b"UnderBar", "_"),
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
                    text.extend_from_slice(character.as_bytes());
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
fn reference(text: &[u8]) -> Option<(String, usize)> {
    let text = text.get(..REFERENCE_LEN_MAX.min(text.len()))?;
    let (name, len) = match text.strip_prefix(b"#") {
        Some(number) => {
            let digits = match number.strip_prefix(b"x").or(number.strip_prefix(b"X")) {
                Some(number) => (number, 16, 2),
                None => (number, 10, 1),
            };
            let (digits, radix, head) = digits;
            let is_digit = |octet: &&u8| char::from(**octet).is_digit(radix);
            let count = digits.iter().take_while(is_digit).count();
            let number = std::str::from_utf8(digits.get(..count)?).ok()?;
            let character = char::from_u32(u32::from_str_radix(number, radix).ok()?)?;
            let kept = !matches!(character, '\0' | '\t' | '\n' | '\r');
            (if kept { character.to_string() } else { String::new() }, head + count)
        }
        None => {
            let count = text.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
            let name = text.get(..count)?;
            let (_, character) = NAMED.iter().find(|(known, _)| *known == name)?;
            ((*character).to_owned(), count)
        }
    };
    let end = usize::from(text.get(len) == Some(&b';'));
    Some((name, len + end))
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
