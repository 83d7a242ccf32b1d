//! Applications while the server restarts on the same sockets, and while it takes new certificates.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::client::Application;
use crate::outside::api::API;
use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::post;
use crate::outside::presence::publish;
use crate::outside::server::{Server, Stopped, renew_certificate};
use crate::outside::stream::handshake;

const ALICE: &str = "/v1/presence/alice@example.test";
const EVENTS: &str = "/v1/presence/alice@example.test/events";

/// Asks again and again, one question after the other, until told to stop.
struct Asker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Outcome>,
}

/// What became of the questions.
#[derive(Debug, Default)]
struct Outcome {
    /// Statuses of answers.
    answers: Vec<u16>,
    /// Connections that could not be made.
    refused: Vec<std::io::Error>,
    /// Connections that ended without an answer.
    cut: Vec<std::io::Error>,
}

impl Asker {
    fn start(application: &Application, address: SocketAddr) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let (told, application) = (stop.clone(), application.clone());
        let thread = thread::spawn(move || {
            let mut outcome = Outcome::default();
            while !told.load(Ordering::SeqCst) {
                let stream = match TcpStream::connect(address) {
                    Ok(stream) => stream,
                    Err(error) => {
                        outcome.refused.push(error);
                        continue;
                    }
                };
                match application.get_on(stream, ALICE).and_then(|asked| asked.answer()) {
                    Ok(answer) => outcome.answers.push(answer.status),
                    Err(error) => outcome.cut.push(error),
                }
            }
            outcome
        });
        Asker { stop, thread }
    }

    fn end(self) -> Outcome {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

/// What alice is said to be.
fn class(application: &Application, stream: TcpStream) -> String {
    let answer = application.get_on(stream, ALICE).unwrap().answer().unwrap().good();
    answer["state"]["class"].as_str().unwrap().to_owned()
}

#[test]
fn who_asks_while_the_server_restarts_is_refused_by_nobody_and_answered_by_the_next() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    // Nobody need wait for a client that stays.
    let lines = format!("{API}[limits]\nclose_timeout = \"50ms\"\n");
    let mut server = Server::serve_with(&lines, &[("api", &socket)]);
    let wall = Application::new(&server, "wall", "read", "colleagues");
    let endings: [fn(Server) -> Stopped; 2] = [Server::stop, Server::kill];
    for end in endings {
        assert_eq!(server.ready.api, Some(address));
        let mut stream = wall.events(EVENTS);
        let mut alice = Endpoint::tcp(&server, "alice");
        publish(&mut alice, "busy", "");
        stream.wait_state("alice", "busy");
        assert_eq!(class(&wall, TcpStream::connect(address).unwrap()), "busy");

        let askers = [(); 2].map(|()| Asker::start(&wall, address));
        let stopped = end(server);
        while stream.next().is_some() {}
        // No process listens now, and who comes waits.
        let waiting = [(); 4].map(|()| {
            let stream = TcpStream::connect(address).unwrap();
            wall.get_on(stream, ALICE).unwrap()
        });
        let again = wall.get_on(TcpStream::connect(address).unwrap(), EVENTS).unwrap();
        server = stopped.start();

        for asked in waiting {
            // The next process knows nothing of her yet, but the token.
            assert_eq!(asked.answer().unwrap().good()["state"]["class"], "offline");
        }
        let mut stream = again.events();
        stream.wait_state("alice", "offline");
        let _alice = Endpoint::tcp(&server, "alice");
        stream.wait_state("alice", "available");
        for outcome in askers.map(Asker::end) {
            assert!(outcome.refused.is_empty(), "{outcome:?}");
            assert!(outcome.answers.iter().all(|status| *status == 200), "{outcome:?}");
            // At most what the old process had in hand when it ended.
            assert!(outcome.cut.len() <= 1, "{outcome:?}");
            assert!(!outcome.answers.is_empty());
        }
    }
}

#[test]
fn a_stream_goes_on_over_new_certificates_and_new_connections_see_them() {
    // By its name the socket is that of the API, which speaks TLS for what it is told to listen on.
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let api = "[api]\nlisten = \"0.0.0.0:9443\"\n";
    let server = Server::serve_with(api, &[("api", &socket)]);
    let trusted = server.trusted();
    let wall = Application::new(&server, "wall", "read", "colleagues").over_tls(&trusted);
    let mut stream = wall.events(EVENTS);
    stream.wait_state("alice", "offline");
    let mut alice = Endpoint::tls(&server, "alice");
    stream.wait_state("alice", "available");

    let before = server.data().join("before.pem");
    for activity in ["busy", "away", "busy"] {
        fs::copy(&trusted, &before).unwrap();
        renew_certificate(&server.data());
        assert!(handshake(address, &before).is_ok(), "before anybody said so");
        let (status, body) = post(server.ready.http, "/reload");
        assert_eq!(status, 200, "{body}");
        assert!(handshake(address, &before).is_err(), "the old one is shown no more");
        publish(&mut alice, activity, "");
        stream.wait_state("alice", activity);
        assert_eq!(wall.get(ALICE).good()["state"]["class"], activity);
    }

    // What cannot be used changes nothing.
    fs::copy(&trusted, &before).unwrap();
    fs::write(&trusted, "no certificate").unwrap();
    assert_ne!(post(server.ready.http, "/reload").0, 200);
    let wall = wall.over_tls(&before);
    assert_eq!(wall.get(ALICE).good()["state"]["class"], "busy");
    publish(&mut alice, "away", "");
    stream.wait_state("alice", "away");
}
