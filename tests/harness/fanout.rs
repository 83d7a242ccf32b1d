//! One publication and all who are told of it, round after round through the shards: what tests
//! that count and benchmarks that measure have in common. A round does nothing of its own but
//! write numbers into octets made before and count what comes out.

use std::time::Duration;

use mynah::base::ids::ConnId;
use mynah::base::limits::Limits;
use mynah::metrics::names::Series;
use mynah::shard::Machine;
use mynah::shard::input::Input;
use mynah::shard::output::Output;
use mynah::wire::sip::{Head, Message};

use super::client::Client;
use super::net::Net;
use super::presence::{machine_state, ok};
use super::text::Request;

/// How long the simulated server holds changes back. Short, so that hundreds of thousands of
/// rounds fit into the time for which everybody is signed in.
const DAMPING: Duration = Duration::from_millis(1);
/// From one publication to the next: long enough for all to be told at once.
const PACE: Duration = Duration::from_millis(2);
/// Rounds from one look at the deadlines to the next: 20 ms, as the server does.
const TICK_EVERY: u32 = 10;

/// Digits of the numbers that change.
const DIGITS: usize = 8;
const PLACE: &str = "70000000";
/// The states between which the user changes.
const STATES: [&[u8]; 2] = [b"6500", b"3500"];

/// A user, his watchers and his publication.
pub struct Fanout {
    net: Net,
    head: Box<Head>,
    limits: Limits,
    publisher: ConnId,
    watchers: u32,
    octets: Vec<u8>,
    /// Where the number of the request stands.
    numbers: Vec<usize>,
    /// Where the version stands that each operation rests on.
    versions: Vec<usize>,
    /// Where the states stand.
    states: Vec<usize>,
    round: u32,
    answered: u32,
    told: u32,
}

/// What the shards counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    /// Documents rendered.
    pub renderings: u64,
    /// Frames from one shard to another.
    pub frames: u64,
    /// Notifications sent.
    pub notifications: u64,
}

impl Fanout {
    /// A user on shard 0 and so many Lync clients who watch him, in turn on every shard.
    pub fn new(shards: u16, watchers: u32) -> Self {
        let mut net = Net::limited(shards, |limits| limits.presence_damping_time = DAMPING);
        for number in 0..watchers {
            let user = format!("w{number}");
            net.put_user(&user, |_| {});
            let shard = (number % u32::from(shards)) as u16;
            let mut watcher = Client::lync(&mut net, shard, &user);
            let request = watcher.batch(&["bob"]);
            ok(&mut net, watcher.conn, &request);
        }
        let mut bob = Client::lync(&mut net, 0, "bob");
        let octets = publication(&mut bob).octets();
        Fanout {
            numbers: [places(&octets, b"CSeq: "), places(&octets, b"z9hG4bK")].concat(),
            versions: places(&octets, b" version=\""),
            states: places(&octets, b"<availability>"),
            head: Box::new(Head::new()),
            limits: Limits::default(),
            publisher: bob.conn,
            watchers,
            octets,
            round: 0,
            answered: 0,
            told: 0,
            net,
        }
    }

    /// One change of the user's state, told to all.
    pub fn round(&mut self) {
        self.net.now = self.net.now.plus(PACE);
        if self.round.is_multiple_of(TICK_EVERY) {
            for id in 0..self.net.shards() {
                let now = self.net.now;
                self.net.shard(id).handle(now, Input::Tick);
                self.drain(id);
            }
        }
        let (answered, told) = (self.answered, self.told);
        self.write_numbers();
        self.publish();
        assert_eq!(self.answered, answered + 1, "the user got his answer");
        assert_eq!(self.told, told + self.watchers, "everybody was told");
    }

    /// What the shards have counted until now.
    pub fn counted(&mut self) -> Counted {
        let mut value = |series| self.net.value(series);
        Counted {
            renderings: value(Series::PresenceRenderings),
            frames: value(Series::FramesSent),
            notifications: value(Series::Notifications),
        }
    }

    fn write_numbers(&mut self) {
        let number = PLACE.parse::<u32>().unwrap_or(0) + self.round + 1;
        for at in &self.numbers {
            write_number(&mut self.octets[*at..*at + DIGITS], number);
        }
        for at in &self.versions {
            write_number(&mut self.octets[*at..*at + DIGITS], self.round);
        }
        let state = STATES[self.round as usize % STATES.len()];
        for at in &self.states {
            self.octets[*at..*at + state.len()].copy_from_slice(state);
        }
        self.round += 1;
    }

    /// The server reads the publication and does all that follows.
    fn publish(&mut self) {
        let indexed = self.head.index(&self.octets, &self.limits);
        assert!(matches!(indexed, Ok(Some(_))));
        let message = Message::new(&self.octets, &self.head);
        let (now, conn) = (self.net.now, self.publisher);
        self.net.shard(conn.shard.0).handle(now, Input::Message { conn, message });
        self.drain(conn.shard.0);
    }

    fn drain(&mut self, id: u16) {
        while let Some(output) = self.net.shard(id).next_output() {
            match output {
                Output::Frame { to, frame } => {
                    let now = self.net.now;
                    self.net.shard(to.0).handle(now, Input::Frame(frame));
                    self.drain(to.0);
                }
                Output::Send { conn, bytes } if conn == self.publisher => {
                    assert!(bytes.starts_with(b"SIP/2.0 200"), "{bytes:?}");
                    self.answered += 1;
                }
                Output::Send { bytes, .. } => {
                    assert!(bytes.starts_with(b"BENOTIFY "), "{bytes:?}");
                    self.told += 1;
                }
                output => panic!("{output:?}"),
            }
        }
    }
}

/// A Lync client's word on the state of its machine, with places for the numbers.
fn publication(client: &mut Client) -> Request {
    let states: Vec<String> = [2, 3]
        .into_iter()
        .map(|container| machine_state(container, 6500, 0))
        .map(|state| state.replace("version=\"0\"", &format!("version=\"{PLACE}\"")))
        .collect();
    let request = client.publish(&states);
    let via = request.value("Via").to_owned();
    let (before, _) = via.split_once("z9hG4bK").expect("a branch");
    let via = format!("{before}z9hG4bK{PLACE}");
    request.with("Via", &via).with("CSeq", &format!("{PLACE} SERVICE"))
}

/// Writes a number with leading zeros over its place.
pub fn write_number(place: &mut [u8], mut number: u32) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Where what follows `mark` begins, each time.
fn places(octets: &[u8], mark: &[u8]) -> Vec<usize> {
    memchr::memmem::find_iter(octets, mark).map(|at| at + mark.len()).collect()
}
