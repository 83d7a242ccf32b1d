//! One wake-up of a connection: octets in, messages to the machine.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_lite::AsyncRead;

use super::carrier::Carrier;
use super::connection::{Connection, Phase};
use super::outbound::Wire;
use super::partition::{Inner, READ};
use super::tls::{CARRY_MAX, TlsError};
use crate::base::ids::{ConnId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::input::Input;
use crate::wire::sip::{Framed, Head, Message, Method};

/// Reads of one wake-up; then other connections have their turn.
const READS: usize = 2;
/// The answer to a keep-alive ping (RFC 5626 section 4.4.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

/// What reading once came to.
enum Read {
    /// There may be more.
    Again,
    /// Nothing more to do until woken.
    Wait,
    /// The connection is at its end.
    End,
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Reads what has arrived and handles it. Ready when the connection is gone.
    pub fn step(&mut self, slot: Slot, now: Now, cx: &mut Context<'_>) -> Poll<()> {
        let Some(connection) = self.connections.get_mut(slot) else { return Poll::Ready(()) };
        if connection.waker.is_none() {
            connection.waker = Some(cx.waker().clone());
        }
        if !connection.outbound.is_empty() || connection.phase == Phase::Closing {
            self.flush_one(slot, now);
        }
        for _ in 0..READS {
            let read = self.read(slot, now, cx);
            self.settle(now);
            match read {
                Read::Again => {}
                Read::Wait => return Poll::Pending,
                Read::End => {
                    self.remove(slot);
                    return Poll::Ready(());
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn read(&mut self, slot: Slot, now: Now, cx: &mut Context<'_>) -> Read {
        let Some(connection) = self.connections.get_mut(slot) else { return Read::End };
        match connection.phase {
            Phase::Handshake | Phase::Open => {}
            Phase::HalfClosed => return Read::Wait,
            Phase::Closing if !connection.shut => return Read::Wait,
            Phase::Closing if connection.eof => return Read::End,
            Phase::Closing | Phase::Gone => return self.discard(slot, cx),
        }
        if self.carrier.congested() {
            if !std::mem::replace(&mut connection.paused, true) {
                self.paused.push(slot);
            }
            return Read::Wait;
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
        match Pin::new(&mut connection.stream).poll_read(cx, room) {
            Poll::Pending => Read::Wait,
            Poll::Ready(Ok(0)) => {
                self.end_of_input(slot, now);
                Read::Again
            }
            Poll::Ready(Ok(len)) => {
                connection.heard_ms = now.mono_ms;
                self.received(slot, start + len, now);
                Read::Again
            }
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => Read::Again,
            Poll::Ready(Err(error)) => {
                tracing::debug!(peer = %connection.peer, %error, "read failed");
                self.close(slot, CloseReason::Reset, now);
                Read::End
            }
        }
    }

    /// Looks at a connection that is closing: what still comes is thrown away.
    fn discard(&mut self, slot: Slot, cx: &mut Context<'_>) -> Read {
        let Some(connection) = self.connections.get_mut(slot) else { return Read::End };
        self.buffers.incoming.resize(CARRY_MAX + READ, 0);
        let room = self.buffers.incoming.get_mut(..READ).unwrap_or_default();
        match Pin::new(&mut connection.stream).poll_read(cx, room) {
            Poll::Pending => Read::Wait,
            Poll::Ready(Ok(1..)) if connection.phase == Phase::Closing => Read::Again,
            Poll::Ready(_) => Read::End,
        }
    }

    /// Handles the first `len` octets of the core's receive buffer.
    fn received(&mut self, slot: Slot, len: usize, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let buffers = &mut self.buffers;
        let incoming = buffers.incoming.get_mut(..len).unwrap_or_default();
        let Connection { stream, tls, outbound, waker, carry, .. } = &mut **connection;
        let Some(tls) = tls else {
            // The machine may send to this connection while it handles what is borrowed here, so
            // the buffer leaves its place meanwhile.
            self.machine.counters().add(Series::BytesReceived, len as u64);
            if carry.is_empty() {
                let incoming = std::mem::take(&mut buffers.incoming);
                self.frame(slot, incoming.get(..len).unwrap_or_default(), now);
                self.buffers.incoming = incoming;
            } else {
                carry.extend_from_slice(incoming);
                self.frame_carry(slot, now);
            }
            return;
        };

        let carries = !carry.is_empty();
        let before = carry.len();
        let plain = if carries { carry } else { &mut buffers.plain };
        if !carries {
            plain.clear();
        }
        let octets = &mut buffers.scratch.outgoing;
        octets.clear();
        let received = tls.receive(incoming, plain, octets);
        let plain_len = plain.len() - before;
        let handshaking = tls.is_handshaking();
        let mut failed = None;
        if !octets.is_empty()
            && let Some(waker) = waker
        {
            failed = outbound.send_raw(&mut Wire { stream, waker, tls: None }, octets).err();
        }
        let was_handshaking = connection.phase == Phase::Handshake;
        self.machine.counters().add(Series::BytesReceived, plain_len as u64);
        if let Some(error) = failed {
            tracing::debug!(%error, "write failed");
            self.close(slot, CloseReason::Reset, now);
            return;
        }
        let peer_closed = match received {
            Ok(received) => received.peer_closed,
            Err(error) => {
                self.tls_failed(slot, &error, now);
                return;
            }
        };
        if was_handshaking && !handshaking {
            self.handshaken(slot, now);
        }
        if plain_len > 0 {
            if carries {
                self.frame_carry(slot, now);
            } else {
                let plain = std::mem::take(&mut self.buffers.plain);
                self.frame(slot, &plain, now);
                self.buffers.plain = plain;
            }
        }
        if peer_closed {
            self.end_of_input(slot, now);
        }
    }

    fn handshaken(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.phase = Phase::Open;
        connection.since_ms = now.mono_ms;
        self.handshaking = self.handshaking.saturating_sub(1);
        self.open_gate();
        self.machine.counters().count(Series::Handshakes);
        self.arm_near(slot);
        self.opened(slot, now);
    }

    fn tls_failed(&mut self, slot: Slot, error: &TlsError, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        tracing::debug!(peer = %connection.peer, %error, "TLS failed");
        self.close(slot, CloseReason::Tls, now);
    }

    /// Frames the connection's own buffer, which begins with the front of a message.
    fn frame_carry(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let mut octets = std::mem::take(&mut connection.carry);
        let consumed = self.frame_octets(slot, &octets, now);
        let Some(connection) = self.connections.get_mut(slot) else { return };
        octets.drain(..consumed.min(octets.len()));
        if !octets.is_empty() && connection.phase == Phase::Open {
            connection.carry = octets;
        }
    }

    /// Frames a buffer of the core; what remains is carried over.
    fn frame(&mut self, slot: Slot, octets: &[u8], now: Now) {
        let consumed = self.frame_octets(slot, octets, now);
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if let Some(rest) = octets.get(consumed..)
            && !rest.is_empty()
            && connection.phase == Phase::Open
        {
            let missing = connection.framer.missing(rest.len()).unwrap_or_default();
            connection.carry.reserve_exact(rest.len() + missing.min(READ));
            connection.carry.extend_from_slice(rest);
        }
    }

    /// Cuts messages off the front of `octets` and has each handled; how many octets are done.
    fn frame_octets(&mut self, slot: Slot, octets: &[u8], now: Now) -> usize {
        let mut head = self.buffers.head.take().unwrap_or_default();
        let mut consumed = 0;
        let mut messages = 0u32;
        while let Some(rest) = octets.get(consumed..)
            && !rest.is_empty()
        {
            let Some(connection) = self.connections.get_mut(slot) else { break };
            if connection.phase != Phase::Open {
                break;
            }
            match connection.framer.next(rest, &self.limits, &mut head) {
                Ok(Framed::Incomplete) => break,
                Ok(Framed::KeepAlive { consumed: len, pings }) => {
                    consumed += len;
                    self.keep_alive(slot, pings, now);
                }
                Ok(Framed::Message { len }) => {
                    consumed += len;
                    messages += 1;
                    let message = Message::new(rest.get(..len).unwrap_or_default(), &head);
                    self.message(slot, message, now);
                }
                Ok(Framed::Malformed { len, error }) => {
                    consumed += len;
                    messages += 1;
                    connection.heard_message = true;
                    connection.requests_open = connection.requests_open.saturating_add(1);
                    let message = Message::new(rest.get(..len).unwrap_or_default(), &head);
                    let conn = ConnId::new(self.shard, slot);
                    self.handle(now, Input::Malformed { conn, message, error });
                }
                Err(error) => {
                    consumed = octets.len();
                    self.broken(slot, rest, &head, error, now);
                }
            }
        }
        self.buffers.head = Some(head);
        self.note_progress(slot, messages, now);
        consumed
    }

    fn message(&mut self, slot: Slot, message: Message<'_>, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.heard_message = true;
        if message.is_request() && message.method() != Method::Ack {
            connection.requests_open = connection.requests_open.saturating_add(1);
        }
        let conn = ConnId::new(self.shard, slot);
        self.handle(now, Input::Message { conn, message });
    }

    /// Framing is lost: the machine may answer once, then the connection ends.
    fn broken(
        &mut self,
        slot: Slot,
        octets: &[u8],
        head: &Head,
        error: crate::wire::sip::StreamError,
        now: Now,
    ) {
        let conn = ConnId::new(self.shard, slot);
        self.handle(now, Input::Broken { conn, message: Message::new(octets, head), error });
        self.close(slot, CloseReason::Framing, now);
    }

    fn keep_alive(&mut self, slot: Slot, pings: u32, now: Now) {
        let max = self.limits.keep_alives_per_second_max;
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if pings == 0 {
            return;
        }
        let allowed = connection.keep_alives.allow(now.mono_ms, pings, max);
        self.machine.counters().add(Series::KeepAlives, u64::from(pings));
        if !allowed {
            self.machine.counters().hit(Limit::KeepAliveRate);
            self.close(slot, CloseReason::Flood, now);
            return;
        }
        for _ in 0..pings {
            connection.outbound.push(PONG, Vec::new);
        }
        self.mark_dirty(slot);
    }

    /// Keeps the time at which the message in progress began, and its timer.
    fn note_progress(&mut self, slot: Slot, messages: u32, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !connection.framer.mid_message() {
            connection.message_ms = None;
        } else if messages > 0 || connection.message_ms.is_none() {
            connection.message_ms = Some(now.mono_ms);
        } else {
            return;
        }
        if connection.message_ms.is_some() {
            self.arm_near(slot);
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
