//! `/doctor/{user}` and `/refusals`: whether a user may sign in, and what was refused and why.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::advice;
use super::questions::{FromHere, good, refused};
use super::report::{EndpointReport, utc};
use super::server::{Admin, Sources};
use super::wording;
use crate::base::aor::Aor;
use crate::directory::Address;
use crate::shard::question::{Answer, Question};
use crate::shard::refusals::Refused;

/// Refusals in one answer, the newest.
pub const REFUSALS_MAX: usize = 100;

/// What is known of a user's sign-ins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosisReport {
    /// His address.
    pub address: String,
    /// He is in the directory.
    pub known: bool,
    /// He is, and may not sign in.
    pub disabled: bool,
    /// Seconds for which he may not try again.
    pub locked_s: Option<u64>,
    /// The policy that governs him; empty for the default one.
    pub policy: String,
    /// Where he has signed in.
    pub endpoints: Vec<EndpointReport>,
    /// The last refusals, newest first.
    pub refusals: Vec<RefusalReport>,
}

/// The last refusals of all users, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalsReport {
    /// The refusals.
    pub refusals: Vec<RefusalReport>,
}

/// A request that was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusalReport {
    /// When.
    pub time: String,
    /// Who sent it, or says so.
    pub user: String,
    /// What was wanted.
    pub method: String,
    /// Of whom, if the request was to somebody else.
    pub to: Option<String>,
    /// The status of the answer; none for a challenge or the end of a sign-in.
    pub status: Option<u16>,
    /// The cause as in the metrics, or the number of `ms-diagnostics`.
    pub cause: String,
    /// What was wrong.
    pub reason: String,
    /// What to do about it.
    pub advice: Option<String>,
    /// The other end of the connection.
    pub peer: Option<String>,
    /// Where the client is: on a link not the other end.
    pub origin: Option<String>,
    /// `tls` or `tcp`.
    pub transport: Option<String>,
    /// What the client calls itself.
    pub client: String,
}

impl From<&Refused> for RefusalReport {
    fn from(refused: &Refused) -> Self {
        RefusalReport {
            time: utc(refused.unix_ms),
            user: refused.user.to_string(),
            method: refused.method.as_str().to_owned(),
            to: refused.to.as_ref().map(ToString::to_string),
            status: advice::status(refused.cause),
            cause: advice::name(refused.cause),
            reason: advice::reason(refused.cause).to_owned(),
            advice: advice::advice(refused.cause).map(str::to_owned),
            peer: refused.peer.map(|peer| peer.to_string()),
            origin: refused.origin.map(|origin| origin.to_string()),
            transport: refused.transport.map(|kind| wording::transport(kind).to_owned()),
            client: refused.client.to_string(),
        }
    }
}

/// The pages, without their state.
pub fn router<S: Sources>() -> Router<Arc<Admin<S>>> {
    Router::new()
        .route("/doctor/{user}", get(diagnosis::<S>))
        .route("/refusals", get(refusals::<S>))
}

async fn diagnosis<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(user): Path<String>,
) -> Response {
    let user = match Address::parse(&admin.whole_address(&user)) {
        Ok(user) => Aor::new(user.as_str()),
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let question = Question::Standing(user.clone());
    let standing = timeout(admin.answer_timeout, admin.sources.ask(question)).await;
    let Some(Answer::Standing(standing)) = standing.ok().flatten() else { return silent() };
    match last(&admin, Some(user.clone())).await {
        Some(refusals) => good(&DiagnosisReport {
            address: user.to_string(),
            known: standing.known,
            disabled: standing.disabled,
            locked_s: standing.locked_s,
            policy: standing.policy,
            endpoints: standing.endpoints.iter().map(EndpointReport::from).collect(),
            refusals,
        }),
        None => silent(),
    }
}

async fn refusals<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    match last(&admin, None).await {
        Some(refusals) => good(&RefusalsReport { refusals }),
        None => silent(),
    }
}

/// The newest refusals of one user, or of all; `None` when a core does not answer.
pub(super) async fn last<S: Sources>(
    admin: &Admin<S>,
    user: Option<Aor>,
) -> Option<Vec<RefusalReport>> {
    let refusals = all(admin, user).await?;
    Some(refusals.iter().take(REFUSALS_MAX).map(RefusalReport::from).collect())
}

/// All that are remembered of one user, or of all, newest first.
pub(super) async fn all<S: Sources>(admin: &Admin<S>, user: Option<Aor>) -> Option<Vec<Refused>> {
    let question = Question::Refusals(user);
    let answer = timeout(admin.answer_timeout, admin.sources.ask(question)).await;
    let Some(Answer::Refusals(mut refusals)) = answer.ok().flatten() else { return None };
    refusals.sort_by_key(|refused| std::cmp::Reverse(refused.unix_ms));
    Some(refusals)
}

fn silent() -> Response {
    refused(StatusCode::SERVICE_UNAVAILABLE, "a core that was asked does not answer")
}
