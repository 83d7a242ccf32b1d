//! How many TLS handshakes may begin: on a core, and from one address. A handshake costs as much as
//! some twenty messages, and whoever wants one has not said who he is.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use crate::auth::lockout::network;
use crate::base::limits::Limits;
use crate::base::time::Now;

/// What of the rate of a core may come at once, in microseconds: some ticks, after which it looks
/// again.
const CORE_BURST_US: u64 = 50_000;
/// What of the rate of an address may come at once, in microseconds: the users of a small site, or of
/// a part of a large one.
const ADDRESS_BURST_US: u64 = 5_000_000;
/// Addresses that are looked at for each new one, to forget those that have not come lately.
const SWEEP: usize = 2;

/// A rate, and how much of it may come at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Pace {
    /// Between two; 0 means no bound.
    interval_us: u64,
    burst_us: u64,
}

impl Pace {
    /// The share of one of `cores` in `per_second`; 0 means no bound.
    fn new(per_second: u32, cores: u16, burst_us: u64) -> Self {
        let interval_us = match per_second {
            0 => 0,
            rate => (1_000_000 * u64::from(cores.max(1)) / u64::from(rate)).max(1),
        };
        Pace { interval_us, burst_us: burst_us.max(interval_us) }
    }

    /// Until when the rate is used up after one more at `now`, if it was until `used_until_us`;
    /// `None` when that is one too many.
    fn after_one_more(self, used_until_us: u64, now: Now) -> Option<u64> {
        let now_us = now.mono_ms.saturating_mul(1000);
        let used = used_until_us.max(now_us).saturating_add(self.interval_us);
        (used <= now_us.saturating_add(self.burst_us)).then_some(used)
    }
}

/// The handshakes of one core. Each question is answered in O(1), amortised.
#[derive(Debug)]
pub struct Handshakes {
    core: Pace,
    core_used_until_us: u64,
    address: Pace,
    addresses_max: usize,
    /// Until when each address has used its rate up.
    used_until_us: HashMap<IpAddr, u64, ahash::RandomState>,
    /// Those addresses, each once, in the order in which they are looked at.
    order: VecDeque<IpAddr>,
    /// Addresses that were forgotten too early and were not told yet.
    evicted: u64,
}

impl Handshakes {
    /// None yet, within `limits`, on one of `cores`. The kernel spreads the connections of one
    /// address over the cores, so each has an equal share of what an address may.
    pub fn new(limits: &Limits, cores: u16) -> Self {
        let (core, address) = paces(limits, cores);
        Handshakes {
            core,
            core_used_until_us: 0,
            address,
            addresses_max: limits.handshake_addresses_max,
            used_until_us: HashMap::default(),
            order: VecDeque::new(),
            evicted: 0,
        }
    }

    /// Other bounds from now on.
    pub fn configure(&mut self, limits: &Limits, cores: u16) {
        (self.core, self.address) = paces(limits, cores);
        self.addresses_max = limits.handshake_addresses_max;
        if self.address.interval_us == 0 {
            self.used_until_us = HashMap::default();
            self.order = VecDeque::new();
        }
    }

    /// True when another may begin on this core.
    pub fn has_room(&self, now: Now) -> bool {
        self.core.after_one_more(self.core_used_until_us, now).is_some()
    }

    /// Counts one that begins on this core, whether there was room or not.
    pub fn begin(&mut self, now: Now) {
        let now_us = now.mono_ms.saturating_mul(1000);
        let used = self.core_used_until_us.max(now_us);
        self.core_used_until_us = used.saturating_add(self.core.interval_us);
    }

    /// Counts one from `address`; false, and not counted, if that is one too many. The addresses of
    /// an IPv6 network of 64 bits are one.
    pub fn allow(&mut self, address: IpAddr, now: Now) -> bool {
        if self.address.interval_us == 0 {
            return true;
        }
        let address = network(address);
        if let Some(used_until_us) = self.used_until_us.get_mut(&address) {
            return match self.address.after_one_more(*used_until_us, now) {
                Some(used) => {
                    *used_until_us = used;
                    true
                }
                None => false,
            };
        }
        self.make_room(now);
        if let Some(used) = self.address.after_one_more(0, now) {
            self.used_until_us.insert(address, used);
            self.order.push_back(address);
        }
        true
    }

    /// How many addresses were forgotten at the bound since this was last asked, to be counted.
    pub fn take_evicted(&mut self) -> u64 {
        std::mem::take(&mut self.evicted)
    }

    /// Forgets addresses that have all of their rate again, and at the bound the next one.
    fn make_room(&mut self, now: Now) {
        let now_us = now.mono_ms.saturating_mul(1000);
        for _ in 0..SWEEP.min(self.order.len()) {
            let Some(next) = self.order.pop_front() else { return };
            if self.used_until_us.get(&next).is_some_and(|until| *until > now_us) {
                self.order.push_back(next);
            } else {
                self.used_until_us.remove(&next);
            }
        }
        while self.order.len() >= self.addresses_max.max(1) {
            let Some(next) = self.order.pop_front() else { return };
            self.used_until_us.remove(&next);
            self.evicted += 1;
        }
        debug_assert_eq!(self.order.len(), self.used_until_us.len());
    }
}

