//! `--abort 'p99_ms > 500'`: a condition on the last seconds that ends a run early.

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// What is looked at, over the last [`Abort::SECONDS`] seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    /// Latency at a quantile (0 to 1), in milliseconds.
    LatencyMs(f64),
    /// Failed operations a second.
    FailuresPerSecond,
    /// Failed operations of a hundred.
    FailurePercent,
    /// Successful operations a second.
    Rate,
}

const METRICS: &[(&str, Metric)] = &[
    ("p50_ms", Metric::LatencyMs(0.5)),
    ("p90_ms", Metric::LatencyMs(0.9)),
    ("p95_ms", Metric::LatencyMs(0.95)),
    ("p99_ms", Metric::LatencyMs(0.99)),
    ("p999_ms", Metric::LatencyMs(0.999)),
    ("max_ms", Metric::LatencyMs(1.0)),
    ("failures_per_s", Metric::FailuresPerSecond),
    ("failure_percent", Metric::FailurePercent),
    ("rate", Metric::Rate),
];

/// A condition: metric, `>` or `<`, number.
#[derive(Clone, Debug, PartialEq)]
pub struct Abort {
    text: String,
    metric: Metric,
    above: bool,
    bound: f64,
}

/// What a condition is tested against.
#[derive(Clone, Copy, Debug)]
pub struct Recent<'a> {
    /// Latencies in microseconds.
    pub latency: &'a hdrhistogram::Histogram<u64>,
    /// Operations that succeeded.
    pub succeeded: u64,
    /// Operations that failed.
    pub failed: u64,
    /// Over how long, in seconds.
    pub seconds: f64,
}

impl Abort {
    /// How far back a condition looks.
    pub const SECONDS: usize = 5;

    /// True when the condition holds. Without any operation only `rate` can hold.
    pub fn holds(&self, recent: &Recent<'_>) -> bool {
        let all = recent.succeeded + recent.failed;
        let value = match self.metric {
            Metric::Rate => recent.succeeded as f64 / recent.seconds,
            _ if all == 0 => return false,
            Metric::LatencyMs(_) if recent.latency.is_empty() => return false,
            Metric::LatencyMs(quantile) => {
                recent.latency.value_at_quantile(quantile) as f64 / 1000.0
            }
            Metric::FailuresPerSecond => recent.failed as f64 / recent.seconds,
            Metric::FailurePercent => recent.failed as f64 * 100.0 / all as f64,
        };
        if self.above { value > self.bound } else { value < self.bound }
    }
}

impl FromStr for Abort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (at, above) = match (text.find('>'), text.find('<')) {
            (Some(at), None) => (at, true),
            (None, Some(at)) => (at, false),
            _ => return Err(format!("{text:?}: write METRIC > NUMBER or METRIC < NUMBER")),
        };
        let (name, bound) = (text[..at].trim(), text[at + 1..].trim());
        let known = || METRICS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let metric = METRICS.iter().find(|(known, _)| *known == name);
        let (_, metric) = metric.ok_or_else(|| format!("{name:?}: a metric is {}", known()))?;
        match bound.parse::<f64>() {
            Ok(bound) if bound.is_finite() => {
                Ok(Abort { text: text.to_owned(), metric: *metric, above, bound })
            }
            _ => Err(format!("{bound:?} is not a number")),
        }
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
    use crate::stats::latencies;

    fn holds(text: &str, micros: &[u64], failed: u64) -> bool {
        let mut latency = latencies();
        for &value in micros {
            latency.record(value).unwrap();
        }
        let recent =
            Recent { latency: &latency, succeeded: micros.len() as u64, failed, seconds: 5.0 };
        text.parse::<Abort>().unwrap().holds(&recent)
    }

    #[test]
    fn a_condition_holds_on_its_side_of_the_bound_only() {
        assert!(holds("p99_ms > 500", &[600_000], 0));
        assert!(!holds("p99_ms > 500", &[400_000], 0));
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
