//! A machine that does what the Request-URI of each message says, and a server around it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use mynah::base::aor::Aor;
use mynah::base::ids::{ConferenceId, ConnId, ShardId, Slot};
use mynah::base::limits::Limit;
use mynah::base::time::Now;
use mynah::config::{Certificate, Settings};
use mynah::immcu::conference::Admission;
use mynah::ldap::Board;
use mynah::metrics::counters::{CloseReason, Counters};
use mynah::metrics::names::Series;
use mynah::metrics::store::StoreCounters;
use mynah::records::{Kind, Record, RecordId, Started};
use mynah::runtime::account_desk::AccountDesk;
use mynah::runtime::boot::{Plan, StartError, start};
use mynah::runtime::core_loop::Seat;
use mynah::runtime::ledger::Ledger;
use mynah::runtime::orders::{Cores, Order};
use mynah::runtime::ready::Ready;
use mynah::shard::Machine;
use mynah::shard::conference_standing::{ConferenceList, ConferenceSummary};
use mynah::shard::durable::{ConferenceWrite, NotWritten, Rows, Write};
use mynah::shard::frame::{Cargo, Frame};
use mynah::shard::input::{Control, Input};
use mynah::shard::output::Output;
use mynah::shard::question::{Answer, Contacts, Question};
use mynah::store::Receipt;

/// A bound on every wait of a test: far beyond anything but a hang.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Stands in for the shard. `sip:ok@` is answered 200, `sip:panic@` panics, `sip:silent@` is not
/// answered, `sip:late@` is answered with the third tick, `sip:bulk@` gets a megabyte,
/// `sip:far@` is answered by way of the next shard, `sip:burst@` sends 10,000 frames there, which
/// come back as one answer each, `sip:hog@` keeps the core busy for 200 microseconds, `sip:shard@`
/// is answered with the number of the shard as CSeq, `sip:record@` makes a record, `sip:write@`
/// has rows written and is answered when they are: 200, or 503; `sip:probe@` is answered like `sip:far@` and notes how much the other shard did before it took the frame.
pub struct StandIn {
    seat: Seat,
    counters: Counters,
    outputs: VecDeque<Output>,
    late: Vec<(u32, ConnId, Bytes)>,
    /// Answers that wait for the store, by the number of the ticket.
    unwritten: HashMap<u32, (ConnId, Bytes)>,
    tickets: u32,
    open: HashSet<ConnId>,
    notes: Arc<Notes>,
}

/// What the machines of a server write down for the test.
#[derive(Default)]
pub struct Notes {
    /// Ends of connections as they were told, in order.
    pub told: Mutex<Vec<CloseReason>>,
    /// Requests to `hog` that each shard has handled.
    pub hogs: [AtomicU64; 2],
    /// Of these, how many a shard handled between the sending of a probe and its arrival.
    pub delays: Mutex<Vec<u64>>,
    /// Shard 1 says nothing of its conferences.
    pub silent: AtomicBool,
    /// Why rows were not written.
    pub unwritten: Mutex<Vec<NotWritten>>,
}

/// Octets of a frame that go to the connection at the other shard and return from there.
const RETURN: &[u8] = b"return ";
/// The same, with the number of hogs behind it.
const PROBE: &[u8] = b"probe ";

impl StandIn {
    pub fn new(seat: Seat, notes: Arc<Notes>) -> Self {
        StandIn {
            seat,
            counters: Counters::default(),
            outputs: VecDeque::new(),
            late: Vec::new(),
            unwritten: HashMap::new(),
            tickets: 0,
            open: HashSet::new(),
            notes,
        }
    }

    fn hogs(&self, shard: ShardId) -> &AtomicU64 {
        &self.notes.hogs[usize::from(shard.0 % 2)]
    }

