//! Bodies that speak of presence, each as values: no memory, nothing of the domain.
//!
//! | file | media type |
//! |---|---|
//! | `publish` | `application/msrtc-category-publish+xml` |
//! | `categories` | `application/msrtc-event-categories+xml` |
//! | `roaming_self` | `application/vnd-microsoft-roaming-self+xml` |
//! | `containers` | members of containers, within others |
//! | `set_container_members` | `application/msrtc-setcontainermembers+xml` |
//! | `set_subscribers` | `application/msrtc-presence-setsubscriber+xml` |
//! | `fault` | `application/msrtc-fault+xml` |
//! | `batch_sub` | `application/msrtc-adrl-categorylist+xml` |
//! | `resource_lists` | `application/resource-lists+xml` (RFC 4826, RFC 5367) |
//! | `rlmi` | `application/rlmi+xml` (RFC 4662) |
//! | `pidf` | `application/pidf+xml` (RFC 3863, RFC 4479, RFC 4480) |
//! | `watcherinfo` | `application/watcherinfo+xml` (RFC 3858) |
//! | `time` | dates in any of them |

pub mod batch_sub;
pub mod categories;
pub mod containers;
mod error;
pub mod fault;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod pidf;
pub mod publish;
pub mod resource_lists;
pub mod rlmi;
pub mod roaming_self;
pub mod set_container_members;
pub mod set_subscribers;
#[cfg(test)]
mod tests;
pub mod time;
pub mod watcherinfo;

pub use error::Error;

use super::xml::{Document, Element};

/// The root of the document, if it is `name` of `namespace`.
fn root<'t>(document: &'t Document<'t>, namespace: &str, name: &str) -> Result<Element<'t>, Error> {
    let root = document.root();
    root.is(namespace, name).then_some(root).ok_or(Error::Root)
}

/// An attribute that has to be there and say something.
fn required<'t>(element: Element<'t>, name: &str) -> Result<&'t str, Error> {
    element.attribute(name).filter(|value| !value.is_empty()).ok_or(Error::Missing)
}

/// A number in decimal digits, without sign.
fn number<N: std::str::FromStr>(text: &str) -> Result<N, Error> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if digits { text.parse().map_err(|_| Error::Number) } else { Err(Error::Number) }
}

/// A truth value (XML Schema part 2 section 3.2.2).
fn boolean(text: &str) -> Result<bool, Error> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(Error::Value),
    }
}
