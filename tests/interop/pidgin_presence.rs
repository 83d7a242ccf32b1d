//! What one pidgin-sipe sees of the user of another: state, idleness, note, custom state.

use crate::outside::endpoint::Endpoint;
use crate::outside::server::Server;
use crate::pidgin_sipe::Purple;
use crate::pidgin_sipe_ntlm::VERSION_3;

const BOB: (&str, &str) = ("who", "sip:bob@example.test");

/// Alice, who has added Bob to her list and sees him available, and Bob.
pub fn watched(server: &Server) -> (Purple, Purple) {
    let mut alice = Purple::signed_in(server, &["alice"]);
    let bob = Purple::signed_in(server, &["bob"]);
    alice.run("add-buddy alice sip:bob@example.test");
    alice.wait("buddy-signed-on", &[BOB, ("status", "available")]);
    (alice, bob)
}

/// No publication was refused, and none of the notifications got lost.
#[track_caller]
pub fn counters_fit(server: &Server) {
    let metrics = server.metrics();
    assert!(metrics.value("mynah_publications_total") > 0.0);
    assert!(metrics.value("mynah_notifications_total") > 0.0);
    assert_eq!(metrics.value("mynah_publication_conflicts_total"), 0.0);
    assert_eq!(metrics.closed("signature"), 0.0);
}

fn each_state_is_seen(server: Server) {
    let (mut alice, mut bob) = watched(&server);
    for state in ["busy", "do-not-disturb", "be-right-back", "away", "available"] {
        bob.run(&format!("status bob {state}"));
        alice.wait("buddy-status", &[BOB, ("status", state)]);
    }
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn each_state_is_seen_with_version_4_of_the_signatures() {
    each_state_is_seen(Server::demo());
}

#[test]
fn each_state_is_seen_with_version_3_of_the_signatures() {
    each_state_is_seen(Server::serve(VERSION_3));
}

#[test]
fn who_appears_offline_or_signs_off_is_seen_offline() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched(&server);
    bob.run("status bob invisible");
    alice.wait("buddy-signed-off", &[BOB]);
    bob.run("status bob busy");
    alice.wait("buddy-signed-on", &[BOB]);
    bob.run("logout bob");
    bob.wait("signed-off", &[]);
    alice.wait("buddy-signed-off", &[BOB]);
    // What he said last holds when he is back.
    bob.run("login bob");
    bob.wait("signed-on", &[]);
    alice.wait("buddy-signed-on", &[BOB]);
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn who_left_the_keyboard_is_seen_idle() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched(&server);
    bob.run("idle bob 600");
    alice.wait("buddy-status", &[BOB, ("status", "idle")]);
    bob.run("idle bob 0");
    alice.wait("buddy-status", &[BOB, ("status", "available")]);
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn a_note_is_seen_changed_and_cleared() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched(&server);
    bob.run("status bob busy \"In a meeting room\"");
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "In a meeting room")]);
    bob.run("status bob busy \"R&D <lab> \u{e4}\u{1f426}\"");
    alice.wait("buddy-text", &[BOB, ("text", "R&amp;D &lt;lab&gt; \u{e4}\u{1f426}")]);
    // A note outlives the endpoint it was written at.
    bob.run("logout bob");
    alice.wait("buddy-signed-off", &[BOB]);
    bob.run("login bob");
    bob.wait("signed-on", &[]);
    alice.wait("buddy-signed-on", &[BOB]);
    bob.run("status bob available \"\"");
    alice.wait("buddy-text", &[BOB, ("status", "available"), ("text", "")]);
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

/// What another Lync client publishes when its user chooses a state the administrator defined.
const CUSTOM_STATE: &str = r#"<publish xmlns="http://schemas.microsoft.com/2006/09/sip/rich-presence"><publications uri="sip:bob@example.test"><publication categoryName="state" instance="536870912" container="2" version="0" expireType="static"><state xmlns="http://schemas.microsoft.com/2006/09/sip/state" manual="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="userState"><availability>6500</availability><activity><custom LCID="1033" xmlns="http://schemas.microsoft.com/2006/09/sip/state">In the lab</custom></activity><endpointLocation/></state></publication><publication categoryName="state" instance="536870912" container="3" version="0" expireType="static"><state xmlns="http://schemas.microsoft.com/2006/09/sip/state" manual="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="userState"><availability>6500</availability><activity><custom LCID="1033" xmlns="http://schemas.microsoft.com/2006/09/sip/state">In the lab</custom></activity><endpointLocation/></state></publication></publications></publish>"#;

#[test]
fn a_state_of_the_administrator_is_seen_in_its_own_words() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Endpoint::tls(&server, "bob");
    alice.run("add-buddy alice sip:bob@example.test");
    alice.wait("buddy-signed-on", &[BOB]);
    let publish = "Content-Type: application/msrtc-category-publish+xml\r\n";
    let answer = bob.ask("SERVICE", "bob", publish, CUSTOM_STATE);
    assert_eq!(answer.status(), 200, "{}", answer.head);
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "In the lab")]);
    alice.leave();
    server.stop();
}
