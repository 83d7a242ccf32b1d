//! The dialog of a subscription as the notifier keeps it (RFC 6665 section 4.2; MS-SIP for
//! BENOTIFY, which is a NOTIFY that nobody answers).

use bytes::{Bytes, BytesMut};

use super::dialog::DialogHash;
use super::own_dialog::OwnDialog;
use crate::base::time::{Deadline, Now};
use crate::wire::mime::multipart::Written;
use crate::wire::sip::write::Writer;
use crate::wire::sip::{Error, HeaderName, Message, Method};

/// A subscription's dialog, and how long it lasts.
#[derive(Debug)]
pub struct Subscription {
    dialog: OwnDialog,
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
        let event = request.header(HeaderName::Event).unwrap_or_default();
        let dialog = OwnDialog::new(hasher, request, tag, contact, |writer| {
            writer.line("Event", event).end();
        })?;
        Ok(Subscription { dialog, expires_at })
    }

    /// True if a request with this identifier is of this dialog.
    pub fn is(&self, id: DialogHash) -> bool {
        self.dialog.id() == id
    }

    /// Our tag.
    pub fn tag(&self) -> &[u8] {
        self.dialog.tag()
    }

    /// Length of the start line of a notification by `method`: our Via follows it.
    pub fn start_line_len(&self, method: Method) -> usize {
        self.dialog.start_line_len(method)
    }

    /// Takes note of a request of the subscriber; false when it is out of order (RFC 3261 section
    /// 12.2.2).
    pub fn order(&mut self, cseq: u32) -> bool {
        self.dialog.order(cseq)
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
        self.dialog.next_cseq()
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
        let (writer, cseq) = self.dialog.request(out, method, via);
        (standing.write(writer), cseq)
    }

    /// Octets of text that are kept of it.
    pub fn octets(&self) -> usize {
        self.dialog.octets()
    }

    /// The Call-ID, hashed by the caller for the stamp of a request in flight.
    pub fn call_id(&self) -> &[u8] {
        self.dialog.call_id()
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
