//! Members that do not take what is said, and members that take it and do not say so.

use std::time::{Duration, Instant};

use super::{Member, convened, nothing_left};
use crate::harness::conference::{IMDN, Meeting};
use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::hits;
use crate::outside::stream::{Stream, connect};
use crate::target::Target;

const ROUNDS: usize = 40;

/// Alice and bob, who talk.
struct Talk {
    alice: Member,
    bob: Member,
    said: usize,
}

impl Talk {
    fn new(target: &Target) -> (Self, Meeting) {
        let mut alice = Endpoint::tls(target, "alice");
        let meeting = convened(&mut alice);
        let alice = Member::join(alice, &meeting);
        let bob = Member::join(Endpoint::tls(target, "bob"), &meeting);
        (Talk { alice, bob, said: 0 }, meeting)
    }

    /// Alice says something, and bob hears it; how long that takes.
    #[track_caller]
    fn round(&mut self, text: &str) -> Duration {
        let started = Instant::now();
        let answer = self.alice.say(text);
        assert_eq!(answer.status(), 202, "{}", answer.head);
        self.bob.hears(text);
        self.said += 1;
        started.elapsed()
    }

    /// Waits until alice has been told of as many messages that did not reach carol, and fails
    /// unless there is one report for each of these.
    #[track_caller]
    fn reported(&mut self, numbers: impl Iterator<Item = usize>) {
        let mut numbers: Vec<_> = numbers.collect();
        while !numbers.is_empty() {
            let report = self.alice.wait("BENOTIFY");
            assert_eq!(report.header("Content-Type"), Some(IMDN));
            let body = String::from_utf8_lossy(&report.body).into_owned();
            assert!(body.contains("sip:carol@example.test"), "{body}");
            assert!(body.contains("<status>408</status>"), "{body}");
            let number = body.split_once("<message-id>").unwrap().1.split_once('<').unwrap().0;
            let number: usize = number.parse().unwrap();
            let at = numbers.iter().position(|known| *known == number);
            numbers.swap_remove(at.unwrap_or_else(|| panic!("{number} is not among {numbers:?}")));
        }
    }

    /// Fails unless the two are all that is left, and talk.
    #[track_caller]
    fn goes_on(mut self, target: &Target) {
        target.wait_metric("mynah_conference_legs_current", |legs| legs == 2.0);
        target.wait_metric("mynah_conference_members_current", |members| members == 2.0);
        target.wait_metric("mynah_relays_current", |relays| relays == 0.0);
        self.round("and on");
        assert!(self.alice.came.iter().all(|message| message.method() != "BENOTIFY"));
        self.alice.leave();
        self.bob.leave();
        nothing_left(target);
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn a_member_that_never_reads_is_dropped_and_the_others_talk_on() {
    // 24
    let mut target = Target::with_limits(
        "conference_burst_max = 100000\nconference_messages_per_second_max = 100000\n\
         conference_unanswered_max = 100000\nconference_recent_bytes_max = 1",
    );
    let (mut talk, meeting) = Talk::new(&target);
    let text = "x".repeat(60_000);
    let quiet = median((0..ROUNDS).map(|_| talk.round(&text)).collect());
    let before = talk.said;
    let stream = connect(target.ready.tcp);
    socket2::SockRef::from(&stream).set_recv_buffer_size(16 * 1024).unwrap();
    let carol = Endpoint::sign_in(Stream::over(stream), "carol", "secret");
    let deaf = Member::join(carol, &meeting);
    let mut times = Vec::new();
    while target.metrics().closed("slow_reader") == 0.0 {
        times.push(talk.round(&text));
        target.serves_others();
        assert!(times.len() <= 1_000, "carol's connection takes everything");
    }
    assert!(median(times) < 4 * quiet + Duration::from_millis(50), "not much more than {quiet:?}");
    target.wait_metric(&hits("outgoing_bytes_per_connection_max"), |count| count >= 1.0);
    target.wait_metric("mynah_conference_members_current", |members| members == 2.0);
    // What was said until she was gone, and nothing from before she came.
    let missed = target.metrics().value("mynah_conference_undelivered_total") as usize;
    assert!(missed > 0);
    talk.reported(before + 1..=before + missed);
    talk.goes_on(&target);
    drop(deaf);
    target.survived();
}

#[test]
fn a_member_that_answers_nothing_is_dropped_and_the_others_talk_on() {
    let target = Target::with_limits("conference_unanswered_max = 8");
    let (mut talk, meeting) = Talk::new(&target);
    let mut mute = Member::join(Endpoint::tls(&target, "carol"), &meeting);
    for n in 0..8 {
        talk.round(&format!("{n}"));
    }
    assert_eq!(target.metrics().value("mynah_conference_members_current"), 3.0);
    talk.round("one too many");
    target.wait_metric(&hits("conference_unanswered_max"), |count| count == 1.0);
    for n in 0..8 {
        let message = mute.endpoint.stream.message();
        assert_eq!(message.body, format!("{n}").as_bytes(), "{}", message.head);
    }
    mute.endpoint.answer("BYE", 200, "");
    talk.reported(1..=9);
    // He is out, though not forbidden to come back.
    assert_eq!(mute.say("hello?").status(), 481);
    let back = Member::join(mute.endpoint, &meeting);
    target.wait_metric("mynah_conference_members_current", |members| members == 3.0);
    back.leave();
    talk.goes_on(&target);
    target.survived();
}

#[test]
fn answers_that_are_none_do_not_count() {
    let target = Target::with_limits("conference_unanswered_max = 4");
    let (mut talk, meeting) = Talk::new(&target);
    let mut odd = Member::join(Endpoint::tls(&target, "carol"), &meeting);
    for n in 0..4 {
        talk.round(&format!("{n}"));
        let message = odd.endpoint.stream.message();
        odd.endpoint.respond(&message, 100, "", "");
        odd.endpoint.respond(&message, 180, "", "");
        // In somebody else's name, to another message, and from another place.
        let mut forged = message.clone();
        forged.head = forged.head.replace("MESSAGE\r\n", "INFO\r\n");
        odd.endpoint.respond(&forged, 200, "", "");
        forged.head = message.head.replace("Call-ID: ", "Call-ID: x");
        odd.endpoint.respond(&forged, 200, "", "");
        talk.bob.endpoint.respond(&message, 200, "", "");
    }
    talk.round("one too many");
    target.wait_metric(&hits("conference_unanswered_max"), |count| count == 1.0);
    odd.endpoint.answer("BYE", 200, "");
    talk.reported(1..=5);
    talk.goes_on(&target);
    drop(odd);
    target.survived();
}
