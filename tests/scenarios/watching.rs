//! Watching: batches of the Lync client, single subscriptions of standard clients, and what they
//! are told when somebody changes.

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;
use mynah::shard::frame::Frame;

use crate::harness::client::uri;
use crate::harness::presence::{availability, batch_body, machine_state, ok};
use crate::harness::{Client, Net};

/// Busy, on the scale of availability.
const BUSY: u32 = 6500;

#[test]
fn a_batch_is_answered_with_everybody_as_he_is() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
        let request = alice.batch(&["bob", "carol"]);
        let answer = ok(&mut net, alice.conn, &request);
        assert_eq!(answer.header("ms-piggyback-cseq"), "1");
        assert_eq!(answer.header("Event"), "presence");
        assert_eq!(answer.header("Require"), "eventlist");
        assert_eq!(answer.header("Subscription-State"), "active;expires=28800");
        assert!(answer.header("Content-Type").starts_with("multipart/related;"));
        assert!(answer.header("Content-Type").contains("type=\"application/rlmi+xml\""));
        let body = answer.body();
        for user in ["bob", "carol"] {
            assert!(body.contains(&format!("<resource uri=\"{}\"", uri(user))), "{body}");
            let document = body.split("<categories ").find(|part| {
                part.contains(&format!("uri=\"{}\"", uri(user))) && part.contains("</categories>")
            });
            let shown = document.and_then(availability);
            assert_eq!(shown, Some(if user == "bob" { BUSY } else { 18_500 }), "{body}");
        }
        net.silent(&[alice.conn, bob.conn]);
    }
}

#[test]
fn a_change_is_told_once_without_an_answer() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, shards / 2, "alice");
        let mut bob = Client::lync(&mut net, 0, "bob");
        let request = alice.batch(&["bob"]);
        let accepted = ok(&mut net, alice.conn, &request);
        ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
        let told = net.recv(alice.conn);
        assert_eq!((told.method(), told.cseq()), ("BENOTIFY", 2));
        assert_eq!(told.header("Call-ID"), request.value("Call-ID"));
        assert_eq!(told.from_tag(), accepted.to_tag());
        assert_eq!(told.header("Event"), "presence");
        assert_eq!(told.header("Content-Type"), "application/msrtc-event-categories+xml");
        assert!(told.body().contains("uri=\"sip:bob@example.test\""), "{told:?}");
        assert!(told.body().contains("xsi:type=\"aggregateState\""), "{told:?}");
        assert_eq!(availability(told.body()), Some(BUSY));
        net.silent(&[alice.conn, bob.conn]);
    }
}

#[test]
fn all_who_see_the_same_get_the_same_body_made_once() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    let mut watchers: Vec<Client> = (0..6)
        .map(|n| Client::lync(&mut net, n % 2, ["alice", "carol"][usize::from(n) / 3]))
        .collect();
    for watcher in &mut watchers {
        let request = watcher.batch(&["bob"]);
        ok(&mut net, watcher.conn, &request);
    }
    let mut simple = Client::simple(&mut net, 1, "carol");
    let request = simple.subscribe("bob", 600);
    ok(&mut net, simple.conn, &request);
    let first = net.recv(simple.conn);
    net.send(simple.conn, &first.answer(200, ""));
    let (rendered, frames) = (net.value(Series::PresenceRenderings), net.value(Series::FramesSent));
    ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
    let bodies: Vec<String> =
        watchers.iter().map(|watcher| net.recv(watcher.conn).body().to_owned()).collect();
    assert!(bodies.iter().all(|body| body == &bodies[0]));
    assert!(net.recv(simple.conn).body().contains("busy"));
    assert_eq!(net.value(Series::PresenceRenderings) - rendered, 2, "one for each dialect");
    assert!(net.value(Series::FramesSent) - frames <= 4, "one for each core and dialect");
}

#[test]
fn a_burst_within_the_damping_time_is_one_word_more() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    for (version, state) in [6500, 9500, 12_500, 15_500].into_iter().enumerate() {
        let request = bob.publish_state(state, version as u32);
        ok(&mut net, bob.conn, &request);
    }
    assert_eq!(availability(net.recv(alice.conn).body()), Some(6500), "the first one at once");
    net.silent(&[alice.conn]);
    net.pass(std::time::Duration::from_millis(200));
    assert_eq!(availability(net.recv(alice.conn).body()), Some(15_500), "then the last one");
    net.silent(&[alice.conn, bob.conn]);
}

