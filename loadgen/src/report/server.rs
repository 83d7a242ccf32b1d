//! What the server used, from its process and its metrics page.

use crate::meter::{Counters, Sample};
use serde::{Deserialize, Serialize};

/// What the server process used. What was not read is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Server {
    /// Version that its metrics page names.
    pub version: Option<String>,
    /// Cores that it has: those at work, else those that it may use.
    pub cores_max: Option<f64>,
    /// CPU seconds in the window.
    pub cpu_s: f64,
    /// Of these in its own code.
    pub user_s: Option<f64>,
    /// Of these in the kernel.
    pub system_s: Option<f64>,
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
    /// Octets of SIP received a second, without TLS.
    pub received_per_s: Option<f64>,
    /// Octets of SIP sent a second, without TLS.
    pub sent_per_s: Option<f64>,
    /// Octets received from sockets a second, with TLS.
    pub wire_received_per_s: Option<f64>,
    /// Octets sent to sockets a second, with TLS.
    pub wire_sent_per_s: Option<f64>,
    /// Octets written to disks a second.
    pub written_per_s: Option<f64>,
    /// Octets a second by which its files grew; needs its process.
    pub stored_per_s: Option<f64>,
    /// Mean time that it spent on a message that came in, in seconds.
    pub processing_s: Option<f64>,
    /// Mean time for which it held a message that came in, in seconds: from learning that there
    /// was something to read until what the message caused had left.
    pub holding_s: Option<f64>,
}

/// What the server had done when the window closed.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Operations of the flow that ended well in the window.
    pub operations: u64,
    /// Messages that arrived in the window.
    pub deliveries: u64,
    /// Users signed in.
    pub users: u64,
}

impl Server {
    /// From what was read before the first user came, and when the window opened and closed;
    /// `None` when nothing was read of the server. `cores` are those that its process may use.
    pub fn new(ends: [&Sample; 3], cores: Option<u32>, work: Work) -> Option<Server> {
        let [before, first, last] = ends;
        let span = last.at.since(first.at).as_secs_f64();
        let (cpu, user, system) = cpu(first, last)?;
        let rise = |read: fn(&Sample) -> Option<f64>| Some(read(last)? - read(first)?);
        let rate = |rise: Option<f64>| rise.filter(|_| span > 0.0).map(|rise| rise / span);
        let each = |count: u64| (count > 0).then(|| cpu * 1e6 / count as f64);
        let resident_before = resident(before).unwrap_or_default();
        let resident_after = resident(last).unwrap_or_default();
        let grown = resident_after.saturating_sub(resident_before) as f64;
        let page = last.counters.as_ref();
        Some(Server {
            version: page.and_then(|page| page.version.clone()),
            cores_max: page.and_then(|page| page.shards).or(cores.map(f64::from)),
            cpu_s: cpu,
            user_s: user,
            system_s: system,
            cores: if span > 0.0 { cpu / span } else { 0.0 },
            cpu_us_per_operation: each(work.operations),
            cpu_us_per_delivery: each(work.deliveries),
            resident_before,
            resident_after,
            resident_per_user: (work.users > 0).then(|| grown / work.users as f64),
            received_per_s: rate(rise(|sample| Some(sample.counters.as_ref()?.plain?[0]))),
            sent_per_s: rate(rise(|sample| Some(sample.counters.as_ref()?.plain?[1]))),
            wire_received_per_s: rate(rise(|sample| Some(sample.counters.as_ref()?.wire?[0]))),
            wire_sent_per_s: rate(rise(|sample| Some(sample.counters.as_ref()?.wire?[1]))),
            written_per_s: rate(rise(written)),
            stored_per_s: rate(rise(stored)),
            processing_s: mean_between(first, last, |counters| counters.processing),
            holding_s: mean_between(first, last, |counters| counters.holding),
        })
    }
}

/// What the server used in one point of the timeline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerSecond {
    /// Cores kept busy.
    pub cores: f64,
    /// Resident octets.
    pub resident: u64,
    /// Octets received and sent a second: with TLS where that is known.
    pub received_per_s: Option<f64>,
    /// Octets sent a second.
    pub sent_per_s: Option<f64>,
    /// Octets written to disks a second.
    pub written_per_s: Option<f64>,
    /// Mean time spent on a message that came in, in seconds.
    pub processing_s: Option<f64>,
    /// Mean time for which a message that came in was held, in seconds.
    pub holding_s: Option<f64>,
}

impl ServerSecond {
    /// From what was read at its beginning and its end.
    pub fn between(first: &Sample, last: &Sample) -> Option<ServerSecond> {
        let span = last.at.since(first.at).as_secs_f64();
        let (cpu, ..) = cpu(first, last)?;
        let octets = |sample: &Sample, way: usize| {
            let counters = sample.counters.as_ref()?;
            counters.wire.or(counters.plain)?.get(way).copied()
        };
        let rate = |way| Some((octets(last, way)? - octets(first, way)?) / span);
        Some(ServerSecond {
            cores: cpu / span,
            resident: resident(last).unwrap_or_default(),
            received_per_s: rate(0),
            sent_per_s: rate(1),
            written_per_s: written(first).zip(written(last)).map(|(a, b)| (b - a) / span),
            processing_s: mean_between(first, last, |counters| counters.processing),
            holding_s: mean_between(first, last, |counters| counters.holding),
        })
    }
}