    fn message(&mut self, conn: ConnId, text: &[u8]) {
        let user = user(text);
        let answer = answer(text);
        let send = |bytes| Output::Send { conn, bytes };
        let next = ShardId((self.seat.shard.0 + 1) % self.seat.shards);
        match user {
            "panic" => panic!("told to"),
            "silent" => {}
            "late" => self.late.push((3, conn, answer)),
            "bulk" => {
                let body = Bytes::from(vec![b'x'; 64 * 1024]);
                self.outputs.extend((0..16).map(|_| send(body.clone())));
            }
            "far" | "burst" => {
                let bytes = Bytes::from([RETURN, &answer].concat());
                let frames = if user == "far" { 1 } else { 10_000 };
                for _ in 0..frames {
                    let frame = Frame::Deliver { conn, bytes: bytes.clone(), cargo: Cargo::Plain };
                    self.outputs.push_back(Output::Frame { to: next, frame });
                }
            }
            "hog" => {
                let since = Instant::now();
                while since.elapsed() < Duration::from_micros(200) {
                    std::hint::spin_loop();
                }
                self.hogs(self.seat.shard).fetch_add(1, Ordering::SeqCst);
                self.outputs.push_back(send(answer));
            }
            "probe" => {
                let hogs = self.hogs(next).load(Ordering::SeqCst);
                let bytes = [PROBE, &hogs.to_be_bytes(), &answer].concat();
                let frame = Frame::Deliver { conn, bytes: bytes.into(), cargo: Cargo::Plain };
                self.outputs.push_back(Output::Frame { to: next, frame });
            }
            "shard" => {
                let text = format!("CSeq: {} OPTIONS\r\n", self.seat.shard);
                self.outputs.push_back(send(super::stand_in::answer(text.as_bytes())));
            }
            "record" => {
                self.outputs.push_back(Output::Record(Record::Started(Started {
                    id: RecordId::new(1, &mut self.seat.seed),
                    kind: Kind::Pager,
                    caller: "alice@example.test".into(),
                    callee: "bob@example.test".into(),
                    start_unix_ms: 1,
                    bridged: false,
                })));
                self.outputs.push_back(send(answer));
            }
            "conference" => {
                let ticket = self.ticket(conn, answer);
                let write = ConferenceWrite { ticket, id: ConferenceId(7), row: None };
                self.outputs.push_back(Output::WriteConference(write));
            }
            "write" => {
                let ticket = self.ticket(conn, answer);
                let (aor, rows) = (Aor::new("alice@example.test"), Rows::Contacts(Vec::new()));
                self.outputs.push_back(Output::Write(Write { ticket, aor, rows }));
            }
            _ => self.outputs.push_back(send(answer)),
        }
    }

    /// A ticket of a write after which `answer` is sent.
    fn ticket(&mut self, conn: ConnId, answer: Bytes) -> Slot {
        let ticket = Slot { index: self.tickets, generation: 1 };
        self.tickets += 1;
        self.unwritten.insert(ticket.index, (conn, answer));
        ticket
    }

    fn written(&mut self, ticket: Slot, result: Result<(), NotWritten>) {
        let (conn, answer) = self.unwritten.remove(&ticket.index).expect("one answer a write");
        let bytes = match result {
            Ok(()) => answer,
            Err(why) => {
                self.notes.unwritten.lock().unwrap().push(why);
                let text = String::from_utf8(answer.into()).unwrap();
                text.replace("200 OK", "503 Service Unavailable").into()
            }
        };
        self.outputs.push_back(Output::Send { conn, bytes });
    }

    /// Nobody but alice is known, and of silent@ nothing is said. Each shard has one conference, of
    /// as many members as its number says; shard 1 does not tell while `silent`.
    fn ask(&mut self, ticket: Slot, question: &Question) {
        if *question == Question::Conferences {
            if self.seat.shard == ShardId(1) && self.notes.silent.load(Ordering::SeqCst) {
                return;
            }
            let conferences = vec![conference(self.seat.shard)];
            let answer = Answer::Conferences(ConferenceList { total: 1, conferences });
            return self.outputs.push_back(Output::Answer { ticket, answer });
        }
        let user = question.user().map_or("", Aor::user);
        let answer = match (user, question) {
            ("silent", _) => return,
            ("alice", Question::Contacts(_)) => {
                Answer::Contacts(Contacts { number: 7, groups: Vec::new(), contacts: Vec::new() })
            }
            _ => Answer::NoSuchUser,
        };
        self.outputs.push_back(Output::Answer { ticket, answer });
    }
}

impl Machine for StandIn {
    fn user(&self, _: ConnId) -> Option<&Aor> {
        None
    }

    fn is_idle(&self) -> bool {
        self.late.is_empty()
    }