#[test]
fn a_standard_client_is_told_one_thing_at_a_time() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.subscribe("bob", 600);
    let accepted = ok(&mut net, alice.conn, &request);
    assert_eq!((accepted.header("Expires"), accepted.body()), ("600", ""));
    let first = net.recv(alice.conn);
    assert_eq!((first.method(), first.uri()), ("NOTIFY", &*alice.contact));
    assert_eq!(first.header("Content-Type"), "application/pidf+xml");
    assert_eq!(first.header("Subscription-State"), "active;expires=600");
    assert_eq!(first.from_tag(), accepted.to_tag());
    assert!(first.body().contains("<basic>open</basic>"), "{first:?}");
    for (version, state) in [6500, 9500, 15_500].into_iter().enumerate() {
        let request = bob.publish_state(state, version as u32);
        ok(&mut net, bob.conn, &request);
        net.pass_s(1);
    }
    net.silent(&[alice.conn]);
    net.send(alice.conn, &first.answer(200, ""));
    let second = net.recv(alice.conn);
    assert!(second.body().contains("away"), "the newest alone: {second:?}");
    net.send(alice.conn, &second.answer(200, ""));
    net.silent(&[alice.conn]);
    // Whoever refuses wants no more.
    ok(&mut net, bob.conn, &bob.publish_state(3500, 3));
    let third = net.recv(alice.conn);
    net.send(alice.conn, &third.answer(481, "gone"));
    net.pass_s(1);
    ok(&mut net, bob.conn, &bob.publish_state(6500, 4));
    net.silent(&[alice.conn]);
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
}

#[test]
fn a_subscription_is_refreshed_and_ended_in_its_dialog() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 1, "alice");
    let request = alice.subscribe("bob", 600);
    let accepted = ok(&mut net, alice.conn, &request);
    let first = net.recv(alice.conn);
    net.send(alice.conn, &first.answer(200, ""));
    let refresh = alice.again(&request, &accepted, 2, 900);
    assert_eq!(ok(&mut net, alice.conn, &refresh).header("Expires"), "900");
    let again = net.recv(alice.conn);
    assert!(again.body().contains("<basic>closed</basic>"), "{again:?}");
    net.send(alice.conn, &again.answer(200, ""));
    let old = alice.again(&request, &accepted, 2, 900);
    assert_eq!(net.ask(alice.conn, &old).status(), 500, "a number that was used");
    let end = alice.again(&request, &accepted, 3, 0);
    assert_eq!(ok(&mut net, alice.conn, &end).header("Expires"), "0");
    let last = net.recv(alice.conn);
    assert_eq!(last.header("Subscription-State"), "terminated;expires=0;reason=timeout");
    net.send(alice.conn, &last.answer(200, ""));
    let late = alice.again(&request, &accepted, 4, 600);
    assert_eq!(net.ask(alice.conn, &late).status(), 481);
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
}

#[test]
fn a_batch_in_the_dialog_adds_to_those_watched() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let mut carol = Client::lync(&mut net, shards / 2, "carol");
        let first = alice.batch(&["bob"]);
        let accepted = ok(&mut net, alice.conn, &first);
        let more = alice.batch_again(&first, &accepted, 2, "carol");
        let answer = ok(&mut net, alice.conn, &more);
        assert!(answer.body().contains("uri=\"sip:carol@example.test\""), "{answer:?}");
        assert!(!answer.body().contains("uri=\"sip:bob@example.test\""), "{answer:?}");
        for one in [&mut bob, &mut carol] {
            ok(&mut net, one.conn, &one.publish_state(BUSY, 0));
            let told = net.recv(alice.conn);
            assert_eq!(told.header("Call-ID"), first.value("Call-ID"));
            assert!(told.body().contains(&format!("uri=\"{}\"", uri(&one.user))), "{told:?}");
        }
        net.silent(&[alice.conn, bob.conn, carol.conn]);
    }
}

#[test]
fn batches_add_no_more_than_a_list_has_contacts() {
    let mut net = Net::limited(1, |limits| limits.contacts_per_user_max = 1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut carol = Client::lync(&mut net, 0, "carol");
    let first = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &first);
    let again = alice.batch_again(&first, &accepted, 2, "bob");
    assert!(ok(&mut net, alice.conn, &again).body().contains("state=\"active\""));
    let more = alice.batch_again(&first, &accepted, 3, "carol");
    let refused = ok(&mut net, alice.conn, &more);
    assert!(refused.body().contains("state=\"terminated\""), "{refused:?}");
    assert_eq!(net.hits(Limit::BatchResources), 1);
    ok(&mut net, carol.conn, &carol.publish_state(BUSY, 0));
    net.silent(&[alice.conn, carol.conn]);
}

#[test]
fn a_subscription_that_nobody_refreshes_runs_out() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 1, "alice");
    let request = alice.subscribe("bob", 60);
    ok(&mut net, alice.conn, &request);
    let first = net.recv(alice.conn);
    net.send(alice.conn, &first.answer(200, ""));
    net.pass_s(61);
    let last = net.recv(alice.conn);
    assert_eq!(last.header("Subscription-State"), "terminated;expires=0;reason=timeout");
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
}

