//! How many sign-ins may begin: after a restart all users come at once, and a server that lets them
//! all in serves none in time.
//!
//! Who is one too many is told when to come again: each gets a turn of his own behind those who were
//! told before, so that they come at the rate at which they are let in. A turn is no promise, as
//! nobody is remembered: who comes in between may take it, and who finds none gets another.

use crate::base::seed::Seed;
use crate::base::time::Now;

/// What may come at once, in microseconds of the rate.
const BURST_US: u64 = 1_000_000;
/// Soonest that anybody is asked to come again.
const WAIT_MIN_US: u64 = 2_000_000;
/// Latest: beyond it turns are dealt by chance.
const WAIT_MAX_US: u64 = 300_000_000;
/// Seconds by which each wait may be longer, by chance: those of many servers do not come together.
const JITTER_S: u64 = 6;

/// Sign-ins of one shard.
#[derive(Debug)]
pub struct Admission {
    /// Between two sign-ins; 0 means that all are let in.
    interval_us: u64,
    /// Until when those who were let in have used the rate up.
    used_until_us: u64,
    /// Until when turns are given away.
    turns_until_us: u64,
}

impl Admission {
    /// Lets a share of `per_second` in, as one of `shards`; 0 lets all in.
    pub fn new(per_second: u32, shards: u16) -> Self {
        Admission {
            interval_us: interval_us(per_second, shards),
            used_until_us: 0,
            turns_until_us: 0,
        }
    }

    /// Another rate from now on.
    pub fn set_rate(&mut self, per_second: u32, shards: u16) {
        self.interval_us = interval_us(per_second, shards);
        self.turns_until_us = 0;
    }

    /// Lets one begin.
    ///
    /// # Errors
    /// The seconds after which he may come again, when he is one too many.
    pub fn admit(&mut self, now: Now, seed: &mut Seed) -> Result<(), u64> {
        if self.interval_us == 0 {
            return Ok(());
        }
        let now_us = now.mono_ms.saturating_mul(1000);
        let used = self.used_until_us.max(now_us);
        // Less than an interval of the burst is left.
        if used + self.interval_us > now_us + BURST_US.max(self.interval_us) {
            return Err(self.turn_s(now_us, seed));
        }
        self.used_until_us = used + self.interval_us;
        Ok(())
    }

    fn turn_s(&mut self, now_us: u64, seed: &mut Seed) -> u64 {
        let turn = self.turns_until_us.max(now_us + WAIT_MIN_US) + self.interval_us;
        let wait_us = match turn - now_us {
            wait if wait <= WAIT_MAX_US => {
                self.turns_until_us = turn;
                wait
            }
            _ => WAIT_MIN_US + seed.below(WAIT_MAX_US - WAIT_MIN_US),
        };
        wait_us.div_ceil(1_000_000) + seed.below(JITTER_S)
    }
}

/// Microseconds between two sign-ins on one of `shards`.
fn interval_us(per_second: u32, shards: u16) -> u64 {
    match per_second {
        0 => 0,
        rate => (1_000_000 * u64::from(shards.max(1)) / u64::from(rate)).max(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    /// Tries as often as said at one moment; how many were let in, and the waits of the others.
    fn storm(admission: &mut Admission, ms: u64, tries: u32) -> (usize, Vec<u64>) {
        let mut seed = Seed::from_u64(ms);
        let outcomes: Vec<_> = (0..tries).map(|_| admission.admit(at(ms), &mut seed)).collect();
        let waits: Vec<u64> = outcomes.iter().filter_map(|outcome| outcome.err()).collect();
        (outcomes.len() - waits.len(), waits)
    }

    #[test]
    fn a_seconds_worth_comes_at_once_and_then_the_rate() {
        let mut admission = Admission::new(100, 1);
        assert_eq!(storm(&mut admission, 5_000, 1_000).0, 100);
        assert_eq!(storm(&mut admission, 5_000, 10).0, 0);
        assert_eq!(storm(&mut admission, 5_250, 1_000).0, 25);
        // What is not used is not saved beyond a second.
        assert_eq!(storm(&mut admission, 60_000, 1_000).0, 100);
    }

    #[test]
    fn each_shard_has_its_share() {
        let admitted = |rate, shards| storm(&mut Admission::new(rate, shards), 1, 10_000).0;
        assert_eq!(admitted(2_000, 4), 500);
        // Fewer than shards: one every so often on each.
        assert_eq!(admitted(1, 4), 1);
        let mut slow = Admission::new(1, 4);
        assert_eq!([0, 3_999, 4_000].map(|ms| storm(&mut slow, ms, 1).0), [1, 0, 1]);
    }

    #[test]
    fn those_refused_are_told_to_come_at_the_rate() {
        let mut admission = Admission::new(100, 1);
        let (_, waits) = storm(&mut admission, 0, 5_100);
        assert_eq!(waits.len(), 5_000);
        assert!(waits.iter().all(|wait| (2..=2 + 50 + 6).contains(wait)), "{waits:?}");
        for second in 10..50 {
            let come = waits.iter().filter(|wait| **wait == second).count();
            assert!((70..130).contains(&come), "{come} in second {second}");
        }
    }

    #[test]
    fn nobody_is_told_to_wait_for_longer_than_some_minutes() {
        let (_, waits) = storm(&mut Admission::new(1, 1), 0, 2_000);
        assert!(waits.iter().all(|wait| *wait <= 306), "{:?}", waits.iter().max());
        let late = waits.iter().filter(|wait| **wait > 150).count();
        assert!((600..1_400).contains(&late), "{late} of {}", waits.len());
    }

    #[test]
    fn without_a_bound_all_come_in_and_a_new_one_holds_at_once() {
        let mut admission = Admission::new(0, 2);
        assert_eq!(storm(&mut admission, 0, 100_000).0, 100_000);
        admission.set_rate(10, 2);
        assert_eq!(storm(&mut admission, 1, 100).0, 5);
        admission.set_rate(0, 2);
        assert_eq!(storm(&mut admission, 2, 100).0, 100);
    }
}
