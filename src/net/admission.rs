//! Who is let in, and who is not.

use std::net::{IpAddr, SocketAddr, TcpStream};

use ipnet::IpNet;

use super::carrier::Carrier;
use super::connection::{Connection, Phase};
use super::deadlines::Timer;
use super::door::Door;
use super::inner::Inner;
use super::readiness::Source;
use super::tls::Session;
use crate::base::ids::Slot;
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::base::transport::Transport;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;

/// Log cause of a failed accept, beside those of closed connections.
pub(super) const ACCEPT_FAILED: usize = CloseReason::COUNT;

impl<M: Machine, C: Carrier> Inner<M, C> {
    pub fn admit(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        door: Door,
        now: Now,
    ) -> Option<Slot> {
        // Another server goes elsewhere when it is refused; a client wants to be told.
        let leaves = self.leaving.is_some() && door == Door::Links;
        let exempt = is_exempt(&self.exempt, peer.ip());
        let refused = if self.drain.is_some() || leaves {
            Some((None, CloseReason::Drain))
        } else if door == Door::Tls && !exempt && !self.handshakes.allow(peer.ip(), now) {
            Some((Some(Limit::HandshakeRatePerAddress), CloseReason::Refused))
        } else if !self.addresses.enter(peer.ip(), exempt) {
            Some((Some(Limit::ConnectionsPerAddress), CloseReason::Refused))
        } else {
            None
        };
        for _ in 0..self.handshakes.take_evicted() {
            self.machine.counters().hit(Limit::HandshakeAddresses);
        }
        if let Some((limit, reason)) = refused {
            self.refuse(peer, limit, reason, now);
            return None;
        }
        let offered = match door {
            Door::Links => self.offers.links.as_ref(),
            Door::Tcp => None,
            Door::Tls => self.offers.clients.as_ref(),
        };
        let tls = match (door.transport(), offered) {
            (Transport::Tcp, _) => None,
            (Transport::Tls, Some(config)) => match Session::new(config.clone()) {
                Ok(session) => Some(Box::new(session)),
                Err(error) => {
                    self.addresses.leave(peer.ip());
                    tracing::error!(%error, "no TLS session can be made");
                    self.refuse(peer, None, CloseReason::Tls, now);
                    return None;
                }
            },
            (Transport::Tls, None) => {
                self.addresses.leave(peer.ip());
                self.refuse(peer, None, CloseReason::Tls, now);
                return None;
            }
        };
        let connection = Box::new(Connection::new(stream, peer, door, tls, now.mono_ms));
        let Ok(slot) = self.connections.insert(connection) else {
            self.addresses.leave(peer.ip());
            self.refuse(peer, Some(Limit::Connections), CloseReason::Refused, now);
            return None;
        };
        let watched = self
            .connections
            .get_mut(slot)
            .map(|connection| self.sockets.add(&connection.stream, Source::Connection(slot)));
        if let Some(Err(error)) = watched {
            self.connections.remove(slot);
            self.addresses.leave(peer.ip());
            self.accept_failed(&error.to_string());
            self.refuse(peer, None, CloseReason::Refused, now);
            return None;
        }
        if door.transport() == Transport::Tls {
            self.handshaking += 1;
            self.handshakes.begin(now);
        }
        let current = self.connections.streams() as u64;
        let counters = self.machine.counters();
        counters.count(Series::ConnectionsOpened);
        counters.set(Series::ConnectionsCurrent, current);
        self.arm_near(slot);
        self.wheel.arm(now.after(self.limits.idle_timeout), Timer::Far(slot));
        Some(slot)
    }

    /// Closes a connection that is not let in.
    pub fn refuse(
        &mut self,
        peer: SocketAddr,
        limit: Option<Limit>,
        reason: CloseReason,
        now: Now,
    ) {
        let counters = self.machine.counters();
        counters.close(reason);
        if let Some(limit) = limit {
            counters.hit(limit);
        }
        if let Some(held_back) = self.log.pass(now, reason as usize) {
            let limit = limit.map_or("", Limit::name);
            tracing::warn!(%peer, reason = reason.name(), limit, held_back, "connection refused");
        }
    }

    /// Drops a connection whose socket is shut down.
    pub fn remove(&mut self, slot: Slot) {
        let Some(connection) = self.connections.remove(slot) else { return };
        if connection.phase == Phase::Handshake {
            self.handshaking = self.handshaking.saturating_sub(1);
        }
        self.addresses.leave(connection.peer.ip());
        if connection.link.is_some() {
            self.links = self.links.saturating_sub(1);
            self.machine.counters().set(Series::LinksCurrent, self.links as u64);
        }
        let current = self.connections.streams() as u64;
        self.machine.counters().set(Series::ConnectionsCurrent, current);
    }

    /// Nothing can be accepted now.
    pub fn accept_failed(&mut self, error: &str) {
        let now = self.clock.now();
        self.machine.counters().count(Series::AcceptFailures);
        if let Some(held_back) = self.log.pass(now, ACCEPT_FAILED) {
            tracing::error!(error, held_back, "cannot accept; trying again (LimitNOFILE?)");
        }
    }
}

/// True when an address is in one of the networks that the bounds of an address do not bind.
pub(super) fn is_exempt(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}
