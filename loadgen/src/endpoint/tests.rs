use super::*;
use crate::clock::Moment;
use crate::scan::{Index, Scanner, Step};
use std::net::{Ipv4Addr, SocketAddr};

mod conference;
mod signing;

struct Client {
    env: Env,
    link: Link,
    endpoint: Endpoint,
    seen: Seen,
}

impl Client {
    fn new(dialect: Dialect) -> Client {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 5061));
        Client::with(Settings { dialect, ..Settings::new(target) })
    }

    fn with(settings: Settings) -> Client {
        let env = Env::new(Arc::new(settings), 7).unwrap();
        let mut link = Link::new();
        link.locate(SocketAddr::from(([127, 0, 0, 2], 4444)));
        let endpoint = Endpoint::new(&env, 0);
        Client { env, link, endpoint, seen: Seen::default() }
    }

    /// What the client writes.
    fn written(&mut self) -> String {
        String::from_utf8(std::mem::take(&mut self.link.out)).unwrap()
    }

    /// Gives the client a message; returns what it reports.
    fn take(&mut self, message: &str) -> Vec<Event> {
        let bytes = message.replace('\n', "\r\n").into_bytes();
        let mut index = Index::default();
        let step = Scanner::default().next(&bytes, &mut index).unwrap();
        assert_eq!(step, Step::Message(bytes.len()));
        let mut events = Vec::new();
        let message = Message::new(&bytes, &index);
        let Client { env, link, endpoint, seen } = self;
        assert_eq!(endpoint.receive(env, link, message, seen, &mut events), Ok(()));
        events
    }

    /// Gives the client a request; returns the first line of its answer.
    fn status(&mut self, method: &str, to_tag: &str, call_id: &str, contact: &str) -> String {
        self.take(&request(method, to_tag, call_id, contact));
        self.written().lines().next().unwrap_or("").to_owned()
    }
}

fn request(method: &str, to_tag: &str, call_id: &str, contact: &str) -> String {
    format!(
        "{method} sip:user0000000@example.test SIP/2.0\nVia: SIP/2.0/TLS 127.0.0.1;branch=z9hG4bK1\n\
         From: <sip:bob@example.test>;tag=bobs\nTo: <sip:user0000000@example.test>{to_tag}\n\
         Call-ID: {call_id}\nCSeq: 3 {method}\n{contact}Content-Length: 0\n\n"
    )
}

const CONTACT: &str = "Contact: <sip:bob@example.test;opaque=user:epid:b;gruu>\n";

#[test]
fn every_request_outside_a_dialog_gets_the_answer_it_deserves() {
    for (method, status) in [
        ("MESSAGE", "SIP/2.0 200 OK"),
        ("OPTIONS", "SIP/2.0 200 OK"),
        ("NOTIFY", "SIP/2.0 200 OK"),
        ("INFO", "SIP/2.0 481 Call/Transaction Does Not Exist"),
        ("BYE", "SIP/2.0 481 Call/Transaction Does Not Exist"),
        ("CANCEL", "SIP/2.0 481 Call/Transaction Does Not Exist"),
        ("SUBSCRIBE", "SIP/2.0 501 Not Implemented"),
        ("FROBNICATE", "SIP/2.0 501 Not Implemented"),
        ("ACK", ""),
        ("BENOTIFY", ""),
    ] {
        for dialect in [Dialect::Ms, Dialect::Simple] {
            assert_eq!(Client::new(dialect).status(method, "", "c", ""), status, "{method}");
        }
    }
    let mut client = Client::new(Dialect::Ms);
    let gone = "SIP/2.0 481 Call/Transaction Does Not Exist";
    assert_eq!(client.status("MESSAGE", ";tag=unknown", "c", ""), gone);
    assert_eq!(client.status("INVITE", ";tag=unknown", "c", CONTACT), gone);
    assert_eq!(client.status("INVITE", "", "c", ""), "SIP/2.0 400 Bad Request");
    assert_eq!(client.seen.requests_refused, 3);
}

