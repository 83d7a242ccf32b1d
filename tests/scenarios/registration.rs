//! What REGISTER does once its sender is known.

use mynah::base::limits::Limit;
use mynah::metrics::counters::CloseReason;
use mynah::metrics::names::Series;

use crate::harness::{Client, Device, Net};

fn alice(number: u32) -> Device<'static> {
    Device { user: "alice", ms: false, number }
}

#[test]
fn a_refresh_needs_no_new_proof_and_keeps_one_binding() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.pass_s(7_170);
    let answer = net.ask(alice.conn, &alice.register());
    assert_eq!((answer.status(), answer.header("Expires")), (200, "7200"));
    net.pass_s(7_100);
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
    assert_eq!(net.value(Series::SignIns), 1);
}

#[test]
fn a_binding_that_is_not_refreshed_expires() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let mut bob = Client::simple(&mut net, 1, "bob");
    net.pass_s(599);
    assert_eq!(net.value(Series::EndpointsCurrent), 2);
    net.pass_s(2);
    assert_eq!(net.value(Series::EndpointsCurrent), 0);
    assert_eq!(net.value(Series::SignOuts), 2);
    assert_eq!(net.ask(bob.conn, &bob.page("alice", "hello")).status(), 480);
    // The connection is still hers.
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
}

#[test]
fn expires_zero_signs_off() {
    let mut net = Net::new(2);
    let mut lync = Client::lync(&mut net, 0, "alice");
    let answer = net.ask(lync.conn, &lync.register().with("Expires", "0"));
    assert_eq!((answer.status(), answer.header("Expires")), (200, "0"));
    assert!(!answer.has("Contact"));
    assert_eq!(net.value(Series::EndpointsCurrent), 0);

    let mut simple = Client::simple(&mut net, 1, "bob");
    let request = simple.register();
    let contact = format!("{};expires=0", request.value("Contact"));
    let answer = net.ask(simple.conn, &request.with("Contact", &contact));
    assert_eq!(answer.status(), 200);
    assert_eq!(net.value(Series::UsersSignedInCurrent), 0);
}

#[test]
fn a_lost_connection_takes_its_binding_along_and_no_other() {
    let mut net = Net::new(4);
    let first = Client::device(&mut net, 0, alice(1));
    let second = Client::device(&mut net, 3, alice(2));
    net.close(first.conn);
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
    assert_eq!(net.value(Series::UsersSignedInCurrent), 1);
    net.close(second.conn);
    assert_eq!(net.value(Series::EndpointsCurrent), 0);
    assert_eq!(net.value(Series::UsersSignedInCurrent), 0);
}

#[test]
fn a_client_that_comes_back_takes_its_old_place() {
    let mut net = Net::new(4);
    let before = Client::device(&mut net, 0, alice(1));
    let after = Client::device(&mut net, 2, alice(1));
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
    // The end of the old connection is not the end of the new binding.
    net.close(before.conn);
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
    let mut bob = Client::simple(&mut net, 1, "bob");
    net.send(bob.conn, &bob.page("alice", "hello"));
    assert_eq!(net.recv(after.conn).body(), "hello");
}

#[test]
fn the_ninth_endpoint_is_refused_and_the_eight_stay() {
    let mut net = Net::new(2);
    for number in 0..8 {
        Client::device(&mut net, (number % 2) as u16, alice(number));
    }
    let mut ninth = Client::on(&mut net, 0, alice(8));
    let answer = ninth.sign_in(&mut net);
    assert_eq!(answer.status(), 403);
    assert!(answer.header("Warning").contains("too many endpoints"));
    assert_eq!(net.hits(Limit::Endpoints), 1);
    assert_eq!(net.value(Series::EndpointsCurrent), 8);
}

#[test]
fn a_registration_too_short_is_told_the_shortest() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let answer = net.ask(alice.conn, &alice.register().with("Expires", "5"));
    assert_eq!((answer.status(), answer.header("Min-Expires")), (423, "60"));
    assert_eq!(net.hits(Limit::RegistrationTimeMin), 1);
    let longest = net.ask(alice.conn, &alice.register().with("Expires", "4294967296"));
    assert!(longest.header("Contact").ends_with(";expires=7200"), "{longest:?}");
}

#[test]
fn a_star_signs_all_endpoints_off_and_wants_expires_zero() {
    let mut net = Net::new(2);
    let mut first = Client::device(&mut net, 0, alice(1));
    Client::device(&mut net, 1, alice(2));
    let star = first.register().with("Contact", "*");
    let refused = net.ask(first.conn, &star.clone());
    assert_eq!(refused.status(), 400);
    assert_eq!(net.value(Series::EndpointsCurrent), 2);
    let answer = net.ask(first.conn, &first.register().with("Contact", "*").with("Expires", "0"));
    assert_eq!(answer.status(), 200);
    assert!(!answer.has("Contact"));
    assert_eq!(net.value(Series::EndpointsCurrent), 0);
}

#[test]
fn a_contact_that_is_no_uri_is_refused() {
    let mut net = Net::new(1);
    let mut alice = Client::simple(&mut net, 0, "alice");
    for contact in ["%", "<%>", "<>", "<sip:>", "\"", "<sip:a@b", "*, <sip:a@b>"] {
        let answer = net.ask(alice.conn, &alice.register().with("Contact", contact));
        assert_eq!(answer.status(), 400, "{contact}");
    }
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
}

