//! The connections of one core and the machine they speak to.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use glommio::net::TcpStream;
use rustls::ServerConfig;

use super::addresses::Addresses;
use super::carrier::Carrier;
use super::clock::Clock;
use super::connection::{Connection, Phase};
use super::log_limit::LogLimit;
use super::outbound::{Scratch, Wire};
use super::tls::{CARRY_MAX, Session};
use crate::base::ids::{ConnId, ShardId, Slot};
use crate::base::limits::{Limit, Limits};
use crate::base::slab::Slab;
use crate::base::time::{Deadline, Now};
use crate::base::wheel::Wheel;
use crate::metrics::counters::{CloseReason, Counters};
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::frame::Frame;
use crate::shard::input::{Control, Input, Transport};
use crate::shard::output::Output;
use crate::wire::sip::Head;

/// Octets of one read: several records, or some 70 messages.
pub(super) const READ: usize = 64 * 1024;
/// Width of a slot of the wheel.
const GRANULARITY_MS: u64 = 20;
/// Connections that wait to be flushed before it is done without further delay.
const DIRTY_MAX: usize = 64;
/// Frames to itself that a core handles before it looks at anything else.
const LOCAL_FRAMES: usize = 1024;
/// Connections closed in one tick of a drain even when that is more than an even spread asks for.
const DRAIN_BATCH: usize = 64;

/// Log cause of a failed accept, beside those of closed connections.
const ACCEPT_FAILED: usize = CloseReason::COUNT;

/// The partition of one core. All its tasks share it; none holds it across an await.
pub struct Partition<M, C>(RefCell<Inner<M, C>>);

/// What one core is made of.
#[derive(Debug)]
pub struct Parts<M, C> {
    /// This core's shard.
    pub shard: ShardId,
    /// All shards.
    pub shards: u16,
    /// The bounds in force.
    pub limits: Arc<Limits>,
    /// The clock of the process.
    pub clock: Clock,
    /// The shard itself.
    pub machine: M,
    /// The way to other cores.
    pub carrier: C,
    /// What TLS listeners offer.
    pub tls: Option<Arc<ServerConfig>>,
}

pub(super) struct Inner<M, C> {
    pub shard: ShardId,
    pub limits: Arc<Limits>,
    pub clock: Clock,
    pub machine: M,
    pub carrier: C,
    pub connections: Slab<Box<Connection>>,
    pub buffers: Buffers,
    pub handshaking: usize,
    pub paused: Vec<Slot>,
    pub log: LogLimit<{ CloseReason::COUNT + 1 }>,
    /// Ends of connections that the machine has not been told.
    pub ended: VecDeque<(ConnId, CloseReason)>,
    tls: Option<Arc<ServerConfig>>,
    addresses: Addresses,
    wheel: Wheel<Timer>,
    due: Vec<Timer>,
    dirty: Vec<Slot>,
    spare: Vec<Vec<Bytes>>,
    /// The task that flushes, and whether it was woken or need not be.
    flusher: Option<Waker>,
    flush_coming: bool,
    settling: bool,
    /// Accept loops that wait for a handshake to end.
    gate: Vec<Waker>,
    /// Accept loops, to be told of a drain.
    stop: Vec<Waker>,
    /// Set when the server goes down.
    drain: Option<Drain>,
    ended_for_good: bool,
}

/// Buffers that all connections of the core use in turn.
#[derive(Debug)]
pub(super) struct Buffers {
    pub incoming: Vec<u8>,
    pub plain: Vec<u8>,
    pub scratch: Scratch,
    pub head: Option<Box<Head>>,
}

/// Which of a connection's deadlines a timer looks at. At most one far timer of a connection is
/// armed, and a near one only while something short is pending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    Near(Slot),
    Far(Slot),
}

#[derive(Clone, Copy, Debug)]
struct Drain {
    /// All connections are closing by then.
    until: Deadline,
}