/// CPU seconds, and of these user and system time. The process tells more than the page.
fn cpu(first: &Sample, last: &Sample) -> Option<(f64, Option<f64>, Option<f64>)> {
    if let (Some(first), Some(last)) = (first.server, last.server) {
        let user = last.user.saturating_sub(first.user).as_secs_f64();
        let system = last.system.saturating_sub(first.system).as_secs_f64();
        return Some((last.cpu_since(&first).as_secs_f64(), Some(user), Some(system)));
    }
    let of = |sample: &Sample| sample.counters.as_ref()?.cpu_s;
    Some(((of(last)? - of(first)?).max(0.0), None, None))
}

/// The mean of the durations that were counted between two readings of their sum and their number;
/// `None` when there were none. A server that began anew in between has fewer than before.
pub(super) fn mean_s(first: [f64; 2], last: [f64; 2]) -> Option<f64> {
    let [time, count] = [last[0] - first[0], last[1] - first[1]];
    (count > 0.0).then(|| time / count)
}

fn mean_between(
    first: &Sample,
    last: &Sample,
    durations: fn(&Counters) -> Option<[f64; 2]>,
) -> Option<f64> {
    let read = |sample: &Sample| sample.counters.as_ref().and_then(durations);
    mean_s(read(first)?, read(last)?)
}

fn resident(sample: &Sample) -> Option<u64> {
    let page = || Some(sample.counters.as_ref()?.resident? as u64);
    sample.server.map(|usage| usage.resident).or_else(page)
}

fn written(sample: &Sample) -> Option<f64> {
    let page = || sample.counters.as_ref()?.written;
    sample.server.map(|usage| usage.written as f64).or_else(page)
}

fn stored(sample: &Sample) -> Option<f64> {
    sample.files.map(|octets| octets as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Moment;
    use crate::meter::process::Usage;
    use std::time::Duration;

    fn at(second: u64, server: Option<Usage>, counters: Option<Counters>) -> Sample {
        let (own, files, memory_free) = Default::default();
        Sample { at: Moment(second * 1_000_000_000), own, server, counters, files, memory_free }
    }

    fn counters(count: f64) -> Counters {
        Counters {
            cpu_s: Some(count),
            resident: Some(count * 1000.0),
            plain: Some([count * 10.0, count * 20.0]),
            wire: Some([count * 11.0, count * 22.0]),
            written: Some(count * 7.0),
            processing: Some([count * 0.5, count * 100.0]),
            holding: Some([count * 3.0, count * 100.0]),
            shards: Some(2.0),
            version: Some("1.0".into()),
            ..Counters::default()
        }
    }

    const WORK: Work = Work { operations: 1_000_000, deliveries: 0, users: 4 };

    #[test]
    fn the_page_alone_tells_everything_but_how_cpu_time_is_split() {
        let samples = [0, 10, 20].map(|n| at(n, None, Some(counters(n as f64))));
        let server = Server::new([&samples[0], &samples[1], &samples[2]], None, WORK).unwrap();
        assert_eq!((server.cpu_s, server.cores, server.user_s), (10.0, 1.0, None));
        assert_eq!(server.cpu_us_per_operation, Some(10.0));
        assert_eq!(server.cpu_us_per_delivery, None);
        assert_eq!(server.resident_per_user, Some(5000.0));
        assert_eq!((server.received_per_s, server.sent_per_s), (Some(10.0), Some(20.0)));
        assert_eq!((server.wire_received_per_s, server.wire_sent_per_s), (Some(11.0), Some(22.0)));
        assert_eq!((server.written_per_s, server.stored_per_s), (Some(7.0), None));
        assert_eq!((server.processing_s, server.holding_s), (Some(0.005), Some(0.03)));
        let second = ServerSecond::between(&samples[0], &samples[1]).unwrap();
        assert_eq!((second.processing_s, second.holding_s), (Some(0.005), Some(0.03)));
        assert_eq!((server.cores_max, server.version.as_deref()), (Some(2.0), Some("1.0")));
    }

    #[test]
    fn the_process_tells_how_cpu_time_is_split() {
        let usage = |s: u64| Usage {
            user: Duration::from_secs(s),
            system: Duration::from_secs(2 * s),
            resident: s * 100,
            written: s,
        };
        let samples = [0, 10, 20].map(|n| at(n, Some(usage(n)), None));
        let server = Server::new([&samples[0], &samples[1], &samples[2]], Some(4), WORK).unwrap();
        assert_eq!((server.user_s, server.system_s), (Some(10.0), Some(20.0)));
        assert_eq!((server.cores, server.cores_max), (3.0, Some(4.0)));
        assert_eq!((server.written_per_s, server.received_per_s), (Some(1.0), None));
        assert_eq!(Server::new([&at(0, None, None); 3], None, WORK), None);
    }
}
