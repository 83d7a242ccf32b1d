//! Messages of real clients against their expected reading.
//!
//! Each `sip/NAME.sip` holds the octets of one message, `sip/NAME.toml` what a reader must find in
//! it: written down beside it, not produced by the code under test.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use mynah::base::limits::Limits;
use mynah::wire::sip::{
    CSeq, Credentials, Framed, Framer, Head, HeaderName, Message, NameAddr, Uri, Via,
};
use serde::Deserialize;

/// What stands in a message.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: Option<String>,
    uri: Option<String>,
    status: Option<u16>,
    reason: Option<String>,
    call_id: String,
    cseq: ExpectedCSeq,
    from: Address,
    to: Address,
    max_forwards: Option<u8>,
    expires: Option<u32>,
    media_type: Option<String>,
    body_len: usize,
    #[serde(default)]
    supported: Vec<String>,
    #[serde(default)]
    routes: Vec<String>,
    headers: Vec<String>,
    via: Vec<ExpectedVia>,
    #[serde(default)]
    contact: Vec<Address>,
    credentials: Option<ExpectedCredentials>,
}

#[derive(Deserialize)]
struct ExpectedCSeq {
    number: u32,
    method: String,
}

#[derive(Deserialize)]
struct Address {
    uri: String,
    tag: Option<String>,
    #[serde(default)]
    params: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct ExpectedVia {
    transport: String,
    host: String,
    port: u16,
    branch: Option<String>,
    rport: bool,
}

#[derive(Deserialize)]
struct ExpectedCredentials {
    header: String,
    scheme: String,
    param: BTreeMap<String, String>,
}

fn vectors() -> Vec<(PathBuf, Vec<u8>, Expected)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/sip");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut vectors: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "sip"))
        .map(|path| {
            let sidecar = fs::read_to_string(path.with_extension("toml")).unwrap();
            let expected = toml::from_str(&sidecar).unwrap_or_else(|e| panic!("{path:?}: {e}"));
            let octets = fs::read(&path).unwrap();
            (path, octets, expected)
        })
        .collect();
    vectors.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(vectors.len() >= 12, "the vectors are there");
    vectors
}

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

fn owned(octets: &[u8]) -> String {
    text(octets).to_owned()
}

#[test]
fn every_message_reads_as_expected() {
    for (path, octets, expected) in vectors() {
        println!("{}", path.display());
        let mut head = Head::new();
        let framed = Framer::new().next(&octets, &Limits::default(), &mut head);
        assert_eq!(framed, Ok(Framed::Message { len: octets.len() }));
        let message = Message::new(&octets, &head);
        check_start_line(message, &expected);
        check_headers(message, &expected);
        check_addresses(message, &expected);
        check_vias(message, &expected);
        if let Some(expected) = &expected.credentials {
            check_credentials(message, expected);
        }
    }
}

fn check_start_line(message: Message<'_>, expected: &Expected) {
    assert_eq!(message.is_request(), expected.method.is_some());
    assert_eq!(message.status(), expected.status.unwrap_or(0));
    assert_eq!(text(message.reason()), expected.reason.as_deref().unwrap_or(""));
    assert_eq!(text(message.uri()), expected.uri.as_deref().unwrap_or(""));
    let method = expected.method.as_deref().unwrap_or(&expected.cseq.method);
    assert_eq!(text(message.method_text()), method);
    assert_eq!(message.method().as_str(), method);
}

fn check_headers(message: Message<'_>, expected: &Expected) {
    let names = message.head().fields().iter().map(|f| owned(f.name_span.of(message.bytes())));
    assert_eq!(names.collect::<Vec<_>>(), expected.headers);
    let known = message.head().fields().iter().all(|f| f.name != HeaderName::Other);
    assert!(known, "the clients' headers are in the table");
    assert_eq!(message.call_id().map(text), Ok(&*expected.call_id));
    let cseq = &expected.cseq;
    let method = cseq.method.as_bytes();
    assert_eq!(message.cseq(), Ok(CSeq { number: cseq.number, method }));
    assert_eq!(message.max_forwards(), Ok(expected.max_forwards));
    assert_eq!(message.expires(), Ok(expected.expires));
    assert_eq!(message.media_type().map(text), expected.media_type.as_deref());
    assert_eq!(message.body().len(), expected.body_len);
    let supported: Vec<_> = message.list(HeaderName::Supported).map(owned).collect();
    assert_eq!(supported, expected.supported);
    assert!(supported.iter().all(|token| message.has_token(HeaderName::Supported, token)));
    let routes: Vec<_> = message.list(HeaderName::Route).map(owned).collect();
    assert_eq!(routes, expected.routes);
}

