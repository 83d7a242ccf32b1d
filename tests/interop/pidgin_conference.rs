//! Conferences of pidgin-sipe: made of a conversation between two, with members who come, go, lead,
//! are locked out and thrown out.

use serde_json::Value;

use crate::baresip::Baresip;
use crate::outside::cdr::{Conference, Ending, Kind};
use crate::outside::eventually;
use crate::outside::server::{PASSWORD, Server};
use crate::pidgin_sipe::Purple;
use crate::pidgin_sipe_ntlm::VERSION_3;

/// A user of one client, who is or was in a conference.
pub struct Member {
    /// His name in the driver, and at the server.
    pub user: &'static str,
    pub client: Purple,
}

impl Member {
    /// Signs a user of the demo in.
    pub fn signed_in(server: &Server, user: &'static str) -> Self {
        Member { user, client: Purple::signed_in(server, &[user]) }
    }

    /// Adds another user to the contact list, whose menu is then there, and waits for his state.
    pub fn knows(&mut self, other: &str) {
        self.client.run(&format!("add-buddy {} sip:{other}@example.test", self.user));
        self.client.wait("buddy-signed-on", &[("who", &address(other))]);
    }

    /// Chooses from the menu of a contact.
    pub fn choose(&mut self, contact: &str, item: &str) {
        let user = self.user;
        self.client.run(&format!("menu-do {user} sip:{contact}@example.test \"{item}\""));
    }

    /// Chooses from the menu of the conference.
    pub fn choose_in_chat(&mut self, item: &str) {
        self.client.run(&format!("chat-menu-do {} * \"{item}\"", self.user));
    }

    /// Asks another user in.
    pub fn invite(&mut self, other: &str) {
        self.client.run(&format!("chat-invite {} * sip:{other}@example.test", self.user));
    }

    /// Waits until a user is seen to come in.
    pub fn sees_join(&mut self, who: &str) {
        self.client.wait("chat-user-joined", &[("who", &address(who))]);
    }

    /// Waits until a user is seen to go.
    pub fn sees_leave(&mut self, who: &str) {
        self.client.wait("chat-user-left", &[("who", &address(who))]);
    }

    /// Waits until the client says so in the window of the conference.
    pub fn is_told(&mut self, text: &str) {
        self.client.wait("conv-system", &[("conv", "Chat #"), ("text", text)]);
    }

    /// Says something in the conference.
    pub fn say(&mut self, text: &str) {
        self.client.run(&format!("chat-send {} * \"{text}\"", self.user));
    }

    /// Waits until what somebody said in the conference is shown, whatever was waited for before.
    pub fn hears(&self, from: &str, text: &str) {
        let from = address(from);
        self.client.sees("received-chat", &[("from", &from), ("text", text)]);
    }

    /// Nothing was shown twice.
    #[track_caller]
    pub fn heard_once(&self, texts: &[&str]) {
        for text in texts {
            let fields = [("text", *text)];
            let (chats, conversations) = (
                self.client.count("received-chat", &fields),
                self.client.count("received-im", &fields),
            );
            assert_eq!(chats + conversations, 1, "{}: {text}", self.user);
        }
    }

    /// Leaves the conference.
    pub fn leave_chat(&mut self) {
        self.client.run(&format!("chat-leave {} *", self.user));
    }

    /// Joins by the form for scheduled conferences.
    pub fn join(&mut self, fields: &str) {
        self.client.run(&format!("form {fields}"));
        self.client.run(&format!("action-do {} \"Join scheduled conference\"", self.user));
    }
}

/// The address of a user of the demo.
fn address(user: &str) -> String {
    format!("sip:{user}@example.test")
}

/// Alice and Bob in a conference that she has made.
pub fn convened(server: &Server) -> (Member, Member) {
    let mut alice = Member::signed_in(server, "alice");
    let mut bob = Member::signed_in(server, "bob");
    alice.knows("bob");
    alice.choose("bob", "New chat");
    alice.sees_join("bob");
    bob.sees_join("bob");
    (alice, bob)
}

