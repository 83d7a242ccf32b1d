//! What time brings: deadlines of answers and connections, signs of life, renewals.

use super::{Notice, Output, Slot, World};
use crate::clock::Moment;
use crate::endpoint::Wait;
use crate::link::State;
use crate::stats::{Cause, Operation};
use crate::wheel::Wheel;
use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub(super) enum Timer {
    Answer { slot: Slot, generation: u32, wait: Wait },
    KeepAlive { slot: Slot, generation: u32 },
    Opening { slot: Slot, generation: u32 },
    OpeningLink { slot: Slot, generation: u32 },
    Reminder { slot: Slot, what: u32 },
    Renewal { slot: Slot, generation: u32 },
}

impl World {
    /// Time has passed.
    pub fn tick(&mut self, now: Moment) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.advance(now, &mut due);
        for timer in due.drain(..) {
            self.fire(timer, now);
        }
        self.due = due;
    }

    /// Keeps the registration and the connection alive from now on.
    pub(super) fn keep_up(&mut self, slot: Slot, every: Duration, renewal: Duration, now: Moment) {
        let link = &mut self.links[slot];
        let renew_at = now.after(renewal);
        link.renew_at = link.keys_end.map_or(renew_at, |end| end.min(renew_at));
        link.keep_alive = every.max(Duration::from_secs(1));
        if !link.kept_up {
            link.kept_up = true;
            let generation = link.generation;
            self.wheel.arm(link.renew_at, Timer::Renewal { slot, generation });
            let next = now.after(link.keep_alive);
            match self.lanes.carrier(slot) {
                // What the server wants of one user the link does for all.
                Some(carrier) => {
                    let own = self.links[slot].keep_alive;
                    let shared = &mut self.links[carrier].keep_alive;
                    *shared = own.min(*shared);
                }
                None => self.wheel.arm(next, Timer::KeepAlive { slot, generation }),
            }
        }
    }

    fn fire(&mut self, timer: Timer, now: Moment) {
        match timer {
            Timer::Reminder { slot, what } => {
                self.notices.push_back((slot, Notice::Reminder(what)));
            }
            Timer::Answer { slot, generation, wait } if self.is_now(slot, generation) => {
                self.endpoints[slot].expire(wait, &mut self.events);
                self.drain_events(slot, now);
            }
            Timer::Opening { slot, generation } if self.is_now(slot, generation) => {
                if let State::Opening { purpose, intended, .. } = self.links[slot].state {
                    self.opening -= 1;
                    self.links[slot].state = State::Closing;
                    self.outputs.push_back(Output::Close(slot));
                    self.opening_failed(purpose, intended, Cause::Timeout);
                }
            }
            Timer::OpeningLink { slot, generation } if self.is_now(slot, generation) => {
                self.link_late(slot, now);
            }
            Timer::KeepAlive { slot, generation } if self.is_now(slot, generation) => {
                self.keep_alive(slot, generation, now);
            }
            Timer::Renewal { slot, generation } if self.is_now(slot, generation) => {
                self.renew(slot, generation, now);
            }
            _ => {}
        }
    }

    fn keep_alive(&mut self, slot: Slot, generation: u32, now: Moment) {
        let link = &mut self.links[slot];
        if !link.is_up() {
            return;
        }
        if now.since(link.sent) >= link.keep_alive && link.out.is_empty() {
            link.out.extend_from_slice(b"\r\n\r\n");
        }
        self.written(slot, now);
        let link = &self.links[slot];
        let next = link.sent.after(link.keep_alive).max(now.after(Wheel::<Timer>::granularity()));
        self.wheel.arm(next, Timer::KeepAlive { slot, generation });
    }

    /// Renews the registration when its time has come; a later grant moves that time.
    fn renew(&mut self, slot: Slot, generation: u32, now: Moment) {
        if !self.is_signed_in(slot) {
            return;
        }
        if now >= self.links[slot].renew_at && self.endpoints[slot].registration.pending.is_none() {
            self.register(slot, Operation::Refresh, now, now);
        }
        let next = self.links[slot].renew_at.max(now.after(self.env.settings.timeout));
        self.wheel.arm(next, Timer::Renewal { slot, generation });
    }

    fn is_now(&self, slot: Slot, generation: u32) -> bool {
        self.links[slot].generation == generation
    }
}
