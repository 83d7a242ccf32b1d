//! How much a member may say in the time.

use crate::base::limits::Limits;
use crate::base::time::Now;

/// Thousandths of a message: at a rate of n a second, a millisecond gives n of them.
const MESSAGE: u64 = 1000;

/// Messages that may still be said: so many at once, and so many more each second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// In thousandths of a message, as of `at_ms`.
    left: u64,
    at_ms: u64,
}

impl Allowance {
    /// A full one.
    pub(super) fn new(now: Now, limits: &Limits) -> Self {
        Allowance { left: full(limits), at_ms: now.mono_ms }
    }

    /// Takes one message off; false, and nothing is taken, when there is none left.
    pub(super) fn take(&mut self, now: Now, limits: &Limits) -> bool {
        let passed = now.mono_ms.saturating_sub(self.at_ms);
        let gained = passed.saturating_mul(u64::from(limits.conference_messages_per_second_max));
        self.at_ms = self.at_ms.max(now.mono_ms);
        self.left = self.left.saturating_add(gained).min(full(limits));
        match self.left.checked_sub(MESSAGE) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

fn full(limits: &Limits) -> u64 {
    u64::from(limits.conference_burst_max) * MESSAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    #[test]
    fn so_many_at_once_and_so_many_more_each_second() {
        let limits = Limits {
            conference_burst_max: 3,
            conference_messages_per_second_max: 2,
            ..Limits::default()
        };
        let mut allowance = Allowance::new(at(0), &limits);
        let mut take = |ms| allowance.take(at(ms), &limits);
        assert_eq!([take(0), take(0), take(0), take(0)], [true, true, true, false]);
        assert_eq!([take(499), take(500), take(500)], [false, true, false]);
        assert_eq!([take(400), take(999), take(1000)], [false, false, true]);
        let much_later = u64::MAX;
        assert_eq!([(); 4].map(|()| take(much_later)), [true, true, true, false]);
    }
}
