//! One core: an executor pinned to a CPU, with one task for its sockets, one for the inbox, and one
//! tick.
//!
//! The tick is always armed. It advances the deadlines, looks into the inbox and moves the pulse
//! that the watchdog reads; and it is what wakes an executor that glommio 0.9 has put to sleep
//! with work to do. The inbox task lives in a queue whose latency matters: only such a queue is
//! woken at once while another task works.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use glommio::{Latency, LocalExecutorBuilder, Placement, Shares};
use ipnet::IpNet;
use rustls::pki_types::ServerName;
use tokio::sync::mpsc::UnboundedSender;

use super::courier::Courier;
use super::inquiries::Inquiries;
use super::ledger::Ledger;
use super::mesh::Mesh;
use super::observers::Observers;
use super::orders::{Configuration, Cores, Order};
use super::watchdog::Pulses;
use crate::base::ids::ShardId;
use crate::base::limits::Limits;
use crate::base::seed::Seed;
use crate::base::time::Now;
use crate::net::certs::Offers;
use crate::net::clock::Clock;
use crate::net::door::Door;
use crate::net::log_limit::LogLimit;
use crate::net::partition::{Partition, Parts};
use crate::shard::Machine;
use crate::shard::input::Control;

/// The tick. Shorter costs 1 % of a core at 10 ms on a virtual machine; longer makes timers late.
const TICK: Duration = Duration::from_millis(20);
/// Ticks for which nobody waited when a core is idle: what other cores have sent it has arrived.
const IDLE_TICKS: u8 = 3;
/// Glommio loses wake-ups more often the shorter this is; below 5 ms it is not to be trusted.
const PREEMPT: Duration = Duration::from_millis(10);
/// How soon the inbox is looked at while connections keep the core busy.
const INBOX_LATENCY: Duration = Duration::from_millis(5);
/// Memory registered for direct I/O, which is not used: the default would pin 30 MiB a core.
const IO_MEMORY: usize = 64 * 1024;
/// Frames handled before other tasks have their turn.
const FRAMES: usize = 256;

/// What a machine is made with.
#[derive(Debug)]
pub struct Seat {
    /// The shard it is.
    pub shard: ShardId,
    /// All shards.
    pub shards: u16,
    /// The time.
    pub now: Now,
    /// Its randomness.
    pub seed: Seed,
    /// The bounds in force.
    pub limits: Arc<Limits>,
    /// The port the server is reached on: TLS if it has that, else TCP.
    pub port: u16,
}

/// What one core is started with.
pub struct CorePlan {
    /// The shard of the core.
    pub shard: ShardId,
    /// The CPU it is pinned to.
    pub cpu: usize,
    /// Time it looks for work before it sleeps; 0 but on machines that do nothing else.
    pub spin: Duration,
    /// The port the server is reached on.
    pub port: u16,
    /// Sockets to accept from.
    pub listeners: Vec<(Door, TcpListener)>,
    /// What TLS listeners offer.
    pub offers: Offers,
    /// Servers that may open links.
    pub link_names: Arc<[ServerName<'static>]>,
    /// Networks that the bounds of an address do not bind.
    pub exempt: Arc<[IpNet]>,
    /// The bounds in force.
    pub limits: Arc<Limits>,
    /// The clock of the process.
    pub clock: Clock,
    /// The gate of its log.
    pub log: LogLimit,
    /// The queues between cores.
    pub mesh: Arc<Mesh>,
    /// The queue from the control thread.
    pub cores: Cores,
    /// Where records go.
    pub ledger: Arc<dyn Ledger>,
    /// What the watchdog reads.
    pub pulses: Arc<Pulses>,
    /// Where the core says how it does.
    pub events: UnboundedSender<Event>,
}

/// What a core says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Its executor runs and its machine is being made.
    Awake(ShardId),
    /// It accepts connections.
    Started(ShardId),
    /// Whether nobody waits for an answer of it for a while now, after an order to refuse.
    Idle(ShardId, bool),
    /// It has no connection any more, after an order to drain.
    Drained(ShardId),
    /// It has closed all connections there were when it was ordered to leave.
    Left(ShardId),
    /// Its executor has ended; an error says why it did so unasked.
    Ended(ShardId, Result<(), String>),
}

/// The place of a core, on which executors are started until one runs. When the operating system
/// takes the CPU away at the wrong moment, glommio 0.9 puts an executor to sleep before its first
/// task has run, and nothing wakes it: no task of it is known anywhere.
#[derive(Clone)]
pub struct Berth {
    shard: ShardId,
    cpu: usize,
    spin: Duration,
    events: UnboundedSender<Event>,
    state: Arc<Mutex<Occupancy>>,
}

/// Who has a place.
enum Occupancy {
    /// Nobody yet.
    Free(Box<CorePlan>),
    /// The executor of this thread.
    Taken(ThreadId),
}

impl Berth {
    /// The place for a core that is started with `plan`.
    pub fn new(plan: CorePlan) -> Self {
        Berth {
            shard: plan.shard,
            cpu: plan.cpu,
            spin: plan.spin,
            events: plan.events.clone(),
            state: Arc::new(Mutex::new(Occupancy::Free(Box::new(plan)))),
        }
    }

