//! A session between two Lync clients, from INVITE to BYE.

use mynah::metrics::names::Series;
use mynah::records::{Ending, Kind};

use crate::harness::client::{LYNC_TEXT, SDP, TYPING, uri};
use crate::harness::{Client, Net, SENT_BY, established};

/// Shards, alice's shard, bob's shard: one shard, the same of two, two of four.
const PLACES: [(u16, u16, u16); 5] = [(1, 0, 0), (2, 1, 1), (2, 0, 1), (2, 1, 0), (4, 3, 2)];

#[test]
fn a_conversation_goes_both_ways_and_is_recorded() {
    for (shards, here, there) in PLACES {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, here, "alice");
        let mut bob = Client::lync(&mut net, there, "bob");
        let began = net.now.unix_ms;
        let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
        net.pass_s(5);
        for text in ["hello bob", "are you there?"] {
            net.send(alice.conn, &alice.say(&mut callers, text));
            let received = net.recv(bob.conn);
            assert_eq!((received.method(), received.body()), ("MESSAGE", text));
            assert_eq!(received.header("Content-Type"), LYNC_TEXT);
            net.send(bob.conn, &received.answer(200, ""));
            let answer = net.recv(alice.conn);
            assert_eq!((answer.status(), answer.cseq()), (200, callers.cseq));
        }
        let typing = bob.within(&mut callees, "INFO").body("application/xml", TYPING);
        net.send(bob.conn, &typing);
        let received = net.recv(alice.conn);
        assert_eq!((received.method(), received.body()), ("INFO", TYPING));
        net.send(alice.conn, &received.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);

        net.send(bob.conn, &bob.say(&mut callees, "hi alice"));
        let received = net.recv(alice.conn);
        assert_eq!(received.body(), "hi alice");
        net.send(alice.conn, &received.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);
        net.open_conversation();

        alice.bye(&mut net, &mut callers, &bob);
        let (started, ended) = net.conversation();
        assert_eq!((started.kind, started.bridged), (Kind::Session, false));
        assert_eq!(started.caller, "alice@example.test");
        assert_eq!(started.callee, "bob@example.test");
        assert_eq!(started.start_unix_ms, began);
        assert_eq!(ended.end.end_unix_ms, began + 5_000);
        assert_eq!((ended.end.messages_from_caller, ended.end.messages_from_callee), (2, 1));
        assert_eq!((ended.end.ending, ended.bridged), (Ending::ByeCaller, false));
        net.at_rest();
        net.silent(&[alice.conn, bob.conn]);
        assert_eq!(net.value(Series::SessionMessages), 3);
        assert_eq!(net.value(Series::SessionsStarted), 1);
        assert_eq!(net.value(Series::SessionsCurrent), 0);
    }
}

#[test]
fn the_callee_may_say_goodbye() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (_, mut callees) = established(&mut net, &mut alice, &mut bob);
    bob.bye(&mut net, &mut callees, &alice);
    assert_eq!(net.conversation().1.end.ending, Ending::ByeCallee);
    net.at_rest();
}

#[test]
fn an_invite_goes_out_with_our_via_and_route_and_its_answer_comes_back_as_it_was() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let invite = alice.invite("bob");
    net.send(alice.conn, &invite);
    let trying = net.recv(alice.conn);
    let (via, from, call) = (invite.value("Via"), invite.value("From"), invite.value("Call-ID"));
    assert_eq!(
        trying.as_str(),
        format!(
            "SIP/2.0 100 Trying\r\n\
             Via: {via}\r\n\
             From: {from}\r\n\
             To: <sip:bob@example.test>\r\n\
             Call-ID: {call}\r\n\
             CSeq: 1 INVITE\r\n\
             Content-Length: 0\r\n\r\n"
        )
    );
    let received = net.recv(bob.conn);
    let route = received.header("Record-Route").to_owned();
    assert!(
        route.starts_with("<sip:s.") && route.ends_with(&format!("@{SENT_BY};transport=tls;lr>"))
    );
    assert_eq!(
        received.as_str(),
        format!(
            "INVITE sip:bob@example.test SIP/2.0\r\n\
             Via: SIP/2.0/TLS {SENT_BY};branch={}\r\n\
             Record-Route: {route}\r\n\
             P-Asserted-Identity: <sip:alice@example.test>\r\n\
             Via: {via}\r\n\
             From: {from}\r\n\
             To: <sip:bob@example.test>\r\n\
             Max-Forwards: 69\r\n\
             CSeq: 1 INVITE\r\n\
             User-Agent: Purple/2.14.12 Sipe/1.25.0 (linux-x86_64)\r\n\
             Call-ID: {call}\r\n\
             Contact: <{}>\r\n\
             Supported: ms-sender\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{SDP}",
            received.branch(),
            alice.contact,
            SDP.len()
        )
    );
    let (answer, _) = bob.accept(&received);
    net.send(bob.conn, &answer);
    let accepted = net.recv(alice.conn);
    assert_eq!(
        accepted.as_str(),
        format!(
            "SIP/2.0 200 OK\r\n\
             Record-Route: {route}\r\n\
             Via: {via}\r\n\
             From: {from}\r\n\
             To: <sip:bob@example.test>;tag={}\r\n\
             CSeq: 1 INVITE\r\n\
             Call-ID: {call}\r\n\
             Contact: <{}>\r\n\
             Content-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{SDP}",
            accepted.to_tag(),
            bob.contact,
            SDP.len()
        )
    );
}

