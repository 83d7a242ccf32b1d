//! One client on one connection: how it signs in, and what it does with what it reads. What it
//! asks for of its own is in `acts`.

use std::collections::BTreeMap;

use mynah::base::ids::ConnId;

use super::book::{Book, Key};
use super::own::{List, Own};
use super::reading::{elements, number};
use super::subscription::{Subscription, Topic};
use crate::harness::text::bracketed;
use crate::harness::{Client, PASSWORD, Request, Text, ntlm};
use crate::stage::{Stage, USERS, uri};

/// Of 100 NOTIFY those that are never answered, and those that are refused.
const IGNORED_PERCENT: u64 = 2;
const REFUSED_PERCENT: u64 = 2;

/// A NOTIFY that is answered so many milliseconds after it came may have been given up.
const PATIENCE_MS: u64 = 30_000;

/// What an endpoint's own data is known by.
pub const ROAMING_SELF: &str = "vnd-microsoft-roaming-self";
/// The contact list.
pub const ROAMING_CONTACTS: &str = "vnd-microsoft-roaming-contacts";

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub enum Sent {
    Register,
    SignOff,
    /// The subscription's Call-ID, and the seconds asked for.
    Subscribe(String, u64),
    /// The same for one who leaves, and whom it leaves if not everybody.
    Unsubscribe(String),
    Drop(String, String),
    Publish(Vec<usize>),
    Standard(usize),
    Members(usize),
    Edit(usize),
    Search,
}

/// How far the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Knocking,
    In,
    Out,
}

/// One client on one connection.
pub struct Agent {
    pub client: Client,
    pub user: usize,
    /// Its number among the devices.
    pub device: usize,
    pub phase: Phase,
    /// Its program hangs: it reads, and answers nothing more.
    pub asleep: bool,
    pub waiting: BTreeMap<(String, String), Sent>,
    pub subscriptions: BTreeMap<String, Subscription>,
    /// NOTIFYs to be answered, and when they came.
    owed: Vec<(u64, Text)>,
    pub own: Own,
    /// Versions it was told to rest on, and not what they are of.
    pub hints: BTreeMap<Key, u32>,
    pub list: List,
    /// Its last PUBLISH.
    pub etag: Option<String>,
    pub privacy: bool,
    /// Bounds are so tight that they are hit.
    pub tight: bool,
}

impl Agent {
    /// A client that just connected.
    pub fn new(client: Client, user: usize, device: usize, (privacy, tight): (bool, bool)) -> Self {
        Agent {
            client,
            user,
            device,
            phase: Phase::Out,
            asleep: false,
            waiting: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            owed: Vec::new(),
            own: Own::default(),
            hints: BTreeMap::new(),
            list: List::default(),
            etag: None,
            privacy,
            tight,
        }
    }

    /// The connection.
    pub fn conn(&self) -> ConnId {
        self.client.conn
    }

    /// Signs in, or refreshes its endpoint.
    pub fn register(&mut self, stage: &mut Stage) {
        if self.phase == Phase::Out {
            self.phase = Phase::Knocking;
        }
        let request = self.client.register();
        self.ask(stage, request, Sent::Register);
    }

    /// Removes its endpoint.
    pub fn sign_off(&mut self, stage: &mut Stage) {
        let request = self.client.register().with("Expires", "0");
        self.phase = Phase::Out;
        self.ask(stage, request, Sent::SignOff);
    }

    /// Reads one message; false if there is none.
    pub fn read(&mut self, stage: &mut Stage, book: &mut Book) -> bool {
        let Some((came_ms, message)) = stage.net.try_recv_dated(self.conn()) else { return false };
        stage.tell(format_args!(
            "{self} <- {} [{}] {} {}",
            message.start_line(),
            message.header("CSeq"),
            message.header("Call-ID"),
            message.body().replace("\r\n", " ")
        ));
        match message.is_response() {
            true => self.answered(stage, book, &message),
            false => self.notified(stage, book, came_ms, message),
        }
        true
    }

