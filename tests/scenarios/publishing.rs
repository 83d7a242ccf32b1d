//! Publishing: versions, several endpoints, access levels, entity tags of standard clients.

use mynah::base::limits::{Limit, Limits};
use mynah::metrics::names::Series;
use mynah::shard::durable::NotWritten;

use crate::harness::presence::{availability, machine_state, ok, publication, user_state};
use crate::harness::{Client, Device, Net};

/// The last word a watcher got about a user's availability.
fn last_seen(net: &mut Net, watcher: &Client) -> Option<u32> {
    net.pass_s(1);
    let mut seen = None;
    while let Some(told) = net.try_recv(watcher.conn) {
        seen = availability(told.body()).or(seen);
    }
    seen
}

#[test]
fn the_answer_lists_all_instances_of_what_was_touched() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    let answer = ok(&mut net, bob.conn, &bob.publish_state(6500, 0));
    assert_eq!(answer.header("Content-Type"), "application/vnd-microsoft-roaming-self+xml");
    let body = answer.body();
    assert_eq!(body.matches("xsi:type=\"userState\"").count(), 2, "{body}");
    assert!(body.contains("xsi:type=\"aggregateState\""), "{body}");
    assert!(body.contains("version=\"1\""), "{body}");
    assert!(!body.contains("name=\"note\""), "an endpoint keeps what is not named: {body}");
    let answer = ok(&mut net, bob.conn, &bob.publish(&[machine_state(2, 3500, 0)]));
    let body = answer.body();
    assert_eq!(body.matches("xsi:type=\"userState\"").count(), 2, "all of the category: {body}");
}

#[test]
fn a_wrong_version_is_a_fault_that_names_the_right_one() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    ok(&mut net, bob.conn, &bob.publish_state(6500, 0));
    ok(&mut net, bob.conn, &bob.publish_state(9500, 1));
    let request = bob.publish(&[user_state(2, 3500, 1)]);
    let refused = net.ask(bob.conn, &request);
    assert_eq!(refused.status(), 409);
    assert_eq!(refused.header("Content-Type"), "application/msrtc-fault+xml");
    assert!(refused.body().contains("Client.BadCall.WrongDelta"), "{refused:?}");
    assert!(
        refused.body().contains("<operation index=\"1\" version=\"1\" curVersion=\"2\"/>"),
        "{refused:?}"
    );
    assert_eq!(net.value(Series::PublicationConflicts), 1);
    ok(&mut net, bob.conn, &bob.publish(&[user_state(2, 3500, 2)]));
}

#[test]
fn bodies_that_break_their_format_change_nothing() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    let publish = "application/msrtc-category-publish+xml";
    let deep = format!("{}{}", "<a>".repeat(5000), "</a>".repeat(5000));
    for (media_type, body, status) in [
        (publish, "", 400),
        (publish, "<publish", 400),
        (publish, "<publish/>", 400),
        (publish, "<!DOCTYPE a [<!ENTITY b \"c\">]><publish>&b;</publish>", 400),
        (publish, &*deep, 400),
        ("application/msrtc-setcontainermembers+xml", "<x/>", 400),
        ("application/msrtc-presence-setsubscriber+xml", "<x/>", 400),
        ("application/SOAP+xml", "<x/>", 400),
        ("application/x-unknown", "<x/>", 415),
    ] {
        let request = bob.service(media_type, body);
        let refused = net.ask(bob.conn, &request);
        assert_eq!(refused.status(), status, "{media_type} {body:.60}");
        assert!(refused.has("ms-diagnostics"), "{refused:?}");
    }
    net.silent(&[alice.conn]);
    assert_eq!(net.value(Series::PublicationConflicts), 0);
}

#[test]
fn nobody_publishes_for_another() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = bob.publish_state(6500, 0);
    let body = String::from_utf8(request.octets()).unwrap();
    let body = body.split("\r\n\r\n").nth(1).unwrap().to_owned();
    let foreign = bob
        .request("SERVICE", "sip:alice@example.test")
        .body("application/msrtc-category-publish+xml", &body);
    assert_eq!(net.ask(bob.conn, &foreign).status(), 403);
    let named = body.replace("sip:bob@example.test", "sip:alice@example.test");
    let request = bob.service("application/msrtc-category-publish+xml", &named);
    assert!([400, 403].contains(&net.ask(bob.conn, &request).status()));
}

