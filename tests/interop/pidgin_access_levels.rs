//! Access levels of pidgin-sipe: what the one user lets the other see.

use crate::outside::eventually;
use crate::outside::server::Server;
use crate::pidgin_presence::{counters_fit, watched};
use crate::pidgin_sipe::Purple;

const ALICE: (&str, &str) = ("who", "sip:alice@example.test");
const BOB: (&str, &str) = ("who", "sip:bob@example.test");

/// As `watched`, and Bob has Alice on his list, by whose menu he sets her level.
fn watched_both_ways(server: &Server) -> (Purple, Purple) {
    let (alice, mut bob) = watched(server);
    bob.run("add-buddy bob sip:alice@example.test");
    bob.wait("buddy-signed-on", &[ALICE]);
    (alice, bob)
}

/// What `mynah presence bob --as alice` prints.
fn as_seen_by_alice(server: &Server) -> String {
    let http = server.ready.http.to_string();
    let (bob, alice) = ("bob@example.test", "alice@example.test");
    let output = server.command(&["presence", bob, "--as", alice, "--http", &http]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Bob gives Alice a level, and his client learns that she has it: its menu offers the others.
pub fn set_level(bob: &mut Purple, level: &str) {
    let told = |bob: &Purple| bob.log().matches("<containers ").count();
    let before = told(bob);
    bob.run(&format!("menu-do bob sip:alice@example.test \"Access level/  {level}\""));
    eventually("the containers", || match told(bob) > before {
        true => Ok(()),
        false => Err("nothing new of them".to_owned()),
    });
}

#[test]
fn who_is_blocked_sees_the_user_offline_until_unblocked() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched_both_ways(&server);
    set_level(&mut bob, "Blocked");
    alice.wait("buddy-signed-off", &[BOB]);
    bob.run("status bob busy \"not for Alice\"");
    set_level(&mut bob, "Company");
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "not for Alice")]);
    assert_eq!(alice.count("buddy-text", &[BOB, ("online", "0"), ("text", "not for")]), 0);
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn blocking_and_allowing_as_the_library_does_it_is_seen() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched_both_ways(&server);
    bob.run("deny bob sip:alice@example.test");
    alice.sees_state("bob", "offline");
    assert!(as_seen_by_alice(&server).contains("18500"));
    bob.run("permit bob sip:alice@example.test");
    alice.sees_state("bob", "available");
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn a_level_survives_the_server() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched_both_ways(&server);
    set_level(&mut bob, "Blocked");
    alice.wait("buddy-signed-off", &[BOB]);
    alice.leave();
    bob.leave();
    let server = server.stop().start();
    let mut bob = Purple::signed_in(&server, &["bob"]);
    bob.sees("buddy-added", &[ALICE]);
    let mut alice = Purple::signed_in(&server, &["alice"]);
    bob.wait("buddy-signed-on", &[ALICE]);
    assert_eq!(alice.count("buddy-signed-on", &[BOB]), 0);
    set_level(&mut bob, "Company");
    alice.wait("buddy-signed-on", &[BOB]);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn each_level_sees_what_it_is_for() {
    let server = Server::demo();
    let (mut alice, mut bob) = watched_both_ways(&server);
    bob.run("status bob do-not-disturb \"deep in thought\"");
    alice.wait("buddy-text", &[BOB, ("status", "do-not-disturb"), ("text", "deep in thought")]);
    // Who may interrupt is told so.
    set_level(&mut bob, "Team");
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "Urgent interruptions only")]);
    set_level(&mut bob, "Public");
    alice.wait("buddy-status", &[BOB, ("status", "do-not-disturb")]);
    alice.wait("buddy-text", &[BOB, ("text", "")]);
    set_level(&mut bob, "Personal");
    alice.wait("buddy-text", &[BOB, ("status", "do-not-disturb"), ("text", "deep in thought")]);
    counters_fit(&server);
    alice.leave();
    bob.leave();
    server.stop();
}
