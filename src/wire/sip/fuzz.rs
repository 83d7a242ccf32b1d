//! Bodies of the fuzz targets in `tests/fuzz`, as ordinary functions: the property tests drive
//! them too, so they stay alive without a fuzzer. Each panics when a promise of this module is
//! broken.

use bytes::BytesMut;

use super::{
    CSeq, Credentials, Error, Framed, Framer, Head, HeaderName, HeaderSet, Message, NameAddr,
    Params, Rewrite, SignedParts, StreamError, Uri, Via, list::List, mask::mask_secrets, write,
};
use crate::base::limits::Limits;

/// What a stream says to its reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Complete pings since the last message.
    Pings(u32),
    /// A message and what its head says.
    Message(Vec<u8>, Reading),
    /// A message that breaks a rule.
    Malformed(Vec<u8>, Error),
    /// The end of the stream.
    Lost(StreamError),
    /// Octets that belong to no complete message yet.
    Rest(Vec<u8>),
}

/// What the index of a message says, independent of the [`Head`] it was kept in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    start: (bool, u16, Vec<u8>, Vec<u8>),
    fields: Vec<(HeaderName, Vec<u8>, Vec<u8>)>,
    body: Vec<u8>,
}

impl Reading {
    fn of(message: Message<'_>) -> Reading {
        let bytes = message.bytes();
        let field =
            |f: &super::Field| (f.name, f.name_span.of(bytes).to_vec(), f.value.of(bytes).to_vec());
        Reading {
            start: (
                message.is_request(),
                message.status(),
                message.method_text().to_vec(),
                message.uri().to_vec(),
            ),
            fields: message.head().fields().iter().map(field).collect(),
            body: message.body().to_vec(),
        }
    }
}

/// Frames a stream that comes in these pieces. The head is used for another message between any
/// two pieces, as a core's head is.
pub fn events<'p>(pieces: impl IntoIterator<Item = &'p [u8]>, limits: &Limits) -> Vec<Event> {
    let mut framer = Framer::new();
    let mut head = Head::new();
    let mut buf = Vec::new();
    let mut events = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        let _ =
            head.index(b"OPTIONS sip:other SIP/2.0\r\nVia: x\r\nFrom: y\r\nl: 9\r\n\r\n", limits);
        loop {
            let before = buf.len();
            let consumed = match framer.next(&buf, limits, &mut head) {
                Ok(Framed::Incomplete) => break,
                Ok(Framed::KeepAlive { consumed, pings }) => {
                    add_pings(&mut events, pings);
                    consumed
                }
                Ok(Framed::Message { len }) => {
                    let message = Message::new(&buf[..len], &head);
                    events.push(Event::Message(buf[..len].to_vec(), Reading::of(message)));
                    len
                }
                Ok(Framed::Malformed { len, error }) => {
                    events.push(Event::Malformed(buf[..len].to_vec(), error));
                    len
                }
                Err(error) => {
                    assert_eq!(framer.next(&buf, limits, &mut head), Err(error), "errors stay");
                    events.push(Event::Lost(error));
                    return events;
                }
            };
            assert!(consumed > 0 && consumed <= before, "each step consumes or ends");
            buf.drain(..consumed);
        }
    }
    if !buf.is_empty() {
        events.push(Event::Rest(buf));
    }
    events
}

fn add_pings(events: &mut Vec<Event>, pings: u32) {
    match events.last_mut() {
        Some(Event::Pings(sum)) => *sum += pings,
        _ if pings > 0 => events.push(Event::Pings(pings)),
        _ => {}
    }
}

/// Any cutting of a stream gives what the stream at once gives. The first octets choose the
/// cutting.
pub fn framer(data: &[u8]) {
    let Some((&[cut, step], stream)) = data.split_first_chunk::<2>() else { return };
    let limits = small_limits();
    let whole = events([stream], &limits);
    let cut = usize::from(cut) * stream.len() / 256;
    assert_eq!(events([&stream[..cut], &stream[cut..]], &limits), whole, "cut at {cut}");
    let step = usize::from(step).max(1);
    assert_eq!(events(stream.chunks(step), &limits), whole, "pieces of {step}");
}

/// Limits that a short stream can hit.
pub fn small_limits() -> Limits {
    Limits {
        sip_head_bytes_max: 1024,
        sip_header_line_bytes_max: 256,
        sip_header_count_max: 24,
        sip_body_bytes_max: 512,
        ..Limits::default()
    }
}

