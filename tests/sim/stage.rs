//! What all actors share: the network, the oracle and the dice.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use mynah::base::ids::ConnId;
use mynah::base::seed::Seed;
use mynah::shard::durable::NotWritten;
use mynah::shard::input::Input;
use mynah::shard::occupancy::Occupancy;

use crate::harness::{Client, DOMAIN, Device, Link, Net};
use crate::oracle::Oracle;

/// The people there are.
pub const USERS: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];

/// `sip:user@domain` of a person.
pub fn uri(user: usize) -> String {
    format!("sip:{}@{DOMAIN}", USERS[user])
}

/// What arrives at a shard.
pub enum Arrival {
    /// A frame, on the link from one shard to another.
    Frame(Link),
    /// What the store says to a write.
    Write,
}

/// The network, the oracle and the dice.
pub struct Stage {
    pub net: Net,
    pub oracle: Oracle,
    /// How many of [`USERS`] there are.
    pub users: usize,
    /// Those of them who are signed in, once for each client.
    pub present: Vec<usize>,
    dice: Seed,
    told: bool,
    texts: u64,
}

impl Stage {
    /// A stage whose run is told or not.
    pub fn new(net: Net, users: usize, dice: Seed, told: bool) -> Self {
        Stage { net, oracle: Oracle::default(), users, present: Vec::new(), dice, told, texts: 0 }
    }

    /// What arrives next: the next frame of a link where there are some, or what the store says to
    /// a write. `None` when nothing is on its way.
    pub fn next_arrival(&mut self) -> Option<Arrival> {
        let busy: Vec<_> = self.net.busy().collect();
        let writes = usize::from(self.net.shelf.waiting() > 0);
        if busy.len() + writes == 0 {
            return None;
        }
        let next = self.index(busy.len() + writes);
        Some(busy.get(next).map_or(Arrival::Write, |link| Arrival::Frame(*link)))
    }

    /// The store answers the write that waits longest.
    pub fn answer_write(&mut self, fails: bool) {
        self.net.shelf.fails = fails.then_some(NotWritten::Failing);
        self.net.answer_write();
        self.net.shelf.fails = None;
    }

    /// One of the connections for which something waits to be read, by its place.
    pub fn reader(&mut self, conns: impl Iterator<Item = ConnId>) -> Option<usize> {
        let waiting = |conn: ConnId| self.net.waiting(conn) > 0;
        let readers = conns.map(waiting).collect();
        self.one_of(readers)
    }

    /// The place of one of those that are true.
    pub fn one_of(&mut self, fit: Vec<bool>) -> Option<usize> {
        let places: Vec<usize> = (0..fit.len()).filter(|place| fit[*place]).collect();
        (!places.is_empty()).then(|| places[self.index(places.len())])
    }

    /// Time passes, and each shard looks at its clock. What is on its way stays there.
    pub fn pass_ms(&mut self, ms: u64) {
        self.net.now = self.net.now.plus(Duration::from_millis(ms));
        self.tell(format_args!("{ms} ms later"));
        for shard in 0..self.net.shards() {
            self.net.handle(shard, Input::Tick);
        }
    }

    /// A client on whichever shard, for a device of a user.
    pub fn client(&mut self, (user, ms): (usize, bool), device: usize) -> Client {
        let shard = self.below(u64::from(self.net.shards())) as u16;
        let named = Device { user: USERS[user], ms, number: device as u32 };
        Client::on(&mut self.net, shard, named)
    }

    /// All have left: nothing stays, at once of connections and requests, with time of the rest.
    pub fn empties(&mut self) {
        self.net.settle();
        self.net.pass_s(40);
        for held in self.occupied() {
            let empty = Occupancy {
                users: held.users,
                conferences: held.conferences,
                conversations: held.conversations,
                timers: held.timers,
                ..Occupancy::default()
            };
            assert_eq!(held, empty, "after all have left");
        }
        self.net.pass_s(700);
        self.net.pass_s(700);
        for _ in 0..3 {
            self.net.pass_s(25 * 3600);
        }
        let mut users = 0;
        for held in self.occupied() {
            assert_eq!(held, Occupancy { users: held.users, ..Occupancy::default() }, "at the end");
            users += held.users;
        }
        assert_eq!(users, self.users, "everybody is at home once");
    }

    /// What each shard holds.
    pub fn occupied(&self) -> Vec<Occupancy> {
        self.net.all().iter().map(|shard| shard.occupancy()).collect()
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.dice.below(bound)
    }

    /// An index below `len`, which is not 0.
    pub fn index(&mut self, len: usize) -> usize {
        self.dice.below(len as u64) as usize
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.dice.below(100) < percent
    }

    /// A text nobody has written before.
    pub fn text(&mut self) -> String {
        self.texts += 1;
        format!("text {}", self.texts)
    }

    /// Tells what happens, when a single seed is replayed. Not through the test's own capture, so
    /// that it is seen without `--nocapture`.
    pub fn tell(&self, what: fmt::Arguments<'_>) {
        if self.told {
            let now = self.net.now.mono_ms;
            writeln!(std::io::stderr(), "{now:>9} {what}").expect("standard error is open");
        }
    }
}
