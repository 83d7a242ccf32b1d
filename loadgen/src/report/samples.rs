//! Reports for tests.

use super::marks::{Mark, Verdict};
use super::{Ending, Generator, Latency, Report, Row, Seen, Server};
use crate::meter::machine::Machine;
use std::collections::BTreeMap;

/// A run of `users` that passed: a hundredth of a core and 20,000 octets for each of them, and
/// half a core and 50 million octets for none.
pub fn report(users: u32) -> Report {
    let count = f64::from(users);
    let latency = Latency { p50: 1.0, p90: 2.0, p99: 3.0, p999: 4.0, max: 5.0, mean: 1.2 };
    let row = Row {
        succeeded: 1000,
        failed: 0,
        failures: BTreeMap::new(),
        per_second: Some(100.0),
        latency_ms: Some(latency),
        histogram: Vec::new(),
    };
    let server = Server {
        version: Some("0.1.0".into()),
        cores_max: Some(1.0),
        cores: 0.5 + count * 0.01,
        cpu_us_per_operation: Some(10.0),
        resident_after: 50_000_000 + u64::from(users) * 20_000,
        received_per_s: Some(1000.0 + count * 300.0),
        sent_per_s: Some(2000.0 + count * 900.0),
        written_per_s: Some(4096.0 + count * 10.0),
        stored_per_s: Some(count * 2.0),
        processing_s: Some(0.000_012),
        holding_s: Some(0.000_3),
        ..Server::default()
    };
    let mark = Mark {
        name: "ended_early".into(),
        limit: "<= 0".into(),
        measured: Some(0.0),
        verdict: Verdict::Pass,
        reason: "this program".into(),
        source: "default".into(),
    };
    Report {
        version: "0.1.0".into(),
        command: vec!["loadgen".into()],
        started: "2026-01-01T00:00:00Z".into(),
        machine: Machine::default(),
        settings: BTreeMap::from([
            ("users".to_owned(), users.into()),
            ("dialect".to_owned(), "ms".into()),
        ]),
        flow: "lync2013".into(),
        operation: "message".into(),
        operation_text: "MESSAGE + 200 relayed".into(),
        users,
        seed: 1,
        open_loop: true,
        ending: Ending::Complete,
        passed: true,
        window_s: 10.0,
        signed_in: u64::from(users),
        operations: BTreeMap::from([("message".to_owned(), row)]),
        examples: BTreeMap::new(),
        seen: Seen::default(),
        server: Some(server),
        generator: Generator { cpu_s: 1.0, busy: 0.1, lag_ms: None },
        marks: vec![mark],
        timeline_step_s: 1,
        timeline: Vec::new(),
    }
}
