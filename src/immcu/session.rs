//! A two-party IM session with the IMMCU in the middle: from the invitation to its record.
//!
//! The machine knows who talks with whom and counts; how an invitation or a message looks on the
//! wire is the dialects' business, where the legs lead is the shard's.

use std::time::Duration;

use crate::base::aor::Aor;
use crate::base::side::Side;
use crate::base::time::{Deadline, Now};

/// What happens to a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// An endpoint of the callee took the invitation.
    Accept,
    /// A message was accepted by the other end.
    Deliver {
        /// The end that wrote it.
        from: Side,
    },
    /// Anything else in the session: the ACK, typing, a refused message.
    Touch,
    /// The session is over.
    End(Ending),
    /// Time has passed.
    Tick,
}

/// How a session ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// One end said goodbye.
    Bye(Side),
    /// The callee, or we for him, refused with this SIP status.
    Declined(u16),
    /// The caller gave up before an answer.
    Cancelled,
    /// Nobody answered in time.
    NoAnswer,
    /// The connection of one end was lost.
    ConnectionLost(Side),
    /// Nobody wrote for too long.
    Idle,
    /// The server went down in order.
    Drained,
}

/// What is to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The session is established.
    Started,
    /// The session is over; the last word of the machine.
    Ended(Ending),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Inviting,
    Established,
    Ended,
}

/// One session.
#[derive(Debug)]
pub struct Session {
    caller: Aor,
    callee: Aor,
    bridged: bool,
    state: State,
    accepted: bool,
    started: Now,
    last: Now,
    idle: Duration,
    /// How long the caller may take to acknowledge the acceptance, while he has not.
    unacknowledged: Option<Duration>,
    messages: [u64; 2],
    output: Option<Output>,
}

impl Session {
    /// An invitation from `caller` to `callee` at `now`; the session ends after `idle` of silence.
    pub fn new(now: Now, caller: Aor, callee: Aor, idle: Duration) -> Self {
        Session {
            caller,
            callee,
            bridged: false,
            state: State::Inviting,
            accepted: false,
            started: now,
            last: now,
            idle,
            unacknowledged: None,
            messages: [0; 2],
            output: None,
        }
    }

    /// One end is a pager-mode client: the IMMCU speaks for it, and since such a client cannot
    /// say goodbye the session ends after `idle` of silence.
    pub fn bridge(&mut self, idle: Duration) {
        self.bridged = true;
        self.idle = idle;
    }

    /// The session ends after `idle` of silence.
    pub fn hold_for(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// The session ends after `time` unless the caller acknowledges the acceptance, or somebody
    /// says something, before.
    pub fn wait_for_ack(&mut self, time: Duration) {
        self.unacknowledged = Some(time);
    }

    /// Takes one input. Inputs after the end change nothing.
    pub fn handle(&mut self, now: Now, input: Input) {
        match (self.state, input) {
            (State::Ended, _) => {}
            (State::Inviting, Input::Accept) => {
                self.state = State::Established;
                self.accepted = true;
                self.last = now;
                self.output = Some(Output::Started);
            }
            (_, Input::End(ending)) => self.end(now, ending),
            (State::Established, Input::Deliver { from }) => {
                self.messages[from.index()] += 1;
                self.touched(now);
            }
            (State::Established, Input::Touch) => self.touched(now),
            (State::Established, Input::Tick) => {
                if self.next_deadline().is_some_and(|deadline| now.reached(deadline)) {
                    self.end(now, Ending::Idle);
                }
            }
            (State::Established, Input::Accept) | (State::Inviting, _) => {}
        }
    }

    /// What the last input brought about.
    pub fn next_output(&mut self) -> Option<Output> {
        self.output.take()
    }

    /// When silence ends the session. An invitation has the timers of its transactions.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let silence = self.unacknowledged.map_or(self.idle, |time| time.min(self.idle));
        (self.state == State::Established).then(|| self.last.after(silence))
    }

    /// Who invited.
    pub fn caller(&self) -> &Aor {
        &self.caller
    }

    /// Who was invited.
    pub fn callee(&self) -> &Aor {
        &self.callee
    }

    /// The address of one end.
    pub fn party(&self, side: Side) -> &Aor {
        match side {
            Side::Caller => &self.caller,
            Side::Callee => &self.callee,
        }
    }

    /// True when the IMMCU speaks for one end.
    pub fn is_bridged(&self) -> bool {
        self.bridged
    }

    /// True between acceptance and end.
    pub fn is_established(&self) -> bool {
        self.state == State::Established
    }

    /// True from acceptance on, also after the end.
    pub fn was_established(&self) -> bool {
        self.accepted
    }

    /// When the invitation was made.
    pub fn started(&self) -> Now {
        self.started
    }

    /// The last sign of life; after the end, the end.
    pub fn last(&self) -> Now {
        self.last
    }

