//! The control thread: signals, certificates, services such as HTTP, and the end of the server.
//! Nothing on it is on the way of a message.

use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::account_desk::AccountDesk;
use super::boot::Reread;
use super::census::{Census, Standing};
use super::core_loop::Event;
use super::drain::Leaving;
use super::ledger::Ledger;
use super::logging::LogFilter;
use super::orders::Cores;
use super::watchdog::{Pulses, Watchdog};
use crate::admin;
use crate::admin::certificates::CertificatesStanding;
use crate::admin::operation::{Operated, Operation};
use crate::base::ids::ShardId;
use crate::config::Settings;
use crate::ldap::Board;
use crate::net::certs::Certificates;

/// Between two looks at the dates of the certificates.
const EXPIRY_LOOK: Duration = Duration::from_secs(24 * 3600);
/// For pages in progress when the server is gone.
const HTTP_END_TIME: Duration = Duration::from_secs(1);
/// Operations that wait for their turn; the pages have no more connections.
const OPERATIONS_MAX: usize = 64;

/// An operation, and where its outcome goes.
pub type Operate = (Operation, oneshot::Sender<Operated>);

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
    /// The settings in force; new ones with each reload.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What TLS listeners offer clients now.
    pub tls: watch::Receiver<Option<Arc<ServerConfig>>>,
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
    /// What the pages tell of them.
    pub(super) shown: watch::Sender<CertificatesStanding>,
    /// What was read of them last, for listeners off the cores.
    pub(super) tls: watch::Sender<Option<Arc<ServerConfig>>>,
    pub(super) certificate_look: Duration,
    pub(super) pulses: Arc<Pulses>,
    pub(super) watchdog: Watchdog,
    pub(super) http: Option<TcpListener>,
    pub(super) ledger: Arc<dyn Ledger>,
    pub(super) ldap: Board,
    pub(super) accounts: AccountDesk,
    pub(super) services: Vec<Service>,
    pub(super) reread: Option<Reread>,
    /// Where the settings in force are told.
    pub(super) in_force: watch::Sender<Arc<Settings>>,
    /// Set while a drain is under way.
    pub(super) leaving: Option<Leaving>,
}

/// What may end or change the server.
pub(super) enum Word {
    Down(&'static str),
    Operate(Operate),
    Reload,
    LookAtCertificates,
    LookAtDates,
    Core(Event),
}

impl Control {
    /// Runs until a signal to end, or until `stop` resolves; then drains. `log` is what a reload
    /// changes.
    pub(super) async fn serve(
        mut self,
        mut signals: Signals,
        log: Option<LogFilter>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), ServeError> {
        let (draining, is_draining) = watch::channel(false);
        let (leave, is_leaving) = watch::channel(None);
        // Kept, so that the other end never closes.
        let (operate, mut operations) = mpsc::channel(OPERATIONS_MAX);
        let desk = Desk {
            cores: self.cores.clone(),
            census: Census::new(
                self.cores.clone(),
                self.pulses.clone(),
                self.ledger.clone(),
                self.ldap.clone(),
                Standing {
                    draining: is_draining.clone(),
                    leave: is_leaving,
                    operate: operate.clone(),
                    settings: self.in_force.subscribe(),
                    certificates: self.shown.subscribe(),
                },
                self.accounts.clone(),
            ),
            draining: is_draining,
            settings: self.in_force.subscribe(),
            tls: self.tls.subscribe(),
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
        let why = loop {
            let word = tokio::select! {
                word = signals.next() => word,
                () = &mut stop => Word::Down("asked to"),
                () = Self::left(*leave.borrow()) => Word::Down("drained"),
                Some(operation) = operations.recv() => Word::Operate(operation),
                _ = certificates.tick() => Word::LookAtCertificates,
                _ = dates.tick() => Word::LookAtDates,
                event = self.events.recv() => match event {
                    Some(event) => Word::Core(event),
                    None => Word::Down("no core is left"),
                },
            };
            match word {
                Word::Down(why) => break why,
                Word::Operate((Operation::Drain { over, stay, to }, reply)) => {
                    let report = self.leave(over, stay, to);
                    leave.send_replace(self.leaving.as_ref().map(|leaving| leaving.leave));
                    // Nobody waits any more if this fails.
                    let _ = reply.send(Operated::Draining(report));
                }
                Word::Operate((Operation::Reload { dry_run }, reply)) => {
                    let outcome = match self.reload(log.as_ref(), dry_run).await {
                        Ok(report) => Operated::Reloaded(report),
                        Err(error) => {
                            tracing::error!("not reloaded, nothing has changed: {error}");
                            Operated::Refused(error)
                        }
                    };
                    let _ = reply.send(outcome);
                }
                Word::Reload => {
                    if let Err(error) = self.reload(log.as_ref(), false).await {
                        tracing::error!("not reloaded, nothing has changed: {error}");
                    }
                }
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
                Word::Core(Event::Left(core)) => {
                    if self.has_left(core) {
                        break "drained";
                    }
                }
                Word::Core(
                    Event::Awake(_) | Event::Started(_) | Event::Idle(..) | Event::Drained(_),
                ) => {}
            }
        };
        tracing::info!(why, "going down");
        draining.send_replace(true);
        self.drain(&mut signals).await;
        drop(end);
        if let Some(http) = http {
            // A page that is still asked for is not worth more than this.
            let _ = timeout(HTTP_END_TIME, http).await;
        }
        Ok(())
    }

    /// Starts the pages; dropping the sender ends them.
    fn serve_http(
        &mut self,
        desk: &Desk,
    ) -> std::io::Result<(watch::Sender<bool>, Option<tokio::task::JoinHandle<()>>)> {
        let (end, ending) = watch::channel(false);
        let Some(socket) = self.http.take() else { return Ok((end, None)) };
        socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpListener::from_std(socket)?;
        let census = Arc::new(desk.census.clone());
        let settings = self.settings.clone();
        let task = tokio::task::spawn_local(async move {
            if let Err(error) = admin::serve(socket, census, &settings, ending).await {
                tracing::error!(%error, "HTTP has ended");
            }
        });
        Ok((end, Some(task)))
    }
}

/// Signals the server answers to.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    /// From now on they do not end the process any more. Belongs to the runtime that is entered.
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Word {
        tokio::select! {
            _ = self.terminate.recv() => Word::Down("SIGTERM"),
            _ = self.interrupt.recv() => Word::Down("SIGINT"),
            _ = self.hang_up.recv() => Word::Reload,
        }
    }
}
