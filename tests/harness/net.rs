//! The network: shards, the frames between them, and the streams that end in them.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mynah::base::aor::Aor;
use mynah::base::ids::{ConnId, ShardId, Slot};
use mynah::base::limits::{Limit, Limits};
use mynah::base::seed::Seed;
use mynah::base::time::Now;
use mynah::config::{AuthMethod, Settings};
use mynah::directory::User;
use mynah::metrics::counters::{AuthFailure, CloseReason};
use mynah::metrics::names::Series;
use mynah::records::{Ended, Record, RecordId, Started};
use mynah::shard::frame::Frame;
use mynah::shard::input::{Control, Input, Transport};
use mynah::shard::invariants::check_together;
use mynah::shard::observe::Sight;
use mynah::shard::output::Output;
use mynah::shard::question::{Answer, Question};
use mynah::shard::{Keys, Machine, Options, Shard};
use mynah::wire::sip::{Framed, Framer, Head, Message};

use super::ntlm::Keys as NtlmKeys;
use super::shelf::Shelf;
use super::text::{Request, Text};
use super::{DOMAIN, PASSWORD, SENT_BY};

/// Milliseconds since the Unix epoch at which a network starts.
const START_UNIX_MS: u64 = 1_795_209_750_000;

/// A pair of shards: from, to.
pub type Link = (u16, u16);

/// Shards and all that is on its way between them.
pub struct Net {
    pub now: Now,
    shards: Vec<Shard>,
    settings: Arc<Settings>,
    seed: u64,
    limits: Limits,
    links: BTreeMap<Link, VecDeque<Frame>>,
    streams: BTreeMap<ConnId, Stream>,
    slots: Vec<u32>,
    /// Records that went to the store, in order.
    pub records: Vec<Record>,
    /// Answers to operators, with their tickets.
    pub answers: Vec<(Slot, Answer)>,
    /// What applications were shown, in order.
    pub sights: Vec<(Slot, Sight)>,
    /// Number of questions asked.
    inquiries: u32,
    /// Rows that went to the store.
    pub shelf: Shelf,
    /// The directory.
    users: BTreeMap<Aor, Arc<User>>,
    /// Frames that left a shard for another.
    pub hops: usize,
    /// The keys of the clients that signed in by NTLM: what they send is signed, what they get is
    /// checked.
    pub keys: BTreeMap<ConnId, NtlmKeys>,
    /// Frames were lost, or the server goes down: shards may contradict one another.
    torn: bool,
}

/// One connection as its client sees it.
#[derive(Default)]
struct Stream {
    framer: Framer,
    sent: Vec<u8>,
    /// What came, and when, in milliseconds of the network's clock.
    inbox: VecDeque<(u64, Text)>,
    closed: Option<CloseReason>,
}

impl Net {
    /// `shards` shards with alice, bob and carol.
    pub fn new(shards: u16) -> Self {
        Net::with(shards, |_| {})
    }

    /// The same with other limits.
    pub fn limited(shards: u16, change: impl FnOnce(&mut Limits)) -> Self {
        Net::with(shards, |settings| change(&mut settings.limits))
    }

    /// The same with other settings.
    pub fn with(shards: u16, change: impl FnOnce(&mut Settings)) -> Self {
        Net::seeded(shards, 1, change)
    }

    /// The same where Lync clients sign in by NTLM, as they do by default.
    pub fn ntlm(shards: u16) -> Self {
        Net::with(shards, |settings| settings.lync_auth = vec![AuthMethod::Ntlm])
    }

