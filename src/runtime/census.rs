//! The counters of all cores, asked for when somebody wants to see them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, timeout_at};

use super::orders::{Cores, Order};
use super::watchdog::Pulses;
use crate::base::ids::ShardId;
use crate::metrics::counters::Counters;
use crate::metrics::names::Series;

/// How long cores may take to answer together.
const ANSWER_TIME: Duration = Duration::from_secs(1);

/// Asks the cores. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Census {
    cores: Cores,
    pulses: Arc<Pulses>,
    /// What each core said last: it stands in for one that does not answer.
    last: Arc<Mutex<Vec<Counters>>>,
}

impl Census {
    /// A census of `cores`.
    pub fn new(cores: Cores, pulses: Arc<Pulses>) -> Self {
        let last = vec![Counters::default(); usize::from(cores.shards())];
        Census { cores, pulses, last: Arc::new(Mutex::new(last)) }
    }

    /// The counters of each core, as they are now or, of a core that does not answer within a
    /// second, as they last were.
    pub async fn take(&self) -> Vec<Counters> {
        let replies: Vec<_> = (0..self.cores.shards())
            .map(|shard| {
                let (reply, answer) = oneshot::channel();
                self.cores.order(ShardId(shard), Order::Counters(reply)).ok().map(|()| answer)
            })
            .collect();
        let until = Instant::now() + ANSWER_TIME;
        let mut answers = Vec::with_capacity(replies.len());
        for reply in replies {
            answers.push(match reply {
                Some(reply) => timeout_at(until, reply).await.ok().and_then(Result::ok),
                None => None,
            });
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        for (last, answer) in last.iter_mut().zip(answers) {
            if let Some(answer) = answer {
                *last = answer;
            }
        }
        last.clone()
    }

    /// The sum of all cores.
    pub async fn sum(&self) -> Counters {
        let mut sum = Counters::default();
        for counters in self.take().await {
            sum.merge(&counters);
        }
        sum.set(Series::CoreStalls, self.pulses.stalls());
        sum
    }
}
