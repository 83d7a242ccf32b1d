//! Key health indicators: what an operator should look at first, each with its colour and the
//! reason for it. The bounds are those of the product's key health indicators where it has one
//! (processor below 80 %, memory free above 20 %, commits below 100 ms, drops and authentication
//! errors below one a second); ours are marked.

use super::frame::{duration, rate};
use super::history::Recent;
use crate::admin::Health;
use crate::base::limits::Limit;
use crate::metrics::counters::{AuthFailure, FrameKind};
use crate::metrics::names::Series;

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Good,
    /// To be looked at.
    Warning,
    /// Users notice, or soon will.
    Bad,
}

impl Level {
    /// The word beside the colour, for whoever does not see it.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Good => "good",
            Level::Warning => "look",
            Level::Bad => "bad",
        }
    }
}

/// An indicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indicator {
    /// What it is about.
    pub name: &'static str,
    /// How it stands.
    pub level: Level,
    /// What was measured, and why that is not good.
    pub reason: String,
    /// The page that says more.
    pub page: Option<&'static str>,
}

/// Share of what there is, in percent, from which on something is to be looked at, and is bad.
const SHARE: (f64, f64) = (80.0, 95.0);
/// Mean duration of a commit, in milliseconds.
const COMMIT_MS: (f64, f64) = (100.0, 500.0);
/// Mean times of messages, in milliseconds; the product's indicators know one second only.
const MESSAGE_MS: (f64, f64) = (100.0, 1000.0);
/// Events a second.
const EVENTS: (f64, f64) = (1.0, 100.0);

/// All indicators. `memory` is what the machine has available and in all, in octets.
pub fn all(health: &Health, recent: &Recent, memory: Option<(u64, u64)>) -> Vec<Indicator> {
    let mut all = vec![cores(health, recent), store(health), drain(health)];
    all.extend(directory(health));
    for (name, time, bounds) in [
        ("Commits of the store", recent.commit(), COMMIT_MS),
        ("Processing of messages", recent.processing(), MESSAGE_MS),
        ("Holding of messages", recent.holding(), MESSAGE_MS),
    ] {
        all.extend(time.map(|time| {
            let reason = format!("{} on average", duration(Some(time)));
            graded(name, time.as_secs_f64() * 1000.0, bounds, reason)
        }));
    }
    all.extend(recent.cores_busy().filter(|_| !recent.shards.is_empty()).map(|busy| {
        let percent = busy * 100.0 / recent.shards.len() as f64;
        let reason = format!("{percent:.0} % of {} cores", recent.shards.len());
        graded("Processors", percent, SHARE, reason)
    }));
    all.extend(memory.filter(|(_, whole)| *whole > 0).map(|(free, whole)| {
        let used = 100.0 - free as f64 * 100.0 / whole as f64;
        graded("Memory of the machine", used, SHARE, format!("{used:.0} % in use"))
    }));
    let process = recent.last.process;
    all.extend(process.fds.zip(process.fds_max).filter(|(_, max)| *max > 0).map(|(fds, max)| {
        let used = fds as f64 * 100.0 / max as f64;
        let reason = format!("{used:.0} % of {max}: LimitNOFILE of the service bounds them");
        graded("Descriptors", used, SHARE, reason)
    }));
    all.push(events("Refused sign-ins", recent, Some("/console/refusals"), |look| {
        AuthFailure::ALL.iter().map(|cause| look.total.auth_failures(*cause)).sum()
    }));
    all.push(events("Requests without an answer", recent, None, |look| {
        look.total.value(Series::RelayTimeouts)
    }));
    all.push(events("Frames dropped between cores", recent, Some("/console/refusals"), |look| {
        FrameKind::ALL.iter().map(|kind| look.total.frames_dropped(*kind)).sum()
    }));
    all.push(events("Limits hit", recent, Some("/console/limits"), |look| {
        Limit::ALL.iter().map(|limit| look.total.hits(*limit)).sum()
    }));
    all
}

fn cores(health: &Health, recent: &Recent) -> Indicator {
    let name = "Cores";
    if let Some(shard) = health.stuck.first() {
        let reason = format!("core of shard {shard} makes no progress: restart the server");
        return Indicator { name, level: Level::Bad, reason, page: None };
    }
    let stalls = recent.risen(|look| look.total.value(Series::CoreStalls));
    let level = if stalls > 0 { Level::Warning } else { Level::Good };
    let shards = recent.shards.len();
    let reason = format!("{shards} answer, {stalls} stood still lately");
    Indicator { name, level, reason, page: None }
}

