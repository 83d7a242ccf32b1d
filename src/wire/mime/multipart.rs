//! Bodies of several parts (RFC 2046 section 5.1, RFC 2387).

use std::ops::Range;

use memchr::memmem;

use super::content_type::ContentType;
use crate::base::limits::Limits;

/// One part: what is read or written of its head, and its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// Content-Type; empty when it says none.
    pub content_type: &'a [u8],
    /// Content-ID without angle brackets; empty when it has none. What is written has neither
    /// quotes nor semicolons in it.
    pub content_id: &'a [u8],
    /// What it carries.
    pub body: &'a [u8],
}

/// A part, and where it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// The part.
    pub part: Part<'a>,
    /// Content-Transfer-Encoding; empty when it says none.
    pub transfer_encoding: &'a [u8],
    /// Where the part's body stands in the body of all.
    pub body: Range<usize>,
}

/// A body that has been written, and the Content-Type under which it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// `multipart/related; ...; boundary=...`
    pub content_type: String,
    /// All parts.
    pub body: Vec<u8>,
}

/// Writes parts that belong together; the first says what the others are, and its Content-ID is
/// the start. The boundary stands in no part.
///
/// Each body is followed by an empty line before the boundary: the Lync client's library cuts four
/// octets off each part. It takes what follows the last equals sign for the boundary, so that is
/// the last parameter.
pub fn related(parts: &[Part<'_>]) -> Written {
    let boundary = boundary(parts);
    let size = parts.iter().map(|part| part.body.len() + part.content_type.len() + 160).sum();
    let mut body = Vec::with_capacity(size);
    for part in parts {
        body.extend_from_slice(b"--");
        body.extend_from_slice(boundary.as_bytes());
        body.extend_from_slice(b"\r\n");
        if !part.content_id.is_empty() {
            body.extend_from_slice(b"Content-ID: <");
            body.extend_from_slice(part.content_id);
            body.extend_from_slice(b">\r\n");
        }
        body.extend_from_slice(b"Content-Type: ");
        body.extend_from_slice(part.content_type);
        body.extend_from_slice(b"\r\n\r\n");
        body.extend_from_slice(part.body);
        body.extend_from_slice(b"\r\n\r\n");
    }
    body.extend_from_slice(b"--");
    body.extend_from_slice(boundary.as_bytes());
    body.extend_from_slice(b"--\r\n");
    let of = |text: Option<&[u8]>| text.unwrap_or_default().escape_ascii().to_string();
    let media = of(parts.first().map(|part| ContentType::parse(part.content_type).media));
    let start = of(parts.first().map(|part| part.content_id));
    let content_type =
        format!("multipart/related; type=\"{media}\"; start=\"<{start}>\"; boundary={boundary}");
    Written { content_type, body }
}

/// `part-N-mynah` with the lowest N for which it stands in no part.
fn boundary(parts: &[Part<'_>]) -> String {
    const HEAD: &[u8] = b"part-";
    const TAIL: &[u8] = b"-mynah";
    let mut taken: Vec<u32> = Vec::new();
    for part in parts {
        for at in memmem::find_iter(part.body, HEAD) {
            let rest = part.body.get(at + HEAD.len()..).unwrap_or_default();
            // A part of 2^32 octets has not that many boundaries in it.
            let digits = rest.iter().take(11).take_while(|octet| octet.is_ascii_digit()).count();
            let Some((number, tail)) = rest.split_at_checked(digits) else { continue };
            let number = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
            if let Some(number) = number.filter(|_| tail.starts_with(TAIL)) {
                taken.push(number);
            }
        }
    }
    taken.sort_unstable();
    taken.dedup();
    let free = (0..).zip(&taken).take_while(|(number, taken)| number == *taken).count();
    format!("part-{free}-mynah")
}

/// Why a body of several parts is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The Content-Type names no boundary of 1 to 70 octets.
    Boundary,
    /// The head of a part is not followed by an empty line.
    Head,
    /// The last boundary is missing.
    Unterminated,
    /// More parts than `mime_parts_max`.
    TooManyParts,
}

impl Error {
    /// A short text for the reason phrase or a Warning.
    pub const fn reason(self) -> &'static str {
        match self {
            Error::Boundary => "Malformed Boundary",
            Error::Head => "Malformed Part",
            Error::Unterminated => "Unterminated Multipart",
            Error::TooManyParts => "Too Many Parts",
        }
    }
}

/// Reads a body whose Content-Type is `content_type`. What stands before the first boundary and
/// after the last is passed over.
pub fn parts<'a>(
    content_type: ContentType<'_>,
    body: &'a [u8],
    limits: &Limits,
) -> Result<Vec<Part<'a>>, Error> {
    let sections = sections(content_type, body, limits)?;
    Ok(sections.into_iter().map(|section| section.part).collect())
}

