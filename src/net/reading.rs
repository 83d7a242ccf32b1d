//! One wake-up of a connection: octets from the socket, through TLS, to the framer.

use std::io::{self, Read as _};

use super::carrier::Carrier;
use super::connection::{Connection, Phase};
use super::door::Door;
use super::inner::Inner;
use super::outbound::{FlushError, Wire};
use super::quick_ack;
use super::tls::{CARRY_MAX, TlsError};
use crate::base::ids::Slot;
use crate::base::time::Now;
use crate::metrics::counters::{CloseReason, TlsCipher};
use crate::metrics::names::Series;
use crate::shard::Machine;

/// Octets of one read: several records, or some 70 messages.
pub(super) const READ: usize = 64 * 1024;
/// Reads of one wake-up; then other connections have their turn.
const READS: usize = 2;

/// What reading once came to.
enum Read {
    /// There may be more.
    Again,
    /// Nothing more to do until woken.
    Wait,
    /// The connection is at its end.
    End,
}

/// What came of octets given to a TLS session.
struct Decrypted {
    /// Octets of plaintext.
    len: usize,
    /// They stand behind what the connection carries.
    carried: bool,
    handshaking: bool,
    peer_closed: bool,
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Reads what has arrived and handles it.
    pub fn step(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !connection.outbound.is_empty() || connection.phase == Phase::Closing {
            self.flush_one(slot, now);
        }
        for _ in 0..READS {
            let read = self.read(slot, now);
            self.settle(now);
            match read {
                Read::Again => {}
                Read::Wait => return,
                Read::End => return self.remove(slot),
            }
        }
        self.caught_up(slot);
        self.revisit(slot);
    }

    /// Once all that was read is handled, what is read next is what the core has learned of last.
    fn caught_up(&mut self, slot: Slot) {
        if let Some(connection) = self.connections.get_mut(slot)
            && !connection.unfinished
        {
            connection.learned = self.learned;
        }
    }

