//! From settings to a running server: checks, sockets, certificates, executors, ready file. All
//! that can fail fails here, before anything is accepted, with one line that says what to do.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{Instant, timeout_at};

use super::account_desk::AccountDesk;
use super::checks::{self, CheckError};
use super::control::{Control, ServeError, Service, Signals};
use super::copies;
use super::core_loop::{Berth, CorePlan, Event, Seat};
use super::ledger::Ledger;
use super::links;
use super::logging::LogFilter;
use super::mesh::Mesh;
use super::orders::{Cores, Order};
use super::ready::Ready;
use super::reload::standing;
use super::watchdog::{Pulses, Watchdog};
use crate::base::ids::ShardId;
use crate::config::Settings;
use crate::ldap::Board;
use crate::net::certs::{CertificateError, Certificates, Offers};
use crate::net::clock::Clock;
use crate::net::door::Door;
use crate::net::inherited::{self, InheritError, Inherited};
use crate::net::listener::{self, BindError};
use crate::net::log_limit::LogLimit;
use crate::shard::Machine;

/// Time between two looks at the certificate files.
pub const CERTIFICATE_LOOK: Duration = Duration::from_secs(2);
/// For executors to run, however busy the machine is.
const START_TIME: Duration = Duration::from_secs(60);
/// For one to run its first task, before another is started in its place.
const FIRST_TASK_TIME: Duration = Duration::from_secs(1);
/// For machines to be made, which may read what is kept of a million users.
const MAKE_TIME: Duration = Duration::from_secs(600);
/// Days before its end at which a certificate is worth a warning.
pub(super) const EXPIRY_WARNING_DAYS: i64 = 14;

/// What a server is started with.
pub struct Plan {
    /// The settings.
    pub settings: Settings,
    /// Where records go. The caller closes it after the server has ended.
    pub ledger: Arc<dyn Ledger>,
    /// Where it stands how the users of the directory service are.
    pub ldap: Board,
    /// The accounts of users.
    pub accounts: AccountDesk,
    /// Written once all listeners are up.
    pub ready_file: Option<PathBuf>,
    /// Makes the API of a socket, if one is configured.
    pub api: Option<MakeApi>,
    /// Time a core looks for work before it sleeps; 0 but on machines that do nothing else.
    pub spin: Duration,
    /// Time between two looks at the certificate files: [`CERTIFICATE_LOOK`] but in tests.
    pub certificate_look: Duration,
    /// What runs on the control thread beside it.
    pub services: Vec<Service>,
    /// Reads the settings again, for SIGHUP.
    pub reread: Option<Reread>,
}

/// Makes the service that serves the API on a socket.
pub type MakeApi = Box<dyn FnOnce(TcpListener) -> Service + Send>;

