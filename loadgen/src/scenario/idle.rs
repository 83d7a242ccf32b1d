//! Signed-in users who do nothing, or watch others who do nothing: what they cost in memory and
//! in signs of life.

use super::circle::Circle;
use super::{Scenario, Share};
use crate::clock::Moment;
use crate::endpoint::Event;
use crate::settings::Settings;
use crate::world::{Notice, Slot, Window, World};

/// Users who stay.
pub struct Idle {
    circle: Circle,
}

impl Idle {
    /// For one thread.
    pub fn new(settings: &Settings, share: Share, contacts: u32) -> Self {
        Idle { circle: Circle::new(settings, share, contacts) }
    }
}

impl Scenario for Idle {
    fn signs_in(&self) -> bool {
        true
    }

    fn prepare(&mut self, _world: &mut World, now: Moment) {
        self.circle.prepare(now);
    }

    fn prepared(&self, _world: &World) -> bool {
        self.circle.is_ready()
    }

    fn start(&mut self, _world: &mut World, _window: Window, _now: Moment) {}

    fn tick(&mut self, world: &mut World, now: Moment) {
        self.circle.tick(world, now);
    }

    fn next_deadline(&self) -> Moment {
        self.circle.next_deadline()
    }

    fn handle(&mut self, world: &mut World, _slot: Slot, notice: &Notice, now: Moment) {
        if let Notice::Endpoint(Event::Finished { pending, .. }) = notice {
            self.circle.finished(world, pending.operation, now);
        }
    }

    fn stop(&mut self) {}

    fn leave(&mut self, world: &mut World, now: Moment) {
        self.circle.leave(world, now);
    }
}
