//! Layer 5: HTTP for operators: `/metrics` for Prometheus, `/healthz` for load balancers,
//! `/presence`, `/contacts` and `/watchers` of a user and `/conferences` for the command line,
//! `/trace` of what a user's clients say, `/doctor` and `/refusals` of what was refused, `/console`
//! for people, `/custom-states/` for clients, through a proxy that has a certificate. There is no
//! authentication; the address belongs on loopback or a closed network. Questions about a user or a
//! conference are answered to the machine of the server alone, and so are orders: to end a
//! conference, to reload and to drain.
//!
//! [`api`] is for other applications: a listener of its own, with authentication.
//!
//! What the answers are made of comes from the runtime through [`Sources`], for the counters live
//! on the cores.

pub mod account;
pub mod accounts;
mod advice;
pub mod api;
mod carrier;
pub mod certificates;
pub mod conference_report;
mod conferences;
mod console;
pub mod diagnosis;
mod health;
mod limit_hits;
mod listener;
pub mod operation;
mod operations;
mod page;
mod process;
mod questions;
pub mod report;
mod sender;
mod server;
#[cfg(test)]
mod tests;
pub mod trace;
mod wording;

pub use health::Health;
pub use operations::DRAIN_MS_MAX;
pub use server::{Sources, serve};
pub use trace::Trace;
