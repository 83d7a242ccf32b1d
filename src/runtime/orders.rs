//! What the control thread tells the cores, and what they answer.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crossbeam::queue::ArrayQueue;
use rustls::pki_types::ServerName;
use tokio::sync::oneshot;

use super::mesh::Mesh;
use super::observers::Way;
use crate::base::host_port::HostPort;
use crate::base::ids::{ShardId, Slot};
use crate::base::limits::Limits;
use crate::config::Settings;
use crate::metrics::counters::Counters;
use crate::net::certs::Offers;
use crate::net::tap::Tap;
use crate::shard::input::Control;
use crate::shard::observe::Observation;
use crate::shard::question::{Answer, Question};

/// Orders that may wait for one core.
const ORDERS_MAX: usize = 1024;

/// One order to one core.
#[derive(Debug)]
pub enum Order {
    /// Ask the shard; a reply that is dropped says that it cannot be asked now.
    Ask(Question, oneshot::Sender<Answer>),
    /// A word for the shard.
    Control(Control),
    /// Answer with the counters.
    Counters(oneshot::Sender<Counters>),
    /// Other settings hold from now on; answered once they do.
    Configure(Box<Configuration>, oneshot::Sender<()>),
    /// Take no new work, and close the connections there are evenly over a time.
    Leave {
        /// The time.
        over: Duration,
        /// Where clients that follow are sent.
        to: Option<HostPort>,
    },
    /// Offer these certificates from now on.
    Offer(Offers),
    /// Let one more listen to messages.
    Tap(Tap),
    /// Take in a link that was accepted for it.
    Link(TcpStream, SocketAddr),
    /// An application watches users whose home this is; what it sees goes there.
    Observe(Observation, Way),
    /// It watches no more.
    Unobserve(Slot),
    /// Accept nothing more and take no new work; what is in flight is answered.
    Refuse,
    /// Accept nothing more, end sessions, close connections.
    Drain,
    /// End the executor.
    Stop,
}

/// What a reload gives a core.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The settings.
    pub settings: Arc<Settings>,
    /// Their bounds, for the partition.
    pub limits: Arc<Limits>,
    /// What TLS listeners offer.
    pub offers: Offers,
    /// Servers that may open links.
    pub link_names: Arc<[ServerName<'static>]>,
}

/// The cores as the control thread sees them. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Cores {
    mesh: Arc<Mesh>,
    queues: Arc<[ArrayQueue<Order>]>,
}

/// A core's queue of orders is full: it stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("core {0} takes no orders")]
pub struct Deaf(pub ShardId);

impl Cores {
    /// Empty queues beside those of `mesh`, whose bells they ring.
    pub fn new(mesh: Arc<Mesh>) -> Self {
        let queues = (0..mesh.shards()).map(|_| ArrayQueue::new(ORDERS_MAX)).collect();
        Cores { mesh, queues }
    }

    /// Number of cores.
    pub fn shards(&self) -> u16 {
        self.mesh.shards()
    }

    /// Gives `order` to the core of `shard`; never waits.
    pub fn order(&self, shard: ShardId, order: Order) -> Result<(), Deaf> {
        let queue = self.queues.get(usize::from(shard.0)).ok_or(Deaf(shard))?;
        queue.push(order).map_err(|_| Deaf(shard))?;
        if let Some(bell) = self.mesh.bell(shard) {
            bell.ring();
        }
        Ok(())
    }

    /// Gives an order to every core; those that cannot take it are logged.
    pub fn order_all(&self, mut order: impl FnMut() -> Order) {
        for shard in (0..self.shards()).map(ShardId) {
            if let Err(error) = self.order(shard, order()) {
                tracing::error!(%error, "order lost");
            }
        }
    }

    /// Tells the shard of one core.
    pub fn tell(&self, shard: ShardId, control: Control) -> Result<(), Deaf> {
        self.order(shard, Order::Control(control))
    }

    /// The next order for `shard`. Called by its core alone.
    pub fn take(&self, shard: ShardId) -> Option<Order> {
        self.queues.get(usize::from(shard.0))?.pop()
    }

    /// Frames of other shards, and orders, that wait for `shard`.
    pub fn depths(&self, shard: ShardId) -> (usize, usize) {
        let orders = self.queues.get(usize::from(shard.0)).map_or(0, ArrayQueue::len);
        (self.mesh.waiting(shard), orders)
    }

    /// True when an order waits for `shard`.
    pub fn is_waiting(&self, shard: ShardId) -> bool {
        self.queues.get(usize::from(shard.0)).is_some_and(|queue| !queue.is_empty())
    }
}
