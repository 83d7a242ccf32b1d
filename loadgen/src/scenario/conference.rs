//! Conferences whose members write in turn: every message is followed to every other member.

mod entrance;
pub(super) mod ledger;

use super::{Scenario, Share, ShareOfLoad};
use crate::clock::Moment;
use crate::endpoint::Event;
use crate::pacer::{Arrivals, Pacer};
use crate::settings::{Flow, Settings};
use crate::stamp::{Arrivals as Arrived, Stamp};
use crate::stats::{Cause, Operation};
use crate::world::{Notice, Slot, Window, World};
use entrance::Entrance;
use ledger::Ledger;
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};

/// Most requests of members who leave that wait for answers at once, for one thread.
const LEAVING_MAX: usize = 64;

/// The members of one thread's conferences.
pub struct Conference {
    entrance: Entrance,
    ledger: Ledger,
    members: usize,
    body: usize,
    /// What of each author has arrived at each user: `members` authors a user.
    arrived: Vec<Arrived>,
    /// Members of each conference who are in and read.
    listening: Vec<u32>,
    load: ShareOfLoad,
    pacer: Pacer,
    ramp: f64,
    seed: u64,
    /// Who writes, in the order in which they do, which the seed shuffles.
    order: Vec<Slot>,
    next: usize,
    /// Closed loop: messages under way.
    under_way: usize,
    running: bool,
    until: Moment,
    /// The next one to leave, once they do.
    leaving: Option<Slot>,
}

impl Conference {
    /// For one thread.
    pub fn new(settings: &Settings, share: Share) -> Self {
        let (members, body, roster) = match settings.flow {
            Flow::Conference { members, body, roster, .. } => (members.max(1), body, roster),
            _ => (1, 0, false),
        };
        let (users, members) = (share.count as usize, members as usize);
        Conference {
            entrance: Entrance::new(users, members, roster),
            ledger: Ledger::new(users),
            members,
            body,
            arrived: vec![Arrived::default(); users * members],
            listening: vec![0; users / members],
            load: ShareOfLoad::new(settings.load, share, false),
            pacer: Pacer::new(0.0, Arrivals::Even, Moment(0), 0),
            ramp: settings.ramp * share.part,
            seed: share.seed(settings),
            order: Vec::new(),
            next: 0,
            under_way: 0,
            running: false,
            until: Moment(0),
            leaving: None,
        }
    }

    fn is_silent(world: &World, slot: Slot) -> bool {
        world.settings().is_silent(world.number(slot))
    }

    /// Who writes next.
    fn turn(&mut self) -> Option<Slot> {
        let slot = *self.order.get(self.next)?;
        self.next = (self.next + 1) % self.order.len();
        Some(slot)
    }

    /// Writes a message of a member.
    fn say(&mut self, world: &mut World, slot: Slot, intended: Moment, now: Moment) {
        if !self.entrance.is_in(slot) {
            return world.fail(Operation::Message, intended, Cause::NoSession);
        }
        let number = self.ledger.next(slot);
        let stamp = Stamp { run: world.env.run, pair: world.number(slot), number, intended };
        if !world.say(slot, &stamp, self.body, now) {
            return;
        }
        let others = self.listening[self.entrance.conference(slot)].saturating_sub(1);
        self.ledger.begin(slot, intended, others);
        self.under_way += 1;
        world.remind(slot, number, now.after(world.settings().timeout));
    }

    /// Closed loop: as many messages under way as the window says.
    fn fill(&mut self, world: &mut World, now: Moment) {
        let ShareOfLoad::Window(window) = self.load else { return };
        // Each has his turn more than once only when there are fewer of them than messages.
        for _ in 0..self.order.len().max(window as usize) {
            if !self.running || now >= self.until || self.under_way >= window as usize {
                return;
            }
            match self.turn() {
                Some(slot) if self.entrance.is_in(slot) => self.say(world, slot, now, now),
                Some(_) => {}
                None => return,
            }
        }
    }

    /// A message is under way no more.
    fn over(&mut self, world: &mut World, now: Moment) {
        self.under_way -= 1;
        self.fill(world, now);
    }

    /// A message has reached a member.
    fn arrived(&mut self, world: &mut World, slot: Slot, stamp: &Stamp, now: Moment) {
        if stamp.run != world.env.run || Self::is_silent(world, slot) {
            return;
        }
        let author = world.slot(stamp.pair).filter(|&author| {
            author != slot && self.entrance.conference(author) == self.entrance.conference(slot)
        });
        let Some(author) = author else {
            return world.fail(Operation::Delivery, stamp.intended, Cause::Misdelivered);
        };
        let arrival = self.arrived[slot * self.members + author % self.members].note(stamp.number);
        if !world.is_new(arrival, stamp.intended) {
            return;
        }
        let (expected, over) = self.ledger.arrived(author, stamp.number);
        // Else it was given up before.
        if expected {
            world.succeed(Operation::Delivery, stamp.intended, now);
        }
        if over {
            self.over(world, now);
        }
    }

