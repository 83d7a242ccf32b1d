//! The coordinator: starts the threads, opens the window when everybody is ready, reads what the
//! server uses, watches for reasons to end early, and sums up.

use crate::abort::Abort;
use crate::clock::{Clock, Moment};
use crate::control::{Control, Gauge, Report as FromThread};
use crate::engine::{Start, lead, spawn};
use crate::figure::Counts;
use crate::link_options;
use crate::meter::{Meter, Running, Sample};
use crate::probe;
use crate::profile::Profile;
use crate::progress::Progress;
use crate::report::{Ending, Latency, Measured, Report};
use crate::scenario::{Share, main_operation};
use crate::settings::{Auth, Dialect, Flow, Notify, Settings, Transport};
use crate::stats::Stats;
use crate::timeline::Timeline;
use crate::tls::Client;
use crate::world::Window;
use anyhow::{Context, Result, anyhow, ensure};
use rand::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Failed sign-ins without a successful one after which a run has no point.
const REFUSALS_MAX: u64 = 50;
/// After so many sign-ins it is seen whether the run has a point: more than half must succeed.
const FIRST_SIGN_INS: u64 = 200;
/// How often the coordinator looks.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Runs what `settings` say. `interrupt` ends it early, in good order.
///
/// # Errors
/// When the run cannot begin: the text says what to change.
pub fn run(settings: Settings, interrupt: &AtomicBool) -> Result<Report> {
    check(&settings)?;
    let clock = Clock::start();
    let meter = Meter::new(&settings, clock);
    meter.check()?;
    let settings = Arc::new(settings);
    let tls = match settings.transport {
        Transport::Tls => Some(Client::new(&settings)?),
        Transport::Tcp => None,
    };
    probe::connection(&settings, tls.as_ref())?;
    let link_tls = match &settings.links {
        Some(links) => Some(Client::for_links(&settings, links)?),
        None => None,
    };
    if let Some(links) = &settings.links {
        probe::link(links, &settings, link_tls.as_ref())?;
    }
    Coordinator::start(settings, tls, link_tls, clock, meter)?.conduct(interrupt)
}

/// Refuses what cannot be run.
fn check(settings: &Settings) -> Result<()> {
    ensure!(settings.users > 0, "--users must be at least 1");
    ensure!(settings.threads > 0, "--threads must be at least 1");
    check_flow(settings)?;
    let shares = (0..settings.threads).map(|thread| Share::new(settings, thread).count);
    link_options::check(settings, shares.min().unwrap_or(0))?;
    ensure!(
        settings.auth == Auth::Digest || settings.dialect == Dialect::Ms,
        "--auth ntlm needs --dialect ms: a SIMPLE client does not sign its messages"
    );
    let im = matches!(settings.flow, Flow::Im { .. });
    ensure!(!im || settings.users.is_multiple_of(2), "--users must be even: they write in pairs");
    ensure!(
        settings.sources == 0 || settings.target.ip().is_loopback() && settings.target.is_ipv4(),
        "--sources works only with a target in 127.0.0.0/8"
    );
    let wanted = u64::from(settings.connections()) + 64 + 16 * u64::from(settings.threads);
    let (soft, hard) = rlimit::Resource::NOFILE.get().context("the descriptor limit")?;
    ensure!(
        hard >= wanted,
        "{} connections need {wanted} descriptors but the limit is {hard}: raise it (ulimit -n \
         {wanted})",
        settings.connections()
    );
    if soft < wanted {
        rlimit::Resource::NOFILE.set(wanted, hard).context("the descriptor limit")?;
    }
    Ok(())
}