    fn handle(&mut self, _: Now, input: Input<'_>) {
        match input {
            Input::Opened { conn, .. } => assert!(self.open.insert(conn)),
            Input::Message { conn, message } => self.message(conn, message.bytes()),
            Input::Malformed { conn, .. } | Input::Broken { conn, .. } => {
                let bytes =
                    Bytes::from_static(b"SIP/2.0 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
                self.outputs.push_back(Output::Send { conn, bytes });
            }
            Input::Closed { conn, reason } => {
                assert!(self.open.remove(&conn), "told once of each end");
                self.notes.told.lock().unwrap().push(reason);
            }
            Input::Frame(Frame::Deliver { conn, bytes, .. }) if bytes.starts_with(PROBE) => {
                let bytes = bytes.slice(PROBE.len()..);
                let before = u64::from_be_bytes(bytes[..8].try_into().unwrap());
                let hogs = self.hogs(self.seat.shard).load(Ordering::SeqCst);
                self.notes.delays.lock().unwrap().push(hogs - before);
                let frame = Frame::Deliver { conn, bytes: bytes.slice(8..), cargo: Cargo::Plain };
                self.outputs.push_back(Output::Frame { to: conn.shard, frame });
            }
            Input::Frame(Frame::Deliver { conn, bytes, .. }) => match bytes.strip_prefix(RETURN) {
                Some(_) => {
                    let bytes = bytes.slice(RETURN.len()..);
                    let frame = Frame::Deliver { conn, bytes, cargo: Cargo::Plain };
                    self.outputs.push_back(Output::Frame { to: conn.shard, frame });
                }
                None => self.outputs.push_back(Output::Send { conn, bytes }),
            },
            Input::Control(Control::Written { ticket, result }) => self.written(ticket, result),
            Input::Control(Control::Ask { ticket, question }) => self.ask(ticket, &question),
            Input::Tick => {
                for (ticks, ..) in &mut self.late {
                    *ticks -= 1;
                }
                while let Some((0, conn, _)) = self.late.first() {
                    let conn = *conn;
                    let (_, _, bytes) = self.late.remove(0);
                    self.outputs.push_back(Output::Send { conn, bytes });
                }
            }
            _ => {}
        }
    }

    fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn counters(&mut self) -> &mut Counters {
        &mut self.counters
    }
}

fn conference(shard: ShardId) -> ConferenceSummary {
    ConferenceSummary {
        id: ConferenceId(shard.0.into()),
        organiser: Aor::new("alice@example.test"),
        subject: "".into(),
        admission: Admission::OpenAuthenticated,
        lobby: false,
        locked: false,
        scheduled: false,
        made_unix_ms: 0,
        started_unix_ms: None,
        expires_unix_ms: 0,
        members: shard.0.into(),
        peak: 0,
        waiting: 0,
        messages: 0,
    }
}

fn user(text: &[u8]) -> &str {
    let text = std::str::from_utf8(text).unwrap();
    text.split_once("sip:").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user)
}

/// A 200 that repeats the CSeq of the request.
fn answer(text: &[u8]) -> Bytes {
    let text = std::str::from_utf8(text).unwrap();
    let cseq = text.split("\r\n").find(|line| line.starts_with("CSeq:")).unwrap_or("CSeq: 0 X");
    Bytes::from(format!("SIP/2.0 200 OK\r\n{cseq}\r\nContent-Length: 0\r\n\r\n"))
}

/// A ledger that can be full.
#[derive(Default)]
pub struct Pages {
    pub records: Mutex<Vec<Record>>,
    pub full: AtomicBool,
    /// Writes wait for [`answer`](Self::answer).
    pub held: AtomicBool,
    waiting: Mutex<Vec<Receipt>>,
}

impl Pages {
    /// Number of writes that wait.
    pub fn waiting(&self) -> usize {
        self.waiting.lock().unwrap().len()
    }

    /// Loses all writes that wait.
    pub fn forget(&self) {
        self.waiting.lock().unwrap().clear();
    }

    /// Answers all writes that wait.
    pub fn answer(&self, result: Result<(), NotWritten>) {
        let waiting = std::mem::take(&mut *self.waiting.lock().unwrap());
        waiting.into_iter().for_each(|receipt| receipt.answer(result));
    }
}

impl Ledger for Pages {
    fn record(&self, record: Record) -> Result<(), Record> {
        if self.full.load(Ordering::SeqCst) {
            return Err(record);
        }
        self.records.lock().unwrap().push(record);
        Ok(())
    }

    fn write(&self, _: Write, receipt: Receipt) {
        self.waiting.lock().unwrap().push(receipt);
        if !self.held.load(Ordering::SeqCst) {
            self.answer(Ok(()));
        }
    }

