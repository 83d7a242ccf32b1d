//! Pager-mode messages in flight, by the connection they came from: one sender may not fill the
//! tables of his recipients' homes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ahash::RandomState;

use crate::base::ids::ConnId;

/// Counts for the connections that have a message in flight.
#[derive(Debug)]
pub(super) struct Senders {
    counts: HashMap<ConnId, usize, RandomState>,
}

impl Senders {
    /// Nobody sends.
    pub(super) fn new(hasher: RandomState) -> Self {
        Senders { counts: HashMap::with_hasher(hasher) }
    }

    /// Counts a message from `conn`; false, and no change, when it has `max` in flight.
    pub(super) fn enter(&mut self, conn: ConnId, max: usize) -> bool {
        let count = self.counts.entry(conn).or_insert(0);
        let room = *count < max.max(1);
        *count += usize::from(room);
        room
    }

    /// A message from `conn` has its final answer.
    pub(super) fn leave(&mut self, conn: ConnId) {
        let Entry::Occupied(mut count) = self.counts.entry(conn) else { return };
        match count.get() {
            0 | 1 => {
                count.remove();
            }
            more => {
                let fewer = more - 1;
                count.insert(fewer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{ShardId, Slot};

    #[test]
    fn a_sender_at_the_bound_waits_for_an_answer_and_others_do_not() {
        let mut senders = Senders::new(RandomState::with_seeds(1, 2, 3, 4));
        let conn = |index| ConnId::new(ShardId(0), Slot { index, generation: 0 });
        assert!(senders.enter(conn(1), 2) && senders.enter(conn(1), 2));
        assert!(!senders.enter(conn(1), 2));
        assert!(senders.enter(conn(2), 2));
        senders.leave(conn(1));
        assert!(senders.enter(conn(1), 2));
        assert!(!senders.enter(conn(1), 2));
    }

    #[test]
    fn nobody_is_kept_who_has_nothing_in_flight() {
        let mut senders = Senders::new(RandomState::with_seeds(1, 2, 3, 4));
        let conn = ConnId::new(ShardId(0), Slot::default());
        for _ in 0..3 {
            assert!(senders.enter(conn, 8));
        }
        for _ in 0..5 {
            senders.leave(conn);
        }
        assert!(senders.counts.is_empty());
    }
}
