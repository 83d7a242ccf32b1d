//! Load generator for SIP instant-messaging servers: real endpoints, open-loop pacing, honest
//! latencies.
//!
//! ```text
//! cli, run, engine, connection     threads, sockets, signals, files
//! meter, timeline, report, page    what the run and the server used; what comes of it
//! driver, scenario                 phases; what users do
//! world                            one thread's users, timers and counts
//! endpoint, link                   one SIP client; one connection without its socket
//! scan template digest answer …    octets and values
//! ```
//!
//! Everything from `driver` down is pure: time comes in as an argument, octets go in and out
//! through buffers.

pub mod abort;
pub mod answer;
pub mod auth_params;
pub mod cli;
pub mod clock;
pub mod compare;
pub mod conference;
mod connection;
pub mod control;
pub mod dialog;
pub mod digest;
pub mod driver;
pub mod endpoint;
mod engine;
pub mod figure;
pub mod lanes;
pub mod link;
mod link_options;
pub mod markup;
pub mod meter;
pub mod ntlm;
pub mod number;
pub mod pacer;
pub mod page;
pub mod plan;
pub mod population;
mod probe;
pub mod profile;
pub mod progress;
pub mod publication;
pub mod registration;
pub mod report;
mod ring;
pub mod run;
pub mod scan;
pub mod scenario;
pub mod search;
pub mod settings;
pub mod signature;
pub mod stamp;
pub mod stats;
pub mod subscription;
pub mod template;
pub mod timeline;
pub mod tls;
pub mod transactions;
pub mod wheel;
pub mod world;
