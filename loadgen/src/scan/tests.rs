use super::*;
use proptest::prelude::*;

const ANSWER: &[u8] = b"SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/tls 127.0.0.1:41046\r\n\
    f: <sip:alice@example.test>;tag=1262631541;epid=b34afb6ebb23\r\n\
    CSeq: 7 MESSAGE\r\n\
    i: 912Dg0044\r\n\
    To: \"B, <ob>\" <sip:bob@example.test>;x;tag=\"263165099\"\r\n\
    Record-Route: <sip:a;lr>, <sip:b,c;lr>\r\n\
    Record-Route: <sip:d;lr>\r\n\
    Contact: <sip:bob@example.test;opaque=user:epid:DJ;gruu>\r\n\
    \t;expires=30\r\n\
    Content-Length: 5\r\n\
    \r\n\
    hello";

const REQUEST: &[u8] = b"MESSAGE sip:bob@example.test SIP/2.0\r\n\
    Via : SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKbd8d59f19428\r\n\
    From: <sip:alice@example.test>;tag=1\r\n\
    To: sip:bob@example.test;tag=2\r\n\
    CSeq: 2 MESSAGE\r\n\
    Call-ID: 912Dg\r\n\
    l: 0\r\n\
    \r\n";

fn check_answer(message: Message<'_>) {
    assert_eq!(message.status(), Some(200));
    assert_eq!(message.method(), b"MESSAGE");
    assert_eq!(message.cseq(), 7);
    assert_eq!(message.value(Name::CallId), b"912Dg0044");
    assert_eq!(param_of(message.value(Name::From), "TAG"), Some(b"1262631541".as_slice()));
    assert_eq!(param_of(message.value(Name::To), "tag"), Some(b"263165099".as_slice()));
    assert_eq!(param_of(message.value(Name::To), "x"), Some(b"".as_slice()));
    assert_eq!(param_of(message.value(Name::To), "y"), None);
    assert_eq!(uri_of(message.value(Name::To)), b"sip:bob@example.test");
    let contact = message.value(Name::Contact);
    assert_eq!(uri_of(contact), b"sip:bob@example.test;opaque=user:epid:DJ;gruu");
    assert_eq!(param_of(contact, "expires"), Some(b"30".as_slice()));
    let routes: Vec<_> = message.elements(Name::RecordRoute).collect();
    assert_eq!(routes, [b"<sip:a;lr>".as_slice(), b"<sip:b,c;lr>", b"<sip:d;lr>"]);
    assert_eq!(message.body(), b"hello");
}

fn check_request(message: Message<'_>) {
    assert_eq!(message.status(), None);
    assert_eq!(message.method(), b"MESSAGE");
    assert_eq!(message.uri(), b"sip:bob@example.test");
    assert_eq!(uri_of(message.value(Name::To)), b"sip:bob@example.test");
    assert_eq!(param_of(message.value(Name::To), "tag"), Some(b"2".as_slice()));
    assert_eq!(message.body(), b"");
}

/// Feeds the stream in the given pieces and checks every message that comes out.
fn feed<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<usize> {
    let (mut scanner, mut index) = (Scanner::default(), Index::default());
    let mut buffer = Vec::new();
    let mut lengths = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        loop {
            let step = scanner.next(&buffer, &mut index).unwrap();
            let used = match step {
                Step::Incomplete => break,
                Step::KeepAlive(used) => used,
                Step::Message(used) => {
                    let message = Message::new(&buffer[..used], &index);
                    match message.status() {
                        Some(_) => check_answer(message),
                        None => check_request(message),
                    }
                    lengths.push(used);
                    used
                }
            };
            buffer.drain(..used);
        }
    }
    assert!(buffer.is_empty());
    lengths
}

fn stream() -> Vec<u8> {
    [ANSWER, b"\r\n\r\n", REQUEST, ANSWER, REQUEST].concat()
}

