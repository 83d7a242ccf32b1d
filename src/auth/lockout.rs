//! Lock-out after repeated failures, by user or by address: a bounded table from which the
//! oldest entry leaves.
//!
//! Keys are kept as keyed 64-bit hashes: an entry costs the same whatever a client calls itself,
//! and nobody without the seed can find two names that share one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::net::IpAddr;
use std::time::Duration;

use ahash::RandomState;

use crate::base::seed::Seed;
use crate::base::time::{Deadline, Now};

/// What an address is locked out as: an IPv4 address itself, an IPv6 address with its whole /64,
/// which is what one customer gets.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}

/// Failures by key. The first failure opens a window; the failure that reaches the bound within
/// it locks the key out for as long as a window again. Every operation is O(1), amortised.
#[derive(Clone, Debug)]
pub struct Lockout {
    failures_max: u32,
    time: Duration,
    entries_max: usize,
    hasher: RandomState,
    entries: HashMap<u64, Entry, RandomState>,
    /// Keys in the order their windows opened. An element whose entry is gone or was opened
    /// again is passed over, and swept when such elements are the majority.
    opened: VecDeque<(u64, u64)>,
    /// Number of the next window.
    next: u64,
    /// Keys that left at the bound and were not told yet.
    evicted: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    window: u64,
    failures: u32,
    /// End of the window, or of the lock-out.
    until: Deadline,
}

impl Lockout {
    /// An empty table. A key is locked out at `failures_max` failures within `time`, for `time`;
    /// with 0 nobody ever is. At most `entries_max` keys are known.
    pub fn new(failures_max: u32, time: Duration, entries_max: usize, seed: &mut Seed) -> Self {
        let mut hasher = || {
            let mut next = || seed.next_u64();
            RandomState::with_seeds(next(), next(), next(), next())
        };
        Lockout {
            failures_max,
            time,
            entries_max,
            hasher: hasher(),
            entries: HashMap::with_hasher(hasher()),
            opened: VecDeque::new(),
            next: 0,
            evicted: 0,
        }
    }

    /// Locks out at `failures_max` failures within `time`, for `time`, from now on; windows and
    /// lock-outs that have begun end when they would have.
    pub fn set_bounds(&mut self, failures_max: u32, time: Duration) {
        self.time = time;
        if std::mem::replace(&mut self.failures_max, failures_max) == failures_max {
            return;
        }
        if failures_max == 0 {
            self.entries.clear();
            self.opened.clear();
        }
        for entry in self.entries.values_mut() {
            entry.failures = entry.failures.min(failures_max);
        }
    }

    /// Counts a failure of `key`; says until when it is locked out, if it is. A failure during a
    /// lock-out does not prolong it.
    pub fn failure(&mut self, now: Now, key: impl Hash) -> Option<Deadline> {
        if self.failures_max == 0 || self.entries_max == 0 {
            return None;
        }
        let key = self.hasher.hash_one(key);
        let (time, failures_max) = (self.time, self.failures_max);
        if self.entries.get(&key).is_none_or(|entry| now.reached(entry.until)) {
            self.open(now, key);
        }
        let entry = self.entries.get_mut(&key)?;
        if entry.failures < failures_max {
            entry.failures += 1;
            if entry.failures == failures_max {
                entry.until = now.after(time);
            }
        }
        (entry.failures == failures_max).then_some(entry.until)
    }

    /// Forgets the failures of `key`, unless it is locked out. Right for users; an address keeps
    /// its failures, or whoever has one account could guess at others for ever.
    pub fn success(&mut self, now: Now, key: impl Hash) {
        if self.locked(now, &key).is_none() {
            self.entries.remove(&self.hasher.hash_one(&key));
            self.sweep();
        }
    }

    /// Until when `key` is locked out, if it is.
    pub fn locked(&self, now: Now, key: impl Hash) -> Option<Deadline> {
        let entry = self.entries.get(&self.hasher.hash_one(key))?;
        (entry.failures >= self.failures_max && !now.reached(entry.until)).then_some(entry.until)
    }

    /// How many keys have left at the bound since this was last asked, to be counted.
    pub fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Keys known.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// True when no key is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Opens a window for `key`, which has none that is still open.
    fn open(&mut self, now: Now, key: u64) {
        self.entries.remove(&key);
        while self.entries.len() >= self.entries_max {
            let Some((oldest, window)) = self.opened.pop_front() else { break };
            if self.entries.get(&oldest).is_some_and(|entry| entry.window == window) {
                self.entries.remove(&oldest);
                self.evicted += 1;
            }
        }
        let window = self.next;
        self.next += 1;
        self.entries.insert(key, Entry { window, failures: 0, until: now.after(self.time) });
        self.opened.push_back((key, window));
        self.sweep();
    }

    /// Takes out what is passed over once it is the majority, so that it costs O(1) for each.
    fn sweep(&mut self) {
        if self.opened.len() > self.entries.len() * 2 + 16 {
            let entries = &self.entries;
            self.opened
                .retain(|(key, window)| entries.get(key).is_some_and(|e| e.window == *window));
        }
        self.check_invariants();
    }

    /// Panics when the table breaks a rule of its own. Does nothing in release builds.
    pub fn check_invariants(&self) {
        debug_assert!(self.entries.len() <= self.entries_max);
        debug_assert!(self.opened.len() <= self.entries.len() * 2 + 16);
        debug_assert!(self.opened.len() >= self.entries.len());
    }
}

#[cfg(test)]
mod tests;
