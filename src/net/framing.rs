//! Octets of one connection become messages, and each is handled by the machine.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::carrier::Carrier;
use super::connection::Phase;
use super::inner::Inner;
use super::reading::READ;
use crate::base::ids::Slot;
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::input::Input;
use crate::wire::sip::{Framed, Head, Message, Method, StreamError};

/// Time after which the messages that are left of a read wait for another wake-up, looked at
/// after every few messages.
const TURN: Duration = Duration::from_micros(500);
const TURN_LOOK: u32 = 8;
/// The answer to a keep-alive ping (RFC 5626 section 4.4.1).
const PONG: Bytes = Bytes::from_static(b"\r\n");

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Frames the connection's own buffer, which begins with the front of a message.
    pub fn frame_carry(&mut self, slot: Slot, now: Now) {
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
    pub fn frame(&mut self, slot: Slot, octets: &[u8], now: Now) {
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
        let began = Instant::now();
        let mut consumed = 0;
        let mut messages = 0u32;
        while let Some(rest) = octets.get(consumed..)
            && !rest.is_empty()
        {
            let Some(connection) = self.connections.get_mut(slot) else { break };
            if connection.phase != Phase::Open {
                break;
            }
            let turn_over = messages % TURN_LOOK == TURN_LOOK - 1 && began.elapsed() > TURN;
            if turn_over || self.carrier.congested() {
                connection.unfinished = true;
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
                    if let Some(conn) = self.party(slot, message, now) {
                        if !self.taps.is_empty() {
                            self.overhear_received(slot, conn, message, now);
                        }
                        self.handle_of(slot, conn, now, Input::Malformed { conn, message, error });
                    }
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
        if let Some(conn) = self.party(slot, message, now) {
            if !self.taps.is_empty() {
                self.overhear_received(slot, conn, message, now);
            }
            self.handle_of(slot, conn, now, Input::Message { conn, message });
        }
    }

    /// Framing is lost: the machine may answer once, then the connection ends.
    fn broken(&mut self, slot: Slot, octets: &[u8], head: &Head, error: StreamError, now: Now) {
        if let Some(limit) = limit_of(error) {
            self.machine.counters().hit(limit);
        }
        let message = Message::new(octets, head);
        if let Some(conn) = self.party(slot, message, now) {
            self.handle_of(slot, conn, now, Input::Broken { conn, message, error });
        }
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
            connection.outbound.push(PONG, VecDeque::new);
        }
        self.mark_dirty(slot);
    }

    /// Holds the messages that are handled until the flush, and keeps the time at which the message
    /// in progress began, and its timer.
    fn note_progress(&mut self, slot: Slot, messages: u32, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        self.holding.hold(messages, connection.learned);
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
}

/// The bound that a stream error hit.
const fn limit_of(error: StreamError) -> Option<Limit> {
    match error {
        StreamError::BodyTooLong => Some(Limit::SipBodyBytes),
        StreamError::HeadTooLong => Some(Limit::SipHeadBytes),
        StreamError::LineTooLong => Some(Limit::SipHeaderLineBytes),
        StreamError::TooManyHeaders => Some(Limit::SipHeaderCount),
        _ => None,
    }
}
