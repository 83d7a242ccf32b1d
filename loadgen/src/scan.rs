//! A small strict scanner for what a server sends: it cuts messages out of a stream and indexes
//! their headers. It is the generator's own, so that it does not share the server's mistakes.
//!
//! Strict means: a server that ends a line without CR, leaves out Content-Length or repeats a
//! header that may stand once has failed, and the connection with it.

use crate::number::read_number;
use std::fmt;

/// Longest head accepted, in octets.
pub const HEAD_MAX: usize = 65_536;
/// Longest body accepted, in octets.
pub const BODY_MAX: usize = 4 * 1_048_576;

/// What is wrong with the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// More than [`BODY_MAX`] octets announced.
    BodyTooLong,
    /// Content-Length is missing or not a number.
    ContentLength,
    /// CSeq is not a number and a method.
    CSeq,
    /// Call-ID, CSeq, From, To or Content-Length stands twice.
    Duplicate,
    /// More than [`HEAD_MAX`] octets without an empty line.
    HeadTooLong,
    /// A header line without a colon or with an empty or broken name.
    Header,
    /// A bare CR or LF, or a NUL.
    LineEnding,
    /// Via, From, To, Call-ID or CSeq is missing.
    Missing,
    /// Not a SIP/2.0 request or status line.
    StartLine,
}

impl fmt::Display for ScanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            ScanError::BodyTooLong => "body too long",
            ScanError::ContentLength => "Content-Length missing or invalid",
            ScanError::CSeq => "invalid CSeq",
            ScanError::Duplicate => "a header that may stand once is repeated",
            ScanError::HeadTooLong => "header section too long",
            ScanError::Header => "broken header line",
            ScanError::LineEnding => "a line does not end in CRLF",
            ScanError::Missing => "Via, From, To, Call-ID or CSeq missing",
            ScanError::StartLine => "not a SIP/2.0 start line",
        })
    }
}

/// One table of the headers that this program reads.
macro_rules! names {
    ($($(#[$doc:meta])* $variant:ident $text:literal $($compact:literal)?;)*) => {
        /// A header that this program reads.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Name { $($(#[$doc])* $variant,)*
            /// Any other header.
            Other,
        }

        impl Name {
            fn of(text: &[u8]) -> Name {
                match text.len() {
                    $($(1 if text.eq_ignore_ascii_case($compact.as_bytes()) => Name::$variant,)?
                    len if len == $text.len() && text.eq_ignore_ascii_case($text.as_bytes()) =>
                        Name::$variant,)*
                    _ => Name::Other,
                }
            }
        }
    };
}

names! {
    /// Authentication-Info
    AuthenticationInfo "authentication-info";
    /// Call-ID
    CallId "call-id" "i";
    /// Contact
    Contact "contact" "m";
    /// Content-Length
    ContentLength "content-length" "l";
    /// CSeq
    CSeq "cseq";
    /// Expires
    Expires "expires";
    /// From
    From "from" "f";
    /// ms-keep-alive
    MsKeepAlive "ms-keep-alive";
    /// Ms-Sender
    MsSender "ms-sender";
    /// P-Asserted-Identity
    PAssertedIdentity "p-asserted-identity";
    /// P-Preferred-Identity
    PPreferredIdentity "p-preferred-identity";
    /// Proxy-Authenticate
    ProxyAuthenticate "proxy-authenticate";
    /// Record-Route
    RecordRoute "record-route";
    /// SIP-ETag
    SipEtag "sip-etag";
    /// Subscription-State
    SubscriptionState "subscription-state";
    /// To
    To "to" "t";
    /// Via
    Via "via" "v";
    /// WWW-Authenticate
    WwwAuthenticate "www-authenticate";
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start..self.end).unwrap_or(&[])
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Start {
    #[default]
    None,
    Request {
        method: Span,
        uri: Span,
    },
    Response {
        status: u16,
    },
}

/// Where the headers of a message stand; filled by the scanner and reused for each message.
#[derive(Debug, Default)]
pub struct Index {
    start: Start,
    fields: Vec<(Name, Span)>,
    cseq: u32,
    cseq_method: Span,
    body: usize,
}

/// What stands at the front of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// More octets are needed.
    Incomplete,
    /// This many octets of keep-alive (CR LF) are to be dropped.
    KeepAlive(usize),
    /// A whole message of this many octets; the index describes it.
    Message(usize),
}

/// Cuts one stream into messages. It remembers how far it has looked.
#[derive(Debug, Default)]
pub struct Scanner {
    searched: usize,
    /// Lengths of the head and of the whole message at the front, once its head is complete.
    front: Option<(usize, usize)>,
}

