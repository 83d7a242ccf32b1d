//! The bounds of presence: each is hit, counted, and leaves the others served.

use mynah::base::aor::Aor;
use mynah::base::limits::Limit;
use mynah::metrics::names::Series;
use mynah::shard::input::Control;
use mynah::shard::question::{Answer, Question};

use crate::harness::client::uri;
use crate::harness::presence::{availability, batch_body, machine_state, ok, publication};
use crate::harness::text::Request;
use crate::harness::{Client, Device, Net};

const SELF: &str = "vnd-microsoft-roaming-self";
const WATCHERS: &str = "presence.winfo";

/// A Lync client's batch that is told by NOTIFY.
fn answered_batch(client: &mut Client, users: &[&str]) -> Request {
    let batch = client.batch(users);
    batch.without("Supported").without("Proxy-Require")
}

fn own(client: &mut Client, event: &str) -> Request {
    let to = uri(&client.user);
    client.request("SUBSCRIBE", &to).header("Event", event).header("Expires", "600")
}

#[test]
fn who_never_answers_is_ended_when_too_much_waits_for_him() {
    let mut net = Net::limited(2, |limits| limits.pending_notifications_max = 4);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = answered_batch(&mut alice, &["bob"]);
    ok(&mut net, alice.conn, &request);
    let first = net.recv(alice.conn);
    assert_eq!(first.method(), "NOTIFY");
    for version in 0..6 {
        ok(&mut net, bob.conn, &bob.publish_state(3500 + version % 2 * 3000, version));
        net.pass_s(1);
    }
    let last = net.recv(alice.conn);
    assert_eq!(last.header("Subscription-State"), "terminated;expires=0;reason=deactivated");
    assert_eq!(net.hits(Limit::PendingNotifications), 1);
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
    net.silent(&[alice.conn]);
    net.at_rest();
    let again = answered_batch(&mut alice, &["bob"]);
    ok(&mut net, alice.conn, &again);
    assert_eq!(availability(net.recv(alice.conn).body()), Some(6500), "the whole, anew");
}

#[test]
fn a_standard_client_that_never_answers_keeps_one_document_of_each_waiting() {
    let mut net = Net::limited(2, |limits| limits.pending_notifications_max = 0);
    let mut carol = Client::simple(&mut net, 1, "carol");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = carol.subscribe("bob", 600);
    ok(&mut net, carol.conn, &request);
    let first = net.recv(carol.conn);
    for version in 0..6 {
        ok(&mut net, bob.conn, &bob.publish_state(3500 + version % 2 * 3000, version));
        net.pass_s(1);
    }
    net.send(carol.conn, &first.answer(200, ""));
    assert!(net.recv(carol.conn).body().contains("busy"), "the last one");
    assert_eq!(net.hits(Limit::PendingNotifications), 0);
}

#[test]
fn nobody_takes_all_the_places_of_a_users_watchers() {
    let mut net = Net::limited(2, |limits| {
        limits.watches_per_watcher_max = 2;
        limits.watchers_per_user_max = 3;
    });
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut carol = Client::lync(&mut net, 0, "carol");
    let mut outcomes = Vec::new();
    for client in [0, 0, 0, 1, 1].map(|n| n == 0) {
        let client = if client { &mut alice } else { &mut carol };
        let request = client.batch(&["bob"]);
        outcomes.push(ok(&mut net, client.conn, &request).body().contains("state=\"active\""));
    }
    assert_eq!(outcomes, [true, true, false, true, false]);
    assert_eq!(net.hits(Limit::WatchesPerWatcher), 1);
    assert_eq!(net.hits(Limit::Watchers), 1);
    let mut bob = Client::simple(&mut net, 1, "bob");
    let request = bob.subscribe("bob", 600);
    let refused = net.ask(bob.conn, &request);
    assert_eq!(refused.status(), 403, "he exists, {refused:?}");
    assert!(refused.header("Warning").contains("watched too often"), "{refused:?}");
}

#[test]
fn a_subscription_does_not_grow_without_end_in_its_dialog() {
    let mut net = Net::limited(1, |limits| limits.contacts_per_user_max = 8);
    let mut alice = Client::lync(&mut net, 0, "alice");
    for number in 0..12 {
        net.put_user(&format!("user{number}"), |_| {});
    }
    let first = alice.batch(&["user0", "user1"]);
    let accepted = ok(&mut net, alice.conn, &first);
    let mut seen = 0;
    for number in 2..12 {
        let resource =
            format!("<adhocList><resource uri=\"{}\"/></adhocList>", uri(&format!("user{number}")));
        let body = batch_body(&uri("alice"), &resource, "subscribe");
        let more = alice
            .again(&first, &accepted, number, 7200)
            .body("application/msrtc-adrl-categorylist+xml", &body);
        seen += ok(&mut net, alice.conn, &more).body().matches("state=\"active\"").count();
    }
    assert_eq!(seen, 6);
    assert_eq!(net.hits(Limit::BatchResources), 4);
    assert_eq!(net.all()[0].occupancy().watches, 8);
}

