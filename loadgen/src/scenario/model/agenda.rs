//! What is to happen at a moment of its own, the next one first. Only what goes on has entries,
//! not the population.

use crate::clock::Moment;
use crate::world::Slot;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Due {
    /// A conference begins that goes on when the load does, and has this much of its time left.
    Begin {
        /// The large one.
        large: bool,
        /// Nanoseconds.
        rest_ns: u64,
    },
    /// A member comes into a conference.
    Come {
        /// Which conference.
        talk: u32,
        /// Which member.
        member: u32,
    },
    /// A member is typing.
    Type {
        /// In which talk.
        talk: u32,
        /// Which member.
        member: u32,
    },
    /// A member says something.
    Say {
        /// In which talk.
        talk: u32,
        /// Which member.
        member: u32,
    },
    /// Everybody goes.
    End {
        /// Out of which talk.
        talk: u32,
    },
    /// Short subscriptions end.
    Unsubscribe {
        /// Whose.
        slot: Slot,
        /// How many, the oldest first.
        batches: usize,
    },
}

/// What is to happen.
#[derive(Debug, Default)]
pub struct Agenda {
    entries: BinaryHeap<Reverse<(Moment, u64, Due)>>,
    /// Of what is due at the same moment what was noted first comes first.
    serial: u64,
}

impl Agenda {
    /// Notes something.
    pub fn note(&mut self, at: Moment, due: Due) {
        self.serial += 1;
        self.entries.push(Reverse((at, self.serial, due)));
    }

    /// Takes the next thing when its moment has come.
    pub fn take(&mut self, now: Moment) -> Option<(Moment, Due)> {
        if self.next() > now {
            return None;
        }
        self.entries.pop().map(|Reverse((at, _, due))| (at, due))
    }

    /// The next moment.
    pub fn next(&self) -> Moment {
        self.entries.peek().map_or(Moment::NEVER, |Reverse((at, ..))| *at)
    }

    /// Nothing happens any more.
    pub fn clear(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_order_and_not_early() {
        let mut agenda = Agenda::default();
        for (at, talk) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            agenda.note(Moment(at), Due::End { talk });
        }
        assert_eq!(agenda.take(Moment(9)), None);
        let taken: Vec<_> = std::iter::from_fn(|| agenda.take(Moment(20))).collect();
        let end = |at, talk| (Moment(at), Due::End { talk });
        assert_eq!(taken, [end(10, 2), end(10, 4), end(20, 3)]);
        assert_eq!(agenda.next(), Moment(30));
        agenda.clear();
        assert_eq!(agenda.next(), Moment::NEVER);
    }
}
