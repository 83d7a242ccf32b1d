//! Users who publish states, each watched by some others: every state is followed to every
//! watcher.
//!
//! Servers hold changes of one user back for a while and send only the last, so a state may never
//! be seen. It counts as merged when the next one was due within [`MERGE_SPAN`], as a failure
//! when the gap was longer, and as lost when nothing newer arrived either.

use super::circle::Circle;
use super::{Scenario, Share, ShareOfLoad};
use crate::clock::Moment;
use crate::endpoint::Event;
use crate::pacer::{Arrivals, Pacer};
use crate::settings::Settings;
use crate::stamp::{Arrival, Arrivals as Arrived, Stamp};
use crate::stats::{Cause, Operation};
use crate::world::{Notice, Slot, Window, World};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::collections::VecDeque;
use std::time::Duration;

/// How far apart two states may be of which only the second is seen.
const MERGE_SPAN: Duration = Duration::from_secs(1);
/// Closed loop: how long a user rests after all have seen his state, so that a server that holds
/// changes back for 100 ms has nothing to hold back.
const REST: Duration = Duration::from_millis(120);

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
    /// Closed loop: his state is one of those under way.
    busy: bool,
    /// States that not all watchers have seen, or a newer one in their place; by rising number.
    open: VecDeque<Published>,
}

impl Publisher {
    fn new() -> Self {
        Publisher { sent: 1, unanswered: false, busy: false, open: VecDeque::new() }
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
}

/// Users who publish and watch.
pub struct Presence {
    circle: Circle,
    /// The watchers of each user, as many as the circle has contacts.
    edges: Vec<Edge>,
    publishers: Vec<Publisher>,
    load: ShareOfLoad,
    pacer: Pacer,
    seed: u64,
    /// Users in the order in which they publish, which the seed shuffles; in a closed loop those
    /// at rest, with the moment at which they have rested.
    order: VecDeque<(Moment, Slot)>,
    /// Closed loop: states under way.
    under_way: usize,
    running: bool,
    until: Moment,
}

impl Presence {
    /// For one thread.
    pub fn new(settings: &Settings, share: Share, watchers: u32) -> Self {
        let circle = Circle::new(settings, share, watchers);
        let users = share.count as usize;
        Presence {
            edges: vec![Edge::default(); users * circle.contacts()],
            publishers: (0..users).map(|_| Publisher::new()).collect(),
            circle,
            load: ShareOfLoad::new(settings.load, share, false),
            pacer: Pacer::new(0.0, Arrivals::Even, Moment(0), 0),
            seed: share.seed(settings),
            order: VecDeque::new(),
            under_way: 0,
            running: false,
            until: Moment(0),
        }
    }

    fn edges(&self, publisher: Slot) -> &[Edge] {
        let first = publisher * self.circle.contacts();
        &self.edges[first..first + self.circle.contacts()]
    }

    fn edge(&mut self, publisher: Slot, watcher: Slot) -> Option<&mut Edge> {
        let at = publisher * self.circle.contacts() + self.circle.place(publisher, watcher)?;
        self.edges.get_mut(at)
    }

    /// How many watchers have neither this state of the user nor a newer one.
    fn waiting(&self, publisher: Slot, number: u32) -> u64 {
        let waits = |edge: &&Edge| edge.up && edge.arrived.newest() < number;
        self.edges(publisher).iter().filter(waits).count() as u64
    }

    /// Publishes; false when that was not possible.
    fn publish(&mut self, world: &mut World, slot: Slot, intended: Moment, now: Moment) -> bool {
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

    /// Closed loop: as many states under way as the window says, each of a user who has rested.
    fn fill(&mut self, world: &mut World, now: Moment) {
        let ShareOfLoad::Window(window) = self.load else { return };
        while self.running
            && now < self.until
            && self.under_way < window as usize
            && let Some(&(rested, slot)) = self.order.front()
            && rested <= now
        {
            self.order.pop_front();
            if self.publish(world, slot, now, now) {
                self.publishers[slot].busy = true;
                self.under_way += 1;
            } else if world.is_signed_in(slot) {
                self.order.push_back((now.after(REST), slot));
            }
        }
    }

    /// The answer to the last publication of a user is here, or will not come.
    fn answered(&mut self, world: &mut World, slot: Slot, result: Result<(), Cause>, now: Moment) {
        let publisher = &mut self.publishers[slot];
        // The first state of each user belongs to the preparation.
        if !std::mem::take(&mut publisher.unanswered) {
            return;
        }
        match (publisher.open.back_mut(), result) {
            (Some(last), Ok(())) => last.accepted = true,
            (_, Ok(())) => {}
            (_, Err(_)) => publisher.close(publisher.sent),
        }
        self.settle(world, slot, now);
    }

    /// Looks whether the last state of a user is answered and seen by all.
    fn settle(&mut self, world: &mut World, slot: Slot, now: Moment) {
        let publisher = &self.publishers[slot];
        let last = publisher.open.back().map(|last| last.number);
        if publisher.unanswered || last.is_some_and(|last| self.waiting(slot, last) > 0) {
            return;
        }
        let publisher = &mut self.publishers[slot];
        publisher.open.clear();
        if std::mem::take(&mut publisher.busy) {
            self.under_way -= 1;
            self.order.push_back((now.after(REST), slot));
            self.fill(world, now);
        }
    }

    /// A state has reached a watcher.
    fn arrived(&mut self, world: &mut World, watcher: Slot, stamp: &Stamp, now: Moment) {
        if stamp.run != world.env.run {
            return;
        }
        let Some(slot) = world.slot(stamp.pair) else { return };
        let Some(edge) = self.edge(slot, watcher) else { return };
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
                self.settle(world, slot, now);
            }
        }
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