    /// The same with another seed of the shards' generators.
    pub fn seeded(shards: u16, seed: u64, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            domains: vec![DOMAIN.to_owned()],
            lync_auth: vec![AuthMethod::Digest],
            ..Settings::default()
        };
        // Tests sign in as many as they like at one moment.
        settings.limits.sign_ins_per_second_max = 0;
        change(&mut settings);
        let limits = settings.limits.clone();
        let settings = Arc::new(settings);
        let now = Now { mono_ms: 1_000, unix_ms: START_UNIX_MS };
        let mut net = Net {
            now,
            shards: make(now, shards, seed, &settings),
            settings,
            seed,
            limits,
            links: BTreeMap::new(),
            streams: BTreeMap::new(),
            slots: vec![0; usize::from(shards)],
            records: Vec::new(),
            answers: Vec::new(),
            sights: Vec::new(),
            inquiries: 0,
            shelf: Shelf::default(),
            users: BTreeMap::new(),
            hops: 0,
            keys: BTreeMap::new(),
            torn: false,
        };
        for user in ["alice", "bob", "carol"] {
            net.put_user(user, |_| {});
        }
        net
    }

    /// Number of shards.
    pub fn shards(&self) -> u16 {
        self.shards.len() as u16
    }

    /// The shard where a user is at home.
    pub fn user_home(&self, user: &str) -> u16 {
        Aor::new(&format!("{user}@{DOMAIN}")).home(self.shards()).0
    }

    /// A shard.
    pub fn shard(&mut self, id: u16) -> &mut Shard {
        &mut self.shards[usize::from(id)]
    }

    /// All shards.
    pub fn all(&self) -> &[Shard] {
        &self.shards
    }

    /// A user with the common password, new or changed.
    pub fn put_user(&mut self, user: &str, change: impl FnOnce(&mut User)) {
        self.change_user(user, change);
        self.settle();
    }

    /// The same; what it leads to stays on its way.
    pub fn change_user(&mut self, user: &str, change: impl FnOnce(&mut User)) {
        let aor = format!("{user}@{DOMAIN}");
        let mut user = User::with_password(&aor, None, "", DOMAIN, PASSWORD).expect("a user");
        change(&mut user);
        let user = Arc::new(user);
        self.users.insert(Aor::new(&aor), user.clone());
        self.tell_all(|| Control::PutUser(user.clone()));
    }

    /// The user is gone from the directory.
    pub fn remove_user(&mut self, user: &str) {
        let aor = Aor::new(&format!("{user}@{DOMAIN}"));
        self.users.remove(&aor);
        self.shelf.remove(&aor);
        self.control(|| Control::RemoveUser(aor.clone()));
    }

    /// The process dies and starts again: connections, what was on its way and all that was not
    /// written are gone.
    pub fn restart(&mut self) {
        for stream in self.streams.values_mut() {
            stream.closed.get_or_insert(CloseReason::Reset);
        }
        self.links.clear();
        self.shelf.crash();
        self.seed += 1;
        self.shards = make(self.now, self.shards(), self.seed, &self.settings);
        self.torn = false;
        for (aor, user) in self.users.clone() {
            self.control(|| Control::PutUser(user.clone()));
            let home = aor.home(self.shards()).0;
            for rows in self.shelf.rows(&aor) {
                self.handle(home, Input::Control(Control::PutRows(aor.clone(), rows)));
            }
        }
        for conference in self.shelf.conferences() {
            let home = conference.id.home(self.shards()).0;
            self.handle(home, Input::Control(Control::PutConference(Box::new(conference))));
        }
        self.settle();
    }

    /// What the home of a user answers an operator.
    #[track_caller]
    pub fn inquire(&mut self, question: Question) -> Answer {
        let home = question.home(self.shards()).expect("a question to one shard").0;
        let ticket = self.inquire_at(home, question);
        self.settle();
        let answer = self.answers.iter().find(|(answered, _)| *answered == ticket);
        answer.expect("an answer").1.clone()
    }

    /// What every shard answers an operator.
    #[track_caller]
    pub fn inquire_everywhere(&mut self, question: &Question) -> Vec<Answer> {
        (0..self.shards())
            .map(|shard| {
                self.inquire_at(shard, question.clone());
                self.answers.last().expect("an answer").1.clone()
            })
            .collect()
    }

    fn inquire_at(&mut self, shard: u16, question: Question) -> Slot {
        self.inquiries += 1;
        let ticket = Slot { index: self.inquiries, generation: 1 };
        self.handle(shard, Input::Control(Control::Ask { ticket, question }));
        ticket
    }

    /// The same; what is on its way stays there.
    #[track_caller]
    pub fn inquire_now(&mut self, question: Question) -> Answer {
        let home = question.home(self.shards()).expect("a question to one shard").0;
        let ticket = self.inquire_at(home, question);
        let (answered, answer) = self.answers.last().expect("an answer").clone();
        assert_eq!(answered, ticket);
        answer
    }

    /// The store answers its oldest write; false when none waits.
    pub fn answer_write(&mut self) -> bool {
        let Some((shard, ticket, result)) = self.shelf.answer(|aor| self.users.contains_key(aor))
        else {
            return false;
        };
        self.handle(shard, Input::Control(Control::Written { ticket, result }));
        true
    }

    /// The shards, for a test that ends with looking at them.
    pub fn into_shards(self) -> Vec<Shard> {
        self.shards
    }

    /// A word of the control thread to every shard; frames are carried.
    pub fn control(&mut self, word: impl Fn() -> Control) {
        self.tell_all(word);
        self.settle();
    }

    /// Gives all shards other settings, as a reload does.
    pub fn configure(&mut self, change: impl FnOnce(&mut Settings)) {
        let mut settings = (*self.settings).clone();
        change(&mut settings);
        self.settings = Arc::new(settings);
        let settings = self.settings.clone();
        self.control(|| Control::Configure(settings.clone()));
    }

    fn tell_all(&mut self, word: impl Fn() -> Control) {
        for id in 0..self.shards() {
            let word = word();
            self.torn |= matches!(word, Control::Drain);
            self.handle(id, Input::Control(word));
        }
    }

    /// A new TLS connection from the loopback address.
    pub fn open(&mut self, shard: u16) -> ConnId {
        self.open_from(shard, "127.0.0.1:41046", Transport::Tls)
    }

    /// A new connection.
    pub fn open_from(&mut self, shard: u16, peer: &str, transport: Transport) -> ConnId {
        let index = &mut self.slots[usize::from(shard)];
        let conn = ConnId::new(ShardId(shard), Slot { index: *index, generation: 1 });
        *index += 1;
        self.streams.insert(conn, Stream::default());
        let peer: SocketAddr = peer.parse().expect("an address");
        let origin = Some(peer.ip());
        let opened = Input::Opened { conn, peer, origin, transport, cipher: None, lane: false };
        self.handle(shard, opened);
        conn
    }

    /// A client writes octets; what they lead to stays on its way.
    pub fn write(&mut self, conn: ConnId, octets: &[u8]) {
        let stream = self.streams.get_mut(&conn).expect("a stream");
        let mut sent = std::mem::take(&mut stream.sent);
        sent.extend_from_slice(octets);
        let mut framer = std::mem::take(&mut stream.framer);
        while self.is_open(conn) {
            let mut head = Head::new();
            let len = match framer.next(&sent, &self.limits, &mut head) {
                Ok(Framed::Incomplete) => break,
                Ok(Framed::KeepAlive { consumed, .. }) => consumed,
                Ok(Framed::Message { len }) => {
                    let message = Message::new(&sent[..len], &head);
                    self.handle(conn.shard.0, Input::Message { conn, message });
                    len
                }
                Ok(Framed::Malformed { len, error }) => {
                    let message = Message::new(&sent[..len], &head);
                    self.handle(conn.shard.0, Input::Malformed { conn, message, error });
                    len
                }
                Err(error) => {
                    let message = Message::new(&sent, &head);
                    self.handle(conn.shard.0, Input::Broken { conn, message, error });
                    break;
                }
            };
            sent.drain(..len);
        }
        let stream = self.streams.get_mut(&conn).expect("a stream");
        (stream.sent, stream.framer) = (sent, framer);
    }

    /// A client writes octets and all that follows happens.
    pub fn send_octets(&mut self, conn: ConnId, octets: &[u8]) {
        self.write(conn, octets);
        self.settle();
    }

    /// A client sends a message, signed if it has keys and the message has no credentials of its
    /// own, and all that follows happens.
    pub fn send(&mut self, conn: ConnId, message: &Request) {
        self.post(conn, message);
        self.settle();
    }

    /// The same; what it leads to stays on its way.
    pub fn post(&mut self, conn: ConnId, message: &Request) {
        let octets = match self.keys.get_mut(&conn) {
            Some(keys) if message.value("Authorization").is_empty() => {
                keys.sign(message.clone()).octets()
            }
            _ => message.octets(),
        };
        self.write(conn, &octets);
    }

    /// Sends a request and takes the one answer to it.
    pub fn ask(&mut self, conn: ConnId, request: &Request) -> Text {
        self.send(conn, request);
        let answer = self.recv(conn);
        assert!(answer.is_response(), "an answer, not {answer:?}");
        answer
    }

    /// The next message a client got.
    #[track_caller]
    pub fn recv(&mut self, conn: ConnId) -> Text {
        self.try_recv(conn).expect("a message")
    }

    /// The next message a client got, if there is one; its signature is checked and taken off.
    #[track_caller]
    pub fn try_recv(&mut self, conn: ConnId) -> Option<Text> {
        self.try_recv_dated(conn).map(|(_, message)| message)
    }

    /// The same, and when it came, in milliseconds of the network's clock.
    #[track_caller]
    pub fn try_recv_dated(&mut self, conn: ConnId) -> Option<(u64, Text)> {
        let (came_ms, message) = self.streams.get_mut(&conn)?.inbox.pop_front()?;
        match self.keys.get_mut(&conn) {
            Some(keys) => Some((came_ms, keys.check(&message))),
            None => Some((came_ms, message)),
        }
    }

    /// All connections there ever were.
    pub fn connections(&self) -> Vec<ConnId> {
        self.streams.keys().copied().collect()
    }

    /// Messages a client has not looked at.
    pub fn waiting(&self, conn: ConnId) -> usize {
        self.streams.get(&conn).map_or(0, |stream| stream.inbox.len())
    }

    /// Nothing more came to these clients.
    #[track_caller]
    pub fn silent(&mut self, conns: &[ConnId]) {
        for conn in conns {
            let more = self.try_recv(*conn);
            assert!(more.is_none(), "silence on {conn:?}, not {more:?}");
        }
    }

    /// A client's stream ends.
    pub fn close(&mut self, conn: ConnId) {
        self.end(conn);
        self.settle();
    }

    /// A client's stream ends; what that leads to stays on its way.
    pub fn end(&mut self, conn: ConnId) {
        let stream = self.streams.get_mut(&conn).expect("a stream");
        if stream.closed.is_none() {
            stream.closed = Some(CloseReason::Peer);
            self.handle(conn.shard.0, Input::Closed { conn, reason: CloseReason::Peer });
        }
    }

    /// True until either end closed it.
    pub fn is_open(&self, conn: ConnId) -> bool {
        self.closed(conn).is_none()
    }

    /// Why a stream was closed, if it is.
    pub fn closed(&self, conn: ConnId) -> Option<CloseReason> {
        self.streams.get(&conn).and_then(|stream| stream.closed)
    }

    /// Time passes and every shard looks at its deadlines.
    pub fn pass(&mut self, time: Duration) {
        self.now = self.now.plus(time);
        for id in 0..self.shards() {
            self.handle(id, Input::Tick);
        }
        self.settle();
    }

    /// Time passes, in seconds.
    pub fn pass_s(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    /// Carries frames until none is on its way; the store answers unless it is held.
    pub fn settle(&mut self) {
        for _ in 0..100_000 {
            let next = self.busy().next();
            if let Some(link) = next {
                self.carry(link);
            } else if self.shelf.held || !self.answer_write() {
                return self.check_together();
            }
        }
        panic!("the shards never come to rest");
    }

    /// No shard contradicts another once no frame is on its way.
    fn check_together(&self) {
        if !self.torn {
            check_together(self.now, &self.shards);
        }
    }

    /// The links on which a frame is on its way.
    pub fn busy(&self) -> impl Iterator<Item = Link> {
        self.links.iter().filter(|(_, frames)| !frames.is_empty()).map(|(link, _)| *link)
    }

    /// Carries the first frame of a link.
    pub fn carry(&mut self, link: Link) {
        if let Some(frame) = self.links.get_mut(&link).and_then(VecDeque::pop_front) {
            self.handle(link.1, Input::Frame(frame));
        }
    }

    /// Loses the first frame of a link if it is one of those; false if it is not, or there is none.
    pub fn lose(&mut self, link: Link, of: impl Fn(&Frame) -> bool) -> bool {
        let Some(frames) = self.links.get_mut(&link) else { return false };
        let lost = frames.front().is_some_and(of) && frames.pop_front().is_some();
        self.torn |= lost;
        lost
    }

    /// Loses every frame that is on its way, as a full mesh would.
    pub fn lose_all(&mut self) {
        self.links.clear();
        self.torn = true;
    }

    /// Gives a shard an input and carries out what it says.
    pub fn handle(&mut self, id: u16, input: Input<'_>) {
        let shard = &mut self.shards[usize::from(id)];
        shard.handle(self.now, input);
        shard.check_invariants();
        while let Some(output) = self.shards[usize::from(id)].next_output() {
            self.carry_out(id, output);
        }
    }

    fn carry_out(&mut self, id: u16, output: Output) {
        match output {
            Output::Answer { ticket, answer } => self.answers.push((ticket, answer)),
            Output::Observed { observer, sight } => self.sights.push((observer, *sight)),
            Output::Send { conn, bytes } => {
                assert_eq!(conn.shard.0, id, "octets for a connection of another shard");
                well_formed(&bytes);
                let stream = self.streams.get_mut(&conn).expect("octets for a connection");
                assert_eq!(stream.closed, None, "octets for a closed connection");
                stream.inbox.push_back((self.now.mono_ms, Text::new(&bytes)));
            }
            Output::Close { conn, reason } => {
                let stream = self.streams.get_mut(&conn).expect("the close of a connection");
                assert_eq!(stream.closed, None, "a connection closed twice");
                stream.closed = Some(reason);
            }
            Output::Frame { to, frame } => {
                assert_ne!(to.0, id, "a frame to oneself takes the inner way");
                self.hops += 1;
                self.links.entry((id, to.0)).or_default().push_back(frame);
            }
            Output::Record(record) => self.records.push(record),
            Output::Write(write) => self.shelf.take(id, write),
            Output::WriteConference(write) => self.shelf.take_conference(id, write),
        }
    }

    /// Times a limit was hit, on all shards.
    pub fn hits(&mut self, limit: Limit) -> u64 {
        self.shards.iter_mut().map(|shard| shard.counters().hits(limit)).sum()
    }

    /// A series, summed over all shards.
    pub fn value(&mut self, series: Series) -> u64 {
        self.shards.iter_mut().map(|shard| shard.counters().value(series)).sum()
    }

    /// Sign-ins refused for `cause`, on all shards.
    pub fn auth_failures(&mut self, cause: AuthFailure) -> u64 {
        self.shards.iter_mut().map(|shard| shard.counters().auth_failures(cause)).sum()
    }

    /// The records begun, and those ended.
    pub fn conversations(&self) -> (Vec<&Started>, Vec<&Ended>) {
        let (mut started, mut ended) = (Vec::new(), Vec::new());
        for record in &self.records {
            match record {
                Record::Started(record) => started.push(record),
                Record::Ended(record) => ended.push(record),
                Record::ConferenceStarted(_)
                | Record::ConferenceEntered(_)
                | Record::ConferenceDeparted(_)
                | Record::ConferenceEnded(_) => {}
            }
        }
        (started, ended)
    }

    /// The one conversation there was: both halves of its record.
    #[track_caller]
    pub fn conversation(&self) -> (Started, Ended) {
        let (started, ended) = self.conversations();
        let ([started], [ended]) = (&started[..], &ended[..]) else {
            panic!("one conversation, not {:?}", self.records);
        };
        assert_eq!(started.id, ended.id);
        ((*started).clone(), (*ended).clone())
    }

    /// The record of a conversation that goes on.
    #[track_caller]
    pub fn open_conversation(&self) -> RecordId {
        let (started, ended) = self.conversations();
        let ([started], []) = (&started[..], &ended[..]) else {
            panic!("one open conversation, not {:?}", self.records);
        };
        started.id
    }

    /// Nothing is kept of any conversation.
    #[track_caller]
    pub fn at_rest(&self) {
        self.at_rest_but_sessions(0);
    }

    /// Nothing is kept but so many sessions.
    #[track_caller]
    pub fn at_rest_but_sessions(&self, sessions: usize) {
        let held: Vec<_> = self.shards.iter().map(|shard| shard.occupancy()).collect();
        assert!(held.iter().all(|h| (h.invitations, h.relays, h.pagers) == (0, 0, 0)), "{held:?}");
        assert_eq!(held.iter().map(|h| h.sessions).sum::<usize>(), sessions, "{held:?}");
    }
}

