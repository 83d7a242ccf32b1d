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

    /// Brings the cores to their end: connections closed, records handed over, executors gone.
    /// A second signal cuts it short.
    pub(super) async fn drain(mut self, signals: &mut Signals) {
        let shards = usize::from(self.cores.shards());
        self.cores.order_all(|| Order::Drain);
        let until = Instant::now() + self.settings.limits.drain_timeout;
        let mut drained = 0;
        let mut ended = 0;
        while drained + ended < shards {
            let event = tokio::select! {
                event = timeout_at(until, self.events.recv()) => event,
                word = signals.next() => match word {
                    Word::Down(_) => break,
                    _ => continue,
                },
            };
            match event {
                Ok(Some(Event::Drained(_))) => drained += 1,
                Ok(Some(Event::Ended(..))) => ended += 1,
                Ok(Some(Event::Awake(_) | Event::Left(_) | Event::Started(_))) => {}
                Ok(None) => break,
                Err(_) => {
                    tracing::warn!(drained, cores = shards, "drain window is over");
                    break;
                }
            }
        }
        self.cores.order_all(|| Order::Stop);
        let until = Instant::now() + STOP_TIME;
        while ended < shards
            && let Ok(Some(event)) = timeout_at(until, self.events.recv()).await
        {
            if matches!(event, Event::Ended(..)) {
                ended += 1;
            }
        }
        drop(self.watchdog);
        for thread in self.threads {
            if thread.is_finished() || ended == shards {
                // What it had to tell came as an event.
                let _ = thread.join();
            } else {
                tracing::error!(thread = thread.thread().name(), "core did not end");
            }
        }
    }
}
