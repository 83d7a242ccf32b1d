//! More users sign in than are let in at once (threat 65).

use std::time::Duration;

use mynah::base::limits::Limit;

use crate::harness::{Client, Device, Net};

/// Connections of alice, who has as many devices as she likes, on one shard.
fn devices(net: &mut Net, count: u32) -> Vec<Client> {
    let device = |number| Device { user: "alice", ms: false, number };
    (0..count).map(|number| Client::on(net, 0, device(number))).collect()
}

#[test]
fn who_is_one_too_many_gets_a_turn_and_who_is_let_in_is_served() {
    let mut net = Net::limited(1, |limits| {
        limits.sign_ins_per_second_max = 10;
        limits.endpoints_per_user_max = 100;
        limits.connections_per_user_max = 100;
    });
    let mut clients = devices(&mut net, 40);
    let mut challenges = Vec::new();
    let mut waits = Vec::new();
    for client in &mut clients {
        let request = client.register();
        let answer = net.ask(client.conn, &request);
        match answer.status() {
            401 => challenges.push((client.clone(), request, answer)),
            503 => waits.push((client.clone(), answer.header("Retry-After").parse().unwrap())),
            _ => panic!("{answer:?}"),
        }
    }
    assert_eq!((challenges.len(), waits.len()), (10, 30));
    assert_eq!(net.hits(Limit::SignIns), 30);
    let longest: u64 = waits.iter().map(|(_, wait)| *wait).max().unwrap();
    assert!(
        (5..=11).contains(&longest),
        "30 at 10 a second, and some seconds of chance: {longest}"
    );

    // The second step of who was let in costs no turn.
    for (client, request, challenge) in challenges {
        let proof = client.prove(request, &challenge, crate::harness::PASSWORD);
        assert_eq!(net.ask(client.conn, &proof).status(), 200);
    }
    // Those who come when they were told are let in.
    waits.sort_by_key(|(_, wait)| *wait);
    let mut passed = 0;
    let mut again = 0;
    for (mut client, wait) in waits {
        net.pass(Duration::from_secs(wait - passed));
        passed = wait;
        again += u32::from(client.sign_in(&mut net).status() == 503);
    }
    assert_eq!(again, 0, "their turns were dealt at the rate");
}

#[test]
fn who_is_in_needs_no_turn_to_refresh() {
    let mut net = Net::limited(2, |limits| limits.sign_ins_per_second_max = 2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    for _ in 0..10 {
        assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
    }
    assert_eq!(net.hits(Limit::SignIns), 0);
}
