//! `mynah status`

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::http;
use super::server_address::ServerAddress;
use super::text::one_line;
use crate::config::quantity::write_time;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::{self, Series};

/// `mynah status`
#[derive(Args, Debug)]
pub struct Status {
    #[command(flatten)]
    server: ServerAddress,
}

impl Status {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let address = self.server.find()?;
        let (code, health) = http::get(address, "/healthz")?;
        let (_, page) = http::get(address, "/metrics")?;
        print!("{}", table(&health, &Samples::read(&page), Timestamp::now()));
        match code {
            200 => Ok(()),
            _ => bail!("the server is not well: {}", one_line(&reasons(&health))),
        }
    }
}

/// A page of metrics: each sample, and the sums over labels by name.
struct Samples(BTreeMap<String, f64>);

impl Samples {
    fn read(page: &str) -> Self {
        let mut samples = BTreeMap::new();
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let Some((sample, value)) = line.rsplit_once(' ') else { continue };
            let value: f64 = value.parse().unwrap_or(0.0);
            let name = sample.split_once('{').map_or(sample, |(name, _)| name);
            if name != sample {
                samples.insert(sample.to_owned(), value);
            }
            *samples.entry(name.to_owned()).or_insert(0.0) += value;
        }
        Samples(samples)
    }

    fn number(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or(0.0)
    }

    fn series(&self, series: Series) -> f64 {
        self.number(series.name())
    }
}

fn table(health: &str, samples: &Samples, now: Timestamp) -> String {
    let series = |name| samples.series(name);
    let started =
        Timestamp::from_millisecond((samples.number(names::PROCESS_START.name) * 1e3) as i64)
            .unwrap_or(now);
    let up = SignedDuration::from_secs(now.duration_since(started).as_secs().max(0));
    let rows = [
        ("health", state(health)),
        ("up for", format!("{up:#}")),
        ("cores", samples.number(names::SHARDS_CURRENT.name).to_string()),
        (
            "users",
            format!(
                "{} known, {} signed in with {} endpoints",
                series(Series::UsersCurrent),
                series(Series::UsersSignedInCurrent),
                series(Series::EndpointsCurrent),
            ),
        ),
        (
            "sign-ins",
            format!(
                "{} good, {} refused",
                series(Series::SignIns),
                samples.number(names::AUTH_FAILURES.name)
            ),
        ),
        (
            "connections",
            format!(
                "{} now, {} since the start",
                series(Series::ConnectionsCurrent),
                series(Series::ConnectionsOpened)
            ),
        ),
        (
            "links",
            format!(
                "{} now, for {} users",
                series(Series::LinksCurrent),
                series(Series::LanesCurrent)
            ),
        ),
        (
            "sessions",
            format!(
                "{} now, {} since the start",
                series(Series::SessionsCurrent),
                series(Series::SessionsStarted)
            ),
        ),
        (
            "messages",
            format!(
                "{} in sessions, {} in pager mode, {} bridged",
                series(Series::SessionMessages),
                series(Series::PagerMessages),
                series(Series::BridgeMessages),
            ),
        ),
        (
            "conferences",
            format!(
                "{} now with {} members, {} messages",
                series(Series::ConferencesCurrent),
                series(Series::ConferenceMembersCurrent),
                series(Series::ConferenceMessages),
            ),
        ),
        (
            "store",
            format!(
                "{} rows written, {} records waiting",
                samples.number(names::STORE_ROWS.name),
                samples.number(names::STORE_QUEUED.name)
                    + samples.number(names::STORE_PENDING.name),
            ),
        ),
        (
            "directory",
            match samples.number(names::LDAP_LOOKED.name) {
                0.0 => "no users of a directory service".to_owned(),
                looked => format!(
                    "{} users, read {}",
                    samples.number(names::LDAP_USERS.name),
                    Timestamp::from_second(looked as i64).unwrap_or(now),
                ),
            },
        ),
        (
            "memory",
            format!("{:.0} MiB", samples.number(names::PROCESS_RESIDENT.name) / f64::from(1 << 20)),
        ),
    ];
    let draining = samples.number(names::DRAINING.name) > 0.0;
    let drain = draining.then(|| ("drain", drain(samples)));
    rows.iter().chain(&drain).map(|(name, value)| format!("{name:12}  {value}\n")).collect()
}

