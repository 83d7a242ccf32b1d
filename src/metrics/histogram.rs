//! Durations counted into fixed buckets.

use std::time::Duration;

use super::summary::Summary;

/// Upper bounds of the buckets: from a message of a core that has nothing else to do, and a commit
/// to memory, up to a disk that hangs.
pub const BOUNDS: [Duration; 15] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_millis(2500),
    Duration::from_secs(5),
];

/// How often what took how long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    buckets: [u64; BOUNDS.len()],
    summary: Summary,
}

impl Histogram {
    /// Counts one duration.
    pub fn observe(&mut self, took: Duration) {
        self.observe_times(took, 1);
    }

    /// Counts `times` durations that are the same.
    pub fn observe_times(&mut self, took: Duration, times: u32) {
        let index = BOUNDS.partition_point(|bound| *bound < took);
        if let Some(bucket) = self.buckets.get_mut(index) {
            *bucket += u64::from(times);
        }
        self.summary.observe(took.saturating_mul(times), times);
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (into, from) in self.buckets.iter_mut().zip(&other.buckets) {
            *into += from;
        }
        self.summary.merge(&other.summary);
    }

    /// Each bound and how many durations did not exceed it, as Prometheus counts.
    pub fn cumulated(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let counts = self.buckets.iter().scan(0u64, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        BOUNDS.into_iter().zip(counts)
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.summary.count()
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        self.summary.sum()
    }

    /// The durations added up.
    pub fn summary(&self) -> Summary {
        self.summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_counts_in_every_bucket_that_holds_it() {
        let mut histogram = Histogram::default();
        for millis in [1, 2, 30, 60_000] {
            histogram.observe(Duration::from_millis(millis));
        }
        let cumulated: Vec<u64> = histogram.cumulated().map(|(_, count)| count).collect();
        assert_eq!(cumulated, [0, 0, 0, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!((histogram.count(), histogram.sum()), (4, Duration::from_millis(60_033)));
    }

    #[test]
    fn the_same_counted_at_once_or_apart_is_the_same() {
        let (short, long) = (Duration::from_micros(80), Duration::from_secs(9));
        let [mut at_once, mut one, mut other] = [Histogram::default(); 3];
        at_once.observe_times(short, 3);
        at_once.observe_times(long, 2);
        (0..3).for_each(|_| one.observe(short));
        (0..2).for_each(|_| other.observe(long));
        one.merge(&other);
        assert_eq!(one, at_once);
    }

    #[test]
    fn bounds_rise() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
    }
}
