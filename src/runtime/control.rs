//! The control thread: signals, certificates, services such as HTTP, and the end of the server.
//! Nothing on it is on the way of a message.

use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout, timeout_at};

use super::boot::{EXPIRY_WARNING_DAYS, Reread};
use super::census::Census;
use super::core_loop::Event;
use super::ledger::Ledger;
use super::logging::LogFilter;
use super::orders::{Cores, Order};
use super::watchdog::{Pulses, Watchdog};
use crate::admin;
use crate::base::ids::ShardId;
use crate::config::{Setting, Settings, changes};
use crate::ldap::Board;
use crate::net::certs::Certificates;

/// Between two looks at the dates of the certificates.
const EXPIRY_LOOK: Duration = Duration::from_secs(24 * 3600);
/// For executors to end once told to.
const STOP_TIME: Duration = Duration::from_secs(3);
/// For pages in progress when the server is gone.
const HTTP_END_TIME: Duration = Duration::from_secs(1);

/// Something that runs on the control thread as long as the server does.
pub type Service = Box<dyn FnOnce(Desk) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// What a service works with.
#[derive(Clone)]
pub struct Desk {
    /// The cores.
    pub cores: Cores,
    /// Their counters.
    pub census: Census,
    /// Becomes true when the server goes down.
    pub draining: watch::Receiver<bool>,
}

/// The server went down other than it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The executor of a core ended.
    #[error("core {0} is lost: {1}")]
    CoreLost(ShardId, String),
    /// The control thread cannot work.
    #[error("the control thread cannot work: {0}")]
    Control(#[from] std::io::Error),
}

/// A running server, seen from the control thread.
pub struct Control {
    pub(super) settings: Settings,
    pub(super) cores: Cores,
    pub(super) events: UnboundedReceiver<Event>,
    pub(super) threads: Vec<JoinHandle<()>>,
    pub(super) certificates: Option<Certificates>,
    pub(super) certificate_look: Duration,
    pub(super) pulses: Arc<Pulses>,
    pub(super) watchdog: Watchdog,
    pub(super) http: Option<TcpListener>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) ldap: Board,
    pub(super) services: Vec<Service>,
    pub(super) reread: Option<Reread>,
}

