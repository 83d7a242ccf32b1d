//! Guessing at passwords.

use mynah::base::limits::Limit;
use mynah::metrics::counters::AuthFailure;
use mynah::shard::input::Transport;

use crate::harness::{Client, Device, Net, PASSWORD, Text};

fn guess(net: &mut Net, shard: u16, user: &str, peer: &str, password: &str) -> Text {
    let conn = net.open_from(shard, peer, Transport::Tls);
    let mut client = Client::of(conn, Device { user, ms: false, number: 0 });
    let request = client.register();
    let challenge = net.ask(conn, &request);
    if challenge.status() != 401 {
        return challenge;
    }
    net.ask(conn, &client.prove(request, &challenge, password))
}

#[test]
fn a_user_is_locked_out_after_failures_on_any_shard_and_let_in_again_in_time() {
    let mut net = Net::limited(4, |limits| limits.auth_failures_per_user_max = 3);
    for shard in 0..3 {
        let peer = format!("10.0.0.{shard}:5061");
        assert_eq!(guess(&mut net, shard, "alice", &peer, "wrong").status(), 401);
    }
    let locked = guess(&mut net, 3, "alice", "10.0.0.9:5061", PASSWORD);
    assert_eq!(locked.status(), 403);
    assert_eq!(
        locked.header("ms-diagnostics-public"),
        "52015;reason=\"Too many failed sign-ins: try again later\""
    );
    assert_eq!(net.hits(Limit::AuthFailuresPerUser), 1);
    assert_eq!(net.auth_failures(AuthFailure::UserLocked), 1);
    assert_eq!(guess(&mut net, 0, "bob", "10.0.0.1:5061", PASSWORD).status(), 200);
    net.pass_s(901);
    assert_eq!(guess(&mut net, 3, "alice", "10.0.0.9:5061", PASSWORD).status(), 200);
}

#[test]
fn a_name_nobody_has_is_locked_out_alike() {
    let mut net = Net::limited(2, |limits| limits.auth_failures_per_user_max = 2);
    for _ in 0..2 {
        assert_eq!(guess(&mut net, 0, "nobody", "10.0.0.1:5061", "wrong").status(), 401);
    }
    assert_eq!(guess(&mut net, 1, "nobody", "10.0.0.2:5061", "wrong").status(), 403);
}

#[test]
fn a_good_sign_in_forgives_the_user_his_failures() {
    let mut net = Net::limited(2, |limits| limits.auth_failures_per_user_max = 3);
    for _ in 0..3 {
        assert_eq!(guess(&mut net, 0, "alice", "10.0.0.1:5061", "wrong").status(), 401);
        assert_eq!(guess(&mut net, 0, "alice", "10.0.0.1:5061", "wrong").status(), 401);
        assert_eq!(guess(&mut net, 1, "alice", "10.0.0.1:5061", PASSWORD).status(), 200);
    }
}

#[test]
fn an_address_is_locked_out_on_every_shard_whoever_it_tries() {
    let mut net = Net::limited(4, |limits| limits.auth_failures_per_address_max = 3);
    for (shard, user) in ["alice", "bob", "nobody"].into_iter().enumerate() {
        let answer = guess(&mut net, shard as u16, user, "10.0.0.1:5061", "wrong");
        assert_eq!(answer.status(), 401);
    }
    for shard in 0..4 {
        let answer = guess(&mut net, shard, "carol", "10.0.0.1:7777", PASSWORD);
        assert_eq!(answer.status(), 403, "shard {shard}");
    }
    assert_eq!(net.hits(Limit::AuthFailuresPerAddress), 4);
    assert_eq!(guess(&mut net, 0, "carol", "10.0.0.2:5061", PASSWORD).status(), 200);
    net.pass_s(901);
    assert_eq!(guess(&mut net, 0, "carol", "10.0.0.1:5061", PASSWORD).status(), 200);
}

#[test]
fn an_address_keeps_its_failures_when_one_of_its_users_signs_in() {
    let mut net = Net::limited(2, |limits| limits.auth_failures_per_address_max = 3);
    for _ in 0..3 {
        assert_eq!(guess(&mut net, 0, "alice", "10.0.0.1:5061", "wrong").status(), 401);
        let carol = guess(&mut net, 0, "carol", "10.0.0.1:5061", PASSWORD);
        if carol.status() == 403 {
            return;
        }
    }
    assert_eq!(guess(&mut net, 0, "carol", "10.0.0.1:5061", PASSWORD).status(), 403);
}

#[test]
fn a_client_that_keeps_asking_after_its_refusal_does_not_lock_its_neighbours_out() {
    let mut net = Net::limited(2, |limits| limits.auth_failures_per_address_max = 5);
    let conn = net.open_from(0, "10.0.0.1:5061", Transport::Tls);
    let mut alice = Client::of(conn, Device { user: "alice", ms: true, number: 0 });
    let request = alice.register();
    let mut answer = net.ask(conn, &request);
    for _ in 0..31 {
        answer = match answer.status() {
            407 => net.ask(conn, &alice.prove(request.clone(), &answer, "wrong")),
            _ => net.ask(conn, &request),
        };
    }
    assert_eq!(answer.status(), 403);
    assert_eq!(guess(&mut net, 1, "bob", "10.0.0.1:5061", PASSWORD).status(), 200);
}

#[test]
fn the_lockout_tables_are_bounded_and_the_oldest_leaves() {
    let mut net = Net::limited(1, |limits| limits.lockout_entries_max = 2);
    for user in ["alice", "bob", "carol", "nobody"] {
        guess(&mut net, 0, user, "10.0.0.1:5061", "wrong");
    }
    net.pass_s(1);
    assert_eq!(net.hits(Limit::LockoutEntries), 2);
}
