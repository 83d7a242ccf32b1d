//! Answers that never come.

use mynah::metrics::names::Series;
use mynah::records::Ending;

use crate::harness::{Client, Net, Request, Text, established};

fn invited() -> (Net, Client, Client, Request, Text) {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let invite = alice.invite("bob");
    net.send(alice.conn, &invite);
    net.recv(alice.conn);
    let received = net.recv(bob.conn);
    (net, alice, bob, invite, received)
}

#[test]
fn timer_b_an_invitation_without_any_answer_ends_with_408() {
    let (mut net, alice, mut bob, invite, received) = invited();
    net.pass_s(31);
    net.silent(&[alice.conn]);
    net.pass_s(2);
    let answer = net.recv(alice.conn);
    assert_eq!(answer.status(), 408);
    net.send(alice.conn, &alice.acknowledge(&invite, &answer));
    assert_eq!(net.conversation().1.end.ending, Ending::NoAnswer);
    net.at_rest();
    // Too late: nobody knows what this answers.
    net.send(bob.conn, &bob.accept(&received).0);
    net.silent(&[alice.conn, bob.conn]);
    assert_eq!(net.value(Series::ResponsesStray), 1);
}

#[test]
fn timer_c_an_endpoint_that_only_rings_is_told_to_stop() {
    let (mut net, alice, bob, _, received) = invited();
    net.send(bob.conn, &received.answer(180, "b"));
    net.recv(alice.conn);
    net.pass_s(100);
    net.send(bob.conn, &received.answer(183, "b"));
    net.recv(alice.conn);
    net.pass_s(179);
    net.silent(&[alice.conn, bob.conn]);
    net.pass_s(2);
    assert_eq!(net.recv(bob.conn).method(), "CANCEL");
    net.silent(&[alice.conn]);
    net.pass_s(33);
    assert_eq!(net.recv(alice.conn).status(), 408);
    assert_eq!(net.conversation().1.end.ending, Ending::NoAnswer);
    net.at_rest();
}

#[test]
fn a_hundred_trying_does_not_make_it_longer_than_timer_c() {
    let (mut net, alice, bob, _, received) = invited();
    net.send(bob.conn, &received.answer(100, ""));
    for _ in 0..17 {
        net.pass_s(10);
        net.send(bob.conn, &received.answer(100, ""));
    }
    net.silent(&[alice.conn, bob.conn]);
    net.pass_s(11);
    assert_eq!(net.recv(bob.conn).method(), "CANCEL");
}

#[test]
fn a_cancelled_invitation_ends_in_time_though_the_endpoint_is_deaf() {
    let (mut net, alice, bob, invite, received) = invited();
    net.send(bob.conn, &received.answer(180, "b"));
    net.recv(alice.conn);
    net.pass_s(40);
    assert_eq!(net.ask(alice.conn, &alice.cancel(&invite)).status(), 200);
    assert_eq!(net.recv(bob.conn).method(), "CANCEL");
    net.pass_s(33);
    assert_eq!(net.recv(alice.conn).status(), 487);
    assert_eq!(net.conversation().1.end.ending, Ending::Cancelled);
    net.at_rest();
}

#[test]
fn a_lost_question_for_the_callee_ends_the_invitation_in_time() {
    let mut net = Net::new(4);
    let home = mynah::base::aor::Aor::new("bob@example.test").home(4).0;
    let mut alice = Client::lync(&mut net, (home + 1) % 4, "alice");
    Client::lync(&mut net, 0, "bob");
    net.write(alice.conn, &alice.invite("bob").octets());
    net.recv(alice.conn);
    net.lose_all();
    net.pass_s(33);
    assert_eq!(net.recv(alice.conn).status(), 408);
    assert_eq!(net.conversation().1.end.ending, Ending::NoAnswer);
    net.at_rest();
}

#[test]
fn timer_f_a_message_without_an_answer_gets_408_and_the_session_goes_on() {
    let (mut net, mut alice, mut bob) = {
        let mut net = Net::new(2);
        let alice = Client::lync(&mut net, 0, "alice");
        let bob = Client::lync(&mut net, 1, "bob");
        (net, alice, bob)
    };
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let message = alice.say(&mut callers, "are you asleep?");
    net.send(alice.conn, &message);
    let received = net.recv(bob.conn);
    net.pass_s(31);
    net.silent(&[alice.conn]);
    net.pass_s(2);
    let answer = net.recv(alice.conn);
    assert_eq!((answer.status(), answer.cseq()), (408, callers.cseq));
    assert_eq!(answer.headers("Via"), [message.value("Via")]);
    assert_eq!(net.value(Series::RelayTimeouts), 1);
    net.send(bob.conn, &received.answer(200, ""));
    net.silent(&[alice.conn]);
    net.send(alice.conn, &alice.say(&mut callers, "hello?"));
    assert_eq!(net.recv(bob.conn).body(), "hello?");
}

#[test]
fn a_goodbye_without_an_answer_ends_the_session() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.within(&mut callers, "BYE"));
    net.pass_s(33);
    assert_eq!(net.recv(alice.conn).status(), 408);
    assert_eq!(net.conversation().1.end.ending, Ending::ByeCaller);
    net.at_rest();
}

#[test]
fn a_session_in_which_nobody_writes_for_a_day_is_ended() {
    let mut net = Net::limited(2, |limits| {
        limits.registration_time_max = std::time::Duration::from_secs(400_000);
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.pass_s(86_000);
    net.send(alice.conn, &alice.say(&mut callers, "still there"));
    let message = net.recv(bob.conn);
    net.send(bob.conn, &message.answer(200, ""));
    net.recv(alice.conn);
    net.pass_s(86_000);
    net.pass_s(300);
    net.silent(&[alice.conn, bob.conn]);
    net.pass_s(200);
    for client in [&alice, &bob] {
        let bye = net.recv(client.conn);
        assert_eq!(bye.method(), "BYE");
        net.send(client.conn, &bye.answer(200, ""));
    }
    let ended = net.conversation().1.end;
    assert_eq!((ended.ending, ended.messages_from_caller), (Ending::Idle, 1));
    net.at_rest();
}

#[test]
fn the_refusal_that_is_never_acknowledged_is_forgotten() {
    let (mut net, mut alice, bob, _, received) = invited();
    net.send(bob.conn, &received.answer(486, "b"));
    net.recv(bob.conn);
    net.recv(alice.conn);
    net.pass_s(33);
    // The next one finds no trace of it.
    net.send(alice.conn, &alice.invite("bob"));
    assert_eq!(net.recv(alice.conn).status(), 100);
    assert_eq!(net.recv(bob.conn).method(), "INVITE");
}

#[test]
fn an_acceptance_that_is_never_acknowledged_ends_the_session_for_both() {
    let (mut net, alice, mut bob, _, received) = invited();
    net.send(bob.conn, &bob.accept(&received).0);
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.pass_s(31);
    net.silent(&[alice.conn, bob.conn]);
    net.pass_s(2);
    for client in [&alice, &bob] {
        let bye = net.recv(client.conn);
        assert_eq!(bye.method(), "BYE");
        net.send(client.conn, &bye.answer(200, ""));
    }
    assert_eq!(net.conversation().1.end.ending, Ending::Idle);
    net.at_rest();
}
