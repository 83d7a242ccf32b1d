//! Sockets, TLS and executors with a stand-in for the shard: what `net` and `runtime` promise,
//! without SIP behind them.

mod client;
mod stand_in;

mod basics;
mod cores;
mod durations;
mod faults;
mod limits;
mod links;
mod pages;
mod rows;
mod timers;
mod tls;
