//! Operations of those who may not.

use super::{
    ID, Member, ask, c3p, convened, factory, invite, newcomer, nothing_left, operator, service,
    standing, typed, watch, wish,
};
use crate::harness::conference::{CCCP, Meeting};
use crate::outside::endpoint::Endpoint;
use crate::outside::stream::Message;
use crate::target::Target;

/// Everything that presenters alone may do.
fn operations(meeting: &Meeting) -> Vec<String> {
    vec![
        meeting.eject("alice"),
        meeting.eject("carol"),
        meeting.eject("nobody"),
        meeting.set_role("bob", "presenter"),
        meeting.set_role("alice", "attendee"),
        meeting.lock(true),
        meeting.lock(false),
        meeting.admit("carol", true),
        meeting.admit("carol", false),
        meeting.invite("dave", "presenter"),
        modification(meeting),
        meeting.end(),
    ]
}

fn modification(meeting: &Meeting) -> String {
    wish(ID, "<subject>mine</subject>", "")
        .replace("addConference", "modifyConference")
        .replace("entity=\"\"", &format!("entity=\"{}\"", meeting.focus))
}

/// Fails unless it is refused, in both languages.
#[track_caller]
fn refused(answer: &Message, status: u16, reason: &str, wanted: &str) {
    assert_eq!(answer.status(), status, "{wanted}: {}", answer.head);
    assert!(answer.header("Warning").is_some(), "{}", answer.head);
    let body = String::from_utf8_lossy(&answer.body);
    assert!(body.contains("code=\"failure\""), "{wanted}: {body}");
    assert!(body.contains(&format!("reason=\"{reason}\"")), "{wanted}: {body}");
}

#[test]
fn who_is_no_presenter_changes_nothing() {
    // 54
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    let mut bob = Member::at_focus(Endpoint::tls(&target, "bob"), &meeting);
    let mut stranger = Endpoint::tls(&target, "carol");
    let before = standing(&target);
    for operation in operations(&meeting) {
        refused(&bob.operate(&operation), 403, "unauthorized", &operation);
        let answer = service(&mut bob.endpoint, &meeting.focus, &operation);
        refused(&answer, 403, "unauthorized", &operation);
        let answer = service(&mut stranger, &meeting.focus, &operation);
        refused(&answer, 403, "unauthorized", &operation);
    }
    for refer_to in ["<sip:carol@example.test>", "<sip:alice@example.test;method=BYE>"] {
        let lines = format!("Refer-To: {refer_to}\r\n");
        assert_eq!(bob.ask("REFER", &lines, "").status(), 403, "{refer_to}");
        assert_eq!(ask(&mut stranger, "REFER", &meeting.focus, &lines, "").status(), 403);
    }
    // What is asked about it is told to members alone.
    let get = format!("<getConference>{}</getConference>", meeting.keys());
    refused(&service(&mut stranger, &meeting.focus, &get), 403, "unauthorized", &get);
    assert_eq!(service(&mut bob.endpoint, &meeting.focus, &get).status(), 200);
    // The factory makes conferences of its sender, and changes none of others.
    for operation in [get, meeting.end(), modification(&meeting)] {
        for sender in [&mut stranger, &mut bob.endpoint] {
            for at in ["alice", "bob", "carol"] {
                let answer = service(sender, &factory(at), &operation);
                refused(&answer, 404, "conferenceDoesntExist", &operation);
                let by_name = operation
                    .replace(&meeting.focus, "")
                    .replace("confEntity=", &format!("conference-id=\"{ID}\" confEntity="));
                let answer = service(sender, &factory(at), &by_name);
                refused(&answer, 404, "conferenceDoesntExist", &by_name);
            }
        }
    }
    assert_eq!(standing(&target), before);
    assert_eq!(alice.say("still here").status(), 202);
    alice.leave();
    bob.leave();
    nothing_left(&target);
    target.survived();
}

