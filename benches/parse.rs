//! Reading one message: our head index beside `httparse` on the same head as HTTP, and beside two
//! SIP crates; then with Via, From, To, CSeq, Call-ID and Contact typed.
//!
//! Each message of `corpus/` has its expected reading beside it, and every reader that types
//! headers has to find it before it is timed. All readers run in one process, so that their ratio
//! holds on a busy machine; `--ratios` prints a table of them from interleaved rounds.
//! `PARSE_COUNT=reader/message` runs one of them ten thousand times without timing, to count its
//! instructions: `valgrind --tool=callgrind --toggle-collect='*run_counted*'`.

use std::hint::black_box;
use std::path::Path;
use std::time::Instant;
use std::{env, fs};

use criterion::{Criterion, Throughput};
use mynah::base::limits::Limits;
use mynah::wire::sip::{Framed, Framer, Head, Message, Uri};
use rsipstack::sip::headers::untyped::ToTypedHeader;
use rsipstack::sip::prelude::HeadersExt;
use serde::Deserialize;

/// Messages of the corpus, in the order of the report.
const NAMES: [&str; 5] = ["register", "message", "notify", "ok", "invite"];

/// What stands in a message.
#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct Reading {
    method: String,
    status: u16,
    sent_by: String,
    branch: String,
    from_tag: String,
    from_aor: String,
    to_aor: String,
    call_id: String,
    cseq: u32,
    contact: String,
    fields: usize,
    body_len: usize,
}

struct Sample {
    name: &'static str,
    octets: Vec<u8>,
    /// The same head with the start line of HTTP, and the same body.
    http: Vec<u8>,
    expected: Reading,
}

fn samples() -> Vec<Sample> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/corpus");
    let sample = |name| {
        let octets = fs::read(folder.join(name).with_extension("sip")).unwrap();
        let sidecar = fs::read_to_string(folder.join(name).with_extension("toml")).unwrap();
        let text = String::from_utf8(octets.clone()).unwrap();
        let http = text.replacen("SIP/2.0", "HTTP/1.1", 1).into_bytes();
        Sample { name, octets, http, expected: toml::from_str(&sidecar).unwrap() }
    };
    NAMES.map(sample).into()
}

/// Reads a sample one way; what it found is the value, so that nothing is optimised away.
type Reader = fn(&Sample, &mut State) -> usize;

/// The readers under test: each returns a number that depends on what it read.
const READERS: [(&str, Reader); 7] = [
    ("httparse", httparse_head),
    ("index", index),
    ("framer", framer),
    ("typed", typed),
    ("sip-core", sip_core_parse),
    ("rsipstack", rsipstack_parse),
    ("rsipstack-typed", rsipstack_typed),
];

/// What a reader keeps from one message to the next.
struct State {
    head: Head,
    limits: Limits,
}

fn httparse_head(sample: &Sample, _: &mut State) -> usize {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let status = if sample.expected.status == 0 {
        let mut request = httparse::Request::new(&mut headers);
        let status = request.parse(black_box(&sample.http)).unwrap();
        black_box(&request);
        status
    } else {
        let mut response = httparse::Response::new(&mut headers);
        let status = response.parse(black_box(&sample.http)).unwrap();
        black_box(&response);
        status
    };
    status.unwrap()
}

fn index(sample: &Sample, state: &mut State) -> usize {
    let len = state.head.index(black_box(&sample.octets), &state.limits).unwrap().unwrap();
    black_box(&state.head);
    len
}

fn framer(sample: &Sample, state: &mut State) -> usize {
    let framed = Framer::new().next(black_box(&sample.octets), &state.limits, &mut state.head);
    match framed.unwrap() {
        Framed::Message { len } => len,
        other => panic!("{other:?}"),
    }
}

fn typed(sample: &Sample, state: &mut State) -> usize {
    let octets = black_box(&sample.octets[..]);
    state.head.index(octets, &state.limits).unwrap().unwrap();
    let message = Message::new(octets, &state.head);
    let via = message.top_via().unwrap();
    let from = message.from().unwrap();
    let to = message.to().unwrap();
    let contact = message.contacts().next().unwrap().unwrap();
    let uris = [from, to, contact].map(|address| Uri::parse(address.uri).unwrap());
    let cseq = message.cseq().unwrap();
    let call_id = message.call_id().unwrap();
    black_box((via, from, to, contact, uris));
    cseq.number as usize + call_id.len()
}

fn sip_core_parse(sample: &Sample, _: &mut State) -> usize {
    let text = std::str::from_utf8(black_box(&sample.octets)).unwrap();
    black_box(sip_core::SipMessage::parse(text).unwrap()).headers().len()
}

fn rsipstack_message(sample: &Sample) -> rsipstack::sip::SipMessage {
    rsipstack::sip::parser::parse_message(black_box(&sample.octets)).unwrap()
}

fn rsipstack_parse(sample: &Sample, _: &mut State) -> usize {
    match black_box(rsipstack_message(sample)) {
        rsipstack::sip::SipMessage::Request(request) => request.body.len(),
        rsipstack::sip::SipMessage::Response(response) => response.body.len(),
    }
}

