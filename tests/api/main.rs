//! The API of the real server over real sockets, beside real SIP clients.

#[path = "../outside/mod.rs"]
mod outside;

mod accounts;
mod client;
mod configuration;
mod description;
mod icons;
mod photos;
mod presence;
mod restart;
mod tokens;