impl Scanner {
    /// Looks at `buffer`, which begins at the first octet not consumed yet. After
    /// [`Step::KeepAlive`] and [`Step::Message`] the caller removes that many octets.
    pub fn next(&mut self, buffer: &[u8], index: &mut Index) -> Result<Step, ScanError> {
        if self.searched == 0 {
            let pings = buffer.iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
            if pings > 0 {
                return Ok(Step::KeepAlive(pings));
            }
        }
        if let Some((head, whole)) = self.front {
            if buffer.len() < whole {
                return Ok(Step::Incomplete);
            }
            // The index may have served another stream since.
            index.read(buffer.get(..head).unwrap_or(&[]))?;
            *self = Scanner::default();
            return Ok(Step::Message(whole));
        }
        let from = self.searched.saturating_sub(3);
        let rest = buffer.get(from..).unwrap_or(&[]);
        let Some(at) = memchr::memmem::find(rest, b"\r\n\r\n") else {
            self.searched = buffer.len();
            let fits = buffer.len() <= HEAD_MAX;
            return if fits { Ok(Step::Incomplete) } else { Err(ScanError::HeadTooLong) };
        };
        let head = from + at + 4;
        if head > HEAD_MAX {
            return Err(ScanError::HeadTooLong);
        }
        let whole = head + index.read(buffer.get(..head).unwrap_or(&[]))?;
        if buffer.len() < whole {
            self.searched = head;
            self.front = Some((head, whole));
            return Ok(Step::Incomplete);
        }
        *self = Scanner::default();
        Ok(Step::Message(whole))
    }
}

impl Index {
    /// Indexes a head (start line to empty line) and returns the body's length.
    fn read(&mut self, head: &[u8]) -> Result<usize, ScanError> {
        self.fields.clear();
        self.body = head.len();
        if memchr::memchr(0, head).is_some() {
            return Err(ScanError::LineEnding);
        }
        let mut at = 0;
        let mut first = true;
        loop {
            let rest = head.get(at..).unwrap_or(&[]);
            let Some(end) = memchr::memchr2(b'\r', b'\n', rest) else { break };
            if !rest.get(end..).is_some_and(|tail| tail.starts_with(b"\r\n")) {
                return Err(ScanError::LineEnding);
            }
            let line = Span { start: at, end: at + end };
            at += end + 2;
            if first {
                self.start = start_line(line.of(head), line.start)?;
                first = false;
            } else if end == 0 {
                break;
            } else {
                self.header_line(head, line)?;
            }
        }
        self.check(head)
    }

    fn header_line(&mut self, head: &[u8], line: Span) -> Result<(), ScanError> {
        let text = line.of(head);
        if text.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            let (_, span) = self.fields.last_mut().ok_or(ScanError::Header)?;
            span.end = line.end;
            return Ok(());
        }
        let colon = memchr::memchr(b':', text).ok_or(ScanError::Header)?;
        let name = text.get(..colon).unwrap_or(&[]).trim_ascii_end();
        if name.is_empty() || !name.iter().all(|&byte| is_token(byte)) {
            return Err(ScanError::Header);
        }
        let value = text.get(colon + 1..).unwrap_or(&[]);
        let start = line.start + colon + 1 + (value.len() - value.trim_ascii_start().len());
        let end = (line.end - (value.len() - value.trim_ascii_end().len())).max(start);
        self.fields.push((Name::of(name), Span { start, end }));
        Ok(())
    }

    fn check(&mut self, head: &[u8]) -> Result<usize, ScanError> {
        let count = |name| self.fields.iter().filter(|(n, _)| *n == name).count();
        if count(Name::Via) == 0 {
            return Err(ScanError::Missing);
        }
        for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
            match count(name) {
                0 => return Err(ScanError::Missing),
                1 => {}
                _ => return Err(ScanError::Duplicate),
            }
        }
        let length = match count(Name::ContentLength) {
            0 => return Err(ScanError::ContentLength),
            1 => self.value(Name::ContentLength),
            _ => return Err(ScanError::Duplicate),
        };
        let cseq = self.value(Name::CSeq);
        let text = cseq.of(head);
        let blank = text.iter().position(u8::is_ascii_whitespace).ok_or(ScanError::CSeq)?;
        let (number, method) = text.split_at(blank);
        self.cseq = read_number(number)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|&number| number < 1 << 31)
            .ok_or(ScanError::CSeq)?;
        let method_start = cseq.end - method.trim_ascii_start().len();
        self.cseq_method = Span { start: method_start, end: cseq.end };
        if let Start::Request { method, .. } = self.start
            && method.of(head) != self.cseq_method.of(head)
        {
            return Err(ScanError::CSeq);
        }
        let length = read_number(length.of(head)).ok_or(ScanError::ContentLength)?;
        usize::try_from(length)
            .ok()
            .filter(|&length| length <= BODY_MAX)
            .ok_or(ScanError::BodyTooLong)
    }

    /// First value of a header; empty when it is missing.
    fn value(&self, name: Name) -> Span {
        self.fields.iter().find(|(n, _)| *n == name).map_or(Span::default(), |&(_, span)| span)
    }
}

