//! The pass over the lines of a head.

use super::{Field, HEADERS_MAX, Head, NONE, Span, Start};
use crate::base::limits::Limits;
use crate::wire::sip::error::{Error, StreamError};
use crate::wire::sip::header::HeaderName;
use crate::wire::sip::method::Method;
use crate::wire::sip::octets;

/// Longest method name; a first word that is longer is not SIP.
const METHOD_BYTES_MAX: usize = 32;

/// Where indexing an unfinished head stopped. Octets before `scanned` are not looked at again to
/// find the end of the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::wire::sip) struct Cursor {
    /// Start of the line that is not complete yet, continuation lines included.
    line: usize,
    scanned: usize,
    count: usize,
}

impl Head {
    /// Takes complete lines from `cursor` on; true when the blank line came. Each octet from
    /// `cursor.scanned` on is looked at once; the result does not depend on how the octets were
    /// cut into calls.
    pub(in crate::wire::sip) fn scan(
        &mut self,
        cursor: &mut Cursor,
        bytes: &[u8],
        limits: &Limits,
    ) -> Result<bool, StreamError> {
        let head_max = limits.sip_head_bytes_max.min(usize::from(u16::MAX));
        let line_max = limits.sip_header_line_bytes_max;
        let count_max = limits.sip_header_count_max.min(HEADERS_MAX);
        let method_len = if cursor.line == 0 { sniff(bytes)? } else { 0 };
        let Cursor { mut line, mut scanned, mut count } = *cursor;
        loop {
            let at = octets::next_control(bytes, scanned);
            let line_end_max = line.saturating_add(line_max);
            if at > line_end_max.min(head_max) {
                return Err(too_long(line_end_max, head_max));
            }
            let after = match line_end(bytes, at)? {
                LineEnd::Crlf(after) => after,
                LineEnd::Unknown => {
                    *cursor = Cursor { line, scanned: at, count };
                    return Ok(false);
                }
                LineEnd::None { allowed } => {
                    if !allowed {
                        self.note(Error::HeaderValue);
                    }
                    scanned = at + 1;
                    continue;
                }
            };
            scanned = at + 2;
            if scanned > head_max {
                return Err(StreamError::HeadTooLong);
            }
            if line == 0 {
                self.start_line(bytes.get(..at).unwrap_or(&[]), method_len)?;
                self.start_line_len = scanned as u16;
            } else if at == line {
                self.len = scanned as u16;
                return Ok(true);
            } else {
                match after {
                    Some(b' ' | b'\t') => continue,
                    Some(_) if count < count_max => self.field(bytes, line, at, count),
                    Some(_) => return Err(StreamError::TooManyHeaders),
                    None => {
                        *cursor = Cursor { line, scanned: at, count };
                        return Ok(false);
                    }
                }
                count += 1;
            }
            line = scanned;
        }
    }

    /// Takes the header line at `start..end`.
    #[inline(always)]
    fn field(&mut self, bytes: &[u8], start: usize, end: usize, place: usize) {
        let line = bytes.get(start..end).unwrap_or(&[]);
        let (name, name_len, colon) = match HeaderName::at_start(bytes.get(start..).unwrap_or(&[]))
        {
            // A name in the table holds no line end, nor does a token: the colon is in the line.
            Some((name, len)) if name != HeaderName::Other => (name, len, len),
            Some((name, len)) if line.get(..len).is_some_and(octets::is_token) => (name, len, len),
            _ => split_name(line).unwrap_or((HeaderName::Other, 0, line.len())),
        };
        let value = line.get(colon + 1..).unwrap_or(&[]);
        let value_end = end - (value.len() - octets::trim_end(value).len());
        let value_start = (end - octets::trim_start(value).len()).min(value_end);
        let field = Field {
            name,
            name_span: Span::new(start, start + name_len),
            value: Span::new(value_start, value_end),
        };
        if name_len > 0 {
            self.count_field(name, place);
        } else {
            self.note(Error::HeaderName);
        }
        if let Some(slot) = self.fields.get_mut(place) {
            *slot = field;
            self.count = place as u8 + 1;
        }
    }

    #[inline(always)]
    fn count_field(&mut self, name: HeaderName, place: usize) {
        if name == HeaderName::Via {
            self.via_count = self.via_count.saturating_add(1);
        }
        let Some(first) = self.first.get_mut(name as usize) else { return };
        if *first == NONE {
            *first = place as u8;
        } else if name == HeaderName::ContentLength {
            self.content_length_twice = true;
        } else if name.is_single() {
            self.note(Error::DuplicateHeader(name));
        }
    }

