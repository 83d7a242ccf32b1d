//! A disk that is full or cannot be written to, and a database that somebody else holds.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::outside::cdr;
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::metrics::fetch;
use crate::outside::server::Server;
use crate::outside::service::{self, add_contact};
use crate::outside::session::Session;

/// Takes all the space there is.
fn fill(file: &Path) {
    let mut file = File::create(file).unwrap();
    for len in [1 << 16, 1 << 12, 1] {
        let octets = vec![b'x'; len];
        loop {
            match file.write(&octets) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// Fails unless people sign in and talk.
fn serves(server: &Server) {
    let mut alice = Endpoint::tls(server, "alice");
    let mut bob = Endpoint::tls(server, "bob");
    let mut session = Session::open(&mut alice, &mut bob);
    session.say(&mut alice, &mut bob, "hello");
    session.close(&mut alice, &mut bob);
}

/// Lines of the log that say `text`.
fn logged(server: &mut Server, text: &str) -> usize {
    server.process().lines().iter().filter(|line| line.contains(text)).count()
}

#[test]
fn a_full_disk_raises_the_alarm_once_and_sign_in_and_messages_go_on() {
    // 61
    let mut server = Server::serve_on_disk_of(8 << 20, "[limits]\nstore_retry_time = '50ms'\n");
    let mut carol = Endpoint::tls(&server, "carol");
    assert_eq!(add_contact(&mut carol, "first"), 200);
    let ballast = server.inside().join("ballast");
    fill(&ballast);
    let mut number = 0;
    eventually("a change that is refused", || {
        number += 1;
        match add_contact(&mut carol, &format!("c{number}")) {
            503 => Ok(()),
            status => Err(status.to_string()),
        }
    });
    let alarm = "mynah_store_alarm{cause=\"disk_full\"}";
    server.wait_metric(alarm, |raised| raised == 1.0);
    let (status, health) = fetch(server.ready.http, "/healthz");
    assert_eq!(status, 503);
    assert!(health.contains("the disk is full"), "{health}");
    server.process().wait_for_text("the disk is full");
    for _ in 0..3 {
        serves(&server);
        assert_eq!(add_contact(&mut carol, "another"), 503);
    }
    assert_eq!(logged(&mut server, "the disk is full"), 1);

    std::fs::remove_file(&ballast).unwrap();
    server.wait_metric(alarm, |raised| raised == 0.0);
    assert_eq!(fetch(server.ready.http, "/healthz").0, 200);
    assert_eq!(add_contact(&mut carol, "another"), 200);
    // What could not be written has waited.
    eventually("three records that ended", || {
        let output = server.command_inside(&["cdr", "--format", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let records = cdr::read(&output.stdout);
        match records.iter().filter(|record| record.ending.is_some()).count() {
            3 => Ok(()),
            count => Err(count.to_string()),
        }
    });
    server.stop();
}

#[test]
fn a_disk_that_cannot_be_written_to_is_named_at_the_start() {
    // 61
    let line = Server::serve_read_only_fails();
    assert!(line.starts_with("mynah: ") && line.contains("/data"), "{line}");
}

#[test]
fn a_slow_store_holds_up_who_waits_for_it_and_nobody_else() {
    // 61, 62
    let server = Server::serve("[limits]\nstore_busy_timeout = '25s'\n");
    let mut carol = Endpoint::tls(&server, "carol");
    let disk = rusqlite::Connection::open(server.data().join("mynah.db")).unwrap();
    disk.execute_batch("BEGIN IMMEDIATE").unwrap();
    let change = service::request(&mut carol, service::contact("bob"));
    carol.stream.write(change);
    serves(&server);
    // On the connection of who waits, too.
    let options = carol.request("OPTIONS", "carol", "", "");
    carol.stream.write(options);
    let first = carol.final_answer();
    assert!(first.header("CSeq").unwrap().ends_with(" OPTIONS"), "{}", first.head);
    assert_eq!(fetch(server.ready.http, "/healthz").0, 200);
    disk.execute_batch("ROLLBACK").unwrap();
    assert_eq!(carol.final_answer().status(), 200);
    server.wait_ended(1);
    server.stop();
}

#[test]
fn a_store_that_never_answers_is_waited_for_so_long_and_then_named() {
    // 61, 62
    let mut server = Server::serve("[limits]\nstore_busy_timeout = '300ms'\n");
    let mut carol = Endpoint::tls(&server, "carol");
    let disk = rusqlite::Connection::open(server.data().join("mynah.db")).unwrap();
    disk.execute_batch("BEGIN IMMEDIATE").unwrap();
    let change = service::request(&mut carol, service::contact("bob"));
    carol.stream.write(change);
    let refused = carol.final_answer();
    assert_eq!(refused.status(), 503);
    assert!(refused.header("Retry-After").is_some(), "{}", refused.head);
    let alarm = "mynah_store_alarm{cause=\"busy\"}";
    server.wait_metric(alarm, |raised| raised == 1.0);
    let (status, health) = fetch(server.ready.http, "/healthz");
    assert!(status == 503 && health.contains("another process holds the database"), "{health}");
    server.process().wait_for_text("another process holds the database");
    serves(&server);
    disk.execute_batch("ROLLBACK").unwrap();
    server.wait_metric(alarm, |raised| raised == 0.0);
    assert_eq!(add_contact(&mut carol, "bob"), 200);
    server.wait_ended(1);
    assert_eq!(logged(&mut server, "another process holds the database"), 1);
    server.stop();
}
