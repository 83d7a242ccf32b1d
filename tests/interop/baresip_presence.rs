//! baresip and pidgin-sipe watching one another: the one speaks PIDF, the other categories.

use crate::baresip::Baresip;
use crate::outside::server::Server;
use crate::pidgin_sipe::Purple;

const ALICE: (&str, &str) = ("who", "sip:alice@example.test");

/// Waits until the client says so of its contact; it does not of the first state it learns.
fn sees_change(client: &mut Baresip, from: &str, to: &str) {
    let line = client.wait("changed status from ");
    let (before, after) = line.split_once(" to ").unwrap();
    assert!(before.contains(from) && after.contains(to), "{line}");
}

#[test]
fn a_standard_client_sees_the_states_of_a_lync_client() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Baresip::present(&server, "bob", "alice");
    // The client shows its own publication too, and says nothing of the first state it is told.
    bob.wait("NOTIFY sip:bob");
    bob.wait("<basic>open</basic>");
    alice.run("status alice busy \"on the phone & busy\"");
    bob.wait("on the phone &amp; busy");
    sees_change(&mut bob, "Online", "Busy");
    alice.run("status alice available");
    sees_change(&mut bob, "Busy", "Online");
    alice.run("status alice invisible");
    bob.wait("<basic>closed</basic>");
    sees_change(&mut bob, "Online", "Offline");
    bob.quit();
    alice.leave();
    server.stop();
}

#[test]
fn a_lync_client_sees_what_a_standard_client_publishes() {
    let server = Server::demo();
    let mut bob = Purple::signed_in(&server, &["bob"]);
    bob.run("add-buddy bob sip:alice@example.test");
    let mut alice = Baresip::present(&server, "alice", "bob");
    bob.sees_state("alice", "available");
    // It goes on under the entity tag of its first publication once it has it.
    alice.wait("SIP-ETag: ");
    alice.run("/presence_offline");
    bob.sees_state("alice", "offline");
    alice.wait("SIP-ETag: ");
    alice.run("/presence_online");
    bob.sees_state("alice", "available");
    alice.quit();
    bob.wait("buddy-signed-off", &[ALICE]);
    let metrics = server.metrics();
    assert!(metrics.requests("publish") >= 3.0);
    assert_eq!(metrics.value("mynah_publication_conflicts_total"), 0.0);
    bob.leave();
    server.stop();
}
