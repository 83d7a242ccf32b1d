//! At most one log line a second and cause, whichever core it comes from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::link::LANE_REFUSED;
use crate::base::time::Now;

/// Causes there are: the last one has the highest number.
const CAUSES: usize = LANE_REFUSED + 1;
/// Between two lines of one cause, in milliseconds.
const GAP_MS: u64 = 1000;

/// Gate of the log: an event of a cause passes once a second; those held back are counted and told
/// with the next that passes. One is made for the process; each core has a copy, and all copies are
/// one gate. It is asked once for each event that an operator may want to hear of, never for a
/// message.
#[derive(Clone, Debug)]
pub struct LogLimit(Arc<[Gate; CAUSES]>);

/// What a cause has said. Nothing else depends on it, so no order is needed.
#[derive(Debug, Default)]
struct Gate {
    next_ms: AtomicU64,
    held_back: AtomicU64,
}

impl Default for LogLimit {
    fn default() -> Self {
        LogLimit(Arc::new(std::array::from_fn(|_| Gate::default())))
    }
}

impl LogLimit {
    /// Whether an event of `cause` may be logged, and how many were held back before it. `now` is
    /// in the scale that all cores share.
    pub fn pass(&self, now: Now, cause: usize) -> Option<u64> {
        let gate = self.0.get(cause)?;
        let next_ms = gate.next_ms.load(Ordering::Relaxed);
        let later = now.mono_ms.saturating_add(GAP_MS);
        let passes = now.mono_ms >= next_ms
            && gate
                .next_ms
                .compare_exchange(next_ms, later, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !passes {
            gate.held_back.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(gate.held_back.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    #[test]
    fn a_flood_makes_one_line_a_second_and_is_counted() {
        let limit = LogLimit::default();
        assert_eq!(limit.pass(at(10), 0), Some(0));
        for ms in 11..110 {
            assert_eq!(limit.pass(at(ms), 0), None);
        }
        assert_eq!(limit.pass(at(20), 1), Some(0), "another cause has its own second");
        assert_eq!(limit.pass(at(1010), 0), Some(99));
        assert_eq!(limit.pass(at(2010), CAUSES), None, "an unknown cause never passes");
    }

    #[test]
    fn all_cores_together_make_one_line_a_second() {
        let cores: Vec<_> = std::iter::repeat_n(LogLimit::default(), 4).collect();
        let passed: Vec<_> = cores.iter().filter_map(|core| core.pass(at(10), 0)).collect();
        assert_eq!(passed, [0]);
        let passed: Vec<_> = cores.iter().filter_map(|core| core.pass(at(1010), 0)).collect();
        assert_eq!(passed, [3]);
    }
}
