//! Reads what the server and this program use: when the window opens and closes, and once a second
//! in between from a thread of its own, so that a slow page delays nobody.

pub mod machine;
pub mod page;
pub mod process;

use crate::clock::{Clock, Moment};
use crate::settings::Settings;
use anyhow::{Result, anyhow, ensure};
use page::{Page, Source};
use process::Usage;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the thread looks.
const EVERY: Duration = Duration::from_secs(1);
/// Samples that are kept, some five hours.
const SAMPLES_MAX: usize = 20_000;

/// What was read at one moment. What is not known is left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// When.
    pub at: Moment,
    /// This program.
    pub own: Option<Usage>,
    /// The server process.
    pub server: Option<Usage>,
    /// The server's counters.
    pub counters: Option<Counters>,
    /// Octets of the regular files that the server has open; only where the window opens and
    /// closes, since there may be many descriptors to look through.
    pub files: Option<u64>,
    /// Share of the machine's memory that is available, 0 to 1.
    pub memory_free: Option<f64>,
}

/// What the metrics page of a Mynah server counts, as far as a report needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counters {
    /// CPU time of the process.
    pub cpu_s: Option<f64>,
    /// Resident octets.
    pub resident: Option<f64>,
    /// Octets of SIP received and sent, without TLS.
    pub plain: Option<[f64; 2]>,
    /// Octets received from and sent to sockets, with TLS.
    pub wire: Option<[f64; 2]>,
    /// Octets written to disks.
    pub written: Option<f64>,
    /// Answers 503 of the server itself.
    pub throttled: Option<f64>,
    /// Frames and answers that were dropped.
    pub dropped: Option<f64>,
    /// Forwarded requests without an answer in time.
    pub timed_out: Option<f64>,
    /// Refused sign-ins.
    pub auth_failures: Option<f64>,
    /// Time of all commits of the store, in seconds, and their number.
    pub commits: Option<[f64; 2]>,
    /// Time that the server spent on messages that came in, in seconds, and their number.
    pub processing: Option<[f64; 2]>,
    /// Time for which it held them until what they caused had left, in seconds, and their number.
    pub holding: Option<[f64; 2]>,
    /// 1 when the server calls itself healthy.
    pub healthy: Option<f64>,
    /// When the process began, in seconds since 1970.
    pub start_unix_s: Option<f64>,
    /// How many cores work.
    pub shards: Option<f64>,
    /// Version of the server.
    pub version: Option<String>,
}

impl Counters {
    /// Of a page.
    pub fn of(page: &Page) -> Counters {
        let pair = |one: &str, two: &str| Some([page.sum(one)?, page.sum(two)?]);
        let durations = |name: &str| pair(&format!("{name}_sum"), &format!("{name}_count"));
        let dropped = ["mynah_mesh_frames_dropped_total", "mynah_responses_stray_total"];
        let dropped = dropped.map(|name| page.sum(name));
        let mynah = page.sum("mynah_build_info").is_some();
        Counters {
            cpu_s: page.sum("process_cpu_seconds_total"),
            resident: page.sum("process_resident_memory_bytes"),
            plain: pair("mynah_received_bytes_total", "mynah_sent_bytes_total"),
            wire: pair("mynah_wire_received_bytes_total", "mynah_wire_sent_bytes_total"),
            written: page.sum("process_written_bytes_total"),
            throttled: mynah.then(|| page.sum_where("mynah_sip_responses_total", "status", "503")),
            dropped: dropped.iter().flatten().copied().reduce(|sum, value| sum + value),
            timed_out: page.sum("mynah_relay_timeouts_total"),
            auth_failures: page.sum("mynah_auth_failures_total"),
            commits: durations("mynah_store_commit_seconds"),
            processing: durations("mynah_message_processing_seconds"),
            holding: durations("mynah_message_holding_seconds"),
            healthy: page.sum("mynah_healthy"),
            start_unix_s: page.sum("process_start_time_seconds"),
            shards: page.sum("mynah_shards_current"),
            version: page.label("mynah_build_info", "version").map(str::to_owned),
        }
    }
}

/// Reads samples.
#[derive(Clone, Debug)]
pub struct Meter {
    clock: Clock,
    pid: Option<u32>,
    source: Option<Source>,
    same_machine: bool,
}

