//! Connections made and closed again: only the connection (`connect`), or connection, sign-in
//! and nothing else (`register`).

use super::{Scenario, Share, ShareOfLoad};
use crate::clock::Moment;
use crate::endpoint::Event;
use crate::link::Purpose;
use crate::pacer::Pacer;
use crate::settings::Settings;
use crate::stats::{Cause, Operation};
use crate::world::{Notice, Slot, Window, World};
use std::collections::VecDeque;

/// Users who come and go.
pub struct Connect {
    purpose: Purpose,
    load: ShareOfLoad,
    pacer: Pacer,
    /// Users without a connection.
    free: VecDeque<Slot>,
    users: usize,
    running: bool,
    until: Moment,
}

impl Connect {
    /// For one thread.
    pub fn new(settings: &Settings, share: Share, purpose: Purpose) -> Self {
        let load = ShareOfLoad::new(settings.load, share, false);
        let users = share.count as usize;
        Connect {
            purpose,
            load,
            pacer: Pacer::new(load.rate(), settings.arrivals, Moment(0), 0),
            free: (0..users).collect(),
            users,
            running: false,
            until: Moment(0),
        }
    }

    fn operation(&self) -> Operation {
        match self.purpose {
            Purpose::Connect => Operation::Connect,
            Purpose::SignIn => Operation::SignIn,
        }
    }

    /// Closed loop: as many under way as the window says.
    fn fill(&mut self, world: &mut World, now: Moment) {
        let ShareOfLoad::Window(window) = self.load else { return };
        while self.running && now < self.until && self.users - self.free.len() < window as usize {
            let Some(slot) = self.free.pop_front() else { return };
            world.open(slot, self.purpose, now, now);
        }
    }
}

impl Scenario for Connect {
    fn signs_in(&self) -> bool {
        false
    }

    fn start(&mut self, world: &mut World, window: Window, now: Moment) {
        let (rate, settings) = (self.load.rate(), world.settings());
        self.pacer = Pacer::new(rate, settings.arrivals, window.start, settings.seed);
        self.until = window.until;
        self.running = true;
        self.fill(world, now);
    }

    fn tick(&mut self, world: &mut World, now: Moment) {
        while self.running
            && self.pacer.next() < self.until
            && let Some(intended) = self.pacer.take(now)
        {
            match self.free.pop_front() {
                Some(slot) => {
                    if world.counts(self.operation(), intended) {
                        world.stats.lag(now.since(intended));
                    }
                    world.open(slot, self.purpose, intended, now);
                }
                None => world.fail(self.operation(), intended, Cause::Overrun),
            }
        }
    }

    fn next_deadline(&self) -> Moment {
        self.pacer.next()
    }

    fn handle(&mut self, world: &mut World, slot: Slot, notice: &Notice, now: Moment) {
        match notice {
            Notice::Up => world.close(slot),
            Notice::Endpoint(Event::Finished { pending, .. })
                if pending.operation == Operation::SignIn =>
            {
                world.close(slot);
            }
            Notice::Down => {
                self.free.push_back(slot);
                self.fill(world, now);
            }
            _ => {}
        }
    }

    fn stop(&mut self) {
        self.running = false;
    }
}
