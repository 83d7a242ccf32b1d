//! What the users do: one file a flow.

mod circle;
mod conference;
mod connect;
mod idle;
mod im;
mod model;
mod presence;
mod refresh;
mod states;
mod way;

use crate::clock::Moment;
use crate::link::Purpose;
use crate::population::mix;
use crate::settings::{Flow, Load, Settings};
use crate::stats::Operation;
use crate::world::{Notice, Slot, Window, World};

/// The deeds of one thread's users. It hears what happens and acts through the [`World`].
pub trait Scenario {
    /// True when every user signs in before load begins, and stays.
    fn signs_in(&self) -> bool;

    /// Everybody has signed in or failed to.
    fn prepare(&mut self, _world: &mut World, _now: Moment) {}

    /// True when load can begin.
    fn prepared(&self, _world: &World) -> bool {
        true
    }

    /// Load begins.
    fn start(&mut self, world: &mut World, window: Window, now: Moment);

    /// Does what is due, in the preparation and under load.
    fn tick(&mut self, world: &mut World, now: Moment);

    /// When something will be due next.
    fn next_deadline(&self) -> Moment {
        Moment::NEVER
    }

    /// Something happened.
    fn handle(&mut self, world: &mut World, slot: Slot, notice: &Notice, now: Moment);

    /// No new operations.
    fn stop(&mut self);

    /// The operation that the arrival of a message or state is.
    fn arrival(&self) -> Operation {
        Operation::Delivery
    }

    /// How many accepted messages or states of the window have not arrived.
    fn missing(&self, _world: &World) -> u64 {
        0
    }

    /// The same for each operation that it is.
    fn lost(&self, world: &World) -> Vec<(Operation, u64)> {
        vec![(self.arrival(), self.missing(world))]
    }

    /// Ends what the preparation made.
    fn leave(&mut self, _world: &mut World, _now: Moment) {}
}

/// This thread's part of the whole.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// First user.
    pub first: u32,
    /// Number of users.
    pub count: u32,
    /// Part of all users, above 0 and at most 1.
    pub part: f64,
    /// Number of the thread.
    pub thread: u32,
}

impl Share {
    /// The share of thread `thread`: neighbours stay together in pairs, or by conferences.
    pub fn new(settings: &Settings, thread: u32) -> Share {
        let group = settings.group();
        let groups = u64::from(settings.users.div_ceil(group));
        let bound = |thread: u32| {
            let before = groups * u64::from(thread) / u64::from(settings.threads.max(1));
            u32::try_from(before * u64::from(group)).unwrap_or(u32::MAX).min(settings.users)
        };
        let (first, end) = (bound(thread), bound(thread + 1));
        let count = end - first;
        Share { first, count, part: f64::from(count) / f64::from(settings.users.max(1)), thread }
    }

    /// This thread's part of a number that is given for all threads; at least 1.
    pub fn of(&self, whole: u32) -> u32 {
        ((f64::from(whole) * self.part).round() as u32).max(1)
    }

    /// A seed of its own for the thread.
    pub fn seed(&self, settings: &Settings) -> u64 {
        mix(settings.seed ^ mix(u64::from(self.thread) + 1))
    }
}

/// The operation that a flow is about.
pub fn main_operation(flow: Flow) -> Operation {
    match flow {
        Flow::Profile(plan) => model::main_operation(&plan.profile),
        _ => measured(flow)[0],
    }
}

/// Operations of a flow that count only within the window, the main one first.
pub fn measured(flow: Flow) -> &'static [Operation] {
    match flow {
        Flow::Conference { .. } => &[Operation::Delivery, Operation::Message],
        Flow::Connect => &[Operation::Connect],
        Flow::Idle { .. } => &[Operation::Hold],
        Flow::Im { .. } => &[Operation::Message, Operation::Delivery],
        Flow::Presence { .. } => &[Operation::Notify, Operation::Publish],
        Flow::Profile(plan) => model::measured(&plan.profile),
        Flow::Register { refresh: false } => &[Operation::SignIn],
        Flow::Register { refresh: true } => &[Operation::Refresh],
    }
}

/// The scenario of a flow.
pub fn scenario(settings: &Settings, share: Share) -> Box<dyn Scenario> {
    match settings.flow {
        Flow::Conference { .. } => Box::new(conference::Conference::new(settings, share)),
        Flow::Connect => Box::new(connect::Connect::new(settings, share, Purpose::Connect)),
        Flow::Idle { contacts, .. } => Box::new(idle::Idle::new(settings, share, contacts)),
        Flow::Im { body } => Box::new(im::Im::new(settings, share, body)),
        Flow::Presence { watchers, .. } => {
            Box::new(presence::Presence::new(settings, share, watchers))
        }
        Flow::Profile(plan) => Box::new(model::Model::new(plan, settings, share)),
        Flow::Register { refresh: false } => {
            Box::new(connect::Connect::new(settings, share, Purpose::SignIn))
        }
        Flow::Register { refresh: true } => Box::new(refresh::Refresh::new(settings, share)),
    }
}

/// Rate and window of one thread.
#[derive(Clone, Copy, Debug)]
enum ShareOfLoad {
    Rate(f64),
    Window(u32),
}

impl ShareOfLoad {
    /// `per_pair`: a window is meant for each pair, not for all threads together.
    fn new(load: Load, share: Share, per_pair: bool) -> Self {
        match load {
            Load::Rate(rate) => ShareOfLoad::Rate(rate * share.part),
            Load::Window(window) if per_pair => ShareOfLoad::Window(window),
            Load::Window(window) => ShareOfLoad::Window(share.of(window)),
        }
    }

    fn rate(self) -> f64 {
        match self {
            ShareOfLoad::Rate(rate) => rate,
            ShareOfLoad::Window(_) => 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn shares_cover_all_users_and_keep_pairs_together() {
        for (users, threads) in [(2, 1), (10, 3), (1001, 4), (7, 8)] {
            let mut settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
            settings.users = users;
            settings.threads = threads;
            let shares: Vec<_> = (0..threads).map(|t| Share::new(&settings, t)).collect();
            assert_eq!(shares.iter().map(|s| s.count).sum::<u32>(), users);
            assert!(shares.iter().all(|s| s.first % 2 == 0 || s.count == 0));
            assert!((shares.iter().map(|s| s.part).sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
