//! Acknowledging at once what came of a message that is not whole yet.
//!
//! The Lync client writes a message in two pieces on a socket with Nagle's algorithm: the second
//! leaves when the first is acknowledged, and a receiver with nothing to answer takes 40 ms for
//! that. Measured with pidgin-sipe: 43 ms for each message without this, under 1 ms with it.

use std::net::TcpStream;

/// Sends the acknowledgement that the system holds back. A failure costs the 40 ms.
pub fn send(stream: &TcpStream) {
    let _ = rustix::net::sockopt::set_tcp_quickack(stream, true);
}
