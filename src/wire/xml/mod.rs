//! XML as it comes in bodies: a bounded reader, a writer, and self-contained copies.
//!
//! [`Document`] reads a body in linear time into a small tree: no document type, no processing
//! instructions, no entities but the five predefined ones and character references. Names,
//! characters and namespaces are checked, so what [`Element::copy_to`] writes is well-formed for
//! any other reader: one user's publication cannot spoil the document another user is sent.
//!
//! | file | what it holds |
//! |---|---|
//! | `parse` | octets to tree |
//! | `tree` | the tree and how it is read |
//! | `copy` | an element as text which is complete in itself |
//! | `write` | escaping, and a writer of documents |
//! | `character` | which characters XML allows |

mod character;
mod copy;
mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod parse;
#[cfg(test)]
mod tests;
mod tree;
mod write;

pub use error::Error;
pub use tree::{Children, Document, Element};
pub use write::{Writer, escape_attribute, escape_text};

/// The namespace of `xsi:type` (XML Schema part 1 section 2.6).
pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The namespace every document has under the prefix `xml` (Namespaces in XML section 3).
const XML: &str = "http://www.w3.org/XML/1998/namespace";
