//! The server goes down.

use mynah::records::Ending;
use mynah::shard::Machine;
use mynah::shard::input::Control;

use crate::harness::{Client, Device, Net, established};

#[test]
fn sessions_are_ended_and_recorded_and_new_work_is_refused() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
        net.send(alice.conn, &alice.say(&mut callers, "one"));
        let message = net.recv(bob.conn);
        net.send(bob.conn, &message.answer(200, ""));
        net.recv(alice.conn);
        net.control(|| Control::Drain);
        for client in [&alice, &bob] {
            let bye = net.recv(client.conn);
            assert_eq!(bye.method(), "BYE");
            net.send(client.conn, &bye.answer(200, ""));
        }
        let ended = net.conversation().1.end;
        assert_eq!((ended.ending, ended.messages_from_caller), (Ending::Drained, 1));

        for request in [alice.invite("bob"), alice.page("bob", "x"), alice.register()] {
            let refused = net.ask(alice.conn, &request);
            assert_eq!(refused.status(), 503);
            let retry = refused.header("Retry-After").parse::<u32>();
            assert!(retry.is_ok_and(|s| (5..30).contains(&s)), "{refused:?}");
        }
        // A connection that was being accepted.
        let mut late = Client::on(&mut net, 0, Device { user: "carol", ms: true, number: 0 });
        assert_eq!(net.ask(late.conn, &late.register()).status(), 503);
        net.silent(&[alice.conn, bob.conn]);
        // The partition closes the connections, spread over its window.
        for conn in [alice.conn, bob.conn, late.conn] {
            net.close(conn);
        }
        net.conversation();
        net.at_rest();
    }
}

#[test]
fn what_is_in_flight_is_answered_while_connections_last() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "one"));
    let message = net.recv(bob.conn);
    net.control(|| Control::Drain);
    assert_eq!(net.recv(bob.conn).method(), "BYE");
    assert_eq!(net.recv(alice.conn).method(), "BYE");
    net.send(bob.conn, &message.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
    assert_eq!(net.conversation().1.end.ending, Ending::Drained);
}

#[test]
fn before_the_end_what_is_in_flight_is_answered_and_nothing_is_added() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let carol = Client::simple(&mut net, 0, "carol");
    net.put_user("dave", |_| {});
    let mut dave = Client::simple(&mut net, 1, "dave");
    net.put_user("erin", |_| {});
    let erin = Client::lync(&mut net, 0, "erin");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    // What rings is not waited for.
    assert_eq!(net.ask(bob.conn, &bob.invite("erin")).status(), 100);
    assert_eq!(net.recv(erin.conn).method(), "INVITE");
    let is_idle = |net: &Net| net.all().iter().all(Machine::is_idle);
    assert!(is_idle(&net));
    net.send(alice.conn, &alice.say(&mut callers, "one"));
    let said = net.recv(bob.conn);
    net.send(dave.conn, &dave.page("carol", "x"));
    let paged = net.recv(carol.conn);
    net.control(|| Control::Refuse);
    assert!(!is_idle(&net));
    let late = net.ask(alice.conn, &alice.say(&mut callers, "two"));
    assert_eq!(late.status(), 503);
    net.send(bob.conn, &said.answer(200, ""));
    assert_eq!(net.recv(alice.conn).status(), 200);
    assert!(!is_idle(&net));
    net.send(carol.conn, &paged.answer(200, ""));
    assert_eq!(net.recv(dave.conn).status(), 200);
    assert!(is_idle(&net));
    net.silent(&[alice.conn]);
}

#[test]
fn invitations_that_ring_are_refused_and_recorded() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let mut carol = Client::simple(&mut net, 0, "carol");
    net.send(alice.conn, &alice.invite("bob"));
    net.recv(alice.conn);
    let received = net.recv(bob.conn);
    net.send(bob.conn, &received.answer(180, "b"));
    net.recv(alice.conn);
    net.send(carol.conn, &carol.page("bob", "x"));
    net.recv(bob.conn);
    net.control(|| Control::Drain);
    assert_eq!(net.recv(alice.conn).status(), 503);
    assert_eq!(net.recv(carol.conn).status(), 503);
    assert_eq!(net.recv(bob.conn).method(), "CANCEL");
    let (started, ended) = net.conversations();
    assert_eq!((started.len(), ended.len()), (2, 2));
    assert!(ended.iter().all(|ended| ended.end.ending == Ending::Drained));
    // One that takes it all the same is told goodbye.
    net.send(bob.conn, &bob.accept(&received).0);
    assert_eq!([net.recv(bob.conn).method(), net.recv(bob.conn).method()], ["ACK", "BYE"]);
    for conn in [alice.conn, bob.conn, carol.conn] {
        net.close(conn);
    }
    net.pass_s(40);
    net.pass_s(40);
    net.at_rest();
}

#[test]
fn pager_mode_conversations_are_recorded_and_so_is_the_last_word() {
    let mut net = Net::new(4);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, 1, "bob");
    for text in ["one", "two"] {
        net.send(alice.conn, &alice.page("bob", text));
    }
    let (first, second) = (net.recv(bob.conn), net.recv(bob.conn));
    net.send(bob.conn, &first.answer(200, "b"));
    net.control(|| Control::Drain);
    assert_eq!(net.conversation().1.end.ending, Ending::Drained);
    // An answer that comes now is passed on; what it counts as is recorded at once.
    net.send(bob.conn, &second.answer(200, "b"));
    assert_eq!([net.recv(alice.conn).status(), net.recv(alice.conn).status()], [200, 200]);
    let (started, ended) = net.conversations();
    assert_eq!((started.len(), ended.len()), (2, 2));
    let accepted: u64 = ended.iter().map(|ended| ended.end.messages_from_caller).sum();
    assert_eq!(accepted, 2);
}

#[test]
fn work_of_another_shard_that_drains_a_moment_later_is_refused_too() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let mut lync = Client::lync(&mut net, 0, "alice");
    Client::lync(&mut net, 1, "bob");
    let home = mynah::base::aor::Aor::new("bob@example.test").home(2).0;
    let other = 1 - home;
    net.handle(home, mynah::shard::input::Input::Control(Control::Drain));
    // The message opens no bridge on a shard that drains.
    if alice.conn.shard.0 == other {
        assert_eq!(net.ask(alice.conn, &alice.page("bob", "x")).status(), 503);
        net.send(lync.conn, &lync.invite("bob"));
        net.recv(lync.conn);
    }
    net.handle(other, mynah::shard::input::Input::Control(Control::Drain));
    net.settle();
    let (started, ended) = net.conversations();
    assert_eq!(started.len(), ended.len());
}
