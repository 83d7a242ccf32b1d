//! The server leaves: it takes no new work, and goes on with what there is.

use std::time::Duration;

use mynah::metrics::counters::CloseReason;
use mynah::records::Ending;
use mynah::shard::input::Control;

use crate::harness::{Client, Device, Net, Text, established};

const OVER: Duration = Duration::from_secs(300);

fn leave(net: &mut Net) {
    net.control(|| Control::Leave(OVER));
}

/// A refusal that says when to come again.
fn refused(answer: &Text) -> u64 {
    assert_eq!(answer.status(), 503, "{answer:?}");
    answer.header("Retry-After").parse().unwrap()
}

#[test]
fn nobody_new_signs_in_and_each_is_told_to_come_when_it_is_over() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut early = Client::on(&mut net, 0, Device { user: "alice", ms: true, number: 0 });
        let challenge = net.ask(early.conn, &early.register());
        assert_eq!(challenge.status(), 407);
        leave(&mut net);
        // One that was in the middle of it, one that comes now, and one that does not even register.
        let register = early.register();
        let proof = early.prove(register, &challenge, crate::harness::PASSWORD);
        let answer = net.ask(early.conn, &proof);
        assert!((305..330).contains(&refused(&answer)));
        let mut late = Client::on(&mut net, 0, Device { user: "bob", ms: true, number: 0 });
        assert!((305..330).contains(&refused(&net.ask(late.conn, &late.register()))));
        let mut pager = Client::on(&mut net, 0, Device { user: "carol", ms: false, number: 0 });
        assert!((305..330).contains(&refused(&net.ask(pager.conn, &pager.page("bob", "x")))));
        for conn in [early.conn, late.conn, pager.conn] {
            assert_eq!(net.closed(conn), Some(CloseReason::Drain));
        }
        // Towards the end the wait is what is left.
        net.pass_s(200);
        let mut last = Client::on(&mut net, 0, Device { user: "bob", ms: true, number: 0 });
        assert!((105..130).contains(&refused(&net.ask(last.conn, &last.register()))));
        net.at_rest();
    }
}

#[test]
fn who_is_in_goes_on_but_begins_nothing_new() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
        leave(&mut net);
        assert!(refused(&net.ask(alice.conn, &alice.invite("carol"))) >= 300);
        assert!(
            refused(&net.ask(alice.conn, &alice.request("OPTIONS", "sip:example.test"))) >= 300
        );
        // The session they have, and the registration of who is in.
        net.send(alice.conn, &alice.say(&mut callers, "one"));
        let message = net.recv(bob.conn);
        assert_eq!(message.method(), "MESSAGE");
        net.send(bob.conn, &message.answer(200, ""));
        assert_eq!(net.recv(alice.conn).status(), 200);
        assert_eq!(net.ask(bob.conn, &bob.register()).status(), 200);
        net.silent(&[alice.conn, bob.conn]);

        // The end comes as ever.
        net.control(|| Control::Drain);
        assert_eq!(net.recv(alice.conn).method(), "BYE");
        assert_eq!(net.recv(bob.conn).method(), "BYE");
        assert_eq!(net.conversation().1.end.ending, Ending::Drained);
    }
}

#[test]
fn no_bridge_is_opened_for_a_message_that_needs_one() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let carol = Client::simple(&mut net, 1, "carol");
    leave(&mut net);
    assert!(refused(&net.ask(alice.conn, &alice.page("bob", "x"))) >= 300);
    net.silent(&[bob.conn]);
    // From one standard client to another it needs nothing.
    net.send(alice.conn, &alice.page("carol", "x"));
    let message = net.recv(carol.conn);
    net.send(carol.conn, &message.answer(200, "c"));
    assert_eq!(net.recv(alice.conn).status(), 200);
}
