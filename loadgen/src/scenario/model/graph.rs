//! Whose contacts are whose: everybody is a contact of his contacts. Made from the seed.

use crate::profile::Contacts;
use crate::scenario::states::Watching;
use crate::world::Slot;
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use std::ops::Range;

/// How often ends that found no partner are shuffled and tried again.
const ROUNDS: usize = 32;

/// The contacts of one thread's users.
#[derive(Debug)]
pub struct Graph {
    /// Where each user's contacts begin, and at last their number.
    starts: Vec<usize>,
    /// Contacts, by user and then rising.
    contacts: Vec<u32>,
}

impl Graph {
    /// For so many users. Each has the number of contacts that the profile gives him, as far as
    /// there are others who want one more: a few have one or two fewer.
    pub fn new(users: usize, profile: Option<&Contacts>, rng: &mut StdRng) -> Graph {
        let classes = profile.map_or(&[][..], |contacts| &contacts.classes);
        let mut wanted = Vec::with_capacity(users);
        let mut bound = 0.0;
        for class in classes {
            bound += class.share * users as f64;
            let end = (bound.round() as usize).min(users);
            let most = u32::try_from(users.saturating_sub(1)).unwrap_or(u32::MAX);
            wanted.resize(end.max(wanted.len()), class.contacts.min(most));
        }
        wanted.resize(users, 0);
        wanted.shuffle(rng);
        Graph::of(users, match_ends(&wanted, rng))
    }

    /// From pairs of users, each of which may stand there more than once.
    fn of(users: usize, mut edges: Vec<(u32, u32)>) -> Graph {
        edges.sort_unstable();
        let mut starts = vec![0; users + 1];
        for (user, _) in &edges {
            starts[*user as usize + 1] += 1;
        }
        for user in 0..users {
            starts[user + 1] += starts[user];
        }
        Graph { starts, contacts: edges.into_iter().map(|(_, contact)| contact).collect() }
    }

    /// The contacts of a user.
    pub fn contacts(&self, user: Slot) -> &[u32] {
        self.contacts.get(self.places(user)).unwrap_or(&[])
    }

    /// Number of pairs of a user and a contact of his.
    pub fn edges(&self) -> usize {
        self.contacts.len()
    }
}

impl Watching for Graph {
    fn places(&self, publisher: Slot) -> Range<usize> {
        match (self.starts.get(publisher), self.starts.get(publisher + 1)) {
            (Some(start), Some(end)) => *start..*end,
            _ => 0..0,
        }
    }

    fn place(&self, publisher: Slot, watcher: Slot) -> Option<usize> {
        let places = self.places(publisher);
        let watcher = u32::try_from(watcher).ok()?;
        let at = self.contacts.get(places.clone())?.binary_search(&watcher).ok()?;
        Some(places.start + at)
    }
}

/// Pairs users so that each has about as many partners as he wants; every pair stands in the list
/// from both sides.
fn match_ends(wanted: &[u32], rng: &mut StdRng) -> Vec<(u32, u32)> {
    let each = |(user, count): (usize, &u32)| std::iter::repeat_n(user as u32, *count as usize);
    let mut ends: Vec<u32> = wanted.iter().enumerate().flat_map(each).collect();
    let mut edges: Vec<(u32, u32)> = Vec::with_capacity(ends.len());
    for _ in 0..ROUNDS {
        ends.shuffle(rng);
        let known = edges.len();
        let mut rest = Vec::new();
        for pair in ends.chunks(2) {
            match *pair {
                [one, other]
                    if one != other && edges[..known].binary_search(&(one, other)).is_err() =>
                {
                    edges.extend([(one, other), (other, one)]);
                }
                _ => rest.extend_from_slice(pair),
            }
        }
        // The same pair may have been drawn twice in this round: one of them is tried again.
        edges.sort_unstable();
        let mut last = None;
        edges.retain(|edge| {
            let repeated = last == Some(*edge);
            if repeated {
                rest.push(edge.0);
            }
            last = Some(*edge);
            !repeated
        });
        ends = rest;
        if ends.len() < 2 {
            break;
        }
    }
    edges
}

/// A number below `end`, which is not zero.
pub fn below(rng: &mut StdRng, end: usize) -> usize {
    // The upper half of a product: even enough for any population.
    ((u128::from(rng.next_u64()) * end as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::ContactClass;
    use rand::SeedableRng;

    fn graph(users: usize, classes: &[(f64, u32)], seed: u64) -> Graph {
        let classes = classes.iter().map(|&(share, contacts)| ContactClass { share, contacts });
        let contacts = Contacts { batch_max: 200, classes: classes.collect() };
        Graph::new(users, Some(&contacts), &mut StdRng::seed_from_u64(seed))
    }

    #[test]
    fn everybody_is_a_contact_of_his_contacts_and_not_of_himself() {
        let graph = graph(300, &[(0.1, 100), (0.9, 20)], 1);
        for user in 0..300 {
            let contacts = graph.contacts(user);
            assert!(contacts.windows(2).all(|pair| pair[0] < pair[1]), "{contacts:?}");
            for &contact in contacts {
                let contact = contact as usize;
                assert_ne!(contact, user);
                let place = graph.place(contact, user).unwrap();
                assert!(graph.places(contact).contains(&place));
            }
        }
        assert_eq!(graph.place(0, 0), None);
    }

    #[test]
    fn the_classes_have_about_the_contacts_they_want() {
        let graph = graph(4000, &[(0.005, 800), (0.145, 80), (0.85, 29)], 7);
        let wanted = 4000.0 * (0.005 * 800.0 + 0.145 * 80.0 + 0.85 * 29.0);
        assert!(graph.edges() as f64 > wanted * 0.99, "{} of {wanted}", graph.edges());
        let most = (0..4000).filter(|&user| graph.contacts(user).len() > 700).count();
        assert_eq!(most, 20);
    }

    #[test]
    fn a_small_population_bounds_them_and_none_is_none() {
        let small = graph(5, &[(1.0, 40)], 3);
        assert!((0..5).all(|user| small.contacts(user).len() <= 4));
        assert!(small.edges() >= 16, "{}", small.edges());
        let none = Graph::new(3, None, &mut StdRng::seed_from_u64(1));
        assert_eq!((none.edges(), none.contacts(2).len()), (0, 0));
        assert_eq!(graph(0, &[(1.0, 4)], 3).edges(), 0);
    }

    #[test]
    fn the_seed_makes_the_graph() {
        let of = |seed| graph(200, &[(1.0, 30)], seed).contacts;
        assert_eq!(of(5), of(5));
        assert_ne!(of(5), of(6));
    }
}
