//! States that users publish, each followed to every watcher.
//!
//! Servers hold changes of one user back for a while and send only the last, so a state may never
//! be seen. It counts as merged when the next one was due within [`MERGE_SPAN`], as a failure
//! when the gap was longer, and as lost when nothing newer arrived either.

use crate::clock::Moment;
use crate::stamp::{Arrival, Arrivals as Arrived, Stamp};
use crate::stats::{Cause, Operation};
use crate::world::{Slot, World};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

/// How far apart two states may be of which only the second is seen.
const MERGE_SPAN: Duration = Duration::from_secs(1);

/// Who watches whom: each pair of a user and one of his watchers has a place of its own.
pub trait Watching {
    /// The places of the user's watchers.
    fn places(&self, publisher: Slot) -> Range<usize>;

    /// The place of one watcher; `None` when he is none.
    fn place(&self, publisher: Slot, watcher: Slot) -> Option<usize>;
}

/// A state under way to its watchers.
#[derive(Clone, Copy, Debug)]
struct Published {
    number: u32,
    intended: Moment,
    /// The server has answered 2xx.
    accepted: bool,
}

/// A user as one who is watched.
#[derive(Debug)]
struct Publisher {
    /// Number of his last state; the first one belongs to the preparation.
    sent: u32,
    /// His last state has no answer yet.
    unanswered: bool,
    /// States that not all watchers have seen, or a newer one in their place; by rising number.
    open: VecDeque<Published>,
}

impl Publisher {
    fn new() -> Self {
        Publisher { sent: 1, unanswered: false, open: VecDeque::new() }
    }

    fn close(&mut self, number: u32) {
        self.open.retain(|published| published.number != number);
    }
}

/// One watcher of one user.
#[derive(Clone, Debug, Default)]
struct Edge {
    arrived: Arrived,
    /// The server has said that it watches for him.
    up: bool,
    /// The user's last state when it did: the answer held what there was until then.
    since: u32,
}

/// The states of one thread's users and what has arrived of them.
#[derive(Debug)]
pub struct States {
    /// By the places of [`Watching`].
    edges: Vec<Edge>,
    publishers: Vec<Publisher>,
}

impl States {
    /// For so many users with so many watchers in all.
    pub fn new(users: usize, edges: usize) -> States {
        States {
            edges: vec![Edge::default(); edges],
            publishers: (0..users).map(|_| Publisher::new()).collect(),
        }
    }

    fn edges(&self, watching: &impl Watching, publisher: Slot) -> &[Edge] {
        self.edges.get(watching.places(publisher)).unwrap_or(&[])
    }

    /// How many watchers have neither this state of the user nor a newer one.
    fn waiting(&self, watching: &impl Watching, publisher: Slot, number: u32) -> u64 {
        let waits = |edge: &&Edge| edge.up && edge.since < number && edge.arrived.newest() < number;
        self.edges(watching, publisher).iter().filter(waits).count() as u64
    }

    /// True while the user's last state has no answer.
    pub fn is_unanswered(&self, slot: Slot) -> bool {
        self.publishers[slot].unanswered
    }

    /// Publishes; false when that was not possible. The scenario is reminded of the state's number
    /// when its time is up.
    pub fn publish(
        &mut self,
        world: &mut World,
        slot: Slot,
        intended: Moment,
        now: Moment,
    ) -> bool {
        let publisher = &mut self.publishers[slot];
        if publisher.unanswered {
            world.fail(Operation::Publish, intended, Cause::Overrun);
            return false;
        }
        publisher.sent += 1;
        let number = publisher.sent;
        let stamp = Stamp { run: world.env.run, pair: world.number(slot), number, intended };
        if !world.publish(slot, &stamp, now) {
            return false;
        }
        publisher.unanswered = true;
        publisher.open.push_back(Published { number, intended, accepted: false });
        world.remind(slot, number, now.after(world.settings().timeout));
        true
    }

    /// The answer to the last publication of a user is here, or will not come. False when none was
    /// waited for: the first state of each user belongs to the preparation.
    pub fn answered(&mut self, slot: Slot, result: Result<(), Cause>) -> bool {
        let publisher = &mut self.publishers[slot];
        if !std::mem::take(&mut publisher.unanswered) {
            return false;
        }
        match (publisher.open.back_mut(), result) {
            (Some(last), Ok(())) => last.accepted = true,
            (_, Ok(())) => {}
            (_, Err(_)) => publisher.close(publisher.sent),
        }
        true
    }

