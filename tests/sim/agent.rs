//! One client on one connection: what it remembers, and what it does with what it reads.

use std::collections::{BTreeMap, BTreeSet};

use mynah::base::ids::ConnId;

use crate::harness::text::bracketed;
use crate::harness::{Client, Dialog, PASSWORD, Request, Text};
use crate::oracle::DeviceId;
use crate::stage::{Stage, USERS, uri};

/// Call-ID, number and method: what an answer is known by.
type Key = (String, String);

/// A request that waits for its answer.
#[derive(Clone, Debug)]
enum Sent {
    Register,
    Invite(Request, usize),
    Cancel,
    Text(String),
    Other,
}

/// How far the client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has asked to sign in.
    Knocking,
    /// It is signed in.
    In,
    /// It signed off, or was refused.
    Out,
}

/// A dialog of the client.
#[derive(Debug)]
struct Talk {
    dialog: Dialog,
    peer: usize,
    open: bool,
}

/// One client on one connection.
pub struct Agent {
    pub client: Client,
    pub user: usize,
    pub device: DeviceId,
    pub phase: Phase,
    /// Its program hangs, or its network is gone without a word: it answers nothing more.
    pub asleep: bool,
    /// It knows the password.
    honest: bool,
    waiting: BTreeMap<Key, Sent>,
    ringing: Vec<Text>,
    owed: Vec<Text>,
    talks: Vec<Talk>,
    overtaken: u32,
    /// Invitations that the server agreed to take back, by Call-ID.
    cancelled: BTreeSet<String>,
}

impl Agent {
    /// A client that just connected.
    pub fn new(client: Client, user: usize, device: DeviceId, honest: bool) -> Self {
        Agent {
            client,
            user,
            device,
            phase: Phase::Out,
            asleep: false,
            honest,
            waiting: BTreeMap::new(),
            ringing: Vec::new(),
            owed: Vec::new(),
            talks: Vec::new(),
            overtaken: 0,
            cancelled: BTreeSet::new(),
        }
    }

    /// The connection.
    pub fn conn(&self) -> ConnId {
        self.client.conn
    }

    /// What its requests wait for.
    pub fn unanswered(&self) -> Vec<&Key> {
        self.waiting.keys().collect()
    }

    /// True if it waits for the end of an invitation that was taken back.
    pub fn cancelled_in_vain(&self) -> bool {
        self.waiting.iter().any(|((call_id, _), sent)| {
            matches!(sent, Sent::Invite(..)) && self.cancelled.contains(call_id)
        })
    }

    /// Signs in, or refreshes its endpoint.
    pub fn register(&mut self, stage: &mut Stage) {
        let request = self.client.register();
        if self.phase == Phase::Out {
            self.phase = Phase::Knocking;
        }
        self.ask(stage, request, Sent::Register);
    }

    /// Removes its endpoint; its conversations go on.
    pub fn sign_off(&mut self, stage: &mut Stage) {
        let request = self.client.register().with("Expires", "0");
        self.phase = Phase::Out;
        self.ask(stage, request, Sent::Other);
    }

    /// Writes some texts to somebody, without waiting for the answers if it is in a session.
    pub fn write(&mut self, stage: &mut Stage) {
        let open: Vec<usize> = (0..self.talks.len()).filter(|i| self.talks[*i].open).collect();
        if open.is_empty() || (!self.client.ms && stage.chance(50)) {
            return self.invite(stage);
        }
        let talk = open[stage.index(open.len())];
        for _ in 0..=stage.below(3) {
            let text = stage.text();
            let talk = &mut self.talks[talk];
            let stream = format!("{:?} {}", self.client.conn, talk.dialog.call_id);
            stage.oracle.wrote(&text, self.user, talk.peer, stream);
            let request = self.client.say(&mut talk.dialog, &text);
            self.ask(stage, request, Sent::Text(text));
        }
    }

    /// Writes to somebody in pager mode. Order is promised to a writer who waits for his answers:
    /// what overtakes an open request begins a conversation of its own.
    fn page(&mut self, stage: &mut Stage) {
        let to = self.somebody(stage);
        let text = stage.text();
        let open = |sent: &Sent| matches!(sent, Sent::Text(_));
        self.overtaken += u32::from(self.waiting.values().any(open));
        let stream = format!("{:?} {to} {}", self.client.conn, self.overtaken);
        stage.oracle.wrote(&text, self.user, to, stream);
        let request = self.client.page(USERS[to], &text);
        self.ask(stage, request, Sent::Text(text));
    }

