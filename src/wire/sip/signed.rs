//! What a signature of the MS dialect covers (MS-SIPAE; versions 3 and 4): the same parts of every
//! message, each between angle brackets.
//!
//! They are cut out of the text as the Lync client cuts them, not as the grammar would have it:
//! it takes the first `<`, the first `;tag=`, knows no quotes and no compact header names. A
//! signature over any other reading is invalid to it, and it leaves the server for that; so
//! somebody else's display name must not decide it.

use super::header::HeaderName;
use super::message::Message;

/// The covered parts of one message; one that is not there is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignedParts<'a> {
    call_id: &'a [u8],
    cseq_number: &'a [u8],
    method: &'a [u8],
    from_uri: &'a [u8],
    from_tag: &'a [u8],
    to_uri: &'a [u8],
    to_tag: &'a [u8],
    sip_identity: &'a [u8],
    tel_identity: &'a [u8],
    expires: &'a [u8],
    /// 0 for a request.
    status: u16,
}

impl<'a> SignedParts<'a> {
    /// The parts of a message; `None` when the client could not read them: a covered header in its
    /// compact form, or a CSeq without a space.
    pub fn of(message: Message<'a>) -> Option<Self> {
        let (from, to) = (line(message, HeaderName::From)?, line(message, HeaderName::To)?);
        let cseq = line(message, HeaderName::CSeq)?;
        let space = cseq.iter().position(|octet| *octet == b' ')?;
        let (cseq_number, cseq_method) = cseq.split_at_checked(space)?;
        let method = match message.is_request() {
            true => message.method_text(),
            false => cseq_method.get(1..)?,
        };
        let identity = match line(message, HeaderName::PAssertedIdentity)? {
            b"" => line(message, HeaderName::PPreferredIdentity)?,
            asserted => asserted,
        };
        let (sip_identity, tel_identity) = identities(identity);
        Some(SignedParts {
            call_id: line(message, HeaderName::CallId)?,
            cseq_number,
            method,
            from_uri: between(from, b"<", b'>').unwrap_or_default(),
            from_tag: between(from, b";tag=", b';').unwrap_or_default(),
            to_uri: between(to, b"<", b'>').unwrap_or_default(),
            to_tag: between(to, b";tag=", b';').unwrap_or_default(),
            sip_identity,
            tel_identity,
            expires: line(message, HeaderName::Expires)?,
            status: message.status(),
        })
    }

    /// Gives the covered text to `put`, in pieces: `<Call-ID><CSeq number>…<Expires>`, and of a
    /// response its status.
    pub fn write(&self, mut put: impl FnMut(&[u8])) {
        let parts = [
            self.call_id,
            self.cseq_number,
            self.method,
            self.from_uri,
            self.from_tag,
            self.to_uri,
            self.to_tag,
            self.sip_identity,
            self.tel_identity,
            self.expires,
        ];
        for part in parts {
            put(b"<");
            put_unfolded(part, &mut put);
            put(b">");
        }
        if self.status > 0 {
            let digit = |value: u16| b'0' + (value % 10) as u8;
            let status = self.status;
            put(&[b'<', digit(status / 100), digit(status / 10), digit(status), b'>']);
        }
    }
}

/// The first header of that name to the end of its line, with the blanks there; empty when there
/// is none, `None` when its name is written in the compact form.
fn line<'a>(message: Message<'a>, name: HeaderName) -> Option<&'a [u8]> {
    let Some(field) = message.head().first(name) else { return Some(&[]) };
    let bytes = message.bytes();
    if field.name_span.of(bytes).len() != name.as_str().len() {
        return None;
    }
    let (start, end) = (usize::from(field.value.start), usize::from(field.value.end));
    let blanks = bytes.get(end..)?.iter().take_while(|octet| matches!(octet, b' ' | b'\t'));
    bytes.get(start..end.checked_add(blanks.count())?)
}

/// What stands behind the first `before` and in front of the next `after`, or of the end; `None`
/// without `before`.
fn between<'a>(text: &'a [u8], before: &[u8], after: u8) -> Option<&'a [u8]> {
    let start = memchr::memmem::find(text, before)?.checked_add(before.len())?;
    let rest = text.get(start..)?;
    rest.get(..memchr::memchr(after, rest).unwrap_or(rest.len()))
}

