//! What was refused, closed or dropped, and why: since the start of the server and lately.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::super::questions::FromHere;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, grouped};
use super::history::{Look, Recent};
use crate::base::limits::Limit;
use crate::metrics::counters::{AuthFailure, CloseReason, FrameKind};

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

/// `/console/refusals`.
pub async fn page<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    let frame = Frame { title: "Refusals", refresh_s: REFRESH_S };
    let Some(recent) = admin.history.recent() else {
        let content = html! { p.note { "The first look at the cores is not done yet." } };
        return frame.page(StatusCode::OK, &content);
    };
    let minutes = recent.span().as_secs() / 60;
    let content = html! {
        p.small { "Since the start of the server, and in the last " (minutes.max(1)) " minutes." }
        (table("Sign-ins refused", &rows(&recent, AuthFailure::ALL, |c| c.name().to_owned(), |look, cause| {
            look.total.auth_failures(cause)
        })))
        (table("Responses that refuse", &statuses(&recent)))
        (table("Limits hit", &rows(&recent, Limit::ALL, |l| l.name().to_owned(), |look, limit| {
            look.total.hits(limit)
        })))
        (table("Connections closed", &rows(&recent, CloseReason::ALL, |r| r.name().to_owned(), |look, reason| {
            look.total.closes(reason)
        })))
        (table("Frames dropped between cores", &rows(&recent, FrameKind::ALL, |k| k.name().to_owned(), |look, kind| {
            look.total.frames_dropped(kind)
        })))
    };
    frame.page(StatusCode::OK, &content)
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

fn table(title: &str, rows: &[Row]) -> Markup {
    html! {
        section {
            h2 { (title) }
            @if rows.is_empty() {
                p.small { "None." }
            } @else {
                table {
                    thead {
                        tr {
                            th scope="col" { "Cause" }
                            th.number scope="col" { "Lately" }
                            th.number scope="col" { "In all" }
                        }
                    }
                    tbody {
                        @for row in rows {
                            tr {
                                th scope="row" { (row.cause.replace('_', " ")) }
                                td.number { (grouped(row.lately)) }
                                td.number { (grouped(row.total)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
