//! Connections closed one by one, evenly over a time, while those that are left are served.

use std::time::Duration;

use super::carrier::Carrier;
use super::connection::Phase;
use super::inner::Inner;
use crate::base::ids::Slot;
use crate::base::time::{Deadline, Now};
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;

/// A core that leaves.
#[derive(Debug)]
pub(super) struct Leaving {
    /// When the last connection is closed.
    until: Deadline,
    window_ms: u64,
    /// Connections there were when it began.
    total: usize,
    /// Those of them whose turn has not come; the last is the next.
    waiting: Vec<Slot>,
}

impl Leaving {
    /// Connections that may still be open at `now`: as large a part of all as is left of the time.
    fn allowed(&self, now: Now) -> usize {
        let left_ms = self.until.0.saturating_sub(now.mono_ms).min(self.window_ms);
        let share = (self.total as u128 * u128::from(left_ms)).div_ceil(u128::from(self.window_ms));
        usize::try_from(share).unwrap_or(self.total)
    }
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// Closes the connections there are evenly over a time from now on. New ones are still accepted:
    /// the machine has them told to go elsewhere.
    pub fn leave(&mut self, over: Duration, now: Now) {
        let is_open = |phase| !matches!(phase, Phase::Closing | Phase::Gone);
        let open = self.connections.iter().filter(|(_, c)| is_open(c.phase));
        let waiting: Vec<Slot> = open.map(|(slot, _)| slot).collect();
        let window_ms = u64::try_from(over.as_millis()).unwrap_or(u64::MAX).max(1);
        let total = waiting.len();
        self.leaving = Some(Leaving { until: now.after(over), window_ms, total, waiting });
        self.count_leaving();
    }

    /// Closes those whose turn has come.
    pub fn leave_on(&mut self, now: Now) {
        let Some(leaving) = &self.leaving else { return };
        if leaving.waiting.is_empty() {
            return;
        }
        let allowed = leaving.allowed(now);
        while let Some(leaving) = &mut self.leaving
            && let Some(slot) = leaving.waiting.last().copied()
        {
            // Who left by himself was before his turn.
            let is_there = self.connections.get_mut(slot).is_some();
            if is_there && leaving.waiting.len() <= allowed {
                break;
            }
            leaving.waiting.pop();
            if is_there {
                self.guarded(slot, now, |inner| {
                    inner.close(slot, CloseReason::Drain, now);
                    inner.settle(now);
                });
            }
        }
        self.count_leaving();
    }

    /// True when all that were to be closed are.
    pub fn has_left(&self) -> bool {
        self.leaving.as_ref().is_some_and(|leaving| leaving.waiting.is_empty())
    }

    fn count_leaving(&mut self) {
        let waiting = self.leaving.as_ref().map_or(0, |leaving| leaving.waiting.len());
        self.machine.counters().set(Series::ConnectionsToClose, waiting as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_much_of_the_connections_is_left_as_of_the_time() {
        let leaving =
            Leaving { until: Deadline(11_000), window_ms: 10_000, total: 7, waiting: Vec::new() };
        let allowed = |mono_ms| leaving.allowed(Now { mono_ms, unix_ms: 0 });
        assert_eq!([1_000, 1_001, 2_428, 2_429].map(allowed), [7, 7, 7, 6]);
        // The last goes with the end of the time.
        assert_eq!([10_999, 11_000, 90_000].map(allowed), [1, 0, 0]);
        assert_eq!(allowed(0), 7);
    }
}
