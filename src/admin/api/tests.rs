//! The API over a real socket, with facts that a test writes: what needs no cores and no database.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::backend::{Backend, Watch};
use super::embed::OPENAPI;
use super::routes::routes;
use super::server::{Api, serve};
use crate::admin::accounts::{AccountChange, Accounts, PhotoKey, Trouble};
use crate::auth::api_token::{KeptToken, Role, Token, TokenId};
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::base::seed::Seed;
use crate::config::Settings;
use crate::directory::{Photo, User};
use crate::metrics::api::ApiTally;
use crate::presence::container::ContainerId;
use crate::shard::observe::{Sight, Unseen};
use crate::shard::question::{Answer, Question};

/// A bound on every wait: far beyond anything but a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server without users, whose tokens a test keeps.
#[derive(Default)]
struct Fake {
    accounts: NoAccounts,
    tokens: Arc<Mutex<Vec<KeptToken>>>,
    /// Where what watchers see comes from, kept open.
    sights: Mutex<Vec<mpsc::Sender<Sight>>>,
}

/// A database that cannot be used.
#[derive(Default)]
struct NoAccounts;

impl Backend for Fake {
    type Accounts = NoAccounts;

    fn accounts(&self) -> &NoAccounts {
        &self.accounts
    }

    async fn sights(&self, users: Vec<Aor>, _: ContainerId) -> Option<Vec<Sight>> {
        let unseen = |user| Sight { user, view: Err(Unseen::NoSuchUser) };
        Some(users.into_iter().map(unseen).collect())
    }

    fn observe(&self, _: &str, _: ContainerId, users: Vec<Aor>) -> Option<Watch> {
        let (to, sights) = mpsc::channel(users.len());
        for user in users {
            let _ = to.try_send(Sight { user, view: Err(Unseen::NoSuchUser) });
        }
        self.sights.lock().unwrap().push(to);
        Some(Watch { sights, overrun: Arc::default(), guard: Box::new(()) })
    }

    async fn ask(&self, _: Question) -> Option<Answer> {
        None
    }

    async fn token(&self, id: TokenId) -> Result<Option<KeptToken>, Trouble> {
        Ok(self.tokens.lock().unwrap().iter().find(|token| token.id == id).cloned())
    }
}

impl Accounts for NoAccounts {
    async fn users(&self, _: String, _: String, _: usize) -> Result<Vec<User>, Trouble> {
        Err(Trouble::Unavailable("the disk is full".to_owned()))
    }

    async fn user(&self, _: Aor) -> Result<Option<User>, Trouble> {
        Ok(None)
    }

    async fn change(&self, _: AccountChange) -> Result<(), Trouble> {
        Err(Trouble::NoSuchUser)
    }

    async fn set_photo(&self, _: Aor, _: Option<Bytes>) -> Result<(), Trouble> {
        Err(Trouble::NoSuchUser)
    }

    async fn photo(&self, _: PhotoKey) -> Result<Option<Photo>, Trouble> {
        Ok(None)
    }
}

/// A running API.
struct Running {
    address: SocketAddr,
    tokens: Arc<Mutex<Vec<KeptToken>>>,
    tally: Arc<ApiTally>,
    draining: watch::Sender<bool>,
    /// Seconds that a drain goes on.
    leaves_in_s: Arc<Mutex<Option<u64>>>,
}

impl Running {
    fn start(limits: Limits, tls: Option<Arc<ServerConfig>>) -> Self {
        let fake = Fake::default();
        let tokens = Arc::clone(&fake.tokens);
        let (draining, is_draining) = watch::channel(false);
        let tally = Arc::new(ApiTally::default());
        let settings = Settings { limits, ..Settings::default() };
        let leaves_in_s = Arc::<Mutex<Option<u64>>>::default();
        let left = leaves_in_s.clone();
        let left = Box::new(move || *left.lock().unwrap());
        let seed = &mut Seed::from_u64(1);
        let api = Api::new(fake, &settings, tally.clone(), is_draining, left, seed);
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = socket.local_addr().unwrap();
        let offer = tls.map(|config| watch::Sender::new(Some(config)));
        tokio::spawn(async move {
            let receiver = offer.as_ref().map(watch::Sender::subscribe);
            serve(socket, receiver, api).await.unwrap();
        });
        Running { address, tokens, tally, draining, leaves_in_s }
    }

