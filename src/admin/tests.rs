//! The pages over a real socket, and the metrics page read as Prometheus reads it.

mod conferences;
mod console;
mod operations;
mod questions;
mod trace;

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};

use super::accounts::{AccountChange, Accounts, PhotoKey, Trouble};
use super::certificates::{CertificateStanding, CertificatesStanding};
use super::limit_hits::Elsewhere;
use super::operation::{Operated, Operation};
use super::page::Page;
use super::process::Process;
use super::{Health, Sources, Trace, serve};
use crate::base::aor::Aor;
use crate::base::ids::ShardId;
use crate::base::limits::{Limit, Limits};
use crate::config::{Settings, parse};
use crate::directory::{Photo, User};
use crate::metrics::api::ApiCounters;
use crate::metrics::counters::{AuthFailure, CloseReason, Counters};
use crate::metrics::ldap::{LdapAlarm, LdapCounters};
use crate::metrics::names::{FAMILIES, METHODS, Series};
use crate::metrics::store::{Alarm, StoreCounters};
use crate::shard::overheard::{Overheard, Subject};
use crate::shard::question::{Answer, Question};
use crate::wire::sip::Method;

/// Who is listened to, and the way to each listener.
type Listened = Arc<Mutex<Vec<(Subject, mpsc::Sender<Overheard>)>>>;

/// A server whose facts a test writes.
#[derive(Default)]
struct Fake {
    shards: Vec<(ShardId, Counters)>,
    health: Mutex<Health>,
    /// The cores never answer.
    mute: bool,
    /// What every question is answered.
    answer: Option<Answer>,
    /// What a question is answered if there is no answer to every one.
    answers: Vec<(Question, Answer)>,
    asked: Arc<Mutex<Vec<Question>>>,
    listened: Listened,
    lost: Arc<AtomicU64>,
    settings: Settings,
    /// What every operation leads to.
    operated: Option<Operated>,
    operations: Arc<Mutex<Vec<Operation>>>,
    accounts: FakeAccounts,
}

/// Accounts in memory.
#[derive(Default)]
struct FakeAccounts {
    users: Vec<User>,
    /// What was to be changed.
    changes: Arc<Mutex<Vec<AccountChange>>>,
    /// Why nothing can be read or changed.
    trouble: Option<Trouble>,
}

impl FakeAccounts {
    fn check(&self) -> Result<(), Trouble> {
        self.trouble.clone().map_or(Ok(()), Err)
    }
}

impl Accounts for FakeAccounts {
    async fn users(
        &self,
        text: String,
        after: String,
        users_max: usize,
    ) -> Result<Vec<User>, Trouble> {
        self.check()?;
        let meant = self.users.iter().filter(|user| user.aor > after && user.aor.contains(&text));
        Ok(meant.take(users_max).cloned().collect())
    }

    async fn user(&self, user: Aor) -> Result<Option<User>, Trouble> {
        self.check()?;
        Ok(self.users.iter().find(|known| known.aor == user.as_str()).cloned())
    }

    async fn change(&self, change: AccountChange) -> Result<(), Trouble> {
        self.check()?;
        self.changes.lock().unwrap().push(change);
        Ok(())
    }

    async fn set_photo(&self, _: Aor, _: Option<axum::body::Bytes>) -> Result<(), Trouble> {
        self.check()
    }

    async fn photo(&self, _: PhotoKey) -> Result<Option<Photo>, Trouble> {
        self.check()?;
        Ok(None)
    }
}

impl Sources for Fake {
    type Accounts = FakeAccounts;

    fn accounts(&self) -> &FakeAccounts {
        &self.accounts
    }

    async fn counters(&self) -> Vec<(ShardId, Counters)> {
        match self.mute {
            true => pending().await,
            false => self.shards.clone(),
        }
    }

    async fn ask(&self, question: Question) -> Option<Answer> {
        self.asked.lock().unwrap().push(question.clone());
        match self.mute {
            true => pending().await,
            false => self.answer.clone().or_else(|| {
                let known = self.answers.iter().find(|(known, _)| *known == question);
                known.map(|(_, answer)| answer.clone())
            }),
        }
    }

    fn listen(&self, subject: Subject) -> Trace {
        let (speaker, heard) = tokio::sync::mpsc::channel(4);
        self.listened.lock().unwrap().push((subject, speaker));
        Trace { heard, lost: Arc::clone(&self.lost) }
    }

    fn copies(&self) -> (u64, u64) {
        (5, 6)
    }

    fn log_lines_lost(&self) -> u64 {
        0
    }

    fn api(&self) -> ApiCounters {
        ApiCounters::default()
    }

    fn store(&self) -> StoreCounters {
        StoreCounters { alarm: self.health().store, ..StoreCounters::default() }
    }

