//! Time as a value: nanoseconds since the run began. Only [`Clock`] reads the system's clock.

use std::time::{Duration, Instant};

/// A point in time of one run, in nanoseconds since the run's start; the same on all its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub u64);

impl Moment {
    /// A point that never comes.
    pub const NEVER: Moment = Moment(u64::MAX);

    /// The point `delay` later; stays at [`Moment::NEVER`] when that is out of range.
    pub fn after(self, delay: Duration) -> Moment {
        Moment(self.0.saturating_add(u64::try_from(delay.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How long after `earlier` this point is; zero when it is not after it.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The run's clock, copied to each thread.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock that reads zero now.
    pub fn start() -> Self {
        Clock { start: Instant::now() }
    }

    /// The present moment.
    pub fn now(self) -> Moment {
        Moment(u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