/// A framed message can be read, answered and forwarded, and what is written is well-formed.
pub fn message(data: &[u8]) {
    let limits = Limits::default();
    let mut head = Head::new();
    let framed = Framer::new().next(data, &limits, &mut head);
    let (len, well_formed) = match framed {
        Ok(Framed::Message { len }) => (len, true),
        Ok(Framed::Malformed { len, .. }) => (len, false),
        _ => (data.len(), false),
    };
    let message = Message::new(&data[..len], &head);
    read_everything(message);
    if !well_formed {
        let mut out = BytesMut::new();
        write::response(&mut out, message, 400, Some(b"t"), None).finish();
        return;
    }
    assert!(message.from().is_ok() && message.to().is_ok() && message.call_id().is_ok());
    assert!(message.cseq().is_ok() && message.header(HeaderName::Via).is_some());
    copies_are_equal(message, &limits);
    masks_in_place(message, &limits);
    covers_its_own_octets(message);
    edits_hold(message, &limits);
    answers_hold(message, &limits);
}

/// A header of any name with any value, in a message that has the others as they should be. The
/// first octet chooses the name; line ends become folds.
pub fn header(data: &[u8]) {
    let Some((which, value)) = data.split_first() else { return };
    let names = HeaderName::ALL;
    let Some(name) = names.get(usize::from(*which) % names.len()) else { return };
    let mut text = b"INVITE sip:bob@example.test SIP/2.0\r\n".to_vec();
    let usual: [(HeaderName, &[u8]); 6] = [
        (HeaderName::Via, b"SIP/2.0/TLS h.test;branch=z9hG4bK1"),
        (HeaderName::From, b"<sip:alice@example.test>;tag=1;epid=2"),
        (HeaderName::To, b"<sip:bob@example.test>"),
        (HeaderName::CallId, b"c"),
        (HeaderName::CSeq, b"1 INVITE"),
        (HeaderName::ContentLength, b"0"),
    ];
    let folded: Vec<u8> = value
        .iter()
        .flat_map(|octet| match octet {
            b'\r' | b'\n' => &b"\r\n "[..],
            octet => std::slice::from_ref(octet),
        })
        .copied()
        .collect();
    let others = usual.iter().filter(|(other, _)| other != name).copied();
    for (name, value) in others.chain([(*name, &folded[..])]) {
        text.extend_from_slice(name.as_str().as_bytes());
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.extend_from_slice(b"\r\n");
    }
    text.extend_from_slice(b"\r\n");
    message(&text);
}

fn read_everything(message: Message<'_>) {
    for name in HeaderName::ALL {
        let _ = message.list(name).count() + message.headers(name).count();
    }
    let _ = (message.top_via(), message.max_forwards(), message.expires(), message.method());
    let _ = (message.contacts().count(), message.is_contact_star(), message.media_type());
    for field in message.head().fields() {
        value(field.value.of(message.bytes()));
    }
    value(message.uri());
}

fn copies_are_equal(message: Message<'_>, limits: &Limits) {
    let mut out = BytesMut::new();
    Rewrite::default().write(message, &mut out);
    assert_eq!(out, message.bytes(), "a rewrite without edits is a copy");
    assert_eq!(events([&out[..]], limits).len(), 1);
}

/// What is shown to people is the same message but for the secrets.
fn masks_in_place(message: Message<'_>, limits: &Limits) {
    let mut masked = message.bytes().to_vec();
    mask_secrets(&mut masked);
    assert_eq!(masked.len(), message.bytes().len());
    let mut head = Head::new();
    let framed = Framer::new().next(&masked, limits, &mut head);
    assert_eq!(framed, Ok(Framed::Message { len: masked.len() }), "masked in place");
    let places = |head: &Head| -> Vec<_> {
        head.fields().iter().map(|field| (field.name, field.name_span, field.value)).collect()
    };
    assert_eq!(places(&head), places(message.head()));
    let once = masked.clone();
    mask_secrets(&mut masked);
    let more = masked.iter().zip(&once).all(|(twice, once)| twice == once || *twice == b'*');
    assert!(more, "what is masked stays so");
}

/// A signature covers octets of the message in their order, brackets and one status.
fn covers_its_own_octets(message: Message<'_>) {
    let Some(parts) = SignedParts::of(message) else { return };
    let mut covered = Vec::new();
    parts.write(|piece| covered.extend_from_slice(piece));
    assert!(covered.len() <= message.bytes().len() + 32);
    assert!(!covered.iter().any(|octet| matches!(octet, b'\r' | b'\n')), "unfolded");
}

