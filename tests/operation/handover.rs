//! Sockets that outlive the server: nobody who connects while it restarts is refused.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::outside::endpoint::{Endpoint, head};
use crate::outside::server::{DOMAIN, Server};
use crate::outside::stream::Stream;

/// Connects again and again until told to stop; how often, and what went wrong.
struct Comers {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(usize, Vec<std::io::Error>)>,
}

impl Comers {
    fn to(address: SocketAddr) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let told = stop.clone();
        let thread = thread::spawn(move || {
            let (mut count, mut errors) = (0, Vec::new());
            while !told.load(Ordering::SeqCst) {
                match TcpStream::connect(address) {
                    Ok(_) => count += 1,
                    Err(error) => errors.push(error),
                }
                // Some hundreds a second: fewer than the backlog has room for.
                thread::sleep(Duration::from_millis(3));
            }
            (count, errors)
        });
        Comers { stop, thread }
    }

    fn end(self) -> (usize, Vec<std::io::Error>) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap()
    }
}

fn options() -> String {
    head("OPTIONS", DOMAIN, "probe", "probe", 1, "127.0.0.1:9") + "Content-Length: 0\r\n\r\n"
}

/// A listening socket with room for all who come while no server runs.
fn socket() -> TcpListener {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&socket).listen(4096).unwrap();
    socket
}

/// Sockets for TLS and TCP, and a server that has them.
fn start() -> (TcpListener, TcpListener, Server) {
    let [tls, tcp] = [(); 2].map(|()| socket());
    let server = Server::serve_with("", &[("tls", &tls), ("tcp", &tcp)]);
    assert_eq!(server.ready.tls, tls.local_addr().unwrap());
    assert_eq!(server.ready.tcp, tcp.local_addr().unwrap());
    (tls, tcp, server)
}

#[test]
fn who_connects_while_the_server_is_dead_waits_for_the_next() {
    let (_tls, _tcp, server) = start();
    let ready = server.ready;
    Endpoint::tls(&server, "alice");
    let comers = [ready.tls, ready.tcp].map(Comers::to);
    let stopped = server.kill();
    let mut waiting: Vec<Stream> = (0..8)
        .map(|_| {
            let mut stream = Stream::over(TcpStream::connect(ready.tcp).unwrap());
            stream.write(options());
            stream
        })
        .collect();
    let server = stopped.start();
    assert_eq!(server.ready.tcp, ready.tcp);
    for stream in &mut waiting {
        assert_eq!(stream.message().status(), 200);
    }
    Endpoint::tls(&server, "alice");
    for (count, errors) in comers.map(Comers::end) {
        assert!(errors.is_empty(), "{} of {count}: {:?}", errors.len(), errors[0]);
        assert!(count > 0);
    }
}

#[test]
fn an_orderly_restart_refuses_nobody_either() {
    let (_tls, _tcp, mut server) = start();
    let ready = server.ready;
    for _ in 0..3 {
        let comers = [ready.tls, ready.tcp].map(Comers::to);
        let stopped = server.stop();
        let mut waiting = Stream::over(TcpStream::connect(ready.tcp).unwrap());
        waiting.write(options());
        server = stopped.start();
        assert_eq!(waiting.message().status(), 200);
        for (count, errors) in comers.map(Comers::end) {
            assert!(errors.is_empty(), "{} of {count}: {:?}", errors.len(), errors[0]);
        }
    }
}

#[test]
fn cores_share_a_socket_and_all_are_served() {
    let (_tls, _tcp, server) = start();
    let mut endpoints: Vec<_> = (0..8).map(|_| Endpoint::tcp(&server, "alice")).collect();
    for endpoint in &mut endpoints {
        assert_eq!(endpoint.ask("OPTIONS", "alice", "", "").status(), 200);
    }
}

#[test]
fn a_socket_that_nothing_listens_on_is_named() {
    let [tls, other] = [(); 2].map(|()| socket());
    let line = Server::serve_fails("", &[("tls", &tls), ("other", &other)]);
    let address = other.local_addr().unwrap();
    assert!(line.contains(&format!("a socket on {address} was passed on")), "{line}");
}
