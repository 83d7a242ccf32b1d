use super::super::samples::{INVITE, OK, with_message};
use super::*;

fn rewritten(bytes: &[u8], rewrite: Rewrite<'_>) -> String {
    let mut out = BytesMut::from(&b"before"[..]);
    with_message(bytes, |m| {
        rewrite.write(m, &mut out);
        let top = 6 + rewrite.start_line_len(m);
        assert_eq!(out.get(top..top + rewrite.top.len()), Some(rewrite.top));
        assert!(out.len() - 6 <= rewrite.len_max(m));
    });
    let text = std::str::from_utf8(&out[6..]).unwrap().to_owned();
    with_message(text.as_bytes(), |_| ());
    text
}

#[test]
fn no_edit_copies_every_octet() {
    for bytes in [INVITE, OK] {
        assert_eq!(rewritten(bytes, Rewrite::default()).as_bytes(), bytes);
    }
}

#[test]
fn a_proxy_forwards_a_request_in_one_pass() {
    let rewrite = Rewrite {
        uri: Some(b"sip:bob@10.0.0.2"),
        top: b"Via: SIP/2.0/TLS fe01;branch=z9hG4bK1\r\nRecord-Route: <sip:fe01;lr>\r\n",
        drop: HeaderSet::of(&[HeaderName::Supported, HeaderName::ContentLength]),
        drop_routes: 1,
        max_forwards: Some(69),
        bottom: b"P-Asserted-Identity: <sip:alice@example.test>\r\n",
        ..Rewrite::default()
    };
    assert_eq!(
        rewritten(INVITE, rewrite),
        "INVITE sip:bob@10.0.0.2 SIP/2.0\r\n\
         Via: SIP/2.0/TLS fe01;branch=z9hG4bK1\r\n\
         Record-Route: <sip:fe01;lr>\r\n\
         v: SIP/2.0/tls 127.0.0.1:41046, SIP/2.0/TLS edge.example.test;branch=z9hG4bK77;rport\r\n\
         Via: SIP/2.0/TCP [::1]:5060;branch=z9hG4bK78\r\n\
         Route: <sip:b.example.test;lr>\r\n\
         Route: <sip:c.example.test;lr>\r\n\
         f: \"Alice, A.\" <sip:alice@example.test>;tag=5095820831;epid=b34afb6ebb23\r\n\
         t: <sip:bob@example.test>\r\n\
         i: 41D6g5C3Ca64DBiDB27m194CtF3D5b6702x8D8Cx\r\n\
         CSeq: 1 INVITE\r\n\
         Max-Forwards: 69\r\n\
         m: <sip:alice@example.test;gruu>;proxy=replace,\r\n sip:alice@10.0.0.1;q=0.5\r\n\
         X-Empty:\r\n\
         X-Odd \t:  some value \t\r\n\
         c: application/sdp ; charset=utf-8\r\n\
         l:   5  \r\n\
         P-Asserted-Identity: <sip:alice@example.test>\r\n\
         \r\n\
         v=0\r\n"
    );
}

#[test]
fn the_first_via_leaves_with_its_line_or_out_of_its_list() {
    let rewrite = Rewrite { drop_first_via: true, ..Rewrite::default() };
    let response = rewritten(OK, rewrite);
    assert!(response.starts_with("SIP/2.0 200 OK\r\nVia: SIP/2.0/tls 127.0.0.1:41046\r\nFrom"));
    let request = rewritten(INVITE, rewrite);
    assert!(request.contains(
        "SIP/2.0\r\nVia: SIP/2.0/TLS edge.example.test;branch=z9hG4bK77;rport\r\nVia: SIP/2.0/TCP"
    ));
}

#[test]
fn routes_leave_across_lines_and_lists() {
    for (count, left) in [
        (
            0,
            "Route: <sip:a.example.test;lr>, <sip:b.example.test;lr>\r\nRoute: <sip:c.example.test;lr>\r\n",
        ),
        (2, "Route: <sip:c.example.test;lr>\r\n"),
        (3, ""),
        (9, ""),
    ] {
        let text = rewritten(INVITE, Rewrite { drop_routes: count, ..Rewrite::default() });
        assert!(text.contains(&format!("z9hG4bK78\r\n{left}f: ")), "{count}: {text}");
    }
}

#[test]
fn a_new_body_rewrites_content_length() {
    let rewrite = Rewrite {
        drop: HeaderSet::of(&[HeaderName::ContentType]),
        bottom: b"Content-Type: text/plain\r\n",
        body: Some(b"hello, world"),
        ..Rewrite::default()
    };
    let text = rewritten(INVITE, rewrite);
    assert!(text.ends_with(
        "some value \t\r\nContent-Length: 12\r\nContent-Type: text/plain\r\n\r\nhello, world"
    ));
}

#[test]
fn max_forwards_is_added_when_it_is_missing() {
    let text = rewritten(OK, Rewrite { max_forwards: Some(70), ..Rewrite::default() });
    assert!(text.ends_with("Content-Length: 0\r\nMax-Forwards: 70\r\n\r\n"));
}

#[test]
fn a_new_uri_cannot_break_the_start_line_and_leaves_responses_alone() {
    let text = rewritten(OK, Rewrite { uri: Some(b"sip:x"), ..Rewrite::default() });
    assert_eq!(text.as_bytes(), OK);
}