/// How far a drain is.
fn drain(samples: &Samples) -> String {
    let closed = format!("{}{{reason=\"{}\"}}", names::CLOSES.name, CloseReason::Drain.name());
    format!(
        "{} connections to close within {}, {} closed",
        samples.series(Series::ConnectionsToClose),
        write_time(Duration::from_secs(samples.number(names::DRAIN_LEFT.name) as u64)),
        samples.number(&closed),
    )
}

/// The answer of `/healthz`.
#[derive(Default, Deserialize)]
struct Health {
    status: String,
    reasons: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    detail: String,
}

fn state(health: &str) -> String {
    let status = serde_json::from_str::<Health>(health).unwrap_or_default().status;
    match status.as_str() {
        "" => "unknown".to_owned(),
        // What fails is said as an error.
        "degraded" => one_line(&format!("degraded: {}", reasons(health))),
        status => one_line(status),
    }
}

fn reasons(health: &str) -> String {
    let reasons = serde_json::from_str::<Health>(health).unwrap_or_default().reasons;
    let details: Vec<String> = reasons.into_iter().map(|reason| reason.detail).collect();
    if details.is_empty() { "it gives no reason".to_owned() } else { details.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_sums_the_shards() {
        let page = "\
# HELP mynah_users_current Users.
# TYPE mynah_users_current gauge
mynah_users_current{shard=\"0\"} 2
mynah_users_current{shard=\"1\"} 1
mynah_connections_current{shard=\"0\"} 4
mynah_links_current{shard=\"0\"} 1
mynah_lanes_current{shard=\"0\"} 3
mynah_auth_failures_total{cause=\"wrong_password\"} 1
mynah_auth_failures_total{cause=\"replay\"} 2
mynah_store_queue_current 3
mynah_store_pending_current 4
mynah_ldap_users_current 2
mynah_ldap_looked_timestamp_seconds 1795248000
process_resident_memory_bytes 47185920
process_start_time_seconds 1795248000.5
not a sample
";
        let now: Timestamp = "2026-11-21T09:01:02.5Z".parse().unwrap();
        let health = r#"{"status":"ok","reasons":[]}"#;
        assert_eq!(
            table(health, &Samples::read(page), now),
            "\
health        ok
up for        1h 1m 2s
cores         0
users         3 known, 0 signed in with 0 endpoints
sign-ins      0 good, 3 refused
connections   4 now, 0 since the start
links         1 now, for 3 users
sessions      0 now, 0 since the start
messages      0 in sessions, 0 in pager mode, 0 bridged
conferences   0 now with 0 members, 0 messages
store         0 rows written, 7 records waiting
directory     2 users, read 2026-11-21T08:00:00Z
memory        45 MiB
"
        );
    }

    #[test]
    fn a_drain_shows_how_far_it_is() {
        let page = "\
mynah_draining 1
mynah_drain_left_seconds 90
mynah_drain_connections_current{shard=\"0\"} 4
mynah_drain_connections_current{shard=\"1\"} 3
mynah_connections_closed_total{reason=\"drain\"} 12
mynah_connections_closed_total{reason=\"peer\"} 30
";
        let text = table("{}", &Samples::read(page), Timestamp::UNIX_EPOCH);
        let line = "drain         7 connections to close within 90s, 12 closed\n";
        assert!(text.ends_with(line), "{text}");
    }

    #[test]
    fn reasons_are_joined_and_odd_answers_stood() {
        let health = r#"{"status":"failing","reasons":[{"cause":"a","detail":"x"},{"cause":"b","detail":"y"}]}"#;
        assert_eq!((state(health).as_str(), reasons(health).as_str()), ("failing", "x; y"));
        assert_eq!((state("?").as_str(), reasons("?").as_str()), ("unknown", "it gives no reason"));
    }
}
