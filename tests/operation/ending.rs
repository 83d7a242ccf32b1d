//! The server is told to end while its users talk.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::server::{DOMAIN, Server};
use crate::outside::session::Session;

/// Waits until the server takes no new work.
fn refuses(endpoint: &mut Endpoint) {
    eventually("new work to be refused", || {
        match endpoint.ask("OPTIONS", DOMAIN, "", "").status() {
            503 => Ok(()),
            status => Err(status.to_string()),
        }
    });
}

#[test]
fn what_was_said_before_is_answered_before_anything_ends() {
    let mut server = Server::demo();
    let mut alice = Endpoint::tls(&server, "alice");
    let mut bob = Endpoint::tcp(&server, "bob");
    let mut carol = Endpoint::tls(&server, "carol");
    let mut probe = Endpoint::tls(&server, "carol");
    let mut session = Session::open(&mut alice, &mut bob);
    let lines = "Content-Type: text/plain\r\n";
    alice.stream.write(session.request("MESSAGE", lines, "in a session"));
    let first = bob.stream.message();
    let outside = carol.request("MESSAGE", "bob", lines, "outside of one");
    carol.stream.write(outside);
    let second = bob.stream.message();

    server.process().signal(Signal::TERM);
    refuses(&mut probe);
    alice.stream.write(session.request("MESSAGE", lines, "too late"));
    assert_eq!(alice.final_answer().status(), 503);
    bob.respond(&first, 200, "", "");
    bob.respond(&second, 200, "", "");
    let answer = alice.stream.message();
    assert!(answer.head.starts_with("SIP/2.0 200 "), "{}", answer.head);
    assert_eq!(carol.final_answer().status(), 200);
    alice.answer("BYE", 200, "");
    bob.answer("BYE", 200, "");
    for endpoint in [&mut alice, &mut bob, &mut carol, &mut probe] {
        endpoint.stream.end();
    }
    server.process().wait_success();
    let records = server.records();
    let said = records.iter().map(|record| record.summary().3).sum::<u64>();
    assert_eq!(said, 2, "{records:#?}");
}

#[test]
fn who_does_not_answer_is_not_waited_for_long() {
    let mut server = Server::serve("[limits]\ndrain_timeout = \"4s\"\n");
    let mut alice = Endpoint::tls(&server, "alice");
    let mut bob = Endpoint::tcp(&server, "bob");
    let mut session = Session::open(&mut alice, &mut bob);
    alice.stream.write(session.request("MESSAGE", "Content-Type: text/plain\r\n", "hello"));
    assert_eq!(bob.stream.message().method(), "MESSAGE");
    let began = Instant::now();
    server.process().signal(Signal::TERM);
    let last = alice.stream.message();
    assert_eq!(last.method(), "BYE", "{}", last.head);
    assert!(began.elapsed() >= Duration::from_secs(1), "he has a quarter of the time");
    drop((alice, bob));
    server.process().wait_success();
}
