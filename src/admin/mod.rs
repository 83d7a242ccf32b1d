//! Layer 5: HTTP for operators: `/metrics` for Prometheus and `/healthz` for load balancers, and
//! `/custom-states/` for clients, through a proxy that has a certificate. There is no
//! authentication and nothing to change here; the address belongs on loopback or a closed network.
//!
//! What the answers are made of comes from the runtime through [`Sources`], for the counters live
//! on the cores.

mod health;
mod listener;
mod page;
mod process;
mod server;
#[cfg(test)]
mod tests;

pub use health::Health;
pub use server::{Sources, serve};
