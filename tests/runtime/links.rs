//! Links: who may open one, what it may carry, and how it ends.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mynah::base::limits::Limit;
use mynah::config::Settings;
use mynah::metrics::counters::CloseReason;
use mynah::metrics::names::Series;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::client::{Client, Tls, certificate, request};
use super::stand_in::{Running, wait_until};

const EDGE: &str = "edge.example.test";

/// A server that lets `EDGE` open links.
fn start(change: impl FnOnce(&mut Settings)) -> Running {
    Running::start(|settings| {
        let folder = settings.certificates[0].chain.parent().unwrap().to_owned();
        write_identity(&folder, EDGE);
        settings.listen.links = Some("127.0.0.1:0".parse().unwrap());
        settings.links.ca = folder.join("link.pem");
        settings.links.names = vec!["other.example.test".to_owned(), EDGE.to_owned()];
        change(settings);
    })
}

/// A certificate of this name that signed itself, and its key.
fn write_identity(folder: &Path, name: &str) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    std::fs::write(folder.join("link.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("link.key"), made.signing_key.serialize_pem()).unwrap();
}

fn link(server: &Running) -> Tls {
    let folder = server.folder.path();
    let mut roots = RootCertStore::empty();
    roots.add(certificate(&server.ca())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(
            vec![certificate(&folder.join("link.pem"))],
            PrivateKeyDer::from_pem_file(folder.join("link.key")).unwrap(),
        )
        .unwrap();
    Client::with(server.ready.links.unwrap(), Arc::new(config))
}

/// A request of `from`, who is at 192.0.2.`from`.
fn of(from: u32, user: &str, cseq: u32) -> String {
    request(user, cseq)
        .replace("sip:alice@", &format!("sip:user-{from}@"))
        .replace("127.0.0.1:5061", &format!("192.0.2.{}:5061", from % 256))
}

#[test]
fn each_user_of_a_link_is_told_to_the_machine_and_so_is_his_end() {
    let server = start(|_| {});
    let mut edge = link(&server);
    for from in 0..50 {
        edge.send(of(from, "ok", from));
        edge.expect(from);
    }
    edge.send(of(7, "ok", 99));
    edge.expect(99);
    assert_eq!(server.value(Series::LinksCurrent), 1);
    assert_eq!(server.value(Series::LanesCurrent), 50);
    assert_eq!(server.value(Series::LanesOpened), 50);
    assert_eq!(server.value(Series::ConnectionsCurrent), 1);
    drop(edge);
    wait_until("all lanes are gone", || server.value(Series::LanesCurrent) == 0);
    assert_eq!(server.value(Series::LinksCurrent), 0);
    assert_eq!(server.notes.told.lock().unwrap().len(), 50, "and the link was told to nobody");
}

#[test]
fn links_are_dealt_to_the_cores_in_turn() {
    let server = start(|settings| settings.cores = Some(2));
    let mut links: Vec<Tls> = (0..4).map(|_| link(&server)).collect();
    for (number, edge) in (0..).zip(&mut links) {
        edge.send(of(number, "ok", number));
        edge.expect(number);
    }
    let current = |series| server.counters().iter().map(|c| c.value(series)).collect::<Vec<_>>();
    assert_eq!(current(Series::LinksCurrent), [2, 2]);
    assert_eq!(current(Series::LanesCurrent), [2, 2]);
}

#[test]
fn a_link_too_many_in_a_handshake_is_refused() {
    let server = start(|settings| settings.limits.handshakes_per_core_max = 1);
    let stuck = Client::plain(server.ready.links.unwrap());
    wait_until("it is taken in", || server.value(Series::ConnectionsCurrent) == 1);
    assert_eq!(Client::plain(server.ready.links.unwrap()).closed(), b"");
    assert_eq!(server.hits(Limit::Handshakes), 1);
    drop(stuck);
    server.wait_empty();
    link(&server).ask("ok", 1);
}

#[test]
fn a_certificate_of_another_name_opens_no_link() {
    let server = start(|settings| {
        let folder = settings.certificates[0].chain.parent().unwrap().to_owned();
        write_identity(&folder, "else.example.test");
    });
    let mut edge = link(&server);
    assert_eq!(edge.closed(), b"");
    server.wait_closed(CloseReason::ForeignPeer, 1);
    assert_eq!(server.value(Series::LinksCurrent), 0);
    assert_eq!(server.value(Series::LanesOpened), 0);
}

#[test]
fn a_link_without_a_certificate_is_no_link() {
    let server = start(|_| {});
    let config = super::client::config(&server.ca(), rustls::ALL_VERSIONS);
    let mut client = Client::with(server.ready.links.unwrap(), config);
    assert_eq!(client.closed(), b"");
    server.wait_closed(CloseReason::Tls, 1);
    assert_eq!(server.value(Series::HandshakeFailures), 1);
}

#[test]
fn links_of_a_core_have_their_bound() {
    let server = start(|settings| settings.limits.links_per_core_max = 1);
    let mut first = link(&server);
    first.ask("ok", 1);
    let mut second = link(&server);
    assert_eq!(second.closed(), b"");
    assert_eq!(server.hits(Limit::Links), 1);
    first.ask("ok", 2);
    drop(first);
    server.wait_empty();
    link(&server).ask("ok", 3);
}

#[test]
fn a_flood_of_users_is_held_to_the_bound_and_the_others_are_served() {
    let server = start(|settings| settings.limits.lanes_per_link_max = 3);
    let mut edge = link(&server);
    for from in 0..3 {
        edge.send(of(from, "ok", from));
        edge.expect(from);
    }
    for from in 3..500 {
        edge.send(of(from, "ok", from));
        let answer = edge.message().unwrap();
        assert!(answer.starts_with("SIP/2.0 503 "), "{answer}");
        assert!(answer.contains("\r\nRetry-After: "), "{answer}");
    }
    edge.send(of(1, "ok", 1000));
    edge.expect(1000);
    assert_eq!(server.value(Series::LanesCurrent), 3);
    assert_eq!(server.value(Series::LanesRefused), 497);
    assert_eq!(server.hits(Limit::LanesPerLink), 497);
    // Another link has a bound of its own.
    let mut other = link(&server);
    other.send(of(8, "ok", 1));
    other.expect(1);
}

#[test]
fn users_of_a_link_count_as_connections_of_the_core_and_of_where_they_are() {
    let server = start(|settings| settings.limits.connections_per_address_max = 2);
    let mut edge = link(&server);
    for (from, status) in [(7, 200), (7 + 256, 200), (7 + 512, 503), (8, 200)] {
        edge.send(of(from, "ok", from));
        let answer = edge.message().unwrap();
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{from}: {answer}");
    }
    assert_eq!(server.hits(Limit::ConnectionsPerAddress), 1);
    drop(edge);
    drop(server);

    let server = start(|settings| settings.limits.connections_per_shard_max = 3);
    let mut edge = link(&server);
    for (from, status) in [(1, 200), (2, 200), (3, 503)] {
        edge.send(of(from, "ok", from));
        let answer = edge.message().unwrap();
        assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "{from}: {answer}");
    }
    assert_eq!(server.hits(Limit::Connections), 1);
}

#[test]
fn a_panic_for_one_user_leaves_the_link_to_the_others() {
    let server = start(|_| {});
    let mut edge = link(&server);
    edge.send(of(1, "ok", 1));
    edge.expect(1);
    edge.send(of(2, "panic", 2));
    edge.send(of(1, "ok", 3));
    edge.expect(3);
    assert_eq!(server.value(Series::ConnectionPanics), 1);
    assert_eq!(server.value(Series::LanesCurrent), 1);
    assert_eq!(*server.notes.told.lock().unwrap(), [CloseReason::Panic]);
}

#[test]
fn a_silent_user_leaves_the_link() {
    let server = start(|settings| settings.limits.lane_idle_timeout = Duration::from_millis(200));
    let mut edge = link(&server);
    edge.send(of(1, "ok", 1));
    edge.expect(1);
    wait_until("he is gone", || server.value(Series::LanesCurrent) == 0);
    assert_eq!(server.hits(Limit::LaneIdleTime), 1);
    assert_eq!(*server.notes.told.lock().unwrap(), [CloseReason::IdleTimeout]);
    edge.send(of(1, "ok", 2));
    edge.expect(2);
}

#[test]
fn a_link_that_does_not_read_is_dropped_with_all_its_users() {
    let server = start(|settings| settings.limits.outgoing_bytes_per_link_max = 4 * 1024 * 1024);
    let mut edge = link(&server);
    for from in 0..3 {
        edge.send(of(from, "ok", from));
        edge.expect(from);
    }
    // Megabytes, and more than the socket buffers of both ends hold.
    edge.send((10..42).map(|cseq| of(cseq % 3, "bulk", cseq)).collect::<String>());
    server.wait_closed(CloseReason::SlowReader, 1);
    assert_eq!(server.hits(Limit::LinkOutgoingBytes), 1);
    wait_until("all lanes are gone", || server.value(Series::LanesCurrent) == 0);
    assert_eq!(*server.notes.told.lock().unwrap(), [CloseReason::SlowReader; 3]);
}

#[test]
fn what_breaks_a_rule_is_answered_and_what_breaks_the_framing_ends_the_link() {
    let server = start(|_| {});
    let mut edge = link(&server);
    edge.send(of(1, "ok", 1));
    edge.expect(1);
    edge.send(of(2, "ok", 2).replace("Call-ID: 2@127.0.0.1\r\n", ""));
    assert!(edge.message().unwrap().starts_with("SIP/2.0 400 "));
    edge.send(of(1, "ok", 3));
    edge.expect(3);
    edge.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    edge.closed();
    server.wait_closed(CloseReason::Framing, 1);
    wait_until("all lanes are gone", || server.value(Series::LanesCurrent) == 0);
}

#[test]
fn a_link_needs_no_user_to_stay() {
    let server = start(|settings| {
        settings.limits.first_message_timeout = Duration::from_millis(50);
    });
    let mut edge = link(&server);
    edge.send("\r\n\r\n");
    while edge.take().is_empty() {
        assert_ne!(edge.read(), 0, "the link is closed");
    }
    let since = server.value(Series::Ticks);
    wait_until("its time is over", || server.value(Series::Ticks) > since + 10);
    edge.ask("ok", 1);
}

#[test]
fn a_server_that_goes_down_ends_links_in_order() {
    let mut server = start(|_| {});
    let mut edge = link(&server);
    for from in 0..100 {
        edge.send(of(from, "ok", from));
        edge.expect(from);
    }
    let closing = std::thread::spawn(move || edge.closed());
    server.stop();
    assert_eq!(closing.join().unwrap(), b"");
    assert_eq!(server.notes.told.lock().unwrap().len(), 100);
}