    fn finished(
        &mut self,
        world: &mut World,
        slot: Slot,
        operation: Operation,
        intended: Moment,
        result: Result<(), Cause>,
        now: Moment,
    ) {
        if operation == Operation::Message {
            if self.ledger.answered(slot, intended, result.is_ok()) {
                self.over(world, now);
            }
            return;
        }
        if self.leaving.is_some() {
            let unknown = operation == Operation::Bye && result.is_err();
            if unknown && Self::is_silent(world, slot) {
                self.dropped(world, slot);
            }
            // What was begun before is ended as well.
            if matches!(operation, Operation::Focus | Operation::Invite | Operation::Subscribe) {
                self.go(world, slot, now);
            }
            self.leave_on(world, now);
        } else if self.entrance.finished(world, slot, operation, result, now) {
            if Self::is_silent(world, slot) {
                world.deafen(slot);
            } else {
                self.listening[self.entrance.conference(slot)] += 1;
            }
        }
    }

    /// The time of a message is up: who does not have it has lost it.
    fn overdue(&mut self, world: &mut World, slot: Slot, number: u32, now: Moment) {
        let Some(said) = self.ledger.overdue(slot, number) else { return };
        if world.counts(Operation::Delivery, said.intended) {
            let lost = u64::from(said.missing);
            world.stats.fail(Operation::Delivery, Cause::Undelivered, lost);
        }
        self.over(world, now);
    }

    /// A member is out, against our will or with it.
    fn left(&mut self, world: &mut World, slot: Slot) -> bool {
        let was_in = self.entrance.left(slot);
        if was_in && !Self::is_silent(world, slot) {
            self.listening[self.entrance.conference(slot)] -= 1;
        }
        was_in
    }

    /// The server has ended the connection or the session of a silent member.
    fn dropped(&mut self, world: &mut World, slot: Slot) {
        world.stats.seen.dropped += u64::from(self.left(world, slot));
    }

    fn go(&mut self, world: &mut World, slot: Slot, now: Moment) {
        if Self::is_silent(world, slot) {
            world.hear(slot);
        } else {
            self.left(world, slot);
            world.unsubscribe(slot, now);
        }
        world.bye(slot, now);
    }

    /// Lets some more leave.
    fn leave_on(&mut self, world: &mut World, now: Moment) {
        while let Some(slot) = self.leaving.filter(|&slot| slot < world.users())
            && world.outstanding < LEAVING_MAX
        {
            self.leaving = Some(slot + 1);
            self.go(world, slot, now);
        }
    }
}

impl Scenario for Conference {
    fn signs_in(&self) -> bool {
        true
    }

    fn prepare(&mut self, _world: &mut World, now: Moment) {
        self.entrance.open(self.ramp, self.seed, now);
    }

    fn prepared(&self, _world: &World) -> bool {
        self.entrance.is_settled()
    }

    fn start(&mut self, world: &mut World, window: Window, now: Moment) {
        let talks = |&slot: &Slot| self.entrance.is_in(slot) && !Self::is_silent(world, slot);
        self.order = (0..world.users()).filter(talks).collect();
        self.order.shuffle(&mut StdRng::seed_from_u64(self.seed));
        let rate = if self.order.is_empty() { 0.0 } else { self.load.rate() };
        self.pacer = Pacer::new(rate, world.settings().arrivals, window.start, self.seed);
        self.until = window.until;
        self.running = true;
        self.fill(world, now);
    }

    fn tick(&mut self, world: &mut World, now: Moment) {
        if !self.running {
            return self.entrance.tick(world, now);
        }
        while self.pacer.next() < self.until
            && let Some(intended) = self.pacer.take(now)
            && let Some(slot) = self.turn()
        {
            self.say(world, slot, intended, now);
        }
        self.fill(world, now);
    }

    fn next_deadline(&self) -> Moment {
        if self.running { self.pacer.next() } else { self.entrance.next_deadline() }
    }

    fn handle(&mut self, world: &mut World, slot: Slot, notice: &Notice, now: Moment) {
        let Notice::Endpoint(event) = notice else {
            match notice {
                Notice::Reminder(number) => self.overdue(world, slot, *number, now),
                Notice::Down if !Self::is_silent(world, slot) => _ = self.left(world, slot),
                Notice::Down if self.leaving.is_none() => self.dropped(world, slot),
                _ => {}
            }
            return;
        };
        match event {
            Event::Finished { pending, result } => {
                let (operation, intended) = (pending.operation, pending.intended);
                self.finished(world, slot, operation, intended, *result, now);
            }
            Event::Arrived(stamp) => self.arrived(world, slot, stamp, now),
            Event::Misattributed(stamp) => {
                world.fail(Operation::Delivery, stamp.intended, Cause::Misattributed);
                self.arrived(world, slot, stamp, now);
            }
            Event::Created(focus) => self.entrance.created(slot, focus),
            Event::Chat(chat) => self.entrance.found_chat(slot, chat),
            Event::Refused(reason) => {
                world.stats.example(Cause::Refused, || reason.clone());
            }
            Event::Ended if self.left(world, slot) && self.leaving.is_none() => {
                world.stats.fail(Operation::Join, Cause::Terminated, 1);
            }
            Event::Unwatched(_) if self.leaving.is_none() => {
                world.stats.fail(Operation::Subscribe, Cause::Terminated, 1);
            }
            _ => {}
        }
    }

    fn stop(&mut self) {
        self.running = false;
    }

    fn missing(&self, world: &World) -> u64 {
        let counting = |said: &&ledger::Said| world.counts(Operation::Delivery, said.intended);
        self.ledger.missing().filter(counting).map(|said| u64::from(said.missing)).sum()
    }

    fn leave(&mut self, world: &mut World, now: Moment) {
        self.entrance.close();
        self.leaving = Some(0);
        self.leave_on(world, now);
    }
}

#[cfg(test)]
mod tests;
