//! Peers that want too much.

use mynah::base::limits::Limit;
use mynah::metrics::counters::CloseReason;
use mynah::metrics::names::Series;

use super::client::{Client, Plain, request};
use super::stand_in::{Running, wait_until};

#[test]
fn a_peer_that_does_not_read_is_dropped_and_others_are_served() {
    let server =
        Running::start(|settings| settings.limits.outgoing_bytes_per_connection_max = 512 * 1024);
    let mut slow = Client::plain(server.tcp());
    let mut other = Client::plain(server.tcp());
    slow.ask("ok", 1);
    // More than the socket buffers of both ends hold.
    slow.send((2..34).map(|cseq| request("bulk", cseq)).collect::<String>());
    server.wait_closed(CloseReason::SlowReader, 1);
    assert_eq!(server.hits(Limit::OutgoingBytes), 1);
    assert_eq!(*server.notes.told.lock().unwrap(), [CloseReason::SlowReader]);
    other.ask("ok", 1);
    drop(slow);
    drop(other);
    server.wait_empty();
}

#[test]
fn a_flood_of_pings_is_closed() {
    let server = Running::start(|settings| settings.limits.keep_alives_per_second_max = 10);
    let mut client = Client::plain(server.tcp());
    client.send("\r\n\r\n".repeat(10_000));
    assert!(client.closed().len() <= 20);
    server.wait_closed(CloseReason::Flood, 1);
    assert_eq!(server.hits(Limit::KeepAliveRate), 1);
}

#[test]
fn a_full_shard_refuses_and_takes_the_next_when_one_has_left() {
    let server = Running::start(|settings| settings.limits.connections_per_shard_max = 2);
    let mut clients = [Client::plain(server.tcp()), Client::plain(server.tcp())];
    clients.iter_mut().for_each(|client| client.ask("ok", 1));
    assert_eq!(Client::plain(server.tcp()).closed(), b"");
    server.wait_closed(CloseReason::Refused, 1);
    assert_eq!(server.hits(Limit::Connections), 1);
    drop(clients);
    server.wait_empty();
    Client::plain(server.tcp()).ask("ok", 1);
}

#[test]
fn one_address_has_its_bound() {
    let server = Running::start(|settings| settings.limits.connections_per_address_max = 1);
    let mut first = Client::plain(server.tcp());
    first.ask("ok", 1);
    assert_eq!(Client::plain(server.tcp()).closed(), b"");
    assert_eq!(server.hits(Limit::ConnectionsPerAddress), 1);
    first.ask("ok", 2);
    drop(first);
    server.wait_empty();
    Client::plain(server.tcp()).ask("ok", 1);
}

#[test]
fn handshakes_beyond_the_cap_wait_and_are_served_later() {
    let server = Running::start(|settings| settings.limits.handshakes_per_core_max = 2);
    let stuck = [Client::plain(server.tls()), Client::plain(server.tls())];
    wait_until("both are accepted", || server.value(Series::ConnectionsCurrent) == 2);
    let address = server.tls();
    let ca = server.ca();
    let waiting = std::thread::spawn(move || Client::tls(address, &ca).ask("ok", 1));
    // Plain connections do not wait for handshakes.
    Client::plain(server.tcp()).ask("ok", 1);
    wait_until("the gate is closed", || server.hits(Limit::Handshakes) > 0);
    assert_eq!(server.value(Series::Handshakes), 0);
    drop(stuck);
    waiting.join().unwrap();
    assert_eq!(server.value(Series::Handshakes), 1);
}

#[test]
fn handshakes_of_a_second_are_bounded_and_who_waits_is_served_later() {
    let server = Running::start(|settings| settings.limits.handshakes_per_core_per_second_max = 20);
    let began = std::time::Instant::now();
    for _ in 0..5 {
        Client::tls(server.tls(), &server.ca()).ask("ok", 1);
    }
    // One at once, and four that had to wait for a twentieth of a second.
    assert!(began.elapsed() >= std::time::Duration::from_millis(200), "{:?}", began.elapsed());
    assert!(server.hits(Limit::HandshakeRate) > 0);
    assert_eq!(server.value(Series::Handshakes), 5);
    assert_eq!(server.sum().closes(CloseReason::Refused), 0);
}

#[test]
fn one_address_has_its_bound_of_handshakes_a_second() {
    let server =
        Running::start(|settings| settings.limits.handshakes_per_address_per_second_max = 1);
    // Five seconds' worth.
    let mut served = [(); 5].map(|()| Client::tls(server.tls(), &server.ca()));
    served.iter_mut().for_each(|client| client.ask("ok", 1));
    assert_eq!(Client::plain(server.tls()).closed(), b"");
    server.wait_closed(CloseReason::Refused, 1);
    assert_eq!(server.hits(Limit::HandshakeRatePerAddress), 1);
    served.iter_mut().for_each(|client| client.ask("ok", 2));
    // Plain connections shake no hands.
    Client::plain(server.tcp()).ask("ok", 1);
}

