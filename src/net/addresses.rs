//! How many connections each address has on this core.

use std::collections::HashMap;
use std::net::IpAddr;

/// A count for each address, O(1) to ask and to change. The kernel spreads the connections of one
/// address over the cores by hash of the port, so each core holds its equal share of the bound.
#[derive(Debug)]
pub struct Addresses {
    share: u32,
    counts: HashMap<IpAddr, u32, ahash::RandomState>,
}

impl Addresses {
    /// Counts against this core's share of `max` connections from one address; 0 means no bound.
    pub fn new(max: usize, cores: u16) -> Self {
        Addresses { share: share(max, cores), counts: HashMap::default() }
    }

    /// Counts against a share of another `max` from now on; who is in stays in.
    pub fn set_max(&mut self, max: usize, cores: u16) {
        self.share = share(max, cores);
    }

    /// Counts a connection from `address`; false, and not counted, if that is one too many for an
    /// address that is not `exempt`.
    pub fn enter(&mut self, address: IpAddr, exempt: bool) -> bool {
        let count = self.counts.entry(address.to_canonical()).or_insert(0);
        if !exempt && self.share != 0 && *count >= self.share {
            return false;
        }
        *count += 1;
        true
    }

    /// Takes back what [`enter`](Self::enter) counted.
    pub fn leave(&mut self, address: IpAddr) {
        let address = address.to_canonical();
        if let Some(count) = self.counts.get_mut(&address) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.counts.remove(&address);
            }
        }
    }

    /// Addresses with a connection.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// True when no address has a connection.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

fn share(max: usize, cores: u16) -> u32 {
    u32::try_from(max.div_ceil(usize::from(cores.max(1)))).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn one_too_many_is_refused_until_one_leaves() {
        let mut addresses = Addresses::new(3, 2);
        assert!(addresses.enter(A, false) && addresses.enter(A, false));
        assert!(!addresses.enter(A, false));
        addresses.leave(A);
        assert!(addresses.enter(A, false));
    }

    #[test]
    fn an_exempt_address_has_no_bound_and_is_counted() {
        let mut addresses = Addresses::new(1, 1);
        assert!(addresses.enter(A, true) && addresses.enter(A, true));
        assert!(!addresses.enter(A, false));
        addresses.leave(A);
        addresses.leave(A);
        assert!(addresses.enter(A, false));
    }

    #[test]
    fn the_same_address_in_its_two_forms_is_one() {
        let mut addresses = Addresses::new(1, 1);
        assert!(addresses.enter(A, false));
        assert!(!addresses.enter("::ffff:192.0.2.1".parse().unwrap(), false));
    }

    #[test]
    fn without_a_bound_everyone_enters_and_nothing_is_left_behind() {
        let mut addresses = Addresses::new(0, 4);
        for _ in 0..1000 {
            assert!(addresses.enter(A, false));
        }
        for _ in 0..1000 {
            addresses.leave(A);
        }
        assert!(addresses.is_empty());
    }
}
