//! One client on one connection: what it remembers, how it signs in, and what it does with the
//! requests it reads. Answers to its own are taken in `answers`, what it begins is in `acts`.

use std::collections::BTreeMap;

use mynah::base::ids::ConnId;

use super::book::{Book, Close, Kind};
use super::seat::{Line, Seat};
use super::words::{COMPOSING, SUMMONS};
use crate::harness::text::bracketed;
use crate::harness::{Client, Dialog, Request, Text};
use crate::presence::reading::{attribute, elements};
use crate::stage::{Stage, USERS, uri};

/// What is answered so many milliseconds after it came may have been given up.
const PATIENCE_MS: u64 = 30_000;

/// A request that waits for its answer.
#[derive(Clone, Debug)]
pub enum Sent {
    Register,
    /// An invitation to a conversation.
    Invite(Request, usize),
    /// A text in it.
    Text(String),
    Convene(usize),
    /// An invitation to a conference.
    Summon(Request),
    Focus(Request, usize),
    /// The leg for messages, and its number in the book.
    Chat(Request, usize, usize),
    Watch(usize),
    /// Something said in a conference, on this leg.
    Say(String, usize),
    /// Something asked of a conference, and whom it may put out.
    Order(Option<usize>),
    Other,
}

/// How far the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Knocking,
    In,
    Out,
}

/// A conversation of two.
#[derive(Debug)]
pub struct Talk {
    pub dialog: Dialog,
    pub peer: usize,
    pub open: bool,
}

/// Who is to be in a conference.
#[derive(Debug)]
pub struct Party {
    /// The conversation that becomes one, by Call-ID, and with whom.
    pub talk: Option<(String, usize)>,
    pub guests: Vec<usize>,
}

/// A request that is still to be answered.
#[derive(Debug)]
pub struct Owed {
    came_ms: u64,
    request: Text,
    /// What was heard, if something was, and on which leg.
    heard: Option<(usize, usize)>,
}

/// One client on one connection.
pub struct Agent {
    pub client: Client,
    pub user: usize,
    pub device: usize,
    pub phase: Phase,
    /// Conferences to which it comes once it is signed in.
    pub heading: Vec<usize>,
    /// Its program hangs, or its network is gone without a word: it answers nothing more.
    pub asleep: bool,
    pub waiting: BTreeMap<(String, String), Sent>,
    pub ringing: Vec<Text>,
    pub owed: Vec<Owed>,
    pub talks: Vec<Talk>,
    pub seats: BTreeMap<usize, Seat>,
    /// Conferences asked for, and who comes along.
    pub plans: BTreeMap<usize, Party>,
    /// The legs it ever had, by Call-ID, and after how many messages the last of each has come.
    pub legs: BTreeMap<String, (usize, Option<usize>)>,
    reads: usize,
}

impl Agent {
    /// A client that just connected.
    pub fn new(client: Client, user: usize, device: usize) -> Self {
        Agent {
            client,
            user,
            device,
            phase: Phase::Out,
            heading: Vec::new(),
            asleep: false,
            waiting: BTreeMap::new(),
            ringing: Vec::new(),
            owed: Vec::new(),
            talks: Vec::new(),
            seats: BTreeMap::new(),
            plans: BTreeMap::new(),
            legs: BTreeMap::new(),
            reads: 0,
        }
    }

    /// The connection.
    pub fn conn(&self) -> ConnId {
        self.client.conn
    }

    /// Signs in.
    pub fn register(&mut self, stage: &mut Stage) {
        self.phase = Phase::Knocking;
        let request = self.client.register();
        self.ask(stage, request, Sent::Register);
    }

    /// Reads one message; false if there is none.
    pub fn read(&mut self, stage: &mut Stage, book: &mut Book) -> bool {
        let Some((came_ms, message)) = stage.net.try_recv_dated(self.conn()) else { return false };
        self.reads += 1;
        stage.tell(format_args!(
            "{self} <- {} [{}] {} {}",
            message.start_line(),
            message.header("CSeq"),
            message.header("Call-ID"),
            message.body().replace("\r\n", " ")
        ));
        match message.is_response() {
            true => self.answered(stage, book, &message),
            false => self.asked(stage, book, came_ms, message),
        }
        true
    }

