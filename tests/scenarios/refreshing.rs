//! Refreshes that come too often, too early, or in the wrong dialog, and races of what is told with
//! them.

use std::time::Duration;

use mynah::base::aor::Aor;
use mynah::shard::input::Control;

use crate::harness::presence::{availability, ok, user_state};
use crate::harness::text::{Request, Text};
use crate::harness::{Client, Net};

/// Timers armed on all shards, stale ones included.
fn timers(net: &Net) -> usize {
    net.all().iter().map(|shard| shard.occupancy().timers).sum()
}

fn subscribed(net: &mut Net, client: &mut Client, to: &str) -> (Request, Text) {
    let request = client.subscribe(to, 600);
    let accepted = ok(net, client.conn, &request);
    (request, accepted)
}

#[test]
fn refreshes_in_a_loop_leave_no_timers_behind() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 1, "alice");
    let request = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &request);
    let before = timers(&net);
    for cseq in 2..1000 {
        let refresh = alice.again(&request, &accepted, cseq, 40_000 - cseq);
        ok(&mut net, alice.conn, &refresh);
    }
    assert!(timers(&net) <= before + 2, "{} after {before}", timers(&net));
    net.pass_s(39_000);
    assert_eq!(net.all()[1].occupancy().subscriptions, 1);
    net.pass_s(1_000);
    assert_eq!(net.all()[1].occupancy().subscriptions, 0, "it runs out all the same");
}

#[test]
fn subscriptions_that_come_and_go_leave_no_timers_behind() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let before = timers(&net);
    for _ in 0..1000 {
        let request = alice.batch(&["bob"]);
        let accepted = ok(&mut net, alice.conn, &request);
        let end = alice.again(&request, &accepted, 2, 0);
        ok(&mut net, alice.conn, &end);
    }
    assert!(timers(&net) <= before + 2, "{} after {before}", timers(&net));
}

#[test]
fn publications_that_end_far_ahead_leave_few_timers_behind() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 0, "bob");
    let request = bob.batch(&["alice"]);
    ok(&mut net, bob.conn, &request);
    let before = timers(&net);
    for n in 0..8_000 {
        let far = format!("expireType=\"time\" expires=\"{}\"", 4_000_000_000 - n);
        let state = user_state(2, 3500 + n % 2 * 3000, n).replace("expireType=\"static\"", &far);
        let request = alice.publish(&[state]);
        ok(&mut net, alice.conn, &request);
        net.pass(Duration::from_millis(100));
        while net.try_recv(bob.conn).is_some() {}
    }
    assert!(timers(&net) < before + 6_100, "{} after {before}", timers(&net));
}

#[test]
fn a_refresh_waits_for_the_answer_to_the_last_notification() {
    let mut net = Net::new(2);
    let mut carol = Client::simple(&mut net, 1, "carol");
    let (request, accepted) = subscribed(&mut net, &mut carol, "bob");
    let first = net.recv(carol.conn);
    for cseq in 2..50 {
        let refresh = carol.again(&request, &accepted, cseq, 600);
        ok(&mut net, carol.conn, &refresh);
    }
    net.silent(&[carol.conn]);
    assert_eq!(net.all()[1].occupancy().relays, 1, "one notification is in flight");
    net.send(carol.conn, &first.answer(200, ""));
    let second = net.recv(carol.conn);
    assert!(second.body().contains("<basic>closed</basic>"), "{second:?}");
    net.send(carol.conn, &second.answer(200, ""));
    net.silent(&[carol.conn]);
    // The last word does not wait, and nothing is left of what it overtook.
    let refresh = carol.again(&request, &accepted, 50, 600);
    ok(&mut net, carol.conn, &refresh);
    net.recv(carol.conn);
    let end = carol.again(&request, &accepted, 51, 0);
    ok(&mut net, carol.conn, &end);
    assert!(net.recv(carol.conn).header("Subscription-State").starts_with("terminated"));
    net.at_rest();
}