#[test]
fn a_user_is_told_of_his_own_so_many_times_and_no_more() {
    let mut net = Net::limited(2, |limits| limits.own_subscriptions_per_user_max = 2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.subscribe_own(SELF);
    let accepted = ok(&mut net, alice.conn, &request);
    let refresh = alice.again(&request, &accepted, 2, 600);
    ok(&mut net, alice.conn, &refresh);
    let mut other = Client::device(&mut net, 1, Device { user: "alice", ms: true, number: 1 });
    let request = other.subscribe_own(SELF);
    ok(&mut net, other.conn, &request);
    let request = other.subscribe_own(SELF);
    assert_eq!(net.ask(other.conn, &request).status(), 403);
    assert_eq!(net.hits(Limit::OwnSubscriptions), 1);
    net.close(alice.conn);
    net.settle();
    let request = other.subscribe_own(SELF);
    ok(&mut net, other.conn, &request);
}

#[test]
fn long_headers_are_not_kept_with_a_subscription() {
    let mut net = Net::limited(2, |limits| limits.subscription_bytes_max = 1000);
    let mut carol = Client::simple(&mut net, 1, "carol");
    let long = format!("presence;id={}", "x".repeat(1000));
    let request = carol.subscribe("bob", 600).with("Event", &long);
    assert_eq!(net.ask(carol.conn, &request).status(), 413);
    assert_eq!(net.hits(Limit::SubscriptionBytes), 1);
    assert_eq!(net.value(Series::SubscriptionsCurrent), 0);
    let request = carol.subscribe("bob", 600);
    ok(&mut net, carol.conn, &request);
}

#[test]
fn a_user_is_told_who_watches_him_at_once_and_then_not_for_a_while() {
    let mut net = Net::limited(2, |limits| limits.watcher_info_entries_max = 3);
    let mut bob = Client::simple(&mut net, 0, "bob");
    let request = own(&mut bob, WATCHERS);
    ok(&mut net, bob.conn, &request);
    let first = net.recv(bob.conn);
    net.send(bob.conn, &first.answer(200, ""));
    let mut alice = Client::lync(&mut net, 1, "alice");
    let request = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &request);
    let told = net.recv(bob.conn);
    assert!(told.body().contains("alice"), "{told:?}");
    net.send(bob.conn, &told.answer(200, ""));
    for cseq in 2..50 {
        let refresh = alice.again(&request, &accepted, cseq, 600);
        ok(&mut net, alice.conn, &refresh);
        let more = alice.batch(&["bob"]);
        ok(&mut net, alice.conn, &more);
        net.silent(&[bob.conn]);
    }
    net.pass_s(5);
    let told = net.recv(bob.conn);
    assert_eq!(told.body().matches("<watcher ").count(), 3, "as many as a document has");
    net.send(bob.conn, &told.answer(200, ""));
    net.pass_s(60);
    net.silent(&[bob.conn]);
}

#[test]
fn names_of_categories_are_bounded() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    for (len, status) in [(64, 200), (65, 400), (100_000, 400)] {
        let name = "n".repeat(len);
        let request = alice.publish(&[publication(&name, 1, 2, 0, "endpoint", "<a/>")]);
        assert_eq!(net.ask(alice.conn, &request).status(), status, "{len}");
    }
}

