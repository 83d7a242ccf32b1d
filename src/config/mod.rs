//! Layer 1: `mynah.toml`: schema, defaults, validation with line and column, and what a reload may
//! change. Text in, [`Settings`] out: reading the file is the command line's business.
//!
//! [`parse`] reads the text into `schema` (serde: types, unknown keys) and checks what holds
//! between keys; `tuning/mynah.toml` shows every key with its default.

mod change;
pub mod error;
pub mod filter;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod hep;
pub mod ldap;
mod limits;
mod parse;
pub mod policy;
pub mod quantity;
pub mod reload;
mod schema;
pub mod settings;
#[cfg(test)]
mod tests;

pub use change::{Change, differences};
pub use error::{Error, Problem};
pub use filter::{
    ClientAction, ClientFilter, ClientRule, FileAction, FileFilter, ImFilter, LinkAction, Operator,
};
pub use hep::Hep;
pub use ldap::Ldap;
pub use parse::parse;
pub use policy::{Availability, CustomState, Policies, Policy};
pub use reload::{Setting, changes, reloaded};
pub use settings::{
    Api, AuthMethod, Certificate, DigestAlgorithm, Listen, Log, LogFormat, NtlmVersion, Settings,
};
