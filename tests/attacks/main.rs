//! Attacks on the real server through its sockets. After each the server lives, serves another
//! client as before, and a counter names what happened. The numbers in the tests' comments are
//! the cases of the threat list.

#[path = "../api/client.rs"]
#[allow(dead_code, reason = "it does more than these tests need")]
mod application;
#[path = "../harness/mod.rs"]
mod harness;
#[path = "../outside/mod.rs"]
mod outside;
#[path = "../siege/mod.rs"]
mod siege;

mod conference;
mod credentials;
mod descriptors;
mod dialogs;
mod flood;
mod framing;
mod identity;
mod notes;
mod ntlm;
mod presence;
mod sieges;
mod slow;
mod table;
mod target;
mod tls;
mod watchers;
