use super::*;
use crate::driver::{Driver, Orders, Phase};
use crate::settings::{Dialect, Load, Notify};
use crate::stats::Stats;
use crate::world::Output;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

mod server;

use server::{Faults, Server};

const MS: u64 = 1_000_000;
const MEMBERS: u32 = 4;
const CONFERENCES: u32 = 2;
const USERS: u32 = MEMBERS * CONFERENCES;
const OTHERS: u64 = MEMBERS as u64 - 1;

/// A whole run of a thread against the simulated server, in steps of a millisecond.
struct Run {
    driver: Driver,
    server: Server,
    now: Moment,
    stats: Stats,
    /// Users for whom nothing is read.
    deaf: BTreeSet<Slot>,
    /// What would have been read for them.
    unread: BTreeMap<Slot, String>,
    /// The server ends connections for what was not read.
    drops: bool,
}

impl Run {
    fn new(faults: Faults, change: impl FnOnce(&mut Settings)) -> Run {
        let mut settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        settings.users = USERS;
        settings.dialect = Dialect::Ms;
        settings.flow = flow(true, 0);
        settings.load = Load::Rate(20.0);
        settings.timeout = Duration::from_secs(3);
        change(&mut settings);
        let share = Share { first: 0, count: USERS, part: 1.0, thread: 0 };
        let measured = super::super::measured(settings.flow);
        let scenario = super::super::scenario(&settings, share);
        let world = World::new(Arc::new(settings), 7, 0, USERS, measured).unwrap();
        Run {
            driver: Driver::new(world, scenario, 1000.0, 64),
            server: Server::new(faults),
            now: Moment(0),
            stats: Stats::default(),
            deaf: BTreeSet::new(),
            unread: BTreeMap::new(),
            drops: false,
        }
    }

    /// Until the end, with a window of two seconds.
    fn conduct(mut self) -> Stats {
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
                if self.deaf.contains(&slot) {
                    self.unread.entry(slot).or_default().push_str(&bytes);
                } else {
                    self.read(slot, &bytes);
                }
            }
        }
        assert_eq!(self.driver.world().outstanding, 0);
        self.stats.merge(&self.driver.take_stats());
        for (slot, member) in &self.server.members {
            let is_out = member.focus.is_none() && member.chat.is_none();
            assert!(is_out && member.roster.is_none() || self.is_silent(*slot), "{slot}");
        }
        self.stats
    }

    fn is_silent(&self, slot: Slot) -> bool {
        self.unread.contains_key(&slot)
    }

    fn read(&mut self, slot: Slot, bytes: &str) {
        self.driver.received(slot, bytes.as_bytes(), self.now);
        self.driver.deliver(self.now);
        self.carry();
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
                Output::Deafen(slot) => _ = self.deaf.insert(slot),
                Output::Hear(slot) if self.drops => {
                    assert!(self.deaf.remove(&slot));
                    self.down(slot);
                }
                Output::Hear(slot) => {
                    assert!(self.deaf.remove(&slot));
                    let unread = self.unread[&slot].clone();
                    self.driver.received(slot, unread.as_bytes(), self.now);
                }
                Output::Close(slot) => self.down(slot),
            }
        }
    }

    fn down(&mut self, slot: Slot) {
        let generation = self.driver.world().generation(slot);
        self.driver.down(slot, generation, Cause::Disconnected, String::new, self.now);
    }
}

fn flow(roster: bool, silent: u32) -> Flow {
    Flow::Conference {
        members: MEMBERS,
        body: 60,
        roster,
        notify: Notify::Benotify,
        silent,
        expiry_unix_s: 1_795_235_007,
    }
}

/// Successes and failures of an operation.
fn counts(stats: &Stats, operation: Operation) -> (u64, BTreeMap<Cause, u64>) {
    stats
        .tally(operation)
        .map_or((0, BTreeMap::new()), |tally| (tally.succeeded, tally.failures.clone()))
}

fn only(cause: Cause, count: u64) -> BTreeMap<Cause, u64> {
    BTreeMap::from([(cause, count)])
}

