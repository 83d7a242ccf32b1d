//! Other settings while the server runs.

use mynah::config::{AuthMethod, DigestAlgorithm, parse};

use crate::harness::presence::{availability, ok};
use crate::harness::{Client, Device, Net, established};

#[test]
fn a_bound_that_is_lowered_holds_for_who_comes_and_leaves_who_is_in() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
        let mut third = Client::on(&mut net, 0, Device { user: "alice", ms: true, number: 3 });
        net.configure(|settings| {
            settings.limits.endpoints_per_user_max = 1;
            settings.limits.sessions_per_shard_max = 0;
        });
        assert_eq!(third.sign_in(&mut net).status(), 403);
        assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
        assert_eq!(net.ask(alice.conn, &alice.invite("bob")).status(), 503);
        net.send(alice.conn, &alice.say(&mut callers, "one"));
        let message = net.recv(bob.conn);
        net.send(bob.conn, &message.answer(200, ""));
        assert_eq!(net.recv(alice.conn).status(), 200);
        net.configure(|settings| {
            settings.limits.endpoints_per_user_max = 8;
            settings.limits.sessions_per_shard_max = 10;
        });
        let mut fourth = Client::on(&mut net, 0, Device { user: "alice", ms: true, number: 4 });
        assert_eq!(fourth.sign_in(&mut net).status(), 200);
    }
}

#[test]
fn ways_to_sign_in_change_for_the_next_who_does() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::on(&mut net, 1, Device { user: "bob", ms: false, number: 0 });
    net.configure(|settings| {
        settings.lync_auth = vec![AuthMethod::Ntlm];
        settings.digest = vec![DigestAlgorithm::Sha256];
    });
    let offer = net.ask(bob.conn, &bob.register());
    let offered = offer.headers("WWW-Authenticate");
    assert_eq!(offered.len(), 1);
    assert!(offered[0].contains("algorithm=SHA-256"), "{offered:?}");
    let mut carol = Client::on(&mut net, 1, Device { user: "carol", ms: true, number: 0 });
    let offer = net.ask(carol.conn, &carol.register());
    assert!(offer.header("WWW-Authenticate").starts_with("NTLM"), "{offer:?}");
    // Who is in stays in.
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
}

#[test]
fn a_policy_that_asks_for_privacy_is_seen_at_once() {
    for shards in [1, 2, 4] {
        let mut net = Net::new(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, shards - 1, "bob");
        ok(&mut net, bob.conn, &bob.publish_state(6500, 0));
        let request = alice.batch(&["bob"]);
        ok(&mut net, alice.conn, &request);
        net.configure(|settings| {
            let text = "[policy.default]\nprivacy = true\n";
            settings.policies = parse(text).unwrap().policies;
        });
        let told = net.recv(alice.conn);
        assert_eq!(told.method(), "BENOTIFY");
        assert_eq!(availability(told.body()), Some(0), "{told:?}");
        net.silent(&[alice.conn]);
    }
}

#[test]
fn lock_outs_follow_the_new_bound() {
    let mut net = Net::new(1);
    let guess = |net: &mut Net| {
        let mut client = Client::on(net, 0, Device { user: "alice", ms: false, number: 0 });
        let request = client.register();
        let challenge = net.ask(client.conn, &request);
        net.ask(client.conn, &client.prove(request, &challenge, "wrong")).status()
    };
    assert_eq!([guess(&mut net), guess(&mut net)], [401, 401]);
    net.configure(|settings| settings.limits.auth_failures_per_user_max = 3);
    assert_eq!([guess(&mut net), guess(&mut net)], [401, 403]);
    net.configure(|settings| settings.limits.auth_failures_per_user_max = 0);
    assert_eq!(guess(&mut net), 401);
}
