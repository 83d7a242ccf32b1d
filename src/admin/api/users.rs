//! Accounts, for a help desk: what the command line can do with them. Each change is logged with the
//! application that made it. While the server takes no new work only what keeps somebody out is done.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

use super::admission::Application;
use super::backend::Backend;
use super::presence::json;
use super::problem::{Kind, Problem};
use super::request;
use super::server::Api;
use crate::admin::account::Account;
use crate::admin::accounts::{AccountChange, Accounts as _};
use crate::admin::report::EndpointReport;
use crate::base::aor::Aor;
use crate::directory::User;
use crate::shard::question::{Answer, Question};

/// Users in one page unless fewer are asked for, and the most.
const PAGE_MAX: usize = 100;
/// Longest text to search for, in octets.
const TEXT_LEN_MAX: usize = 256;

#[derive(Serialize)]
struct Page<'a> {
    users: Vec<Account<'a>>,
    /// Where the next page begins; `null` when there is none.
    next: Option<&'a str>,
}

/// An account with its sign-ins.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    account: Account<'a>,
    /// `null` for an account that the cores do not know yet.
    endpoints: Option<Vec<EndpointReport>>,
}

/// The body of `POST /v1/users/{address}/password`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Password {
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
}

/// The body of `POST /v1/users`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    address: String,
    #[serde(deserialize_with = "secret")]
    password: Zeroizing<String>,
    #[serde(default)]
    login: Option<String>,
    #[serde(default)]
    display_name: String,
}

/// A text that is wiped when it is done with.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

#[derive(Serialize)]
struct SignedOut {
    connections: usize,
}

/// `GET /v1/users?q=…&after=…&limit=…`
pub async fn list<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    uri: Uri,
) -> Result<Response, Problem> {
    let text = request::query(&uri, "q").unwrap_or_default();
    if text.len() > TEXT_LEN_MAX {
        let detail = format!("q has at most {TEXT_LEN_MAX} octets");
        return Err(Problem::new(Kind::BadRequest, detail));
    }
    let after = match request::query(&uri, "after") {
        Some(after) => request::address(&after)?.into_string(),
        None => String::new(),
    };
    let max = match request::query(&uri, "limit").map(|limit| limit.parse::<usize>()) {
        None => PAGE_MAX,
        Some(Ok(limit @ 1..=PAGE_MAX)) => limit,
        Some(_) => {
            let detail = format!("limit is a number from 1 to {PAGE_MAX}");
            return Err(Problem::new(Kind::BadRequest, detail));
        }
    };
    // One more tells whether there is another page.
    let mut users = api.backend.accounts().users(text, after, max + 1).await?;
    let is_more = users.len() > max;
    users.truncate(max);
    let next = users.last().filter(|_| is_more).map(|user| user.aor.as_str());
    Ok(json(&Page { users: users.iter().map(Account::from).collect(), next }))
}

/// `GET /v1/users/{address}`
pub async fn show<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Path(address): Path<String>,
) -> Result<Response, Problem> {
    let aor = request::aor(&address)?;
    let user = api.backend.accounts().user(aor.clone()).await?;
    let user = user.ok_or_else(|| Problem::new(Kind::NoSuchUser, ""))?;
    let question = Question::Presence { user: aor, watcher: None };
    let endpoints = match api.backend.ask(question).await {
        Some(Answer::Presence(presence)) => {
            Some(presence.endpoints.iter().map(EndpointReport::from).collect())
        }
        Some(_) => None,
        None => return Err(Problem::new(Kind::NoAnswer, "")),
    };
    Ok(json(&Shown { account: Account::from(&user), endpoints }))
}

/// `POST /v1/users/{address}/enable`
pub async fn enable<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    api.takes_work()?;
    let user = request::aor(&address)?;
    api.change(&application, "enabled", &user, AccountChange::Enable(user.clone())).await
}

/// `POST /v1/users/{address}/disable`
pub async fn disable<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    let user = request::aor(&address)?;
    api.change(&application, "disabled", &user, AccountChange::Disable(user.clone())).await
}

/// `POST /v1/users/{address}/password`
pub async fn password<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    api.takes_work()?;
    let user = request::aor(&address)?;
    let Password { password } = request::json(&body)?;
    let change = AccountChange::Password(user.clone(), password);
    api.change(&application, "password changed", &user, change).await
}

/// `POST /v1/users/{address}/sign-out`
pub async fn sign_out<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
) -> Result<Response, Problem> {
    let user = request::aor(&address)?;
    match api.backend.ask(Question::SignOut { user: user.clone(), conn: None }).await {
        Some(Answer::SignedOut(connections)) => {
            log(&application, "signed out", &user);
            Ok(json(&SignedOut { connections }))
        }
        Some(_) => Err(Problem::new(Kind::NoSuchUser, "")),
        None => Err(Problem::new(Kind::NoAnswer, "")),
    }
}

/// `POST /v1/users`
pub async fn add<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    body: Bytes,
) -> Result<Response, Problem> {
    api.takes_work()?;
    let New { address, password, login, display_name } = request::json(&body)?;
    let address = request::address(&address)?;
    if !api.domains.iter().any(|domain| domain == address.domain()) {
        let detail = format!("this server serves {}", api.domains.join(", "));
        return Err(Problem::new(Kind::Unfit, detail));
    }
    let realm = address.domain();
    let made =
        User::with_password(address.as_str(), login.as_deref(), &display_name, realm, &password);
    let user = made.map_err(|error| Problem::new(Kind::Unfit, error.to_string()))?;
    let aor = Aor::new(address.as_str());
    let change = AccountChange::Add(Box::new(user));
    api.change(&application, "added", &aor, change).await?;
    Ok(StatusCode::CREATED.into_response())
}

/// `DELETE /v1/users/{address}`
pub async fn remove<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
) -> Result<StatusCode, Problem> {
    api.takes_work()?;
    let user = request::aor(&address)?;
    api.change(&application, "removed", &user, AccountChange::Remove(user.clone())).await
}

impl<B: Backend> Api<B> {
    async fn change(
        &self,
        application: &Application,
        done: &'static str,
        user: &Aor,
        change: AccountChange,
    ) -> Result<StatusCode, Problem> {
        self.backend.accounts().change(change).await?;
        log(application, done, user);
        Ok(StatusCode::NO_CONTENT)
    }
}

pub(super) fn log(application: &Application, done: &'static str, user: &Aor) {
    tracing::info!(application = &*application.name, %user, "user {done} through the API");
}
