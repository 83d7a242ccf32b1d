//! Signed-in users who do nothing: what they cost in memory and in signs of life.

use super::Scenario;
use crate::clock::Moment;
use crate::world::{Notice, Slot, Window, World};

/// Users who stay.
pub struct Idle;

impl Scenario for Idle {
    fn signs_in(&self) -> bool {
        true
    }

    fn start(&mut self, _world: &mut World, _window: Window, _now: Moment) {}

    fn tick(&mut self, _world: &mut World, _now: Moment) {}

    fn handle(&mut self, _world: &mut World, _slot: Slot, _notice: &Notice, _now: Moment) {}

    fn stop(&mut self) {}
}
