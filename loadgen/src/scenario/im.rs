//! Instant messages from the even user of each pair to the odd one: in one INVITE session a pair
//! (`ms`), or each on its own (`simple`).

use super::{Scenario, Share, ShareOfLoad};
use crate::clock::Moment;
use crate::endpoint::{Event, OUTSTANDING_MAX};
use crate::pacer::{Arrivals, Pacer};
use crate::settings::{Dialect, Settings};
use crate::stamp::{Arrival, Arrivals as Arrived, Stamp};
use crate::stats::{Cause, Operation};
use crate::world::{Notice, Slot, Window, World};
use rand::{SeedableRng, rngs::StdRng, seq::SliceRandom};
use std::collections::VecDeque;
use std::time::Duration;

/// How long after losing its session a pair begins a new one.
const RETRY: Duration = Duration::from_secs(1);

/// Two users.
#[derive(Debug, Default)]
struct Pair {
    /// True while messages can be sent.
    up: bool,
    /// True when a new session is asked for or about to be.
    renewing: bool,
    sent: u32,
    arrived: Arrived,
    /// Arrived, but not answered yet.
    ahead: VecDeque<Moment>,
    /// Answered 2xx, but not arrived yet.
    missing: VecDeque<Moment>,
}

/// Users who write to each other.
pub struct Im {
    body: usize,
    dialect: Dialect,
    first_pair: u32,
    load: ShareOfLoad,
    pacer: Pacer,
    pairs: Vec<Pair>,
    ramp: f64,
    seed: u64,
    /// Pairs in the order in which they write, which the seed shuffles.
    order: Vec<usize>,
    next: usize,
    running: bool,
    until: Moment,
}

impl Im {
    /// For one thread.
    pub fn new(settings: &Settings, share: Share, body: usize) -> Self {
        let load = ShareOfLoad::new(settings.load, share, true);
        Im {
            body,
            dialect: settings.dialect,
            first_pair: share.first / 2,
            load,
            pacer: Pacer::new(0.0, Arrivals::Even, Moment(0), 0),
            pairs: (0..share.count / 2).map(|_| Pair::default()).collect(),
            ramp: settings.ramp * share.part,
            seed: share.seed(settings),
            order: Vec::new(),
            next: 0,
            running: false,
            until: Moment(0),
        }
    }

    fn send(&mut self, world: &mut World, at: usize, intended: Moment, now: Moment) {
        let pair = &mut self.pairs[at];
        if !pair.up {
            return world.fail(Operation::Message, intended, Cause::NoSession);
        }
        pair.sent += 1;
        let run = world.env.run;
        let stamp = Stamp { run, pair: self.first_pair + at as u32, number: pair.sent, intended };
        world.message(caller(at), callee(at), &stamp, self.body, now);
    }

    /// Preparation: begins the sessions whose turn has come.
    fn invite(&mut self, world: &mut World, now: Moment) {
        while let Some(&at) = self.order.get(self.next)
            && self.pacer.take(now).is_some()
        {
            self.next += 1;
            world.invite(caller(at), callee(at), now);
        }
    }

    fn finished(
        &mut self,
        world: &mut World,
        at: usize,
        operation: Operation,
        intended: Moment,
        result: Result<(), Cause>,
        now: Moment,
    ) {
        let pair = &mut self.pairs[at];
        match (operation, result) {
            (Operation::Invite, Ok(())) => {
                pair.up = true;
                pair.renewing = false;
                if self.running {
                    self.fill(world, at, now);
                }
            }
            (Operation::Invite, Err(_)) => {
                pair.renewing = false;
                self.renew(world, at, now);
            }
            (Operation::Message, result) => {
                let here = take(&mut pair.ahead, intended);
                let counts = world.counts(Operation::Delivery, intended);
                if result.is_ok() && !here && counts {
                    put(&mut pair.missing, intended);
                }
                self.answered(world, at, result, now);
            }
            _ => {}
        }
    }

    fn answered(&mut self, world: &mut World, at: usize, result: Result<(), Cause>, now: Moment) {
        // The Lync client drops the session for these.
        let lost = matches!(result, Err(Cause::Status(408 | 480 | 481) | Cause::Timeout));
        if lost && self.dialect == Dialect::Ms && self.pairs[at].up {
            self.pairs[at].up = false;
            world.bye(caller(at), now);
            self.renew(world, at, now);
        } else if matches!(self.load, ShareOfLoad::Window(_))
            && self.running
            && now < self.until
            && self.pairs[at].up
        {
            self.send(world, at, now, now);
        }
    }

