//! The transaction of a request that we sent or forwarded (RFC 3261 section 17.1).

use super::kind::Kind;
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};

/// What happens to a client transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A response with this status.
    Response(u16),
    /// The answer is not wanted any more. Does nothing but to an INVITE.
    Cancel,
    /// [`ClientTransaction::next_deadline`] may have been reached.
    Deadline,
    /// The connection the request went to is gone.
    ConnectionLost,
}

/// A request of our own that is to be sent on the connection of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnRequest {
    /// The ACK of a final answer other than 2xx: from us, hop by hop (section 17.1.1.3). That of
    /// a 2xx comes from the caller.
    Ack,
    /// A CANCEL, which is a client transaction of its own.
    Cancel,
}

/// What the user of the transaction is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A provisional answer, 100 to 199.
    Provisional(u16),
    /// The final answer, 200 to 699. The transaction has ended.
    Final(u16),
    /// No final answer came in time: counts as 408. The transaction has ended.
    TimedOut,
    /// None will come, the connection is gone. The transaction has ended.
    Lost,
}

/// What one input leads to: first what is sent, then what is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To the connection of the request.
    pub send: Option<OwnRequest>,
    /// To the user of the transaction.
    pub notice: Option<Notice>,
}

/// A request that waits for its final answer. Tells of at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientTransaction {
    kind: Kind,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing came yet. `started` is when the request went out.
    Calling {
        started: Now,
        until: Deadline,
        cancel: bool,
    },
    /// A provisional answer came.
    Proceeding {
        until: Deadline,
    },
    /// A CANCEL went out; the final answer, most often 487, is still to come.
    Cancelled {
        until: Deadline,
    },
    Ended,
}

impl ClientTransaction {
    /// The transaction of a request that goes out at `now`.
    pub fn new(now: Now, kind: Kind, limits: &Limits) -> Self {
        let until = now.after(limits.request_timeout);
        ClientTransaction { kind, state: State::Calling { started: now, until, cancel: false } }
    }

    /// Takes one input at the time `now`.
    pub fn handle(&mut self, now: Now, input: Input, limits: &Limits) -> Step {
        match (self.state, input) {
            (State::Ended, _) => Step::default(),
            (_, Input::Response(status @ 100..=199)) => self.provisional(now, status, limits),
            (_, Input::Response(status @ 200..=699)) => {
                let acknowledge = self.kind == Kind::Invite && status >= 300;
                self.end(acknowledge.then_some(OwnRequest::Ack), Notice::Final(status))
            }
            (_, Input::ConnectionLost) => self.end(None, Notice::Lost),
            (_, Input::Cancel) => self.cancel(now, limits),
            (
                State::Calling { until, .. }
                | State::Proceeding { until }
                | State::Cancelled { until },
                Input::Deadline,
            ) if now.reached(until) => self.time_out(now, limits),
            _ => Step::default(),
        }
    }

    /// When it wants [`Input::Deadline`].
    pub fn next_deadline(&self) -> Option<Deadline> {
        match self.state {
            State::Calling { until, .. }
            | State::Proceeding { until }
            | State::Cancelled { until } => Some(until),
            State::Ended => None,
        }
    }

    /// True when it may be forgotten.
    pub fn is_ended(&self) -> bool {
        self.state == State::Ended
    }

    fn provisional(&mut self, now: Now, status: u16, limits: &Limits) -> Step {
        let notice = Some(Notice::Provisional(status));
        // Timer F of anything but INVITE runs on.
        if self.kind == Kind::NonInvite {
            return Step { send: None, notice };
        }
        match self.state {
            State::Calling { cancel: true, .. } => {
                self.state = State::Cancelled { until: now.after(limits.request_timeout) };
                return Step { send: Some(OwnRequest::Cancel), notice };
            }
            // Timer C runs from the start, and anew from each answer but 100 (RFC 3261
            // sections 16.6 step 11 and 16.7 step 2).
            State::Calling { started, .. } => {
                let from = if status == 100 { started } else { now };
                self.state = State::Proceeding { until: from.after(limits.invite_timeout) };
            }
            State::Proceeding { .. } if status > 100 => {
                self.state = State::Proceeding { until: now.after(limits.invite_timeout) };
            }
            State::Proceeding { .. } | State::Cancelled { .. } | State::Ended => {}
        }
        Step { send: None, notice }
    }

