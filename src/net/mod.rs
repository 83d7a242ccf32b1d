//! Layer 5: sockets and TLS. Everything here belongs to one core and runs on its executor.
//!
//! A [`Partition`](partition::Partition) is the connections of one core and the
//! [`Machine`](crate::shard::Machine) they speak to. One task visits the connections that are
//! ready, one after the other; each reads into buffers of the core, so an idle connection holds no
//! receive memory. What the machine wants sent is queued on the connection and leaves in one flush
//! at the end of the wake-up.
//!
//! A link, the connection of another server, carries many users. Each has a lane, which the
//! machine knows as a connection: what comes is told apart in `lane`, and `link` keeps them.
//!
//! Glommio's habits that shape this module: a panic in a task would kill the executor, so every
//! step is caught; its timers are dear, so all deadlines live in one wheel; its sockets ask the
//! ring for a poll after each read, so readiness comes from epoll and the ring tells only when
//! there is some.

mod accepting;
pub mod addresses;
mod admission;
pub mod carrier;
pub mod certificate_names;
pub mod certs;
pub mod clock;
mod closing;
mod connection;
mod connections;
mod deadlines;
pub mod door;
mod flushing;
mod framing;
pub mod handshakes;
mod holding;
pub mod inherited;
mod inner;
mod lane;
mod leaving;
mod link;
pub mod listener;
pub mod log_limit;
pub mod outbound;
pub mod partition;
mod quick_ack;
pub mod readiness;
mod reading;
pub mod tap;
pub mod tls;
pub mod validity;
mod visiting;
