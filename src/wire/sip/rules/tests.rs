use super::super::{Framed, Framer, Head, StreamError};
use super::*;
use crate::base::limits::Limits;

const START: &str = "MESSAGE sip:bob@example.test SIP/2.0";
const LINES: [&str; 7] = [
    "Via: SIP/2.0/TLS a",
    "From: <sip:alice@example.test>;tag=1",
    "To: <sip:bob@example.test>",
    "Call-ID: 1",
    "CSeq: 1 MESSAGE",
    "Max-Forwards: 70",
    "Content-Length: 0",
];

/// What the framer says of a message of this start line and these lines.
fn judge(start: &str, lines: &[&str]) -> Result<(), Error> {
    judge_octets(format!("{start}\r\n{}\r\n\r\n", lines.join("\r\n")).as_bytes())
}

fn judge_octets(bytes: &[u8]) -> Result<(), Error> {
    let mut head = Head::new();
    match Framer::new().next(bytes, &Limits::default(), &mut head) {
        Ok(Framed::Message { len }) if len == bytes.len() => Ok(()),
        Ok(Framed::Malformed { len, error }) if len == bytes.len() => Err(error),
        other => panic!("{other:?}: {}", String::from_utf8_lossy(bytes)),
    }
}

/// The request above with the line of one header replaced.
fn with(name: &str, line: &str) -> Result<(), Error> {
    let lines = LINES.map(|l| if l.starts_with(name) { line } else { l });
    judge(START, &lines)
}

/// The request above with one line more.
fn and(line: &str) -> Result<(), Error> {
    judge(START, &[&[line], &LINES[..]].concat())
}

#[test]
fn a_request_with_the_mandatory_headers_is_a_message() {
    assert_eq!(judge(START, &LINES), Ok(()));
    assert_eq!(judge("SIP/2.0 200 OK", &LINES), Ok(()));
}

#[test]
fn each_mandatory_header_is_missed_by_name() {
    for (place, name) in MANDATORY.into_iter().enumerate() {
        let mut lines = LINES.to_vec();
        lines.remove(place);
        assert_eq!(judge(START, &lines), Err(Error::MissingHeader(name)));
        assert_eq!(judge("SIP/2.0 200 OK", &lines), Err(Error::MissingHeader(name)));
        assert_eq!(Error::MissingHeader(name).reason(), format!("Missing {}", name.as_str()));
    }
    let mut lines = LINES.to_vec();
    lines.remove(5);
    assert_eq!(judge(START, &lines), Ok(()), "Max-Forwards is tolerated to be missing");
}

#[test]
fn headers_that_stand_once_are_refused_twice() {
    for name in HeaderName::ALL.into_iter().filter(|name| name.is_single()) {
        if name == HeaderName::ContentLength {
            continue;
        }
        let line = LINES.into_iter().find(|line| line.starts_with(name.as_str()));
        let line = line.map_or(format!("{}: x", name.as_str()), str::to_owned);
        assert_eq!(and(&format!("{line}\r\n{line}")), Err(Error::DuplicateHeader(name)), "{line}");
    }
    for (line, name) in [("i: 2", HeaderName::CallId), ("FROM: <sip:c@d>", HeaderName::From)] {
        assert_eq!(and(line), Err(Error::DuplicateHeader(name)));
    }
    assert_eq!(and("Via: SIP/2.0/TLS b\r\nv: SIP/2.0/TLS c"), Ok(()));
    assert_eq!(and("Subject: x\r\ns: x"), Err(Error::DuplicateHeader(HeaderName::Subject)));
    assert_eq!(and("X: y\r\nX: y"), Ok(()));
}

