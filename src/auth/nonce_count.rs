//! Which counts of one nonce were used: a sliding window, because requests of one pipeline may
//! be written in another order than they were counted.

/// Counts this far below the highest are still told apart; older ones count as used.
const WINDOW: u32 = u64::BITS;

/// The used counts of one nonce (RFC 7616 section 3.4, `nc`), which run from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NonceCounts {
    /// Highest count used; 0 before the first.
    highest: u32,
    /// Bit `i`: count `highest - i` was used.
    used: u64,
}

impl NonceCounts {
    /// Uses `count`. False when it was used before, is older than the window, or is 0.
    pub fn take(&mut self, count: u32) -> bool {
        if count > self.highest {
            self.used = self.used.checked_shl(count - self.highest).unwrap_or(0) | 1;
            self.highest = count;
            return true;
        }
        let age = self.highest - count;
        if count == 0 || age >= WINDOW || self.used & (1 << age) != 0 {
            return false;
        }
        self.used |= 1 << age;
        true
    }

    /// Uses the nonce as a whole, for credentials that count nothing. False when any count was
    /// used before; true at most once.
    pub fn take_all(&mut self) -> bool {
        let unused = self.highest == 0;
        *self = NonceCounts { highest: u32::MAX, used: u64::MAX };
        unused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    #[test]
    fn rising_counts_pass_once() {
        let mut counts = NonceCounts::default();
        assert!((1..200).all(|count| counts.take(count)));
        assert!((1..200).all(|count| !counts.take(count)));
    }

    #[test]
    fn order_within_the_window_does_not_matter() {
        let mut counts = NonceCounts::default();
        assert!(counts.take(3));
        assert!(counts.take(1));
        assert!(counts.take(2));
        assert!(!counts.take(1));
    }

    #[test]
    fn a_jump_forgets_nothing_it_could_admit_again() {
        let mut counts = NonceCounts::default();
        assert!(counts.take(1));
        assert!(counts.take(u32::MAX));
        assert!(!counts.take(1));
        assert!(counts.take(u32::MAX - 63));
        assert!(!counts.take(u32::MAX - 64));
    }

    #[test]
    fn a_nonce_used_as_a_whole_is_used_up() {
        let mut counts = NonceCounts::default();
        assert!(counts.take_all());
        assert!(!counts.take_all());
        assert!(!counts.take(1));
        assert!(!counts.take(u32::MAX));
        let mut counts = NonceCounts::default();
        assert!(counts.take(1));
        assert!(!counts.take_all());
    }

    proptest! {
        #[test]
        fn no_count_passes_twice_and_a_new_one_in_the_window_passes(
            steps in proptest::collection::vec(0u32..150, 0..200),
        ) {
            let mut counts = NonceCounts::default();
            let mut used = HashSet::new();
            let mut highest = 0;
            for count in steps {
                let expected =
                    count > 0 && count + WINDOW > highest && !used.contains(&count);
                prop_assert_eq!(counts.take(count), expected);
                if expected {
                    used.insert(count);
                    highest = highest.max(count);
                }
            }
        }
    }
}