#[test]
fn every_message_reaches_every_other_member_of_its_conference_once() {
    for roster in [true, false] {
        let stats = Run::new(Faults::default(), |s| s.flow = flow(roster, 0)).conduct();
        assert_eq!(stats.failed(), 0);
        let (sent, _) = counts(&stats, Operation::Message);
        assert!((39..=41).contains(&sent), "{sent}");
        assert_eq!(counts(&stats, Operation::Delivery).0, sent * OTHERS);
        let subscribed = u64::from(if roster { USERS } else { CONFERENCES });
        for (operation, count) in [
            (Operation::Create, u64::from(CONFERENCES)),
            (Operation::Focus, u64::from(USERS)),
            (Operation::Subscribe, subscribed),
            (Operation::Invite, u64::from(USERS)),
            (Operation::Join, u64::from(USERS)),
            (Operation::Unsubscribe, subscribed),
            (Operation::Bye, 2 * u64::from(USERS)),
            (Operation::SignOut, u64::from(USERS)),
            (Operation::Hold, u64::from(USERS)),
        ] {
            assert_eq!(counts(&stats, operation).0, count, "{operation:?}");
        }
        let seen = stats.seen;
        assert_eq!((seen.duplicates, seen.reordered, seen.stray_answers), (0, 0, 0));
    }
}

#[test]
fn latency_counts_from_the_intended_moment_to_each_arrival() {
    let faults = Faults { hold: Duration::from_millis(40), ..Faults::default() };
    let stats = Run::new(faults, |_| {}).conduct();
    let latency = &stats.tally(Operation::Delivery).unwrap().latency;
    assert!((40_000..=43_000).contains(&latency.min()), "{}", latency.min());
    assert!(latency.max() <= 43_000, "{}", latency.max());
    assert!(stats.tally(Operation::Message).unwrap().latency.max() < 5_000);
}

#[test]
fn a_join_counts_from_the_first_invite_to_the_last_answer() {
    let stats = Run::new(Faults::default(), |_| {}).conduct();
    let join = stats.tally(Operation::Join).unwrap();
    // Three requests, each answered after a millisecond.
    assert!((3_000..=6_000).contains(&join.latency.max()), "{}", join.latency.max());
    let (since, until) = join.span.unwrap();
    assert!(until.since(since) >= Duration::from_millis(6));
}

#[test]
fn a_conference_that_is_not_made_keeps_its_members_out_and_no_others() {
    let faults = Faults { no_conference: Some(0), ..Faults::default() };
    let stats = Run::new(faults, |_| {}).conduct();
    assert_eq!(counts(&stats, Operation::Create), (1, only(Cause::Refused, 1)));
    assert_eq!(stats.examples[&Cause::Refused], "conferenceExistsAlready");
    assert_eq!(counts(&stats, Operation::Join), (4, only(Cause::NoSession, OTHERS)));
    let (sent, failed) = counts(&stats, Operation::Message);
    assert!(sent >= 39 && failed.is_empty());
    assert_eq!(counts(&stats, Operation::Delivery), (sent * OTHERS, BTreeMap::new()));
}

#[test]
fn who_is_not_let_in_is_a_failure_and_is_not_waited_for() {
    let stats = Run::new(Faults { most: 3, ..Faults::default() }, |_| {}).conduct();
    let refused = u64::from(CONFERENCES);
    assert_eq!(counts(&stats, Operation::Focus), (6, only(Cause::Status(486), refused)));
    let (sent, failed) = counts(&stats, Operation::Message);
    assert!(sent >= 39 && failed.is_empty());
    assert_eq!(counts(&stats, Operation::Delivery), (sent * 2, BTreeMap::new()));
}

#[test]
fn a_roster_that_names_no_chat_is_a_failure() {
    let stats = Run::new(Faults { no_chat: true, ..Faults::default() }, |_| {}).conduct();
    let organisers = u64::from(CONFERENCES);
    assert_eq!(counts(&stats, Operation::Subscribe), (0, only(Cause::Protocol, organisers)));
    assert_eq!(counts(&stats, Operation::Join).0, 0);
}

#[test]
fn a_message_that_was_refused_is_not_waited_for() {
    let stats = Run::new(Faults { refuse_every: 4, ..Faults::default() }, |_| {}).conduct();
    let (sent, failed) = counts(&stats, Operation::Message);
    assert_eq!(failed, only(Cause::Status(500), 10));
    assert_eq!(counts(&stats, Operation::Delivery), (sent * OTHERS, BTreeMap::new()));
}

#[test]
fn what_does_not_arrive_is_lost_for_each_member_who_has_not_got_it() {
    let stats = Run::new(Faults { swallow_every: 5, ..Faults::default() }, |_| {}).conduct();
    let (sent, _) = counts(&stats, Operation::Message);
    let lost = 8 * OTHERS;
    let expected = (sent * OTHERS - lost, only(Cause::Undelivered, lost));
    assert_eq!(counts(&stats, Operation::Delivery), expected);

    let stats = Run::new(Faults { skip_every: 5, ..Faults::default() }, |_| {}).conduct();
    let (arrived, failed) = counts(&stats, Operation::Delivery);
    assert_eq!((arrived, failed), (sent * OTHERS - 8, only(Cause::Undelivered, 8)));
}

