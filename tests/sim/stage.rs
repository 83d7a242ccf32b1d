//! What all actors share: the network, the oracle and the dice.

use std::fmt;
use std::io::Write as _;

use mynah::base::seed::Seed;
use mynah::shard::occupancy::Occupancy;

use crate::harness::{DOMAIN, Net};
use crate::oracle::Oracle;

/// The people there are.
pub const USERS: [&str; 10] =
    ["alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy"];

/// `sip:user@domain` of a person.
pub fn uri(user: usize) -> String {
    format!("sip:{}@{DOMAIN}", USERS[user])
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
