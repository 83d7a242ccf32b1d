//! Connections that are lost in the middle of something.

use mynah::records::Ending;

use crate::harness::{Client, Device, Net, established};

fn pair(shards: u16) -> (Net, Client, Client) {
    let mut net = Net::new(shards);
    let alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, shards - 1, "bob");
    (net, alice, bob)
}

#[test]
fn the_caller_is_lost_while_it_rings() {
    for shards in [1, 2] {
        let (mut net, mut alice, mut bob) = pair(shards);
        net.send(alice.conn, &alice.invite("bob"));
        let received = net.recv(bob.conn);
        net.send(bob.conn, &received.answer(180, "b"));
        net.close(alice.conn);
        let cancel = net.recv(bob.conn);
        assert_eq!(cancel.method(), "CANCEL");
        assert_eq!(net.conversation().1.end.ending, Ending::ConnectionLostCaller);
        // A client that has no ear for CANCEL accepts all the same.
        net.send(bob.conn, &bob.accept(&received).0);
        assert_eq!(net.recv(bob.conn).method(), "ACK");
        let bye = net.recv(bob.conn);
        assert_eq!(bye.method(), "BYE");
        net.send(bob.conn, &bye.answer(200, ""));
        net.silent(&[bob.conn]);
        net.at_rest();
    }
}

#[test]
fn the_caller_is_lost_before_the_callee_is_found() {
    let (mut net, mut alice, bob) = pair(2);
    net.write(alice.conn, &alice.invite("bob").octets());
    net.end(alice.conn);
    net.settle();
    let (started, ended) = net.conversations();
    assert_eq!((started.len(), ended.len()), (1, 1));
    assert_eq!(ended[0].end.ending, Ending::ConnectionLostCaller);
    // It may have been found on the way: then it is told, or times out.
    while net.try_recv(bob.conn).is_some() {}
    net.pass_s(33);
    net.pass_s(33);
    net.at_rest();
}

#[test]
fn the_callee_is_lost_while_it_rings() {
    for shards in [1, 2] {
        let (mut net, mut alice, bob) = pair(shards);
        let invite = alice.invite("bob");
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        net.close(bob.conn);
        let answer = net.recv(alice.conn);
        assert_eq!(answer.status(), 480);
        net.send(alice.conn, &alice.acknowledge(&invite, &answer));
        assert_eq!(net.conversation().1.end.ending, Ending::Declined(480));
        net.silent(&[alice.conn]);
        net.at_rest();
    }
}

#[test]
fn one_of_two_endpoints_is_lost_while_they_ring() {
    let (mut net, mut alice, mut bob) = pair(2);
    let other = Client::device(&mut net, 0, Device { user: "bob", ms: true, number: 7 });
    net.send(alice.conn, &alice.invite("bob"));
    net.recv(alice.conn);
    net.close(other.conn);
    net.silent(&[alice.conn]);
    let received = net.recv(bob.conn);
    net.send(bob.conn, &bob.accept(&received).0);
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.silent(&[alice.conn, bob.conn]);
}

#[test]
fn the_callee_is_lost_in_the_session() {
    for shards in [1, 2] {
        let (mut net, mut alice, mut bob) = pair(shards);
        let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
        net.send(alice.conn, &alice.say(&mut callers, "one"));
        let received = net.recv(bob.conn);
        net.send(bob.conn, &received.answer(200, ""));
        net.recv(alice.conn);
        let second = alice.say(&mut callers, "two");
        net.send(alice.conn, &second);
        net.close(bob.conn);
        let mut got = [net.recv(alice.conn), net.recv(alice.conn)];
        got.sort_by_key(|message| message.is_response());
        let [bye, failed] = got;
        assert_eq!((failed.status(), failed.cseq()), (480, callers.cseq));
        assert_eq!(failed.headers("Via"), [second.value("Via")]);
        assert_eq!((bye.method(), bye.uri()), ("BYE", &alice.contact[..]));
        assert_eq!(bye.header("Call-ID"), callers.call_id);
        assert_eq!((bye.from_tag(), bye.to_tag()), (&*callers.remote_tag, &*callers.local_tag));
        assert_eq!(
            bye.header("From"),
            format!("<sip:bob@example.test>;tag={}", callers.remote_tag)
        );
        net.send(alice.conn, &bye.answer(200, ""));
        let late = alice.say(&mut callers, "three");
        assert_eq!(net.ask(alice.conn, &late).status(), 481);
        let ended = net.conversation().1.end;
        assert_eq!(ended.ending, Ending::ConnectionLostCallee);
        assert_eq!((ended.messages_from_caller, ended.messages_from_callee), (1, 0));
        net.silent(&[alice.conn]);
        net.at_rest();
    }
}