/// Reads the settings again; an error is one line.
pub type Reread = Box<dyn FnMut() -> Result<Settings, String> + Send>;

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system does not allow it.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// An address is taken, or not ours.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// A socket that was passed on cannot be used.
    #[error(transparent)]
    Inherit(#[from] InheritError),
    /// A certificate cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// There is nothing to listen on.
    #[error("no listener is configured: set listen.tls or listen.tcp")]
    NoListener,
    /// A name of `links.names` can stand in no certificate.
    #[error("links.names: {0} is no name of a host")]
    LinkName(String),
    /// More executors than a shard number counts.
    #[error("{0} cores are more than there can be")]
    Cores(usize),
    /// A thread cannot be started.
    #[error("a thread cannot be started: {0}")]
    Thread(io::Error),
    /// A core ended before it accepted anything.
    #[error("core {0} cannot start: {1}")]
    Core(ShardId, String),
    /// The ready file cannot be written.
    #[error("cannot write {path}: {source}")]
    Ready {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A server whose listeners are up.
pub struct Server {
    ready: Ready,
    control: Control,
    /// That of the control thread.
    runtime: Runtime,
    /// What it hears from before anybody is told that the server is ready.
    signals: Signals,
}

impl Server {
    /// Where it listens.
    pub fn ready(&self) -> Ready {
        self.ready
    }

    /// The cores, for orders from other threads.
    pub fn cores(&self) -> Cores {
        self.control.cores.clone()
    }

    /// Makes the caller's thread the control thread: runs until SIGTERM or SIGINT, or until `stop`
    /// resolves; then drains. `log` is what a reload changes.
    pub fn run(
        self,
        log: Option<LogFilter>,
        stop: impl Future<Output = ()> + 'static,
    ) -> Result<(), ServeError> {
        let Server { control, runtime, signals, .. } = self;
        LocalSet::new().block_on(&runtime, control.serve(signals, log, stop))
    }
}

/// Starts a server. `make` makes the machine of each core, on that core's thread, or says in one
/// line why it cannot; nothing is accepted before all are made.
pub fn start<M, F>(plan: Plan, make: F) -> Result<Server, StartError>
where
    M: Machine + 'static,
    F: Fn(Seat) -> Result<M, String> + Send + Sync + 'static,
{
    let Plan { settings, ledger, ldap, accounts, ready_file, .. } = plan;
    let Plan { spin, certificate_look, mut services, reread, .. } = plan;
    let cpus = choose_cpus(checks::cpus()?, settings.cores);
    checks::check(cpus.len())?;
    let shards = u16::try_from(cpus.len()).map_err(|_| StartError::Cores(cpus.len()))?;

    let listen = settings.listen;
    if listen.tls.is_none() && listen.tcp.is_none() {
        return Err(StartError::NoListener);
    }
    let mut inherited = Inherited::from_env()?;
    let mut tls = Sockets::open("tls", listen.tls, shards, &mut inherited)?;
    let mut tcp = Sockets::open("tcp", listen.tcp, shards, &mut inherited)?;
    let links = Sockets::open("links", listen.links, 1, &mut inherited)?;
    let http = Sockets::open("http", listen.http, 1, &mut inherited)?;
    let api = Sockets::open("api", settings.api.listen, 1, &mut inherited)?;
    inherited.all_taken()?;
    for (name, pages) in [("http", &http), ("api", &api)] {
        if pages.sockets.iter().flatten().count() > 1 {
            return Err(InheritError::Several(name).into());
        }
    }
    let port = tls.address.or(tcp.address).map_or(0, |address| address.port());
    let mut certificates = None;
    let mut offers = Offers::default();
    if listen.tls.is_some() || listen.links.is_some() || settings.api.needs_tls() {
        let links_ca = listen.links.is_some().then_some(settings.links.ca.as_path());
        let mut read = Certificates::new(&settings.certificates, links_ca)?;
        offers = read.load()?;
        for warning in read.warnings(EXPIRY_WARNING_DAYS) {
            tracing::warn!("{warning}");
        }
        certificates = Some(read);
    }

    let link_names = link_names(&settings.links.names)?;
    let limits = Arc::new(settings.limits.clone());
    let mesh = Mesh::new(shards, &limits);
    let cores = Cores::new(mesh.clone());
    let pulses = Pulses::new(shards);
    let clock = Clock::start();
    let log = LogLimit::default();
    let (events, mut heard) = unbounded_channel();
    let make = Arc::new(make);
    let mut berths = Vec::with_capacity(cpus.len());
    let mut threads = Vec::with_capacity(cpus.len());
    for (shard, cpu) in (0..shards).map(ShardId).zip(&cpus) {
        let tls = tls.next().into_iter().map(|socket| (Door::Tls, socket));
        let tcp = tcp.next().into_iter().map(|socket| (Door::Tcp, socket));
        let plan = CorePlan {
            shard,
            cpu: *cpu,
            spin,
            port,
            listeners: tls.chain(tcp).collect(),
            offers: offers.clone(),
            link_names: link_names.clone(),
            exempt: settings.exempt.clone(),
            limits: limits.clone(),
            clock,
            log: log.clone(),
            mesh: mesh.clone(),
            cores: cores.clone(),
            ledger: ledger.clone(),
            pulses: pulses.clone(),
            events: events.clone(),
        };
        berths.push(Berth::new(plan));
    }
    drop(events);
    let mut start = |shard: ShardId| {
        let Some(berth) = berths.get(usize::from(shard.0)) else { return Ok(()) };
        let make = make.clone();
        threads.push(berth.spawn(move |seat| make(seat))?);
        Ok(())
    };
    if let Err(error) = wait_started(&mut heard, shards, FIRST_TASK_TIME, &mut start) {
        cores.order_all(|| Order::Stop);
        return Err(error);
    }
    // Others than those that run sleep for good, or end as soon as they see it.
    threads
        .retain(|thread| berths.iter().any(|berth| berth.runner() == Some(thread.thread().id())));
    drop(berths);

    services.extend(links.sockets.into_iter().flatten().map(links::deal));
    let served = api.sockets.into_iter().flatten().zip(plan.api);
    services.extend(served.map(|(socket, make)| make(socket)));
    services.extend(copies::send(&settings.hep));
    let ready = Ready {
        pid: std::process::id(),
        tls: tls.address,
        tcp: tcp.address,
        http: http.address,
        links: links.address,
        api: api.address,
    };
    let told = listen_to_signals().map_err(StartError::Thread).and_then(|ears| {
        if let Some(path) = ready_file {
            ready.write(&path).map_err(|source| StartError::Ready { path, source })?;
        }
        Ok(ears)
    });
    let (runtime, signals) = match told {
        Ok(ears) => ears,
        Err(error) => {
            cores.order_all(|| Order::Stop);
            return Err(error);
        }
    };
    let Ready { tls, tcp, http: pages, links, api, .. } = ready;
    tracing::info!(cores = shards, ?tls, ?tcp, http = ?pages, ?links, ?api, "ready");
    let watchdog = Watchdog::start(pulses.clone(), mesh).map_err(StartError::Thread)?;
    let in_force = watch::Sender::new(Arc::new(settings.clone()));
    let shown = watch::Sender::new(certificates.as_ref().map(standing).unwrap_or_default());
    let control = Control {
        shown,
        settings,
        in_force,
        cores,
        events: heard,
        threads,
        certificates,
        tls: watch::Sender::new(offers.clients),
        certificate_look,
        pulses,
        watchdog,
        http: http.sockets.into_iter().flatten().next(),
        ledger,
        ldap,
        accounts,
        services,
        reread,
        leaving: None,
    };
    Ok(Server { ready, control, runtime, signals })
}

/// The runtime of the control thread, and the signals that it hears from now on.
fn listen_to_signals() -> io::Result<(Runtime, Signals)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _entered = runtime.enter();
        Signals::new()?
    };
    Ok((runtime, signals))
}

