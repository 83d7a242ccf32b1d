//! What is heard of a user, as it leaves the server.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;

use super::super::trace::{EndReport, Line, TRACES_MAX};
use super::{Fake, Listened, ask_host, start};
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, ShardId, Slot};
use crate::base::limits::Limits;
use crate::base::transport::Transport;
use crate::shard::overheard::{Overheard, Subject, Way};

const HOST: &str = "127.0.0.1:9090";

fn overheard(text: &str) -> Overheard {
    Overheard {
        unix_ms: 1_800_000_000_123,
        way: Way::Received,
        conn: ConnId::new(ShardId(1), Slot { index: 7, generation: 1 }),
        user: Some(Aor::new("alice@example.test")),
        peer: "127.0.0.1:40000".parse().unwrap(),
        local: "127.0.0.1:5061".parse().unwrap(),
        transport: Transport::Tls,
        octets: text.as_bytes().to_vec(),
        len: text.len(),
    }
}

/// A trace under way: its lines, past empty ones.
struct Reader(tokio::io::Lines<BufReader<TcpStream>>);

impl Reader {
    async fn open(address: std::net::SocketAddr, path: &str) -> Reader {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!("GET {path} HTTP/1.0\r\nHost: {HOST}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream).lines();
        assert_eq!(lines.next_line().await.unwrap().unwrap(), "HTTP/1.0 200 OK");
        while lines.next_line().await.unwrap().unwrap() != "" {}
        Reader(lines)
    }

    async fn line(&mut self) -> Option<Line> {
        loop {
            let line = self.0.next_line().await.unwrap()?;
            if !line.is_empty() {
                return Some(serde_json::from_str(&line).unwrap());
            }
        }
    }
}

/// Who is listened to last, and the way to the listener.
fn speaker(listened: &Listened) -> (Subject, Sender<Overheard>) {
    listened.lock().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn messages_come_masked_and_up_to_the_bound() {
    let fake = Fake::default();
    let (listened, lost) = (Arc::clone(&fake.listened), Arc::clone(&fake.lost));
    let address = start(fake, Limits::default()).await;
    let mut reader = Reader::open(address, "/trace/alice?seconds=60&messages=2").await;
    let (subject, sender) = speaker(&listened);
    assert_eq!(subject, Subject::Users([Aor::new("alice@example.test")].into()));
    lost.store(3, Ordering::Relaxed);
    for text in ["Authorization: Digest response=\"ab\"\r\n", "b", "c"] {
        sender.send(overheard(text)).await.unwrap();
    }
    let Some(Line::Message(first)) = reader.line().await else { panic!("no message") };
    // Authorization: Digest response="**"
    assert_eq!(first.octets, "QXV0aG9yaXphdGlvbjogRGlnZXN0IHJlc3BvbnNlPSIqKiINCg==");
    assert_eq!((first.received, first.transport.as_str()), (true, "tls"));
    assert_eq!(first.connection, "00010000000700000001");
    assert!(matches!(reader.line().await, Some(Line::Message(_))));
    let end = EndReport { reason: "messages".to_owned(), lost: 3 };
    assert_eq!(reader.line().await, Some(Line::End(end)));
    assert_eq!(reader.line().await, None);
    sender.closed().await;
}

#[tokio::test]
async fn a_trace_ends_with_its_time_and_with_the_server() {
    let fake = Fake::default();
    let listened = Arc::clone(&fake.listened);
    let address = start(fake, Limits::default()).await;
    let mut reader = Reader::open(address, "/trace/a@b.test?seconds=0&messages=2").await;
    let end = |reason: &str| Some(Line::End(EndReport { reason: reason.to_owned(), lost: 0 }));
    assert_eq!(reader.line().await, end("time"));
    let mut reader = Reader::open(address, "/trace/a@b.test?seconds=60&messages=2").await;
    listened.lock().unwrap().clear();
    assert_eq!(reader.line().await, end("server"));
}

/// It outlives the time that other connections have.
#[tokio::test]
async fn a_trace_may_take_longer_than_other_answers() {
    let fake = Fake::default();
    let listened = Arc::clone(&fake.listened);
    let time = Duration::from_millis(100);
    let limits = Limits { admin_connection_time_max: time, ..Limits::default() };
    let address = start(fake, limits).await;
    let mut reader = Reader::open(address, "/trace/alice?seconds=60&messages=1").await;
    // Two signs of life are a second apart.
    for _ in 0..2 {
        assert_eq!(reader.0.next_line().await.unwrap().unwrap(), "");
    }
    speaker(&listened).1.send(overheard("x")).await.unwrap();
    assert!(matches!(reader.line().await, Some(Line::Message(_))));
}

#[tokio::test]
async fn who_goes_away_is_listened_for_no_more_and_gives_his_place_back() {
    let fake = Fake::default();
    let listened = Arc::clone(&fake.listened);
    let address = start(fake, Limits::default()).await;
    let path = "/trace/alice?seconds=60&messages=1";
    let mut readers = Vec::new();
    for _ in 0..TRACES_MAX {
        readers.push(Reader::open(address, path).await);
    }
    let (status, _) = ask_host(address, &format!("GET {path}"), HOST).await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    drop(readers.pop());
    speaker(&listened).1.closed().await;
    Reader::open(address, path).await;
}

#[tokio::test]
async fn only_commands_on_this_machine_may_listen() {
    let address = start(Fake::default(), Limits::default()).await;
    let line = "GET /trace/alice?seconds=1&messages=1";
    let (status, _) = ask_host(address, line, "evil.test").await;
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
    let browser = format!("{HOST}\r\nSec-Fetch-Site: none");
    let (status, _) = ask_host(address, line, &browser).await;
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
    for bad in ["/trace/a%20b?seconds=1&messages=1", "/trace/alice", "/trace/alice?seconds=x"] {
        let (status, _) = ask_host(address, &format!("GET {bad}"), HOST).await;
        assert_eq!(status, "HTTP/1.1 400 Bad Request", "{bad}");
    }
}