/// The name of the only conference, as it stands in what a member got.
pub fn conference_of(member: &Member) -> String {
    let log = member.client.log();
    let at = log.find(FOCUS).expect("the URI of a focus") + FOCUS.len();
    log[at..].chars().take(32).collect()
}

pub const FOCUS: &str = "app:conf:focus:id:";

/// The address of a conference that Alice has made, as members in pager mode know it.
pub fn page_address(conference: &str) -> String {
    format!("sip:alice+{conference}@example.test")
}

/// What `mynah conference` answers.
#[track_caller]
pub fn ask_operator(server: &Server, arguments: &[&str]) -> Value {
    let address = server.ready.http.to_string();
    let options = ["--json", "--http", &address];
    let output = server.command(&[&["conference"], arguments, &options].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The record of the only conference, which is over, after the end of the server.
#[track_caller]
pub fn only_conference(server: Server) -> Conference {
    let mut records = server.wait_conferences_ended(1);
    assert_eq!(server.stop().conference_records(), records);
    records.remove(0)
}

#[test]
fn two_who_talk_ask_others_in_and_all_hear_one_another() {
    let server = Server::demo();
    server.add_user("dave", PASSWORD);
    let mut alice = Member::signed_in(&server, "alice");
    let mut bob = Member::signed_in(&server, "bob");
    let mut carol = Member::signed_in(&server, "carol");
    alice.knows("bob");
    alice.client.say("alice", "bob", "between two");
    bob.client.wait("received-im", &[("text", "between two")]);
    alice.choose("bob", "New chat");
    // Said while the conversation moves.
    alice.client.say("alice", "bob", "on the way");
    bob.client.say("bob", "alice", "on the way back");
    alice.sees_join("bob");
    bob.sees_join("bob");
    alice.client.sees("received-im", &[("text", "on the way back")]);
    bob.client.sees("received-im", &[("text", "on the way")]);
    let records = server.wait_ended(1);
    assert_eq!(records[0].summary(), (Kind::Session, "alice", "bob", 2, 1, Ending::ByeCaller));

    alice.say("with three soon");
    bob.hears("alice", "with three soon");
    alice.invite("carol");
    carol.sees_join("carol");
    // A newcomer sees what was said shortly before.
    carol.hears("alice", "with three soon");
    bob.sees_join("carol");

    // Added while the server ran: it looks once a second.
    server.wait_metric("mynah_users_current", |users| users == 4.0);
    let address = page_address(&conference_of(&alice));
    let mut dave = Baresip::facing(&server, "dave", &address);
    bob.invite("dave");
    for member in [&mut alice, &mut bob, &mut carol] {
        member.sees_join("dave");
    }
    // What he answers to is where it comes from.
    dave.wait(&format!("From: <{address}>"));
    dave.wait("Alice Ames: with three soon");
    alice.say("from alice");
    for member in [&bob, &carol] {
        member.hears("alice", "from alice");
    }
    dave.wait("from alice");
    bob.say("from bob");
    for member in [&alice, &carol] {
        member.hears("bob", "from bob");
    }
    dave.wait("from bob");
    carol.say("<b>from carol</b>");
    for member in [&alice, &bob] {
        member.hears("carol", "<B><FONT COLOR=\"#000000\">from carol</FONT></B>");
    }
    dave.wait("from carol");
    dave.say("from dave");
    for member in [&alice, &bob, &carol] {
        member.hears("dave", "from dave");
        member.heard_once(&["with three soon", "from alice", "from bob", "from dave"]);
    }
    for text in ["with three soon", "from alice", "from bob", "from carol"] {
        // As it shows it; it writes the message itself as well.
        assert_eq!(dave.count(&format!("{text}\"")), 1, "{text}");
    }
    // He says nothing when he goes: what is said next does not reach him.
    dave.quit();
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 3.0);
    bob.say("where is dave");
    bob.is_told("This message was not delivered to sip:dave@example.test because");
    for member in [&mut alice, &mut bob, &mut carol] {
        member.sees_leave("dave");
    }
    for member in [alice, bob, carol] {
        member.client.leave();
    }
    assert_eq!(server.records(), records, "what is said in a conference is in no other record");
    let conference = only_conference(server);
    assert_eq!((&*conference.organiser, conference.scheduled), ("alice@example.test", false));
    assert_eq!(conference.summary(), (6, 4, "last_left"));
    let visits = [("alice", 2, "bye"), ("bob", 2, "bye"), ("carol", 1, "bye"), ("dave", 1, "gone")];
    assert_eq!(conference.visits(), visits);
}

#[test]
fn leaders_lead_and_lock_and_remove() {
    let server = Server::demo();
    let (mut alice, mut bob) = convened(&server);
    let mut carol = Member::signed_in(&server, "carol");
    let conference = conference_of(&alice);

    // Who does not lead does not find it in his menu; who does makes others leaders.
    alice.choose("bob", "Make leader of");
    for member in [&mut alice, &mut bob] {
        let leader = [("who", "sip:bob@example.test"), ("operator", "1")];
        member.client.wait("chat-user-flags", &leader);
    }
    bob.choose_in_chat("Lock");
    for member in [&mut alice, &mut bob] {
        member.is_told("This conference is locked.");
    }
    carol.join(&format!("meetingOrganizer=alice@example.test meetingID={conference}"));
    carol
        .client
        .wait("notify", &[("primary", "Failed to join the conference"), ("secondary", "locked")]);
    alice.choose_in_chat("Unlock");
    for member in [&mut alice, &mut bob] {
        member.is_told("This conference is no longer locked.");
    }
    carol.join(&format!("meetingOrganizer=alice@example.test meetingID={conference}"));
    carol.sees_join("carol");
    for member in [&mut alice, &mut bob] {
        member.sees_join("carol");
    }

    bob.knows("carol");
    bob.choose("carol", "Remove from");
    carol.is_told("You have been disconnected from this conference.");
    for member in [&mut alice, &mut bob] {
        member.sees_leave("carol");
    }
    alice.say("she is out");
    bob.hears("alice", "she is out");
    assert_eq!(carol.client.count("received-chat", &[]), 0);

    for member in [alice, bob] {
        member.client.leave();
    }
    carol.client.leave_refused(&[403]);
    let conference = only_conference(server);
    assert_eq!(conference.summary(), (1, 3, "last_left"));
    let visits = [("alice", 1, "bye"), ("bob", 0, "bye"), ("carol", 0, "ejected")];
    assert_eq!(conference.visits(), visits);
}

#[test]
fn who_left_comes_back_by_the_uri_of_the_focus() {
    for server in [Server::serve(""), Server::serve(VERSION_3)] {
        left_and_came_back(server);
    }
}

fn left_and_came_back(server: Server) {
    let (mut alice, mut bob) = convened(&server);
    let focus = format!("sip:alice@example.test;gruu;opaque={FOCUS}{}", conference_of(&alice));
    bob.say("before");
    alice.hears("bob", "before");
    bob.leave_chat();
    alice.sees_leave("bob");
    alice.say("meanwhile");
    // By the form, with the URI of the focus as it stands in an invitation.
    bob.join(&format!("\"meetingLocation=conf:{focus}\""));
    bob.sees_join("bob");
    alice.sees_join("bob");
    // What he has not seen, and nothing else.
    bob.hears("alice", "meanwhile");
    bob.say("back again");
    alice.hears("bob", "back again");
    alice.heard_once(&["before", "meanwhile", "back again"]);
    bob.heard_once(&["before", "meanwhile", "back again"]);

    // The last to go ends it.
    alice.leave_chat();
    bob.sees_leave("alice");
    bob.leave_chat();
    let conferences = server.wait_conferences_ended(1);
    assert_eq!(conferences[0].summary(), (3, 2, "last_left"));
    let visits = [("alice", 1, "bye"), ("bob", 1, "bye"), ("bob", 1, "bye")];
    assert_eq!(conferences[0].visits(), visits);
    for member in [alice, bob] {
        member.client.leave();
    }
    assert_eq!(server.stop().conference_records(), conferences);
}

#[test]
fn who_was_removed_may_be_asked_in_again() {
    let server = Server::demo();
    let (mut alice, mut bob) = convened(&server);
    alice.choose("bob", "Remove from");
    bob.is_told("You have been disconnected from this conference.");
    alice.sees_leave("bob");
    alice.say("without him");
    alice.invite("bob");
    bob.sees_join("bob");
    alice.sees_join("bob");
    alice.say("welcome back");
    bob.hears("alice", "welcome back");
    bob.say("thanks");
    alice.hears("bob", "thanks");
    bob.heard_once(&["welcome back"]);
    // The client takes the second time for the first and does not end what it began with the focus
    // then; the end of its connection does.
    alice.client.leave();
    bob.client.quit();
    let conference = only_conference(server);
    assert_eq!(conference.summary(), (3, 2, "last_left"));
    let visits = conference.visits();
    assert_eq!(visits[..2], [("alice", 2, "bye"), ("bob", 0, "ejected")]);
    let (who, messages, _) = visits[2];
    assert_eq!((who, messages), ("bob", 1));
}

#[test]
fn both_endpoints_of_a_member_hear_and_speak() {
    let server = Server::demo();
    let (mut alice, mut bob) = convened(&server);
    let mut bob_there = Member { user: "bob", client: Purple::start_on("elsewhere") };
    bob_there.client.sign_in(&server, "bob");
    let conference = conference_of(&alice);
    bob_there.join(&format!("meetingOrganizer=alice@example.test meetingID={conference}"));
    // The client sees that Bob is in, wherever, before it is in itself.
    eventually("Bob in from two endpoints", || {
        let shown = ask_operator(&server, &["show", &conference]);
        match shown["members"][1]["legs"].as_array() {
            Some(legs) if legs.len() == 4 => Ok(()),
            _ => Err(shown.to_string()),
        }
    });
    alice.say("to both");
    bob.say("from here");
    bob_there.hears("alice", "to both");
    bob_there.hears("bob", "from here");
    bob_there.say("from there");
    bob.hears("alice", "to both");
    bob.hears("bob", "from there");
    for text in ["from here", "from there"] {
        alice.hears("bob", text);
    }
    for member in [&alice, &bob, &bob_there] {
        member.heard_once(&["to both", "from here", "from there"]);
    }
    // He is in as long as one of them is.
    bob.leave_chat();
    alice.say("still there?");
    bob_there.hears("alice", "still there?");
    assert_eq!(server.metrics().value("mynah_conference_members_current"), 2.0);
    assert_eq!(alice.client.count("chat-user-left", &[("who", "sip:bob@")]), 0);
    for member in [alice, bob, bob_there] {
        member.client.leave();
    }
    let conference = only_conference(server);
    assert_eq!(conference.summary(), (4, 2, "last_left"));
    assert_eq!(conference.visits(), [("alice", 2, "bye"), ("bob", 2, "bye")]);
}

#[test]
fn what_all_say_at_once_comes_once_and_in_order() {
    const EACH: usize = 20;
    let server = Server::demo();
    let (mut alice, bob) = convened(&server);
    let mut carol = Member::signed_in(&server, "carol");
    alice.invite("carol");
    carol.sees_join("carol");
    let mut members = [alice, bob, carol];
    for number in 0..EACH {
        for member in &mut members {
            let user = member.user;
            member.say(&format!("{number} of {user},"));
        }
    }
    let last = |user: &str| format!("{} of {user},", EACH - 1);
    for member in &members {
        for other in members.iter().filter(|other| other.user != member.user) {
            member.hears(other.user, &last(other.user));
            let texts = (0..EACH).map(|number| format!("{number} of {},", other.user));
            let texts: Vec<_> = texts.collect();
            assert_eq!(member.client.said(&address(other.user)), texts, "to {}", member.user);
        }
    }
    for member in members {
        member.client.leave();
    }
    let messages = EACH as u64;
    let conference = only_conference(server);
    assert_eq!(conference.summary(), (3 * messages, 3, "last_left"));
    let visits = ["alice", "bob", "carol"].map(|user| (user, messages, "bye"));
    assert_eq!(conference.visits(), visits);
}
