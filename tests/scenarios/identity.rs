//! Nobody speaks for somebody else.

use crate::harness::client::uri;
use crate::harness::text::Text;
use crate::harness::{Client, Net, Request, established};

const FORGED: [(&str, &str); 9] = [
    ("P-Asserted-Identity", "<sip:carol@example.test>"),
    ("P-Preferred-Identity", "<sip:carol@example.test>"),
    ("Remote-Party-ID", "<sip:carol@example.test>"),
    ("Ms-Sender", "<sip:carol@example.test>"),
    ("ms-asserted-verification-level", "ms-source-verified-user=verified"),
    ("ms-edge-proxy-message-trust", "ms-source-type=Internal"),
    ("ms-user-logon-data", "RemoteUser"),
    ("Authorization", "Digest username=\"alice\", realm=\"x\", nonce=\"x\", response=\"x\""),
    ("Route", "<sip:10.0.0.1:5060;lr>"),
];

fn forge(request: Request) -> Request {
    FORGED.iter().fold(request, |request, (name, value)| request.header(name, value))
}

#[track_caller]
fn cleaned(received: &Text) {
    let asserted = ["<sip:alice@example.test>"];
    assert_eq!(received.headers("P-Asserted-Identity"), asserted, "{received:?}");
    for (name, _) in &FORGED[1..] {
        assert!(!received.has(name), "{name} in {received:?}");
    }
    assert!(!received.has("Proxy-Authorization"));
}

#[test]
fn a_from_of_somebody_else_is_refused_whatever_the_method() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    for method in
        ["MESSAGE", "INVITE", "SUBSCRIBE", "PUBLISH", "SERVICE", "BYE", "INFO", "CANCEL", "REFER"]
    {
        for from in
            ["<sip:carol@example.test>;tag=1", "<sip:alice@else.test>;tag=1", "<tel:+1>;tag=1"]
        {
            let request = alice.request(method, &uri("bob")).with("From", from);
            let answer = net.ask(alice.conn, &request);
            assert_eq!(answer.status(), 403, "{method} {from}");
            assert!(answer.header("ms-diagnostics").starts_with("52010;reason="), "{answer:?}");
        }
    }
    net.silent(&[alice.conn, bob.conn]);
    // Neither case nor escapes nor a port make another user.
    let odd = alice
        .request("SUBSCRIBE", &uri("alice"))
        .with("From", "<SIP:%41lice@Example.Test:5061>;tag=1");
    assert_eq!(net.ask(alice.conn, &odd).status(), 489);
}

#[test]
fn a_from_of_somebody_else_is_refused_in_a_session_too() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut dialog, _) = established(&mut net, &mut alice, &mut bob);
    for method in ["MESSAGE", "INFO", "BYE"] {
        let request = alice.within(&mut dialog, method);
        let from = request.value("From").replace("alice@", "carol@");
        assert_eq!(net.ask(alice.conn, &request.with("From", &from)).status(), 403, "{method}");
    }
    net.silent(&[bob.conn]);
}

#[test]
fn what_only_the_server_may_say_is_taken_out_of_an_invite() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let invite = forge(alice.invite("bob"));
    net.send(alice.conn, &invite);
    cleaned(&net.recv(bob.conn));
}

#[test]
fn what_only_the_server_may_say_is_taken_out_of_messages() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut bob = Client::lync(&mut net, 1, "bob");
    let (mut dialog, _) = established(&mut net, &mut alice, &mut bob);
    net.send(alice.conn, &forge(alice.say(&mut dialog, "hello")));
    cleaned(&net.recv(bob.conn));

    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, 1, "bob");
    net.send(alice.conn, &forge(alice.page("bob", "hello")));
    cleaned(&net.recv(bob.conn));
}

#[test]
fn an_answer_asserts_no_identity_and_carries_no_credentials() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    net.send(alice.conn, &alice.invite("bob"));
    net.recv(alice.conn);
    let invite = net.recv(bob.conn);
    net.send(bob.conn, &forge(invite.answer(486, "b")));
    let answer = net.recv(alice.conn);
    assert_eq!(answer.status(), 486);
    for (name, _) in FORGED.iter().filter(|(name, _)| *name != "Route") {
        assert!(!answer.has(name), "{name} in {answer:?}");
    }
}

#[test]
fn others_headers_survive_in_their_order() {
    let mut net = Net::new(2);
    let mut alice = Client::simple(&mut net, 0, "alice");
    let bob = Client::simple(&mut net, 1, "bob");
    let message = alice
        .page("bob", "hello")
        .without("User-Agent")
        .header("X-One", "1")
        .header("Subject", "greeting")
        .header("X-One", "2");
    net.send(alice.conn, &message);
    let received = net.recv(bob.conn);
    let (via, from) = (message.value("Via"), message.value("From"));
    assert_eq!(
        received.as_str(),
        format!(
            "MESSAGE {} SIP/2.0\r\n\
             Via: SIP/2.0/TLS fe01.example.test:5061;branch={}\r\n\
             P-Asserted-Identity: <sip:alice@example.test>\r\n\
             Via: {via}\r\n\
             From: {from}\r\n\
             To: <sip:bob@example.test>\r\n\
             Max-Forwards: 69\r\n\
             CSeq: 1 MESSAGE\r\n\
             Call-ID: {}\r\n\
             Contact: <{}>\r\n\
             Content-Type: text/plain\r\n\
             X-One: 1\r\n\
             Subject: greeting\r\n\
             X-One: 2\r\n\
             Content-Length: 5\r\n\r\nhello",
            bob.contact,
            received.branch(),
            message.value("Call-ID"),
            alice.contact,
        )
    );
}
