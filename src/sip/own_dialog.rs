//! A dialog that a request to us has made, as its end here keeps it (RFC 3261 section 12): what our
//! requests in it have in common, and both sequence numbers.

use bytes::{BufMut, BytesMut};

use super::dialog::DialogHash;
use crate::wire::sip::write::{self, Writer};
use crate::wire::sip::{Error, HeaderName, Message, Method, NameAddr};

/// Our end of a dialog.
#[derive(Debug)]
pub struct OwnDialog {
    /// Start line of every request of ours but for its method; then the lines they have in common,
    /// each with its CRLF: Max-Forwards, From, To, Call-ID, Contact, and those of the dialog's use.
    text: Box<[u8]>,
    start_len: u32,
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
        more(
            write::lines(&mut text)
                .line("Max-Forwards", "70")
                .line("From", &our_end)
                .line("To", from)
                .line("Call-ID", call_id)
                .line_fmt("Contact", format_args!("<{contact}>")),
        );
        let tag = request.to_tag().unwrap_or(tag);
        Ok(OwnDialog {
            text: text.as_ref().into(),
            start_len,
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
        self.line(b"Call-ID: ")
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
