//! Listening sockets, one a core on the same address.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address asked for.
    pub address: SocketAddr,
    /// What the kernel said.
    pub source: io::Error,
}

/// One socket for each of `cores`, all on `address`; the kernel spreads connections over them.
/// With port 0 the kernel chooses the port once. All are bound before any is used, so a server
/// that starts has every address it was told to have.
pub fn bind(address: SocketAddr, cores: u16) -> Result<Vec<TcpListener>, BindError> {
    let failed = |source| BindError { address, source };
    let mut sockets = Vec::with_capacity(usize::from(cores));
    let mut exact = address;
    for _ in 0..cores.max(1) {
        let socket = bind_one(exact).map_err(failed)?;
        exact = socket.local_addr().map_err(failed)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn bind_one(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        // `[::]` is both families, whatever net.ipv6.bindv6only says.
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // What is accepted inherits it. Answers are small and awaited; the flush coalesces them.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_zero_is_one_port_for_all_cores() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 3).unwrap();
        let addresses: Vec<_> = sockets.iter().map(|s| s.local_addr().unwrap()).collect();
        assert_ne!(addresses[0].port(), 0);
        assert!(addresses.iter().all(|address| *address == addresses[0]));
    }

    #[test]
    fn an_address_that_is_not_ours_is_named_in_the_error() {
        let error = bind("192.0.2.1:5061".parse().unwrap(), 1).unwrap_err();
        assert!(error.to_string().starts_with("cannot listen on 192.0.2.1:5061: "), "{error}");
    }

    #[test]
    fn the_unspecified_ipv6_address_is_both_families() {
        let Ok(both) = bind("[::]:0".parse().unwrap(), 1) else {
            // A kernel without IPv6 has no such address.
            return;
        };
        let port = both[0].local_addr().unwrap().port();
        assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    }
}
