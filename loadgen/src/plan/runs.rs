//! The measured runs that a plan rests on: what each must be, and what they must have in common.

use super::fit::Line;
use crate::report::{Ending, Report, Server};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Different sizes that a line needs.
const SIZES_MIN: usize = 3;
/// How far rates for each user may differ, as a share: whole numbers of users do not divide evenly.
const RATE_APART: f64 = 0.02;
/// Settings that may differ: they name the size, the place, or what is looked at.
const MAY_DIFFER: &[&str] = &[
    "abort",
    "ca",
    "duration_s",
    "flow.expiry_unix_s",
    "flow.conferences",
    "handshakes",
    "load.rate",
    "marks",
    "metrics",
    "pid",
    "progress",
    "ramp",
    "server_name",
    "sources",
    "started_unix_s",
    "target",
    "threads",
    "users",
    "warmup_s",
];

/// Why runs give no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Too few sizes for a line.
    #[error("a plan needs runs of {SIZES_MIN} different sizes or more, here are {0}")]
    FewSizes(usize),
    /// A run that says nothing of the server.
    #[error("the run of {users} users {why}")]
    Unfit {
        /// Its size.
        users: u32,
        /// What is wrong with it.
        why: String,
    },
    /// Runs of different kinds.
    #[error(
        "the runs of {first} and {second} users differ in {what}: a plan needs runs of one kind"
    )]
    Mixed {
        /// Size of one.
        first: u32,
        /// Size of the other.
        second: u32,
        /// In what.
        what: String,
    },
    /// The run that is to be predicted was fitted.
    #[error("the run to be predicted is one of those the plan rests on")]
    Circular,
    /// No user fits on a server.
    #[error("a server of {cores} cores and {memory} octets of memory has no room for users")]
    NoRoom {
        /// Its cores.
        cores: String,
        /// Its memory.
        memory: String,
    },
}

/// What a server needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Cores kept busy.
    Cpu,
    /// Resident octets of the process.
    Memory,
    /// Octets received a second.
    Received,
    /// Octets sent a second.
    Sent,
    /// Octets written to disks a second.
    Written,
    /// Octets a second by which files grow.
    Stored,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 6] = [
        Resource::Cpu,
        Resource::Memory,
        Resource::Received,
        Resource::Sent,
        Resource::Written,
        Resource::Stored,
    ];

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Resource::Cpu => "CPU",
            Resource::Memory => "memory",
            Resource::Received => "network, received",
            Resource::Sent => "network, sent",
            Resource::Written => "disk, written",
            Resource::Stored => "disk, kept",
        }
    }

    fn of(self, server: &Server, tls: bool) -> Option<f64> {
        match self {
            Resource::Cpu => Some(server.cores),
            Resource::Memory => Some(server.resident_after as f64),
            Resource::Received if tls => server.wire_received_per_s,
            Resource::Received => server.received_per_s,
            Resource::Sent if tls => server.wire_sent_per_s,
            Resource::Sent => server.sent_per_s,
            Resource::Written => server.written_per_s,
            // Files that were made smaller meanwhile hold no less than before.
            Resource::Stored => server.stored_per_s.map(|growth| growth.max(0.0)),
        }
    }
}

/// Runs of one kind at several sizes.
#[derive(Debug)]
pub struct Runs<'a> {
    reports: &'a [Report],
    /// Whether octets of the network are with TLS.
    pub tls: bool,
}

impl<'a> Runs<'a> {
    /// Of `profile`.
    ///
    /// # Errors
    /// Says what is wrong with them.
    pub fn new(reports: &'a [Report], profile: &str) -> Result<Runs<'a>, Refusal> {
        let sizes: BTreeSet<u32> = reports.iter().map(|report| report.users).collect();
        let Some(first) = reports.first().filter(|_| sizes.len() >= SIZES_MIN) else {
            return Err(Refusal::FewSizes(sizes.len()));
        };
        for report in reports {
            fit(report, profile)?;
            alike(first, report)?;
        }
        let tls = |report: &Report| {
            report.server.as_ref().is_some_and(|server| server.wire_sent_per_s.is_some())
        };
        Ok(Runs { reports, tls: reports.iter().all(tls) })
    }

    /// The line of each resource that every run measured.
    pub fn lines(&self) -> BTreeMap<Resource, Line> {
        let line = |resource: Resource| {
            let points = self.reports.iter().map(|report| {
                let server = report.server.as_ref()?;
                Some((report.signed_in as f64, resource.of(server, self.tls)?))
            });
            Some((resource, Line::fit(&points.collect::<Option<Vec<_>>>()?)))
        };
        Resource::ALL.into_iter().filter_map(line).collect()
    }

    /// What another run measured, which must be of the same kind.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn measured(
        &self,
        report: &Report,
        profile: &str,
    ) -> Result<BTreeMap<Resource, f64>, Refusal> {
        fit(report, profile)?;
        if self.reports.iter().any(|known| known.started == report.started) {
            return Err(Refusal::Circular);
        }
        self.reports.first().map_or(Ok(()), |first| alike(first, report))?;
        let server = report.server.iter();
        let all = server.flat_map(|server| {
            let of = |resource: Resource| Some((resource, resource.of(server, self.tls)?));
            Resource::ALL.into_iter().filter_map(of)
        });
        Ok(all.collect())
    }
}

