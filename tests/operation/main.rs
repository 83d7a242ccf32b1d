//! What an operator does to a server that runs: reload it, drain it, restart it, and have it stand
//! the return of all users. The real binary, through its sockets and its command line.

#[path = "../outside/mod.rs"]
mod outside;

mod drain;
mod handover;
mod reload;
mod storm;
