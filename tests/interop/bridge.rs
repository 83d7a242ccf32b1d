//! pidgin-sipe, which holds sessions, and baresip, which speaks pager mode, over the bridge.

use crate::baresip::Baresip;
use crate::outside::cdr::{Ending, Kind};
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::server::Server;
use crate::pidgin_sipe::Purple;

#[test]
fn a_session_client_begins_and_a_pager_mode_client_answers() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Baresip::signed_in(&server, "bob", "alice");
    alice.say("alice", "bob", "hello bob");
    bob.wait("MESSAGE sip:bob");
    bob.wait("hello bob");
    bob.say("hi alice");
    alice.wait("received-im", &[("acct", "alice"), ("from", "bob"), ("text", "hi alice")]);
    bob.wait("200 OK");
    alice.say("alice", "bob", "<b>bold</b> & plain");
    bob.wait("bold & plain");

    alice.run("close-im alice sip:bob@example.test");
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 2, 1, Ending::ByeCaller));
    assert!(records[0].bridged);
    assert_eq!(server.metrics().value("mynah_im_bridge_messages_total"), 3.0);
    assert_eq!(alice.count("conv-system", &[]), 0);
    alice.quit();
    bob.quit();
    assert_eq!(server.stop_and_read(), records);
}

#[test]
fn a_pager_mode_client_begins_and_a_session_client_answers() {
    let server = Server::demo();
    let mut alice = Baresip::signed_in(&server, "alice", "bob");
    let mut bob = Purple::signed_in(&server, &["bob"]);
    alice.say("hello bob");
    bob.wait("received-im", &[("acct", "bob"), ("from", "alice"), ("text", "hello bob")]);
    alice.wait("200 OK");
    alice.say("are you there?");
    bob.wait("received-im", &[("acct", "bob"), ("text", "are you there?")]);
    bob.say("bob", "alice", "hi alice");
    alice.wait("MESSAGE sip:alice");
    alice.wait("hi alice");

    bob.run("close-im bob sip:alice@example.test");
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 2, 1, Ending::ByeCallee));
    assert!(records[0].bridged);
    assert_eq!(server.metrics().value("mynah_im_bridge_messages_total"), 3.0);
    alice.quit();
    bob.quit();
    assert_eq!(server.stop_and_read(), records);
}

/// A client that was invited before its own invitation was answered mixes up the two dialogs: what it
/// says there is refused, which it shows, and it begins anew.
#[test]
fn what_both_write_first_in_the_same_moment_arrives_or_is_said_to_be_lost() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Endpoint::tls(&server, "bob");
    alice.freeze();
    let hello = bob.request("MESSAGE", "alice", "Content-Type: text/plain\r\n", "hello alice");
    bob.stream.write(hello);
    server.wait_metric("mynah_im_sessions_current", |sessions| sessions == 1.0);
    alice.say("alice", "bob", "hello bob");
    alice.thaw();
    alice.wait("received-im", &[("from", "bob"), ("text", "hello alice")]);
    let arrived = eventually("the first words to arrive or to be reported", || {
        let arrived = server.metrics().value("mynah_im_bridge_messages_total") == 2.0;
        let reported = alice.count("conv-system", &[("text", "hello bob")]) == 1;
        if arrived || reported { Ok(arrived) } else { Err("neither".to_owned()) }
    });
    alice.say("alice", "bob", "hello again");
    let mut texts = Vec::new();
    let expected: &[&str] = if arrived { &["hello bob", "hello again"] } else { &["hello again"] };
    while texts.len() < expected.len() {
        let message = bob.stream.message();
        if message.method() == "MESSAGE" {
            bob.respond(&message, 200, "", "");
            texts.push(String::from_utf8_lossy(&message.body).trim().to_owned());
        }
    }
    assert_eq!(texts, expected);
    alice.quit();
    drop(bob);
    server.stop();
}

#[test]
fn typing_stops_at_the_bridge_without_a_complaint() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Baresip::signed_in(&server, "bob", "alice");
    alice.say("alice", "bob", "hello bob");
    bob.wait("hello bob");
    alice.run("typing alice sip:bob@example.test on");
    server.wait_metric("mynah_sip_requests_total{method=\"info\"}", |infos| infos == 1.0);
    alice.say("alice", "bob", "written");
    bob.wait("written");
    assert_eq!(alice.count("conv-system", &[]), 0);
    alice.quit();
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary().3, 2);
    server.stop();
}

#[test]
fn a_pager_mode_client_that_signed_off_is_reported() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Baresip::signed_in(&server, "bob", "alice");
    alice.say("alice", "bob", "hello bob");
    bob.wait("hello bob");
    bob.quit();
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 1.0);
    alice.say("alice", "bob", "lost words");
    alice.wait("conv-system", &[("acct", "alice"), ("text", "lost words")]);
    alice.quit();
    let records = server.stop_and_read();
    assert_eq!(records[0].summary().3, 1, "{records:#?}");
}
