//! What the coordinator tells its threads and what they tell it.

use crate::clock::Moment;
use crate::driver::Orders;
use crate::stats::Stats;
use crate::world::Window;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Orders for all threads. Read at every tick; nobody waits on it.
#[derive(Debug, Default)]
pub struct Control {
    stop: AtomicBool,
    window: OnceLock<Window>,
}

impl Control {
    /// Ends the run early, in good order.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// True when the run is to end early.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Says when load begins and ends; only the first call counts.
    pub fn set_window(&self, window: Window) {
        let _ = self.window.set(window);
    }

    /// What is ordered now.
    pub fn orders(&self) -> Orders {
        Orders { stop: self.is_stopped(), window: self.window.get().copied() }
    }
}

/// Where one thread stands; written by it alone.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Endpoints that are signed in.
    pub signed_in: AtomicU64,
    /// Sign-ins that succeeded.
    pub sign_ins: AtomicU64,
    /// Sign-ins that failed.
    pub sign_ins_failed: AtomicU64,
    /// Requests without a final answer.
    pub outstanding: AtomicU64,
    /// True once users and sessions are there and the thread waits for the window.
    pub ready: AtomicBool,
}

/// What a thread sends.
#[derive(Debug)]
pub enum Report {
    /// Counts since its last report.
    Counts {
        /// Up to when.
        at: Moment,
        /// The counts.
        stats: Box<Stats>,
    },
    /// The thread has nothing more to do; its last counts were sent.
    Done,
}
