//! HEPv3, in which a Homer collector takes copies of messages (the format as sipcapture publishes
//! it, "HEP3 Network Protocol Specification", revision 36): a head, and chunks of vendor, kind,
//! length and value, all numbers with the greatest octet first.

use std::net::{IpAddr, SocketAddr};

/// The first octets of a packet.
const MAGIC: &[u8] = b"HEP3";
/// Octets before the first chunk.
const HEAD: usize = 6;
/// Octets of a chunk before its value.
const CHUNK_HEAD: usize = 6;
/// The vendor of chunks that are everybody's.
const GENERIC: u16 = 0;
/// Octets of a message that leave room for the other chunks in the longest packet of UDP.
pub const PAYLOAD_MAX: usize = 65_000;

const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 10;
const PROTOCOL_TCP: u8 = 6;
const KIND_SIP: u8 = 1;

/// A copy of a SIP message.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// Who got it.
    pub to: SocketAddr,
    /// When, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// Which server makes the copy.
    pub capture_id: u32,
    /// The message, or its front; beyond [`PAYLOAD_MAX`] the rest is left out.
    pub payload: &'a [u8],
}

impl Packet<'_> {
    /// The octets for one datagram.
    pub fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.payload.len() + 128);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[0; 2]);
        // Both ends of a connection are of one family, if one of them is written as the other.
        match (self.from.ip().to_canonical(), self.to.ip().to_canonical()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                chunk(&mut out, 1, &[FAMILY_IPV4]);
                chunk(&mut out, 3, &from.octets());
                chunk(&mut out, 4, &to.octets());
            }
            (from, to) => {
                chunk(&mut out, 1, &[FAMILY_IPV6]);
                chunk(&mut out, 5, &ipv6(from));
                chunk(&mut out, 6, &ipv6(to));
            }
        }
        chunk(&mut out, 2, &[PROTOCOL_TCP]);
        chunk(&mut out, 7, &self.from.port().to_be_bytes());
        chunk(&mut out, 8, &self.to.port().to_be_bytes());
        let seconds = u32::try_from(self.unix_ms / 1000).unwrap_or(u32::MAX);
        let micros = (self.unix_ms % 1000) as u32 * 1000;
        chunk(&mut out, 9, &seconds.to_be_bytes());
        chunk(&mut out, 10, &micros.to_be_bytes());
        chunk(&mut out, 11, &[KIND_SIP]);
        chunk(&mut out, 12, &self.capture_id.to_be_bytes());
        chunk(&mut out, 15, self.payload.get(..PAYLOAD_MAX).unwrap_or(self.payload));
        let len = u16::try_from(out.len()).unwrap_or(u16::MAX);
        if let Some(place) = out.get_mut(MAGIC.len()..HEAD) {
            place.copy_from_slice(&len.to_be_bytes());
        }
        out
    }
}

fn chunk(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let len = u16::try_from(CHUNK_HEAD + value.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&GENERIC.to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(value);
}

fn ipv6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(from: &str, to: &str, payload: &[u8]) -> Vec<u8> {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Packet { from, to, unix_ms: 1_800_000_000_123, capture_id: 2001, payload }.write()
    }

    #[test]
    fn every_octet_is_in_its_place() {
        let expected: &[&[u8]] = &[
            b"HEP3\0\x75",
            b"\0\0\0\x01\0\x07\x02",
            b"\0\0\0\x03\0\x0a\xc0\0\x02\x07",
            b"\0\0\0\x04\0\x0a\xc0\0\x02\x01",
            b"\0\0\0\x02\0\x07\x06",
            b"\0\0\0\x07\0\x08\x9c\x40",
            b"\0\0\0\x08\0\x08\x13\xc5",
            b"\0\0\0\x09\0\x0a\x6b\x49\xd2\x00",
            b"\0\0\0\x0a\0\x0a\x00\x01\xe0\x78",
            b"\0\0\0\x0b\0\x07\x01",
            b"\0\0\0\x0c\0\x0a\x00\x00\x07\xd1",
            b"\0\0\0\x0f\0\x18BYE sip:a SIP/2.0\r",
        ];
        let written = packet("192.0.2.7:40000", "192.0.2.1:5061", b"BYE sip:a SIP/2.0\r");
        assert_eq!(written, expected.concat());
    }

    #[test]
    fn addresses_of_both_families_and_long_messages_fit() {
        let written = packet("[2001:db8::7]:1", "192.0.2.1:2", b"x");
        assert_eq!(&written[6..13], b"\0\0\0\x01\0\x07\x0a");
        assert_eq!(usize::from(u16::from_be_bytes([written[4], written[5]])), written.len());
        let long = packet("192.0.2.7:1", "192.0.2.1:2", &vec![b'x'; 70_000]);
        assert!(long.len() < 65_508, "{}", long.len());
        assert_eq!(usize::from(u16::from_be_bytes([long[4], long[5]])), long.len());
    }
}