    /// A CANCEL may only follow a provisional answer (RFC 3261 section 9.1): before one, the
    /// request it means might come after it.
    fn cancel(&mut self, now: Now, limits: &Limits) -> Step {
        match (&mut self.state, self.kind) {
            (State::Calling { cancel, .. }, Kind::Invite) => {
                *cancel = true;
                Step::default()
            }
            (State::Proceeding { .. }, Kind::Invite) => {
                self.state = State::Cancelled { until: now.after(limits.request_timeout) };
                Step { send: Some(OwnRequest::Cancel), notice: None }
            }
            _ => Step::default(),
        }
    }

    /// Timer B or F without an answer; timer C with a provisional one, which is cancelled
    /// (section 16.8); or no final answer within 64*T1 of a CANCEL (section 9.1).
    fn time_out(&mut self, now: Now, limits: &Limits) -> Step {
        match self.state {
            State::Proceeding { .. } => self.cancel(now, limits),
            _ => self.end(None, Notice::TimedOut),
        }
    }

    fn end(&mut self, send: Option<OwnRequest>, notice: Notice) -> Step {
        self.state = State::Ended;
        Step { send, notice: Some(notice) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 0 }
    }

    struct Bench(ClientTransaction, Limits);

    impl Bench {
        fn new(kind: Kind) -> Self {
            let limits = Limits::default();
            Bench(ClientTransaction::new(at(0), kind, &limits), limits)
        }

        fn handle(&mut self, now_ms: u64, input: Input) -> Step {
            self.0.handle(at(now_ms), input, &self.1)
        }

        fn until(&self) -> u64 {
            self.0.next_deadline().unwrap().0
        }
    }

    fn told(notice: Notice) -> Step {
        Step { send: None, notice: Some(notice) }
    }

    fn sent(send: OwnRequest) -> Step {
        Step { send: Some(send), notice: None }
    }

    #[test]
    fn a_request_ends_with_its_final_answer() {
        let mut bench = Bench::new(Kind::NonInvite);
        assert_eq!(bench.handle(5, Input::Response(100)), told(Notice::Provisional(100)));
        assert_eq!(bench.handle(9, Input::Response(404)), told(Notice::Final(404)));
        assert!(bench.0.is_ended());
        assert_eq!(bench.handle(9, Input::Response(200)), Step::default());
        assert_eq!(bench.0.next_deadline(), None);
    }

    #[test]
    fn a_request_without_answer_times_out_even_if_it_was_tried() {
        let mut bench = Bench::new(Kind::NonInvite);
        bench.handle(20_000, Input::Response(100));
        assert_eq!(bench.handle(31_999, Input::Deadline), Step::default());
        assert_eq!(bench.handle(32_000, Input::Deadline), told(Notice::TimedOut));
        assert!(bench.0.is_ended());
    }

    #[test]
    fn a_refused_invite_is_acknowledged_by_us_and_an_accepted_one_by_the_caller() {
        let mut bench = Bench::new(Kind::Invite);
        let refused = Step { send: Some(OwnRequest::Ack), notice: Some(Notice::Final(486)) };
        assert_eq!(bench.handle(1, Input::Response(486)), refused);
        let mut bench = Bench::new(Kind::Invite);
        assert_eq!(bench.handle(1, Input::Response(200)), told(Notice::Final(200)));
        assert!(bench.0.is_ended());
    }

    #[test]
    fn an_invite_nobody_answers_times_out() {
        let mut bench = Bench::new(Kind::Invite);
        assert_eq!(bench.until(), 32_000);
        assert_eq!(bench.handle(32_000, Input::Deadline), told(Notice::TimedOut));
    }

    #[test]
    fn a_ringing_invite_waits_for_timer_c_and_is_then_cancelled() {
        let mut bench = Bench::new(Kind::Invite);
        bench.handle(1_000, Input::Response(100));
        assert_eq!(bench.until(), 180_000, "100 does not restart timer C");
        bench.handle(2_000, Input::Response(180));
        assert_eq!(bench.until(), 182_000);
        bench.handle(9_000, Input::Response(100));
        assert_eq!(bench.until(), 182_000);
        bench.handle(10_000, Input::Response(183));
        assert_eq!(bench.until(), 190_000);
        assert_eq!(bench.handle(190_000, Input::Deadline), sent(OwnRequest::Cancel));
        assert_eq!(bench.until(), 222_000);
        assert_eq!(bench.handle(222_000, Input::Deadline), told(Notice::TimedOut));
    }