/// New shards.
fn make(now: Now, shards: u16, seed: u64, settings: &Arc<Settings>) -> Vec<Shard> {
    let one = |id: u16| {
        let mut own = [0; 32];
        own[..8].copy_from_slice(&seed.to_be_bytes());
        own[8..10].copy_from_slice(&id.to_be_bytes());
        let keys = Keys { hash: [seed, 2, 3, 4], nonce: [9; 32] };
        let (id, settings) = (ShardId(id), settings.clone());
        let sent_by = SENT_BY.to_owned();
        Shard::new(now, Options { id, shards, seed: Seed::new(own), keys, settings, sent_by })
    };
    (0..shards).map(one).collect()
}

/// Whatever a shard writes, a client can read.
fn well_formed(bytes: &[u8]) {
    let limits = Limits {
        sip_head_bytes_max: usize::from(u16::MAX),
        sip_header_line_bytes_max: usize::from(u16::MAX),
        ..Limits::default()
    };
    let mut head = Head::new();
    let framed = Framer::new().next(bytes, &limits, &mut head);
    let text = String::from_utf8_lossy(bytes);
    // The answer to a request that lacks a header lacks it too.
    let malformed = matches!(framed, Ok(Framed::Malformed { len, .. }) if len == bytes.len());
    let answers_malformed = malformed && text.starts_with("SIP/2.0 4");
    assert!(answers_malformed || framed == Ok(Framed::Message { len: bytes.len() }), "{text}");
}
