//! `mynah trace`: both ways, of one user alone, without secrets, as text and as a capture.

use std::process::Command;

use crate::outside::endpoint::Endpoint;
use crate::outside::link::Link;
use crate::outside::program::Program;
use crate::outside::server::{BINARY, PASSWORD, Server};
use crate::tshark;

/// Starts a trace and waits until the server listens.
fn listen(server: &Server, user: &str, more: &[&str]) -> Program {
    let mut command = Command::new(BINARY);
    command.args(["trace", "--user", user, "--for", "1m", "--http"]);
    command.arg(server.ready.http.to_string()).args(more);
    let mut trace = Program::start("trace", &mut command);
    trace.wait_for_text("listening");
    trace
}

/// The lines up to the end, which must be a good one.
fn ended(mut trace: Program) -> String {
    trace.wait_success();
    trace.wait_for_text("ended by");
    trace.lines().join("\n")
}

/// Ends a message of whoever is listened to.
fn take(endpoint: &mut Endpoint) {
    endpoint.answer("MESSAGE", 200, "");
}

#[test]
fn one_user_is_heard_both_ways_and_no_secret() {
    let server = Server::demo();
    // REGISTER, 401, REGISTER, 200, MESSAGE and 200, MESSAGE to her and her 200.
    let trace = listen(&server, "alice", &["--max", "8"]);
    let mut bob = Endpoint::tls(&server, "bob");
    let mut carol = Endpoint::tcp(&server, "carol");
    let mut alice = Endpoint::tls(&server, "alice");
    let say = alice.request("MESSAGE", "bob", "Content-Type: text/plain\r\n", "to bob");
    alice.stream.write(say);
    take(&mut bob);
    assert_eq!(alice.final_answer().status(), 200);
    let say = bob.request("MESSAGE", "carol", "Content-Type: text/plain\r\n", "to carol");
    bob.stream.write(say);
    take(&mut carol);
    assert_eq!(bob.final_answer().status(), 200);
    let say = carol.request("MESSAGE", "alice", "Content-Type: text/plain\r\n", "to alice");
    carol.stream.write(say);
    take(&mut alice);
    assert_eq!(carol.final_answer().status(), 200);

    let text = ended(trace);
    let heads: Vec<&str> = text.lines().filter(|line| line.starts_with("== ")).collect();
    assert_eq!(heads.len(), 8, "{text}");
    let ways: Vec<bool> = heads.iter().map(|head| head.contains(" received from ")).collect();
    assert_eq!(ways, [true, false, true, false, true, false, false, true], "{text}");
    let local = alice.stream.local().to_string();
    assert!(heads.iter().all(|head| head.contains(&local) && head.contains(", tls ")), "{text}");
    for part in ["REGISTER sip:", "SIP/2.0 401 ", "to bob", "to alice", "username=\"alice\""] {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(!text.contains("to carol"), "{text}");
    assert!(text.contains("response=\"****"), "{text}");
    assert!(text.contains("nonce=\"****"), "{text}");
    assert!(!text.contains(PASSWORD), "{text}");
    let secrets = text.split("response=\"").skip(1);
    for secret in secrets.map(|rest| rest.split('"').next().unwrap()) {
        assert!(secret.bytes().all(|octet| octet == b'*'), "{secret}");
    }
}

#[test]
fn a_user_on_a_link_is_heard_and_his_neighbour_is_not() {
    let server = Server::demo_with_links();
    let link = Link::open(&server);
    let trace = listen(&server, "alice@example.test", &["--max", "5"]);
    let mut bob = link.sign_in("bob");
    let mut alice = link.sign_in("alice");
    let say = bob.request("MESSAGE", "alice", "Content-Type: text/plain\r\n", "on the link");
    bob.stream.write(say);
    take(&mut alice);
    let text = ended(trace);
    assert!(text.contains("on the link") && text.contains("SIP/2.0 401 "), "{text}");
    assert!(!text.contains("username=\"bob\""), "{text}");
}

/// What is wrong with a sign-in shows although nobody signs in.
#[test]
fn refused_sign_ins_are_heard_too() {
    let server = Server::demo();
    let trace = listen(&server, "alice", &["--max", "4"]);
    let mut alice = Endpoint {
        user: "alice".to_owned(),
        stream: crate::outside::stream::Stream::tls(&server),
        cseq: 0,
    };
    assert_eq!(alice.register("wrong").status(), 401);
    let text = ended(trace);
    assert_eq!(text.matches("SIP/2.0 401 ").count(), 2, "{text}");
}

/// A capture that the real dissector reads as SIP.
#[test]
fn tshark_reads_a_capture_as_sip() {
    let server = Server::demo();
    let file = server.data().join("alice.pcap");
    let more = ["--max", "6", "--format", "pcap", "--output", file.to_str().unwrap()];
    let trace = listen(&server, "alice", &more);
    let mut alice = Endpoint::tls(&server, "alice");
    // Longer than one packet may be.
    let body = "x".repeat(60_000);
    assert_eq!(alice.say("nobody", &body).status(), 404);
    ended(trace);
    let dissected =
        tshark::fields(&file, &["sip.Request-Line", "sip.Status-Line", "sip.CSeq.method"]);
    let lines: Vec<&str> = dissected.lines().filter(|line| !line.trim().is_empty()).collect();
    assert_eq!(lines.len(), 6, "{dissected}");
    assert!(lines[0].starts_with("REGISTER sip:example.test SIP/2.0\t\tREGISTER"), "{dissected}");
    assert!(lines[1].starts_with("\tSIP/2.0 401 "), "{dissected}");
    assert!(lines[4].starts_with("MESSAGE sip:nobody@example.test"), "{dissected}");
    assert!(lines[5].starts_with("\tSIP/2.0 404 "), "{dissected}");
    let damaged = tshark::packets(&file, "_ws.malformed || tcp.analysis.flags");
    assert_eq!(damaged, "", "{damaged}");
}
