//! pidgin-sipe, which holds sessions, and baresip, which speaks pager mode, over the bridge.

use crate::baresip::Baresip;
use crate::outside::cdr::{Ending, Kind};
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
