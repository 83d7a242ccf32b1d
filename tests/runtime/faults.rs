//! What goes wrong elsewhere stays there.

use std::os::fd::AsFd;

use mynah::base::ids::ShardId;
use mynah::metrics::counters::CloseReason;
use mynah::metrics::names::Series;
use mynah::shard::input::Control;

use super::client::{Client, request};
use super::stand_in::{Running, wait_until};

/// T4 of the runtime: a panic costs one connection.
#[test]
fn a_panic_closes_its_connection_and_no_other() {
    let server = Running::start(|_| {});
    let mut other = Client::tls(server.tls(), &server.ca());
    other.ask("ok", 1);
    let mut doomed = Client::tls(server.tls(), &server.ca());
    doomed.ask("ok", 1);
    doomed.send(request("ok", 2) + &request("panic", 3) + &request("ok", 4));
    doomed.closed();
    server.wait_closed(CloseReason::Panic, 1);
    assert_eq!(server.value(Series::ConnectionPanics), 1);
    assert_eq!(*server.notes.told.lock().unwrap(), [CloseReason::Panic]);
    other.ask("ok", 2);
    Client::plain(server.tcp()).ask("ok", 1);
    drop(other);
    server.wait_empty();
}

#[test]
fn connections_reset_in_the_middle_of_everything_leave_nothing_behind() {
    let server = Running::start(|_| {});
    for round in 0..300 {
        let tls = round % 3 == 0;
        let mut client = Client::plain(if tls { server.tls() } else { server.tcp() });
        if !tls {
            client.ask("ok", 1);
        }
        // In the middle of a message, or of the answer to it; or of a handshake.
        let text = request("bulk", 2);
        let cut = (round * 7) % text.len();
        client.send(&text[..cut]);
        if round % 5 == 0 && !tls {
            client.send(&text[cut..]);
            client.read();
        }
        let stream = client.stream;
        // Closing with a linger time of zero sends RST.
        rustix::net::sockopt::set_socket_linger(stream.as_fd(), Some(std::time::Duration::ZERO))
            .unwrap();
    }
    server.wait_empty();
    Client::plain(server.tcp()).ask("ok", 1);
    let sum = server.sum();
    assert!(sum.value(Series::ConnectionsOpened) > 200);
    assert_eq!(sum.closes(CloseReason::Panic), 0);
}

#[test]
fn a_drain_tells_the_machine_closes_all_and_ends() {
    let mut server = Running::start(|settings| settings.cores = Some(2));
    let mut clients: Vec<_> = (0..10).map(|_| Client::tls(server.tls(), &server.ca())).collect();
    clients.iter_mut().for_each(|client| client.ask("ok", 1));
    let closed = std::thread::spawn(move || {
        clients.iter_mut().for_each(|client| assert_eq!(client.closed(), b""));
    });
    server.stop();
    closed.join().unwrap();
    assert_eq!(server.notes.told.lock().unwrap().len(), 10);
    assert!(server.notes.told.lock().unwrap().iter().all(|reason| *reason == CloseReason::Drain));
    assert!(std::net::TcpStream::connect(server.tcp()).is_err());
}

#[test]
fn a_drain_does_not_wait_for_peers_for_ever() {
    let mut server = Running::start(|settings| {
        settings.limits.drain_timeout = std::time::Duration::from_millis(300);
    });
    let mut client = Client::plain(server.tcp());
    client.ask("ok", 1);
    // The client never closes its side.
    server.stop();
}

#[test]
fn orders_reach_an_idle_core() {
    let server = Running::start(|_| {});
    server.cores.tell(ShardId(0), Control::Drain).unwrap();
    assert!(server.cores.tell(ShardId(1), Control::Drain).is_err());
    let ticks = server.value(Series::Ticks);
    wait_until("the tick goes on", || server.value(Series::Ticks) > ticks);
}

#[test]
fn the_ready_file_says_where() {
    let server = Running::start(|_| {});
    let text = std::fs::read_to_string(server.folder.path().join("ready")).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(ready["pid"], std::process::id());
    assert_eq!(ready["tls"], server.tls().to_string());
    assert_eq!(ready["tcp"], server.tcp().to_string());
    assert!(ready["http"].is_null());
}