#[test]
fn the_start_line_of_a_request_is_three_words() {
    for good in [
        "MESSAGE sip:bob@example.test SIP/2.0",
        "MESSAGE tel:+1-201-555-0123 SIP/2.0",
        "MESSAGE nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0",
        "MESSAGE sip:[2001:db8::1];transport=tls?x=%20 sip/2.0",
    ] {
        assert_eq!(judge(good, &LINES), Ok(()), "{good}");
    }
    for (bad, error) in [
        ("MESSAGE sip:bob@example.test SIP/2.0 ", Error::StartLine),
        ("MESSAGE sip:bob@example.test SIP/2.0\t", Error::StartLine),
        ("MESSAGE sip:bob@example.test SIP/2", Error::StartLine),
        ("MESSAGE sip:bob@example.test SIP/2.0.0", Error::StartLine),
        ("MESSAGE sip:bob@example.test SIP/", Error::StartLine),
        ("MESSAGE sip:bob@example.test SIP/7.0", Error::Version),
        ("MESSAGE sip:bob@example.test SIP/2.00", Error::Version),
        ("MESSAGE  sip:bob@example.test SIP/2.0", Error::RequestUri),
        ("MESSAGE sip:bob@example.test  SIP/2.0", Error::RequestUri),
        ("MESSAGE sip:bob@example.test; lr SIP/2.0", Error::RequestUri),
        ("MESSAGE <sip:bob@example.test> SIP/2.0", Error::RequestUri),
        ("MESSAGE bob SIP/2.0", Error::RequestUri),
        ("MESSAGE sip: SIP/2.0", Error::RequestUri),
        ("MESSAGE * SIP/2.0", Error::RequestUri),
        ("MESSAGE  SIP/2.0", Error::RequestUri),
        ("MESSAGE SIP/2.0", Error::RequestUri),
        ("MESSAGE sip:b\u{f6}b@example.test SIP/2.0", Error::RequestUri),
        ("MESSAGE sip:bob\u{1}@example.test SIP/2.0", Error::HeaderValue),
    ] {
        assert_eq!(judge(bad, &LINES), Err(error), "{bad}");
    }
    assert_eq!(Error::Version.status(), 505);
    assert_eq!(Error::StartLine.status(), 400);
}

#[test]
fn the_start_line_of_a_response_is_version_status_reason() {
    for good in ["SIP/2.0 100 ", "SIP/2.0 200", "SIP/2.0 699 a b\u{fc}c", "sip/2.0 200 OK"] {
        assert_eq!(judge(good, &LINES), Ok(()), "{good}");
    }
    for (bad, error) in [
        ("SIP/2.0 099 x", Error::StatusCode),
        ("SIP/2.0 700 x", Error::StatusCode),
        ("SIP/2.0 20 x", Error::StatusCode),
        ("SIP/2.0 2000 x", Error::StatusCode),
        ("SIP/2.0 +20 x", Error::StatusCode),
        ("SIP/2.0  200 x", Error::StatusCode),
        ("SIP/2.0 OK", Error::StatusCode),
        ("SIP/2.0 ", Error::StatusCode),
        ("SIP/3.0 200 OK", Error::Version),
        ("SIP/x 200 OK", Error::StartLine),
        ("SIP/2.0", Error::StatusCode),
    ] {
        assert_eq!(judge(bad, &LINES), Err(error), "{bad}");
    }
}

#[test]
fn only_blanks_stand_between_a_name_and_its_colon() {
    for good in ["X : y", "X\t: y", "X \t : y", "X:y", "X:", "!%*_+`'~.-: y"] {
        assert_eq!(and(good), Ok(()), "{good}");
    }
    for bad in [
        "X",
        "X y: z",
        ": y",
        " : y",
        "X\r\n : y",
        "X\u{a0}: y",
        "X@: y",
        "X/y: z",
        "\"X\": y",
        "X\u{b}: y",
        "<X>: y",
    ] {
        let error = if bad.contains('\u{b}') { Error::HeaderValue } else { Error::HeaderName };
        assert_eq!(and(bad), Err(error), "{bad:?}");
    }
    // A continuation of the start line.
    assert_eq!(and(" X: y"), Err(Error::HeaderName));
}

#[test]
fn control_octets_in_values_are_refused_and_tabs_are_not() {
    for octet in (1..0x20u8).chain([0x7f]) {
        if matches!(octet, b'\r' | b'\n') {
            continue;
        }
        let expected = if octet == b'\t' { Ok(()) } else { Err(Error::HeaderValue) };
        assert_eq!(and(&format!("X: a{}b", char::from(octet))), expected, "{octet:#x}");
    }
    assert_eq!(and("X: \u{e4}\u{20ac}"), Ok(()), "UTF-8 is text");
    let mut latin = b"MESSAGE sip:b@x SIP/2.0\r\nX: \xff\r\n".to_vec();
    latin.extend(LINES.join("\r\n").bytes());
    latin.extend(b"\r\n\r\n");
    assert_eq!(judge_octets(&latin), Ok(()));
}