    fn ldap(&self) -> LdapCounters {
        LdapCounters { alarm: self.health().ldap, ..LdapCounters::default() }
    }

    fn certificates(&self) -> CertificatesStanding {
        let certificate = CertificateStanding {
            file: "/etc/mynah/sip.pem".into(),
            is_authority: false,
            names: vec!["sip.example.test".to_owned()],
            valid: Some((0, 1)),
        };
        CertificatesStanding { certificates: vec![certificate], trouble: None }
    }

    fn health(&self) -> Health {
        self.health.lock().unwrap().clone()
    }

    fn settings(&self) -> Arc<Settings> {
        Arc::new(self.settings.clone())
    }

    async fn operate(&self, operation: Operation) -> Option<Operated> {
        self.operations.lock().unwrap().push(operation);
        match self.mute {
            true => pending().await,
            false => self.operated.clone(),
        }
    }
}

fn two_shards() -> Vec<(ShardId, Counters)> {
    let shard = |number: u16| {
        let mut counters = Counters::default();
        counters.add(Series::SignIns, 10 + u64::from(number));
        counters.requests[6] += 3;
        counters.answered(Method::Message as usize, 401);
        counters.close(CloseReason::Tls);
        counters.auth_failure(AuthFailure::WrongPassword);
        counters.hit(Limit::Endpoints);
        counters.processing.observe(Duration::from_micros(30), 2);
        counters.holding.observe_times(Duration::from_micros(200), 2);
        (ShardId(number), counters)
    };
    vec![shard(0), shard(1)]
}

fn page() -> Page {
    let mut store = StoreCounters { refused: 4, alarm: Some(Alarm::Busy), ..Default::default() };
    for millis in [1, 40, 60_000] {
        store.commits.observe(Duration::from_millis(millis));
    }
    Page {
        shards: two_shards(),
        elsewhere: Elsewhere {
            connections_refused: 9,
            store,
            ldap: LdapCounters {
                entries_limit_hits: 5,
                alarm: Some(LdapAlarm::Timeout),
                ..LdapCounters::default()
            },
            api: ApiCounters {
                requests: 6,
                auth_failures: 2,
                streams: 1,
                lockouts: 1,
                ..Default::default()
            },
        },
        copies: (5, 6),
        log_lines_lost: 7,
        process: Process::read(),
        start_unix_s: 1_800_000_000.25,
        healthy: false,
        drain_left_s: Some(61),
    }
}

/// A page as a scraper sees it: sample (name and labels) to value.
fn read(page: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut families: BTreeMap<&str, &str> = BTreeMap::new();
    let mut helped = BTreeSet::new();
    let mut current = "";
    assert!(page.ends_with('\n'));
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect(line);
            assert!(helped.insert(name), "second HELP: {line}");
            assert!(!help.is_empty(), "{line}");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect(line);
            assert!(matches!(kind, "counter" | "gauge" | "histogram" | "summary"), "{line}");
            assert!(families.insert(name, kind).is_none(), "second TYPE: {line}");
            assert!(helped.contains(name), "TYPE before HELP: {line}");
            current = name;
        } else {
            let (sample, value) = line.rsplit_once(' ').expect(line);
            let name = sample.split('{').next().unwrap();
            let family = match families.get(current) {
                Some(&"histogram") => ["_bucket", "_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .expect(line),
                Some(&"summary") => ["_sum", "_count"]
                    .iter()
                    .find_map(|suffix| name.strip_suffix(suffix))
                    .expect(line),
                _ => name,
            };
            assert_eq!(family, current, "sample outside its family: {line}");
            check_labels(&sample[name.len()..], line);
            let value: f64 = value.parse().expect(line);
            assert!(samples.insert(sample.to_owned(), value).is_none(), "second sample: {line}");
        }
    }
    samples
}

/// Nothing, or labels in the form `{name="value",…}` without escapes.
fn check_labels(labels: &str, line: &str) {
    if labels.is_empty() {
        return;
    }
    let inner = labels.strip_prefix('{').and_then(|l| l.strip_suffix('}')).expect(line);
    for label in inner.split(',') {
        let (name, value) = label.split_once('=').expect(line);
        assert!(name.bytes().all(|b| b.is_ascii_lowercase()), "{line}");
        let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).expect(line);
        assert!(!value.is_empty() && !value.contains(['"', '\\', '\n']), "{line}");
    }
}

#[test]
fn the_page_is_well_formed_and_has_every_series() {
    let text = page().render();
    let samples = read(&text);
    for name in FAMILIES.iter().map(|f| f.name).chain(Series::ALL.iter().map(|s| s.name())) {
        assert!(samples.keys().any(|sample| sample.starts_with(name)), "{name}");
    }
    for limit in Limit::ALL {
        let sample = format!("mynah_limit_hits_total{{limit=\"{}\"}}", limit.name());
        assert!(samples.contains_key(&sample), "{sample}");
    }
}

