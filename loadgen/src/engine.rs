//! Threads: each is pinned to a core and has one driver, one ring that tells which of its sockets
//! are ready, and a loop that serves those, lets time pass, and reports.

use crate::clock::{Clock, Moment};
use crate::connection::{Connection, Desk, End, Id, Way};
use crate::control::{Control, Gauge, Report};
use crate::driver::{Driver, Phase};
use crate::ring::{Ready, Ring};
use crate::scenario::{Share, measured, scenario};
use crate::settings::Settings;
use crate::stats::Cause;
use crate::tls::Client;
use crate::world::{Output, Slot, World};
use anyhow::{Context as _, Result, anyhow};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::Duration;

/// Longest time without a look at the clock.
const TICK: Duration = Duration::from_millis(20);
/// Shortest wait: what is due within it is sent together.
const WAIT_MIN: Duration = Duration::from_micros(50);
/// How often counts are reported.
const REPORT_EVERY: Duration = Duration::from_secs(1);

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

/// One thread: its users and their connections.
struct Thread {
    desk: Desk,
    ring: Ring,
    settings: Arc<Settings>,
    tls: Option<Client>,
    link_tls: Option<Client>,
    /// By slot.
    connections: Vec<Option<Box<Connection>>>,
    /// Connections that were not read to the end.
    unfinished: Vec<Id>,
}

/// Starts a thread.
///
/// # Errors
/// When the system refuses it.
pub fn spawn(start: Start, sender: Sender<Report>) -> Result<JoinHandle<Result<()>>> {
    std::thread::Builder::new()
        .name("loadgen".to_owned())
        .spawn(move || {
            if start.settings.pin {
                pin(start.share.thread, start.settings.threads);
            }
            run(start, sender)
        })
        .context("a generator thread cannot be started")
}

