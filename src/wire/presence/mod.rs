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

pub use super::body::Error;

use super::body::{boolean, number, required, root};