/// Like [`parts`], and where each stands.
pub fn sections<'a>(
    content_type: ContentType<'_>,
    body: &'a [u8],
    limits: &Limits,
) -> Result<Vec<Section<'a>>, Error> {
    let boundary = content_type.param("boundary").ok_or(Error::Boundary)?;
    if boundary.is_empty() || boundary.len() > 70 {
        return Err(Error::Boundary);
    }
    let delimiter = [b"--", boundary].concat();
    let mut sections = Vec::new();
    let mut start = None;
    for at in memmem::find_iter(body, &delimiter) {
        let (before, from) = body.split_at_checked(at).ok_or(Error::Unterminated)?;
        if !(before.is_empty() || before.ends_with(b"\n")) {
            continue;
        }
        let Some(after) = from.strip_prefix(&*delimiter) else { continue };
        let (last, after) = match after.strip_prefix(b"--") {
            Some(after) => (true, after),
            None => (false, after),
        };
        let Some(line_end) = end_of_line(after, last) else { continue };
        if let Some(start) = start {
            if sections.len() >= limits.mime_parts_max {
                return Err(Error::TooManyParts);
            }
            let text = without_line_end(before.get(start..).unwrap_or_default());
            let (part, transfer_encoding) = read(text)?;
            let end = start.saturating_add(text.len());
            let body = end.saturating_sub(part.body.len())..end;
            sections.push(Section { part, transfer_encoding, body });
        }
        if last {
            return Ok(sections);
        }
        start = Some(body.len() - after.len() + line_end);
    }
    Err(Error::Unterminated)
}

/// Where the line that a boundary stands in ends; `None` if more than blanks follow it, so that
/// it is none. The last one may stand at the end of the body.
fn end_of_line(after: &[u8], last: bool) -> Option<usize> {
    let blanks = after.iter().take_while(|octet| matches!(octet, b' ' | b'\t')).count();
    match after.get(blanks..)? {
        [b'\r', b'\n', ..] => Some(blanks + 2),
        [b'\n', ..] => Some(blanks + 1),
        [] if last => Some(blanks),
        _ => None,
    }
}

/// The line end before a boundary belongs to the boundary.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

/// A part, and its Content-Transfer-Encoding. The folds inside of values are left.
fn read(part: &[u8]) -> Result<(Part<'_>, &[u8]), Error> {
    let (mut content_type, mut content_id, mut transfer_encoding) = (None, None, None);
    let mut rest = part;
    let body = loop {
        if let Some(body) = rest.strip_prefix(b"\r\n").or(rest.strip_prefix(b"\n")) {
            break body;
        }
        let Some(end) = end_of_field(rest) else {
            // A part may end with its head.
            match rest {
                b"" | b"\r" => break b"",
                _ => return Err(Error::Head),
            }
        };
        let (field, after) = rest.split_at_checked(end).ok_or(Error::Head)?;
        rest = after;
        if field.starts_with(b" ") || field.starts_with(b"\t") {
            continue;
        }
        let colon = memchr::memchr(b':', field).ok_or(Error::Head)?;
        let (name, value) = field.split_at_checked(colon).ok_or(Error::Head)?;
        let place = if name.eq_ignore_ascii_case(b"Content-Type") {
            &mut content_type
        } else if name.eq_ignore_ascii_case(b"Content-Transfer-Encoding") {
            &mut transfer_encoding
        } else if name.eq_ignore_ascii_case(b"Content-ID") {
            &mut content_id
        } else {
            continue;
        };
        // Of two, some readers would take the first and some the last.
        if place.replace(value.strip_prefix(b":").unwrap_or(value).trim_ascii()).is_some() {
            return Err(Error::Head);
        }
    };
    let id = content_id.unwrap_or_default();
    let bare = id.strip_prefix(b"<").and_then(|id| id.strip_suffix(b">"));
    let content_type = content_type.unwrap_or_default();
    let read = Part { content_type, content_id: bare.unwrap_or(id), body };
    Ok((read, transfer_encoding.unwrap_or_default()))
}