/// Pins this thread to its core, when there are enough.
fn pin(thread: u32, threads: u32) {
    if let Some(core) = core(thread, threads) {
        let mut set = rustix::thread::CpuSet::new();
        set.set(core);
        // A system that refuses lets it run anywhere, as without pinning.
        let _ = rustix::thread::sched_setaffinity(None, &set);
    }
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

fn run(start: Start, sender: Sender<Report>) -> Result<()> {
    let Start { clock, control, gauge, run, settings, share, tls, link_tls } = start;
    let measured = measured(settings.flow);
    let world = World::new(Arc::clone(&settings), run, share.first, share.count, measured)
        .map_err(|error| anyhow!(error))?;
    let opening_max = share.of(settings.handshakes) as usize;
    let connections = world.connections();
    let scenario = scenario(&settings, share);
    let driver = Driver::new(world, scenario, settings.ramp * share.part, opening_max);
    let mut thread = Thread {
        desk: Desk::new(clock, driver),
        ring: Ring::new()?,
        settings,
        tls,
        link_tls,
        connections: (0..connections).map(|_| None).collect(),
        unfinished: Vec::new(),
    };
    let mut report_at = clock.now().after(REPORT_EVERY);
    let mut turn_at = clock.now();
    loop {
        let now = clock.now();
        if now >= turn_at {
            let (phase, deadline) = thread.turn(now, &control, &gauge)?;
            if now >= report_at || phase == Phase::Done {
                report_at = now.after(REPORT_EVERY);
                let stats = Box::new(thread.desk.driver.take_stats());
                // The coordinator may have given up; there is nobody else to tell.
                let _ = sender.send(Report::Counts { at: now, stats });
            }
            if phase == Phase::Done {
                let _ = sender.send(Report::Done);
                return Ok(());
            }
            turn_at = deadline.min(now.after(TICK)).max(now.after(WAIT_MIN));
        }
        thread.serve_ready(turn_at)?;
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
    fn turn(&mut self, now: Moment, control: &Control, gauge: &Gauge) -> Result<(Phase, Moment)> {
        let driver = &mut self.desk.driver;
        driver.step(now, control.orders());
        let phase = driver.phase();
        show(driver, phase, gauge);
        self.carry_out()?;
        Ok((phase, self.desk.driver.next_deadline()))
    }

    /// Serves the connections that are ready; waits for one until `until` at the longest.
    fn serve_ready(&mut self, until: Moment) -> Result<()> {
        let mut ready = Vec::new();
        let unfinished = std::mem::take(&mut self.unfinished);
        let wait = match unfinished.is_empty() {
            true => until.since(self.desk.clock.now()),
            false => Duration::ZERO,
        };
        self.ring.wait(wait, &mut ready).context("io_uring")?;
        for Ready { token, hangup, ended } in ready {
            let id = id_of(token);
            let Some(connection) = self.connection(id) else { continue };
            connection.hangup |= hangup;
            if ended {
                let Thread { ring, connections, .. } = self;
                if let Some(Some(connection)) = connections.get(id.slot) {
                    ring.add(connection.as_fd(), token).context("io_uring")?;
                }
            }
            self.serve(id)?;
        }
        for id in unfinished {
            self.serve(id)?;
        }
        Ok(())
    }

    fn connection(&mut self, id: Id) -> Option<&mut Connection> {
        let connection = self.connections.get_mut(id.slot)?.as_deref_mut()?;
        (connection.id == id).then_some(connection)
    }

    /// Lets a connection do what it can, and then whatever follows from it.
    fn serve(&mut self, id: Id) -> Result<()> {
        self.step(id)?;
        self.carry_out()
    }

    fn step(&mut self, id: Id) -> Result<()> {
        let Thread { desk, connections, unfinished, .. } = self;
        let Some(Some(connection)) = connections.get_mut(id.slot) else { return Ok(()) };
        if connection.id != id {
            return Ok(());
        }
        match connection.step(desk) {
            Ok(false) => Ok(()),
            Ok(true) => {
                unfinished.push(id);
                Ok(())
            }
            Err(end) => self.end(id, end),
        }
    }

    /// Does what the driver asks for.
    fn carry_out(&mut self) -> Result<()> {
        while let Some(output) = self.desk.driver.next_output() {
            match output {
                Output::Open { slot, generation, source } => {
                    self.open(Id { slot, generation }, source)?;
                }
                Output::Write(slot) => self.write(slot)?,
                Output::Close(slot) if self.desk.driver.world().is_on_link(slot) => {
                    let now = self.desk.clock.now();
                    self.desk.driver.left(slot, now);
                }
                Output::Close(slot) => {
                    if let Some(Some(connection)) = self.connections.get_mut(slot) {
                        connection.closing = true;
                        let id = connection.id;
                        self.step(id)?;
                    }
                }
                Output::Deafen(slot) => {
                    if let Some(Some(connection)) = self.connections.get_mut(slot) {
                        connection.deaf = true;
                    }
                }
                Output::Hear(slot) => {
                    if let Some(Some(connection)) = self.connections.get_mut(slot) {
                        connection.deaf = false;
                        let id = connection.id;
                        self.unfinished.push(id);
                    }
                }
            }
        }
        Ok(())
    }

    fn open(&mut self, id: Id, source: Option<IpAddr>) -> Result<()> {
        let (target, tls) = self.target(id.slot);
        let (tls, silent) = (tls.cloned(), self.is_silent(id.slot));
        let way = Way { source, target, tls: tls.as_ref(), silent };
        match Connection::open(&mut self.desk, id, way) {
            Ok(connection) => {
                self.ring.add(connection.as_fd(), token(id)).context("io_uring")?;
                if let Some(place) = self.connections.get_mut(id.slot) {
                    *place = Some(Box::new(connection));
                }
            }
            Err(error) => self.down(id, End::new(Cause::Connect, error)),
        }
        Ok(())
    }

    fn write(&mut self, slot: Slot) -> Result<()> {
        let Some(Some(connection)) = self.connections.get_mut(slot) else { return Ok(()) };
        let id = connection.id;
        match connection.write(&mut self.desk) {
            Ok(false) => Ok(()),
            Ok(true) => self.end(id, End::new(Cause::Disconnected, "closed by us")),
            Err(end) => self.end(id, end),
        }
    }

    fn end(&mut self, id: Id, end: End) -> Result<()> {
        self.ring.remove(token(id)).context("io_uring")?;
        if let Some(connection) = self.connections.get_mut(id.slot).and_then(Option::take) {
            connection.finish();
        }
        self.down(id, end);
        Ok(())
    }

    fn down(&mut self, id: Id, end: End) {
        let now = self.desk.clock.now();
        self.desk.driver.down(id.slot, id.generation, end.cause, || end.text, now);
    }

    /// Where a connection goes, and its TLS configuration when TLS is used.
    fn target(&mut self, slot: Slot) -> (SocketAddr, Option<&Client>) {
        match &self.settings.links {
            Some(links) if self.desk.driver.world().is_link(slot) => {
                (links.target, self.link_tls.as_ref())
            }
            _ => (self.settings.target, self.tls.as_ref()),
        }
    }

    /// True for a user who will read nothing once he is in a conference.
    fn is_silent(&mut self, slot: Slot) -> bool {
        let number = self.desk.driver.world().number(slot);
        self.settings.is_silent(number)
    }
}

/// The number of a connection at the ring. Slots stay below `u32::MAX`, so it is never the ring's
/// own.
fn token(id: Id) -> u64 {
    u64::from(id.generation) << 32 | id.slot as u64
}

fn id_of(token: u64) -> Id {
    Id { slot: (token & u64::from(u32::MAX)) as usize, generation: (token >> 32) as u32 }
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
