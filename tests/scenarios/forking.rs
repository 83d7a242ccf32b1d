//! Several endpoints of one user, and invitations that are taken back.

use mynah::records::Ending;

use crate::harness::{Client, Device, Net, Request, Text, established};

fn bob(number: u32) -> Device<'static> {
    Device { user: "bob", ms: true, number }
}

/// Alice on shard 0 and two endpoints of bob on shards 1 and 0; alice has invited bob, all ring.
fn ringing() -> (Net, Client, [Client; 2], Request, [Text; 2]) {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let first = Client::device(&mut net, 1, bob(1));
    let second = Client::device(&mut net, 0, bob(2));
    let invite = alice.invite("bob");
    net.send(alice.conn, &invite);
    assert_eq!(net.recv(alice.conn).status(), 100);
    let received = [net.recv(first.conn), net.recv(second.conn)];
    assert_ne!(received[0].branch(), received[1].branch());
    (net, alice, [first, second], invite, received)
}

fn conns(net: &Client, bobs: &[Client; 2]) -> [mynah::base::ids::ConnId; 3] {
    [net.conn, bobs[0].conn, bobs[1].conn]
}

#[test]
fn the_first_to_accept_wins_and_one_that_rings_is_told_to_stop() {
    let (mut net, alice, mut bobs, invite, received) = ringing();
    net.send(bobs[1].conn, &received[1].answer(100, ""));
    net.silent(&[alice.conn]);
    net.send(bobs[1].conn, &received[1].answer(180, "late"));
    let provisional = net.recv(alice.conn);
    assert_eq!((provisional.status(), provisional.to_tag()), (180, "late"));

    let (answer, _) = bobs[0].accept(&received[0]);
    net.send(bobs[0].conn, &answer);
    assert_eq!(net.recv(alice.conn).status(), 200);
    let cancel = net.recv(bobs[1].conn);
    assert_eq!((cancel.method(), cancel.header("CSeq")), ("CANCEL", "1 CANCEL"));
    assert_eq!(cancel.uri(), received[1].uri());
    assert_eq!(cancel.header("Via"), received[1].header("Via"));
    assert_eq!(cancel.header("To"), received[1].header("To"));
    assert_eq!(cancel.header("From"), received[1].header("From"));
    assert_eq!(cancel.header("Call-ID"), invite.value("Call-ID"));
    net.send(bobs[1].conn, &cancel.answer(200, "late"));
    net.send(bobs[1].conn, &received[1].answer(487, "late"));
    let ack = net.recv(bobs[1].conn);
    assert_eq!((ack.method(), ack.to_tag()), ("ACK", "late"));
    net.silent(&conns(&alice, &bobs));
    let held = net.shard(0).occupancy();
    assert_eq!((held.sessions, held.invitations, held.relays), (1, 0, 0));
}

