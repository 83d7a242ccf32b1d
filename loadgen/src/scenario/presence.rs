//! Users who publish states, each watched by some others.

use super::circle::Circle;
use super::states::States;
use super::{Scenario, Share, ShareOfLoad};
use crate::clock::Moment;
use crate::endpoint::Event;
use crate::pacer::{Arrivals, Pacer};
use crate::settings::Settings;
use crate::stats::{Cause, Operation};
use crate::world::{Notice, Slot, Window, World};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::collections::VecDeque;
use std::time::Duration;

/// Closed loop: how long a user rests after all have seen his state, so that a server that holds
/// changes back for 100 ms has nothing to hold back.
const REST: Duration = Duration::from_millis(120);

/// Users who publish and watch.
pub struct Presence {
    circle: Circle,
    states: States,
    /// Closed loop: whose state is one of those under way.
    busy: Vec<bool>,
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
            states: States::new(users, users * circle.contacts()),
            busy: vec![false; users],
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
            if self.states.publish(world, slot, now, now) {
                self.busy[slot] = true;
                self.under_way += 1;
            } else if world.is_signed_in(slot) {
                self.order.push_back((now.after(REST), slot));
            }
        }
    }

    /// Looks whether anything of a user is under way still.
    fn settle(&mut self, world: &mut World, slot: Slot, now: Moment) {
        let settled = self.states.settle(&self.circle, slot);
        if settled && std::mem::take(&mut self.busy[slot]) {
            self.under_way -= 1;
            self.order.push_back((now.after(REST), slot));
            self.fill(world, now);
        }
    }

    /// Notes whether the server watches `users` for a watcher.
    fn watches(&mut self, world: &mut World, watcher: Slot, users: &[u32], up: bool, now: Moment) {
        for user in users {
            let Some(slot) = world.slot(*user) else { continue };
            self.states.watches(&self.circle, watcher, slot, up);
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
            (0..self.busy.len()).filter(|&slot| world.is_signed_in(slot)).collect();
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
            self.states.publish(world, slot, intended, now);
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
                let publish = pending.operation == Operation::Publish;
                if publish && self.states.answered(slot, *result) {
                    self.settle(world, slot, now);
                }
                self.circle.finished(world, pending.operation, now);
            }
            Notice::Endpoint(Event::Noticed(stamp)) => {
                let new = self.states.arrived(&self.circle, world, slot, stamp, now);
                if let Some(publisher) = new {
                    self.settle(world, publisher, now);
                }
            }
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
            Notice::Reminder(number) if self.states.overdue(&self.circle, world, slot, *number) => {
                self.settle(world, slot, now);
            }
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
        self.states.missing(&self.circle, world)
    }

    fn leave(&mut self, world: &mut World, now: Moment) {
        self.circle.leave(world, now);
    }
}

#[cfg(test)]
pub(in crate::scenario) mod tests;