fn rsipstack_typed(sample: &Sample, _: &mut State) -> usize {
    match black_box(rsipstack_message(sample)) {
        rsipstack::sip::SipMessage::Request(request) => rsipstack_headers(&request),
        rsipstack::sip::SipMessage::Response(response) => rsipstack_headers(&response),
    }
}

fn rsipstack_headers(message: &impl HeadersExt) -> usize {
    let via = message.via_header().unwrap().typed().unwrap();
    let from = message.from_header().unwrap().typed().unwrap();
    let to = message.to_header().unwrap().typed().unwrap();
    let cseq = message.cseq_header().unwrap().typed().unwrap();
    let contact = message.contact_header().unwrap().typed().unwrap();
    let call_id = message.call_id_header().unwrap().value().len();
    black_box((&via, &from, &to, &contact));
    cseq.seq as usize + call_id
}

/// Our reading of a message.
fn our_reading(sample: &Sample, state: &mut State) -> Reading {
    let framed = Framer::new().next(&sample.octets, &state.limits, &mut state.head);
    assert_eq!(framed, Ok(Framed::Message { len: sample.octets.len() }));
    let message = Message::new(&sample.octets, &state.head);
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let (via, from, to) =
        (message.top_via().unwrap(), message.from().unwrap(), message.to().unwrap());
    Reading {
        method: text(message.method_text()),
        status: message.status(),
        sent_by: text(via.sent_by),
        branch: text(via.branch().unwrap()),
        from_tag: text(from.tag().unwrap()),
        from_aor: Uri::parse(from.uri).unwrap().aor().unwrap(),
        to_aor: Uri::parse(to.uri).unwrap().aor().unwrap(),
        call_id: text(message.call_id().unwrap()),
        cseq: message.cseq().unwrap().number,
        contact: text(message.contacts().next().unwrap().unwrap().uri),
        fields: message.head().fields().len(),
        body_len: message.body().len(),
    }
}

/// Every reader finds what is there.
fn check(sample: &Sample, state: &mut State) {
    let expected = &sample.expected;
    assert_eq!(our_reading(sample, state), *expected, "{}", sample.name);
    let head_len = sample.octets.len() - expected.body_len;
    assert_eq!(index(sample, state), head_len);
    assert_eq!(httparse_head(sample, state), head_len + 1, "HTTP/1.1 is one octet longer");
    assert_eq!(sip_core_parse(sample, state), expected.fields);
    assert_eq!(rsipstack_parse(sample, state), expected.body_len);
    let numbers = expected.cseq as usize + expected.call_id.len();
    assert_eq!(typed(sample, state), numbers);
    assert_eq!(rsipstack_typed(sample, state), numbers);
}

/// Runs the reader and message named `reader/message` ten thousand times.
#[inline(never)]
fn run_counted(wanted: &str, samples: &[Sample], state: &mut State) {
    let (reader, name) = wanted.split_once('/').expect("PARSE_COUNT=reader/message");
    let sample = samples.iter().find(|sample| sample.name == name).expect("a message");
    let (_, read) = READERS.into_iter().find(|(name, _)| *name == reader).expect("a reader");
    for _ in 0..10_000 {
        black_box(read(sample, state));
    }
}

/// Prints the least time of each reader, over rounds in which all readers take turns, so that what
/// else the machine does hits all of them; in nanoseconds, and against `httparse`.
fn print_ratios(samples: &[Sample], state: &mut State) {
    for sample in samples {
        let mut least = [f64::MAX; READERS.len()];
        for _ in 0..500 {
            for ((_, read), least) in READERS.iter().zip(&mut least) {
                let start = Instant::now();
                for _ in 0..100 {
                    black_box(read(sample, state));
                }
                *least = least.min(start.elapsed().as_secs_f64() * 1e9 / 100.0);
            }
        }
        print!("{:9}", sample.name);
        for ((name, _), nanoseconds) in READERS.iter().zip(least) {
            print!("  {name} {nanoseconds:.0} ({:.2})", nanoseconds / least[0]);
        }
        println!();
    }
}

fn main() {
    let samples = samples();
    let mut state = State { head: Head::new(), limits: Limits::default() };
    for sample in &samples {
        check(sample, &mut state);
    }
    if let Ok(wanted) = env::var("PARSE_COUNT") {
        return run_counted(&wanted, &samples, &mut state);
    }
    if env::args().any(|arg| arg == "--ratios") {
        return print_ratios(&samples, &mut state);
    }
    let mut criterion = Criterion::default().configure_from_args();
    for sample in &samples {
        let mut group = criterion.benchmark_group(sample.name);
        let head_len = sample.octets.len() - sample.expected.body_len;
        group.throughput(Throughput::Bytes(head_len as u64));
        for (name, reader) in READERS {
            group.bench_function(name, |bencher| bencher.iter(|| reader(sample, &mut state)));
        }
        group.finish();
    }
    criterion.final_summary();
}
