//! Orders of an operator to the server as a whole. They are obeyed from the machine of the server
//! alone, and from no page in a browser.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::post;

use super::operation::{Operated, Operation};
use super::questions::{FromHere, good, refused};
use super::sender::FromCommand;
use super::server::{Admin, Sources};

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

async fn drain<S: Sources>(
    _: FromHere,
    _: FromCommand,
    State(admin): State<Arc<Admin<S>>>,
    Path(ms): Path<String>,
) -> Response {
    drain_over(&admin, &ms, false).await
}

async fn drain_and_stay<S: Sources>(
    _: FromHere,
    _: FromCommand,
    State(admin): State<Arc<Admin<S>>>,
    Path(ms): Path<String>,
) -> Response {
    drain_over(&admin, &ms, true).await
}

async fn drain_over<S: Sources>(admin: &Admin<S>, ms: &str, stay: bool) -> Response {
    match ms.parse() {
        Ok(ms @ ..=DRAIN_MS_MAX) => {
            operate(admin, Operation::Drain { over: Duration::from_millis(ms), stay }).await
        }
        _ => refused(StatusCode::BAD_REQUEST, "a drain takes up to 86400000 milliseconds"),
    }
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
