//! What can be wrong with the octets: with one message, or with the whole stream.

use super::header::HeaderName;

/// A message breaks a rule although its frame is known: it is refused, the stream goes on.
/// Also what the typed readers return.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// The start line is not `Method SP Request-URI SP SIP-Version` or
    /// `SIP-Version SP Status-Code SP Reason-Phrase` (RFC 3261 section 7).
    StartLine,
    /// A SIP version other than 2.0.
    Version,
    /// The status code is not three digits from 100 to 699.
    StatusCode,
    /// The Request-URI is not a URI.
    RequestUri,
    /// A header line does not begin with a token, SP or HTAB, and a colon; or a continuation line
    /// follows the start line.
    HeaderName,
    /// A control octet other than HTAB stands in the start line or in a header line.
    HeaderValue,
    /// A mandatory header is missing (RFC 3261 section 8.1.1).
    MissingHeader(HeaderName),
    /// A header that may stand once stands more than once (RFC 3261 section 7.3.1).
    DuplicateHeader(HeaderName),
    /// Via.
    Via,
    /// From, To, Contact, Route or another header of the form `name-addr`.
    NameAddr,
    /// A URI.
    Uri,
    /// CSeq is not a number below 2^31 and a method.
    CSeq,
    /// The method of the CSeq is not the method of the request.
    CSeqMethod,
    /// Call-ID is empty or holds octets it may not.
    CallId,
    /// Max-Forwards is not a number from 0 to 255.
    MaxForwards,
    /// Expires is not a number.
    Expires,
    /// Parameters do not follow `;name=value`, or one that may stand once stands twice.
    Params,
    /// Credentials or a challenge: not `scheme name=value, ...`, a name twice, or too many.
    Credentials,
}

impl Error {
    /// The status a request with this error is answered with.
    pub const fn status(self) -> u16 {
        match self {
            Error::Version => 505,
            _ => 400,
        }
    }

    /// A short text for the reason phrase or a Warning.
    pub const fn reason(self) -> &'static str {
        match self {
            Error::StartLine => "Malformed Start Line",
            Error::Version => "Version Not Supported",
            Error::StatusCode => "Malformed Status Code",
            Error::RequestUri => "Malformed Request-URI",
            Error::HeaderName => "Malformed Header Name",
            Error::HeaderValue => "Control Octet In Header",
            Error::MissingHeader(name) => name.missing(),
            Error::DuplicateHeader(name) => name.duplicate(),
            Error::Via => "Malformed Via",
            Error::NameAddr => "Malformed Address",
            Error::Uri => "Malformed URI",
            Error::CSeq => "Malformed CSeq",
            Error::CSeqMethod => "CSeq Method Does Not Match",
            Error::CallId => "Malformed Call-ID",
            Error::MaxForwards => "Malformed Max-Forwards",
            Error::Expires => "Malformed Expires",
            Error::Params => "Malformed Parameters",
            Error::Credentials => "Malformed Credentials",
        }
    }
}

/// Where the next message begins is not known any more, or the peer does not speak SIP: answer
/// once if a request is recognisable, then close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamError {
    /// The octets are another protocol's, or noise.
    NotSip,
    /// The head is longer than `sip_head_bytes_max`.
    HeadTooLong,
    /// A header line with its continuation lines is longer than `sip_header_line_bytes_max`.
    LineTooLong,
    /// More header lines than `sip_header_count_max`.
    TooManyHeaders,
    /// A bare CR, a bare LF, or NUL: parsers differ on where such a line ends.
    LineEnding,
    /// No Content-Length, which a stream needs (RFC 3261 section 18.3).
    ContentLengthMissing,
    /// Content-Length is not 1 to 10 digits, or does not fit 32 bits.
    ContentLengthInvalid,
    /// Content-Length stands more than once.
    ContentLengthDuplicate,
    /// The body is longer than `sip_body_bytes_max`.
    BodyTooLong,
}

impl StreamError {
    /// The status of the one answer before the close.
    pub const fn status(self) -> u16 {
        match self {
            StreamError::HeadTooLong | StreamError::LineTooLong => 413,
            StreamError::BodyTooLong => 513,
            StreamError::NotSip
            | StreamError::TooManyHeaders
            | StreamError::LineEnding
            | StreamError::ContentLengthMissing
            | StreamError::ContentLengthInvalid
            | StreamError::ContentLengthDuplicate => 400,
        }
    }

    /// A short text for the reason phrase, a log line or a label.
    pub const fn reason(self) -> &'static str {
        match self {
            StreamError::NotSip => "Not SIP",
            StreamError::HeadTooLong => "Head Too Long",
            StreamError::LineTooLong => "Header Line Too Long",
            StreamError::TooManyHeaders => "Too Many Headers",
            StreamError::LineEnding => "Malformed Line Ending",
            StreamError::ContentLengthMissing => "Missing Content-Length",
            StreamError::ContentLengthInvalid => "Malformed Content-Length",
            StreamError::ContentLengthDuplicate => "Duplicate Content-Length",
            StreamError::BodyTooLong => "Message Too Large",
        }
    }
}
