//! One MESSAGE of a session and its 200 through the shards, round after round: what tests that
//! count and benchmarks that measure have in common. A round does nothing of its own but write a
//! number and a branch into octets made before.

use std::collections::VecDeque;

use bytes::Bytes;
use mynah::base::ids::ConnId;
use mynah::base::limits::Limits;
use mynah::shard::Machine;
use mynah::shard::input::Input;
use mynah::shard::output::Output;
use mynah::wire::sip::{Head, Message};

use super::client::{Client, established};
use super::net::Net;
use super::ntlm::Keys;
use super::text::{Request, Text};

/// What a round's text is: as long as people's are.
const TEXT: &str = "Shall we meet at the fountain at noon? The cafe is closed on Saturdays.";

/// Digits of the sequence numbers.
const DIGITS: usize = 8;

/// A session and the octets that go through it.
pub struct Rounds {
    net: Net,
    head: Box<Head>,
    limits: Limits,
    writer: ConnId,
    reader: ConnId,
    message: Patched,
    answer: Patched,
    branch_at: usize,
    number: u32,
    answered: u32,
    /// Octets on their way to the clients, which hold the blocks they were cut from.
    unsent: VecDeque<Bytes>,
    unsent_max: usize,
    /// Octets the shards wrote to the clients.
    pub written: u64,
}

/// Octets with a sequence number in them, and with a signature if the sender signs.
struct Patched {
    octets: Vec<u8>,
    number_at: usize,
    signature_at: usize,
    /// `cnum` and `response` of the next messages.
    signatures: VecDeque<[String; 2]>,
}

/// Where the signatures of a round go: all of the same length, whatever the number.
const CRAND: &str = "51756651";
const CNUM: &str = "00000000";
const RESPONSE: &str = "00000000000000000000000000000000";

impl Patched {
    fn new(octets: Vec<u8>) -> Self {
        let number_at = find(&octets, b"CSeq: ") + 6;
        Patched { octets, number_at, signature_at: 0, signatures: VecDeque::new() }
    }

    /// The same, signed with these keys for so many sequence numbers from `first` on.
    fn signed(message: Request, keys: &mut Keys, first: u32, count: u32) -> Self {
        let message = message.with("Authorization", &keys.value(CRAND, CNUM, RESPONSE));
        let mut patched = Patched::new(message.octets());
        let mark = format!("{CNUM}\", response=\"{RESPONSE}");
        patched.signature_at = find(&patched.octets, mark.as_bytes());
        for number in first..first + count {
            keys.cnum += 1;
            patched.write_number(number);
            let cnum = format!("{:08}", keys.cnum);
            let response = keys.response(&Text::new(&patched.octets), CRAND, &cnum);
            patched.signatures.push_back([cnum, response]);
        }
        patched
    }

    /// Writes the sequence number, and the signature that belongs to it.
    fn number(&mut self, number: u32) {
        self.write_number(number);
        if let Some([cnum, response]) = self.signatures.pop_front() {
            let place = &mut self.octets[self.signature_at..];
            place[..cnum.len()].copy_from_slice(cnum.as_bytes());
            let at = CNUM.len() + "\", response=\"".len();
            place[at..at + response.len()].copy_from_slice(response.as_bytes());
        }
    }

    fn write_number(&mut self, mut number: u32) {
        for place in self.octets[self.number_at..self.number_at + DIGITS].iter_mut().rev() {
            *place = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }
}

impl Rounds {
    /// A session of a caller on shard 0 and a callee on shard `callee`, in which one of them
    /// writes.
    pub fn new(shards: u16, callee: u16, caller_writes: bool) -> Self {
        Rounds::of(Net::new(shards), callee, caller_writes, 0)
    }

    /// The same between two who sign, for at most so many rounds.
    pub fn signed(shards: u16, callee: u16, caller_writes: bool, rounds: u32) -> Self {
        Rounds::of(Net::ntlm(shards), callee, caller_writes, rounds)
    }

