//! Writing XML.

use std::fmt;

use super::character::is_allowed;

/// Appends `text` as character data. Characters which XML does not allow are left out.
pub fn escape_text(out: &mut String, text: &str) {
    escape(out, text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '\r' => Some("&#13;"),
        c if !is_allowed(c) => Some(""),
        _ => None,
    });
}

/// Appends `text` as the value of an attribute in double quotes. Characters which XML does not
/// allow are left out.
pub fn escape_attribute(out: &mut String, text: &str) {
    escape(out, text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '\t' => Some("&#9;"),
        '\n' => Some("&#10;"),
        '\r' => Some("&#13;"),
        c if !is_allowed(c) => Some(""),
        _ => None,
    });
}

fn escape(out: &mut String, text: &str, replacement: impl Fn(char) -> Option<&'static str>) {
    // Most values have nothing of the kind, and to see that many octets are looked at at once.
    if !text.bytes().fold(false, |found, octet| found | may_need_escape(octet)) {
        return out.push_str(text);
    }
    let mut plain = 0;
    for (at, c) in text.char_indices() {
        if let Some(other) = replacement(c) {
            out.push_str(text.get(plain..at).unwrap_or(""));
            out.push_str(other);
            plain = at + c.len_utf8();
        }
    }
    out.push_str(text.get(plain..).unwrap_or(""));
}

/// False for octets that stand for themselves wherever they are.
const fn may_need_escape(octet: u8) -> bool {
    !matches!(octet, b' '..=b'~') || matches!(octet, b'&' | b'<' | b'>' | b'"')
}

/// Writes a document, element by element. Names are those of the program, so they are not
/// checked; everything else is escaped. An element without content is written as `<name/>`.
#[derive(Debug, Default)]
pub struct Writer {
    out: String,
    open: Vec<&'static str>,
    /// The start tag is not closed yet: attributes may follow.
    in_tag: bool,
}

impl Writer {
    /// Writes nothing yet.
    pub fn new() -> Self {
        Writer::default()
    }

    /// Writes after `out`.
    pub fn after(out: String) -> Self {
        Writer { out, ..Writer::default() }
    }

    /// Begins an element; its name may have a prefix.
    pub fn start(&mut self, name: &'static str) -> &mut Self {
        self.close_tag();
        self.out.push('<');
        self.out.push_str(name);
        self.open.push(name);
        self.in_tag = true;
        self
    }

    /// An attribute of the element just begun.
    pub fn attribute(&mut self, name: &str, value: &str) -> &mut Self {
        debug_assert!(self.in_tag, "an attribute stands in a start tag");
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape_attribute(&mut self.out, value);
        self.out.push('"');
        self
    }

    /// An attribute whose value is a number, or anything else without characters to escape.
    pub fn attribute_of(&mut self, name: &str, value: impl fmt::Display) -> &mut Self {
        debug_assert!(self.in_tag, "an attribute stands in a start tag");
        self.push_fmt(format_args!(" {name}=\"{value}\""));
        self
    }

    /// Text within the innermost element.
    pub fn text(&mut self, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.close_tag();
            escape_text(&mut self.out, text);
        }
        self
    }

    /// XML which is complete in itself, such as a [copy](super::Element::copy_to).
    pub fn raw(&mut self, xml: &str) -> &mut Self {
        if !xml.is_empty() {
            self.close_tag();
            self.out.push_str(xml);
        }
        self
    }

    /// Ends the innermost element.
    pub fn end(&mut self) -> &mut Self {
        let Some(name) = self.open.pop() else { return self };
        if std::mem::take(&mut self.in_tag) {
            self.out.push_str("/>");
        } else {
            self.out.push_str("</");
            self.out.push_str(name);
            self.out.push('>');
        }
        self
    }

    /// An element with nothing but text.
    pub fn leaf(&mut self, name: &'static str, text: &str) -> &mut Self {
        self.start(name).text(text).end()
    }

    /// An element with a number, or anything else without characters to escape.
    pub fn leaf_of(&mut self, name: &'static str, value: impl fmt::Display) -> &mut Self {
        self.start(name);
        self.close_tag();
        self.push_fmt(format_args!("{value}"));
        self.end()
    }

    /// Ends what is open and gives the text.
    pub fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.end();
        }
        self.out
    }

    fn close_tag(&mut self) {
        if std::mem::take(&mut self.in_tag) {
            self.out.push('>');
        }
    }

    fn push_fmt(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = fmt::Write::write_fmt(&mut self.out, text);
    }
}
