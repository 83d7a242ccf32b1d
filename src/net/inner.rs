//! What a core is made of, and the door to its machine: an input goes in, and all its effects are
//! carried out before anything else happens.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use ipnet::IpNet;
use rustls::pki_types::ServerName;

use super::accepting::Listener;
use super::addresses::Addresses;
use super::carrier::Carrier;
use super::certs::Offers;
use super::clock::Clock;
use super::connection::Phase;
use super::connections::Connections;
use super::deadlines::{Drain, GRANULARITY_MS, Timer};
use super::handshakes::Handshakes;
use super::holding::Holding;
use super::lane;
use super::leaving::Leaving;
use super::log_limit::LogLimit;
use super::outbound::Scratch;
use super::partition::Parts;
use super::readiness::{Readiness, Ready};
use super::tap::Taps;
use crate::base::ids::{ConnId, ShardId, Slot};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::base::wheel::Wheel;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::input::{Control, Input};
use crate::shard::output::Output;
use crate::wire::sip::Head;

/// Longest that connections are handled without a look for frames of other shards.
const PULL_WAIT: Duration = Duration::from_micros(250);
/// Frames to itself that a core handles before it looks at anything else.
const LOCAL_FRAMES: usize = 1024;

pub(super) struct Inner<M, C> {
    pub shard: ShardId,
    /// All shards.
    pub shards: u16,
    pub limits: Arc<Limits>,
    pub clock: Clock,
    pub machine: M,
    pub carrier: C,
    pub connections: Connections,
    pub sockets: Readiness,
    pub listeners: Vec<Listener>,
    /// Sockets that are ready and wait for their visit.
    pub ready: VecDeque<Ready>,
    /// When the core learned of them.
    pub learned: Instant,
    /// Messages whose effects wait for the flush.
    pub holding: Holding,
    /// Connections to visit, whatever their sockets say.
    pub expected: VecDeque<Slot>,
    /// Connections in their handshake whose sockets are ready: they have their turn after all others.
    pub shaking: VecDeque<Slot>,
    /// The task that visits, woken for them.
    pub visitor: Option<Waker>,
    pub buffers: Buffers,
    /// Handshakes in progress.
    pub handshaking: usize,
    /// Those that may begin.
    pub handshakes: Handshakes,
    pub paused: Vec<Slot>,
    pub log: LogLimit,
    /// Ends of connections that the machine has not been told.
    pub ended: VecDeque<(ConnId, CloseReason)>,
    pub offers: Offers,
    /// Servers that may open links.
    pub link_names: Arc<[ServerName<'static>]>,
    /// Links that may carry users.
    pub links: usize,
    pub lane_keys: ahash::RandomState,
    /// Lanes of links that are gone, and why those are.
    pub orphans: Vec<(Slot, CloseReason)>,
    /// Index of the slot that is looked at next for a silent lane.
    pub next_lane: u32,
    /// What is written here itself.
    pub written: BytesMut,
    pub addresses: Addresses,
    /// Networks whose addresses have no bound.
    pub exempt: Arc<[IpNet]>,
    /// Who listens to messages.
    pub taps: Taps,
    pub wheel: Wheel<Timer>,
    pub due: Vec<Timer>,
    pub dirty: Vec<Slot>,
    pub spare: Vec<VecDeque<Bytes>>,
    pub flush_coming: bool,
    pub flush_asked: Instant,
    /// When frames of other shards were last looked for.
    pub pulled: Instant,
    pub settling: bool,
    /// Set when the server goes down.
    pub drain: Option<Drain>,
    /// Set when it closes its connections one by one.
    pub leaving: Option<Leaving>,
    pub ended_for_good: bool,
}

/// Buffers that all connections of the core use in turn.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub incoming: Vec<u8>,
    pub plain: Vec<u8>,
    pub scratch: Scratch,
    pub head: Option<Box<Head>>,
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    pub fn new(parts: Parts<M, C>) -> io::Result<Self> {
        let Parts { shard, shards, limits, clock, log, machine, carrier, .. } = parts;
        let Parts { offers, link_names, exempt, .. } = parts;
        Ok(Inner {
            shard,
            clock,
            machine,
            carrier,
            connections: Connections::new(limits.connections_per_shard_max),
            sockets: Readiness::new()?,
            listeners: Vec::new(),
            ready: VecDeque::new(),
            learned: Instant::now(),
            holding: Holding::new(),
            expected: VecDeque::new(),
            shaking: VecDeque::new(),
            visitor: None,
            buffers: Buffers::default(),
            handshaking: 0,
            handshakes: Handshakes::new(&limits, shards),
            paused: Vec::new(),
            log,
            ended: VecDeque::new(),
            offers,
            link_names,
            links: 0,
            lane_keys: ahash::RandomState::new(),
            orphans: Vec::new(),
            next_lane: 0,
            written: BytesMut::new(),
            addresses: Addresses::new(limits.connections_per_address_max, shards),
            exempt,
            taps: Taps::default(),
            wheel: Wheel::new(GRANULARITY_MS, clock.now()),
            due: Vec::new(),
            dirty: Vec::new(),
            spare: Vec::new(),
            flush_coming: false,
            flush_asked: Instant::now(),
            pulled: Instant::now(),
            settling: false,
            drain: None,
            leaving: None,
            shards,
            ended_for_good: false,
            limits,
        })
    }

