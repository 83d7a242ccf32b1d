//! Between a Lync client, which holds sessions, and a standard client, which speaks pager mode.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;
use mynah::records::{Ending, Kind};

use crate::harness::client::{LYNC_TEXT, TYPING, uri};
use crate::harness::{Client, Dialog, Net, Request, Text};

/// Alice with a Lync client, bob with a standard one.
fn pair(shards: u16) -> (Net, Client, Client) {
    let mut net = Net::new(shards);
    let alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, shards - 1, "bob");
    (net, alice, bob)
}

/// Alice has a session with the bridge that leads to bob.
fn called(shards: u16) -> (Net, Client, Client, Dialog) {
    let (mut net, mut alice, bob) = pair(shards);
    let invite = alice.invite("bob");
    net.send(alice.conn, &invite);
    assert_eq!(net.recv(alice.conn).status(), 100);
    let accepted = net.recv(alice.conn);
    assert_eq!(accepted.status(), 200, "{accepted:?}");
    let dialog = alice.dialog(&invite, &accepted);
    net.send(alice.conn, &alice.ack(&dialog));
    net.silent(&[alice.conn, bob.conn]);
    (net, alice, bob, dialog)
}

/// Bob has written to alice, whose client rings.
fn paged(net: &mut Net, alice: &Client, bob: &mut Client, text: &str) -> (Request, Text) {
    let message = bob.page("alice", text);
    net.send(bob.conn, &message);
    let invite = net.recv(alice.conn);
    assert_eq!(invite.method(), "INVITE", "{invite:?}");
    (message, invite)
}

/// Bob has written to alice, whose client took the session: the dialog, and the message in it.
fn opened(net: &mut Net, alice: &mut Client, bob: &mut Client, text: &str) -> (Dialog, Text) {
    let (_, invite) = paged(net, alice, bob, text);
    let (answer, dialog) = alice.accept(&invite);
    net.send(alice.conn, &answer);
    assert_eq!(net.recv(alice.conn).method(), "ACK");
    let message = net.recv(alice.conn);
    assert_eq!((message.method(), message.body()), ("MESSAGE", text));
    (dialog, message)
}

#[test]
fn the_bridge_takes_the_call_for_a_user_who_has_no_sessions() {
    for shards in [1, 2, 4] {
        let (mut net, mut alice, _) = pair(shards);
        let invite = alice.invite("bob");
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        let accepted = net.recv(alice.conn);
        assert_eq!(accepted.headers("Via"), [invite.value("Via")]);
        assert_eq!(accepted.header("CSeq"), "1 INVITE");
        assert!(accepted.header("Record-Route").ends_with(";transport=tls;lr>"));
        let contact = accepted.contact();
        assert!(contact.starts_with("sip:bob@example.test;opaque=app:im:"), "{contact}");
        assert!(contact.ends_with(";gruu"));
        assert_eq!(accepted.header("Content-Type"), "application/sdp");
        assert!(accepted.body().contains("m=message 5061 sip null\r\n"));
        assert!(accepted.body().contains("a=accept-types:text/plain\r\n"));
        assert!(!accepted.to_tag().is_empty());
    }
}