#[test]
fn the_caller_is_lost_in_the_session_and_what_he_said_still_counts() {
    for shards in [1, 2] {
        let (mut net, mut alice, mut bob) = pair(shards);
        let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
        net.send(alice.conn, &alice.say(&mut callers, "last words"));
        net.close(alice.conn);
        let message = net.recv(bob.conn);
        let bye = net.recv(bob.conn);
        assert_eq!((message.body(), bye.method()), ("last words", "BYE"));
        assert!(bye.cseq() > message.cseq());
        net.open_conversation();
        net.send(bob.conn, &message.answer(200, ""));
        net.send(bob.conn, &bye.answer(200, ""));
        let ended = net.conversation().1.end;
        assert_eq!(ended.ending, Ending::ConnectionLostCaller);
        assert_eq!(ended.messages_from_caller, 1);
        net.at_rest();
    }
}

#[test]
fn a_message_on_its_way_to_a_connection_that_is_gone_comes_back() {
    let (mut net, mut alice, mut bob) = pair(2);
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.write(alice.conn, &alice.say(&mut callers, "too late").octets());
    net.end(bob.conn);
    net.settle();
    let mut got = [net.recv(alice.conn), net.recv(alice.conn)];
    got.sort_by_key(|message| message.is_response());
    assert_eq!((got[0].method(), got[1].status()), ("BYE", 480));
    net.silent(&[alice.conn]);
    assert_eq!(net.conversation().1.end.messages_from_caller, 0);
}

#[test]
fn a_goodbye_does_not_overtake_the_count_of_the_message_before_it() {
    let (mut net, mut alice, mut bob) = pair(2);
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.write(alice.conn, &alice.say(&mut callers, "and that is that").octets());
    net.write(alice.conn, &alice.within(&mut callers, "BYE").octets());
    net.settle();
    let (message, bye) = (net.recv(bob.conn), net.recv(bob.conn));
    net.send(bob.conn, &message.answer(200, ""));
    net.send(bob.conn, &bye.answer(200, ""));
    assert_eq!([net.recv(alice.conn).status(), net.recv(alice.conn).status()], [200, 200]);
    let ended = net.conversation().1.end;
    assert_eq!((ended.ending, ended.messages_from_caller), (Ending::ByeCaller, 1));
    net.at_rest();
}

#[test]
fn both_may_say_goodbye_at_once() {
    let (mut net, mut alice, mut bob) = pair(2);
    let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
    net.write(alice.conn, &alice.within(&mut callers, "BYE").octets());
    net.write(bob.conn, &bob.within(&mut callees, "BYE").octets());
    net.settle();
    assert_eq!(net.recv(bob.conn).method(), "BYE");
    assert_eq!(net.recv(bob.conn).status(), 200);
    net.silent(&[alice.conn, bob.conn]);
    assert_eq!(net.ask(bob.conn, &bob.say(&mut callees, "wait")).status(), 481);
}

#[test]
fn a_goodbye_to_somebody_who_is_gone_ends_it_all_the_same() {
    let (mut net, mut alice, mut bob) = pair(2);
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.write(alice.conn, &alice.within(&mut callers, "BYE").octets());
    net.end(bob.conn);
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 480);
    net.silent(&[alice.conn]);
    let ending = net.conversation().1.end.ending;
    assert!(matches!(ending, Ending::ByeCaller | Ending::ConnectionLostCallee));
    net.at_rest();
}

#[test]
fn an_answer_for_somebody_who_is_gone_is_dropped() {
    let (mut net, mut alice, mut bob) = pair(2);
    net.send(alice.conn, &alice.page("carol", "x"));
    net.recv(alice.conn);
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "x"));
    let message = net.recv(bob.conn);
    net.end(alice.conn);
    net.send(bob.conn, &message.answer(200, ""));
    assert_eq!(net.recv(bob.conn).method(), "BYE");
}

#[test]
fn everything_of_a_connection_ends_with_it() {
    let mut net = Net::new(4);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut others: Vec<Client> = (0..6)
        .map(|n| {
            Client::device(&mut net, n % 4, Device { user: "bob", ms: true, number: n.into() })
        })
        .collect();
    for other in &mut others {
        let gruu = other.contact.clone();
        let invite = alice.invite(&gruu);
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        let received = net.recv(other.conn);
        net.send(other.conn, &other.accept(&received).0);
        net.recv(alice.conn);
    }
    assert_eq!(net.shard(0).occupancy().sessions, 6);
    net.close(alice.conn);
    for other in &others {
        let bye = net.recv(other.conn);
        assert_eq!(bye.method(), "BYE");
        net.send(other.conn, &bye.answer(200, ""));
    }
    assert_eq!(net.conversations().1.len(), 6);
    net.at_rest();
}
