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
    let before = server.metrics();
    let states = ["busy", "do-not-disturb", "be-right-back", "away", "available"];
    for state in states {
        bob.run(&format!("status bob {state}"));
        alice.sees_state("bob", state);
    }
    counters_fit(&server);
    let after = server.metrics();
    let grown = |series: &str| (after.value(series) - before.value(series)) as usize;
    assert_eq!(grown("mynah_publications_total"), states.len());
    assert_eq!(grown("mynah_presence_renderings_total"), states.len());
    // Besides one for each state there may be those about Alice's list and about who added Bob.
    let notifications = grown("mynah_notifications_total");
    assert!((states.len()..=states.len() + 3).contains(&notifications), "{notifications}");
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
fn the_command_line_tells_who_watches() {
    let server = Server::demo();
    let (alice, bob) = watched(&server);
    let http = server.ready.http.to_string();
    let output = server.command(&["watchers", "bob@example.test", "--http", &http]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && printed.contains("alice@example.test"), "{printed}");
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn who_appears_offline_or_signs_off_is_seen_offline() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched(&server);
    bob.run("status bob invisible");
    alice.sees_state("bob", "offline");
    bob.run("status bob busy");
    alice.sees_state("bob", "busy");
    bob.leave();
    alice.sees_state("bob", "offline");
    let bob = Purple::signed_in(&server, &["bob"]);
    alice.sees_state("bob", "available");
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn who_left_the_keyboard_is_seen_away_until_he_is_back() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched(&server);
    bob.run("idle bob 600");
    alice.sees_state("bob", "away");
    bob.wait("own-status", &[("text", "'away'")]);
    bob.run("idle bob 0");
    alice.sees_state("bob", "available");
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
    // In the library notes are HTML.
    let note = "R&amp;D &lt;lab&gt; \u{e4}\u{1f426}";
    bob.run(&format!("status bob busy \"{note}\""));
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", note)]);
    bob.run("status bob available \"\"");
    let cleared = alice.wait("buddy-text", &[BOB, ("status", "available")]);
    assert_eq!(cleared["text"], "");
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

/// A publication of a state in both aggregation containers, as another Lync client makes it.
fn publication(instance: u32, life: &str, state: &str) -> String {
    let publication = |container| {
        format!(
            "<publication categoryName=\"state\" instance=\"{instance}\" container=\"{container}\" \
             version=\"0\" expireType=\"{life}\">\
             <state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" \
             xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" {state}</state></publication>"
        )
    };
    format!(
        "<publish xmlns=\"http://schemas.microsoft.com/2006/09/sip/rich-presence\">\
         <publications uri=\"sip:bob@example.test\">{}{}</publications></publish>",
        publication(2),
        publication(3)
    )
}

/// Alice sees what an endpoint of Bob publishes that is not pidgin-sipe.
fn another_client_publishes(server: &Server, body: &str) -> (Purple, Endpoint) {
    let mut alice = Purple::signed_in(server, &["alice"]);
    let mut bob = Endpoint::tls(server, "bob");
    alice.run("add-buddy alice sip:bob@example.test");
    alice.sees_state("bob", "available");
    let lines = "Content-Type: application/msrtc-category-publish+xml\r\n";
    let answer = bob.ask("SERVICE", "bob", lines, body);
    assert_eq!(answer.status(), 200, "{}", answer.head);
    (alice, bob)
}

#[test]
fn a_state_of_the_administrator_is_seen_in_its_own_words() {
    let server = Server::demo();
    let state = "manual=\"true\" xsi:type=\"userState\"><availability>6500</availability>\
                 <activity><custom LCID=\"1033\">In the lab</custom></activity>";
    let body = publication(536_870_912, "static", state);
    let (mut alice, _bob) = another_client_publishes(&server, &body);
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "In the lab")]);
    alice.leave();
    server.stop();
}

#[test]
fn an_idle_machine_is_seen_idle() {
    let server = Server::demo();
    let state = "manual=\"false\" xsi:type=\"machineState\"><availability>4500</availability>";
    let body = publication(988_436_328, "endpoint", state);
    let (mut alice, _bob) = another_client_publishes(&server, &body);
    alice.sees_state("bob", "idle");
    alice.wait("buddy-text", &[BOB, ("text", "Inactive")]);
    alice.leave();
    server.stop();
}
