//! What befalls a server and its neighbours: it dies, its disk is full or held, a core stands still, and
//! whoever reads what it tells does not. The real binary, through its sockets. The numbers in the tests'
//! comments are the cases of the threat list.

#[path = "../outside/mod.rs"]
mod outside;

mod crash;
mod disk;
mod stall;
mod unread;
