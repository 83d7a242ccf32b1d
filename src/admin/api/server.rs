//! The API on its socket, and what all its answers share.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::admission::Peer;
use super::backend::Backend;
use super::cors;
use super::problem::{self, Kind, Problem};
use super::routes::routes;
use crate::admin::carrier::Offer;
use crate::admin::listener::{End, Listener, ended};
use crate::auth::lockout::Lockout;
use crate::base::limits::Limits;
use crate::base::seed::Seed;
use crate::base::time::Now;
use crate::config::Settings;
use crate::metrics::api::{ApiEvent, ApiTally};

/// Seconds behind the end of a drain after which applications may come again.
const RETRY_S: u64 = 5;

/// Says how many seconds a drain goes on, if one is under way.
pub type LeavesInS = Box<dyn Fn() -> Option<u64> + Send + Sync>;

/// What all requests work with.
pub struct Api<B> {
    pub(super) backend: Arc<B>,
    pub(super) limits: Limits,
    pub(super) domains: Vec<String>,
    pub(super) origins: Vec<String>,
    pub(super) tally: Arc<ApiTally>,
    /// Places of event streams.
    pub(super) streams: Arc<Semaphore>,
    /// Becomes true when the server goes down: then streams end.
    pub(super) draining: watch::Receiver<bool>,
    /// Seconds until the last connection is closed, while the server takes no new work.
    leaves_in_s: LeavesInS,
    failures: Mutex<Lockout>,
    start: Instant,
}

impl<B: Backend> Api<B> {
    /// The API over `backend`.
    pub fn new(
        backend: B,
        settings: &Settings,
        tally: Arc<ApiTally>,
        draining: watch::Receiver<bool>,
        leaves_in_s: LeavesInS,
        seed: &mut Seed,
    ) -> Arc<Self> {
        let limits = settings.limits.clone();
        let failures = Lockout::new(
            limits.auth_failures_per_address_max,
            limits.lockout_time,
            limits.lockout_entries_max,
            seed,
        );
        Arc::new(Api {
            backend: Arc::new(backend),
            domains: settings.domains.clone(),
            origins: settings.api.origins.clone(),
            tally,
            streams: Arc::new(Semaphore::new(limits.api_streams_max.min(Semaphore::MAX_PERMITS))),
            draining,
            leaves_in_s,
            failures: Mutex::new(failures),
            start: Instant::now(),
            limits,
        })
    }

    /// The time, in a scale of the API's own.
    pub(super) fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Now {
            mono_ms: u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX),
            unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Refuses what would be new work while the server takes none.
    pub(super) fn takes_work(&self) -> Result<(), Problem> {
        match (self.leaves_in_s)() {
            None => Ok(()),
            Some(left_s) => {
                let wait_s = HeaderValue::from(left_s + RETRY_S);
                Err(Problem::new(Kind::GoingDown, "").with_header(header::RETRY_AFTER, wait_s))
            }
        }
    }

    /// Looks at, or into, the table of addresses from which wrong tokens came.
    pub(super) fn failures<T>(&self, with: impl FnOnce(&mut Lockout) -> T) -> T {
        with(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// All there is, with what all answers share.
    pub fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new();
        for route in routes(self) {
            router = router.route(route.path, route.handler);
        }
        router
            .fallback(|| async { Problem::new(Kind::NotFound, "") })
            .layer(DefaultBodyLimit::max(self.limits.api_body_bytes_max))
            .layer(middleware::from_fn_with_state(Arc::clone(self), finish::<B>))
            .with_state(Arc::clone(self))
    }
}

/// Serves `api` on `socket`, by TLS where there is an offer, until the server goes down; requests in
/// progress are finished, streams ended. Runs on tokio with its clock and reactor enabled.
pub async fn serve<B: Backend>(
    socket: std::net::TcpListener,
    tls: Option<Offer>,
    api: Arc<Api<B>>,
) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = TcpListener::from_std(socket)?;
    let limits = &api.limits;
    let tally = Arc::clone(&api.tally);
    let refused = Box::new(move || tally.count(ApiEvent::ConnectionRefused));
    let end = End::Silence(limits.api_silence_timeout);
    let connections_max = limits.api_connections_max;
    let ending = api.draining.clone();
    let listener = Listener::new(socket, tls, connections_max, end, refused, ending.clone());
    let service = api.router().into_make_service_with_connect_info::<Peer>();
    axum::serve(listener, service).with_graceful_shutdown(ended(ending)).await
}

/// What all answers share: they are counted, refusals are problem documents, whatever made them, and
/// browsers are told what they may do with it.
async fn finish<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    request: Request,
    next: Next,
) -> Response {
    api.tally.count(ApiEvent::Request);
    let origin = cors::allowed(&api.origins, request.headers());
    if let Some(answer) = cors::preflight(origin.as_ref(), &request) {
        return answer;
    }
    let mut response = next.run(request).await;
    let status = response.status();
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes() == problem::CONTENT_TYPE.as_bytes());
    if (status.is_client_error() || status.is_server_error()) && !is_problem {
        let problem = Problem::of_status(status);
        if problem.kind() == Kind::BodyTooLong {
            api.tally.count(ApiEvent::BodyRefused);
        }
        let allow = response.headers_mut().remove(header::ALLOW);
        response = problem.into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(header::ALLOW, allow);
        }
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.entry(header::CACHE_CONTROL).or_insert_with(|| HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert_with(|| HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    cors::allow(origin, headers);
    response
}
