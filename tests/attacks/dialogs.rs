//! Requests that loop, multiply, come twice or belong to nothing, and invitations left half done.

use crate::harness::conference::CCCP;
use crate::outside::endpoint::{Endpoint, head};
use crate::outside::metrics::hits;
use crate::outside::server::DOMAIN;
use crate::outside::session::{SDP, Session};
use crate::outside::stream::{Message, Stream};
use crate::target::Target;

const TEXT: &str = "Content-Type: text/plain\r\n";

/// An invitation of bob by alice.
fn invite(alice: &mut Endpoint) -> String {
    let lines = format!("Contact: {}\r\nContent-Type: application/sdp\r\n", alice.contact());
    alice.request("INVITE", "bob", &lines, SDP)
}

/// The request of this method in the transaction of an INVITE, or in its dialog: `to` is the value
/// of To, if not that of the INVITE.
fn beside(invite: &str, method: &str, to: Option<&str>) -> String {
    let head = invite.split_once("\r\n\r\n").unwrap().0;
    let mut text = String::new();
    for line in head.split("\r\n") {
        let line = match line.split_once(": ") {
            None => line.replacen("INVITE", method, 1),
            Some(("CSeq", value)) => format!("CSeq: {}", value.replace("INVITE", method)),
            Some(("To", value)) => format!("To: {}", to.unwrap_or(value)),
            Some(("Content-Type" | "Contact" | "Content-Length", _)) => continue,
            Some(_) => line.to_owned(),
        };
        text += &format!("{line}\r\n");
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// What the callee sent first that is no provisional answer.
fn status(endpoint: &mut Endpoint) -> u16 {
    endpoint.final_answer().status()
}

#[test]
fn a_request_without_hops_left_or_that_was_here_before_goes_no_further() {
    // 45
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    let mut ask = |change: &dyn Fn(String) -> String, method: &str| {
        let request = match method {
            "INVITE" => invite(&mut alice),
            _ => alice.request("MESSAGE", "bob", TEXT, "once"),
        };
        alice.stream.write(change(request));
        alice.final_answer().status()
    };
    let tired = |request: String| request.replace("Max-Forwards: 70", "Max-Forwards: 0");
    assert_eq!([ask(&tired, "MESSAGE"), ask(&tired, "INVITE")], [483, 483]);

    // The name that the server has in its own Via.
    let own = format!("fe01.{DOMAIN}:{}", target.ready.tls.port());
    let ours = format!("Via: SIP/2.0/TLS {own};branch=z9hG4bK00010000000000000001\r\n");
    let looped = |request: String| request.replace("Max-Forwards", &format!("{ours}Max-Forwards"));
    assert_eq!([ask(&looped, "MESSAGE"), ask(&looped, "INVITE")], [482, 482]);
    let metrics = target.metrics();
    for status in [482, 483] {
        let series = format!("mynah_sip_responses_total{{status=\"{status}\"}}");
        assert_eq!(metrics.value(&series), 2.0, "{status}");
    }

    // Routes that lead back here are followed once, and a request may leave the header out.
    let routes = format!("Route: <sip:{own};transport=tls;lr>\r\n").repeat(20);
    let request = alice.request("MESSAGE", "bob", TEXT, "once");
    let request = request.replace("Max-Forwards: 70\r\n", &routes);
    alice.stream.write(request);
    let received = bob.answer("MESSAGE", 200, "");
    assert_eq!((received.header("Route"), received.header("Max-Forwards")), (None, Some("69")));
    assert_eq!(status(&mut alice), 200);
    assert_eq!(target.metrics().value("mynah_im_pager_messages_total"), 1.0);
    target.survived();
}

#[test]
fn a_message_multiplies_by_the_endpoints_of_one_user_at_most() {
    // 46
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let many: Vec<String> = (1..=9).map(|n| format!("<sip:alice@127.0.0.{n}>")).collect();
    for contacts in [
        format!("Contact: {}\r\n", many.join(", ")),
        many.iter().map(|contact| format!("Contact: {contact}\r\n")).collect(),
    ] {
        assert_eq!(alice.ask("REGISTER", DOMAIN, &contacts, "").status(), 403);
    }
    assert_eq!(target.metrics().hits("endpoints_per_user_max"), 2.0);

    let mut bobs: Vec<Endpoint> = (0..8).map(|_| Endpoint::tls(&target, "bob")).collect();
    let stream = Stream::tls(&target);
    let mut ninth = Endpoint { user: "bob".to_owned(), stream, cseq: 0 };
    assert_eq!(ninth.register("secret").status(), 403);
    assert_eq!(target.metrics().hits("endpoints_per_user_max"), 3.0);
    let message = alice.request("MESSAGE", "bob", TEXT, "to all");
    alice.stream.write(message);
    for bob in &mut bobs {
        assert_eq!(bob.answer("MESSAGE", 200, "").body, b"to all");
    }
    assert_eq!(status(&mut alice), 200);
    // One answer for all, and each had it once.
    assert_eq!(alice.ask("OPTIONS", "alice", "", "").status(), 200);
    for bob in &mut bobs {
        assert_eq!(bob.ask("OPTIONS", "bob", "", "").status(), 200);
    }
    target.survived();
}

#[test]
fn a_request_that_comes_twice_is_done_once() {
    // 50
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    let mut session = Session::open(&mut alice, &mut bob);
    let first = session.request("MESSAGE", TEXT, "first");
    alice.stream.write(first.repeat(2));
    assert_eq!(bob.answer("MESSAGE", 200, "").body, b"first");
    assert_eq!(status(&mut alice), 200);
    alice.stream.write(&first);
    assert_eq!(status(&mut alice), 200, "the same answer again");
    // Numbers may jump ahead, but not back.
    for _ in 0..100_000 {
        session.request("MESSAGE", TEXT, "");
    }
    session.say(&mut alice, &mut bob, "far ahead");
    alice.stream.write(&first);
    assert_eq!(status(&mut alice), 500);
    session.say(&mut alice, &mut bob, "bob has seen none of these");

    let invitation = invite(&mut alice);
    alice.stream.write(invitation.repeat(3));
    let invited = bob.stream.message();
    assert_eq!(invited.method(), "INVITE");
    bob.respond(&invited, 486, "", "");
    assert_eq!(bob.stream.message().method(), "ACK");
    assert_eq!(status(&mut alice), 486);

    let registers: Vec<String> = (0..2)
        .map(|_| {
            let contact = format!("Contact: {}\r\n", alice.contact());
            let request = alice.request("REGISTER", DOMAIN, &contact, "");
            let call = request.split("Call-ID: ").nth(1).unwrap().split("\r\n").next().unwrap();
            request.replace(call, "one-call")
        })
        .collect();
    for (register, expected) in [(1, 200), (0, 500), (1, 200)] {
        alice.stream.write(&registers[register]);
        assert_eq!(status(&mut alice), expected);
    }
    session.close(&mut alice, &mut bob);
    assert_eq!(target.metrics().value("mynah_endpoints_current"), 3.0);
    target.wait_metric("mynah_im_sessions_current", |sessions| sessions == 0.0);
    target.survived();
}

#[test]
fn what_belongs_to_no_dialog_is_told_so_or_dropped() {
    // 51
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    let mut session = Session::open(&mut alice, &mut bob);
    for method in ["MESSAGE", "INFO", "BYE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"] {
        for tag in ["of-alice", "answer"] {
            let lines = format!("Contact: {}\r\nEvent: presence\r\n", alice.contact());
            let request = session.request(method, &lines, "");
            alice.stream.write(request.replace(&format!(";tag={tag}"), ";tag=wrong"));
            let answer = alice.final_answer();
            let told = matches!(answer.status(), 481 | 501) || method == "SUBSCRIBE";
            assert!(told, "{method} {tag}: {}", answer.head);
        }
    }
    for method in ["MESSAGE", "INFO", "BYE"] {
        let request = alice.request(method, "bob", "", "");
        let to = format!("To: <sip:bob@{DOMAIN}>");
        alice.stream.write(request.replace(&to, &format!("{to};tag=of-nobody")));
        assert_eq!(status(&mut alice), 481, "{method}");
    }
    // Answers to nothing, and to what somebody else was asked.
    let before = target.metrics().value("mynah_responses_stray_total");
    let message = session.request("MESSAGE", TEXT, "for bob alone to answer");
    alice.stream.write(message);
    let received = bob.stream.message();
    let mut carol = Endpoint::tls(&target, "carol");
    carol.respond(&received, 200, "", "");
    alice.respond(&received, 200, "", "");
    let strange = head("MESSAGE", DOMAIN, "bob", "alice", 1, "127.0.0.1:9");
    let strange = strange.split_once("\r\n").unwrap().1;
    alice.stream.write(format!("SIP/2.0 200 OK\r\n{strange}Content-Length: 0\r\n\r\n"));
    target.wait_metric("mynah_responses_stray_total", |strays| strays == before + 3.0);
    bob.respond(&received, 202, "", "");
    assert_eq!(status(&mut alice), 202);
    session.say(&mut alice, &mut bob, "it goes on");
    session.close(&mut alice, &mut bob);
    target.survived();
}

/// Fails unless nothing of sessions and requests is kept.
fn nothing_kept(target: &Target) {
    target.wait_metric("mynah_im_sessions_current", |sessions| sessions == 0.0);
    target.wait_metric("mynah_relays_current", |relays| relays == 0.0);
}

#[test]
fn an_invitation_that_is_left_half_done_is_forgotten() {
    // 53
    let target = Target::with_limits("ack_timeout = \"1s\"\nrequest_timeout = \"1s\"");
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    // Never answered.
    let invitation = invite(&mut alice);
    alice.stream.write(&invitation);
    assert_eq!(bob.stream.message().method(), "INVITE");
    assert_eq!(status(&mut alice), 408);
    nothing_kept(&target);
    // Accepted, and never acknowledged: both are told that it is over.
    let accept = |bob: &mut Endpoint| {
        let invited = bob.stream.message();
        assert_eq!(invited.method(), "INVITE", "{}", invited.head);
        let lines = format!("Contact: {}\r\nContent-Type: application/sdp\r\n", bob.contact());
        bob.respond(&invited, 200, &lines, SDP);
        invited
    };
    let invitation = invite(&mut alice);
    alice.stream.write(&invitation);
    accept(&mut bob);
    assert_eq!(status(&mut alice), 200);
    bob.answer("BYE", 200, "");
    alice.answer("BYE", 200, "");
    nothing_kept(&target);
    // BYE before the answer, and CANCEL after it: neither finds anything, and the session is there.
    let invitation = invite(&mut alice);
    alice.stream.write(&invitation);
    let to = format!("<sip:bob@{DOMAIN}>;tag=none-yet");
    alice.stream.write(beside(&invitation, "BYE", Some(&to)));
    assert_eq!(status(&mut alice), 481);
    accept(&mut bob);
    let accepted = alice.final_answer();
    assert_eq!(accepted.status(), 200);
    alice.stream.write(beside(&invitation, "CANCEL", None));
    assert_eq!(status(&mut alice), 481);
    let to = accepted.header("To").unwrap();
    alice.stream.write(beside(&invitation, "ACK", Some(to)));
    assert_eq!(bob.stream.message().method(), "ACK");
    alice.stream.write(beside(&invitation, "BYE", Some(to)).replace("CSeq: ", "CSeq: 1"));
    bob.answer("BYE", 200, "");
    assert_eq!(status(&mut alice), 200);
    nothing_kept(&target);
    target.survived();
}

#[test]
fn who_vanishes_in_the_middle_leaves_nothing() {
    // 53
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    // The callee, with an invitation that rings and a session.
    let mut bob = Endpoint::tls(&target, "bob");
    let _session = Session::open(&mut alice, &mut bob);
    let invitation = invite(&mut alice);
    alice.stream.write(&invitation);
    let invited = bob.stream.message();
    bob.respond(&invited, 180, "", "");
    bob.stream.reset();
    // In either order.
    let mut statuses = Vec::new();
    let mut byes = 0;
    while statuses.is_empty() || byes == 0 {
        let message = alice.stream.message();
        match message.method() {
            "BYE" => {
                byes += 1;
                alice.respond(&message, 200, "", "");
            }
            "SIP/2.0" if message.status() >= 200 => statuses.push(message.status()),
            _ => {}
        }
    }
    assert_eq!(statuses, [480]);
    nothing_kept(&target);
    // The caller, while it rings and while a third person is asked into a conference.
    let mut bob = Endpoint::tls(&target, "bob");
    let invitation = invite(&mut alice);
    alice.stream.write(&invitation);
    let invited = bob.stream.message();
    bob.respond(&invited, 180, "", "");
    let factory = format!("sip:alice@{DOMAIN};gruu;opaque=app:conf:focusfactory");
    let request = alice.request("SERVICE", "alice", &format!("Content-Type: {CCCP}\r\n"), "");
    let own = format!("SERVICE sip:alice@{DOMAIN} ");
    alice.stream.write(request.replace(&own, &format!("SERVICE {factory} ")));
    alice.stream.reset();
    let cancel: Message = bob.stream.message();
    assert_eq!(cancel.method(), "CANCEL", "{}", cancel.head);
    bob.respond(&cancel, 200, "", "");
    bob.respond(&invited, 487, "", "");
    assert_eq!(bob.stream.message().method(), "ACK");
    nothing_kept(&target);
    assert_eq!(target.metrics().value(&hits("request_timeout")), 0.0);
    target.survived();
}
