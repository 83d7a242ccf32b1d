//! The bounds: which were hit, what each is for, and what can be done.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::super::limit_hits::off_the_cores;
use super::super::questions::FromHere;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, failure, grouped};
use super::table::{Head, table};
use crate::base::limits::Limit;
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
    let rows: Vec<Markup> = hits.iter().map(|hit| row(hit, &settings)).collect();
    let minutes = recent.span().as_secs() / 60;
    let content = html! {
        h2 { "Hit" }
        p.small {
            "In the last " (minutes.max(1)) " minutes and since the start of the server, by "
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
    Frame { title: "Limits", refresh_s: REFRESH_S }.page(StatusCode::OK, &content)
}

fn row(hit: &Hit, settings: &Settings) -> Markup {
    let name = hit.limit.name();
    html! {
        th scope="row" { code { (name) } }
        td.number { (bound(hit.limit, settings)) }
        td.number { (grouped(hit.lately)) }
        td.number { (grouped(hit.total)) }
        td {
            (hit.limit.about())
            br;
            span.small {
                "To raise it set " code { "limits." (name) } " in mynah.toml; it holds "
                (if Setting::Limit(hit.limit).reloads() {
                    "after mynah reload."
                } else {
                    "after the next start."
                })
            }
        }
    }
}

fn all(settings: &Settings) -> Vec<Markup> {
    let row = |limit: &Limit| {
        html! {
            th scope="row" { code { (limit.name()) } }
            td.number { (bound(*limit, settings)) }
            td { (limit.about()) }
        }
    };
    Limit::ALL.iter().map(row).collect()
}

/// A bound in the words of the file.
fn bound(limit: Limit, settings: &Settings) -> String {
    settings.limits.value(limit).to_string()
}