    /// Messages accepted by the other end, written by `from`.
    pub fn messages(&self, from: Side) -> u64 {
        self.messages[from.index()]
    }

    fn touched(&mut self, now: Now) {
        self.last = now;
        self.unacknowledged = None;
    }

    fn end(&mut self, now: Now, ending: Ending) {
        self.state = State::Ended;
        self.last = now;
        self.output = Some(Output::Ended(ending));
    }
}

#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDLE: Duration = Duration::from_secs(60);

    fn at(mono_ms: u64) -> Now {
        Now { mono_ms, unix_ms: 1_000_000 + mono_ms }
    }

    fn session() -> Session {
        let aor = |user| Aor::new(&format!("{user}@example.test"));
        Session::new(at(0), aor("alice"), aor("bob"), IDLE)
    }

    #[test]
    fn a_conversation_from_invitation_to_goodbye() {
        let mut session = session();
        assert_eq!(session.next_deadline(), None);
        session.handle(at(10), Input::Accept);
        assert_eq!(session.next_output(), Some(Output::Started));
        session.handle(at(20), Input::Deliver { from: Side::Caller });
        session.handle(at(30), Input::Deliver { from: Side::Callee });
        session.handle(at(40), Input::Deliver { from: Side::Caller });
        session.handle(at(50), Input::End(Ending::Bye(Side::Callee)));
        assert_eq!(session.next_output(), Some(Output::Ended(Ending::Bye(Side::Callee))));
        assert_eq!((session.messages(Side::Caller), session.messages(Side::Callee)), (2, 1));
        assert_eq!((session.started(), session.last()), (at(0), at(50)));
    }

    #[test]
    fn a_refused_invitation_was_never_established() {
        let mut session = session();
        session.handle(at(10), Input::End(Ending::Declined(486)));
        assert_eq!(session.next_output(), Some(Output::Ended(Ending::Declined(486))));
        assert!(!session.is_established());
    }

    #[test]
    fn silence_ends_it_and_a_word_puts_that_off() {
        let mut session = session();
        session.handle(at(0), Input::Accept);
        session.next_output();
        session.handle(at(59_999), Input::Tick);
        assert_eq!(session.next_output(), None);
        session.handle(at(59_999), Input::Touch);
        session.handle(at(60_001), Input::Tick);
        assert_eq!(session.next_output(), None);
        session.handle(at(119_999), Input::Tick);
        assert_eq!(session.next_output(), Some(Output::Ended(Ending::Idle)));
    }

    #[test]
    fn an_acceptance_that_nobody_acknowledges_ends_it_soon() {
        let ack = Duration::from_secs(32);
        for (word, end) in [(None, 32_000), (Some(Input::Touch), 70_000)] {
            let mut session = session();
            session.wait_for_ack(ack);
            session.handle(at(0), Input::Accept);
            session.next_output();
            word.into_iter().for_each(|word| session.handle(at(10_000), word));
            assert_eq!(session.next_deadline(), Some(at(0).after(Duration::from_millis(end))));
            session.handle(at(end), Input::Tick);
            assert_eq!(session.next_output(), Some(Output::Ended(Ending::Idle)));
        }
    }

    fn inputs() -> impl Strategy<Value = Input> {
        let side = || prop_oneof![Just(Side::Caller), Just(Side::Callee)];
        prop_oneof![
            Just(Input::Accept),
            side().prop_map(|from| Input::Deliver { from }),
            Just(Input::Touch),
            Just(Input::Tick),
            side().prop_map(|side| Input::End(Ending::Bye(side))),
            Just(Input::End(Ending::Cancelled)),
        ]
    }

    /// One step: what happens, and the milliseconds before it.
    pub fn any_step() -> impl Strategy<Value = (Input, u64)> {
        (inputs(), 0u64..50_000)
    }

    /// It starts at most once and ends at most once, and what is outside does not count.
    pub fn run(steps: Vec<(Input, u64)>) -> Result<(), TestCaseError> {
        let mut session = session();
        let (mut now, mut started, mut ended, mut delivered) = (0, 0, 0, 0);
        for (input, wait) in steps {
            now += wait;
            if matches!(input, Input::Deliver { .. }) && session.is_established() {
                delivered += 1;
            }
            session.handle(at(now), input);
            match session.next_output() {
                Some(Output::Started) => started += 1,
                Some(Output::Ended(_)) => ended += 1,
                None => {}
            }
            prop_assert!(session.next_output().is_none());
        }
        prop_assert!(started <= 1 && ended <= 1);
        prop_assert_eq!(session.messages(Side::Caller) + session.messages(Side::Callee), delivered);
        prop_assert_eq!(session.next_deadline().is_some(), started == 1 && ended == 0);
        Ok(())
    }

    proptest! {
        #[test]
        fn starts_at_most_once_and_ends_at_most_once_and_never_counts_outside(
            steps in prop::collection::vec(any_step(), 0..60)
        ) {
            run(steps)?;
        }
    }
}