#[test]
fn plain_series_are_by_shard_and_labelled_ones_are_summed() {
    let samples = read(&page().render());
    assert_eq!(samples["mynah_sign_ins_total{shard=\"0\"}"], 10.0);
    assert_eq!(samples["mynah_sign_ins_total{shard=\"1\"}"], 11.0);
    assert_eq!(samples["mynah_sip_requests_total{method=\"message\"}"], 6.0);
    assert_eq!(samples["mynah_sip_responses_total{status=\"401\"}"], 2.0);
    assert!(!samples.contains_key("mynah_sip_responses_total{status=\"200\"}"));
    assert_eq!(samples["mynah_connections_closed_total{reason=\"tls\"}"], 2.0);
    assert_eq!(samples["mynah_connections_closed_total{reason=\"peer\"}"], 0.0);
    assert_eq!(samples["mynah_auth_failures_total{cause=\"wrong_password\"}"], 2.0);
    assert_eq!(samples["mynah_limit_hits_total{limit=\"endpoints_per_user_max\"}"], 2.0);
    assert_eq!(samples["mynah_limit_hits_total{limit=\"admin_connections_max\"}"], 9.0);
    assert_eq!(samples["mynah_api_requests_total"], 6.0);
    assert_eq!(samples["mynah_limit_hits_total{limit=\"auth_failures_per_address_max\"}"], 1.0);
    assert_eq!(samples["mynah_limit_hits_total{limit=\"control_queue_max\"}"], 4.0);
    assert_eq!(samples["mynah_limit_hits_total{limit=\"ldap_entries_max\"}"], 5.0);
    assert_eq!(samples["mynah_ldap_alarm{cause=\"timeout\"}"], 1.0);
    assert_eq!(samples["mynah_ldap_alarm{cause=\"bind\"}"], 0.0);
    assert_eq!(samples["mynah_shards_current"], 2.0);
    assert_eq!(samples["mynah_healthy"], 0.0);
    assert_eq!(samples["process_start_time_seconds"], 1_800_000_000.25);
}

#[test]
fn the_store_shows_its_alarm_and_its_commits() {
    let samples = read(&page().render());
    assert_eq!(samples["mynah_store_alarm{cause=\"busy\"}"], 1.0);
    assert_eq!(samples["mynah_store_alarm{cause=\"disk_full\"}"], 0.0);
    assert_eq!(samples["mynah_store_commit_seconds_bucket{le=\"0.001\"}"], 1.0);
    assert_eq!(samples["mynah_store_commit_seconds_bucket{le=\"0.05\"}"], 2.0);
    assert_eq!(samples["mynah_store_commit_seconds_bucket{le=\"5\"}"], 2.0);
    assert_eq!(samples["mynah_store_commit_seconds_bucket{le=\"+Inf\"}"], 3.0);
    assert_eq!(samples["mynah_store_commit_seconds_count"], 3.0);
    assert_eq!(samples["mynah_store_commit_seconds_sum"], 60.041);
}

#[test]
fn durations_of_messages_are_summed_over_the_shards() {
    let samples = read(&page().render());
    assert_eq!(samples["mynah_message_processing_seconds_sum"], 0.000_06);
    assert_eq!(samples["mynah_message_processing_seconds_count"], 4.0);
    assert_eq!(samples["mynah_message_holding_seconds_bucket{le=\"0.0001\"}"], 0.0);
    assert_eq!(samples["mynah_message_holding_seconds_bucket{le=\"0.00025\"}"], 4.0);
    assert_eq!(samples["mynah_message_holding_seconds_sum"], 0.000_8);
    assert_eq!(samples["mynah_message_holding_seconds_count"], 4.0);
}

#[test]
fn the_label_of_a_method_is_its_name_in_lower_case() {
    for (index, label) in METHODS.iter().enumerate() {
        let method = Method::from_bytes(label.to_ascii_uppercase().as_bytes());
        assert_eq!(
            (method as usize, method.as_str().to_ascii_lowercase()),
            (index, (*label).into())
        );
    }
}

/// Starts the pages on a free port; they end with the test's runtime.
async fn start(fake: Fake, limits: Limits) -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let settings = Settings { limits, ..Settings::default() };
    serve_on(socket, fake, settings);
    address
}

/// Starts the pages on a socket; they end with the test's runtime.
fn serve_on(socket: TcpListener, fake: Fake, settings: Settings) {
    tokio::spawn(async move {
        let end = watch::Sender::new(false);
        serve(socket, Arc::new(fake), &settings, end.subscribe()).await
    });
}

/// Status line and whole answer of one request.
async fn ask(address: SocketAddr, request: &str) -> (String, String) {
    ask_host(address, request, "x").await
}