/// The servers that may open links, as certificates name them.
pub(super) fn link_names(names: &[String]) -> Result<Arc<[ServerName<'static>]>, StartError> {
    let read = |name: &String| {
        ServerName::try_from(name.clone()).map_err(|_| StartError::LinkName(name.clone()))
    };
    names.iter().map(read).collect()
}

/// A CPU for each core: all that may be used, or as many as were asked for. Asked for more than
/// there are, cores share CPUs: it works, and is of use only in tests.
fn choose_cpus(usable: Vec<usize>, wanted: Option<usize>) -> Vec<usize> {
    let Some(wanted) = wanted else {
        // A quota below the number of CPUs makes more executors only wait for each other.
        let quota = std::thread::available_parallelism().map_or(usable.len(), usize::from);
        return usable.into_iter().take(quota.max(1)).collect();
    };
    if wanted > usable.len() {
        tracing::warn!(wanted, usable = usable.len(), "fewer CPUs may be used than cores are set");
    }
    usable.iter().copied().cycle().take(wanted.max(1)).collect()
}

/// Sockets on one address, by core.
struct Sockets {
    address: Option<SocketAddr>,
    sockets: Vec<Vec<TcpListener>>,
}

impl Sockets {
    /// Those that were passed on for the listener `name`, or new ones.
    fn open(
        name: &str,
        address: Option<SocketAddr>,
        cores: u16,
        inherited: &mut Inherited,
    ) -> Result<Self, StartError> {
        let Some(address) = address else {
            return Ok(Sockets { address: None, sockets: Vec::new() });
        };
        let passed_on = inherited.take(name, address);
        let sockets = match passed_on.is_empty() {
            true => listener::bind(address, cores)?.into_iter().map(|one| vec![one]).collect(),
            false => {
                inherited::deal(passed_on, cores).map_err(|source| BindError { address, source })?
            }
        };
        let first = sockets.iter().flatten().next();
        let bound = first.and_then(|socket| socket.local_addr().ok());
        Ok(Sockets { address: bound, sockets })
    }

