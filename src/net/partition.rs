//! The connections of one core and the machine they speak to, as the tasks of the core see them.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ipnet::IpNet;
use rustls::pki_types::ServerName;

use super::carrier::Carrier;
use super::certs::Offers;
use super::clock::Clock;
use super::deadlines::Drain;
use super::door::Door;
use super::inner::Inner;
use super::log_limit::LogLimit;
use super::tap::Tap;
use crate::base::ids::{ShardId, Slot};
use crate::base::limits::Limits;
use crate::metrics::counters::Counters;
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::input::{Control, Input};

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
    /// The gate of its log.
    pub log: LogLimit,
    /// The shard itself.
    pub machine: M,
    /// The way to other cores.
    pub carrier: C,
    /// What TLS listeners offer.
    pub offers: Offers,
    /// Servers that may open links, by a name in their certificate.
    pub link_names: Arc<[ServerName<'static>]>,
    /// Networks that the bounds of an address do not bind.
    pub exempt: Arc<[IpNet]>,
}

/// For what other cores have to say on connections of this one, such as a goodbye, before any is
/// closed.
const GOODBYE_TIME: Duration = Duration::from_millis(100);

impl<M: Machine, C: Carrier> Partition<M, C> {
    /// A core without connections.
    ///
    /// # Errors
    /// When the kernel gives it nothing to watch sockets with.
    pub fn new(parts: Parts<M, C>) -> io::Result<Self> {
        Ok(Partition(RefCell::new(Inner::new(parts)?)))
    }

    /// Accepts from `socket`, through `door`, from now on.
    ///
    /// # Errors
    /// When the kernel cannot watch it.
    pub fn listen(&self, socket: TcpListener, door: Door) -> io::Result<()> {
        self.0.borrow_mut().listen(socket, door)
    }

    /// Takes in a link that was accepted for this core.
    pub fn take_link(&self, stream: TcpStream, peer: SocketAddr) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.flush_coming = true;
        inner.caught(|inner| inner.take_link(stream, peer, now));
        inner.flush(now);
    }

    /// Polled by the one task that serves the sockets of the core; ready when the partition has
    /// ended.
    pub fn poll_sockets(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inner = self.0.borrow_mut();
        if inner.ended_for_good {
            return Poll::Ready(());
        }
        if inner.visit_all(cx) {
            // Others first: the task has had its share.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Handles at most `max` frames of other shards, then flushes. Returns how many there were.
    pub fn frames(&self, max: usize) -> usize {
        let mut inner = self.0.borrow_mut();
        let began = Instant::now();
        let now = inner.clock.at(began);
        inner.flush_coming = true;
        let handled = inner.pull(max, began, now);
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
        inner.leave_on(now);
        inner.tend_lanes(now);
        inner.taps.sweep();
        inner.flush(now);
        if inner.has_knocks(now)
            && let Some(visitor) = &inner.visitor
        {
            visitor.wake_by_ref();
        }
        inner.machine.counters().count(Series::Ticks);
    }

    /// Lets one more listen to messages, until his end of the queue is gone.
    pub fn tap(&self, tap: Tap) {
        self.0.borrow_mut().taps.add(tap);
    }

    /// Offers this to connections accepted from now on; those that are open keep theirs.
    pub fn offer(&self, offers: Offers) {
        self.0.borrow_mut().offers = offers;
    }

    /// Other bounds, certificates, servers that may open links and networks without bounds, from now
    /// on. Connections keep their certificate, and links stay.
    pub fn configure(
        &self,
        limits: Arc<Limits>,
        offers: Offers,
        link_names: Arc<[ServerName<'static>]>,
        exempt: Arc<[IpNet]>,
    ) {
        let mut inner = self.0.borrow_mut();
        let shards = inner.shards;
        inner.connections.set_max(limits.connections_per_shard_max);
        inner.addresses.set_max(limits.connections_per_address_max, shards);
        inner.handshakes.configure(&limits, shards);
        inner.exempt = exempt;
        inner.offers = offers;
        inner.link_names = link_names;
        inner.limits = limits;
    }

    /// Closes the connections there are evenly over a time. New ones are accepted, but for links.
    pub fn leave(&self, over: Duration) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        inner.leave(over, now);
    }

    /// True when all connections that [`leave`](Self::leave) found have been closed.
    pub fn has_left(&self) -> bool {
        self.0.borrow().has_left()
    }

    /// The server is about to go down: nothing is accepted any more.
    pub fn refuse(&self) {
        self.0.borrow_mut().stop_listening();
    }

    /// True when nobody waits for an answer of the machine, and nothing is left to carry.
    pub fn is_idle(&self) -> bool {
        let inner = self.0.borrow();
        inner.machine.is_idle() && !inner.carrier.congested()
    }

    /// The server goes down: nothing is accepted any more, and the connections that the machine
    /// does not close are closed spread over half of the drain window; the other half is for
    /// their peers to close too.
    pub fn drain(&self) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        let until = now.after(inner.limits.drain_timeout / 2);
        let from = now.after(GOODBYE_TIME);
        inner.drain.get_or_insert(Drain { from, until });
        inner.stop_listening();
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
            inner.connections.remove(slot);
        }
        inner.stop_listening();
        if let Some(visitor) = inner.visitor.take() {
            visitor.wake();
        }
    }

    /// The counters of this core, as they are.
    pub fn counters(&self) -> Counters {
        let mut inner = self.0.borrow_mut();
        let mut counters = inner.machine.counters().clone();
        counters.set(Series::HandshakesCurrent, inner.handshaking as u64);
        counters.set(Series::PausedCurrent, inner.paused.len() as u64);
        counters
    }
}