    /// Keeps a token of `role`, and its text.
    fn token(&self, role: Role) -> String {
        let token = Token::new(TokenId(role as u64 + 1), [7; 32]);
        self.tokens.lock().unwrap().push(KeptToken {
            id: token.id(),
            name: role.name().to_owned(),
            role,
            level: 100,
            hash: token.hash(),
            created_unix_ms: 0,
        });
        token.text().to_string()
    }

    /// Status and whole answer to a request, with the token if there is one.
    async fn ask(&self, line: &str, token: &str, body: &str) -> (u16, String) {
        let stream = TcpStream::connect(self.address).await.unwrap();
        request(stream, line, token, body).await
    }
}

async fn request(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    line: &str,
    token: &str,
    body: &str,
) -> (u16, String) {
    let authorization = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    let len = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\
         Content-Length: {len}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // An end without good-bye is one too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("{answer:?}")), answer)
}

/// The last part of `type` of a problem document, which the answer must be.
fn problem(answer: &str) -> String {
    assert!(answer.contains("content-type: application/problem+json\r\n"), "{answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let document: Value = serde_json::from_str(body).unwrap();
    let status = document["status"].as_u64().unwrap();
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    document["type"].as_str().unwrap().strip_prefix("urn:mynah:problem:").unwrap().to_owned()
}

#[tokio::test]
async fn every_route_is_described_and_every_described_route_is_there() {
    let (_draining, is_draining) = watch::channel(false);
    let settings = Settings::default();
    let seed = &mut Seed::from_u64(1);
    let left = Box::new(|| None);
    let api = Api::new(Fake::default(), &settings, Arc::default(), is_draining, left, seed);
    let described: Value = serde_json::from_str(OPENAPI).unwrap();
    assert!(described["openapi"].as_str().unwrap().starts_with("3.1."));
    let mut documented = BTreeMap::new();
    for (path, item) in described["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if method != "parameters" {
                let role = operation["description"].as_str().unwrap();
                let role = role.strip_prefix("Role: ").and_then(|role| role.split('.').next());
                documented.insert((path.clone(), method.clone()), role.map(str::to_owned));
            }
        }
    }
    let real: BTreeMap<_, _> = routes(&api)
        .into_iter()
        .map(|route| {
            let role = route.role.map(|role| role.name().to_owned());
            ((route.path.to_owned(), route.method.to_owned()), role)
        })
        .collect();
    assert_eq!(documented, real);
}