#[test]
fn the_busiest_wish_and_the_liveliest_machine_win() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut one = Client::device(&mut net, 0, Device { user: "bob", ms: true, number: 1 });
    let mut two = Client::device(&mut net, 1, Device { user: "bob", ms: true, number: 2 });
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    let machine = |instance: u32, value: u32, version: u32| {
        [2, 3].map(|container| {
            let state = machine_state(container, value, version);
            state.replace("993308598", &instance.to_string())
        })
    };
    ok(&mut net, one.conn, &one.publish(&machine(1, 15_500, 0)));
    ok(&mut net, two.conn, &two.publish(&machine(2, 3500, 0)));
    assert_eq!(last_seen(&mut net, &alice), None, "at work on the other one, as before");
    ok(&mut net, two.conn, &two.publish(&machine(2, 4500, 1)));
    assert_eq!(last_seen(&mut net, &alice), Some(4500));
    ok(&mut net, one.conn, &one.publish_state(9500, 0));
    assert_eq!(last_seen(&mut net, &alice), Some(9500));
    net.close(two.conn);
    assert!(matches!(last_seen(&mut net, &alice), None | Some(9500)));
    ok(&mut net, one.conn, &one.publish_state(18_500, 1));
    assert_eq!(last_seen(&mut net, &alice), Some(18_500), "wants to look offline");
    net.close(one.conn);
    assert!(matches!(last_seen(&mut net, &alice), None | Some(18_500)));
}

#[test]
fn the_other_endpoint_of_the_user_hears_of_it() {
    let mut net = Net::new(2);
    let mut one = Client::device(&mut net, 0, Device { user: "bob", ms: true, number: 1 });
    let mut two = Client::device(&mut net, 1, Device { user: "bob", ms: true, number: 2 });
    for client in [&mut one, &mut two] {
        let request = client.subscribe_own("vnd-microsoft-roaming-self");
        let answer = ok(&mut net, client.conn, &request);
        assert!(answer.body().contains("<containers"), "{answer:?}");
    }
    ok(&mut net, one.conn, &one.publish_state(6500, 0));
    let told = net.recv(two.conn);
    assert_eq!((told.method(), told.header("Event")), ("BENOTIFY", "vnd-microsoft-roaming-self"));
    assert_eq!(told.body().matches("xsi:type=\"userState\"").count(), 2, "{told:?}");
    net.silent(&[one.conn]);
    // It knows the version now.
    ok(&mut net, two.conn, &two.publish_state(9500, 1));
}

#[test]
fn a_level_decides_what_is_seen_and_a_change_of_it_is_seen_at_once() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    ok(&mut net, bob.conn, &bob.publish_state(6500, 0));
    ok(&mut net, bob.conn, &bob.publish_note("in the &amp; office", 0));
    let request = alice.batch(&["bob"]);
    let first = ok(&mut net, alice.conn, &request);
    assert!(first.body().contains("in the &amp; office"), "a colleague: {first:?}");
    ok(&mut net, bob.conn, &bob.set_members(&[(32_000, 0, "add", "alice")]));
    let told = net.recv(alice.conn);
    assert_eq!(availability(told.body()), Some(18_500), "blocked");
    assert!(!told.body().contains("office"), "{told:?}");
    assert!(told.body().contains("name=\"note\""), "the note is taken back: {told:?}");
    ok(&mut net, bob.conn, &bob.publish_note("secret", 1));
    net.pass_s(1);
    while let Some(told) = net.try_recv(alice.conn) {
        assert!(!told.body().contains("secret"), "{told:?}");
    }
    let both = [(32_000, 1, "remove", "alice"), (300, 0, "add", "alice")];
    ok(&mut net, bob.conn, &bob.set_members(&both));
    let told = net.recv(alice.conn);
    assert_eq!(availability(told.body()), Some(6500));
    assert!(told.body().contains("secret"), "{told:?}");
    let stale = bob.set_members(&[(300, 0, "add", "carol")]);
    assert_eq!(net.ask(bob.conn, &stale).status(), 409);
    let unknown = bob.set_members(&[(12_345, 0, "add", "carol")]);
    assert_eq!(net.ask(bob.conn, &unknown).status(), 400);
}

