//! The head of a message as offsets: start line, header lines, and where the first header of each
//! name stands. Nothing is copied and nothing typed.

use super::error::{Error, StreamError};
use super::header::HeaderName;
use super::method::Method;
use crate::base::limits::Limits;

mod scan;

pub(super) use scan::Cursor;

/// Places for header lines in a [`Head`]; `sip_header_count_max` above it has no effect.
pub const HEADERS_MAX: usize = 128;

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
