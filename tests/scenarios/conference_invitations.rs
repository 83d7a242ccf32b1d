//! Invitations to a conference, as a Lync client sends them.

use mynah::metrics::names::Series;

use crate::harness::client::uri;
use crate::harness::conference::{
    CONF_INVITE, Meeting, Wish, convened, heard, id_at, left, nothing_left, said, seated,
};
use crate::harness::{Client, Device, Net, Request, established};

/// An invitation to this conference.
fn summons(client: &mut Client, user: &str, meeting: &Meeting) -> Request {
    let request = client.request("INVITE", &uri(user)).header("Supported", "ms-sender");
    request.body(CONF_INVITE, &meeting.invitation())
}

#[test]
fn an_invitation_rings_and_ends_with_its_acknowledgement() {
    for (shards, here, there) in [(1, 0, 0), (2, 0, 1), (4, 3, 2)] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, here, "alice");
        let mut bob = Client::lync(&mut net, there, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        seated(&mut net, &mut alice, &meeting);
        let invite = summons(&mut alice, "bob", &meeting);
        net.send(alice.conn, &invite);
        assert_eq!(net.recv(alice.conn).status(), 100);
        let received = net.recv(bob.conn);
        assert_eq!(received.header("Content-Type"), CONF_INVITE);
        assert_eq!(received.body(), meeting.invitation());
        let answer = received.answer(200, "b").header("Contact", &format!("<{}>", bob.contact));
        net.send(bob.conn, &answer);
        let accepted = net.recv(alice.conn);
        assert_eq!(accepted.status(), 200);
        let dialog = alice.dialog(&invite, &accepted);
        net.send(alice.conn, &alice.ack(&dialog));
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
        assert_eq!(net.value(Series::SessionsCurrent), 0);
        assert!(net.conversations().0.is_empty(), "an invitation is nobody's conversation");
        seated(&mut net, &mut bob, &meeting);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
    }
}

#[test]
fn a_conversation_of_two_becomes_a_conference() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        let invite = summons(&mut alice, "bob", &meeting);
        net.send(alice.conn, &invite);
        assert_eq!(net.recv(alice.conn).status(), 100);
        let received = net.recv(bob.conn);
        let answer = received.answer(200, "b").header("Contact", &format!("<{}>", bob.contact));
        net.send(bob.conn, &answer);
        let accepted = net.recv(alice.conn);
        let dialog = alice.dialog(&invite, &accepted);
        // Bob types on while alice switches, and alice says goodbye.
        let mut his = seated(&mut net, &mut bob, &meeting);
        net.post(bob.conn, &bob.say(&mut callees, "the old way"));
        net.post(alice.conn, &alice.ack(&dialog));
        net.settle();
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        assert_eq!(heard(&mut net, &alice).body(), "the old way");
        assert_eq!(net.recv(bob.conn).status(), 200);
        alice.bye(&mut net, &mut callers, &bob);
        said(&mut net, &mut bob, &mut his.chat, "the new way");
        assert_eq!(heard(&mut net, &alice).body(), "the new way");
        said(&mut net, &mut alice, &mut seat.chat, "good");
        assert_eq!(heard(&mut net, &bob).body(), "good");
        let (_, ended) = net.conversation();
        assert_eq!((ended.end.messages_from_caller, ended.end.messages_from_callee), (0, 1));
        net.at_rest();
    }
}

#[test]
fn an_invitation_rings_all_endpoints_of_the_ms_dialect() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let device = |ms, number| Device { user: "bob", ms, number };
    let first = Client::device(&mut net, 0, device(true, 0));
    let second = Client::device(&mut net, 1, device(true, 1));
    let standard = Client::device(&mut net, 1, device(false, 2));
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let invite = summons(&mut alice, "bob", &meeting);
    net.send(alice.conn, &invite);
    assert_eq!(net.recv(alice.conn).status(), 100);
    let received = net.recv(first.conn);
    let rings = net.recv(second.conn);
    net.send(second.conn, &rings.answer(180, "c"));
    assert_eq!(net.recv(alice.conn).status(), 180);
    net.silent(&[standard.conn]);
    let answer = received.answer(200, "b").header("Contact", &format!("<{}>", first.contact));
    net.send(first.conn, &answer);
    let cancel = net.recv(second.conn);
    assert_eq!(cancel.method(), "CANCEL");
    let accepted = net.recv(alice.conn);
    let dialog = alice.dialog(&invite, &accepted);
    net.send(alice.conn, &alice.ack(&dialog));
    assert_eq!(net.recv(first.conn).method(), "ACK");
    net.silent(&[standard.conn]);
    assert!(net.conversations().0.is_empty());
    assert_eq!(net.value(Series::SessionsCurrent), 0);
}