    fn arrived(&mut self, world: &mut World, slot: Slot, stamp: &Stamp, now: Moment) {
        let at = slot / 2;
        if stamp.run != world.env.run || stamp.pair != self.first_pair + at as u32 {
            return;
        }
        let pair = &mut self.pairs[at];
        match pair.arrived.note(stamp.number) {
            Arrival::Repeated => {
                world.stats.seen.duplicates += 1;
                return;
            }
            Arrival::Late => world.stats.seen.reordered += 1,
            Arrival::InOrder => {}
        }
        if !take(&mut pair.missing, stamp.intended) {
            put(&mut pair.ahead, stamp.intended);
        }
        world.succeed(Operation::Delivery, stamp.intended, now);
    }

    /// Closed loop: as many messages under way as the window says.
    fn fill(&mut self, world: &mut World, at: usize, now: Moment) {
        let ShareOfLoad::Window(window) = self.load else { return };
        for _ in 0..window {
            self.send(world, at, now, now);
        }
    }

    fn renew(&mut self, world: &mut World, at: usize, now: Moment) {
        if self.running && !self.pairs[at].renewing {
            self.pairs[at].renewing = true;
            world.remind(caller(at), 0, now.after(RETRY));
        }
    }
}

impl Scenario for Im {
    fn signs_in(&self) -> bool {
        true
    }

    fn prepare(&mut self, world: &mut World, now: Moment) {
        self.order = (0..self.pairs.len())
            .filter(|&at| world.is_signed_in(caller(at)) && world.is_signed_in(callee(at)))
            .collect();
        self.order.shuffle(&mut StdRng::seed_from_u64(self.seed));
        self.pacer = Pacer::new(self.ramp, Arrivals::Even, now, self.seed);
        self.next = 0;
        if self.dialect == Dialect::Simple {
            self.order.iter().for_each(|&at| self.pairs[at].up = true);
            self.next = self.order.len();
        }
    }

    fn prepared(&self, world: &World) -> bool {
        self.next == self.order.len() && world.outstanding == 0
    }

    fn start(&mut self, world: &mut World, window: Window, now: Moment) {
        let arrivals = world.settings().arrivals;
        self.order.retain(|&at| self.pairs[at].up);
        self.next = 0;
        let rate = if self.order.is_empty() { 0.0 } else { self.load.rate() };
        self.pacer = Pacer::new(rate, arrivals, window.start, self.seed);
        self.until = window.until;
        self.running = true;
        for at in self.order.clone() {
            self.fill(world, at, now);
        }
    }

    fn tick(&mut self, world: &mut World, now: Moment) {
        if !self.running {
            return self.invite(world, now);
        }
        while self.pacer.next() < self.until
            && let Some(intended) = self.pacer.take(now)
            && let Some(&at) = self.order.get(self.next)
        {
            self.next = (self.next + 1) % self.order.len();
            self.send(world, at, intended, now);
        }
    }

    fn next_deadline(&self) -> Moment {
        let all_invited = !self.running && self.next == self.order.len();
        if all_invited { Moment::NEVER } else { self.pacer.next() }
    }

    fn handle(&mut self, world: &mut World, slot: Slot, notice: &Notice, now: Moment) {
        let at = slot / 2;
        if at >= self.pairs.len() {
            return;
        }
        match notice {
            Notice::Endpoint(Event::Finished { pending, result }) => {
                self.finished(world, at, pending.operation, pending.intended, *result, now);
            }
            Notice::Endpoint(Event::Arrived(stamp)) => self.arrived(world, slot, stamp, now),
            Notice::Endpoint(Event::Ended) if slot == caller(at) => {
                self.pairs[at].up = false;
                self.renew(world, at, now);
            }
            Notice::Down => self.pairs[at].up = false,
            Notice::Reminder(_) if self.running => {
                self.pairs[at].renewing = world.invite(caller(at), callee(at), now);
            }
            _ => {}
        }
    }

    fn stop(&mut self) {
        self.running = false;
    }

    fn missing(&self, world: &World) -> u64 {
        let counts = |moment: &&Moment| world.counts(Operation::Delivery, **moment);
        self.pairs.iter().map(|pair| pair.missing.iter().filter(counts).count() as u64).sum()
    }

    fn leave(&mut self, world: &mut World, now: Moment) {
        (0..self.pairs.len()).for_each(|at| world.bye(caller(at), now));
    }
}

fn caller(pair: usize) -> Slot {
    pair * 2
}

fn callee(pair: usize) -> Slot {
    pair * 2 + 1
}

/// Puts a moment into its place; mostly it is the last.
fn put(moments: &mut VecDeque<Moment>, moment: Moment) {
    let at = moments.partition_point(|&m| m <= moment);
    moments.insert(at, moment);
    // Those that arrive after their time is up are never taken.
    if moments.len() > OUTSTANDING_MAX {
        moments.pop_front();
    }
}

/// Takes a moment out; mostly it is the first.
fn take(moments: &mut VecDeque<Moment>, moment: Moment) -> bool {
    match moments.binary_search(&moment) {
        Ok(at) => moments.remove(at).is_some(),
        Err(_) => false,
    }
}