    fn asked(&mut self, stage: &mut Stage, book: &mut Book, came_ms: u64, request: Text) {
        assert_eq!(bracketed(request.header("To")), uri(self.user), "{self} is meant: {request:?}");
        let mut heard = None;
        match request.method() {
            "ACK" => return,
            "MESSAGE" => heard = self.listen(stage, book, &request),
            "INFO" => self.sees_typing(book, &request),
            "BENOTIFY" | "NOTIFY" => self.notified(stage, book, &request),
            "BYE" if self.asleep => {
                let call_id = request.header("Call-ID").to_owned();
                self.lose_leg(stage, book, &call_id, Close::Released);
            }
            _ => {}
        }
        if request.method() == "BENOTIFY" || self.asleep {
            return;
        }
        let owed = Owed { came_ms, request, heard };
        match owed.request.method() {
            "INVITE" => self.ringing.push(owed.request),
            "CANCEL" => self.cancelled(stage, &owed.request),
            // The Lync client does not answer what its focus tells it.
            "INFO" if self.is_focus(&owed.request) => {}
            "BYE" => self.reply(stage, book, owed),
            "MESSAGE" | "INFO" | "NOTIFY" if stage.chance(75) => self.reply(stage, book, owed),
            "MESSAGE" | "INFO" | "NOTIFY" => self.owed.push(owed),
            method => panic!("{self} got {method}"),
        }
    }

    /// A MESSAGE: in a conversation, on a leg, or outside any dialog.
    fn listen(
        &mut self,
        stage: &mut Stage,
        book: &mut Book,
        request: &Text,
    ) -> Option<(usize, usize)> {
        let from = bracketed(request.header("From"));
        let at = book.now(stage.net.now.mono_ms);
        let ear = (self.device, self.client.conn);
        if let Some((leg, last)) = self.legs.get(request.header("Call-ID")) {
            assert!(last.is_none_or(|last| self.reads <= last), "{self} has left: {request:?}");
            if request.header("Content-Type") == COMPOSING {
                return None;
            }
            let (author, words) = match self.client.ms {
                true => (bracketed(request.header("Ms-Sender")), request.body()),
                false => request.body().split_once(": ").expect("a name before the text"),
            };
            return Some((*leg, book.heard(*leg, ear, words, author, at)));
        }
        if let Some(hall) = book.paging(from) {
            let leg = book.pager(hall, self.user);
            let (author, words) = request.body().split_once(": ").expect("a name before the text");
            return Some((leg, book.heard(leg, ear, words, author, at)));
        }
        let me = (self.user, self.device);
        stage.oracle.received(request.body(), from, me, self.client.conn);
        None
    }

    /// Nobody is told that he types himself, but at another device of his.
    fn sees_typing(&self, book: &Book, request: &Text) {
        let Some((leg, _)) = self.legs.get(request.header("Call-ID")) else { return };
        let sender = bracketed(request.header("Ms-Sender"));
        let elsewhere = book.has_other(*leg);
        assert!(sender != uri(self.user) || elsewhere, "{self} is told that it types: {request:?}");
    }

    fn notified(&mut self, stage: &mut Stage, book: &mut Book, request: &Text) {
        let call_id = request.header("Call-ID");
        match request.header("Event") {
            "message-delivery" => {
                let (leg, _) = self.legs[call_id];
                let leaf = |name| elements(request.body(), name)[0].1;
                let number = leaf("message-id").parse().expect("a number");
                let recipients = elements(request.body(), "recipient");
                let who = attribute(recipients[0].0, "uri").replace("&lt;", "<");
                book.reported(leg, number, bracketed(&who.replace("&gt;", ">")));
            }
            "conference" => {
                let user = self.user;
                let watch = self.seats.iter_mut().find_map(|(hall, seat)| {
                    let watch = seat.watch.as_mut().filter(|watch| watch.call_id == call_id)?;
                    Some((*hall, watch))
                });
                let Some((hall, watch)) = watch else { return };
                watch.take(request.cseq(), request.body());
                if request.header("Subscription-State").starts_with("terminated") {
                    let seat = self.seats.get_mut(&hall).expect("its own");
                    seat.watch = None;
                }
                stage.tell(format_args!("{} knows of {hall}", USERS[user]));
                self.go_on(stage, book, hall);
            }
            "refer" => {}
            other => panic!("{self} is told of {other:?}"),
        }
    }

