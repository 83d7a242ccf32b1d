//! Links against the real server: connections of another server on which many users speak.

#[path = "outside/mod.rs"]
mod outside;

use std::path::PathBuf;

use outside::endpoint::{Endpoint, credentials};
use outside::link::Link;
use outside::server::{DOMAIN, PASSWORD, Server};
use outside::session::Session;
use outside::stream::Stream;

#[test]
fn users_of_one_link_talk_with_each_other_and_with_others() {
    let server = Server::demo_with_links();
    let link = Link::open(&server);
    let mut alice = link.sign_in("alice");
    let mut bob = link.sign_in("bob");
    let mut carol = Endpoint::tls(&server, "carol");
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_links_current"), 1.0);
    assert_eq!(metrics.value("mynah_lanes_current"), 2.0);
    assert_eq!(metrics.value("mynah_connections_current"), 2.0, "a link and a connection");

    // Both ends of one session on the same link, and one session each way to the connection.
    let mut session = Session::open(&mut alice, &mut bob);
    session.say(&mut alice, &mut bob, "hello");
    let typing =
        "<?xml version=\"1.0\"?><KeyboardActivity><status status=\"type\"/></KeyboardActivity>";
    let line = "Content-Type: application/xml\r\n";
    alice.stream.write(session.request("INFO", line, typing));
    assert_eq!(bob.answer("INFO", 200, "").body, typing.as_bytes());
    assert_eq!(alice.final_answer().status(), 200);
    session.close(&mut alice, &mut bob);
    let mut session = Session::open(&mut alice, &mut carol);
    session.say(&mut alice, &mut carol, "from the link");
    session.close(&mut alice, &mut carol);
    let mut session = Session::open(&mut carol, &mut bob);
    session.say(&mut carol, &mut bob, "to the link");
    session.close(&mut carol, &mut bob);
    let message = alice.request("MESSAGE", "bob", "Content-Type: text/plain\r\n", "pager");
    alice.stream.write(message);
    assert_eq!(bob.answer("MESSAGE", 200, "").body, b"pager");
    assert_eq!(alice.final_answer().status(), 200);
    assert_eq!(server.metrics().value("mynah_responses_stray_total"), 0.0);
}

#[test]
fn users_of_one_link_see_each_other() {
    let server = Server::demo_with_links();
    let link = Link::open(&server);
    let mut alice = link.sign_in("alice");
    let mut bob = link.sign_in("bob");
    let lines = format!("Event: presence\r\nContact: {}\r\n", alice.contact());
    let accepted = alice.ask("SUBSCRIBE", "bob", &lines, "");
    assert_eq!(accepted.status(), 200, "{}", accepted.head);
    alice.answer("NOTIFY", 200, "");
    let pidf = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:bob@example.test\">\
                <tuple id=\"t\"><status><basic>open</basic></status><note>on a link</note></tuple>\
                </presence>";
    let lines = "Event: presence\r\nContent-Type: application/pidf+xml\r\n";
    let published = bob.ask("PUBLISH", "bob", lines, pidf);
    assert_eq!(published.status(), 200, "{}", published.head);
    let told = alice.answer("NOTIFY", 200, "");
    assert!(String::from_utf8_lossy(&told.body).contains("on a link"), "{told:?}");
}

#[test]
fn nobody_speaks_on_a_link_before_he_has_signed_in_there() {
    let server = Server::demo_with_links();
    let link = Link::open(&server);
    let mut alice = link.sign_in("alice");
    let _bob = Endpoint::tls(&server, "bob");
    // Bob has signed in elsewhere, carol nowhere: on this link both must prove who they are.
    for user in ["bob", "carol"] {
        let mut stranger = link.user(user);
        let answer = stranger.say("alice", "hello");
        assert_eq!(answer.status(), 407, "{user}: {}", answer.head);
    }
    // Nor do the credentials of one sign another in.
    let mut carol = link.user("carol");
    let contact = format!("Contact: {}\r\n", carol.contact());
    let challenge = carol.ask("REGISTER", DOMAIN, &contact, "");
    let stolen = credentials(&challenge, "alice", PASSWORD, "REGISTER");
    let answer = carol.ask("REGISTER", DOMAIN, &format!("{contact}{stolen}"), "");
    assert!(matches!(answer.status(), 401 | 403), "{}", answer.head);
    let answer = alice.say("carol", "hello");
    assert_eq!(answer.status(), 480, "{}", answer.head);
}

