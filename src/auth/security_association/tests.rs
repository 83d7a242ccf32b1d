use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::auth::ntlm::NtlmCredentials;
use crate::base::limits::Limits;
use crate::wire::sip::{Credentials, Head, HeaderName, Message};

const TARGET: &str = "fe01.example.test";

/// Bob's session key in the transcript `ntlm-v4`: what his client chose.
const SESSION_KEY: [u8; 16] = [
    0xb5, 0x18, 0x6e, 0xa3, 0x52, 0xf6, 0x73, 0x3f, 0x1b, 0xbe, 0x6d, 0x1f, 0x15, 0xf0, 0xe3, 0xb1,
];
const OPAQUE: Opaque = Opaque(*b"F288E6FC");

/// What bob's client sent there, less the headers no signature covers.
const SUBSCRIBE: &str = "SUBSCRIBE sip:bob@example.test SIP/2.0\r\n\
    Via: SIP/2.0/tls 127.0.0.1:50028;branch=z9hG4bK504A388663FD177EA07F\r\n\
    From: <sip:bob@example.test>;tag=3538329191;epid=aea5768aea0a\r\n\
    To: <sip:bob@example.test>\r\n\
    CSeq: 1 SUBSCRIBE\r\n\
    Call-ID: 7732gDF8Ea4592iD321mAC97tDA06bCA1Bx5904x\r\n\
    Content-Length: 0\r\n\
    Authorization: NTLM qop=\"auth\", opaque=\"F288E6FC\", \
    realm=\"SIP Communications Service\", targetname=\"fe01.example.test\", crand=\"51756651\", \
    cnum=\"2\", response=\"010000005E1DCC5BB909B7A064000000\"\r\n\r\n";
const POLL: &str = "SUBSCRIBE sip:bob@example.test SIP/2.0\r\n\
    Via: SIP/2.0/tls 127.0.0.1:50028;branch=z9hG4bKD2E948D53E1E29D438B6\r\n\
    From: <sip:bob@example.test>;tag=2220028943;epid=aea5768aea0a\r\n\
    To: <sip:bob@example.test>\r\n\
    CSeq: 1 SUBSCRIBE\r\n\
    Call-ID: 87B1g1616a8F9Bi3471m53A2t46A5b291FxCEFFx\r\n\
    Expires: 0\r\n\
    Content-Length: 0\r\n\
    Authorization: NTLM qop=\"auth\", opaque=\"F288E6FC\", \
    realm=\"SIP Communications Service\", targetname=\"fe01.example.test\", crand=\"784eead3\", \
    cnum=\"3\", response=\"01000000F6DFE13283A7818564000000\"\r\n\r\n";
const ACCEPTED: &str = "SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bK1ebffb96efdd\r\n\
    Via: SIP/2.0/tls 127.0.0.1:50026\r\n\
    From: <sip:alice@example.test>;tag=3303337386;epid=b34afb6ebb23\r\n\
    CSeq: 1 INVITE\r\n\
    Call-ID: DCD2g02EEa88EEi31C7m84EEt559Bb01CFxC3C2x\r\n\
    To: <sip:bob@example.test>;tag=5947515811\r\n\
    Content-Length: 0\r\n\
    Authorization: NTLM qop=\"auth\", opaque=\"F288E6FC\", \
    realm=\"SIP Communications Service\", targetname=\"fe01.example.test\", crand=\"d7c00afd\", \
    cnum=\"11\", response=\"010000003E6DB457AF28377064000000\"\r\n\r\n";

/// What the server sent him, and his client took.
const REGISTERED: &str = "SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/tls 127.0.0.1:50028;branch=z9hG4bK09055393AA55BC382613\r\n\
    From: <sip:bob@example.test>;tag=1304727532;epid=aea5768aea0a\r\n\
    To: <sip:bob@example.test>;tag=230fa1ce98\r\n\
    CSeq: 3 REGISTER\r\n\
    Call-ID: 90AAgBFE6a2DF6i6B08m66A4tF3B3b853Ex97D3x\r\n\
    Expires: 7200\r\n\
    Content-Length: 0\r\n\r\n";
const ACK: &str = "ACK sip:bob@example.test SIP/2.0\r\n\
    Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKf17a8aa4bf68\r\n\
    From: <sip:alice@example.test>;tag=3303337386;epid=b34afb6ebb23\r\n\
    To: <sip:bob@example.test>;tag=5947515811\r\n\
    CSeq: 1 ACK\r\n\
    Call-ID: DCD2g02EEa88EEi31C7m84EEt559Bb01CFxC3C2x\r\n\
    Content-Length: 0\r\n\r\n";

