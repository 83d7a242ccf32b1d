//! What a core holds of one connection.

use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use super::door::Door;
use super::link::Link;
use super::outbound::Outbound;
use super::tls::Session;
use crate::base::limits::{Limit, Limits};
use crate::base::time::Deadline;
use crate::metrics::counters::CloseReason;
use crate::wire::sip::Framer;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The TLS handshake is in progress; the machine knows nothing of the connection.
    Handshake,
    /// Messages flow.
    Open,
    /// The peer sends no more, but requests of it are still to be answered.
    HalfClosed,
    /// What waits is written, then we close our side and wait for the peer to close its own.
    Closing,
    /// Shut down both ways; the next visit drops it.
    Gone,
}

/// One TCP or TLS stream.
pub(super) struct Connection {
    pub stream: TcpStream,
    pub door: Door,
    pub tls: Option<Box<Session>>,
    /// Its lanes, once it may carry users as a link.
    pub link: Option<Box<Link>>,
    pub outbound: Outbound,
    pub framer: Framer,
    /// The begun message, while it is partial.
    pub carry: Vec<u8>,
    pub peer: SocketAddr,
    pub phase: Phase,
    /// When the phase began.
    pub since_ms: u64,
    /// When the last octet came.
    pub heard_ms: u64,
    /// When the core learned of the octets that it reads or handles next.
    pub learned: Instant,
    /// When the message in progress began.
    pub message_ms: Option<u64>,
    /// The earliest near timer armed in the wheel; at most one or two are.
    pub near: Option<Deadline>,
    /// Requests of the peer without a final answer.
    pub requests_open: u32,
    pub keep_alives: Rate,
    /// A whole message came.
    pub heard_message: bool,
    /// The machine was told of the connection and not yet of its end.
    pub told: bool,
    /// In the list of connections to flush.
    pub dirty: bool,
    /// In the list of connections to visit, whatever their sockets say.
    pub expected: bool,
    /// In the list of those whose handshake waits for its turn.
    pub shaking: bool,
    /// The peer has closed its side or the socket has failed, and reading will show it.
    pub hangup: bool,
    /// In the list of connections that wait for the mesh.
    pub paused: bool,
    /// The carry may hold whole messages: the last wake-up had no time left for them.
    pub unfinished: bool,
    /// The peer closed its side.
    pub eof: bool,
    /// We closed our side.
    pub shut: bool,
}

impl Connection {
    pub fn new(
        stream: TcpStream,
        peer: SocketAddr,
        door: Door,
        tls: Option<Box<Session>>,
        now: u64,
    ) -> Self {
        Connection {
            stream,
            door,
            phase: if tls.is_some() { Phase::Handshake } else { Phase::Open },
            tls,
            link: None,
            outbound: Outbound::default(),
            framer: Framer::new(),
            carry: Vec::new(),
            peer,
            since_ms: now,
            heard_ms: now,
            learned: Instant::now(),
            message_ms: None,
            near: None,
            requests_open: 0,
            keep_alives: Rate::default(),
            heard_message: false,
            told: false,
            dirty: false,
            expected: false,
            shaking: false,
            hangup: false,
            paused: false,
            unfinished: false,
            eof: false,
            shut: false,
        }
    }

    /// True while octets of the peer are taken.
    pub fn is_reading(&self) -> bool {
        matches!(self.phase, Phase::Handshake | Phase::Open)
    }

    /// True while messages of the machine are taken.
    pub fn is_writable(&self) -> bool {
        matches!(self.phase, Phase::Open | Phase::HalfClosed)
    }

    /// Octets that may wait for the peer to read them, and the bound that says so.
    pub fn outgoing_max(&self, limits: &Limits) -> (usize, Limit) {
        match self.door {
            Door::Links => (limits.outgoing_bytes_per_link_max, Limit::LinkOutgoingBytes),
            Door::Tcp | Door::Tls => {
                (limits.outgoing_bytes_per_connection_max, Limit::OutgoingBytes)
            }
        }
    }

    /// The next of the short deadlines, and what it means when it passes.
    pub fn near_deadline(&self, limits: &Limits) -> Option<(Deadline, CloseReason)> {
        let after = |ms: u64, time: std::time::Duration| {
            Deadline(ms.saturating_add(time.as_millis() as u64))
        };
        match self.phase {
            Phase::Handshake => Some((
                after(self.since_ms, limits.handshake_timeout),
                CloseReason::HandshakeTimeout,
            )),
            Phase::Open => {
                let first = (!self.heard_message).then(|| {
                    (
                        after(self.since_ms, limits.first_message_timeout),
                        CloseReason::FirstMessageTimeout,
                    )
                });
                let message = self
                    .message_ms
                    .map(|ms| (after(ms, limits.message_timeout), CloseReason::MessageTimeout));
                match (first, message) {
                    (Some(first), Some(message)) if message.0 < first.0 => Some(message),
                    (None, message) => message,
                    (first, _) => first,
                }
            }
            Phase::HalfClosed | Phase::Closing | Phase::Gone => {
                Some((after(self.since_ms, limits.close_timeout), CloseReason::Peer))
            }
        }
    }

    /// When it will have been silent for too long.
    pub fn idle_deadline(&self, limits: &Limits) -> Deadline {
        Deadline(self.heard_ms.saturating_add(limits.idle_timeout.as_millis() as u64))
    }
}

/// Events of the second that began at `since_ms`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    since_ms: u64,
    count: u32,
}

impl Rate {
    /// Counts `events`; false when there are more than `max` in a second.
    pub fn allow(&mut self, now_ms: u64, events: u32, max: u32) -> bool {
        if now_ms.saturating_sub(self.since_ms) >= 1000 {
            *self = Rate { since_ms: now_ms, count: 0 };
        }
        self.count = self.count.saturating_add(events);
        self.count <= max
    }
}
