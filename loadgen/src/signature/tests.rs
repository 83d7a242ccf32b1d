use super::*;
use crate::scan::{Index, Scanner};

/// Bob's session key in a conversation of a real client, and what he and the server signed in it,
/// less the headers that no signature covers.
const SESSION_KEY: [u8; 16] = [
    0xb5, 0x18, 0x6e, 0xa3, 0x52, 0xf6, 0x73, 0x3f, 0x1b, 0xbe, 0x6d, 0x1f, 0x15, 0xf0, 0xe3, 0xb1,
];
const POLL: &str = "SUBSCRIBE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/tls a\r\n\
    From: <sip:bob@example.test>;tag=2220028943;epid=aea5768aea0a\r\n\
    To: <sip:bob@example.test>\r\nCSeq: 1 SUBSCRIBE\r\n\
    Call-ID: 87B1g1616a8F9Bi3471m53A2t46A5b291FxCEFFx\r\nExpires: 0\r\nContent-Length: 0\r\n\r\n";
const ACCEPTED: &str = "SIP/2.0 200 OK\r\nVia: SIP/2.0/tls a\r\n\
    From: <sip:alice@example.test>;tag=3303337386;epid=b34afb6ebb23\r\nCSeq: 1 INVITE\r\n\
    Call-ID: DCD2g02EEa88EEi31C7m84EEt559Bb01CFxC3C2x\r\n\
    To: <sip:bob@example.test>;tag=5947515811\r\nContent-Length: 0\r\n\r\n";
const REGISTERED: &str = "SIP/2.0 200 OK\r\nVia: SIP/2.0/tls a\r\n\
    From: <sip:bob@example.test>;tag=1304727532;epid=aea5768aea0a\r\n\
    To: <sip:bob@example.test>;tag=230fa1ce98\r\nCSeq: 3 REGISTER\r\n\
    Call-ID: 90AAgBFE6a2DF6i6B08m66A4tF3B3b853Ex97D3x\r\nExpires: 7200\r\n\
    Authentication-Info: NTLM rspauth=\"010000007c3b29a3c0ca17fb64000000\", srand=\"334FD88C\", \
    snum=\"1\", opaque=\"F288E6FC\", qop=\"auth\", targetname=\"fe01.example.test\", \
    realm=\"SIP Communications Service\"\r\nContent-Length: 0\r\n\r\n";
const ACK: &str = "ACK sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TLS a\r\n\
    From: <sip:alice@example.test>;tag=3303337386;epid=b34afb6ebb23\r\n\
    To: <sip:bob@example.test>;tag=5947515811\r\nCSeq: 1 ACK\r\n\
    Call-ID: DCD2g02EEa88EEi31C7m84EEt559Bb01CFxC3C2x\r\n\
    Authentication-Info: NTLM rspauth=\"010000009beb380c7611eb3d64000000\", srand=\"7A0129B8\", \
    snum=\"14\", opaque=\"F288E6FC\", qop=\"auth\", targetname=\"fe01.example.test\", \
    realm=\"SIP Communications Service\"\r\nContent-Length: 0\r\n\r\n";

fn association() -> Association {
    let (realm, target) = (b"SIP Communications Service", b"fe01.example.test");
    Association::new(&SESSION_KEY, b"F288E6FC", realm, target, 7)
}

