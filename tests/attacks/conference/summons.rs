//! Invitations to conferences that are none, REFER to whatever there is and is not, and clients
//! that answer by themselves.

use super::{Member, ask, convened, newcomer, nothing_left, outside, standing, typed};
use crate::harness::conference::{CONF_INVITE, Meeting};
use crate::outside::endpoint::Endpoint;
use crate::outside::server::DOMAIN;
use crate::outside::stream::Message;
use crate::target::Target;

/// The body of an invitation to this focus.
fn invitation(focus: &str) -> String {
    format!(
        "<Conferencing version=\"2.0\"><focus-uri>{focus}</focus-uri><subject>x</subject>\
         <im available=\"true\"><first-im/></im></Conferencing>"
    )
}

/// Asks bob in, by an invitation with this body.
fn summon(sender: &mut Endpoint, body: &str) -> Message {
    let lines = format!("Contact: {}\r\n{}", sender.contact(), typed(CONF_INVITE));
    sender.ask("INVITE", "bob", &lines, body)
}

#[test]
fn invitations_that_cannot_be_read_are_refused() {
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let bob = Endpoint::tls(&target, "bob");
    let whole = invitation(&meeting.focus);
    for body in [
        String::new(),
        "no xml".to_owned(),
        whole.replace("focus-uri", "focus"),
        whole.replace("</Conferencing>", ""),
        format!("<!DOCTYPE a [<!ENTITY x \"y\">]>{whole}"),
        invitation(""),
        invitation("sip:"),
        invitation("tel:+1"),
        invitation("sip:bob@example.test"),
        invitation(&meeting.chat),
        invitation(&format!("sip:alice@{DOMAIN};gruu;opaque=app:conf:focusfactory")),
        invitation(&meeting.focus.replace("id:", "id:Z")),
        invitation(&format!("{}&#13;&#10;X: y", meeting.focus)),
        format!("<a>{}", "x".repeat(200_000)),
        "<a>".repeat(80_000),
    ] {
        let answer = summon(&mut alice, &body);
        let start = body.chars().take(200).collect::<String>();
        assert_eq!(answer.status(), 400, "{start}: {}", answer.head);
    }
    drop((alice, bob));
    nothing_left(&target);
    target.survived();
}

#[test]
fn invitations_to_what_is_not_here_bring_nobody_in() {
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    let before = standing(&target);
    let bob = Endpoint::tls(&target, "bob");
    let foreign = meeting.focus.replace(DOMAIN, "example.org");
    let nobodys = Meeting::of("nobody", &meeting.id).focus;
    let unknown = meeting.focus.replace("C71C", "D71C");
    for focus in [foreign, nobodys, unknown] {
        let answer = summon(&mut alice.endpoint, &invitation(&focus));
        assert!(answer.status() >= 400, "{focus}: {}", answer.head);
    }
    assert_eq!(standing(&target), before);
    assert_eq!(alice.say("hello").status(), 202);
    alice.leave();
    drop(bob);
    nothing_left(&target);
    target.survived();
}

#[test]
fn a_refer_names_somebody_here() {
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::at_focus(alice, &meeting);
    let before = standing(&target);
    let long = format!("<sip:{}@{DOMAIN}>", "x".repeat(7_000));
    for (refer_to, status) in [
        ("", 400),
        ("<", 400),
        ("<sip:bob@example.test", 400),
        ("<sip:example.test>", 400),
        ("<tel:+1234>", 400),
        ("<http://127.0.0.1/>", 400),
        ("<sip:bob@example.test;method=MESSAGE>", 400),
        ("\"<sip:bob@example.test>", 400),
        ("<sip:bob@example.org>", 404),
        ("<sip:nobody@example.test;method=BYE>", 404),
        ("<sip:alice@example.test;method=BYE>", 403),
    ] {
        let lines = format!("Refer-To: {refer_to}\r\n");
        let answer = alice.ask("REFER", &lines, "");
        assert_eq!(answer.status(), status, "{refer_to}: {}", answer.head);
        let answer = ask(&mut alice.endpoint, "REFER", &meeting.focus, &lines, "");
        assert_eq!(answer.status(), status, "{refer_to}: {}", answer.head);
    }
    assert_eq!(alice.ask("REFER", "", "").status(), 400);
    assert_eq!(standing(&target), before);
    // To oneself: she is in, and nobody rings.
    let lines = "Refer-To: <sip:alice@example.test>\r\n";
    assert_eq!(alice.ask("REFER", lines, "").status(), 202);
    let told = alice.wait("NOTIFY");
    assert!(told.body.starts_with(b"SIP/2.0 200"), "{told:?}");
    assert_eq!(standing(&target), before);
    let answer = alice.ask("REFER", &format!("Refer-To: {long}\r\n"), "");
    assert!(matches!(answer.status(), 202 | 400 | 413), "{}", answer.head);
    // To nobody, who is not found.
    assert_eq!(alice.ask("REFER", "Refer-To: <sip:nobody@example.test>\r\n", "").status(), 202);
    while !alice.wait("NOTIFY").body.starts_with(b"SIP/2.0 404") {}
    alice.leave();
    nothing_left(&target);
    target.survived();
}