    fn answered(&mut self, stage: &mut Stage, book: &mut Book, answer: &Text) {
        let key = (answer.header("Call-ID").to_owned(), answer.header("CSeq").to_owned());
        let sent = self.waiting.remove(&key);
        let sent = sent.unwrap_or_else(|| panic!("{self} did not ask: {answer:?}"));
        let status = answer.status();
        let wrong = [400, 404, 405, 406, 415, 420, 489, 500, 501];
        let edit = matches!(sent, Sent::Edit(_));
        let full = self.tight && status == 404;
        assert!(edit || full || !wrong.contains(&status), "{self} {sent:?}: {answer:?}");
        match sent {
            Sent::Register => self.knocked(stage, answer),
            Sent::SignOff | Sent::Search => {}
            Sent::Subscribe(call_id, seconds) => {
                self.subscribed(stage, book, &call_id, seconds, answer);
            }
            Sent::Unsubscribe(call_id) => self.unsubscribed(&call_id, answer),
            Sent::Drop(call_id, who) => {
                let subscription = self.subscriptions.get_mut(&call_id).expect("it is its own");
                if status == 200 {
                    subscription.seen.remove(&who);
                    subscription.dropped.insert(who);
                }
                self.subscribed(stage, book, &call_id, 7200, answer);
            }
            Sent::Publish(wishes) => self.published(book, &wishes, answer),
            Sent::Standard(wish) => {
                book.published(wish, status);
                self.etag = (status == 200).then(|| answer.header("SIP-ETag").to_owned());
            }
            Sent::Members(moving) => book.moved(moving, status),
            Sent::Edit(edit) => book.edited(&stage.net, edit, status),
        }
    }

    fn knocked(&mut self, stage: &mut Stage, answer: &Text) {
        let ntlm = answer.header("WWW-Authenticate");
        match answer.status() {
            401 | 407 if self.phase != Phase::Knocking => self.phase = Phase::Out,
            401 if ntlm.starts_with("NTLM") && ntlm.contains("gssapi-data=\"T") => {
                let user = self.client.user.clone();
                let account = ntlm::Account { user: &user, domain: "", password: PASSWORD };
                let (again, keys) = ntlm::answer(self.client.register(), answer, account);
                stage.net.keys.insert(self.conn(), keys);
                self.ask(stage, again, Sent::Register);
            }
            401 if ntlm.starts_with("NTLM") => {
                let again = self.client.register().header("Authorization", &ntlm::empty(answer));
                self.ask(stage, again, Sent::Register);
            }
            401 | 407 => {
                let again = self.client.register();
                let again = self.client.prove(again, answer, PASSWORD);
                self.ask(stage, again, Sent::Register);
            }
            200 => {
                self.client.note_gruu(answer);
                self.phase = Phase::In;
            }
            _ => self.phase = Phase::Out,
        }
    }

    fn subscribed(
        &mut self,
        stage: &mut Stage,
        book: &Book,
        call_id: &str,
        seconds: u64,
        answer: &Text,
    ) {
        let name = USERS[self.user];
        let patience_ms = stage.net.now.mono_ms.saturating_sub(PATIENCE_MS);
        let is_late = |(came_ms, owed): &(u64, Text)| {
            *came_ms <= patience_ms && owed.header("Call-ID") == call_id
        };
        let owes = self.owed.iter().any(is_late);
        let subscription = self.subscriptions.get_mut(call_id).expect("it is its own");
        subscription.waits = false;
        if answer.status() != 200 {
            let now_ms = stage.net.now.mono_ms;
            match answer.status() {
                481 => {
                    let excused = subscription.doubtful
                        || owes
                        || subscription.over
                        || now_ms + 2_000 >= subscription.until_ms;
                    assert!(excused, "{name}'s {call_id} is gone: {answer:?}");
                    subscription.over = true;
                }
                _ if subscription.accepted.is_none() => subscription.over = true,
                // A change that is refused leaves what there was.
                _ => {}
            }
            return;
        }
        if subscription.accepted.is_none() {
            subscription.accepted = Some(answer.clone());
        }
        if seconds > 0 {
            subscription.until_ms = stage.net.now.mono_ms + seconds * 1000;
        }
        if answer.has("ms-piggyback-cseq") {
            let standing = answer.header("Subscription-State").to_owned();
            subscription.notified(number_of(answer, "ms-piggyback-cseq"), &standing);
            if subscription.topic == Topic::Own(ROAMING_SELF) {
                // It is whole: what is not in it is not there.
                self.own.versions.clear();
            }
            self.take(book, call_id, answer.body());
        }
    }

    fn unsubscribed(&mut self, call_id: &str, answer: &Text) {
        let subscription = self.subscriptions.get_mut(call_id).expect("it is its own");
        subscription.waits = false;
        assert!([200, 481].contains(&answer.status()), "{answer:?}");
        // In the standard way a NOTIFY says so.
        subscription.over = true;
    }

