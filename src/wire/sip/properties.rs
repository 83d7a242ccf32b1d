//! Property tests: the fuzz bodies on arbitrary and on nearly well-formed octets.

use proptest::collection::vec;
use proptest::prelude::*;

use super::fuzz;
use super::samples::{INVITE, OK};

/// Pieces of which streams are made: mostly SIP, with the faults that matter between them.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    const LINES: &[&[u8]] = &[
        b"INVITE sip:bob@example.test SIP/2.0\r\n",
        b"SIP/2.0 200 OK\r\n",
        b"GET / HTTP/1.1\r\n",
        b"Via: SIP/2.0/tls 127.0.0.1:41046\r\n",
        b"v:SIP/2.0/TLS a;branch=z9hG4bK1;rport,SIP/2.0/TLS b\r\n",
        b"From: <sip:alice@example.test>;tag=1;epid=2\r\n",
        b"f: \"A, \\\"B\\\"\" <sip:a@b>\r\n",
        b"To: sip:bob@example.test;tag=x\r\n",
        b"Call-ID: 1@x\r\n",
        b"CSeq: 1 INVITE\r\n",
        b"Max-Forwards: 70\r\n",
        b"Route: <sip:a;lr>, <sip:b;lr>\r\n",
        b"Route: <sip:c;lr>\r\n",
        b"Supported: a,\r\n b\r\n",
        b"Contact: <sip:a@b>;q=1, *\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 7\r\n",
        b"l : 3\r\n",
        b"Content-Length: 4294967301\r\n",
        b"X: y\tz\r\n",
        b"\r\n",
        b"\r\n\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b"a",
        b":",
        b"body",
    ];
    prop_oneof![
        20 => proptest::sample::select(LINES).prop_map(<[u8]>::to_vec),
        1 => Just(INVITE.to_vec()),
        1 => Just(OK.to_vec()),
        1 => vec(any::<u8>(), 0..20),
    ]
}

/// A stream of fragments.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    vec(fragment(), 0..24).prop_map(|parts| parts.concat())
}

/// A well-formed message with some octets changed.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let message = prop_oneof![Just(INVITE), Just(OK)];
    let edits = vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (message, edits).prop_map(|(message, edits)| {
        let mut bytes = message.to_vec();
        for (at, octet) in edits {
            let at = at.index(bytes.len());
            bytes[at] = octet;
        }
        bytes
    })
}

/// Values of the octets that the grammars treat specially.
fn value() -> impl Strategy<Value = Vec<u8>> {
    const WORDS: &[&[u8]] = &[
        b"sip:a@b",
        b"<sip:a@b>",
        b"SIP/2.0/TLS a",
        b";tag=x",
        b";branch=",
        b"Digest ",
        b"a=\"b\"",
        b", ",
        b"%41",
        b"1 INVITE",
        b"\"A\" ",
    ];
    let octet = prop_oneof![
        8 => proptest::sample::select(&b"\"\\<>;,=:@/ \t\r\n%[]?*sip2.0TLSDigest1a"[..]),
        1 => any::<u8>(),
    ];
    let word = proptest::sample::select(WORDS);
    vec(prop_oneof![word.prop_map(<[u8]>::to_vec), octet.prop_map(|o| vec![o])], 0..40)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_cutting_of_a_stream_reads_the_same(cut in any::<[u8; 2]>(), stream in stream()) {
        fuzz::framer(&[&cut[..], &stream].concat());
    }

    #[test]
    fn any_cutting_of_noise_reads_the_same(data in vec(any::<u8>(), 0..600)) {
        fuzz::framer(&data);
    }

    #[test]
    fn what_is_framed_can_be_answered_and_forwarded(bytes in prop_oneof![stream(), damaged()]) {
        fuzz::message(&bytes);
    }

    #[test]
    fn typed_readers_take_any_value(value in prop_oneof![value(), vec(any::<u8>(), 0..100)]) {
        fuzz::value(&value);
    }
}