    /// Hands `input` to the machine and carries out what it wants.
    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        self.machine.handle(now, input);
        self.settle(now);
    }

    /// Carries out all effects of what was handled, and of what follows from them.
    pub fn settle(&mut self, now: Now) {
        if std::mem::replace(&mut self.settling, true) {
            return;
        }
        let mut local = 0;
        loop {
            while let Some(output) = self.machine.next_output() {
                match output {
                    Output::Send { conn, bytes } => self.send(conn, bytes, now),
                    Output::Close { conn, reason } => {
                        if conn.shard == self.shard {
                            self.forget(conn.slot);
                            self.close(conn.slot, reason, now);
                        }
                    }
                    other => {
                        self.carrier.carry(other, self.machine.counters());
                        self.schedule_flush();
                    }
                }
            }
            if let Some((conn, reason)) = self.ended.pop_front() {
                self.machine.handle(now, Input::Closed { conn, reason });
            } else if local < LOCAL_FRAMES
                && let Some(frame) = self.carrier.next_local()
            {
                local += 1;
                self.machine.handle(now, Input::Frame(frame));
            } else {
                break;
            }
        }
        self.settling = false;
    }

    /// Handles at most `max` frames of other shards, and as many answers of the store. Returns how
    /// many there were, of what there were more of. Their time, from `began` on, is part of the
    /// processing of messages: most of them follow from one.
    pub fn pull(&mut self, max: usize, began: Instant, now: Now) -> usize {
        let mut written = 0;
        while written < max
            && let Some((ticket, result)) = self.carrier.next_written(self.machine.counters())
        {
            written += 1;
            let control = Control::Written { ticket, result };
            self.caught(|inner| inner.handle(now, Input::Control(control)));
        }
        let mut handled = 0;
        while handled < max
            && let Some(frame) = self.carrier.next_arrived()
        {
            handled += 1;
            self.caught(|inner| inner.handle(now, Input::Frame(frame)));
        }
        self.pulled = Instant::now();
        let counters = self.machine.counters();
        counters.add(Series::FramesReceived, handled as u64);
        if handled + written > 0 {
            counters.processing.observe(self.pulled.saturating_duration_since(began), 0);
        }
        handled.max(written)
    }

    /// True when, at this moment, frames should not wait for the task of the inbox: while
    /// connections keep the core busy, it may not come for milliseconds.
    pub fn pull_is_due(&self, at: Instant) -> bool {
        at.saturating_duration_since(self.pulled) > PULL_WAIT
    }

    /// Tells the machine of a connection that is ready for SIP.
    pub fn opened(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.told = true;
        let input = Input::Opened {
            conn: ConnId::new(self.shard, slot),
            peer: connection.peer,
            origin: Some(connection.peer.ip()),
            transport: connection.door.transport(),
            cipher: connection.tls.as_ref().map(|tls| tls.cipher()),
            lane: false,
        };
        self.handle(now, input);
    }

    /// The machine has forgotten the connection: it is not told of the end.
    fn forget(&mut self, slot: Slot) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.told = false;
        } else if let Some(lane) = self.connections.lane_mut(slot) {
            lane.told = false;
        }
    }

    pub fn send(&mut self, conn: ConnId, bytes: Bytes, now: Now) {
        if conn.shard != self.shard {
            return;
        }
        let lane = self.connections.lane_mut(conn.slot).map(|lane| lane.link);
        let slot = lane.unwrap_or(conn.slot);
        if !self.taps.is_empty() {
            self.overhear_sent(slot, conn, &bytes, now);
        }
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !connection.is_writable() {
            return;
        }
        if is_final_answer(&bytes) {
            connection.requests_open = connection.requests_open.saturating_sub(1);
        }
        let spare = &mut self.spare;
        let mut push = |bytes| connection.outbound.push(bytes, || spare.pop().unwrap_or_default());
        match lane.and_then(|_| lane::marked(&bytes, conn, &mut self.written)) {
            Some(pieces) => pieces.into_iter().for_each(push),
            None => push(bytes),
        }
        let full = connection.outbound.len() > connection.outgoing_max(&self.limits).0;
        let answered = connection.phase == Phase::HalfClosed && connection.requests_open == 0;
        self.mark_dirty(slot);
        if full {
            self.flush_one(slot, now);
            self.drop_slow_reader(slot, now);
        }
        if answered {
            self.close(slot, CloseReason::Peer, now);
        }
    }

    fn drop_slow_reader(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let (max, limit) = connection.outgoing_max(&self.limits);
        if connection.outbound.len() > max {
            self.machine.counters().hit(limit);
            self.close(slot, CloseReason::SlowReader, now);
        }
    }

    /// Runs a step of one connection. A panic in it closes that connection and no more.
    pub fn guarded<T>(
        &mut self,
        slot: Slot,
        now: Now,
        step: impl FnOnce(&mut Self) -> T,
    ) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| step(self))) {
            Ok(value) => Some(value),
            Err(_) => {
                self.settling = false;
                self.machine.counters().count(Series::ConnectionPanics);
                self.caught(|inner| {
                    inner.close(slot, CloseReason::Panic, now);
                    inner.cut(slot, now);
                    inner.settle(now);
                });
                None
            }
        }
    }

    /// Runs a step that belongs to no connection. A panic in it is counted, and the core goes on.
    pub fn caught(&mut self, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            self.settling = false;
            self.machine.counters().count(Series::StepPanics);
        }
    }
}

/// True for a response that ends its request.
fn is_final_answer(bytes: &[u8]) -> bool {
    bytes
        .strip_prefix(b"SIP/2.0 ")
        .and_then(<[u8]>::first)
        .is_some_and(|b| (b'2'..=b'6').contains(b))
}