    fn next(&mut self) -> Vec<TcpListener> {
        self.sockets.pop().unwrap_or_default()
    }
}

/// Has `start` start an executor for each core, and another for one that does not run its first task
/// within `first_task_time`; until all have started.
fn wait_started(
    heard: &mut UnboundedReceiver<Event>,
    shards: u16,
    first_task_time: Duration,
    start: &mut dyn FnMut(ShardId) -> io::Result<()>,
) -> Result<(), StartError> {
    let runtime =
        Builder::new_current_thread().enable_time().build().map_err(StartError::Thread)?;
    let mut asleep: BTreeSet<ShardId> = (0..shards).map(ShardId).collect();
    let mut waiting = asleep.clone();
    asleep.iter().copied().try_for_each(&mut *start).map_err(StartError::Thread)?;
    runtime.block_on(async {
        let began = Instant::now();
        let mut look = began + first_task_time;
        while let Some(first) = waiting.first().copied() {
            let until = if asleep.is_empty() { began + MAKE_TIME } else { look };
            match timeout_at(until, heard.recv()).await {
                Ok(Some(Event::Awake(shard))) => {
                    asleep.remove(&shard);
                }
                Ok(Some(Event::Started(shard))) => {
                    waiting.remove(&shard);
                }
                Ok(Some(Event::Idle(..) | Event::Drained(_) | Event::Left(_))) => {}
                Ok(Some(Event::Ended(shard, result))) => {
                    let reason = result.err().unwrap_or_else(|| "it ended".to_owned());
                    return Err(StartError::Core(shard, reason));
                }
                Ok(None) => return Err(StartError::Core(first, "it ended".to_owned())),
                Err(_) if !asleep.is_empty() && began.elapsed() < START_TIME => {
                    for shard in &asleep {
                        tracing::warn!(core = %shard, "executor does not run, starting another");
                        start(*shard).map_err(StartError::Thread)?;
                    }
                    look = Instant::now() + first_task_time;
                }
                Err(_) => {
                    let late = asleep.first().copied().unwrap_or(first);
                    return Err(StartError::Core(late, "it takes too long".to_owned()));
                }
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those of which nothing is heard are started again, and those that run are not.
    #[test]
    fn an_executor_that_does_not_run_its_first_task_is_replaced() {
        let (events, mut heard) = unbounded_channel();
        let mut tries = Vec::new();
        let mut start = |shard: ShardId| {
            tries.push(shard.0);
            let runs = shard.0 != 1 || tries.iter().filter(|number| **number == 1).count() == 3;
            if runs {
                events.send(Event::Awake(shard)).unwrap();
                events.send(Event::Started(shard)).unwrap();
            }
            Ok(())
        };
        wait_started(&mut heard, 3, Duration::from_millis(1), &mut start).unwrap();
        assert_eq!(tries, [0, 1, 2, 1, 1]);
    }

    #[test]
    fn cores_take_usable_cpus_in_order_and_share_only_when_told() {
        assert_eq!(choose_cpus(vec![2, 5, 7], Some(2)), [2, 5]);
        assert_eq!(choose_cpus(vec![3], Some(2)), [3, 3]);
        assert_eq!(choose_cpus(vec![3], Some(0)), [3]);
        assert!(!choose_cpus(vec![0, 1], None).is_empty());
    }
}