fn check_addresses(message: Message<'_>, expected: &Expected) {
    check_address(message.from().unwrap(), &expected.from);
    check_address(message.to().unwrap(), &expected.to);
    let contacts: Vec<_> = message.contacts().map(Result::unwrap).collect();
    assert_eq!(contacts.len(), expected.contact.len());
    for (contact, expected) in contacts.into_iter().zip(&expected.contact) {
        check_address(contact, expected);
        let params = contact.params.iter().map(|(name, value)| (owned(name), owned(value)));
        assert_eq!(params.collect::<BTreeMap<_, _>>(), expected.params);
    }
}

fn check_address(address: NameAddr<'_>, expected: &Address) {
    assert_eq!(text(address.uri), expected.uri);
    assert_eq!(address.tag().map(text), expected.tag.as_deref());
    assert!(Uri::parse(address.uri).is_ok_and(|uri| uri.is_sip()));
}

fn check_vias(message: Message<'_>, expected: &Expected) {
    let vias: Vec<_> = message.list(HeaderName::Via).map(|v| Via::parse(v).unwrap()).collect();
    assert_eq!(vias.first(), Some(&message.top_via().unwrap()));
    assert_eq!(vias.len(), expected.via.len());
    for (via, expected) in vias.into_iter().zip(&expected.via) {
        assert_eq!(text(via.transport), expected.transport);
        assert_eq!(text(via.host), expected.host);
        assert_eq!(via.port, Some(expected.port));
        assert_eq!(text(via.sent_by), format!("{}:{}", expected.host, expected.port));
        assert_eq!(via.branch().map(text), expected.branch.as_deref());
        assert_eq!(via.has_rport(), expected.rport);
    }
}

fn check_credentials(message: Message<'_>, expected: &ExpectedCredentials) {
    let name = HeaderName::from_bytes(expected.header.as_bytes());
    let credentials = Credentials::parse(message.header(name).unwrap()).unwrap();
    assert_eq!(text(credentials.scheme), expected.scheme);
    let params = credentials.iter().map(|(name, value)| (owned(name), owned(value)));
    assert_eq!(params.collect::<BTreeMap<_, _>>(), expected.param);
}

#[test]
fn every_message_cut_at_every_octet_is_the_same_message() {
    let limits = Limits::default();
    for (path, octets, _) in vectors() {
        let mut whole = Head::new();
        Framer::new().next(&octets, &limits, &mut whole).unwrap();
        for cut in 1..octets.len() {
            let mut framer = Framer::new();
            let mut head = Head::new();
            let first = framer.next(&octets[..cut], &limits, &mut head);
            assert_eq!(first, Ok(Framed::Incomplete), "{path:?} cut at {cut}");
            let mut head = Head::new();
            let second = framer.next(&octets, &limits, &mut head);
            assert_eq!(second, Ok(Framed::Message { len: octets.len() }), "{path:?} cut at {cut}");
            assert_eq!(head.fields(), whole.fields(), "{path:?} cut at {cut}");
        }
    }
}

#[test]
fn all_messages_in_one_stream_come_out_in_order() {
    let vectors = vectors();
    let stream: Vec<u8> = vectors.iter().flat_map(|(_, octets, _)| octets.clone()).collect();
    let mut framer = Framer::new();
    let mut head = Head::new();
    let mut rest = &stream[..];
    for (path, octets, _) in &vectors {
        let framed = framer.next(rest, &Limits::default(), &mut head);
        assert_eq!(framed, Ok(Framed::Message { len: octets.len() }), "{path:?}");
        rest = &rest[octets.len()..];
    }
    assert!(rest.is_empty());
}
