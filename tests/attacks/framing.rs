//! Octets that are not quite SIP: each is answered or closed, never taken for something else.

use crate::outside::endpoint::head;
use crate::outside::metrics::closed;
use crate::outside::stream::{Message, Stream, client_hello, connect};
use crate::target::Target;

/// The head of a request that anybody may send, without Content-Length.
fn options(cseq: u32) -> String {
    head("OPTIONS", "example.test", "mallory", "mallory", cseq, "127.0.0.1:9")
}

fn whole_options(cseq: u32) -> String {
    options(cseq) + "Content-Length: 0\r\n\r\n"
}

/// Fails unless the octets are answered with one of `statuses` on the same stream, and the
/// connection is closed as broken, with TLS and without.
fn breaks(target: &Target, octets: impl AsRef<[u8]>, statuses: &[u16]) {
    for stream in [Stream::tcp(target), Stream::tls(target)] {
        breaks_on(target, stream, octets.as_ref(), statuses);
    }
}

fn breaks_on(target: &Target, mut stream: Stream, octets: &[u8], statuses: &[u16]) {
    let before = target.metrics().closed("framing");
    // The server may close before it has read everything.
    let _ = stream.try_write(octets);
    let said = stream.end();
    let shown = String::from_utf8_lossy(&octets[..octets.len().min(500)]).into_owned();
    let answers = answers(&said);
    assert!(answers.len() <= 1, "{shown:?}: {answers:#?}");
    match answers.first() {
        Some(answer) => assert!(statuses.contains(&answer.status()), "{shown:?}: {}", answer.head),
        None => assert!(statuses.is_empty(), "{shown:?}: no answer"),
    }
    target.wait_metric(&closed("framing"), |count| count == before + 1.0);
}

/// Fails unless the octets are answered with one of `statuses` and the stream goes on, with TLS and
/// without.
fn is_answered(target: &Target, octets: impl AsRef<[u8]>, statuses: &[u16]) {
    for mut stream in [Stream::tcp(target), Stream::tls(target)] {
        stream.write(&octets);
        let answer = stream.message();
        assert!(statuses.contains(&answer.status()), "{}", answer.head);
        stream.write(whole_options(99));
        assert_eq!(stream.message().status(), 200);
    }
}

fn answers(said: &[u8]) -> Vec<Message> {
    let text = String::from_utf8(said.to_vec()).unwrap();
    let heads = text.split("\r\n\r\n").filter(|head| !head.trim().is_empty());
    heads.map(|head| Message { head: head.to_owned(), body: Vec::new() }).collect()
}

#[test]
fn single_octets_in_quick_succession_are_a_message() {
    // 5
    let target = Target::start();
    for mut stream in [Stream::tcp(&target), Stream::tls(&target)] {
        for octet in whole_options(1).into_bytes() {
            stream.write([octet]);
        }
        assert_eq!(stream.message().status(), 200);
    }
    target.survived();
}

#[test]
fn a_hundred_requests_in_one_segment_get_a_hundred_answers_in_order() {
    // 6
    let target = Target::start();
    for mut stream in [Stream::tcp(&target), Stream::tls(&target)] {
        stream.write((1..=100).map(whole_options).collect::<String>());
        for cseq in 1..=100 {
            let answer = stream.message();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.header("CSeq"), Some(format!("{cseq} OPTIONS").as_str()));
        }
    }
    target.survived();
}

#[test]
fn a_message_cut_anywhere_gets_the_same_answer() {
    // 7
    let target = Target::start();
    let body = "text";
    let message = format!("{}Content-Length: {}\r\n\r\n{body}", options(1), body.len());
    for mut stream in [Stream::tcp(&target), Stream::tls(&target)] {
        for cut in 1..message.len() {
            let (front, back) = message.as_bytes().split_at(cut);
            stream.write(front);
            stream.write(back);
            assert_eq!(stream.message().status(), 200, "cut at {cut}");
        }
    }
    target.survived();
}

