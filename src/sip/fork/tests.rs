use super::*;
use proptest::prelude::*;

fn at(mono_ms: u64) -> Now {
    Now { mono_ms, unix_ms: 0 }
}

fn fork(kind: Kind, branches: usize) -> Fork {
    Fork::new(at(0), kind, branches, &Limits::default())
}

fn outputs(fork: &mut Fork) -> Vec<Output> {
    std::iter::from_fn(|| fork.next_output()).collect()
}

fn handle(fork: &mut Fork, now_ms: u64, input: Input) -> Vec<Output> {
    fork.handle(at(now_ms), input, &Limits::default());
    outputs(fork)
}

fn respond(fork: &mut Fork, branch: usize, status: u16) -> Vec<Output> {
    handle(fork, 1, Input::Response { branch, status })
}

fn own(status: u16) -> Output {
    Output::Final { from: Source::Own, status }
}

fn from(branch: usize, status: u16) -> Output {
    Output::Final { from: Source::Branch(branch), status }
}

#[test]
fn the_first_to_accept_wins_and_the_others_are_cancelled() {
    let mut fork = fork(Kind::Invite, 3);
    assert_eq!(respond(&mut fork, 0, 100), []);
    let ringing = Output::Provisional { branch: 1, status: 180 };
    assert_eq!(respond(&mut fork, 1, 180), [ringing]);
    // Branch 2 has said nothing: its CANCEL has to wait (RFC 3261 section 9.1).
    assert_eq!(respond(&mut fork, 1, 200), [from(1, 200), Output::Cancel { branch: 0 }]);
    assert_eq!(respond(&mut fork, 2, 180), [Output::Cancel { branch: 2 }]);
    assert_eq!(respond(&mut fork, 0, 487), [Output::Ack { branch: 0 }]);
    assert!(!fork.is_finished());
    assert_eq!(respond(&mut fork, 2, 200), [Output::Late2xx { branch: 2 }]);
    assert!(fork.is_finished());
    assert_eq!(fork.next_deadline(), None);
}

#[test]
fn of_refusals_the_best_is_held_until_all_have_spoken() {
    let mut fork = fork(Kind::Invite, 3);
    let (ack, hold) = (|branch| Output::Ack { branch }, |branch| Output::Hold { branch });
    assert_eq!(respond(&mut fork, 0, 503), [ack(0), hold(0)]);
    assert_eq!(respond(&mut fork, 1, 486), [ack(1), hold(1)]);
    assert_eq!(respond(&mut fork, 2, 500), [ack(2), from(1, 486)]);
    assert!(fork.is_finished());
}

#[test]
fn a_decline_for_all_cancels_the_rest_and_waits_for_them() {
    let mut fork = fork(Kind::Invite, 2);
    respond(&mut fork, 0, 180);
    assert_eq!(
        respond(&mut fork, 1, 603),
        [Output::Ack { branch: 1 }, Output::Hold { branch: 1 }, Output::Cancel { branch: 0 }]
    );
    assert_eq!(respond(&mut fork, 0, 487), [Output::Ack { branch: 0 }, from(1, 603)]);
}

#[test]
fn an_acceptance_that_crosses_a_decline_wins() {
    let mut fork = fork(Kind::Invite, 2);
    respond(&mut fork, 0, 180);
    respond(&mut fork, 1, 603);
    assert_eq!(respond(&mut fork, 0, 200), [from(0, 200)]);
    assert!(fork.is_finished());
}

#[test]
fn a_cancelled_caller_gets_the_487_of_the_endpoint() {
    let mut fork = fork(Kind::Invite, 1);
    respond(&mut fork, 0, 180);
    assert_eq!(handle(&mut fork, 2, Input::Cancel), [Output::Cancel { branch: 0 }]);
    assert_eq!(
        respond(&mut fork, 0, 487),
        [Output::Ack { branch: 0 }, Output::Hold { branch: 0 }, from(0, 487)]
    );
}

