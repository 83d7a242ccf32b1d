//! Layer 2: endpoints of a user.
//!
//! [`Registrar`] holds the bindings of one address-of-record on its home shard; [`gruu`] names
//! one of its endpoints in a URI; [`admission`] says how many may sign in at once.

pub mod admission;
mod binding;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod gruu;
#[expect(clippy::module_inception, reason = "the machine bears the word of the standard")]
mod registrar;
mod request;

pub use binding::Binding;
pub use registrar::{Change, ChangeKind, RegisterError, Registrar, Removal};
pub use request::{Contact, Contacts, Register};