#[test]
fn repeated_and_reordered_messages_are_told_apart() {
    let stats = Run::new(Faults { repeat: true, ..Faults::default() }, |_| {}).conduct();
    let (arrived, failed) = counts(&stats, Operation::Delivery);
    assert_eq!((stats.seen.duplicates, stats.seen.reordered), (arrived, 0));
    assert!(failed.is_empty());

    let faults = Faults { swap_every: 2, ..Faults::default() };
    let stats = Run::new(faults, |s| s.load = Load::Rate(80.0)).conduct();
    let (arrived, failed) = counts(&stats, Operation::Delivery);
    assert!(stats.seen.reordered > arrived / 4, "{}", stats.seen.reordered);
    assert_eq!((stats.seen.duplicates, failed.len()), (0, 0));
}

#[test]
fn a_message_that_comes_back_or_under_another_name_is_a_failure() {
    let stats = Run::new(Faults { echo: true, ..Faults::default() }, |_| {}).conduct();
    let (sent, _) = counts(&stats, Operation::Message);
    let (arrived, failed) = counts(&stats, Operation::Delivery);
    assert_eq!((arrived, failed), (sent * OTHERS, only(Cause::Misdelivered, sent)));

    let stats = Run::new(Faults { misname: true, ..Faults::default() }, |_| {}).conduct();
    let (arrived, failed) = counts(&stats, Operation::Delivery);
    assert_eq!(failed, only(Cause::Misattributed, arrived));
}

#[test]
fn who_is_thrown_out_is_one_failure_and_writes_no_more() {
    let faults = Faults { throw_out: Some((1, 8)), ..Faults::default() };
    let stats = Run::new(faults, |_| {}).conduct();
    assert_eq!(counts(&stats, Operation::Join).1, only(Cause::Terminated, 1));
    let (_, failed) = counts(&stats, Operation::Message);
    assert_eq!(failed, only(Cause::NoSession, 4));
    let (_, failed) = counts(&stats, Operation::Delivery);
    assert!(failed.values().sum::<u64>() <= 1, "{failed:?}");
}

#[test]
fn a_closed_loop_keeps_its_window_full_and_goes_on_after_a_loss() {
    let closed = |settings: &mut Settings| {
        settings.load = Load::Window(3);
        settings.timeout = Duration::from_millis(100);
    };
    let hold = Duration::from_millis(10);
    let stats = Run::new(Faults { hold, ..Faults::default() }, closed).conduct();
    let (sent, failed) = counts(&stats, Operation::Message);
    assert!(failed.is_empty() && (540..=603).contains(&sent), "{sent}");
    assert_eq!(counts(&stats, Operation::Delivery), (sent * OTHERS, BTreeMap::new()));

    let stats = Run::new(Faults { hold, skip_every: 50, ..Faults::default() }, closed).conduct();
    let (sent, _) = counts(&stats, Operation::Message);
    let lost = counts(&stats, Operation::Delivery).1[&Cause::Undelivered];
    assert!(sent > 300 && lost.abs_diff(sent / 50) <= 1, "{sent} {lost}");
}

#[test]
fn nothing_is_read_for_silent_members_and_nothing_expected_of_them() {
    // The last member of each conference is silent.
    let end_session = Faults { throw_out: Some((3, 8)), ..Faults::default() };
    for (faults, drops, dropped) in [
        (Faults::default(), false, 0),
        (Faults::default(), true, u64::from(CONFERENCES)),
        (end_session, false, 1),
    ] {
        let mut run = Run::new(faults, |settings| settings.flow = flow(true, 1));
        run.drops = drops;
        let stats = run.conduct();
        assert_eq!(stats.failed(), 0);
        assert_eq!(counts(&stats, Operation::Join).0, u64::from(USERS));
        let (sent, _) = counts(&stats, Operation::Message);
        assert!((39..=41).contains(&sent));
        assert_eq!(counts(&stats, Operation::Delivery).0, sent * (OTHERS - 1));
        assert_eq!(counts(&stats, Operation::SignOut).0, u64::from(USERS - CONFERENCES));
        assert_eq!(stats.seen.dropped, dropped);
    }
}
