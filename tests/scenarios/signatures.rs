//! Signatures of clients that signed in by NTLM. The harness checks every one that comes from the
//! server, and fails on a message that lacks it.

use mynah::base::aor::Aor;
use mynah::base::ids::ShardId;
use mynah::base::limits::Limit;
use mynah::config::AuthMethod;
use mynah::metrics::counters::{AuthFailure, CloseReason};
use mynah::metrics::names::Series;

use crate::harness::client::established;
use crate::harness::ntlm::{self, Account};
use crate::harness::{Client, DOMAIN, Device, Net, PASSWORD, Text};

const ALICE: Account<'_> = Account { user: "alice", domain: "", password: PASSWORD };

/// Alice and bob signed in by NTLM, on the first and the last shard.
fn two(shards: u16) -> (Net, Client, Client) {
    let mut net = Net::ntlm(shards);
    let alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, shards - 1, "bob");
    (net, alice, bob)
}

/// Alice begins to make new keys and has her challenge.
fn challenged(net: &mut Net, alice: &mut Client) -> Text {
    net.keys.remove(&alice.conn);
    let offer = net.ask(alice.conn, &alice.register());
    assert_eq!(offer.status(), 401);
    let asking = alice.register().header("Authorization", &ntlm::empty(&offer));
    net.ask(alice.conn, &asking)
}

#[test]
fn a_session_between_two_who_sign_is_signed_all_the_way() {
    for shards in 1..=4 {
        let (mut net, mut alice, mut bob) = two(shards);
        let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
        for text in ["one", "two"] {
            net.send(alice.conn, &alice.say(&mut callers, text));
            let received = net.recv(bob.conn);
            assert_eq!(received.body(), text);
            assert!(!received.has("Authorization"));
            net.send(bob.conn, &received.answer(200, ""));
            assert_eq!(net.recv(alice.conn).status(), 200);
        }
        net.send(bob.conn, &bob.say(&mut callees, "three"));
        let received = net.recv(alice.conn);
        assert_eq!(received.header("P-Asserted-Identity"), "<sip:bob@example.test>");
        net.send(alice.conn, &received.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);
        alice.bye(&mut net, &mut callers, &bob);
        net.silent(&[alice.conn, bob.conn]);
        net.at_rest();
    }
}

#[test]
fn who_signs_talks_with_who_does_not() {
    for shards in 1..=2 {
        let mut net = Net::ntlm(shards);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::simple(&mut net, shards - 1, "bob");
        net.send(bob.conn, &bob.page("alice", "hello"));
        let invite = net.recv(alice.conn);
        assert_eq!(invite.method(), "INVITE");
        let (answer, _) = alice.accept(&invite);
        net.send(alice.conn, &answer);
        assert_eq!(net.recv(alice.conn).method(), "ACK");
        let message = net.recv(alice.conn);
        assert_eq!(message.body(), "hello");
        net.send(alice.conn, &message.answer(200, ""));
        let accepted = net.recv(bob.conn);
        assert_eq!(accepted.status(), 200);
        assert!(!accepted.has("Authentication-Info"));
    }
}

#[test]
fn answers_of_the_server_itself_are_signed() {
    let (mut net, mut alice, _bob) = two(2);
    assert_eq!(net.ask(alice.conn, &alice.request("OPTIONS", "sip:example.test")).status(), 200);
    assert_eq!(net.ask(alice.conn, &alice.page("nobody", "hi")).status(), 404);
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
    let bye = alice.request("BYE", "sip:bob@example.test");
    assert_eq!(net.ask(alice.conn, &bye).status(), 481);
    assert_eq!(net.ask(alice.conn, &alice.register().header("Expires", "0")).status(), 200);
}

#[test]
fn a_message_without_its_signature_ends_the_connection_and_does_nothing() {
    for method in ["MESSAGE", "INVITE", "OPTIONS", "ACK", "CANCEL", "BYE", "SUBSCRIBE", "X"] {
        let (mut net, mut alice, bob) = two(2);
        let request = alice.request(method, "sip:bob@example.test");
        net.send_octets(alice.conn, &request.octets());
        assert_eq!(net.closed(alice.conn), Some(CloseReason::Signature), "{method}");
        assert_eq!((net.waiting(alice.conn), net.waiting(bob.conn)), (0, 0), "{method}");
        assert_eq!(net.value(Series::EndpointsCurrent), 1);
        net.at_rest();
    }
}

#[test]
fn an_answer_without_its_signature_ends_the_connection() {
    let (mut net, mut alice, mut bob) = two(2);
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &alice.say(&mut callers, "hello"));
    let received = net.recv(bob.conn);
    net.send_octets(bob.conn, &received.answer(200, "").octets());
    assert_eq!(net.closed(bob.conn), Some(CloseReason::Signature));
    assert_eq!(net.recv(alice.conn).method(), "BYE");
    assert_eq!(net.recv(alice.conn).status(), 480);
}

