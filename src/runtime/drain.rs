//! The end of the server, in one step or in two: told by `mynah drain`, it first takes no new work
//! and closes its connections evenly over some minutes.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::control::{Control, Signals, Word};
use super::core_loop::Event;
use super::orders::Order;
use crate::admin::operation::DrainReport;
use crate::base::host_port::HostPort;
use crate::base::ids::ShardId;

/// The part of the drain window in which what is in flight may be answered: a quarter.
const ANSWERS_SHARE: u32 = 4;
/// For executors to end once told to.
const STOP_TIME: Duration = Duration::from_secs(3);

/// A drain that is under way, as pages show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leave {
    /// When its last connection is closed.
    pub until: Instant,
    /// The process stays afterwards.
    pub stays: bool,
}

impl Leave {
    /// Whole seconds until the last connection is closed.
    pub fn left_s(&self) -> u64 {
        let left = self.until.saturating_duration_since(Instant::now());
        left.as_secs() + u64::from(left.subsec_nanos() > 0)
    }
}

/// A drain and how far it is.
#[derive(Debug)]
pub(super) struct Leaving {
    pub leave: Leave,
    /// Cores that have closed all their connections.
    left: BTreeSet<ShardId>,
}

impl Control {
    /// Takes no new work from now on and closes the connections over a time. The server ends when all
    /// are closed, unless it is to stay.
    pub(super) fn leave(
        &mut self,
        over: Duration,
        stays: bool,
        to: Option<HostPort>,
    ) -> DrainReport {
        let place = to.as_ref().map(ToString::to_string);
        tracing::info!(?over, stays, to = place, "draining");
        let leave = Leave { until: Instant::now() + over, stays };
        self.cores.order_all(|| Order::Leave { over, to: to.clone() });
        self.leaving = Some(Leaving { leave, left: BTreeSet::new() });
        let over_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX);
        DrainReport { over_ms, stays, to: place }
    }

    /// Notes that a core has closed its connections; true when the server may end.
    pub(super) fn has_left(&mut self, core: ShardId) -> bool {
        let cores = usize::from(self.cores.shards());
        let Some(leaving) = &mut self.leaving else { return false };
        leaving.left.insert(core);
        leaving.left.len() == cores && !leaving.leave.stays
    }

    /// Ready at the end of a drain after which the server does not stay.
    pub(super) async fn left(leave: Option<Leave>) {
        match leave {
            Some(Leave { until, stays: false }) => tokio::time::sleep_until(until).await,
            _ => std::future::pending().await,
        }
    }

    /// Brings the cores to their end: what is in flight answered, connections closed, records handed
    /// over, executors gone. A second signal cuts it short.
    pub(super) async fn drain(mut self, signals: &mut Signals) {
        let cores = usize::from(self.cores.shards());
        let window = self.settings.limits.drain_timeout;
        let began = Instant::now();
        let mut told = Told::default();
        self.cores.order_all(|| Order::Refuse);
        let idle = |told: &Told| told.idle.len() + told.ended >= cores;
        let until = began + window / ANSWERS_SHARE;
        let heard = self.hear(signals, until, &mut told, idle).await;
        // Sessions end and are recorded even when there is no time for it.
        self.cores.order_all(|| Order::Drain);
        let drained = |told: &Told| told.drained + told.ended >= cores;
        if heard != Heard::Cut
            && self.hear(signals, began + window, &mut told, drained).await == Heard::Late
        {
            tracing::warn!(drained = told.drained, cores, "drain window is over");
        }
        self.cores.order_all(|| Order::Stop);
        let until = Instant::now() + STOP_TIME;
        while told.ended < cores
            && let Ok(Some(event)) = timeout_at(until, self.events.recv()).await
        {
            told.note(&event);
        }
        drop(self.watchdog);
        for thread in self.threads {
            if thread.is_finished() || told.ended == cores {
                // What it had to tell came as an event.
                let _ = thread.join();
            } else {
                tracing::error!(thread = thread.thread().name(), "core did not end");
            }
        }
    }

    /// Listens to the cores until they have told enough.
    async fn hear(
        &mut self,
        signals: &mut Signals,
        until: Instant,
        told: &mut Told,
        enough: impl Fn(&Told) -> bool,
    ) -> Heard {
        while !enough(told) {
            let event = tokio::select! {
                event = timeout_at(until, self.events.recv()) => event,
                word = signals.next() => match word {
                    Word::Down(_) => return Heard::Cut,
                    _ => continue,
                },
            };
            match event {
                Ok(Some(event)) => told.note(&event),
                Ok(None) => return Heard::Cut,
                Err(_) => return Heard::Late,
            }
        }
        Heard::Enough
    }
}

/// What cores have told while the server goes down.
#[derive(Debug, Default)]
struct Told {
    /// Those of which nobody waits for an answer.
    idle: BTreeSet<ShardId>,
    drained: usize,
    ended: usize,
}

impl Told {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Idle(core, true) => drop(self.idle.insert(*core)),
            Event::Idle(core, false) => drop(self.idle.remove(core)),
            Event::Drained(_) => self.drained += 1,
            Event::Ended(..) => self.ended += 1,
            Event::Awake(_) | Event::Started(_) | Event::Left(_) => {}
        }
    }
}

/// How listening to the cores ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Enough,
    /// Its time was over.
    Late,
    /// By a second signal, or because no core is left.
    Cut,
}
