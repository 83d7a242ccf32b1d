//! The transaction of a request that came to us (RFC 3261 section 17.2, RFC 6026).

use std::time::Duration;

use super::kind::Kind;
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};

/// What happens to a server transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The same request came again.
    Request,
    /// An ACK that belongs to it.
    Ack,
    /// A CANCEL that means it. The CANCEL itself is answered 200 whatever becomes of this.
    Cancel,
    /// The answer of the user of the transaction: a status from 100 to 699.
    Answer(u16),
    /// [`ServerTransaction::next_deadline`] may have been reached.
    Deadline,
    /// The connection the request came on is gone.
    ConnectionLost,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing.
    Absorb,
    /// Send the answer.
    Send(u16),
    /// Send the final answer with this status again.
    Repeat(u16),
    /// The ACK is of a 2xx: it belongs to the dialog, not to the transaction.
    Pass,
    /// Nobody waits for an answer: cancel what was forwarded. After a CANCEL 487 is still to be
    /// answered, after a lost connection nothing is.
    Abandon,
    /// The ACK of the final answer did not come in time (timer H).
    Unacknowledged,
}

/// A request that waits for its answer, or the memory of one that got it.
///
/// Sends at most one final answer. It ends with the answer, or for a refused INVITE with its ACK;
/// a memory beyond that is the choice of its maker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTransaction {
    kind: Kind,
    memory: Duration,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No final answer yet.
    Pending,
    /// INVITE refused: waits for the ACK.
    Refused {
        status: u16,
        until: Deadline,
    },
    /// Answered for good: knows the request if it comes again.
    Answered {
        status: u16,
        until: Deadline,
    },
    Ended,
}

impl ServerTransaction {
    /// The transaction of a request that just came. For `memory` after its final answer the same
    /// request is still known: zero is what RFC 3261 has on reliable transports (timers I and J).
    pub fn new(kind: Kind, memory: Duration) -> Self {
        ServerTransaction { kind, memory, state: State::Pending }
    }

    /// Takes one input at the time `now`.
    pub fn handle(&mut self, now: Now, input: Input, limits: &Limits) -> Action {
        match (self.state, input) {
            (State::Pending, Input::Answer(status @ 100..=199)) => Action::Send(status),
            (State::Pending, Input::Answer(status @ 200..=699)) => {
                self.state = self.answered(now, status, limits);
                Action::Send(status)
            }
            (State::Pending, Input::Cancel) if self.kind == Kind::Invite => Action::Abandon,
            (State::Pending, Input::ConnectionLost) => {
                self.state = State::Ended;
                Action::Abandon
            }
            (State::Refused { status, .. }, Input::Ack) => {
                self.state = self.remembered(now, status);
                Action::Absorb
            }
            (State::Refused { until, .. }, Input::Deadline) if now.reached(until) => {
                self.state = State::Ended;
                Action::Unacknowledged
            }
            (State::Answered { status: 200..=299, .. } | State::Ended, Input::Ack) => Action::Pass,
            (State::Answered { until, .. }, Input::Deadline) if now.reached(until) => {
                self.state = State::Ended;
                Action::Absorb
            }
            // RFC 6026 section 7.1: the 2xx of an INVITE is repeated by whoever gave it.
            (State::Answered { status: 200..=299, .. }, Input::Request)
                if self.kind == Kind::Invite =>
            {
                Action::Absorb
            }
            (State::Refused { status, .. } | State::Answered { status, .. }, Input::Request) => {
                Action::Repeat(status)
            }
            (_, Input::ConnectionLost) => {
                self.state = State::Ended;
                Action::Absorb
            }
            _ => Action::Absorb,
        }
    }

    /// When it wants [`Input::Deadline`].
    pub fn next_deadline(&self) -> Option<Deadline> {
        match self.state {
            State::Refused { until, .. } | State::Answered { until, .. } => Some(until),
            State::Pending | State::Ended => None,
        }
    }

    /// True when it waits for a final answer.
    pub fn is_pending(&self) -> bool {
        self.state == State::Pending
    }