    /// The time of a state is up: who has nothing newer either has lost it.
    fn overdue(&mut self, world: &mut World, slot: Slot, number: u32, now: Moment) {
        let open = &self.publishers[slot].open;
        let Some(overdue) = open.iter().find(|one| one.number == number && one.accepted) else {
            return;
        };
        if world.counts(Operation::Notify, overdue.intended) {
            let lost = self.waiting(slot, number);
            world.stats.fail(Operation::Notify, Cause::Undelivered, lost);
        }
        self.publishers[slot].close(number);
        self.settle(world, slot, now);
    }

    /// Notes whether the server watches `users` for a watcher.
    fn watches(&mut self, world: &mut World, watcher: Slot, users: &[u32], up: bool, now: Moment) {
        for user in users {
            let Some(slot) = world.slot(*user) else { continue };
            if let Some(edge) = self.edge(slot, watcher) {
                edge.up = up;
            }
            if !up {
                self.settle(world, slot, now);
            }
        }
    }
}

impl Scenario for Presence {
    fn signs_in(&self) -> bool {
        true
    }

    fn prepare(&mut self, _world: &mut World, now: Moment) {
        self.circle.prepare(now);
    }

    fn prepared(&self, _world: &World) -> bool {
        self.circle.is_ready()
    }

    fn start(&mut self, world: &mut World, window: Window, now: Moment) {
        let mut order: Vec<Slot> =
            (0..self.publishers.len()).filter(|&slot| world.is_signed_in(slot)).collect();
        order.shuffle(&mut StdRng::seed_from_u64(self.seed));
        self.order = order.into_iter().map(|slot| (now, slot)).collect();
        let rate = if self.order.is_empty() { 0.0 } else { self.load.rate() };
        self.pacer = Pacer::new(rate, world.settings().arrivals, window.start, self.seed);
        self.until = window.until;
        self.running = true;
        self.fill(world, now);
    }

    fn tick(&mut self, world: &mut World, now: Moment) {
        if !self.running {
            return self.circle.tick(world, now);
        }
        while self.pacer.next() < self.until
            && let Some(intended) = self.pacer.take(now)
            && let Some((rested, slot)) = self.order.pop_front()
        {
            self.order.push_back((rested, slot));
            self.publish(world, slot, intended, now);
        }
        self.fill(world, now);
    }

    fn next_deadline(&self) -> Moment {
        match (self.running, self.load) {
            (false, _) => self.circle.next_deadline(),
            (true, ShareOfLoad::Rate(_)) => self.pacer.next(),
            (true, ShareOfLoad::Window(window)) if self.under_way < window as usize => {
                self.order.front().map_or(Moment::NEVER, |(rested, _)| *rested)
            }
            (true, ShareOfLoad::Window(_)) => Moment::NEVER,
        }
    }

    fn handle(&mut self, world: &mut World, slot: Slot, notice: &Notice, now: Moment) {
        match notice {
            Notice::Endpoint(Event::Finished { pending, result }) => {
                if pending.operation == Operation::Publish {
                    self.answered(world, slot, *result, now);
                }
                self.circle.finished(world, pending.operation, now);
            }
            Notice::Endpoint(Event::Noticed(stamp)) => self.arrived(world, slot, stamp, now),
            Notice::Endpoint(Event::Watching(users)) => {
                self.watches(world, slot, users, true, now);
            }
            Notice::Endpoint(Event::Unwatched(users)) => {
                world.stats.fail(Operation::Subscribe, Cause::Terminated, 1);
                self.watches(world, slot, users, false, now);
            }
            Notice::Down => {
                let users: Vec<u32> =
                    self.circle.watched_by(slot).map(|watched| world.number(watched)).collect();
                self.watches(world, slot, &users, false, now);
            }
            Notice::Reminder(number) => self.overdue(world, slot, *number, now),
            _ => {}
        }
    }

    fn stop(&mut self) {
        self.running = false;
    }

    fn arrival(&self) -> Operation {
        Operation::Notify
    }

    fn missing(&self, world: &World) -> u64 {
        let missing = |(slot, publisher): (Slot, &Publisher)| -> u64 {
            let open = publisher.open.iter().filter(|one| one.accepted);
            open.filter(|one| world.counts(Operation::Notify, one.intended))
                .map(|one| self.waiting(slot, one.number))
                .sum()
        };
        self.publishers.iter().enumerate().map(missing).sum()
    }

    fn leave(&mut self, world: &mut World, now: Moment) {
        self.circle.leave(world, now);
    }
}

#[cfg(test)]
mod tests;
