//! One thread's run from the first sign-in to the last closed connection, without input or
//! output: phases, ramp, drain.

use crate::clock::Moment;
use crate::endpoint::Event;
use crate::link::Purpose;
use crate::pacer::{Arrivals, Pacer};
use crate::scenario::Scenario;
use crate::stats::{Cause, Operation, Stats};
use crate::world::{Notice, Output, Slot, Window, World};
use std::net::SocketAddr;
use std::time::Duration;

/// Most sign-outs of a thread that wait for answers at once.
const LEAVING_MAX: usize = 64;
/// How long accepted messages may still arrive after the last answer.
const ARRIVAL_GRACE: Duration = Duration::from_secs(1);

/// What the coordinator wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct Orders {
    /// End early, but in good order.
    pub stop: bool,
    /// When load begins and ends, once every thread is ready.
    pub window: Option<Window>,
}

/// Where a thread's run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Users come, at the rate of the ramp.
    SignIn,
    /// The scenario makes what it needs.
    Prepare,
    /// Everybody is there; the coordinator has not said when to begin.
    Ready,
    /// Load.
    Load,
    /// No new operations; those under way end.
    Drain {
        /// Since when nothing is outstanding.
        quiet_since: Option<Moment>,
    },
    /// Sessions are ended.
    Byes,
    /// Users sign out.
    SignOut {
        /// After this, connections are closed without asking.
        until: Moment,
    },
    /// Connections close.
    Close {
        /// After this, the rest is left to the system.
        until: Moment,
    },
    /// Over.
    Done,
}

/// One thread's run.
pub struct Driver {
    world: World,
    scenario: Box<dyn Scenario>,
    phase: Phase,
    /// This thread's share of the ramp, in sign-ins a second.
    ramp: f64,
    ramp_pacer: Option<Pacer>,
    /// Next user to sign in or out.
    next_user: Slot,
    opening_max: usize,
}

impl Driver {
    /// `ramp` and `opening_max` are this thread's share.
    pub fn new(world: World, scenario: Box<dyn Scenario>, ramp: f64, opening_max: usize) -> Self {
        let phase = if scenario.signs_in() { Phase::SignIn } else { Phase::Ready };
        let opening_max = opening_max.max(1);
        Driver { world, scenario, phase, ramp, ramp_pacer: None, next_user: 0, opening_max }
    }

    /// Where the run stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The thread's users and counts.
    pub fn world(&mut self) -> &mut World {
        &mut self.world
    }

    /// The counts since the last call.
    pub fn take_stats(&mut self) -> Stats {
        std::mem::take(&mut self.world.stats)
    }

    /// Next thing for the connections to do.
    pub fn next_output(&mut self) -> Option<Output> {
        self.world.next_output()
    }

    /// When [`Driver::step`] wants to be called next at the latest; it may be called at any time.
    pub fn next_deadline(&self) -> Moment {
        match self.phase {
            Phase::SignIn
                if self.next_user < self.world.users() && self.world.opening < self.opening_max =>
            {
                self.ramp_pacer.as_ref().map_or(Moment(0), Pacer::next)
            }
            Phase::Prepare | Phase::Load => self.scenario.next_deadline(),
            _ => Moment::NEVER,
        }
    }

    /// TCP is connected, or about to be: the own address is known.
    pub fn located(&mut self, slot: Slot, local: SocketAddr) {
        self.world.located(slot, local);
    }

    /// Octets can be exchanged.
    pub fn up(&mut self, slot: Slot, generation: u32, now: Moment) {
        self.world.up(slot, generation, now);
        self.deliver(now);
    }

    /// Octets have arrived. Several calls may be followed by one [`Driver::deliver`].
    pub fn received(&mut self, slot: Slot, bytes: &[u8], now: Moment) {
        self.world.received(slot, bytes, now);
    }

    /// The connection is gone, or could not be made.
    pub fn down(
        &mut self,
        slot: Slot,
        generation: u32,
        cause: Cause,
        text: impl FnOnce() -> String,
        now: Moment,
    ) {
        self.world.down(slot, generation, cause, text, now);
        self.deliver(now);
    }

    /// A user has left the link that he was on.
    pub fn left(&mut self, slot: Slot, now: Moment) {
        let generation = self.world.generation(slot);
        self.world.down(slot, generation, Cause::Disconnected, String::new, now);
        self.deliver(now);
    }

    /// Passes on what has happened.
    pub fn deliver(&mut self, now: Moment) {
        while let Some((slot, notice)) = self.world.next_notice() {
            let Notice::Endpoint(Event::Finished { pending, result }) = &notice else {
                self.scenario.handle(&mut self.world, slot, &notice, now);
                continue;
            };
            let failed_in_ramp = self.scenario.signs_in() && result.is_err();
            match pending.operation {
                Operation::SignIn if failed_in_ramp => self.world.close(slot),
                Operation::SignOut => self.world.close(slot),
                _ => self.scenario.handle(&mut self.world, slot, &notice, now),
            }
        }
    }

