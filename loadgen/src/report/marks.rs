//! Pass marks: the key health indicators of the product this server stands in for, as far as they
//! apply to instant messaging and presence, and latencies.

use super::Ending;
use super::server::mean_s;
use crate::figure::{Bound, Counts, Figure};
use crate::meter::{Counters, Sample};
use crate::settings::{Load, MaxFailures, Settings};
use crate::stats::{Cause, Operation, Stats};
use serde::{Deserialize, Serialize};

/// What became of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Measured and within its limit.
    Pass,
    /// Measured and beyond its limit.
    Fail,
    /// Not measured, and so without a say.
    NotMeasured,
}

/// One pass mark of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// Name.
    pub name: String,
    /// Where a run that passes is, such as `< 80`.
    pub limit: String,
    /// What it was.
    pub measured: Option<f64>,
    /// What became of it.
    pub verdict: Verdict,
    /// Where the figure is from, or why there is none.
    pub reason: String,
    /// Where the limit is from.
    pub source: String,
}

/// Where the limits of the health indicators are from: those of Lync Server 2013.
const KHI: &str = "health indicator";
/// Where the limits of latencies are from.
const OURS: &str = "default";
/// Most that the 99th percentile of a latency may be, in milliseconds: the product asks one second
/// of the means of processing and holding, which are marks of their own; here it is asked of what a
/// client sees, and of nearly all.
const P99_MS: f64 = 1000.0;
/// Where the limits of the command line are from.
const ASKED: &str = "--mark";
/// Where the limit of failures is from.
const MAX_FAILURES: &str = "--max-failures";

const NO_PAGE: &str = "needs --metrics";
const NO_FIGURE: &str = "the metrics page has no such figure; the latencies stand for it";
const NO_MESSAGE: &str = "no message came in within the window";
const NO_SERVER: &str = "needs --pid or --metrics";
const CLOSED_LOOP: &str = "a closed loop (--window) saturates on purpose";

/// What a mark looks at.
#[derive(Clone, Copy, Debug)]
enum Look {
    /// Whether the run went to its end.
    Ended,
    /// Failed operations.
    Failures,
    /// Operations of the flow that succeeded.
    Succeeded,
    /// Share of its cores that the server kept busy.
    ServerCpu,
    /// Least share of the machine's memory that was available.
    MemoryFree,
    /// Answers 503.
    Throttled,
    /// What the server dropped, a second.
    Dropped,
    /// What got no answer in time.
    TimedOut,
    /// Refused sign-ins a second.
    AuthErrors,
    /// Mean duration of a commit.
    StoreCommit,
    /// Whether the server called itself healthy all the time.
    Healthy,
    /// How often the server began anew.
    Restarts,
    /// Mean time that the server spent on a message that came in.
    Processing,
    /// Mean time for which the server held a message that came in.
    Holding,
    /// 99th percentile of an operation.
    P99(Operation),
}

/// A mark as it is without the command line.
struct Usual {
    name: &'static str,
    bound: Bound,
    look: Look,
    source: &'static str,
}

const fn usual(name: &'static str, bound: Bound, look: Look, source: &'static str) -> Usual {
    Usual { name, bound, look, source }
}

const fn p99(name: &'static str, operation: Operation) -> Usual {
    usual(name, Bound::Below(P99_MS), Look::P99(operation), OURS)
}

const FAILURES: &str = "failures";

