//! Orders to the server as a whole.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::operation::{ChangeReport, DrainReport, Operated, Operation, ReloadReport};
use super::{Fake, ask_host, start};
use crate::base::host_port::HostPort;
use crate::base::limits::Limits;

const HOST: &str = "127.0.0.1:9090";

/// Status line and body of the answer to a request line, and what was ordered.
async fn ask(
    operated: Option<Operated>,
    line: &str,
    host: &str,
) -> (String, String, Vec<Operation>) {
    let operations = Arc::<Mutex<Vec<Operation>>>::default();
    let fake = Fake { operated, operations: operations.clone(), ..Fake::default() };
    let address = start(fake, Limits::default()).await;
    let (status, answer) = ask_host(address, line, host).await;
    let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    let operations = operations.lock().unwrap().clone();
    (status, body, operations)
}

#[tokio::test]
async fn a_reload_tells_what_changes() {
    let change = ChangeReport {
        key: "log.filter".to_owned(),
        old: "\"info\"".to_owned(),
        new: "\"debug\"".to_owned(),
        live: true,
    };
    let report = ReloadReport { applied: true, changes: vec![change], warnings: Vec::new() };
    for (line, dry_run) in [("POST /reload", false), ("POST /reload/dry-run", true)] {
        let operated = Some(Operated::Reloaded(report.clone()));
        let (status, body, operations) = ask(operated, line, HOST).await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert_eq!(serde_json::from_str::<ReloadReport>(&body).unwrap(), report);
        assert_eq!(operations, [Operation::Reload { dry_run }]);
    }
}

#[tokio::test]
async fn a_reload_that_cannot_be_says_why() {
    let why = "mynah.toml:3:1: unknown field".to_owned();
    let (status, body, _) = ask(Some(Operated::Refused(why)), "POST /reload", HOST).await;
    assert_eq!(status, "HTTP/1.1 422 Unprocessable Entity");
    assert_eq!(body, r#"{"error":"mynah.toml:3:1: unknown field"}"#);
    let (status, ..) = ask(None, "POST /reload", HOST).await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
}

#[tokio::test]
async fn a_drain_has_a_time_and_may_stay() {
    for (line, ms, stay, to) in [
        ("POST /drain/300000", 300_000, false, None),
        ("POST /drain/0/stay", 0, true, None),
        ("POST /drain/0?to=b.example.test", 0, false, Some("b.example.test:5061")),
        ("POST /drain/0/stay?to=10.0.0.1:7", 0, true, Some("10.0.0.1:7")),
    ] {
        let place = to.map(str::to_owned);
        let report = DrainReport { over_ms: ms, stays: stay, to: place };
        let operated = Some(Operated::Draining(report.clone()));
        let (status, body, operations) = ask(operated, line, HOST).await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        assert_eq!(serde_json::from_str::<DrainReport>(&body).unwrap(), report);
        let (over, to) = (Duration::from_millis(ms), to.and_then(HostPort::parse));
        assert_eq!(operations, [Operation::Drain { over, stay, to }]);
    }
    for place in ["", "a%0d%0ab", "a;b", "[::1]", "a:0"] {
        let line = format!("POST /drain/1?to={place}");
        let (status, _, operations) = ask(None, &line, HOST).await;
        assert_eq!((status.as_str(), operations.len()), ("HTTP/1.1 400 Bad Request", 0), "{place}");
    }
    for time in ["-1", "5m", "86400001", "%00", "99999999999999999999"] {
        let (status, _, operations) = ask(None, &format!("POST /drain/{time}"), HOST).await;
        assert_eq!((status.as_str(), operations.len()), ("HTTP/1.1 400 Bad Request", 0), "{time}");
    }
}

#[tokio::test]
async fn orders_come_from_commands_on_this_machine_alone() {
    for line in ["POST /reload", "POST /reload/dry-run", "POST /drain/1", "POST /drain/1/stay"] {
        for host in ["fe01.example.test", "127.0.0.1\r\nOrigin: http://127.0.0.1"] {
            let (status, _, operations) = ask(None, line, host).await;
            assert_eq!((status.as_str(), operations.len()), ("HTTP/1.1 403 Forbidden", 0));
        }
        let get = line.replace("POST", "GET");
        assert_eq!(ask(None, &get, HOST).await.0, "HTTP/1.1 405 Method Not Allowed");
    }
}