#[test]
fn a_session_speaks_to_pager_mode_and_back() {
    for shards in [1, 2, 4] {
        let (mut net, mut alice, mut bob, mut dialog) = called(shards);
        net.open_conversation();
        net.send(alice.conn, &alice.say(&mut dialog, "hello bob"));
        let received = net.recv(bob.conn);
        assert_eq!((received.method(), received.uri()), ("MESSAGE", &*bob.contact));
        assert_eq!(received.body(), "hello bob");
        assert_eq!(received.header("Content-Type"), "text/plain; charset=UTF-8");
        assert!(received.header("From").starts_with("<sip:alice@example.test>;tag="));
        assert_eq!(received.header("To"), "<sip:bob@example.test>");
        assert_eq!(received.headers("P-Asserted-Identity"), ["<sip:alice@example.test>"]);
        net.silent(&[alice.conn]);
        net.send(bob.conn, &received.answer(200, "b"));
        let answer = net.recv(alice.conn);
        assert_eq!((answer.status(), answer.cseq()), (200, dialog.cseq));
        assert_eq!(answer.to_tag(), dialog.remote_tag);

        let reply = bob.page("alice", "hi alice");
        net.send(bob.conn, &reply);
        let received = net.recv(alice.conn);
        assert_eq!((received.method(), received.body()), ("MESSAGE", "hi alice"));
        assert_eq!(received.header("Call-ID"), dialog.call_id);
        assert_eq!(
            (received.from_tag(), received.to_tag()),
            (&*dialog.remote_tag, &*dialog.local_tag)
        );
        assert_eq!(received.header("CSeq"), "1 MESSAGE");
        assert!(received.header("From").starts_with("<sip:bob@example.test>;"));
        net.send(alice.conn, &received.answer(200, ""));
        let answer = net.recv(bob.conn);
        assert_eq!((answer.status(), answer.header("Call-ID")), (200, reply.value("Call-ID")));
        assert!(!answer.to_tag().is_empty());

        net.send(alice.conn, &alice.within(&mut dialog, "BYE"));
        assert_eq!(net.recv(alice.conn).status(), 200);
        net.silent(&[alice.conn, bob.conn]);
        let (started, ended) = net.conversation();
        assert_eq!((started.kind, started.bridged, ended.bridged), (Kind::Session, true, true));
        assert_eq!((ended.end.messages_from_caller, ended.end.messages_from_callee), (1, 1));
        assert_eq!(ended.end.ending, Ending::ByeCaller);
        assert_eq!(net.value(Series::BridgeMessages), 2);
        net.at_rest();
    }
}

#[test]
fn typing_ends_at_the_bridge_and_what_is_not_text_is_refused() {
    let (mut net, mut alice, bob, mut dialog) = called(2);
    let typing = alice.within(&mut dialog, "INFO").body("application/xml", TYPING);
    assert_eq!(net.ask(alice.conn, &typing).status(), 200);
    let composing = alice.within(&mut dialog, "MESSAGE");
    let composing = composing.body("application/im-iscomposing+xml", "<isComposing/>");
    assert_eq!(net.ask(alice.conn, &composing).status(), 200);
    let html = alice.within(&mut dialog, "MESSAGE").body("text/html", "<b>hello</b>");
    let refused = net.ask(alice.conn, &html);
    assert_eq!((refused.status(), refused.has("Accept")), (415, true));
    let refer = alice.within(&mut dialog, "REFER");
    assert_eq!(net.ask(alice.conn, &refer).status(), 405);
    // Each again: the same answer.
    assert_eq!(net.ask(alice.conn, &refer).status(), 405);
    net.silent(&[bob.conn]);
    net.send(alice.conn, &alice.within(&mut dialog, "BYE"));
    assert_eq!(net.conversation().1.end.messages_from_caller, 0);
}

#[test]
fn what_the_pager_mode_client_answers_the_session_is_told() {
    for (status, told) in [(202, 200), (404, 404), (415, 415), (486, 480), (500, 503), (488, 488)] {
        let (mut net, mut alice, bob, mut dialog) = called(2);
        let message = alice.say(&mut dialog, "hello");
        net.send(alice.conn, &message);
        let received = net.recv(bob.conn);
        net.send(bob.conn, &received.answer(status, "b"));
        let answer = net.recv(alice.conn);
        assert_eq!((answer.status(), answer.cseq()), (told, 2), "{status}");
        assert_eq!(answer.headers("Via"), [message.value("Via")]);
        net.at_rest_but_sessions(1);
    }
}

#[test]
fn the_pager_mode_client_is_gone_or_silent() {
    let (mut net, mut alice, bob, mut dialog) = called(2);
    net.send(alice.conn, &alice.say(&mut dialog, "hello"));
    net.recv(bob.conn);
    net.pass_s(33);
    assert_eq!(net.recv(alice.conn).status(), 408);
    net.silent(&[alice.conn]);
    net.send(alice.conn, &alice.say(&mut dialog, "hello?"));
    net.close(bob.conn);
    assert_eq!(net.recv(alice.conn).status(), 480);
    net.send(alice.conn, &alice.say(&mut dialog, "anybody?"));
    assert_eq!(net.recv(alice.conn).status(), 480);
    net.send(alice.conn, &alice.within(&mut dialog, "BYE"));
    assert_eq!(net.recv(alice.conn).status(), 200);
    assert_eq!(net.conversation().1.end.messages_from_caller, 0);
    net.at_rest();
}

