//! The contact list of pidgin-sipe, which the server keeps.

use crate::outside::server::Server;
use crate::pidgin_presence::counters_fit;
use crate::pidgin_sipe::Purple;
use crate::pidgin_sipe_ntlm::VERSION_3;

const BOB: (&str, &str) = ("who", "sip:bob@example.test");
const CAROL: (&str, &str) = ("who", "sip:carol@example.test");

/// What `mynah contacts alice@example.test` prints.
fn printed(server: &Server) -> String {
    let output = server.command(&["contacts", "alice@example.test"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits until a client that knows nothing has this list, each contact with group and name.
fn has_list(client: &mut Purple, contacts: &[(&str, &str, &str)]) {
    for (who, group, alias) in contacts {
        let who = format!("sip:{who}@example.test");
        client.wait_any("buddy-added", &[("who", &who), ("group", group)]);
        if !alias.is_empty() {
            client.run("blist alice");
            client.wait_any("blist-entry", &[("who", &who), ("group", group), ("alias", alias)]);
        }
    }
    assert_eq!(client.count("buddy-added", &[]), contacts.len());
}

fn edits_survive(server: Server) {
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let bob = Purple::signed_in(&server, &["bob"]);
    alice.run("add-buddy alice sip:bob@example.test Team");
    alice.wait("buddy-signed-on", &[BOB, ("group", "Team")]);
    alice.run("add-buddy alice sip:carol@example.test Friends");
    server.wait_writes(|| printed(&server).contains("carol"));
    alice.run("alias-buddy alice sip:bob@example.test Bobby");
    server.wait_writes(|| printed(&server).contains("Bobby"));
    alice.run("rename-group Friends \"Good & old\"");
    server.wait_writes(|| printed(&server).contains("Good & old"));
    alice.run("move-buddy alice sip:bob@example.test \"Good & old\"");
    server.wait_writes(|| !printed(&server).contains("Team, "));
    alice.leave();

    // The same client elsewhere.
    let mut alice = Purple::signed_in(&server, &["alice"]);
    has_list(&mut alice, &[("bob", "Good & old", "Bobby"), ("carol", "Good & old", "")]);
    alice.leave();
    bob.leave();
    counters_fit(&server);

    let server = server.stop().start();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    has_list(&mut alice, &[("bob", "Good & old", "Bobby"), ("carol", "Good & old", "")]);
    alice.run("remove-buddy alice sip:carol@example.test");
    server.wait_writes(|| !printed(&server).contains("carol"));
    alice.leave();

    let mut alice = Purple::signed_in(&server, &["alice"]);
    has_list(&mut alice, &[("bob", "Good & old", "Bobby")]);
    alice.leave();
    server.stop();
}
