//! Applications that watch users of one core, and the ways to them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;

use crate::base::ids::Slot;
use crate::shard::observe::Sight;

/// The way to one who watches; those of several cores lead to the same.
#[derive(Clone, Debug)]
pub struct Way {
    /// Where what he sees goes.
    pub to: mpsc::Sender<Sight>,
    /// Set when there was no room: what he has is not all there was.
    pub overrun: Arc<AtomicBool>,
}

/// The ways to those who watch, by what they are known by. Stays on its core. As many as there are
/// event streams.
#[derive(Debug, Default)]
pub struct Observers {
    open: RefCell<HashMap<Slot, Way>>,
    /// Those who do not listen any more, or not fast enough, and whom the machine has not been told
    /// of.
    lost: RefCell<Vec<Slot>>,
}

impl Observers {
    /// What `observer` sees goes this way.
    pub fn open(&self, observer: Slot, way: Way) {
        self.open.borrow_mut().insert(observer, way);
    }

    /// He watches no more.
    pub fn close(&self, observer: Slot) {
        self.open.borrow_mut().remove(&observer);
    }

    /// Shows him something, without waiting: one who has too much to read yet is let go, which he
    /// takes for the end of his stream.
    pub fn show(&self, observer: Slot, sight: Sight) {
        let mut open = self.open.borrow_mut();
        let Some(way) = open.get(&observer) else { return };
        if way.to.try_send(sight).is_err() {
            way.overrun.store(true, Ordering::Relaxed);
            open.remove(&observer);
            self.lost.borrow_mut().push(observer);
        }
    }

    /// Somebody who was let go since this was last asked.
    pub fn take_lost(&self) -> Option<Slot> {
        self.lost.borrow_mut().pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::aor::Aor;
    use crate::shard::observe::Unseen;

    fn sight() -> Sight {
        Sight { user: Aor::new("alice@example.test"), view: Err(Unseen::NoSuchUser) }
    }

    fn way(room: usize) -> (Way, mpsc::Receiver<Sight>) {
        let (to, from) = mpsc::channel(room);
        (Way { to, overrun: Arc::default() }, from)
    }

    fn slot(index: u32) -> Slot {
        Slot { index, generation: 0 }
    }

    #[test]
    fn who_listens_is_shown_what_he_watches_until_he_closes() {
        let observers = Observers::default();
        let (way, mut from) = way(4);
        observers.open(slot(1), way.clone());
        observers.show(slot(1), sight());
        observers.show(slot(2), sight());
        assert_eq!(from.try_recv(), Ok(sight()));
        observers.close(slot(1));
        observers.show(slot(1), sight());
        assert!(from.try_recv().is_err());
        assert_eq!(observers.take_lost(), None);
        assert!(!way.overrun.load(Ordering::Relaxed));
    }

    #[test]
    fn who_does_not_read_is_let_go_and_told_of_once() {
        let observers = Observers::default();
        let (way, mut from) = way(1);
        let overrun = Arc::clone(&way.overrun);
        observers.open(slot(1), way);
        for _ in 0..3 {
            observers.show(slot(1), sight());
        }
        assert_eq!(observers.take_lost(), Some(slot(1)));
        assert_eq!(observers.take_lost(), None);
        assert!(overrun.load(Ordering::Relaxed));
        // What he was shown before he still reads; then it is over.
        assert_eq!(from.try_recv(), Ok(sight()));
        assert_eq!(from.try_recv(), Err(mpsc::error::TryRecvError::Disconnected));
    }
}