fn start_line(line: &[u8], offset: usize) -> Result<Start, ScanError> {
    if let Some(rest) = line.strip_prefix(b"SIP/2.0 ") {
        let (digits, after) = rest.split_at_checked(3).ok_or(ScanError::StartLine)?;
        let status = read_number(digits).and_then(|status| u16::try_from(status).ok());
        let status = status.filter(|s| (100..700).contains(s)).ok_or(ScanError::StartLine)?;
        if !(after.is_empty() || after.starts_with(b" ")) {
            return Err(ScanError::StartLine);
        }
        return Ok(Start::Response { status });
    }
    let line = line.strip_suffix(b" SIP/2.0").ok_or(ScanError::StartLine)?;
    let blank = memchr::memchr(b' ', line).ok_or(ScanError::StartLine)?;
    let (method, uri) = line.split_at(blank);
    let uri = uri.get(1..).unwrap_or(&[]);
    if method.is_empty()
        || !method.iter().all(|&b| is_token(b))
        || uri.is_empty()
        || uri.contains(&b' ')
    {
        return Err(ScanError::StartLine);
    }
    Ok(Start::Request {
        method: Span { start: offset, end: offset + blank },
        uri: Span { start: offset + blank + 1, end: offset + line.len() },
    })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte)
}

/// A whole message and where its headers stand.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    bytes: &'a [u8],
    index: &'a Index,
}

impl<'a> Message<'a> {
    /// The message that `index` describes; `bytes` are exactly its octets.
    pub fn new(bytes: &'a [u8], index: &'a Index) -> Self {
        Message { bytes, index }
    }

    /// Status code of a response; `None` for a request.
    pub fn status(&self) -> Option<u16> {
        match self.index.start {
            Start::Response { status } => Some(status),
            _ => None,
        }
    }

    /// Method of a request, or of the request that a response answers.
    pub fn method(&self) -> &'a [u8] {
        self.index.cseq_method.of(self.bytes)
    }

    /// Request-URI; empty for a response.
    pub fn uri(&self) -> &'a [u8] {
        match self.index.start {
            Start::Request { uri, .. } => uri.of(self.bytes),
            _ => &[],
        }
    }

    /// Number in CSeq.
    pub fn cseq(&self) -> u32 {
        self.index.cseq
    }

    /// First value of a header, as it stands; empty when the header is missing.
    pub fn value(&self, name: Name) -> &'a [u8] {
        self.values(name).next().unwrap_or(&[])
    }

    /// Every value of a header, in order; a comma list in one line stays one value.
    pub fn values(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let Message { bytes, index } = *self;
        index.fields.iter().filter(move |(n, _)| *n == name).map(move |(_, span)| span.of(bytes))
    }

    /// Every element of a header whose values are comma lists of addresses, in order.
    pub fn elements(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.values(name).flat_map(Elements)
    }

    /// Body.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(self.index.body..).unwrap_or(&[])
    }
}

/// Elements of a comma list; commas in quotes and in angle brackets do not separate.
struct Elements<'a>(&'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
        let end = self.0.iter().position(|&byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'<' if !quoted => bracketed = true,
                b'>' if !quoted => bracketed = false,
                _ => {}
            }
            byte == b',' && !quoted && !bracketed
        });
        let (element, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.get(1..).unwrap_or(&[]);
        let element = element.trim_ascii();
        if element.is_empty() && self.0.is_empty() { None } else { Some(element) }
    }
}

/// URI of an address header's value (`"Bob" <sip:bob@x>;tag=1` or `sip:bob@x;tag=1`).
pub fn uri_of(value: &[u8]) -> &[u8] {
    match split_address(value) {
        Some((uri, _)) => uri,
        None => value.split(|&b| b == b';').next().unwrap_or(&[]).trim_ascii(),
    }
}

/// Value of a parameter of an address header's value, without quotes; empty when it has none.
pub fn param_of<'a>(value: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = match split_address(value) {
        Some((_, params)) => params,
        None => memchr::memchr(b';', value).and_then(|at| value.get(at..))?,
    };
    loop {
        let at = memchr::memchr(b';', rest)?;
        rest = rest.get(at + 1..)?;
        let name_end = rest.iter().position(|b| matches!(b, b'=' | b';')).unwrap_or(rest.len());
        let found = rest.get(..name_end)?.trim_ascii().eq_ignore_ascii_case(name.as_bytes());
        let after = rest.get(name_end..)?;
        let Some(text) = after.strip_prefix(b"=") else {
            if found {
                return Some(&[]);
            }
            continue;
        };
        let text = text.trim_ascii_start();
        let (param, tail) = match text.strip_prefix(b"\"") {
            Some(inner) => {
                let end = memchr::memchr(b'"', inner)?;
                (inner.get(..end)?, inner.get(end + 1..)?)
            }
            None => text.split_at(memchr::memchr(b';', text).unwrap_or(text.len())),
        };
        if found {
            return Some(param.trim_ascii());
        }
        rest = tail;
    }
}

/// Text between angle brackets and what follows them; `None` when there are none.
fn split_address(value: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut quoted = false;
    let open = value.iter().position(|&byte| {
        quoted ^= byte == b'"';
        byte == b'<' && !quoted
    })?;
    let inner = value.get(open + 1..)?;
    let close = memchr::memchr(b'>', inner)?;
    Some((inner.get(..close)?, inner.get(close + 1..)?))
}

#[cfg(test)]
mod tests;
