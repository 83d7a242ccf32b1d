//! What was refused, closed or dropped, and why: the last refusals one by one, and how many there were
//! since the start of the server and lately.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use form_urlencoded::Serializer;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::advice;
use super::super::diagnosis::{self, REFUSALS_MAX, RefusalReport};
use super::super::questions::FromHere;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, failure, grouped, lately, prose, when};
use super::history::{Look, Recent};
use super::table::{self, Cells, Head};
use super::user::person;
use crate::metrics::counters::{AuthFailure, CloseReason, FrameKind};
use crate::shard::refusals::Refused;

/// Statuses that refuse.
const REFUSING: std::ops::Range<u16> = 400..700;
/// Seconds after which the browser asks again.
const REFRESH_S: u32 = 10;

/// A cause, how often it was there in all, and lately.
struct Row {
    cause: String,
    total: u64,
    lately: u64,
}

/// What [`page`] is asked with.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// The cause of those shown; empty for all.
    #[serde(default)]
    cause: String,
}

/// `/console/refusals`.
pub async fn page<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Query(Wanted { cause }): Query<Wanted>,
) -> Response {
    let (recent, refusals) = tokio::join!(admin.recent(), diagnosis::all(&admin, None));
    let Some(recent) = recent else {
        return failure(StatusCode::SERVICE_UNAVAILABLE, "The cores cannot be asked now.");
    };
    let lately = lately(recent.span());
    let content = html! {
        section aria-labelledby="last" {
            h2 id="last" { "Last refusals" }
            @match refusals {
                Some(refusals) => { (last(&refusals, &cause)) }
                None => { p.note { "A core that was asked does not answer." } }
            }
        }
        h2 { "How many" }
        p.small { "Since the start of the server, and in " (lately) "." }
        (counted("Sign-ins refused", &rows(&recent, AuthFailure::ALL, |c| c.name().to_owned(), |look, cause| {
            look.total.auth_failures(cause)
        })))
        (counted("Responses that refuse", &statuses(&recent)))
        (counted("Connections closed", &rows(&recent, CloseReason::ALL, |r| r.name().to_owned(), |look, reason| {
            look.total.closes(reason)
        })))
        (counted("Frames dropped between cores", &rows(&recent, FrameKind::ALL, |k| k.name().to_owned(), |look, kind| {
            look.total.frames_dropped(kind)
        })))
    };
    Frame { page: "Refusals", title: "Refusals", refresh_s: REFRESH_S }
        .page(StatusCode::OK, &content)
}

/// Those of `cause`, or all, and what leads to those of another.
fn last(refusals: &[Refused], cause: &str) -> Markup {
    let mut causes: BTreeMap<String, (usize, &str)> = BTreeMap::new();
    for refused in refusals {
        let reason = advice::reason(refused.cause);
        causes.entry(advice::name(refused.cause)).or_insert((0, reason)).0 += 1;
    }
    let meant = |refused: &&Refused| cause.is_empty() || advice::name(refused.cause) == cause;
    let shown: Vec<RefusalReport> =
        refusals.iter().filter(meant).take(REFUSALS_MAX).map(RefusalReport::from).collect();
    let current = |name: &str| (name == cause).then_some("true");
    html! {
        @if !causes.is_empty() {
            nav.filter aria-label="Causes" {
                a.button href="/console/refusals" aria-current=[current("")] {
                    "All (" (refusals.len()) ")"
                }
                @for (name, (count, reason)) in &causes {
                    a.button href=(of_cause(name)) aria-current=[current(name)] {
                        (reason) " (" (count) ")"
                    }
                }
            }
        }
        (table(shown.iter()))
    }
}

/// Where the refusals of one cause are.
fn of_cause(name: &str) -> String {
    let mut query = Serializer::new(String::new());
    format!("/console/refusals?{}", query.append_pair("cause", name).finish())
}

const HEADS: [Head; 5] = [
    Head::Text("When"),
    Head::Text("Who"),
    Head::Text("What"),
    Head::Text("Why, and what to do"),
    Head::Text("From"),
];

/// Refusals one by one.
pub fn table<'a>(refusals: impl Iterator<Item = &'a RefusalReport>) -> Markup {
    let rows: Vec<Cells> = refusals.map(row).collect();
    table::table("Refusals", &HEADS, &rows)
}

fn row(one: &RefusalReport) -> Cells {
    let transport = one.transport.as_deref().unwrap_or_default();
    vec![
        html! { (when(&one.time)) },
        html! { (person(&one.user)) },
        html! {
            (one.method)
            @if let Some(to) = &one.to { " to " (to) }
            @if let Some(status) = one.status { ", " (status) }
        },
        html! {
            (one.reason) " (" (one.cause.replace('_', " ")) ")"
            @if let Some(advice) = &one.advice { br; span.small { (prose(advice)) } }
        },
        html! {
            (one.origin.as_deref().or(one.peer.as_deref()).unwrap_or("–")) " " (transport)
            @if !one.client.is_empty() { br; span.small { (one.client) } }
        },
    ]
}

/// The causes that have occurred, most often lately first.
fn rows<C: Copy>(
    recent: &Recent,
    causes: &[C],
    name: impl Fn(C) -> String,
    count: impl Fn(&Look, C) -> u64,
) -> Vec<Row> {
    let mut rows: Vec<Row> = causes
        .iter()
        .map(|cause| Row {
            cause: name(*cause),
            total: count(&recent.last, *cause),
            lately: recent.risen(|look| count(look, *cause)),
        })
        .filter(|row| row.total > 0)
        .collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.lately, row.total)));
    rows
}

fn statuses(recent: &Recent) -> Vec<Row> {
    let statuses: Vec<u16> = REFUSING.collect();
    rows(
        recent,
        &statuses,
        |status| status.to_string(),
        |look, status| look.total.responses(status),
    )
}

const COUNTED_HEADS: [Head; 3] =
    [Head::Text("Cause"), Head::Number("Lately"), Head::Number("In all")];

fn counted(title: &str, rows: &[Row]) -> Markup {
    let row = |row: &Row| {
        vec![
            html! { (row.cause.replace('_', " ")) },
            html! { (grouped(row.lately)) },
            html! { (grouped(row.total)) },
        ]
    };
    let rows: Vec<Cells> = rows.iter().map(row).collect();
    html! { section { h3 { (title) } (table::table(title, &COUNTED_HEADS, &rows)) } }
}