/// Every mark, in the order of the report.
const USUAL: &[Usual] = &[
    usual("ended_early", Bound::AtMost(0.0), Look::Ended, OURS),
    usual("succeeded", Bound::Above(0.0), Look::Succeeded, OURS),
    usual(FAILURES, Bound::AtMost(0.0), Look::Failures, MAX_FAILURES),
    usual("server_cpu_percent", Bound::Below(80.0), Look::ServerCpu, KHI),
    usual("memory_free_percent", Bound::Above(20.0), Look::MemoryFree, KHI),
    usual("throttled", Bound::AtMost(0.0), Look::Throttled, KHI),
    usual("dropped_per_s", Bound::Below(1.0), Look::Dropped, KHI),
    usual("timed_out", Bound::Below(2.0), Look::TimedOut, KHI),
    usual("auth_errors_per_s", Bound::Below(1.0), Look::AuthErrors, KHI),
    usual("store_commit_ms", Bound::Below(100.0), Look::StoreCommit, KHI),
    usual("healthy", Bound::AtLeast(1.0), Look::Healthy, KHI),
    usual("restarts", Bound::AtMost(0.0), Look::Restarts, OURS),
    usual("processing_time_s", Bound::Below(1.0), Look::Processing, KHI),
    usual("holding_time_s", Bound::Below(1.0), Look::Holding, KHI),
    p99("p99_im_ms", Operation::Message),
    p99("p99_delivery_ms", Operation::Delivery),
    p99("p99_notify_ms", Operation::Notify),
    p99("p99_register_ms", Operation::SignIn),
    p99("p99_refresh_ms", Operation::Refresh),
    p99("p99_join_ms", Operation::Join),
];

/// Names of the marks that there always are.
pub fn mark_names() -> impl Iterator<Item = &'static str> {
    USUAL.iter().map(|mark| mark.name)
}

/// True when a mark can have this name.
pub fn is_mark(name: &str) -> bool {
    mark_names().any(|known| known == name) || name.parse::<Figure>().is_ok()
}

/// What marks are judged by.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What was asked for.
    pub settings: &'a Settings,
    /// All counts of the run.
    pub stats: &'a Stats,
    /// The flow's own operation.
    pub main: Operation,
    /// Length of the window in seconds.
    pub window_s: f64,
    /// Failures, with those that no operation has.
    pub failed: u64,
    /// Why the run ended.
    pub ending: Ending,
    /// What was read when the window opened and closed.
    pub ends: Option<[&'a Sample; 2]>,
    /// What was read in the window once a second.
    pub during: &'a [Sample],
    /// Cores that the server kept busy, and that it has.
    pub server_cores: Option<[f64; 2]>,
}

