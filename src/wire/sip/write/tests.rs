use super::super::samples::{INVITE, with_message};
use super::*;

fn text(out: &BytesMut) -> &str {
    std::str::from_utf8(out).unwrap()
}

#[test]
fn a_response_copies_what_rfc_3261_8_2_6_says() {
    let mut out = BytesMut::new();
    with_message(INVITE, |m| response(&mut out, m, 486, Some(b"ours"), None).finish());
    assert_eq!(
        text(&out),
        "SIP/2.0 486 Busy Here\r\n\
         Via: SIP/2.0/tls 127.0.0.1:41046, SIP/2.0/TLS edge.example.test;branch=z9hG4bK77;rport\r\n\
         Via: SIP/2.0/TCP [::1]:5060;branch=z9hG4bK78\r\n\
         From: \"Alice, A.\" <sip:alice@example.test>;tag=5095820831;epid=b34afb6ebb23\r\n\
         To: <sip:bob@example.test>;tag=ours\r\n\
         Call-ID: 41D6g5C3Ca64DBiDB27m194CtF3D5b6702x8D8Cx\r\n\
         CSeq: 1 INVITE\r\n\
         Content-Length: 0\r\n\
         \r\n"
    );
}

/// The Via lines of a 200 to a request with these, received from `peer`.
fn via_lines(vias: &str, peer: &str) -> String {
    let request = format!(
        "OPTIONS sip:example.test SIP/2.0\r\n{vias}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\n\
         Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let mut out = BytesMut::new();
    let peer = peer.parse().unwrap();
    with_message(request.as_bytes(), |m| response(&mut out, m, 200, None, Some(peer)).finish());
    let lines = text(&out).split("\r\n").filter(|line| line.starts_with("Via"));
    lines.collect::<Vec<_>>().join("|")
}

#[test]
fn received_and_rport_are_filled_in_the_top_via_only() {
    for (vias, expected) in [
        ("Via: SIP/2.0/tls 127.0.0.1:41046", "Via: SIP/2.0/tls 127.0.0.1:41046"),
        ("Via: SIP/2.0/TLS a.b ;branch=x", "Via: SIP/2.0/TLS a.b;branch=x;received=127.0.0.1"),
        (
            "Via: SIP/2.0/TLS 127.0.0.1:1;rport;branch=\"x;rport\"",
            "Via: SIP/2.0/TLS 127.0.0.1:1;rport=9;branch=\"x;rport\";received=127.0.0.1",
        ),
        (
            "Via: SIP/2.0/TLS 127.0.0.1;received=6.6.6.6;rport=6",
            "Via: SIP/2.0/TLS 127.0.0.1;rport=9;received=127.0.0.1",
        ),
        (
            "v: SIP/2.0/TLS a, SIP/2.0/TLS b;rport\r\nVia: SIP/2.0/TLS c;rport",
            "Via: SIP/2.0/TLS a;received=127.0.0.1, SIP/2.0/TLS b;rport|Via: SIP/2.0/TLS c;rport",
        ),
        ("Via: garbage\r\nVia: SIP/2.0/TLS c", "Via: garbage|Via: SIP/2.0/TLS c"),
    ] {
        assert_eq!(via_lines(vias, "127.0.0.1:9"), expected);
    }
    assert_eq!(via_lines("Via: SIP/2.0/TLS [::1]:5", "[::1]:9"), "Via: SIP/2.0/TLS [::1]:5");
    assert_eq!(
        via_lines("Via: SIP/2.0/TLS [::2]:5", "[::1]:9"),
        "Via: SIP/2.0/TLS [::2]:5;received=::1"
    );
}

#[test]
fn a_to_with_a_tag_keeps_it_and_a_bare_one_gets_it_as_header_parameter() {
    for (to, expected) in [
        ("<sip:a@b>;tag=theirs", "To: <sip:a@b>;tag=theirs"),
        ("<sip:a@b;tag=uri>", "To: <sip:a@b;tag=uri>;tag=ours"),
        ("sip:a@b", "To: sip:a@b;tag=ours"),
    ] {
        let request = format!(
            "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS a\r\nFrom: <sip:a@b>;tag=1\r\nTo: {to}\r\n\
             Call-ID: 1\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n"
        );
        let mut out = BytesMut::new();
        with_message(request.as_bytes(), |m| {
            response(&mut out, m, 481, Some(b"ours"), None).finish()
        });
        assert!(text(&out).contains(&format!("\r\n{expected}\r\n")), "{}", text(&out));
    }
}

#[test]
fn a_request_is_built_line_by_line() {
    let mut out = BytesMut::new();
    request(&mut out, "MESSAGE", b"sip:bob@example.test")
        .line("Via", b"SIP/2.0/TLS fe01;branch=z9hG4bK1")
        .line_fmt("CSeq", format_args!("{} {}", 7, "MESSAGE"))
        .raw(b"From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\n")
        .body("text/plain", b"hello");
    assert_eq!(
        text(&out),
        "MESSAGE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TLS fe01;branch=z9hG4bK1\r\n\
         CSeq: 7 MESSAGE\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nContent-Type: text/plain\r\n\
         Content-Length: 5\r\n\r\nhello"
    );
}

#[test]
fn a_value_cannot_write_a_line_of_its_own() {
    let mut out = BytesMut::new();
    status_line(&mut out, 500, Some("a\r\nX: y"))
        .line("Subject", "b\r\nX: y\0\x7f\tz")
        .line_fmt("Reason", format_args!("{}\n{}", "c\r", "d"))
        .body("t/p\r\nX: y", b"\r\n");
    assert_eq!(
        text(&out),
        "SIP/2.0 500 a  X: y\r\nSubject: b  X: y  \tz\r\nReason: c  d\r\n\
         Content-Type: t/p  X: y\r\nContent-Length: 2\r\n\r\n\r\n"
    );
}

#[test]
fn decimals_of_every_length_are_written() {
    for number in [0, 9, 10, 99, 100, 65_535, 1_000_000_000, u32::MAX] {
        let mut out = BytesMut::new();
        put_decimal(&mut out, number);
        assert_eq!(text(&out), number.to_string());
    }
}
