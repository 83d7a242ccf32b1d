//! Messages as packets of a capture, in the classic format of libpcap with raw IP packets. Inside
//! the server there are no packets, so each message gets those that would carry it in plain TCP:
//! addresses and the client's port as they are, the server's port as 5060, by which readers know
//! SIP. Sequence numbers run on, so that each connection is one stream.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use etherparse::PacketBuilder;

use crate::admin::trace::MessageReport;

/// The format with times in microseconds, least octet first.
const MAGIC: u32 = 0xa1b2_c3d4;
const VERSION: [u16; 2] = [2, 4];
/// Longest packet.
const SNAPLEN: u32 = 65_535;
/// Packets begin with their IP header (LINKTYPE_RAW).
const LINKTYPE: u32 = 101;
/// Port of SIP without TLS (RFC 3261 section 18.2).
const SIP_PORT: u16 = 5060;
/// Octets of messages in one packet.
const SEGMENT: usize = 32 * 1024;
const TTL: u8 = 64;
const WINDOW: u16 = u16::MAX;

/// What has been written of each stream.
#[derive(Debug, Default)]
pub struct Capture {
    /// By the client's address and ours: octets of the client and of the server.
    streams: HashMap<(SocketAddr, SocketAddr), [u32; 2]>,
}

impl Capture {
    /// What stands at the beginning of the file.
    pub fn head() -> Vec<u8> {
        let mut head = MAGIC.to_le_bytes().to_vec();
        head.extend(VERSION.iter().flat_map(|number| number.to_le_bytes()));
        // Offset of the time zone and accuracy of times: none is ever given.
        head.extend([0; 8]);
        head.extend(SNAPLEN.to_le_bytes());
        head.extend(LINKTYPE.to_le_bytes());
        head
    }

    /// The packets of a message of which `octets` were kept.
    ///
    /// # Errors
    /// When a packet cannot be built.
    pub fn packets(&mut self, message: &MessageReport, octets: &[u8]) -> Result<Vec<u8>> {
        let MessageReport { peer, local, received, unix_ms, len, .. } = message;
        let [client, server] = self.streams.entry((*peer, *local)).or_insert([1, 1]);
        let (own, other) = if *received { (client, server) } else { (server, client) };
        let ends = [(peer.ip(), peer.port()), (local.ip(), SIP_PORT)];
        let [from, to] = if *received { ends } else { [ends[1], ends[0]] };
        let mut out = Vec::new();
        let mut seq = *own;
        for segment in octets.chunks(SEGMENT) {
            let packet = packet(from, to, (seq, *other), segment)?;
            seq = seq.wrapping_add(segment.len() as u32);
            let packet_len = packet.len() as u32;
            let (seconds, micros) = (unix_ms / 1000, unix_ms % 1000 * 1000);
            for field in [seconds as u32, micros as u32, packet_len, packet_len] {
                out.extend(field.to_le_bytes());
            }
            out.extend(packet);
        }
        // What was not kept is a gap in the stream.
        *own = own.wrapping_add(*len as u32);
        Ok(out)
    }
}

fn packet(
    (from, from_port): (IpAddr, u16),
    (to, to_port): (IpAddr, u16),
    (seq, ack): (u32, u32),
    payload: &[u8],
) -> Result<Vec<u8>> {
    let ip = match (from.to_canonical(), to.to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), TTL),
        (from, to) => PacketBuilder::ipv6(ipv6(from).octets(), ipv6(to).octets(), TTL),
    };
    let packet = ip.tcp(from_port, to_port, seq, WINDOW).psh().ack(ack);
    let mut out = Vec::with_capacity(packet.size(payload.len()));
    packet.write(&mut out, payload)?;
    Ok(out)
}

fn ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{SlicedPacket, TransportSlice};

    use super::super::tests::message;
    use super::*;

    /// Seconds and microseconds; ports; sequence number and acknowledged number; payload.
    type Packet = ([u32; 2], [u16; 2], [u32; 2], Vec<u8>);

    fn read(mut file: &[u8]) -> Vec<Packet> {
        let mut packets = Vec::new();
        while !file.is_empty() {
            let field =
                |at: usize| u32::from_le_bytes(file[4 * at..4 * at + 4].try_into().unwrap());
            let (seconds, micros, len) = (field(0), field(1), field(2) as usize);
            assert_eq!(field(3) as usize, len);
            let sliced = SlicedPacket::from_ip(&file[16..16 + len]).unwrap();
            let Some(TransportSlice::Tcp(tcp)) = sliced.transport else { panic!("no TCP") };
            let ports = [tcp.source_port(), tcp.destination_port()];
            let (seq, ack) = (tcp.sequence_number(), tcp.acknowledgment_number());
            packets.push(([seconds, micros], ports, [seq, ack], tcp.payload().to_vec()));
            file = &file[16 + len..];
        }
        packets
    }

    #[test]
    fn both_ways_of_a_connection_are_one_stream() {
        let mut capture = Capture::default();
        let mut file = capture.packets(&message(true, b"hello"), b"hello").unwrap();
        file.extend(capture.packets(&message(false, b"you"), b"you").unwrap());
        file.extend(capture.packets(&message(true, b"bye"), b"bye").unwrap());
        let time = [1_800_000_000, 123_000];
        assert_eq!(
            read(&file),
            [
                (time, [40_000, 5060], [1, 1], b"hello".to_vec()),
                (time, [5060, 40_000], [1, 6], b"you".to_vec()),
                (time, [40_000, 5060], [6, 4], b"bye".to_vec()),
            ]
        );
        assert_eq!(Capture::head().len(), 24);
    }

    #[test]
    fn a_long_message_is_cut_and_what_is_missing_is_a_gap() {
        let mut capture = Capture::default();
        let octets = vec![b'x'; SEGMENT + 10];
        let long = MessageReport { len: octets.len() + 5, ..message(true, &octets) };
        let mut file = capture.packets(&long, &octets).unwrap();
        file.extend(capture.packets(&message(true, b"y"), b"y").unwrap());
        let places: Vec<_> = read(&file).into_iter().map(|packet| packet.2[0]).collect();
        assert_eq!(places, [1, 1 + SEGMENT as u32, 1 + octets.len() as u32 + 5]);
    }

    #[test]
    fn other_addresses_are_packets_too() {
        let peers = ["[2001:db8::7]:40000", "[::ffff:192.0.2.7]:40000", "192.0.2.7:40000"];
        for (peer, version) in peers.into_iter().zip([6, 4, 4]) {
            let peer: SocketAddr = peer.parse().unwrap();
            let heard = MessageReport { peer, ..message(true, b"x") };
            let file = Capture::default().packets(&heard, b"x").unwrap();
            assert_eq!((file[16] >> 4, read(&file).len()), (version, 1), "{peer}");
        }
    }
}
