//! The head of a message as offsets: start line, header lines, and where the first header of each
//! name stands. Nothing is copied and nothing typed.

use super::error::{Error, StreamError};
use super::header::HeaderName;
use super::method::Method;
use super::octets;
use crate::base::limits::Limits;

/// Places for header lines in a [`Head`]; `sip_header_count_max` above it has no effect.
pub const HEADERS_MAX: usize = 128;

/// Longest method name; a first word that is longer is not SIP.
const METHOD_BYTES_MAX: usize = 32;

/// In [`Head::first`]: the message has no header of that name.
const NONE: u8 = u8::MAX;

/// A range of offsets into the octets of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first octet.
    pub start: u16,
    /// Offset behind the last octet.
    pub end: u16,
}

impl Span {
    /// The octets of the range; empty when it lies outside of `bytes`.
    #[inline(always)]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or(&[])
    }

    /// Offsets of a head are below 65,536: `Head::scan` refuses a longer one first.
    #[inline(always)]
    fn new(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && end <= usize::from(u16::MAX));
        Span { start: start as u16, end: end as u16 }
    }
}

/// One header line with its continuation lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field {
    /// Which header it is.
    pub name: HeaderName,
    /// The name as written. Its start is the start of the line.
    pub name_span: Span,
    /// The value without blanks around it; the folds inside it are left.
    pub value: Span,
}

/// What the start line holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Request { method: Method, text: Span, uri: Span },
    Response { status: u16, reason: Span },
}

/// The index of one message head. The caller owns it and uses it again for the next message; it
/// holds no memory outside itself.
#[derive(Clone, Debug)]
pub struct Head {
    start: Start,
    /// Octets of the start line with its CRLF.
    start_line_len: u16,
    /// Octets of the whole head with the blank line.
    len: u16,
    content_length: u32,
    /// The first message rule found broken while indexing.
    error: Option<Error>,
    content_length_twice: bool,
    count: u8,
    via_count: u8,
    /// Place of the first header of each name in `fields`, or [`NONE`].
    first: [u8; HeaderName::COUNT],
    fields: [Field; HEADERS_MAX],
}

const _: () = assert!(HEADERS_MAX < NONE as usize, "places and NONE are told apart in one octet");

/// Where indexing an unfinished head stopped. Octets before `scanned` are not looked at again to
/// find the end of the head.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Start of the line that is not complete yet, continuation lines included.
    line: usize,
    scanned: usize,
    count: usize,
}

impl Default for Head {
    fn default() -> Self {
        Head::new()
    }
}

impl Head {
    /// An index of nothing.
    pub fn new() -> Self {
        Head {
            start: Start::Response { status: 0, reason: Span::default() },
            start_line_len: 0,
            len: 0,
            content_length: 0,
            error: None,
            content_length_twice: false,
            count: 0,
            via_count: 0,
            first: [NONE; HeaderName::COUNT],
            fields: [Field::default(); HEADERS_MAX],
        }
    }

    /// Indexes the head at the start of `bytes` in one pass: `Some(length of the head)`, or `None`
    /// when the blank line has not come yet. A broken message rule does not stop it; see
    /// [`Head::error`].
    ///
    /// # Errors
    /// When the frame cannot be known; the header lines before the fault are indexed then.
    pub fn index(&mut self, bytes: &[u8], limits: &Limits) -> Result<Option<usize>, StreamError> {
        self.reset();
        let mut cursor = Cursor::default();
        if self.scan(&mut cursor, bytes, limits)? {
            return self.close(bytes, limits).map(Some);
        }
        Ok(None)
    }

    /// Forgets the last message.
    pub(super) fn reset(&mut self) {
        self.start = Start::Response { status: 0, reason: Span::default() };
        self.start_line_len = 0;
        self.len = 0;
        self.content_length = 0;
        self.error = None;
        self.content_length_twice = false;
        self.count = 0;
        self.via_count = 0;
        self.first = [NONE; HeaderName::COUNT];
    }

