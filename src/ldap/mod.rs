//! Layer 5: a directory service asked by LDAP (RFC 4511), such as OpenLDAP or Active Directory.
//!
//! A [`Client`] is one connection: protected, bound, and asked for [pages](Pages) of entries, for
//! the entries of one user, or whether a password is right. Every wait has a bound, so a server that
//! accepts connections and never answers costs `directory.ldap.timeout` and no more. What becomes of
//! the answers is the business of `runtime::ldap_users`; how that does stands on a [`Board`].
//!
//! Sign-in asks nobody here: it works with what was copied into the store. NTLM and Digest prove
//! that a password is known without showing it, so there is nothing a bind could be tried with; and
//! Basic, which shows it, must be neither offered nor taken (RFC 3261 section 22.2).

mod board;
mod client;
mod fault;
mod find;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
mod pages;
mod tls;

pub use board::Board;
pub use client::{Client, Verdict, check_files};
pub use fault::Fault;
pub use find::filter_of_user;
pub use pages::Pages;
