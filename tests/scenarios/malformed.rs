//! Octets that break the rules.

use mynah::metrics::counters::CloseReason;

use crate::harness::{Client, Net};

#[test]
fn a_message_that_breaks_a_rule_is_refused_and_the_stream_goes_on() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let right = alice.invite("bob");
    for (broken, reason) in [
        (right.clone().without("Call-ID"), "Missing Call-ID"),
        (right.clone().without("From"), "Missing From"),
        (right.clone().without("To"), "Missing To"),
        (right.clone().without("CSeq"), "Missing CSeq"),
        (right.clone().without("Via"), "Missing Via"),
        (right.clone().header("Call-ID", "second"), "Duplicate Call-ID"),
        (right.clone().with("CSeq", "1 MESSAGE"), ""),
        (right.clone().with("CSeq", "x INVITE"), ""),
        (right.clone().with("From", "<sip:alice@example.test"), ""),
        (right.clone().with("Max-Forwards", "many"), ""),
        (right.clone().header("X Y", "z"), ""),
    ] {
        let answer = net.ask(alice.conn, &broken);
        assert_eq!(answer.status(), 400, "{broken:?}");
        let warning = answer.header("Warning");
        assert!(warning.starts_with("399 fe01.example.test \""), "{warning}");
        assert!(warning.contains(reason), "{warning}");
    }
    net.silent(&[bob.conn]);
    net.send(alice.conn, &right);
    assert_eq!(net.recv(alice.conn).status(), 100);
}

#[test]
fn another_version_is_not_supported() {
    let mut net = Net::new(1);
    let alice = Client::lync(&mut net, 0, "alice");
    let text = b"OPTIONS sip:example.test SIP/3.0\r\nVia: SIP/3.0/TLS h;branch=z9hG4bK1\r\n\
        From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\
        Content-Length: 0\r\n\r\n";
    net.send_octets(alice.conn, text);
    assert_eq!(net.recv(alice.conn).status(), 505);
    assert!(net.is_open(alice.conn));
}

#[test]
fn a_malformed_answer_or_ack_is_dropped() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    net.send(alice.conn, &alice.request("ACK", "sip:bob@example.test").without("Call-ID"));
    net.send_octets(alice.conn, b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n");
    net.silent(&[alice.conn]);
    assert!(net.is_open(alice.conn));
}

#[test]
fn a_stream_whose_framing_is_lost_gets_one_answer_and_is_closed() {
    for (length, status) in [("-1", 400), ("", 400), ("1e3", 400), ("18446744073709551616", 400)] {
        let mut net = Net::new(2);
        let mut alice = Client::lync(&mut net, 0, "alice");
        let broken = alice.invite("bob").header("Content-Length", length);
        let broken = String::from_utf8(broken.octets()).expect("text");
        net.send_octets(alice.conn, broken.replacen("Content-Length: 217\r\n", "", 1).as_bytes());
        let answer = net.recv(alice.conn);
        assert_eq!(answer.status(), status, "{length}");
        net.silent(&[alice.conn]);
        assert_eq!(net.closed(alice.conn), Some(CloseReason::Framing), "{length}");
        assert_eq!(net.all().iter().map(|shard| shard.occupancy().endpoints).sum::<usize>(), 0);
        net.at_rest();
    }
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let large = alice.invite("bob").header("Content-Length", "300000");
    net.send(alice.conn, &large);
    assert_eq!(net.recv(alice.conn).status(), 513);
    assert_eq!(net.closed(alice.conn), Some(CloseReason::Framing));
}

#[test]
fn what_is_not_sip_is_closed_without_a_word() {
    for octets in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], b"\x16\x03\x01\x02\x00", b"\0\0\0\0"]
    {
        let mut net = Net::new(1);
        let conn = net.open(0);
        net.send_octets(conn, octets);
        net.silent(&[conn]);
        assert_eq!(net.closed(conn), Some(CloseReason::Framing));
    }
}

#[test]
fn what_comes_after_the_break_is_not_looked_at() {
    let mut net = Net::new(2);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let bob = Client::lync(&mut net, 1, "bob");
    let mut octets = alice.invite("bob").header("Content-Length", "x").octets();
    octets.extend(alice.invite("bob").octets());
    net.send_octets(alice.conn, &octets);
    assert_eq!(net.recv(alice.conn).status(), 400);
    net.silent(&[alice.conn, bob.conn]);
}

#[test]
fn many_requests_in_one_write_are_answered_in_order() {
    let mut net = Net::new(1);
    let mut alice = Client::lync(&mut net, 0, "alice");
    let mut octets = Vec::new();
    let mut calls = Vec::new();
    for _ in 0..100 {
        let request = alice.request("OPTIONS", "sip:example.test");
        calls.push(request.value("Call-ID").to_owned());
        octets.extend(request.octets());
    }
    net.send_octets(alice.conn, &octets);
    for call in calls {
        assert_eq!(net.recv(alice.conn).header("Call-ID"), call);
    }
}