#[test]
fn an_acceptance_that_crosses_the_cancel_is_the_callers_to_end() {
    let mut fork = fork(Kind::Invite, 1);
    respond(&mut fork, 0, 180);
    handle(&mut fork, 2, Input::Cancel);
    assert_eq!(respond(&mut fork, 0, 200), [from(0, 200)]);
}

#[test]
fn a_cancelled_caller_gets_487_even_if_no_endpoint_says_it() {
    let mut fork = fork(Kind::Invite, 2);
    handle(&mut fork, 1, Input::Lost { branch: 0 });
    handle(&mut fork, 2, Input::Cancel);
    assert_eq!(handle(&mut fork, 32_000, Input::Deadline), [own(487)]);
}

#[test]
fn nobody_gets_an_answer_when_the_caller_is_lost() {
    let mut fork = fork(Kind::Invite, 2);
    respond(&mut fork, 0, 180);
    assert_eq!(handle(&mut fork, 2, Input::CallerLost), [Output::Cancel { branch: 0 }]);
    assert_eq!(respond(&mut fork, 0, 200), [Output::Late2xx { branch: 0 }]);
    assert_eq!(respond(&mut fork, 1, 486), [Output::Ack { branch: 1 }]);
    assert!(fork.is_finished());
}

#[test]
fn without_reachable_endpoints_the_caller_gets_480() {
    assert_eq!(outputs(&mut fork(Kind::Invite, 0)), [own(480)]);
    let mut fork = fork(Kind::NonInvite, 2);
    assert_eq!(handle(&mut fork, 1, Input::Lost { branch: 0 }), []);
    assert_eq!(handle(&mut fork, 1, Input::Lost { branch: 1 }), [own(480)]);
    assert!(fork.is_finished());
}

#[test]
fn without_an_answer_in_time_the_caller_gets_408() {
    let mut fork = fork(Kind::NonInvite, 2);
    assert_eq!(fork.next_deadline(), Some(Deadline(32_000)));
    assert_eq!(handle(&mut fork, 31_999, Input::Deadline), []);
    assert_eq!(handle(&mut fork, 32_000, Input::Deadline), [own(408)]);
}

#[test]
fn what_an_endpoint_said_goes_before_what_we_make_up() {
    let mut fork = fork(Kind::NonInvite, 2);
    handle(&mut fork, 1, Input::Lost { branch: 0 });
    assert_eq!(respond(&mut fork, 1, 486), [Output::Hold { branch: 1 }, from(1, 486)]);
}

#[test]
fn one_overloaded_endpoint_is_not_an_overloaded_server() {
    let mut fork = fork(Kind::NonInvite, 1);
    assert_eq!(respond(&mut fork, 0, 503), [Output::Hold { branch: 0 }, own(500)]);
}

#[test]
fn a_message_to_two_endpoints_is_accepted_once_and_nothing_is_cancelled() {
    let mut fork = fork(Kind::NonInvite, 2);
    respond(&mut fork, 1, 100);
    assert_eq!(respond(&mut fork, 0, 200), [from(0, 200)]);
    assert_eq!(respond(&mut fork, 1, 200), []);
    assert!(fork.is_finished());
}

#[test]
fn a_branch_that_was_never_made_is_ignored() {
    let mut fork = fork(Kind::Invite, 1);
    assert_eq!(respond(&mut fork, 1, 200), []);
    assert_eq!(handle(&mut fork, 1, Input::Lost { branch: 9 }), []);
    assert!(!fork.is_finished());
}

