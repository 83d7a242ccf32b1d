//! Messages that members have sent and that not all of the others have yet.

use crate::clock::Moment;
use crate::world::Slot;
use std::collections::VecDeque;

/// A message under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// Which message of its author.
    pub number: u32,
    /// When it was meant to be sent.
    pub intended: Moment,
    /// The server has answered 2xx.
    pub accepted: bool,
    /// How many others have not got it.
    pub missing: u32,
}

/// What one member says.
#[derive(Debug, Default)]
struct Author {
    sent: u32,
    /// By rising number.
    open: VecDeque<Said>,
}

/// The messages of one thread's members. It says how many are under way no more.
#[derive(Debug)]
pub struct Ledger(Vec<Author>);

impl Ledger {
    /// For so many members.
    pub fn new(users: usize) -> Self {
        Ledger((0..users).map(|_| Author::default()).collect())
    }

    /// The number of the member's next message.
    pub fn next(&self, author: Slot) -> u32 {
        self.0[author].sent + 1
    }

    /// True when this message of the member is under way.
    pub fn waits_for(&self, author: Slot, number: u32) -> bool {
        self.0[author].open.binary_search_by_key(&number, |said| said.number).is_ok()
    }

    /// True when something of the member is under way.
    pub fn is_open(&self, author: Slot) -> bool {
        !self.0[author].open.is_empty()
    }

    /// The member's next message is on its way to `missing` others.
    pub fn begin(&mut self, author: Slot, intended: Moment, missing: u32) {
        let author = &mut self.0[author];
        author.sent += 1;
        let number = author.sent;
        author.open.push_back(Said { number, intended, accepted: false, missing });
    }

    /// The oldest message of that moment without an answer has one; true when it is under way no
    /// more.
    pub fn answered(&mut self, author: Slot, intended: Moment, accepted: bool) -> bool {
        let open = &mut self.0[author].open;
        let Some(at) = open.iter().position(|said| !said.accepted && said.intended == intended)
        else {
            return false;
        };
        open[at].accepted = accepted;
        let over = !accepted || open[at].missing == 0;
        if over {
            open.remove(at);
        }
        over
    }

    /// A message has reached one of the others: whether it was still waited for, and whether it
    /// is under way no more.
    pub fn arrived(&mut self, author: Slot, number: u32) -> (bool, bool) {
        let open = &mut self.0[author].open;
        let Ok(at) = open.binary_search_by_key(&number, |said| said.number) else {
            return (false, false);
        };
        open[at].missing = open[at].missing.saturating_sub(1);
        let over = open[at].accepted && open[at].missing == 0;
        if over {
            open.remove(at);
        }
        (true, over)
    }

    /// The time of a message is up: gives it out when it was accepted and some have not got it.
    pub fn overdue(&mut self, author: Slot, number: u32) -> Option<Said> {
        let open = &mut self.0[author].open;
        let at = open.binary_search_by_key(&number, |said| said.number).ok()?;
        if open[at].accepted { open.remove(at) } else { None }
    }

    /// Messages that were accepted and that some have not got.
    pub fn missing(&self) -> impl Iterator<Item = &Said> {
        self.0.iter().flat_map(|author| &author.open).filter(|said| said.accepted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Moment = Moment(5);

    #[test]
    fn a_message_is_over_when_it_is_answered_and_all_have_it_in_any_order() {
        let mut ledger = Ledger::new(2);
        for number in 1..=3 {
            assert_eq!(ledger.next(1), number);
            ledger.begin(1, AT, 2);
        }
        assert_eq!(ledger.arrived(1, 1), (true, false));
        assert!(!ledger.answered(1, AT, true));
        assert_eq!(ledger.arrived(1, 1), (true, true));
        assert_eq!(ledger.arrived(1, 1), (false, false));
        assert_eq!(ledger.arrived(1, 2), (true, false));
        assert_eq!(ledger.arrived(1, 2), (true, false));
        assert!(ledger.answered(1, AT, true));
        assert_eq!(ledger.arrived(0, 3), (false, false));
    }

    #[test]
    fn what_was_refused_is_waited_for_no_more() {
        let mut ledger = Ledger::new(1);
        ledger.begin(0, AT, 2);
        assert!(!ledger.answered(0, Moment(6), false));
        assert!(ledger.answered(0, AT, false));
        assert_eq!(ledger.arrived(0, 1), (false, false));
        assert!(!ledger.answered(0, AT, true));
    }

    #[test]
    fn only_what_was_accepted_can_be_lost() {
        let mut ledger = Ledger::new(1);
        ledger.begin(0, AT, 2);
        assert_eq!(ledger.overdue(0, 1), None);
        assert_eq!(ledger.missing().count(), 0);
        assert!(!ledger.answered(0, AT, true));
        ledger.arrived(0, 1);
        assert_eq!(ledger.missing().map(|said| said.missing).sum::<u32>(), 1);
        assert_eq!(ledger.overdue(0, 1).map(|said| said.missing), Some(1));
        assert_eq!(ledger.overdue(0, 1), None);
    }
}
