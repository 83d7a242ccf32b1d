//! What operators see.

use std::io::{Read, Write};
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::client::{Client, connect};
use super::stand_in::Running;

pub fn fetch(server: &Running, path: &str) -> String {
    let mut stream = connect(server.ready.http.expect("HTTP is on"));
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

#[test]
fn the_metrics_page_has_the_counters_of_every_core() {
    let server = Running::start(|settings| {
        settings.cores = Some(2);
        settings.listen.http = Some("127.0.0.1:0".parse().unwrap());
    });
    Client::plain(server.tcp()).ask("ok", 1);
    let page = fetch(&server, "/metrics");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    for line in [
        "mynah_shards_current 2\n",
        "mynah_core_ticks_total{shard=\"1\"} ",
        "mynah_mesh_frames_dropped_total{kind=\"deliver\"} 0\n",
        "mynah_connections_closed_total{reason=\"panic\"} 0\n",
    ] {
        assert!(page.contains(line), "{line} is not in {page}");
    }
    let opened = page.lines().filter(|line| line.starts_with("mynah_connections_opened_total{"));
    let sum: u64 =
        opened.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(sum, 1);
}

#[test]
fn a_server_that_is_well_says_so() {
    let server =
        Running::start(|settings| settings.listen.http = Some("127.0.0.1:0".parse().unwrap()));
    let page = fetch(&server, "/healthz");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.ends_with("{\"status\":\"ok\",\"reasons\":[]}"), "{page}");
}

#[test]
fn a_question_reaches_the_home_of_the_user_and_its_answer_comes_back() {
    let server = Running::start(|settings| {
        settings.cores = Some(2);
        settings.listen.http = Some("127.0.0.1:0".parse().unwrap());
        settings.limits.admin_answer_timeout = Duration::from_millis(200);
    });
    let page = fetch(&server, "/contacts/alice@example.test");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    assert!(page.ends_with("{\"number\":7,\"groups\":[],\"contacts\":[]}"), "{page}");
    let page = fetch(&server, "/watchers/bob@example.test");
    assert!(page.starts_with("HTTP/1.1 404 "), "{page}");
    let page = fetch(&server, "/presence/silent@example.test");
    assert!(page.starts_with("HTTP/1.1 503 "), "{page}");
}

#[test]
fn every_core_is_asked_for_its_conferences() {
    let server = Running::start(|settings| {
        settings.cores = Some(3);
        settings.limits.conferences_listed_max = 2;
        settings.listen.http = Some("127.0.0.1:0".parse().unwrap());
        settings.limits.admin_answer_timeout = Duration::from_millis(200);
    });
    let page = fetch(&server, "/conferences");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
    let body = page.split_once("\r\n\r\n").unwrap().1;
    let report: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(report["total"], 3);
    let listed = report["conferences"].as_array().unwrap().iter();
    let members: Vec<_> = listed.map(|one| one["members"].as_u64().unwrap()).collect();
    assert_eq!(members, [2, 1]);
    // A list that lacks those of a core is none.
    server.notes.silent.store(true, Ordering::SeqCst);
    let page = fetch(&server, "/conferences");
    assert!(page.starts_with("HTTP/1.1 503 "), "{page}");
}
