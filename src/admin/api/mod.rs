//! The API for other applications: presence as documents, as a stream of events and as icons for web
//! pages, and the accounts of users for a help desk. It has a listener of its own, and each request
//! but those for what anybody may read shows a token.
//!
//! | file | what it holds |
//! |---|---|
//! | `server`, `routes` | what there is, what role it takes, and what all answers share |
//! | `admission` | who asks: tokens, roles, lock-out |
//! | `problem` | refusals (RFC 9457) |
//! | `presence`, `document` | presence, of one user or of a list |
//! | `events` | presence as a stream (server-sent events) |
//! | `icon`, `embed` | presence as a picture, and the script and page that show it |
//! | `photos` | pictures of users |
//! | `versioned` | what pictures share: sent once for each version |
//! | `users` | accounts |
//! | `cors` | which web sites may ask from a browser |
//! | `backend` | what all of it works with |

mod admission;
pub mod backend;
mod cors;
mod document;
mod embed;
mod events;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod icon;
mod photos;
mod presence;
mod problem;
mod request;
mod routes;
mod server;
#[cfg(test)]
mod tests;
mod users;
mod versioned;

pub use super::carrier::Offer;
pub use backend::{Backend, Watch};
pub use server::{Api, serve};
