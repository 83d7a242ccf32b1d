//! Presence now: of one user, or of a list.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::admission::Application;
use super::backend::Backend;
use super::document::{Listed, Presence, problem};
use super::problem::{Kind, Problem};
use super::request;
use super::server::Api;
use crate::base::aor::Aor;
use crate::presence::container::ContainerId;
use crate::shard::observe::Sight;

impl<B: Backend> Api<B> {
    /// What an application at `level` sees of users, in their order.
    pub(super) async fn sights(
        &self,
        users: Vec<Aor>,
        level: ContainerId,
    ) -> Result<Vec<Sight>, Problem> {
        let order = users.clone();
        let seen = self.backend.sights(users, level).await;
        let mut sights = seen.ok_or_else(|| Problem::new(Kind::NoAnswer, ""))?;
        sights.sort_by_cached_key(|sight| order.iter().position(|user| *user == sight.user));
        Ok(sights)
    }

    /// What an application sees of one user.
    pub(super) async fn sight(&self, user: Aor, level: ContainerId) -> Result<Sight, Problem> {
        let sights = self.sights(vec![user], level).await?;
        sights.into_iter().next().ok_or_else(|| Problem::new(Kind::NoAnswer, ""))
    }
}

/// `GET /v1/presence/{address}`
pub async fn one<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
) -> Result<Response, Problem> {
    let sight = api.sight(request::aor(&address)?, application.level).await?;
    let glimpse = sight.view.as_ref().map_err(|reason| problem(*reason))?;
    Ok(json(&Presence::new(sight.user.as_str(), glimpse)))
}

/// The body of `POST /v1/presence`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    addresses: Vec<String>,
}

#[derive(Serialize)]
struct List<'a> {
    presences: Vec<Listed<'a>>,
}

/// `POST /v1/presence`
pub async fn many<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    body: Bytes,
) -> Result<Response, Problem> {
    let wanted: Wanted = request::json(&body)?;
    let users = api.addresses(wanted.addresses)?;
    let sights = api.sights(users, application.level).await?;
    let mut refusals: Vec<Option<Problem>> = vec![None; sights.len()];
    let presences =
        sights.iter().zip(&mut refusals).map(|(sight, kept)| Listed::new(sight, kept)).collect();
    Ok(json(&List { presences }))
}

/// An answer.
pub fn json(body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