#[test]
fn a_signature_that_does_not_hold_ends_the_connection() {
    type Forge = fn(&mut Net, &mut Client, &Client) -> Vec<u8>;
    let forge: [Forge; 5] = [
        // Another message's.
        |net, alice, _| {
            let other = net.keys.get_mut(&alice.conn).unwrap().sign(alice.page("bob", "x"));
            let value = other.value("Authorization").to_owned();
            alice.page("bob", "y").header("Authorization", &value).octets()
        },
        // Another's.
        |net, alice, bob| {
            net.keys.get_mut(&bob.conn).unwrap().sign(alice.page("bob", "x")).octets()
        },
        // Of another user's message, though he signed it well.
        |net, alice, _| {
            let page = alice.page("bob", "x");
            let signed = net.keys.get_mut(&alice.conn).unwrap().sign(page);
            let text = String::from_utf8(signed.octets()).unwrap();
            text.replacen("From: <sip:alice@", "From: <sip:carol@", 1).into_bytes()
        },
        // A step of a handshake is no signature.
        |_, alice, _| {
            let value = "NTLM qop=\"auth\", gssapi-data=\"\", version=4";
            alice.page("bob", "x").header("Authorization", value).octets()
        },
        // Cannot be read.
        |_, alice, _| alice.page("bob", "x").header("Authorization", "NTLM \"").octets(),
    ];
    for forge in forge {
        let (mut net, mut alice, bob) = two(2);
        let octets = forge(&mut net, &mut alice, &bob);
        net.send_octets(alice.conn, &octets);
        assert_eq!(net.closed(alice.conn), Some(CloseReason::Signature));
        assert_eq!(net.waiting(bob.conn), 0);
    }
}

#[test]
fn a_message_that_comes_twice_ends_the_connection() {
    let (mut net, mut alice, _bob) = two(2);
    let options = alice.request("OPTIONS", "sip:example.test");
    let signed = net.keys.get_mut(&alice.conn).unwrap().sign(options);
    assert_eq!(net.ask(alice.conn, &signed).status(), 200);
    net.send(alice.conn, &signed);
    assert_eq!(net.closed(alice.conn), Some(CloseReason::Signature));
}

#[test]
fn messages_may_overtake_one_another_a_little() {
    let (mut net, mut alice, _bob) = two(1);
    let mut next = |net: &mut Net| {
        let options = alice.request("OPTIONS", "sip:example.test");
        net.keys.get_mut(&alice.conn).unwrap().sign(options)
    };
    let (first, second) = (next(&mut net), next(&mut net));
    assert_eq!(net.ask(alice.conn, &second).status(), 200);
    assert_eq!(net.ask(alice.conn, &first).status(), 200);
}

#[test]
fn a_register_with_a_wrong_signature_ends_the_connection_too() {
    let (mut net, mut alice, _bob) = two(2);
    let signed = net.keys.get_mut(&alice.conn).unwrap().sign(alice.register());
    let forged = signed.value("Authorization").replace("response=\"0100", "response=\"0200");
    net.send(alice.conn, &signed.with("Authorization", &forged));
    assert_eq!(net.closed(alice.conn), Some(CloseReason::Signature));
}

#[test]
fn what_looks_like_a_signature_or_a_challenge_of_ours_stays_behind() {
    let (mut net, mut alice, mut bob) = two(2);
    let mut carol = Client::simple(&mut net, 0, "carol");
    let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
    let forged = "NTLM rspauth=\"00\", srand=\"1\", snum=\"1\", realm=\"x\", targetname=\"x\"";
    let names = ["Authentication-Info", "Proxy-Authentication-Info", "Proxy-Authenticate"];
    let say = names.iter().fold(alice.say(&mut callers, "x"), |m, name| m.header(name, forged));
    net.send(alice.conn, &say);
    let received = net.recv(bob.conn);
    assert!(names.iter().all(|name| !received.has(name)), "{received:?}");
    let answer = received.answer(200, "");
    net.send(bob.conn, &names.iter().fold(answer, |m, name| m.header(name, forged)));
    let answer = net.recv(alice.conn);
    assert!(names.iter().all(|name| !answer.has(name)), "{answer:?}");

    let invite = carol.invite("bob").header("Authentication-Info", forged);
    net.send(carol.conn, &invite);
    assert!(!net.recv(bob.conn).has("Authentication-Info"));
}

