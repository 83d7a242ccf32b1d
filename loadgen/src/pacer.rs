//! Open-loop pacing: when each operation is *meant* to begin, whatever the server does.
//!
//! The schedule is made from the seed and the rate alone. Whoever falls behind it (the server or
//! this program) is seen in the latencies, because they count from the intended moment.

use crate::clock::Moment;
use rand::{Rng, SeedableRng, rngs::StdRng};

/// How intended moments are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Arrivals {
    /// Evenly: the load is the same in every instant.
    Even,
    /// As independent users do (Poisson process): bursts and lulls around the same mean.
    Poisson,
}

/// A schedule of intended moments at a mean rate.
#[derive(Debug)]
pub struct Pacer {
    arrivals: Arrivals,
    /// Mean distance in nanoseconds.
    distance_ns: f64,
    /// Nanoseconds from `start` to the next intended moment.
    offset_ns: f64,
    start: Moment,
    rng: StdRng,
}

impl Pacer {
    /// A schedule of `rate` operations a second from `start` on. A rate of zero or less has none.
    pub fn new(rate: f64, arrivals: Arrivals, start: Moment, seed: u64) -> Self {
        let distance_ns = if rate > 0.0 { 1e9 / rate } else { f64::INFINITY };
        let mut pacer = Pacer {
            arrivals,
            distance_ns,
            offset_ns: 0.0,
            start,
            rng: StdRng::seed_from_u64(seed),
        };
        pacer.offset_ns = match arrivals {
            // Threads with the same rate must not beat in step: each starts at its own phase.
            Arrivals::Even => distance_ns * pacer.unit(),
            Arrivals::Poisson => pacer.gap(),
        };
        pacer
    }

    /// Takes the next intended moment when it has come.
    pub fn take(&mut self, now: Moment) -> Option<Moment> {
        let next = self.next();
        if next > now {
            return None;
        }
        self.offset_ns += self.gap();
        Some(next)
    }

    /// The next intended moment.
    pub fn next(&self) -> Moment {
        if self.offset_ns.is_finite() {
            Moment(self.start.0.saturating_add(self.offset_ns as u64))
        } else {
            Moment::NEVER
        }
    }

    fn gap(&mut self) -> f64 {
        match self.arrivals {
            Arrivals::Even => self.distance_ns,
            Arrivals::Poisson => -(1.0 - self.unit()).ln() * self.distance_ns,
        }
    }

    /// A number in [0, 1).
    fn unit(&mut self) -> f64 {
        (self.rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn schedule(pacer: &mut Pacer, now: Moment) -> Vec<Moment> {
        std::iter::from_fn(|| pacer.take(now)).collect()
    }

    #[test]
    fn even_arrivals_keep_their_distance_and_do_not_drift() {
        let mut pacer = Pacer::new(1000.0, Arrivals::Even, Moment(5 * SECOND), 1);
        let moments = schedule(&mut pacer, Moment(15 * SECOND));
        assert_eq!(moments.len(), 10_000);
        assert!(
            moments.windows(2).all(|w| w[1].0 - w[0].0 == 1_000_000 || w[1].0 - w[0].0 < 1_000_002)
        );
        assert!(moments[9_999].0 - moments[0].0 >= 9_998_999_000);
    }

    #[test]
    fn nothing_is_due_before_its_moment() {
        let mut pacer = Pacer::new(10.0, Arrivals::Even, Moment(SECOND), 3);
        let next = pacer.next();
        assert_eq!(pacer.take(Moment(next.0 - 1)), None);
        assert_eq!(pacer.take(next), Some(next));
        assert_eq!(pacer.take(next), None);
    }

    #[test]
    fn after_a_stall_every_missed_moment_is_handed_out_as_it_was_intended() {
        let mut pacer = Pacer::new(100.0, Arrivals::Even, Moment(0), 4);
        schedule(&mut pacer, Moment(SECOND));
        let late = schedule(&mut pacer, Moment(3 * SECOND));
        assert_eq!(late.len(), 200);
        assert!(late[0] < Moment(SECOND + 20_000_000));
    }

    #[test]
    fn poisson_arrivals_have_the_mean_rate_and_are_reproduced_by_the_seed() {
        let mut one = Pacer::new(1000.0, Arrivals::Poisson, Moment(0), 9);
        let mut two = Pacer::new(1000.0, Arrivals::Poisson, Moment(0), 9);
        let first = schedule(&mut one, Moment(20 * SECOND));
        assert!((19_000..21_000).contains(&first.len()), "{}", first.len());
        assert_eq!(first, schedule(&mut two, Moment(20 * SECOND)));
    }

    #[test]
    fn no_rate_means_never() {
        let mut pacer = Pacer::new(0.0, Arrivals::Even, Moment(0), 1);
        assert_eq!(pacer.next(), Moment::NEVER);
        assert_eq!(pacer.take(Moment(u64::MAX - 1)), None);
    }
}
