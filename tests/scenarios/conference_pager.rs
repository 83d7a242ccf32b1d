//! Members whose clients speak pager mode: what they say comes outside any dialog.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;

use crate::harness::client::TYPING;
use crate::harness::conference::{
    FACTORY, Meeting, Seat, Wish, convened, heard, hears, id_at, pass_over, said, seated, users,
    watching,
};
use crate::harness::{Client, Device, Net};

/// Alice's conference with her in it, and bob with a standard client.
fn paged(net: Net) -> (Net, Meeting, Client, Seat, Client) {
    paged_with(net, Wish::default())
}

fn paged_with(mut net: Net, wish: Wish<'_>) -> (Net, Meeting, Client, Seat, Client) {
    let shards = net.shards();
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, shards - 1, "bob");
    let meeting = convened(&mut net, &mut alice, &id_at(shards, 1, 1), wish);
    let seat = seated(&mut net, &mut alice, &meeting);
    (net, meeting, alice, seat, bob)
}

#[test]
fn who_says_something_is_in() {
    for shards in [1, 2, 4] {
        for at in 0..3 {
            let (mut net, meeting, mut alice, mut seat, mut bob) = paged(Net::new(shards));
            let to = [&meeting.page, &meeting.focus, &meeting.chat][at];
            let message = bob.page(to, "hello all");
            let answer = net.ask(bob.conn, &message);
            assert_eq!((answer.status(), answer.header("Message-Id")), (202, "1"));
            assert!(answer.header("Via").starts_with(message.value("Via")), "{answer:?}");
            let received = heard(&mut net, &alice);
            assert_eq!(
                (received.body(), received.header("Ms-Sender")),
                ("hello all", "<sip:bob@example.test>")
            );
            let (_, roster) = watching(&mut net, &mut alice, &meeting);
            assert_eq!(users(roster.body()).len(), 2, "{roster:?}");
            assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
            said(&mut net, &mut alice, &mut seat.chat, "hello bob");
            assert_eq!(heard(&mut net, &bob).body(), "alice@example.test: hello bob");
            assert_eq!(net.ask(bob.conn, &bob.page(to, "again")).header("Message-Id"), "3");
            hears_plain(&mut net, &alice, &seat, "again");
            assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
            net.silent(&[alice.conn, bob.conn]);
            net.at_rest();
        }
    }
}

#[track_caller]
fn hears_plain(net: &mut Net, client: &Client, seat: &Seat, text: &str) {
    let message = heard(net, client);
    assert_eq!((message.body(), message.header("Call-ID")), (text, &*seat.chat.call_id));
}

#[test]
fn what_he_missed_comes_after_he_spoke() {
    for shards in [1, 2] {
        let (mut net, meeting, mut alice, mut seat, mut bob) = paged(Net::new(shards));
        said(&mut net, &mut alice, &mut seat.chat, "before");
        net.send(bob.conn, &bob.page(&meeting.page, "hello"));
        let mut came: Vec<_> = std::iter::from_fn(|| net.try_recv(bob.conn)).collect();
        came.sort_by_key(|message| message.is_response());
        let [before, answer] = &came[..] else { panic!("{came:?}") };
        assert_eq!(before.body(), "alice@example.test: before");
        net.send(bob.conn, &before.answer(200, "b"));
        assert_eq!(answer.status(), 202);
        hears_plain(&mut net, &alice, &seat, "hello");
        net.at_rest();
    }
}

#[test]
fn all_endpoints_of_a_member_get_it() {
    for shards in [1, 2] {
        let (mut net, meeting, mut alice, mut seat, mut bob) = paged(Net::new(shards));
        let device = Device { user: "bob", ms: false, number: 1 };
        let second = Client::device(&mut net, 0, device);
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "hello")).status(), 202);
        hears_plain(&mut net, &alice, &seat, "hello");
        said(&mut net, &mut alice, &mut seat.chat, "both of you");
        heard(&mut net, &bob);
        heard(&mut net, &second);
        net.silent(&[alice.conn, bob.conn, second.conn]);
        net.at_rest();
    }
}