#[test]
fn cseq_is_a_number_below_two_to_the_31_and_the_method() {
    assert_eq!(with("CSeq", "CSeq: 2147483647\t MESSAGE"), Ok(()));
    assert_eq!(with("CSeq", "CSeq: 0 MESSAGE"), Ok(()));
    for bad in ["2147483648 MESSAGE", "MESSAGE", "1", "", "-1 MESSAGE", "1 ME/SSAGE", "1MESSAGE"] {
        assert_eq!(with("CSeq", &format!("CSeq: {bad}")), Err(Error::CSeq), "{bad}");
    }
    for other in ["1 INVITE", "1 message"] {
        assert_eq!(with("CSeq", &format!("CSeq: {other}")), Err(Error::CSeqMethod), "{other}");
        let lines = LINES.map(|l| if l.starts_with("CSeq") { "CSeq: 1 INVITE" } else { l });
        assert_eq!(judge("SIP/2.0 200 OK", &lines), Ok(()), "a response has no method of its own");
    }
}

#[test]
fn max_forwards_is_a_number_up_to_255() {
    for (value, expected) in [
        ("0", Ok(())),
        ("255", Ok(())),
        ("256", Err(Error::MaxForwards)),
        ("", Err(Error::MaxForwards)),
        ("-1", Err(Error::MaxForwards)),
        ("7 0", Err(Error::MaxForwards)),
        ("4294967366", Err(Error::MaxForwards)),
    ] {
        assert_eq!(with("Max", &format!("Max-Forwards: {value}")), expected, "{value}");
    }
}

#[test]
fn from_and_to_are_addresses_and_call_id_is_a_word() {
    for name in ["From", "To"] {
        assert_eq!(with(name, &format!("{name}: \"A\\\"\" <sip:a@b>\r\n ;tag=x")), Ok(()));
        for bad in ["", "<>", "alice", "<sip:a@b", "<sip:a@b>, <sip:c@d>", "\"open <sip:a@b>"] {
            let judged = with(name, &format!("{name}: {bad}"));
            assert!(matches!(judged, Err(Error::NameAddr | Error::Params)), "{bad}: {judged:?}");
        }
        let twice = with(name, &format!("{name}: <sip:a@b>;tag=x;tag=y"));
        assert_eq!(twice, Err(Error::Params), "two tags name two dialogs");
    }
    for bad in ["", "a b", "a,b", "\u{e4}"] {
        assert_eq!(with("Call-ID", &format!("Call-ID: {bad}")), Err(Error::CallId), "{bad}");
    }
    assert_eq!(with("Call-ID", "Call-ID: f81d4fae-7dec@[::1]<x>"), Ok(()));
}

#[test]
fn the_first_broken_rule_of_the_lines_is_told() {
    assert_eq!(and("Bad Name: x\r\nX: \u{1}"), Err(Error::HeaderName));
    assert_eq!(and("X: \u{1}\r\nBad Name: x"), Err(Error::HeaderValue));
}

#[test]
fn a_malformed_message_leaves_the_stream_whole() {
    let bad = format!("{START}\r\nContent-Length: 4\r\n\r\nbody");
    let good = format!("{START}\r\n{}\r\n\r\n", LINES.join("\r\n"));
    let stream = [bad.as_bytes(), good.as_bytes()].concat();
    let mut framer = Framer::new();
    let mut head = Head::new();
    let first = framer.next(&stream, &Limits::default(), &mut head);
    let error = Error::MissingHeader(HeaderName::Via);
    assert_eq!(first, Ok(Framed::Malformed { len: bad.len(), error }));
    let second = framer.next(&stream[bad.len()..], &Limits::default(), &mut head);
    assert_eq!(second, Ok(Framed::Message { len: good.len() }));
}

#[test]
fn errors_have_a_text_and_a_status() {
    for error in [Error::StartLine, Error::Via, Error::Credentials, Error::CSeqMethod] {
        assert!(!error.reason().is_empty() && error.status() == 400);
    }
    for error in [StreamError::NotSip, StreamError::LineEnding, StreamError::HeadTooLong] {
        assert!(!error.reason().is_empty() && (400..=513).contains(&error.status()));
    }
}
