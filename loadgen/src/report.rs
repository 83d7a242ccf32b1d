//! What a run found, as a table for people and as JSON for programs.

use crate::cpu::Usage;
use crate::scenario::main_operation;
use crate::settings::{Flow, Load, Notify, Settings};
use crate::stats::{Operation, Seen, Stats, Tally};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

/// Share of its cores above which the generator itself is the limit.
const GENERATOR_BUSY: f64 = 0.9;

/// Latencies in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
    /// Largest.
    pub max: f64,
    /// Mean.
    pub mean: f64,
}

impl Latency {
    /// Of a histogram in microseconds; `None` when it is empty.
    pub fn of(histogram: &Histogram<u64>) -> Option<Latency> {
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
        Some(Latency {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: histogram.max() as f64 / 1000.0,
            mean: histogram.mean() / 1000.0,
        })
    }
}

/// One operation's result.
#[derive(Clone, Debug, Serialize)]
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
}

/// What the server process used.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Server {
    /// CPU seconds in the window.
    pub cpu_s: f64,
    /// Of these in its own code.
    pub user_s: f64,
    /// Of these in the kernel.
    pub system_s: f64,
    /// Cores kept busy on average.
    pub cores: f64,
    /// CPU microseconds for each of the flow's operations that ended well in the window; for
    /// `im` that is one relayed MESSAGE with its 200, for `presence` one notification (with its
    /// answer, when it has one) and its part of the publication, for `conference` one MESSAGE to
    /// one member with its 200 and its part of the author's.
    pub cpu_us_per_operation: Option<f64>,
    /// CPU microseconds for each message that arrived in the window.
    pub cpu_us_per_delivery: Option<f64>,
    /// Resident octets before the first user came.
    pub resident_before: u64,
    /// Resident octets at the end of the window.
    pub resident_after: u64,
    /// Octets that each signed-in user added.
    pub resident_per_user: Option<f64>,
}

/// What this program used.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Generator {
    /// CPU seconds in the window.
    pub cpu_s: f64,
    /// Share of the time of its threads, 0 to 1.
    pub busy: f64,
    /// How late operations were handed over, in milliseconds: part of every open-loop latency.
    pub lag_ms: Option<Latency>,
}

/// One second of the run.
#[derive(Clone, Copy, Debug, Serialize)]
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
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
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
}

/// The whole result.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this program.
    pub version: &'static str,
    /// What was asked for.
    pub settings: Settings,
    /// Why it ended.
    pub ending: Ending,
    /// True when the flow did something, failures stayed within `max_failures`, and neither a
    /// condition nor refused sign-ins ended the run.
    pub passed: bool,
    /// Length of the window in seconds.
    pub window_s: f64,
    /// Users signed in when load began.
    pub signed_in: u64,
    /// By operation.
    pub operations: BTreeMap<&'static str, Row>,
    /// First text seen for a cause.
    pub examples: BTreeMap<String, String>,
    /// Other observations.
    pub seen: Seen,
    /// The server process, when `--pid` was given.
    pub server: Option<Server>,
    /// This program.
    pub generator: Generator,
    /// The flow second by second.
    pub timeline: Vec<Second>,
}

/// What the coordinator measured beside the threads' counts.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Why the run ended.
    pub ending: Ending,
    /// Length of the window.
    pub window: Duration,
    /// Users signed in when load began.
    pub signed_in: u64,
    /// Server before the first user, at the window's start and at its end.
    pub server: Option<[Usage; 3]>,
    /// This program at the window's start and end.
    pub generator: Option<[Usage; 2]>,
    /// Second by second.
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
            (operation.name(), row(tally, span_s))
        });
        // A conference promises each message once and in the order of its author.
        let disorder = match settings.flow {
            Flow::Conference { .. } => stats.seen.duplicates + stats.seen.reordered,
            _ => 0,
        };
        let failed = stats.failed() + disorder;
        let too_many = settings.max_failures.exceeded(failed, stats.attempted());
        let early = matches!(measured.ending, Ending::Aborted | Ending::NoSignIn);
        let nothing = stats.tally(main).is_none_or(|tally| tally.succeeded == 0);
        Report {
            version: env!("CARGO_PKG_VERSION"),
            settings: settings.clone(),
            ending: measured.ending,
            passed: !too_many && !early && !nothing,
            window_s,
            signed_in: measured.signed_in,
            operations: rows.collect(),
            examples: stats
                .examples
                .iter()
                .map(|(c, text)| (c.to_string(), text.clone()))
                .collect(),
            seen: stats.seen,
            server: measured.server.map(|usage| {
                let done = |operation| stats.tally(operation).map_or(0, |t| t.completed_in_window);
                server(&usage, window_s, done(main), done(Operation::Delivery), measured.signed_in)
            }),
            generator: generator(settings, &measured, stats),
            timeline: measured.timeline,
        }
    }

    /// True when the generator rather than the server was the limit.
    pub fn generator_was_the_limit(&self) -> bool {
        self.generator.busy > GENERATOR_BUSY
    }
}

fn row(tally: &Tally, span_s: Option<f64>) -> Row {
    Row {
        succeeded: tally.succeeded,
        failed: tally.failed(),
        failures: tally.failures.iter().map(|(cause, count)| (cause.to_string(), *count)).collect(),
        per_second: span_s.filter(|s| *s > 0.0).map(|s| tally.succeeded as f64 / s),
        latency_ms: Latency::of(&tally.latency),
    }
}