#[test]
fn a_session_begun_by_the_other_side_lives_from_invite_to_bye() {
    let mut client = Client::new(Dialect::Ms);
    client.take(&request("INVITE", "", "call", CONTACT));
    let answer = client.written();
    assert!(answer.starts_with("SIP/2.0 200 OK\r\n") && answer.contains("m=message"), "{answer}");
    let tag = answer.lines().find_map(|line| line.strip_prefix("To: ")?.split_once(";tag="));
    let tag = format!(";tag={}", tag.unwrap().1);
    for method in ["ACK", "MESSAGE", "INFO", "INVITE"] {
        let status = if method == "ACK" { "" } else { "SIP/2.0 200 OK" };
        assert_eq!(client.status(method, &tag, "call", CONTACT), status, "{method}");
    }
    let other = "SIP/2.0 481 Call/Transaction Does Not Exist";
    assert_eq!(client.status("MESSAGE", &tag, "other", ""), other);
    assert_eq!(client.take(&request("BYE", &tag, "call", "")), [Event::Ended]);
    assert!(client.written().starts_with("SIP/2.0 200 OK\r\n"));
    assert_eq!(client.status("MESSAGE", &tag, "call", ""), other);
}

#[test]
fn a_simple_client_has_no_sessions() {
    let mut client = Client::new(Dialect::Simple);
    let status = client.status("INVITE", "", "c", CONTACT);
    assert_eq!(status, "SIP/2.0 488 Not Acceptable Here");
}

#[test]
fn dialogs_are_bounded() {
    let mut client = Client::new(Dialect::Ms);
    for call in 0..DIALOGS_MAX {
        let status = client.status("INVITE", "", &format!("c{call}"), CONTACT);
        assert_eq!(status, "SIP/2.0 200 OK");
    }
    assert_eq!(client.status("INVITE", "", "more", CONTACT), "SIP/2.0 486 Busy Here");
    // A repeated INVITE is not another dialog.
    assert_eq!(client.status("INVITE", "", "c0", CONTACT), "SIP/2.0 200 OK");
}

#[test]
fn messages_without_answer_are_bounded() {
    let mut client = Client::new(Dialect::Simple);
    let Client { env, link, endpoint, .. } = &mut client;
    let stamp = Stamp { run: 7, pair: 0, number: 1, intended: Moment(0) };
    for _ in 0..OUTSTANDING_MAX {
        assert!(endpoint.message_to(env, link, "bob@example.test", &stamp, 0).is_ok());
        link.out.clear();
    }
    let more = endpoint.message_to(env, link, "bob@example.test", &stamp, 0);
    assert_eq!(more, Err(Cause::Overrun));
}

#[test]
fn the_lync_client_registers_as_it_does_on_the_wire() {
    let mut client = Client::new(Dialect::Ms);
    let pending = Pending { operation: Operation::SignIn, intended: Moment(0) };
    let Client { env, link, endpoint, .. } = &mut client;
    endpoint.register(env, link, pending, false);
    let first = client.written();
    let names: Vec<_> = first.lines().skip(1).filter_map(|l| Some(l.split_once(':')?.0)).collect();
    assert_eq!(
        names,
        [
            "Via",
            "From",
            "To",
            "Max-Forwards",
            "CSeq",
            "User-Agent",
            "Call-ID",
            "Contact",
            "Supported",
            "Event",
            "Allow-Events",
            "ms-keep-alive",
            "Content-Length"
        ]
    );
    let via = "Via: SIP/2.0/tcp 127.0.0.2:4444;branch=z9hG4bK";
    assert!(first.contains(via), "{first}");
    let line = |name: &str| first.lines().find(|l| l.starts_with(name)).unwrap().to_owned();
    let challenge = format!(
        "SIP/2.0 407 Proxy Authentication Required\n{}\n{}\nTo: <sip:x>;tag=1\n{}\n{}\n\
         Proxy-Authenticate: Digest realm=\"example.test\", nonce=\"n\", qop=\"auth\"\n\
         Content-Length: 0\n\n",
        line("Via"),
        line("From"),
        line("Call-ID"),
        line("CSeq")
    );
    assert_eq!(client.take(&challenge), []);
    let second = client.written();
    let (same, credentials) = second.split_once("Proxy-Authorization: Digest ").unwrap();
    assert_eq!(first, format!("{same}\r\n"));
    assert!(credentials.starts_with("username=\"user0000000\", realm=\"example.test\""));
    assert!(credentials.contains("uri=\"(null)\", qop=auth, nc=00000001"), "{credentials}");
}

#[test]
fn an_answer_to_nothing_is_stray() {
    let mut client = Client::new(Dialect::Simple);
    for call_id in ["c", "m1.0000000000000000", ""] {
        client.take(&format!(
            "SIP/2.0 200 OK\nVia: SIP/2.0/TLS a\nFrom: <sip:a@x>;tag=1\nTo: <sip:b@x>;tag=2\n\
             Call-ID: {call_id}\nCSeq: 1 MESSAGE\nContent-Length: 0\n\n"
        ));
    }
    assert_eq!(client.seen.stray_answers, 3);
}