#[test]
fn the_stream_is_the_same_cut_at_every_octet() {
    let stream = stream();
    let expected = [ANSWER.len(), REQUEST.len(), ANSWER.len(), REQUEST.len()];
    for cut in 0..=stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(feed([head, tail].into_iter()), expected, "cut at {cut}");
    }
    assert_eq!(feed(stream.chunks(1)), expected);
}

#[test]
fn what_a_server_must_not_send_is_named() {
    let answer = std::str::from_utf8(ANSWER).unwrap();
    let cases = [
        (answer.replace("SIP/2.0 200", "SIP/2.1 200"), ScanError::StartLine),
        (answer.replace("200 OK", "20 OK"), ScanError::StartLine),
        (answer.replace("200 OK", "2000 OK"), ScanError::StartLine),
        (answer.replace("200 OK", "099 OK"), ScanError::StartLine),
        (answer.replace("SIP/2.0 200 OK", "sip:x SIP/2.0"), ScanError::StartLine),
        (answer.replace("CSeq: 7", "CSeq: x"), ScanError::CSeq),
        (answer.replace("CSeq: 7", "CSeq: 2147483648"), ScanError::CSeq),
        (answer.replace("7 MESSAGE", "7"), ScanError::CSeq),
        (answer.replace("i: ", "x: "), ScanError::Missing),
        (answer.replace("Via: ", "Vis: "), ScanError::Missing),
        (answer.replace("i: ", "To: 1\r\ni: "), ScanError::Duplicate),
        (answer.replace("i: ", "l: 5\r\ni: "), ScanError::Duplicate),
        (answer.replace("Content-Length", "Content-Lengths"), ScanError::ContentLength),
        (answer.replace("Length: 5", "Length: -5"), ScanError::ContentLength),
        (answer.replace("Length: 5", "Length: 5000000"), ScanError::BodyTooLong),
        (answer.replace("i: ", "no colon\r\ni: "), ScanError::Header),
        (answer.replace("i: ", ": x\r\ni: "), ScanError::Header),
        (answer.replace("i: ", "a b: x\r\ni: "), ScanError::Header),
        (answer.replace("OK\r\n", "OK\r\n folded\r\n"), ScanError::Header),
        (answer.replace("i: ", "x: y\ni: "), ScanError::LineEnding),
        (answer.replace("i: ", "x: y\rz\r\ni: "), ScanError::LineEnding),
        (answer.replace("i: ", "x: y\0\r\ni: "), ScanError::LineEnding),
        (
            answer.replace("i: ", &format!("x: {}\r\ni: ", "y".repeat(HEAD_MAX))),
            ScanError::HeadTooLong,
        ),
        ("x".repeat(HEAD_MAX + 1), ScanError::HeadTooLong),
    ];
    for (text, error) in cases {
        let found = Scanner::default().next(text.as_bytes(), &mut Index::default());
        assert_eq!(found, Err(error), "{}", &text[..text.len().min(600)]);
    }
    let request = std::str::from_utf8(REQUEST).unwrap().replace("2 MESSAGE", "2 INFO");
    let found = Scanner::default().next(request.as_bytes(), &mut Index::default());
    assert_eq!(found, Err(ScanError::CSeq));
}

proptest! {
    #[test]
    fn any_octets_end_in_a_step_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut index = Index::default();
        if let Ok(Step::Message(len)) = Scanner::default().next(&bytes, &mut index) {
            prop_assert!(len <= bytes.len());
        }
    }

    #[test]
    fn any_change_of_a_message_ends_in_a_step_or_an_error(at in 0..ANSWER.len(), byte in any::<u8>()) {
        let mut bytes = ANSWER.to_vec();
        bytes[at] = byte;
        let mut index = Index::default();
        if let Ok(Step::Message(len)) = Scanner::default().next(&bytes, &mut index) {
            let message = Message::new(&bytes[..len], &index);
            let _ = (message.uri(), message.body(), param_of(message.value(Name::To), "tag"));
        }
    }
}
