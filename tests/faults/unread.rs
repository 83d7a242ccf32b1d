//! Whoever reads what the server tells of itself stands still: its log, its metrics, a trace, a stream of
//! the API. Nobody who talks notices.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::fetch;
use crate::outside::program::Program;
use crate::outside::server::{BINARY, Server};
use crate::outside::session::Session;

/// Longest that a message may take: far above what it takes on a busy machine, and far below any time
/// after which a reader is given up.
const PROMPT: Duration = Duration::from_secs(10);

/// Two who talk.
struct Pair {
    alice: Endpoint,
    bob: Endpoint,
    session: Session,
}

impl Pair {
    fn of(server: &Server) -> Self {
        let mut alice = Endpoint::tls(server, "alice");
        let mut bob = Endpoint::tls(server, "bob");
        let session = Session::open(&mut alice, &mut bob);
        Pair { alice, bob, session }
    }

    /// Says `text` so many times; fails when one of them takes long.
    fn talk(&mut self, times: usize, text: &str) {
        for _ in 0..times {
            let asked = Instant::now();
            self.session.say(&mut self.alice, &mut self.bob, text);
            assert!(asked.elapsed() < PROMPT, "a message took {:?}", asked.elapsed());
        }
    }
}

#[test]
fn a_log_that_nobody_reads_loses_lines_and_nothing_else() {
    // 67
    let mut server = Server::serve_unread(
        "[log]\nfilter = 'debug'\n[limits]\nhandshakes_per_address_per_second_max = 0\n\
         handshakes_per_core_per_second_max = 0\n",
    );
    let mut pair = Pair::of(&server);
    // A line for each who does not speak TLS: more than a pipe and the queue before it hold.
    let lost = || server.metrics().value("mynah_log_lines_lost_total");
    let since = Instant::now();
    while lost() == 0.0 {
        for _ in 0..200 {
            let mut stream = TcpStream::connect(server.ready.tls).unwrap();
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        }
        pair.talk(10, "hello");
        assert!(since.elapsed() < crate::outside::PATIENCE, "the log takes everything");
    }
    pair.talk(100, "still here");
    pair.session.close(&mut pair.alice, &mut pair.bob);
    server.process().signal(Signal::TERM);
    server.process().wait_success();
}

/// Asks for a page so often that no buffer holds the answers, and reads none of them.
fn ask_without_reading(server: &Server, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.ready.http).unwrap();
    stream.set_nonblocking(true).unwrap();
    let requests = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").repeat(2_000);
    let mut rest = requests.as_bytes();
    while !rest.is_empty() {
        match stream.write(rest) {
            Ok(len) => rest = &rest[len..],
            // The server takes no more requests while it cannot write its answers.
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    stream
}

#[test]
fn scrapers_that_do_not_read_take_their_places_and_nothing_else() {
    // 67
    let server = Server::serve("[limits]\nadmin_connections_max = 4\n");
    let mut pair = Pair::of(&server);
    let stuck = ["/metrics", "/metrics", "/console"].map(|path| ask_without_reading(&server, path));
    pair.talk(300, "hello");
    // Others read the page meanwhile.
    assert_eq!(fetch(server.ready.http, "/metrics").0, 200);
    pair.talk(300, "still here");
    // Nor do they hold up the end.
    server.stop();
    drop(stuck);
}

/// Begins a stream of events about bob and reads nothing of it; what the system keeps for it is as little
/// as can be.
fn stream_without_reading(server: &Server, token: &str) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(1).unwrap();
    socket.connect(&server.ready.api.unwrap().into()).unwrap();
    let mut stream = TcpStream::from(socket);
    write!(
        stream,
        "GET /v1/presence/bob@example.test/events HTTP/1.1\r\nHost: localhost\r\n\
         Authorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    stream
}

#[test]
fn nobody_waits_for_event_streams_that_are_not_read() {
    // 67
    let server =
        Server::serve("[api]\nlisten = '127.0.0.1:0'\n[limits]\npresence_damping_time = '1ms'\n");
    let created = server.command(&["api", "token", "create", "--role", "read", "portal"]);
    let token = String::from_utf8(created.stdout).unwrap();
    let mut pair = Pair::of(&server);
    let streams = [(); 4].map(|()| stream_without_reading(&server, token.trim()));
    server.wait_metric("mynah_api_streams_current", |streams| streams == 4.0);
    let note = "x".repeat(8_000);
    let mut etag = String::new();
    for activity in ["busy", "away"].repeat(50) {
        let body = format!(
            "<presence xmlns='urn:ietf:params:xml:ns:pidf' \
             xmlns:dm='urn:ietf:params:xml:ns:pidf:data-model' \
             xmlns:rpid='urn:ietf:params:xml:ns:pidf:rpid' entity='sip:bob@example.test'>\
             <dm:person id='p'><rpid:activities><rpid:{activity}/></rpid:activities>\
             <dm:note>{note}</dm:note></dm:person><tuple id='t'><status><basic>open</basic>\
             </status></tuple></presence>"
        );
        let lines = format!(
            "Event: presence\r\nExpires: 600\r\n{etag}Content-Type: application/pidf+xml\r\n"
        );
        let published = pair.bob.ask("PUBLISH", "bob", &lines, &body);
        assert_eq!(published.status(), 200, "{}", published.head);
        etag = format!("SIP-If-Match: {}\r\n", published.header("SIP-ETag").unwrap());
        pair.talk(2, "hello");
    }
    pair.talk(20, "still here");
    drop(streams);
    server.stop();
}

#[test]
fn a_trace_that_is_not_read_loses_messages_and_says_so() {
    // 67
    let server = Server::demo();
    let mut pair = Pair::of(&server);
    let mut command = Command::new(BINARY);
    let http = server.ready.http.to_string();
    command.args(["trace", "--user", "alice", "--for", "1h", "--max", "2000", "--http", &http]);
    let mut trace = Program::start("trace", &mut command);
    trace.wait_for_text("listening");
    trace.signal(Signal::STOP);
    // More than the sockets between and the queue hold, some times over.
    let mut text = String::new();
    (0..400).for_each(|n| write!(text, "{n:032}").unwrap());
    pair.talk(1_500, &text);
    trace.signal(Signal::CONT);
    while trace.is_running() {
        pair.talk(50, "still here");
    }
    trace.wait_success();
    let said = trace.wait_for_text("ended by: messages");
    assert!(said.contains("more came too fast and are missing"), "{said}");
    server.stop();
}
