//! A dialog that a request to us has made, as its end here keeps it (RFC 3261 section 12): what our
//! requests in it have in common, and both sequence numbers.

use std::ops::Range;

use bytes::{BufMut, BytesMut};

use super::dialog::DialogHash;
use crate::wire::sip::write::{self, Writer};
use crate::wire::sip::{Error, HeaderName, Message, Method, NameAddr, Uri};

/// Our end of a dialog.
#[derive(Debug)]
pub struct OwnDialog {
    /// Start line of every request of ours but for its method; then the lines they have in common,
    /// each with its CRLF: Max-Forwards, From, To, Call-ID, Contact, and those of the dialog's use.
    text: Box<[u8]>,
    start_len: u32,
    /// Where the Call-ID stands in `text`: every request of ours needs it.
    call_id: Range<u32>,
    id: DialogHash,
    local_cseq: u32,
    remote_cseq: u32,
}

impl OwnDialog {
    /// The dialog that `request` makes when it is accepted with `tag`; `contact` is the URI under
    /// which we take further requests, and `more` adds lines that all of ours bear.
    pub fn new(
        hasher: &ahash::RandomState,
        request: Message<'_>,
        tag: &[u8],
        contact: &str,
        more: impl FnOnce(Writer<'_>),
    ) -> Result<Self, Error> {
        let call_id = request.call_id()?;
        let from_tag = request.from_tag().ok_or(Error::NameAddr)?;
        let target = request.contacts().next().ok_or(Error::NameAddr)??.uri;
        Uri::parse(target)?;
        let (from, to) = (request.header(HeaderName::From), request.header(HeaderName::To));
        let (from, to) = (from.ok_or(Error::NameAddr)?, to.ok_or(Error::NameAddr)?);
        let mut our_end = BytesMut::with_capacity(to.len() + tag.len() + 5);
        our_end.put_slice(to);
        if request.to_tag().is_none() {
            our_end.put_slice(b";tag=");
            our_end.put_slice(tag);
        }
        let mut text = BytesMut::with_capacity(512);
        write::request(&mut text, "", target).end();
        let start_len = text.len() as u32;
        write::lines(&mut text)
            .line("Max-Forwards", "70")
            .line("From", &our_end)
            .line("To", from)
            .line("Call-ID", call_id)
            .end();
        let call_id_end = (text.len() as u32).saturating_sub(2);
        let call_id_at = call_id_end.saturating_sub(call_id.len() as u32)..call_id_end;
        more(write::lines(&mut text).line_fmt("Contact", format_args!("<{contact}>")));
        let tag = request.to_tag().unwrap_or(tag);
        Ok(OwnDialog {
            text: text.as_ref().into(),
            start_len,
            call_id: call_id_at,
            id: DialogHash::of(hasher, call_id, from_tag, tag),
            local_cseq: 0,
            remote_cseq: request.cseq()?.number,
        })
    }

    /// The identifier of requests from the other end.
    pub fn id(&self) -> DialogHash {
        self.id
    }

    /// Our tag.
    pub fn tag(&self) -> &[u8] {
        NameAddr::parse(self.line(b"From: ")).ok().and_then(|from| from.tag()).unwrap_or_default()
    }

    /// Length of the start line of a request by `method`: our Via follows it.
    pub fn start_line_len(&self, method: Method) -> usize {
        method.as_str().len() + self.start_len as usize
    }

    /// The Call-ID.
    pub fn call_id(&self) -> &[u8] {
        let Range { start, end } = self.call_id;
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// Octets of text that are kept of it.
    pub fn octets(&self) -> usize {
        self.text.len()
    }

    /// Takes note of a request of the other end; false when it is out of order (RFC 3261 section
    /// 12.2.2).
    pub fn order(&mut self, cseq: u32) -> bool {
        let next = cseq > self.remote_cseq;
        if next {
            self.remote_cseq = cseq;
        }
        next
    }

    /// The number of our next request.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// Writes our next request up to what is its own; `via` is our Via line with its CRLF. Returns
    /// its writer and number.
    pub fn request<'o>(
        &mut self,
        out: &'o mut BytesMut,
        method: Method,
        via: &[u8],
    ) -> (Writer<'o>, u32) {
        let cseq = self.next_cseq();
        let (start, lines) =
            self.text.split_at_checked(self.start_len as usize).unwrap_or_default();
        out.put_slice(method.as_str().as_bytes());
        out.put_slice(start);
        let writer = write::lines(out).raw(via).raw(lines);
        (writer.cseq(cseq, method), cseq)
    }

    /// The value of one of the lines all requests have in common.
    fn line(&self, name: &[u8]) -> &[u8] {
        let lines = self.text.get(self.start_len as usize..).unwrap_or_default();
        let line = lines.split(|octet| *octet == b'\n').find_map(|line| line.strip_prefix(name));
        line.map_or(&[], |line| line.strip_suffix(b"\r").unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;
    use crate::wire::sip::Head;

    const INVITE: &[u8] =
        b"INVITE sip:alice@example.test;gruu;opaque=app:conf:chat:id:1 SIP/2.0\r\n\
        Via: SIP/2.0/tls 127.0.0.1:42434\r\n\
        From: <sip:bob@example.test>;tag=5965962343;epid=aea5768aea0a\r\n\
        To: <sip:alice@example.test;gruu;opaque=app:conf:chat:id:1>\r\n\
        CSeq: 7 INVITE\r\n\
        Call-ID: 9981g273Aa60D0i8B5CmCCFCt6BDAb93F7x46F6x\r\n\
        Contact: <sip:bob@example.test;opaque=user:epid:DJNj2mKy;gruu>\r\n\
        Content-Length: 0\r\n\r\n";

    #[test]
    fn a_request_of_ours_has_the_tags_of_the_dialog_and_rising_numbers() {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut head = Head::default();
        assert!(matches!(head.index(INVITE, &Limits::default()), Ok(Some(_))));
        let invite = Message::new(INVITE, &head);
        let mut dialog =
            OwnDialog::new(&hasher, invite, b"ours", "sip:chat", |writer| writer.end()).unwrap();
        assert_eq!(dialog.call_id(), b"9981g273Aa60D0i8B5CmCCFCt6BDAb93F7x46F6x");
        assert_eq!(dialog.tag(), b"ours");
        assert_eq!((dialog.order(7), dialog.order(8), dialog.order(8)), (false, true, false));
        dialog.next_cseq();
        let mut out = BytesMut::new();
        let via = b"Via: SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bK1\r\n";
        let (writer, cseq) = dialog.request(&mut out, Method::Message, via);
        writer.body("text/plain", b"hi");
        assert_eq!(cseq, 2);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "MESSAGE sip:bob@example.test;opaque=user:epid:DJNj2mKy;gruu SIP/2.0\r\n\
             Via: SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bK1\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:alice@example.test;gruu;opaque=app:conf:chat:id:1>;tag=ours\r\n\
             To: <sip:bob@example.test>;tag=5965962343;epid=aea5768aea0a\r\n\
             Call-ID: 9981g273Aa60D0i8B5CmCCFCt6BDAb93F7x46F6x\r\n\
             Contact: <sip:chat>\r\n\
             CSeq: 2 MESSAGE\r\n\
             Content-Type: text/plain\r\n\
             Content-Length: 2\r\n\r\nhi"
        );
    }
}
