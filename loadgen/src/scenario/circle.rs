//! Who watches whom, and how that comes about: everybody publishes a state and then subscribes
//! to those who follow him in a ring.

use super::Share;
use super::states::Watching;
use crate::clock::Moment;
use crate::pacer::{Arrivals, Pacer};
use crate::settings::Settings;
use crate::stamp::Stamp;
use crate::stats::Operation;
use crate::world::{Slot, World};
use std::ops::Range;

/// Most ends of subscriptions of a thread that wait for answers at once.
const LEAVING_MAX: usize = 64;

/// The users of one thread in a ring.
#[derive(Debug)]
pub struct Circle {
    users: usize,
    contacts: usize,
    pacer: Pacer,
    ramp: f64,
    seed: u64,
    /// Next of the publications, then of the subscriptions, then of those who leave.
    next: usize,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Publish,
    Subscribe,
    Ready,
    Leave,
}

impl Watching for Circle {
    fn places(&self, publisher: Slot) -> Range<usize> {
        publisher * self.contacts..(publisher + 1) * self.contacts
    }

    fn place(&self, publisher: Slot, watcher: Slot) -> Option<usize> {
        let distance = (publisher + self.users).checked_sub(watcher)? % self.users.max(1);
        let place = distance.checked_sub(1).filter(|place| *place < self.contacts)?;
        Some(publisher * self.contacts + place)
    }
}

impl Circle {
    /// Everybody watches `contacts` others, as far as there are so many.
    pub fn new(settings: &Settings, share: Share, contacts: u32) -> Self {
        let users = share.count as usize;
        Circle {
            users,
            contacts: (contacts as usize).min(users.saturating_sub(1)),
            pacer: Pacer::new(0.0, Arrivals::Even, Moment(0), 0),
            ramp: settings.ramp * share.part,
            seed: share.seed(settings),
            next: 0,
            stage: Stage::Ready,
        }
    }

    /// How many users each user watches, and is watched by.
    pub fn contacts(&self) -> usize {
        self.contacts
    }

    /// Whom a user watches.
    pub fn watched_by(&self, watcher: Slot) -> impl Iterator<Item = Slot> {
        let users = self.users;
        (1..=self.contacts).map(move |distance| (watcher + distance) % users)
    }

    /// Everybody has signed in or failed to.
    pub fn prepare(&mut self, now: Moment) {
        if self.contacts > 0 {
            self.begin(Stage::Publish, now);
        }
    }

    fn begin(&mut self, stage: Stage, now: Moment) {
        self.stage = stage;
        self.next = 0;
        self.pacer = Pacer::new(self.ramp, Arrivals::Even, now, self.seed);
    }

    /// Preparation: does what is due.
    pub fn tick(&mut self, world: &mut World, now: Moment) {
        while matches!(self.stage, Stage::Publish | Stage::Subscribe) {
            if self.next == self.users {
                if world.outstanding > 0 {
                    return;
                }
                match self.stage {
                    Stage::Publish => self.begin(Stage::Subscribe, now),
                    _ => self.stage = Stage::Ready,
                }
            } else if self.pacer.take(now).is_some() {
                let slot = self.next;
                self.next += 1;
                if world.is_signed_in(slot) {
                    self.come(world, slot, now);
                }
            } else {
                return;
            }
        }
    }

    fn come(&self, world: &mut World, slot: Slot, now: Moment) {
        if self.stage == Stage::Publish {
            let (run, pair) = (world.env.run, world.number(slot));
            world.publish(slot, &Stamp { run, pair, number: 1, intended: now }, now);
        } else {
            let watched: Vec<u32> =
                self.watched_by(slot).map(|watched| world.number(watched)).collect();
            world.subscribe(slot, &watched, now);
        }
    }

    /// True when everybody watches.
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// When something of the preparation will be due.
    pub fn next_deadline(&self) -> Moment {
        let paced = matches!(self.stage, Stage::Publish | Stage::Subscribe);
        if paced && self.next < self.users { self.pacer.next() } else { Moment::NEVER }
    }

    /// Ends the subscriptions and publications, some at a time.
    pub fn leave(&mut self, world: &mut World, now: Moment) {
        self.begin(Stage::Leave, now);
        self.go(world, now);
    }

    /// A request has ended; under way to the end, the next may leave.
    pub fn finished(&mut self, world: &mut World, operation: Operation, now: Moment) {
        let ends = matches!(operation, Operation::Unsubscribe | Operation::Unpublish);
        if ends && self.stage == Stage::Leave {
            self.go(world, now);
        }
    }

    fn go(&mut self, world: &mut World, now: Moment) {
        while self.next < self.users && world.outstanding < LEAVING_MAX {
            let slot = self.next;
            self.next += 1;
            world.unsubscribe(slot, now);
            world.unpublish(slot, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn everybody_watches_and_is_watched_by_as_many_others() {
        let settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        for (users, contacts, expected) in [(10, 3, 3), (4, 20, 3), (1, 5, 0), (3, 0, 0)] {
            let share = Share { first: 0, count: users, part: 1.0, thread: 0 };
            let circle = Circle::new(&settings, share, contacts);
            for one in 0..users as usize {
                let watched: Vec<_> = circle.watched_by(one).collect();
                assert_eq!(watched.len(), expected);
                let mut places: Vec<_> =
                    (0..users as usize).filter_map(|other| circle.place(one, other)).collect();
                places.sort_unstable();
                assert_eq!(places, circle.places(one).collect::<Vec<_>>());
                assert_eq!(places.len(), expected);
                assert!(watched.iter().all(|&other| circle.place(other, one).is_some()));
                assert_eq!(circle.place(one, one), None);
            }
        }
    }
}