/// What may end or change the server.
enum Word {
    Down(&'static str),
    Reload,
    LookAtCertificates,
    LookAtDates,
    Core(Event),
}

impl Control {
    /// Runs until SIGTERM or SIGINT, or until `stop` resolves; then drains. `log` is what a
    /// reload changes.
    pub fn run(
        self,
        log: Option<LogFilter>,
        stop: impl Future<Output = ()> + 'static,
    ) -> Result<(), ServeError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, self.serve(log, stop))
    }

    async fn serve(
        mut self,
        log: Option<LogFilter>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let mut signals = Signals::new()?;
        let (draining, is_draining) = watch::channel(false);
        let desk = Desk {
            cores: self.cores.clone(),
            census: Census::new(
                self.cores.clone(),
                self.pulses.clone(),
                self.ledger.clone(),
                self.ldap.clone(),
                is_draining.clone(),
                &self.settings.limits,
            ),
            draining: is_draining,
        };
        let (end, http) = self.serve_http(&desk)?;
        for service in self.services.drain(..) {
            tokio::task::spawn_local(service(desk.clone()));
        }
        drop(desk);

        let mut certificates = interval(self.certificate_look);
        let mut dates = interval(EXPIRY_LOOK);
        // Said at start already.
        dates.reset();
        certificates.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stop = std::pin::pin!(stop);
        loop {
            let word = tokio::select! {
                word = signals.next() => word,
                () = &mut stop => Word::Down("asked to"),
                _ = certificates.tick() => Word::LookAtCertificates,
                _ = dates.tick() => Word::LookAtDates,
                event = self.events.recv() => match event {
                    Some(event) => Word::Core(event),
                    None => Word::Down("no core is left"),
                },
            };
            match word {
                Word::Down(why) => {
                    tracing::info!(why, "going down");
                    draining.send_replace(true);
                    self.drain(&mut signals).await;
                    drop(end);
                    if let Some(http) = http {
                        // A page that is still asked for is not worth more than this.
                        let _ = timeout(HTTP_END_TIME, http).await;
                    }
                    return Ok(());
                }
                Word::Reload => self.reload(log.as_ref()),
                Word::LookAtCertificates => {
                    if self.certificates.as_mut().is_some_and(Certificates::changed) {
                        self.reload_certificates();
                    }
                }
                Word::LookAtDates => self.warn_of_dates(),
                Word::Core(Event::Ended(core, result)) => {
                    let reason = result.err().unwrap_or_else(|| "it ended".to_owned());
                    tracing::error!(%core, reason, "core is lost");
                    return Err(ServeError::CoreLost(core, reason));
                }
                Word::Core(Event::Awake(_) | Event::Started(_) | Event::Drained(_)) => {}
            }
        }
    }

    /// Starts the pages; dropping the sender ends them.
    fn serve_http(
        &mut self,
        desk: &Desk,
    ) -> std::io::Result<(oneshot::Sender<()>, Option<tokio::task::JoinHandle<()>>)> {
        let (end, ended) = oneshot::channel();
        let Some(socket) = self.http.take() else { return Ok((end, None)) };
        socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let census = Arc::new(desk.census.clone());
        let settings = self.settings.clone();
        let task = tokio::task::spawn_local(async move {
            let ended = async { drop(ended.await) };
            if let Err(error) = admin::serve(socket, census, &settings, ended).await {
                tracing::error!(%error, "HTTP has ended");
            }
        });
        Ok((end, Some(task)))
    }

    fn reload(&mut self, log: Option<&LogFilter>) {
        if let Some(reread) = &mut self.reread {
            match reread() {
                Ok(wanted) => self.apply(wanted, log),
                Err(error) => tracing::error!("not reloaded: {error}"),
            }
        }
        self.reload_certificates();
    }

    fn apply(&mut self, wanted: Settings, log: Option<&LogFilter>) {
        for setting in changes(&self.settings, &wanted) {
            match setting {
                Setting::LogFilter => match log.map(|log| log.set(&wanted.log.filter)) {
                    Some(Err(error)) => tracing::error!("not reloaded: {error}"),
                    _ => self.settings.log.filter.clone_from(&wanted.log.filter),
                },
                Setting::Certificates => self.use_certificates(&wanted),
                other => tracing::warn!(
                    "{}.{} has changed: it takes effect at the next start",
                    other.section(),
                    other.key()
                ),
            }
        }
    }

    fn use_certificates(&mut self, wanted: &Settings) {
        let Some(current) = &mut self.certificates else { return };
        if let Err(error) = current.replace(&wanted.certificates) {
            tracing::error!("certificates not reloaded: {error}");
        } else {
            self.settings.certificates.clone_from(&wanted.certificates);
        }
    }

    /// Reads the certificates again. What cannot be used changes nothing.
    fn reload_certificates(&mut self) {
        let Some(certificates) = &mut self.certificates else { return };
        match certificates.load() {
            Ok(offers) => {
                self.cores.order_all(|| Order::Offer(offers.clone()));
                tracing::info!("certificates reloaded");
                self.warn_of_dates();
            }
            Err(error) => tracing::error!("certificates not reloaded, the old stay: {error}"),
        }
    }

    fn warn_of_dates(&self) {
        for warning in self.certificates.iter().flat_map(|read| read.warnings(EXPIRY_WARNING_DAYS))
        {
            tracing::warn!("{warning}");
        }
    }

    /// Brings the cores to their end: connections closed, records handed over, executors gone.
    /// A second signal cuts it short.
    async fn drain(mut self, signals: &mut Signals) {
        let shards = usize::from(self.cores.shards());
        self.cores.order_all(|| Order::Drain);
        let until = Instant::now() + self.settings.limits.drain_timeout;
        let mut drained = 0;
        let mut ended = 0;
        while drained + ended < shards {
            let event = tokio::select! {
                event = timeout_at(until, self.events.recv()) => event,
                word = signals.next() => match word {
                    Word::Down(_) => break,
                    _ => continue,
                },
            };
            match event {
                Ok(Some(Event::Drained(_))) => drained += 1,
                Ok(Some(Event::Ended(..))) => ended += 1,
                Ok(Some(Event::Awake(_) | Event::Started(_))) => {}
                Ok(None) => break,
                Err(_) => {
                    tracing::warn!(drained, cores = shards, "drain window is over");
                    break;
                }
            }
        }
        self.cores.order_all(|| Order::Stop);
        let until = Instant::now() + STOP_TIME;
        while ended < shards
            && let Ok(Some(event)) = timeout_at(until, self.events.recv()).await
        {
            if matches!(event, Event::Ended(..)) {
                ended += 1;
            }
        }
        drop(self.watchdog);
        for thread in self.threads {
            if thread.is_finished() || ended == shards {
                // What it had to tell came as an event.
                let _ = thread.join();
            } else {
                tracing::error!(thread = thread.thread().name(), "core did not end");
            }
        }
    }
}

/// Signals the server answers to.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Word {
        tokio::select! {
            _ = self.terminate.recv() => Word::Down("SIGTERM"),
            _ = self.interrupt.recv() => Word::Down("SIGINT"),
            _ = self.hang_up.recv() => Word::Reload,
        }
    }
}