/// Where a header ends, its continuation lines and line end included.
fn end_of_field(rest: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let end = from + memchr::memchr(b'\n', rest.get(from..)?)? + 1;
        if !matches!(rest.get(end), Some(b' ' | b'\t')) {
            return Some(end);
        }
        from = end;
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::fuzz;
    use super::*;

    fn part<'a>(content_id: &'a str, body: &'a str) -> Part<'a> {
        let content_id = content_id.as_bytes();
        Part { content_type: b"application/rlmi+xml", content_id, body: body.as_bytes() }
    }

    fn read<'a>(content_type: &str, body: &'a str) -> Result<Vec<Part<'a>>, Error> {
        let limits = Limits { mime_parts_max: 2, ..Limits::default() };
        parts(ContentType::parse(content_type.as_bytes()), body.as_bytes(), &limits)
    }

    #[test]
    fn parts_are_written_as_the_lync_client_wants_them() {
        let written = related(&[part("list", "<list/>"), part("sip:b@c", "<c/>")]);
        assert_eq!(
            written.content_type,
            "multipart/related; type=\"application/rlmi+xml\"; start=\"<list>\"; boundary=part-0-mynah"
        );
        let text = "--part-0-mynah\r\nContent-ID: <list>\r\nContent-Type: application/rlmi+xml\r\n\r\n\
            <list/>\r\n\r\n--part-0-mynah\r\nContent-ID: <sip:b@c>\r\n\
            Content-Type: application/rlmi+xml\r\n\r\n<c/>\r\n\r\n--part-0-mynah--\r\n";
        assert_eq!(String::from_utf8(written.body).unwrap(), text);
    }

    #[test]
    fn a_boundary_stands_in_no_part() {
        let body = "a\r\n--part-0-mynah--\r\npart-2-mynahpart-1-mynah part-03-mynah part-3 part-";
        let written = related(&[part("", body), part("", "part-4-mynah")]);
        let content_type = ContentType::parse(written.content_type.as_bytes());
        assert_eq!(content_type.param("boundary"), Some(&b"part-5-mynah"[..]));
        let read = parts(content_type, &written.body, &Limits::default()).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].body, format!("{body}\r\n").as_bytes());
    }

    #[test]
    fn parts_are_read_with_their_heads() {
        let body = "preamble\r\n--x\r\ncontent-type: text/plain;\r\n a=b\r\nContent-Id: <1>\r\n\r\n\
            one --x\r\n--xy\r\n--x \t\r\n\r\n\r\n--x--\r\nepilogue --x";
        let read = read("multipart/mixed; boundary=\"x\"", body).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].content_type, b"text/plain;\r\n a=b");
        assert_eq!(read[0].content_id, b"1");
        assert_eq!(read[0].body, b"one --x\r\n--xy");
        assert_eq!(read[1], Part { content_type: b"", content_id: b"", body: b"" });
    }

    #[test]
    fn sections_tell_where_the_body_of_each_part_is() {
        let body = b"--x\r\nContent-Transfer-Encoding: 8bit\r\n\r\none\r\n--x\r\n\r\n--x--";
        let content_type = ContentType::parse(b"multipart/mixed; boundary=x");
        let read = sections(content_type, body, &Limits::default()).unwrap();
        assert_eq!(read[0].transfer_encoding, b"8bit");
        assert_eq!((read[0].part.body, &body[read[0].body.clone()]), (&b"one"[..], &b"one"[..]));
        assert_eq!((read[1].transfer_encoding, read[1].body.len()), (&b""[..], 0));
        assert!(body[read[1].body.start..].starts_with(b"\r\n--x--"));
    }

    #[test]
    fn what_is_malformed_is_refused_with_its_reason() {
        let long = format!("a/b; boundary={}", "x".repeat(71));
        for (content_type, body, error) in [
            ("multipart/related", "--x--", Error::Boundary),
            ("multipart/related; boundary=", "--x--", Error::Boundary),
            (&*long, "--x--", Error::Boundary),
            ("a/b; boundary=x", "", Error::Unterminated),
            ("a/b; boundary=x", "--x\r\n\r\nbody", Error::Unterminated),
            ("a/b; boundary=x", "a--x--", Error::Unterminated),
            ("a/b; boundary=x", "--x\r\nno head\r\n\r\n--x--", Error::Head),
            ("a/b; boundary=x", "--x\r\na: b\r\n--x--", Error::Head),
            (
                "a/b; boundary=x",
                "--x\r\nContent-Type: a/b\r\nContent-type: c/d\r\n\r\n--x--",
                Error::Head,
            ),
            ("a/b; boundary=x", &"--x\r\n\r\n\r\n".repeat(5), Error::TooManyParts),
        ] {
            assert_eq!(read(content_type, body).err(), Some(error), "{content_type} {body}");
            assert!(!error.reason().is_empty());
        }
    }

    const FRAGMENTS: &[&str] =
        &["--b", "--", "\r\n", "\n", "Content-Type: a/b", "Content-ID: <c>", "x", " ", ":", "\r"];

    proptest! {
        #[test]
        fn any_octets_are_read_or_refused(
            pieces in vec(proptest::sample::select(FRAGMENTS), 0..24)
        ) {
            fuzz::multipart(pieces.concat().as_bytes());
            fuzz::multipart(format!("--b\r\n{}\r\n--b--", pieces.concat()).as_bytes());
        }
    }
}
