//! SIP on the wire (RFC 3261).
//!
//! Octets come in as [`Framer`] input; it cuts one message and fills a [`Head`]: offsets, not
//! copies. [`Message`] is the view over the octets and the head; it types a header when it is
//! asked for one. [`Writer`] builds messages, [`Rewrite`] copies one with edits.
//!
//! Nothing here keeps a memory of earlier messages, allocates, or panics on any input.

pub mod auth;
pub mod error;
pub mod framer;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
pub mod head;
pub mod header;
pub mod list;
pub mod mask;
pub mod message;
pub mod method;
pub mod name_addr;
mod octets;
pub mod params;
#[cfg(test)]
mod properties;
pub mod rewrite;
mod rules;
#[cfg(test)]
mod samples;
pub mod signed;
pub mod status;
pub mod uri;
pub mod via;
pub mod write;

pub use auth::Credentials;
pub use error::{Error, StreamError};
pub use framer::{Framed, Framer};
pub use head::{Field, Head, Span};
pub use header::{HeaderName, HeaderSet};
pub use message::{CSeq, Message};
pub use method::Method;
pub use name_addr::NameAddr;
pub use params::Params;
pub use rewrite::Rewrite;
pub use signed::SignedParts;
pub use uri::Uri;
pub use via::Via;
pub use write::{Response, Writer};
