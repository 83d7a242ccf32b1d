//! Conversations in octets with one to four shards in one thread: one test a behaviour.

#[path = "../harness/mod.rs"]
mod harness;

mod forking;
mod identity;
mod lockout;
mod registration;
mod responses;
mod session;
mod sign_in;
mod timers;
mod vanish;
