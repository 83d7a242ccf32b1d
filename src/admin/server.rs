//! The pages and where they come from.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::accounts::Accounts;
use super::certificates::CertificatesStanding;
use super::conferences;
use super::console;
use super::console::forms::FormTokens;
use super::console::history::{History, Recent};
use super::diagnosis;
use super::health::Health;
use super::limit_hits::Elsewhere;
use super::listener::{End, Listener, ended};
use super::operation::{Operated, Operation};
use super::operations;
use super::page::{CONTENT_TYPE, Page};
use super::process::Process;
use super::questions::{self, Ends};
use super::trace::{self, TRACES_MAX, Trace};
use crate::base::ids::ShardId;
use crate::config::Settings;
use crate::dialect::ms::custom_states;
use crate::metrics::api::ApiCounters;
use crate::metrics::counters::Counters;
use crate::metrics::ldap::LdapCounters;
use crate::metrics::store::StoreCounters;
use crate::shard::overheard::Subject;
use crate::shard::question::{Answer, Question};

/// Where the pages get their facts; the runtime implements it.
pub trait Sources: Send + Sync + 'static {
    /// What accounts are in.
    type Accounts: Accounts;

    /// The accounts of users.
    fn accounts(&self) -> &Self::Accounts;

    /// The counters of every shard that answers in time, in the order of their numbers. Waiting
    /// is bounded by `admin_answer_timeout` in any case; then the page goes without shards, so a
    /// source that leaves out a stuck core by itself tells more.
    fn counters(&self) -> impl Future<Output = Vec<(ShardId, Counters)>> + Send;

    /// What the shard or the shards that a question is for answer; `None` when one cannot be asked.
    /// Waiting is bounded by
    /// `admin_answer_timeout`.
    fn ask(&self, question: Question) -> impl Future<Output = Option<Answer>> + Send;

    /// Lets the cores tell what they hear of `subject`, until what tells it is dropped.
    fn listen(&self, subject: Subject) -> Trace;

    /// Copies for the collector that were sent, and that were lost.
    fn copies(&self) -> (u64, u64);

    /// Log lines that nobody read in time and were lost.
    fn log_lines_lost(&self) -> u64;

    /// The store's counters as they stand.
    fn store(&self) -> StoreCounters;

    /// The counters of the directory service as they stand.
    fn ldap(&self) -> LdapCounters;

    /// The counters of the API as they stand; all 0 where there is none.
    fn api(&self) -> ApiCounters;

    /// The certificates in force.
    fn certificates(&self) -> CertificatesStanding;

    /// What keeps the server from its work as it stands; does not wait.
    fn health(&self) -> Health;

    /// The settings in force; does not wait.
    fn settings(&self) -> Arc<Settings>;

    /// Has an operation carried out; `None` when it cannot be now.
    fn operate(&self, operation: Operation) -> impl Future<Output = Option<Operated>> + Send;
}

/// Serves the pages on `socket` until `ending` is true or its sender is gone; then connections in
/// progress are finished, each within `admin_connection_time_max`. Runs on tokio with its clock and
/// reactor enabled.
pub async fn serve<S: Sources>(
    socket: TcpListener,
    sources: Arc<S>,
    settings: &Settings,
    ending: watch::Receiver<bool>,
) -> io::Result<()> {
    let limits = &settings.limits;
    let refused = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&refused);
    let count = Box::new(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let age = End::Age(limits.admin_connection_time_max);
    let connections_max = limits.admin_connections_max;
    let listener = Listener::new(socket, None, connections_max, age, count, ending.clone());
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let admin = Arc::new(Admin {
        sources,
        answer_timeout: limits.admin_answer_timeout,
        start_unix_s: start.as_secs_f64(),
        connections_refused: refused,
        traces: Arc::new(Semaphore::new(TRACES_MAX)),
        domain: settings.domains.first().cloned().unwrap_or_default(),
        history: History::default(),
        forms: FormTokens::random(),
    });
    let router = Router::new()
        .route("/metrics", get(metrics::<S>))
        .route("/healthz", get(healthz::<S>))
        .route("/custom-states/{file}", get(states::<S>))
        .merge(questions::router())
        .merge(conferences::router())
        .merge(trace::router())
        .merge(diagnosis::router())
        .merge(operations::router())
        .merge(console::router())
        .with_state(Arc::clone(&admin));
    let service = router.into_make_service_with_connect_info::<Ends>();
    tokio::select! {
        served = axum::serve(listener, service).with_graceful_shutdown(ended(ending)) => served,
        () = admin.history.keep(&*admin.sources, admin.answer_timeout) => Ok(()),
    }
}

/// What the pages are made from.
pub struct Admin<S> {
    pub(super) sources: Arc<S>,
    pub(super) answer_timeout: Duration,
    start_unix_s: f64,
    connections_refused: Arc<AtomicU64>,
    /// What the console tells of the past.
    pub(super) history: History,
    /// The forms of the console.
    pub(super) forms: FormTokens,
    /// Places for traces.
    pub(super) traces: Arc<Semaphore>,
    /// The first domain served.
    domain: String,
}

impl<S> Admin<S> {
    /// `user` with the first domain that is served here, if he is named without one.
    pub(super) fn whole_address(&self, user: &str) -> String {
        match user.contains('@') {
            true => user.to_owned(),
            false => format!("{user}@{}", self.domain),
        }
    }
}

impl<S: Sources> Admin<S> {
    /// What counts beside the cores.
    pub(super) fn elsewhere(&self) -> Elsewhere {
        Elsewhere {
            connections_refused: self.connections_refused.load(Ordering::Relaxed),
            api: self.sources.api(),
            store: self.sources.store(),
            ldap: self.sources.ldap(),
        }
    }

    /// What the counters were lately; `None` when they cannot be had.
    pub(super) async fn recent(&self) -> Option<Recent> {
        self.history.read(&*self.sources, self.answer_timeout).await
    }
}

async fn metrics<S: Sources>(State(admin): State<Arc<Admin<S>>>) -> Response {
    let counters = tokio::time::timeout(admin.answer_timeout, admin.sources.counters());
    let health = admin.sources.health();
    let page = Page {
        shards: counters.await.unwrap_or_default(),
        elsewhere: admin.elsewhere(),
        copies: admin.sources.copies(),
        log_lines_lost: admin.sources.log_lines_lost(),
        process: Process::read(),
        start_unix_s: admin.start_unix_s,
        healthy: health.is_well(),
        drain_left_s: health.leaves_in_s,
    };
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], page.render()).into_response()
}

async fn healthz<S: Sources>(State(admin): State<Arc<Admin<S>>>) -> Response {
    let health = admin.sources.health();
    let status = if health.is_well() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, [(header::CONTENT_TYPE, "application/json")], health.to_json()).into_response()
}

async fn states<S: Sources>(State(admin): State<Arc<Admin<S>>>, file: Path<String>) -> Response {
    let settings = admin.sources.settings();
    let policy = file.strip_suffix(".xml").filter(|name| settings.policies.contains(name));
    match policy.map(|name| custom_states::document(&settings.policies.of(name).custom_states)) {
        Some(document) => {
            ([(header::CONTENT_TYPE, custom_states::CONTENT_TYPE)], document).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