#[test]
fn one_that_has_not_rung_is_not_cancelled_and_if_it_accepts_late_is_told_goodbye() {
    let (mut net, mut alice, mut bobs, invite, received) = ringing();
    let (answer, mut callees) = bobs[0].accept(&received[0]);
    net.send(bobs[0].conn, &answer);
    let accepted = net.recv(alice.conn);
    net.silent(&conns(&alice, &bobs));
    let mut callers = alice.dialog(&invite, &accepted);
    net.send(alice.conn, &alice.ack(&callers));
    assert_eq!(net.recv(bobs[0].conn).method(), "ACK");

    let (late, lost) = bobs[1].accept(&received[1]);
    net.send(bobs[1].conn, &late);
    let ack = net.recv(bobs[1].conn);
    assert_eq!((ack.method(), ack.uri()), ("ACK", &bobs[1].contact[..]));
    assert_eq!((ack.to_tag(), ack.header("CSeq")), (&lost.local_tag[..], "1 ACK"));
    assert_ne!(ack.branch(), received[1].branch(), "a transaction of its own");
    let bye = net.recv(bobs[1].conn);
    assert_eq!((bye.method(), bye.uri()), ("BYE", &bobs[1].contact[..]));
    assert_eq!((bye.to_tag(), bye.header("CSeq")), (&lost.local_tag[..], "2 BYE"));
    assert_eq!(bye.from_tag(), lost.remote_tag);
    net.send(bobs[1].conn, &bye.answer(200, ""));

    // The session of the winner is as it was.
    net.send(alice.conn, &alice.say(&mut callers, "hello"));
    let message = net.recv(bobs[0].conn);
    net.send(bobs[0].conn, &message.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
    bobs[0].bye(&mut net, &mut callees, &alice);
    net.silent(&conns(&alice, &bobs));
    net.at_rest();
    assert_eq!(net.conversation().1.end.messages_from_caller, 1);
}

#[test]
fn a_loser_that_rings_after_the_end_is_told_to_stop_then() {
    let (mut net, alice, mut bobs, _, received) = ringing();
    let (answer, _) = bobs[0].accept(&received[0]);
    net.send(bobs[0].conn, &answer);
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.silent(&[bobs[1].conn]);
    net.send(bobs[1].conn, &received[1].answer(180, "late"));
    assert_eq!(net.recv(bobs[1].conn).method(), "CANCEL");
    net.silent(&conns(&alice, &bobs));
}

#[test]
fn one_refusal_waits_for_the_other_endpoint_and_the_better_one_is_told() {
    let (mut net, mut alice, mut bobs, invite, received) = ringing();
    net.send(bobs[0].conn, &received[0].answer(486, "busy"));
    assert_eq!(net.recv(bobs[0].conn).method(), "ACK");
    net.silent(&conns(&alice, &bobs));
    let (answer, _) = bobs[1].accept(&received[1]);
    net.send(bobs[1].conn, &answer);
    let accepted = net.recv(alice.conn);
    assert_eq!(accepted.status(), 200);
    net.send(alice.conn, &alice.ack(&alice.dialog(&invite, &accepted)));
    assert_eq!(net.recv(bobs[1].conn).method(), "ACK");

    let (mut net, alice, bobs, _, received) = ringing();
    net.send(bobs[0].conn, &received[0].answer(486, "busy"));
    net.send(bobs[1].conn, &received[1].answer(500, "broken"));
    assert_eq!(net.recv(alice.conn).status(), 486);
    net.recv(bobs[0].conn);
    net.recv(bobs[1].conn);
    net.silent(&conns(&alice, &bobs));
    assert_eq!(net.conversation().1.end.ending, Ending::Declined(486));
    net.at_rest();
}

#[test]
fn a_decline_speaks_for_all_endpoints() {
    let (mut net, alice, bobs, _, received) = ringing();
    net.send(bobs[1].conn, &received[1].answer(180, "late"));
    net.recv(alice.conn);
    net.send(bobs[0].conn, &received[0].answer(603, "no"));
    assert_eq!(net.recv(bobs[0].conn).method(), "ACK");
    assert_eq!(net.recv(bobs[1].conn).method(), "CANCEL");
    net.send(bobs[1].conn, &received[1].answer(487, "late"));
    assert_eq!(net.recv(bobs[1].conn).method(), "ACK");
    assert_eq!(net.recv(alice.conn).status(), 603);
    assert_eq!(net.conversation().1.end.ending, Ending::Declined(603));
    net.at_rest();
}

#[test]
fn an_overloaded_endpoint_is_not_an_overloaded_server() {
    let (mut net, alice, bobs, _, received) = ringing();
    for i in 0..2 {
        net.send(bobs[i].conn, &received[i].answer(503, "x"));
    }
    assert_eq!(net.recv(alice.conn).status(), 500);
}

#[test]
fn the_caller_takes_it_back() {
    let (mut net, alice, bobs, invite, received) = ringing();
    net.send(bobs[0].conn, &received[0].answer(180, "a"));
    net.recv(alice.conn);
    let answer = net.ask(alice.conn, &alice.cancel(&invite));
    assert_eq!((answer.status(), answer.method()), (200, "CANCEL"));
    assert_eq!(net.recv(bobs[0].conn).method(), "CANCEL");
    // The other one has not said a word yet: the CANCEL waits until it does.
    net.silent(&conns(&alice, &bobs));
    net.send(bobs[1].conn, &received[1].answer(180, "b"));
    assert_eq!(net.recv(bobs[1].conn).method(), "CANCEL");
    assert_eq!(net.recv(alice.conn).status(), 180);
    for (bob, received) in bobs.iter().zip(&received) {
        net.send(bob.conn, &received.answer(487, "x"));
        assert_eq!(net.recv(bob.conn).method(), "ACK");
    }
    let terminated = net.recv(alice.conn);
    assert_eq!((terminated.status(), terminated.method()), (487, "INVITE"));
    net.send(alice.conn, &alice.acknowledge(&invite, &terminated));
    net.silent(&conns(&alice, &bobs));
    assert_eq!(net.conversation().1.end.ending, Ending::Cancelled);
    net.at_rest();
}

#[test]
fn a_cancel_that_crosses_the_acceptance_does_not_undo_it() {
    let (mut net, mut alice, mut bobs, invite, received) = ringing();
    let (answer, _) = bobs[0].accept(&received[0]);
    net.send(alice.conn, &alice.cancel(&invite));
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.send(bobs[0].conn, &answer);
    let accepted = net.recv(alice.conn);
    assert_eq!((accepted.status(), accepted.method()), (200, "INVITE"));
    let mut callers = alice.dialog(&invite, &accepted);
    net.send(alice.conn, &alice.ack(&callers));
    assert_eq!(net.recv(bobs[0].conn).method(), "ACK");
    alice.bye(&mut net, &mut callers, &bobs[0]);
    assert_eq!(net.conversation().1.end.ending, Ending::ByeCaller);
}

#[test]
fn a_cancel_of_nothing_or_of_something_answered_finds_nothing() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut other = Client::lync(&mut net, 1, "bob");
    let invite = alice.invite("bob");
    assert_eq!(net.ask(alice.conn, &alice.cancel(&invite)).status(), 481);
    net.send(alice.conn, &invite);
    net.recv(alice.conn);
    let received = net.recv(other.conn);
    // Not hers: another call, another connection.
    let wrong = alice.cancel(&invite).with("Call-ID", "another");
    assert_eq!(net.ask(alice.conn, &wrong).status(), 481);
    let elsewhere = Client::device(&mut net, 1, Device { user: "alice", ms: true, number: 5 });
    assert_eq!(net.ask(elsewhere.conn, &alice.cancel(&invite)).status(), 481);
    net.silent(&[other.conn]);
    net.send(other.conn, &other.accept(&received).0);
    net.recv(alice.conn);
    assert_eq!(net.ask(alice.conn, &alice.cancel(&invite)).status(), 481);
}

