//! Rows on their way to the store, and its answers on their way back.

use std::sync::atomic::Ordering;

use mynah::base::limits::Limit;
use mynah::metrics::names::Series;
use mynah::shard::durable::NotWritten;

use super::client::{Client, request};
use super::stand_in::{Running, wait_until};

fn requests(cseqs: std::ops::RangeInclusive<u32>) -> String {
    cseqs.map(|cseq| request("write", cseq)).collect()
}

#[test]
fn an_answer_of_the_store_wakes_the_core_that_asked() {
    let server = Running::start(|settings| settings.cores = Some(2));
    server.ledger.held.store(true, Ordering::SeqCst);
    let mut clients: Vec<_> = (0..8).map(|_| Client::plain(server.tcp())).collect();
    for client in &mut clients {
        client.send(requests(1..=10));
    }
    wait_until("all writes are under way", || server.ledger.waiting() == 80);
    // No client sends anything any more.
    server.ledger.answer(Ok(()));
    for client in &mut clients {
        (1..=10).for_each(|cseq| client.expect(cseq));
    }
    assert!(server.notes.unwritten.lock().unwrap().is_empty());
}

#[test]
fn a_write_that_fails_is_told_with_the_reason() {
    let server = Running::start(|_| {});
    server.ledger.held.store(true, Ordering::SeqCst);
    for why in [NotWritten::Failing, NotWritten::Full, NotWritten::Stopped] {
        let mut client = Client::plain(server.tcp());
        client.send(requests(1..=1));
        wait_until("the write is under way", || server.ledger.waiting() == 1);
        server.ledger.answer(Err(why));
        assert!(client.message().unwrap().starts_with("SIP/2.0 503 "));
        assert_eq!(server.notes.unwritten.lock().unwrap().pop(), Some(why));
    }
    assert_eq!(server.hits(Limit::StoreWrites), 1);
}

/// Limit `writes_in_flight_per_shard_max`.
#[test]
fn a_write_too_many_comes_back_at_once_and_the_others_are_answered() {
    let server = Running::start(|settings| settings.limits.writes_in_flight_per_shard_max = 5);
    server.ledger.held.store(true, Ordering::SeqCst);
    let mut client = Client::plain(server.tcp());
    client.send(requests(1..=8));
    for cseq in 6..=8 {
        let answer = client.message().unwrap();
        assert!(answer.starts_with("SIP/2.0 503 "), "{answer}");
        assert!(answer.contains(&format!("CSeq: {cseq} ")), "{answer}");
    }
    assert_eq!(server.hits(Limit::WritesInFlight), 3);
    assert_eq!(*server.notes.unwritten.lock().unwrap(), [NotWritten::Full; 3]);
    server.ledger.answer(Ok(()));
    (1..=5).for_each(|cseq| client.expect(cseq));
    // There is room again.
    server.ledger.held.store(false, Ordering::SeqCst);
    client.ask("write", 9);
}

#[test]
fn a_store_that_forgets_a_write_says_that_it_has_stopped() {
    let server = Running::start(|_| {});
    server.ledger.held.store(true, Ordering::SeqCst);
    let mut client = Client::plain(server.tcp());
    client.send(requests(1..=1));
    wait_until("the write is under way", || server.ledger.waiting() == 1);
    server.ledger.forget();
    assert!(client.message().unwrap().starts_with("SIP/2.0 503 "));
    assert_eq!(*server.notes.unwritten.lock().unwrap(), [NotWritten::Stopped]);
}

#[test]
fn a_server_goes_down_while_writes_are_under_way() {
    let mut server = Running::start(|_| {});
    server.ledger.held.store(true, Ordering::SeqCst);
    let mut client = Client::plain(server.tcp());
    client.send(requests(1..=3));
    wait_until("the writes are under way", || server.ledger.waiting() == 3);
    drop(client);
    wait_until("the client is gone", || server.value(Series::ConnectionsCurrent) == 0);
    server.stop();
    server.ledger.answer(Ok(()));
}

#[test]
fn a_conference_is_written_within_the_bound_of_all_writes() {
    let server = Running::start(|settings| settings.limits.writes_in_flight_per_shard_max = 2);
    server.ledger.held.store(true, Ordering::SeqCst);
    let mut client = Client::plain(server.tcp());
    client.send(requests(1..=1) + &request("conference", 2) + &request("conference", 3));
    let answer = client.message().unwrap();
    assert!(answer.starts_with("SIP/2.0 503 ") && answer.contains("CSeq: 3 "), "{answer}");
    assert_eq!(server.hits(Limit::WritesInFlight), 1);
    server.ledger.answer(Ok(()));
    (1..=2).for_each(|cseq| client.expect(cseq));
}