    /// True for a request in the dialog with a focus, which is not one with the IMMCU.
    fn is_focus(&self, request: &Text) -> bool {
        let from = bracketed(request.header("From"));
        self.client.ms
            && from.contains(":focus:id:")
            && !self.legs.contains_key(request.header("Call-ID"))
    }

    /// Answers something it has put off.
    pub fn catch_up(&mut self, stage: &mut Stage, book: &mut Book) -> bool {
        let late = self.owed.len() + self.ringing.len();
        if self.asleep || late == 0 {
            return false;
        }
        let choice = stage.index(late);
        if choice < self.owed.len() {
            let owed = self.owed.remove(choice);
            self.reply(stage, book, owed);
        } else {
            let invite = self.ringing.remove(choice - self.owed.len());
            self.decide(stage, book, &invite);
        }
        true
    }

    /// Answers a MESSAGE, INFO, NOTIFY or BYE.
    fn reply(&mut self, stage: &mut Stage, book: &mut Book, owed: Owed) {
        let Owed { came_ms, request, heard } = owed;
        let at = book.now(stage.net.now.mono_ms);
        let late = at.1 >= came_ms + PATIENCE_MS;
        let call_id = request.header("Call-ID").to_owned();
        if late && heard.is_some() {
            return;
        }
        let mut status = self.status_of(&request);
        if status == 200 && request.method() != "BYE" && stage.chance(4) {
            status = [480, 486, 488, 606][stage.index(4)];
        }
        match (request.method(), heard) {
            ("MESSAGE", Some((leg, said))) => {
                book.replied(leg, said, status);
                // That is how a client says that it knows no such dialog.
                if status == 480 && book.legs[leg].kind != Kind::Pager {
                    self.lose_leg(stage, book, &call_id, Close::Left);
                }
            }
            ("MESSAGE", None) if status == 200 && !self.legs.contains_key(&call_id) => {
                stage.oracle.accepted(request.body());
            }
            ("NOTIFY", _) if late || status != 200 => self.doubt(&call_id),
            ("BYE", _) => self.lose_leg(stage, book, &call_id, Close::Released),
            _ => {}
        }
        self.send(stage, &request.answer(status, "a"));
    }

    fn status_of(&mut self, request: &Text) -> u16 {
        let call_id = request.header("Call-ID");
        if request.to_tag().is_empty() {
            return 200;
        }
        if let Some((leg, _)) = self.legs.get(call_id) {
            let open = self.seats.values().any(|seat| seat.leg == *leg && seat.chat.is_open());
            return if open { 200 } else { 481 };
        }
        if let Some(talk) = self.talks.iter_mut().find(|talk| talk.dialog.call_id == call_id) {
            let was = talk.open;
            talk.open &= request.method() != "BYE";
            return if was { 200 } else { 481 };
        }
        let is_it = |seat: &&mut Seat| {
            seat.focus.dialog.as_ref().is_some_and(|focus| focus.call_id == call_id)
        };
        if let Some(seat) = self.seats.values_mut().find(is_it) {
            if request.method() == "BYE" {
                seat.focus = Line::default();
            }
            return 200;
        }
        match request.method() {
            "NOTIFY" => 200,
            _ => 481,
        }
    }