#[test]
fn who_may_not_join_says_nothing() {
    for shards in [1, 2] {
        let wish = Wish { admission: "closedAuthenticated", lobby: true, ..Wish::default() };
        let (mut net, meeting, mut alice, _, mut bob) = paged_with(Net::new(shards), wish);
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "hello")).status(), 403);
        net.silent(&[alice.conn]);
        let ask = alice.operation_at(&meeting.focus, &meeting.invite("bob", "attendee"));
        assert_eq!(net.ask(alice.conn, &ask).status(), 200);
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "hello")).status(), 202);
        assert_eq!(heard(&mut net, &alice).body(), "hello");
        net.at_rest();
    }
}

#[test]
fn what_is_for_no_conference_is_refused() {
    for shards in [1, 2] {
        let (mut net, _, alice, _, mut bob) = paged(Net::new(shards));
        let id = id_at(shards, 1, 9);
        for (to, status) in [
            (Meeting::of("alice", &id).chat, 404),
            (Meeting::of("carol", &id_at(shards, 1, 1)).chat, 404),
            (Meeting::of("sip:alice@example.org", &id).chat, 404),
            (FACTORY.to_owned(), 405),
        ] {
            let message = bob.page(&to, "hello");
            assert_eq!(net.ask(bob.conn, &message).status(), status, "{to}");
        }
        let looping = bob.page(&Meeting::of("alice", &id).chat, "x").with("Max-Forwards", "0");
        assert_eq!(net.ask(bob.conn, &looping).status(), 483);
        net.silent(&[alice.conn]);
        net.at_rest();
    }
}

#[test]
fn that_he_types_is_taken_and_told_to_nobody() {
    let (mut net, meeting, alice, _, mut bob) = paged(Net::new(2));
    let typing = bob.page(&meeting.page, "").body("application/im-iscomposing+xml", TYPING);
    assert_eq!(net.ask(bob.conn, &typing).status(), 200);
    net.silent(&[alice.conn]);
    assert_eq!(net.value(Series::ConferenceMembersCurrent), 1);
}

#[test]
fn his_messages_have_the_same_bounds() {
    for shards in [1, 2] {
        let net = Net::limited(shards, |limits| {
            limits.conference_message_bytes_max = 5;
            limits.conference_burst_max = 2;
        });
        let (mut net, meeting, alice, _, mut bob) = paged(net);
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "sixsix")).status(), 413);
        for text in ["1", "2"] {
            assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, text)).status(), 202);
            assert_eq!(heard(&mut net, &alice).body(), text);
        }
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "3")).status(), 503);
        assert_eq!(net.hits(Limit::ConferenceRate), 1);
        net.silent(&[alice.conn]);
        net.at_rest();
    }
}

#[test]
fn a_connection_has_so_many_of_them_in_flight() {
    let net = Net::limited(2, |limits| limits.relays_per_connection_max = 2);
    let (mut net, meeting, alice, _, mut bob) = paged(net);
    for text in ["1", "2", "3"] {
        let message = bob.page(&meeting.page, text);
        net.post(bob.conn, &message);
    }
    net.settle();
    let mut statuses: Vec<_> = (0..3).map(|_| net.recv(bob.conn).status()).collect();
    statuses.sort_unstable();
    // Bob is at the owner of the conference: only where his home is elsewhere does it wait.
    let refused = u64::from(statuses == [202, 202, 503]);
    assert!(statuses == [202, 202, 202] || refused == 1, "{statuses:?}");
    assert_eq!(net.hits(Limit::RelaysPerConnection), refused);
    pass_over(&mut net, &[alice.conn]);
}

