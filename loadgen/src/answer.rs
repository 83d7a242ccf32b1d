//! Answers to requests that a server sends us (RFC 3261 section 8.2.6).

use crate::number::push_number;
use crate::scan::{Message, Name, param_of};

/// What stands in an answer besides the copied headers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extra<'a> {
    /// Contact URI; empty for none.
    pub contact: &'a [u8],
    /// True when Record-Route is copied (answers that make a dialog).
    pub record_route: bool,
    /// Session description; empty for none.
    pub sdp: &'a [u8],
}

/// Appends an answer with this status line text (`200 OK`). `tag` is added to To when it has none.
pub fn answer(
    request: Message<'_>,
    status: &str,
    tag: &[u8],
    extra: &Extra<'_>,
    out: &mut Vec<u8>,
) {
    out.extend_from_slice(b"SIP/2.0 ");
    out.extend_from_slice(status.as_bytes());
    out.extend_from_slice(b"\r\n");
    for via in request.values(Name::Via) {
        line(out, b"Via: ", via);
    }
    if extra.record_route {
        for route in request.values(Name::RecordRoute) {
            line(out, b"Record-Route: ", route);
        }
    }
    line(out, b"From: ", request.value(Name::From));
    let to = request.value(Name::To);
    out.extend_from_slice(b"To: ");
    out.extend_from_slice(to);
    if param_of(to, "tag").is_none() {
        out.extend_from_slice(b";tag=");
        out.extend_from_slice(tag);
    }
    out.extend_from_slice(b"\r\n");
    line(out, b"Call-ID: ", request.value(Name::CallId));
    out.extend_from_slice(b"CSeq: ");
    push_number(out, u64::from(request.cseq()));
    out.push(b' ');
    out.extend_from_slice(request.method());
    out.extend_from_slice(b"\r\n");
    if !extra.contact.is_empty() {
        out.extend_from_slice(b"Contact: <");
        out.extend_from_slice(extra.contact);
        out.extend_from_slice(b">\r\n");
    }
    if !extra.sdp.is_empty() {
        out.extend_from_slice(b"Content-Type: application/sdp\r\n");
    }
    out.extend_from_slice(b"Content-Length: ");
    push_number(out, extra.sdp.len() as u64);
    out.extend_from_slice(b"\r\n\r\n");
    out.extend_from_slice(extra.sdp);
}

fn line(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Index, Scanner, Step};

    #[test]
    fn every_via_is_copied_and_a_tag_added_once() {
        let request =
            b"INVITE sip:b SIP/2.0\r\nVia: SIP/2.0/TLS a;branch=1\r\nv: SIP/2.0/tls b\r\n\
            Record-Route: <sip:p;lr>\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: c\r\n\
            CSeq: 9 INVITE\r\nContent-Length: 0\r\n\r\n";
        let mut index = Index::default();
        assert_eq!(Scanner::default().next(request, &mut index), Ok(Step::Message(request.len())));
        let mut out = Vec::new();
        let extra = Extra { contact: b"sip:b@x", record_route: true, sdp: b"v=0\r\n" };
        answer(Message::new(request, &index), "200 OK", b"t", &extra, &mut out);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/TLS a;branch=1\r\nVia: SIP/2.0/tls b\r\n\
             Record-Route: <sip:p;lr>\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>;tag=t\r\nCall-ID: c\r\n\
             CSeq: 9 INVITE\r\nContact: <sip:b@x>\r\nContent-Type: application/sdp\r\n\
             Content-Length: 5\r\n\r\nv=0\r\n"
        );
    }
}
