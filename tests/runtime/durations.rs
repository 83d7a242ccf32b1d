//! How long messages take, as the cores measure it.

use std::time::Duration;

use super::client::{Client, request};
use super::stand_in::Running;

/// What the stand-in spins for a request to `hog`.
const HOG: Duration = Duration::from_micros(200);

#[test]
fn the_time_spent_on_a_message_and_the_time_it_is_held_are_counted_once_for_each() {
    let server = Running::start(|_| {});
    let mut client = Client::tls(server.tls(), &server.ca());
    client.ask("ok", 1);
    // A handshake and a keep-alive are no messages, and what comes in pieces is one.
    client.send("\r\n\r\n");
    client.read();
    assert_eq!(client.take(), b"\r\n");
    let text = request("hog", 2);
    let (front, back) = text.split_at(20);
    client.send(front);
    client.send(back);
    client.expect(2);
    let sum = server.sum();
    assert_eq!((sum.processing.count(), sum.holding.count()), (2, 2));
    assert!(sum.processing.sum() >= HOG, "{:?}", sum.processing);
    assert!(sum.holding.sum() >= HOG, "{:?}", sum.holding);
    let short = sum.holding.cumulated().find(|(bound, _)| *bound < HOG);
    assert!(short.is_some_and(|(_, count)| count <= 1), "{:?}", sum.holding);
}

#[test]
fn what_waits_for_a_turn_of_its_connection_is_held_all_the_while() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tcp());
    let count = 200;
    // One segment, and read at once; then handled in turns of a millisecond or some more.
    client.send((1..=count).map(|cseq| request("hog", cseq)).collect::<String>());
    (1..=count).for_each(|cseq| client.expect(cseq));
    let sum = server.sum();
    assert_eq!(sum.processing.count(), u64::from(count));
    assert_eq!(sum.holding.count(), u64::from(count));
    assert!(sum.processing.sum() >= HOG * count, "{:?}", sum.processing);
    // Each waits for all before it: together four seconds, and half of that had the segment been
    // read in two. Counted from its own turn on each would have waited for a few.
    assert!(sum.holding.sum() > Duration::from_millis(1500), "{:?}", sum.holding);
}

#[test]
fn the_time_that_another_core_spends_on_a_message_is_counted_there() {
    let server = Running::start(|settings| settings.cores = Some(2));
    let mut clients: Vec<_> = (0..4).map(|_| Client::plain(server.tcp())).collect();
    for client in &mut clients {
        client.ask("far", 1);
    }
    let counters = server.counters();
    let messages: u64 = counters.iter().map(|one| one.processing.count()).sum();
    assert_eq!(messages, clients.len() as u64);
    // Every message went by way of the other core.
    assert!(counters.iter().all(|one| one.processing.sum() > Duration::ZERO), "{counters:?}");
}
