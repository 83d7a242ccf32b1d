//! Signing in: challenges, proofs, and what is refused.

use mynah::base::limits::Limit;
use mynah::config::DigestAlgorithm;
use mynah::metrics::counters::{AuthFailure, CloseReason};
use mynah::metrics::names::Series;
use mynah::shard::Machine;

use crate::harness::digest::Credentials;
use crate::harness::text::quoted;
use crate::harness::{Client, DOMAIN, Device, Net, PASSWORD};

const ALICE_LYNC: Device<'_> = Device { user: "alice", ms: true, number: 0 };
const ALICE_SIMPLE: Device<'_> = Device { user: "alice", ms: false, number: 0 };

#[test]
fn a_lync_client_signs_in_as_in_the_transcript() {
    for shards in 1..=4 {
        let mut net = Net::new(shards);
        let mut alice = Client::on(&mut net, 0, ALICE_LYNC);
        let request = alice.register();
        let challenge = net.ask(alice.conn, &request);
        let (via, from) = (request.value("Via"), request.value("From"));
        let call = request.value("Call-ID");
        let nonce = quoted(challenge.header("Proxy-Authenticate"), "nonce").to_owned();
        assert_eq!(
            challenge.as_str(),
            format!(
                "SIP/2.0 407 Proxy Authentication Required\r\n\
                 Via: {via}\r\n\
                 From: {from}\r\n\
                 To: <sip:alice@example.test>;tag={}\r\n\
                 Call-ID: {call}\r\n\
                 CSeq: 1 REGISTER\r\n\
                 Proxy-Authenticate: Digest realm=\"example.test\", nonce=\"{nonce}\", \
                 qop=\"auth\", algorithm=MD5\r\n\
                 Content-Length: 0\r\n\r\n",
                challenge.to_tag()
            )
        );

        let again = alice.prove(request.clone(), &challenge, PASSWORD);
        assert!(again.value("Proxy-Authorization").contains("uri=\"(null)\""));
        let accepted = net.ask(alice.conn, &again);
        alice.note_gruu(&accepted);
        let instance = &alice.instance;
        assert_eq!(
            accepted.as_str(),
            format!(
                "SIP/2.0 200 OK\r\n\
                 Via: {via}\r\n\
                 From: {from}\r\n\
                 To: <sip:alice@example.test>;tag={}\r\n\
                 Call-ID: {call}\r\n\
                 CSeq: 1 REGISTER\r\n\
                 Expires: 7200\r\n\
                 Contact: <sip:127.0.0.1:{};transport=tls;ms-opaque=d3470f2e1d>;expires=7200;\
                 +sip.instance=\"<{instance}>\";gruu=\"{}\"\r\n\
                 Server: RTC/5.0\r\n\
                 Supported: adhoclist\r\n\
                 Supported: msrtc-event-categories\r\n\
                 Allow-Events: vnd-microsoft-provisioning-v2,vnd-microsoft-roaming-contacts,\
                 vnd-microsoft-roaming-ACL,vnd-microsoft-roaming-self,presence,\
                 presence.wpending\r\n\
                 ms-keep-alive: UAS; tcp=no; hop-hop=yes; end-end=no; timeout=300\r\n\
                 Content-Length: 0\r\n\r\n",
                accepted.to_tag(),
                41_000,
                alice.contact
            )
        );
        assert!(alice.contact.starts_with("sip:alice@example.test;opaque=user:epid:"));
        assert!(alice.contact.ends_with("AAA;gruu"));
        assert_eq!(net.value(Series::EndpointsCurrent), 1);
        assert_eq!(net.value(Series::UsersSignedInCurrent), 1);
        assert_eq!((net.value(Series::SignIns), net.value(Series::Challenges)), (1, 1));
    }
}

#[test]
fn a_standard_client_is_offered_both_algorithms_and_may_use_either() {
    for (algorithm, offered) in [("MD5", 0), ("SHA-256", 1)] {
        let mut net = Net::new(2);
        let mut alice = Client::on(&mut net, 1, ALICE_SIMPLE);
        let request = alice.register().with("User-Agent", "LinphoneDesktop/5.2");
        let challenge = net.ask(alice.conn, &request);
        assert_eq!(challenge.status(), 401);
        let offers = challenge.headers("WWW-Authenticate");
        assert_eq!(offers.len(), 2);
        assert!(offers[offered].ends_with(&format!("algorithm={algorithm}")), "{offers:?}");
        assert!(!challenge.has("Proxy-Authenticate"));
        let credentials = Credentials {
            user: "alice",
            realm: DOMAIN,
            password: PASSWORD,
            method: "REGISTER",
            uri: "sip:example.test",
            nonce: quoted(offers[offered], "nonce"),
            nc: "00000001",
            algorithm,
        };
        let answer =
            net.ask(alice.conn, &request.clone().with("Authorization", &credentials.value()));
        assert_eq!(answer.status(), 200);
        assert_eq!(
            answer.header("Contact"),
            format!(
                "<{}>;+sip.instance=\"<{}>\";reg-id=1;pub-gruu=\"sip:alice@example.test;gr={}\";\
                 expires=600",
                alice.contact, alice.instance, alice.instance
            )
        );
        assert!(!answer.has("Supported") && !answer.has("Server"));
        let via = request.value("Via").replace(";rport", ";rport=41046");
        assert_eq!(answer.header("Via"), format!("{via};received=127.0.0.1"));
    }
}

