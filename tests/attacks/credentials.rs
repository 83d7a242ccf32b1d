//! Credentials that are stolen, guessed or made up.

use crate::outside::endpoint::{Endpoint, Proof, credentials, digest, parameter};
use crate::outside::metrics::hits;
use crate::outside::server::{DOMAIN, PASSWORD};
use crate::outside::stream::{Message, Stream};
use crate::target::Target;

const CONTACT: &str = "Contact: <sip:alice@127.0.0.1>\r\n";

/// Alice before signing in, on a connection of her own.
fn alice(target: &Target) -> Endpoint {
    Endpoint { user: "alice".to_owned(), stream: Stream::tls(target), cseq: 0 }
}

/// A REGISTER with these credentials.
fn register(alice: &mut Endpoint, credentials: &str) -> Message {
    alice.ask("REGISTER", DOMAIN, &format!("{CONTACT}{credentials}"), "")
}

fn failures(target: &Target, cause: &str) -> f64 {
    target.metrics().value(&format!("mynah_auth_failures_total{{cause=\"{cause}\"}}"))
}

#[test]
fn credentials_are_good_on_their_own_connection_only() {
    // 37
    let target = Target::start();
    let mut alice_here = alice(&target);
    let challenge = register(&mut alice_here, "");
    let stolen = credentials(&challenge, "alice", PASSWORD, "REGISTER");
    assert_eq!(register(&mut alice_here, &stolen).status(), 200);

    let mut mallory = alice(&target);
    assert_eq!(register(&mut mallory, &stolen).status(), 401);
    assert_eq!(failures(&target, "foreign_nonce"), 1.0);
    assert_eq!(mallory.say("carol", "hello").status(), 407);
    target.survived();
}

#[test]
fn a_nonce_counts_upwards() {
    // 37
    let target = Target::start();
    let mut alice = alice(&target);
    let challenge = register(&mut alice, "");
    let wrong = credentials(&challenge, "alice", "guess", "REGISTER");
    assert_eq!(register(&mut alice, &wrong).status(), 401);
    // The same count again, now with the right password.
    let late = credentials(&challenge, "alice", PASSWORD, "REGISTER");
    assert_eq!(register(&mut alice, &late).status(), 401);
    assert_eq!(failures(&target, "replay"), 1.0);
    target.survived();
}

#[test]
fn a_nonce_of_the_clients_own_making_is_none() {
    // 38
    let target = Target::start();
    let mut alice = alice(&target);
    let challenge = register(&mut alice, "");
    let nonce = parameter(challenge.header("WWW-Authenticate").unwrap(), "nonce").to_owned();
    let mut forged = nonce.clone().into_bytes();
    forged[20] = if forged[20] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for nonce in [forged.as_str(), "", "0123456789", &"A".repeat(40), &"A".repeat(4000)] {
        let (uri, realm) = (format!("sip:{DOMAIN}"), DOMAIN);
        let proof = Proof {
            user: "alice",
            password: PASSWORD,
            realm,
            nonce,
            method: "REGISTER",
            uri: &uri,
            nc: 1,
        };
        let line = format!(
            "Authorization: Digest username=\"alice\", realm=\"{realm}\", nonce=\"{nonce}\", \
             uri=\"{uri}\", qop=auth, nc=00000001, cnonce=\"cnonce\", response=\"{}\"\r\n",
            digest(&proof)
        );
        let answer = register(&mut alice, &line);
        assert!(matches!(answer.status(), 400 | 401), "{nonce}: {}", answer.head);
    }
    assert_eq!(target.metrics().value("mynah_endpoints_current"), 1.0);
    target.survived();
}