    /// Looks whether the last state of a user is answered and seen by all; then nothing of his is
    /// under way.
    pub fn settle(&mut self, watching: &impl Watching, slot: Slot) -> bool {
        let publisher = &self.publishers[slot];
        let last = publisher.open.back().map(|last| last.number);
        let unseen = |last| self.waiting(watching, slot, last) > 0;
        if publisher.unanswered || last.is_some_and(unseen) {
            return false;
        }
        let open = &mut self.publishers[slot].open;
        open.clear();
        // Most users have nothing under way most of the time.
        open.shrink_to(0);
        true
    }

    /// A state has reached a watcher; whose it was, when it was a new one.
    pub fn arrived(
        &mut self,
        watching: &impl Watching,
        world: &mut World,
        watcher: Slot,
        stamp: &Stamp,
        now: Moment,
    ) -> Option<Slot> {
        if stamp.run != world.env.run {
            return None;
        }
        let slot = world.slot(stamp.pair)?;
        let edge = self.edges.get_mut(watching.place(slot, watcher)?)?;
        let newest = edge.arrived.newest();
        let arrival = edge.arrived.note(stamp.number);
        let counts = world.counts(Operation::Notify, stamp.intended);
        match arrival {
            Arrival::Repeated => world.stats.seen.duplicates += u64::from(counts),
            Arrival::Late => world.fail(Operation::Notify, stamp.intended, Cause::Stale),
            Arrival::InOrder => {
                self.passed_over(world, slot, newest, stamp);
                let open = &self.publishers[slot].open;
                // Else it was given up before.
                if open.iter().any(|published| published.number == stamp.number) {
                    world.succeed(Operation::Notify, stamp.intended, now);
                }
                return Some(slot);
            }
        }
        None
    }

    /// Counts the states between the newest that a watcher had and the one he has now.
    fn passed_over(&self, world: &mut World, slot: Slot, newest: u32, stamp: &Stamp) {
        let open = &self.publishers[slot].open;
        let between = |one: &&Published| newest < one.number && one.number < stamp.number;
        for passed in open.iter().filter(between).filter(|passed| passed.accepted) {
            let next = open.iter().find(|one| one.number > passed.number);
            let next = next.map_or(stamp.intended, |next| next.intended);
            if !world.counts(Operation::Notify, passed.intended) {
                continue;
            }
            if next.since(passed.intended) <= MERGE_SPAN {
                world.stats.seen.merged += 1;
            } else {
                world.stats.fail(Operation::Notify, Cause::Skipped, 1);
            }
        }
    }

    /// The time of a state is up: who has nothing newer either has lost it. False when it is not
    /// under way any more.
    pub fn overdue(
        &mut self,
        watching: &impl Watching,
        world: &mut World,
        slot: Slot,
        number: u32,
    ) -> bool {
        let open = &self.publishers[slot].open;
        let Some(overdue) = open.iter().find(|one| one.number == number && one.accepted) else {
            return false;
        };
        if world.counts(Operation::Notify, overdue.intended) {
            let lost = self.waiting(watching, slot, number);
            world.stats.fail(Operation::Notify, Cause::Undelivered, lost);
        }
        self.publishers[slot].close(number);
        true
    }

    /// Notes whether the server watches a user for a watcher.
    pub fn watches(&mut self, watching: &impl Watching, watcher: Slot, user: Slot, up: bool) {
        let place = watching.place(user, watcher);
        if let Some(edge) = place.and_then(|place| self.edges.get_mut(place)) {
            edge.up = up;
            edge.since = self.publishers[user].sent;
        }
    }

    /// How many watchers have not got what the server accepted for them in the window.
    pub fn missing(&self, watching: &impl Watching, world: &World) -> u64 {
        let missing = |(slot, publisher): (Slot, &Publisher)| -> u64 {
            let open = publisher.open.iter().filter(|one| one.accepted);
            open.filter(|one| world.counts(Operation::Notify, one.intended))
                .map(|one| self.waiting(watching, slot, one.number))
                .sum()
        };
        self.publishers.iter().enumerate().map(missing).sum()
    }
}
