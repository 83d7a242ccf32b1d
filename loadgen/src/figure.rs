//! Figures by name, `p99_im_ms` or `failure_percent`, of the counts of a run or of a part of it:
//! what `--abort` and `--mark` speak of.

use crate::stats::{Operation, Stats};
use hdrhistogram::Histogram;
use std::fmt;
use std::str::FromStr;

/// What a figure is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Latency at a quantile (0 to 1), in milliseconds.
    LatencyMs(f64),
    /// Failed operations a second.
    FailuresPerSecond,
    /// Failed operations of a hundred.
    FailurePercent,
    /// Successful operations a second.
    Rate,
}

/// The latencies that have names.
const LATENCIES: &[(&str, f64)] =
    &[("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999), ("max", 1.0)];

/// Names of operations beside those of the report.
const OTHER_NAMES: &[(&str, Operation)] =
    &[("im", Operation::Message), ("register", Operation::SignIn)];

/// A figure of one operation, or, when none is named, of the flow's own operation (latencies and
/// rates) and of all operations (failures).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    kind: Kind,
    operation: Option<Operation>,
}

/// What a figure is taken from.
#[derive(Clone, Copy, Debug)]
pub struct Counts<'a> {
    /// The counts.
    pub stats: &'a Stats,
    /// The flow's own operation.
    pub main: Operation,
    /// Over how long they were taken, in seconds.
    pub seconds: f64,
}

impl Figure {
    /// Latency of an operation at a quantile (0 to 1), in milliseconds.
    pub fn latency_ms(quantile: f64, operation: Operation) -> Figure {
        Figure { kind: Kind::LatencyMs(quantile), operation: Some(operation) }
    }

    /// The figure; `None` when nothing happened that it could be told from. Silence is a rate of
    /// zero.
    pub fn value(&self, counts: &Counts<'_>) -> Option<f64> {
        let Counts { stats, main, seconds } = *counts;
        let one = stats.tally(self.operation.unwrap_or(main));
        let succeeded = one.map_or(0, |tally| tally.succeeded);
        let failed = match self.operation {
            Some(_) => one.map_or(0, |tally| tally.failed()),
            None => stats.failed(),
        };
        let all = succeeded + failed;
        match self.kind {
            Kind::Rate => (seconds > 0.0).then(|| succeeded as f64 / seconds),
            Kind::LatencyMs(quantile) => one
                .map(|tally| &tally.latency)
                .filter(|latency| !latency.is_empty())
                .map(|latency| at_quantile_ms(latency, quantile)),
            _ if all == 0 => None,
            Kind::FailuresPerSecond => (seconds > 0.0).then(|| failed as f64 / seconds),
            Kind::FailurePercent => Some(failed as f64 * 100.0 / all as f64),
        }
    }
}

/// Milliseconds at a quantile (0 to 1) of a histogram in microseconds.
pub fn at_quantile_ms(latency: &Histogram<u64>, quantile: f64) -> f64 {
    latency.value_at_quantile(quantile) as f64 / 1000.0
}

impl FromStr for Figure {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        read(name).ok_or_else(|| {
            let operations: Vec<_> = Operation::ALL.iter().map(|known| known.name()).collect();
            format!(
                "{name:?}: a figure is p50_ms, p90_ms, p95_ms, p99_ms, p999_ms, max_ms, rate, \
                 failures_per_s or failure_percent, or one of an operation such as p99_im_ms, \
                 rate_notify or failure_percent_register; operations are im, register, {}",
                operations.join(", ")
            )
        })
    }
}

fn read(name: &str) -> Option<Figure> {
    for (start, kind) in [
        ("rate", Kind::Rate),
        ("failures_per_s", Kind::FailuresPerSecond),
        ("failure_percent", Kind::FailurePercent),
    ] {
        match name.strip_prefix(start) {
            Some("") => return Some(Figure { kind, operation: None }),
            Some(rest) => {
                let operation = Some(operation(rest.strip_prefix('_')?)?);
                return Some(Figure { kind, operation });
            }
            None => {}
        }
    }
    let name = name.strip_suffix("_ms")?;
    let (quantile, rest) = name.split_once('_').map_or((name, None), |(q, rest)| (q, Some(rest)));
    let (_, quantile) = LATENCIES.iter().find(|(known, _)| *known == quantile)?;
    let operation = match rest {
        Some(rest) => Some(operation(rest)?),
        None => None,
    };
    Some(Figure { kind: Kind::LatencyMs(*quantile), operation })
}