#[test]
fn credentials_with_a_part_swapped_or_missing_are_refused() {
    // 39
    let target = Target::start();
    for (right, wrong) in [
        (" nc=00000001,", ""),
        (" cnonce=\"cnonce\",", ""),
        ("qop=auth", "qop=auth-int"),
        ("algorithm=MD5", "algorithm=SHA-256"),
        ("algorithm=MD5", "algorithm=MD5-sess"),
        ("realm=\"example.test\"", "realm=\"elsewhere.test\""),
        ("nc=00000001", "nc=zzzzzzzz"),
        ("username=\"alice\"", "username=\"bob\""),
        ("uri=\"sip:example.test\"", "uri=\"sip:elsewhere.test\""),
        ("nc=00000001", "nc=00000001, nc=00000002"),
    ] {
        let mut alice = alice(&target);
        let challenge = register(&mut alice, "");
        let line = credentials(&challenge, "alice", PASSWORD, "REGISTER").replace(right, wrong);
        let answer = register(&mut alice, &line);
        assert!(matches!(answer.status(), 400 | 401 | 403), "{wrong}: {}", answer.head);
    }
    assert_eq!(target.metrics().value("mynah_endpoints_current"), 1.0);
    target.survived();
}

#[test]
fn credentials_that_cannot_be_read_are_refused() {
    // 40, 42
    let target = Target::start();
    let many = (0..1000).map(|n| format!("a{n}=b,")).collect::<String>();
    let token = "A".repeat(7000);
    for garbage in [
        format!("Digest {many}"),
        "Digest username=\"alice".to_owned(),
        "Digest".to_owned(),
        "Digest ,,,,=,=,".to_owned(),
        "digest \u{fffd}\u{1f426}".to_owned(),
        String::new(),
        "Basic YWxpY2U6c2VjcmV0".to_owned(),
        format!("NTLM gssapi-data=\"{token}\", version=4"),
    ] {
        let mut alice = alice(&target);
        let answer = register(&mut alice, &format!("Authorization: {garbage}\r\n"));
        assert!(matches!(answer.status(), 400 | 401), "{garbage}: {}", answer.head);
    }
    target.survived();
}

#[test]
fn five_thousand_parameters_are_more_than_a_line_may_have() {
    // 40
    let target = Target::start();
    let mut alice = alice(&target);
    let many = (0..5_000).map(|n| format!("a{n}=b,")).collect::<String>();
    let lines = format!("{CONTACT}Authorization: Digest {many}\r\n");
    let request = alice.request("REGISTER", DOMAIN, &lines, "");
    // The server may close before it has read all.
    let _ = alice.stream.try_write(request);
    let said = String::from_utf8_lossy(&alice.stream.end()).into_owned();
    assert!(said.is_empty() || said.starts_with("SIP/2.0 4"), "{said}");
    let metrics = target.metrics();
    let bounds = ["sip_header_line_bytes_max", "sip_head_bytes_max"];
    assert_eq!(bounds.map(|bound| metrics.hits(bound)).iter().sum::<f64>(), 1.0);
    assert_eq!(metrics.closed("framing"), 1.0);
    target.survived();
}

#[test]
fn guessing_locks_the_user_out_and_tells_nothing() {
    // 41
    let target = Target::with_limits("auth_failures_per_user_max = 4");
    let refusal = |user: &str, password: &str| {
        let mut endpoint =
            Endpoint { user: user.to_owned(), stream: Stream::tls(&target), cseq: 0 };
        let first = endpoint.register(password);
        assert_eq!(first.status(), 401);
        let second = endpoint.register(password);
        assert_eq!(second.status(), 403);
        second.header("Warning").unwrap().to_owned()
    };
    let wrong = refusal("alice", "guess");
    assert_eq!(refusal("nobody", "guess"), wrong);
    refusal("alice", "another guess");

    let mut alice = alice(&target);
    let locked = alice.register(PASSWORD);
    assert_eq!(locked.status(), 403, "{}", locked.head);
    assert!(failures(&target, "user_locked") >= 1.0);
    assert!(target.metrics().value(&hits("auth_failures_per_user_max")) >= 1.0);
    Endpoint::tcp(&target, "bob");
    target.survived();
}
