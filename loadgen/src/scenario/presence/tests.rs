use super::*;
use crate::driver::{Driver, Orders, Phase};
use crate::settings::{Dialect, Flow, Load, Notify, StateKind};
use crate::stats::Stats;
use crate::world::Output;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

mod server;

pub use server::Faults;
use server::Server;

const MS: u64 = 1_000_000;
const USERS: u32 = 6;
const WATCHERS: u64 = 3;

/// A whole run of a thread against the simulated server, in steps of a millisecond.
pub struct Run {
    driver: Driver,
    server: Server,
    now: Moment,
    stats: Stats,
}

impl Run {
    pub fn new(faults: Faults, change: impl FnOnce(&mut Settings)) -> Run {
        let mut settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        settings.users = USERS;
        settings.dialect = Dialect::Ms;
        settings.flow = flow(Notify::Benotify, StateKind::Machine);
        settings.load = Load::Rate(10.0);
        settings.timeout = Duration::from_secs(3);
        change(&mut settings);
        let share = Share { first: 0, count: USERS, part: 1.0, thread: 0 };
        let measured = super::super::measured(settings.flow);
        let scenario = super::super::scenario(&settings, share);
        let world = World::new(Arc::new(settings), 7, 0, USERS, measured).unwrap();
        let driver = Driver::new(world, scenario, 1000.0, 64);
        let server = Server::new(USERS as usize, faults);
        Run { driver, server, now: Moment(0), stats: Stats::default() }
    }

    /// Until the end, with a window of two seconds.
    pub fn conduct(self) -> Stats {
        self.record().0
    }

    /// The same, and all that users wrote, with its moment.
    pub fn record(mut self) -> (Stats, Vec<(Moment, Slot, String)>) {
        let mut window = None;
        while self.driver.phase() != Phase::Done {
            self.now = Moment(self.now.0 + MS);
            assert!(self.now.0 < 60_000 * MS, "{:?}", self.driver.phase());
            if self.driver.phase() == Phase::Ready && window.is_none() {
                let start = Moment(self.now.0 + MS);
                let until = Moment(start.0 + 2000 * MS);
                window = Some(Window { start, from: start, until });
            }
            self.driver.step(self.now, Orders { stop: false, window });
            self.carry();
            for (slot, bytes) in self.server.due(self.now) {
                self.driver.received(slot, bytes.as_bytes(), self.now);
                self.driver.deliver(self.now);
                self.carry();
            }
        }
        assert_eq!(self.driver.world().outstanding, 0);
        self.stats.merge(&self.driver.take_stats());
        assert!(self.server.watched.is_empty() && self.server.tags.is_empty());
        (self.stats, self.server.log)
    }

    fn carry(&mut self) {
        while let Some(output) = self.driver.next_output() {
            match output {
                Output::Open { slot, generation, .. } => {
                    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 4000 + slot as u16));
                    self.driver.located(slot, local);
                    self.driver.up(slot, generation, self.now);
                }
                Output::Write(slot) => {
                    let octets = std::mem::take(self.driver.world().waiting(slot));
                    self.server.take(slot, &String::from_utf8(octets).unwrap(), self.now);
                }
                Output::Deafen(_) | Output::Hear(_) => {}
                Output::Close(slot) => {
                    let generation = self.driver.world().generation(slot);
                    self.driver.down(slot, generation, Cause::Disconnected, String::new, self.now);
                }
            }
        }
    }
}

fn flow(notify: Notify, state: StateKind) -> Flow {
    Flow::Presence { watchers: WATCHERS as u32, notify, state }
}

fn simple(settings: &mut Settings) {
    settings.dialect = Dialect::Simple;
    settings.flow = flow(Notify::Notify, StateKind::Machine);
}

/// Successes and failures of an operation.
pub fn counts(stats: &Stats, operation: Operation) -> (u64, BTreeMap<Cause, u64>) {
    let tally = stats.tally(operation).unwrap();
    (tally.succeeded, tally.failures.clone())
}

pub fn only(cause: Cause, count: u64) -> BTreeMap<Cause, u64> {
    BTreeMap::from([(cause, count)])
}

#[test]
fn every_state_reaches_every_watcher_in_each_dialect_and_manner() {
    let ms = |notify, state| move |settings: &mut Settings| settings.flow = flow(notify, state);
    type Change = Box<dyn Fn(&mut Settings)>;
    let ways: [(Change, u64); 4] = [
        (Box::new(ms(Notify::Benotify, StateKind::Machine)), 1),
        (Box::new(ms(Notify::Notify, StateKind::Machine)), 1),
        (Box::new(ms(Notify::Benotify, StateKind::User)), 1),
        (Box::new(simple), WATCHERS),
    ];
    for (change, subscriptions) in ways {
        let stats = Run::new(Faults::default(), change).conduct();
        let (published, failed) = counts(&stats, Operation::Publish);
        assert_eq!((stats.failed(), failed.len()), (0, 0));
        assert!((19..=21).contains(&published));
        assert_eq!(counts(&stats, Operation::Notify).0, published * WATCHERS);
        for operation in [Operation::Subscribe, Operation::Unsubscribe] {
            assert_eq!(counts(&stats, operation).0, u64::from(USERS) * subscriptions);
        }
        let seen = stats.seen;
        assert_eq!((seen.merged, seen.duplicates, seen.stray_answers), (0, 0, 0));
    }
}