    /// Takes the start line, given without its CRLF. The URI is judged later, by `rules`.
    fn start_line(&mut self, line: &[u8], method_len: usize) -> Result<(), StreamError> {
        if line.get(method_len) == Some(&b'/') {
            self.status_line(line);
            return Ok(());
        }
        let uri_end = match line.strip_suffix(b" SIP/2.0") {
            Some(start) => start.len(),
            None => self.odd_version(line)?,
        };
        self.start = Start::Request {
            method: Method::from_bytes(line.get(..method_len).unwrap_or(&[])),
            text: Span::new(0, method_len),
            uri: Span::new((method_len + 1).min(uri_end), uri_end),
        };
        Ok(())
    }

    /// The end of the URI in a request line that does not end as it should.
    fn odd_version(&mut self, line: &[u8]) -> Result<usize, StreamError> {
        let trimmed = octets::trim_end(line);
        if trimmed.len() != line.len() {
            self.note(Error::StartLine);
        }
        let uri_end = memchr::memrchr(b' ', trimmed).ok_or(StreamError::NotSip)?;
        let version = trimmed.get(uri_end + 1..).unwrap_or(&[]);
        if !version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
            return Err(StreamError::NotSip);
        }
        self.version(version);
        Ok(uri_end)
    }

    fn status_line(&mut self, line: &[u8]) {
        let version_len = memchr::memchr(b' ', line).unwrap_or(line.len());
        self.version(line.get(..version_len).unwrap_or(&[]));
        let rest = line.get(version_len + 1..).unwrap_or(&[]);
        let (code, status) = match rest.split_at_checked(3) {
            Some((code, [] | [b' ', ..])) => (code, octets::digits(code)),
            _ => (rest, None),
        };
        let status = match status {
            Some(status @ 100..=699) => status as u16,
            _ => {
                self.note(Error::StatusCode);
                0
            }
        };
        let reason = (version_len + 1 + code.len() + 1).min(line.len());
        self.start = Start::Response { status, reason: Span::new(reason, line.len()) };
    }

    fn version(&mut self, version: &[u8]) {
        if version == b"SIP/2.0" || version.eq_ignore_ascii_case(b"SIP/2.0") {
            return;
        }
        let number = version.get(4..).unwrap_or(&[]);
        let numbers = number.split(|&octet| octet == b'.').map(octets::digits);
        let well_formed = numbers.clone().count() == 2 && numbers.flatten().count() == 2;
        self.note(if well_formed { Error::Version } else { Error::StartLine });
    }
}

/// What a control octet is to the line it stands in.
enum LineEnd {
    /// CRLF ends the line; the octet behind it, if it is there.
    Crlf(Option<u8>),
    /// It cannot be told yet.
    Unknown,
    /// It does not end the line.
    None {
        /// It may stand in a line: it is HTAB.
        allowed: bool,
    },
}

/// Judges the control octet at `at`, or the end of `bytes`.
#[inline(always)]
fn line_end(bytes: &[u8], at: usize) -> Result<LineEnd, StreamError> {
    match bytes.get(at..) {
        Some([b'\r', b'\n', after, ..]) => Ok(LineEnd::Crlf(Some(*after))),
        Some([b'\r', b'\n']) => Ok(LineEnd::Crlf(None)),
        Some([] | [b'\r']) | None => Ok(LineEnd::Unknown),
        Some([b'\r' | b'\n' | 0, ..]) => Err(StreamError::LineEnding),
        Some([octet, ..]) => Ok(LineEnd::None { allowed: *octet == b'\t' }),
    }
}

/// The bound that was reached first.
#[cold]
fn too_long(line_end_max: usize, head_max: usize) -> StreamError {
    if line_end_max <= head_max { StreamError::LineTooLong } else { StreamError::HeadTooLong }
}

/// Refuses other protocols by their first word: a method is at most [`METHOD_BYTES_MAX`] token
/// octets and a space; a response starts with `SIP/`. The length of the word, or of what is there
/// of it. The rest of the start line is judged when it is whole.
#[inline]
fn sniff(bytes: &[u8]) -> Result<usize, StreamError> {
    let len = octets::span(bytes.get(..METHOD_BYTES_MAX).unwrap_or(bytes), octets::TOKEN);
    match bytes.get(len) {
        None => Ok(len),
        Some(b' ') if len > 0 => Ok(len),
        Some(b'/') if bytes.get(..len).is_some_and(|w| w.eq_ignore_ascii_case(b"SIP")) => Ok(len),
        Some(_) => Err(StreamError::NotSip),
    }
}

/// Name, length of the name as written, and place of the colon; `None` when no token followed by
/// at most blanks stands before the colon.
#[inline(never)]
fn split_name(line: &[u8]) -> Option<(HeaderName, usize, usize)> {
    let colon = memchr::memchr(b':', line)?;
    let written = trim_blanks_end(line.get(..colon)?);
    octets::is_token(written).then_some((HeaderName::from_bytes(written), written.len(), colon))
}

/// Only SP and HTAB may stand between the name and the colon: a fold there would hide a header
/// from a parser that reads line by line.
fn trim_blanks_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}