/// Which answer RFC 3261 section 16.7 step 6 picks, told in another way: the caller sees a 6xx
/// if there is one, else something of the lowest class, and in it nothing if there was better.
#[test]
fn the_choice_is_that_of_the_standard_whatever_the_order() {
    const STATUSES: [u16; 10] = [302, 401, 404, 415, 480, 486, 500, 503, 600, 603];
    const ACTIONABLE: [u16; 5] = [401, 407, 415, 420, 484];
    for a in STATUSES {
        for b in STATUSES {
            for c in STATUSES {
                let mut fork = fork(Kind::NonInvite, 3);
                let said: Vec<Output> = [a, b, c]
                    .into_iter()
                    .enumerate()
                    .flat_map(|(branch, status)| respond(&mut fork, branch, status))
                    .collect();
                let Some(Output::Final { status, .. }) = said.last().copied() else {
                    panic!("no final answer to {a} {b} {c}: {said:?}");
                };
                let all = [a, b, c].map(|status| if status == 503 { 500 } else { status });
                assert!(all.contains(&status), "{a} {b} {c}: {status}");
                let class = |status: u16| if status >= 600 { 0 } else { status / 100 };
                let lowest = all.into_iter().map(class).min().unwrap();
                assert_eq!(class(status), lowest, "{a} {b} {c}: {status}");
                if lowest == 4 && all.iter().any(|status| ACTIONABLE.contains(status)) {
                    assert!(ACTIONABLE.contains(&status), "{a} {b} {c}: {status}");
                }
            }
        }
    }
}

/// Watches a fork from outside and knows what may be seen.
#[derive(Clone)]
struct Observer {
    kind: Kind,
    fork: Fork,
    now: u64,
    branches: Vec<Seen>,
    held: Option<usize>,
    answer: Option<u16>,
    caller_lost: bool,
    /// Something happened after which no branch is to go on.
    stopped: bool,
}

#[derive(Clone, Copy, Default)]
struct Seen {
    provisional: bool,
    cancelled: bool,
}

impl Observer {
    fn new(kind: Kind, branches: usize) -> Self {
        let mut observer = Observer {
            kind,
            fork: fork(kind, branches),
            now: 0,
            branches: vec![Seen::default(); branches],
            held: None,
            answer: None,
            caller_lost: false,
            stopped: false,
        };
        observer.watch(None);
        observer
    }

    fn handle(&mut self, input: Input) {
        let mut came = None;
        match input {
            Input::Response { branch, status } if !self.fork.branches[branch].is_ended() => {
                self.branches[branch].provisional |= status < 200;
                came = Some((branch, status));
            }
            Input::CallerLost => self.caller_lost |= self.answer.is_none(),
            Input::Deadline => {
                self.now = self.fork.next_deadline().map_or(self.now, |next| next.0.max(self.now));
            }
            _ => {}
        }
        self.stopped |= matches!(came, Some((_, 200..=299 | 600..=699)));
        self.stopped |= matches!(input, Input::Cancel) || self.caller_lost;
        self.fork.handle(at(self.now), input, &Limits::default());
        self.watch(came);
        let goes_on = |(branch, seen): (usize, &Seen)| {
            seen.provisional && !seen.cancelled && !self.fork.branches[branch].is_ended()
        };
        if self.stopped && self.kind == Kind::Invite {
            assert!(!self.branches.iter().enumerate().any(goes_on), "a branch goes on");
        }
    }

