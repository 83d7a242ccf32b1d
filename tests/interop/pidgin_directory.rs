//! What pidgin-sipe finds and shows of other users: search, and contact cards.

use crate::outside::server::Server;
use crate::pidgin_access_levels::set_level;
use crate::pidgin_presence::watched;
use crate::pidgin_sipe::Purple;

const ALICE: (&str, &str) = ("who", "sip:alice@example.test");
const BOB: (&str, &str) = ("who", "sip:bob@example.test");

#[test]
fn users_are_found_by_the_beginning_of_a_name_or_an_address() {
    let server = Server::demo();
    let mut alice = Purple::signed_in(&server, &["alice"]);
    for form in ["given=Car", "surname=Cray", "email=carol@exa", "sipid=carol@example.test"] {
        alice.run(&format!("form {form}"));
        alice.run("action-do alice \"Contact search\"");
        let row = alice.wait("search-row", &[]);
        assert_eq!(row["row"].as_str().map(|row| row.contains("carol")), Some(true), "{row}");
        alice.wait("search-done", &[("rows", "1")]);
    }
    alice.run("form given=Nobody");
    alice.run("action-do alice \"Contact search\"");
    alice.wait("notify", &[("primary", "No contacts found")]);
    alice.leave();
    server.stop();
}

#[test]
fn the_card_is_shown_as_far_as_the_level_allows() {
    let server = Server::demo();
    for (option, text) in
        [("--phone-mobile", "+1 425 555 0112"), ("--phone-home", "+1 425 555 0122")]
    {
        let output = server.command(&["user", "set", "bob@example.test", option, text]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let (mut alice, mut bob) = watched(&server);
    alice.sees(
        "buddy-card",
        &[
            BOB,
            ("name", "Bob Boyle"),
            ("title", "Account Manager"),
            ("department", "Sales"),
            ("company", "Example Ltd"),
            ("office", "1.03"),
            ("email", "bob@example.test"),
            ("phone", "+1 425 555 0102"),
        ],
    );
    assert_eq!(alice.count("buddy-card", &[BOB, ("mobile", "+1")]), 0);
    alice.run("info alice sip:bob@example.test");
    let info = alice.wait("userinfo", &[BOB]);
    for text in ["Bob Boyle", "Account Manager", "1.03", "+1 425 555 0102", "bob@example.test"] {
        assert_eq!(info["text"].as_str().map(|info| info.contains(text)), Some(true), "{info}");
    }

    bob.run("add-buddy bob sip:alice@example.test");
    bob.wait("buddy-signed-on", &[ALICE]);
    set_level(&mut bob, "Team");
    alice.wait("buddy-card", &[BOB, ("mobile", "+1 425 555 0112")]);
    assert_eq!(alice.count("buddy-card", &[BOB, ("home", "+1")]), 0);
    set_level(&mut bob, "Personal");
    alice.wait("buddy-card", &[BOB, ("home", "+1 425 555 0122")]);
    alice.leave();
    bob.leave();
    server.stop();
}

#[test]
fn a_change_of_the_directory_reaches_who_watches() {
    let server = Server::demo();
    let (mut alice, bob) = watched(&server);
    let output =
        server.command(&["user", "set", "bob@example.test", "--title", "Head of Accounts"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    alice.wait("buddy-card", &[BOB, ("title", "Head of Accounts")]);
    alice.leave();
    bob.leave();
    server.stop();
}
