//! Messages that are held: they have been handled, and what they caused waits to leave with the
//! next flush.
//!
//! A message is held from the moment at which the core asked epoll and learned that its socket has
//! something to read, to the end of the flush in which what it caused has left for the sockets and
//! the other cores. The turns of other connections, the handling, and the wait for the flush are
//! within; what waits while the mesh is congested, or for another turn of its own connection, is
//! held all the while. Outside are the time in the socket before the core looks, the way through
//! another core, and what the answer itself waits for: a disk, or the other user.

use std::time::Instant;

use crate::metrics::histogram::Histogram;

/// Moments told apart between two flushes. Connections that are ready together have one, those
/// that were left with something to do each their own.
const MOMENTS_MAX: usize = 64;

/// What a core holds between two flushes.
#[derive(Debug)]
pub(super) struct Holding {
    /// Since when the core knew of messages, and how many they are.
    held: Vec<(Instant, u32)>,
    /// Messages of the visit under way.
    handled: u32,
}

impl Holding {
    /// Nothing is held.
    pub fn new() -> Self {
        Holding { held: Vec::with_capacity(MOMENTS_MAX), handled: 0 }
    }

    /// Holds `messages` that have been handled and that the core has known of since `since`. Where
    /// there are more moments than are told apart, the earlier of two counts for both.
    pub fn hold(&mut self, messages: u32, since: Instant) {
        if messages == 0 {
            return;
        }
        self.handled = self.handled.saturating_add(messages);
        let full = self.held.len() >= MOMENTS_MAX;
        match self.held.last_mut() {
            Some((moment, held)) if full || *moment == since => {
                *moment = since.min(*moment);
                *held = held.saturating_add(messages);
            }
            _ => self.held.push((since, messages)),
        }
    }

    /// Ends a visit: the messages that it handled.
    pub fn end_visit(&mut self) -> u32 {
        std::mem::take(&mut self.handled)
    }

    /// True when a flush would let nothing go.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What the messages caused has left at `left`: counts how long each was held.
    pub fn release(&mut self, left: Instant, held: &mut Histogram) {
        for (since, messages) in self.held.drain(..) {
            held.observe_times(left.saturating_duration_since(since), messages);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_message_is_held_from_its_moment_to_the_flush() {
        let start = Instant::now() + 100 * MS;
        let (mut holding, mut held) = (Holding::new(), Histogram::default());
        holding.hold(3, start);
        holding.hold(0, start);
        assert_eq!(holding.end_visit(), 3);
        holding.hold(2, start);
        // The turn before left it unfinished.
        holding.hold(1, start - 40 * MS);
        assert_eq!((holding.end_visit(), holding.end_visit()), (3, 0));
        assert!(!holding.is_empty());
        holding.release(start + 2 * MS, &mut held);
        assert!(holding.is_empty());
        assert_eq!((held.count(), held.sum()), (6, 52 * MS));
        holding.hold(1, start + 5 * MS);
        holding.release(start + 6 * MS, &mut held);
        assert_eq!((held.count(), held.sum()), (7, 53 * MS));
        let slow = held.cumulated().find(|(bound, _)| *bound == 25 * MS);
        assert_eq!(slow, Some((25 * MS, 6)), "all but one left within it");
    }

    #[test]
    fn many_moments_take_no_more_room_and_none_is_shortened() {
        let start = Instant::now();
        let (mut holding, mut held) = (Holding::new(), Histogram::default());
        let room = holding.held.capacity();
        let moments = 10 * MOMENTS_MAX as u32;
        (0..moments).for_each(|at| holding.hold(1, start + at * MS));
        assert_eq!(holding.held.capacity(), room);
        holding.release(start + moments * MS, &mut held);
        assert_eq!(held.count(), u64::from(moments));
        let exact = (1..=moments).map(|ms| ms * MS).sum::<Duration>();
        assert!(held.sum() >= exact);
    }
}