    /// A session in such a network.
    fn of(mut net: Net, callee: u16, caller_writes: bool, signed: u32) -> Self {
        let mut alice = Client::lync(&mut net, 0, "alice");
        let mut bob = Client::lync(&mut net, callee, "bob");
        let (mut callers, mut callees) = established(&mut net, &mut alice, &mut bob);
        let (writer, dialog, reader) = match caller_writes {
            true => (&mut alice, &mut callers, &bob),
            false => (&mut bob, &mut callees, &alice),
        };
        dialog.cseq = 9_999_999;
        let message = writer.say(dialog, TEXT);
        net.send(writer.conn, &message);
        let received = net.recv(reader.conn);
        let answer = received.answer(200, "").header("User-Agent", "Sipe/1.25.0");
        net.send(reader.conn, &answer);
        assert_eq!(net.recv(writer.conn).status(), 200);
        let mut patched = |conn, message: Request| match net.keys.get_mut(&conn) {
            Some(keys) => Patched::signed(message, keys, dialog.cseq + 1, signed),
            None => Patched::new(message.octets()),
        };
        let message = patched(writer.conn, message);
        let answer = patched(reader.conn, answer);
        Rounds {
            head: Box::new(Head::new()),
            limits: Limits::default(),
            writer: writer.conn,
            reader: reader.conn,
            branch_at: find(&answer.octets, b"z9hG4bK"),
            message,
            answer,
            number: dialog.cseq,
            answered: 0,
            unsent: VecDeque::new(),
            unsent_max: 0,
            written: 0,
            net,
        }
    }

    /// The same where so many messages always wait to be sent.
    pub fn with_unsent(self, max: usize) -> Self {
        Rounds { unsent: VecDeque::with_capacity(max + 1), unsent_max: max, ..self }
    }

    /// Octets of a MESSAGE and of its 200, as their senders write them.
    pub fn lens(&self) -> (usize, usize) {
        (self.message.octets.len(), self.answer.octets.len())
    }

    /// One MESSAGE there, its 200 back.
    pub fn round(&mut self) {
        self.number += 1;
        let answered = self.answered;
        self.message.number(self.number);
        self.answer.number(self.number);
        self.received(self.writer, true);
        self.received(self.reader, false);
        assert_eq!(self.answered, answered + 1, "the writer got his answer");
    }

    /// The server reads a message from a connection and does all that follows.
    fn received(&mut self, conn: ConnId, request: bool) {
        let octets = if request { &self.message.octets } else { &self.answer.octets };
        let indexed = self.head.index(octets, &self.limits);
        assert!(matches!(indexed, Ok(Some(_))));
        let message = Message::new(octets, &self.head);
        let now = self.net.now;
        self.net.shard(conn.shard.0).handle(now, Input::Message { conn, message });
        self.drain(conn.shard.0);
    }

    fn drain(&mut self, id: u16) {
        while let Some(output) = self.net.shard(id).next_output() {
            match output {
                Output::Frame { to, frame } => {
                    let now = self.net.now;
                    self.net.shard(to.0).handle(now, Input::Frame(frame));
                    self.drain(to.0);
                }
                Output::Send { conn, bytes } => self.send(conn, bytes),
                output => panic!("{output:?}"),
            }
        }
    }

    fn send(&mut self, conn: ConnId, bytes: Bytes) {
        if conn == self.reader {
            let at = find(&bytes, b"z9hG4bK");
            self.answer.octets[self.branch_at..][..27].copy_from_slice(&bytes[at..at + 27]);
        } else {
            assert!(conn == self.writer && bytes.starts_with(b"SIP/2.0 200"));
            self.answered += 1;
        }
        self.written += bytes.len() as u64;
        if self.unsent_max > 0 {
            self.unsent.push_back(bytes);
            if self.unsent.len() > self.unsent_max {
                self.unsent.pop_front();
            }
        }
    }
}

fn find(octets: &[u8], what: &[u8]) -> usize {
    memchr::memmem::find(octets, what).expect("it is there")
}
