//! Two endpoints of one user, each pidgin-sipe, merged into one state.

use crate::outside::server::Server;
use crate::pidgin_presence::counters_fit;
use crate::pidgin_sipe::Purple;

const BOB: (&str, &str) = ("who", "sip:bob@example.test");

/// The server's word that Bob's state is "away".
const AWAY: (&str, &str) = ("text", "'away'");

/// Alice, who watches Bob, and Bob's two endpoints.
fn watched_twice(server: &Server) -> (Purple, Purple, Purple) {
    let mut alice = Purple::signed_in(server, &["alice"]);
    let here = Purple::signed_in(server, &["bob"]);
    let mut there = Purple::start_on("elsewhere");
    there.sign_in(server, "bob");
    alice.run("add-buddy alice sip:bob@example.test");
    alice.wait("buddy-signed-on", &[BOB, ("status", "available")]);
    (alice, here, there)
}

#[test]
fn who_has_left_one_endpoint_may_be_at_the_other() {
    let server = Server::demo();
    let (mut alice, mut here, mut there) = watched_twice(&server);
    here.run("idle bob 600");
    there.run("idle bob 600");
    alice.sees_state("bob", "away");
    there.wait("own-status", &[AWAY]);
    here.wait("own-status", &[AWAY]);
    here.run("idle bob 0");
    alice.sees_state("bob", "available");
    here.run("idle bob 600");
    alice.sees_state("bob", "away");
    here.leave();
    there.wait("own-status", &[AWAY]);
    there.run("idle bob 0");
    alice.sees_state("bob", "available");
    there.leave();
    alice.sees_state("bob", "offline");
    counters_fit(&server);
    alice.leave();
    server.stop();
}

#[test]
fn a_state_chosen_at_one_endpoint_stays_when_that_one_goes() {
    let server = Server::demo();
    let (mut alice, mut here, there) = watched_twice(&server);
    here.run("status bob busy \"on site\"");
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "on site")]);
    here.leave();
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 2.0);
    there.leave();
    alice.wait("buddy-signed-off", &[BOB]);
    // Neither the end of the first endpoint nor anything the other did changed it.
    assert_eq!(alice.count("buddy-status", &[BOB, ("status", "available")]), 0);
    counters_fit(&server);
    alice.leave();
    server.stop();
}
