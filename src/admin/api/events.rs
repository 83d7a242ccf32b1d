//! Presence as a stream of server-sent events: each user at first, then each whenever what the
//! application sees of him changes. Fed by watches of the presence engine, as those of clients.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Extension, Path, State};
use axum::http::{HeaderValue, Uri, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_lite::stream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::admission::Application;
use super::backend::{Backend, Watch};
use super::document::{Presence, problem};
use super::problem::{Kind, Problem};
use super::request;
use super::server::Api;
use crate::admin::listener::ended;
use crate::base::aor::Aor;
use crate::metrics::api::{ApiEvent, ApiTally};
use crate::shard::observe::Sight;

/// What a client that lost its stream waits before it comes again, in seconds.
const RETRY_S: u16 = 5;

/// `GET /v1/presence/{address}/events`
pub async fn one<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    Path(address): Path<String>,
) -> Result<Response, Problem> {
    begin(api, application, vec![request::aor(&address)?])
}

/// `GET /v1/presence/events?address=…&address=…`
pub async fn many<B: Backend>(
    State(api): State<Arc<Api<B>>>,
    Extension(application): Extension<Application>,
    uri: Uri,
) -> Result<Response, Problem> {
    let users = api.addresses(request::queries(&uri, "address"))?;
    begin(api, application, users)
}

/// Begins a stream about `users`.
fn begin<B: Backend>(
    api: Arc<Api<B>>,
    application: Application,
    users: Vec<Aor>,
) -> Result<Response, Problem> {
    api.takes_work()?;
    let Ok(permit) = Arc::clone(&api.streams).try_acquire_owned() else {
        api.tally.count(ApiEvent::StreamRefused);
        return Err(Problem::new(Kind::TooManyStreams, "")
            .with_header(header::RETRY_AFTER, HeaderValue::from(RETRY_S)));
    };
    let watch = api.backend.observe(&application.name, application.level, users);
    let watch = watch.ok_or_else(|| Problem::new(Kind::NoAnswer, ""))?;
    let silence_max = api.limits.api_silence_timeout;
    let mut heartbeat = interval(api.limits.api_heartbeat_time.min(silence_max / 2));
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let place = Place::new(permit, Arc::clone(&api.tally));
    let stream = Stream { api, application, watch, heartbeat, _place: place };
    let events = stream::unfold(stream, |mut stream| async move {
        let event = stream.next().await?;
        Some((Ok::<_, Infallible>(event), stream))
    });
    let mut response = Sse::new(events).into_response();
    let headers = response.headers_mut();
    // A proxy that collects answers would keep the events.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    // Whose stream is over shall know it at once, and not wait for more.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}

/// A place among the streams, counted as long as it is taken.
struct Place {
    tally: Arc<ApiTally>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    fn new(permit: OwnedSemaphorePermit, tally: Arc<ApiTally>) -> Self {
        tally.stream_opened();
        Place { tally, _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tally.stream_closed();
    }
}

struct Stream<B> {
    api: Arc<Api<B>>,
    application: Application,
    watch: Watch,
    heartbeat: Interval,
    _place: Place,
}

impl<B: Backend> Stream<B> {
    /// The next event, or sign of life; `None` when the stream is over: the server goes down, the
    /// token was revoked, or the client reads too slowly.
    async fn next(&mut self) -> Option<Event> {
        let sight = tokio::select! {
            biased;
            () = ended(self.api.draining.clone()) => return None,
            sight = self.watch.sights.recv() => Some(sight?),
            _ = self.heartbeat.tick() => None,
        };
        if self.watch.is_overrun() {
            self.api.tally.count(ApiEvent::StreamOverrun);
            return None;
        }
        // Whoever lost his token is shown nothing more.
        if !self.api.is_still(&self.application).await {
            return None;
        }
        Some(match sight {
            Some(sight) => event(&sight),
            None => Event::default().comment("here"),
        })
    }
}

fn event(sight: &Sight) -> Event {
    let address = sight.user.as_str();
    let (name, data) = match &sight.view {
        Ok(glimpse) => ("presence", serde_json::to_string(&Presence::new(address, glimpse))),
        Err(reason) => {
            let problem = problem(*reason);
            let problem = problem.document();
            (
                "problem",
                serde_json::to_string(
                    &serde_json::json!({ "address": address, "problem": problem }),
                ),
            )
        }
    };
    // Written to memory; line breaks in texts are escaped.
    Event::default().event(name).data(data.unwrap_or_default())
}
