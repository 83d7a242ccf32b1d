//! What can be wrong with a body that speaks of presence.

use crate::wire::xml;

/// Why a body is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// It is not XML, or not within the bounds.
    Xml(xml::Error),
    /// It is another document than its media type says.
    Root,
    /// An attribute or an element is missing that has to be there.
    Missing,
    /// A number is none, or too large.
    Number,
    /// A value is none of those that are defined.
    Value,
    /// More of one thing than a request may have.
    TooMany,
}

impl Error {
    /// A short text for the reason phrase or a Warning.
    pub const fn reason(self) -> &'static str {
        match self {
            Error::Xml(error) => error.reason(),
            Error::Root => "Body Does Not Match Content-Type",
            Error::Missing => "Missing Element Or Attribute",
            Error::Number => "Malformed Number",
            Error::Value => "Unknown Value",
            Error::TooMany => "Too Many Elements",
        }
    }
}

impl From<xml::Error> for Error {
    fn from(error: xml::Error) -> Self {
        Error::Xml(error)
    }
}