impl Meter {
    /// Of the process and the page that `settings` name.
    pub fn new(settings: &Settings, clock: Clock) -> Meter {
        Meter {
            clock,
            pid: settings.pid,
            source: settings.metrics.as_deref().map(Source::new),
            same_machine: settings.pid.is_some() || settings.target.ip().is_loopback(),
        }
    }

    /// Refuses what cannot be read.
    ///
    /// # Errors
    /// When there is no such process, or no such page.
    pub fn check(&self) -> Result<()> {
        if let Some(pid) = self.pid {
            ensure!(Usage::of(pid).is_some(), "--pid {pid}: there is no such process");
        }
        self.source.as_ref().map_or(Ok(()), |source| source.fetch().map(|_| ()))
    }

    /// Reads now; `thorough` where the window opens and closes.
    pub fn sample(&self, thorough: bool) -> Sample {
        let page = self.source.as_ref().and_then(|source| {
            // A page that does not come in time is a gap, no end.
            source.fetch().ok()
        });
        Sample {
            at: self.clock.now(),
            own: Usage::own(),
            server: self.pid.and_then(Usage::of),
            counters: page.as_ref().map(Counters::of),
            files: self.pid.filter(|_| thorough).and_then(process::open_files),
            memory_free: if self.same_machine { machine::memory_free() } else { None },
        }
    }

    /// Starts to read once a second.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(&self) -> Result<Running> {
        let (stop, stopped) = channel::<()>();
        let meter = self.clone();
        let thread = std::thread::Builder::new().name("meter".into()).spawn(move || {
            let mut samples = Vec::new();
            while samples.len() < SAMPLES_MAX {
                samples.push(meter.sample(false));
                match stopped.recv_timeout(EVERY) {
                    Err(RecvTimeoutError::Timeout) => {}
                    _ => break,
                }
            }
            samples
        })?;
        Ok(Running { stop, thread })
    }
}

/// A meter that reads once a second.
#[derive(Debug)]
pub struct Running {
    stop: Sender<()>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Running {
    /// Ends it and takes what it read.
    ///
    /// # Errors
    /// When its thread panicked.
    pub fn finish(self) -> Result<Vec<Sample>> {
        drop(self.stop);
        self.thread.join().map_err(|_| anyhow!("the thread of the meter panicked"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_found_on_the_page_of_the_server() {
        let page = Page::read(
            "mynah_build_info{version=\"0.1.0\"} 1\nmynah_shards_current 2\n\
             process_cpu_seconds_total 1.5\nmynah_received_bytes_total{shard=\"0\"} 10\n\
             mynah_received_bytes_total{shard=\"1\"} 5\nmynah_sent_bytes_total{shard=\"0\"} 20\n\
             mynah_sip_responses_total{status=\"503\"} 4\n\
             mynah_sip_responses_total{status=\"200\"} 9\n\
             mynah_responses_stray_total{shard=\"0\"} 2\n\
             mynah_mesh_frames_dropped_total{kind=\"relay\"} 1\n\
             mynah_store_commit_seconds_sum 0.5\nmynah_store_commit_seconds_count 10\n\
             mynah_message_processing_seconds_sum 2e-5\n\
             mynah_message_processing_seconds_count 4\n\
             mynah_message_holding_seconds_bucket{le=\"0.001\"} 3\n\
             mynah_message_holding_seconds_sum 0.25\nmynah_message_holding_seconds_count 4\n",
        );
        let counters = Counters::of(&page);
        assert_eq!(counters.version.as_deref(), Some("0.1.0"));
        assert_eq!(counters.plain, Some([15.0, 20.0]));
        assert_eq!(counters.throttled, Some(4.0));
        assert_eq!(counters.dropped, Some(3.0));
        assert_eq!(counters.commits, Some([0.5, 10.0]));
        assert_eq!(counters.processing, Some([0.00002, 4.0]));
        assert_eq!(counters.holding, Some([0.25, 4.0]));
        assert_eq!((counters.shards, counters.cpu_s), (Some(2.0), Some(1.5)));
        assert_eq!((counters.wire, counters.timed_out), (None, None));
    }

    #[test]
    fn the_page_of_another_server_says_nothing_of_what_only_mynah_counts() {
        let counters = Counters::of(&Page::read("process_cpu_seconds_total 2\n"));
        assert_eq!(counters, Counters { cpu_s: Some(2.0), ..Counters::default() });
    }
}
