//! The connections of one core and the machine they speak to, as the tasks of the core see them.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use glommio::net::TcpStream;
use rustls::pki_types::ServerName;

use super::carrier::Carrier;
use super::certs::Offers;
use super::clock::Clock;
use super::deadlines::Drain;
use super::door::Door;
use super::inner::Inner;
use crate::base::ids::{ShardId, Slot};
use crate::base::limits::{Limit, Limits};
use crate::base::transport::Transport;
use crate::metrics::counters::{CloseReason, Counters};
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::input::{Control, Input};

/// Frames of other shards handled between two steps of connections.
const PULLED: usize = 64;

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
    pub offers: Offers,
    /// Servers that may open links, by a name in their certificate.
    pub link_names: Arc<[ServerName<'static>]>,
}

impl<M: Machine, C: Carrier> Partition<M, C> {
    /// A core without connections.
    pub fn new(parts: Parts<M, C>) -> Self {
        Partition(RefCell::new(Inner::new(parts)))
    }

    /// Takes an accepted stream in; its task is to poll [`step`](Self::step) with the slot.
    /// `None` when a bound was reached: the stream is closed.
    pub fn open(&self, stream: TcpStream, peer: SocketAddr, door: Door) -> Option<Slot> {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        let slot = inner.admit(stream, peer, door, now)?;
        if door.transport() == Transport::Tcp {
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
        self.0.borrow_mut().accept_failed(error);
    }

    /// One wake-up of a connection. Ready when it is gone.
    pub fn step(&self, slot: Slot, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        let poll = inner.guarded(slot, now, |inner| inner.step(slot, now, cx));
        if inner.pull_is_due() {
            inner.pull(PULLED, now);
        }
        if inner.flush_is_due() {
            inner.flush(now);
        }
        // After a panic the task goes on to its end: it was woken.
        poll.unwrap_or(Poll::Pending)
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

    /// Handles at most `max` frames of other shards, then flushes. Returns how many there were.
    pub fn frames(&self, max: usize) -> usize {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.flush_coming = true;
        let handled = inner.pull(max, now);
        inner.flush(now);
        handled
    }

    /// True when a frame has arrived, or effects that could not be carried away may be now.
    pub fn has_work(&self) -> bool {
        self.0.borrow().carrier.has_work()
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
        inner.tend_lanes(now);
        inner.flush(now);
        inner.machine.counters().count(Series::Ticks);
    }

    /// Offers this to connections accepted from now on; those that are open keep theirs.
    pub fn offer(&self, offers: Offers) {
        self.0.borrow_mut().offers = offers;
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

    /// The counters of this core, as they are.
    pub fn counters(&self) -> Counters {
        self.0.borrow_mut().machine.counters().clone()
    }

    /// Ready when a connection may be accepted: at once, unless as many handshakes are in progress
    /// as may be.
    pub fn poll_gate(&self, door: Door, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        if door.transport() == Transport::Tcp
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
