//! What the machine allows, and what the server on it ran into.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::finding::Findings;
use crate::cli::http;
use crate::metrics::names::{LIMIT_HITS, PROCESS_FDS, PROCESS_FDS_MAX};
use crate::runtime::checks;

/// Share of the descriptors in use beyond which there may soon be none left.
const DESCRIPTORS_SHARE_MAX: f64 = 0.8;

/// Looks at kernel and bounds of this machine, as the server does when it starts.
pub fn look(findings: &mut Findings) {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    let cores = match checks::cpus() {
        Ok(cpus) => cpus.len(),
        Err(error) => return findings.fault("kernel", error.to_string()),
    };
    match checks::check(cores) {
        Ok(()) => findings.good("kernel", format!("{release}, io_uring for {cores} cores")),
        Err(error) => findings.fault("kernel", error.to_string()),
    }
}

/// Looks at what the server that answers at `http` ran into.
pub fn look_at_server(http: SocketAddr, findings: &mut Findings) {
    let page = match http::get(http, "/metrics") {
        Ok((200, page)) => page,
        Ok((status, _)) => return findings.warn("server", format!("its page answers {status}")),
        Err(error) => return findings.warn("server", format!("{error:#}")),
    };
    let samples = samples(&page);
    let hits = format!("{}{{limit=\"", LIMIT_HITS.name);
    let hit: Vec<String> = samples
        .iter()
        .filter(|(_, value)| **value > 0.0)
        .filter_map(|(name, value)| {
            let limit = name.strip_prefix(&hits)?.strip_suffix("\"}")?;
            Some(format!("{limit} {value} times"))
        })
        .collect();
    match hit.is_empty() {
        true => findings.good("limits", "none was hit since the start"),
        false => findings.warn("limits", format!("hit since the start: {}", hit.join(", "))),
    }
    let number = |name: &str| samples.get(name).copied();
    if let (Some(used), Some(max)) = (number(PROCESS_FDS.name), number(PROCESS_FDS_MAX.name)) {
        let text = format!("{used} of {max} in use");
        match used > max * DESCRIPTORS_SHARE_MAX {
            true => findings.fault("descriptors", format!("{text}: raise LimitNOFILE")),
            false => findings.good("descriptors", text),
        }
    }
}

fn samples(page: &str) -> BTreeMap<&str, f64> {
    let lines = page.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name, value.parse().ok()?))
        })
        .collect()
}