/// The same by another name of the server.
async fn ask_host(address: SocketAddr, request: &str, host: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("{request} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let status = answer.lines().next().unwrap().to_owned();
    (status, answer)
}

#[tokio::test]
async fn the_page_is_served_with_its_type() {
    let fake = Fake { shards: two_shards(), ..Fake::default() };
    let address = start(fake, Limits::default()).await;
    let (status, answer) = ask(address, "GET /metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), "{head}");
    assert_eq!(read(body)["mynah_shards_current"], 2.0);
}

#[tokio::test]
async fn health_is_200_when_well_and_503_with_the_reasons_otherwise() {
    let address = start(Fake::default(), Limits::default()).await;
    let (status, answer) = ask(address, "GET /healthz").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(answer.ends_with(r#"{"status":"ok","reasons":[]}"#), "{answer}");

    let health = Health { store: Some(Alarm::ReadOnly), ..Health::default() };
    let fake = Fake { health: Mutex::new(health), ..Fake::default() };
    let (status, answer) = ask(start(fake, Limits::default()).await, "GET /healthz").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(answer.contains("\"cause\":\"store_alarm\""), "{answer}");
}

#[tokio::test]
async fn a_directory_service_that_cannot_be_reached_is_said_and_no_reason_to_turn_clients_away() {
    let health = Health { ldap: Some(LdapAlarm::Unreachable), ..Health::default() };
    let fake = Fake { health: Mutex::new(health), ..Fake::default() };
    let (status, answer) = ask(start(fake, Limits::default()).await, "GET /healthz").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(
        answer.contains(r#"{"status":"degraded","reasons":[{"cause":"ldap_alarm","#),
        "{answer}"
    );
}

#[tokio::test]
async fn the_custom_states_of_each_policy_are_served() {
    let settings = parse(
        "[policy.lab]\n\
         custom_states = [{ availability = 'busy', text = { 1033 = 'In the lab' } }]\n",
    )
    .unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let fake = Fake { settings, ..Fake::default() };
    serve_on(socket, fake, Settings::default());
    let (status, answer) = ask(address, "GET /custom-states/lab.xml").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(answer.contains("content-type: text/xml; charset=utf-8"), "{answer}");
    assert!(answer.contains(r#"<customState ID="1" availability="busy">"#), "{answer}");
    let (_, answer) = ask(address, "GET /custom-states/default.xml").await;
    assert!(answer.ends_with("/customStates\"/>"), "{answer}");
    for path in ["gone.xml", "lab", "", "lab.xml/x", "..%2Fmetrics"] {
        let (status, _) = ask(address, &format!("GET /custom-states/{path}")).await;
        assert_eq!(status, "HTTP/1.1 404 Not Found", "{path}");
    }
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let address = start(Fake::default(), Limits::default()).await;
    assert_eq!(ask(address, "GET /nowhere").await.0, "HTTP/1.1 404 Not Found");
    assert_eq!(ask(address, "POST /metrics").await.0, "HTTP/1.1 405 Method Not Allowed");
}

/// Limit `admin_answer_timeout`.
#[tokio::test]
async fn cores_that_do_not_answer_are_left_out_in_time() {
    let fake = Fake { mute: true, ..Fake::default() };
    let limits = Limits { admin_answer_timeout: Duration::from_millis(1), ..Limits::default() };
    let (status, answer) = ask(start(fake, limits).await, "GET /metrics").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let samples = read(answer.split_once("\r\n\r\n").unwrap().1);
    assert_eq!(samples["mynah_shards_current"], 0.0);
}

/// Limit `admin_connections_max`.
#[tokio::test]
async fn a_connection_without_a_place_is_closed_at_once_and_counted() {
    let limits = Limits { admin_connections_max: 1, ..Limits::default() };
    let address = start(Fake::default(), limits).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut octets = [0u8; 12];
    first.read_exact(&mut octets).await.unwrap();
    assert_eq!(&octets, b"HTTP/1.1 200");

    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(matches!(second.read(&mut octets).await, Ok(0) | Err(_)));

    first
        .write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut rest = String::new();
    first.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("mynah_limit_hits_total{limit=\"admin_connections_max\"} 1\n"));
}

/// Limit `admin_connection_time_max`.
#[tokio::test]
async fn a_connection_that_says_nothing_gives_its_place_back() {
    let limits = Limits {
        admin_connections_max: 1,
        admin_connection_time_max: Duration::from_millis(20),
        ..Limits::default()
    };
    let address = start(Fake::default(), limits).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"GET /metrics HTT").await.unwrap();
    let mut octets = Vec::new();
    let _ = idle.read_to_end(&mut octets).await;
    assert_eq!(octets, b"");
    let (status, _) = ask(address, "GET /healthz").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
}
