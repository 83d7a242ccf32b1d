//! Attacks on the real server through its sockets. After each the server lives, serves another
//! client as before, and a counter names what happened. The numbers in the tests' comments are
//! the cases of the threat list.

#[path = "../harness/mod.rs"]
mod harness;
#[path = "../outside/mod.rs"]
mod outside;

mod conference;
mod credentials;
mod flood;
mod framing;
mod identity;
mod ntlm;
mod presence;
mod slow;
mod target;