    /// True when it may be forgotten.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn answered(&self, now: Now, status: u16, limits: &Limits) -> State {
        if self.kind == Kind::Invite && status >= 300 {
            State::Refused { status, until: now.after(limits.ack_timeout) }
        } else {
            self.remembered(now, status)
        }
    }

    fn remembered(&self, now: Now, status: u16) -> State {
        if self.memory.is_zero() {
            State::Ended
        } else {
            State::Answered { status, until: now.after(self.memory) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MEMORY: Duration = Duration::from_secs(4);

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    struct Bench(ServerTransaction, Limits);

    impl Bench {
        fn new(kind: Kind, memory: Duration) -> Self {
            Bench(ServerTransaction::new(kind, memory), Limits::default())
        }

        fn handle(&mut self, now_ms: u64, input: Input) -> Action {
            self.0.handle(at(now_ms), input, &self.1)
        }
    }

    #[test]
    fn without_memory_a_request_ends_with_its_answer() {
        let mut bench = Bench::new(Kind::NonInvite, Duration::ZERO);
        assert!(bench.0.is_pending());
        assert_eq!(bench.handle(0, Input::Answer(200)), Action::Send(200));
        assert!(bench.0.is_ended());
        assert_eq!(bench.0.next_deadline(), None);
    }

    #[test]
    fn the_same_request_is_absorbed_while_pending_and_answered_alike_later() {
        for (kind, status) in [(Kind::NonInvite, 200), (Kind::NonInvite, 404), (Kind::Invite, 486)]
        {
            let mut bench = Bench::new(kind, MEMORY);
            assert_eq!(bench.handle(0, Input::Request), Action::Absorb);
            assert_eq!(bench.handle(0, Input::Answer(100)), Action::Send(100));
            assert_eq!(bench.handle(0, Input::Request), Action::Absorb);
            assert_eq!(bench.handle(0, Input::Answer(status)), Action::Send(status));
            assert_eq!(bench.handle(1, Input::Request), Action::Repeat(status));
            assert_eq!(bench.handle(1, Input::Answer(500)), Action::Absorb, "one final answer");
            assert_eq!(bench.handle(1, Input::Request), Action::Repeat(status));
        }
    }

    #[test]
    fn a_refused_invite_ends_with_its_ack() {
        let mut bench = Bench::new(Kind::Invite, Duration::ZERO);
        assert_eq!(bench.handle(0, Input::Answer(486)), Action::Send(486));
        assert_eq!(bench.0.next_deadline(), Some(Deadline(32_000)));
        assert_eq!(bench.handle(10, Input::Ack), Action::Absorb);
        assert!(bench.0.is_ended());
    }

    #[test]
    fn an_ack_that_does_not_come_ends_it_too() {
        let mut bench = Bench::new(Kind::Invite, Duration::ZERO);
        bench.handle(0, Input::Answer(603));
        assert_eq!(bench.handle(31_999, Input::Deadline), Action::Absorb);
        assert_eq!(bench.handle(32_000, Input::Deadline), Action::Unacknowledged);
        assert!(bench.0.is_ended());
    }

    #[test]
    fn an_accepted_invite_leaves_its_ack_to_the_dialog() {
        for memory in [Duration::ZERO, MEMORY] {
            let mut bench = Bench::new(Kind::Invite, memory);
            assert_eq!(bench.handle(0, Input::Answer(180)), Action::Send(180));
            assert_eq!(bench.handle(0, Input::Answer(200)), Action::Send(200));
            assert_eq!(bench.handle(1, Input::Request), Action::Absorb);
            assert_eq!(bench.handle(1, Input::Ack), Action::Pass);
        }
    }

    #[test]
    fn memory_fades() {
        let mut bench = Bench::new(Kind::NonInvite, MEMORY);
        bench.handle(0, Input::Answer(200));
        assert_eq!(bench.0.next_deadline(), Some(Deadline(4_000)));
        bench.handle(3_999, Input::Deadline);
        assert!(!bench.0.is_ended());
        bench.handle(4_000, Input::Deadline);
        assert!(bench.0.is_ended());
    }

    #[test]
    fn only_a_pending_invite_can_be_cancelled() {
        let mut bench = Bench::new(Kind::Invite, MEMORY);
        assert_eq!(bench.handle(0, Input::Cancel), Action::Abandon);
        assert!(bench.0.is_pending(), "487 is still to come");
        assert_eq!(bench.handle(0, Input::Answer(487)), Action::Send(487));
        assert_eq!(bench.handle(0, Input::Cancel), Action::Absorb);
        let mut bench = Bench::new(Kind::NonInvite, MEMORY);
        assert_eq!(bench.handle(0, Input::Cancel), Action::Absorb);
    }

    #[test]
    fn a_lost_connection_ends_it() {
        let mut bench = Bench::new(Kind::Invite, MEMORY);
        assert_eq!(bench.handle(0, Input::ConnectionLost), Action::Abandon);
        assert!(bench.0.is_ended());
        assert_eq!(bench.handle(0, Input::Answer(200)), Action::Absorb);
        let mut bench = Bench::new(Kind::Invite, MEMORY);
        bench.handle(0, Input::Answer(486));
        assert_eq!(bench.handle(0, Input::ConnectionLost), Action::Absorb);
        assert!(bench.0.is_ended());
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            Just(Input::Request),
            Just(Input::Ack),
            Just(Input::Cancel),
            any::<u16>().prop_map(Input::Answer),
            (100u16..700).prop_map(Input::Answer),
            Just(Input::Deadline),
            Just(Input::ConnectionLost),
        ]
    }

    proptest! {
        #[test]
        fn one_final_answer_whatever_happens(
            invite in any::<bool>(),
            memory in any::<bool>(),
            steps in prop::collection::vec((any_input(), 0u64..20_000), 0..40),
        ) {
            let kind = if invite { Kind::Invite } else { Kind::NonInvite };
            let mut bench = Bench::new(kind, if memory { MEMORY } else { Duration::ZERO });
            let (mut now, mut answered) = (0, None);
            for (input, pause) in steps {
                now += pause;
                match bench.handle(now, input) {
                    Action::Send(status @ 200..) => {
                        prop_assert_eq!(answered, None);
                        answered = Some(status);
                    }
                    Action::Send(status) => prop_assert!((100..200).contains(&status)),
                    Action::Repeat(status) => prop_assert_eq!(answered, Some(status)),
                    Action::Abandon => prop_assert_eq!(answered, None),
                    Action::Unacknowledged => prop_assert!(invite && answered >= Some(300)),
                    Action::Pass | Action::Absorb => {}
                }
                prop_assert!(!(bench.0.is_pending() && answered.is_some()));
            }
            // Left alone after an answer, it ends by its deadlines.
            bench.handle(now, Input::Answer(500));
            for _ in 0..2 {
                if let Some(Deadline(next)) = bench.0.next_deadline() {
                    bench.handle(next, Input::Deadline);
                }
            }
            prop_assert!(bench.0.is_ended());
        }
    }
}
