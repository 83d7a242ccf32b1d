//! Who may say what: a connection speaks for the user who signed in on it, and for nobody else.

use crate::outside::endpoint::{Endpoint, credentials};
use crate::outside::server::{DOMAIN, PASSWORD};
use crate::outside::stream::Stream;
use crate::target::Target;

const METHODS: [&str; 6] = ["MESSAGE", "INVITE", "SUBSCRIBE", "PUBLISH", "SERVICE", "INFO"];

#[test]
fn a_request_in_another_name_is_forbidden() {
    // 33
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    for method in METHODS {
        let request =
            alice.request(method, "bob", "", "").replace("From: <sip:alice", "From: <sip:carol");
        alice.stream.write(request);
        let answer = alice.final_answer();
        assert_eq!(answer.status(), 403, "{method}: {}", answer.head);
    }
    let message = alice.request("MESSAGE", "bob", "Content-Type: text/plain\r\n", "my own name");
    alice.stream.write(message);
    assert_eq!(bob.answer("MESSAGE", 200, "").body, b"my own name");
    assert_eq!(alice.final_answer().status(), 200);
    target.survived();
}

#[test]
fn nothing_but_options_goes_without_signing_in() {
    // 44
    let target = Target::start();
    let mut stream = Endpoint { user: "alice".to_owned(), stream: Stream::tls(&target), cseq: 0 };
    let others = ["BYE", "CANCEL", "NOTIFY", "BENOTIFY", "REFER", "NEGOTIATE", "PRACK", "XYZZY"];
    for method in METHODS.into_iter().chain(others) {
        let answer = stream.ask(method, "bob", "", "");
        assert!(matches!(answer.status(), 401 | 403 | 407), "{method}: {}", answer.head);
    }
    assert_eq!(stream.ask("OPTIONS", "bob", "", "").status(), 200);
    let metrics = target.metrics();
    assert_eq!(metrics.value("mynah_im_sessions_current"), 0.0);
    assert_eq!(metrics.value("mynah_relays_current"), 0.0);
    assert_eq!(target.records(), []);
    target.survived();
}

#[test]
fn words_that_only_the_server_may_say_are_dropped() {
    // 34
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    let lines = "P-Asserted-Identity: <sip:boss@example.test>\r\n\
                 P-Preferred-Identity: <sip:boss@example.test>\r\n\
                 ms-asserted-verification-level: ms-source-verified-user=verified\r\n\
                 Content-Type: text/plain\r\n";
    let message = alice.request("MESSAGE", "bob", lines, "trust me");
    alice.stream.write(message);
    let received = bob.answer("MESSAGE", 200, "");
    assert_eq!(received.headers("P-Asserted-Identity"), ["<sip:alice@example.test>"]);
    assert_eq!(received.header("P-Preferred-Identity"), None);
    assert_eq!(received.header("ms-asserted-verification-level"), None);
    assert_eq!(alice.final_answer().status(), 200);
    target.survived();
}

#[test]
fn a_route_to_another_host_leads_nowhere() {
    // 34, 36
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    let route = "Route: <sip:10.0.0.1:5060;lr>\r\nContent-Type: text/plain\r\n";
    let message = alice.request("MESSAGE", "bob", route, "by way of the inner host");
    alice.stream.write(message);
    let received = bob.answer("MESSAGE", 200, "");
    assert_eq!(received.header("Route"), None, "{}", received.head);
    assert_eq!(alice.final_answer().status(), 200);

    let message = alice.request("MESSAGE", "bob", "Content-Type: text/plain\r\n", "out");
    alice.stream.write(message.replace("MESSAGE sip:bob@example.test", "MESSAGE sip:bob@10.0.0.1"));
    assert!(matches!(alice.final_answer().status(), 403 | 404));
    target.survived();
}

#[test]
fn nobody_registers_for_another() {
    // 35
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    for (from, to) in [("bob", "bob"), ("alice", "bob"), ("bob", "alice")] {
        let request = alice.request("REGISTER", DOMAIN, "Contact: <sip:x@127.0.0.1>\r\n", "");
        let request = request
            .replace("From: <sip:alice", &format!("From: <sip:{from}"))
            .replace("To: <sip:alice", &format!("To: <sip:{to}"));
        alice.stream.write(request);
        let answer = alice.final_answer();
        assert_eq!(answer.status(), 403, "{from} for {to}: {}", answer.head);
    }
    // With credentials of one's own, before signing in.
    let mut mallory = Endpoint { user: "bob".to_owned(), stream: Stream::tls(&target), cseq: 0 };
    let contact = "Contact: <sip:bob@127.0.0.1>\r\n";
    let challenge = mallory.ask("REGISTER", DOMAIN, contact, "");
    let lines = credentials(&challenge, "alice", PASSWORD, "REGISTER");
    let answer = mallory.ask("REGISTER", DOMAIN, &format!("{contact}{lines}"), "");
    assert!(matches!(answer.status(), 401 | 403), "{}", answer.head);
    assert_eq!(target.metrics().value("mynah_endpoints_current"), 2.0);
    target.survived();
}

#[test]
fn a_contact_elsewhere_does_not_move_the_connection() {
    // 36
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    for elsewhere in ["sip:alice@192.0.2.99:5060", "sip:bob@example.test", "sip:127.0.0.1:1"] {
        let answer = alice.ask("REGISTER", DOMAIN, &format!("Contact: <{elsewhere}>\r\n"), "");
        assert_eq!(answer.status(), 200, "{}", answer.head);
    }
    let mut carol = Endpoint::tcp(&target, "carol");
    let message = carol.request("MESSAGE", "alice", "Content-Type: text/plain\r\n", "hello");
    carol.stream.write(message);
    alice.answer("MESSAGE", 200, "");
    assert_eq!(carol.final_answer().status(), 200);
    assert_eq!(carol.say("bob", "hello").status(), 480);
    target.survived();
}
