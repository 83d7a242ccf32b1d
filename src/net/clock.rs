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
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now { mono_ms: self.start.elapsed().as_millis() as u64, unix_ms: unix.as_millis() as u64 }
    }
}