    fn take(&mut self, book: &Book, call_id: &str, body: &str) {
        let subscription = self.subscriptions.get_mut(call_id).expect("it is its own");
        match subscription.topic {
            Topic::Own(ROAMING_SELF) => self.take_own(body),
            Topic::Own(ROAMING_CONTACTS) => self.list.take(body),
            Topic::Own(_) => {}
            _ => subscription.take(body, USERS[self.user], book, self.privacy),
        }
    }

    fn take_own(&mut self, body: &str) {
        self.hints.clear();
        self.own.take(body);
    }

    fn published(&mut self, book: &mut Book, wishes: &[usize], answer: &Text) {
        for wish in wishes {
            book.published(*wish, answer.status());
        }
        match answer.status() {
            200 => self.take_own(answer.body()),
            409 => {
                for (tag, _) in elements(answer.body(), "operation") {
                    let wish = wishes[number(tag, "index") as usize - 1];
                    let key: Key = book.publishing(wish).key.clone();
                    self.hints.insert(key, number(tag, "curVersion"));
                }
            }
            _ => {}
        }
    }

    fn notified(&mut self, stage: &mut Stage, book: &mut Book, came_ms: u64, request: Text) {
        assert_eq!(bracketed(request.header("To")), uri(self.user), "{self} is meant: {request:?}");
        let call_id = request.header("Call-ID").to_owned();
        let subscription = self.subscriptions.get_mut(&call_id);
        let subscription =
            subscription.unwrap_or_else(|| panic!("of no subscription: {request:?}"));
        let tag = subscription.accepted.as_ref().map(|accepted| accepted.to_tag().to_owned());
        assert_eq!(Some(request.from_tag()), tag.as_deref(), "before it was accepted: {request:?}");
        subscription.notified(request.cseq(), request.header("Subscription-State"));
        if !request.body().is_empty() {
            self.take(book, &call_id, request.body());
        }
        match request.method() {
            "BENOTIFY" => {}
            "NOTIFY" if self.asleep || stage.chance(IGNORED_PERCENT) => self.doubt(&call_id),
            "NOTIFY" if stage.chance(80) => self.answer(stage, came_ms, &request),
            "NOTIFY" => self.owed.push((came_ms, request)),
            method => panic!("{self} got {method}"),
        }
    }

    /// Its program hangs.
    pub fn fall_asleep(&mut self) {
        self.asleep = true;
        for (_, request) in std::mem::take(&mut self.owed) {
            self.doubt(request.header("Call-ID"));
        }
    }

    fn doubt(&mut self, call_id: &str) {
        let subscription = self.subscriptions.get_mut(call_id).expect("it is its own");
        subscription.doubtful = true;
    }

    fn answer(&mut self, stage: &mut Stage, came_ms: u64, request: &Text) {
        let call_id = request.header("Call-ID").to_owned();
        let late = stage.net.now.mono_ms >= came_ms + PATIENCE_MS;
        let refused = stage.chance(REFUSED_PERCENT);
        if late || refused {
            self.doubt(&call_id);
        }
        let status = if refused { [481, 603][stage.index(2)] } else { 200 };
        self.send(stage, &request.answer(status, ""));
    }

    /// Answers something it has put off.
    pub fn catch_up(&mut self, stage: &mut Stage) -> bool {
        if self.asleep || self.owed.is_empty() {
            return false;
        }
        let (came_ms, request) = self.owed.remove(0);
        self.answer(stage, came_ms, &request);
        true
    }

    /// Sends a request whose answer is waited for.
    pub fn ask(&mut self, stage: &mut Stage, request: Request, sent: Sent) {
        let key = (request.value("Call-ID").to_owned(), request.value("CSeq").to_owned());
        self.waiting.insert(key, sent);
        self.send(stage, &request);
    }

    fn send(&mut self, stage: &mut Stage, message: &Request) {
        let octets = message.octets();
        stage.tell(format_args!("{self} -> {}", String::from_utf8_lossy(&octets)));
        if stage.net.is_open(self.conn()) {
            stage.net.post(self.client.conn, message);
        }
    }
}

fn number_of(answer: &Text, name: &str) -> u32 {
    answer.header(name).parse().expect("a number")
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ConnId { shard, slot } = self.client.conn;
        let dialect = if self.client.ms { "ms" } else { "simple" };
        write!(f, "{}{}/{dialect}@{shard}.{}", USERS[self.user], self.device, slot.index)
    }
}
