//! The one place of the data plane where time is read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::base::time::Now;

/// Reads the time in the scale that all cores share. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// A clock whose monotonic scale starts now. One is made for the process.
    pub fn start() -> Self {
        Clock { start: Instant::now() }
    }

    /// The time, on both scales.
    pub fn now(&self) -> Now {
        self.at(Instant::now())
    }

    /// The time on both scales at a moment that has just been read.
    pub fn at(&self, moment: Instant) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let mono = moment.saturating_duration_since(self.start);
        Now { mono_ms: mono.as_millis() as u64, unix_ms: unix.as_millis() as u64 }
    }
}