fn with_message<T>(text: &str, then: impl FnOnce(Message<'_>) -> T) -> T {
    let mut index = Index::default();
    Scanner::default().next(text.as_bytes(), &mut index).unwrap();
    then(Message::new(text.as_bytes(), &index))
}

fn verify(association: &mut Association, text: &str) -> Result<(), SignatureError> {
    with_message(text, |message| association.verify(message, &mut Vec::new()))
}

#[test]
fn the_lync_client_signed_the_same() {
    for (text, crand, cnum, response) in [
        (POLL, "784eead3", 3, "01000000F6DFE13283A7818564000000"),
        (ACCEPTED, "d7c00afd", 11, "010000003E6DB457AF28377064000000"),
    ] {
        let mac = with_message(text, |message| {
            let Association { place, outgoing, .. } = association();
            let mut covered = Vec::new();
            let number = |out: &mut Vec<u8>| push_number(out, cnum);
            cover(message, crand.as_bytes(), number, &place, &mut covered);
            outgoing.mac(&covered)
        });
        assert_eq!(read_hex(response.as_bytes()), Some(mac), "{text}");
    }
}

#[test]
fn what_the_server_signed_holds_once_and_only_as_it_was() {
    let mut association = association();
    assert_eq!(verify(&mut association, REGISTERED), Ok(()));
    assert_eq!(verify(&mut association, ACK), Ok(()));
    assert_eq!(verify(&mut association, ACK), Err(SignatureError::Repeated));
    assert_eq!(verify(&mut association, REGISTERED), Err(SignatureError::Repeated));
    for (this, that) in [
        ("9beb", "9bec"),
        ("alice", "carol"),
        ("1 ACK", "2 ACK"),
        ("xC3C2x", "xC3C3x"),
        ("tag=5947515811", "tag=1"),
        ("snum=\"14\"", "snum=\"15\""),
        ("snum=\"14\"", "snum=\"\""),
        ("7A0129B8", "7A0129B9"),
        ("Content-Length", "Expires: 1\r\nContent-Length"),
        ("Content-Length", "P-Asserted-Identity: <sip:x@y>\r\nContent-Length"),
    ] {
        let forged = ACK.replace(this, that);
        assert_eq!(verify(&mut association, &forged), Err(SignatureError::Wrong), "{forged}");
    }
    let of_other_keys = ACK.replace("F288E6FC", "F288E6FD");
    assert_eq!(verify(&mut association, &of_other_keys), Err(SignatureError::Missing));
}

#[test]
fn only_what_the_lync_client_takes_may_be_unsigned() {
    let answer = |start: &str, method: &str| {
        let text = POLL.replace("SUBSCRIBE sip:bob@example.test SIP/2.0", start);
        verify(&mut association(), &text.replace("1 SUBSCRIBE", &format!("1 {method}")))
    };
    for start in ["SIP/2.0 100 Trying", "SIP/2.0 401 Unauthorized", "SIP/2.0 407 Proxy"] {
        assert_eq!(answer(start, "MESSAGE"), Ok(()), "{start}");
    }
    assert_eq!(answer("SIP/2.0 403 Forbidden", "REGISTER"), Ok(()));
    assert_eq!(answer("SIP/2.0 403 Forbidden", "MESSAGE"), Err(SignatureError::Missing));
    assert_eq!(answer("SIP/2.0 200 OK", "REGISTER"), Err(SignatureError::Missing));
    let request = answer("MESSAGE sip:bob@example.test SIP/2.0", "MESSAGE");
    assert_eq!(request, Err(SignatureError::Missing));
}

#[test]
fn identities_are_read_from_the_header_that_asserts_them() {
    let identities = |lines: &str| {
        let text = POLL.replace("Expires", &format!("{lines}Expires"));
        with_message(&text, |message| {
            let (sip, tel) = identities(message);
            (String::from_utf8_lossy(sip).into_owned(), String::from_utf8_lossy(tel).into_owned())
        })
    };
    let pair = |sip: &str, tel: &str| (sip.to_owned(), tel.to_owned());
    assert_eq!(identities(""), pair("", ""));
    let asserted = "P-Asserted-Identity: \"B\" <sip:b@x>, <tel:+1>\r\n";
    assert_eq!(identities(asserted), pair("sip:b@x", "tel:+1"));
    let both = format!("P-Preferred-Identity: <sip:c@x>\r\n{asserted}");
    assert_eq!(identities(&both), pair("sip:b@x", "tel:+1"));
    assert_eq!(identities("P-Preferred-Identity: tel:+1\r\n"), pair("", "tel:+1"));
}

#[test]
fn every_message_has_a_number_and_chance_of_its_own() {
    let (mut ours, mut lines) = (association(), Vec::new());
    for cnum in 1..=2 {
        let mut out = Vec::new();
        with_message(POLL, |message| ours.sign(message, &mut Vec::new(), &mut out));
        let line = String::from_utf8(out).unwrap();
        assert!(line.contains(&format!("\", cnum=\"{cnum}\", response=\"01000000")), "{line}");
        lines.push(line);
    }
    assert_ne!(lines[0][..18], lines[1][..18], "crand");
}
