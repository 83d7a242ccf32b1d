//! 49: ten thousand who watch one who publishes without a pause.

use std::collections::HashMap;
use std::thread;
use std::time::Instant;

use crate::outside::endpoint::Endpoint;
use crate::outside::service;
use crate::outside::stream::Message;
use crate::presence::flood;
use crate::target::Target;

/// Users who watch, and how often each does: in all as many as may watch one user.
const USERS: usize = 200;
const WATCHES: usize = 50;
/// Notes that are published, the first before the storm.
const NOTES: u32 = 400;

/// What one of the ten thousand was told.
#[derive(Default)]
struct Told {
    notifications: usize,
    cseq: u32,
    note: u32,
}

#[test]
fn ten_thousand_watchers_are_told_in_order_and_not_of_every_publication() {
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    assert_eq!(publish(&mut alice, 0..1), [200]);
    let mut watchers: Vec<Endpoint> =
        target.populate(USERS).iter().map(|name| Endpoint::tls(&target, name)).collect();
    for watcher in &mut watchers {
        assert_eq!(subscribe(watcher, WATCHES), [200; WATCHES]);
    }
    let mut late = Endpoint::tls(&target, "bob");
    assert_eq!(subscribe(&mut late, 1), [403]);
    let before = target.metrics();
    assert_eq!(before.value("mynah_subscriptions_current"), (USERS * WATCHES) as f64);

    let began = Instant::now();
    let (told, seconds) = thread::scope(|scope| {
        let readers: Vec<_> =
            watchers.iter_mut().map(|watcher| scope.spawn(|| read_on(watcher))).collect();
        assert!(publish(&mut alice, 1..NOTES).iter().all(|status| *status == 200));
        let told: Vec<Told> =
            readers.into_iter().flat_map(|reader| reader.join().unwrap()).collect();
        (told, began.elapsed().as_secs_f64())
    });
    assert_eq!(told.len(), USERS * WATCHES);
    // A change is told at most every 100 ms, and is rendered once for all.
    let rounds = seconds / 0.1 + 3.0;
    for one in &told {
        assert!(one.notifications as f64 <= rounds, "{} in {seconds} s", one.notifications);
    }
    let after = target.metrics();
    let grown = |series: &str| after.value(series) - before.value(series);
    assert!(grown("mynah_presence_renderings_total") <= rounds);
    let notifications: usize = told.iter().map(|one| one.notifications).sum();
    assert_eq!(grown("mynah_notifications_total"), notifications as f64);
    assert_eq!(grown("mynah_publications_total"), f64::from(NOTES - 1));

    drop(watchers);
    target.wait_metric("mynah_subscriptions_current", |subscriptions| subscriptions == 0.0);
    target.survived();
}

/// Publishes the notes of these numbers one after the other.
fn publish(alice: &mut Endpoint, numbers: std::ops::Range<u32>) -> Vec<u16> {
    let requests: Vec<String> = numbers
        .map(|n| {
            let note = service::note("alice", &format!("number {n}."), n);
            service::request(alice, note)
        })
        .collect();
    flood(alice, requests.into_iter())
}

/// Watches alice, to be told what changes without being asked to answer.
fn subscribe(watcher: &mut Endpoint, times: usize) -> Vec<u16> {
    let lines = format!(
        "Contact: {}\r\nEvent: presence\r\nAccept: application/msrtc-event-categories+xml\r\n\
         Supported: ms-benotify\r\nSupported: ms-piggyback-first-notify\r\n",
        watcher.contact()
    );
    let requests: Vec<String> =
        (0..times).map(|_| watcher.request("SUBSCRIBE", "alice", &lines, "")).collect();
    flood(watcher, requests.into_iter())
}

/// Reads until each of the watches has been told the last note.
fn read_on(watcher: &mut Endpoint) -> Vec<Told> {
    let mut told: HashMap<String, Told> = HashMap::new();
    let mut finished = 0;
    while finished < WATCHES {
        let message = watcher.stream.message();
        assert_eq!(message.method(), "BENOTIFY", "{}", message.head);
        let call_id = message.header("Call-ID").unwrap();
        let one = told.entry(call_id.to_owned()).or_default();
        let cseq = message.header("CSeq").unwrap().split(' ').next().unwrap().parse().unwrap();
        assert!(cseq > one.cseq, "{cseq} after {}", one.cseq);
        let note = note(&message);
        assert!(note > one.note, "note {note} after {}", one.note);
        one.notifications += 1;
        (one.cseq, one.note) = (cseq, note);
        finished += usize::from(note == NOTES - 1);
    }
    told.into_values().collect()
}

/// The number of the note that is told.
fn note(message: &Message) -> u32 {
    let text = String::from_utf8_lossy(&message.body);
    let (_, number) = text.split_once("number ").unwrap_or_else(|| panic!("{text}"));
    number[..number.find('.').unwrap()].parse().unwrap()
}