#[test]
fn the_second_wrong_password_is_refused_with_a_reason_the_client_shows() {
    let mut net = Net::new(2);
    let mut alice = Client::on(&mut net, 0, ALICE_LYNC);
    let request = alice.register();
    let challenge = net.ask(alice.conn, &request);
    let second = net.ask(alice.conn, &alice.prove(request.clone(), &challenge, "wrong"));
    assert_eq!(second.status(), 407);
    assert!(!second.header("Proxy-Authenticate").contains("stale"));
    let refused = net.ask(alice.conn, &alice.prove(request.clone(), &second, "wrong"));
    assert_eq!(refused.start_line(), "SIP/2.0 403 Forbidden");
    assert_eq!(
        refused.header("ms-diagnostics-public"),
        "52013;reason=\"The user name or the password is wrong\""
    );
    assert_eq!(
        refused.header("Warning"),
        "399 fe01.example.test \"The user name or the password is wrong\""
    );
    // The right one does not help any more, nor does asking again.
    let late = net.ask(alice.conn, &alice.prove(request.clone(), &second, PASSWORD));
    assert_eq!(late.status(), 403);
    assert_eq!(net.ask(alice.conn, &request).status(), 403);
    assert_eq!(net.auth_failures(AuthFailure::WrongPassword), 2);
    assert!(net.hits(Limit::AuthFailuresPerConnection) >= 1);
    // Another connection starts anew.
    let mut other = Client::on(&mut net, 1, ALICE_LYNC);
    assert_eq!(other.sign_in(&mut net).status(), 200);
}