#[test]
fn only_notify_is_answered() {
    for (notify, answered) in [(Notify::Benotify, false), (Notify::Notify, true)] {
        let change = |s: &mut Settings| s.flow = flow(notify, StateKind::Machine);
        let stats = Run::new(Faults::default(), change).conduct();
        assert_eq!(stats.seen.requests_answered > 0, answered);
    }
}

#[test]
fn latency_counts_from_the_intended_moment_to_the_arrival() {
    let faults = Faults { hold: Duration::from_millis(40), ..Faults::default() };
    let stats = Run::new(faults, |_| {}).conduct();
    let latency = &stats.tally(Operation::Notify).unwrap().latency;
    assert!((40_000..=43_000).contains(&latency.min()), "{}", latency.min());
    assert!(latency.max() <= 43_000, "{}", latency.max());
}

#[test]
fn a_state_that_nothing_follows_is_lost() {
    let faults = Faults { drop_from: 3, ..Faults::default() };
    let stats = Run::new(faults, |_| {}).conduct();
    let (published, _) = counts(&stats, Operation::Publish);
    let (arrived, failed) = counts(&stats, Operation::Notify);
    assert!(arrived > 0);
    assert_eq!(failed, only(Cause::Undelivered, published * WATCHERS - arrived));
}

#[test]
fn a_merged_state_is_not_lost_and_a_skipped_one_is() {
    // Ten a second for six users: 600 ms between two states of one user.
    let faults = Faults { drop_every: 2, ..Faults::default() };
    let stats = Run::new(faults, |settings| settings.load = Load::Rate(20.0)).conduct();
    let (published, _) = counts(&stats, Operation::Publish);
    let (arrived, failed) = counts(&stats, Operation::Notify);
    let lost = failed.get(&Cause::Undelivered).copied().unwrap_or(0);
    assert!(stats.seen.merged > lost);
    assert_eq!(arrived + stats.seen.merged + lost, published * WATCHERS);
    assert_eq!(failed.len(), usize::from(lost > 0));

    let slow = |settings: &mut Settings| settings.load = Load::Rate(5.0);
    let stats = Run::new(faults, slow).conduct();
    assert!(counts(&stats, Operation::Notify).1.contains_key(&Cause::Skipped), "{stats:?}");
    assert_eq!(stats.seen.merged, 0);
}

#[test]
fn repeated_and_stale_states_are_told_apart() {
    let stats = Run::new(Faults { repeat: true, ..Faults::default() }, |_| {}).conduct();
    let (arrived, failed) = counts(&stats, Operation::Notify);
    assert_eq!((stats.seen.duplicates, failed.len()), (arrived, 0));

    let stats = Run::new(Faults { swap_every: 2, ..Faults::default() }, |_| {}).conduct();
    let (arrived, failed) = counts(&stats, Operation::Notify);
    assert!(arrived > 0 && failed.get(&Cause::Stale).is_some_and(|&stale| stale > 0), "{failed:?}");
}

#[test]
fn a_wrong_version_is_a_failure_and_the_next_one_is_right() {
    let faults = Faults { bump_at: 4, ..Faults::default() };
    let stats = Run::new(faults, |_| {}).conduct();
    let (published, failed) = counts(&stats, Operation::Publish);
    assert_eq!(failed, only(Cause::Status(409), 1));
    assert!(published >= 18);
    assert_eq!(counts(&stats, Operation::Notify).0, published * WATCHERS);

    let stats = Run::new(faults, simple).conduct();
    assert_eq!(counts(&stats, Operation::Publish).1, only(Cause::Status(412), 1));
}

#[test]
fn users_whom_the_server_does_not_watch_are_not_waited_for() {
    let faults = Faults { passive: 2, ..Faults::default() };
    let stats = Run::new(faults, |_| {}).conduct();
    let (_, failed) = counts(&stats, Operation::Subscribe);
    assert_eq!(failed, only(Cause::Terminated, WATCHERS));
    let (arrived, failed) = counts(&stats, Operation::Notify);
    assert!(arrived > 0 && failed.is_empty());
}

#[test]
fn a_closed_loop_keeps_its_window_full_and_lets_each_user_rest() {
    let closed = |settings: &mut Settings| settings.load = Load::Window(4);
    let stats = Run::new(Faults::default(), closed).conduct();
    let (published, failed) = counts(&stats, Operation::Publish);
    assert!(failed.is_empty() && stats.seen.merged == 0);
    // Six users, each of whom rests for 120 ms, for two seconds.
    assert!((90..=102).contains(&published), "{published}");
    assert_eq!(counts(&stats, Operation::Notify).0, published * WATCHERS);
}

#[test]
fn a_closed_loop_goes_on_after_a_lost_state() {
    let closed = |settings: &mut Settings| {
        settings.load = Load::Window(1);
        settings.timeout = Duration::from_millis(300);
    };
    let stats = Run::new(Faults { drop_from: 2, ..Faults::default() }, closed).conduct();
    let (published, _) = counts(&stats, Operation::Publish);
    assert!(published >= 5, "{published}");
    let (arrived, failed) = counts(&stats, Operation::Notify);
    assert_eq!(failed, only(Cause::Undelivered, published * WATCHERS - arrived));
}
