//! Which users of a thread share the connections of its links, as the users of an Edge do. Users
//! on links and users on connections of their own alternate evenly, so that neighbours, who talk
//! with and watch each other, are often of both kinds.

use crate::settings::Links;
use crate::world::Slot;

/// The links of one thread. Their connections have the slots behind those of the users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes {
    users: usize,
    links: usize,
    per_link: usize,
}

impl Lanes {
    /// For one of `threads` threads, which has `users` users. Links that would have more users
    /// than there are have fewer.
    pub fn new(links: Option<&Links>, threads: u32, users: usize) -> Lanes {
        let (count, per_link) =
            links.map_or((0, 0), |links| (links.count / threads.max(1), links.users_per_link));
        Lanes { users, links: count as usize, per_link: per_link as usize }
    }

    /// Number of links.
    pub fn links(&self) -> usize {
        self.links
    }

    /// Number of users on links.
    pub fn shared(&self) -> usize {
        (self.links * self.per_link).min(self.users)
    }

    /// The slot of the connection that a user shares with others; `None` for one of his own.
    pub fn carrier(&self, slot: Slot) -> Option<Slot> {
        if slot >= self.users {
            return None;
        }
        let rank = slot * self.shared() / self.users;
        let next = (slot + 1) * self.shared() / self.users;
        (next > rank).then(|| self.users + rank / self.per_link)
    }

    /// The users who share the connection in this slot.
    pub fn riders(&self, carrier: Slot) -> impl Iterator<Item = Slot> + use<> {
        let lanes = *self;
        let link = carrier.saturating_sub(self.users);
        let first = lanes.user(link * self.per_link);
        let last = lanes.user((link + 1) * self.per_link);
        (first..last).filter(move |slot| lanes.carrier(*slot) == Some(carrier))
    }

    /// The user on a link with this number among them, or where the users end.
    fn user(&self, rank: usize) -> Slot {
        if rank >= self.shared() {
            return self.users;
        }
        ((rank + 1) * self.users).div_ceil(self.shared()) - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(users: usize, links: usize, per_link: usize) -> Lanes {
        Lanes { users, links, per_link }
    }

    #[test]
    fn every_user_of_a_link_is_on_one_and_each_has_its_number() {
        for (users, links, per_link) in [(11, 2, 5), (11_000, 2, 5_000), (7, 7, 1), (10, 1, 10)] {
            let lanes = lanes(users, links, per_link);
            let shared = (0..users).filter(|slot| lanes.carrier(*slot).is_some()).count();
            assert_eq!(shared, links * per_link);
            for carrier in users..users + links {
                let riders: Vec<_> = lanes.riders(carrier).collect();
                assert_eq!(riders.len(), per_link, "{carrier}");
                assert!(riders.iter().all(|slot| lanes.carrier(*slot) == Some(carrier)));
            }
            assert_eq!(lanes.carrier(users), None, "a connection is on no other");
        }
    }

    #[test]
    fn users_of_both_kinds_alternate() {
        let lanes = lanes(20, 1, 10);
        let kinds: Vec<_> = (0..20).map(|slot| lanes.carrier(slot).is_some()).collect();
        assert!(kinds.chunks(2).all(|pair| pair[0] != pair[1]), "{kinds:?}");
    }

    #[test]
    fn without_links_nobody_shares() {
        let lanes = Lanes::new(None, 1, 5);
        assert!((0..5).all(|slot| lanes.carrier(slot).is_none()));
        assert_eq!((lanes.links(), lanes.shared()), (0, 0));
        assert_eq!(lanes.riders(5).count(), 0);
    }
}