#[test]
fn a_request_finds_its_session_with_our_route_and_without() {
    let mut net = Net::new(4);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 2, "bob");
    let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
    assert_eq!(callers.routes.len(), 1);
    assert_eq!(callers.routes, callees.routes);
    for _ in 0..2 {
        let (first, second) = (alice.conn, bob.conn);
        for (from, to, dialog) in
            [(&mut alice, second, &mut callers), (&mut bob, first, &mut callees)]
        {
            net.send(from.conn, &from.say(dialog, "x"));
            let received = net.recv(to);
            assert_eq!(received.uri(), dialog.target, "the Request-URI passes through");
            assert!(!received.has("Route"));
            net.send(to, &received.answer(200, ""));
            assert_eq!(net.recv(from.conn).status(), 200);
            dialog.routes.clear();
        }
    }
}

#[test]
fn a_message_in_a_session_makes_one_hop_and_its_answer_one() {
    for (shards, here, there) in PLACES {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, here, "alice");
        let mut bob = Client::lync(&mut net, there, "bob");
        let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
        let hops = usize::from(here != there);
        let (first, second) = (alice.conn, bob.conn);
        for (from, to, dialog) in
            [(&mut alice, second, &mut callers), (&mut bob, first, &mut callees)]
        {
            net.hops = 0;
            net.send(from.conn, &from.say(dialog, "x"));
            assert_eq!(net.hops, hops);
            let received = net.recv(to);
            net.send(to, &received.answer(200, ""));
            assert_eq!(net.hops, 2 * hops);
            assert_eq!(net.recv(from.conn).status(), 200);
        }
    }
}

#[test]
fn a_repeated_request_is_answered_alike_and_not_relayed_twice() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let message = alice.say(&mut callers, "once");
    net.send(alice.conn, &message);
    // No answer yet: the repetition is absorbed.
    net.send(alice.conn, &message);
    let received = net.recv(bob.conn);
    net.silent(&[alice.conn, bob.conn]);
    net.send(bob.conn, &received.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
    assert_eq!(net.ask(alice.conn, &message).status(), 200);
    net.silent(&[bob.conn]);
    // An older one is out of order.
    let second = alice.say(&mut callers, "twice");
    net.send(alice.conn, &second);
    assert_eq!(net.recv(bob.conn).body(), "twice");
    assert_eq!(net.ask(alice.conn, &message).status(), 500);
    net.silent(&[bob.conn]);
}

#[test]
fn wrong_tags_are_no_dialog() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
    for method in ["MESSAGE", "INFO", "BYE"] {
        let right = alice.within(&mut callers, method);
        let to = right.value("To").replace(";tag=", ";tag=x");
        assert_eq!(net.ask(alice.conn, &right.clone().with("To", &to)).status(), 481);
        let from = right.value("From").replace(";tag=", ";tag=x");
        assert_eq!(net.ask(alice.conn, &right.with("From", &from)).status(), 481);
    }
    // The other end's tags are not hers.
    let mirrored = bob.within(&mut callees, "BYE");
    let mirrored = mirrored.clone().with("From", &mirrored.value("From").replace("bob@", "alice@"));
    assert_eq!(net.ask(alice.conn, &mirrored).status(), 481);
    net.silent(&[bob.conn]);
    net.open_conversation();
}

#[test]
fn a_route_of_no_session_or_of_somebody_elses_is_no_dialog() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let mut carol = Client::lync(&mut net, 1, "carol");
    let (callers, _) = established(&mut net, &mut alice, &mut bob);
    let (mut others, _) = established(&mut net, &mut carol, &mut bob);
    let unknown = [
        callers.routes[0].clone(),
        format!("<sip:s.00000000270f00000001@{SENT_BY};lr>"),
        format!("<sip:s.0001ffffffffffffffff@{SENT_BY};lr>"),
    ];
    for route in unknown {
        let message = carol.say(&mut others, "x").with("Route", &route);
        assert_eq!(net.ask(carol.conn, &message).status(), 481, "{route}");
    }
    // A token no shard of ours can have made is no route of ours: the dialog tells.
    let foreign = format!("<sip:s.00ff0000000000000001@{SENT_BY};lr>");
    net.send(carol.conn, &carol.say(&mut others, "mine").with("Route", &foreign));
    assert_eq!(net.recv(bob.conn).body(), "mine");
    // All she knows of their dialog does not help her: it is not her connection's.
    let mut stolen = callers.clone();
    let message = carol.say(&mut stolen, "I am alice");
    assert_eq!(net.ask(carol.conn, &message).status(), 481);
    net.silent(&[alice.conn, bob.conn]);
}