#[test]
fn a_contact_of_somebody_else_leads_to_the_connection_it_came_on() {
    let mut net = Net::new(2);
    let mut alice = Client::on(&mut net, 0, alice(1));
    alice.contact = "sip:carol@10.9.9.9:5061".to_owned();
    assert_eq!(alice.sign_in(&mut net).status(), 200);
    let carol = Client::simple(&mut net, 1, "carol");
    let mut bob = Client::simple(&mut net, 1, "bob");
    net.send(bob.conn, &bob.page("alice", "for alice"));
    assert_eq!(net.recv(alice.conn).body(), "for alice");
    net.send(bob.conn, &bob.page("carol", "for carol"));
    assert_eq!(net.recv(carol.conn).body(), "for carol");
    net.silent(&[alice.conn, carol.conn]);
}

#[test]
fn a_contact_that_is_too_long_is_refused() {
    let mut net = Net::limited(1, |limits| limits.endpoint_bytes_max = 300);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let contact = format!("<sip:alice@10.0.0.1;x={}>", "y".repeat(300));
    assert_eq!(net.ask(alice.conn, &alice.register().with("Contact", &contact)).status(), 400);
    assert_eq!(net.hits(Limit::EndpointBytes), 1);
}

#[test]
fn a_query_lists_the_bindings() {
    let mut net = Net::new(2);
    let mut first = Client::device(&mut net, 0, alice(1));
    Client::device(&mut net, 1, alice(2));
    let answer = net.ask(first.conn, &first.register().without("Contact"));
    assert_eq!((answer.status(), answer.headers("Contact").len()), (200, 2));
}

#[test]
fn an_older_register_is_out_of_order_and_the_same_again_is_answered_again() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let (third, fourth) = (alice.register(), alice.register());
    assert_eq!(net.ask(alice.conn, &fourth).status(), 200);
    assert_eq!(net.ask(alice.conn, &third).status(), 500);
    assert_eq!(net.ask(alice.conn, &fourth).status(), 200);
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
}

#[test]
fn a_user_who_is_disabled_is_signed_out() {
    let mut net = Net::new(2);
    let mut first = Client::device(&mut net, 0, alice(1));
    let second = Client::device(&mut net, 1, alice(2));
    net.put_user("alice", |user| user.disabled = true);
    assert_eq!(net.closed(first.conn), Some(CloseReason::Policy));
    assert_eq!(net.closed(second.conn), Some(CloseReason::Policy));
    assert_eq!(net.value(Series::EndpointsCurrent), 0);
    first = Client::on(&mut net, 0, alice(1));
    let answer = first.sign_in(&mut net);
    assert_eq!(answer.status(), 403);
    assert!(answer.header("Warning").contains("disabled"));
    net.put_user("alice", |_| {});
    Client::device(&mut net, 0, alice(1));
}

#[test]
fn a_user_who_is_removed_is_signed_out() {
    let mut net = Net::new(2);
    let mut first = Client::device(&mut net, 0, alice(1));
    net.remove_user("alice");
    assert_eq!(net.closed(first.conn), Some(CloseReason::Policy));
    assert_eq!(net.value(Series::EndpointsCurrent), 0);
    assert_eq!(net.value(Series::UsersCurrent), 2);
    first = Client::on(&mut net, 0, alice(1));
    assert_eq!(first.sign_in(&mut net).status(), 401);
}

#[test]
fn a_disabled_user_is_signed_out_where_he_has_no_endpoint_too() {
    let mut net = Net::new(2);
    let mut off = Client::device(&mut net, 0, alice(1));
    assert_eq!(net.ask(off.conn, &off.register().with("Expires", "0")).status(), 200);
    let mut writer = Client::on(&mut net, 1, alice(2));
    let message = writer.page("bob", "hello");
    let challenge = net.ask(writer.conn, &message);
    let proven = writer.prove(message, &challenge, "secret");
    assert_eq!(net.ask(writer.conn, &proven).status(), 480);
    net.put_user("alice", |user| user.disabled = true);
    assert_eq!(net.closed(off.conn), Some(CloseReason::Policy));
    assert_eq!(net.closed(writer.conn), Some(CloseReason::Policy));
}

#[test]
fn a_user_can_hold_so_many_connections_and_no_more() {
    let mut net = Net::limited(2, |limits| limits.connections_per_user_max = 2);
    let message = |net: &mut Net, number| {
        let mut client = Client::on(net, (number % 2) as u16, alice(number));
        let message = client.page("bob", "hello");
        let challenge = net.ask(client.conn, &message);
        let answer = net.ask(client.conn, &client.prove(message, &challenge, "secret"));
        (client, answer.status())
    };
    let (first, status) = message(&mut net, 1);
    assert_eq!(status, 480, "signed in: bob is not");
    assert_eq!(message(&mut net, 2).1, 480);
    assert_eq!(message(&mut net, 3).1, 403);
    assert_eq!(net.hits(Limit::ConnectionsPerUser), 1);
    net.close(first.conn);
    assert_eq!(message(&mut net, 4).1, 480);
}