#[test]
fn what_the_client_cannot_read_is_not_signed_and_so_passed_over() {
    let mut net = Net::ntlm(1);
    let alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::simple(&mut net, 0, "bob");
    net.keys.remove(&alice.conn);
    let invite = String::from_utf8(bob.invite("alice").octets()).unwrap();
    net.send_octets(bob.conn, invite.replace("From: ", "f: ").as_bytes());
    let received = net.recv(alice.conn);
    assert_eq!(received.method(), "INVITE");
    assert!(!received.has("Authentication-Info"));
}

#[test]
fn new_keys_take_the_place_of_the_old_ones() {
    for shards in 1..=3 {
        let (mut net, mut alice, mut bob) = two(shards);
        let (mut callers, _) = established(&mut net, &mut alice, &mut bob);
        let old = net.keys.remove(&alice.conn).unwrap();
        assert_eq!(alice.sign_in(&mut net).status(), 200);
        assert_ne!(net.keys[&alice.conn].opaque, old.opaque);
        net.send(alice.conn, &alice.say(&mut callers, "with new keys"));
        let received = net.recv(bob.conn);
        net.send(bob.conn, &received.answer(200, ""));
        assert_eq!(net.recv(alice.conn).status(), 200);
        assert_eq!(net.value(Series::EndpointsCurrent), 2);
        let mut old = old;
        net.send(alice.conn, &old.sign(alice.say(&mut callers, "with old keys")));
        assert_eq!(net.closed(alice.conn), Some(CloseReason::Signature));
    }
}

#[test]
fn what_comes_while_a_client_makes_new_keys_waits_for_them() {
    let (mut net, mut alice, mut bob) = two(2);
    let (_, mut callees) = established(&mut net, &mut alice, &mut bob);
    let challenge = challenged(&mut net, &mut alice);
    for text in ["one", "two"] {
        net.send(bob.conn, &bob.say(&mut callees, text));
    }
    assert_eq!(net.waiting(alice.conn), 0);
    let (answer, keys) = ntlm::answer(alice.register(), &challenge, ALICE);
    net.keys.insert(alice.conn, keys);
    assert_eq!(net.ask(alice.conn, &answer).status(), 200);
    for text in ["one", "two"] {
        let received = net.recv(alice.conn);
        assert_eq!(received.body(), text);
        net.send(alice.conn, &received.answer(200, ""));
        assert_eq!(net.recv(bob.conn).status(), 200);
    }
}

