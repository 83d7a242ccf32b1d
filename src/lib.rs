//! Mynah: an instant-messaging and presence Front End server.
//!
//! One package, in layers. A module may use modules of a smaller number only; `tests/layers.rs`
//! holds that, and that layers 0 to 4 are pure: no async, sockets, files, threads, clock or
//! ambient randomness.
//!
//! ```text
//! 7  main, cli        command line -> one command
//! 6  runtime          executors, mesh, boot, control, signals, watchdog
//! 5  net store admin ldap
//!                     sockets and TLS; durable rows; HTTP; a directory service
//! 4  shard            the owner of users and sessions: Input -> Output
//! 3  dialect          ms, simple: wire + sip <-> domain
//! 2  sip auth directory registrar contacts presence immcu records
//!                     state machines: handle(now, input), next_output(), next_deadline()
//! 1  config wire      settings; bytes <-> values
//! 0  base metrics     limits, ids, time, wheel, slab, seed; counters
//! ```
//!
//! The way of one MESSAGE: `net::connection` -> `wire::sip::framer` -> `shard` ->
//! `shard::dispatch_message` -> `immcu::session` -> `shard::frame` -> `runtime::mesh` ->
//! `net::connection` of the other core.

pub mod base;
pub mod metrics;

pub mod config;
pub mod wire;

pub mod auth;
pub mod contacts;
pub mod directory;
pub mod immcu;
pub mod presence;
pub mod records;
pub mod registrar;
pub mod sip;

pub mod dialect;

pub mod shard;

pub mod admin;
pub mod ldap;
pub mod net;
pub mod store;

pub mod runtime;

pub mod cli;

#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzz;
