//! Orders of an operator to the server as a whole. They are obeyed from the machine of the server
//! alone, and from no page in a browser.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;

use super::operation::{Operated, Operation};
use super::questions::{FromHere, good, refused};
use super::sender::FromCommand;
use super::server::{Admin, Sources};
use crate::base::host_port::HostPort;

/// Longest time over which a drain may close the connections, in milliseconds.
pub const DRAIN_MS_MAX: u64 = 24 * 3600 * 1000;
/// For the control thread, which reads the configuration and waits for the cores.
const OPERATION_TIME: Duration = Duration::from_secs(4);

/// The pages, without their state.
pub fn router<S: Sources>() -> Router<Arc<Admin<S>>> {
    Router::new()
        .route("/drain/{ms}", post(drain::<S>))
        .route("/drain/{ms}/stay", post(drain_and_stay::<S>))
        .route("/reload", post(reload::<S>))
        .route("/reload/dry-run", post(dry_run::<S>))
}

async fn reload<S: Sources>(
    _: FromHere,
    _: FromCommand,
    State(admin): State<Arc<Admin<S>>>,
) -> Response {
    operate(&admin, Operation::Reload { dry_run: false }).await
}

async fn dry_run<S: Sources>(
    _: FromHere,
    _: FromCommand,
    State(admin): State<Arc<Admin<S>>>,
) -> Response {
    operate(&admin, Operation::Reload { dry_run: true }).await
}

/// Where clients are sent, as `?to=HOST[:PORT]`.
#[derive(Debug, Deserialize)]
struct Place {
    to: Option<String>,
}

async fn drain<S: Sources>(
    _: FromHere,
    _: FromCommand,
    State(admin): State<Arc<Admin<S>>>,
    Path(ms): Path<String>,
    Query(place): Query<Place>,
) -> Response {
    drain_over(&admin, &ms, false, place).await
}

async fn drain_and_stay<S: Sources>(
    _: FromHere,
    _: FromCommand,
    State(admin): State<Arc<Admin<S>>>,
    Path(ms): Path<String>,
    Query(place): Query<Place>,
) -> Response {
    drain_over(&admin, &ms, true, place).await
}

async fn drain_over<S: Sources>(admin: &Admin<S>, ms: &str, stay: bool, place: Place) -> Response {
    let Ok(ms @ ..=DRAIN_MS_MAX) = ms.parse() else {
        return refused(StatusCode::BAD_REQUEST, "a drain takes up to 86400000 milliseconds");
    };
    let to = place.to.as_deref().map(HostPort::parse);
    if to == Some(None) {
        return refused(StatusCode::BAD_REQUEST, "clients are sent to a host name or address");
    }
    let (over, to) = (Duration::from_millis(ms), to.flatten());
    operate(admin, Operation::Drain { over, stay, to }).await
}

async fn operate<S: Sources>(admin: &Admin<S>, operation: Operation) -> Response {
    let operated = tokio::time::timeout(OPERATION_TIME, admin.sources.operate(operation));
    match operated.await.ok().flatten() {
        Some(Operated::Draining(report)) => good(&report),
        Some(Operated::Refused(why)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &why),
        Some(Operated::Reloaded(report)) => good(&report),
        None => refused(StatusCode::SERVICE_UNAVAILABLE, "the server does not answer"),
    }
}