#[test]
fn an_unknown_user_gets_the_same_answers_as_a_wrong_password() {
    let mut net = Net::new(2);
    let mut seen = Vec::new();
    for user in ["alice", "nobody"] {
        let mut client = Client::on(&mut net, 0, Device { user, ms: true, number: 0 });
        let request = client.register();
        let mut answer = net.ask(client.conn, &request);
        let mut lines = Vec::new();
        for _ in 0..2 {
            answer = net.ask(client.conn, &client.prove(request.clone(), &answer, "wrong"));
            let names: Vec<String> = answer.lines().map(|(name, _)| name.to_owned()).collect();
            lines.push((answer.start_line().to_owned(), names));
        }
        lines.push((answer.header("ms-diagnostics-public").to_owned(), Vec::new()));
        lines.push((answer.header("Warning").to_owned(), Vec::new()));
        seen.push(lines);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(net.auth_failures(AuthFailure::UnknownUser), 2);
}

#[test]
fn a_nonce_of_another_connection_or_made_up_gets_a_fresh_one() {
    let mut net = Net::new(2);
    let mut here = Client::on(&mut net, 0, ALICE_SIMPLE);
    let there = Client::on(&mut net, 0, ALICE_SIMPLE);
    let request = here.register();
    let challenge = net.ask(here.conn, &request);
    let proof = here.prove(request.clone(), &challenge, PASSWORD);
    let elsewhere = net.ask(there.conn, &proof);
    assert_eq!(elsewhere.status(), 401);
    assert!(elsewhere.header("WWW-Authenticate").contains("stale=true"));
    let nonce = quoted(challenge.header("WWW-Authenticate"), "nonce").to_owned();
    let made_up = nonce.replace(&nonce[20..24], "AAAA");
    let forged = proof.value("Authorization").replace(&nonce, &made_up);
    assert_eq!(net.ask(here.conn, &proof.clone().with("Authorization", &forged)).status(), 401);
    assert_eq!(net.auth_failures(AuthFailure::ForeignNonce), 2);
    // The true one is still good.
    assert_eq!(net.ask(here.conn, &proof).status(), 200);
}

#[test]
fn a_used_nonce_count_is_refused_as_stale() {
    let mut net = Net::new(2);
    let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let request = alice.register();
    let challenge = net.ask(alice.conn, &request);
    let wrong = alice.prove(request.clone(), &challenge, "wrong");
    assert_eq!(net.ask(alice.conn, &wrong).status(), 401);
    let replayed = net.ask(alice.conn, &alice.prove(request.clone(), &challenge, PASSWORD));
    assert_eq!(replayed.status(), 401);
    assert!(replayed.header("WWW-Authenticate").contains("stale=true"));
    assert_eq!(net.auth_failures(AuthFailure::Replay), 1);
    let fresh = net.ask(alice.conn, &alice.prove(request, &replayed, PASSWORD));
    assert_eq!(fresh.status(), 200);
}

#[test]
fn an_old_nonce_is_stale_and_costs_no_failure() {
    let mut net = Net::limited(2, |limits| {
        limits.authenticate_timeout = std::time::Duration::from_secs(3600);
    });
    let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let request = alice.register();
    let challenge = net.ask(alice.conn, &request);
    net.pass_s(301);
    let late = net.ask(alice.conn, &alice.prove(request.clone(), &challenge, PASSWORD));
    assert_eq!(late.status(), 401);
    assert!(late.header("WWW-Authenticate").contains("stale=true"));
    assert_eq!(net.auth_failures(AuthFailure::StaleNonce), 1);
    assert_eq!(net.ask(alice.conn, &alice.prove(request, &late, PASSWORD)).status(), 200);
}

#[test]
fn bad_nonces_do_not_go_round_for_ever() {
    let mut net = Net::limited(1, |limits| limits.auth_rechallenges_per_connection_max = 2);
    let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let request = alice.register();
    let challenge = net.ask(alice.conn, &request);
    let nonce = quoted(challenge.header("WWW-Authenticate"), "nonce").to_owned();
    let proof = alice.prove(request.clone(), &challenge, PASSWORD);
    let forged = proof.value("Authorization").replace(&nonce, "none");
    let forged = proof.clone().with("Authorization", &forged);
    let statuses: Vec<u16> = (0..4).map(|_| net.ask(alice.conn, &forged).status()).collect();
    assert_eq!(statuses, [401, 401, 403, 403]);
    assert!(net.hits(Limit::AuthRechallenges) >= 1);
}

#[test]
fn a_swapped_realm_or_algorithm_or_qop_without_its_count_is_refused() {
    // A server that offers SHA-256 only does not take MD5.
    let swaps: [(&str, &str); 4] = [
        ("algorithm=SHA-256", "algorithm=MD5"),
        ("algorithm=SHA-256", "algorithm=MD5-sess"),
        ("nc=00000001, ", ""),
        ("qop=auth, ", ""),
    ];
    for (from, to) in swaps {
        let mut net = Net::with(1, |settings| settings.digest = vec![DigestAlgorithm::Sha256]);
        let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
        let request = alice.register();
        let challenge = net.ask(alice.conn, &request);
        assert_eq!(challenge.headers("WWW-Authenticate").len(), 1);
        let proof = alice.prove(request.clone(), &challenge, PASSWORD);
        let value = proof.value("Authorization").replace(from, to);
        let answer = net.ask(alice.conn, &proof.clone().with("Authorization", &value));
        assert_eq!(answer.status(), 401, "{from} to {to}");
        assert_eq!(net.auth_failures(AuthFailure::Malformed), 1, "{from} to {to}");
        assert_eq!(net.value(Series::EndpointsCurrent), 0);
    }
    // Credentials for another realm are none for ours.
    let mut net = Net::new(1);
    let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let request = alice.register();
    let challenge = net.ask(alice.conn, &request);
    let proof = alice.prove(request, &challenge, PASSWORD);
    let value = proof.value("Authorization").replace("realm=\"example.test\"", "realm=\"else\"");
    assert_eq!(net.ask(alice.conn, &proof.with("Authorization", &value)).status(), 401);
}

#[test]
fn garbage_for_credentials_is_refused_at_once() {
    let mut many = String::from("Digest ");
    (0..5_000).for_each(|i| many += &format!("a{i}=b,"));
    many.truncate(8_000);
    for garbage in [
        "Digest username=\"alice",
        "Digest username=\"alice\", username=\"bob\"",
        "Digest",
        "=",
        "Basic YWxpY2U6c2VjcmV0",
        &many,
    ] {
        let mut net = Net::new(1);
        let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
        let request = alice.register().with("Authorization", garbage);
        let answer = net.ask(alice.conn, &request);
        assert!(matches!(answer.status(), 400 | 401), "{garbage}: {answer:?}");
        assert_eq!(alice.sign_in(&mut net).status(), 200, "the connection is as good as before");
    }
}

#[test]
fn nobody_registers_for_somebody_else() {
    let mut net = Net::new(2);
    let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let third = alice.register().with("To", "<sip:bob@example.test>");
    let answer = net.ask(alice.conn, &third);
    assert_eq!(answer.status(), 403);
    assert!(answer.header("Warning").contains("on behalf of another user"));

    // Alice's password is no proof of being bob.
    let mut bob = Client::of(alice.conn, Device { user: "bob", ms: false, number: 0 });
    let request = bob.register();
    let challenge = net.ask(alice.conn, &request);
    let mut credentials = alice.clone();
    credentials.user = "alice".to_owned();
    let answer = net.ask(alice.conn, &credentials.prove(request, &challenge, PASSWORD));
    assert_eq!(answer.status(), 401);
    assert_eq!(net.value(Series::EndpointsCurrent), 0);
}

#[test]
fn a_connection_is_one_users_for_good() {
    let mut net = Net::new(2);
    let alice = Client::simple(&mut net, 0, "alice");
    let mut bob = Client::of(alice.conn, Device { user: "bob", ms: false, number: 0 });
    let answer = net.ask(alice.conn, &bob.register());
    assert_eq!(answer.status(), 403);
    assert!(answer.header("Warning").contains("Another user is signed in"));
}

#[test]
fn two_users_that_prove_themselves_on_one_connection_at_once_leave_one() {
    let mut net = Net::new(4);
    let mut alice = Client::on(&mut net, 3, ALICE_SIMPLE);
    let mut bob = Client::of(alice.conn, Device { user: "bob", ms: false, number: 0 });
    let (asked, other) = (alice.register(), bob.register());
    let challenge = net.ask(alice.conn, &asked);
    let second = net.ask(alice.conn, &other);
    net.write(alice.conn, &alice.prove(asked, &challenge, PASSWORD).octets());
    net.write(alice.conn, &bob.prove(other, &second, PASSWORD).octets());
    net.settle();
    let mut statuses = [net.recv(alice.conn).status(), net.recv(alice.conn).status()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 403]);
    assert_eq!(net.value(Series::EndpointsCurrent), 1);
}

