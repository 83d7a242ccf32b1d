//! Copies of messages for a Homer collector, read octet by octet and by a collector that is not ours.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;

use crate::outside::endpoint::Endpoint;
use crate::outside::program::{Program, require};
use crate::outside::server::Server;
use crate::outside::{PATIENCE, eventually};
use crate::tshark;

/// A collector on loopback, and a server that sends it copies.
fn collected(more: &str) -> (UdpSocket, Server) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = socket.local_addr().unwrap();
    let server =
        Server::serve(&format!("[hep]\ncollector = \"{address}\"\ncapture_id = 2001\n{more}"));
    // A look at the counters comes after what the cores were told before.
    server.metrics();
    (socket, server)
}

fn datagram(socket: &UdpSocket) -> Vec<u8> {
    let mut octets = vec![0; 65_536];
    let (len, _) = socket.recv_from(&mut octets).unwrap();
    octets.truncate(len);
    octets
}

/// The values of a packet by the kind of their chunk.
fn chunks(packet: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    assert_eq!(&packet[..4], b"HEP3");
    let number = |at: usize| usize::from(u16::from_be_bytes([packet[at], packet[at + 1]]));
    assert_eq!(number(4), packet.len());
    let mut chunks = BTreeMap::new();
    let mut at = 6;
    while at < packet.len() {
        let (vendor, kind, len) = (number(at), number(at + 2), number(at + 4));
        assert!(vendor == 0 && len >= 6, "vendor {vendor}, {len} octets");
        chunks.insert(kind as u16, packet[at + 6..at + len].to_vec());
        at += len;
    }
    assert_eq!(at, packet.len());
    chunks
}

#[test]
fn a_collector_gets_both_ways_of_the_users_it_asked_for() {
    let (socket, server) = collected("users = [\"alice@example.test\"]\n");
    let _bob = Endpoint::tcp(&server, "bob");
    let alice = Endpoint::tls(&server, "alice");
    let packets: Vec<_> = (0..4).map(|_| chunks(&datagram(&socket))).collect();
    let texts: Vec<String> =
        packets.iter().map(|packet| String::from_utf8_lossy(&packet[&15]).into_owned()).collect();
    for (text, start) in
        texts.iter().zip(["REGISTER sip:", "SIP/2.0 401 ", "REGISTER sip:", "SIP/2.0 200 "])
    {
        assert!(text.starts_with(start) && text.contains("<sip:alice@"), "{text}");
    }
    assert!(texts[2].contains("response=\"****"), "{}", texts[2]);
    let [first, second] = [&packets[0], &packets[1]];
    let (client, own) = (alice.stream.local(), server.ready.tls);
    let port = |port: u16| port.to_be_bytes().to_vec();
    assert_eq!((&first[&7], &first[&8]), (&port(client.port()), &port(own.port())));
    assert_eq!((&second[&7], &second[&8]), (&port(own.port()), &port(client.port())));
    for packet in &packets {
        assert_eq!((packet[&1][0], packet[&2][0], packet[&11][0]), (2, 6, 1));
        assert_eq!(packet[&3], [127, 0, 0, 1]);
        assert_eq!(packet[&12], 2001u32.to_be_bytes());
    }
    server.wait_metric("mynah_hep_messages_total", |sent| sent == 4.0);
    assert_eq!(server.metrics().value("mynah_hep_messages_lost_total"), 0.0);
}

/// Starts sngrep as a collector that writes what it is sent to `capture`, and waits until it listens.
fn sngrep(address: SocketAddr, capture: &Path) -> Program {
    require("sngrep", "sngrep");
    let mut command = Command::new("sngrep");
    command.args(["--no-interface", "--quiet", "--no-config", "--eep-listen"]);
    command.arg(format!("udp:{address}")).arg("--output").arg(capture);
    let sngrep = Program::start("sngrep", &mut command);
    let port = format!(":{:04X} ", address.port());
    eventually("sngrep to listen", || {
        let sockets = std::fs::read_to_string("/proc/net/udp").unwrap();
        sockets.contains(&port).then_some(()).ok_or(sockets)
    });
    sngrep
}

/// The collector hands on what it understood, and the dissector reads that as the SIP that was sent.
#[test]
fn a_collector_of_others_understands_the_copies() {
    // Free a moment ago; where somebody else takes it, nothing arrives and the test fails.
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let capture = folder.path().join("copies.pcap");
    let _sngrep = sngrep(address, &capture);
    let server = Server::serve(&format!("[hep]\ncollector = \"{address}\"\n"));
    server.metrics();
    let mut alice = Endpoint::tls(&server, "alice");
    assert_eq!(alice.say("nobody", "hello").status(), 404);
    eventually("the last answer in the capture", || {
        let written = std::fs::read(&capture).unwrap_or_default();
        let last = b"SIP/2.0 404 ";
        match written.windows(last.len()).any(|octets| octets == last) {
            true => Ok(()),
            false => Err(format!("{} octets", written.len())),
        }
    });
    let read = tshark::fields(
        &capture,
        &["sip.Request-Line", "sip.Status-Line", "udp.srcport", "udp.dstport"],
    );
    let lines: Vec<Vec<&str>> = read.lines().map(|line| line.split('\t').collect()).collect();
    let (client, own) = (alice.stream.local().port(), server.ready.tls.port());
    let expected = [
        ("REGISTER sip:example.test SIP/2.0", "", client, own),
        ("", "SIP/2.0 401 Unauthorized", own, client),
        ("REGISTER sip:example.test SIP/2.0", "", client, own),
        ("", "SIP/2.0 200 OK", own, client),
        ("MESSAGE sip:nobody@example.test SIP/2.0", "", client, own),
        ("", "SIP/2.0 404 Not Found", own, client),
    ];
    assert_eq!(lines.len(), expected.len(), "{read}");
    for (line, (request, status, from, to)) in lines.iter().zip(expected) {
        let (from, to) = (from.to_string(), to.to_string());
        assert_eq!(line[..], [request, status, &from, &to], "{read}");
    }
}

/// A collector that is gone costs copies and nothing else.
#[test]
fn nobody_waits_for_a_collector_that_is_gone() {
    let (socket, server) = collected("");
    drop(socket);
    let mut alice = Endpoint::tls(&server, "alice");
    for _ in 0..8 {
        assert_eq!(alice.say("nobody", "hello").status(), 404);
    }
    server.wait_metric("mynah_hep_messages_lost_total", |lost| lost >= 1.0);
}
