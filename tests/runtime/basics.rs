//! Requests and answers, in whatever pieces they come.

use std::net::Shutdown;

use mynah::metrics::counters::CloseReason;
use mynah::metrics::names::Series;

use super::client::{Client, request};
use super::stand_in::Running;

#[test]
fn a_request_over_tcp_is_answered() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tcp());
    client.ask("ok", 1);
    drop(client);
    server.wait_closed(CloseReason::Peer, 1);
    server.wait_empty();
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
fn octets_on_the_wire_are_those_of_sip_and_with_tls_its_own_too() {
    let server = Running::start(|_| {});
    let counts = [
        Series::BytesReceived,
        Series::WireBytesReceived,
        Series::BytesSent,
        Series::WireBytesSent,
    ];
    let values = || counts.map(|series| server.value(series));
    Client::plain(server.tcp()).ask("ok", 1);
    let [received, wire_received, sent, wire_sent] = values();
    assert_eq!(received, request("ok", 1).len() as u64);
    assert_eq!((received, sent), (wire_received, wire_sent));
    Client::tls(server.tls(), &server.ca()).ask("ok", 2);
    let [with_tls, wire_with_tls, sent_with_tls, wire_sent_with_tls] = values();
    // A client's part of a handshake is some hundred octets, the server's holds its certificate.
    assert!(wire_with_tls - wire_received > with_tls - received + 200);
    assert!(wire_sent_with_tls - wire_sent > sent_with_tls - sent + 500);
}

#[test]
fn a_hundred_requests_in_one_segment_are_answered_in_order() {
    let server = Running::start(|_| {});
    let mut client = Client::tls(server.tls(), &server.ca());
    client.send((1..=100).map(|cseq| request("ok", cseq)).collect::<String>());
    (1..=100).for_each(|cseq| client.expect(cseq));
    // All of them leave in a few flushes, not in one each.
    assert!(server.value(Series::Flushes) < 50, "{}", server.value(Series::Flushes));
}

#[test]
fn requests_that_keep_the_core_busy_leave_turns_to_others() {
    let server = Running::start(|_| {});
    let mut busy = Client::plain(server.tcp());
    let mut other = Client::plain(server.tcp());
    other.ask("ok", 1);
    // 200 microseconds of work each; all fit one read.
    busy.send((1..=150).map(|cseq| request("hog", cseq)).collect::<String>());
    other.ask("ok", 2);
    (1..=150).for_each(|cseq| busy.expect(cseq));
}

#[test]
fn a_request_in_single_octets_is_answered() {
    let server = Running::start(|_| {});
    let mut plain = Client::plain(server.tcp());
    for octet in request("ok", 1).as_bytes() {
        plain.send([*octet]);
    }
    plain.expect(1);
    let mut tls = Client::tls(server.tls(), &server.ca());
    for octet in request("ok", 2).as_bytes() {
        tls.send([*octet]);
    }
    tls.expect(2);
}

#[test]
fn a_request_cut_anywhere_gets_the_same_answer() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tcp());
    let text = request("ok", 7);
    for cut in 1..text.len() {
        let (front, back) = text.split_at(cut);
        client.send(front);
        client.send(back);
        client.expect(7);
    }
}

#[test]
fn a_body_longer_than_any_buffer_arrives_whole() {
    let server = Running::start(|_| {});
    let mut client = Client::tls(server.tls(), &server.ca());
    let body = "x".repeat(200 * 1024);
    let head = request("ok", 1).replace("Content-Length: 0", "Content-Length: 204800");
    client.send(head + &body + &request("ok", 2));
    client.expect(1);
    client.expect(2);
}

#[test]
fn the_answer_still_comes_after_a_half_close() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tcp());
    client.send(request("late", 1));
    client.stream.shutdown(Shutdown::Write).unwrap();
    client.expect(1);
    assert_eq!(client.closed(), b"");
    server.wait_closed(CloseReason::Peer, 1);
    server.wait_empty();
}

#[test]
fn the_answer_still_comes_after_a_close_notify() {
    let server = Running::start(|_| {});
    let mut client = Client::tls(server.tls(), &server.ca());
    client.ask("ok", 1);
    client.finish(request("late", 2));
    client.expect(2);
    assert_eq!(client.closed(), b"");
    server.wait_closed(CloseReason::Peer, 1);
}

#[test]
fn pings_are_answered_one_for_one() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tcp());
    client.ask("ok", 1);
    client.send("\r\n\r\n\r\n\r\n");
    let mut pongs = Vec::new();
    while pongs.len() < 4 {
        assert_ne!(client.read(), 0);
        pongs.extend(client.take());
    }
    assert_eq!(pongs, b"\r\n\r\n");
    client.ask("ok", 2);
    assert_eq!(server.value(Series::KeepAlives), 2);
}

#[test]
fn a_megabyte_reaches_a_peer_that_reads() {
    let server = Running::start(|settings| {
        settings.limits.outgoing_bytes_per_connection_max = 2 * 1024 * 1024;
    });
    let mut client = Client::tls(server.tls(), &server.ca());
    client.send(request("bulk", 1));
    let mut received = 0;
    while received < 1024 * 1024 {
        assert_ne!(client.read(), 0);
        received += client.take().len();
    }
    client.ask("ok", 2);
}