    #[test]
    fn a_cancel_waits_for_a_provisional_answer() {
        let mut bench = Bench::new(Kind::Invite);
        assert_eq!(bench.handle(1, Input::Cancel), Step::default());
        let step = Step { send: Some(OwnRequest::Cancel), notice: Some(Notice::Provisional(100)) };
        assert_eq!(bench.handle(2, Input::Response(100)), step);
        assert_eq!(bench.handle(3, Input::Cancel), Step::default(), "once");
        let step = Step { send: Some(OwnRequest::Ack), notice: Some(Notice::Final(487)) };
        assert_eq!(bench.handle(4, Input::Response(487)), step);
    }

    #[test]
    fn a_cancel_without_any_answer_is_never_sent() {
        let mut bench = Bench::new(Kind::Invite);
        bench.handle(1, Input::Cancel);
        assert_eq!(bench.handle(32_000, Input::Deadline), told(Notice::TimedOut));
    }

    #[test]
    fn a_cancel_may_lose_the_race() {
        let mut bench = Bench::new(Kind::Invite);
        bench.handle(1, Input::Response(180));
        assert_eq!(bench.handle(2, Input::Cancel), sent(OwnRequest::Cancel));
        assert_eq!(bench.handle(3, Input::Response(180)), told(Notice::Provisional(180)));
        assert_eq!(bench.until(), 32_002, "ringing on does not prolong it");
        assert_eq!(bench.handle(4, Input::Response(200)), told(Notice::Final(200)));
    }

    #[test]
    fn only_an_invite_can_be_cancelled() {
        let mut bench = Bench::new(Kind::NonInvite);
        bench.handle(1, Input::Response(100));
        assert_eq!(bench.handle(2, Input::Cancel), Step::default());
        assert_eq!(bench.handle(3, Input::Response(100)), told(Notice::Provisional(100)));
    }

    #[test]
    fn a_lost_connection_ends_it() {
        let mut bench = Bench::new(Kind::Invite);
        assert_eq!(bench.handle(1, Input::ConnectionLost), told(Notice::Lost));
        assert!(bench.0.is_ended());
    }

    fn any_input() -> impl Strategy<Value = Input> {
        prop_oneof![
            (100u16..200).prop_map(Input::Response),
            any::<u16>().prop_map(Input::Response),
            Just(Input::Cancel),
            Just(Input::Deadline),
        ]
    }

    proptest! {
        #[test]
        fn one_end_whatever_happens(
            invite in any::<bool>(),
            steps in prop::collection::vec((any_input(), 0u64..40_000), 0..40),
        ) {
            let kind = if invite { Kind::Invite } else { Kind::NonInvite };
            let mut bench = Bench::new(kind);
            let (mut now, mut provisional, mut cancels, mut ended) = (0, false, 0, false);
            let mut check = |input: Input, step: Step| {
                assert!(!ended || step == Step::default());
                provisional |= matches!(input, Input::Response(100..=199));
                match step.send {
                    Some(OwnRequest::Cancel) => {
                        cancels += 1;
                        assert!(invite && provisional && cancels == 1);
                    }
                    Some(OwnRequest::Ack) => {
                        assert!(invite);
                        assert!(matches!(step.notice, Some(Notice::Final(300..=699))));
                    }
                    None => {}
                }
                ended |= !matches!(step.notice, None | Some(Notice::Provisional(_)));
                ended
            };
            for (input, pause) in steps {
                now += pause;
                let step = bench.handle(now, input);
                let ended = check(input, step);
                prop_assert_eq!(bench.0.is_ended(), ended);
            }
            // Left alone, it ends: at most timer C and then the wait after the CANCEL.
            for _ in 0..2 {
                if let Some(Deadline(next)) = bench.0.next_deadline() {
                    let step = bench.handle(next, Input::Deadline);
                    check(Input::Deadline, step);
                }
            }
            prop_assert!(bench.0.is_ended());
        }
    }
}
