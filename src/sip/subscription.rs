//! The dialog of a subscription as the notifier keeps it (RFC 6665 section 4.2; MS-SIP for
//! BENOTIFY, which is a NOTIFY that nobody answers).

use bytes::{BufMut, Bytes, BytesMut};

use super::dialog::DialogHash;
use crate::base::time::{Deadline, Now};
use crate::wire::mime::multipart::Written;
use crate::wire::sip::write::{self, Writer};
use crate::wire::sip::{Error, HeaderName, Message, Method, NameAddr};

/// A subscription's dialog: what its notifications have in common, and both sequence numbers.
#[derive(Debug)]
pub struct Subscription {
    /// Start line of every notification but for its method; then the lines they have in common,
    /// each with its CRLF: Max-Forwards, From, To, Call-ID, Contact and Event.
    text: Box<[u8]>,
    start_len: u32,
    id: DialogHash,
    local_cseq: u32,
    remote_cseq: u32,
    expires_at: Deadline,
}

/// What a notification says of the subscription itself (RFC 6665 section 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes on for so many seconds.
    Active(u32),
    /// It is over, and why; the reason may be empty.
    Terminated(&'static str),
}

impl Subscription {
    /// The dialog that the SUBSCRIBE `request` makes when it is accepted with `tag`; `contact` is
    /// the URI under which we take further requests.
    pub fn new(
        hasher: &ahash::RandomState,
        request: Message<'_>,
        tag: &[u8],
        contact: &str,
        expires_at: Deadline,
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
        write::lines(&mut text)
            .line("Max-Forwards", "70")
            .line("From", &our_end)
            .line("To", from)
            .line("Call-ID", call_id)
            .line_fmt("Contact", format_args!("<{contact}>"))
            .line("Event", request.header(HeaderName::Event).unwrap_or_default())
            .end();
        let tag = request.to_tag().unwrap_or(tag);
        Ok(Subscription {
            text: text.as_ref().into(),
            start_len,
            id: DialogHash::of(hasher, call_id, from_tag, tag),
            local_cseq: 0,
            remote_cseq: request.cseq()?.number,
            expires_at,
        })
    }

    /// True if a request with this identifier is of this dialog.
    pub fn is(&self, id: DialogHash) -> bool {
        self.id == id
    }

    /// Our tag.
    pub fn tag(&self) -> &[u8] {
        NameAddr::parse(self.line(b"From: ")).ok().and_then(|from| from.tag()).unwrap_or_default()
    }

    /// Length of the start line of a notification by `method`: our Via follows it.
    pub fn start_line_len(&self, method: Method) -> usize {
        method.as_str().len() + self.start_len as usize
    }

    /// The value of one of the lines all notifications have in common.
    fn line(&self, name: &[u8]) -> &[u8] {
        let lines = self.text.get(self.start_len as usize..).unwrap_or_default();
        let line = lines.split(|octet| *octet == b'\n').find_map(|line| line.strip_prefix(name));
        line.map_or(&[], |line| line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Takes note of a request of the subscriber; false when it is out of order (RFC 3261 section
    /// 12.2.2).
    pub fn order(&mut self, cseq: u32) -> bool {
        let next = cseq > self.remote_cseq;
        if next {
            self.remote_cseq = cseq;
        }
        next
    }

    /// The subscriber extended it.
    pub fn extend(&mut self, until: Deadline) {
        self.expires_at = until;
    }

    /// When it ends unless it is extended.
    pub fn expires_at(&self) -> Deadline {
        self.expires_at
    }

    /// Seconds left.
    pub fn expires_in(&self, now: Now) -> u32 {
        let left = self.expires_at.0.saturating_sub(now.mono_ms).div_ceil(1000);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    /// The number of the next notification. Also that of one carried by the answer to SUBSCRIBE.
    pub fn next_cseq(&mut self) -> u32 {
        self.local_cseq = self.local_cseq.saturating_add(1);
        self.local_cseq
    }

    /// Writes the next notification up to its content; `via` is our Via line with its CRLF.
    /// Returns its writer and number.
    pub fn notification<'o>(
        &mut self,
        out: &'o mut BytesMut,
        method: Method,
        via: &[u8],
        standing: Standing,
    ) -> (Writer<'o>, u32) {
        let cseq = self.next_cseq();
        let suffix = if method == Method::Benotify { " BENOTIFY" } else { " NOTIFY" };
        let (start, lines) =
            self.text.split_at_checked(self.start_len as usize).unwrap_or_default();
        out.put_slice(method.as_str().as_bytes());
        out.put_slice(start);
        let writer = write::lines(out).raw(via).raw(lines).line_number("CSeq", "", cseq, suffix);
        (standing.write(writer), cseq)
    }

    /// Octets of text that are kept of it.
    pub fn octets(&self) -> usize {
        self.text.len()
    }

    /// The Call-ID, hashed by the caller for the stamp of a request in flight.
    pub fn call_id(&self) -> &[u8] {
        self.line(b"Call-ID: ")
    }
}

impl Standing {
    /// Adds the line.
    pub fn write<'o>(self, writer: Writer<'o>) -> Writer<'o> {
        const NAME: &str = "Subscription-State";
        match self {
            Standing::Active(left) => writer.line_number(NAME, "active;expires=", left, ""),
            Standing::Terminated("") => writer.line(NAME, "terminated;expires=0"),
            Standing::Terminated(reason) => {
                writer.line_fmt(NAME, format_args!("terminated;expires=0;reason={reason}"))
            }
        }
    }
}

/// What a notification carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// Its Content-Type, parameters included.
    pub media_type: std::borrow::Cow<'static, str>,
    /// Its octets.
    pub body: Bytes,
}

