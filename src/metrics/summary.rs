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
    }
}