#[test]
fn every_reference_of_the_description_leads_somewhere() {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|value| walk(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, found)),
            _ => {}
        }
    }
    let described: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut references = Vec::new();
    walk(&described, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(described.pointer(pointer).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn whatever_refuses_says_so_in_a_problem_document() {
    let limits = Limits { api_body_bytes_max: 64, api_users_max: 2, ..Limits::default() };
    let running = Running::start(limits, None);
    let read = running.token(Role::Read);
    let desk = running.token(Role::HelpDesk);
    let admin = running.token(Role::Admin);
    let long = "x".repeat(65);
    let one = "/v1/presence/a@example.test";
    for (line, token, body, expected) in [
        ("GET /v1/nothing", "", "", "not-found"),
        ("GET /", "", "", "not-found"),
        ("POST /v1/openapi.json", "", "", "method-not-allowed"),
        ("PUT /v1/users", &admin, "", "method-not-allowed"),
        (&format!("GET {one}"), "", "", "token-missing"),
        (&format!("GET {one}"), &read, "", "no-such-user"),
        ("GET /v1/presence/a", &read, "", "bad-address"),
        ("GET /v1/presence/%ff@example.test", &read, "", "bad-request"),
        ("POST /v1/presence", &read, "{", "bad-request"),
        ("POST /v1/presence", &read, "{\"addresses\":[]}", "bad-request"),
        (
            "POST /v1/presence",
            &read,
            "{\"addresses\":[\"a@b.t\",\"c@b.t\",\"d@b.t\"]}",
            "too-many-users",
        ),
        ("POST /v1/presence", &read, &long, "body-too-long"),
        ("GET /v1/presence/events", &read, "", "bad-request"),
        ("GET /v1/users", &read, "", "role-too-low"),
        ("GET /v1/users", &desk, "", "store-unavailable"),
        ("GET /v1/users?limit=0", &desk, "", "bad-request"),
        ("GET /v1/users?limit=101", &desk, "", "bad-request"),
        ("GET /v1/users/a@b.test", &desk, "", "no-such-user"),
        ("POST /v1/users/a@b.test/sign-out", &desk, "", "no-answer"),
        ("POST /v1/users/a@b.test/disable", &desk, "", "no-such-user"),
        ("DELETE /v1/users/a@b.test", &desk, "", "role-too-low"),
        ("DELETE /v1/users/a@b.test", &admin, "", "no-such-user"),
        ("POST /v1/users", &admin, "{\"address\":\"a@b.test\",\"password\":\"p\"}", "unfit"),
        ("POST /v1/users", &admin, "{\"address\":\"a\",\"password\":\"p\"}", "bad-address"),
        ("POST /v1/users", &admin, "{\"address\":\"a@b.test\"}", "bad-request"),
    ] {
        let (_, answer) = running.ask(line, token, body).await;
        assert_eq!(problem(&answer), expected, "{line}");
    }
    let (status, answer) = running.ask("POST /v1/openapi.json", "", "").await;
    assert!(status == 405 && answer.contains("\r\nallow: GET"), "{answer}");
    let counters = running.tally.counters();
    assert_eq!((counters.bodies_refused, counters.lists_refused), (1, 1));
}

/// The store behind it knows no user, so what is done is refused too, for another reason.
#[tokio::test]
async fn a_drain_refuses_changes_and_streams_but_not_to_keep_somebody_out() {
    let running = Running::start(Limits::default(), None);
    *running.leaves_in_s.lock().unwrap() = Some(300);
    let admin = running.token(Role::Admin);
    let new = "{\"address\":\"a@example.test\",\"password\":\"p\"}";
    for (line, body) in [
        ("POST /v1/users", new),
        ("POST /v1/users/a@b.test/enable", ""),
        ("POST /v1/users/a@b.test/password", "{\"password\":\"p\"}"),
        ("DELETE /v1/users/a@b.test", ""),
        ("GET /v1/presence/a@b.test/events", ""),
        ("GET /v1/presence/events?address=a@b.test", ""),
    ] {
        let (status, answer) = running.ask(line, &admin, body).await;
        assert_eq!((status, problem(&answer).as_str()), (503, "going-down"), "{line}");
        assert!(answer.contains("\r\nretry-after: 305\r\n"), "{answer}");
    }
    for (line, expected) in [
        ("POST /v1/users/a@b.test/disable", "no-such-user"),
        ("POST /v1/users/a@b.test/sign-out", "no-answer"),
        ("GET /v1/users/a@b.test", "no-such-user"),
        ("GET /v1/presence/a@b.test", "no-such-user"),
    ] {
        let (_, answer) = running.ask(line, &admin, "").await;
        assert_eq!(problem(&answer), expected, "{line}");
    }
}

#[tokio::test]
async fn wrong_tokens_are_counted_against_the_address_up_to_a_bound() {
    let limits = Limits { auth_failures_per_address_max: 3, ..Limits::default() };
    let running = Running::start(limits, None);
    let read = running.token(Role::Read);
    let mut wrong = read.clone();
    wrong.replace_range(wrong.len() - 1.., "0");
    for token in [wrong.as_str(), "nonsense"] {
        let (_, answer) = running.ask("GET /v1/presence/a@b.test", token, "").await;
        assert_eq!(problem(&answer), "token-refused");
        assert!(
            answer.contains("\r\nwww-authenticate: Bearer realm=\"mynah\", error="),
            "{answer}"
        );
    }
    let (_, answer) = running.ask("GET /v1/presence/a@b.test", &read, "").await;
    assert_eq!(problem(&answer), "no-such-user", "below the bound nobody is locked out");
    running.ask("GET /v1/presence/a@b.test", &wrong, "").await;
    let (_, answer) = running.ask("GET /v1/presence/a@b.test", &read, "").await;
    assert_eq!(problem(&answer), "locked-out");
    assert!(answer.contains("\r\nretry-after: "), "{answer}");
    // What anybody may read is read.
    assert_eq!(running.ask("GET /v1/openapi.json", "", "").await.0, 200);
    let counters = running.tally.counters();
    assert_eq!((counters.auth_failures, counters.lockouts), (3, 1));
}

#[tokio::test]
async fn a_token_in_the_url_is_good_for_icons_alone_and_only_of_that_role() {
    let running = Running::start(Limits::default(), None);
    let (icon, read) = (running.token(Role::Icon), running.token(Role::Read));
    let one = "/v1/presence/a@b.test";
    assert_eq!(running.ask(&format!("GET {one}/icon.svg?key={icon}"), "", "").await.0, 200);
    assert_eq!(running.ask(&format!("GET {one}/icon.svg"), &read, "").await.0, 200);
    for line in [
        format!("GET {one}/icon.svg?key={read}"),
        format!("GET {one}?key={icon}"),
        format!("GET {one}?key={read}"),
    ] {
        let (_, answer) = running.ask(&line, "", "").await;
        assert_eq!(problem(&answer), "token-refused", "{line}");
    }
    let (_, answer) = running.ask(&format!("GET {one}"), &icon, "").await;
    assert_eq!(problem(&answer), "role-too-low");
}

#[tokio::test]
async fn streams_have_places_and_end_with_their_token_or_the_server() {
    let limits = Limits {
        api_streams_max: 1,
        api_heartbeat_time: Duration::from_millis(20),
        ..Limits::default()
    };
    let running = Running::start(limits, None);
    let read = running.token(Role::Read);
    let line = "GET /v1/presence/a@b.test/events";
    let begin = async || {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {read}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = String::new();
        let mut buffer = [0; 1024];
        while !(seen.contains("event: problem\n") && seen.contains(": here\n")) {
            let read = timeout(PATIENCE, stream.read(&mut buffer)).await.unwrap().unwrap();
            assert_ne!(read, 0, "{seen}");
            seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
        assert!(seen.contains("content-type: text/event-stream\r\n"), "{seen}");
        assert!(seen.contains("urn:mynah:problem:no-such-user"), "{seen}");
        stream
    };
    let rest = async |mut stream: TcpStream| {
        let mut rest = Vec::new();
        timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
        String::from_utf8(rest).unwrap()
    };
    let stream = begin().await;
    assert_eq!(running.tally.counters().streams, 1);
    let (_, answer) = running.ask(line, &read, "").await;
    assert_eq!(problem(&answer), "too-many-streams");
    let kept = std::mem::take(&mut *running.tokens.lock().unwrap());
    // Its last chunk.
    assert!(rest(stream).await.ends_with("0\r\n\r\n"));
    *running.tokens.lock().unwrap() = kept;
    let stream = begin().await;
    running.draining.send_replace(true);
    assert!(rest(stream).await.ends_with("0\r\n\r\n"));
    assert_eq!(running.tally.counters().streams_refused, 1);
}

#[tokio::test]
async fn connections_have_places_and_the_silent_lose_theirs() {
    let limits = Limits {
        api_connections_max: 1,
        api_silence_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let running = Running::start(limits, None);
    let mut slow = TcpStream::connect(running.address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost").await.unwrap();
    let mut second = TcpStream::connect(running.address).await.unwrap();
    let mut nothing = Vec::new();
    let ended = timeout(PATIENCE, second.read_to_end(&mut nothing)).await.unwrap();
    assert!(ended.is_err() || nothing.is_empty());
    // The first goes by itself, and another finds its place.
    let _ = timeout(PATIENCE, slow.read_to_end(&mut nothing)).await.unwrap();
    assert_eq!(running.ask("GET /v1/openapi.json", "", "").await.0, 200);
    assert_eq!(running.tally.counters().connections_refused, 1);
}

#[tokio::test]
async fn it_speaks_tls_with_the_certificate_of_the_server() {
    let certified = rcgen::generate_simple_self_signed(["fe01.example.test".to_owned()]).unwrap();
    let certificate = certified.cert.der().clone();
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let running = Running::start(Limits::default(), Some(Arc::new(server)));
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(running.address).await.unwrap();
    let name = ServerName::try_from("fe01.example.test").unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(request(stream, "GET /v1/openapi.json", "", "").await.0, 200);
    // Who speaks plainly is not answered.
    let mut plain = TcpStream::connect(running.address).await.unwrap();
    plain.write_all(b"GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, plain.read_to_end(&mut answer)).await.unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
}
