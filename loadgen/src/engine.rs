//! Threads: each has a pinned executor on io_uring, one driver, one task a connection, and one
//! ticking task that drives pacing and every timer. The tick also wakes an executor that lost a
//! wake-up of its own.

use crate::clock::{Clock, Moment};
use crate::connection::{Id, serve};
use crate::control::{Control, Gauge, Report};
use crate::driver::{Driver, Phase};
use crate::scenario::{Share, measured, scenario};
use crate::settings::Settings;
use crate::tls::Client;
use crate::world::{Output, Slot, World};
use anyhow::{Context as _, Result, anyhow};
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::task::Waker;
use std::time::Duration;

/// Longest sleep of the ticking task.
const TICK: Duration = Duration::from_millis(20);
/// Shortest sleep: what is due within it is sent together.
const SLEEP_MIN: Duration = Duration::from_micros(50);
/// How often counts are reported.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Octets read at once.
const BUFFER: usize = 65_536;

/// What a thread is started with.
#[derive(Clone, Debug)]
pub struct Start {
    /// The run's clock.
    pub clock: Clock,
    /// Orders.
    pub control: Arc<Control>,
    /// Where the thread stands.
    pub gauge: Arc<Gauge>,
    /// Number of the run.
    pub run: u64,
    /// The run's settings.
    pub settings: Arc<Settings>,
    /// The thread's part.
    pub share: Share,
    /// TLS configuration, when TLS is used.
    pub tls: Option<Client>,
    /// TLS configuration of links, when there are any.
    pub link_tls: Option<Client>,
}

/// What the connections of a thread share.
pub struct Thread {
    /// The run's clock.
    pub clock: Clock,
    /// The run's settings.
    pub settings: Arc<Settings>,
    tls: Option<Client>,
    link_tls: Option<Client>,
    /// The thread's users.
    pub driver: RefCell<Driver>,
    /// Where every connection reads into.
    pub buffer: RefCell<Vec<u8>>,
    /// Where every connection gathers what it writes.
    pub wire: Cell<Vec<u8>>,
    doors: RefCell<Vec<Door>>,
}

/// How to reach the task of a connection.
#[derive(Debug, Default)]
struct Door {
    generation: u32,
    closing: bool,
    deaf: bool,
    waker: Option<Waker>,
}

/// Starts a thread.
///
/// # Errors
/// When the system refuses it.
pub fn spawn(start: Start, sender: Sender<Report>) -> Result<ExecutorJoinHandle<Result<()>>> {
    let placement = match start.settings.pin {
        true => core(start.share.thread, start.settings.threads),
        false => None,
    };
    LocalExecutorBuilder::new(placement.map_or(Placement::Unbound, Placement::Fixed))
        .name("loadgen")
        .io_memory(BUFFER)
        .preempt_timer(Duration::from_millis(10))
        .spawn(move || run(start, sender))
        .map_err(|error| anyhow!("{error}"))
        .context("a generator thread cannot be started")
}

/// The core for a thread: from the last allowed one downwards, since servers take the first. None
/// when there are more threads than cores.
fn core(thread: u32, threads: u32) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    let cores = cores(list.trim())?;
    if threads as usize > cores.len() {
        return None;
    }
    cores.iter().rev().nth(thread as usize).copied()
}

/// Reads a list of cores such as `0-3,8`.
fn cores(list: &str) -> Option<Vec<usize>> {
    let mut cores = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cores.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(cores)
}

async fn run(start: Start, sender: Sender<Report>) -> Result<()> {
    let Start { clock, control, gauge, run, settings, share, tls, link_tls } = start;
    let measured = measured(settings.flow);
    let world = World::new(Arc::clone(&settings), run, share.first, share.count, measured)
        .map_err(|error| anyhow!(error))?;
    let opening_max = share.of(settings.handshakes) as usize;
    let connections = world.connections();
    let scenario = scenario(&settings, share);
    let driver = Driver::new(world, scenario, settings.ramp * share.part, opening_max);
    let thread = Rc::new(Thread {
        clock,
        settings,
        tls,
        link_tls,
        driver: RefCell::new(driver),
        buffer: RefCell::new(vec![0; BUFFER]),
        wire: Cell::new(Vec::new()),
        doors: RefCell::new((0..connections).map(|_| Door::default()).collect()),
    });
    let mut report_at = clock.now().after(REPORT_EVERY);
    loop {
        let now = clock.now();
        let (phase, deadline) = thread.turn(now, &control, &gauge);
        if now >= report_at || phase == Phase::Done {
            report_at = now.after(REPORT_EVERY);
            let stats = Box::new(thread.driver.borrow_mut().take_stats());
            // The coordinator may have given up; there is nobody else to tell.
            let _ = sender.send(Report::Counts { at: now, stats });
        }
        if phase == Phase::Done {
            let _ = sender.send(Report::Done);
            return Ok(());
        }
        let wait = deadline.min(now.after(TICK)).since(clock.now());
        glommio::timer::sleep(wait.max(SLEEP_MIN)).await;
    }
}

