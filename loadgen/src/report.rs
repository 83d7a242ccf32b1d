//! What a run found: as a table for people, as a page with plots, and as JSON and CSV for programs.

mod html;
pub mod latency;
pub mod limits;
pub mod marks;
#[cfg(test)]
pub mod samples;
pub mod server;
pub mod spreadsheet;
pub mod store;
mod table;

pub use latency::{Bar, Latency};
pub use server::{Server, ServerSecond};

use crate::meter::machine::Machine;
use crate::meter::{Sample, process};
use crate::scenario::main_operation;
use crate::settings::{Flow, Load, Notify, Settings};
use crate::stats::{Operation, Seen, Stats, Tally};
use marks::{Evidence, Mark, Verdict, judge};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use server::Work;
use std::collections::BTreeMap;
use std::time::Duration;

/// Share of its cores above which the generator itself is the limit.
const GENERATOR_BUSY: f64 = 0.9;

/// One operation's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// How many succeeded.
    pub succeeded: u64,
    /// How many failed.
    pub failed: u64,
    /// Why.
    pub failures: BTreeMap<String, u64>,
    /// Successes a second: of the window, for operations that count within it; for joins, of the
    /// time that they took together.
    pub per_second: Option<f64>,
    /// Latency of the successes, in milliseconds.
    pub latency_ms: Option<Latency>,
    /// The same as bars.
    pub histogram: Vec<Bar>,
}

/// What this program used.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generator {
    /// CPU seconds in the window.
    pub cpu_s: f64,
    /// Share of the time of its threads, 0 to 1.
    pub busy: f64,
    /// How late operations were handed over, in milliseconds: part of every open-loop latency.
    pub lag_ms: Option<Latency>,
}

/// One point of the run: a second, or several in a long run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Second {
    /// Seconds since the window began; negative in the warm-up.
    pub at_s: f64,
    /// Operations of the flow that succeeded.
    pub succeeded: u64,
    /// Operations of any kind that failed.
    pub failed: u64,
    /// Median latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// 99th percentile in milliseconds.
    pub p99_ms: Option<f64>,
    /// By operation.
    pub operations: BTreeMap<String, Point>,
    /// Cores that this program kept busy.
    pub generator_cores: Option<f64>,
    /// What the server used.
    pub server: Option<ServerSecond>,
}

/// One operation in one point of the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Successes a second.
    pub per_second: f64,
    /// How many failed.
    pub failed: u64,
    /// Median latency in milliseconds.
    pub p50_ms: Option<f64>,
    /// 90th percentile in milliseconds.
    pub p90_ms: Option<f64>,
    /// 99th percentile in milliseconds.
    pub p99_ms: Option<f64>,
}

impl Point {
    /// Of what was counted in `seconds`.
    pub fn of(tally: &Tally, seconds: f64) -> Point {
        let latency = Latency::of(&tally.latency);
        Point {
            per_second: tally.succeeded as f64 / seconds,
            failed: tally.failed(),
            p50_ms: latency.map(|latency| latency.p50),
            p90_ms: latency.map(|latency| latency.p90),
            p99_ms: latency.map(|latency| latency.p99),
        }
    }
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// As planned.
    Complete,
    /// The condition of `--abort` held.
    Aborted,
    /// Somebody asked for it.
    Interrupted,
    /// No user could sign in.
    NoSignIn,
    /// More than half of the first sign-ins failed.
    FewSignIns,
}

impl Ending {
    /// True when the run did not get to what it was for.
    pub fn is_early(self) -> bool {
        matches!(self, Ending::Aborted | Ending::NoSignIn | Ending::FewSignIns)
    }
}

/// The whole result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this program.
    pub version: String,
    /// The command line without its password.
    pub command: Vec<String>,
    /// When it began, in RFC 3339.
    pub started: String,
    /// Where this program ran.
    pub machine: Machine,
    /// What was asked for, by name.
    pub settings: BTreeMap<String, Value>,
    /// Name of the flow or of the profile.
    pub flow: String,
    /// The flow's own operation.
    pub operation: String,
    /// What one of these is to the server.
    pub operation_text: String,
    /// How many users there were to be.
    pub users: u32,
    /// What made the schedule.
    pub seed: u64,
    /// True when operations came at their time, whatever the server did.
    pub open_loop: bool,
    /// Why it ended.
    pub ending: Ending,
    /// True when every mark that was measured was met.
    pub passed: bool,
    /// Length of the window in seconds.
    pub window_s: f64,
    /// Users signed in when load began.
    pub signed_in: u64,
    /// By operation.
    pub operations: BTreeMap<String, Row>,
    /// First text seen for a cause.
    pub examples: BTreeMap<String, String>,
    /// Other observations.
    pub seen: Seen,
    /// The server process, when `--pid` or `--metrics` was given.
    pub server: Option<Server>,
    /// This program.
    pub generator: Generator,
    /// Pass marks.
    pub marks: Vec<Mark>,
    /// Length of a point of the timeline in seconds.
    pub timeline_step_s: u64,
    /// The flow point by point.
    pub timeline: Vec<Second>,
}

