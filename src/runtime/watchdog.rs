//! Sees a core that stands still. Each core moves its pulse with every tick, and a thread of its
//! own looks ten times a second.
//!
//! A core without a beat is woken first. Glommio 0.9 may put an executor to sleep although tasks
//! are ready, when the operating system takes the CPU away at the wrong moment; the tick bounds
//! that sleep unless the tick itself is among those tasks. A core that does not come back is stuck
//! in its own code and cannot be helped from here: after ten seconds the process ends itself and
//! is started again by its supervisor.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

use crossbeam::utils::CachePadded;

use super::log_writer;
use super::mesh::Mesh;
use crate::base::ids::ShardId;

/// Between two looks: several ticks.
const LOOK: Duration = Duration::from_millis(100);
/// Looks without a beat after which a core is reported.
const LATE: u32 = 20;
/// Looks without a beat after which the process ends. Looks are counted, not seconds: a process
/// that was stopped as a whole does not find its cores stuck when it goes on.
const STUCK: u32 = 100;

/// One counter for each core, and what the watchdog made of it.
#[derive(Debug)]
pub struct Pulses {
    beats: Box<[CachePadded<AtomicU64>]>,
    standings: Box<[Standing]>,
}

#[derive(Debug, Default)]
struct Standing {
    /// Times the core was found late.
    stalls: AtomicU64,
    /// Looks at which the core was woken.
    nudges: AtomicU64,
    /// It is late now.
    late: AtomicBool,
}

impl Pulses {
    /// Pulses of `shards` cores.
    pub fn new(shards: u16) -> Arc<Self> {
        Arc::new(Pulses {
            beats: (0..shards).map(|_| CachePadded::new(AtomicU64::new(0))).collect(),
            standings: (0..shards).map(|_| Standing::default()).collect(),
        })
    }

    /// The core of `shard` is alive.
    pub fn beat(&self, shard: ShardId) {
        if let Some(beat) = self.beats.get(usize::from(shard.0)) {
            beat.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Times a core was found standing still for more than two seconds.
    pub fn stalls(&self, shard: ShardId) -> u64 {
        self.standings.get(usize::from(shard.0)).map_or(0, |f| f.stalls.load(Ordering::Relaxed))
    }

    /// Looks at which a core was woken because it had no beat since the last.
    pub fn nudges(&self, shard: ShardId) -> u64 {
        self.standings.get(usize::from(shard.0)).map_or(0, |f| f.nudges.load(Ordering::Relaxed))
    }

    /// The cores that stand still now.
    pub fn late(&self) -> Vec<ShardId> {
        let late = |(shard, standing): (usize, &Standing)| {
            standing.late.load(Ordering::Relaxed).then_some(ShardId(shard as u16))
        };
        self.standings.iter().enumerate().filter_map(late).collect()
    }
}

/// How a core was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// No beat since the last look.
    Still(ShardId),
    /// No beat for two seconds.
    Late(ShardId),
    /// A beat again after having been late for so many looks.
    Back(ShardId, u32),
    /// No beat for ten seconds.
    Stuck(ShardId),
}

/// What was seen of each core.
#[derive(Debug)]
struct Watch {
    seen: Vec<(u64, u32)>,
}

impl Watch {
    fn new(pulses: &Pulses) -> Self {
        Watch { seen: pulses.beats.iter().map(|beat| (beat.load(Ordering::Relaxed), 0)).collect() }
    }

    fn look(&mut self, pulses: &Pulses) -> Vec<Finding> {
        let mut findings = Vec::new();
        let cores = pulses.beats.iter().zip(&pulses.standings).zip(&mut self.seen);
        for (shard, ((beat, standing), (last, still))) in cores.enumerate() {
            let shard = ShardId(shard as u16);
            let beat = beat.load(Ordering::Relaxed);
            if beat != *last {
                if *still >= LATE {
                    standing.late.store(false, Ordering::Relaxed);
                    findings.push(Finding::Back(shard, *still));
                }
                (*last, *still) = (beat, 0);
                continue;
            }
            *still += 1;
            standing.nudges.fetch_add(1, Ordering::Relaxed);
            findings.push(Finding::Still(shard));
            if *still == LATE {
                standing.stalls.fetch_add(1, Ordering::Relaxed);
                standing.late.store(true, Ordering::Relaxed);
                findings.push(Finding::Late(shard));
            } else if *still == STUCK {
                findings.push(Finding::Stuck(shard));
            }
        }
        findings
    }
}

/// The thread that looks. Ends when dropped.
#[derive(Debug)]
pub struct Watchdog {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches `pulses` from now on, and wakes cores of `mesh`.
    pub fn start(pulses: Arc<Pulses>, mesh: Arc<Mesh>) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
            let mut watch = Watch::new(&pulses);
            while !stopped.load(Ordering::Acquire) {
                // Also returns when unparked by the drop, or for no reason: a look more.
                std::thread::park_timeout(LOOK);
                if !stopped.load(Ordering::Acquire) {
                    watch.look(&pulses).into_iter().for_each(|finding| act(finding, &mesh));
                }
            }
        })?;
        Ok(Watchdog { stop, thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            Thread::unpark(thread.thread());
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

fn act(finding: Finding, mesh: &Mesh) {
    match finding {
        Finding::Still(core) => {
            if let Some(bell) = mesh.bell(core) {
                bell.rouse();
            }
        }
        Finding::Late(core) => tracing::error!(%core, "core stands still"),
        Finding::Back(core, looks) => tracing::warn!(%core, looks, "core moves again"),
        Finding::Stuck(core) => {
            tracing::error!(%core, "core is stuck; ending the process to be started again");
            log_writer::end();
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_that_stands_still_is_woken_then_reported_then_found_stuck() {
        let pulses = Pulses::new(2);
        let mut watch = Watch::new(&pulses);
        let mut findings = Vec::new();
        for _ in 0..STUCK {
            pulses.beat(ShardId(0));
            findings.extend(watch.look(&pulses));
        }
        let (still, others): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| *finding == Finding::Still(ShardId(1)));
        assert_eq!(still.len(), STUCK as usize);
        assert_eq!(others, [Finding::Late(ShardId(1)), Finding::Stuck(ShardId(1))]);
        assert_eq!((pulses.stalls(ShardId(0)), pulses.stalls(ShardId(1))), (0, 1));
        assert_eq!(pulses.late(), [ShardId(1)]);
    }

    #[test]
    fn a_core_that_moves_again_is_forgiven() {
        let pulses = Pulses::new(1);
        let mut watch = Watch::new(&pulses);
        for _ in 0..LATE {
            watch.look(&pulses);
        }
        pulses.beat(ShardId(0));
        assert_eq!(watch.look(&pulses), [Finding::Back(ShardId(0), LATE)]);
        assert_eq!(pulses.late(), []);
        assert_eq!(watch.look(&pulses), [Finding::Still(ShardId(0))]);
        assert_eq!(pulses.nudges(ShardId(0)), u64::from(LATE) + 1);
    }
}
