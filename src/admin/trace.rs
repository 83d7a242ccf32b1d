//! `/trace/{user}`: what a user's clients and the server say to each other, as it is said. One JSON
//! object a line: messages, and at last why it ended. An empty line each second keeps the reader
//! sure that nothing is said, and tells the server when he is gone.
//!
//! A trace is bounded in time, messages and octets, and there are few at a time. What the reader is
//! too slow for is counted and left out. Secrets are masked before anything leaves the process.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_lite::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until};

use super::questions::{Ends, FromHere, refused};
use super::sender::FromCommand;
use super::server::{Admin, Sources};
use super::wording;
use crate::base::aor::Aor;
use crate::directory::Address;
use crate::shard::overheard::{Overheard, Subject, Way};
use crate::wire::sip::mask::mask_secrets;

/// Traces at a time.
pub const TRACES_MAX: usize = 4;
/// Longest trace.
pub const TIME_MAX: Duration = Duration::from_secs(24 * 3600);
/// Most messages of one trace.
pub const MESSAGES_MAX: u64 = 1_000_000;
/// Octets of messages of one trace.
const OCTETS_MAX: u64 = 256 << 20;
/// Between two signs of life.
const BEAT: Duration = Duration::from_secs(1);
/// Beyond its end, for what is still on its way to the reader.
const END_TIME: Duration = Duration::from_secs(10);

/// Messages as the cores hear them.
#[derive(Debug)]
pub struct Trace {
    /// The messages, in the order of each connection. Ends when the cores do.
    pub heard: Receiver<Overheard>,
    /// Messages that did not fit into the queue.
    pub lost: Arc<AtomicU64>,
}

/// How long and how much.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Extent {
    /// Seconds.
    pub seconds: u64,
    /// Messages.
    pub messages: u64,
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// A message.
    Message(MessageReport),
    /// Nothing follows.
    End(EndReport),
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageReport {
    /// When, in milliseconds since the Unix epoch.
    pub unix_ms: u64,
    /// True when the server got it, false when it sent it.
    pub received: bool,
    /// The connection, or the lane of a link.
    pub connection: String,
    /// The other end.
    pub peer: std::net::SocketAddr,
    /// Our end.
    pub local: std::net::SocketAddr,
    /// `tls` or `tcp`.
    pub transport: String,
    /// The octets in base64, secrets masked.
    pub octets: String,
    /// Octets of the whole message: more than there are here when it is long.
    pub len: usize,
}

/// The end of a trace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndReport {
    /// `time`, `messages` or `octets`: the bound that was reached; `server`: it goes down.
    pub reason: String,
    /// Messages that are missing because the reader was too slow.
    pub lost: u64,
}

/// The page, without its state.
pub fn router<S: Sources>() -> Router<Arc<Admin<S>>> {
    Router::new().route("/trace/{user}", get(trace::<S>))
}

async fn trace<S: Sources>(
    _: FromHere,
    _: FromCommand,
    ConnectInfo(ends): ConnectInfo<Ends>,
    State(admin): State<Arc<Admin<S>>>,
    Path(user): Path<String>,
    Query(extent): Query<Extent>,
) -> Response {
    let user = match Address::parse(&admin.whole_address(&user)) {
        Ok(user) => Aor::new(user.as_str()),
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let Ok(place) = Arc::clone(&admin.traces).try_acquire_owned() else {
        let error = "there are as many traces as may be: end one of them";
        return refused(StatusCode::SERVICE_UNAVAILABLE, error);
    };
    let time = Duration::from_secs(extent.seconds).min(TIME_MAX);
    ends.prolong(time + END_TIME);
    let mut beat = interval(BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let trace = admin.sources.listen(Subject::Users([user].into()));
    // Cores do one thing after the other: once they have counted, they listen.
    let _ = tokio::time::timeout(admin.answer_timeout, admin.sources.counters()).await;
    let running = Running {
        trace,
        until: Instant::now() + time,
        messages_left: extent.messages.min(MESSAGES_MAX),
        octets_left: OCTETS_MAX,
        beat,
        ended: false,
        _place: place,
    };
    let lines = stream::unfold(running, |mut running| async move {
        let line = running.next().await?;
        Some((Ok::<_, Infallible>(line), running))
    });
    ([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response()
}

/// A trace under way.
struct Running {
    trace: Trace,
    until: Instant,
    messages_left: u64,
    octets_left: u64,
    beat: Interval,
    ended: bool,
    _place: OwnedSemaphorePermit,
}

impl Running {
    /// The next line; `None` after the last.
    async fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        if self.messages_left == 0 {
            return Some(self.end("messages"));
        }
        if self.octets_left == 0 {
            return Some(self.end("octets"));
        }
        tokio::select! {
            biased;
            () = sleep_until(self.until) => Some(self.end("time")),
            heard = self.trace.heard.recv() => match heard {
                Some(heard) => {
                    self.messages_left -= 1;
                    self.octets_left = self.octets_left.saturating_sub(heard.octets.len() as u64);
                    Some(line(&Line::Message(report(heard))))
                }
                None => Some(self.end("server")),
            },
            _ = self.beat.tick() => Some(Bytes::from_static(b"\n")),
        }
    }

    fn end(&mut self, reason: &str) -> Bytes {
        self.ended = true;
        let lost = self.trace.lost.load(Ordering::Relaxed);
        line(&Line::End(EndReport { reason: reason.to_owned(), lost }))
    }
}

fn report(mut heard: Overheard) -> MessageReport {
    mask_secrets(&mut heard.octets);
    MessageReport {
        unix_ms: heard.unix_ms,
        received: heard.way == Way::Received,
        connection: wording::token(&heard.conn.token()),
        peer: heard.peer,
        local: heard.local,
        transport: wording::transport(heard.transport).to_owned(),
        octets: STANDARD.encode(&heard.octets),
        len: heard.len,
    }
}

fn line(line: &Line) -> Bytes {
    let mut text = serde_json::to_string(line).unwrap_or_default();
    text.push('\n');
    text.into()
}
