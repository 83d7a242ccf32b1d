//! Conversations in octets with one to four shards in one thread: one test a behaviour.

#[path = "../harness/mod.rs"]
mod harness;

mod identity;
mod lockout;
mod registration;
mod session;
mod sign_in;