#[test]
fn who_is_added_is_asked_and_can_say_that_he_has_seen_it() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = bob.subscribe_own("vnd-microsoft-roaming-self");
    ok(&mut net, bob.conn, &request);
    let request = alice.batch_added("bob");
    ok(&mut net, alice.conn, &request);
    let told = net.recv(bob.conn);
    assert!(told.body().contains("user=\"alice@example.test\""), "{told:?}");
    assert!(told.body().contains("acknowledged=\"false\""), "{told:?}");
    let seen = bob.service(
        "application/msrtc-presence-setsubscriber+xml",
        "<setSubscribers xmlns=\"http://schemas.microsoft.com/2006/09/sip/presence-subscribers\">\
         <subscriber user=\"alice@example.test\" acknowledged=\"true\"/></setSubscribers>",
    );
    ok(&mut net, bob.conn, &seen);
    net.restart();
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = bob.subscribe_own("vnd-microsoft-roaming-self");
    let answer = ok(&mut net, bob.conn, &request);
    assert!(answer.body().contains("acknowledged=\"true\""), "it is kept: {answer:?}");
}

#[test]
fn what_is_static_survives_a_restart_and_versions_go_on() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    ok(&mut net, bob.conn, &bob.publish_state(6500, 0));
    ok(&mut net, bob.conn, &bob.publish(&[machine_state(2, 3500, 0)]));
    ok(&mut net, bob.conn, &bob.publish_note("back at noon", 0));
    ok(&mut net, bob.conn, &bob.set_members(&[(300, 0, "add", "alice")]));
    net.restart();
    let mut alice = Client::lync(&mut net, 1, "alice");
    let request = alice.batch(&["bob"]);
    let seen = ok(&mut net, alice.conn, &request);
    assert!(seen.body().contains("back at noon"), "{seen:?}");
    assert!(seen.body().contains("<availability>18500</availability>"), "not signed in: {seen:?}");
    let mut bob = Client::lync(&mut net, 0, "bob");
    assert_eq!(last_seen(&mut net, &alice), Some(6500), "as he had chosen");
    let request = bob.subscribe_own("vnd-microsoft-roaming-self");
    let own = ok(&mut net, bob.conn, &request);
    assert!(!own.body().contains("machineState"), "bound to its endpoint: {own:?}");
    assert!(own.body().contains("<container id=\"300\" version=\"1\">"), "{own:?}");
    let old = bob.publish(&[user_state(2, 3500, 0)]);
    assert_eq!(net.ask(bob.conn, &old).status(), 409);
    ok(&mut net, bob.conn, &bob.publish(&[user_state(2, 3500, 1)]));
}

#[test]
fn an_answer_waits_until_what_is_static_is_durable() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    net.shelf.held = true;
    net.send(bob.conn, &bob.publish_state(6500, 0));
    net.silent(&[bob.conn]);
    assert_eq!(availability(net.recv(alice.conn).body()), Some(6500), "watchers do not wait");
    net.answer_write();
    net.settle();
    assert_eq!(net.recv(bob.conn).status(), 200);
    net.shelf.held = false;
    net.shelf.fails = Some(NotWritten::Failing);
    let refused = net.ask(bob.conn, &bob.publish_state(9500, 1));
    assert_eq!(refused.status(), 503);
    assert!(refused.has("Retry-After"), "{refused:?}");
    let machine = bob.publish(&[machine_state(2, 3500, 0)]);
    ok(&mut net, bob.conn, &machine);
}

