//! The contact list of pidgin-sipe, which the server keeps.

use crate::outside::eventually;
use crate::outside::server::Server;
use crate::pidgin_presence::counters_fit;
use crate::pidgin_sipe::Purple;
use crate::pidgin_sipe_ntlm::VERSION_3;

const BOB: (&str, &str) = ("who", "sip:bob@example.test");
const CAROL: (&str, &str) = ("who", "sip:carol@example.test");

/// Alice's client on another host, where nothing is known of her yet.
fn elsewhere(server: &Server) -> Purple {
    let mut alice = Purple::start_on("elsewhere");
    alice.sign_in(server, "alice");
    alice
}

impl Purple {
    /// Waits until the client has been told of a change of its contact list.
    fn wait_for_delta(&self, change: &str) {
        eventually(change, || match self.log().contains(change) {
            true => Ok(()),
            false => Err("no such delta".to_owned()),
        });
    }
}

/// Signs in where nothing is known of Alice: these are her contacts, each with group and name.
fn has_list(server: &Server, contacts: &[(&str, &str, &str)]) -> Purple {
    let mut alice = elsewhere(server);
    for (user, group, name) in contacts {
        let who = format!("sip:{user}@example.test");
        let contact = [("who", who.as_str()), ("group", group)];
        alice.sees("buddy-added", &contact);
        alice.sees("buddy-text", &[("who", &who), ("group", group), ("alias", name)]);
    }
    alice.run("blist alice");
    alice.wait("blist-done", &[]);
    assert_eq!(alice.count("blist-entry", &[]), contacts.len());
    alice
}

fn edits_reach_the_other_endpoint_and_survive(server: Server) {
    let mut here = Purple::signed_in(&server, &["alice"]);
    let mut there = elsewhere(&server);
    here.run("add-buddy alice sip:bob@example.test Team");
    there.wait("buddy-added", &[BOB, ("group", "Team")]);
    here.run("add-buddy alice sip:carol@example.test Friends");
    there.wait("buddy-added", &[CAROL, ("group", "Friends")]);
    here.run("alias-buddy alice sip:bob@example.test Bobby");
    there.wait("buddy-alias", &[BOB, ("alias", "Bobby")]);
    here.run("rename-group Friends \"Good & old\"");
    here.run("move-buddy alice sip:bob@example.test \"Good & old\"");
    there.wait("buddy-added", &[BOB, ("group", "Good & old")]);
    there.wait("buddy-removed", &[BOB, ("group", "Team")]);
    let http = server.ready.http.to_string();
    let output = server.command(&["contacts", "alice@example.test", "--http", &http]);
    let printed = String::from_utf8(output.stdout).unwrap();
    for text in ["bob@example.test", "Bobby", "carol@example.test", "Good & old"] {
        assert!(printed.contains(text), "{printed}");
    }
    here.leave();
    there.leave();

    let both = [("bob", "Good & old", "Bobby"), ("carol", "Good & old", "")];
    has_list(&server, &both).leave();
    counters_fit(&server);
    let server = server.stop().start();
    let mut here = Purple::signed_in(&server, &["alice"]);
    here.sees("buddy-added", &[CAROL]);
    let mut there = has_list(&server, &both);
    here.run("remove-buddy alice sip:carol@example.test");
    there.wait("buddy-removed", &[CAROL]);
    here.leave();
    there.leave();
    has_list(&server, &[("bob", "Good & old", "Bobby")]).leave();
    server.stop();
}

#[test]
fn edits_reach_the_other_endpoint_and_survive_with_version_4_of_the_signatures() {
    edits_reach_the_other_endpoint_and_survive(Server::demo());
}

#[test]
fn edits_reach_the_other_endpoint_and_survive_with_version_3_of_the_signatures() {
    edits_reach_the_other_endpoint_and_survive(Server::serve(VERSION_3));
}

#[test]
fn a_group_goes_when_its_contacts_have_gone() {
    let server = Server::demo();
    // The other endpoint of the client does not survive it when a group goes: no other here.
    let mut alice = Purple::signed_in(&server, &["alice"]);
    alice.run("add-buddy alice sip:bob@example.test Team");
    alice.wait_for_delta("<addedContact uri=\"sip:bob@example.test\"");
    alice.run("remove-buddy alice sip:bob@example.test");
    alice.wait_for_delta("<deletedContact uri=\"sip:bob@example.test\"");
    alice.run("remove-group Team");
    alice.wait_for_delta("<deletedGroup ");
    alice.run("add-buddy alice sip:carol@example.test");
    alice.wait_for_delta("<addedContact uri=\"sip:carol@example.test\"");
    alice.leave();
    let alice = has_list(&server, &[("carol", "Other Contacts", "")]);
    assert!(!alice.log().contains("name=\"Team\""));
    alice.leave();
    server.stop();
}

#[test]
fn of_a_long_list_the_client_watches_everybody() {
    let server = Server::serve("[limits]\nbatch_resources_max = 1\n");
    let mut alice = Purple::signed_in(&server, &["alice"]);
    for (user, delta) in [("bob", "sip:bob@"), ("carol", "sip:carol@")] {
        alice.run(&format!("add-buddy alice sip:{user}@example.test"));
        alice.wait_for_delta(&format!("<addedContact uri=\"{delta}"));
    }
    alice.leave();
    // All in one batch: one of them is watched, and the client is told to ask for the other.
    let mut alice = Purple::signed_in(&server, &["alice"]);
    assert!(alice.log().contains("state=\"resubscribe\""));
    let others = Purple::signed_in(&server, &["bob", "carol"]);
    for user in ["bob", "carol"] {
        alice.sees_state(user, "available");
    }
    alice.leave();
    others.leave();
    server.stop();
}

#[test]
fn who_was_added_is_told_once() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    let mut bob = Purple::signed_in(&server, &["bob"]);
    alice.run("add-buddy alice sip:bob@example.test");
    bob.wait("added-you", &[("who", "alice@example.test"), ("alias", "alice")]);
    alice.wait("buddy-signed-on", &[BOB]);
    bob.leave();
    alice.wait("buddy-signed-off", &[BOB]);
    // He has said that he knows.
    let bob = Purple::signed_in(&server, &["bob"]);
    alice.wait("buddy-signed-on", &[BOB]);
    assert_eq!(bob.count("added-you", &[]), 0);
    alice.leave();
    bob.leave();
    server.stop();
}