    /// Invites somebody to a session; a standard client mostly writes in pager mode instead.
    pub fn invite(&mut self, stage: &mut Stage) {
        if !self.client.ms && stage.chance(85) {
            return self.page(stage);
        }
        let to = self.somebody(stage);
        let request = self.client.invite(USERS[to]);
        self.ask(stage, request.clone(), Sent::Invite(request, to));
    }

    /// Takes an invitation back.
    pub fn cancel(&mut self, stage: &mut Stage) {
        let invites: Vec<Request> = self
            .waiting
            .values()
            .filter_map(|sent| match sent {
                Sent::Invite(request, _) => Some(request.clone()),
                _ => None,
            })
            .collect();
        if invites.is_empty() {
            return;
        }
        let cancel = self.client.cancel(&invites[stage.index(invites.len())]);
        if !self.waiting.contains_key(&key(&cancel)) {
            self.ask(stage, cancel, Sent::Cancel);
        }
    }

    /// Says that its user types, or goodbye.
    pub fn signal(&mut self, stage: &mut Stage, method: &str) {
        let open: Vec<usize> = (0..self.talks.len()).filter(|i| self.talks[*i].open).collect();
        if open.is_empty() {
            return;
        }
        let talk = &mut self.talks[open[stage.index(open.len())]];
        talk.open = method != "BYE";
        let request = self.client.within(&mut talk.dialog, method);
        self.ask(stage, request, Sent::Other);
    }

    /// Answers something it has put off.
    pub fn catch_up(&mut self, stage: &mut Stage) {
        if self.asleep {
            return;
        }
        let late = self.owed.len() + self.ringing.len();
        if late == 0 {
            return;
        }
        let choice = stage.index(late);
        if choice < self.owed.len() {
            let request = self.owed.remove(choice);
            self.take(stage, &request);
        } else {
            let invite = self.ringing.remove(choice - self.owed.len());
            self.decide(stage, &invite);
        }
    }

    /// Reads one message; false if there is none.
    pub fn read(&mut self, stage: &mut Stage) -> bool {
        let Some(message) = stage.net.try_recv(self.client.conn) else { return false };
        stage.tell(format_args!(
            "{self} <- {} [{}] {} {:?}",
            message.start_line(),
            message.header("CSeq"),
            message.header("Call-ID"),
            message.body().lines().next().unwrap_or_default()
        ));
        match message.is_response() {
            true => self.answered(stage, &message),
            false => self.asked(stage, message),
        }
        true
    }

    fn answered(&mut self, stage: &mut Stage, answer: &Text) {
        let key = (answer.header("Call-ID").to_owned(), answer.header("CSeq").to_owned());
        assert!(self.waiting.contains_key(&key), "{self} did not ask: {answer:?}");
        if answer.status() < 200 {
            return;
        }
        match self.waiting.remove(&key) {
            Some(Sent::Register) => self.knocked(stage, answer),
            Some(Sent::Invite(request, to)) => self.invited(stage, &request, to, answer),
            Some(Sent::Text(text)) => stage.oracle.answered(&text, answer.status()),
            Some(Sent::Cancel) if answer.status() == 200 => {
                self.cancelled.insert(answer.header("Call-ID").to_owned());
            }
            Some(Sent::Cancel | Sent::Other) | None => {}
        }
    }

    fn knocked(&mut self, stage: &mut Stage, answer: &Text) {
        match answer.status() {
            401 | 407 if self.phase == Phase::Knocking => {
                let password = if self.honest { PASSWORD } else { "wrong" };
                let again = self.client.register();
                let again = self.client.prove(again, answer, password);
                self.ask(stage, again, Sent::Register);
            }
            200 => {
                assert!(self.honest, "{self} signed in without the password");
                self.client.note_gruu(answer);
                self.phase = Phase::In;
            }
            _ => self.phase = Phase::Out,
        }
    }

    fn invited(&mut self, stage: &mut Stage, invite: &Request, to: usize, answer: &Text) {
        if answer.status() >= 300 {
            let ack = self.client.acknowledge(invite, answer);
            return self.send(stage, &ack);
        }
        let dialog = self.client.dialog(invite, answer);
        let ack = self.client.ack(&dialog);
        self.send(stage, &ack);
        self.talks.push(Talk { dialog, peer: to, open: true });
    }

