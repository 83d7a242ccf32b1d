//! HTML as clients write it in messages, turned into plain text. Linear in its length.

/// What a reader sees of `html`: without tags, comments and what is no text, with line ends where
/// blocks end, references replaced, white space as one blank.
pub(super) fn to_text(html: &str) -> String {
    let mut out = Text { text: String::with_capacity(html.len()), blank: false };
    let mut rest = html;
    while let Some(at) = memchr::memchr2(b'<', b'&', rest.as_bytes()) {
        let Some((text, from)) = rest.split_at_checked(at) else { break };
        out.push(text);
        rest = if from.starts_with('&') { reference(from, &mut out) } else { tag(from, &mut out) };
    }
    out.push(rest);
    let kept = out.text.trim_end().len();
    out.text.truncate(kept);
    out.text
}

struct Text {
    text: String,
    /// White space stood here.
    blank: bool,
}

impl Text {
    fn push(&mut self, text: &str) {
        for c in text.chars() {
            if c.is_ascii_whitespace() {
                self.blank = true;
            } else {
                self.push_visible(c);
            }
        }
    }

    fn push_visible(&mut self, c: char) {
        let is_start = self.text.is_empty() || self.text.ends_with('\n');
        if std::mem::take(&mut self.blank) && !is_start {
            self.text.push(' ');
        }
        self.text.push(c);
    }

    /// Begins a new line, unless nothing stands in this one.
    fn end_block(&mut self) {
        self.blank = false;
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}

/// Longest reference that is looked for, its semicolon included: that of the highest character
/// with some zeroes before it.
const REFERENCE_MAX: usize = 12;

/// Passes what begins with `&`: a reference, or the character itself.
fn reference<'a>(from: &'a str, out: &mut Text) -> &'a str {
    let after = from.get(1..).unwrap_or("");
    let end = after.bytes().take(REFERENCE_MAX).position(|octet| octet == b';');
    let parts = end.and_then(|end| Some((after.get(..end)?, after.get(end + 1..)?)));
    match parts.and_then(|(name, rest)| Some((character(name)?, rest))) {
        Some(('\u{a0}', rest)) => {
            out.blank = true;
            rest
        }
        Some((c, rest)) => {
            let mut octets = [0; 4];
            match c.is_control() {
                true => out.blank = true,
                false => out.push(c.encode_utf8(&mut octets)),
            }
            rest
        }
        None => {
            out.push("&");
            after
        }
    }
}

fn character(name: &str) -> Option<char> {
    let Some(number) = name.strip_prefix('#') else {
        return Some(match name {
            "amp" => '&',
            "apos" => '\'',
            "gt" => '>',
            "lt" => '<',
            "nbsp" => '\u{a0}',
            "quot" => '"',
            _ => return None,
        });
    };
    let number = match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => number.parse(),
    };
    char::from_u32(number.ok()?)
}

/// Elements whose content no reader sees.
const HIDDEN: &[&str] = &["head", "script", "style", "title"];

/// Elements that end a line.
const BLOCKS: &[&str] = &[
    "blockquote",
    "br",
    "div",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "li",
    "ol",
    "p",
    "pre",
    "table",
    "tr",
    "ul",
];

/// Passes what begins with `<`: a tag, a comment, or the character itself.
fn tag<'a>(from: &'a str, out: &mut Text) -> &'a str {
    if let Some(comment) = from.strip_prefix("<!--") {
        return comment.split_once("-->").map_or("", |(_, rest)| rest);
    }
    let after = from.get(1..).unwrap_or("");
    let closing = after.starts_with('/');
    let named = after.strip_prefix('/').unwrap_or(after);
    if !named.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '!' | '?')) {
        out.push("<");
        return after;
    }
    let end = named.bytes().position(|o| !o.is_ascii_alphanumeric()).unwrap_or(named.len());
    let name = named.get(..end).unwrap_or("");
    let rest = after_tag(named.get(end..).unwrap_or(""));
    let is_one_of = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    if is_one_of(BLOCKS) {
        out.end_block();
    }
    if !closing && is_one_of(HIDDEN) { after_hidden(rest, name) } else { rest }
}

/// What follows the `>` of a tag that is not in quotes; nothing when it does not end.
fn after_tag(text: &str) -> &str {
    let mut quote = None;
    for (at, octet) in text.bytes().enumerate() {
        match (quote, octet) {
            (None, b'>') => return text.get(at + 1..).unwrap_or(""),
            (None, b'"' | b'\'') => quote = Some(octet),
            (Some(open), octet) if open == octet => quote = None,
            _ => {}
        }
    }
    ""
}

/// What follows the end tag of `name`; nothing when there is none.
fn after_hidden<'a>(text: &'a str, name: &str) -> &'a str {
    for at in memchr::memmem::find_iter(text.as_bytes(), b"</") {
        let after = text.get(at + 2..).unwrap_or("");
        let Some((found, rest)) = after.split_at_checked(name.len()) else { continue };
        if found.eq_ignore_ascii_case(name)
            && !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            return after_tag(rest);
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_reader_sees_text_alone() {
        for (html, text) in [
            ("", ""),
            ("plain", "plain"),
            ("<b>bold</b> and <i>not</i>", "bold and not"),
            ("<DIV>one</DIV>\r\n  <div style=\"a>b\">two</div>", "one\ntwo"),
            ("one<br/>two<BR>three", "one\ntwo\nthree"),
            (
                "a&lt;b&gt; &amp;amp; &quot;c&quot; &#228;&#xE4;&nbsp;&#8364;",
                "a<b> &amp; \"c\" ää €",
            ),
            (
                "a &unknown; & b &#; &#xD800; &#99999999999;",
                "a &unknown; & b &#; &#xD800; &#99999999999;",
            ),
            ("2 < 3 <= 4 <3", "2 < 3 <= 4 <3"),
            ("a<!-- <b> -->b<!--", "ab"),
            ("<html><head><title>t</title></head><body>x</body></html>", "x"),
            ("<script>a</scripty></SCRIPT >b<style>c", "b"),
            ("x <a href='1", "x"),
            ("  spread \n out\t ", "spread out"),
            ("a&#10;b&#0;c", "a b c"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }

    const PIECES: &[&str] = &[
        "<",
        ">",
        "</",
        "<!--",
        "-->",
        "<b>",
        "<script>",
        "</script>",
        "&",
        "&#",
        ";",
        "\"",
        "'",
        "ä",
        " ",
        "x",
    ];

    proptest! {
        #[test]
        fn anything_becomes_text_that_is_no_longer(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..64)
        ) {
            let html = pieces.concat();
            prop_assert!(to_text(&html).len() <= html.len(), "{html}");
        }
    }
}