/// The rate of a core and the share of a core in that of an address.
fn paces(limits: &Limits, cores: u16) -> (Pace, Pace) {
    let (core, address) =
        (limits.handshakes_per_core_per_second_max, limits.handshakes_per_address_per_second_max);
    (Pace::new(core, 1, CORE_BURST_US), Pace::new(address, cores, ADDRESS_BURST_US))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    fn handshakes(core: u32, address: u32, addresses_max: usize, cores: u16) -> Handshakes {
        let limits = Limits {
            handshakes_per_core_per_second_max: core,
            handshakes_per_address_per_second_max: address,
            handshake_addresses_max: addresses_max,
            ..Limits::default()
        };
        Handshakes::new(&limits, cores)
    }

    /// How many of many that come at one moment the core has room for.
    fn begun(handshakes: &mut Handshakes, ms: u64) -> usize {
        let mut begun = 0;
        while handshakes.has_room(at(ms)) && begun < 10_000 {
            handshakes.begin(at(ms));
            begun += 1;
        }
        begun
    }

    fn allowed(handshakes: &mut Handshakes, address: IpAddr, ms: u64) -> usize {
        (0..10_000).filter(|_| handshakes.allow(address, at(ms))).count()
    }

    #[test]
    fn a_core_begins_a_twentieth_of_the_rate_at_once_and_then_the_rate() {
        let mut handshakes = handshakes(1_000, 0, 8, 2);
        assert_eq!(begun(&mut handshakes, 5_000), 50);
        assert_eq!(begun(&mut handshakes, 5_000), 0);
        assert_eq!(begun(&mut handshakes, 5_020), 20);
        // What is not used is not saved.
        assert_eq!(begun(&mut handshakes, 60_000), 50);
    }

    #[test]
    fn a_rate_below_one_in_a_burst_is_one_at_a_time() {
        let mut handshakes = handshakes(2, 0, 8, 2);
        let counts = [0, 499, 500].map(|ms| begun(&mut handshakes, ms));
        assert_eq!(counts, [1, 0, 1]);
    }

    #[test]
    fn an_address_has_its_rate_and_others_have_theirs() {
        let mut handshakes = handshakes(0, 100, 8, 2);
        // Five seconds' worth, of which this core has half.
        assert_eq!(allowed(&mut handshakes, A, 1_000), 250);
        assert_eq!(allowed(&mut handshakes, A, 1_000), 0);
        assert_eq!(allowed(&mut handshakes, B, 1_000), 250);
        assert_eq!(allowed(&mut handshakes, A, 2_000), 50);
        assert!(handshakes.has_room(at(2_000)), "the core has no bound");
    }

    #[test]
    fn a_network_of_64_bits_is_one_address() {
        let mut handshakes = handshakes(0, 1, 8, 1);
        for (ip, expected) in [("2001:db8::1", 5), ("2001:db8::2:3", 0), ("2001:db8:0:1::1", 5)] {
            assert_eq!(allowed(&mut handshakes, ip.parse().unwrap(), 1), expected, "{ip}");
        }
        assert_eq!(allowed(&mut handshakes, A, 1), 5);
        assert_eq!(allowed(&mut handshakes, "::ffff:192.0.2.1".parse().unwrap(), 1), 0);
    }

    #[test]
    fn addresses_are_forgotten_when_they_may_be_and_at_the_bound() {
        let mut handshakes = handshakes(0, 1, 3, 1);
        let address = |n: u32| IpAddr::V4(n.into());
        (1..=3).for_each(|n| assert!(handshakes.allow(address(n), at(0))));
        // All have used some of their rate: one of them has to go.
        assert!(handshakes.allow(address(4), at(0)));
        assert_eq!((handshakes.order.len(), handshakes.take_evicted()), (3, 1));
        // A second later they have it again.
        assert!(handshakes.allow(address(5), at(1_000)));
        assert_eq!((handshakes.order.len(), handshakes.take_evicted()), (2, 0));
    }

    #[test]
    fn without_bounds_nothing_is_kept_and_new_ones_hold_at_once() {
        let mut handshakes = handshakes(0, 0, 8, 1);
        assert_eq!(allowed(&mut handshakes, A, 1), 10_000);
        assert!(handshakes.order.is_empty());
        let limits = |rate| Limits {
            handshakes_per_core_per_second_max: rate,
            handshakes_per_address_per_second_max: rate,
            ..Limits::default()
        };
        handshakes.configure(&limits(100), 1);
        assert_eq!((allowed(&mut handshakes, A, 1), begun(&mut handshakes, 1)), (500, 5));
        handshakes.configure(&limits(0), 1);
        assert_eq!((allowed(&mut handshakes, A, 1), begun(&mut handshakes, 1)), (10_000, 10_000));
        assert!(handshakes.order.is_empty());
    }
}
