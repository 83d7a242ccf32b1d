//! What can be wrong with a document.

use crate::base::limits::Limit;

/// Why a document is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Error {
    /// Not UTF-8, or declared to be something else.
    Encoding,
    /// Longer than `sip_body_bytes_max`.
    TooLarge,
    /// A document type: could define entities without end.
    DocumentType,
    /// A processing instruction, or an XML declaration other than that of version 1.0 at the
    /// start.
    Instruction,
    /// A reference to an entity other than `amp`, `lt`, `gt`, `quot`, `apos`.
    Entity,
    /// A character that XML 1.0 does not allow (section 2.2), written or referred to.
    Character,
    /// The name of an element or an attribute is none (XML section 2.3, Namespaces section 4).
    Name,
    /// Attributes do not follow `name="value"`, or a value holds `<`.
    Attribute,
    /// An attribute stands twice.
    DuplicateAttribute,
    /// A prefix that is not declared, or a declaration that may not be.
    Namespace,
    /// The URI of a namespace is longer than `xml_namespace_bytes_max`.
    NamespaceTooLong,
    /// Tags do not nest, or end within.
    Nesting,
    /// No element, more than one, or text beside it.
    Root,
    /// Anything else that is not well-formed.
    Syntax,
    /// Deeper than `xml_depth_max`.
    TooDeep,
    /// More elements than `xml_elements_max`.
    TooManyElements,
    /// More attributes in one element, or more namespaces in scope, than `xml_attributes_max`.
    TooManyAttributes,
}

impl Error {
    /// A short text for the reason phrase or a Warning.
    pub const fn reason(self) -> &'static str {
        match self {
            Error::Encoding => "XML Is Not UTF-8",
            Error::TooLarge => "XML Too Large",
            Error::DocumentType => "XML With Document Type",
            Error::Instruction => "XML With Processing Instruction",
            Error::Entity => "Unknown XML Entity",
            Error::Character => "Character Not Allowed In XML",
            Error::Name => "Malformed XML Name",
            Error::Attribute => "Malformed XML Attribute",
            Error::DuplicateAttribute => "Duplicate XML Attribute",
            Error::Namespace => "Malformed XML Namespace",
            Error::NamespaceTooLong => "XML Namespace Too Long",
            Error::Nesting => "XML Tags Do Not Nest",
            Error::Root => "XML Without Single Root",
            Error::Syntax => "Malformed XML",
            Error::TooDeep => "XML Too Deep",
            Error::TooManyElements => "Too Many XML Elements",
            Error::TooManyAttributes => "Too Many XML Attributes",
        }
    }

    /// The bound that was hit, if it was one.
    pub const fn limit(self) -> Option<Limit> {
        match self {
            Error::TooLarge => Some(Limit::SipBodyBytes),
            Error::TooDeep => Some(Limit::XmlDepth),
            Error::TooManyElements => Some(Limit::XmlElements),
            Error::NamespaceTooLong => Some(Limit::XmlNamespaceBytes),
            Error::TooManyAttributes => Some(Limit::XmlAttributes),
            _ => None,
        }
    }
}