fn store(health: &Health) -> Indicator {
    let (level, reason) = match health.store {
        Some(alarm) => (Level::Bad, alarm.advice().to_owned()),
        None => (Level::Good, "writes".to_owned()),
    };
    Indicator { name: "Store", level, reason, page: None }
}

fn drain(health: &Health) -> Indicator {
    let (level, reason) = match (health.draining, health.leaves_in_s) {
        (true, _) => (Level::Warning, "the server is going down and takes no new work".to_owned()),
        (false, Some(left_s)) => {
            let reason = format!("none is taken: the last connection is closed within {left_s} s");
            (Level::Warning, reason)
        }
        (false, None) => (Level::Good, "taken".to_owned()),
    };
    Indicator { name: "New work", level, reason, page: None }
}

/// Nothing where there is no directory service, or where all is well with it.
fn directory(health: &Health) -> Option<Indicator> {
    let reason = health.ldap?.advice().to_owned();
    Some(Indicator { name: "Directory service", level: Level::Warning, reason, page: None })
}

fn events(
    name: &'static str,
    recent: &Recent,
    page: Option<&'static str>,
    count: impl Fn(&super::history::Look) -> u64,
) -> Indicator {
    let now = recent.rate(count);
    let reason = match now {
        Some(_) => format!("{} a second", rate(now)),
        None => "known with the next look".to_owned(),
    };
    Indicator { page, ..graded(name, now.unwrap_or(0.0), EVENTS, reason) }
}

fn graded(name: &'static str, value: f64, (look, bad): (f64, f64), reason: String) -> Indicator {
    let level = match value {
        value if value >= bad => Level::Bad,
        value if value >= look => Level::Warning,
        _ => Level::Good,
    };
    Indicator { name, level, reason, page: None }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::history::{History, STEP};
    use super::*;
    use crate::admin::process::Process;
    use crate::base::ids::ShardId;
    use crate::metrics::counters::Counters;
    use crate::metrics::ldap::LdapAlarm;
    use crate::metrics::store::{Alarm, StoreCounters};

    fn recent(failures: u64, cpu_s: f64) -> Recent {
        let history = History::default();
        let start = Instant::now();
        for (at, failures, cpu_s) in [(start, 0, 0.0), (start + STEP, failures, cpu_s)] {
            let mut counters = Counters::default();
            (0..failures).for_each(|_| counters.auth_failure(AuthFailure::WrongPassword));
            let process = Process {
                cpu_s: Some(cpu_s),
                fds: Some(90),
                fds_max: Some(100),
                ..Process::default()
            };
            history.add(at, vec![(ShardId(0), counters)], StoreCounters::default(), process);
        }
        history.recent().unwrap()
    }

    fn level(all: &[Indicator], name: &str) -> Level {
        all.iter().find(|one| one.name == name).unwrap().level
    }

    #[test]
    fn what_is_as_it_should_be_is_good() {
        let all = all(&Health::default(), &recent(0, 1.0), Some((50, 100)));
        let bad: Vec<_> = all.iter().filter(|one| one.level != Level::Good).collect();
        assert_eq!(bad.iter().map(|one| one.name).collect::<Vec<_>>(), ["Descriptors"]);
    }

    #[test]
    fn each_bound_has_its_colour_and_reason() {
        let health = Health {
            stuck: vec![ShardId(3)],
            store: Some(Alarm::DiskFull),
            ldap: Some(LdapAlarm::Timeout),
            leaves_in_s: Some(30),
            ..Health::default()
        };
        let all = all(&health, &recent(600, 4.9), Some((10, 100)));
        assert_eq!(level(&all, "Cores"), Level::Bad);
        assert_eq!(level(&all, "Store"), Level::Bad);
        assert_eq!(level(&all, "New work"), Level::Warning);
        assert_eq!(level(&all, "Directory service"), Level::Warning);
        assert_eq!(level(&all, "Processors"), Level::Bad);
        assert_eq!(level(&all, "Memory of the machine"), Level::Warning);
        assert_eq!(level(&all, "Refused sign-ins"), Level::Bad);
        assert_eq!(level(&all, "Limits hit"), Level::Good);
        assert!(all.iter().any(|one| one.reason.contains("the disk is full")));
    }
}