    /// Takes complete lines from `cursor` on; true when the blank line came. Each octet from
    /// `cursor.scanned` on is looked at once; the result does not depend on how the octets were
    /// cut into calls.
    pub(super) fn scan(
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
            if line == 0 {
                self.start_line(bytes.get(..at).unwrap_or(&[]), method_len)?;
                self.start_line_len = scanned as u16;
            } else if at == line {
                self.len = scanned as u16;
                return if scanned > head_max { Err(StreamError::HeadTooLong) } else { Ok(true) };
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

    /// Judges the Content-Length once the head is whole; the length of the head.
    pub(super) fn close(&mut self, bytes: &[u8], limits: &Limits) -> Result<usize, StreamError> {
        if self.content_length_twice {
            return Err(StreamError::ContentLengthDuplicate);
        }
        let field =
            self.first(HeaderName::ContentLength).ok_or(StreamError::ContentLengthMissing)?;
        let length = content_length(field.value.of(bytes))?;
        if length as usize > limits.sip_body_bytes_max {
            return Err(StreamError::BodyTooLong);
        }
        self.content_length = length;
        Ok(usize::from(self.len))
    }

    /// Header lines in the order of the message. A line without a valid name is there as
    /// [`HeaderName::Other`] with an empty value.
    #[inline]
    pub fn fields(&self) -> &[Field] {
        self.fields.get(..usize::from(self.count)).unwrap_or(&[])
    }

    /// The first header of that name.
    #[inline]
    pub fn first(&self, name: HeaderName) -> Option<&Field> {
        let place = *self.first.get(name as usize)?;
        // `NONE` lies outside of the fields.
        self.fields.get(usize::from(place))
    }

    /// The header lines from the first of that name on; the first one, if any, is it.
    #[inline]
    pub(super) fn tail_at(&self, name: HeaderName) -> &[Field] {
        let place = self.first.get(name as usize).copied().unwrap_or(NONE);
        self.fields().get(usize::from(place)..).unwrap_or(&[])
    }

    /// The first message rule found broken while indexing.
    pub fn error(&self) -> Option<Error> {
        self.error
    }

    /// Octets of the start line with its CRLF.
    pub fn start_line_len(&self) -> usize {
        usize::from(self.start_line_len)
    }

    /// Octets of the head with the blank line; 0 when the head is not whole.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Octets of the body as the Content-Length says.
    pub fn content_length(&self) -> usize {
        self.content_length as usize
    }

    /// Number of Via header lines; a line may hold a list.
    pub fn via_count(&self) -> usize {
        usize::from(self.via_count)
    }

    /// Whether the message is a request.
    #[inline]
    pub fn is_request(&self) -> bool {
        matches!(self.start, Start::Request { .. })
    }

    /// The method of a request, `None` for a response.
    #[inline]
    pub fn method(&self) -> Option<Method> {
        match self.start {
            Start::Request { method, .. } => Some(method),
            Start::Response { .. } => None,
        }
    }

    /// The method of a request as written; empty for a response.
    pub fn method_span(&self) -> Span {
        match self.start {
            Start::Request { text, .. } => text,
            Start::Response { .. } => Span::default(),
        }
    }

    /// The Request-URI; empty for a response.
    pub fn uri(&self) -> Span {
        match self.start {
            Start::Request { uri, .. } => uri,
            Start::Response { .. } => Span::default(),
        }
    }

    /// The status code of a response, 0 for a request.
    pub fn status(&self) -> u16 {
        match self.start {
            Start::Request { .. } => 0,
            Start::Response { status, .. } => status,
        }
    }

    /// The reason phrase of a response; empty for a request.
    pub fn reason(&self) -> Span {
        match self.start {
            Start::Request { .. } => Span::default(),
            Start::Response { reason, .. } => reason,
        }
    }

    #[cold]
    fn note(&mut self, error: Error) {
        self.error.get_or_insert(error);
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

/// `1*DIGIT` within 32 bits. Leading zeros are accepted up to ten digits in all.
fn content_length(value: &[u8]) -> Result<u32, StreamError> {
    if value.is_empty() || value.len() > 10 {
        return Err(StreamError::ContentLengthInvalid);
    }
    let mut length = 0u32;
    for &octet in value {
        let digit = octet.wrapping_sub(b'0');
        if digit > 9 {
            return Err(StreamError::ContentLengthInvalid);
        }
        length = length
            .checked_mul(10)
            .and_then(|tens| tens.checked_add(u32::from(digit)))
            .ok_or(StreamError::ContentLengthInvalid)?;
    }
    Ok(length)
}