    /// A leg is over: nothing comes on it but what came by now.
    pub fn lose_leg(&mut self, stage: &mut Stage, book: &mut Book, call_id: &str, how: Close) {
        let last = match how {
            Close::Released => self.reads,
            Close::Left | Close::Lost => self.reads + stage.net.waiting(self.conn()),
        };
        let Some((leg, after)) = self.legs.get_mut(call_id) else { return };
        after.get_or_insert(last);
        let at = book.now(stage.net.now.mono_ms);
        book.close(*leg, at, how);
        let hall = book.legs[*leg].hall;
        book.part(at, hall, self.user);
        let Some(seat) = self.seats.get_mut(&hall).filter(|seat| seat.leg == *leg) else { return };
        seat.chat = Line::default();
        if how == Close::Released {
            self.give_up(stage, book, hall);
        }
    }

    fn doubt(&mut self, call_id: &str) {
        for seat in self.seats.values_mut() {
            if let Some(watch) = seat.watch.as_mut().filter(|watch| watch.call_id == call_id) {
                watch.doubtful = true;
            }
        }
    }

    fn cancelled(&mut self, stage: &mut Stage, cancel: &Text) {
        self.send(stage, &cancel.answer(200, "c"));
        let of = |invite: &Text| invite.branch() == cancel.branch();
        if let Some(at) = self.ringing.iter().position(of) {
            let invite = self.ringing.remove(at);
            self.send(stage, &invite.answer(487, "c"));
        }
    }

    /// Answers an invitation for good, or forgets it.
    fn decide(&mut self, stage: &mut Stage, book: &mut Book, invite: &Text) {
        match stage.below(20) {
            0 => return,
            1..3 => {
                let status = [480, 486, 488, 606][stage.index(4)];
                return self.send(stage, &invite.answer(status, "d"));
            }
            _ => {}
        }
        if invite.header("Content-Type") == SUMMONS {
            let answer = self.client.obey(invite);
            self.send(stage, &answer);
            let focus = elements(invite.body(), "focus-uri")[0].1;
            let hall = book.hall_of(focus);
            return self.join(stage, book, hall);
        }
        let (answer, dialog) = self.client.accept(invite);
        let peer = USERS.iter().position(|user| *user == dialog.remote).expect("one of us");
        self.talks.push(Talk { dialog, peer, open: true });
        self.send(stage, &answer);
    }

    /// Its program hangs.
    pub fn fall_asleep(&mut self) {
        self.asleep = true;
        for seat in self.seats.values_mut() {
            if let Some(watch) = &mut seat.watch {
                watch.doubtful = true;
            }
        }
    }

    /// Its connection is gone; its user may have no other.
    pub fn vanish(&mut self, stage: &mut Stage, book: &mut Book, alone: bool) {
        let at = book.now(stage.net.now.mono_ms);
        for (leg, _) in self.legs.values() {
            book.close(*leg, at, Close::Lost);
        }
        if alone {
            book.doubt_pager(self.user, at);
        }
        for (hall, seat) in &self.seats {
            if seat.focus.asked || seat.chat.asked || seat.focus.is_open() || seat.chat.is_open() {
                book.part(at, *hall, self.user);
            }
        }
        stage.net.end(self.conn());
    }

    /// Sends a request whose answer is waited for.
    pub fn ask(&mut self, stage: &mut Stage, request: Request, sent: Sent) {
        let key = (request.value("Call-ID").to_owned(), request.value("CSeq").to_owned());
        self.waiting.insert(key, sent);
        self.send(stage, &request);
    }

    /// Sends a message.
    pub fn send(&mut self, stage: &mut Stage, message: &Request) {
        let octets = message.octets();
        let text = String::from_utf8_lossy(&octets);
        let body = text.split("\r\n\r\n").nth(1).unwrap_or_default();
        stage.tell(format_args!(
            "{self} -> {} [{}] {} {}",
            text.lines().next().unwrap_or_default(),
            message.value("CSeq"),
            message.value("Call-ID"),
            body.replace("\r\n", " ")
        ));
        if stage.net.is_open(self.conn()) {
            stage.net.write(self.client.conn, &octets);
        }
    }
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ConnId { shard, slot } = self.client.conn;
        let dialect = if self.client.ms { "ms" } else { "simple" };
        write!(f, "{}{}/{dialect}@{shard}.{}", USERS[self.user], self.device, slot.index)
    }
}
