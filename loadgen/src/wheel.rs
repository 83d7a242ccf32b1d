//! One hashed timer wheel a thread, so that thousands of deadlines cost one timer of the executor.
//!
//! Timers are not cancelled: a key names a thing and its generation, and whoever it fires for
//! looks whether that thing still waits.

use crate::clock::Moment;
use std::time::Duration;

const SLOTS: usize = 4096;
const GRANULARITY_NS: u64 = 10_000_000;

/// Timers with a key `K`; they fire up to one slot (10 ms) late and never early.
#[derive(Debug)]
pub struct Wheel<K> {
    slots: Vec<Vec<(Moment, K)>>,
    /// Number of the last slot period handed out.
    cursor: u64,
}

impl<K> Wheel<K> {
    /// An empty wheel that stands at the run's start.
    pub fn new() -> Self {
        Wheel { slots: (0..SLOTS).map(|_| Vec::new()).collect(), cursor: 0 }
    }

    /// Arms a timer; one that is already due fires at the next advance to a new slot.
    pub fn arm(&mut self, deadline: Moment, key: K) {
        let period = deadline.0.div_ceil(GRANULARITY_NS).max(self.cursor + 1);
        self.slots[(period % SLOTS as u64) as usize].push((deadline, key));
    }

    /// Moves the wheel to `now` and appends the keys that are due to `due`.
    pub fn advance(&mut self, now: Moment, due: &mut Vec<K>) {
        let target = now.0 / GRANULARITY_NS;
        // One turn visits every slot, however long the caller slept.
        let steps = target.saturating_sub(self.cursor).min(SLOTS as u64);
        for period in target - steps + 1..=target {
            let slot = &mut self.slots[(period % SLOTS as u64) as usize];
            let mut at = 0;
            while at < slot.len() {
                if slot[at].0.0.div_ceil(GRANULARITY_NS) <= target {
                    due.push(slot.swap_remove(at).1);
                } else {
                    at += 1;
                }
            }
        }
        self.cursor = self.cursor.max(target);
    }

    /// The widest a timer may be late.
    pub fn granularity() -> Duration {
        Duration::from_nanos(GRANULARITY_NS)
    }
}

impl<K> Default for Wheel<K> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Moment {
        Moment(ms * 1_000_000)
    }

    fn due(wheel: &mut Wheel<u32>, now: u64) -> Vec<u32> {
        let mut out = Vec::new();
        wheel.advance(ms(now), &mut out);
        out.sort_unstable();
        out
    }

    #[test]
    fn fires_once_and_never_early() {
        let mut wheel = Wheel::new();
        wheel.arm(ms(1_005), 7);
        assert!(due(&mut wheel, 1_004).is_empty());
        assert_eq!(due(&mut wheel, 1_010), [7]);
        assert!(due(&mut wheel, 200_000).is_empty());
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_the_next_period() {
        let mut wheel = Wheel::new();
        assert!(due(&mut wheel, 1_000).is_empty());
        wheel.arm(ms(3), 1);
        assert_eq!(due(&mut wheel, 1_010), [1]);
    }

    #[test]
    fn deadlines_beyond_one_turn_wait_and_a_long_sleep_loses_nothing() {
        let mut wheel = Wheel::new();
        for key in 0..200u32 {
            wheel.arm(ms(u64::from(key) * 977), key);
        }
        let early = due(&mut wheel, 50_000);
        assert_eq!(early, (0..=51).collect::<Vec<_>>());
        assert_eq!(due(&mut wheel, 10_000_000).len(), 148);
    }
}