#[test]
fn an_address_beyond_those_that_are_known_makes_one_be_forgotten() {
    let server = Running::start(|settings| {
        settings.limits.handshake_addresses_max = 1;
        settings.limits.handshakes_per_address_per_second_max = 1;
    });
    // Five seconds' worth, so that it is known for as long.
    for _ in 0..5 {
        drop(Client::from("127.0.0.1", server.tls()));
    }
    server.wait_closed(CloseReason::Peer, 5);
    assert_eq!(server.hits(Limit::HandshakeAddresses), 0);
    drop(Client::from("127.0.0.2", server.tls()));
    wait_until("one is forgotten", || server.hits(Limit::HandshakeAddresses) == 1);
}

#[test]
fn the_bounds_of_an_address_do_not_bind_an_exempt_network() {
    let server = Running::start(|settings| {
        settings.limits.handshakes_per_address_per_second_max = 1;
        settings.limits.connections_per_address_max = 1;
        settings.exempt = ["127.0.0.0/31".parse().unwrap()].into();
    });
    let mut clients: Vec<_> = (0..10).map(|_| Client::tls(server.tls(), &server.ca())).collect();
    clients.iter_mut().for_each(|client| client.ask("ok", 1));
    Client::from("127.0.0.2", server.tcp()).ask("ok", 1);
    server.wait_closed(CloseReason::Peer, 1);
    let mut other = Client::from("127.0.0.2", server.tcp());
    other.ask("ok", 1);
    assert_eq!(Client::from("127.0.0.2", server.tcp()).closed(), b"");
    assert_eq!(server.hits(Limit::ConnectionsPerAddress), 1);
}

#[test]
fn broken_framing_is_answered_once_and_closed() {
    let server = Running::start(|_| {});
    for (text, limit) in [
        (
            format!("OPTIONS sip:a@b SIP/2.0\r\nSubject: {}", "x".repeat(20_000)),
            Some(Limit::SipHeaderLineBytes),
        ),
        (
            format!("OPTIONS sip:a@b SIP/2.0\r\n{}", "Subject: x\r\n".repeat(200)),
            Some(Limit::SipHeaderCount),
        ),
        (
            format!(
                "OPTIONS sip:a@b SIP/2.0\r\n{}",
                format!("Subject: {}\r\n", "x".repeat(4000)).repeat(8)
            ),
            Some(Limit::SipHeadBytes),
        ),
        (
            request("ok", 1).replace("Content-Length: 0", "Content-Length: 999999999"),
            Some(Limit::SipBodyBytes),
        ),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), None),
    ] {
        let before = limit.map_or(0, |limit| server.hits(limit));
        let closed = server.sum().closes(CloseReason::Framing);
        let mut client = Client::plain(server.tcp());
        client.send(&text);
        let answer = client.closed();
        assert!(answer.starts_with(b"SIP/2.0 400 "), "{}", String::from_utf8_lossy(&answer));
        server.wait_closed(CloseReason::Framing, closed + 1);
        if let Some(limit) = limit {
            assert_eq!(server.hits(limit), before + 1, "{}", limit.name());
        }
    }
}

#[test]
fn garbage_of_any_kind_is_closed() {
    let server = Running::start(|_| {});
    let noise: Vec<u8> =
        (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let smb = b"\0\0\0\x85\xffSMBr\0\0\0\0\x18S\xc8".to_vec();
    for garbage in [noise, smb, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".repeat(8)] {
        for address in [server.tcp(), server.tls()] {
            let mut client: Plain = Client::plain(address);
            client.send(&garbage);
            client.stream.shutdown(std::net::Shutdown::Write).unwrap();
            client.closed();
        }
    }
    let mut sip = Client::plain(server.tls());
    sip.send(request("ok", 1));
    sip.closed();
    server.wait_empty();
    Client::plain(server.tcp()).ask("ok", 1);
}

#[test]
fn a_full_store_stops_reading_and_loses_no_record() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tcp());
    client.ask("record", 1);
    let full = |full| server.ledger.full.store(full, std::sync::atomic::Ordering::SeqCst);
    full(true);
    client.ask("record", 2);
    client.send((3..=50).map(|cseq| request("record", cseq)).collect::<String>());
    wait_until("the core looks again", || server.value(Series::Ticks) > 5);
    assert_eq!(server.ledger.records.lock().unwrap().len(), 1);
    assert_eq!(server.hits(Limit::ControlQueue), 1);
    full(false);
    (3..=50).for_each(|cseq| client.expect(cseq));
    wait_until("all records are there", || server.ledger.records.lock().unwrap().len() == 50);
}