#[test]
fn a_wrong_version_is_told_after_what_it_came_behind() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    net.shelf.held = true;
    let first = bob.publish_state(6500, 0);
    net.send(bob.conn, &first);
    // The client does not know yet that the first one has made version 1.
    let second = bob.publish_state(9500, 0);
    net.send(bob.conn, &second);
    net.silent(&[bob.conn]);
    net.answer_write();
    net.settle();
    let answers = [net.recv(bob.conn), net.recv(bob.conn)];
    assert_eq!(answers.each_ref().map(|answer| answer.status()), [200, 409]);
    assert_eq!(answers[1].header("Call-ID"), second.value("Call-ID"));
    net.shelf.held = false;
    ok(&mut net, bob.conn, &bob.publish_state(9500, 1));
    net.at_rest();
}

#[test]
fn wrong_versions_that_wait_are_bounded() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    let max = Limits::default().edits_waiting_per_user_max;
    net.shelf.held = true;
    net.send(bob.conn, &bob.publish_state(6500, 0));
    for _ in 0..max {
        net.send(bob.conn, &bob.publish_state(9500, 0));
    }
    net.silent(&[bob.conn]);
    assert_eq!(net.ask(bob.conn, &bob.publish_state(9500, 0)).status(), 503);
    assert_eq!(net.hits(Limit::EditsWaiting), 1);
    net.answer_write();
    net.settle();
    assert_eq!(net.recv(bob.conn).status(), 200);
    for _ in 0..max {
        assert_eq!(net.recv(bob.conn).status(), 409);
    }
    net.silent(&[bob.conn]);
}

#[test]
fn a_standard_client_publishes_under_an_entity_tag() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::simple(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    let first = ok(&mut net, bob.conn, &bob.publish_pidf("busy", "in a call", None));
    assert_eq!(first.header("Expires"), "600");
    let tag = first.header("SIP-ETag").to_owned();
    assert!(!tag.is_empty());
    let told = net.recv(alice.conn);
    assert_eq!(availability(told.body()), Some(6500));
    assert!(told.body().contains("in a call"), "{told:?}");
    net.pass_s(1);
    let second = ok(&mut net, bob.conn, &bob.publish_pidf("away", "", Some(&tag)));
    let newer = second.header("SIP-ETag").to_owned();
    assert_ne!(newer, tag);
    let told = net.recv(alice.conn);
    assert_eq!(availability(told.body()), Some(15_500));
    let old = bob.publish_pidf("busy", "", Some(&tag));
    assert_eq!(net.ask(bob.conn, &old).status(), 412, "a tag is used once");
    let refresh = bob
        .request("PUBLISH", "sip:bob@example.test")
        .header("Event", "presence")
        .header("Expires", "300")
        .header("SIP-If-Match", &newer);
    let third = ok(&mut net, bob.conn, &refresh);
    let newest = third.header("SIP-ETag").to_owned();
    net.pass_s(1);
    net.silent(&[alice.conn]);
    let remove = bob
        .request("PUBLISH", "sip:bob@example.test")
        .header("Event", "presence")
        .header("Expires", "0")
        .header("SIP-If-Match", &newest);
    ok(&mut net, bob.conn, &remove);
    assert_eq!(last_seen(&mut net, &alice), Some(3500), "signed in, nothing said");
    let without = bob.request("PUBLISH", "sip:bob@example.test").header("Event", "presence");
    assert_eq!(net.ask(bob.conn, &without).status(), 400);
}

#[test]
fn a_standard_client_that_publishes_twice_leaves_nothing_behind() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::simple(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    // Twice before it knows the first tag, as baresip does.
    let first = bob.publish_pidf("meeting", "", None);
    let second = bob.publish_pidf("meeting", "", None);
    net.send(bob.conn, &first);
    net.send(bob.conn, &second);
    let old = net.recv(bob.conn).header("SIP-ETag").to_owned();
    let tag = net.recv(bob.conn).header("SIP-ETag").to_owned();
    let refused = bob.publish_pidf("away", "", Some(&old));
    assert_eq!(net.ask(bob.conn, &refused).status(), 412);
    ok(&mut net, bob.conn, &bob.publish_pidf("away", "", Some(&tag)));
    net.pass_s(1);
    assert_eq!(last_seen(&mut net, &alice), Some(15_500));
}

