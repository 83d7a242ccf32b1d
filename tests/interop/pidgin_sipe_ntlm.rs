//! pidgin-sipe signed in by NTLM, as it is by default: every message in both directions is signed,
//! and its debug log says what it thinks of ours.

use crate::baresip::Baresip;
use crate::outside::cdr::{Ending, Kind};
use crate::outside::eventually;
use crate::outside::server::{PASSWORD, Server};
use crate::pidgin_sipe::Purple;

/// The older version of the signatures.
const VERSION_3: &str = "[auth]\nntlm_version = 3\n";

/// What the client writes of a message it does not take.
const COMPLAINTS: [&str; 4] = [
    "signature of incoming message is invalid",
    "Invalid message signature",
    "message without authentication data",
    "Corrupted message",
];

/// The client took every message, and was refused nothing but the first two REGISTERs of each
/// sign-in.
#[track_caller]
fn all_was_well(client: &Purple, sign_ins: usize) {
    let log = client.log();
    for complaint in COMPLAINTS {
        assert!(!log.contains(complaint), "{complaint}");
    }
    assert!(log.contains("signature of incoming message validated"));
    assert_eq!(log.matches("SIP/2.0 401 ").count(), 2 * sign_ins);
    assert_eq!(log.matches("SIP/2.0 4").count(), 2 * sign_ins);
}

#[test]
fn signs_in_with_either_version_and_off() {
    for (server, signed) in [(Server::serve(""), true), (Server::serve(VERSION_3), false)] {
        let mut purple = Purple::signed_in(&server, &["alice"]);
        let log = purple.log();
        assert!(log.contains("WWW-Authenticate: NTLM "));
        assert_eq!(log.contains("version=4, crand="), signed);
        assert_eq!(server.metrics().value("mynah_sign_ins_total"), 1.0);
        purple.run("logout alice");
        purple.wait("signed-off", &[("acct", "alice")]);
        server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 0.0);
        assert_eq!(purple.count("connection-error", &[]), 0);
        all_was_well(&purple, 1);
        purple.quit();
        let metrics = server.metrics();
        assert_eq!(metrics.value("mynah_connections_closed_total{reason=\"signature\"}"), 0.0);
        assert_eq!(server.stop_and_read(), []);
    }
}

#[test]
fn a_wrong_password_is_refused_with_the_reason_shown() {
    let server = Server::demo();
    for (user, password) in [("alice", "guess"), ("nobody", PASSWORD)] {
        let mut purple = Purple::start();
        purple.account(&server, user, password);
        let text = "The user name or the password is wrong";
        purple.wait("connection-error", &[("acct", user), ("text", text)]);
    }
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_sign_ins_total"), 0.0);
    assert_eq!(metrics.value("mynah_auth_failures_total{cause=\"wrong_password\"}"), 1.0);
    assert_eq!(metrics.value("mynah_auth_failures_total{cause=\"unknown_user\"}"), 1.0);
    server.stop();
}

#[test]
fn messages_and_typing_go_both_ways() {
    for server in [Server::serve(""), Server::serve(VERSION_3)] {
        let mut alice = Purple::signed_in(&server, &["alice"]);
        let mut bob = Purple::signed_in(&server, &["bob"]);
        alice.say("alice", "bob", "hello bob");
        bob.wait("received-im", &[("acct", "bob"), ("from", "alice"), ("text", "hello bob")]);
        bob.say("bob", "alice", "hi alice");
        alice.wait("received-im", &[("acct", "alice"), ("from", "bob"), ("text", "hi alice")]);
        alice.run("typing alice sip:bob@example.test on");
        bob.wait("typing", &[("acct", "bob"), ("from", "alice")]);
        alice.run("close-im alice sip:bob@example.test");
        let records = server.wait_ended(1);
        let expected = (Kind::Session, "alice", "bob", 1, 1, Ending::ByeCaller);
        assert_eq!(records[0].summary(), expected);
        for client in [alice, bob] {
            all_was_well(&client, 1);
            assert_eq!(client.count("conv-system", &[]), 0);
            client.quit();
        }
        assert_eq!(server.stop_and_read(), records);
    }
}

#[test]
fn messages_go_to_a_standard_client_and_back() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Baresip::signed_in(&server, "bob", "alice");
    alice.say("alice", "bob", "hello bob");
    bob.wait("MESSAGE sip:bob");
    bob.wait("hello bob");
    bob.say("hi alice");
    alice.wait("received-im", &[("acct", "alice"), ("from", "bob"), ("text", "hi alice")]);
    all_was_well(&alice, 1);
    alice.quit();
    bob.quit();
    server.stop();
}

#[test]
fn both_endpoints_of_a_user_ring_and_one_gets_the_message() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let bob_here = Purple::signed_in(&server, &["bob"]);
    let mut bob_there = Purple::start_on("elsewhere");
    bob_there.sign_in(&server, "bob");
    alice.say("alice", "bob", "hello bob");
    let received = [("acct", "bob"), ("text", "hello bob")];
    let count = |bob: &Purple| bob.count("received-im", &received);
    eventually("one of two endpoints to get the message", || {
        let counts = (count(&bob_here), count(&bob_there));
        if counts.0 + counts.1 == 1 { Ok(()) } else { Err(format!("{counts:?}")) }
    });
    alice.run("close-im alice sip:bob@example.test");
    server.wait_ended(1);
    for client in [alice, bob_here, bob_there] {
        all_was_well(&client, 1);
        client.quit();
    }
    server.stop();
}