    fn read(&mut self, slot: Slot, now: Now) -> Read {
        let Some(connection) = self.connections.get_mut(slot) else { return Read::End };
        match connection.phase {
            Phase::Handshake | Phase::Open => {}
            Phase::HalfClosed => return Read::Wait,
            Phase::Closing if !connection.shut => return Read::Wait,
            Phase::Closing if connection.eof => return Read::End,
            Phase::Closing => return self.discard(slot),
            Phase::Gone => return Read::End,
        }
        if self.carrier.congested() {
            if !std::mem::replace(&mut connection.paused, true) {
                self.paused.push(slot);
            }
            return Read::Wait;
        }
        if std::mem::take(&mut connection.unfinished) {
            self.frame_carry(slot, now);
            self.caught_up(slot);
            self.end_if_closed(slot, now);
            return Read::Again;
        }
        let incoming = &mut self.buffers.incoming;
        // A step that panicked took the buffer with it.
        incoming.resize(CARRY_MAX + READ, 0);
        let carried = match &connection.tls {
            Some(tls) => tls.carry(),
            None => &[],
        };
        let start = carried.len();
        if let Some(front) = incoming.get_mut(..start) {
            front.copy_from_slice(carried);
        }
        let room = incoming.get_mut(start..).unwrap_or_default();
        let room = room.get_mut(..READ).unwrap_or_default();
        match connection.stream.read(room) {
            Ok(0) => {
                self.end_of_input(slot, now);
                Read::Again
            }
            Ok(len) => {
                connection.heard_ms = now.mono_ms;
                self.received(slot, start + len, now);
                self.read_on(slot, len)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.read_on(slot, 0),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Read::Again,
            Err(error) => {
                tracing::debug!(peer = %connection.peer, %error, "read failed");
                self.close(slot, CloseReason::Reset, now);
                Read::End
            }
        }
    }

    /// Whether to read on after `len` octets. A read that did not fill the buffer has emptied the
    /// socket, and what comes later is told anew, but the end of input is told only once.
    fn read_on(&mut self, slot: Slot, len: usize) -> Read {
        let Some(connection) = self.connections.get_mut(slot) else { return Read::End };
        let emptied = len < READ && !(connection.hangup && len > 0);
        if !emptied || connection.unfinished || !connection.is_reading() {
            return Read::Again;
        }
        let carries = connection.tls.as_ref().is_some_and(|tls| !tls.carry().is_empty());
        if carries || connection.message_ms.is_some() {
            quick_ack::send(&connection.stream);
        }
        Read::Wait
    }

    /// Looks at a connection that is closing: what still comes is thrown away.
    fn discard(&mut self, slot: Slot) -> Read {
        let Some(connection) = self.connections.get_mut(slot) else { return Read::End };
        self.buffers.incoming.resize(CARRY_MAX + READ, 0);
        let room = self.buffers.incoming.get_mut(..READ).unwrap_or_default();
        match connection.stream.read(room) {
            Ok(1..) => Read::Again,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Read::Wait,
            Ok(0) | Err(_) => Read::End,
        }
    }

    /// Handles the first `len` octets of the core's receive buffer.
    fn received(&mut self, slot: Slot, len: usize, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        self.machine.counters().add(Series::WireBytesReceived, len as u64);
        if connection.tls.is_some() {
            return self.received_tls(slot, len, now);
        }
        self.machine.counters().add(Series::BytesReceived, len as u64);
        if connection.carry.is_empty() {
            // The machine may send to this connection while it handles what is borrowed here, so
            // the buffer leaves its place meanwhile.
            let incoming = std::mem::take(&mut self.buffers.incoming);
            self.frame(slot, incoming.get(..len).unwrap_or_default(), now);
            self.buffers.incoming = incoming;
        } else {
            let incoming = self.buffers.incoming.get(..len).unwrap_or_default();
            connection.carry.extend_from_slice(incoming);
            self.frame_carry(slot, now);
        }
    }

    fn received_tls(&mut self, slot: Slot, len: usize, now: Now) {
        let decrypted = match self.decrypt(slot, len) {
            Ok(decrypted) => decrypted,
            Err(error) => {
                tracing::debug!(%error, "TLS failed");
                let reason = match error {
                    FlushError::Socket(_) => CloseReason::Reset,
                    FlushError::Tls(_) => CloseReason::Tls,
                };
                return self.close(slot, reason, now);
            }
        };
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if connection.phase == Phase::Handshake && !decrypted.handshaking {
            self.handshaken(slot, now);
        }
        self.machine.counters().add(Series::BytesReceived, decrypted.len as u64);
        if decrypted.len > 0 && decrypted.carried {
            self.frame_carry(slot, now);
        } else if decrypted.len > 0 {
            let plain = std::mem::take(&mut self.buffers.plain);
            self.frame(slot, &plain, now);
            self.buffers.plain = plain;
        }
        if decrypted.peer_closed
            && let Some(connection) = self.connections.get_mut(slot)
        {
            connection.eof = true;
            self.end_if_closed(slot, now);
        }
    }

    /// Gives the octets to the session and sends what it wants sent. Plaintext goes behind what
    /// the connection carries, or else to the core's buffer.
    fn decrypt(&mut self, slot: Slot, len: usize) -> Result<Decrypted, FlushError> {
        let Some(connection) = self.connections.get_mut(slot) else {
            return Err(TlsError::State.into());
        };
        let Connection { stream, tls: Some(tls), outbound, carry, .. } = &mut **connection else {
            return Err(TlsError::State.into());
        };
        let incoming = self.buffers.incoming.get_mut(..len).unwrap_or_default();
        let carried = !carry.is_empty();
        let plain = if carried { carry } else { &mut self.buffers.plain };
        if !carried {
            plain.clear();
        }
        let before = plain.len();
        let octets = &mut self.buffers.scratch.outgoing;
        octets.clear();
        let received = tls.receive(incoming, plain, octets);
        if !octets.is_empty() {
            let mut wire = Wire { stream, tls: None, sent: 0 };
            let result = outbound.send_raw(&mut wire, octets);
            self.machine.counters().add(Series::WireBytesSent, wire.sent);
            result?;
        }
        Ok(Decrypted {
            len: plain.len() - before,
            carried,
            handshaking: tls.is_handshaking(),
            peer_closed: received?.peer_closed,
        })
    }

    /// Ends the input of a peer that has closed, once its last message is handled.
    fn end_if_closed(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if connection.eof && !connection.unfinished {
            self.end_of_input(slot, now);
        }
    }

    fn handshaken(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.phase = Phase::Open;
        connection.since_ms = now.mono_ms;
        let door = connection.door;
        self.handshaking = self.handshaking.saturating_sub(1);
        let cipher = connection.tls.as_ref().map_or(TlsCipher::Other, |tls| tls.cipher());
        let counters = self.machine.counters();
        counters.count(Series::Handshakes);
        counters.handshake(cipher);
        self.arm_near(slot);
        match door {
            Door::Links => self.link_up(slot, now),
            Door::Tcp | Door::Tls => self.opened(slot, now),
        }
    }

    /// The peer sends no more. Requests of it that are still to be answered keep our side open.
    fn end_of_input(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.eof = true;
        if connection.phase == Phase::Open && connection.requests_open > 0 {
            connection.phase = Phase::HalfClosed;
            connection.since_ms = now.mono_ms;
            connection.message_ms = None;
            self.arm_near(slot);
        } else if matches!(connection.phase, Phase::Handshake | Phase::Open) {
            self.close(slot, CloseReason::Peer, now);
        }
    }
}
