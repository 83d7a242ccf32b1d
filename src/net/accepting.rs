//! Who knocks: connections taken from the listeners of a core while it has room for their
//! handshakes.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};

use rustix::net::SocketFlags;

use super::carrier::Carrier;
use super::door::Door;
use super::inner::Inner;
use super::readiness::Source;
use crate::base::limits::Limit;
use crate::base::time::{Deadline, Now};
use crate::base::transport::Transport;
use crate::metrics::counters::CloseReason;
use crate::shard::Machine;

/// Pause after an accept that failed for want of descriptors or memory, in milliseconds.
const BACK_OFF_MS: u64 = 100;
/// Connections accepted before others have their turn.
const ACCEPTS: usize = 32;

/// A listening socket of a core.
#[derive(Debug)]
pub(super) struct Listener {
    socket: TcpListener,
    door: Door,
    /// Somebody may wait in its backlog.
    knocked: bool,
    /// The bound for which who waits was found to wait.
    gated: Option<Limit>,
    /// No descriptor or memory before this time.
    rests_until: Option<Deadline>,
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Accepts from `socket` from now on.
    pub fn listen(&mut self, socket: TcpListener, door: Door) -> io::Result<()> {
        let number = u32::try_from(self.listeners.len()).unwrap_or(u32::MAX);
        socket.set_nonblocking(true)?;
        self.sockets.add(&socket, Source::Listener(number))?;
        self.listeners.push(Listener {
            socket,
            door,
            knocked: true,
            gated: None,
            rests_until: None,
        });
        Ok(())
    }

    /// Somebody waits in the backlog of listener `number`.
    pub fn knocked(&mut self, number: u32) {
        if let Some(listener) = self.listeners.get_mut(number as usize) {
            listener.knocked = true;
        }
    }

    /// True when [`accept_some`](Self::accept_some) would look.
    pub fn has_knocks(&self, now: Now) -> bool {
        self.listeners.iter().any(|listener| self.is_open(listener, now))
    }

    /// Accepts from every listener that has somebody and may; counts one that must wait because of
    /// handshakes.
    pub fn accept_some(&mut self, now: Now) {
        for number in 0..self.listeners.len() {
            for _ in 0..ACCEPTS {
                self.count_gated(number, now);
                let Some(listener) = self.listeners.get(number) else { break };
                if !self.is_open(listener, now) {
                    break;
                }
                let door = listener.door;
                match accept(&listener.socket) {
                    Ok((stream, peer)) => self.enter(stream, peer, door, now),
                    Err(error) if is_of_one_connection(&error) => {}
                    Err(error) => self.rest(number, &error, now),
                }
            }
        }
    }

    /// Whether the listener has somebody who may come in.
    fn is_open(&self, listener: &Listener, now: Now) -> bool {
        let rests = listener.rests_until.is_some_and(|until| !now.reached(until));
        listener.knocked && !rests && self.gate(listener.door, now).is_none()
    }

    /// The bound for which nobody may come in through `door` now.
    fn gate(&self, door: Door, now: Now) -> Option<Limit> {
        let shakes = door.transport() == Transport::Tls;
        if shakes && self.handshaking >= self.limits.handshakes_per_core_max.max(1) {
            return Some(Limit::Handshakes);
        }
        // Links are few, and nothing holds one that is refused.
        let waits = door == Door::Tls && !self.handshakes.has_room(now);
        waits.then_some(Limit::HandshakeRate)
    }

    /// Takes in a link that was accepted elsewhere; one too many in a handshake is refused, as no
    /// backlog holds it.
    pub fn take_link(&mut self, stream: TcpStream, peer: SocketAddr, now: Now) {
        if let Some(limit) = self.gate(Door::Links, now) {
            return self.refuse(peer, Some(limit), CloseReason::Refused, now);
        }
        self.enter(stream, peer, Door::Links, now);
    }

    fn enter(&mut self, stream: TcpStream, peer: SocketAddr, door: Door, now: Now) {
        let Some(slot) = self.admit(stream, peer, door, now) else { return };
        if door.transport() == Transport::Tcp {
            self.guarded(slot, now, |inner| inner.opened(slot, now));
        }
    }

    /// Counts once for each time that somebody has to wait because of handshakes.
    fn count_gated(&mut self, number: usize, now: Now) {
        let Some(listener) = self.listeners.get(number) else { return };
        let gate = if listener.knocked { self.gate(listener.door, now) } else { None };
        if let Some(listener) = self.listeners.get_mut(number)
            && std::mem::replace(&mut listener.gated, gate) != gate
            && let Some(limit) = gate
        {
            self.machine.counters().hit(limit);
        }
    }

    /// The backlog is empty, or nothing can be accepted for a while.
    fn rest(&mut self, number: usize, error: &io::Error, now: Now) {
        let Some(listener) = self.listeners.get_mut(number) else { return };
        if error.kind() == io::ErrorKind::WouldBlock {
            listener.knocked = false;
            return;
        }
        listener.rests_until = Some(Deadline(now.mono_ms.saturating_add(BACK_OFF_MS)));
        self.accept_failed(&error.to_string());
    }

    /// Accepts no more: whoever waits in a backlog is refused by the system, unless the socket is
    /// open elsewhere too, and then waits for whoever accepts from it next.
    pub fn stop_listening(&mut self) {
        for listener in self.listeners.drain(..) {
            self.sockets.remove(&listener.socket);
        }
    }
}

fn accept(socket: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let (stream, peer) = rustix::net::acceptfrom_with(socket, flags)?;
    let stream = TcpStream::from(stream);
    let peer = match peer.and_then(|peer| SocketAddr::try_from(peer).ok()) {
        Some(peer) => peer,
        None => stream.peer_addr()?,
    };
    Ok((stream, peer))
}

/// True when the fault is of the connection that was to be accepted, not of the listener. One that
/// was reset at once has no address any more.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::NotConnected
    )
}