impl From<Written> for Content {
    fn from(parts: Written) -> Self {
        Content { media_type: parts.content_type.into(), body: parts.body.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::Limits;
    use crate::wire::sip::Head;

    const SUBSCRIBE: &[u8] = b"SUBSCRIBE sip:bob@example.test SIP/2.0\r\n\
        Via: SIP/2.0/TLS 127.0.0.1:40587;branch=z9hG4bKd92722a344412a3f;rport\r\n\
        Contact: <sip:alice-0x5@127.0.0.1:40587;transport=tls>\r\n\
        To: <sip:bob@example.test>\r\n\
        From: <sip:alice@example.test>;tag=40a858490a6b3408\r\n\
        Call-ID: 27210d2b8ada2883\r\n\
        CSeq: 33081 SUBSCRIBE\r\n\
        Event: presence\r\n\
        Content-Length: 0\r\n\r\n";

    fn subscription(request: &[u8]) -> Result<Subscription, Error> {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut head = Head::default();
        assert!(matches!(head.index(request, &Limits::default()), Ok(Some(_))));
        let message = Message::new(request, &head);
        let contact = "sip:fe01.example.test:5061;transport=tls";
        Subscription::new(&hasher, message, b"ours", contact, Deadline(600_000))
    }

    #[test]
    fn a_notification_is_of_the_dialog_and_goes_to_the_contact() {
        let mut dialog = subscription(SUBSCRIBE).unwrap();
        let now = Now { mono_ms: 1, unix_ms: 1 };
        let mut out = BytesMut::new();
        let standing = Standing::Active(dialog.expires_in(now));
        let via = b"Via: SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bK1\r\n";
        let (writer, cseq) = dialog.notification(&mut out, Method::Notify, via, standing);
        writer.body("text/plain", b"hi");
        assert_eq!(cseq, 1);
        assert_eq!(
            std::str::from_utf8(&out).unwrap(),
            "NOTIFY sip:alice-0x5@127.0.0.1:40587;transport=tls SIP/2.0\r\n\
             Via: SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bK1\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:bob@example.test>;tag=ours\r\n\
             To: <sip:alice@example.test>;tag=40a858490a6b3408\r\n\
             Call-ID: 27210d2b8ada2883\r\n\
             Contact: <sip:fe01.example.test:5061;transport=tls>\r\n\
             Event: presence\r\n\
             CSeq: 1 NOTIFY\r\n\
             Subscription-State: active;expires=600\r\n\
             Content-Type: text/plain\r\n\
             Content-Length: 2\r\n\r\nhi"
        );
        assert_eq!(dialog.call_id(), b"27210d2b8ada2883");
    }

    #[test]
    fn requests_of_the_dialog_are_known_and_come_in_order() {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let mut dialog = subscription(SUBSCRIBE).unwrap();
        let id =
            |tag: &[u8]| DialogHash::of(&hasher, b"27210d2b8ada2883", b"40a858490a6b3408", tag);
        assert!(dialog.is(id(b"ours")));
        assert!(!dialog.is(id(b"theirs")));
        assert!(!dialog.order(33_081) && dialog.order(33_082) && !dialog.order(33_082));
    }

    #[test]
    fn without_a_contact_there_is_nowhere_to_notify() {
        let text = String::from_utf8(SUBSCRIBE.to_vec()).unwrap();
        let bare: String =
            text.split_inclusive("\r\n").filter(|l| !l.starts_with("Contact")).collect();
        assert!(subscription(bare.as_bytes()).is_err());
    }
}
