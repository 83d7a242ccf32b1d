//! What the counters were: a look every few seconds, kept for some minutes. Each look wakes every
//! core, so nobody looks while nobody reads.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::super::process::Process;
use super::super::server::Sources;
use crate::base::ids::ShardId;
use crate::metrics::counters::Counters;
use crate::metrics::names::Series;
use crate::metrics::store::StoreCounters;
use crate::metrics::summary::Summary;

/// Between two looks.
pub const STEP: Duration = Duration::from_secs(5);
/// Looks that are kept: ten minutes.
const KEPT: usize = 120;
/// Time after the last reader for which looks go on.
const READ_TIME: Duration = Duration::from_secs(300);
/// Looks over which what happens now is counted: half a minute.
const NOW: usize = 6;

/// One look.
#[derive(Clone, Debug)]
pub struct Look {
    /// When.
    pub at: Instant,
    /// The counters of all shards that answered, together.
    pub total: Counters,
    /// How many shards that were.
    pub shards: usize,
    /// The store.
    pub store: StoreCounters,
    /// The process.
    pub process: Process,
}

/// The looks of the last minutes.
#[derive(Debug, Default)]
pub struct History {
    past: Mutex<Past>,
    /// Somebody reads again.
    wanted: Notify,
}

#[derive(Debug, Default)]
struct Past {
    looks: VecDeque<Look>,
    /// When somebody last read.
    read: Option<Instant>,
    /// The shards at the last look, each for itself.
    shards: Vec<(ShardId, Counters)>,
}

impl History {
    /// Looks again and again while somebody reads; never ends.
    pub async fn keep<S: Sources>(&self, sources: &S, answer_timeout: Duration) {
        let mut ticks = tokio::time::interval(STEP);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.is_read(Instant::now()) {
                true => self.look(sources, answer_timeout).await,
                false => {
                    self.wanted.notified().await;
                    // Who reads has looked himself.
                    ticks.reset();
                }
            }
        }
    }

    /// What there is to show. Who comes when nobody has read for long waits for a look of his own.
    pub async fn read<S: Sources>(&self, sources: &S, answer_timeout: Duration) -> Option<Recent> {
        if !self.begin(Instant::now()) {
            self.look(sources, answer_timeout).await;
        }
        self.recent()
    }

    async fn look<S: Sources>(&self, sources: &S, answer_timeout: Duration) {
        let counters = tokio::time::timeout(answer_timeout, sources.counters()).await;
        let (store, process) = (sources.store(), Process::read());
        self.add(Instant::now(), counters.unwrap_or_default(), store, process);
    }

    /// Somebody reads at `now`. False when the looks stopped before: what is kept is of another
    /// time, and forgotten.
    fn begin(&self, now: Instant) -> bool {
        let mut past = self.past();
        past.read = Some(now);
        let last = past.looks.back().map(|look| look.at);
        let is_kept = last.is_some_and(|last| now.saturating_duration_since(last) < STEP * 3);
        if !is_kept {
            past.looks.clear();
            self.wanted.notify_one();
        }
        is_kept
    }

    fn is_read(&self, now: Instant) -> bool {
        let read = self.past().read;
        read.is_some_and(|read| now.saturating_duration_since(read) < READ_TIME)
    }

    /// Adds a look; the oldest may leave.
    pub fn add(
        &self,
        at: Instant,
        shards: Vec<(ShardId, Counters)>,
        store: StoreCounters,
        process: Process,
    ) {
        let mut total = Counters::default();
        shards.iter().for_each(|(_, counters)| total.merge(counters));
        let look = Look { at, total, shards: shards.len(), store, process };
        let mut past = self.past();
        if past.looks.len() >= KEPT {
            past.looks.pop_front();
        }
        past.looks.push_back(look);
        past.shards = shards;
    }

    /// What there is to show; `None` before the first look.
    pub(super) fn recent(&self) -> Option<Recent> {
        let past = self.past();
        Some(Recent {
            last: past.looks.back()?.clone(),
            before: past.looks.iter().rev().take(NOW + 1).next_back()?.clone(),
            first: past.looks.front()?.clone(),
            shards: past.shards.clone(),
        })
    }

    /// How often `series` rose in a second, from look to look. A shard that did not answer would
    /// look like a fall and leaves a gap.
    pub fn rates(&self, series: Series) -> Vec<Option<f64>> {
        let past = self.past();
        let looks: Vec<&Look> = past.looks.iter().collect();
        looks
            .windows(2)
            .map(|pair| match pair {
                [before, after] if before.shards == after.shards => {
                    let rise = after.total.value(series).checked_sub(before.total.value(series))?;
                    Some(per_second(rise, before.at, after.at))
                }
                _ => None,
            })
            .collect()
    }

    fn past(&self) -> std::sync::MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last look, and those that it is compared with.
#[derive(Clone, Debug)]
pub struct Recent {
    /// Now.
    pub last: Look,
    /// Half a minute ago, or as long ago as looks are kept.
    pub before: Look,
    /// The oldest look.
    pub first: Look,
    /// The shards now.
    pub shards: Vec<(ShardId, Counters)>,
}

impl Recent {
    /// How often what `count` reads happens in a second now. `None` while it cannot be told.
    pub fn rate(&self, count: impl Fn(&Look) -> u64) -> Option<f64> {
        let (before, last) = (&self.before, &self.last);
        if before.shards != last.shards || last.at <= before.at {
            return None;
        }
        Some(per_second(count(last).checked_sub(count(before))?, before.at, last.at))
    }

    /// The same of a series.
    pub fn rate_of(&self, series: Series) -> Option<f64> {
        self.rate(|look| look.total.value(series))
    }

