//! The metrics page: Prometheus text format 0.0.4. Plain series carry the label `shard`; families
//! with a label of their own, and durations, are summed over the shards, so that their number does
//! not grow with the machine.

use std::fmt::{self, Write};

use super::limit_hits::{Elsewhere, off_the_cores};
use super::process::Process;
use crate::base::ids::ShardId;
use crate::base::limits::Limit;
use crate::metrics::counters::{
    AuthFailure, CLASSES, CloseReason, Counters, FrameKind, STATUSES, TlsCipher,
};
use crate::metrics::histogram::Histogram;
use crate::metrics::ldap::LdapAlarm;
use crate::metrics::names::{self, Family, Series};
use crate::metrics::store::Alarm;
use crate::metrics::summary::Summary;

/// The Content-Type of the page.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything on the page.
#[derive(Debug)]
pub struct Page {
    /// The shards that answered, in the order of their numbers.
    pub shards: Vec<(ShardId, Counters)>,
    /// What counts beside the cores.
    pub elsewhere: Elsewhere,
    /// Copies for the collector that were sent, and that were lost.
    pub copies: (u64, u64),
    /// Log lines that were lost.
    pub log_lines_lost: u64,
    /// The process.
    pub process: Process,
    /// Start of the process, in seconds since the Unix epoch.
    pub start_unix_s: f64,
    /// Whether `/healthz` would answer 200.
    pub healthy: bool,
    /// Seconds until the last connection is closed, while a drain is under way.
    pub drain_left_s: Option<u64>,
}

impl Page {
    /// The text.
    pub fn render(&self) -> String {
        let mut page = Text(String::with_capacity(16 * 1024));
        self.process(&mut page);
        self.store(&mut page);
        self.ldap(&mut page);
        self.api(&mut page);
        self.series(&mut page);
        self.labelled(&mut page);
        page.0
    }

    fn process(&self, page: &mut Text) {
        page.family(names::BUILD_INFO);
        let version = env!("CARGO_PKG_VERSION");
        page.sample(names::BUILD_INFO.name, format_args!("{{version=\"{version}\"}}"), 1);
        page.single(names::HEALTHY, u64::from(self.healthy));
        page.single(names::DRAINING, u64::from(self.drain_left_s.is_some()));
        page.single(names::DRAIN_LEFT, self.drain_left_s.unwrap_or_default());
        page.single(names::SHARDS_CURRENT, self.shards.len());
        page.single(names::LOG_LOST, self.log_lines_lost);
        page.single(names::PROCESS_START, self.start_unix_s);
        let process = self.process;
        process.cpu_s.inspect(|cpu_s| page.single(names::PROCESS_CPU, cpu_s));
        process.resident_bytes.inspect(|bytes| page.single(names::PROCESS_RESIDENT, bytes));
        process.written_bytes.inspect(|bytes| page.single(names::PROCESS_WRITTEN, bytes));
        process.fds.inspect(|fds| page.single(names::PROCESS_FDS, fds));
        process.fds_max.inspect(|fds| page.single(names::PROCESS_FDS_MAX, fds));
    }

    fn store(&self, page: &mut Text) {
        let store = self.elsewhere.store;
        page.single(names::STORE_QUEUED, store.queued);
        page.single(names::STORE_PENDING, store.pending);
        page.single(names::STORE_REFUSED, store.refused);
        page.single(names::STORE_ROWS, store.rows);
        page.single(names::STORE_STRAYS, store.strays);
        page.single(names::STORE_FAILURES, store.failures);
        page.labelled(names::STORE_ALARM, "cause", Alarm::ALL, Alarm::name, |alarm| {
            u64::from(store.alarm == Some(alarm))
        });
        page.histogram(names::STORE_COMMITS, &store.commits);
    }

    fn ldap(&self, page: &mut Text) {
        let ldap = self.elsewhere.ldap;
        page.single(names::LDAP_LOOKS, ldap.looks);
        page.labelled(names::LDAP_FAILURES, "cause", LdapAlarm::ALL, LdapAlarm::name, |alarm| {
            ldap.failures.get(alarm as usize).copied().unwrap_or_default()
        });
        page.labelled(names::LDAP_ALARM, "cause", LdapAlarm::ALL, LdapAlarm::name, |alarm| {
            u64::from(ldap.alarm == Some(alarm))
        });
        page.single(names::LDAP_LOOKED, ldap.looked_unix_ms / 1000);
        page.single(names::LDAP_CHANGES, ldap.changes);
        page.single(names::LDAP_USERS, ldap.users);
        page.single(names::LDAP_UNFIT, ldap.unfit);
    }

    fn api(&self, page: &mut Text) {
        page.single(names::API_REQUESTS, self.elsewhere.api.requests);
        page.single(names::API_AUTH_FAILURES, self.elsewhere.api.auth_failures);
        page.single(names::API_STREAMS, self.elsewhere.api.streams);
    }