impl<M: Machine, C: Carrier> Partition<M, C> {
    /// A core without connections.
    pub fn new(parts: Parts<M, C>) -> Self {
        let Parts { shard, shards, limits, clock, machine, carrier, tls } = parts;
        Partition(RefCell::new(Inner {
            shard,
            clock,
            machine,
            carrier,
            connections: Slab::new(limits.connections_per_shard_max),
            buffers: Buffers {
                incoming: vec![0; CARRY_MAX + READ],
                plain: Vec::with_capacity(READ),
                scratch: Scratch::default(),
                head: None,
            },
            handshaking: 0,
            paused: Vec::new(),
            log: LogLimit::default(),
            ended: VecDeque::new(),
            tls,
            addresses: Addresses::new(limits.connections_per_address_max, shards),
            wheel: Wheel::new(GRANULARITY_MS, clock.now()),
            due: Vec::new(),
            dirty: Vec::new(),
            spare: Vec::new(),
            flusher: None,
            flush_coming: false,
            settling: false,
            gate: Vec::new(),
            stop: Vec::new(),
            drain: None,
            ended_for_good: false,
            limits,
        }))
    }

    /// The bounds in force.
    pub fn limits(&self) -> Arc<Limits> {
        self.0.borrow().limits.clone()
    }

    /// Takes an accepted stream in; its task is to poll [`step`](Self::step) with the slot.
    /// `None` when a bound was reached: the stream is closed.
    pub fn open(&self, stream: TcpStream, peer: SocketAddr, transport: Transport) -> Option<Slot> {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        let slot = inner.admit(stream, peer, transport, now)?;
        if transport == Transport::Tcp {
            inner.guarded(slot, now, |inner| inner.opened(slot, now));
        }
        Some(slot)
    }

