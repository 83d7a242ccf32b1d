//! Questions of operators that the machine of a core has not answered.

use std::cell::RefCell;

use tokio::sync::oneshot;

use crate::base::ids::Slot;
use crate::base::slab::Slab;
use crate::shard::question::Answer;

/// Questions one core keeps. Each holds a connection of the admin listener, which has fewer.
const INQUIRIES_MAX: usize = 1024;

/// The ways back of answers, by ticket. Stays on its core.
#[derive(Debug)]
pub struct Inquiries(RefCell<Slab<oneshot::Sender<Answer>>>);

impl Default for Inquiries {
    fn default() -> Self {
        Inquiries(RefCell::new(Slab::new(INQUIRIES_MAX)))
    }
}

impl Inquiries {
    /// A ticket for a question; `None` when too many wait for an answer.
    pub fn open(&self, reply: oneshot::Sender<Answer>) -> Option<Slot> {
        let mut open = self.0.borrow_mut();
        if open.room() == 0 {
            // Who asked may have gone away.
            let given_up: Vec<Slot> =
                open.iter().filter(|(_, reply)| reply.is_closed()).map(|(slot, _)| slot).collect();
            for slot in given_up {
                open.remove(slot);
            }
        }
        open.insert(reply).ok()
    }

    /// Hands an answer to who asked, if he still waits.
    pub fn answer(&self, ticket: Slot, answer: Answer) {
        if let Some(reply) = self.0.borrow_mut().remove(ticket) {
            // Fails when nobody waits any more.
            let _ = reply.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_finds_who_asked_and_only_once() {
        let inquiries = Inquiries::default();
        let (reply, mut answer) = oneshot::channel();
        let ticket = inquiries.open(reply).unwrap();
        inquiries.answer(ticket, Answer::NoSuchUser);
        assert_eq!(answer.try_recv(), Ok(Answer::NoSuchUser));
        inquiries.answer(ticket, Answer::NoSuchUser);
    }

    #[test]
    fn who_gives_up_makes_room_for_others() {
        let inquiries = Inquiries::default();
        let waiting: Vec<_> = (0..INQUIRIES_MAX)
            .map(|_| {
                let (reply, answer) = oneshot::channel();
                inquiries.open(reply).unwrap();
                answer
            })
            .collect();
        assert_eq!(inquiries.open(oneshot::channel().0), None);
        drop(waiting);
        assert!(inquiries.open(oneshot::channel().0).is_some());
    }
}