#[test]
fn a_question_is_answered_and_nothing_stays() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]).header("Expires", "0");
    let answer = ok(&mut net, alice.conn, &request);
    assert_eq!(answer.header("Subscription-State"), "terminated;expires=0");
    assert_eq!(answer.header("Expires"), "0");
    assert!(answer.body().contains("<availability>3500</availability>"), "{answer:?}");
    ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
    net.silent(&[alice.conn]);
    let mut carol = Client::simple(&mut net, 0, "carol");
    let request = carol.subscribe("bob", 0);
    ok(&mut net, carol.conn, &request);
    let only = net.recv(carol.conn);
    assert!(only.header("Subscription-State").starts_with("terminated"), "{only:?}");
    assert!(only.body().contains("busy"), "{only:?}");
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
}

#[test]
fn with_the_connection_everything_goes() {
    let mut net = Net::new(4);
    let mut alice = Client::lync(&mut net, 3, "alice");
    let request = alice.batch(&["bob", "carol", "dave"]);
    ok(&mut net, alice.conn, &request);
    for package in ["vnd-microsoft-roaming-self", "vnd-microsoft-roaming-contacts"] {
        let request = alice.subscribe_own(package);
        ok(&mut net, alice.conn, &request);
    }
    assert_eq!(net.value(Series::SubscriptionsCurrent), 3);
    net.close(alice.conn);
    net.settle();
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
    for shard in net.all() {
        let left = shard.occupancy();
        assert_eq!((left.subscriptions, left.watches, left.own), (0, 0, 0));
    }
}

#[test]
fn users_who_are_not_there_are_told_apart() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.batch(&["bob", "nobody"]);
    let answer = ok(&mut net, alice.conn, &request);
    let body = answer.body();
    assert!(body.contains("uri=\"sip:nobody@example.test\""), "{body}");
    assert!(body.contains("state=\"terminated\""), "{body}");
    let mut carol = Client::simple(&mut net, 0, "carol");
    let request = carol.subscribe("nobody", 600);
    assert_eq!(net.ask(carol.conn, &request).status(), 404);
    let mut stranger = carol.subscribe("bob", 600);
    stranger = stranger.without("Event").header("Event", "dialog");
    let refused = net.ask(carol.conn, &stranger);
    assert_eq!(
        (refused.status(), refused.header("Allow-Events")),
        (489, "conference,presence,presence.winfo")
    );
    let brief = carol.subscribe("bob", 10);
    let refused = net.ask(carol.conn, &brief);
    assert_eq!((refused.status(), refused.header("Min-Expires")), (423, "60"));
}

#[test]
fn a_long_batch_is_cut_and_the_rest_asked_for_one_by_one() {
    let mut net = Net::limited(2, |limits| limits.batch_resources_max = 2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.batch(&["bob", "carol", "dave"]);
    let answer = ok(&mut net, alice.conn, &request);
    assert_eq!(answer.body().matches("state=\"active\"").count(), 2, "{answer:?}");
    assert_eq!(answer.body().matches("state=\"resubscribe\"").count(), 1, "{answer:?}");
    assert_eq!(net.hits(Limit::BatchResources), 1);
    let mut net = Net::limited(2, |limits| limits.category_subscriptions_max = 4);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.batch(&["bob", "carol"]);
    let answer = ok(&mut net, alice.conn, &request);
    assert_eq!(answer.body().matches("state=\"active\"").count(), 1, "four categories a user");
}

#[test]
fn one_user_apart_is_asked_for_by_his_address() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.batch_to("carol", "carol");
    let answer = ok(&mut net, alice.conn, &request);
    assert!(answer.body().contains("<resource uri=\"sip:carol@example.test\""), "{answer:?}");
    let request = alice.batch_to("carol", "bob");
    assert_eq!(net.ask(alice.conn, &request).status(), 403);
}

#[test]
fn a_connection_has_so_many_subscriptions_and_no_more() {
    let mut net = Net::limited(2, |limits| limits.subscriptions_per_connection_max = 2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    for user in ["bob", "carol"] {
        let request = alice.subscribe(user, 600);
        ok(&mut net, alice.conn, &request);
        net.recv(alice.conn);
    }
    let request = alice.subscribe("dave", 600);
    assert_eq!(net.ask(alice.conn, &request).status(), 403);
    assert_eq!(net.hits(Limit::SubscriptionsPerConnection), 1);
}

#[test]
fn signing_off_is_seen_and_signing_on_again_too() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    ok(&mut net, bob.conn, &bob.publish_state(3500, 0));
    net.pass_s(1);
    let idle = bob.publish(&[machine_state(2, 4500, 0), machine_state(3, 4500, 0)]);
    ok(&mut net, bob.conn, &idle);
    net.pass_s(1);
    let told = net.recv(alice.conn);
    assert_eq!(availability(told.body()), Some(4500), "idle");
    net.close(bob.conn);
    net.pass_s(1);
    assert_eq!(availability(net.recv(alice.conn).body()), Some(18_500));
    let _bob = Client::lync(&mut net, 0, "bob");
    net.pass_s(1);
    assert_eq!(availability(net.recv(alice.conn).body()), Some(3500));
    net.silent(&[alice.conn]);
}

