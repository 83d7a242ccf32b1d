//! A subscription as its client knows it, and the picture it has of those it watches.

use std::collections::{BTreeMap, BTreeSet};

use super::book::Book;
use super::levels::above;
use super::reading::{Facts, PIDF, attribute, documents, elements, user};
use crate::harness::{Request, Text};
use crate::stage::USERS;

/// What a subscription is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// Several users, in the Lync client's way.
    Batch,
    /// Several users, in the standard way.
    List,
    /// One user.
    Single,
    /// Something of the client's own.
    Own(&'static str),
}

/// A subscription.
pub struct Subscription {
    pub topic: Topic,
    /// The first SUBSCRIBE.
    pub first: Request,
    /// The answer to it.
    pub accepted: Option<Text>,
    /// The client's last number.
    pub cseq: u32,
    /// The server's last number.
    told: u32,
    /// A SUBSCRIBE waits for its answer.
    pub waits: bool,
    /// It asked once.
    pub poll: bool,
    /// It is over, as far as the client knows.
    pub over: bool,
    /// The server may have ended it: a NOTIFY was answered late, or not at all.
    pub doubtful: bool,
    /// When it ends, in milliseconds.
    pub until_ms: u64,
    /// Those it shall watch.
    pub asked: BTreeSet<String>,
    /// Those it cannot watch, or does not want to any more.
    pub dropped: BTreeSet<String>,
    /// What it was told of each.
    pub seen: BTreeMap<String, Seen>,
    /// Who was where when it began.
    floor: Vec<usize>,
}

/// What was told of one user.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub facts: Facts,
    /// Of the circles of that user, the one by which the last word was told.
    circle: usize,
}

impl Subscription {
    /// One that is being asked for.
    pub fn new(topic: Topic, first: Request, asked: &[&str], book: &Book) -> Self {
        Subscription {
            topic,
            poll: first.value("Expires") == "0",
            first,
            accepted: None,
            cseq: 1,
            told: 0,
            waits: true,
            over: false,
            doubtful: false,
            until_ms: u64::MAX,
            asked: asked.iter().map(|user| (*user).to_owned()).collect(),
            dropped: BTreeSet::new(),
            seen: BTreeMap::new(),
            floor: book.circles.iter().map(|circles| circles.len() - 1).collect(),
        }
    }

    /// True for a dialog in which more may be asked.
    pub fn is_open(&self) -> bool {
        self.accepted.is_some() && !self.over && !self.waits && !self.poll
    }

    /// True if the server must have it at that time.
    pub fn is_certain(&self, now_ms: u64) -> bool {
        self.is_open() && !self.doubtful && now_ms + 2_000 < self.until_ms
    }

    /// Takes note of a notification's number and of what it says of the subscription.
    pub fn notified(&mut self, cseq: u32, standing: &str) {
        assert_eq!(cseq, self.told + 1, "a notification is missing");
        self.told = cseq;
        if standing.starts_with("terminated") {
            self.over = true;
        }
    }

    /// Takes the documents of a notification, meant for `watcher`.
    pub fn take(&mut self, body: &str, watcher: &str, book: &Book, privacy: bool) {
        for (tag, inner) in elements(body, "resource") {
            let ended =
                |tag: &str| ["terminated", "resubscribe"].contains(&attribute(tag, "state"));
            if elements(inner, "instance").iter().any(|(tag, _)| ended(tag)) {
                self.dropped.insert(user(attribute(tag, "uri")));
            }
        }
        for (who, facts) in documents(body) {
            assert!(self.asked.contains(&who), "nobody asked for {who}");
            let of = USERS.iter().position(|user| **user == *who).expect("one of us");
            let floor = self.floor[of];
            let seen = self
                .seen
                .entry(who.clone())
                .or_insert_with(|| Seen { facts: Facts::new(), circle: floor });
            // He sees it as one of some circle the user had since the last word.
            let circles = &book.circles[of];
            let mut reasons = Vec::new();
            let circle = (seen.circle..circles.len()).find(|at| {
                let level = circles[*at].level_of(watcher, privacy);
                let reason = above(&facts, level);
                reasons.extend(reason.clone().map(|reason| (level, reason)));
                reason.is_none()
            });
            seen.circle = circle.unwrap_or_else(|| {
                panic!("{watcher} must not see this of {who}: {facts:?}: {reasons:?}")
            });
            // A category that is named is told as a whole.
            seen.facts.extend(facts);
        }
    }

    /// The categories it asked for, as they are compared.
    pub fn wanted(&self) -> &'static [&'static str] {
        match (self.topic, self.first.value("Accept").contains("categories")) {
            (Topic::Batch, _) => &["calendarData", "contactCard", "note", "state"],
            (_, true) => &["calendarData", "contactCard", "note", "services", "state"],
            _ => &[PIDF],
        }
    }
}
