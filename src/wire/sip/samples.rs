//! Messages for the tests of this module.

use super::{Framed, Framer, Head, Message};
use crate::base::limits::Limits;

/// An INVITE with folds, compact forms, lists, unknown headers and odd blanks.
pub const INVITE: &[u8] = b"INVITE sip:bob@example.test;transport=tls SIP/2.0\r\n\
    v: SIP/2.0/tls 127.0.0.1:41046, SIP/2.0/TLS edge.example.test;branch=z9hG4bK77;rport\r\n\
    Via: SIP/2.0/TCP [::1]:5060;branch=z9hG4bK78\r\n\
    Route: <sip:a.example.test;lr>, <sip:b.example.test;lr>\r\n\
    Route: <sip:c.example.test;lr>\r\n\
    f: \"Alice, A.\" <sip:alice@example.test>;tag=5095820831;epid=b34afb6ebb23\r\n\
    t: <sip:bob@example.test>\r\n\
    i: 41D6g5C3Ca64DBiDB27m194CtF3D5b6702x8D8Cx\r\n\
    CSeq: 1 INVITE\r\n\
    Max-Forwards : 70\r\n\
    m: <sip:alice@example.test;gruu>;proxy=replace,\r\n sip:alice@10.0.0.1;q=0.5\r\n\
    k: gruu-10, adhoclist,\r\n\t msrtc-event-categories\r\n\
    Supported: ms-sender\r\n\
    X-Empty:\r\n\
    X-Odd \t:  some value \t\r\n\
    c: application/sdp ; charset=utf-8\r\n\
    l:   5  \r\n\
    \r\n\
    v=0\r\n";

/// A response with two Via lines.
pub const OK: &[u8] = b"SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKours\r\n\
    Via: SIP/2.0/tls 127.0.0.1:41046\r\n\
    From: <sip:alice@example.test>;tag=1\r\n\
    To: <sip:bob@example.test>;tag=2\r\n\
    Call-ID: x@y\r\n\
    CSeq: 2 MESSAGE\r\n\
    Content-Length: 0\r\n\
    \r\n";

/// Frames `bytes` as one whole, well-formed message.
pub fn frame(bytes: &[u8]) -> Head {
    let mut head = Head::new();
    let framed = Framer::new().next(bytes, &Limits::default(), &mut head);
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(framed, Ok(Framed::Message { len: bytes.len() }), "{text}");
    head
}

/// Frames `bytes` and shows the message to `look`.
pub fn with_message<T>(bytes: &[u8], look: impl FnOnce(Message<'_>) -> T) -> T {
    let head = frame(bytes);
    look(Message::new(bytes, &head))
}
