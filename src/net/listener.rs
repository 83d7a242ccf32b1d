//! Listening sockets, one a core on the same address, and the loop that accepts from one.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::rc::Rc;
use std::time::Duration;

use futures_lite::future;
use glommio::net::AcceptedTcpStream;
use glommio::{GlommioError, TaskQueueHandle};
use socket2::{Domain, Protocol, Socket, Type};

use super::carrier::Carrier;
use super::door::Door;
use super::partition::Partition;
use crate::shard::Machine;

/// Connections that wait to be accepted; the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Pause after an accept that failed for want of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(100);
/// Connections accepted before other tasks have their turn.
const ACCEPTS: usize = 32;

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
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Accepts connections that come through `door` until the core drains; each becomes a task in `queue`.
#[allow(unsafe_code)]
pub async fn accept<M, C>(
    partition: Rc<Partition<M, C>>,
    listener: TcpListener,
    door: Door,
    queue: TaskQueueHandle,
) where
    M: Machine + 'static,
    C: Carrier + 'static,
{
    // SAFETY: `into_raw_fd` gives up the descriptor, so glommio's listener is its only owner.
    let listener = unsafe { glommio::net::TcpListener::from_raw_fd(listener.into_raw_fd()) };
    let mut accepted = 0;
    loop {
        poll_fn(|cx| partition.poll_gate(door, cx)).await;
        let drained = async {
            poll_fn(|cx| partition.poll_drain(cx)).await;
            None
        };
        let next = async { Some(listener.shared_accept().await) };
        match future::or(drained, next).await {
            None => return,
            Some(Ok(stream)) => enter(&partition, stream, door, queue),
            Some(Err(error)) if is_of_one_connection(&error) => {}
            Some(Err(error)) => {
                partition.accept_failed(&error.to_string());
                glommio::timer::sleep(BACK_OFF).await;
            }
        }
        accepted += 1;
        if accepted % ACCEPTS == 0 {
            glommio::executor().yield_task_queue_now().await;
        }
    }
}

fn enter<M, C>(
    partition: &Rc<Partition<M, C>>,
    accepted: AcceptedTcpStream,
    door: Door,
    queue: TaskQueueHandle,
) where
    M: Machine + 'static,
    C: Carrier + 'static,
{
    // Bound first: an accepted stream that is not bound would leak its descriptor.
    let stream = accepted.bind_to_executor();
    // A peer that has reset the connection already has no address any more.
    let Ok(peer) = stream.peer_addr() else { return };
    let Some(slot) = partition.open(stream, peer, door) else { return };
    let own = partition.clone();
    let task = async move { poll_fn(|cx| own.step(slot, cx)).await };
    match glommio::spawn_local_into(task, queue) {
        Ok(task) => drop(task.detach()),
        Err(error) => {
            partition.abandon(slot);
            partition.accept_failed(&error.to_string());
        }
    }
}

/// True when the fault is of the connection that was to be accepted, not of the listener.
fn is_of_one_connection(error: &GlommioError<()>) -> bool {
    matches!(error, GlommioError::IoError(error) if matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    ))
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
