//! What must have become of every text, whatever happened on its way.

use std::collections::BTreeMap;

use mynah::base::ids::ConnId;
use mynah::records::{Record, RecordId, Started};

use crate::harness::DOMAIN;
use crate::stage::USERS;

/// A device of a user: an endpoint, whichever connection it has.
pub type DeviceId = usize;

/// One writer's texts in one conversation.
pub type Stream = String;

/// One text and what is known of it.
#[derive(Debug)]
struct Told {
    from: usize,
    to: usize,
    stream: Stream,
    number: usize,
    received: Vec<DeviceId>,
    accepted: bool,
    status: Option<u16>,
}

/// All texts by their words, which are unique.
#[derive(Default)]
pub struct Oracle {
    texts: BTreeMap<String, Told>,
    last: BTreeMap<(Stream, ConnId), usize>,
}

impl Oracle {
    /// A client wrote a text.
    pub fn wrote(&mut self, text: &str, from: usize, to: usize, stream: Stream) {
        let number = self.texts.len();
        let told =
            Told { from, to, stream, number, received: vec![], accepted: false, status: None };
        assert!(self.texts.insert(text.to_owned(), told).is_none());
    }

    /// A client of `user` received a text from `from` on `conn`.
    pub fn received(
        &mut self,
        text: &str,
        from: &str,
        (user, device): (usize, DeviceId),
        conn: ConnId,
    ) {
        let told = self.texts.get_mut(text).expect("somebody wrote it");
        assert_eq!(told.to, user, "{text:?} came to somebody else");
        assert_eq!(from, crate::stage::uri(told.from), "the writer of {text:?}");
        assert!(!told.received.contains(&device), "{text:?} came twice to device {device}");
        told.received.push(device);
        let last = self.last.entry((told.stream.clone(), conn)).or_default();
        assert!(*last <= told.number, "{text:?} of {} came out of order", told.stream);
        *last = told.number;
    }

    /// A client that received a text answers it with 2xx.
    pub fn accepted(&mut self, text: &str) {
        self.texts.get_mut(text).expect("somebody wrote it").accepted = true;
    }

    /// The writer got the final answer to a text.
    pub fn answered(&mut self, text: &str, status: u16) {
        let told = self.texts.get_mut(text).expect("he wrote it");
        assert_eq!(told.status, None, "{text:?} is answered twice");
        told.status = Some(status);
        if (200..300).contains(&status) {
            assert!(told.accepted, "{text:?} is said to be delivered: {told:?}");
        }
    }

    /// Number of texts, and of those whose writer knows that they were delivered.
    pub fn counts(&self) -> (usize, usize) {
        let delivered = |told: &&Told| matches!(told.status, Some(200..300));
        (self.texts.len(), self.texts.values().filter(delivered).count())
    }

    /// Every conversation has a record with a start and an end, and the records count each text
    /// whose writer was told of its delivery, and none that was not delivered. A text whose
    /// writer left before his answer came may be counted or not. What was in flight when the
    /// server went down, `in_flight`, may be missing.
    pub fn check_records(&self, records: &[Record], in_flight: bool) {
        let mut open: BTreeMap<RecordId, &Started> = BTreeMap::new();
        let mut closed = Vec::new();
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for record in records {
            match record {
                Record::ConferenceStarted(_)
                | Record::ConferenceEntered(_)
                | Record::ConferenceDeparted(_)
                | Record::ConferenceEnded(_) => {}
                Record::Started(started) => {
                    assert!(!closed.contains(&started.id), "{started:?} starts after its end");
                    let twice = open.insert(started.id, started);
                    assert!(twice.is_none(), "{started:?} starts twice");
                }
                Record::Ended(ended) => {
                    let started = open.remove(&ended.id).expect("a record that was started");
                    closed.push(ended.id);
                    let (caller, callee) = (&started.caller, &started.callee);
                    let (there, back) =
                        (ended.end.messages_from_caller, ended.end.messages_from_callee);
                    *counts.entry((caller.clone(), callee.clone())).or_default() += there;
                    *counts.entry((callee.clone(), caller.clone())).or_default() += back;
                }
            }
        }
        assert!(open.is_empty(), "records without an end: {open:?}");
        for from in 0..USERS.len() {
            for to in 0..USERS.len() {
                let pair = (aor(from), aor(to));
                let recorded = counts.remove(&pair).unwrap_or_default();
                let all = || self.texts.values().filter(|t| (t.from, t.to) == (from, to));
                let seen = all().filter(|t| matches!(t.status, Some(200..300))).count() as u64;
                let unsaid = all().filter(|t| t.accepted && t.status.is_none()).count() as u64;
                let least = if in_flight { 0 } else { seen };
                assert!(
                    (least..=seen + unsaid).contains(&recorded),
                    "{pair:?}: {recorded} recorded, {seen} delivered, {unsaid} perhaps"
                );
            }
        }
        assert!(counts.is_empty(), "records of nobody: {counts:?}");
    }
}

fn aor(user: usize) -> String {
    format!("{}@{DOMAIN}", USERS[user])
}
