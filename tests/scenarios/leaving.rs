//! The server leaves: it takes no new work, and goes on with what there is.

use std::time::Duration;

use mynah::base::host_port::HostPort;
use mynah::metrics::counters::CloseReason;
use mynah::metrics::names::Series;
use mynah::records::Ending;
use mynah::shard::input::Control;

use crate::harness::conference::{Wish, convened, heard, id_at, said, seated};
use crate::harness::{Client, Device, Net, Text, established};

const OVER: Duration = Duration::from_secs(300);

fn leave(net: &mut Net) {
    net.control(|| Control::Leave { over: OVER, to: None });
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
    // Nor does a message from one standard client to another begin a conversation.
    assert!(refused(&net.ask(alice.conn, &alice.page("carol", "x"))) >= 300);
    net.silent(&[carol.conn]);
}

#[test]
fn a_conversation_through_the_bridge_goes_on_from_both_ends() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let invite = alice.invite("bob");
        net.send(alice.conn, &invite);
        assert_eq!(net.recv(alice.conn).status(), 100);
        let accepted = net.recv(alice.conn);
        let mut dialog = alice.dialog(&invite, &accepted);
        net.send(alice.conn, &alice.ack(&dialog));
        leave(&mut net);
        net.send(alice.conn, &alice.say(&mut dialog, "hello bob"));
        let message = net.recv(bob.conn);
        net.send(bob.conn, &message.answer(200, "b"));
        assert_eq!(net.recv(alice.conn).status(), 200);
        net.send(bob.conn, &bob.page("alice", "hello alice"));
        let message = net.recv(alice.conn);
        assert_eq!((message.method(), message.body()), ("MESSAGE", "hello alice"));
        net.send(alice.conn, &message.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);
        net.silent(&[alice.conn, bob.conn]);
    }
}

#[test]
fn subscriptions_and_publications_are_kept_and_ended_and_none_begins() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::simple(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let first = alice.subscribe("bob", 600);
        let subscribed = net.ask(alice.conn, &first);
        assert_eq!(subscribed.status(), 200, "{subscribed:?}");
        let notify = net.recv(alice.conn);
        net.send(alice.conn, &notify.answer(200, ""));
        let published = net.ask(alice.conn, &alice.publish_pidf("busy", "", None));
        let etag = published.header("SIP-ETag").to_owned();
        leave(&mut net);
        for (client, request) in [
            (alice.conn, alice.subscribe("carol", 600)),
            (alice.conn, alice.subscribe("carol", 0)),
            (alice.conn, alice.publish_pidf("away", "", Some(&etag))),
            (alice.conn, alice.publish_pidf("away", "", None)),
            (bob.conn, bob.batch(&["alice"])),
            (bob.conn, bob.subscribe_own("vnd-microsoft-roaming-self")),
            (bob.conn, bob.publish_state(3500, 0)),
            (bob.conn, bob.set_members(&[(400, 0, "add", "alice")])),
            (bob.conn, bob.soap("setContact", "")),
        ] {
            assert!(refused(&net.ask(client, &request)) >= 300);
        }
        // Whoever has one keeps it, and may end it.
        let refresh = alice.request("PUBLISH", &alice.uri());
        let refresh = refresh.header("Event", "presence").header("SIP-If-Match", &etag);
        let refreshed = net.ask(alice.conn, &refresh.header("Expires", "600"));
        assert_eq!(refreshed.status(), 200, "{refreshed:?}");
        let etag = refreshed.header("SIP-ETag").to_owned();
        let end = alice.request("PUBLISH", &alice.uri());
        let end = end.header("Event", "presence").header("SIP-If-Match", &etag);
        assert_eq!(net.ask(alice.conn, &end.header("Expires", "0")).status(), 200);
        for (cseq, expires) in [(2, 600), (3, 0)] {
            let again = alice.again(&first, &subscribed, cseq, expires);
            assert_eq!(net.ask(alice.conn, &again).status(), 200, "{expires}");
            let notify = net.recv(alice.conn);
            net.send(alice.conn, &notify.answer(200, ""));
        }
        net.silent(&[alice.conn, bob.conn]);
    }
}

#[test]
fn a_conference_goes_on_among_its_members_and_nobody_joins() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let meeting = convened(&mut net, &mut alice, &id_at(shards, 0, 1), Wish::default());
        let mut seat = seated(&mut net, &mut alice, &meeting);
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "hello")).status(), 202);
        assert_eq!(heard(&mut net, &alice).body(), "hello");
        leave(&mut net);
        // Members go on, in pager mode too.
        said(&mut net, &mut alice, &mut seat.chat, "still here");
        assert_eq!(heard(&mut net, &bob).body(), "alice@example.test: still here");
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "so am I")).status(), 202);
        assert_eq!(heard(&mut net, &alice).body(), "so am I");
        // Nobody comes in, is called in, or makes another.
        let mut carol = Client::on(&mut net, 0, Device { user: "carol", ms: true, number: 0 });
        assert!(refused(&net.ask(carol.conn, &carol.register())) >= 300);
        let call = alice.operate(&mut seat.focus, &meeting.invite("carol", "attendee"));
        assert_eq!(net.ask(alice.conn, &call).status(), 503);
        assert!(refused(&net.ask(bob.conn, &bob.invite_plain(&meeting))) >= 300);
        let another = alice.convene(&id_at(shards, 0, 2), Wish::default());
        assert_eq!(net.ask(alice.conn, &another).status(), 503);
        // Who is to go goes.
        let eject = alice.operate(&mut seat.focus, &meeting.eject("bob"));
        assert_eq!(net.ask(alice.conn, &eject).status(), 202);
        assert!(refused(&net.ask(bob.conn, &bob.page(&meeting.page, "back"))) >= 300);
    }
}

#[test]
fn lync_clients_are_sent_where_they_are_wanted_and_others_find_their_way() {
    for shards in [1, 2] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        let to = HostPort::parse("fe02.example.test");
        net.control(|| Control::Leave { over: OVER, to: to.clone() });
        let place = "<sip:fe02.example.test:5061;transport=tls>";
        // A refresh, and a sign-in, whose connection has no more use.
        let refresh = net.ask(alice.conn, &alice.register());
        assert_eq!((refresh.status(), refresh.header("Contact")), (301, place));
        assert!(net.is_open(alice.conn));
        let mut late = Client::on(&mut net, 0, Device { user: "carol", ms: true, number: 0 });
        let sent = net.ask(late.conn, &late.register());
        assert_eq!((sent.status(), sent.header("Contact")), (301, place));
        assert_eq!(net.closed(late.conn), Some(CloseReason::Drain));
        assert_eq!(net.value(Series::Redirects), 2);
        // Who signs off is not sent anywhere.
        let off = alice.register().with("Expires", "0");
        assert_eq!(net.ask(alice.conn, &off).status(), 200);
        // Other clients would not follow.
        assert_eq!(net.ask(bob.conn, &bob.register()).status(), 200);
        let mut other = Client::on(&mut net, 0, Device { user: "carol", ms: false, number: 0 });
        assert!(refused(&net.ask(other.conn, &other.register())) >= 300);
    }
}
