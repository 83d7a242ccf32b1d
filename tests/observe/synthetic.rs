//! `mynah test`: what users do, done by a client over TLS against the real server.

use std::fs;
use std::process::{Command, Output};

use serde::Deserialize;

use crate::outside::server::{BINARY, PASSWORD, Server};

/// How a test went, as `--json` says it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    test: String,
    #[allow(dead_code)]
    server: String,
    good: bool,
    diagnosis: Option<String>,
    took_ms: f64,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    took_ms: f64,
}

fn run(server: &Server, test: &str, more: &[&str]) -> Output {
    let trusted = server.trusted();
    Command::new(BINARY)
        .args(["test", test, "--server", &server.ready.tls.to_string(), "--ca"])
        .arg(trusted)
        .args(["--user", "alice@example.test"])
        .args(more)
        .env("MYNAH_TEST_PASSWORD", PASSWORD)
        .output()
        .unwrap()
}

fn report(output: &Output) -> Report {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The names of the steps of a test that must go well.
fn good(server: &Server, test: &str, more: &[&str]) -> String {
    let output = run(server, test, &[&["--json"], more].concat());
    let report = report(&output);
    assert!(report.good && report.diagnosis.is_none(), "{report:?}");
    assert_eq!(report.test, test);
    assert!(output.status.success(), "{output:?}");
    let sum: f64 = report.steps.iter().map(|step| step.took_ms).sum();
    assert!(sum > 0.0 && (sum - report.took_ms).abs() < 0.001, "{report:?}");
    report.steps.iter().map(|step| step.name.as_str()).collect::<Vec<_>>().join(",")
}

const TWO: &[&str] = &["--peer", "bob@example.test"];
const BOTH_SIGN_IN: &str = "connect,TLS,sign in,connect,TLS,sign in";

#[test]
fn each_test_goes_well_and_leaves_nothing_behind() {
    let server = Server::demo();
    assert_eq!(good(&server, "signin", &[]), "connect,TLS,sign in,sign off");
    assert_eq!(good(&server, "im", TWO), format!("{BOTH_SIGN_IN},message,sign off"));
    let steps = format!("{BOTH_SIGN_IN},subscribe,publish,unpublish,sign off");
    assert_eq!(good(&server, "presence", TWO), steps);
    let steps = format!("{BOTH_SIGN_IN},make,join,message,end,sign off");
    assert_eq!(good(&server, "conference", TWO), steps);
    for gauge in ["endpoints", "subscriptions", "conferences", "conference_members"] {
        server.wait_metric(&format!("mynah_{gauge}_current"), |value| value == 0.0);
    }
    // Without --json it is one line.
    let output = run(&server, "signin", &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("good  signin  127.0.0.1:") && text.lines().count() == 1, "{text}");
}

/// What fails ends with exit code 1 and says in a line what to do.
#[test]
fn each_fault_has_its_diagnosis() {
    let server = Server::demo();
    let file = server.data().join("wrong");
    fs::write(&file, "wrong\n").unwrap();
    let file = file.to_str().unwrap();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let gone_address = gone.local_addr().unwrap().to_string();
    drop(gone);
    let other = crate::other_authority(&server);
    for (test, more, step, words) in [
        ("signin", &["--password-file", file][..], "sign in", "mynah doctor alice@example.test"),
        ("signin", &["--server", &gone_address], "connect", "does the server run"),
        ("signin", &["--tls-name", "other.test"], "TLS", "mynah doctor --tls"),
        ("signin", &["--ca", other.to_str().unwrap()], "TLS", "mynah doctor --tls"),
        ("im", &["--peer", "nobody@example.test"], "sign in", "nobody@example.test cannot"),
        ("signin", &["--slow", "1ms", "--login", "alice"], "", "slow: "),
    ] {
        // The last option of a name counts for this test alone.
        let trusted = server.trusted();
        let tls = server.ready.tls.to_string();
        let mut command = Command::new(BINARY);
        command.args(["test", test, "--json", "--user", "alice@example.test"]);
        for (option, value) in [("--server", tls.as_str()), ("--ca", trusted.to_str().unwrap())] {
            if !more.contains(&option) {
                command.args([option, value]);
            }
        }
        let output = command.args(more).env("MYNAH_TEST_PASSWORD", PASSWORD).output().unwrap();
        if words == "slow: " && output.status.success() {
            // A fast machine signs in within a millisecond a step.
            continue;
        }
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let report = report(&output);
        let diagnosis = report.diagnosis.unwrap_or_default();
        assert!(!report.good && diagnosis.contains(words), "{words}: {diagnosis}");
        assert!(!diagnosis.contains('\n') && !diagnosis.contains(PASSWORD), "{diagnosis}");
        if !step.is_empty() {
            assert_eq!(report.steps.last().unwrap().name, step, "{diagnosis}");
        }
    }
}
