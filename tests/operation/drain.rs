//! The server is taken out of service while its users are on it.

use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use crate::outside::PATIENCE;
use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::{ask, closed, fetch};
use crate::outside::server::{DOMAIN, PASSWORD, Server};
use crate::outside::service;
use crate::outside::session::{SDP, Session};
use crate::outside::stream::{Message, Stream, connect};

fn drain(server: &Server, line: &[&str]) -> String {
    let http = server.ready.http.to_string();
    let Output { status, stdout, stderr } =
        server.command(&[&["drain", "--http", &http][..], line].concat());
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

/// Fails unless it is a refusal that says when to come again; in how many seconds.
fn refused(answer: &Message) -> u64 {
    assert_eq!(answer.status(), 503, "{}", answer.head);
    answer.header("Retry-After").unwrap().parse().unwrap()
}

#[test]
fn new_work_is_refused_from_every_source_and_what_there_is_goes_on() {
    let mut server = Server::demo_with_links();
    let link = crate::outside::link::Link::open(&server);
    let mut on_link = link.sign_in("alice");
    let mut alice = Endpoint::tls(&server, "alice");
    let mut bob = Endpoint::tcp(&server, "bob");
    let mut session = Session::open(&mut alice, &mut bob);
    let early = Stream::tcp(&server);
    let said = drain(&server, &["--over", "10m"]);
    assert!(said.contains("closed over 10m, then the server ends"), "{said}");

    // A connection from before, a new one, one over TLS, one of a link that was open, a new link.
    let register = |stream| {
        let mut endpoint = Endpoint { user: "carol".to_owned(), stream, cseq: 0 };
        let answer = endpoint.register(PASSWORD);
        endpoint.stream.end();
        refused(&answer)
    };
    for wait in [register(early), register(Stream::tcp(&server)), register(Stream::tls(&server))] {
        assert!((500..630).contains(&wait), "{wait}");
    }
    assert!(refused(&link.user("carol").register(PASSWORD)) >= 500);
    Stream::over(connect(server.ready.links.unwrap())).end();
    let media = format!("Contact: {}\r\nContent-Type: application/sdp\r\n", alice.contact());
    assert!(refused(&alice.ask("INVITE", "carol", &media, SDP)) >= 500);
    assert!(refused(&alice.ask("OPTIONS", DOMAIN, "", "")) >= 500);

    // Who is in goes on.
    session.say(&mut alice, &mut bob, "still here");
    assert_eq!(on_link.register(PASSWORD).status(), 200);

    let (status, health) = fetch(server.ready.http, "/healthz");
    assert_eq!(status, 503);
    assert!(health.contains("takes no new work"), "{health}");
    let Output { stdout, .. } =
        server.command(&["status", "--http", &server.ready.http.to_string()]);
    let status = String::from_utf8(stdout).unwrap();
    let line = status.lines().find(|line| line.starts_with("drain ")).unwrap();
    assert!(line.contains("connections to close within ") && line.contains(" closed"), "{line}");
    assert_eq!(server.metrics().value("mynah_draining"), 1.0);

    // Told again, the shorter time holds, and at its end the process does.
    drain(&server, &["--over", "1ms"]);
    alice.stream.end();
    bob.stream.end();
    server.process().wait_success();
}

/// A body of SERVICE or PUBLISH with its media type.
fn lines(media_type: &str) -> String {
    format!("Content-Type: {media_type}\r\n")
}

#[test]
fn every_source_of_work_over_tls_is_refused_and_told_when_to_come_again() {
    // 66
    let server = Server::serve("[api]\nlisten = '127.0.0.1:0'\n");
    let id = "C71C6BB0267883E2248C1EA7F80725B8";
    let mut alice = Endpoint::tls(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    assert_eq!(alice.ask_for_conference(id, "Budget", "2099-01-01T00:00:00Z").status(), 200);
    let subscribe = "Event: presence\r\nExpires: 600\r\n";
    let subscribe = format!("{subscribe}Contact: {}\r\n", alice.contact());
    let mut presence = Session::subscribe(&mut alice, "bob", &subscribe);
    alice.answer("NOTIFY", 200, "");
    let mut session = Session::open(&mut alice, &mut bob);
    drain(&server, &["--over", "10m"]);

    let media = format!("Contact: {}\r\nContent-Type: application/sdp\r\n", alice.contact());
    let (contact, soap) = service::contact("bob");
    let (note, publish) = service::note("alice", "gone", 0);
    let pidf = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:alice@example.test'/>";
    let published = format!("Event: presence\r\nExpires: 600\r\n{}", lines("application/pidf+xml"));
    let focus = format!("alice@{DOMAIN};gruu;opaque=app:conf:focus:id:{id}");
    for (what, method, to, headers, body) in [
        ("an invitation", "INVITE", "bob", media.as_str(), SDP),
        ("a message", "MESSAGE", "bob", &lines("text/plain"), "hello"),
        ("a subscription", "SUBSCRIBE", "carol", &subscribe, ""),
        ("a standard publication", "PUBLISH", "alice", &published, pidf),
        ("a Lync publication", "SERVICE", "alice", &lines(publish), &note),
        ("a change of contacts", "SERVICE", "alice", &lines(soap), &contact),
        ("a question", "OPTIONS", DOMAIN, "", ""),
    ] {
        let answer = alice.ask(method, to, headers, body);
        assert_eq!(answer.status(), 503, "{what}: {}", answer.head);
        assert!(refused(&answer) >= 500, "{what}");
    }
    let another = alice.ask_for_conference(&id.replace('C', "D"), "Budget", "2099-01-01T00:00:00Z");
    assert!(refused(&another) >= 500);
    let join = bob.request("INVITE", "alice", &media, SDP);
    bob.stream.write(join.replacen(&format!("alice@{DOMAIN} "), &format!("{focus} "), 1));
    assert!(refused(&bob.final_answer()) >= 500);
    let mut carol = Endpoint { user: "carol".to_owned(), stream: Stream::tls(&server), cseq: 0 };
    assert!(refused(&carol.register(PASSWORD)) >= 500);
    carol.stream.end();

    // Applications are told the same, but for keeping somebody out.
    let token = server.command(&["api", "token", "create", "--role", "admin", "desk"]);
    let token = String::from_utf8(token.stdout).unwrap();
    let api = |method: &str, path: &str| {
        let head = format!("Authorization: Bearer {}\r\n", token.trim());
        ask(server.ready.api.unwrap(), method, path, &head)
    };
    for (method, path) in [
        ("POST", "/v1/users/carol@example.test/enable"),
        ("DELETE", "/v1/users/carol@example.test"),
        ("GET", "/v1/presence/bob@example.test/events"),
    ] {
        let (status, head, _) = api(method, path);
        assert_eq!(status, 503, "{method} {path}");
        let wait = head.lines().find_map(|line| line.strip_prefix("retry-after: ")).unwrap();
        assert!(wait.parse::<u64>().unwrap() >= 500, "{wait}");
    }
    assert_eq!(api("GET", "/v1/presence/bob@example.test").0, 200);
    assert_eq!(api("POST", "/v1/users/carol@example.test/disable").0, 204);

    // What has begun goes on: a session, a subscription, a registration; and what ends, ends.
    session.say(&mut alice, &mut bob, "still here");
    for expires in ["600", "0"] {
        let again = presence.request("SUBSCRIBE", &subscribe.replace("600", expires), "");
        alice.stream.write(again);
        assert_eq!(alice.final_answer().status(), 200, "{expires}");
        alice.answer("NOTIFY", 200, "");
    }
    assert_eq!(alice.register(PASSWORD).status(), 200);
    session.close(&mut alice, &mut bob);
    server.stop();
}

#[test]
fn lync_clients_are_sent_to_another_server_and_find_it() {
    // 66
    let (server, other) = (Server::demo(), Server::demo());
    let mut signed_in = Endpoint::tls(&server, "alice");
    let place = other.ready.tls.to_string();
    let said = drain(&server, &["--over", "10m", "--to", &place]);
    assert!(said.contains(&format!("Lync clients are sent to {place}")), "{said}");
    let lync = "Supported: msrtc-event-categories\r\nms-keep-alive: UAC;hop-hop=yes\r\n";
    let mut new = Endpoint { user: "bob".to_owned(), stream: Stream::tls(&server), cseq: 0 };
    for endpoint in [&mut new, &mut signed_in] {
        let headers = format!("Contact: {}\r\n{lync}", endpoint.contact());
        let sent = endpoint.ask("REGISTER", DOMAIN, &headers, "");
        assert_eq!(sent.status(), 301, "{}", sent.head);
        assert_eq!(sent.header("Contact").unwrap(), format!("<sip:{place};transport=tls>"));
        Endpoint::tls(&other, &endpoint.user);
    }
    new.stream.end();
    assert_eq!(server.metrics().value("mynah_redirects_total"), 2.0);
    let bad =
        server.command(&["drain", "--to", "fe02;x", "--http", &server.ready.http.to_string()]);
    assert_eq!(bad.status.code(), Some(2));
    server.stop();
    other.stop();
}

#[test]
fn connections_are_closed_one_after_the_other_over_the_time() {
    const COUNT: u32 = 8;
    const OVER: Duration = Duration::from_secs(2);
    let server = Server::demo();
    let mut streams: Vec<Endpoint> = (0..COUNT).map(|_| Endpoint::tcp(&server, "alice")).collect();
    let began = Instant::now();
    drain(&server, &["--over", "2s", "--stay"]);
    let ends: Vec<_> = streams
        .drain(..)
        .map(|mut endpoint| {
            thread::spawn(move || {
                endpoint.stream.end();
                began.elapsed()
            })
        })
        .collect();
    let mut ends: Vec<Duration> = ends.into_iter().map(|end| end.join().unwrap()).collect();
    ends.sort_unstable();
    // The cores have no more than half of them each in mind, and each spreads its own: the one that
    // has all closes the first after an eighth of the time, and none closes its last before the end.
    assert!(ends[0] >= OVER / COUNT, "{ends:?}");
    assert!(ends[COUNT as usize - 1] >= OVER - Duration::from_millis(50), "{ends:?}");
    assert!(ends[COUNT as usize - 1] < PATIENCE);
    // It stays, and refuses.
    let stream = Stream::tcp(&server);
    let mut late = Endpoint { user: "bob".to_owned(), stream, cseq: 0 };
    assert!(refused(&late.register(PASSWORD)) >= 5);
    assert_eq!(server.metrics().value(&closed("drain")), f64::from(COUNT) + 1.0);
    assert_eq!(server.metrics().value("mynah_drain_connections_current"), 0.0);
    server.stop();
}

#[test]
fn a_server_without_connections_ends_at_once_and_records_are_kept() {
    let mut server = Server::demo();
    let mut alice = Endpoint::tcp(&server, "alice");
    let mut bob = Endpoint::tcp(&server, "bob");
    let session = Session::open(&mut alice, &mut bob);
    session.close(&mut alice, &mut bob);
    drop((alice, bob));
    server.wait_metric("mynah_connections_current", |value| value == 0.0);
    drain(&server, &["--over", "1h"]);
    server.process().wait_success();
    assert_eq!(server.wait_ended(1).len(), 1);
}