    fn series(&self, page: &mut Text) {
        for series in Series::ALL {
            let name = series.name();
            page.family(Family { name, kind: series.kind(), help: series.help() });
            for (shard, counters) in &self.shards {
                page.sample(name, format_args!("{{shard=\"{shard}\"}}"), counters.value(*series));
            }
        }
    }

    fn labelled(&self, page: &mut Text) {
        let mut total = Counters::default();
        for (_, counters) in &self.shards {
            total.merge(counters);
        }
        page.summary(names::MESSAGE_PROCESSING, total.processing);
        page.histogram(names::MESSAGE_HOLDING, &total.holding);
        let methods = 0..names::METHODS.len();
        let method = |index: usize| names::METHODS.get(index).copied().unwrap_or_default();
        page.labelled(names::REQUESTS, "method", methods, method, |index| {
            total.requests.get(index).copied().unwrap_or_default()
        });
        // The statuses are many and most never occur.
        let first = 100u16;
        let sent = (first..first + STATUSES as u16).filter(|status| total.responses(*status) > 0);
        page.labelled(
            names::RESPONSES,
            "status",
            sent,
            |status| status,
            |status| total.responses(status),
        );
        page.single(names::HEP_SENT, self.copies.0);
        page.single(names::HEP_LOST, self.copies.1);
        page.family(names::ANSWERS);
        for (index, name) in names::METHODS.iter().enumerate() {
            for class in (0..CLASSES).filter(|class| total.answers(index, *class) > 0) {
                let labels = format_args!("{{method=\"{name}\",class=\"{}xx\"}}", class + 1);
                page.sample(names::ANSWERS.name, labels, total.answers(index, class));
            }
        }
        page.family(names::TLS_SESSIONS);
        for cipher in TlsCipher::ALL {
            let (version, name) = (cipher.version(), cipher.name());
            let labels = format_args!("{{version=\"{version}\",cipher=\"{name}\"}}");
            page.sample(names::TLS_SESSIONS.name, labels, total.handshakes(*cipher));
        }
        let reasons = CloseReason::ALL.iter().copied();
        page.labelled(names::CLOSES, "reason", reasons, CloseReason::name, |r| total.closes(r));
        let causes = AuthFailure::ALL.iter().copied();
        page.labelled(names::AUTH_FAILURES, "cause", causes, AuthFailure::name, |cause| {
            total.auth_failures(cause)
        });
        let kinds = FrameKind::ALL.iter().copied();
        page.labelled(names::FRAMES_DROPPED, "kind", kinds, FrameKind::name, |kind| {
            total.frames_dropped(kind)
        });
        let limits = Limit::ALL.iter().copied();
        page.labelled(names::LIMIT_HITS, "limit", limits, Limit::name, |limit| {
            total.hits(limit) + off_the_cores(limit, &self.elsewhere)
        });
    }
}

/// The page as it is written. Every name and label value is from a closed set: nothing to escape.
struct Text(String);

impl Text {
    fn family(&mut self, family: Family) {
        let Family { name, kind, help } = family;
        self.write(format_args!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.name()));
    }

    /// A family of one sample without labels.
    fn single(&mut self, family: Family, value: impl fmt::Display) {
        self.family(family);
        self.sample(family.name, format_args!(""), value);
    }

    /// A family with one label: a sample for each key.
    fn labelled<K: Copy, L: fmt::Display, V: fmt::Display>(
        &mut self,
        family: Family,
        label: &str,
        keys: impl IntoIterator<Item = K>,
        text: impl Fn(K) -> L,
        value: impl Fn(K) -> V,
    ) {
        self.family(family);
        for key in keys {
            let text = text(key);
            self.sample(family.name, format_args!("{{{label}=\"{text}\"}}"), value(key));
        }
    }

    /// A family of durations in buckets.
    fn histogram(&mut self, family: Family, histogram: &Histogram) {
        self.family(family);
        for (bound, count) in histogram.cumulated() {
            let bound = bound.as_secs_f64();
            self.sample(family.name, format_args!("_bucket{{le=\"{bound}\"}}"), count);
        }
        self.sample(family.name, format_args!("_bucket{{le=\"+Inf\"}}"), histogram.count());
        self.totals(family, histogram.summary());
    }

    /// A family of durations that are only added up.
    fn summary(&mut self, family: Family, summary: Summary) {
        self.family(family);
        self.totals(family, summary);
    }

    fn totals(&mut self, family: Family, summary: Summary) {
        self.sample(family.name, format_args!("_sum"), summary.sum().as_secs_f64());
        self.sample(family.name, format_args!("_count"), summary.count());
    }

    fn sample(&mut self, name: &str, rest: fmt::Arguments<'_>, value: impl fmt::Display) {
        self.write(format_args!("{name}{rest} {value}\n"));
    }

    fn write(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(text);
    }
}