#[test]
fn what_does_not_reach_him_is_reported_and_he_stays() {
    for shards in [1, 2] {
        let (mut net, meeting, mut alice, mut seat, mut bob) = paged(Net::new(shards));
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "hello")).status(), 202);
        heard(&mut net, &alice);
        said(&mut net, &mut alice, &mut seat.chat, "2");
        let received = net.recv(bob.conn);
        net.send(bob.conn, &received.answer(415, "b"));
        let report = net.recv(alice.conn);
        assert!(report.body().contains("<message-id>2</message-id>"), "{report:?}");
        assert!(report.body().contains("<status>415</status>"), "{report:?}");
        said(&mut net, &mut alice, &mut seat.chat, "3");
        net.recv(bob.conn);
        for _ in 0..8 {
            net.pass_s(5);
        }
        let report = net.recv(alice.conn);
        assert!(report.body().contains("<message-id>3</message-id>"), "{report:?}");
        assert!(report.body().contains("<status>408</status>"), "{report:?}");
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn a_removed_member_is_out_until_he_speaks_again() {
    for shards in [1, 2] {
        let (mut net, meeting, mut alice, mut seat, mut bob) = paged(Net::new(shards));
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "hello")).status(), 202);
        heard(&mut net, &alice);
        let eject = alice.operate(&mut seat.focus, &meeting.eject("bob"));
        assert_eq!(net.ask(alice.conn, &eject).status(), 202);
        assert_eq!(net.recv(alice.conn).method(), "INFO");
        said(&mut net, &mut alice, &mut seat.chat, "he is gone");
        net.silent(&[bob.conn]);
        net.send(bob.conn, &bob.page(&meeting.page, "am I?"));
        hears_plain(&mut net, &alice, &seat, "am I?");
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
    }
}

#[test]
fn two_members_in_pager_mode_hear_one_another() {
    for shards in [1, 2, 4] {
        let (mut net, meeting, mut alice, mut seat, mut bob) = paged(Net::new(shards));
        let mut carol = Client::simple(&mut net, 0, "carol");
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "I am bob")).status(), 202);
        net.send(carol.conn, &carol.page(&meeting.chat, "I am carol"));
        assert_eq!(heard(&mut net, &bob).body(), "carol@example.test: I am carol");
        let mut came: Vec<_> = std::iter::from_fn(|| net.try_recv(carol.conn)).collect();
        came.retain(|message| !message.is_response());
        let [recalled] = &came[..] else { panic!("{came:?}") };
        assert_eq!(recalled.body(), "bob@example.test: I am bob");
        net.send(carol.conn, &recalled.answer(200, "c"));
        heard(&mut net, &alice);
        heard(&mut net, &alice);
        said(&mut net, &mut alice, &mut seat.chat, "welcome");
        for client in [&bob, &carol] {
            assert_eq!(heard(&mut net, client).body(), "alice@example.test: welcome");
        }
        net.at_rest();
    }
}

#[test]
fn a_member_in_pager_mode_may_take_a_lync_client_too() {
    for shards in [1, 2] {
        let (mut net, meeting, mut alice, mut seat, mut bob) = paged(Net::new(shards));
        assert_eq!(net.ask(bob.conn, &bob.page(&meeting.page, "hello")).status(), 202);
        heard(&mut net, &alice);
        let device = Device { user: "bob", ms: true, number: 1 };
        let mut second = Client::device(&mut net, 0, device);
        let his = seated(&mut net, &mut second, &meeting);
        assert_eq!(net.value(Series::ConferenceMembersCurrent), 2);
        said(&mut net, &mut alice, &mut seat.chat, "once each");
        hears(&mut net, &second, &his.chat, "alice", "once each");
        assert_eq!(heard(&mut net, &bob).body(), "alice@example.test: once each");
        net.silent(&[alice.conn, bob.conn, second.conn]);
        net.at_rest();
    }
}

#[test]
fn a_pager_who_vanishes_before_the_answer_leaves_no_trace() {
    for steps in 0..4 {
        let (mut net, meeting, alice, _, mut bob) = paged(Net::new(4));
        net.post(bob.conn, &bob.page(&meeting.page, "bye"));
        for _ in 0..steps {
            let Some(link) = net.busy().next() else { break };
            net.carry(link);
        }
        net.end(bob.conn);
        net.settle();
        assert_eq!(heard(&mut net, &alice).body(), "bye");
        net.at_rest();
    }
}
