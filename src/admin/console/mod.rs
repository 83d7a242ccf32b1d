//! The operator's console: pages below `/console`, made on the server and readable without a
//! script. Like the questions of the command line they are answered to the machine of the server
//! alone: from elsewhere reach it through a tunnel (`ssh -L 9090:localhost:9090`).
//!
//! What the pages show of the past comes from [`history`], which looks at the counters every few
//! seconds while somebody reads. What changes something goes through [`forms`].

mod action;
mod certificates;
mod chart;
mod conferences;
mod devices;
pub mod forms;
mod frame;
pub mod history;
mod indicators;
mod limits;
mod overview;
mod password;
mod policy;
mod presence;
mod refusals;
mod sessions;
mod table;
mod user;
mod users;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;

use super::server::{Admin, Sources};
pub use frame::failure;

/// What a browser may do with a page: nothing comes from elsewhere, nothing runs.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'",
);

/// The pages, without their state.
pub fn router<S: Sources>() -> Router<Arc<Admin<S>>> {
    Router::new()
        .route("/", get(async || Redirect::to("/console")))
        .route("/console", get(overview::page::<S>))
        .route("/console/refusals", get(refusals::page::<S>))
        .route("/console/users", get(users::list::<S>))
        .route("/console/users/{user}", get(user::page::<S>))
        .route("/console/users/{user}/{action}", get(action::ask::<S>).post(action::carry_out::<S>))
        .route("/console/sessions", get(sessions::page::<S>))
        .route("/console/limits", get(limits::page::<S>))
        .route("/console/certificates", get(certificates::page::<S>))
        .route("/console/conferences", get(conferences::list::<S>))
        .route("/console/conferences/{id}", get(conferences::page::<S>))
        .route(
            "/console/conferences/{id}/end",
            get(conferences::ask_end::<S>).post(conferences::end::<S>),
        )
        .route("/console/style.css", get(style))
        .route("/console/icon.svg", get(icon))
}

async fn style() -> Response {
    let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8")];
    (headers, include_str!("style.css")).into_response()
}

async fn icon() -> Response {
    let headers = [(header::CONTENT_TYPE, "image/svg+xml")];
    (headers, include_str!("icon.svg")).into_response()
}

/// Headers of every page. Without the referrer of its own pages a browser would not say of a form
/// where it comes from.
fn headers() -> [(HeaderName, HeaderValue); 4] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, HeaderValue::from_static("same-origin")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ]
}
