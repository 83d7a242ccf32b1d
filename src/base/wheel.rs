//! One hashed timer wheel a core, advanced by one tick: arming and dropping a timer is O(1) and
//! allocates nothing once the slots have grown.
//!
//! Timers are not cancelled. A timer carries a small key; whoever it fires for looks whether the
//! thing it names still waits (a stale [`Slot`](super::ids::Slot) finds nothing) and arms the
//! next one if its deadline moved. That makes re-arming free on the hot path.

use super::time::{Deadline, Now};

const SLOTS: usize = 4096;

/// Timers that fire with a key `K` at a deadline, to the granularity of one slot.
#[derive(Debug)]
pub struct Wheel<K> {
    slots: Vec<Vec<(Deadline, K)>>,
    granularity_ms: u64,
    /// Number of the last slot period that was handed out.
    cursor: u64,
    len: usize,
}

impl<K> Wheel<K> {
    /// A wheel whose slots are `granularity_ms` wide, standing at `now`.
    pub fn new(granularity_ms: u64, now: Now) -> Self {
        let granularity_ms = granularity_ms.max(1);
        Wheel {
            slots: (0..SLOTS).map(|_| Vec::new()).collect(),
            granularity_ms,
            cursor: now.mono_ms / granularity_ms,
            len: 0,
        }
    }

    /// Arms a timer. One that is already due fires at the next advance.
    pub fn arm(&mut self, deadline: Deadline, key: K) {
        let period = self.period(deadline).max(self.cursor + 1);
        self.slots[(period % SLOTS as u64) as usize].push((deadline, key));
        self.len += 1;
    }

    /// Moves the wheel to `now` and appends the keys that are due to `due`, earliest slot first.
    pub fn advance(&mut self, now: Now, due: &mut Vec<K>) {
        let target = now.mono_ms / self.granularity_ms;
        // One turn visits every slot, however long the caller slept.
        let steps = target.saturating_sub(self.cursor).min(SLOTS as u64);
        let first = target - steps.min(target);
        for period in first + 1..=target {
            let slot = &mut self.slots[(period % SLOTS as u64) as usize];
            let mut i = 0;
            while i < slot.len() {
                if slot[i].0.0.div_ceil(self.granularity_ms) <= target {
                    due.push(slot.swap_remove(i).1);
                    self.len -= 1;
                } else {
                    i += 1;
                }
            }
        }
        self.cursor = self.cursor.max(target);
    }

    /// Number of armed timers.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True when no timer is armed.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The period in which `deadline` has passed: never early.
    fn period(&self, deadline: Deadline) -> u64 {
        deadline.0.div_ceil(self.granularity_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    fn due(wheel: &mut Wheel<u32>, now: u64) -> Vec<u32> {
        let mut out = Vec::new();
        wheel.advance(at(now), &mut out);
        out
    }

    #[test]
    fn fires_once_and_never_early() {
        let mut wheel = Wheel::new(20, at(1_000));
        wheel.arm(Deadline(1_050), 7);
        assert!(due(&mut wheel, 1_049).is_empty());
        assert_eq!(due(&mut wheel, 1_060), [7]);
        assert!(due(&mut wheel, 2_000).is_empty());
        assert!(wheel.is_empty());
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_the_next_period() {
        let mut wheel = Wheel::new(20, at(1_000));
        wheel.arm(Deadline(3), 1);
        assert_eq!(due(&mut wheel, 1_020), [1]);
    }

    #[test]
    fn a_deadline_beyond_one_turn_waits_its_turns() {
        let mut wheel = Wheel::new(20, at(0));
        let far = 20 * SLOTS as u64 * 2 + 40;
        wheel.arm(Deadline(far), 9);
        let mut now = 0;
        while now < far - 20 {
            now += 20;
            assert!(due(&mut wheel, now).is_empty(), "at {now}");
        }
        assert_eq!(due(&mut wheel, far), [9]);
    }

    #[test]
    fn a_long_sleep_loses_nothing() {
        let mut wheel = Wheel::new(20, at(0));
        for i in 0..100u32 {
            wheel.arm(Deadline(u64::from(i) * 977), i);
        }
        let mut fired = due(&mut wheel, 10_000_000);
        fired.sort_unstable();
        assert_eq!(fired, (0..100).collect::<Vec<_>>());
    }
}
