//! What bodies in XML have in common: what can be wrong with one, and how values are read.

use super::xml::{self, Document, Element};
use crate::base::limits::Limit;

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

    /// The bound that was hit, if it was one.
    pub const fn limit(self) -> Option<Limit> {
        match self {
            Error::Xml(error) => error.limit(),
            _ => None,
        }
    }
}

impl From<xml::Error> for Error {
    fn from(error: xml::Error) -> Self {
        Error::Xml(error)
    }
}

/// The root of the document, if it is `name` of `namespace`.
pub(super) fn root<'t>(
    document: &'t Document<'t>,
    namespace: &str,
    name: &str,
) -> Result<Element<'t>, Error> {
    let root = document.root();
    root.is(namespace, name).then_some(root).ok_or(Error::Root)
}

/// An attribute that has to be there and say something.
pub(super) fn required<'t>(element: Element<'t>, name: &str) -> Result<&'t str, Error> {
    element.attribute(name).filter(|value| !value.is_empty()).ok_or(Error::Missing)
}

/// A number in decimal digits, without sign.
pub(super) fn number<N: std::str::FromStr>(text: &str) -> Result<N, Error> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if digits { text.parse().map_err(|_| Error::Number) } else { Err(Error::Number) }
}

/// A truth value (XML Schema part 2 section 3.2.2).
pub(super) fn boolean(text: &str) -> Result<bool, Error> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::Value),
    }
}
