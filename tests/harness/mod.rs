//! Shards without sockets: a network of them in one thread, and clients that speak to it in
//! octets. What a test reads of a message it reads with [`text`], not with the server's own parser.

#![allow(dead_code, unused_imports, reason = "each test binary uses its part")]

pub mod chorus;
pub mod client;
pub mod conference;
pub mod digest;
pub mod fanout;
pub mod net;
pub mod ntlm;
pub mod presence;
pub mod rounds;
pub mod shelf;
pub mod text;

pub use client::{Client, Device, Dialog, established};
pub use net::{Link, Net};
pub use text::{Request, Text};

/// The domain of all users.
pub const DOMAIN: &str = "example.test";
/// The password of all users.
pub const PASSWORD: &str = "secret";
/// `host:port` of the server's Via and Record-Route.
pub const SENT_BY: &str = "fe01.example.test:5061";
