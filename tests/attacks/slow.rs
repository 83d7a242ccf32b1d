//! Peers that take their time: timers run from the first octet, not from the last.

use std::thread;
use std::time::{Duration, Instant};

use crate::outside::PATIENCE;
use crate::outside::endpoint::{Endpoint, head};
use crate::outside::metrics::{closed, hits};
use crate::outside::stream::{Stream, client_hello, connect};
use crate::target::Target;

/// Between two octets of a peer that takes its time: far below every timer in these tests.
const PACE: Duration = Duration::from_millis(20);

fn options() -> String {
    head("OPTIONS", "example.test", "mallory", "mallory", 1, "127.0.0.1:9")
        + "Content-Length: 0\r\n"
}

/// Writes `octets` one by one until the server closes; repeats the last one if there is time.
fn trickle(stream: &mut Stream, octets: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    let last = octets[octets.len() - 1];
    for octet in octets.iter().copied().chain(std::iter::repeat(last)) {
        if stream.try_write([octet]).is_err() {
            return;
        }
        assert!(Instant::now() < deadline, "the server lets a slow peer go on");
        thread::sleep(PACE);
    }
}

/// Fails unless the connection ends for `reason`, which is also a limit's.
fn ended(target: &Target, stream: &mut Stream, reason: &str) {
    stream.end();
    target.wait_metric(&closed(reason), |count| count == 1.0);
    target.wait_metric(&hits(reason), |count| count == 1.0);
}

#[test]
fn a_connection_that_says_nothing_is_closed() {
    // 1
    let mut target = Target::with_limits("first_message_timeout = \"1s\"");
    let mut tcp = Stream::tcp(&target);
    target.serves_others();
    ended(&target, &mut tcp, "first_message_timeout");
    let mut tls = Stream::tls(&target);
    tls.end();
    target.wait_metric(&closed("first_message_timeout"), |count| count == 2.0);
    target.survived();
}

#[test]
fn a_handshake_that_trickles_is_closed() {
    // 2
    let target = Target::with_limits("handshake_timeout = \"1s\"");
    let mut stream = Stream::over(connect(target.ready.tls));
    trickle(&mut stream, &client_hello());
    ended(&target, &mut stream, "handshake_timeout");
    target.survived();
}

#[test]
fn headers_that_trickle_are_closed() {
    // 3
    let limits = "message_timeout = \"1s\"\nfirst_message_timeout = \"1m\"";
    let target = Target::with_limits(limits);
    let mut stream = Stream::tls(&target);
    trickle(&mut stream, (options() + "X-Slow: ").as_bytes());
    ended(&target, &mut stream, "message_timeout");
    target.survived();
}

#[test]
fn a_body_that_trickles_is_closed() {
    // 4
    let limits = "message_timeout = \"1s\"\nfirst_message_timeout = \"1m\"";
    let target = Target::with_limits(limits);
    let mut stream = Stream::tls(&target);
    let head = options().replace("Content-Length: 0", "Content-Length: 100000");
    stream.write(head + "\r\n");
    trickle(&mut stream, b"body");
    ended(&target, &mut stream, "message_timeout");
    target.survived();
}

#[test]
fn a_body_that_never_comes_is_closed() {
    // 8
    let limits = "message_timeout = \"1s\"\nfirst_message_timeout = \"1m\"";
    let target = Target::with_limits(limits);
    let mut stream = Stream::tls(&target);
    stream.write(options().replace("Content-Length: 0", "Content-Length: 5") + "\r\n1234");
    ended(&target, &mut stream, "message_timeout");
    target.survived();
}

#[test]
fn a_connection_that_never_signs_in_is_closed() {
    let target = Target::with_limits("authenticate_timeout = \"2s\"");
    let mut stream = Stream::tls(&target);
    stream.write(options() + "\r\n");
    assert_eq!(stream.message().status(), 200);
    stream.end();
    target.wait_metric(&closed("authenticate_timeout"), |count| count == 1.0);
    target.survived();
}

#[test]
fn a_peer_that_does_not_read_is_dropped_and_others_are_served() {
    // 24
    let mut target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let bob = Endpoint::tls(&target, "bob");
    let body = "x".repeat(100 * 1024);
    let mut sent = 0;
    while target.metrics().closed("slow_reader") == 0.0 {
        for _ in 0..16 {
            let lines = "Content-Type: text/plain\r\n";
            let message = alice.request("MESSAGE", "bob", lines, &body);
            alice.stream.write(message);
            sent += 1;
        }
        target.serves_others();
        assert!(sent <= 256, "bob's connection takes everything");
    }
    target.wait_metric(&hits("outgoing_bytes_per_connection_max"), |count| count == 1.0);
    for _ in 0..sent {
        let answer = alice.final_answer();
        assert!(matches!(answer.status(), 480 | 503), "{}", answer.head);
    }
    drop(bob);
    target.survived();
}