    /// The thread whose executor has the place.
    pub fn runner(&self) -> Option<ThreadId> {
        match *self.state.lock().unwrap_or_else(PoisonError::into_inner) {
            Occupancy::Free(_) => None,
            Occupancy::Taken(thread) => Some(thread),
        }
    }

    /// Starts a thread with an executor for the place. `make` makes the machine of the core there,
    /// or says in one line why it cannot. An executor that finds the place taken ends unheard.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn spawn<M, F>(&self, make: F) -> std::io::Result<JoinHandle<()>>
    where
        M: Machine + 'static,
        F: FnOnce(Seat) -> Result<M, String> + Send + 'static,
    {
        let berth = self.clone();
        std::thread::Builder::new().name(format!("core-{}", self.shard)).spawn(move || {
            let result = catch_unwind(AssertUnwindSafe(|| berth.execute(make)))
                .unwrap_or_else(|_| Err("its executor panicked".to_owned()));
            if berth.runner().is_none_or(|runner| runner == std::thread::current().id()) {
                // Fails only when the control thread is gone, and then nobody is left to be told.
                let _ = berth.events.send(Event::Ended(berth.shard, result));
            }
        })
    }

    fn execute<M, F>(&self, make: F) -> Result<(), String>
    where
        M: Machine + 'static,
        F: FnOnce(Seat) -> Result<M, String>,
    {
        let executor = LocalExecutorBuilder::new(Placement::Fixed(self.cpu))
            .name("core")
            .io_memory(IO_MEMORY)
            .preempt_timer(PREEMPT)
            .spin_before_park(self.spin)
            .make()
            .map_err(|error| format!("no executor on CPU {}: {error}", self.cpu))?;
        executor.run(async {
            match self.take() {
                Some(plan) => run(*plan, make).await,
                None => Ok(()),
            }
        })
    }

    /// Takes the place for the executor of this thread, unless it is taken.
    fn take(&self) -> Option<Box<CorePlan>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            Occupancy::Taken(_) => None,
            Occupancy::Free(_) => {
                let taken = Occupancy::Taken(std::thread::current().id());
                match std::mem::replace(&mut *state, taken) {
                    Occupancy::Free(plan) => Some(plan),
                    Occupancy::Taken(_) => None,
                }
            }
        }
    }
}

/// What the tasks of a core share besides the partition.
struct Core<M: Machine> {
    shard: ShardId,
    partition: Rc<Partition<M, Courier>>,
    inquiries: Rc<Inquiries>,
    observers: Rc<Observers>,
    mesh: Arc<Mesh>,
    cores: Cores,
    events: UnboundedSender<Event>,
    /// Set by an order to refuse: ticks since somebody waited for an answer.
    idle: Cell<Option<u8>>,
    drained: Cell<bool>,
    left: Cell<bool>,
    stopped: Cell<bool>,
    /// The task that ends the executor.
    main: Cell<Option<Waker>>,
}

async fn run<M, F>(plan: CorePlan, make: F) -> Result<(), String>
where
    M: Machine + 'static,
    F: FnOnce(Seat) -> Result<M, String>,
{
    let CorePlan { shard, port, listeners, limits, clock, mesh, cores, events, pulses, .. } = plan;
    if let Some(bell) = mesh.bell(shard) {
        poll_fn(|cx| {
            bell.keep(cx.waker());
            Poll::Ready(())
        })
        .await;
    }
    let _ = events.send(Event::Awake(shard));
    let machine = make(Seat {
        shard,
        shards: mesh.shards(),
        now: clock.now(),
        seed: Seed::new(random_seed()?),
        limits: limits.clone(),
        port,
    })?;
    let inquiries = Rc::new(Inquiries::default());
    let observers = Rc::new(Observers::default());
    let (asked, watched) = (inquiries.clone(), observers.clone());
    let carrier = Courier::new(shard, &mesh, plan.ledger, asked, watched, &limits);
    let partition = Partition::new(Parts {
        shard,
        shards: mesh.shards(),
        limits,
        clock,
        log: plan.log,
        machine,
        carrier,
        offers: plan.offers,
        link_names: plan.link_names,
        exempt: plan.exempt,
    });
    let partition = Rc::new(partition.map_err(|error| format!("no epoll: {error}"))?);
    let core = Rc::new(Core {
        shard,
        partition: partition.clone(),
        inquiries,
        observers,
        mesh,
        cores,
        events,
        idle: Cell::new(None),
        drained: Cell::new(false),
        left: Cell::new(false),
        stopped: Cell::new(false),
        main: Cell::new(None),
    });

    let executor = glommio::executor();
    let net = executor.create_task_queue(Shares::Static(1000), Latency::NotImportant, "net");
    let xshard =
        executor.create_task_queue(Shares::Static(1000), Latency::Matters(INBOX_LATENCY), "xshard");
    let failed = |error: glommio::GlommioError<()>| error.to_string();

    for (door, socket) in listeners {
        let watched = partition.listen(socket, door);
        watched.map_err(|error| format!("cannot watch a listener: {error}"))?;
    }
    let served = partition.clone();
    let serve = async move { poll_fn(|cx| served.poll_sockets(cx)).await };
    glommio::spawn_local_into(serve, net).map_err(failed)?.detach();
    glommio::spawn_local_into(tick(core.clone(), pulses), xshard).map_err(failed)?.detach();
    let own = core.clone();
    let inbox = async move { poll_fn(|cx| own.poll_inbox(cx)).await };
    glommio::spawn_local_into(inbox, xshard).map_err(failed)?.detach();

    let _ = core.events.send(Event::Started(shard));
    poll_fn(|cx| core.poll_stop(cx)).await;
    // Tasks that are never run again would keep what they hold, so all are brought to their end.
    partition.end();
    if let Some(bell) = core.mesh.bell(shard) {
        bell.ring();
    }
    for _ in 0..2 {
        glommio::executor().yield_task_queue_now().await;
    }
    Ok(())
}