fn association() -> SecurityAssociation {
    SecurityAssociation::new(&SessionKey::new(SESSION_KEY), OPAQUE)
}

fn with_message<T>(octets: &[u8], then: impl FnOnce(Message<'_>) -> T) -> T {
    let mut head = Head::new();
    head.index(octets, &Limits::default()).unwrap().unwrap();
    then(Message::new(octets, &head))
}

/// Whether the client's signature on a message holds.
fn holds(association: &mut SecurityAssociation, octets: &[u8]) -> bool {
    with_message(octets, |message| {
        let value = message.header(HeaderName::Authorization).unwrap();
        let signature = Credentials::parse(value)
            .ok()
            .and_then(|credentials| NtlmCredentials::read(&credentials)?.signature);
        signature
            .zip(SignedParts::of(message))
            .is_some_and(|(signature, parts)| association.verify(&signature, &parts, TARGET))
    })
}

#[test]
fn the_lync_clients_signatures_hold() {
    let mut association = association();
    for message in [SUBSCRIBE, POLL, ACCEPTED] {
        assert!(holds(&mut association, message.as_bytes()), "{message}");
    }
}

#[test]
fn our_signatures_are_those_the_client_took() {
    let parts = |text: &str, srand: &[u8], snum: &[u8]| {
        with_message(text.as_bytes(), |message| {
            let parts = SignedParts::of(message).unwrap();
            association().outgoing.mac(srand, snum, TARGET, &parts)
        })
    };
    for (text, srand, snum, rspauth) in [
        (REGISTERED, "334FD88C", "1", "010000007c3b29a3c0ca17fb64000000"),
        (ACK, "7A0129B8", "14", "010000009beb380c7611eb3d64000000"),
    ] {
        let mac = parts(text, srand.as_bytes(), snum.as_bytes());
        assert_eq!(read_mac(rspauth.as_bytes()), Some(mac));
    }
}

#[test]
fn a_signed_message_gets_one_whole_line() {
    let (mut association, mut out) = (association(), BytesMut::new());
    let mut seed = Seed::from_u64(1);
    for snum in 1..=2 {
        out.clear();
        with_message(ACK.as_bytes(), |message| {
            let parts = SignedParts::of(message).unwrap();
            association.sign(&parts, &mut seed, TARGET, &mut out);
        });
        assert!(out.len() <= SecurityAssociation::line_len_max(TARGET));
        let line = std::str::from_utf8(&out).unwrap();
        let value = line.strip_prefix("Authentication-Info: ").unwrap().strip_suffix("\r\n");
        let credentials = Credentials::parse(value.unwrap().as_bytes()).unwrap();
        assert_eq!(credentials.get("snum"), Some(snum.to_string().as_bytes()));
        assert_eq!(credentials.get("opaque"), Some(&b"F288E6FC"[..]));
        assert_eq!(credentials.get("srand").map(<[u8]>::len), Some(8));
        assert_eq!(credentials.get("targetname"), Some(TARGET.as_bytes()));
    }
}

#[test]
fn a_number_is_used_once_and_only_by_a_signature_that_holds() {
    let mut association = association();
    let forged = SUBSCRIBE.replace("5E1DCC5B", "5E1DCC5C");
    assert!(!holds(&mut association, forged.as_bytes()));
    assert!(holds(&mut association, POLL.as_bytes()), "3 may come before 2");
    assert!(holds(&mut association, SUBSCRIBE.as_bytes()));
    assert!(!holds(&mut association, SUBSCRIBE.as_bytes()));
    assert!(!holds(&mut association, POLL.as_bytes()));
}

#[test]
fn a_signature_that_is_none_does_not_hold() {
    for (from, to) in [
        ("opaque=\"F288E6FC\"", "opaque=\"F288E6FD\""),
        ("opaque=\"F288E6FC\", ", ""),
        ("cnum=\"2\"", "cnum=\"x\""),
        ("cnum=\"2\"", "cnum=\"99999999999\""),
        ("cnum=\"2\", ", ""),
        ("crand=\"51756651\", ", ""),
        ("64000000\"", "6400000\""),
        ("64000000\"", "640000000\""),
        ("5E1DCC5B", "5E1DCC5g"),
        ("response=", "reply="),
    ] {
        let message = SUBSCRIBE.replace(from, to);
        assert_ne!(message, SUBSCRIBE);
        assert!(!holds(&mut association(), message.as_bytes()), "{to}");
    }
}

#[test]
fn lower_case_digits_hold_too() {
    let message =
        SUBSCRIBE.replace("010000005E1DCC5BB909B7A064000000", "010000005e1dcc5bb909b7a064000000");
    assert!(holds(&mut association(), message.as_bytes()));
}

#[test]
fn keys_do_not_show_themselves() {
    assert_eq!(format!("{:?}", SessionKey::new(SESSION_KEY)), "SessionKey([hidden])");
    assert_eq!(format!("{:?}", association()), "SecurityAssociation(F288E6FC)");
}

#[test]
fn numbers_are_decimal() {
    for number in [0, 1, 9, 10, 12_345, u64::MAX] {
        let mut digits = [0; 20];
        assert_eq!(decimal(number, &mut digits), number.to_string().as_bytes());
    }
}

/// A signed message whose every covered header is there; what is covered, and what is not.
fn full() -> (Vec<u8>, Vec<Range<usize>>, Vec<Range<usize>>) {
    let text = ACK.replace(
        "Content-Length",
        "P-Asserted-Identity: <sip:alice@example.test>, <tel:+4930>\r\nExpires: 60\r\n\
         User-Agent: somebody\r\nContact: <sip:c@d.test>\r\nContent-Length",
    );
    let covered = [
        "sip:alice@example.test>;tag",
        "3303337386",
        "sip:bob@example.test>;tag",
        "5947515811",
        "1 ACK",
        "DCD2g02EEa88EEi31C7m84EEt559Bb01CFxC3C2x",
        "sip:alice@example.test>, ",
        "tel:+4930",
        "60\r\nUser",
    ];
    let rest = ["z9hG4bKf17a8aa4bf68", "b34afb6ebb23", "somebody", "c@d.test"];
    let find = |part: &&str| {
        let start = text.find(part).unwrap();
        // The start names the place; what is covered ends at a separator.
        let len = part.find(['>', '\r', ' ']).unwrap_or(part.len());
        start..start + len
    };
    let (covered, rest) = (covered.iter().map(find).collect(), rest.iter().map(find).collect());
    (text.into_bytes(), covered, rest)
}

/// Another character of the same kind, so that the message stays one.
fn other(octet: u8, by: u8) -> u8 {
    match octet {
        b'0'..=b'9' => b'0' + (octet - b'0' + 1 + by % 9) % 10,
        b'a'..=b'z' => b'a' + (octet - b'a' + 1 + by % 25) % 26,
        b'A'..=b'Z' => b'A' + (octet - b'A' + 1 + by % 25) % 26,
        _ => b'x',
    }
}

proptest! {
    #[test]
    fn any_changed_octet_of_a_covered_part_breaks_a_signature(
        part in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        by in any::<u8>(),
        is_covered in any::<bool>(),
    ) {
        let (mut text, covered, rest) = full();
        let mac = |text: &[u8]| with_message(text, |message| {
            let parts = SignedParts::of(message).unwrap();
            association().incoming.mac(b"51756651", b"2", TARGET, &parts)
        });
        let before = mac(&text);
        let ranges = if is_covered { covered } else { rest };
        let range = ranges[part.index(ranges.len())].clone();
        let place = &mut text[range.start + at.index(range.len())];
        *place = other(*place, by);
        prop_assert_eq!(mac(&text) != before, is_covered, "{}", String::from_utf8_lossy(&text));
    }

    #[test]
    fn any_other_key_rand_number_or_server_gives_another_mac(
        key in any::<[u8; 16]>(),
        rand in "[0-9a-f]{8}",
        num in "[0-9]{1,9}",
        target in "[a-z]{1,9}\\.test",
    ) {
        with_message(ACK.as_bytes(), |message| {
            let parts = SignedParts::of(message).unwrap();
            let same = association().incoming.mac(b"51756651", b"2", TARGET, &parts);
            let other = SecurityAssociation::new(&SessionKey::new(key), OPAQUE);
            assert_ne!(other.incoming.mac(b"51756651", b"2", TARGET, &parts), same);
            assert_ne!(association().outgoing.mac(b"51756651", b"2", TARGET, &parts), same);
            let mac = association().incoming.mac(rand.as_bytes(), num.as_bytes(), &target, &parts);
            assert_ne!(mac, same);
        });
    }
}

#[test]
fn a_connection_that_signs_costs_half_a_kibibyte() {
    assert!(size_of::<SecurityAssociation>() <= 512, "{}", size_of::<SecurityAssociation>());
}