#[test]
fn a_subscription_that_ends_while_a_refresh_waits_leaves_no_request_unanswered() {
    let mut net = Net::new(2);
    let home = Aor::new("bob@example.test").home(2);
    let edge = 1 - home.0;
    let mut alice = Client::lync(&mut net, edge, "alice");
    let request = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &request);
    // Both before bob's home is heard.
    let refresh = alice.again(&request, &accepted, 2, 600);
    let end = alice.again(&request, &accepted, 3, 0);
    net.write(alice.conn, &refresh.octets());
    net.write(alice.conn, &end.octets());
    net.settle();
    let answers = [net.recv(alice.conn), net.recv(alice.conn)];
    let mut answers = answers.map(|answer| (answer.cseq(), answer.status()));
    answers.sort_unstable();
    assert_eq!(answers, [(2, 481), (3, 200)]);
    net.silent(&[alice.conn]);
}

#[test]
fn what_is_older_than_a_refresh_is_not_told_after_it() {
    let mut net = Net::new(2);
    let home = Aor::new("bob@example.test").home(2).0;
    let edge = 1 - home;
    let mut alice = Client::lync(&mut net, edge, "alice");
    let mut bob = Client::lync(&mut net, home, "bob");
    let request = alice.batch(&["bob"]);
    let accepted = ok(&mut net, alice.conn, &request);
    // Busy is on its way when alice asks; the home is do-not-disturb when it hears her.
    net.write(bob.conn, &bob.publish_state(6500, 0).octets());
    let refresh = alice.again(&request, &accepted, 2, 600);
    net.write(alice.conn, &refresh.octets());
    net.write(bob.conn, &bob.publish_state(9500, 1).octets());
    net.settle();
    let answer = net.recv(alice.conn);
    assert_eq!((answer.status(), availability(answer.body())), (200, Some(9500)));
    while let Some(told) = net.try_recv(alice.conn) {
        assert_eq!(availability(told.body()), Some(9500), "{told:?}");
    }
}

#[test]
fn a_home_that_does_not_answer_is_no_reason_to_deny_a_user() {
    let mut net = Net::new(2);
    let home = Aor::new("bob@example.test").home(2).0;
    let mut carol = Client::simple(&mut net, 1 - home, "carol");
    let request = carol.subscribe("bob", 600);
    net.write(carol.conn, &request.octets());
    net.lose_all();
    net.pass_s(6);
    let refused = net.recv(carol.conn);
    assert_eq!(refused.status(), 503, "{refused:?}");
    assert!(refused.has("Retry-After"), "{refused:?}");
}

#[test]
fn another_event_is_not_served_in_the_dialog_of_the_first() {
    let mut net = Net::new(2);
    let mut carol = Client::simple(&mut net, 1, "carol");
    let (request, accepted) = subscribed(&mut net, &mut carol, "bob");
    let first = net.recv(carol.conn);
    net.send(carol.conn, &first.answer(200, ""));
    for event in ["presence.winfo", "vnd-microsoft-roaming-self", "dialog", ""] {
        let other = carol.again(&request, &accepted, 2, 600).with("Event", event);
        assert_eq!(net.ask(carol.conn, &other).status(), 489, "{event}");
    }
    let refresh = carol.again(&request, &accepted, 2, 600).with("Event", "presence;id=1");
    ok(&mut net, carol.conn, &refresh);
    net.recv(carol.conn);
}

#[test]
fn who_leaves_may_leave_while_the_server_goes_down() {
    let mut net = Net::new(2);
    let mut carol = Client::simple(&mut net, 1, "carol");
    let (request, accepted) = subscribed(&mut net, &mut carol, "bob");
    net.recv(carol.conn);
    net.control(|| Control::Drain);
    let refresh = carol.again(&request, &accepted, 2, 600);
    assert_eq!(net.ask(carol.conn, &refresh).status(), 503);
    let end = carol.again(&request, &accepted, 3, 0);
    ok(&mut net, carol.conn, &end);
}
