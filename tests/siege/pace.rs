//! How fast an attack goes on, and when it is over.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What was missed is made up for as far as this back: a pace that was held up does not turn into
/// a rush.
const BACKLOG: Duration = Duration::from_millis(50);
/// Longest sleep before another look whether it is over.
const LOOK: Duration = Duration::from_millis(20);

/// The pace of an attack.
pub struct Pace {
    gap: Duration,
    /// When the next blow is due.
    due: Mutex<Instant>,
    blows: AtomicU64,
    over: AtomicBool,
}

/// Ends a pace when dropped.
pub struct Ends<'a>(pub &'a Pace);

impl Pace {
    /// At most so many blows a second.
    pub fn new(rate: u32) -> Self {
        Pace {
            gap: Duration::from_secs(1) / rate,
            due: Mutex::new(Instant::now()),
            blows: AtomicU64::new(0),
            over: AtomicBool::new(false),
        }
    }

    /// Waits until the next blow is due; false when it is over.
    pub fn next(&self) -> bool {
        self.next_of(1)
    }

    /// The same for so many blows at once.
    pub fn next_of(&self, blows: u32) -> bool {
        let now = Instant::now();
        let due = {
            let mut next = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let due = (*next).max(now.checked_sub(BACKLOG).unwrap_or(now));
            *next = due + self.gap * blows;
            due
        };
        loop {
            if self.over.load(Ordering::Relaxed) {
                return false;
            }
            let left = due.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.blows.fetch_add(blows.into(), Ordering::Relaxed);
                return true;
            }
            thread::sleep(left.min(LOOK));
        }
    }

    /// Blows up to now.
    pub fn blows(&self) -> u64 {
        self.blows.load(Ordering::Relaxed)
    }

    /// True once it is over.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.over.store(true, Ordering::Relaxed);
    }
}