#[test]
fn no_more_waits_than_the_bound() {
    let mut net = Net::with(2, |settings| {
        settings.lync_auth = vec![AuthMethod::Ntlm];
        settings.limits.held_messages_per_connection_max = 1;
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (_, mut callees) = established(&mut net, &mut alice, &mut bob);
    challenged(&mut net, &mut alice);
    for text in ["one", "two"] {
        net.send(bob.conn, &bob.say(&mut callees, text));
    }
    let passed_over = net.recv(alice.conn);
    assert_eq!(passed_over.body(), "two");
    assert!(!passed_over.has("Authentication-Info"));
    assert_eq!(net.hits(Limit::HeldMessages), 1);
}

#[test]
fn requests_of_a_client_that_makes_new_keys_are_bounced_and_its_answers_dropped() {
    let (mut net, mut alice, mut bob) = two(2);
    let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
    net.send(bob.conn, &bob.say(&mut callees, "before"));
    let before = net.recv(alice.conn);
    net.keys.remove(&alice.conn);
    let offer = net.ask(alice.conn, &alice.register());
    let say = alice.say(&mut callers, "unsigned");
    let bounced = net.ask(alice.conn, &say);
    assert_eq!(bounced.status(), 401);
    assert!(bounced.header("WWW-Authenticate").starts_with("NTLM realm="));
    net.send(alice.conn, &alice.ack(&callers));
    net.send(alice.conn, &before.answer(200, ""));
    net.silent(&[alice.conn, bob.conn]);
    assert!(net.is_open(alice.conn));

    assert_eq!(alice.sign_in_by_ntlm(&mut net, &offer, "alice", PASSWORD).status(), 200);
    net.send(alice.conn, &say);
    assert_eq!(net.recv(bob.conn).body(), "unsigned");
    // Who asked before is told that no answer came.
    net.pass_s(33);
    net.pass_s(3);
    assert_eq!(net.recv(bob.conn).status(), 408);
}

#[test]
fn a_client_is_not_bounced_for_ever() {
    let mut net = Net::with(1, |settings| {
        settings.lync_auth = vec![AuthMethod::Ntlm];
        settings.limits.auth_rechallenges_per_connection_max = 3;
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.keys.remove(&alice.conn);
    net.ask(alice.conn, &alice.register());
    for _ in 0..3 {
        assert_eq!(net.ask(alice.conn, &alice.page("bob", "x")).status(), 401);
    }
    net.send(alice.conn, &alice.page("bob", "x"));
    assert_eq!(net.closed(alice.conn), Some(CloseReason::Signature));
    assert_eq!(net.hits(Limit::AuthRechallenges), 1);
}

#[test]
fn a_forged_signature_ends_the_connection_while_new_keys_are_made_too() {
    let (mut net, mut alice, _bob) = two(2);
    let mut keys = net.keys[&alice.conn].clone();
    challenged(&mut net, &mut alice);
    let signed = keys.sign(alice.page("bob", "x"));
    let forged = signed.value("Authorization").replace("response=\"0100", "response=\"0200");
    net.send(alice.conn, &signed.with("Authorization", &forged));
    assert_eq!(net.closed(alice.conn), Some(CloseReason::Signature));
}

#[test]
fn new_keys_must_be_made_in_the_time_of_a_sign_in() {
    let (mut net, mut alice, bob) = two(2);
    challenged(&mut net, &mut alice);
    net.pass_s(20);
    assert!(net.is_open(alice.conn));
    net.ask(alice.conn, &alice.register());
    net.pass_s(11);
    assert_eq!(net.closed(alice.conn), Some(CloseReason::AuthenticateTimeout));
    assert!(net.is_open(bob.conn));
}

#[test]
fn keys_that_were_made_in_time_have_no_deadline() {
    let (mut net, mut alice, _bob) = two(2);
    net.keys.remove(&alice.conn);
    assert_eq!(alice.sign_in(&mut net).status(), 200);
    net.pass_s(60);
    assert!(net.is_open(alice.conn));
}

#[test]
fn a_failed_attempt_at_new_keys_leaves_the_old_ones() {
    let (mut net, mut alice, _bob) = two(2);
    let old = net.keys[&alice.conn].clone();
    let challenge = challenged(&mut net, &mut alice);
    let wrong = Account { password: "wrong", ..ALICE };
    let (answer, _) = ntlm::answer(alice.register(), &challenge, wrong);
    assert_eq!(net.ask(alice.conn, &answer).status(), 403);
    assert_eq!(net.auth_failures(AuthFailure::WrongPassword), 1);
    net.keys.insert(alice.conn, old);
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
}

#[test]
fn nobody_makes_keys_for_another_on_a_connection_that_is_taken() {
    let (mut net, mut alice, _bob) = two(2);
    let old = net.keys.remove(&alice.conn).unwrap();
    let device = Device { user: "bob", ms: true, number: 3 };
    let mut intruder = Client::of(alice.conn, device);
    assert_eq!(net.ask(alice.conn, &intruder.register()).status(), 403);
    // Bob's login and password do not help who says he is alice.
    let challenge = challenged(&mut net, &mut alice);
    let bob = Account { user: "bob", ..ALICE };
    let (answer, _) = ntlm::answer(alice.register(), &challenge, bob);
    assert_eq!(net.ask(alice.conn, &answer).status(), 403);
    net.keys.insert(alice.conn, old);
    assert_eq!(net.ask(alice.conn, &alice.register()).status(), 200);
}

#[test]
fn a_digest_answer_does_not_renew_a_connection_that_signs() {
    let mut net = Net::with(1, |settings| {
        settings.lync_auth = vec![AuthMethod::Ntlm, AuthMethod::Digest];
    });
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.keys.remove(&alice.conn);
    let offer = net.ask(alice.conn, &alice.register());
    assert_eq!(offer.headers("WWW-Authenticate").len(), 1, "{offer:?}");
}

#[test]
fn messages_a_client_gets_while_it_signs_in_wait_for_the_answer_to_its_register() {
    let mut net = Net::ntlm(3);
    // At home on another shard than either connection.
    let away = |user: &&str| Aor::new(&format!("{user}@{DOMAIN}")).home(3) == ShardId(1);
    let dave = ["dave", "erin", "frank", "grace", "heidi", "ivan"].into_iter().find(away).unwrap();
    net.put_user(dave, |_| {});
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut client = Client::on(&mut net, 2, Device { user: dave, ms: true, number: 0 });
    let challenge = challenged(&mut net, &mut client);
    let account = Account { user: dave, ..ALICE };
    let (answer, keys) = ntlm::answer(client.register(), &challenge, account);
    net.keys.insert(client.conn, keys);

    // His home knows of his endpoint, and has told, before his connection knows of its keys.
    net.write(client.conn, &answer.octets());
    net.carry((2, 1));
    let invite = alice.invite(dave);
    let signed = net.keys.get_mut(&alice.conn).unwrap().sign(invite);
    net.write(alice.conn, &signed.octets());
    for link in [(0, 1), (1, 0), (0, 2)] {
        net.carry(link);
    }
    assert_eq!(net.waiting(client.conn), 0);
    net.settle();
    assert_eq!(net.recv(client.conn).status(), 200);
    assert_eq!(net.recv(client.conn).method(), "INVITE");
}
