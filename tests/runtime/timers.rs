//! Peers that take their time.

use std::time::Duration;

use mynah::base::limits::Limit;
use mynah::metrics::counters::CloseReason;

use super::client::{Client, Plain, request};
use super::stand_in::Running;

const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_peer_that_says_nothing_is_closed() {
    let server = Running::start(|settings| settings.limits.first_message_timeout = SHORT);
    assert_eq!(Client::plain(server.tcp()).closed(), b"");
    server.wait_closed(CloseReason::FirstMessageTimeout, 1);
    assert_eq!(server.hits(Limit::FirstMessageTime), 1);
    server.wait_empty();
}

#[test]
fn a_peer_that_only_pings_says_nothing() {
    let server = Running::start(|settings| settings.limits.first_message_timeout = SHORT);
    let mut client = Client::plain(server.tcp());
    client.send("\r\n\r\n");
    assert_eq!(client.closed(), b"\r\n");
    server.wait_closed(CloseReason::FirstMessageTimeout, 1);
}

#[test]
fn a_handshake_that_never_ends_is_closed() {
    let server = Running::start(|settings| settings.limits.handshake_timeout = SHORT);
    let mut silent = Client::plain(server.tls());
    // The start of a ClientHello of 512 octets.
    let mut slow = Client::plain(server.tls());
    slow.send([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]);
    silent.closed();
    slow.closed();
    server.wait_closed(CloseReason::HandshakeTimeout, 2);
    assert_eq!(server.hits(Limit::HandshakeTime), 2);
    server.wait_empty();
}

#[test]
fn a_message_that_trickles_is_closed_however_steadily_it_comes() {
    let server = Running::start(|settings| settings.limits.message_timeout = SHORT);
    let mut client = Client::plain(server.tcp());
    client.ask("ok", 1);
    trickle(&mut client, &request("ok", 2));
    server.wait_closed(CloseReason::MessageTimeout, 1);
    assert_eq!(server.hits(Limit::MessageTime), 1);
}

#[test]
fn a_body_that_never_comes_is_closed() {
    let server = Running::start(|settings| settings.limits.message_timeout = SHORT);
    let mut client = Client::plain(server.tcp());
    client.ask("ok", 1);
    client.send(request("ok", 2).replace("Content-Length: 0", "Content-Length: 10"));
    assert_eq!(client.closed(), b"");
    server.wait_closed(CloseReason::MessageTimeout, 1);
}

#[test]
fn a_peer_silent_for_too_long_is_closed() {
    let server = Running::start(|settings| settings.limits.idle_timeout = SHORT);
    let mut client = Client::tls(server.tls(), &server.ca());
    client.ask("ok", 1);
    assert_eq!(client.closed(), b"");
    server.wait_closed(CloseReason::IdleTimeout, 1);
    assert_eq!(server.hits(Limit::IdleTime), 1);
    assert_eq!(*server.notes.told.lock().unwrap(), [CloseReason::IdleTimeout]);
}

#[test]
fn a_half_closed_peer_waits_for_answers_no_longer_than_the_bound() {
    let server = Running::start(|settings| settings.limits.close_timeout = SHORT);
    let mut client = Client::plain(server.tcp());
    client.send(request("silent", 1));
    client.stream.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(client.closed(), b"");
    server.wait_closed(CloseReason::Peer, 1);
    server.wait_empty();
}

#[test]
fn a_peer_that_does_not_close_its_side_is_cut_off() {
    let server = Running::start(|settings| {
        settings.limits.idle_timeout = SHORT;
        settings.limits.close_timeout = SHORT;
    });
    let mut client = Client::plain(server.tcp());
    client.ask("ok", 1);
    assert_eq!(client.closed(), b"");
    // The client keeps its side open; the server does not wait for it for ever.
    server.wait_empty();
    assert_eq!(server.hits(Limit::CloseTime), 1);
    drop(client);
}

/// Sends octet after octet until the server has closed.
fn trickle(client: &mut Plain, text: &str) {
    use std::io::Write;
    for octet in text.as_bytes().iter().cycle() {
        if client.stream.write_all(&[*octet]).is_err() {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
