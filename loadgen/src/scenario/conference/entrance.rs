//! How conferences come about: each organiser asks for one and comes in, then the others do, at
//! the pace of the ramp.

use crate::clock::Moment;
use crate::pacer::{Arrivals, Pacer};
use crate::scenario::way::{self, Place};
use crate::stats::{Cause, Operation};
use crate::world::{Slot, World};
use std::collections::VecDeque;

/// Where a member stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// Not in: not yet, not any more, or not at all.
    #[default]
    Out,
    /// Waits for the answer to this step, which is part of what began at that moment.
    Waiting(Operation, Moment),
    /// Can write and be written to.
    In,
}

/// The conferences of one thread and who is in them.
#[derive(Debug)]
pub struct Entrance {
    members: usize,
    /// Every member subscribes, not the organiser alone.
    roster: bool,
    places: Vec<Place>,
    stages: Vec<Stage>,
    /// Who has not begun.
    queue: VecDeque<Slot>,
    /// How many have begun and are not in.
    coming: usize,
    pacer: Pacer,
}

impl Entrance {
    /// Conferences of `members` users each, who follow each other.
    pub fn new(users: usize, members: usize, roster: bool) -> Self {
        Entrance {
            members,
            roster,
            places: (0..users / members).map(|_| Place::default()).collect(),
            stages: vec![Stage::Out; users],
            queue: VecDeque::new(),
            coming: 0,
            pacer: Pacer::new(0.0, Arrivals::Even, Moment(0), 0),
        }
    }

    /// Which conference a user belongs to.
    pub fn conference(&self, slot: Slot) -> usize {
        slot / self.members
    }

    /// True when the user can write and be written to.
    pub fn is_in(&self, slot: Slot) -> bool {
        self.stages[slot] == Stage::In
    }

    /// Lets the organisers begin, at `ramp` beginnings a second.
    pub fn open(&mut self, ramp: f64, seed: u64, now: Moment) {
        self.pacer = Pacer::new(ramp, Arrivals::Even, now, seed);
        self.queue = (0..self.places.len()).map(|conference| conference * self.members).collect();
    }

    /// Nobody begins any more.
    pub fn close(&mut self) {
        self.queue.clear();
    }

    /// True when all are in who can come in.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.coming == 0
    }

    /// When the next one may begin.
    pub fn next_deadline(&self) -> Moment {
        if self.queue.is_empty() { Moment::NEVER } else { self.pacer.next() }
    }

    /// Lets those begin whose turn has come.
    pub fn tick(&mut self, world: &mut World, now: Moment) {
        while !self.queue.is_empty()
            && self.pacer.take(now).is_some()
            && let Some(slot) = self.queue.pop_front()
        {
            self.coming += 1;
            let first = if self.is_organiser(slot) { Operation::Create } else { Operation::Focus };
            self.take_step(world, slot, first, now, now);
        }
    }

    fn is_organiser(&self, slot: Slot) -> bool {
        slot.is_multiple_of(self.members)
    }

    /// Notes where a conference is.
    pub fn created(&mut self, slot: Slot, focus: &str) {
        let conference = self.conference(slot);
        focus.clone_into(&mut self.places[conference].focus);
    }

    /// Notes where the messages of a conference go.
    pub fn found_chat(&mut self, slot: Slot, chat: &str) {
        let conference = self.conference(slot);
        chat.clone_into(&mut self.places[conference].chat);
    }

    /// A step has ended; true when its user is in from now on.
    pub fn finished(
        &mut self,
        world: &mut World,
        slot: Slot,
        operation: Operation,
        result: Result<(), Cause>,
        now: Moment,
    ) -> bool {
        let Stage::Waiting(step, began) = self.stages[slot] else { return false };
        if step != operation {
            return false;
        }
        if result.is_err() {
            self.fail(world, slot, now);
            return false;
        }
        let watches = self.roster || self.is_organiser(slot);
        match way::next(operation, watches, true) {
            // The way of the conference's maker counts from here on, as that of all others.
            Some(step) if operation == Operation::Create => {
                self.take_step(world, slot, step, now, now);
            }
            Some(step) => self.take_step(world, slot, step, began, now),
            None => {
                self.coming -= 1;
                self.stages[slot] = Stage::In;
                world.succeed(Operation::Join, began, now);
                if self.is_organiser(slot) {
                    self.queue.extend(slot + 1..slot + self.members);
                }
                return true;
            }
        }
        false
    }

    fn take_step(
        &mut self,
        world: &mut World,
        slot: Slot,
        step: Operation,
        began: Moment,
        now: Moment,
    ) {
        let place = &self.places[self.conference(slot)];
        let sent = way::take(world, slot, step, place, now);
        self.stages[slot] = Stage::Waiting(step, began);
        if !sent {
            world.fail(Operation::Join, began, Cause::NoSession);
            self.fail(world, slot, now);
        }
    }

    /// A user does not come in; without its organiser there is no conference for the others.
    fn fail(&mut self, world: &mut World, slot: Slot, now: Moment) {
        self.coming -= 1;
        self.stages[slot] = Stage::Out;
        if self.is_organiser(slot) {
            for _ in 1..self.members {
                world.fail(Operation::Join, now, Cause::NoSession);
            }
        }
    }

    /// A user is out, if he was in; true when he was.
    pub fn left(&mut self, slot: Slot) -> bool {
        let was_in = self.is_in(slot);
        if was_in {
            self.stages[slot] = Stage::Out;
        }
        was_in
    }
}