#[test]
fn silence_ends_a_bridged_session_that_alice_opened() {
    let (mut net, mut alice, bob, mut dialog) = called(2);
    net.send(alice.conn, &alice.say(&mut dialog, "hello"));
    let received = net.recv(bob.conn);
    net.send(bob.conn, &received.answer(200, "b"));
    net.recv(alice.conn);
    net.pass_s(599);
    net.silent(&[alice.conn]);
    net.pass_s(2);
    let bye = net.recv(alice.conn);
    assert_eq!((bye.method(), bye.from_tag()), ("BYE", &*dialog.remote_tag));
    net.send(alice.conn, &bye.answer(200, ""));
    let (_, ended) = net.conversation();
    assert_eq!((ended.end.ending, ended.bridged), (Ending::Idle, true));
    assert_eq!(ended.end.messages_from_caller, 1);
    net.at_rest();
}

#[test]
fn a_pager_mode_message_opens_a_session_with_a_lync_client() {
    for shards in [1, 2, 4] {
        let (mut net, mut alice, mut bob) = pair(shards);
        let (_, invite) = paged(&mut net, &alice, &mut bob, "hello alice");
        assert_eq!(invite.uri(), "sip:alice@example.test");
        assert!(invite.header("From").starts_with("<sip:bob@example.test>;tag="));
        assert_eq!(invite.header("To"), "<sip:alice@example.test>");
        assert_eq!(invite.headers("P-Asserted-Identity"), ["<sip:bob@example.test>"]);
        assert_eq!(invite.headers("Via").len(), 1);
        assert!(invite.has("Record-Route") && invite.has("Contact"));
        assert!(invite.body().contains("m=message"));
        net.silent(&[alice.conn, bob.conn]);
        let (answer, mut dialog) = alice.accept(&invite);
        net.send(alice.conn, &answer);
        let ack = net.recv(alice.conn);
        assert_eq!((ack.method(), ack.uri()), ("ACK", &*alice.contact));
        assert_eq!(ack.to_tag(), dialog.local_tag);
        let first = net.recv(alice.conn);
        assert_eq!((first.method(), first.body()), ("MESSAGE", "hello alice"));
        assert_eq!((first.uri(), first.header("CSeq")), (&*alice.contact, "2 MESSAGE"));
        assert_eq!(first.header("Call-ID"), dialog.call_id);
        net.silent(&[bob.conn]);
        net.send(alice.conn, &first.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);

        net.send(alice.conn, &alice.say(&mut dialog, "hello bob"));
        let back = net.recv(bob.conn);
        assert_eq!((back.body(), back.uri()), ("hello bob", &*bob.contact));
        net.send(bob.conn, &back.answer(200, "b"));
        assert_eq!(net.recv(alice.conn).status(), 200);
        net.send(alice.conn, &alice.within(&mut dialog, "BYE"));
        assert_eq!(net.recv(alice.conn).status(), 200);
        let (started, ended) = net.conversation();
        assert_eq!((&*started.caller, started.bridged), ("bob@example.test", true));
        assert_eq!((ended.end.messages_from_caller, ended.end.messages_from_callee), (1, 1));
        assert_eq!(ended.end.ending, Ending::ByeCallee);
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn messages_that_wait_for_the_session_arrive_in_order() {
    let (mut net, mut alice, mut bob) = pair(2);
    let (_, invite) = paged(&mut net, &alice, &mut bob, "1");
    for text in ["2", "3"] {
        net.send(bob.conn, &bob.page("alice", text));
    }
    net.silent(&[alice.conn, bob.conn]);
    net.send(alice.conn, &alice.accept(&invite).0);
    assert_eq!(net.recv(alice.conn).method(), "ACK");
    net.send(bob.conn, &bob.page("alice", "4"));
    for (text, cseq) in [("1", 2), ("2", 3), ("3", 4), ("4", 5)] {
        let message = net.recv(alice.conn);
        assert_eq!((message.body(), message.cseq()), (text, cseq));
        net.send(alice.conn, &message.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);
    }
    assert_eq!(net.value(Series::SessionsStarted), 1);
    net.silent(&[alice.conn, bob.conn]);
}

#[test]
fn no_more_messages_wait_than_the_bridge_holds() {
    let mut net = Net::limited(2, |limits| limits.bridge_messages_max = 2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::simple(&mut net, 1, "bob");
    let (_, invite) = paged(&mut net, &alice, &mut bob, "1");
    net.send(bob.conn, &bob.page("alice", "2"));
    let third = bob.page("alice", "3");
    let refused = net.ask(bob.conn, &third);
    assert_eq!(refused.status(), 503);
    assert!(refused.has("Retry-After"));
    assert_eq!(net.hits(Limit::BridgeMessages), 1);
    net.send(alice.conn, &alice.accept(&invite).0);
    net.recv(alice.conn);
    assert_eq!([net.recv(alice.conn).body(), net.recv(alice.conn).body()], ["1", "2"]);
}

#[test]
fn a_refusal_fails_the_messages_that_wait() {
    for (status, told) in [(486, 480), (603, 480), (480, 480), (488, 480)] {
        let (mut net, alice, mut bob) = pair(2);
        let (_, invite) = paged(&mut net, &alice, &mut bob, "1");
        net.send(bob.conn, &bob.page("alice", "2"));
        net.send(alice.conn, &invite.answer(status, "a"));
        assert_eq!(net.recv(alice.conn).method(), "ACK");
        assert_eq!([net.recv(bob.conn).status(), net.recv(bob.conn).status()], [told, told]);
        let (started, ended) = net.conversation();
        assert_eq!((started.bridged, ended.end.ending), (true, Ending::Declined(status)));
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
        // The next message tries anew.
        paged(&mut net, &alice, &mut bob, "3");
    }
}

#[test]
fn an_endpoint_that_does_not_answer_or_is_lost_fails_the_messages_that_wait() {
    let (mut net, alice, mut bob) = pair(2);
    paged(&mut net, &alice, &mut bob, "1");
    net.pass_s(33);
    assert_eq!(net.recv(bob.conn).status(), 408);
    assert_eq!(net.conversation().1.end.ending, Ending::NoAnswer);
    net.at_rest();

    let (mut net, alice, mut bob) = pair(2);
    paged(&mut net, &alice, &mut bob, "1");
    net.close(alice.conn);
    assert_eq!(net.recv(bob.conn).status(), 480);
    assert_eq!(net.conversation().1.end.ending, Ending::Declined(480));
    net.at_rest();
}

#[test]
fn a_session_whose_lync_end_is_lost_fails_what_is_on_its_way() {
    let (mut net, mut alice, mut bob) = pair(2);
    let (_, first) = opened(&mut net, &mut alice, &mut bob, "1");
    net.send(alice.conn, &first.answer(200, ""));
    net.recv(bob.conn);
    net.send(bob.conn, &bob.page("alice", "2"));
    net.close(alice.conn);
    assert_eq!(net.recv(bob.conn).status(), 480);
    let ended = net.conversation().1.end;
    assert_eq!(ended.ending, Ending::ConnectionLostCallee);
    assert_eq!(ended.messages_from_caller, 1);
    net.at_rest();
}

#[test]
fn an_old_dialog_at_the_client_is_given_up_and_a_new_one_opened() {
    let (mut net, mut alice, mut bob) = pair(2);
    let (_, first) = opened(&mut net, &mut alice, &mut bob, "1");
    net.send(alice.conn, &first.answer(481, ""));
    assert_eq!(net.recv(bob.conn).status(), 480);
    let bye = net.recv(alice.conn);
    assert_eq!(bye.method(), "BYE");
    net.send(alice.conn, &bye.answer(481, ""));
    let (_, second) = opened(&mut net, &mut alice, &mut bob, "2");
    net.send(alice.conn, &second.answer(200, ""));
    assert_eq!(net.recv(bob.conn).status(), 200);
}

#[test]
fn a_session_that_the_client_opened_carries_the_answers() {
    // Alice called; bob's messages go into that session instead of opening another.
    let (mut net, alice, mut bob, dialog) = called(4);
    for text in ["one", "two"] {
        net.send(bob.conn, &bob.page("alice", text));
        let message = net.recv(alice.conn);
        assert_eq!((message.method(), message.body()), ("MESSAGE", text));
        assert_eq!(message.header("Call-ID"), dialog.call_id);
        net.send(alice.conn, &message.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);
    }
    assert_eq!(net.value(Series::SessionsStarted), 1);
}

#[test]
fn a_message_that_finds_its_bridge_gone_opens_a_new_one() {
    // The session is alice's shard's, the knowledge of it her home's: between the two the
    // goodbye and the message pass each other.
    for shards in [2, 4] {
        let home = mynah::base::aor::Aor::new("alice@example.test").home(shards).0;
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, (home + 1) % shards, "alice");
        let mut bob = Client::simple(&mut net, home, "bob");
        let invite = alice.invite("bob");
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        let accepted = net.recv(alice.conn);
        let mut dialog = alice.dialog(&invite, &accepted);
        net.send(alice.conn, &alice.ack(&dialog));

        net.write(bob.conn, &bob.page("alice", "wait").octets());
        net.write(alice.conn, &alice.within(&mut dialog, "BYE").octets());
        net.settle();
        assert_eq!(net.recv(alice.conn).status(), 200);
        let again = net.recv(alice.conn);
        assert_eq!(again.method(), "INVITE");
        assert_ne!(again.header("Call-ID"), dialog.call_id);
        net.send(alice.conn, &alice.accept(&again).0);
        net.recv(alice.conn);
        let message = net.recv(alice.conn);
        assert_eq!(message.body(), "wait");
        net.send(alice.conn, &message.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);
    }
}

#[test]
fn typing_of_a_pager_mode_client_opens_no_session() {
    let (mut net, mut alice, mut bob) = pair(2);
    let composing = |bob: &mut Client| {
        bob.request("MESSAGE", &uri("alice"))
            .body("application/im-iscomposing+xml", "<isComposing/>")
    };
    assert_eq!(net.ask(bob.conn, &composing(&mut bob)).status(), 200);
    net.silent(&[alice.conn]);
    let html = bob.request("MESSAGE", &uri("alice")).body("text/html", "<b>x</b>");
    assert_eq!(net.ask(bob.conn, &html).status(), 415);
    net.silent(&[alice.conn]);
    let (_, first) = opened(&mut net, &mut alice, &mut bob, "1");
    net.send(alice.conn, &first.answer(200, ""));
    net.recv(bob.conn);
    assert_eq!(net.ask(bob.conn, &composing(&mut bob)).status(), 200);
    net.silent(&[alice.conn]);
    // A Lync client's own plain text has parameters; they stay behind.
    let text = bob.request("MESSAGE", &uri("alice")).body(LYNC_TEXT, "2");
    net.send(bob.conn, &text);
    let second = net.recv(alice.conn);
    assert_eq!((second.body(), second.header("Content-Type")), ("2", "text/plain; charset=UTF-8"));
}

#[test]
fn only_sessions_are_offered_to_a_user_who_has_both() {
    let (mut net, mut alice, _) = pair(2);
    let lync = Client::lync(&mut net, 0, "bob");
    net.send(alice.conn, &alice.invite("bob"));
    assert_eq!(net.recv(lync.conn).method(), "INVITE");
    assert_eq!(net.recv(alice.conn).status(), 100);
    net.silent(&[alice.conn]);
}

#[test]
fn two_conversations_of_one_user_do_not_mix() {
    let (mut net, mut alice, mut bob) = pair(4);
    let mut carol = Client::simple(&mut net, 1, "carol");
    let (mut with_bob, first) = opened(&mut net, &mut alice, &mut bob, "from bob");
    let (mut with_carol, second) = opened(&mut net, &mut alice, &mut carol, "from carol");
    net.send(alice.conn, &first.answer(200, ""));
    net.send(alice.conn, &second.answer(200, ""));
    assert_eq!([net.recv(bob.conn).status(), net.recv(carol.conn).status()], [200, 200]);
    net.send(alice.conn, &alice.say(&mut with_bob, "to bob"));
    net.send(alice.conn, &alice.say(&mut with_carol, "to carol"));
    assert_eq!(net.recv(bob.conn).body(), "to bob");
    assert_eq!(net.recv(carol.conn).body(), "to carol");
    net.silent(&[bob.conn, carol.conn]);
}