#[test]
fn a_second_connection_of_a_user_cannot_speak_in_the_session_of_the_first() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let other = Client::simple(&mut net, 0, "alice");
    assert_eq!(net.ask(other.conn, &alice.say(&mut callers, "x")).status(), 481);
}

#[test]
fn a_new_offer_in_a_session_is_refused_and_the_session_goes_on() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let again = alice.within(&mut callers, "INVITE").body("application/sdp", SDP);
    let refused = net.ask(alice.conn, &again);
    assert_eq!(refused.status(), 488);
    net.send(alice.conn, &alice.ack(&callers));
    net.silent(&[alice.conn, bob.conn]);
    net.send(alice.conn, &alice.say(&mut callers, "still here"));
    assert_eq!(net.recv(bob.conn).body(), "still here");
}

#[test]
fn an_ack_is_passed_once() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (callers, _) = established(&mut net, &mut alice, &mut bob);
    for _ in 0..3 {
        net.send(alice.conn, &alice.ack(&callers));
    }
    net.silent(&[alice.conn, bob.conn]);
}

#[test]
fn refusals_pass_through_and_are_acknowledged_on_the_spot() {
    for (status, ending) in [480, 486, 488, 603].map(|s| (s, Ending::Declined(s))) {
        let mut net = Net::new(2);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let bob = Client::lync(&mut net, 1, "bob");
        let invite = alice.invite("bob");
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        let received = net.recv(bob.conn);
        let refusal = received.answer(status, "b").header("Reason", "SIP;text=\"no\"");
        net.send(bob.conn, &refusal);
        let ack = net.recv(bob.conn);
        assert_eq!((ack.method(), ack.uri()), ("ACK", received.uri()));
        assert_eq!(ack.header("Via"), received.header("Via"));
        assert_eq!(ack.header("To"), "<sip:bob@example.test>;tag=b");
        assert_eq!(ack.header("CSeq"), "1 ACK");
        let answer = net.recv(alice.conn);
        assert_eq!(answer.status(), status);
        assert_eq!(answer.header("Reason"), "SIP;text=\"no\"");
        assert_eq!(answer.headers("Via"), [invite.value("Via")]);
        net.send(alice.conn, &alice.acknowledge(&invite, &answer));
        net.silent(&[alice.conn, bob.conn]);
        let (started, ended) = net.conversation();
        assert_eq!(started.callee, "bob@example.test");
        assert_eq!(ended.end.ending, ending);
        net.at_rest();
    }
}

#[test]
fn an_unknown_user_and_one_who_is_not_there_are_told_apart() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let invite = alice.invite("nobody");
    net.send(alice.conn, &invite);
    assert_eq!(net.recv(alice.conn).status(), 100);
    let unknown = net.recv(alice.conn);
    assert_eq!(unknown.status(), 404);
    assert_eq!(
        unknown.header("ms-diagnostics"),
        "1003;reason=\"User does not exist\";source=\"fe01.example.test\""
    );
    net.send(alice.conn, &alice.acknowledge(&invite, &unknown));
    let invite = alice.invite("bob");
    net.send(alice.conn, &invite);
    net.recv(alice.conn);
    let offline = net.recv(alice.conn);
    assert_eq!(offline.status(), 480);
    assert!(offline.header("ms-diagnostics").starts_with("15030;"));
    let elsewhere = net.ask(alice.conn, &alice.invite("sip:bob@else.test"));
    assert_eq!(elsewhere.status(), 404);
    let endings: Vec<Ending> = net.conversations().1.iter().map(|ended| ended.end.ending).collect();
    assert_eq!(endings, [Ending::Declined(404), Ending::Declined(480)]);
    net.at_rest();
}

#[test]
fn the_look_of_a_client_for_chat_rooms_is_not_recorded() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let invite = alice.invite("ocschat");
    let unknown = net.ask(alice.conn, &invite);
    assert_eq!(unknown.status(), 404);
    net.send(alice.conn, &alice.acknowledge(&invite, &unknown));
    assert!(net.conversations().1.is_empty());
    net.at_rest();
}

