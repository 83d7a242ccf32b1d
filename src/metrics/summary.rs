//! Durations added up, for their mean.

use std::time::Duration;

/// How long things took together, and how many they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    count: u64,
    sum: Duration,
}

impl Summary {
    /// Counts `times` things that took `took` together. With none the time is that of things which
    /// are counted elsewhere.
    pub fn observe(&mut self, took: Duration, times: u32) {
        self.count += u64::from(times);
        self.sum = self.sum.saturating_add(took);
    }

    /// Adds what another has counted.
    pub fn merge(&mut self, other: &Summary) {
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
    }

    /// What came since it was `before`; `None` when that was more, as after a restart.
    pub fn since(&self, before: &Summary) -> Option<Summary> {
        let count = self.count.checked_sub(before.count)?;
        Some(Summary { count, sum: self.sum.checked_sub(before.sum)? })
    }

    /// How long one thing took on average; `None` when there was none.
    pub fn mean(&self) -> Option<Duration> {
        (self.count > 0).then(|| self.sum.div_f64(self.count as f64))
    }

    /// Number of things.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How long they took together.
    pub fn sum(&self) -> Duration {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_without_things_is_that_of_the_others() {
        let [mut one, mut other] = [Summary::default(); 2];
        one.observe(Duration::from_micros(30), 3);
        other.observe(Duration::from_micros(12), 0);
        one.merge(&other);
        assert_eq!((one.count(), one.sum()), (3, Duration::from_micros(42)));
        assert_eq!(one.mean(), Some(Duration::from_micros(14)));
    }

    #[test]
    fn a_mean_is_that_of_what_came_since() {
        let mut before = Summary::default();
        before.observe(Duration::from_secs(9), 1);
        let mut now = before;
        assert_eq!(now.since(&before).unwrap().mean(), None);
        now.observe(Duration::from_millis(6), 2);
        assert_eq!(now.since(&before).unwrap().mean(), Some(Duration::from_millis(3)));
        assert_eq!(before.since(&now), None);
    }
}