#[test]
fn nobody_asks_in_the_name_of_another() {
    // 33, 34
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    let mut bob = Member::at_focus(Endpoint::tls(&target, "bob"), &meeting);
    let before = standing(&target);
    for operation in operations(&meeting) {
        let body = c3p("alice", &meeting.focus, &operation);
        let answer = bob.ask("INFO", &typed(CCCP), &body);
        assert_eq!(answer.status(), 403, "{operation}: {}", answer.head);
        let answer = ask(&mut bob.endpoint, "SERVICE", &meeting.focus, &typed(CCCP), &body);
        assert_eq!(answer.status(), 403, "{operation}: {}", answer.head);
        let asserted = format!("{}P-Asserted-Identity: <sip:alice@example.test>\r\n", typed(CCCP));
        let body = c3p("bob", &meeting.focus, &operation);
        assert_eq!(bob.ask("INFO", &asserted, &body).status(), 403, "{operation}");
    }
    let body = c3p("alice", &factory("alice"), &wish(&ID.replace('C', "D"), "", ""));
    let answer = ask(&mut bob.endpoint, "SERVICE", &factory("alice"), &typed(CCCP), &body);
    assert_eq!(answer.status(), 403, "{}", answer.head);
    assert_eq!(standing(&target), before);
    assert_eq!(operator(&target, &["conference", "list"])["total"], 1);
    assert_eq!(alice.say("still here").status(), 202);
    target.survived();
}

#[test]
fn what_is_forged_in_a_message_reaches_nobody() {
    // 34
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    let mut bob = Member::join(Endpoint::tls(&target, "bob"), &meeting);
    newcomer(&target, "dave");
    let mut dave = Endpoint::tls(&target, "dave");
    let forged = "Ms-Sender: <sip:alice@example.test>\r\n\
                  P-Asserted-Identity: <sip:alice@example.test>\r\n\
                  ms-edge-proxy-message-trust: ms-source-type=AutoFederation\r\n\
                  Message-Id: 77\r\nX-Odd: odd\r\nContent-Type: text/plain\r\n";
    assert_eq!(bob.ask("MESSAGE", forged, "in the dialog").status(), 202);
    let heard = alice.hears("in the dialog");
    assert_eq!(heard.headers("Ms-Sender"), ["<sip:bob@example.test>"]);
    for name in ["P-Asserted-Identity", "ms-edge-proxy-message-trust", "Message-Id", "X-Odd"] {
        assert_eq!(heard.header(name), None, "{}", heard.head);
    }
    let answer = ask(&mut dave, "MESSAGE", &meeting.chat, forged, "in pager mode");
    assert_eq!(answer.status(), 202, "{}", answer.head);
    for member in [&mut alice, &mut bob] {
        let heard = member.hears("in pager mode");
        assert_eq!(heard.headers("Ms-Sender"), ["<sip:dave@example.test>"]);
        assert_eq!(heard.header("P-Asserted-Identity"), None, "{}", heard.head);
    }
    // A type that would end the header, or the message.
    for content_type in
        ["text/plain\r\n Ms-Sender: x", "text/plain;x=\"\u{1}\"", "", "\u{85}/\u{85}"]
    {
        let lines = format!("Content-Type: {content_type}\r\n");
        let answer = bob.ask("MESSAGE", &lines, "odd");
        assert!(matches!(answer.status(), 202 | 400 | 415), "{content_type:?}: {}", answer.head);
    }
    assert_eq!(bob.say("last").status(), 202);
    loop {
        let heard = alice.wait("MESSAGE");
        assert_eq!(heard.headers("Ms-Sender"), ["<sip:bob@example.test>"], "{}", heard.head);
        if heard.body == b"last" {
            break;
        }
    }
    target.survived();
}