fn server(usage: &[Usage; 3], window_s: f64, done: u64, delivered: u64, users: u64) -> Server {
    let [before, start, end] = usage;
    let cpu = end.cpu_since(start).as_secs_f64();
    let each = |count: u64| (count > 0).then(|| cpu * 1e6 / count as f64);
    let grown = end.resident.saturating_sub(before.resident) as f64;
    Server {
        cpu_s: cpu,
        user_s: end.user.saturating_sub(start.user).as_secs_f64(),
        system_s: end.system.saturating_sub(start.system).as_secs_f64(),
        cores: if window_s > 0.0 { cpu / window_s } else { 0.0 },
        cpu_us_per_operation: each(done),
        cpu_us_per_delivery: each(delivered),
        resident_before: before.resident,
        resident_after: end.resident,
        resident_per_user: (users > 0).then(|| grown / users as f64),
    }
}

fn generator(settings: &Settings, measured: &Measured, stats: &Stats) -> Generator {
    let cpu = measured.generator.map_or(0.0, |[start, end]| end.cpu_since(&start).as_secs_f64());
    let available = measured.window.as_secs_f64() * f64::from(settings.threads);
    Generator {
        cpu_s: cpu,
        busy: if available > 0.0 { cpu / available } else { 0.0 },
        lag_ms: stats.lag.as_ref().and_then(Latency::of),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = matches!(self.settings.load, Load::Rate(_));
        let loop_kind = if open { "from the intended moment" } else { "closed loop, from sending" };
        writeln!(out, "window {:.1} s, {} users signed in", self.window_s, self.signed_in)?;
        writeln!(out, "latency in ms, {loop_kind}")?;
        writeln!(
            out,
            "{:<11}{:>10}{:>9}{:>11}{:>9}{:>9}{:>9}{:>9}{:>10}",
            "operation", "ok", "failed", "per s", "p50", "p90", "p99", "p99.9", "max"
        )?;
        for (name, row) in Operation::ALL.iter().filter_map(|operation| {
            self.operations.get(operation.name()).map(|row| (operation.name(), row))
        }) {
            write_row(out, name, row)?;
        }
        self.write_failures(out)?;
        self.write_server(out)?;
        let Generator { busy, lag_ms, .. } = &self.generator;
        write!(out, "generator: {:.0} % busy", busy * 100.0)?;
        if let Some(lag) = lag_ms {
            write!(out, ", behind its schedule p50 {:.2} p99 {:.2} ms", lag.p50, lag.p99)?;
        }
        writeln!(out)?;
        if self.generator_was_the_limit() {
            writeln!(out, "warning: the generator was the limit, not the server")?;
        }
        let verdict = if self.passed { "passed" } else { "FAILED" };
        let ending = match self.ending {
            Ending::Complete => "",
            Ending::Aborted => ", ended by --abort",
            Ending::Interrupted => ", interrupted",
            Ending::NoSignIn => ", ended because no user could sign in",
        };
        write!(out, "{verdict}{ending}")
    }
}

impl Report {
    fn write_failures(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, row) in self.operations.iter().filter(|(_, row)| row.failed > 0) {
            let mut line = String::new();
            for (cause, count) in &row.failures {
                write!(line, "  {count} {cause}")?;
                if let Some(text) = self.examples.get(cause) {
                    write!(line, " ({text})")?;
                }
            }
            writeln!(out, "failures of {name}:{line}")?;
        }
        let Seen { requests_refused, stray_answers, duplicates, merged, reordered, .. } = self.seen;
        let Seen { reports, dropped, .. } = self.seen;
        let odd = [
            (requests_refused, "requests refused"),
            (stray_answers, "stray answers"),
            (duplicates, "messages or states twice"),
            (reordered, "messages out of order"),
            (reports, "delivery reports"),
            (dropped, "silent members let go by the server"),
            (merged, "states merged into the next, within a second"),
        ];
        for (count, what) in odd.iter().filter(|(count, _)| *count > 0) {
            writeln!(out, "seen: {count} {what}")?;
        }
        Ok(())
    }

    /// What a watcher is told by.
    fn notification(&self) -> &'static str {
        match self.settings.flow {
            Flow::Presence { notify: Notify::Benotify, .. } => "BENOTIFY",
            _ => "NOTIFY + 200",
        }
    }

    fn write_server(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(server) = &self.server else { return Ok(()) };
        write!(
            out,
            "server: {:.2} CPU s ({:.2} user, {:.2} system), {:.2} cores",
            server.cpu_s, server.user_s, server.system_s, server.cores
        )?;
        let main = main_operation(self.settings.flow);
        if let Some(each) = server.cpu_us_per_operation {
            let what = match main {
                Operation::Message => "MESSAGE + 200 relayed",
                Operation::Notify => self.notification(),
                Operation::Delivery => "message delivered + 200",
                other => other.name(),
            };
            write!(out, "; {each:.1} us a {what}")?;
        }
        if let Some(each) = server.cpu_us_per_delivery.filter(|_| main != Operation::Delivery) {
            write!(out, "; {each:.1} us a message delivered")?;
        }
        writeln!(out)?;
        write!(out, "server: {:.1} MiB resident", server.resident_after as f64 / 1_048_576.0)?;
        if let Some(each) = server.resident_per_user {
            write!(out, ", {:.1} KiB a user", each / 1024.0)?;
        }
        writeln!(out)
    }
}

fn write_row(out: &mut fmt::Formatter<'_>, name: &str, row: &Row) -> fmt::Result {
    write!(out, "{name:<11}{:>10}{:>9}", row.succeeded, row.failed)?;
    match row.per_second {
        Some(rate) => write!(out, "{rate:>11.1}")?,
        None if row.latency_ms.is_some() => write!(out, "{:>11}", "")?,
        None => {}
    }
    if let Some(l) = &row.latency_ms {
        write!(out, "{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>10.2}", l.p50, l.p90, l.p99, l.p999, l.max)?;
    }
    writeln!(out)
}