fn edits_hold(message: Message<'_>, limits: &Limits) {
    let mut out = BytesMut::new();
    let dropped = HeaderSet::of(&[HeaderName::Supported, HeaderName::PAssertedIdentity]);
    let rewrite = Rewrite {
        uri: Some(b"sip:next@host"),
        top: b"Via: SIP/2.0/TLS ours;branch=z9hG4bKours\r\n",
        drop: dropped,
        drop_routes: 1,
        max_forwards: Some(7),
        body: Some(b"new body"),
        ..Rewrite::default()
    };
    rewrite.write(message, &mut out);
    let mut head = Head::new();
    let framed = Framer::new().next(&out, limits, &mut head);
    let grown = matches!(
        framed,
        Err(StreamError::TooManyHeaders | StreamError::HeadTooLong | StreamError::LineTooLong)
    );
    if grown {
        return;
    }
    assert_eq!(framed, Ok(Framed::Message { len: out.len() }), "what is forwarded is well-formed");
    let forwarded = Message::new(&out, &head);
    assert_eq!(forwarded.body(), b"new body");
    assert_eq!(forwarded.max_forwards(), Ok(Some(7)));
    assert_eq!(forwarded.via_count(), message.via_count() + 1);
    assert_eq!(forwarded.from(), message.from());
    assert_eq!(forwarded.call_id(), message.call_id());
    let routes = message.list(HeaderName::Route).skip(1);
    assert!(forwarded.list(HeaderName::Route).map(unfolded).eq(routes.map(unfolded)));
    assert_eq!(forwarded.header(HeaderName::Supported), None);

    let mut back = BytesMut::new();
    let rewrite = Rewrite { drop_first_via: true, ..Rewrite::default() };
    rewrite.write(forwarded, &mut back);
    if let Ok(Framed::Message { .. }) = Framer::new().next(&back, limits, &mut head) {
        let back = Message::new(&back, &head);
        assert!(back.list(HeaderName::Via).eq(message.list(HeaderName::Via)));
    }
}

fn answers_hold(message: Message<'_>, limits: &Limits) {
    let mut out = BytesMut::new();
    let peer = ([127, 0, 0, 1], 5061).into();
    write::response(&mut out, message, 480, Some(b"ourtag"), Some(peer)).finish();
    let mut head = Head::new();
    let framed = Framer::new().next(&out, limits, &mut head);
    if matches!(framed, Err(StreamError::HeadTooLong | StreamError::LineTooLong)) {
        return;
    }
    assert_eq!(framed, Ok(Framed::Message { len: out.len() }), "what is answered is well-formed");
    let answer = Message::new(&out, &head);
    assert_eq!(answer.status(), 480);
    assert_eq!(answer.via_count(), message.via_count());
    assert_eq!(answer.from_tag().map(unfolded), message.from_tag().map(unfolded));
    assert_eq!(answer.cseq().map(|c| c.number), message.cseq().map(|c| c.number));
    if let Ok(to) = message.to() {
        let tag = to.tag().unwrap_or(b"ourtag");
        assert_eq!(answer.to_tag().map(unfolded), Some(unfolded(tag)));
    }
    if let Ok(via) = message.top_via() {
        let parts = |via: Via<'_>| (via.branch().map(unfolded), unfolded(via.sent_by));
        assert_eq!(answer.top_via().map(parts), Ok(parts(via)));
    }
}

/// A folded value on one line, as the writer makes it.
fn unfolded(value: &[u8]) -> Vec<u8> {
    value.iter().map(|&o| if matches!(o, b'\r' | b'\n') { b' ' } else { o }).collect()
}

/// Every typed reader takes any value, and what it says is a part of the value.
pub fn value(data: &[u8]) {
    let inside = |part: &[u8]| {
        let range = data.as_ptr_range();
        let at = part.as_ptr_range();
        assert!(part.is_empty() || (range.start <= at.start && at.end <= range.end));
    };
    if let Ok(uri) = Uri::parse(data) {
        [uri.scheme, uri.host, uri.headers, uri.params.as_bytes()].into_iter().for_each(inside);
        let _ = (uri.params.get("lr"), uri.params.iter().count());
        if let Some(aor) = uri.aor() {
            assert!(uri.is_aor(&aor) && !uri.is_aor(&format!("{aor}x")));
            assert_eq!(aor, aor.to_lowercase());
        }
    }
    if let Ok(address) = NameAddr::parse(data) {
        [address.display, address.uri, address.params.as_bytes()].into_iter().for_each(inside);
        let again = [b"<", address.uri, b">", address.params.as_bytes()].concat();
        assert_eq!(NameAddr::parse(&again), Ok(NameAddr { display: b"", ..address }));
    }
    if let Ok(via) = Via::parse(data) {
        [via.transport, via.sent_by, via.host, via.params.as_bytes()].into_iter().for_each(inside);
        let _ = (via.branch(), via.has_rport());
    }
    if let Ok(credentials) = Credentials::parse(data) {
        for (name, value) in credentials.iter() {
            inside(name);
            inside(value);
            let found = std::str::from_utf8(name).map(|name| credentials.get(name));
            assert_eq!(found, Ok(Some(value)));
        }
    }
    if let Ok(cseq) = CSeq::parse(data) {
        inside(cseq.method);
        assert!(cseq.number < 1 << 31);
    }
    for element in List::new(data) {
        inside(element);
        assert!(!element.is_empty());
    }
    let _ =
        Params::new(data).iter().inspect(|(name, value)| (inside(name), inside(value)).1).count();
}
