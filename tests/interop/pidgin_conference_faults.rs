//! What pidgin-sipe shows of a conference whose members vanish or fall silent, which outlives the
//! server, or which the operator ends.

use serde_json::json;

use crate::outside::endpoint::Endpoint;
use crate::outside::server::Server;
use crate::pidgin_conference::{Member, ask_operator, conference_of, convened, only_conference};

#[test]
fn the_others_go_on_when_the_organiser_vanishes() {
    let server = Server::demo();
    let (mut alice, mut bob) = convened(&server);
    let mut carol = Member::signed_in(&server, "carol");
    alice.invite("carol");
    carol.sees_join("carol");
    bob.sees_join("carol");
    alice.client.kill();
    for member in [&mut bob, &mut carol] {
        member.sees_leave("alice");
    }
    bob.say("where is she");
    carol.hears("bob", "where is she");
    carol.say("gone");
    bob.hears("carol", "gone");

    // She comes back by the form, and leads again.
    let mut alice = Member::signed_in(&server, "alice");
    let conference = conference_of(&bob);
    alice.join(&format!("meetingOrganizer=alice@example.test meetingID={conference}"));
    for member in [&mut bob, &mut carol] {
        member.sees_join("alice");
    }
    alice.hears("bob", "where is she");
    alice.hears("carol", "gone");
    let leader = [("who", "sip:alice@example.test"), ("operator", "1")];
    bob.client.wait("chat-user-flags", &leader);
    for member in [alice, bob, carol] {
        member.client.leave();
    }
    let conference = only_conference(server);
    assert_eq!(conference.summary(), (2, 3, "last_left"));
    assert_eq!(conference.visits()[0], ("alice", 0, "connection_lost"));
    assert_eq!(conference.visits()[3], ("alice", 0, "bye"));
}

/// Says something that Bob, who takes nothing any more, has got and not answered.
fn say_to_frozen_bob(server: &Server, alice: &mut Member, bob: &Member, text: &str) {
    let before = server.metrics().value(DELIVERIES);
    bob.client.freeze();
    alice.say(text);
    server.wait_metric(DELIVERIES, |deliveries| deliveries == before + 1.0);
}

const DELIVERIES: &str = "mynah_conference_deliveries_total";

/// The author is told who has not got it.
fn is_reported(author: &mut Member, text: &str) {
    author.is_told("This message was not delivered to sip:bob@example.test because");
    author.client.sees("conv-system", &[("level", "error"), ("text", text)]);
}

#[test]
fn a_message_to_a_member_who_was_killed_is_reported() {
    let server = Server::demo();
    let (mut alice, bob) = convened(&server);
    say_to_frozen_bob(&server, &mut alice, &bob, "are you there?");
    bob.client.kill();
    is_reported(&mut alice, "are you there?");
    alice.sees_leave("bob");
    assert_eq!(server.metrics().value("mynah_conference_undelivered_total"), 1.0);
    alice.client.leave();
    let conference = only_conference(server);
    assert_eq!(conference.visits(), [("alice", 1, "bye"), ("bob", 0, "connection_lost")]);
}

#[test]
fn a_message_to_a_member_who_answers_nothing_is_reported() {
    let server = Server::serve("[limits]\nrequest_timeout = \"2s\"\n");
    let (mut alice, bob) = convened(&server);
    say_to_frozen_bob(&server, &mut alice, &bob, "are you there?");
    is_reported(&mut alice, "are you there?");
    // It may have been a pause: he is still in.
    assert_eq!(alice.client.count("chat-user-left", &[]), 0);
    assert_eq!(server.metrics().value("mynah_conference_members_current"), 2.0);
    alice.client.leave();
    bob.client.kill();
    only_conference(server);
}

#[test]
fn a_scheduled_conference_outlives_the_server() {
    let server = Server::demo();
    let mut organiser = Endpoint::tcp(&server, "alice");
    let conference = "0123456789ABCDEF0123456789ABCDEF";
    let made =
        organiser.ask_for_conference(conference, "Planning &amp; more", "2099-01-01T00:00:00Z");
    assert_eq!(made.status(), 200, "{}", made.head);
    let mut bob = Member::signed_in(&server, "bob");
    let form = format!("meetingOrganizer=alice@example.test meetingID={conference}");
    bob.join(&form);
    bob.sees_join("bob");
    bob.say("before the crash");
    bob.client.wait("received-chat", &[("text", "before the crash")]);
    server.wait_metric("mynah_conference_messages_total", |messages| messages == 1.0);
    bob.client.quit();
    server.wait_metric("mynah_conference_members_current", |members| members == 0.0);
    drop(organiser);

    let server = server.kill().start();
    let mut alice = Member::signed_in(&server, "alice");
    let mut bob = Member::signed_in(&server, "bob");
    bob.join(&form);
    bob.client.wait("chat-topic", &[("topic", "Planning & more")]);
    bob.sees_join("bob");
    alice.join(&form);
    alice.sees_join("alice");
    bob.sees_join("alice");
    // She made it: she leads.
    bob.client.wait("chat-user-flags", &[("who", "sip:alice@"), ("operator", "1")]);
    alice.say("after it");
    bob.hears("alice", "after it");
    for member in [alice, bob] {
        member.client.leave();
    }
    server.wait_metric("mynah_conference_members_current", |members| members == 0.0);
    // Empty, it goes on: nobody has to make it again.
    let mut bob = Member::signed_in(&server, "bob");
    bob.join(&form);
    bob.sees_join("bob");
    bob.client.leave();
    server.stop();
}

#[test]
fn the_operator_lists_shows_and_ends_it() {
    let server = Server::demo();
    let (mut alice, mut bob) = convened(&server);
    let conference = conference_of(&alice);
    alice.say("hello bob");
    bob.hears("alice", "hello bob");
    let ask = |arguments: &[&str]| ask_operator(&server, arguments);
    let list = ask(&["list"]);
    assert_eq!((&list["total"], &list["conferences"][0]["members"]), (&json!(1), &json!(2)));
    assert_eq!(list["conferences"][0]["id"], conference);
    let show = ask(&["show", &conference]);
    let member = |at: usize| {
        let member = &show["members"][at];
        let legs = member["legs"].as_array().unwrap().iter().map(|leg| leg["kind"].clone());
        (member["address"].clone(), member["role"].clone(), legs.collect::<Vec<_>>())
    };
    let legs = vec![json!("focus"), json!("chat")];
    assert_eq!(member(0), (json!("alice@example.test"), json!("presenter"), legs.clone()));
    assert_eq!(member(1), (json!("bob@example.test"), json!("attendee"), legs));
    ask(&["end", &conference]);
    for member in [&mut alice, &mut bob] {
        member.is_told("You have been disconnected from this conference.");
    }
    assert_eq!(ask(&["list"])["total"], 0);
    for member in [alice, bob] {
        member.client.leave();
    }
    let record = only_conference(server);
    assert_eq!(record.summary(), (1, 2, "operator"));
    assert_eq!(record.visits(), [("alice", 1, "ended"), ("bob", 0, "ended")]);
}

#[test]
fn it_ends_with_the_server() {
    let server = Server::demo();
    let (mut alice, mut bob) = convened(&server);
    let stopped = server.stop();
    for member in [&mut alice, &mut bob] {
        member.is_told("You have been disconnected from this conference.");
    }
    let records = stopped.conference_records();
    assert_eq!(records.len(), 1, "{records:#?}");
    assert_eq!(records[0].summary(), (0, 2, "drained"));
    assert_eq!(records[0].visits(), [("alice", 0, "ended"), ("bob", 0, "ended")]);
}
