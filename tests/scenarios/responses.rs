//! Answers that are none.

use mynah::metrics::names::Series;

use crate::harness::{Client, Net, established};

#[test]
fn only_the_one_who_was_asked_can_answer() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let carol = Client::lync(&mut net, 1, "carol");
    let stranger = net.open(0);
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "hello"));
    let received = net.recv(bob.conn);
    for conn in [carol.conn, stranger, alice.conn] {
        net.send(conn, &received.answer(200, ""));
    }
    net.silent(&[alice.conn]);
    assert_eq!(net.value(Series::ResponsesStray), 3);
    net.send(bob.conn, &received.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
    // Once is enough.
    net.send(bob.conn, &received.answer(200, ""));
    net.silent(&[alice.conn]);
}

#[test]
fn an_answer_to_something_else_is_dropped() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "hello"));
    let received = net.recv(bob.conn);
    let right = received.answer(200, "");
    for (name, value) in [
        ("Call-ID", "another"),
        ("CSeq", "3 MESSAGE"),
        ("CSeq", "2 INFO"),
        ("CSeq", "2 INVITE"),
        ("Via", "SIP/2.0/TLS fe01.example.test:5061"),
        ("Via", "SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bKnonsense"),
        ("Via", "SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bK00ff0000000000000001"),
        ("Via", "SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bK00000000700000000001"),
    ] {
        net.send(bob.conn, &right.clone().with(name, value));
        net.silent(&[alice.conn]);
    }
    assert_eq!(net.value(Series::ResponsesStray), 8);
    net.send(bob.conn, &right);
    assert_eq!(net.recv(alice.conn).status(), 200);
}

#[test]
fn a_stray_answer_to_an_invitation_opens_no_session() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let mut carol = Client::lync(&mut net, 1, "carol");
    let invite = alice.invite("bob");
    net.send(alice.conn, &invite);
    net.recv(alice.conn);
    let received = net.recv(bob.conn);
    net.send(carol.conn, &carol.accept(&received).0);
    net.silent(&[alice.conn, carol.conn]);
    net.send(bob.conn, &bob.accept(&received).0);
    assert_eq!(net.recv(alice.conn).status(), 200);
}

#[test]
fn provisional_answers_to_a_message_pass_and_do_not_end_it() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "hello"));
    let received = net.recv(bob.conn);
    net.send(bob.conn, &received.answer(183, ""));
    assert_eq!(net.recv(alice.conn).status(), 183);
    net.send(bob.conn, &received.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
}
