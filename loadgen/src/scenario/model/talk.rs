//! One talk: a session of two users, or a conference; who is in, and what has arrived of whom.

use crate::clock::Moment;
use crate::population::mix;
use crate::scenario::way::Place;
use crate::stamp::Arrivals as Arrived;
use crate::stats::Operation;
use crate::world::Slot;
use std::time::Duration;

/// Where a member stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// His time to come has not come.
    Out,
    /// His time has come at that moment, but nobody knows yet where to.
    Due(Moment),
    /// Waits for the answer to this step, which is part of what began at that moment.
    Waiting(Operation, Moment),
    /// Can write and be written to.
    In,
    /// Free for another talk.
    Gone,
}

/// What kind of talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Of two, who write in turn: how often still, and how long they wait on average.
    Session {
        /// Messages left.
        left: u32,
        /// Between two.
        gap: Duration,
        /// INFO before each.
        typing: u32,
    },
    /// A conference; with a chat it has messages.
    Conference {
        /// Whether members take up the instant messages.
        chat: bool,
        /// The one that goes on all the time.
        large: bool,
    },
}

/// What a member does at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Says something.
    Say(usize),
    /// Is typing.
    Type(usize),
}

impl Deed {
    /// Who.
    pub fn member(self) -> usize {
        match self {
            Deed::Say(member) | Deed::Type(member) => member,
        }
    }

    /// How it is counted.
    pub fn operation(self) -> Operation {
        match self {
            Deed::Say(_) => Operation::Message,
            Deed::Type(_) => Operation::Typing,
        }
    }
}

/// What goes on between some users.
#[derive(Debug)]
pub struct Talk {
    /// What kind.
    pub kind: Kind,
    /// Who: the one who begins it first.
    pub members: Vec<Slot>,
    /// Where each stands.
    pub stages: Vec<Stage>,
    /// Where a conference is found.
    pub place: Place,
    /// Octets of text a message.
    pub octets: usize,
    /// Everybody was asked to go.
    pub ending: bool,
    /// What was due before its member could write, with the moment.
    pub held: Vec<(Moment, Deed)>,
    /// What of each author has arrived at each member.
    arrived: Vec<Arrived>,
    /// The last message of each author that was sent before the member could be written to.
    before: Vec<u32>,
    seed: u64,
    draws: u64,
}

impl Talk {
    /// One that begins; `seed` is its own.
    pub fn new(kind: Kind, members: Vec<Slot>, octets: usize, seed: u64) -> Talk {
        let count = members.len();
        Talk {
            kind,
            stages: vec![Stage::Out; count],
            arrived: vec![Arrived::default(); count * count],
            before: vec![0; count * count],
            members,
            place: Place::default(),
            octets,
            ending: false,
            held: Vec::new(),
            seed,
            draws: 0,
        }
    }

    /// Which member a user is.
    pub fn member(&self, slot: Slot) -> Option<usize> {
        self.members.iter().position(|member| *member == slot)
    }

    /// What has arrived at a member of an author.
    pub fn arrived(&mut self, member: usize, author: usize) -> &mut Arrived {
        &mut self.arrived[member * self.members.len() + author]
    }

    /// A member can write and be written to from now on; `sent` says of each author how many
    /// messages he has sent.
    pub fn let_in(&mut self, member: usize, sent: impl Fn(Slot) -> u32) {
        self.stages[member] = Stage::In;
        for (author, slot) in self.members.iter().enumerate() {
            self.before[member * self.members.len() + author] = sent(*slot);
        }
    }

    /// True for what was said before a member came; servers show some of it to who joins.
    pub fn is_past(&self, member: usize, author: usize, number: u32) -> bool {
        number <= self.before[member * self.members.len() + author]
    }

    /// True when a member will be able to write, if all goes well.
    pub fn is_coming(&self, member: usize) -> bool {
        let coming = |stage: &Stage| matches!(stage, Stage::Due(_) | Stage::Waiting(..));
        self.stages.get(member).is_some_and(coming)
    }

    /// True when a member can write.
    pub fn is_in(&self, member: usize) -> bool {
        self.stages.get(member) == Some(&Stage::In)
    }

    /// How many can.
    pub fn listening(&self) -> u32 {
        self.stages.iter().filter(|stage| **stage == Stage::In).count() as u32
    }

    /// True when all are free again.
    pub fn is_over(&self) -> bool {
        self.stages.iter().all(|stage| *stage == Stage::Gone)
    }

    /// The next of its random numbers, in [0, 1).
    pub fn draw(&mut self) -> f64 {
        self.draws += 1;
        unit(mix(self.seed ^ mix(self.draws)))
    }

    /// A time that is so long on average and spread as between independent events.
    pub fn wait(&mut self, mean: Duration) -> Duration {
        let factor = -(1.0 - self.draw()).ln();
        mean.mul_f64(factor.min(LONGEST))
    }
}

/// No wait is more than so many times the average: 1 of 20,000 would be.
const LONGEST: f64 = 10.0;

/// A number in [0, 1).
pub fn unit(random: u64) -> f64 {
    (random >> 11) as f64 / (1u64 << 53) as f64
}
