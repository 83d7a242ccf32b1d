//! One message in a conference and all who get it, round after round through the shards: what tests
//! that count and benchmarks that measure have in common. The members' answers are written and
//! taken apart from the message, so that either can be measured alone.

use std::time::{Duration, Instant};

use bytes::Bytes;
use mynah::base::ids::ConnId;
use mynah::base::limits::Limits;
use mynah::metrics::names::Series;
use mynah::shard::Machine;
use mynah::shard::input::Input;
use mynah::shard::output::Output;
use mynah::wire::sip::{Head, Message};

use super::client::Client;
use super::conference::{Wish, convened, seated};
use super::fanout::write_number;
use super::net::Net;

/// From one message to the next.
const PACE: Duration = Duration::from_millis(2);
/// Rounds from one look at the deadlines to the next.
const TICK_EVERY: u32 = 10;
const ID: &str = "C71C6BB0267883E2248C1EA7F80725B8";
const DIGITS: usize = 8;

/// A conference, its members and what one of them says.
pub struct Chorus {
    net: Net,
    head: Box<Head>,
    limits: Limits,
    author: ConnId,
    members: usize,
    octets: Vec<u8>,
    /// Where the number of the request stands.
    number_at: usize,
    round: u32,
    heard: Vec<(ConnId, Bytes)>,
    answered: u32,
}

/// What the shards counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Messages accepted.
    pub messages: u64,
    /// Copies written.
    pub deliveries: u64,
    /// Frames with a message from the conference's owner to other shards.
    pub frames: u64,
}

impl Chorus {
    /// So many Lync clients in a conference, in turn on every shard.
    pub fn new(shards: u16, members: usize) -> Self {
        let mut net = Net::limited(shards, |limits| {
            limits.conference_members_max = members;
            limits.conference_burst_max = u32::MAX;
            limits.conference_messages_per_second_max = u32::MAX;
        });
        let mut seats = Vec::with_capacity(members);
        let mut meeting = None;
        for number in 0..members {
            let user = format!("w{number}");
            net.put_user(&user, |_| {});
            let shard = (number % usize::from(shards)) as u16;
            let mut client = Client::lync(&mut net, shard, &user);
            let meeting = meeting
                .get_or_insert_with(|| convened(&mut net, &mut client, ID, Wish::default()))
                .clone();
            let seat = seated(&mut net, &mut client, &meeting);
            seats.push((client, seat));
        }
        let (mut client, mut seat) = seats.swap_remove(0);
        seat.chat.cseq = 70_000_000;
        let octets = client.say(&mut seat.chat, "hello everybody").octets();
        let number_at = memchr::memmem::find(&octets, b"CSeq: ").expect("a number") + 6;
        Chorus {
            head: Box::new(Head::new()),
            limits: Limits::default(),
            author: client.conn,
            members,
            octets,
            number_at,
            round: 0,
            heard: Vec::with_capacity(members),
            answered: 0,
            net,
        }
    }

    /// One message to all the others, and their answers; the time the server took for the message
    /// alone, and for the answers.
    pub fn round(&mut self) -> (Duration, Duration) {
        self.net.now = self.net.now.plus(PACE);
        if self.round.is_multiple_of(TICK_EVERY) {
            for id in 0..self.net.shards() {
                let now = self.net.now;
                self.net.shard(id).handle(now, Input::Tick);
                self.drain(id);
            }
        }
        self.round += 1;
        write_number(&mut self.octets[self.number_at..][..DIGITS], 70_000_000 + self.round);
        let begun = Instant::now();
        let octets = std::mem::take(&mut self.octets);
        self.takes(self.author, &octets);
        let said = begun.elapsed();
        self.octets = octets;
        assert_eq!(self.answered, self.round, "the author got his answer");
        assert_eq!(self.heard.len(), self.members - 1, "everybody else heard it");
        let heard = std::mem::take(&mut self.heard);
        let answers: Vec<(ConnId, Vec<u8>)> =
            heard.iter().map(|(conn, bytes)| (*conn, answer(bytes))).collect();
        let begun = Instant::now();
        for (conn, octets) in &answers {
            self.takes(*conn, octets);
        }
        let settled = begun.elapsed();
        self.heard = heard;
        self.heard.clear();
        (said, settled)
    }

    /// What the shards have counted until now.
    pub fn counted(&mut self) -> Counted {
        let mut value = |series| self.net.value(series);
        Counted {
            messages: value(Series::ConferenceMessages),
            deliveries: value(Series::ConferenceDeliveries),
            frames: value(Series::ConferenceFrames),
        }
    }

    /// The server reads a message and does all that follows.
    fn takes(&mut self, conn: ConnId, octets: &[u8]) {
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
                Output::Send { conn, bytes } if conn == self.author => {
                    assert!(bytes.starts_with(b"SIP/2.0 202"), "{bytes:?}");
                    self.answered += 1;
                }
                Output::Send { conn, bytes } => self.heard.push((conn, bytes)),
                output => panic!("{output:?}"),
            }
        }
    }
}

/// The answer of a member.
fn answer(message: &[u8]) -> Vec<u8> {
    let mut out = b"SIP/2.0 200 OK\r\n".to_vec();
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let copied = ["Via: ", "From: ", "To: ", "Call-ID: ", "CSeq: "];
        if copied.iter().any(|name| line.starts_with(name.as_bytes())) {
            out.extend_from_slice(line);
        }
        if line == b"\r\n" {
            break;
        }
    }
    out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
    out
}