    /// Processors' worth of time the process uses now.
    pub fn cores_busy(&self) -> Option<f64> {
        let (before, last) = (&self.before, &self.last);
        let seconds = last.at.saturating_duration_since(before.at).as_secs_f64();
        let used = last.process.cpu_s? - before.process.cpu_s?;
        (seconds > 0.0).then(|| used / seconds)
    }

    /// Mean duration of a commit of the store now.
    pub fn commit(&self) -> Option<Duration> {
        self.mean(|look| look.store.commits.summary())
    }

    /// Mean time that the cores spend on a message now.
    pub fn processing(&self) -> Option<Duration> {
        self.mean(|look| look.total.processing)
    }

    /// Mean time for which a message is held now.
    pub fn holding(&self) -> Option<Duration> {
        self.mean(|look| look.total.holding.summary())
    }

    /// The mean of what came since the earlier look.
    fn mean(&self, of: impl Fn(&Look) -> Summary) -> Option<Duration> {
        of(&self.last).since(&of(&self.before))?.mean()
    }

    /// A time within which `share` of the messages leave the server now: the bound of a bucket, so
    /// the true one is shorter. `None` when none came, or when it is beyond all bounds.
    pub fn held_within(&self, share: f64) -> Option<Duration> {
        let (before, last) = (&self.before.total.holding, &self.last.total.holding);
        let since = last.summary().since(&before.summary())?;
        let all = Some(since.count()).filter(|all| *all > 0)?;
        let buckets = last.cumulated().zip(before.cumulated());
        buckets
            .map(|((bound, now), (_, then))| (bound, now.saturating_sub(then)))
            .find(|(_, within)| *within as f64 >= all as f64 * share)
            .map(|(bound, _)| bound)
    }

    /// How much what `count` reads has risen over all that is kept.
    pub fn risen(&self, count: impl Fn(&Look) -> u64) -> u64 {
        count(&self.last).saturating_sub(count(&self.first))
    }

    /// How long ago the oldest look was.
    pub fn span(&self) -> Duration {
        self.last.at.saturating_duration_since(self.first.at)
    }
}

fn per_second(rise: u64, from: Instant, to: Instant) -> f64 {
    let seconds = to.saturating_duration_since(from).as_secs_f64();
    if seconds > 0.0 { rise as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(messages: u64) -> Vec<(ShardId, Counters)> {
        let mut counters = Counters::default();
        counters.add(Series::SessionMessages, messages);
        vec![(ShardId(0), counters)]
    }

    fn look(history: &History, at: Instant, shards: Vec<(ShardId, Counters)>) {
        history.add(at, shards, StoreCounters::default(), Process::default());
    }

    #[test]
    fn a_rate_is_what_rose_in_the_last_half_minute() {
        let history = History::default();
        assert!(history.recent().is_none());
        let start = Instant::now();
        look(&history, start, shard(100));
        assert_eq!(history.recent().unwrap().rate_of(Series::SessionMessages), None);
        for step in 1..=20u64 {
            look(&history, start + STEP * step as u32, shard(100 + 50 * step));
        }
        let recent = history.recent().unwrap();
        assert_eq!(recent.rate_of(Series::SessionMessages), Some(10.0));
        assert_eq!(recent.last.at - recent.before.at, STEP * NOW as u32);
        assert_eq!(recent.risen(|look| look.total.value(Series::SessionMessages)), 1000);
        assert_eq!(history.rates(Series::SessionMessages), vec![Some(10.0); 20]);
    }

    #[test]
    fn a_shard_that_did_not_answer_leaves_a_gap() {
        let history = History::default();
        let start = Instant::now();
        look(&history, start, shard(100));
        look(&history, start + STEP, Vec::new());
        look(&history, start + STEP * 2, shard(120));
        assert_eq!(history.rates(Series::SessionMessages), [None, None]);
        assert_eq!(history.recent().unwrap().rate_of(Series::SessionMessages), Some(2.0));
    }

    #[test]
    fn times_are_of_what_came_since() {
        let history = History::default();
        let start = Instant::now();
        let mut counters = Counters::default();
        counters.holding.observe_times(Duration::from_secs(3), 100);
        look(&history, start, vec![(ShardId(0), counters.clone())]);
        assert_eq!(history.recent().unwrap().held_within(0.5), None);
        counters.holding.observe_times(Duration::from_millis(1), 98);
        counters.holding.observe_times(Duration::from_millis(40), 2);
        look(&history, start + STEP, vec![(ShardId(0), counters)]);
        let recent = history.recent().unwrap();
        assert_eq!(recent.held_within(0.5), Some(Duration::from_millis(1)));
        assert_eq!(recent.held_within(0.99), Some(Duration::from_millis(50)));
        assert_eq!(recent.holding(), Some(Duration::from_micros(1_780)));
        assert_eq!(recent.processing(), None);
    }

    #[test]
    fn looks_end_some_minutes_after_the_last_reader_and_begin_anew_with_the_next() {
        let history = History::default();
        let start = Instant::now();
        assert!(!history.is_read(start), "nobody has read yet");
        assert!(!history.begin(start), "there is nothing yet");
        look(&history, start, shard(100));
        assert!(history.begin(start + STEP));
        assert!(history.is_read(start + STEP + READ_TIME / 2));
        assert!(!history.is_read(start + STEP + READ_TIME));
        assert!(!history.begin(start + READ_TIME * 2), "what is kept is of long ago");
        assert!(history.recent().is_none());
    }

    #[test]
    fn ten_minutes_are_kept() {
        let history = History::default();
        let start = Instant::now();
        for step in 0..2 * KEPT as u32 {
            look(&history, start + STEP * step, shard(0));
        }
        assert_eq!(history.rates(Series::SignIns).len(), KEPT - 1);
        assert_eq!(history.recent().unwrap().span(), STEP * (KEPT as u32 - 1));
    }
}
