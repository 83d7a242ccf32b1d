//! kill -9 while users change what is kept of them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;

use crate::outside::endpoint::Endpoint;
use crate::outside::server::Server;
use crate::outside::{PATIENCE, service};

/// Answers after which the server is killed, round by round: drawn from a seed, and the same each time.
fn moments() -> impl Iterator<Item = usize> {
    let mut state = 0x6060_6060_u64;
    std::iter::from_fn(move || {
        // The generator of Knuth's MMIX.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Some(1 + (state >> 33) as usize % 60)
    })
}

/// Sends a request and waits for its final answer; `None` when the server is no more.
fn ask(endpoint: &mut Endpoint, request: &str) -> Option<u16> {
    endpoint.stream.try_write(request).ok()?;
    loop {
        match endpoint.stream.try_message().ok()?.status() {
            100..200 => {}
            status => return Some(status),
        }
    }
}

/// What was answered, and what was asked for last and may be there or not.
#[derive(Default)]
struct Answered {
    contacts: BTreeSet<String>,
    conferences: BTreeSet<String>,
    note: String,
    last_note: String,
    note_version: u32,
}

/// What `mynah` says in JSON.
fn told(server: &Server, line: &[&str]) -> Value {
    let http = server.ready.http.to_string();
    let output = server.command(&[line, &["--json", "--http", &http]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Adds contacts, publishes notes and schedules conferences, three users at once, until the server is
/// killed in the midst of it.
fn change_until_killed(
    server: Server,
    round: usize,
    moment: usize,
    answered: &mut Answered,
) -> Server {
    let mut alice = Endpoint::tls(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    let mut carol = Endpoint::tls(&server, "carol");
    let answers = AtomicUsize::new(0);
    let Answered { contacts, conferences, note, last_note, note_version } = answered;
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                let name = format!("c{round}-{n}");
                let request = service::request(&mut alice, service::contact(&name));
                match ask(&mut alice, &request) {
                    Some(status) => assert_eq!(status, 200, "{name}"),
                    None => return,
                }
                contacts.insert(format!("{name}@example.test"));
                answers.fetch_add(1, Ordering::SeqCst);
            }
        });
        scope.spawn(|| {
            for n in 0.. {
                *last_note = format!("note {round} {n}");
                let body = service::note("bob", last_note, *note_version);
                let request = service::request(&mut bob, body);
                match ask(&mut bob, &request) {
                    Some(200) => *note = last_note.clone(),
                    // The one that nobody answered before the last kill was kept.
                    Some(409) => {}
                    Some(status) => panic!("{status}"),
                    None => return,
                }
                *note_version += 1;
                answers.fetch_add(1, Ordering::SeqCst);
            }
        });
        scope.spawn(|| {
            for n in 0.. {
                let id = format!("{round:016X}{n:016X}");
                let request = carol.conference_request(&id, "Budget", "2099-01-01T00:00:00Z");
                match ask(&mut carol, &request) {
                    Some(200) => {}
                    // As many as one may have.
                    Some(403) => return,
                    Some(status) => panic!("{status}"),
                    None => return,
                }
                conferences.insert(id);
                answers.fetch_add(1, Ordering::SeqCst);
            }
        });
        let since = std::time::Instant::now();
        while answers.load(Ordering::SeqCst) < moment {
            assert!(since.elapsed() < PATIENCE, "changes are not answered");
            thread::yield_now();
        }
        server.kill()
    })
    .start()
}

#[test]
fn what_was_answered_is_there_after_a_kill_at_any_moment_and_nothing_half() {
    // 60
    let mut server = Server::demo();
    let mut answered = Answered::default();
    for (round, moment) in moments().take(4).enumerate() {
        server = change_until_killed(server, round, moment, &mut answered);

        let list = told(&server, &["contacts", "alice@example.test"]);
        let mut found = BTreeSet::new();
        for contact in list["contacts"].as_array().unwrap() {
            let address = contact["address"].as_str().unwrap();
            let name = address.trim_end_matches("@example.test");
            assert_eq!(contact["name"], name, "{contact}");
            assert_eq!(contact["groups"], serde_json::json!([1]), "{contact}");
            found.insert(address.to_owned());
        }
        assert!(found.is_superset(&answered.contacts), "round {round}: {:?}", answered.contacts);
        assert!(found.len() <= answered.contacts.len() + round + 1, "round {round}");

        // The same note at all levels: the last that was answered, or the one that was under way.
        let presence = told(&server, &["presence", "bob@example.test"]);
        let notes = presence["publications"].as_array().unwrap().iter();
        let notes = notes.filter(|publication| publication["category"] == "note");
        let texts: Vec<&str> = notes.map(|note| note["text"].as_str().unwrap()).collect();
        let is = |text: &str| texts.len() == 3 && texts.iter().all(|found| found.contains(text));
        let none = answered.note.is_empty() && texts.is_empty();
        assert!(none || is(&answered.note) || is(&answered.last_note), "round {round}: {texts:?}");

        let list = told(&server, &["conference", "list"]);
        let list = list["conferences"].as_array().unwrap();
        assert!(list.iter().all(|conference| conference["subject"] == "Budget"), "{list:?}");
        let found: BTreeSet<String> =
            list.iter().map(|conference| conference["id"].as_str().unwrap().to_owned()).collect();
        assert!(found.is_superset(&answered.conferences), "round {round}");
    }
    server.stop();
}
