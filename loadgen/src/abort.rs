//! `--abort 'p99_im_ms > 500'`: a condition on the last seconds that ends a run early.

use crate::figure::{Bound, Counts, Figure, condition};
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// A condition on a figure of the last [`Abort::SECONDS`] seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Abort {
    text: String,
    figure: Figure,
    bound: Bound,
}

impl Abort {
    /// How far back a condition looks.
    pub const SECONDS: usize = 5;

    /// True when the condition holds. Without any operation only a rate can hold.
    pub fn holds(&self, recent: &Counts<'_>) -> bool {
        self.figure.value(recent).is_some_and(|value| self.bound.holds(value))
    }
}

impl FromStr for Abort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, bound) = condition(text)?;
        Ok(Abort { text: text.to_owned(), figure: name.parse()?, bound })
    }
}

impl fmt::Display for Abort {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.text)
    }
}

impl Serialize for Abort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::stats::{Cause, Operation, Stats};

    fn holds(text: &str, micros: &[u64], failed: u64) -> bool {
        let mut stats = Stats::default();
        for value in micros {
            stats.succeed(Operation::Message, Moment(0), Moment(value * 1000));
        }
        stats.fail(Operation::Message, Cause::Timeout, failed);
        let recent = Counts { stats: &stats, main: Operation::Message, seconds: 5.0 };
        text.parse::<Abort>().unwrap().holds(&recent)
    }

    #[test]
    fn a_condition_holds_on_its_side_of_the_bound_only() {
        assert!(holds("p99_ms > 500", &[600_000], 0));
        assert!(!holds("p99_im_ms > 500", &[400_000], 0));
        assert!(holds("p99_im_ms > 500", &[600_000], 0));
        assert!(holds("p50_ms<1", &[900, 900], 0));
        assert!(holds("failure_percent > 10", &[1, 1, 1], 1));
        assert!(holds("failures_per_s > 0.1", &[], 1));
        assert!(holds("rate < 1", &[], 0));
    }

    #[test]
    fn silence_is_no_latency() {
        assert!(!holds("p99_ms < 500", &[], 0));
        assert!(!holds("p99_ms > 0", &[], 9));
        assert!(!holds("failure_percent < 1", &[], 0));
    }

    #[test]
    fn what_is_not_a_condition_is_named() {
        for wrong in ["", "p99_ms", "p99_ms = 5", "p98_ms > 5", "p99_ms > x", "p99_ms > < 5"] {
            assert!(wrong.parse::<Abort>().is_err(), "{wrong}");
        }
    }
}
