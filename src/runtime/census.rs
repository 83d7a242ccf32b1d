//! What operators see of the cores and the store, asked for when somebody looks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout_at};

use super::ledger::Ledger;
use super::orders::{Cores, Order};
use super::watchdog::Pulses;
use crate::admin::{Health, Sources};
use crate::base::ids::ShardId;
use crate::metrics::counters::Counters;
use crate::metrics::names::Series;
use crate::metrics::store::StoreCounters;
use crate::shard::question::{Answer, Question};

/// How long cores may take to answer together. One that takes longer is left out.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Asks the cores. Cheap to clone.
#[derive(Clone)]
pub struct Census {
    cores: Cores,
    pulses: Arc<Pulses>,
    ledger: Arc<dyn Ledger>,
    draining: watch::Receiver<bool>,
}

impl Census {
    /// A census of `cores`.
    pub fn new(
        cores: Cores,
        pulses: Arc<Pulses>,
        ledger: Arc<dyn Ledger>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        Census { cores, pulses, ledger, draining }
    }

    /// The counters of the cores that answer within a second.
    pub async fn take(&self) -> Vec<(ShardId, Counters)> {
        let replies: Vec<_> = (0..self.cores.shards())
            .map(ShardId)
            .filter_map(|shard| {
                let (reply, answer) = oneshot::channel();
                self.cores.order(shard, Order::Counters(reply)).ok().map(|()| (shard, answer))
            })
            .collect();
        let until = Instant::now() + ANSWER_TIME;
        let mut answers = Vec::with_capacity(replies.len());
        for (shard, reply) in replies {
            if let Ok(Ok(mut counters)) = timeout_at(until, reply).await {
                counters.set(Series::CoreNudges, self.pulses.nudges(shard));
                counters.set(Series::CoreStalls, self.pulses.stalls(shard));
                answers.push((shard, counters));
            }
        }
        answers
    }
}

impl Sources for Census {
    async fn ask(&self, question: Question) -> Option<Answer> {
        let home = question.user().home(self.cores.shards());
        let (reply, answer) = oneshot::channel();
        self.cores.order(home, Order::Ask(question, reply)).ok()?;
        answer.await.ok()
    }

    fn counters(&self) -> impl Future<Output = Vec<(ShardId, Counters)>> + Send {
        self.take()
    }

    fn store(&self) -> StoreCounters {
        self.ledger.counters()
    }

    fn health(&self) -> Health {
        Health {
            stuck: self.pulses.late(),
            store: self.ledger.counters().alarm,
            draining: *self.draining.borrow(),
        }
    }
}
