//! Latencies as a report keeps them.

use crate::figure::at_quantile_ms;
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Bars of a histogram for each doubling of the latency.
const BARS_A_DOUBLING: f64 = 2.0;

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
}

impl Latency {
    /// Of a histogram in microseconds; `None` when it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Option<Latency> {
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile| at_quantile_ms(histogram, quantile);
        Some(Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
            mean: histogram.mean() / 1000.0,
        })
    }
}

/// How many latencies were up to `.0` milliseconds and above the bar before.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bar(pub f64, pub u64);

/// The bars of a histogram in microseconds, without gaps, from the fastest to the slowest.
pub fn bars(histogram: &Histogram<u64>) -> Vec<Bar> {
    let number = |micros: u64| ((micros.max(1) as f64).log2() * BARS_A_DOUBLING).floor() as i32;
    let mut bars: Vec<Bar> = Vec::new();
    let mut next = None;
    for value in histogram.iter_recorded() {
        let wanted = number(value.value_iterated_to());
        let from = next.unwrap_or(wanted);
        for number in from..=wanted {
            let upto_ms = (f64::from(number + 1) / BARS_A_DOUBLING).exp2() / 1000.0;
            bars.push(Bar(upto_ms, 0));
        }
        next = Some(wanted + 1);
        if let Some(bar) = bars.last_mut() {
            bar.1 += value.count_since_last_iteration();
        }
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::latencies;

    #[test]
    fn bars_hold_every_latency_and_have_no_gap() {
        let mut histogram = latencies();
        for micros in [1, 900, 1_000, 1_100, 400_000, 400_000] {
            histogram.record(micros).unwrap();
        }
        let bars = bars(&histogram);
        assert_eq!(bars.iter().map(|bar| bar.1).sum::<u64>(), 6);
        assert_eq!(bars.last().unwrap().1, 2);
        assert!(bars.last().unwrap().0 >= 400.0 && bars.first().unwrap().0 >= 0.001);
        let ratio = 2f64.powf(1.0 / BARS_A_DOUBLING);
        assert!(bars.windows(2).all(|pair| (pair[1].0 / pair[0].0 - ratio).abs() < 1e-9));
        assert!(super::bars(&latencies()).is_empty());
    }
}