/// A figure and where it is from, or why there is none.
type Found = Result<(f64, &'static str), &'static str>;

/// Judges every mark.
pub fn judge(evidence: &Evidence<'_>) -> Vec<Mark> {
    let limits = &evidence.settings.marks;
    let mut marks: Vec<Mark> = USUAL
        .iter()
        .filter_map(|usual| {
            let asked = limits.of(usual.name);
            let bound = match asked {
                Some(bound) => bound?,
                None if usual.name == FAILURES => most_failures(evidence),
                None => usual.bound,
            };
            let source = if asked.is_some() { ASKED } else { usual.source };
            let closed_loop = matches!(evidence.settings.load, Load::Window(_));
            let spared = matches!(usual.look, Look::ServerCpu | Look::P99(_));
            let found = match closed_loop && spared && asked.is_none() {
                true => Err(CLOSED_LOOP),
                false => evidence.look(usual.look),
            };
            Some(mark(usual.name, bound, found, source))
        })
        .collect();
    for name in limits.names().filter(|name| mark_names().all(|known| known != *name)) {
        if let (Some(Some(bound)), Ok(figure)) = (limits.of(name), name.parse::<Figure>()) {
            marks.push(mark(name, bound, evidence.figure(figure), ASKED));
        }
    }
    marks
}

fn mark(name: &str, bound: Bound, found: Found, source: &str) -> Mark {
    let (measured, verdict, reason) = match found {
        Ok((value, from)) if bound.holds(value) => (Some(value), Verdict::Pass, from),
        Ok((value, from)) => (Some(value), Verdict::Fail, from),
        Err(why) => (None, Verdict::NotMeasured, why),
    };
    Mark {
        name: name.to_owned(),
        limit: bound.to_string(),
        measured,
        verdict,
        reason: reason.to_owned(),
        source: source.to_owned(),
    }
}

fn most_failures(evidence: &Evidence<'_>) -> Bound {
    Bound::AtMost(match evidence.settings.max_failures {
        MaxFailures::Count(most) => most as f64,
        MaxFailures::Percent(most) => evidence.stats.attempted() as f64 * most / 100.0,
    })
}

impl Evidence<'_> {
    fn look(&self, look: Look) -> Found {
        match look {
            Look::Ended => Ok((f64::from(u8::from(self.ending.is_early())), "this program")),
            Look::Failures => Ok((self.failed as f64, "all operations of this program")),
            Look::Succeeded => {
                let succeeded = self.stats.tally(self.main).map_or(0, |tally| tally.succeeded);
                Ok((succeeded as f64, "the flow's own operation"))
            }
            Look::ServerCpu => {
                let [busy, all] = self.server_cores.ok_or(NO_SERVER)?;
                Ok((100.0 * busy / all, "CPU time of the server by its cores"))
            }
            Look::MemoryFree => {
                let free = self.during.iter().chain(self.ends.into_iter().flatten());
                let least = free.filter_map(|sample| sample.memory_free).reduce(f64::min);
                let least = least.ok_or("the server is not on this machine")?;
                Ok((100.0 * least, "least memory available on the machine"))
            }
            Look::Throttled => match self.rise(|counters| counters.throttled) {
                Some(count) => Ok((count, "answers 503 on the metrics page, in the window")),
                None => Ok((self.failures(Cause::Status(503)), "answers 503 to this program")),
            },
            Look::Dropped => {
                let dropped = self.rise(|counters| counters.dropped).ok_or(NO_PAGE)?;
                let each = dropped / self.window_s.max(0.001);
                Ok((each, "frames and answers dropped on the metrics page"))
            }
            Look::TimedOut => match self.rise(|counters| counters.timed_out) {
                Some(count) => Ok((count, "relay timeouts on the metrics page, in the window")),
                None => Ok((self.failures(Cause::Timeout), "requests of this program")),
            },
            Look::AuthErrors => {
                let (errors, from) = match self.rise(|counters| counters.auth_failures) {
                    Some(count) => (count, "refused sign-ins on the metrics page, in the window"),
                    None => (self.failures(Cause::Auth), "refused sign-ins of this program"),
                };
                Ok((errors / self.window_s.max(1.0), from))
            }
            Look::StoreCommit => {
                let none = "nothing was committed in the window";
                let mean_s = self.mean_s(|counters| counters.commits, none)?;
                Ok((1000.0 * mean_s, "mean commit on the metrics page, in the window"))
            }
            Look::Processing => {
                let mean_s = self.mean_s(|counters| counters.processing, NO_MESSAGE)?;
                Ok((mean_s, "mean for a message on the metrics page, in the window"))
            }
            Look::Holding => {
                let mean_s = self.mean_s(|counters| counters.holding, NO_MESSAGE)?;
                Ok((mean_s, "mean for a message on the metrics page, in the window"))
            }
            Look::Healthy => {
                let told = self.during.iter().chain(self.ends.into_iter().flatten());
                let told = told.filter_map(|sample| sample.counters.as_ref()?.healthy);
                Ok((told.reduce(f64::min).ok_or(NO_PAGE)?, "worst state on the metrics page"))
            }
            Look::Restarts => {
                let later = self.rise(|counters| counters.start_unix_s).ok_or(NO_PAGE)?;
                // The page and the clock it was taken from may differ in the last digits.
                Ok((f64::from(u8::from(later.abs() > 0.5)), "start time on the metrics page"))
            }
            Look::P99(operation) => self.figure(Figure::latency_ms(0.99, operation)),
        }
    }

    fn figure(&self, figure: Figure) -> Found {
        let counts = Counts { stats: self.stats, main: self.main, seconds: self.window_s };
        let value = figure.value(&counts).ok_or("the run had none of these operations")?;
        Ok((value, "latencies and counts of this program"))
    }

    /// What a counter of the server rose by in the window.
    fn rise(&self, counter: impl Fn(&Counters) -> Option<f64>) -> Option<f64> {
        let [first, last] = self.ends?.map(|sample| sample.counters.as_ref().and_then(&counter));
        Some(last? - first?)
    }

    /// The mean of durations that the server counted in the window, in seconds, or why there is
    /// none: `none` when it counted none.
    fn mean_s(
        &self,
        durations: impl Fn(&Counters) -> Option<[f64; 2]>,
        none: &'static str,
    ) -> Result<f64, &'static str> {
        let [first, last] = self.ends.ok_or(NO_PAGE)?;
        let read =
            |sample: &Sample| durations(sample.counters.as_ref().ok_or(NO_PAGE)?).ok_or(NO_FIGURE);
        mean_s(read(first)?, read(last)?).ok_or(none)
    }

    fn failures(&self, cause: Cause) -> f64 {
        let counts = self.stats.tallies().filter_map(|(_, tally)| tally.failures.get(&cause));
        counts.sum::<u64>() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::report::limits::Limits;
    use std::net::{Ipv4Addr, SocketAddr};

    fn settings(load: Load) -> Settings {
        let target = SocketAddr::from((Ipv4Addr::LOCALHOST, 5060));
        Settings { load, ..Settings::new(target) }
    }

    fn sample(counters: Counters, memory_free: f64) -> Sample {
        let (own, server, files) = Default::default();
        let (counters, memory_free) = (Some(counters), Some(memory_free));
        Sample { at: Moment(0), own, server, counters, files, memory_free }
    }

    fn judged(settings: &Settings, stats: &Stats, ends: Option<[&Sample; 2]>) -> Vec<Mark> {
        judge(&Evidence {
            settings,
            stats,
            main: Operation::Message,
            window_s: 10.0,
            failed: stats.failed(),
            ending: Ending::Complete,
            ends,
            during: &[],
            server_cores: ends.map(|_| [0.9, 1.0]),
        })
    }

    fn failed(marks: &[Mark]) -> Vec<&str> {
        let failed = marks.iter().filter(|mark| mark.verdict == Verdict::Fail);
        failed.map(|mark| mark.name.as_str()).collect()
    }

    fn slow() -> Stats {
        let mut stats = Stats::default();
        stats.succeed(Operation::Message, Moment(0), Moment(1_900_000_000));
        stats
    }

    #[test]
    fn a_mark_that_was_not_measured_has_no_say() {
        let marks = judged(&settings(Load::Rate(1.0)), &slow(), None);
        assert_eq!(failed(&marks), ["p99_im_ms"]);
        let of = |name: &str| marks.iter().find(|mark| mark.name == name).unwrap();
        assert_eq!(of("server_cpu_percent").verdict, Verdict::NotMeasured);
        assert_eq!(of("server_cpu_percent").reason, NO_SERVER);
        assert_eq!(of("p99_join_ms").verdict, Verdict::NotMeasured);
        assert_eq!(of("failures").verdict, Verdict::Pass);
    }

    #[test]
    fn what_the_server_counted_in_the_window_is_judged() {
        let counters = |count: f64| Counters {
            throttled: Some(count),
            dropped: Some(count),
            timed_out: Some(count),
            auth_failures: Some(count),
            commits: Some([count, count]),
            processing: Some([count, count]),
            holding: Some([2.0 * count, count]),
            healthy: Some(1.0),
            start_unix_s: Some(7.0),
            ..Counters::default()
        };
        let (first, last) = (sample(counters(5.0), 0.5), sample(counters(25.0), 0.1));
        let mut stats = Stats::default();
        stats.succeed_untimed(Operation::Message);
        let marks = judged(&settings(Load::Rate(1.0)), &stats, Some([&first, &last]));
        let wanted = [
            "server_cpu_percent",
            "memory_free_percent",
            "throttled",
            "dropped_per_s",
            "timed_out",
            "auth_errors_per_s",
            "store_commit_ms",
            "processing_time_s",
            "holding_time_s",
        ];
        assert_eq!(failed(&marks), wanted);
        let calm = judged(&settings(Load::Rate(1.0)), &stats, Some([&first, &first]));
        assert_eq!(failed(&calm), ["server_cpu_percent"]);
    }

    #[test]
    fn means_are_of_what_was_counted_within_the_window() {
        let counters = |processing: Option<[f64; 2]>, holding: Option<[f64; 2]>| Counters {
            processing,
            holding,
            ..Counters::default()
        };
        let stats = Stats::default();
        let settings = settings(Load::Window(1));
        let of = |first: Counters, last: Counters| {
            let (first, last) = (sample(first, 0.5), sample(last, 0.5));
            let marks = judged(&settings, &stats, Some([&first, &last]));
            ["processing_time_s", "holding_time_s"].map(|name| {
                let mark = marks.iter().find(|mark| mark.name == name).unwrap();
                (mark.measured, mark.verdict, mark.reason.clone())
            })
        };
        // A slow start, and then a thousand messages in the window.
        let [processing, holding] = of(
            counters(Some([500.0, 10.0]), Some([900.0, 10.0])),
            counters(Some([500.5, 1010.0]), Some([2900.0, 1010.0])),
        );
        assert_eq!((processing.0, processing.1), (Some(0.0005), Verdict::Pass));
        assert_eq!((holding.0, holding.1), (Some(2.0), Verdict::Fail));
        // No message; a server that does not tell; no page.
        let same = || counters(Some([1.0, 10.0]), Some([1.0, 10.0]));
        let unmeasured = |why: &str| (None, Verdict::NotMeasured, why.to_owned());
        assert_eq!(of(same(), same()), [unmeasured(NO_MESSAGE), unmeasured(NO_MESSAGE)]);
        let silent = || counters(None, None);
        assert_eq!(of(silent(), silent()), [unmeasured(NO_FIGURE), unmeasured(NO_FIGURE)]);
        let marks = judged(&settings, &stats, None);
        let mark = marks.iter().find(|mark| mark.name == "holding_time_s").unwrap();
        assert_eq!((mark.verdict, mark.reason.as_str()), (Verdict::NotMeasured, NO_PAGE));
    }

    #[test]
    fn a_closed_loop_is_judged_by_its_latency_only_when_asked() {
        let mut settings = settings(Load::Window(1));
        assert!(failed(&judged(&settings, &slow(), None)).is_empty());
        let limits = ["p99_im_ms < 100", "max_im_ms > 2000", "rate_im >= 0.1"];
        let limits = limits.map(|limit| limit.parse().unwrap()).to_vec();
        settings.marks = Limits::new(limits, vec!["succeeded".into()]);
        let marks = judged(&settings, &slow(), None);
        assert_eq!(failed(&marks), ["p99_im_ms", "max_im_ms"]);
        assert!(marks.iter().all(|mark| mark.name != "succeeded"));
        assert!(marks.iter().any(|mark| mark.name == "rate_im" && mark.source == ASKED));
    }

    #[test]
    fn failures_pass_up_to_what_is_allowed() {
        let mut settings = settings(Load::Rate(1.0));
        let mut stats = Stats::default();
        stats.succeed_untimed(Operation::Message);
        stats.fail(Operation::Message, Cause::Undelivered, 1);
        assert_eq!(failed(&judged(&settings, &stats, None)), ["failures"]);
        settings.max_failures = MaxFailures::Percent(50.0);
        assert!(failed(&judged(&settings, &stats, None)).is_empty());
    }
}
