//! Requests of ours that wait for their final answer, numbered by CSeq.

use crate::clock::Moment;
use crate::stats::Operation;
use std::collections::VecDeque;

/// A request without its final answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// What it is part of.
    pub operation: Operation,
    /// When it was meant to be sent.
    pub intended: Moment,
}

/// Outstanding requests with rising numbers: all of one dialog, or all outside dialogs.
#[derive(Debug, Default)]
pub struct Transactions {
    /// Number of the first entry of `ring`.
    first: u32,
    ring: VecDeque<Option<Pending>>,
}

impl Transactions {
    /// Adds a request. Numbers must rise; some may be left out.
    pub fn begin(&mut self, number: u32, pending: Pending) {
        if self.ring.is_empty() {
            self.first = number;
        }
        let next = self.first.saturating_add(u32::try_from(self.ring.len()).unwrap_or(u32::MAX));
        debug_assert!(number >= next);
        self.ring.extend((next..number).map(|_| None));
        self.ring.push_back(Some(pending));
    }

    /// The request with this number, when it is outstanding.
    pub fn peek(&self, number: u32) -> Option<Pending> {
        let at = number.checked_sub(self.first)?;
        *self.ring.get(usize::try_from(at).ok()?)?
    }

    /// Takes the request with this number out, when it is outstanding.
    pub fn finish(&mut self, number: u32) -> Option<Pending> {
        let at = number.checked_sub(self.first)?;
        let pending = self.ring.get_mut(usize::try_from(at).ok()?)?.take()?;
        while let Some(None) = self.ring.front() {
            self.ring.pop_front();
            self.first = self.first.saturating_add(1);
        }
        Some(pending)
    }

    /// Takes every outstanding request out.
    pub fn drain(&mut self) -> impl Iterator<Item = Pending> + '_ {
        self.ring.drain(..).flatten()
    }

    /// How far the oldest and the newest outstanding request are apart.
    pub fn span(&self) -> usize {
        self.ring.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(at: u64) -> Pending {
        Pending { operation: Operation::Message, intended: Moment(at) }
    }

    #[test]
    fn each_number_is_finished_once_in_any_order() {
        let mut waiting = Transactions::default();
        for number in [5, 6, 9] {
            waiting.begin(number, pending(u64::from(number)));
        }
        assert_eq!(waiting.finish(7), None);
        assert_eq!(waiting.finish(6), Some(pending(6)));
        assert_eq!(waiting.finish(6), None);
        assert_eq!(waiting.finish(5), Some(pending(5)));
        assert_eq!(waiting.peek(9), Some(pending(9)));
        assert_eq!(waiting.span(), 1);
        assert_eq!(waiting.finish(4), None);
        assert_eq!(waiting.finish(9), Some(pending(9)));
        assert_eq!(waiting.span(), 0);
        waiting.begin(20, pending(20));
        assert_eq!(waiting.drain().collect::<Vec<_>>(), [pending(20)]);
        assert_eq!(waiting.finish(20), None);
    }
}
