//! What an operator does to a server that runs: reload it, drain it, restart it, keep a backup of it,
//! and have it stand the return of all users. The real binary, through its sockets and its command
//! line.

#[path = "../outside/mod.rs"]
mod outside;

mod backup;
mod drain;
mod ending;
mod handover;
mod reload;
mod storm;