#[test]
fn a_cancel_while_the_callee_is_looked_for_ends_it() {
    let mut net = Net::new(4);
    let home = mynah::base::aor::Aor::new("bob@example.test").home(4).0;
    let mut alice = Client::lync(&mut net, (home + 1) % 4, "alice");
    let callee = Client::lync(&mut net, 0, "bob");
    let invite = alice.invite("bob");
    net.write(alice.conn, &invite.octets());
    net.write(alice.conn, &alice.cancel(&invite).octets());
    let statuses: Vec<u16> = (0..3).map(|_| net.recv(alice.conn).status()).collect();
    assert_eq!(statuses, [100, 200, 487]);
    net.settle();
    net.silent(&[callee.conn]);
    assert_eq!(net.conversation().1.end.ending, Ending::Cancelled);
    net.at_rest();
}

#[test]
fn two_contacts_of_one_connection_ring_once() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut callee = Client::lync(&mut net, 1, "bob");
    let other = callee.register().with("Contact", "<sip:bob@10.0.0.1>, <sip:bob@10.0.0.2>");
    assert_eq!(net.ask(callee.conn, &other).status(), 200);
    let (mut callers, _) = established(&mut net, &mut alice, &mut callee);
    net.silent(&[alice.conn, callee.conn]);
    callers.routes.clear();
    net.send(alice.conn, &alice.say(&mut callers, "hello"));
    assert_eq!(net.recv(callee.conn).body(), "hello");
    net.close(callee.conn);
    assert_eq!(net.recv(alice.conn).method(), "BYE");
    assert_eq!(net.recv(alice.conn).status(), 480);
}

#[test]
fn a_repeated_invite_rings_once_and_a_refused_one_is_refused_again() {
    let (mut net, alice, bobs, invite, received) = ringing();
    net.send(alice.conn, &invite);
    net.silent(&conns(&alice, &bobs));
    for i in 0..2 {
        net.send(bobs[i].conn, &received[i].answer(486, "busy"));
        net.recv(bobs[i].conn);
    }
    let refused = net.recv(alice.conn);
    assert_eq!(net.ask(alice.conn, &invite).status(), 486);
    net.send(alice.conn, &alice.acknowledge(&invite, &refused));
    net.silent(&conns(&alice, &bobs));
}