fn show(driver: &mut Driver, phase: Phase, gauge: &Gauge) {
    let world = driver.world();
    gauge.signed_in.store(world.signed_in as u64, Ordering::Relaxed);
    gauge.sign_ins.store(world.sign_ins as u64, Ordering::Relaxed);
    gauge.sign_ins_failed.store(world.sign_ins_failed as u64, Ordering::Relaxed);
    gauge.outstanding.store(world.outstanding as u64, Ordering::Relaxed);
    let ready = !matches!(phase, Phase::SignIn | Phase::Prepare);
    gauge.ready.store(ready, Ordering::Relaxed);
}

impl Thread {
    /// Lets the driver do what is due; says where it stands and when it wants to be called again.
    fn turn(self: &Rc<Self>, now: Moment, control: &Control, gauge: &Gauge) -> (Phase, Moment) {
        let mut driver = self.driver.borrow_mut();
        driver.step(now, control.orders());
        let (phase, deadline) = (driver.phase(), driver.next_deadline());
        show(&mut driver, phase, gauge);
        drop(driver);
        self.carry_out(None);
        (phase, deadline)
    }

    /// Does what the driver asks for. A connection that carries out what it caused itself names
    /// its slot: it writes its own octets without being woken for them.
    pub fn carry_out(self: &Rc<Self>, current: Option<Slot>) {
        loop {
            let Some(output) = self.driver.borrow_mut().next_output() else { return };
            match output {
                Output::Open { slot, generation, source } => {
                    if let Some(door) = self.doors.borrow_mut().get_mut(slot) {
                        *door = Door { generation, ..Door::default() };
                    }
                    let id = Id { slot, generation };
                    glommio::spawn_local(serve(Rc::clone(self), id, source)).detach();
                }
                Output::Write(slot) if Some(slot) == current => {}
                Output::Write(slot) => self.wake(slot, false),
                Output::Close(slot) if self.driver.borrow_mut().world().is_on_link(slot) => {
                    self.driver.borrow_mut().left(slot, self.clock.now());
                }
                Output::Close(slot) => self.wake(slot, true),
                Output::Deafen(slot) => self.set_deaf(slot, true),
                Output::Hear(slot) => {
                    self.set_deaf(slot, false);
                    self.wake(slot, false);
                }
            }
        }
    }

    /// Notes how the task of a connection is woken.
    pub fn register(&self, id: Id, waker: &Waker) {
        let mut doors = self.doors.borrow_mut();
        if let Some(door) = doors.get_mut(id.slot).filter(|door| door.generation == id.generation)
            && !door.waker.as_ref().is_some_and(|known| known.will_wake(waker))
        {
            door.waker = Some(waker.clone());
        }
    }

    /// Forgets a connection that is gone.
    pub fn forget(&self, id: Id) {
        let mut doors = self.doors.borrow_mut();
        if let Some(door) = doors.get_mut(id.slot).filter(|door| door.generation == id.generation) {
            door.waker = None;
        }
    }

    /// True when the driver wants the connection closed.
    pub fn is_closing(&self, id: Id) -> bool {
        let doors = self.doors.borrow();
        doors.get(id.slot).is_some_and(|door| door.closing || door.generation != id.generation)
    }

    /// Where a connection goes, and its TLS configuration when TLS is used.
    pub fn target(&self, slot: Slot) -> (SocketAddr, Option<&Client>) {
        match &self.settings.links {
            Some(links) if self.driver.borrow_mut().world().is_link(slot) => {
                (links.target, self.link_tls.as_ref())
            }
            _ => (self.settings.target, self.tls.as_ref()),
        }
    }

    /// True for a user who will read nothing once he is in a conference.
    pub fn is_silent(&self, slot: Slot) -> bool {
        let number = self.driver.borrow_mut().world().number(slot);
        self.settings.is_silent(number)
    }

    /// True when the driver wants nothing more to be read.
    pub fn is_deaf(&self, id: Id) -> bool {
        self.doors.borrow().get(id.slot).is_some_and(|door| door.deaf)
    }

    fn set_deaf(&self, slot: Slot, deaf: bool) {
        if let Some(door) = self.doors.borrow_mut().get_mut(slot) {
            door.deaf = deaf;
        }
    }

    fn wake(&self, slot: Slot, closing: bool) {
        let mut doors = self.doors.borrow_mut();
        let Some(door) = doors.get_mut(slot) else { return };
        door.closing |= closing;
        if let Some(waker) = &door.waker {
            waker.wake_by_ref();
        }
    }
}

/// How long the coordinator should let a window begin after everybody is ready, so that every
/// thread has seen it.
pub fn lead(now: Moment) -> Moment {
    now.after(TICK * 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn core_lists_are_read() {
        assert_eq!(cores("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(cores("7"), Some(vec![7]));
        assert_eq!(cores("x"), None);
    }
}