    fn asked(&mut self, stage: &mut Stage, request: Text) {
        assert_eq!(bracketed(request.header("To")), uri(self.user), "{self} is meant: {request:?}");
        let from = bracketed(request.header("From"));
        if request.has("P-Asserted-Identity") {
            assert_eq!(bracketed(request.header("P-Asserted-Identity")), from);
        }
        if request.method() == "MESSAGE" {
            let me = (self.user, self.device);
            stage.oracle.received(request.body(), from, me, self.client.conn);
        }
        if self.asleep {
            return;
        }
        match request.method() {
            "ACK" => {}
            "CANCEL" => self.cancelled(stage, &request),
            "INVITE" => {
                if stage.chance(50) {
                    self.send(stage, &request.answer(180, &format!("r{}", self.device)));
                }
                self.ringing.push(request);
            }
            "MESSAGE" | "INFO" | "BYE" if stage.chance(80) => self.take(stage, &request),
            "MESSAGE" | "INFO" | "BYE" => self.owed.push(request),
            method => panic!("{self} got {method}"),
        }
    }

    /// Answers a MESSAGE, INFO or BYE.
    fn take(&mut self, stage: &mut Stage, request: &Text) {
        let status = match self.status_of(request) {
            200 if stage.chance(6) => [480, 486, 603][stage.index(3)],
            status => status,
        };
        if request.method() == "MESSAGE" && status == 200 {
            stage.oracle.accepted(request.body());
        }
        let answer = request.answer(status, "a");
        self.send(stage, &answer);
        // Some clients say everything twice.
        if stage.chance(3) {
            self.send(stage, &answer);
        }
    }

    fn status_of(&mut self, request: &Text) -> u16 {
        if request.to_tag().is_empty() {
            return 200;
        }
        let of = |talk: &&mut Talk| {
            talk.dialog.call_id == request.header("Call-ID")
                && talk.dialog.local_tag == request.to_tag()
                && talk.dialog.remote_tag == request.from_tag()
        };
        match self.talks.iter_mut().find(of) {
            Some(talk) if request.method() == "BYE" => {
                talk.open = false;
                200
            }
            Some(_) => 200,
            None => 481,
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
    fn decide(&mut self, stage: &mut Stage, invite: &Text) {
        match stage.below(10) {
            0 => {}
            1..3 => {
                let status = [480, 486, 488, 603][stage.index(4)];
                self.send(stage, &invite.answer(status, "d"));
            }
            _ => {
                let (answer, dialog) = self.client.accept(invite);
                let peer = USERS.iter().position(|user| *user == dialog.remote);
                let peer = peer.expect("the caller is one of us");
                self.talks.push(Talk { dialog, peer, open: true });
                self.send(stage, &answer);
                if stage.chance(3) {
                    self.send(stage, &answer);
                }
            }
        }
    }

    /// Mostly somebody who is there, now and then oneself.
    fn somebody(&mut self, stage: &mut Stage) -> usize {
        let users = stage.users;
        let present = stage.present.len();
        let other = if present > 0 && stage.chance(85) {
            let chosen = stage.index(present);
            stage.present[chosen]
        } else {
            stage.index(users)
        };
        if other == self.user && stage.chance(70) { (other + 1) % users } else { other }
    }

    fn ask(&mut self, stage: &mut Stage, request: Request, sent: Sent) {
        self.waiting.insert(key(&request), sent);
        self.send(stage, &request);
    }

    fn send(&mut self, stage: &mut Stage, message: &Request) {
        let octets = message.octets();
        let start = String::from_utf8_lossy(&octets);
        stage.tell(format_args!(
            "{self} -> {} [{}] {}",
            start.lines().next().unwrap_or_default(),
            message.value("CSeq"),
            message.value("Call-ID")
        ));
        if stage.net.is_open(self.client.conn) {
            stage.net.write(self.client.conn, &octets);
        }
    }
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ConnId { shard, slot } = self.client.conn;
        let dialect = if self.client.ms { "ms" } else { "simple" };
        write!(f, "{}/{dialect}@{shard}.{}", self.client.user, slot.index)
    }
}

fn key(request: &Request) -> Key {
    (request.value("Call-ID").to_owned(), request.value("CSeq").to_owned())
}
