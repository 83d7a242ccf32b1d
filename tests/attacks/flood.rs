//! Much of it.

use crate::outside::endpoint::{Endpoint, head};
use crate::outside::metrics::{closed, hits};
use crate::outside::server::DOMAIN;
use crate::outside::stream::Stream;
use crate::outside::{eventually, metrics::Metrics};
use crate::target::Target;

#[test]
fn a_keep_alive_gets_one_pong() {
    // 20
    let target = Target::start();
    for mut stream in [Stream::tcp(&target), Stream::tls(&target)] {
        stream.write("\r\n\r\n");
        assert_eq!(stream.octets(2), b"\r\n");
        stream.write("\r\n\r\n\r\n\r\n");
        assert_eq!(stream.octets(4), b"\r\n\r\n");
        stream.half_close();
        assert_eq!(stream.end(), b"");
    }
    target.survived();
}

#[test]
fn a_million_keep_alives_end_the_connection() {
    // 20
    let mut target = Target::start();
    let mut stream = Stream::tls(&target);
    let chunk = "\r\n".repeat(10_000);
    for _ in 0..100 {
        if stream.try_write(&chunk).is_err() {
            break;
        }
    }
    stream.end();
    target.serves_others();
    target.wait_metric(&closed("flood"), |count| count == 1.0);
    target.wait_metric(&hits("keep_alives_per_second_max"), |count| count == 1.0);
    target.survived();
}

#[test]
fn ten_thousand_resets_leave_nothing_behind() {
    // 23
    let mut target = Target::start();
    let request = head("OPTIONS", DOMAIN, "mallory", "mallory", 1, "127.0.0.1:9");
    let whole = format!("{request}Content-Length: 0\r\n\r\n");
    let cut = &whole[..whole.len() / 2];
    let attack = |times: usize| {
        for n in 0..times {
            // One in twenty over TLS: handshakes cost more than the rest together.
            let mut stream = if n % 20 == 0 { Stream::tls(&target) } else { Stream::tcp(&target) };
            if n % 2 == 0 {
                // In mid-message. The server may not even have accepted.
                stream.write(cut);
            } else {
                // In mid-answer.
                stream.write(whole.repeat(20));
                stream.octets(1);
            }
            stream.reset();
        }
    };
    attack(500);
    let before = settled(&target);
    attack(9_500);
    let after = settled(&target);
    let grown = after.value("process_resident_memory_bytes")
        - before.value("process_resident_memory_bytes");
    assert!(grown < f64::from(4 << 20), "{grown} octets more than before");
    assert_eq!(after.value("process_open_fds"), before.value("process_open_fds"));
    assert!(after.value("mynah_connections_opened_total") >= 5_000.0);
    target.serves_others();
    target.survived();
}

/// The counters once only the bystander is connected.
fn settled(target: &Target) -> Metrics {
    eventually("all connections to be gone", || {
        let metrics = target.metrics();
        let connections = metrics.value("mynah_connections_current");
        if connections == 1.0 { Ok(metrics) } else { Err(connections.to_string()) }
    })
}

#[test]
fn challenges_that_nobody_answers_cost_nothing() {
    // 43
    let target = Target::start();
    let mut stream = Stream::tls(&target);
    let ask = |stream: &mut Stream, times: u32| {
        for cseq in 0..times {
            let contact = "Contact: <sip:alice@127.0.0.1>\r\nContent-Length: 0\r\n\r\n";
            stream.write(head("REGISTER", DOMAIN, "alice", "alice", cseq, "127.0.0.1:9") + contact);
            assert_eq!(stream.message().status(), 401);
        }
    };
    ask(&mut stream, 1_000);
    let before = target.metrics().value("process_resident_memory_bytes");
    ask(&mut stream, 10_000);
    let grown = target.metrics().value("process_resident_memory_bytes") - before;
    assert!(grown < f64::from(4 << 20), "{grown} octets more than before");
    Endpoint::sign_in(stream, "alice", "secret");
    target.survived();
}

#[test]
fn requests_above_the_bound_of_a_connection_are_refused() {
    let target = Target::with_limits("relays_per_connection_max = 8");
    let mut alice = Endpoint::tls(&target, "alice");
    let bob = Endpoint::tls(&target, "bob");
    for _ in 0..20 {
        let message = alice.request("MESSAGE", "bob", "Content-Type: text/plain\r\n", "hello");
        alice.stream.write(message);
    }
    let refused = alice.final_answer();
    assert_eq!(refused.status(), 503);
    assert!(refused.header("Retry-After").is_some(), "{}", refused.head);
    target.wait_metric(&hits("relays_per_connection_max"), |count| count == 12.0);
    drop(bob);
    target.survived();
}
