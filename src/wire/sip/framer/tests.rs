use super::super::fuzz::{Event, events, small_limits};
use super::super::octets::steps;
use super::super::samples::{INVITE, OK};
use super::super::{HeaderName, Message};
use super::*;

/// The header lines of a request without Content-Length and blank line.
const HEAD: &str = "MESSAGE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TLS a\r\n\
    From: <sip:alice@example.test>;tag=1\r\nTo: <sip:bob@example.test>\r\nCall-ID: 1\r\n\
    CSeq: 1 MESSAGE\r\n";

fn at_once(stream: &[u8]) -> Vec<Event> {
    events([stream], &Limits::default())
}

/// What the framer says of the first octets of a stream.
fn first(stream: &[u8], limits: &Limits) -> Result<Framed, StreamError> {
    Framer::new().next(stream, limits, &mut Head::new())
}

fn message(lines: &str) -> Vec<u8> {
    format!("{HEAD}{lines}\r\n").into_bytes()
}

fn error_of(stream: &[u8]) -> Option<StreamError> {
    first(stream, &Limits::default()).err()
}

#[test]
fn a_stream_cut_at_every_octet_reads_the_same() {
    let plain = message("Content-Length: 0\r\n");
    let streams: Vec<Vec<u8>> = vec![
        INVITE.to_vec(),
        OK.to_vec(),
        [b"\r\n\r\n", INVITE, b"\r\n", OK, b"\r\n\r\n\r\n", &plain].concat(),
        [&message("Bad Name: x\r\nContent-Length: 3\r\n")[..], b"abc", OK].concat(),
        [&message("X: a\x01b\r\nl: 0\r\n")[..], OK].concat(),
        [&plain[..], b"\rx"].concat(),
        [OK, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"].concat(),
        message(""),
        message("Content-Length: 1\r\nContent-Length: 1\r\n"),
        message("Content-Length: 1e3\r\n"),
        message("Content-Length: 513\r\n"),
        message("X: a\nY: b\r\nContent-Length: 0\r\n"),
        message("X: a\rY: b\r\nContent-Length: 0\r\n"),
        message("X: a\0\r\nContent-Length: 0\r\n"),
        message(&format!("X: {}\r\nContent-Length: 0\r\n", "x".repeat(400))),
        message(&format!("X: {}\r\n", "x\r\n ".repeat(100))),
        message(&"X: y\r\n".repeat(40)),
        message(&"X: 345678901234567890123456789012345678901234567890\r\n".repeat(20)),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        format!("{} sip:x SIP/2.0\r\n", "M".repeat(40)).into_bytes(),
    ];
    for stream in streams {
        let text = String::from_utf8_lossy(&stream).into_owned();
        let limits = small_limits();
        let whole = events([&stream[..]], &limits);
        assert_eq!(events(stream.chunks(1), &limits), whole, "octet by octet: {text}");
        for cut in 1..stream.len() {
            let (one, two) = stream.split_at(cut);
            assert_eq!(events([one, two], &limits), whole, "cut at {cut}: {text}");
        }
    }
}

#[test]
fn a_hundred_messages_in_one_buffer_are_a_hundred_messages() {
    let stream = INVITE.repeat(100);
    let read = at_once(&stream);
    assert_eq!(read.len(), 100);
    assert!(read.iter().all(|event| matches!(event, Event::Message(bytes, _) if bytes == INVITE)));
}

#[test]
fn the_head_of_a_message_in_pieces_is_whole_again_at_its_end() {
    let mut head = Head::new();
    let mut framer = Framer::new();
    for len in 1..INVITE.len() {
        assert_eq!(
            framer.next(&INVITE[..len], &Limits::default(), &mut head),
            Ok(Framed::Incomplete)
        );
        assert!(framer.mid_message());
        let _ = first(OK, &Limits::default());
    }
    let _ = Framer::new().next(OK, &Limits::default(), &mut head);
    let whole = framer.next(INVITE, &Limits::default(), &mut head);
    assert_eq!(whole, Ok(Framed::Message { len: INVITE.len() }));
    assert!(!framer.mid_message());
    assert_eq!(Message::new(INVITE, &head).from_tag(), Some(&b"5095820831"[..]));
}

#[test]
fn content_length_is_digits_that_fit() {
    for (value, expected) in [
        ("0", None),
        ("000", None),
        ("0000000000", None),
        ("", Some(StreamError::ContentLengthInvalid)),
        ("-1", Some(StreamError::ContentLengthInvalid)),
        ("+5", Some(StreamError::ContentLengthInvalid)),
        ("1e3", Some(StreamError::ContentLengthInvalid)),
        ("0x10", Some(StreamError::ContentLengthInvalid)),
        ("5 5", Some(StreamError::ContentLengthInvalid)),
        ("5, 5", Some(StreamError::ContentLengthInvalid)),
        ("5;a=b", Some(StreamError::ContentLengthInvalid)),
        ("\"5\"", Some(StreamError::ContentLengthInvalid)),
        ("\u{665}", Some(StreamError::ContentLengthInvalid)),
        ("00000000000", Some(StreamError::ContentLengthInvalid)),
        ("12345678901234567890", Some(StreamError::ContentLengthInvalid)),
        ("4294967296", Some(StreamError::ContentLengthInvalid)),
        ("4294967301", Some(StreamError::ContentLengthInvalid)),
        ("9999999999", Some(StreamError::ContentLengthInvalid)),
        ("18446744073709551616", Some(StreamError::ContentLengthInvalid)),
        ("4294967295", Some(StreamError::BodyTooLong)),
        ("262145", Some(StreamError::BodyTooLong)),
    ] {
        for name in ["Content-Length", "l", "CONTENT-LENGTH \t"] {
            let stream = message(&format!("{name}: {value}\r\n"));
            assert_eq!(error_of(&stream), expected, "{name}: {value}");
        }
    }
}

#[test]
fn content_length_stands_once_or_the_stream_is_lost() {
    use StreamError::{ContentLengthDuplicate, ContentLengthMissing};
    for (lines, expected) in [
        ("", ContentLengthMissing),
        ("Content_Length: 0\r\n", ContentLengthMissing),
        ("Content-Length\u{a0}: 0\r\n", ContentLengthMissing),
        ("Content-Length\r\n : 0\r\n", ContentLengthMissing),
        (" Content-Length: 0\r\n", ContentLengthMissing),
        ("Content-Length: 1\r\nContent-Length: 2\r\n", ContentLengthDuplicate),
        ("Content-Length: 1\r\nX: y\r\nl: 1\r\n", ContentLengthDuplicate),
        ("l: x\r\nContent-Length: 0\r\n", ContentLengthDuplicate),
    ] {
        assert_eq!(error_of(&message(lines)), Some(expected), "{lines}");
    }
}

#[test]
fn a_folded_content_length_is_read_as_one_value() {
    let stream = [&message("Content-Length:\r\n \t5\r\n \r\n")[..], b"abcde"].concat();
    assert_eq!(first(&stream, &Limits::default()), Ok(Framed::Message { len: stream.len() }));
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_comes() {
    let limits = Limits { sip_body_bytes_max: 10, ..Limits::default() };
    let fits = message("Content-Length: 10\r\n");
    let mut framer = Framer::new();
    assert_eq!(framer.next(&fits, &limits, &mut Head::new()), Ok(Framed::Incomplete));
    assert_eq!(framer.missing(fits.len()), Some(10));
    assert_eq!(framer.missing(fits.len() + 4), Some(6));
    let over = message("Content-Length: 11\r\n");
    let mut head = Head::new();
    let refused = Framer::new().next(&over, &limits, &mut head);
    assert_eq!(refused, Err(StreamError::BodyTooLong));
    assert_eq!(StreamError::BodyTooLong.status(), 513);
    assert!(Message::new(&over, &head).top_via().is_ok(), "the head serves the one answer");
}

#[test]
fn octets_behind_a_short_body_are_the_next_message() {
    let stream = [&message("Content-Length: 2\r\n")[..], b"abcdef\r\n"].concat();
    let read = at_once(&stream);
    assert!(matches!(read[..], [Event::Message(..), Event::Lost(StreamError::NotSip)]), "{read:?}");
}

#[test]
fn a_header_line_up_to_the_limit_passes_with_its_folds() {
    let limits = Limits { sip_header_line_bytes_max: 100, ..Limits::default() };
    for fold in ["", "\r\n "] {
        let fitting = format!("X: {fold}{}\r\n", "x".repeat(97 - fold.len()));
        let stream = message(&format!("Content-Length: 0\r\n{fitting}"));
        assert_eq!(first(&stream, &limits), Ok(Framed::Message { len: stream.len() }));
        let long = format!("X: {fold}{}\r\n", "x".repeat(98 - fold.len()));
        let stream = message(&format!("Content-Length: 0\r\n{long}"));
        assert_eq!(first(&stream, &limits), Err(StreamError::LineTooLong));
        // Before the line ends, as soon as it is too long.
        let open = &stream[..stream.len() - 4];
        assert_eq!(first(open, &limits), Err(StreamError::LineTooLong));
        assert_eq!(first(&open[..open.len() - 1], &limits), Ok(Framed::Incomplete));
    }
}

#[test]
fn a_start_line_above_the_line_limit_ends_the_stream() {
    let limits = Limits { sip_header_line_bytes_max: 100, ..Limits::default() };
    let open = format!("MESSAGE sip:{}", "x".repeat(100));
    assert_eq!(first(open.as_bytes(), &limits), Err(StreamError::LineTooLong));
}

#[test]
fn a_head_up_to_the_limit_passes_and_one_without_end_is_cut_there() {
    let stream = message("Content-Length: 0\r\n");
    let exact = Limits { sip_head_bytes_max: stream.len(), ..Limits::default() };
    assert_eq!(first(&stream, &exact), Ok(Framed::Message { len: stream.len() }));
    let short = Limits { sip_head_bytes_max: stream.len() - 1, ..Limits::default() };
    assert_eq!(first(&stream, &short), Err(StreamError::HeadTooLong));

    let endless = message(&"X: y\r\n".repeat(100));
    let limits = Limits { sip_head_bytes_max: 300, ..Limits::default() };
    let mut framer = Framer::new();
    let refused = (1..endless.len()).find_map(|len| {
        framer.next(&endless[..len], &limits, &mut Head::new()).err().map(|error| (len, error))
    });
    assert!(matches!(refused, Some((296..=302, StreamError::HeadTooLong))), "{refused:?}");
}

#[test]
fn a_limit_above_the_offsets_of_the_index_has_no_effect() {
    let limits = Limits {
        sip_head_bytes_max: 1 << 20,
        sip_header_line_bytes_max: 1 << 20,
        sip_header_count_max: 1 << 20,
        ..Limits::default()
    };
    let stream = message(&format!("X: {}\r\nContent-Length: 0\r\n", "x".repeat(70_000)));
    assert_eq!(first(&stream, &limits), Err(StreamError::HeadTooLong));
    let stream = message(&"X: y\r\n".repeat(10_000));
    assert_eq!(first(&stream, &limits), Err(StreamError::TooManyHeaders));
    let lines = format!("X: {}\r\nContent-Length: 0\r\n", "x".repeat(65_000));
    let stream = message(&lines);
    assert_eq!(first(&stream, &limits), Ok(Framed::Message { len: stream.len() }));
}

#[test]
fn header_lines_up_to_the_limit_pass() {
    let limits = Limits::default();
    let with =
        |count: usize| message(&format!("{}Content-Length: 0\r\n", "X: y\r\n".repeat(count)));
    let stream = with(limits.sip_header_count_max - 6);
    assert_eq!(first(&stream, &limits), Ok(Framed::Message { len: stream.len() }));
    let stream = with(limits.sip_header_count_max - 5);
    assert_eq!(first(&stream, &limits), Err(StreamError::TooManyHeaders));
    assert_eq!(error_of(&with(10_000)), Some(StreamError::TooManyHeaders));
    assert_eq!(StreamError::TooManyHeaders.status(), 400);
}

#[test]
fn only_crlf_ends_a_line() {
    for line in [
        "X: a\nY: b\r\n",
        "X: a\n\r\n",
        "\nX: a\r\n",
        "X: a\rY: b\r\n",
        "X: a\r\r\n",
        "X\n: a\r\n",
        "X: a\0b\r\n",
        "X\0: a\r\n",
        "X: a\r\n\nY: b\r\n",
        "X: a\r\n\rY: b\r\n",
    ] {
        let stream = message(&format!("{line}Content-Length: 0\r\n"));
        assert_eq!(error_of(&stream), Some(StreamError::LineEnding), "{line:?}");
    }
    let all_lf = String::from_utf8(message("Content-Length: 0\r\n")).unwrap().replace('\r', "");
    assert_eq!(error_of(all_lf.as_bytes()), Some(StreamError::LineEnding));
}

#[test]
fn other_protocols_are_told_by_their_first_octets() {
    let mut hello = b"\x16\x03\x01\x02\x00\x01\x00".to_vec();
    hello.extend([0x41; 500]);
    let noise: Vec<u8> = (0..200u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for stream in [
        &b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"POST /a HTTP/1.0\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\x2f\xffSMBr",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"<stream:stream xmlns='jabber:client'>",
        b"{\"a\":1}",
        b" INVITE sip:a SIP/2.0\r\n",
        b"INVITE\tsip:a SIP/2.0\r\n",
        b"INVITE sip:a\r\n",
        b"EHLO mail.example.test\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"\x80",
        &hello,
        &noise,
        &[b'A'; 33],
    ] {
        assert_eq!(error_of(stream), Some(StreamError::NotSip), "{stream:?}");
    }
    // As soon as the octet is there that no SIP message has.
    assert_eq!(error_of(b"\x16"), Some(StreamError::NotSip));
    assert_eq!(error_of(b"GET / HTTP/1.1\r"), None);
}

#[test]
fn crlfs_between_messages_are_counted_as_pings_however_they_are_cut() {
    let stream = b"\r\n\r\n\r\n\r\n\r\n\r\n";
    for first_cut in 0..=stream.len() {
        for second_cut in first_cut..=stream.len() {
            let pieces =
                [&stream[..first_cut], &stream[first_cut..second_cut], &stream[second_cut..]];
            assert_eq!(events(pieces, &Limits::default()), [Event::Pings(3)]);
        }
    }
    assert_eq!(events(stream.chunks(1), &Limits::default()), [Event::Pings(3)]);
}

#[test]
fn a_lone_crlf_is_no_ping_and_a_message_starts_the_count_anew() {
    let stream = [b"\r\n", OK, b"\r\n", OK, b"\r\n\r\n"].concat();
    let read = at_once(&stream);
    assert!(
        matches!(read[..], [Event::Message(..), Event::Message(..), Event::Pings(1)]),
        "{read:?}"
    );
}

#[test]
fn a_million_keep_alives_are_taken_in_one_step() {
    let stream = b"\r\n".repeat(1_000_000);
    assert_eq!(
        first(&stream, &Limits::default()),
        Ok(Framed::KeepAlive { consumed: 2_000_000, pings: 500_000 })
    );
}

#[test]
fn an_unfinished_keep_alive_is_no_message() {
    let mut framer = Framer::new();
    let mut head = Head::new();
    assert_eq!(framer.next(b"\r", &Limits::default(), &mut head), Ok(Framed::Incomplete));
    assert!(!framer.mid_message());
    assert_eq!(error_of(b"\rx"), Some(StreamError::LineEnding));
    assert_eq!(error_of(b"\n"), Some(StreamError::LineEnding));
}

/// Octets looked at to read `stream` in pieces of `step`.
fn steps_of(stream: &[u8], step: usize, limits: &Limits) -> u64 {
    steps::take();
    let mut framer = Framer::new();
    let mut head = Head::new();
    for len in (step..stream.len()).step_by(step).chain([stream.len()]) {
        if framer.next(&stream[..len], limits, &mut head).is_err() {
            break;
        }
    }
    let message = Message::new(stream, &head);
    let _ = (message.via_count(), message.top_via(), message.list(HeaderName::Route).count());
    steps::take()
}

#[test]
fn work_grows_linearly_with_the_head() {
    let limits = Limits {
        sip_head_bytes_max: 65_535,
        sip_header_line_bytes_max: 65_535,
        ..Limits::default()
    };
    type Lines = fn(usize) -> String;
    let shapes: [(&str, Lines); 8] = [
        ("folds", |n| format!("X: {}\r\n", "a\r\n ".repeat(n))),
        ("blanks", |n| format!("X: {}\r\n", " ".repeat(4 * n))),
        ("tabs", |n| format!("X: {}\r\n", "\t".repeat(4 * n))),
        ("blank folds", |n| format!("X:{}\r\n", "\r\n ".repeat(n))),
        ("via list", |n| format!("Via: {}\r\n", "SIP/2.0/TLS a,".repeat(n / 4))),
        ("open brackets", |n| format!("Route: {}\r\n", "<,\"".repeat(n))),
        ("escapes", |n| format!("Route: \"{}\r\n", "\\\\".repeat(n))),
        ("commas", |n| format!("Via: {}\r\n", ",".repeat(n))),
    ];
    for (name, lines) in shapes {
        for step in [1, 7, 65_536] {
            let cost = |n: usize| {
                let stream = message(&format!("Content-Length: 0\r\n{}", lines(n)));
                let steps = steps_of(&stream, step, &limits);
                assert!(steps <= 16 * stream.len() as u64, "{name} in {step}s: {steps}");
                steps
            };
            let (small, large) = (cost(2_000), cost(8_000));
            assert!(large <= 5 * small, "{name} in pieces of {step}: {small}, then {large}");
        }
    }
    let vias = message(&"Via: SIP/2.0/TLS a\r\n".repeat(500));
    assert_eq!(first(&vias, &limits), Err(StreamError::TooManyHeaders));
}
