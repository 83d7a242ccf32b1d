//! The dashboard and the alert rules speak of series that are there.

use std::collections::BTreeSet;
use std::process::Command;
use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::outside::endpoint::Endpoint;
use crate::outside::program::require;
use crate::outside::server::Server;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tuning").join(name)
}

/// Words that are names of our series, or of the process.
fn names(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with("mynah_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The names on a page, as queries write them.
fn served(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    let mut names: BTreeSet<String> =
        lines.filter_map(|line| line.split(['{', ' ']).next()).map(str::to_owned).collect();
    // Families that have no sample before something happens.
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    names.extend(types.filter_map(|line| line.split(' ').next()).map(str::to_owned));
    names
}

fn page(server: &Server) -> String {
    let (status, page) = crate::outside::metrics::fetch(server.ready.http, "/metrics");
    assert_eq!(status, 200);
    page
}

#[test]
fn every_series_named_in_dashboard_and_rules_is_served() {
    let server = Server::demo();
    let served = served(&page(&server));
    for (name, at_least) in [("grafana.json", 40), ("alerts.yml", 20)] {
        let text = fs::read_to_string(file(name)).unwrap();
        let named = names(&text);
        assert!(named.len() >= at_least, "{name} names only {named:?}");
        let missing: Vec<_> = named.difference(&served).collect();
        assert!(missing.is_empty(), "{name}: {missing:?}");
    }
}

#[test]
fn the_dashboard_is_one() {
    let text = fs::read_to_string(file("grafana.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<i64> = panels.iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            let expr = target["expr"].as_str().unwrap();
            assert!(expr.contains("{instance=~\"$instance\""), "{expr}");
        }
    }
}

/// The judge of Prometheus itself.
#[test]
fn promtool_takes_the_rules() {
    require("promtool", "prometheus");
    let output = Command::new("promtool").args(["check", "rules"]).arg(file("alerts.yml")).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// What happens is counted by method and class, by version and cipher.
#[test]
fn what_happens_is_counted_by_kind() {
    let server = Server::demo();
    let mut alice = Endpoint::tls(&server, "alice");
    assert_eq!(alice.say("nobody", "hello").status(), 404);
    let metrics = server.metrics();
    let answers = |method: &str, class: &str| {
        metrics.value(&format!("mynah_sip_answers_total{{method=\"{method}\",class=\"{class}\"}}"))
    };
    assert_eq!(answers("register", "4xx"), 1.0);
    assert_eq!(answers("register", "2xx"), 1.0);
    assert_eq!(answers("message", "4xx"), 1.0);
    let page = page(&server);
    let ciphers: Vec<&str> = page
        .lines()
        .filter(|line| line.starts_with("mynah_tls_sessions_total{version=\"1.3\""))
        .filter(|line| line.ends_with(" 1"))
        .collect();
    assert_eq!(ciphers.len(), 1, "{page}");
}
