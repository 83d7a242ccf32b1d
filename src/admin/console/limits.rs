//! The bounds: which were hit, what each is for, and what can be done.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::super::limit_hits::off_the_cores;
use super::super::questions::FromHere;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, failure, grouped, lately, prose};
use super::table::{Cells, Head, table};
use crate::base::limits::{Amount, Limit};
use crate::config::quantity::write_time;
use crate::config::{Setting, Settings};

/// Seconds after which the browser asks again.
const REFRESH_S: u32 = 10;

const HIT_HEADS: [Head; 5] = [
    Head::Text("Limit"),
    Head::Number("Bound"),
    Head::Number("Lately"),
    Head::Number("In all"),
    Head::Text("What it bounds, and what to do"),
];

const ALL_HEADS: [Head; 3] =
    [Head::Text("Limit"), Head::Number("Bound"), Head::Text("What it bounds")];

/// How often a bound was hit.
struct Hit {
    limit: Limit,
    lately: u64,
    total: u64,
}

/// `/console/limits`.
pub async fn page<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    let Some(recent) = admin.recent().await else {
        return failure(StatusCode::SERVICE_UNAVAILABLE, "The cores cannot be asked now.");
    };
    let settings = admin.sources.settings();
    let elsewhere = admin.elsewhere();
    let hit = |limit: &Limit| Hit {
        limit: *limit,
        lately: recent.risen(|look| look.total.hits(*limit)),
        total: recent.last.total.hits(*limit) + off_the_cores(*limit, &elsewhere),
    };
    let mut hits: Vec<Hit> = Limit::ALL.iter().map(hit).filter(|hit| hit.total > 0).collect();
    hits.sort_by_key(|hit| std::cmp::Reverse((hit.lately, hit.total)));
    let rows: Vec<Cells> = hits.iter().map(|hit| row(hit, &settings)).collect();
    let lately = lately(recent.span());
    let content = html! {
        h2 { "Hit" }
        p.small {
            "In " (lately) " and since the start of the server, by "
            code { "mynah_limit_hits_total" } ". A bound keeps one client or one flood from taking \
            what all need: raise it only where honest users hit it, and look at "
            a href="/console/refusals" { "Refusals" } " for who that is."
        }
        (table("Limits hit", &HIT_HEADS, &rows))
        details {
            summary { "All limits (" (Limit::ALL.len()) ")" }
            (table("All limits", &ALL_HEADS, &all(&settings)))
        }
    };
    Frame { page: "Limits", title: "Limits", refresh_s: REFRESH_S }.page(StatusCode::OK, &content)
}

fn row(hit: &Hit, settings: &Settings) -> Cells {
    let name = hit.limit.name();
    vec![
        html! { code { (name) } },
        html! { (bound(hit.limit, settings)) },
        html! { (grouped(hit.lately)) },
        html! { (grouped(hit.total)) },
        html! {
            (prose(hit.limit.about()))
            br;
            span.small {
                "To raise it set " code { "limits." (name) } " in mynah.toml; it holds "
                @if Setting::Limit(hit.limit).reloads() {
                    "after " code { "mynah reload" } "."
                } @else {
                    "after the next start."
                }
            }
        },
    ]
}

fn all(settings: &Settings) -> Vec<Cells> {
    let row = |limit: &Limit| {
        vec![
            html! { code { (limit.name()) } },
            html! { (bound(*limit, settings)) },
            html! { (prose(limit.about())) },
        ]
    };
    Limit::ALL.iter().map(row).collect()
}

/// A bound in the words of the file.
fn bound(limit: Limit, settings: &Settings) -> String {
    match settings.limits.value(limit) {
        Amount::Count(count) => grouped(count),
        Amount::Time(time) => write_time(time),
    }
}