#[test]
fn an_invitation_that_is_declined_is_over() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let bob = Client::lync(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let invite = summons(&mut alice, "bob", &meeting);
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        let received = net.recv(bob.conn);
        net.send(bob.conn, &received.answer(603, "b"));
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        let refused = net.recv(alice.conn);
        assert_eq!(refused.status(), 603);
        net.send(alice.conn, &alice.acknowledge(&invite, &refused));
        // Nobody is there for the next one.
        let invite = summons(&mut alice, "carol", &meeting);
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        assert_eq!(net.recv(alice.conn).status(), 480);
        net.at_rest();
        assert!(net.records.is_empty(), "{:?}", net.records);
    }
}

#[test]
fn an_invitation_taken_back_rings_no_more() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let invite = summons(&mut alice, "bob", &meeting);
    net.send(alice.conn, &invite);
    net.recv(alice.conn);
    let received = net.recv(bob.conn);
    net.send(bob.conn, &received.answer(180, "b"));
    assert_eq!(net.recv(alice.conn).status(), 180);
    net.send(alice.conn, &alice.cancel(&invite));
    assert_eq!(net.recv(alice.conn).status(), 200);
    let cancel = net.recv(bob.conn);
    assert_eq!(cancel.method(), "CANCEL");
    net.send(bob.conn, &cancel.answer(200, "b"));
    net.send(bob.conn, &received.answer(487, "b"));
    assert_eq!(net.recv(bob.conn).method(), "ACK");
    assert_eq!(net.recv(alice.conn).status(), 487);
    net.at_rest();
    assert!(net.records.is_empty(), "{:?}", net.records);
}

#[test]
fn an_invitation_without_an_acknowledgement_is_forgotten() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let invite = summons(&mut alice, "bob", &meeting);
    net.send(alice.conn, &invite);
    net.recv(alice.conn);
    let received = net.recv(bob.conn);
    let answer = received.answer(200, "b").header("Contact", &format!("<{}>", bob.contact));
    net.send(bob.conn, &answer);
    assert_eq!(net.recv(alice.conn).status(), 200);
    for _ in 0..8 {
        net.pass_s(5);
    }
    for client in [&alice, &bob] {
        let bye = net.recv(client.conn);
        assert_eq!(bye.method(), "BYE");
        net.send(client.conn, &bye.answer(200, ""));
    }
    net.at_rest();
    assert!(net.records.is_empty(), "{:?}", net.records);
}

#[test]
fn an_invitation_that_cannot_be_read_is_refused() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 0, "bob");
    for body in [
        "<Conferencing",
        "<Conferencing version=\"2.0\"/>",
        "<Conferencing version=\"2.0\"><focus-uri>sip:x@y</focus-uri></Conferencing>",
    ] {
        let invite = alice.request("INVITE", &uri("bob")).body(CONF_INVITE, body);
        assert_eq!(net.ask(alice.conn, &invite).status(), 400, "{body}");
    }
    net.silent(&[bob.conn]);
    net.at_rest();
}

#[test]
fn who_is_not_let_in_has_not_taken_the_invitation() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let lock = alice.operation_at(&meeting.focus, &meeting.lock(true));
        assert_eq!(net.ask(alice.conn, &lock).status(), 200);
        for (meeting, status) in [
            (meeting, 403),
            (Meeting::of("alice", &id_at(shards, 1, 2)), 404),
            (Meeting::of("carol", &id_at(shards, 1, 1)), 404),
            (Meeting::of("sip:alice@example.org", &id_at(shards, 1, 1)), 404),
        ] {
            let invite = summons(&mut alice, "bob", &meeting);
            net.send(alice.conn, &invite);
            assert_eq!(net.recv(alice.conn).status(), 100);
            let refused = net.recv(alice.conn);
            assert_eq!(refused.status(), status, "{refused:?}");
            net.send(alice.conn, &alice.acknowledge(&invite, &refused));
            net.silent(&[alice.conn, bob.conn]);
        }
        net.at_rest();
    }
}