#[test]
fn a_body_longer_than_it_says_is_not_executed() {
    // 9
    let target = Target::start();
    let rest = "Content-Length: 4\r\n\r\nbody and more that is no message\r\n\r\n";
    for (number, mut stream) in (1..).zip([Stream::tcp(&target), Stream::tls(&target)]) {
        stream.write(options(1) + rest);
        assert_eq!(stream.message().status(), 200);
        stream.end();
        target.wait_metric(&closed("framing"), |count| count == f64::from(number));
    }
    target.survived();
}

#[test]
fn lengths_that_are_none_break_the_stream() {
    // 10, 11, 13
    let target = Target::start();
    breaks(&target, options(1) + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n", &[400]);
    breaks(&target, options(1) + "Content-Length: 0\r\nl: 5\r\n\r\n", &[400]);
    breaks(&target, options(1) + "Content-Length: 0, 5\r\n\r\n", &[400]);
    for bad in ["-1", "", " ", "1e3", "0x10", "+5", "5 5", "\u{665}"] {
        breaks(&target, format!("{}Content-Length: {bad}\r\n\r\n", options(1)), &[400]);
    }
    breaks(&target, options(1) + "\r\n", &[400]);
    target.survived();
}

#[test]
fn lengths_above_the_limit_are_refused_before_the_body() {
    // 11, 12
    let target = Target::start();
    for big in ["262145", "4294967301", "18446744073709551616", "99999999999999999999"] {
        let octets = format!("{}Content-Length: {big}\r\n\r\n", options(1));
        breaks(&target, octets, &[400, 513]);
    }
    let resident = target.metrics().value("process_resident_memory_bytes");
    assert!(resident < f64::from(1 << 30), "{resident}");
    target.survived();
}

#[test]
fn heads_above_their_limits_are_refused() {
    // 14, 15, 16
    let target = Target::start();
    let long_line = format!("{}X: {}\r\n", options(1), "x".repeat(9 * 1024));
    breaks(&target, long_line + "Content-Length: 0\r\n\r\n", &[400, 413]);
    let many_lines = options(1) + &"X: y\r\n".repeat(10_000) + "Content-Length: 0\r\n\r\n";
    breaks(&target, many_lines, &[400, 413]);
    breaks(&target, options(1) + &"X: y\r\n".repeat(121), &[400]);
    let endless = options(1) + &format!("X: {}\r\n", "x".repeat(1000)).repeat(100);
    breaks(&target, endless, &[400, 413]);
    let metrics = target.metrics();
    for limit in ["sip_header_line_bytes_max", "sip_header_count_max", "sip_head_bytes_max"] {
        assert!(metrics.hits(limit) >= 1.0, "{limit} is not counted");
    }
    target.survived();
}

#[test]
fn folded_lines_blanks_and_long_lists_take_linear_time() {
    // 17, 18
    let target = Target::start();
    let blanks = format!("{}X: {}y\r\n", options(1), " ".repeat(8000));
    is_answered(&target, blanks + "Content-Length: 0\r\n\r\n", &[200]);
    let folds = format!("{}X: y{}\r\n", options(1), "\r\n ".repeat(2500));
    is_answered(&target, folds + "Content-Length: 0\r\n\r\n", &[200]);
    let too_much = format!("{}X: y{}\r\n", options(1), "\r\n ".repeat(22_000));
    breaks(&target, too_much + "Content-Length: 0\r\n\r\n", &[400, 413]);
    let vias = "Via: SIP/2.0/TCP a;branch=z\r\n".repeat(100);
    is_answered(&target, options(1) + &vias + "Content-Length: 0\r\n\r\n", &[200, 400, 483]);
    let list = vec!["SIP/2.0/TCP a"; 500].join(",");
    let vias = format!("Via: {list}\r\nContent-Length: 0\r\n\r\n");
    is_answered(&target, options(1) + &vias, &[200, 400, 483]);
    let routes = format!("Route: {}\r\n", vec!["<sip:a;lr>"; 500].join(","));
    is_answered(&target, options(1) + &routes + "Content-Length: 0\r\n\r\n", &[200, 400, 483]);
    target.survived();
}

#[test]
fn only_crlf_ends_a_line() {
    // 19
    let target = Target::start();
    for bad in ["X: a\nY: b", "X: a\rY: b", "X: a\0b", "X: a\n"] {
        breaks(&target, format!("{}{bad}\r\nContent-Length: 0\r\n\r\n", options(1)), &[400]);
    }
    // A start line that does not end is none: nothing to answer.
    breaks(&target, options(1).replace("\r\n", "\n") + "Content-Length: 0\n\n", &[]);
    target.survived();
}

#[test]
fn a_message_that_breaks_a_rule_is_answered_and_the_stream_goes_on() {
    let target = Target::start();
    let end = "Content-Length: 0\r\n\r\n";
    let without = |name: &str| {
        let whole = options(1);
        let lines = whole.split_inclusive("\r\n").filter(|line| !line.starts_with(name));
        lines.collect::<String>() + end
    };
    for missing in ["From", "To", "Call-ID", "CSeq"] {
        is_answered(&target, without(missing), &[400]);
    }
    for (right, wrong) in [
        ("CSeq: 1 OPTIONS", "CSeq: 1 INVITE"),
        ("CSeq: 1 OPTIONS", "CSeq: 99999999999 OPTIONS"),
        ("CSeq: 1 OPTIONS", "CSeq: one OPTIONS"),
        ("Max-Forwards: 70", "Max-Forwards: many"),
        ("From: <sip:", "From: \"<sip:"),
    ] {
        is_answered(&target, options(1).replace(right, wrong) + end, &[400]);
    }
    for twice in ["Call-ID: x", "CSeq: 1 OPTIONS", "From: <sip:x@y>;tag=x", "To: <sip:x@y>"] {
        is_answered(&target, format!("{}{twice}\r\n{end}", options(1)), &[400]);
    }
    target.survived();
}

#[test]
fn other_protocols_are_closed() {
    // 21
    let target = Target::start();
    let smb =
        b"\0\0\0\x85\xffSMBr\0\0\0\0\x18S\xc8\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff\xfe\0\0\0\0\r\n\r\n";
    breaks(&target, "GET / HTTP/1.1\r\nHost: example.test\r\n\r\n", &[]);
    breaks(&target, smb, &[]);
    breaks(&target, client_hello(), &[]);
    let noise: Vec<u8> =
        (0..100_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    breaks(&target, noise, &[]);

    let mut plain = Stream::over(connect(target.ready.tls));
    plain.write(whole_options(1));
    let said = plain.end();
    assert!(!said.starts_with(b"SIP"), "plain SIP was answered on the TLS port");
    target.wait_metric(&closed("tls"), |count| count == 1.0);
    target.survived();
}

#[test]
fn a_half_closed_connection_still_gets_its_answer() {
    // 22
    let target = Target::start();
    for mut stream in [Stream::tcp(&target), Stream::tls(&target)] {
        stream.write(whole_options(1));
        stream.half_close();
        assert_eq!(stream.message().status(), 200);
        stream.end();
    }
    target.wait_metric("mynah_connections_current", |connections| connections == 1.0);
    target.survived();
}

#[test]
fn responses_that_answer_nothing_are_dropped() {
    // 51
    let target = Target::start();
    let mut stream = Stream::tls(&target);
    let request = whole_options(1);
    let response = request.split_once("\r\n").unwrap().1;
    stream.write(format!("SIP/2.0 200 OK\r\n{response}"));
    stream.write(whole_options(2));
    let answer = stream.message();
    assert_eq!(answer.header("CSeq"), Some("2 OPTIONS"));
    target.wait_metric("mynah_responses_stray_total", |strays| strays == 1.0);
    target.survived();
}