#[test]
fn bodies_that_hit_a_bound_are_counted_by_it() {
    let mut net = Net::limited(2, |limits| {
        limits.xml_depth_max = 8;
        limits.publication_bytes_max = 400;
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    let deep = format!("{}{}", "<a>".repeat(20), "</a>".repeat(20));
    let batch = "application/msrtc-adrl-categorylist+xml";
    let requests = [
        alice.service("application/msrtc-category-publish+xml", &deep),
        alice.service("application/msrtc-setcontainermembers+xml", &deep),
        alice.service("application/SOAP+xml", &deep),
        alice.piggyback("presence", &uri("alice")).body(batch, &deep),
    ];
    for (count, request) in (1..).zip(&requests) {
        assert_eq!(net.ask(alice.conn, request).status(), 400);
        assert_eq!(net.hits(Limit::XmlDepth), count);
    }
    let broken = alice.piggyback(SELF, &uri("alice")).body("a/b", "<roamingList");
    assert_eq!(net.ask(alice.conn, &broken).status(), 400);
    let mut carol = Client::simple(&mut net, 1, "carol");
    let long = carol.publish_pidf("busy", &"n".repeat(400), None);
    assert_eq!(net.ask(carol.conn, &long).status(), 413);
    assert_eq!(net.hits(Limit::PublicationBytes), 1);
}

#[test]
fn a_user_who_publishes_faster_than_the_store_writes_waits_his_turn() {
    let mut net = Net::limited(2, |limits| limits.edits_waiting_per_user_max = 3);
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.shelf.held = true;
    for version in 0..5 {
        let request = alice.publish_note("on my way", version);
        net.send(alice.conn, &request);
    }
    for _ in 0..2 {
        let refused = net.recv(alice.conn);
        assert_eq!(refused.status(), 503);
        assert!(refused.has("Retry-After"), "{refused:?}");
    }
    assert_eq!(net.hits(Limit::EditsWaiting), 2);
    // What dies with the endpoint is not written.
    let state = alice.publish(&[machine_state(2, 3500, 0)]);
    ok(&mut net, alice.conn, &state);
    net.shelf.held = false;
    net.settle();
    for _ in 0..3 {
        assert_eq!(net.recv(alice.conn).status(), 200);
    }
    ok(&mut net, alice.conn, &alice.publish_note("here", 3));
}

#[test]
fn edits_that_wait_are_no_longer_together_than_one_message() {
    let mut net = Net::limited(1, |limits| limits.sip_body_bytes_max = 4000);
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.shelf.held = true;
    let name = "n".repeat(1500);
    for user in ["bob", "carol", "dave", "erin"] {
        let arguments = format!(
            "<m:displayName>{name}</m:displayName><m:groups>1</m:groups>\
             <m:subscribed>true</m:subscribed><m:URI>{}</m:URI><m:externalURI/>\
             <m:deltaNum>1</m:deltaNum>",
            uri(user)
        );
        let request = alice.soap("setContact", &arguments);
        net.send(alice.conn, &request);
    }
    assert_eq!(net.recv(alice.conn).status(), 503);
    assert!(net.hits(Limit::EditsWaiting) > 0);
}

#[test]
fn a_write_in_flight_is_answered_while_the_server_goes_down() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.shelf.held = true;
    let request = alice.publish_note("on my way", 0);
    net.send(alice.conn, &request);
    let block = alice.set_members(&[(32_000, 0, "add", "bob")]);
    net.send(alice.conn, &block);
    net.control(|| Control::Drain);
    net.silent(&[alice.conn]);
    net.shelf.held = false;
    net.settle();
    assert_eq!(net.recv(alice.conn).status(), 200);
    assert_eq!(net.recv(alice.conn).status(), 200);
}

#[test]
fn a_batch_whose_answer_would_be_too_long_is_cut() {
    let mut net = Net::limited(2, |limits| limits.outgoing_bytes_per_connection_max = 2_000);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.batch(&["alice", "bob", "carol", "dave"]);
    let answer = ok(&mut net, alice.conn, &request);
    assert!(answer.body().matches("state=\"active\"").count() >= 1, "{answer:?}");
    assert!(answer.body().matches("state=\"resubscribe\"").count() >= 1, "{answer:?}");
    assert_eq!(net.hits(Limit::BatchResources), 1);
}

#[test]
fn an_operator_sees_what_somebody_of_another_domain_would_see() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    ok(&mut net, alice.conn, &alice.publish_note("private", 0));
    for (watcher, level) in [("bob@example.test", 200), ("bob@elsewhere.test", 100)] {
        let (user, watcher) = (Aor::new("alice@example.test"), Some(Aor::new(watcher)));
        let answer = net.inquire(Question::Presence { user, watcher });
        let Answer::Presence(presence) = answer else { panic!("{answer:?}") };
        let seen = presence.seen.expect("what is seen");
        assert_eq!(seen.level.0, level);
        assert_eq!(seen.notes.is_empty(), level == 100);
    }
}

#[test]
fn nobody_is_asked_whether_he_may_add_himself() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let request = alice.subscribe_own(SELF);
    ok(&mut net, alice.conn, &request);
    let request = alice.batch_added("alice");
    ok(&mut net, alice.conn, &request);
    net.silent(&[alice.conn]);
}