    /// Checks the outputs against the response that came, if one came that still counts.
    fn watch(&mut self, came: Option<(usize, u16)>) {
        let accepted = |branch| matches!(came, Some((b, 200..=299)) if b == branch);
        let refused = |branch| matches!(came, Some((b, 300..=699)) if b == branch);
        let mut heard = 0;
        for output in outputs(&mut self.fork) {
            match output {
                Output::Provisional { branch, status } => {
                    assert_eq!(came, Some((branch, status)));
                    assert!((101..200).contains(&status));
                    assert!(self.answer.is_none() && !self.caller_lost);
                }
                Output::Hold { branch } => {
                    assert!(refused(branch));
                    self.held = Some(branch);
                }
                Output::Final { from, status } => {
                    assert_eq!(self.answer, None, "one final answer");
                    assert!(!self.caller_lost);
                    self.answer = Some(status);
                    match from {
                        Source::Branch(branch) if status < 300 => {
                            assert!(accepted(branch));
                            heard += 1;
                        }
                        Source::Branch(branch) => assert_eq!(self.held, Some(branch)),
                        Source::Own => assert!([408, 480, 487, 500].contains(&status)),
                    }
                }
                Output::Cancel { branch } => {
                    let seen = &mut self.branches[branch];
                    assert_eq!(self.kind, Kind::Invite);
                    assert!(seen.provisional && !seen.cancelled);
                    assert!(!self.fork.branches[branch].is_ended());
                    seen.cancelled = true;
                }
                Output::Ack { branch } => {
                    assert_eq!(self.kind, Kind::Invite);
                    assert!(refused(branch));
                    heard += 1;
                }
                Output::Late2xx { branch } => {
                    assert_eq!(self.kind, Kind::Invite);
                    assert!(accepted(branch));
                    assert!(self.answer.is_some() || self.caller_lost);
                    heard += 1;
                }
            }
        }
        if let (Kind::Invite, Some((_, 200..=699))) = (self.kind, came) {
            assert_eq!(heard, 1, "each final answer to INVITE gets one ACK, ours or the caller's");
        }
    }

    /// Lets time pass until the fork gives up.
    fn finish(mut self) {
        for _ in 0..4 * self.branches.len() + 1 {
            if self.fork.is_finished() {
                break;
            }
            self.handle(Input::Deadline);
        }
        assert!(self.fork.is_finished());
        assert_eq!(self.fork.next_deadline(), None);
        assert_eq!(self.answer.is_some(), !self.caller_lost);
        self.handle(Input::CallerLost);
        self.handle(Input::Cancel);
    }
}

fn events(branches: usize, statuses: &[u16]) -> Vec<Input> {
    let mut events = vec![Input::Cancel, Input::CallerLost, Input::Deadline];
    for branch in 0..branches {
        events.push(Input::Lost { branch });
        events.extend(statuses.iter().map(|&status| Input::Response { branch, status }));
    }
    events
}

fn explore(observer: &Observer, events: &[Input], depth: usize) {
    observer.clone().finish();
    if depth == 0 {
        return;
    }
    for event in events {
        let mut next = observer.clone();
        next.handle(*event);
        explore(&next, events, depth - 1);
    }
}

#[test]
fn every_interleaving_of_two_branches_has_one_answer_and_an_end() {
    let events = events(2, &[100, 180, 200, 486, 603]);
    for kind in [Kind::Invite, Kind::NonInvite] {
        explore(&Observer::new(kind, 2), &events, 4);
    }
}

#[test]
fn every_interleaving_of_three_branches_has_one_answer_and_an_end() {
    let events = events(3, &[180, 200, 603]);
    explore(&Observer::new(Kind::Invite, 3), &events, 4);
}

proptest! {
    #[test]
    fn any_conversation_has_one_answer_and_an_end(
        invite in any::<bool>(),
        branches in 0usize..9,
        steps in prop::collection::vec((0u8..20, 0usize..9, 100u16..700), 0..60),
    ) {
        let kind = if invite { Kind::Invite } else { Kind::NonInvite };
        let mut observer = Observer::new(kind, branches);
        for (step, branch, status) in steps {
            match (step, branch) {
                (0, _) => observer.handle(Input::Cancel),
                (1, _) => observer.handle(Input::CallerLost),
                (2, _) => observer.handle(Input::Deadline),
                (_, branch) if branch >= branches => {}
                (3, branch) => observer.handle(Input::Lost { branch }),
                (4..10, branch) => observer.handle(Input::Response { branch, status: 180 }),
                (_, branch) => observer.handle(Input::Response { branch, status }),
            }
        }
        observer.finish();
    }
}