#[test]
fn what_nobody_refreshes_is_forgotten() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::simple(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    let request = bob.publish_pidf("busy", "", None).with("Expires", "60");
    ok(&mut net, bob.conn, &request);
    assert_eq!(last_seen(&mut net, &alice), Some(6500));
    net.pass_s(61);
    assert_eq!(last_seen(&mut net, &alice), Some(3500));
}

#[test]
fn a_custom_text_is_shown_as_it_is() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    let state = |container| {
        publication(
            "state",
            536_870_912,
            container,
            0,
            "static",
            "<state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" manual=\"true\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"userState\">\
             <availability>6500</availability><activity minAvailability=\"6500\" \
             maxAvailability=\"8999\"><custom LCID=\"1033\">Deep work</custom></activity></state>",
        )
    };
    ok(&mut net, bob.conn, &bob.publish(&[state(2), state(3)]));
    let told = net.recv(alice.conn);
    assert!(told.body().contains("<custom LCID=\"1033\">Deep work</custom>"), "{told:?}");
}

#[test]
fn a_publisher_never_falls_behind_the_other_endpoints() {
    let mut net = Net::new(2);
    let mut one = Client::device(&mut net, 0, Device { user: "bob", ms: true, number: 1 });
    let mut two = Client::device(&mut net, 1, Device { user: "bob", ms: true, number: 2 });
    for client in [&mut one, &mut two] {
        let request = client.subscribe_own("vnd-microsoft-roaming-self");
        ok(&mut net, client.conn, &request);
    }
    net.shelf.held = true;
    net.send(one.conn, &one.publish_state(6500, 0));
    net.send(two.conn, &two.publish_state(9500, 1));
    net.shelf.held = false;
    net.settle();
    let told = net.recv(one.conn);
    assert!(told.body().contains("<availability>9500</availability>"), "{told:?}");
    let answer = net.recv(one.conn);
    assert_eq!(answer.status(), 200);
    assert!(!answer.body().contains("<availability>6500</availability>"), "older: {answer:?}");
    // What the store does not keep is in force all the same, and its publisher must know.
    net.shelf.fails = Some(NotWritten::Failing);
    net.send(one.conn, &one.publish_state(12_500, 2));
    assert_eq!(net.recv(one.conn).status(), 503);
    let told = net.recv(one.conn);
    assert!(told.body().contains("<availability>12500</availability>"), "{told:?}");
    net.silent(&[one.conn]);
}

#[test]
fn the_state_of_a_standard_endpoint_goes_with_its_connection() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let mut bob = Client::simple(&mut net, 0, "bob");
    let _other = Client::lync(&mut net, 1, "bob");
    let request = alice.batch(&["bob"]);
    ok(&mut net, alice.conn, &request);
    ok(&mut net, bob.conn, &bob.publish_pidf("", "at the gate", None));
    net.pass_s(1);
    assert!(net.recv(alice.conn).body().contains("at the gate"));
    net.close(bob.conn);
    net.pass_s(1);
    let told = net.recv(alice.conn);
    assert!(!told.body().contains("at the gate"), "{told:?}");
    assert!(told.body().contains("name=\"note\""), "taken back: {told:?}");
}

#[test]
fn what_is_taken_back_twice_is_gone_though_the_store_failed_once() {
    let mut net = Net::new(2);
    let mut bob = Client::lync(&mut net, 0, "bob");
    ok(&mut net, bob.conn, &bob.publish_note("secret", 0));
    let gone = publication("note", 0, 200, 1, "static\" expires=\"0", "");
    net.shelf.fails = Some(NotWritten::Failing);
    let request = bob.publish(std::slice::from_ref(&gone));
    assert_eq!(net.ask(bob.conn, &request).status(), 503);
    net.shelf.fails = None;
    ok(&mut net, bob.conn, &bob.publish(&[gone]));
    net.restart();
    let mut alice = Client::lync(&mut net, 1, "alice");
    let request = alice.batch(&["bob"]);
    let seen = ok(&mut net, alice.conn, &request);
    assert!(!seen.body().contains("secret"), "{seen:?}");
}
