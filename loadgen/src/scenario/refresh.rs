//! REGISTER on connections that stay.

use super::{Scenario, Share, ShareOfLoad};
use crate::clock::Moment;
use crate::endpoint::Event;
use crate::pacer::Pacer;
use crate::settings::Settings;
use crate::stats::{Cause, Operation};
use crate::world::{Notice, Slot, Window, World};

/// Users who renew their registration, in turn.
pub struct Refresh {
    load: ShareOfLoad,
    pacer: Pacer,
    users: Vec<Slot>,
    next: usize,
    running: bool,
    until: Moment,
}

impl Refresh {
    /// For one thread.
    pub fn new(settings: &Settings, share: Share) -> Self {
        let load = ShareOfLoad::new(settings.load, share, false);
        let pacer = Pacer::new(load.rate(), settings.arrivals, Moment(0), 0);
        let until = Moment(0);
        Refresh { load, pacer, users: Vec::new(), next: 0, running: false, until }
    }

    fn next_user(&mut self) -> Option<Slot> {
        let slot = *self.users.get(self.next)?;
        self.next = (self.next + 1) % self.users.len();
        Some(slot)
    }
}

impl Scenario for Refresh {
    fn signs_in(&self) -> bool {
        true
    }

    fn prepare(&mut self, world: &mut World, _now: Moment) {
        self.users = (0..world.users()).filter(|&slot| world.is_signed_in(slot)).collect();
    }

    fn start(&mut self, world: &mut World, window: Window, now: Moment) {
        let (rate, settings) = (self.load.rate(), world.settings());
        self.pacer = Pacer::new(rate, settings.arrivals, window.start, settings.seed);
        self.until = window.until;
        self.running = true;
        if let ShareOfLoad::Window(window) = self.load {
            for _ in 0..(window as usize).min(self.users.len()) {
                if let Some(slot) = self.next_user() {
                    world.refresh(slot, now, now);
                }
            }
        }
    }

    fn tick(&mut self, world: &mut World, now: Moment) {
        while self.running
            && self.pacer.next() < self.until
            && let Some(intended) = self.pacer.take(now)
        {
            match self.next_user() {
                Some(slot) => world.refresh(slot, intended, now),
                None => world.fail(Operation::Refresh, intended, Cause::NoSession),
            }
        }
    }

    fn next_deadline(&self) -> Moment {
        self.pacer.next()
    }

    fn handle(&mut self, world: &mut World, slot: Slot, notice: &Notice, now: Moment) {
        let Notice::Endpoint(Event::Finished { pending, .. }) = notice else { return };
        let closed_loop = matches!(self.load, ShareOfLoad::Window(_));
        let more = self.running && now < self.until && closed_loop;
        if pending.operation == Operation::Refresh && more && world.is_signed_in(slot) {
            // The same user again: nobody else's REGISTER can be under way twice.
            world.refresh(slot, now, now);
        }
    }

    fn stop(&mut self) {
        self.running = false;
    }
}
