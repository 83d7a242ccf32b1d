//! One request, one answer.

use mynah::metrics::counters::CloseReason;

use super::client::{Client, request};
use super::stand_in::Running;

#[test]
fn a_request_over_tcp_is_answered() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tcp());
    client.ask("ok", 1);
    drop(client);
    server.wait_closed(CloseReason::Peer, 1);
}

#[test]
fn a_request_over_tls_is_answered() {
    let server = Running::start(|_| {});
    let mut client = Client::tls(server.tls(), &server.ca());
    client.ask("ok", 1);
    client.ask("ok", 2);
    drop(client);
    server.wait_closed(CloseReason::Peer, 1);
    server.wait_empty();
}

#[test]
fn a_hundred_requests_in_one_segment_are_answered_in_order() {
    let server = Running::start(|_| {});
    let mut client = Client::tls(server.tls(), &server.ca());
    client.send((1..=100).map(|cseq| request("ok", cseq)).collect::<String>());
    (1..=100).for_each(|cseq| client.expect(cseq));
}