#[test]
fn the_answer_of_one_user_is_not_taken_for_that_of_another() {
    let server = Server::demo_with_links();
    let (link, other) = (Link::open(&server), Link::open(&server));
    let mut alice = link.sign_in("alice");
    let mut bob = link.sign_in("bob");
    let mut carol = other.sign_in("carol");
    let text = "Content-Type: text/plain\r\n";
    // Two messages under way on one link, answered in the other order.
    let to_bob = alice.request("MESSAGE", "bob", text, "to bob");
    let to_alice = bob.request("MESSAGE", "alice", text, "to alice");
    alice.stream.write(to_bob);
    bob.stream.write(to_alice);
    let at_bob = bob.stream.message();
    let at_alice = alice.stream.message();
    alice.respond(&at_alice, 200, "", "");
    assert_eq!(bob.final_answer().status(), 200);
    bob.respond(&at_bob, 486, "", "");
    assert_eq!(alice.final_answer().status(), 486);
    // An answer that comes on a link on which nobody was asked.
    let message = alice.request("MESSAGE", "bob", text, "once more");
    alice.stream.write(message);
    let asked = bob.stream.message();
    carol.respond(&asked, 200, "", "");
    server.wait_metric("mynah_responses_stray_total", |strays| strays == 1.0);
    bob.respond(&asked, 486, "", "");
    assert_eq!(alice.final_answer().status(), 486);
}

#[test]
fn a_user_who_signs_off_leaves_the_link_and_comes_back() {
    let server = Server::demo_with_links();
    let link = Link::open(&server);
    let mut alice = link.sign_in("alice");
    let _bob = link.sign_in("bob");
    let contact = format!("Contact: {}\r\nExpires: 0\r\n", alice.contact());
    assert_eq!(alice.ask("REGISTER", DOMAIN, &contact, "").status(), 200);
    assert_eq!(server.metrics().value("mynah_lanes_current"), 1.0);
    assert_eq!(alice.say("bob", "hello").status(), 407, "it is nobody's again");
    assert_eq!(alice.register(PASSWORD).status(), 200);
    server.wait_metric("mynah_endpoints_current", |endpoints| endpoints == 2.0);
}

#[test]
fn the_end_of_a_link_signs_all_its_users_off() {
    let server = Server::demo_with_links();
    let link = Link::open(&server);
    let other = Link::open(&server);
    let mut alice = other.sign_in("alice");
    let (bob, carol) = (link.sign_in("bob"), link.sign_in("carol"));
    server.wait_metric("mynah_users_signed_in_current", |users| users == 3.0);
    drop((link, bob, carol));
    server.wait_metric("mynah_users_signed_in_current", |users| users == 1.0);
    let metrics = server.metrics();
    assert_eq!(metrics.value("mynah_lanes_current"), 1.0);
    assert_eq!(metrics.value("mynah_links_current"), 1.0);
    assert_eq!(alice.say("bob", "hello").status(), 480);
}

#[test]
fn who_guesses_passwords_on_a_link_is_locked_out_alone() {
    let server = Server::demo_with_links();
    let link = Link::open(&server);
    // One guess at each of many accounts, until the address that they all give has no more: the
    // core that counts them tells the others.
    let address = "127.0.2.1:5061".parse().unwrap();
    let locked = |server: &Server| server.metrics().hits("auth_failures_per_address_max") > 0.0;
    for guess in 0..300 {
        if guess > 100 && locked(&server) {
            break;
        }
        let user = format!("user-{guess}");
        let stream = Stream::lane(&link, &user, address);
        let mut stranger = Endpoint { user, stream, cseq: 0 };
        let answer = stranger.register("wrong");
        assert!(matches!(answer.status(), 401 | 403), "{}", answer.head);
    }
    assert!(locked(&server), "nobody was locked out");
    let mut alice = link.sign_in("alice");
    assert_eq!(alice.say("bob", "hello").status(), 480, "another address on the link");
}

#[test]
fn only_a_server_with_the_right_certificate_opens_a_link() {
    let server = Server::demo_with_links();
    let refused = |stream: Stream| Link::over(stream).end();
    refused(Stream::link_without_certificate(&server));
    let (chain, key) = certificate("edge.example.test");
    refused(Stream::link(&server, &chain, &key));
    let data = server.data();
    // The server's own certificate is of another authority.
    refused(Stream::link(&server, &data.join("cert.pem"), &data.join("key.pem")));
    server.wait_metric("mynah_connections_closed_total{reason=\"tls\"}", |closed| closed == 3.0);
    assert_eq!(server.metrics().value("mynah_links_current"), 0.0);
    assert_eq!(server.metrics().value("mynah_lanes_opened_total"), 0.0);
    // Clients without a certificate are served as ever, but not there.
    Endpoint::tls(&server, "alice");
}

/// A certificate that signed itself, and its key.
fn certificate(name: &str) -> (PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap().keep();
    let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let (chain, key) = (folder.join("chain.pem"), folder.join("key.pem"));
    std::fs::write(&chain, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    (chain, key)
}
