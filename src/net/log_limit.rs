//! At most one log line a second and cause.

use crate::base::time::Now;

/// Gate of a core's log: an event of a cause passes once a second; those held back are counted
/// and told with the next that passes.
#[derive(Debug)]
pub struct LogLimit<const CAUSES: usize> {
    causes: [Gate; CAUSES],
}

#[derive(Clone, Copy, Debug, Default)]
struct Gate {
    next_ms: u64,
    held_back: u64,
}

impl<const CAUSES: usize> Default for LogLimit<CAUSES> {
    fn default() -> Self {
        LogLimit { causes: [Gate::default(); CAUSES] }
    }
}

impl<const CAUSES: usize> LogLimit<CAUSES> {
    /// Whether an event of `cause` may be logged, and how many were held back before it.
    pub fn pass(&mut self, now: Now, cause: usize) -> Option<u64> {
        let gate = self.causes.get_mut(cause)?;
        if now.mono_ms < gate.next_ms {
            gate.held_back += 1;
            return None;
        }
        gate.next_ms = now.mono_ms + 1000;
        Some(std::mem::take(&mut gate.held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_makes_one_line_a_second_and_is_counted() {
        let mut limit = LogLimit::<2>::default();
        let at = |mono_ms| Now { mono_ms, unix_ms: 0 };
        assert_eq!(limit.pass(at(10), 0), Some(0));
        for ms in 11..110 {
            assert_eq!(limit.pass(at(ms), 0), None);
        }
        assert_eq!(limit.pass(at(20), 1), Some(0), "another cause has its own second");
        assert_eq!(limit.pass(at(1010), 0), Some(99));
        assert_eq!(limit.pass(at(2010), 7), None, "an unknown cause never passes");
    }
}