#[test]
fn a_dialog_is_of_its_connection_alone() {
    // 51
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    let mut bob = Member::join(Endpoint::tls(&target, "bob"), &meeting);
    let mut second = Endpoint::tls(&target, "bob");
    let mut carol = Member::join(Endpoint::tls(&target, "carol"), &meeting);
    for method in ["MESSAGE", "BYE", "INFO", "INVITE", "REFER"] {
        let request = bob.dialog.request(method, "Content-Type: text/plain\r\n", "hello");
        // From another connection of his, and from others, as himself and as they.
        second.stream.write(&request);
        assert_eq!(second.final_answer().status(), 481, "{method}");
        assert_eq!(carol.send(request.clone()).status(), 403, "{method}");
        let taken = request.replace("From: <sip:bob@", "From: <sip:carol@");
        assert_eq!(carol.send(taken).status(), 481, "{method}");
        // With wrong tags.
        for (tag, wrong) in [(";tag=of-bob", ";tag=of-bo"), ("To: ", "To: <sip:x@y>;tag=1\r\nX: ")]
        {
            let wrong = request.replacen(tag, wrong, 1);
            assert_eq!(bob.send(wrong).status(), 481, "{method}");
        }
        let wrong = request.replacen("Call-ID: ", "Call-ID: 1", 1);
        assert_eq!(bob.send(wrong).status(), 481, "{method}");
        assert_eq!(watch_in(&mut bob).status(), 481);
    }
    // A sequence number that was there already.
    assert_eq!(bob.say("once").status(), 202);
    bob.dialog.cseq -= 1;
    assert_eq!(bob.say("twice").status(), 500);
    alice.hears("once");
    assert_eq!(bob.say("and on").status(), 202);
    alice.hears("and on");
    carol.hears("once");
    carol.hears("and on");
    assert_eq!(standing(&target)["members"].as_array().map(Vec::len), Some(3));
    target.survived();
}

/// A subscription within a dialog that is none.
fn watch_in(member: &mut Member) -> Message {
    let contact = member.endpoint.contact();
    let lines = format!("Contact: {contact}\r\nEvent: conference\r\n");
    let request = member.dialog.request("SUBSCRIBE", &lines, "");
    member.send(request)
}

#[test]
fn messages_that_have_passed_here_before_go_no_further() {
    // 45
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::join(alice, &meeting);
    let mut bob = Member::join(Endpoint::tls(&target, "bob"), &meeting);
    assert_eq!(alice.say("hello").status(), 202);
    // What the server sent comes back to it, with all its Via.
    let ours = bob.hears("hello").header("Via").unwrap().to_owned();
    let looped = bob.dialog.request("MESSAGE", "Content-Type: text/plain\r\n", "again");
    let looped = looped.replacen("Max-Forwards", &format!("Via: {ours}\r\nMax-Forwards"), 1);
    assert_eq!(bob.send(looped).status(), 482);
    let request = super::outside(
        &mut bob.endpoint,
        "MESSAGE",
        &meeting.chat,
        "Content-Type: text/plain\r\n",
        "again",
    );
    let looped = request.replacen("Max-Forwards", &format!("Via: {ours}\r\nMax-Forwards"), 1);
    assert_eq!(bob.send(looped).status(), 482);
    let tired = request.replacen("Max-Forwards: 70", "Max-Forwards: 0", 1);
    assert_eq!(bob.send(tired).status(), 483);
    let many = request.replacen(
        "Max-Forwards",
        &format!("{}Max-Forwards", "Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK-1\r\n".repeat(300)),
        1,
    );
    bob.endpoint.stream.write(many);
    let answer = bob.final_answer();
    assert!(matches!(answer.status(), 400 | 413 | 483), "{}", answer.head);
    assert_eq!(target.metrics().value("mynah_conference_messages_total"), 1.0);
    assert_eq!(invite(&mut alice.endpoint, &meeting.chat).status(), 200);
    assert_eq!(watch(&mut alice.endpoint, &meeting.focus, 0).status(), 200);
    target.survived();
}