    /// Takes back a connection whose task could not be started.
    pub fn abandon(&self, slot: Slot) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.caught(|inner| {
            inner.close(slot, CloseReason::Refused, now);
            inner.settle(now);
            inner.remove(slot);
        });
    }

    /// Says that nothing can be accepted now.
    pub fn accept_failed(&self, error: &str) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.machine.counters().count(Series::AcceptFailures);
        if let Some(held_back) = inner.log.pass(now, ACCEPT_FAILED) {
            tracing::error!(error, held_back, "cannot accept; trying again (LimitNOFILE?)");
        }
    }

    /// One wake-up of a connection. Ready when it is gone.
    pub fn step(&self, slot: Slot, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        let poll = inner.guarded(slot, now, |inner| inner.step(slot, now, cx));
        if inner.dirty.len() >= DIRTY_MAX {
            inner.flush(now);
        }
        poll.unwrap_or(Poll::Ready(()))
    }

    /// Polled by the one task that ends wake-ups: it runs after the connections that were ready
    /// together, and flushes for all of them.
    pub fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        if inner.ended_for_good {
            return Poll::Ready(());
        }
        if inner.flusher.is_none() {
            inner.flusher = Some(cx.waker().clone());
        }
        let now = inner.clock.now();
        inner.flush(now);
        Poll::Pending
    }

    /// Handles frames of other shards until `next` has none or `max` were handled, then flushes.
    /// Returns how many there were.
    pub fn frames(&self, max: usize, mut next: impl FnMut() -> Option<Frame>) -> usize {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.flush_coming = true;
        let mut handled = 0;
        while handled < max
            && let Some(frame) = next()
        {
            handled += 1;
            inner.caught(|inner| inner.handle(now, Input::Frame(frame)));
        }
        inner.machine.counters().add(Series::FramesReceived, handled as u64);
        inner.flush(now);
        handled
    }

    /// Passes a word of the control thread on.
    pub fn control(&self, control: Control) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.flush_coming = true;
        inner.caught(|inner| inner.handle(now, Input::Control(control)));
        inner.flush(now);
    }

    /// The tick of the core: deadlines of connections and of the machine.
    pub fn tick(&self) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.flush_coming = true;
        inner.caught(|inner| inner.fire(now));
        inner.caught(|inner| inner.handle(now, Input::Tick));
        inner.drain_some(now);
        inner.flush(now);
        inner.machine.counters().count(Series::Ticks);
    }

    /// Offers `tls` to connections accepted from now on; those that are open keep theirs.
    pub fn offer(&self, tls: Arc<ServerConfig>) {
        self.0.borrow_mut().tls = Some(tls);
    }

    /// The server goes down: nothing is accepted any more, and the connections that the machine
    /// does not close are closed spread over half of the drain window; the other half is for
    /// their peers to close too.
    pub fn drain(&self) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        let until = now.after(inner.limits.drain_timeout / 2);
        inner.drain.get_or_insert(Drain { until });
        inner.open_gate();
        inner.stop.drain(..).for_each(Waker::wake);
    }

    /// True once a drain has begun.
    pub fn is_draining(&self) -> bool {
        self.0.borrow().drain.is_some()
    }

    /// True when a drain has come to its end: no connection, and nothing left to carry.
    pub fn is_drained(&self) -> bool {
        let inner = self.0.borrow();
        inner.drain.is_some() && inner.connections.is_empty() && !inner.carrier.congested()
    }

    /// Ends all tasks that hold this partition; what is still open is closed as it is. Nothing
    /// may be asked of it afterwards.
    pub fn end(&self) {
        let mut inner = self.0.borrow_mut();
        inner.ended_for_good = true;
        let slots: Vec<Slot> = inner.connections.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            if let Some(connection) = inner.connections.remove(slot) {
                connection.wake();
            }
        }
        if let Some(flusher) = inner.flusher.take() {
            flusher.wake();
        }
        inner.open_gate();
        inner.stop.drain(..).for_each(Waker::wake);
    }

    /// Connections held, in whatever phase.
    pub fn connections(&self) -> usize {
        self.0.borrow().connections.len()
    }

    /// The counters of this core, as they are.
    pub fn counters(&self) -> Counters {
        self.0.borrow_mut().machine.counters().clone()
    }

    /// Counts something that happened to the core itself.
    pub fn count(&self, count: impl FnOnce(&mut Counters)) {
        count(self.0.borrow_mut().machine.counters());
    }

    /// Ready when a connection of `transport` may be accepted: at once, unless as many handshakes
    /// are in progress as may be.
    pub fn poll_gate(&self, transport: Transport, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        if transport == Transport::Tcp
            || inner.drain.is_some()
            || inner.ended_for_good
            || inner.handshaking < inner.limits.handshakes_per_core_max.max(1)
        {
            return Poll::Ready(());
        }
        inner.machine.counters().hit(Limit::Handshakes);
        inner.gate.push(cx.waker().clone());
        Poll::Pending
    }

    /// Ready when the core drains.
    pub fn poll_drain(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        if inner.drain.is_some() || inner.ended_for_good {
            return Poll::Ready(());
        }
        if !inner.stop.iter().any(|waker| waker.will_wake(cx.waker())) {
            inner.stop.push(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl<M: Machine, C: Carrier> Inner<M, C> {
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

    /// Tells the machine of a connection that is ready for SIP.
    pub fn opened(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.told = true;
        let input = Input::Opened {
            conn: ConnId::new(self.shard, slot),
            peer: connection.peer,
            transport: connection.transport(),
        };
        self.handle(now, input);
    }

    /// The machine has forgotten the connection: it is not told of the end.
    fn forget(&mut self, slot: Slot) {
        if let Some(connection) = self.connections.get_mut(slot) {
            connection.told = false;
        }
    }

    fn send(&mut self, conn: ConnId, bytes: Bytes, now: Now) {
        if conn.shard != self.shard {
            return;
        }
        let slot = conn.slot;
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !connection.is_writable() {
            return;
        }
        if is_final_answer(&bytes) {
            connection.requests_open = connection.requests_open.saturating_sub(1);
        }
        let spare = &mut self.spare;
        connection.outbound.push(bytes, || spare.pop().unwrap_or_default());
        let full = connection.outbound.len() > self.limits.outgoing_bytes_per_connection_max;
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
        if connection.outbound.len() > self.limits.outgoing_bytes_per_connection_max {
            self.machine.counters().hit(Limit::OutgoingBytes);
            self.close(slot, CloseReason::SlowReader, now);
        }
    }

    /// Has `slot` flushed at the end of this wake-up.
    pub fn mark_dirty(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if !std::mem::replace(&mut connection.dirty, true) {
            self.dirty.push(slot);
            self.schedule_flush();
        }
    }

    fn schedule_flush(&mut self) {
        if !std::mem::replace(&mut self.flush_coming, true)
            && let Some(flusher) = &self.flusher
        {
            flusher.wake_by_ref();
        }
    }

    /// Ends a wake-up: every connection with something to send is flushed once, then whoever got
    /// a frame is woken, and connections that waited for the mesh go on.
    fn flush(&mut self, now: Now) {
        self.caught(|inner| inner.settle(now));
        while let Some(slot) = self.dirty.pop() {
            if let Some(connection) = self.connections.get_mut(slot) {
                connection.dirty = false;
                self.guarded(slot, now, |inner| {
                    inner.flush_one(slot, now);
                    inner.settle(now);
                });
            }
        }
        self.carrier.flush(self.machine.counters());
        self.flush_coming = false;
        if !self.carrier.congested() {
            while let Some(slot) = self.paused.pop() {
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.paused = false;
                    connection.wake();
                }
            }
        }
    }

    /// Sends what waits on one connection; closes our side once a closing one has nothing left.
    pub fn flush_one(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let Connection { stream, tls, outbound, waker: Some(waker), .. } = &mut **connection else {
            // Its task has not run yet: the first step flushes.
            return;
        };
        if !outbound.is_empty() {
            let mut wire = Wire { stream, waker, tls: tls.as_deref_mut() };
            match outbound.flush(&mut wire, &mut self.buffers.scratch) {
                Ok(0) => {}
                Ok(moved) => {
                    let counters = self.machine.counters();
                    counters.count(Series::Flushes);
                    counters.add(Series::BytesSent, moved as u64);
                }
                Err(error) => {
                    tracing::debug!(peer = %connection.peer, %error, "write failed");
                    connection.outbound.clear();
                    self.close(slot, CloseReason::Reset, now);
                    return;
                }
            }
            // Idle connections share the memory of their queues.
            if let Some(spare) = outbound.spare()
                && self.spare.len() < DIRTY_MAX
            {
                self.spare.push(spare);
            }
        }
        if connection.phase == Phase::Closing && !connection.outbound.is_blocked() {
            self.shut(slot);
        }
    }

    /// Runs a step of one connection. A panic in it closes that connection and no more.
    fn guarded<T>(&mut self, slot: Slot, now: Now, step: impl FnOnce(&mut Self) -> T) -> Option<T> {
        match catch_unwind(AssertUnwindSafe(|| step(self))) {
            Ok(value) => Some(value),
            Err(_) => {
                self.settling = false;
                self.machine.counters().count(Series::ConnectionPanics);
                self.caught(|inner| {
                    inner.close(slot, CloseReason::Panic, now);
                    inner.settle(now);
                });
                None
            }
        }
    }

    /// Runs a step that belongs to no connection. A panic in it is counted, and the core goes on.
    fn caught(&mut self, step: impl FnOnce(&mut Self)) {
        if catch_unwind(AssertUnwindSafe(|| step(self))).is_err() {
            self.settling = false;
            self.machine.counters().count(Series::StepPanics);
        }
    }

    fn admit(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        transport: Transport,
        now: Now,
    ) -> Option<Slot> {
        let refused = if self.drain.is_some() {
            Some((None, CloseReason::Drain))
        } else if !self.addresses.enter(peer.ip()) {
            Some((Some(Limit::ConnectionsPerAddress), CloseReason::Refused))
        } else {
            None
        };
        if let Some((limit, reason)) = refused {
            self.refuse(peer, limit, reason, now);
            return None;
        }
        let tls = match (transport, &self.tls) {
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
        // Answers are small and awaited; coalescing is done here, by the flush.
        let _ = stream.set_nodelay(true);
        let connection = Box::new(Connection::new(stream, peer, tls, now.mono_ms));
        let Ok(slot) = self.connections.insert(connection) else {
            self.addresses.leave(peer.ip());
            self.refuse(peer, Some(Limit::Connections), CloseReason::Refused, now);
            return None;
        };
        if transport == Transport::Tls {
            self.handshaking += 1;
        }
        let current = self.connections.len() as u64;
        let counters = self.machine.counters();
        counters.count(Series::ConnectionsOpened);
        counters.set(Series::ConnectionsCurrent, current);
        self.arm_near(slot);
        self.wheel.arm(now.after(self.limits.idle_timeout), Timer::Far(slot));
        Some(slot)
    }

    fn refuse(&mut self, peer: SocketAddr, limit: Option<Limit>, reason: CloseReason, now: Now) {
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
            self.open_gate();
        }
        self.addresses.leave(connection.peer.ip());
        let current = self.connections.len() as u64;
        self.machine.counters().set(Series::ConnectionsCurrent, current);
    }

    /// Lets accept loops that wait look again.
    pub fn open_gate(&mut self) {
        self.gate.drain(..).for_each(Waker::wake);
    }

    /// Arms the near timer of a connection, unless one is armed that fires early enough.
    pub fn arm_near(&mut self, slot: Slot) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        if let Some((deadline, _)) = connection.near_deadline(&self.limits)
            && connection.near.is_none_or(|near| deadline < near)
        {
            connection.near = Some(deadline);
            self.wheel.arm(deadline, Timer::Near(slot));
        }
    }

    /// Looks at the connections whose timers are due.
    fn fire(&mut self, now: Now) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for timer in due.drain(..) {
            let (Timer::Near(slot) | Timer::Far(slot)) = timer;
            self.guarded(slot, now, |inner| {
                match timer {
                    Timer::Near(_) => inner.near_due(slot, now),
                    Timer::Far(_) => inner.far_due(slot, now),
                }
                inner.settle(now);
            });
        }
        self.due = due;
    }

    fn near_due(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.near = None;
        match connection.near_deadline(&self.limits) {
            Some((deadline, reason)) if now.reached(deadline) => self.expire(slot, reason, now),
            Some(_) => self.arm_near(slot),
            None => {}
        }
    }

    fn far_due(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let deadline = connection.idle_deadline(&self.limits);
        if !now.reached(deadline) {
            self.wheel.arm(deadline, Timer::Far(slot));
        } else if connection.is_writable() {
            self.machine.counters().hit(Limit::IdleTime);
            self.close(slot, CloseReason::IdleTimeout, now);
        }
    }

    /// Closes a share of the connections in each tick of a drain.
    fn drain_some(&mut self, now: Now) {
        let Some(drain) = self.drain else { return };
        let ticks = (drain.until.0.saturating_sub(now.mono_ms) / GRANULARITY_MS).max(1) as usize;
        let open =
            |connection: &Connection| !matches!(connection.phase, Phase::Closing | Phase::Gone);
        let left = self.connections.iter().filter(|(_, c)| open(c)).count();
        let share = left.div_ceil(ticks).max(DRAIN_BATCH);
        let slots: Vec<Slot> = self
            .connections
            .iter()
            .filter(|(_, c)| open(c))
            .map(|(slot, _)| slot)
            .take(share)
            .collect();
        for slot in slots {
            self.guarded(slot, now, |inner| {
                inner.close(slot, CloseReason::Drain, now);
                inner.settle(now);
            });
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
