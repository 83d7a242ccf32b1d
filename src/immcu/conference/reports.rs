//! Who is to be told that something he said did not reach a member.

use std::collections::{BTreeMap, VecDeque};

use super::input::Reach;
use super::member::Leg;
use crate::base::aor::Aor;
use crate::base::limits::Limits;

/// Authors of the latest messages, owners of legs that are over, and who was not reached.
#[derive(Debug, Default)]
pub(super) struct Reports {
    /// The author's leg of each message from number `first` on.
    authors: VecDeque<Reach>,
    first: u64,
    /// Legs that are over, the latest last.
    gone: VecDeque<Gone>,
    failures: BTreeMap<(u64, Aor), Failure>,
}

/// A leg that is over.
#[derive(Debug)]
struct Gone {
    reach: Reach,
    who: Aor,
    opened_after: u64,
    /// The last message before it was over.
    over_after: u64,
}

/// Legs of one member that one message did not reach.
#[derive(Debug, Default)]
struct Failure {
    legs: Vec<Reach>,
    is_reported: bool,
}

impl Reports {
    /// Remembers who said message `number`, which follows the last one.
    pub(super) fn push(&mut self, number: u64, author: Reach, limits: &Limits) {
        if self.authors.is_empty() {
            self.first = number;
        }
        debug_assert_eq!(number, self.first + self.authors.len() as u64);
        self.authors.push_back(author);
        while self.authors.len() > limits.conference_reports_max {
            self.authors.pop_front();
            self.first += 1;
        }
        while self.failures.first_key_value().is_some_and(|((number, _), _)| *number < self.first) {
            self.failures.pop_first();
        }
    }

    /// Remembers a chat leg that is over: what was said to it may still turn out not to have
    /// arrived. `messages` is the number of the last one.
    pub(super) fn leave(&mut self, leg: &Leg, who: Aor, messages: u64, limits: &Limits) {
        let (reach, opened_after, over_after) = (leg.reach.clone(), leg.opened_after, messages);
        self.gone.push_back(Gone { reach, who, opened_after, over_after });
        while self.gone.len() > limits.conference_reports_max {
            self.gone.pop_front();
        }
    }

    /// Notes that message `number` did not reach `who` on `reach`; `others` are his other legs that
    /// it was carried to. True when it has reached none of them and that has not been told: the
    /// author is told of members, not of legs.
    pub(super) fn fail<'a>(
        &mut self,
        number: u64,
        who: Aor,
        reach: Reach,
        mut others: impl Iterator<Item = &'a Reach>,
        limits: &Limits,
    ) -> bool {
        let failure = self.failures.entry((number, who)).or_default();
        if failure.is_reported {
            return false;
        }
        if !failure.legs.contains(&reach) {
            failure.legs.push(reach);
        }
        failure.is_reported = others.all(|other| failure.legs.contains(other));
        let is_new = failure.is_reported;
        while self.failures.len() > limits.conference_reports_max {
            self.failures.pop_first();
        }
        is_new
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Reports::default();
    }

    /// The author's leg of message `number`.
    pub(super) fn author(&self, number: u64) -> Option<&Reach> {
        self.authors.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// Whose leg it was that is over, if message `number` was carried to it.
    pub(super) fn gone(&self, reach: &Reach, number: u64) -> Option<&Aor> {
        let carried = |gone: &&Gone| {
            gone.reach == *reach && gone.opened_after < number && number <= gone.over_after
        };
        self.gone.iter().rev().find(carried).map(|gone| &gone.who)
    }

    /// Panics when more is remembered than may be.
    pub(super) fn check_invariants(&self, limits: &Limits) {
        let max = limits.conference_reports_max;
        assert!(self.authors.len() <= max && self.gone.len() <= max && self.failures.len() <= max);
        assert!(self.failures.keys().all(|(number, _)| self.author(*number).is_some()));
    }
}
