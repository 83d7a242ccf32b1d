//! Each bound of the shard, set small and hit.

use mynah::base::limits::Limit;

use crate::harness::{Client, Device, Net, established};

fn device(user: &str, ms: bool, number: u32) -> Device<'_> {
    Device { user, ms, number }
}

#[test]
fn sessions_of_a_shard() {
    let mut net = Net::limited(2, |limits| limits.sessions_per_shard_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let refused = net.ask(alice.conn, &alice.invite("bob"));
    assert_eq!(refused.status(), 503);
    assert!(refused.header("Retry-After").parse::<u32>().is_ok_and(|s| (5..30).contains(&s)));
    assert_eq!(net.hits(Limit::Sessions), 1);
    // Another shard has its own room.
    net.send(bob.conn, &bob.invite("alice"));
    assert_eq!(net.recv(bob.conn).status(), 100);
    net.recv(alice.conn);
    alice.bye(&mut net, &mut callers, &bob);
    net.send(alice.conn, &alice.invite("bob"));
    assert_eq!(net.recv(alice.conn).status(), 100);
}

#[test]
fn sessions_of_a_shard_for_the_bridge() {
    let mut net = Net::limited(1, |limits| limits.sessions_per_shard_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut carol = Client::lync(&mut net, 0, "carol");
    let mut bob = Client::simple(&mut net, 0, "bob");
    established(&mut net, &mut alice, &mut carol);
    let refused = net.ask(bob.conn, &bob.page("alice", "x"));
    assert_eq!(refused.status(), 503);
    assert_eq!(net.hits(Limit::Sessions), 1);
}

#[test]
fn sessions_of_a_connection_that_calls() {
    let mut net = Net::limited(2, |limits| limits.sessions_per_connection_max = 2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bobs: Vec<Client> =
        (0..3).map(|n| Client::device(&mut net, (n % 2) as u16, device("bob", true, n))).collect();
    for bob in &mut bobs[..2] {
        let invite = alice.invite(&bob.contact.clone());
        net.send(alice.conn, &invite);
        net.recv(alice.conn);
        let received = net.recv(bob.conn);
        net.send(bob.conn, &bob.accept(&received).0);
        assert_eq!(net.recv(alice.conn).status(), 200);
    }
    let refused = net.ask(alice.conn, &alice.invite(&bobs[2].contact.clone()));
    assert_eq!((refused.status(), refused.has("Retry-After")), (503, true));
    assert_eq!(net.hits(Limit::SessionsPerConnection), 1);
    net.silent(&[bobs[2].conn]);
}

#[test]
fn sessions_of_a_connection_that_is_called() {
    let mut net = Net::limited(2, |limits| limits.sessions_per_connection_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let mut carol = Client::lync(&mut net, 0, "carol");
    established(&mut net, &mut alice, &mut bob);
    net.send(carol.conn, &carol.invite("bob"));
    assert_eq!(net.recv(carol.conn).status(), 100);
    assert_eq!(net.recv(carol.conn).status(), 480);
    net.silent(&[bob.conn]);
    assert_eq!(net.hits(Limit::SessionsPerConnection), 1);
    net.at_rest_but_sessions(1);
}

#[test]
fn requests_in_flight_of_a_shard_in_a_session() {
    let mut net = Net::limited(2, |limits| limits.relays_per_shard_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "one"));
    let first = net.recv(bob.conn);
    let second = alice.say(&mut callers, "two");
    for _ in 0..2 {
        assert_eq!(net.ask(alice.conn, &second).status(), 503, "the same again");
    }
    assert_eq!(net.hits(Limit::Relays), 1);
    net.send(bob.conn, &first.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
    net.send(alice.conn, &alice.say(&mut callers, "three"));
    assert_eq!(net.recv(bob.conn).body(), "three");
}

#[test]
fn a_goodbye_needs_no_place() {
    let mut net = Net::limited(2, |limits| limits.relays_per_shard_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "one"));
    let first = net.recv(bob.conn);
    let bye = alice.within(&mut callers, "BYE");
    let answer = net.ask(alice.conn, &bye);
    assert_eq!((answer.status(), answer.headers("Via")), (200, vec![bye.value("Via")]));
    let received = net.recv(bob.conn);
    assert_eq!(received.method(), "BYE");
    net.send(bob.conn, &received.answer(200, ""));
    net.send(bob.conn, &first.answer(200, ""));
    assert_eq!(
        (net.recv(alice.conn).status(), net.conversation().1.end.messages_from_caller),
        (200, 1)
    );

    // The same from the server's side, to the end that is left.
    let mut net = Net::limited(1, |limits| limits.relays_per_shard_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "one"));
    net.recv(bob.conn);
    net.close(alice.conn);
    assert_eq!(net.recv(bob.conn).method(), "BYE");
}

#[test]
fn requests_in_flight_of_a_shard_for_an_invitation() {
    let mut net = Net::limited(2, |limits| limits.relays_per_shard_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bobs: Vec<Client> =
        (0..2).map(|n| Client::device(&mut net, 1, device("bob", true, n))).collect();
    net.send(alice.conn, &alice.invite("bob"));
    assert_eq!(net.recv(alice.conn).status(), 100);
    let ringing: usize = bobs.iter().map(|bob| net.waiting(bob.conn)).sum();
    assert_eq!(ringing, 1, "as many as there is room for");
    net.send(alice.conn, &alice.invite("bob"));
    assert_eq!(net.recv(alice.conn).status(), 100);
    let refused = net.recv(alice.conn);
    assert_eq!((refused.status(), refused.has("Retry-After")), (503, true));
    assert_eq!(net.hits(Limit::Relays), 2);
}

#[test]
fn requests_in_flight_of_a_shard_for_a_pager_mode_message() {
    let mut net = Net::limited(1, |limits| limits.relays_per_shard_max = 1);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, 0, "bob");
    net.send(alice.conn, &alice.page("bob", "one"));
    let first = net.recv(bob.conn);
    let refused = net.ask(alice.conn, &alice.page("bob", "two"));
    assert_eq!((refused.status(), refused.has("Retry-After")), (503, true));
    assert_eq!(net.hits(Limit::Relays), 1);
    net.send(bob.conn, &first.answer(200, "b"));
    assert_eq!(net.recv(alice.conn).status(), 200);
}

#[test]
fn requests_in_flight_of_a_session() {
    let mut net = Net::limited(2, |limits| limits.relays_per_connection_max = 2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    for text in ["one", "two"] {
        net.send(alice.conn, &alice.say(&mut callers, text));
        assert_eq!(net.recv(bob.conn).body(), text);
    }
    let refused = net.ask(alice.conn, &alice.say(&mut callers, "three"));
    assert_eq!((refused.status(), refused.has("Retry-After")), (503, true));
    assert_eq!(net.hits(Limit::RelaysPerConnection), 1);
    // She can leave all the same.
    net.send(alice.conn, &alice.within(&mut callers, "BYE"));
    assert_eq!(net.recv(bob.conn).method(), "BYE");
}

#[test]
fn pager_mode_messages_in_flight_of_a_connection() {
    for ms in [false, true] {
        let mut net = Net::limited(2, |limits| limits.relays_per_connection_max = 2);
        let mut alice = Client::simple(&mut net, 0, "alice");
        let bob = Client::device(&mut net, 1, device("bob", ms, 0));
        for _ in 0..2 {
            net.send(alice.conn, &alice.page("bob", "x"));
        }
        net.silent(&[alice.conn]);
        let refused = net.ask(alice.conn, &alice.page("bob", "x"));
        assert_eq!((refused.status(), refused.has("Retry-After")), (503, true));
        assert_eq!(net.hits(Limit::RelaysPerConnection), 1);
        net.close(bob.conn);
        assert_eq!([net.recv(alice.conn).status(), net.recv(alice.conn).status()], [480, 480]);
        // There is room again.
        assert_eq!(net.ask(alice.conn, &alice.page("bob", "x")).status(), 480);
    }
}

#[test]
fn users_of_a_shard() {
    let mut net = Net::limited(1, |limits| limits.users_per_shard_max = 2);
    assert_eq!(net.hits(Limit::Users), 1, "carol found no room");
    Client::simple(&mut net, 0, "alice");
    let mut carol = Client::on(&mut net, 0, device("carol", false, 0));
    assert_eq!(carol.sign_in(&mut net).status(), 401);
    net.remove_user("alice");
    net.put_user("carol", |_| {});
    assert_eq!(net.hits(Limit::Users), 1);
    Client::simple(&mut net, 0, "carol");
}

#[test]
fn pager_mode_conversations_of_a_shard() {
    let mut net = Net::limited(1, |limits| limits.pager_conversations_per_shard_max = 1);
    let mut alice = Client::simple(&mut net, 0, "alice");
    for to in ["bob", "carol"] {
        assert_eq!(net.ask(alice.conn, &alice.page(to, "x")).status(), 480);
    }
    assert_eq!(net.hits(Limit::PagerConversations), 1);
    let (started, ended) = net.conversations();
    assert_eq!((started.len(), ended.len()), (2, 1), "the older one keeps its record");
    assert_eq!(started[0].id, ended[0].id);
}

#[test]
fn many_contacts_in_one_register() {
    let mut net = Net::new(1);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let many: Vec<String> = (0..9).map(|n| format!("<sip:alice@10.0.0.{n}>")).collect();
    let answer = net.ask(alice.conn, &alice.register().with("Contact", &many.join(", ")));
    assert_eq!(answer.status(), 403);
    assert_eq!(net.hits(Limit::Endpoints), 1);
}
