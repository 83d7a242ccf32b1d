//! One user's share of a link, as the octets on the link tell it apart from the others.
//!
//! A request belongs to the lane of its sender: the address and the `epid` in its From. A request
//! of ours names its lane in a parameter of our Via, which the answer brings back (RFC 3261
//! section 8.2.6.2), so the peer needs to know nothing of lanes.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;

use bytes::{Bytes, BytesMut};

use crate::base::ids::{ConnId, Slot};
use crate::wire::sip::{HeaderName, Message, Uri, Via};

/// The parameter of our Via that names the lane.
const PARAMETER: &str = "lane";
/// The same as it is written.
const MARK: &[u8] = b";lane=";
/// How every request of ours goes on behind its start line.
const VIA: &[u8] = b"Via: ";
const CRLF: &[u8] = b"\r\n";

/// One lane. The machine knows it as a connection.
#[derive(Debug)]
pub(super) struct Lane {
    /// The link it is on.
    pub link: Slot,
    /// What its requests are found by on that link.
    pub key: u64,
    /// Where its user says he comes from.
    pub origin: Option<IpAddr>,
    /// When the last message came.
    pub heard_ms: u64,
    /// The machine was told of it and not yet of its end.
    pub told: bool,
}

impl Lane {
    /// A lane that nobody was told of.
    pub fn new(link: Slot, key: u64, origin: Option<IpAddr>, now_ms: u64) -> Self {
        Lane { link, key, origin, heard_ms: now_ms, told: false }
    }
}

/// What the lane of a request is found by: a keyed hash of its sender's address and `epid`. What
/// has no sender that can be read shares one lane. Should two senders ever share a key, the one
/// who signed in is known by his From, and the other is refused.
pub(super) fn key(hasher: &ahash::RandomState, request: Message<'_>) -> u64 {
    let mut state = hasher.build_hasher();
    if let Ok(from) = request.from()
        && Uri::parse(from.uri).is_ok_and(|uri| uri.hash_aor(&mut state))
    {
        from.params.get("epid").hash(&mut state);
    }
    state.finish()
}

/// Where the client says it is: `received` of the Via it wrote, the last one, which the peer has
/// set, or else the host there if it is an address (RFC 3261 section 18.2.1).
pub(super) fn origin(request: Message<'_>) -> Option<IpAddr> {
    let via = Via::parse(request.list(HeaderName::Via).last()?).ok()?;
    via.params.get("received").and_then(address).or_else(|| address(via.host))
}

fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?;
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// The lane that the top Via of an answer names.
pub(super) fn named(answer: Message<'_>) -> Option<ConnId> {
    ConnId::from_token(answer.top_via().ok()?.params.get(PARAMETER)?)
}

/// A request of ours with the name of its lane put into its Via, in pieces; `None` for an answer,
/// which needs none.
pub(super) fn marked(bytes: &Bytes, lane: ConnId, arena: &mut BytesMut) -> Option<[Bytes; 3]> {
    if bytes.starts_with(b"SIP/2.0 ") {
        return None;
    }
    let via = memchr::memmem::find(bytes, CRLF)? + CRLF.len();
    let line = bytes.get(via..)?;
    if !line.starts_with(VIA) {
        return None;
    }
    let end = via + memchr::memmem::find(line, CRLF)?;
    arena.extend_from_slice(MARK);
    arena.extend_from_slice(&lane.token());
    Some([bytes.slice(..end), arena.split().freeze(), bytes.slice(end..)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ShardId;
    use crate::base::limits::Limits;
    use crate::wire::sip::Head;

    fn read<T>(text: &str, then: impl FnOnce(Message<'_>) -> T) -> T {
        let mut head = Head::new();
        head.index(text.as_bytes(), &Limits::default()).unwrap();
        then(Message::new(text.as_bytes(), &head))
    }

    fn request(from: &str, vias: &[&str]) -> String {
        let vias: String = vias.iter().map(|via| format!("Via: {via}\r\n")).collect();
        format!(
            "MESSAGE sip:b@example.test SIP/2.0\r\n{vias}From: {from}\r\nContent-Length: 0\r\n\r\n"
        )
    }

    #[test]
    fn a_lane_is_an_address_and_an_epid() {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let key = |from: &str| read(&request(from, &[]), |message| key(&hasher, message));
        let alice = key("<sip:alice@example.test>;tag=1;epid=aa");
        assert_eq!(alice, key("\"Alice\" <sip:Alice@EXAMPLE.test;x=1>;epid=aa;tag=2"));
        for other in [
            "<sip:alice@example.test>;tag=1",
            "<sip:alice@example.test>;tag=1;epid=bb",
            "<sip:bob@example.test>;tag=1;epid=aa",
        ] {
            assert_ne!(alice, key(other), "{other}");
        }
        assert_eq!(key("<tel:+1425>;tag=1"), key("nonsense <"), "nobody's share one");
    }

    #[test]
    fn the_last_via_says_where_a_client_is() {
        let origin = |vias: &[&str]| read(&request("<sip:a@b>", vias), origin);
        let ip = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let edge = "SIP/2.0/TLS edge.example.test:5061;branch=z9hG4bK1";
        assert_eq!(origin(&["SIP/2.0/TLS 192.0.2.7:5061"]), ip("192.0.2.7"));
        let client = "SIP/2.0/TLS 10.0.0.1:4000;received=192.0.2.9";
        assert_eq!(origin(&[edge, client]), ip("192.0.2.9"));
        assert_eq!(origin(&[&format!("{edge}, {client}")]), ip("192.0.2.9"));
        assert_eq!(origin(&["SIP/2.0/TLS [2001:db8::1]:5061"]), ip("2001:db8::1"));
        assert_eq!(origin(&[edge]), None, "a name is no address");
        assert_eq!(origin(&[]), None);
    }

    #[test]
    fn a_request_of_ours_names_its_lane_and_the_answer_brings_it_back() {
        let lane = ConnId::new(ShardId(3), Slot { index: 7, generation: 9 });
        let ours = Bytes::from_static(
            b"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS fe01:5061;branch=z9hG4bK1\r\nTo: x\r\n\r\n",
        );
        let mut arena = BytesMut::new();
        let pieces = marked(&ours, lane, &mut arena).unwrap();
        let whole: Vec<u8> = pieces.iter().flat_map(|piece| piece.to_vec()).collect();
        let whole = String::from_utf8(whole).unwrap();
        assert_eq!(whole.replace(";lane=00030000000700000009", "").as_bytes(), &ours[..]);
        let via = whole.split("\r\n").nth(1).unwrap();
        let answer = format!("SIP/2.0 200 OK\r\n{via}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(read(&answer, named), Some(lane));
        assert!(marked(&Bytes::from(answer), lane, &mut arena).is_none());
        for bad in ["", ";lane=", ";lane=1", ";lane=0003000000070000000g"] {
            let via = format!("Via: SIP/2.0/TLS a;branch=b{bad}");
            let answer = format!("SIP/2.0 200 OK\r\n{via}\r\nContent-Length: 0\r\n\r\n");
            assert_eq!(read(&answer, named), None, "{bad}");
        }
    }
}