/// Refuses what a flow cannot be run with.
fn check_flow(settings: &Settings) -> Result<()> {
    if matches!(settings.flow, Flow::Conference { .. }) {
        return check_conference(settings);
    }
    if let Flow::Profile(plan) = settings.flow {
        return check_profile(settings, &plan.profile);
    }
    let (contacts, option, notify) = match settings.flow {
        Flow::Presence { watchers, notify, .. } => (watchers, "--watchers", notify),
        Flow::Idle { contacts, notify } => (contacts, "--contacts", notify),
        _ => return Ok(()),
    };
    let shares = (0..settings.threads).map(|thread| Share::new(settings, thread).count);
    let fewest = shares.filter(|count| *count > 0).min().unwrap_or(0);
    ensure!(
        contacts < fewest,
        "{option} {contacts} needs more users: a thread has only {fewest}, who watch each other"
    );
    let simple = settings.dialect == Dialect::Simple;
    ensure!(
        !simple || notify == Notify::Notify,
        "--notify benotify needs --dialect ms: a SIMPLE client does not know BENOTIFY"
    );
    ensure!(
        contacts == 0 || settings.expires > settings.warmup + settings.duration,
        "--expires must be longer than the run: subscriptions are not renewed"
    );
    Ok(())
}

/// Refuses what a profile cannot be run with.
fn check_profile(settings: &Settings, profile: &Profile) -> Result<()> {
    let simple = settings.dialect == Dialect::Simple;
    ensure!(
        !simple || profile.conferences.is_none() && profile.polls.is_empty(),
        "a SIMPLE client cannot do all of {}",
        profile.name
    );
    // A Lync client's are granted for hours.
    ensure!(
        !simple
            || profile.contacts.is_none()
            || settings.expires > settings.warmup + settings.duration,
        "--expires must be longer than the run: subscriptions are not renewed"
    );
    Ok(())
}

/// Refuses what conferences cannot be run with.
fn check_conference(settings: &Settings) -> Result<()> {
    let Flow::Conference { members, silent, .. } = settings.flow else { return Ok(()) };
    ensure!(
        settings.dialect == Dialect::Ms,
        "conferences need --dialect ms: a SIMPLE client does not know how to make them"
    );
    ensure!(members >= 2, "--members must be at least 2");
    ensure!(
        settings.users.is_multiple_of(members),
        "--users is --members times --conferences and need not be given"
    );
    ensure!(
        silent <= members - 2,
        "--silent {silent} leaves fewer than 2 of {members} members who read"
    );
    Ok(())
}

struct Coordinator {
    clock: Clock,
    control: Arc<Control>,
    gauges: Vec<Arc<Gauge>>,
    handles: Vec<std::thread::JoinHandle<Result<()>>>,
    progress: Progress,
    reports: Receiver<FromThread>,
    started: String,
    meter: Meter,
    /// Reads once a second from before the first user came.
    metering: Running,
    before: Sample,
    settings: Arc<Settings>,
    running: usize,
    total: Stats,
    timeline: Timeline,
    /// The first sign-ins have been looked at.
    judged: bool,
    ending: Ending,
}

impl Coordinator {
    fn start(
        settings: Arc<Settings>,
        tls: Option<Client>,
        link_tls: Option<Client>,
        clock: Clock,
        meter: Meter,
    ) -> Result<Coordinator> {
        let control = Arc::new(Control::default());
        let (sender, reports) = channel();
        // Not from the seed: two runs of the same seed must not share Call-IDs.
        let run = rand::rng().next_u64() >> 16;
        let before = meter.sample(false);
        let metering = meter.start()?;
        let mut gauges = Vec::new();
        let mut handles = Vec::new();
        let shares = (0..settings.threads).map(|thread| Share::new(&settings, thread));
        for share in shares.filter(|share| share.count > 0) {
            let gauge = Arc::new(Gauge::default());
            gauges.push(Arc::clone(&gauge));
            let start = Start {
                clock,
                control: Arc::clone(&control),
                gauge,
                run,
                settings: Arc::clone(&settings),
                share,
                tls: tls.clone(),
                link_tls: link_tls.clone(),
            };
            handles.push(spawn(start, sender.clone())?);
        }
        Ok(Coordinator {
            clock,
            control,
            running: handles.len(),
            gauges,
            handles,
            progress: Progress::new(settings.progress),
            reports,
            started: jiff::Timestamp::now().to_string(),
            meter,
            metering,
            before,
            timeline: Timeline::new(&settings, main_operation(settings.flow), Abort::SECONDS),
            settings,
            total: Stats::default(),
            judged: false,
            ending: Ending::Complete,
        })
    }

