//! Questions about one user, and how all questions are answered. Unlike the counters, what a user
//! does and whom he knows is not for everybody on a closed network: only this machine is answered.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use serde::Serialize;

use super::conference_report::{ConferenceReport, ConferencesReport, EndedReport};
use super::listener::{Life, Listener};
use super::report::{ContactsReport, PresenceReport, WatchersReport};
use super::server::{Admin, Sources};
use crate::base::aor::Aor;
use crate::directory::{Address, AddressError};
use crate::shard::question::{Answer, Question};

/// The pages, without their state.
pub fn router<S: Sources>() -> Router<Arc<Admin<S>>> {
    Router::new()
        .route("/contacts/{user}", get(contacts::<S>))
        .route("/presence/{user}", get(presence::<S>))
        .route("/presence/{user}/as/{watcher}", get(presence_as::<S>))
        .route("/watchers/{user}", get(watchers::<S>))
}

/// Both ends of a connection.
#[derive(Clone, Debug)]
pub struct Ends {
    own: Option<IpAddr>,
    peer: SocketAddr,
    life: Life,
}

impl Ends {
    /// The other end.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Lets the connection live for `time` from now on, for an answer that takes that long.
    pub fn prolong(&self, time: Duration) {
        self.life.prolong(time);
    }
}

impl Connected<IncomingStream<'_, Listener>> for Ends {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Self {
        let own = stream.io().local_addr().ok();
        let life = stream.io().life();
        Ends { own: own.map(|own| own.ip()), peer: *stream.remote_addr(), life }
    }
}

/// Lets requests of this machine pass, but none that a proxy on it passes on, nor one of a page in
/// its browser: that would name the server by another name than its address.
pub struct FromHere;

impl<S: Send + Sync> FromRequestParts<S> for FromHere {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let ends = ConnectInfo::<Ends>::from_request_parts(parts, state).await;
        let is_here = ends.is_ok_and(|ConnectInfo(ends)| {
            let peer = ends.peer.ip();
            peer.to_canonical().is_loopback() || Some(peer) == ends.own
        });
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let is_passed_on = PASSED_ON.iter().any(|name| parts.headers.contains_key(*name));
        if is_here && !is_passed_on && host.is_some_and(is_address) {
            return Ok(FromHere);
        }
        Err(refused(StatusCode::FORBIDDEN, "only the machine of the server itself is answered"))
    }
}

/// Headers of requests that come from elsewhere.
const PASSED_ON: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-real-ip"];

/// True for an IP address, or the name of this machine to itself, with a port or without.
fn is_address(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    host.parse::<SocketAddr>().is_ok() || host.parse::<IpAddr>().is_ok() || name == "localhost"
}

async fn contacts<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(user): Path<String>,
) -> Response {
    ask_address(&admin, address(&user).map(Question::Contacts)).await
}

async fn presence<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(user): Path<String>,
) -> Response {
    let question = address(&user).map(|user| Question::Presence { user, watcher: None });
    ask_address(&admin, question).await
}

async fn presence_as<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path((user, watcher)): Path<(String, String)>,
) -> Response {
    let question = address(&user).and_then(|user| {
        let watcher = address(&watcher)?;
        Ok(Question::Presence { user, watcher: Some(watcher) })
    });
    ask_address(&admin, question).await
}

async fn watchers<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(user): Path<String>,
) -> Response {
    ask_address(&admin, address(&user).map(Question::Watchers)).await
}

/// The address of a user.
///
/// # Errors
/// When it is none.
pub fn address(text: &str) -> Result<Aor, AddressError> {
    Address::parse(text).map(|address| Aor::new(address.as_str()))
}

async fn ask_address<S: Sources>(
    admin: &Admin<S>,
    question: Result<Question, AddressError>,
) -> Response {
    match question {
        Ok(question) => ask(admin, question).await,
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

/// Asks, for no longer than may be waited.
pub async fn answer<S: Sources>(admin: &Admin<S>, question: Question) -> Option<Answer> {
    let answer = tokio::time::timeout(admin.answer_timeout, admin.sources.ask(question));
    answer.await.ok().flatten()
}

/// Asks, and answers in JSON.
pub async fn ask<S: Sources>(admin: &Admin<S>, question: Question) -> Response {
    match answer(admin, question).await {
        Some(Answer::Conference(standing)) => good(&ConferenceReport::from(&*standing)),
        Some(Answer::ConferenceEnded) => good(&EndedReport { kept: false }),
        Some(Answer::ConferenceStays) => good(&EndedReport { kept: true }),
        Some(Answer::Conferences(list)) => good(&ConferencesReport::from(&list)),
        Some(Answer::Contacts(list)) => good(&ContactsReport::from(&list)),
        Some(Answer::Presence(presence)) => good(&PresenceReport::from(&*presence)),
        Some(Answer::Watchers(watchers)) => good(&WatchersReport::from(&*watchers)),
        Some(Answer::NoSuchConference) => refused(StatusCode::NOT_FOUND, "no such conference"),
        // Asked for on pages of their own.
        Some(
            Answer::Connections(_)
            | Answer::Endpoints(_)
            | Answer::Refusals(_)
            | Answer::Sessions(_)
            | Answer::Standing(_),
        )
        | None => refused(StatusCode::SERVICE_UNAVAILABLE, "a core that was asked does not answer"),
        Some(Answer::NoSuchUser) => refused(StatusCode::NOT_FOUND, "no such user"),
        // Only the API asks for these.
        Some(Answer::Sights(_) | Answer::SignedOut(_)) => {
            refused(StatusCode::INTERNAL_SERVER_ERROR, "a core answers what was not asked")
        }
    }
}

#[derive(Serialize)]
struct Refusal<'a> {
    error: &'a str,
}

/// An answer that says why there is no other.
pub fn refused(status: StatusCode, error: &str) -> Response {
    json(status, &Refusal { error })
}

/// An answer in JSON.
pub fn good(report: &impl Serialize) -> Response {
    json(StatusCode::OK, report)
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_string(body).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
