//! The server dies under two pidgin-sipe and comes back where they look for it.

use crate::outside::server::{DOMAIN, Server};
use crate::pidgin_presence::watched;
use crate::pidgin_sipe::Purple;
use crate::pidgin_sipe_ntlm::VERSION_3;

const BOB: (&str, &str) = ("who", "sip:bob@example.test");

fn what_was_said_is_seen_again(server: Server) {
    let (mut alice, mut bob) = watched(&server);
    bob.run("status bob busy \"back at noon\"");
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "back at noon")]);

    // Watchers see it before it is durable; who said it is answered after.
    bob.wait("own-status", &[("text", "'busy'")]);

    let ready = server.ready;
    let stopped = server.kill();
    for (client, user) in [(&mut alice, "alice"), (&mut bob, "bob")] {
        client.wait("connection-error", &[("acct", user)]);
        client.sign_off(user);
    }
    let server = stopped.start_at(ready);
    alice.sign_in_again("alice");
    bob.sign_in_again("bob");
    alice.wait("buddy-signed-on", &[BOB]);
    alice.wait("buddy-text", &[BOB, ("status", "busy"), ("text", "back at noon")]);
    bob.run("status bob away");
    alice.wait("buddy-status", &[BOB, ("status", "away")]);
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_publication_conflicts_total"), 0.0);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn what_was_said_is_seen_again_with_version_4_of_the_signatures() {
    what_was_said_is_seen_again(Server::demo());
}

#[test]
fn what_was_said_is_seen_again_with_version_3_of_the_signatures() {
    what_was_said_is_seen_again(Server::serve(VERSION_3));
}

#[test]
fn a_client_that_comes_in_a_drain_is_sent_to_another_server_and_signs_in_there() {
    let (server, other) = (Server::demo(), Server::demo());
    let (place, http) = (other.ready.tls.to_string(), server.ready.http.to_string());
    let drain =
        server.command(&["drain", "--over", "10m", "--stay", "--to", &place, "--http", &http]);
    assert!(drain.status.success(), "{}", String::from_utf8_lossy(&drain.stderr));
    let mut alice = Purple::start();
    alice.sign_in(&server, "alice");
    let user = format!("alice@{DOMAIN}");
    let found = other.command(&["doctor", &user, "--http", &other.ready.http.to_string()]);
    assert!(String::from_utf8_lossy(&found.stdout).contains("signed in"), "{found:?}");
    assert_eq!(server.metrics().value("mynah_redirects_total"), 1.0);
    alice.leave();
    server.stop();
    other.stop();
}