#[test]
fn an_invitation_to_anything_but_messages_is_refused() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let audio = "v=0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let call = alice.invite("bob").body("application/sdp", audio);
    assert_eq!(net.ask(alice.conn, &call).status(), 488);
    let empty = alice.invite("bob").without("Content-Type").body("text/plain", "hello");
    let refused = net.ask(alice.conn, &empty);
    assert_eq!((refused.status(), refused.header("Accept")), (415, "application/sdp, text/plain"));
    let bare = alice.request("INVITE", &uri("bob"));
    assert_eq!(net.ask(alice.conn, &bare).status(), 415);
    net.silent(&[bob.conn]);
    net.at_rest();
}

#[test]
fn hops_run_out() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    for request in [alice.invite("bob"), alice.page("bob", "x")] {
        assert_eq!(net.ask(alice.conn, &request.with("Max-Forwards", "0")).status(), 483);
    }
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let last = alice.say(&mut callers, "x").with("Max-Forwards", "0");
    assert_eq!(net.ask(alice.conn, &last).status(), 483);
    let message = alice.say(&mut callers, "x").without("Max-Forwards");
    net.send(alice.conn, &message);
    assert_eq!(net.recv(bob.conn).header("Max-Forwards"), "69");
}

#[test]
fn a_request_that_was_here_before_is_a_loop() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let ours = format!("SIP/2.0/TLS {SENT_BY};branch=z9hG4bK00010000000000000001");
    for method in ["MESSAGE", "INVITE", "REGISTER", "OPTIONS"] {
        let request = alice.request(method, &uri("alice"));
        let via = format!("{}, {ours}", request.value("Via"));
        assert_eq!(net.ask(alice.conn, &request.with("Via", &via)).status(), 482, "{method}");
    }
    // Another's Via below the top one is nothing special.
    let request = alice.request("OPTIONS", &uri("alice"));
    let via = format!("{}, SIP/2.0/TLS pbx.example.test;branch=z9hG4bK1", request.value("Via"));
    assert_eq!(net.ask(alice.conn, &request.with("Via", &via)).status(), 200);
}

#[test]
fn what_is_not_served_is_said_to_be_so() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let statuses = [
        ("OPTIONS", 200),
        ("SUBSCRIBE", 489),
        ("PUBLISH", 489),
        ("SERVICE", 415),
        ("NOTIFY", 481),
        ("BYE", 481),
        ("INFO", 481),
        ("REFER", 481),
        ("CANCEL", 481),
        ("NEGOTIATE", 501),
        ("FOO", 501),
    ];
    for (method, status) in statuses {
        let answer = net.ask(alice.conn, &alice.request(method, &uri("alice")));
        assert_eq!(answer.status(), status, "{method}");
        assert!(status != 501 || answer.has("Allow"));
    }
    let extended = alice.invite("bob").header("Proxy-Require", "foo");
    let refused = net.ask(alice.conn, &extended);
    assert_eq!((refused.status(), refused.header("Unsupported")), (420, "foo"));
    // A stray ACK has no answer.
    net.send(alice.conn, &alice.request("ACK", &uri("alice")));
    net.silent(&[alice.conn]);
}

#[test]
fn a_user_may_invite_his_other_endpoints_but_not_the_one_he_invites_from() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let invite = alice.invite("alice");
    net.send(alice.conn, &invite);
    net.recv(alice.conn);
    assert_eq!(net.recv(alice.conn).status(), 480);
    let device = crate::harness::Device { user: "alice", ms: true, number: 1 };
    let mut other = Client::device(&mut net, 1, device);
    let (mut callers, _) = established(&mut net, &mut alice, &mut other);
    net.send(alice.conn, &alice.say(&mut callers, "note to self"));
    assert_eq!(net.recv(other.conn).body(), "note to self");
}

#[test]
fn a_gruu_rings_one_endpoint_only() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let device = |number| crate::harness::Device { user: "bob", ms: true, number };
    let first = Client::device(&mut net, 0, device(1));
    let second = Client::device(&mut net, 1, device(2));
    let invite = alice.invite(&second.contact);
    net.send(alice.conn, &invite);
    assert_eq!(net.recv(second.conn).uri(), second.contact);
    net.silent(&[first.conn]);
}

#[test]
fn an_end_that_gives_no_contact_is_reached_by_its_address() {
    for contact in ["", "%", "<>", "<sip:b\r\n c@d>", "*"] {
        let mut net = Net::new(2);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, 1, "bob");
        let invite = alice.invite("bob");
        net.send(alice.conn, &invite);
        let offered = net.recv(bob.conn);
        let (answer, _) = bob.accept(&offered);
        let answer = answer.without("Contact");
        let answer = if contact.is_empty() { answer } else { answer.header("Contact", contact) };
        net.send(bob.conn, &answer);
        net.close(alice.conn);
        let bye = std::iter::from_fn(|| net.try_recv(bob.conn)).find(|m| m.method() == "BYE");
        assert_eq!(bye.expect("a BYE").uri(), "sip:bob@example.test", "{contact:?}");
    }
}