#[test]
fn a_batch_is_changed_in_its_dialog() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &request);
    let lists = [("carol", "subscribe"), ("bob", "unsubscribe")];
    for (cseq, (user, action)) in (2..).zip(lists) {
        let list = format!("<adhocList><resource uri=\"{}\"/></adhocList>", uri(user));
        // It goes where our Contact says, which is no user.
        let change = alice.again(&request, &accepted, cseq, 900).body(
            "application/msrtc-adrl-categorylist+xml",
            &batch_body(&uri("alice"), &list, action),
        );
        let answer = ok(&mut net, alice.conn, &change);
        let added = answer.body().contains("<resource uri=\"sip:carol@example.test\"");
        assert_eq!(added, action == "subscribe", "{answer:?}");
    }
    ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
    net.silent(&[alice.conn]);
    let mut carol = Client::lync(&mut net, 0, "carol");
    net.pass_s(1);
    assert_eq!(availability(net.recv(alice.conn).body()), Some(3500));
    ok(&mut net, carol.conn, &carol.publish_state(BUSY, 0));
    assert_eq!(availability(net.recv(alice.conn).body()), Some(BUSY));
}

#[test]
fn a_home_that_is_late_ends_no_subscription() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    let home = net.user_home("bob");
    let mut alice = Client::simple(&mut net, 1 - home, "alice");
    let request = alice.subscribe("bob", 600);
    let accepted = ok(&mut net, alice.conn, &request);
    let first = net.recv(alice.conn);
    net.send(alice.conn, &first.answer(200, ""));
    // The home says nothing in time: that is no word about who there is.
    let another = alice.subscribe("bob", 600);
    let refresh = alice.again(&request, &accepted, 2, 600);
    for request in [&another, &refresh] {
        net.post(alice.conn, request);
    }
    net.now = net.now.plus(std::time::Duration::from_secs(6));
    net.handle(alice.conn.shard.0, mynah::shard::input::Input::Tick);
    for _ in 0..2 {
        assert_eq!(net.recv(alice.conn).status(), 503);
    }
    net.settle();
    while let Some(told) = net.try_recv(alice.conn) {
        assert_eq!(told.header("Call-ID"), request.value("Call-ID"), "the other is over");
        net.send(alice.conn, &told.answer(200, ""));
    }
    ok(&mut net, bob.conn, &bob.publish_state(BUSY, 0));
    assert!(net.recv(alice.conn).body().contains("busy"), "the first goes on");
}

#[test]
fn nothing_older_is_told_after_the_answer_to_a_refresh() {
    let mut net = Net::new(2);
    let home = net.user_home("bob");
    let mut bob = Client::lync(&mut net, home, "bob");
    let mut alice = Client::lync(&mut net, 1 - home, "alice");
    let request = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &request);
    ok(&mut net, bob.conn, &bob.publish_note("at first", 0));
    net.pass_s(1);
    while net.try_recv(alice.conn).is_some() {}
    // The refresh is on its way while the note changes and its reader is blocked.
    let (there, back) = ((1 - home, home), (home, 1 - home));
    net.post(alice.conn, &alice.again(&request, &accepted, 2, 600));
    net.post(bob.conn, &bob.publish_note("secret", 1));
    net.post(bob.conn, &bob.set_members(&[(32_000, 0, "add", "alice")]));
    while net.answer_write() {}
    net.carry(there);
    for _ in 0..3 {
        net.carry(back);
    }
    net.settle();
    let answer = net.recv(alice.conn);
    assert_eq!(answer.status(), 200);
    assert_eq!(availability(answer.body()), Some(18_500), "{answer:?}");
    net.silent(&[alice.conn]);
}

#[test]
fn who_leaves_is_told_no_more_though_the_word_of_it_was_lost() {
    let mut net = Net::new(2);
    let home = net.user_home("alice");
    let mut alice = Client::lync(&mut net, 1 - home, "alice");
    let request = alice.subscribe_own("vnd-microsoft-roaming-contacts");
    ok(&mut net, alice.conn, &request);
    net.end(alice.conn);
    assert!(net.lose((1 - home, home), |frame| matches!(frame, Frame::Unsubscribe { .. })));
    net.settle();
    let left = net.all()[usize::from(home)].occupancy();
    assert_eq!((left.endpoints, left.own), (0, 0));
}
