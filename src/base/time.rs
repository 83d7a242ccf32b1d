//! Time as a value: the core never reads a clock, the caller says what time it is.

use std::time::Duration;

/// The time at which an input is handled. Comes in with every call; never read inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Monotonic milliseconds since the process started. Deadlines are in this scale.
    pub mono_ms: u64,
    /// Milliseconds since the Unix epoch, for records and for nonces that outlive a process.
    pub unix_ms: u64,
}

impl Now {
    /// The monotonic instant `after` from now, for use as a deadline.
    pub fn after(self, after: Duration) -> Deadline {
        Deadline(self.mono_ms.saturating_add(after.as_millis() as u64))
    }

    /// True once `deadline` is reached.
    pub fn reached(self, deadline: Deadline) -> bool {
        self.mono_ms >= deadline.0
    }

    /// This time moved forward on both scales.
    pub fn plus(self, by: Duration) -> Now {
        let by = by.as_millis() as u64;
        Now { mono_ms: self.mono_ms.saturating_add(by), unix_ms: self.unix_ms.saturating_add(by) }
    }
}

/// A monotonic instant in milliseconds, in the scale of [`Now::mono_ms`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(pub u64);