    /// Time has passed, or the coordinator may have decided something.
    pub fn step(&mut self, now: Moment, orders: Orders) {
        self.world.tick(now);
        self.deliver(now);
        loop {
            let before = self.phase;
            self.advance(now, orders);
            self.deliver(now);
            if self.phase == before {
                break;
            }
        }
    }

    fn advance(&mut self, now: Moment, orders: Orders) {
        self.phase = match self.phase {
            Phase::SignIn if orders.stop => Phase::Byes,
            Phase::SignIn => self.sign_in(now),
            Phase::Prepare | Phase::Ready if orders.stop => self.leave(now),
            Phase::Prepare => {
                self.scenario.tick(&mut self.world, now);
                let done = self.scenario.prepared(&self.world);
                if done { Phase::Ready } else { Phase::Prepare }
            }
            Phase::Ready => match orders.window {
                Some(window) if window.start <= now => {
                    self.world.set_window(window);
                    self.scenario.start(&mut self.world, window, now);
                    Phase::Load
                }
                _ => Phase::Ready,
            },
            Phase::Load => self.load(now, orders.stop),
            Phase::Drain { quiet_since } => self.drain(quiet_since, now),
            Phase::Byes if self.world.outstanding > 0 => Phase::Byes,
            Phase::Byes => {
                self.next_user = 0;
                Phase::SignOut { until: now.after(self.world.settings().timeout) }
            }
            Phase::SignOut { until } => self.sign_out(until, now),
            Phase::Close { until } => {
                let connections = 0..self.world.connections();
                let closed = connections.into_iter().all(|slot| self.world.is_closed(slot));
                if closed || now >= until { Phase::Done } else { Phase::Close { until } }
            }
            Phase::Done => Phase::Done,
        };
    }

    fn sign_in(&mut self, now: Moment) -> Phase {
        let (ramp, seed) = (self.ramp, self.world.settings().seed);
        let pacer =
            self.ramp_pacer.get_or_insert_with(|| Pacer::new(ramp, Arrivals::Even, now, seed));
        while self.next_user < self.world.users()
            && self.world.opening < self.opening_max
            && pacer.take(now).is_some()
        {
            // The ramp only limits; how long a sign-in takes counts from when it begins.
            self.world.open(self.next_user, Purpose::SignIn, now, now);
            self.next_user += 1;
        }
        let settled = self.next_user == self.world.users()
            && self.world.opening == 0
            && self.world.outstanding == 0;
        if !settled {
            return Phase::SignIn;
        }
        self.scenario.prepare(&mut self.world, now);
        Phase::Prepare
    }

    fn load(&mut self, now: Moment, stop: bool) -> Phase {
        let Some(window) = self.world.window() else { return Phase::Load };
        if stop && now < window.until {
            self.world.set_window(Window { until: now, ..window });
        } else if now < window.until {
            self.scenario.tick(&mut self.world, now);
            return Phase::Load;
        } else {
            // What was due before the end but not sent yet still counts.
            self.scenario.tick(&mut self.world, now);
        }
        self.scenario.stop();
        if self.scenario.signs_in() {
            let held = self.world.signed_in;
            (0..held).for_each(|_| self.world.stats.succeed_untimed(Operation::Hold));
        }
        Phase::Drain { quiet_since: None }
    }

    fn drain(&mut self, quiet_since: Option<Moment>, now: Moment) -> Phase {
        if self.world.outstanding > 0 || self.world.opening > 0 {
            return Phase::Drain { quiet_since: None };
        }
        let since = quiet_since.unwrap_or(now);
        if self.scenario.missing(&self.world) > 0 && now.since(since) < ARRIVAL_GRACE {
            return Phase::Drain { quiet_since: Some(since) };
        }
        for (operation, lost) in self.scenario.lost(&self.world) {
            self.world.stats.fail(operation, Cause::Undelivered, lost);
        }
        self.leave(now)
    }

    fn leave(&mut self, now: Moment) -> Phase {
        self.scenario.leave(&mut self.world, now);
        Phase::Byes
    }

    fn sign_out(&mut self, until: Moment, now: Moment) -> Phase {
        let users = self.world.users();
        if now < until {
            while self.next_user < users && self.world.outstanding < LEAVING_MAX {
                let slot = self.next_user;
                self.next_user += 1;
                self.world.sign_out(slot, now);
            }
            if self.next_user < users || self.world.outstanding > 0 {
                return Phase::SignOut { until };
            }
        }
        // Users first: then nobody is on a link that closes.
        (0..self.world.connections()).for_each(|slot| self.world.close(slot));
        Phase::Close { until: now.after(Duration::from_secs(2)) }
    }
}