/// The first SIP and the first telephone URI of an identity header.
fn identities(text: &[u8]) -> (&[u8], &[u8]) {
    let starts = |text: &[u8], scheme: &[u8]| {
        text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    if starts(text, b"tel:") {
        return (&[], text);
    }
    let uris = || text.split(|octet| *octet == b',').filter_map(|part| between(part, b"<", b'>'));
    let first = |scheme| uris().find(|uri| starts(uri, scheme)).unwrap_or_default();
    (first(b"sip:"), first(b"tel:"))
}

/// A folded line becomes one: the line break and the blanks behind it are one space.
fn put_unfolded(mut text: &[u8], put: &mut impl FnMut(&[u8])) {
    while let Some(at) = memchr::memchr2(b'\r', b'\n', text) {
        let (before, fold) = text.split_at_checked(at).unwrap_or((text, &[]));
        put(before);
        put(b" ");
        let blanks = fold.iter().take_while(|octet| octet.is_ascii_whitespace()).count();
        text = fold.get(blanks..).unwrap_or_default();
    }
    put(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;
    use crate::wire::sip::Head;

    fn covered(text: &str) -> Option<String> {
        let mut head = Head::new();
        head.index(text.as_bytes(), &Limits::default()).unwrap().unwrap();
        let parts = SignedParts::of(Message::new(text.as_bytes(), &head))?;
        let mut out = Vec::new();
        parts.write(|piece| out.extend_from_slice(piece));
        Some(String::from_utf8(out).unwrap())
    }

    fn request(from: &str, more: &str) -> String {
        format!(
            "MESSAGE sip:bob@b.test SIP/2.0\r\nVia: SIP/2.0/TLS h;branch=z\r\nFrom: {from}\r\n\
             To: <sip:bob@b.test>;tag=2\r\nCall-ID: c\r\nCSeq: 7 MESSAGE\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }

    #[test]
    fn a_request_is_covered_in_ten_parts_and_a_response_in_eleven() {
        assert_eq!(
            covered(&request("<sip:a@b.test>;tag=1;epid=e", "Expires: 600\r\n")).unwrap(),
            "<c><7><MESSAGE><sip:a@b.test><1><sip:bob@b.test><2><><><600>"
        );
        let answer = "SIP/2.0 202 OK\r\nVia: SIP/2.0/TLS h\r\nFrom: <sip:a@b.test>;tag=1\r\n\
            To: <sip:bob@b.test>;tag=2\r\nCall-ID: c\r\nCSeq: 7 MESSAGE\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(
            covered(answer).unwrap(),
            "<c><7><MESSAGE><sip:a@b.test><1><sip:bob@b.test><2><><><><202>"
        );
    }

    #[test]
    fn the_identities_are_the_first_of_each_kind_asserted_before_preferred() {
        let identities = |lines: &str| {
            let text = covered(&request("<sip:a@b.test>;tag=1", lines)).unwrap();
            text.split_once("<2>").unwrap().1.to_owned()
        };
        let both = "P-Preferred-Identity: <sip:x@b.test>\r\n\
            P-Asserted-Identity: \"A, B\" <SIP:a@b.test>, <tel:+1>, <sip:c@b.test>\r\n";
        assert_eq!(identities(both), "<SIP:a@b.test><tel:+1><>");
        assert_eq!(identities("P-Preferred-Identity: <sip:x@b.test>\r\n"), "<sip:x@b.test><><>");
        assert_eq!(identities("P-Asserted-Identity: tel:+1234\r\n"), "<><tel:+1234><>");
        assert_eq!(identities("P-Asserted-Identity: sip:x@b.test\r\n"), "<><><>");
    }

    #[test]
    fn odd_headers_are_read_as_the_client_reads_them() {
        let from = |from: &str| {
            let text = covered(&request(from, "")).unwrap();
            let text = text.strip_prefix("<c><7><MESSAGE>").unwrap().to_owned();
            text.strip_suffix("<sip:bob@b.test><2><><><>").unwrap().to_owned()
        };
        assert_eq!(from("sip:a@b.test;tag=1"), "<><1>");
        assert_eq!(from("\"x<y\" <sip:a@b.test>;tag=1"), "<y\" <sip:a@b.test><1>");
        assert_eq!(from("<sip:a@b.test;tag=u>;tag=1"), "<sip:a@b.test;tag=u><u>>");
        assert_eq!(from("<sip:a@b.test>;Tag=1"), "<sip:a@b.test><>");
        assert_eq!(from("<sip:a@b.test>;tag=1 \t"), "<sip:a@b.test><1 \t>");
        assert_eq!(from("<sip:a@b.test>;tag=1\r\n \t;x=y"), "<sip:a@b.test><1 >");
    }

    #[test]
    fn what_the_client_cannot_read_has_no_parts() {
        let plain = request("<sip:a@b.test>;tag=1", "");
        for (long, short) in [("From:", "f:"), ("To:", "t:"), ("Call-ID:", "i:")] {
            assert_eq!(covered(&plain.replace(long, short)), None, "{short}");
        }
        assert_eq!(covered(&plain.replace("7 MESSAGE", "7\tMESSAGE")), None);
    }
}