/// What the coordinator measured beside the threads' counts.
#[derive(Clone, Debug)]
pub struct Measured {
    /// When the run began, in RFC 3339.
    pub started: String,
    /// Why the run ended.
    pub ending: Ending,
    /// Length of the window.
    pub window: Duration,
    /// Users signed in when load began.
    pub signed_in: u64,
    /// What was read before the first user, and at the window's start and end.
    pub ends: [Sample; 3],
    /// What was read in the window once a second.
    pub during: Vec<Sample>,
    /// Length of a point of the timeline in seconds.
    pub timeline_step_s: u64,
    /// Point by point.
    pub timeline: Vec<Second>,
}

impl Report {
    /// From the sum of all threads' counts.
    pub fn new(settings: &Settings, stats: &Stats, measured: Measured) -> Report {
        let main = main_operation(settings.flow);
        let window_s = measured.window.as_secs_f64();
        let within = crate::scenario::measured(settings.flow);
        let rows = stats.tallies().map(|(operation, tally)| {
            let span_s = match operation {
                Operation::Join => {
                    tally.span.map(|(since, until)| until.since(since).as_secs_f64())
                }
                Operation::Hold => None,
                _ => within.contains(&operation).then_some(window_s),
            };
            (operation.name().to_owned(), row(tally, span_s))
        });
        // Where several things go on the time is none of theirs.
        let several =
            matches!(settings.flow, Flow::Profile(plan) if plan.profile.single().is_none());
        let done = |operation| match stats.tally(operation) {
            Some(tally) if !several => tally.completed_in_window,
            _ => 0,
        };
        let work = Work {
            operations: done(main),
            deliveries: done(Operation::Delivery),
            users: measured.signed_in,
        };
        let [before, first, last] = &measured.ends;
        let server =
            Server::new([before, first, last], settings.pid.and_then(process::cores), work);
        let marks = judge(&Evidence {
            settings,
            stats,
            main,
            window_s,
            failed: stats.failed() + disorder(settings.flow, stats),
            ending: measured.ending,
            ends: Some([first, last]),
            during: &measured.during,
            server_cores: server.as_ref().and_then(|used| Some([used.cores, used.cores_max?])),
        });
        Report {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            command: settings.command.clone(),
            started: measured.started.clone(),
            machine: Machine::this(),
            settings: flat(settings),
            flow: settings.flow.name().to_owned(),
            operation: main.name().to_owned(),
            operation_text: operation_text(settings.flow).to_owned(),
            users: settings.users,
            seed: settings.seed,
            open_loop: matches!(settings.load, Load::Rate(_)),
            ending: measured.ending,
            passed: marks.iter().all(|mark| mark.verdict != Verdict::Fail),
            window_s,
            signed_in: measured.signed_in,
            operations: rows.collect(),
            examples: stats
                .examples
                .iter()
                .map(|(c, text)| (c.to_string(), text.clone()))
                .collect(),
            seen: stats.seen,
            server,
            generator: generator(settings, &measured, stats),
            marks,
            timeline_step_s: measured.timeline_step_s,
            timeline: measured.timeline,
        }
    }

    /// True when the generator rather than the server was the limit.
    pub fn generator_was_the_limit(&self) -> bool {
        self.generator.busy > GENERATOR_BUSY
    }
}

/// What no operation counts as its failure: a conference promises each message once and in the
/// order of its author.
fn disorder(flow: Flow, stats: &Stats) -> u64 {
    match flow {
        Flow::Conference { .. } => stats.seen.duplicates + stats.seen.reordered,
        _ => 0,
    }
}

/// What an operation of a flow is to the server.
fn operation_text(flow: Flow) -> &'static str {
    match main_operation(flow) {
        Operation::Message => "MESSAGE + 200 relayed",
        Operation::Notify => match flow {
            Flow::Presence { notify: Notify::Benotify, .. } => "BENOTIFY",
            Flow::Profile(_) => "notification",
            _ => "NOTIFY + 200",
        },
        Operation::Delivery => "message delivered + 200",
        other => other.name(),
    }
}

/// Settings by name, those within others too: `flow.watchers`.
fn flat(settings: &Settings) -> BTreeMap<String, Value> {
    let mut flat = BTreeMap::new();
    let value = serde_json::to_value(settings).unwrap_or_default();
    let mut open = vec![(String::new(), value)];
    while let Some((name, value)) = open.pop() {
        match value {
            Value::Object(fields) => {
                let dot = if name.is_empty() { "" } else { "." };
                open.extend(fields.into_iter().map(|(key, v)| (format!("{name}{dot}{key}"), v)));
            }
            value => {
                flat.insert(name, value);
            }
        }
    }
    flat
}

fn row(tally: &Tally, span_s: Option<f64>) -> Row {
    Row {
        succeeded: tally.succeeded,
        failed: tally.failed(),
        failures: tally.failures.iter().map(|(cause, count)| (cause.to_string(), *count)).collect(),
        per_second: span_s.filter(|s| *s > 0.0).map(|s| tally.succeeded as f64 / s),
        latency_ms: Latency::of(&tally.latency),
        histogram: latency::bars(&tally.latency),
    }
}

fn generator(settings: &Settings, measured: &Measured, stats: &Stats) -> Generator {
    let [_, first, last] = &measured.ends;
    let own = first.own.zip(last.own);
    let cpu = own.map_or(0.0, |(first, last)| last.cpu_since(&first).as_secs_f64());
    let available = last.at.since(first.at).as_secs_f64() * f64::from(settings.threads);
    Generator {
        cpu_s: cpu,
        busy: if available > 0.0 { cpu / available } else { 0.0 },
        lag_ms: stats.lag.as_ref().and_then(Latency::of),
    }
}
