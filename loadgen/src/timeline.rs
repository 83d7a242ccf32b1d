//! The run second by second: the last few seconds as they were counted, for what is shown and for
//! `--abort`; all that is older as a few numbers, so that a long run needs little memory.

use crate::meter::Sample;
use crate::report::{Point, Second, ServerSecond};
use crate::settings::Settings;
use crate::stats::{Operation, Stats};
use std::collections::{BTreeMap, VecDeque};

/// Points of a whole run, at most some more than this: longer runs have longer points.
const POINTS: u64 = 300;
/// Seconds after which a point gets no more counts: threads report each second, a busy one later.
const SETTLED: u64 = 8;
const NANOS: u64 = 1_000_000_000;

/// Collects what the threads report.
#[derive(Debug)]
pub struct Timeline {
    main: Operation,
    /// Length of a point in seconds.
    step: u64,
    /// Seconds kept whole.
    keep: usize,
    recent: VecDeque<(u64, Stats)>,
    /// Points that still grow, by their number.
    open: BTreeMap<u64, Stats>,
    closed: Vec<(u64, Second)>,
}

impl Timeline {
    /// For a run of `settings` whose own operation is `main`; the last `keep` seconds stay whole.
    pub fn new(settings: &Settings, main: Operation, keep: usize) -> Timeline {
        let arrival = f64::from(settings.users) / settings.ramp.max(0.001);
        let expected = arrival + (settings.warmup + settings.duration).as_secs_f64();
        let step = (expected as u64).div_ceil(POINTS).max(1);
        let (recent, open, closed) = Default::default();
        Timeline { main, step, keep, recent, open, closed }
    }

    /// Takes what was counted up to `at_ns` since the run began.
    pub fn add(&mut self, at_ns: u64, stats: &Stats) {
        let second = at_ns / NANOS;
        match self.recent.iter_mut().find(|(known, _)| *known == second) {
            Some((_, sum)) => sum.merge(stats),
            None => self.recent.push_back((second, stats.clone())),
        }
        while self.recent.len() > self.keep {
            self.recent.pop_front();
        }
        let number = second / self.step;
        self.open.entry(number).or_default().merge(stats);
        let old = second.saturating_sub(SETTLED) / self.step;
        while let Some(entry) = self.open.first_entry().filter(|entry| *entry.key() < old) {
            let (number, stats) = entry.remove_entry();
            self.closed.push((number, self.point(&stats)));
        }
    }

    /// The sum of the last seconds, and how many they are.
    pub fn recent(&self) -> (Stats, usize) {
        let mut sum = Stats::default();
        self.recent.iter().for_each(|(_, stats)| sum.merge(stats));
        (sum, self.recent.len())
    }

    /// All points, with what the meter read; `from_ns` is when the window began.
    pub fn finish(mut self, from_ns: u64, samples: &[Sample]) -> Vec<Second> {
        for (number, stats) in std::mem::take(&mut self.open) {
            self.closed.push((number, self.point(&stats)));
        }
        self.closed.sort_by_key(|(number, _)| *number);
        let step = self.step;
        let used = |number: u64| {
            let ends = [number * step, (number + 1) * step].map(|second| second * NANOS);
            let [before, after] = ends.map(|end| samples.iter().rfind(|s| s.at.0 <= end));
            // Some while before the first sample there is nothing to compare with.
            before.zip(after).filter(|(before, after)| before.at < after.at)
        };
        let points = self.closed.into_iter().map(|(number, second)| {
            let between = used(number);
            Second {
                at_s: (number * step) as f64 - from_ns as f64 / NANOS as f64,
                generator_cores: between.and_then(|(before, after)| {
                    let cpu = after.own?.cpu_since(&before.own?).as_secs_f64();
                    Some(cpu / after.at.since(before.at).as_secs_f64())
                }),
                server: between.and_then(|(before, after)| ServerSecond::between(before, after)),
                ..second
            }
        });
        points.collect()
    }

    /// Length of a point in seconds.
    pub fn step_s(&self) -> u64 {
        self.step
    }

    fn point(&self, stats: &Stats) -> Second {
        let seconds = self.step as f64;
        let operations: BTreeMap<String, Point> = stats
            .tallies()
            .map(|(operation, tally)| (operation.name().to_owned(), Point::of(tally, seconds)))
            .collect();
        let main = operations.get(self.main.name()).copied().unwrap_or_default();
        Second {
            at_s: 0.0,
            succeeded: stats.tally(self.main).map_or(0, |tally| tally.succeeded),
            failed: stats.failed(),
            p50_ms: main.p50_ms,
            p99_ms: main.p99_ms,
            operations,
            generator_cores: None,
            server: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::meter::process::Usage;
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Duration;

    fn settings(duration_s: u64) -> Settings {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        Settings { duration: Duration::from_secs(duration_s), ..Settings::new(target) }
    }

    fn one() -> Stats {
        let mut stats = Stats::default();
        stats.succeed(Operation::Message, Moment(0), Moment(3_000_000));
        stats
    }

    fn sample(second: u64, cpu_s: u64) -> Sample {
        let usage = Usage { user: Duration::from_secs(cpu_s), ..Usage::default() };
        let (counters, files, memory_free) = Default::default();
        let at = Moment(second * NANOS);
        Sample { at, own: Some(usage), server: Some(usage), counters, files, memory_free }
    }

    #[test]
    fn every_count_is_in_one_point_however_long_the_run() {
        for duration_s in [20, 3000] {
            let mut timeline = Timeline::new(&settings(duration_s), Operation::Message, 5);
            for second in 0..duration_s {
                timeline.add(second * NANOS, &one());
                assert!(timeline.open.len() <= SETTLED as usize + 2);
            }
            assert_eq!(timeline.recent().1, 5);
            assert_eq!(timeline.recent().0.attempted(), 5);
            let points = timeline.finish(0, &[]);
            assert!(points.len() as u64 <= POINTS + 1);
            assert_eq!(points.iter().map(|point| point.succeeded).sum::<u64>(), duration_s);
            assert!(points.windows(2).all(|pair| pair[0].at_s < pair[1].at_s));
        }
    }

    #[test]
    fn a_late_report_still_finds_its_point() {
        let mut timeline = Timeline::new(&settings(20), Operation::Message, 5);
        for second in [3, 1, 2, 3] {
            timeline.add(second * NANOS, &one());
        }
        let points = timeline.finish(2 * NANOS, &[sample(1, 0), sample(3, 3), sample(4, 3)]);
        let succeeded: Vec<_> = points.iter().map(|p| (p.at_s, p.succeeded)).collect();
        assert_eq!(succeeded, [(-1.0, 1), (0.0, 1), (1.0, 2)]);
        let cores: Vec<_> = points.iter().map(|p| p.server.map(|s| s.cores)).collect();
        assert_eq!(cores, [None, Some(1.5), Some(0.0)]);
    }
}