    fn write_conference(&self, _: ConferenceWrite, receipt: Receipt) {
        self.waiting.lock().unwrap().push(receipt);
        if !self.held.load(Ordering::SeqCst) {
            self.answer(Ok(()));
        }
    }

    fn counters(&self) -> StoreCounters {
        StoreCounters::default()
    }
}

/// A server in this process, taken down when dropped.
pub struct Running {
    pub ready: Ready,
    pub cores: Cores,
    pub notes: Arc<Notes>,
    pub ledger: Arc<Pages>,
    pub folder: tempfile::TempDir,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// A server with TLS and TCP on loopback, `change` of the default settings.
    pub fn start(change: impl FnOnce(&mut Settings)) -> Self {
        Self::try_start(change).expect("the server starts")
    }

    pub fn try_start(change: impl FnOnce(&mut Settings)) -> Result<Self, StartError> {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = Settings { cores: Some(1), ..Settings::default() };
        settings.certificates =
            vec![write_certificate(folder.path(), "ecdsa", &rcgen::PKCS_ECDSA_P256_SHA256)];
        let loopback = Some("127.0.0.1:0".parse().unwrap());
        (settings.listen.tls, settings.listen.tcp, settings.listen.http) =
            (loopback, loopback, None);
        change(&mut settings);
        let notes = Arc::<Notes>::default();
        let ledger = Arc::<Pages>::default();
        let accounts = AccountDesk::new(None, &settings);
        let plan = Plan {
            settings,
            ledger: ledger.clone(),
            ldap: Board::default(),
            accounts,
            api: None,
            ready_file: Some(folder.path().join("ready")),
            spin: Duration::ZERO,
            certificate_look: Duration::from_millis(20),
            services: Vec::new(),
            reread: None,
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let (started, start_result) = mpsc::channel();
        let written = notes.clone();
        let thread = std::thread::spawn(move || {
            let made = start(plan, move |seat| Ok(StandIn::new(seat, written.clone())));
            match made {
                Ok(server) => {
                    started.send(Ok((server.ready(), server.cores()))).unwrap();
                    let stopped = async { drop(stopped.await) };
                    server.run(None, stopped).unwrap();
                }
                Err(error) => started.send(Err(error)).unwrap(),
            }
        });
        let (ready, cores) = start_result.recv().unwrap()?;
        let (stop, thread) = (Some(stop), Some(thread));
        Ok(Running { ready, cores, notes, ledger, folder, stop, thread })
    }

    pub fn tls(&self) -> SocketAddr {
        self.ready.tls.unwrap()
    }

    pub fn tcp(&self) -> SocketAddr {
        self.ready.tcp.unwrap()
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ecdsa.pem")
    }

    /// The counters of each core.
    pub fn counters(&self) -> Vec<Counters> {
        (0..self.cores.shards())
            .map(|shard| {
                let (reply, answer) = tokio::sync::oneshot::channel();
                self.cores.order(ShardId(shard), Order::Counters(reply)).unwrap();
                answer.blocking_recv().unwrap()
            })
            .collect()
    }

    pub fn sum(&self) -> Counters {
        let mut sum = Counters::default();
        self.counters().iter().for_each(|counters| sum.merge(counters));
        sum
    }

    pub fn value(&self, series: Series) -> u64 {
        self.sum().value(series)
    }

    pub fn hits(&self, limit: Limit) -> u64 {
        self.sum().hits(limit)
    }

    /// Waits until `reason` has closed `count` connections.
    pub fn wait_closed(&self, reason: CloseReason, count: u64) {
        wait_until(&format!("{count} closed as {}", reason.name()), || {
            self.sum().closes(reason) >= count
        });
        assert_eq!(self.sum().closes(reason), count);
    }

    /// Waits until no connection is open.
    pub fn wait_empty(&self) {
        wait_until("no connection is open", || self.value(Series::ConnectionsCurrent) == 0);
    }

    /// Takes the server down and waits for its end.
    pub fn stop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends in order");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the server ends in order");
            }
        }
    }
}

/// Asks `done` until it says yes.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A self-signed certificate for 127.0.0.1 and its key, as `NAME.pem` and `NAME.key`.
pub fn write_certificate(
    folder: &Path,
    name: &str,
    algorithm: &'static rcgen::SignatureAlgorithm,
) -> Certificate {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["127.0.0.1".into()]).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let certificate = params.self_signed(&key).unwrap();
    let files = Certificate {
        chain: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    std::fs::write(&files.chain, certificate.pem()).unwrap();
    std::fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}
