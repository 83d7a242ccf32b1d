//! Questions about conferences, and the order that ends one.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};

use super::questions::{FromHere, ask, refused};
use super::sender::FromCommand;
use super::server::{Admin, Sources};
use crate::base::ids::ConferenceId;
use crate::shard::question::Question;

/// The pages, without their state.
pub fn router<S: Sources>() -> Router<Arc<Admin<S>>> {
    Router::new()
        .route("/conferences", get(list::<S>))
        .route("/conferences/{id}", get(show::<S>))
        .route("/conferences/{id}/end", post(end::<S>))
}

async fn list<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    ask(&admin, Question::Conferences).await
}

async fn show<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<String>,
) -> Response {
    match ConferenceId::parse(id.as_bytes()) {
        Some(id) => ask(&admin, Question::Conference(id)).await,
        None => refused(StatusCode::BAD_REQUEST, NO_NAME),
    }
}

async fn end<S: Sources>(
    _: FromHere,
    _: FromCommand,
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<String>,
) -> Response {
    match ConferenceId::parse(id.as_bytes()) {
        Some(id) => ask(&admin, Question::EndConference(id)).await,
        None => refused(StatusCode::BAD_REQUEST, NO_NAME),
    }
}

const NO_NAME: &str = "the name of a conference has 32 hexadecimal digits";
