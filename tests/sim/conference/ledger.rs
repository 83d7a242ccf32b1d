//! The call detail records of conferences: each visit that is opened is closed, within its
//! conference, and what was said is counted.

use std::collections::{BTreeMap, BTreeSet};

use mynah::records::{Record, RecordId};

use super::book::Book;
use crate::harness::DOMAIN;
use crate::stage::USERS;

/// One record as it grows.
struct Entry {
    hall: usize,
    /// Visits that are open, and whose.
    open: BTreeMap<RecordId, String>,
    messages: u64,
    peak: u32,
}

/// Goes through the records in their order.
pub fn check(book: &Book, records: &[Record]) {
    let mut running: BTreeMap<RecordId, Entry> = BTreeMap::new();
    let mut ended: BTreeSet<RecordId> = BTreeSet::new();
    let mut visits: BTreeSet<RecordId> = BTreeSet::new();
    let mut counts: BTreeMap<(usize, String), u64> = BTreeMap::new();
    let mut lost = false;
    for (at, record) in records.iter().enumerate() {
        if book.died == Some(at) {
            lost = true;
            running.clear();
        }
        match record {
            Record::Started(_) | Record::Ended(_) => {}
            Record::ConferenceStarted(started) => {
                let id = started.conference.to_string();
                let hall = book.halls.iter().position(|hall| hall.id == id).expect("one asked for");
                let organiser = format!("{}@{DOMAIN}", USERS[book.halls[hall].organiser]);
                assert_eq!(started.organiser, organiser);
                let (open, messages, peak) = (BTreeMap::new(), 0, 0);
                let twice = running.insert(started.id, Entry { hall, open, messages, peak });
                assert!(twice.is_none() && !ended.contains(&started.id), "{started:?} twice");
            }
            Record::ConferenceEntered(entered) => {
                let entry = running.get_mut(&entered.id).expect("one that goes on");
                assert!(visits.insert(entered.visit), "{entered:?} twice");
                let there = entry.open.values().any(|who| *who == entered.member);
                assert!(!there, "{} is in already", entered.member);
                entry.open.insert(entered.visit, entered.member.clone());
                entry.peak = entry.peak.max(entry.open.len() as u32);
            }
            Record::ConferenceDeparted(departed) => {
                let of = |entry: &&mut Entry| entry.open.contains_key(&departed.visit);
                let entry = running.values_mut().find(of).expect("a visit that goes on");
                let who = entry.open.remove(&departed.visit).expect("it is there");
                entry.messages += departed.end.messages;
                *counts.entry((entry.hall, who)).or_default() += departed.end.messages;
            }
            Record::ConferenceEnded(done) => {
                let entry = running.remove(&done.id).expect("one that goes on");
                ended.insert(done.id);
                assert!(entry.open.is_empty(), "visits without an end: {:?}", entry.open);
                assert_eq!(done.end.messages, entry.messages, "{done:?}");
                assert_eq!(done.end.peak, entry.peak, "{done:?}");
            }
        }
    }
    if book.died == Some(records.len()) {
        lost = true;
        running.clear();
    }
    assert!(running.is_empty(), "{} conferences without an end", running.len());
    if !lost {
        check_counts(book, counts);
    }
}

/// What was accepted is counted; what its author heard no answer to may be.
fn check_counts(book: &Book, mut counts: BTreeMap<(usize, String), u64>) {
    for hall in 0..book.halls.len() {
        for (user, name) in USERS.iter().enumerate() {
            let counted = counts.remove(&(hall, format!("{name}@{DOMAIN}"))).unwrap_or_default();
            let his = || book.said.iter().filter(|s| (s.hall, s.author) == (hall, user));
            let sure = his().filter(|said| said.number.is_some()).count() as u64;
            let perhaps = his().filter(|said| said.answer.is_none()).count() as u64;
            assert!(
                (sure..=sure + perhaps).contains(&counted),
                "{name} in {hall}: {counted} counted, {sure} accepted, {perhaps} perhaps"
            );
        }
    }
    assert!(counts.is_empty(), "records of nobody: {counts:?}");
}