fn operation(name: &str) -> Option<Operation> {
    let other = OTHER_NAMES.iter().find(|(known, _)| *known == name);
    other
        .map(|(_, operation)| *operation)
        .or_else(|| Operation::ALL.into_iter().find(|known| known.name() == name))
}

/// On which side of a number a figure is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// Less than this.
    Below(f64),
    /// More than this.
    Above(f64),
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Bound {
    /// True when `value` is on the right side.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Bound::Below(bound) => value < bound,
            Bound::Above(bound) => value > bound,
            Bound::AtMost(bound) => value <= bound,
            Bound::AtLeast(bound) => value >= bound,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bound::Below(bound) => write!(out, "< {bound}"),
            Bound::Above(bound) => write!(out, "> {bound}"),
            Bound::AtMost(bound) => write!(out, "<= {bound}"),
            Bound::AtLeast(bound) => write!(out, ">= {bound}"),
        }
    }
}

/// Makes a bound of its number.
type Side = fn(f64) -> Bound;

/// Reads `NAME < NUMBER`, with one of `< > <= >=`.
///
/// # Errors
/// Says what is accepted.
pub fn condition(text: &str) -> Result<(&str, Bound), String> {
    let shape = || format!("{text:?}: write NAME < NUMBER, with <, >, <= or >=");
    let signs: [(&str, Side); 4] =
        [("<=", Bound::AtMost), (">=", Bound::AtLeast), ("<", Bound::Below), (">", Bound::Above)];
    let (name, rest) = text.split_at(text.find(['<', '>']).ok_or_else(shape)?);
    let read = signs.iter().find_map(|(sign, bound)| Some((rest.strip_prefix(sign)?, bound)));
    let (number, bound) = read.ok_or_else(shape)?;
    match number.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((name.trim(), bound(number))),
        _ => Err(shape()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::stats::Cause;

    fn value(name: &str, stats: &Stats) -> Option<f64> {
        let counts = Counts { stats, main: Operation::Message, seconds: 5.0 };
        name.parse::<Figure>().unwrap().value(&counts)
    }

    #[test]
    fn a_figure_is_of_its_operation_or_of_the_flows() {
        let mut stats = Stats::default();
        stats.succeed(Operation::Message, Moment(0), Moment(2_000_000));
        stats.succeed(Operation::SignIn, Moment(0), Moment(40_000_000));
        stats.fail(Operation::SignIn, Cause::Timeout, 3);
        let near = |value: Option<f64>, wanted: f64| {
            assert!((value.unwrap() / wanted - 1.0).abs() < 0.01, "{value:?} {wanted}");
        };
        near(value("p99_ms", &stats), 2.0);
        near(value("p50_im_ms", &stats), 2.0);
        near(value("max_register_ms", &stats), 40.0);
        near(value("p999_sign_in_ms", &stats), 40.0);
        assert_eq!(value("p99_notify_ms", &stats), None);
        assert_eq!(value("rate", &stats), Some(0.2));
        assert_eq!(value("rate_notify", &stats), Some(0.0));
        assert_eq!(value("failure_percent_register", &stats), Some(75.0));
        assert_eq!(value("failure_percent_im", &stats), Some(0.0));
        assert_eq!(value("failures_per_s", &stats), Some(0.6));
        assert_eq!(value("failure_percent_notify", &stats), None);
    }

    #[test]
    fn names_and_conditions_that_are_none_are_said() {
        for wrong in ["", "p98_ms", "p99", "p99_nothing_ms", "rate_", "ratey", "_ms", "p99__ms"] {
            assert!(wrong.parse::<Figure>().is_err(), "{wrong}");
        }
        assert_eq!(condition("a<=5"), Ok(("a", Bound::AtMost(5.0))));
        assert_eq!(condition(" a > -0.5 "), Ok(("a", Bound::Above(-0.5))));
        for wrong in ["a", "a = 5", "a > < 5", "a <> 5", "a < x", "a < inf", "a << 5", "a <== 5"] {
            assert!(condition(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_bound_excludes_its_own_number_unless_it_says_otherwise() {
        let held = |text: &str| condition(text).unwrap().1.holds(5.0);
        assert_eq!(["a<5", "a>5", "a<=5", "a>=5"].map(held), [false, false, true, true]);
    }
}