#[test]
fn a_thousand_refers_are_bounded_and_leave_nothing() {
    // 54
    let target = Target::with_limits("request_timeout = \"3s\"\nconference_invited_max = 400");
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::at_focus(alice, &meeting);
    let mut carol = Endpoint::tls(&target, "carol");
    let bob = Endpoint::tls(&target, "bob");
    // To others and others, to one who comes at once, and to one who is nobody. She answers none
    // of the notifications.
    let mut flood = |to: &dyn Fn(usize) -> String| {
        let mut statuses = [0; 2];
        for chunk in 0..40 {
            let requests: String = (0..25)
                .map(|n| {
                    let lines = format!("Refer-To: <sip:{}@{DOMAIN}>\r\n", to(chunk * 25 + n));
                    alice.dialog.request("REFER", &lines, "")
                })
                .collect();
            alice.endpoint.stream.write(requests);
            let mut left = 25;
            while left > 0 {
                let message = alice.endpoint.stream.message();
                if message.method() == "SIP/2.0" {
                    statuses[usize::from(message.status() != 202)] += 1;
                    left -= 1;
                }
            }
        }
        statuses
    };
    assert_eq!(flood(&|n| format!("u{n}")), [400, 600]);
    assert_eq!(target.metrics().hits("conference_invited_max"), 600.0);
    assert_eq!(flood(&|_| "u1".to_owned()), [1000, 0]);
    assert_eq!(flood(&|_| "bob".to_owned()), [0, 1000]);
    let answer = carol.ask("OPTIONS", "carol", "", "");
    assert_eq!(answer.status(), 200);
    target.wait_metric("mynah_im_sessions_current", |sessions| sessions == 0.0);
    target.wait_metric("mynah_relays_current", |relays| relays == 0.0);
    drop((alice, bob, carol));
    nothing_left(&target);
    target.survived();
}

/// A client whose user is away: whatever it gets, it answers with a message of its own.
struct Robot {
    endpoint: Endpoint,
    /// Messages of its own, answers to them, and how many of these were good.
    said: usize,
    answered: usize,
    accepted: usize,
    /// Messages that it got.
    heard: usize,
}

impl Robot {
    fn new(target: &Target, user: &str) -> Self {
        let endpoint = Endpoint::tls(target, user);
        Robot { endpoint, said: 0, answered: 0, accepted: 0, heard: 0 }
    }

    fn say(&mut self, to: &str) {
        let text = "I am away";
        let request = outside(&mut self.endpoint, "MESSAGE", to, &typed("text/plain"), text);
        self.endpoint.stream.write(request);
        self.said += 1;
    }

    /// Takes whatever comes next.
    fn step(&mut self) {
        let message = self.endpoint.stream.message();
        if message.method() == "MESSAGE" {
            self.heard += 1;
            self.endpoint.respond(&message, 200, "", "");
            let from = message.header("From").unwrap();
            return self.say(from.trim_start_matches('<').split('>').next().unwrap());
        }
        assert!(matches!(message.status(), 202 | 503), "{}", message.head);
        self.answered += 1;
        self.accepted += usize::from(message.status() == 202);
    }

    /// True if something is still to come: an answer, or what the other has said.
    fn waits(&self, other: &Robot) -> bool {
        self.answered < self.said || self.heard < other.accepted
    }
}

#[test]
fn clients_that_answer_one_another_by_themselves_come_to_rest() {
    // 52
    let target =
        Target::with_limits("conference_burst_max = 20\nconference_messages_per_second_max = 1");
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    newcomer(&target, "dave");
    let mut bob = Robot::new(&target, "bob");
    let mut dave = Robot::new(&target, "dave");
    bob.say(&meeting.chat);
    bob.step();
    dave.say(&meeting.chat);
    loop {
        if bob.waits(&dave) {
            bob.step();
        } else if dave.waits(&bob) {
            dave.step();
        } else {
            break;
        }
        assert!(bob.said + dave.said < 10_000, "they go on for ever");
    }
    let accepted = (bob.accepted + dave.accepted) as f64;
    assert!(accepted > 20.0, "{accepted}");
    let metrics = target.metrics();
    assert_eq!(metrics.value("mynah_conference_messages_total"), accepted);
    assert!(metrics.hits("conference_messages_per_second_max") > 0.0);
    // She who is no robot has heard all of it, and speaks.
    assert_eq!(alice.say("enough").status(), 202);
    (0..bob.accepted + dave.accepted).for_each(|_| drop(alice.hears("I am away")));
    target.survived();
}