#[test]
fn a_message_may_prove_whose_connection_it_is() {
    let mut net = Net::new(2);
    let bob = Client::simple(&mut net, 1, "bob");
    let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let message = alice.page("bob", "hello");
    let challenge = net.ask(alice.conn, &message);
    assert_eq!(challenge.status(), 407);
    assert!(challenge.has("Proxy-Authenticate"));
    net.silent(&[bob.conn]);
    let proven = alice.prove(message, &challenge, PASSWORD);
    net.send(alice.conn, &proven);
    let received = net.recv(bob.conn);
    assert_eq!(received.body(), "hello");
    assert!(!received.has("Proxy-Authorization") && !received.has("Authorization"));
    net.send(bob.conn, &received.answer(200, "b"));
    assert_eq!(net.recv(alice.conn).status(), 200);
    // From now on the connection is hers.
    net.send(alice.conn, &alice.page("bob", "again"));
    assert_eq!(net.recv(bob.conn).body(), "again");
    let methods: u64 = net.shard(0).counters().requests.iter().sum();
    assert_eq!(methods, 3, "each request is counted once");
}

#[test]
fn who_never_signs_in_is_closed_in_time() {
    let mut net = Net::new(1);
    let alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let signed_in = Client::simple(&mut net, 0, "bob");
    net.pass_s(29);
    assert!(net.is_open(alice.conn));
    net.pass_s(2);
    assert_eq!(net.closed(alice.conn), Some(CloseReason::AuthenticateTimeout));
    assert_eq!(net.hits(Limit::AuthenticateTime), 1);
    assert!(net.is_open(signed_in.conn));
}

#[test]
fn a_probe_needs_no_sign_in() {
    let mut net = Net::new(1);
    let mut alice = Client::on(&mut net, 0, ALICE_SIMPLE);
    let answer = net.ask(alice.conn, &alice.request("OPTIONS", "sip:example.test"));
    assert_eq!(answer.status(), 200);
    assert!(answer.header("Allow").contains("MESSAGE"));
}

#[test]
fn any_other_request_of_a_stranger_is_challenged_and_nothing_is_kept() {
    let mut net = Net::new(2);
    let mut alice = Client::on(&mut net, 0, ALICE_LYNC);
    for method in ["INVITE", "SUBSCRIBE", "SERVICE", "PUBLISH", "INFO", "BYE", "CANCEL", "FOO"] {
        let request = alice.request(method, "sip:bob@example.test");
        let answer = net.ask(alice.conn, &request);
        assert_eq!(answer.status(), 407, "{method}");
    }
    net.send(alice.conn, &alice.request("ACK", "sip:bob@example.test"));
    net.silent(&[alice.conn]);
    net.at_rest();
    let stranger = alice.request("INVITE", "sip:bob@example.test");
    let elsewhere = stranger.with("From", "<sip:eve@elsewhere.test>;tag=1");
    assert_eq!(net.ask(alice.conn, &elsewhere).status(), 403);
}