    fn conduct(mut self, interrupt: &AtomicBool) -> Result<Report> {
        while !self.all_ready() && self.running > 0 {
            self.look(LOOK_EVERY, interrupt);
            self.show_arrival();
        }
        let signed_in = self.sum(|gauge| &gauge.signed_in);
        let start = lead(self.clock.now());
        let from = start.after(self.settings.warmup);
        let until = from.after(self.settings.duration);
        let window = Window { start, from, until };
        if !self.control.is_stopped() {
            self.control.set_window(window);
        }
        self.wait_until(from, window, interrupt);
        let first = self.meter.sample(true);
        self.wait_until(until, window, interrupt);
        let last = self.meter.sample(true);
        let closed = self.clock.now().min(until);
        while self.running > 0 {
            self.look(LOOK_EVERY, interrupt);
            self.progress.show(1.0, || "ending".to_owned());
        }
        self.progress.clear();
        for handle in std::mem::take(&mut self.handles) {
            let joined = handle.join().map_err(|_| anyhow!("a generator thread panicked"))?;
            joined.context("a generator thread")?;
        }
        self.sum_up(window, closed, signed_in, [first, last])
    }

    /// Takes what the threads report for up to `wait`, and obeys who wants an end.
    fn look(&mut self, wait: Duration, interrupt: &AtomicBool) {
        let until = self.clock.now().after(wait);
        loop {
            match self.reports.recv_timeout(until.since(self.clock.now())) {
                Ok(FromThread::Counts { at, stats }) => {
                    self.total.merge(&stats);
                    self.timeline.add(at.0, &stats);
                }
                Ok(FromThread::Done) => self.running -= 1,
                Err(RecvTimeoutError::Timeout) => break,
                // Every thread is gone, in whatever way: joining will tell.
                Err(RecvTimeoutError::Disconnected) => {
                    self.running = 0;
                    break;
                }
            }
        }
        if interrupt.load(Ordering::Relaxed) {
            self.end(Ending::Interrupted);
        }
        let failed = self.sum(|gauge| &gauge.sign_ins_failed);
        let most = u64::from(self.settings.users).min(REFUSALS_MAX);
        if failed >= most && self.sum(|gauge| &gauge.sign_ins) == 0 {
            self.end(Ending::NoSignIn);
        }
        let settled = failed + self.sum(|gauge| &gauge.sign_ins);
        if settled >= FIRST_SIGN_INS && !std::mem::replace(&mut self.judged, true) {
            let most = settled / 2;
            if failed > most {
                self.end(Ending::FewSignIns);
            }
        }
    }

    fn wait_until(&mut self, moment: Moment, window: Window, interrupt: &AtomicBool) {
        while !self.control.is_stopped() && self.running > 0 {
            let rest = moment.since(self.clock.now());
            if rest.is_zero() {
                return;
            }
            self.look(rest.min(LOOK_EVERY), interrupt);
            self.check_abort();
            self.show_load(window);
        }
    }

    fn end(&mut self, ending: Ending) {
        if !self.control.is_stopped() {
            self.ending = ending;
            self.control.stop();
        }
    }

    fn all_ready(&self) -> bool {
        self.gauges.iter().all(|gauge| gauge.ready.load(Ordering::Relaxed))
    }

    fn sum(&self, value: impl Fn(&Gauge) -> &AtomicU64) -> u64 {
        self.gauges.iter().map(|gauge| value(gauge).load(Ordering::Relaxed)).sum()
    }

