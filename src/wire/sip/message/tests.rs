use super::super::samples::{INVITE, OK, with_message};
use super::*;

#[test]
fn the_start_line_of_a_request_is_read() {
    with_message(INVITE, |m| {
        assert!(m.is_request());
        assert_eq!((m.method(), m.method_text()), (Method::Invite, &b"INVITE"[..]));
        assert_eq!(m.uri(), b"sip:bob@example.test;transport=tls");
        assert_eq!((m.status(), m.reason()), (0, &b""[..]));
        assert_eq!(m.body(), b"v=0\r\n");
    });
}

#[test]
fn the_start_line_of_a_response_is_read() {
    with_message(OK, |m| {
        assert!(!m.is_request());
        assert_eq!((m.status(), m.reason()), (200, &b"OK"[..]));
        assert_eq!((m.method(), m.method_text()), (Method::Message, &b"MESSAGE"[..]));
        assert_eq!((m.uri(), m.body()), (&b""[..], &b""[..]));
    });
}

#[test]
fn compact_forms_are_the_same_headers() {
    with_message(INVITE, |m| {
        assert_eq!(m.from_tag(), Some(&b"5095820831"[..]));
        assert_eq!(m.from().unwrap().display, b"Alice, A.");
        assert_eq!(m.to().unwrap().uri, b"sip:bob@example.test");
        assert_eq!(m.to_tag(), None);
        assert_eq!(m.call_id(), Ok(&b"41D6g5C3Ca64DBiDB27m194CtF3D5b6702x8D8Cx"[..]));
        assert_eq!(m.content_type(), Some(&b"application/sdp ; charset=utf-8"[..]));
        assert_eq!(m.media_type(), Some(&b"application/sdp"[..]));
        assert!(m.is_media_type("Application/SDP"));
    });
}

#[test]
fn blanks_before_the_colon_and_around_values_are_no_part_of_them() {
    with_message(INVITE, |m| {
        assert_eq!(m.max_forwards(), Ok(Some(70)));
        assert_eq!(m.other_headers("x-odd").collect::<Vec<_>>(), [b"some value"]);
        assert_eq!(m.other_headers("X-Empty").collect::<Vec<_>>(), [b""]);
        assert_eq!(m.other_headers("X-None").count(), 0);
    });
}

#[test]
fn lists_go_across_lines_and_folds() {
    with_message(INVITE, |m| {
        let supported: Vec<_> = m.list(HeaderName::Supported).collect();
        let expected: [&[u8]; 4] =
            [b"gruu-10", b"adhoclist", b"msrtc-event-categories", b"ms-sender"];
        assert_eq!(supported, expected);
        assert_eq!(m.headers(HeaderName::Supported).count(), 2);
        let raw = m.header(HeaderName::Supported);
        assert_eq!(raw, Some(&b"gruu-10, adhoclist,\r\n\t msrtc-event-categories"[..]));
        assert!(m.has_token(HeaderName::Supported, "MSRTC-Event-Categories"));
        assert!(!m.has_token(HeaderName::Supported, "gruu"));
        assert_eq!((m.via_count(), m.count(HeaderName::Via), m.head().via_count()), (3, 2, 2));
        let contacts: Vec<_> = m.contacts().map(|c| c.unwrap().uri).collect();
        let expected: [&[u8]; 2] = [b"sip:alice@example.test;gruu", b"sip:alice@10.0.0.1"];
        assert_eq!(contacts, expected);
        assert!(!m.is_contact_star());
    });
}

#[test]
fn the_top_via_is_the_first_of_its_list() {
    with_message(INVITE, |m| {
        let via = m.top_via().unwrap();
        assert_eq!((via.sent_by, via.branch()), (&b"127.0.0.1:41046"[..], None));
    });
}

#[test]
fn cseq_is_a_number_and_a_method() {
    let cseq = CSeq::parse(b"2147483647  \r\n INVITE").unwrap();
    assert_eq!(cseq, CSeq { number: 2_147_483_647, method: b"INVITE" });
    for bad in
        ["", "1", "INVITE", "1INVITE", "-1 ACK", "2147483648 ACK", "1 A CK", "99999999999 ACK"]
    {
        assert_eq!(CSeq::parse(bad.as_bytes()), Err(Error::CSeq), "{bad}");
    }
}

fn with_line<T>(line: &str, look: impl FnOnce(Message<'_>) -> T) -> T {
    let text = format!(
        "REGISTER sip:example.test SIP/2.0\r\nVia: SIP/2.0/TLS a\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n{line}\r\nContent-Length: 0\r\n\r\n"
    );
    with_message(text.as_bytes(), look)
}

#[test]
fn expires_saturates_and_refuses_garbage() {
    for (value, expected) in [
        ("0", Ok(Some(0))),
        ("7200", Ok(Some(7200))),
        ("4294967296", Ok(Some(u32::MAX))),
        ("99999999999999999999", Ok(Some(u32::MAX))),
        ("", Err(Error::Expires)),
        ("-1", Err(Error::Expires)),
        ("1e3", Err(Error::Expires)),
        ("60 60", Err(Error::Expires)),
    ] {
        with_line(&format!("Expires: {value}"), |m| assert_eq!(m.expires(), expected, "{value}"));
    }
    with_line("X: y", |m| assert_eq!(m.expires(), Ok(None)));
}

#[test]
fn a_contact_star_is_told_from_addresses() {
    with_line("Contact: *", |m| assert!(m.is_contact_star()));
    with_line("m:  * ", |m| assert!(m.is_contact_star()));
    with_line("Contact: *\r\nContact: <sip:a@b>", |m| assert!(!m.is_contact_star()));
    with_line("Contact: *, *", |m| assert!(!m.is_contact_star()));
    with_line("Contact: <sip:*@b>", |m| assert!(!m.is_contact_star()));
    with_line("Contact: %", |m| {
        assert_eq!(m.contacts().collect::<Vec<_>>(), [Err(Error::NameAddr)]);
    });
}