async fn tick<M: Machine>(core: Rc<Core<M>>, pulses: Arc<Pulses>) {
    while !core.stopped.get() {
        glommio::timer::sleep(TICK).await;
        core.partition.tick();
        core.pump();
        pulses.beat(core.shard);
        core.tell_idle();
        if core.partition.is_drained() && !core.drained.replace(true) {
            let _ = core.events.send(Event::Drained(core.shard));
        }
        if core.partition.has_left() && !core.left.replace(true) {
            let _ = core.events.send(Event::Left(core.shard));
        }
    }
}

impl<M: Machine> Core<M> {
    /// Takes what has arrived; true if there may be more.
    fn pump(&self) -> bool {
        let handled = self.partition.frames(FRAMES);
        while let Some(order) = self.cores.take(self.shard) {
            self.obey(order);
        }
        while let Some(observer) = self.observers.take_lost() {
            self.partition.control(Control::Unobserve(observer));
        }
        handled == FRAMES
    }

    /// Says whether nobody waits for an answer any more, once it is to be said, when that changes.
    fn tell_idle(&self) {
        let Some(ticks) = self.idle.get() else { return };
        let now = if self.partition.is_idle() { (ticks + 1).min(IDLE_TICKS) } else { 0 };
        self.idle.set(Some(now));
        if (now == IDLE_TICKS) != (ticks == IDLE_TICKS) {
            let _ = self.events.send(Event::Idle(self.shard, now == IDLE_TICKS));
        }
    }

    fn obey(&self, order: Order) {
        match order {
            Order::Ask(question, reply) => {
                if let Some(ticket) = self.inquiries.open(reply) {
                    self.partition.control(Control::Ask { ticket, question });
                }
            }
            Order::Configure(configuration, done) => {
                let Configuration { settings, limits, offers, link_names } = *configuration;
                let exempt = settings.exempt.clone();
                self.partition.control(Control::Configure(settings));
                self.partition.configure(limits, offers, link_names, exempt);
                // Nobody waits any more if this fails.
                let _ = done.send(());
            }
            Order::Control(control) => self.partition.control(control),
            Order::Leave { over, to } => {
                self.partition.control(Control::Leave { over, to });
                self.partition.leave(over);
                self.left.set(false);
            }
            // Nobody waits any more if this fails.
            Order::Counters(reply) => drop(reply.send(self.partition.counters())),
            Order::Offer(offers) => self.partition.offer(offers),
            Order::Tap(tap) => self.partition.tap(tap),
            Order::Link(stream, peer) => self.partition.take_link(stream, peer),
            Order::Observe(observation, way) => {
                self.observers.open(observation.observer, way);
                self.partition.control(Control::Observe(observation));
            }
            Order::Unobserve(observer) => {
                self.observers.close(observer);
                self.partition.control(Control::Unobserve(observer));
            }
            Order::Refuse => {
                self.partition.control(Control::Refuse);
                self.partition.refuse();
                self.idle.set(Some(0));
            }
            Order::Drain => {
                self.partition.control(Control::Drain);
                self.partition.drain();
            }
            Order::Stop => {
                self.stopped.set(true);
                if let Some(main) = self.main.take() {
                    main.wake();
                }
            }
        }
    }

    fn poll_inbox(&self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(bell) = self.mesh.bell(self.shard) else { return Poll::Ready(()) };
        while !self.stopped.get() {
            if self.pump() {
                // Others first: the queue is not empty, but this task has had its share.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let arrived = || self.cores.is_waiting(self.shard) || self.partition.has_work();
            if bell.poll_sleep(cx, arrived).is_pending() {
                return Poll::Pending;
            }
        }
        Poll::Ready(())
    }

    fn poll_stop(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stopped.get() {
            return Poll::Ready(());
        }
        self.main.set(Some(cx.waker().clone()));
        Poll::Pending
    }
}

/// A seed from the system.
fn random_seed() -> Result<[u8; 32], String> {
    let mut seed = [0u8; 32];
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(&mut seed)
        .map_err(|_| "the system gives no random numbers".to_owned())?;
    Ok(seed)
}