#[test]
fn who_has_pager_mode_clients_alone_is_in_by_being_invited() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        said(&mut net, &mut alice, &mut seat.chat, "before");
        let invite = summons(&mut alice, "bob", &meeting);
        net.send(alice.conn, &invite);
        assert_eq!(net.recv(alice.conn).status(), 100);
        let accepted = net.recv(alice.conn);
        assert_eq!(accepted.status(), 200, "{accepted:?}");
        let dialog = alice.dialog(&invite, &accepted);
        net.send(alice.conn, &alice.ack(&dialog));
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        assert_eq!(heard(&mut net, &bob).body(), "alice@example.test: before");

        said(&mut net, &mut alice, &mut seat.chat, "hello");
        let received = heard(&mut net, &bob);
        assert_eq!(received.uri(), bob.contact);
        assert_eq!(received.body(), "alice@example.test: hello");
        assert!(received.header("From").starts_with(&format!("<{}>;tag=", meeting.page)));
        assert_eq!(received.header("To"), "<sip:bob@example.test>");
        let reply = bob.page(&meeting.page, "hi");
        let answer = net.ask(bob.conn, &reply);
        assert_eq!((answer.status(), answer.header("Message-Id")), (202, "3"));
        let received = heard(&mut net, &alice);
        assert_eq!(received.body(), "hi");
        assert_eq!(received.header("Ms-Sender"), "<sip:bob@example.test>");
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
        assert!(net.conversations().0.is_empty(), "{:?}", net.records);

        // Without endpoints he has gone once that is found out, and so the conference may end.
        left(&mut net, &mut alice, &mut seat.focus);
        net.close(bob.conn);
        said(&mut net, &mut alice, &mut seat.chat, "are you there?");
        let report = net.recv(alice.conn);
        assert!(report.body().contains("<message-id>4</message-id>"), "{report:?}");
        assert!(report.body().contains("bob@example.test"), "{report:?}");
        assert!(report.body().contains("<status>480</status>"), "{report:?}");
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
        left(&mut net, &mut alice, &mut seat.chat);
        net.silent(&[alice.conn]);
        nothing_left(&net);
    }
}

#[test]
fn only_members_put_somebody_in_who_cannot_be_asked() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut carol = Client::lync(&mut net, 1, "carol");
    let mut bob = Client::simple(&mut net, 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(2, 1, 1), Wish::default());
    let mut seat = seated(&mut net, &mut alice, &meeting);
    let invite = summons(&mut carol, "bob", &meeting);
    net.send(carol.conn, &invite);
    assert_eq!(net.recv(carol.conn).status(), 100);
    let refused = net.recv(carol.conn);
    assert_eq!(refused.status(), 403, "{refused:?}");
    net.send(carol.conn, &carol.acknowledge(&invite, &refused));
    assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
    assert_eq!(net.value(Series::ConferenceJoinsRefused), 1);

    // By writing he joins himself, and by declining he leaves.
    let page = bob.page(&meeting.page, "hi");
    assert_eq!(net.ask(bob.conn, &page).status(), 202);
    assert_eq!(heard(&mut net, &alice).body(), "hi");
    let text = "hello\nbob@example.test: bye";
    said(&mut net, &mut alice, &mut seat.chat, text);
    let message = net.recv(bob.conn);
    assert_eq!(message.body(), "alice@example.test: hello\n  bob@example.test: bye");
    net.send(bob.conn, &message.answer(603, ""));
    let report = net.recv(alice.conn);
    assert!(report.body().contains("<status>603</status>"), "{report:?}");
    assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
    left(&mut net, &mut alice, &mut seat.focus);
    left(&mut net, &mut alice, &mut seat.chat);
    nothing_left(&net);
}