fn fit(report: &Report, profile: &str) -> Result<(), Refusal> {
    let why = if report.flow != profile {
        format!("is of {}, not of {profile}", report.flow)
    } else if !report.passed {
        "missed pass marks".to_owned()
    } else if report.ending != Ending::Complete {
        "was ended early".to_owned()
    } else if !report.open_loop {
        "is a closed loop (--window): its load is not that of its users".to_owned()
    } else if report.generator_was_the_limit() {
        "shows the limit of the generator".to_owned()
    } else if report.server.is_none() {
        "says nothing of the server: it needs --pid or --metrics".to_owned()
    } else {
        return Ok(());
    };
    Err(Refusal::Unfit { users: report.users, why })
}

fn alike(first: &Report, second: &Report) -> Result<(), Refusal> {
    let mixed =
        |what: String| Err(Refusal::Mixed { first: first.users, second: second.users, what });
    let of_server = |report: &Report| {
        report.server.as_ref().map(|server| (server.version.clone(), server.cores_max))
    };
    if first.version != second.version {
        return mixed("the version of the generator".into());
    }
    if first.seed != second.seed {
        return mixed("the seed".into());
    }
    if of_server(first) != of_server(second) {
        return mixed("the version or the cores of the server".into());
    }
    if first.machine.cpu != second.machine.cpu {
        return mixed("the processor".into());
    }
    let names: BTreeSet<&String> = first.settings.keys().chain(second.settings.keys()).collect();
    let differs = |name: &&&String| {
        !MAY_DIFFER.contains(&name.as_str())
            && first.settings.get(**name) != second.settings.get(**name)
    };
    if let Some(name) = names.iter().find(differs) {
        return mixed(format!("--{}", name.trim_end_matches("_s").replace('_', "-")));
    }
    let each = |report: &Report| {
        // Users that only stay have no rate.
        if report.flow == "idle" {
            return None;
        }
        let rate = report.settings.get("load.rate").and_then(Value::as_f64)?;
        Some(rate / f64::from(report.users.max(1)))
    };
    match each(first).zip(each(second)) {
        Some((one, two)) if (one / two - 1.0).abs() > RATE_APART => {
            mixed("the rate for each user".into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples::report;

    fn refusal(change: impl Fn(&mut Report)) -> String {
        let mut reports = [report(100), report(200), report(400)];
        change(&mut reports[1]);
        Runs::new(&reports, "lync2013").unwrap_err().to_string()
    }

    #[test]
    fn lines_come_out_as_they_were_put_in() {
        let reports = [report(100), report(200), report(400)];
        let runs = Runs::new(&reports, "lync2013").unwrap();
        let lines = runs.lines();
        assert!(!runs.tls && lines.len() == 6);
        assert!((lines[&Resource::Cpu].per_user - 0.01).abs() < 1e-9);
        assert!((lines[&Resource::Memory].fixed - 50e6).abs() < 1.0);
        assert!((lines[&Resource::Sent].per_user - 900.0).abs() < 1e-6);
    }

    #[test]
    fn runs_that_say_nothing_or_are_of_different_kinds_are_refused() {
        let few = [report(100), report(100), report(200)];
        assert_eq!(Runs::new(&few, "lync2013").unwrap_err(), Refusal::FewSizes(2));
        assert!(refusal(|r| r.passed = false).contains("200 users missed pass marks"));
        assert!(refusal(|r| r.ending = Ending::Interrupted).contains("ended early"));
        assert!(refusal(|r| r.generator.busy = 0.95).contains("limit of the generator"));
        assert!(refusal(|r| r.open_loop = false).contains("closed loop"));
        assert!(refusal(|r| r.server = None).contains("--metrics"));
        assert!(refusal(|r| r.flow = "im".into()).contains("is of im, not of lync2013"));
        assert!(refusal(|r| r.seed = 2).contains("the seed"));
        assert!(refusal(|r| r.version = "9".into()).contains("the version"));
        let cores = |r: &mut Report| r.server.as_mut().unwrap().cores_max = Some(2.0);
        assert!(refusal(cores).contains("the cores of the server"));
        let dialect = |r: &mut Report| {
            r.settings.insert("dialect".into(), "simple".into());
        };
        assert!(refusal(dialect).contains("differ in --dialect"));
    }

    #[test]
    fn rates_must_be_the_same_for_each_user() {
        let with = |users: u32, rate: f64| {
            let mut report = report(users);
            report.settings.insert("load.rate".into(), rate.into());
            report
        };
        let good = [with(100, 1.0), with(200, 2.0), with(400, 4.01)];
        assert!(Runs::new(&good, "lync2013").is_ok());
        let bad = [with(100, 1.0), with(200, 1.0), with(400, 4.0)];
        let error = Runs::new(&bad, "lync2013").unwrap_err().to_string();
        assert!(error.contains("the rate for each user"), "{error}");
    }
}