    fn check_abort(&mut self) {
        let Some(abort) = &self.settings.abort else { return };
        let (stats, seconds) = self.timeline.recent();
        let main = main_operation(self.settings.flow);
        let recent = Counts { stats: &stats, main, seconds: seconds as f64 };
        if seconds > 0 && abort.holds(&recent) {
            self.end(Ending::Aborted);
        }
    }

    fn show_arrival(&mut self) {
        let (signed_in, failed) =
            (self.sum(|gauge| &gauge.signed_in), self.sum(|gauge| &gauge.sign_ins_failed));
        let users = self.settings.users;
        self.progress.show((signed_in + failed) as f64 / f64::from(users), || {
            format!("signing in: {signed_in} of {users}, {failed} failed")
        });
    }

    fn show_load(&mut self, window: Window) {
        let now = self.clock.now();
        let whole = window.until.since(window.start).as_secs_f64();
        let share = now.since(window.start).as_secs_f64() / whole.max(0.001);
        let outstanding = self.sum(|gauge| &gauge.outstanding);
        let main = main_operation(self.settings.flow);
        let all_failed = self.total.failed();
        let phase = if now < window.from { "warm-up" } else { "measuring" };
        let timeline = &self.timeline;
        self.progress.show(share, || {
            let (recent, seconds) = timeline.recent();
            let (tally, failed) = (recent.tally(main), recent.failed());
            let rate = tally.map_or(0, |tally| tally.succeeded) as f64 / seconds.max(1) as f64;
            let mut text = format!("{phase}: {rate:.0}/s");
            if let Some(latency) = tally.and_then(|tally| Latency::of(&tally.latency)) {
                text += &format!(", p50 {:.2} p99 {:.2} ms", latency.p50, latency.p99);
            }
            text + &format!(", {outstanding} waiting, {failed} failing, {all_failed} failed")
        });
    }

    fn sum_up(
        self,
        window: Window,
        closed: Moment,
        signed_in: u64,
        [first, last]: [Sample; 2],
    ) -> Result<Report> {
        let samples = self.metering.finish()?;
        let within = |sample: &&Sample| sample.at >= first.at && sample.at <= last.at;
        let during = samples.iter().filter(within).cloned().collect();
        let measured = Measured {
            started: self.started,
            ending: self.ending,
            window: closed.since(window.from),
            signed_in,
            ends: [self.before, first, last],
            during,
            timeline_step_s: self.timeline.step_s(),
            timeline: self.timeline.finish(window.from.0, &samples),
        };
        Ok(Report::new(&self.settings, &self.total, measured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::StateKind;
    use std::net::{Ipv4Addr, SocketAddr};

    fn refusal(dialect: Dialect, notify: Notify, watchers: u32, expires: u64) -> Option<String> {
        let flow = Flow::Presence { watchers, notify, state: StateKind::Machine };
        let settings = Settings {
            dialect,
            flow,
            users: 10,
            threads: 2,
            expires: Duration::from_secs(expires),
            ..Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)))
        };
        check(&settings).err().map(|error| error.to_string())
    }

    #[test]
    fn what_presence_cannot_be_run_with_is_named() {
        let benotify = Notify::Benotify;
        assert_eq!(refusal(Dialect::Ms, benotify, 3, 60), None);
        assert_eq!(refusal(Dialect::Simple, Notify::Notify, 3, 60), None);
        let few = refusal(Dialect::Ms, benotify, 4, 60).unwrap();
        assert!(few.starts_with("--watchers 4 needs more users: a thread has only 4"), "{few}");
        let unknown = refusal(Dialect::Simple, benotify, 3, 60).unwrap();
        assert!(unknown.starts_with("--notify benotify needs --dialect ms"), "{unknown}");
        let short = refusal(Dialect::Ms, benotify, 3, 1).unwrap();
        assert!(short.starts_with("--expires must be longer than the run"), "{short}");
    }
}
