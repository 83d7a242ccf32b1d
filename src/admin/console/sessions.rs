//! Conversations of two that go on.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::html;

use super::super::questions::{FromHere, answer};
use super::super::report::utc;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, failure, grouped, when};
use super::table::{Cells, Head, table};
use super::user::person;
use crate::shard::question::{Answer, Question};
use crate::shard::session_standing::SessionSummary;

/// Seconds after which the browser asks for the list again.
const REFRESH_S: u32 = 10;

const HEADS: [Head; 5] = [
    Head::Text("Caller"),
    Head::Text("Callee"),
    Head::Text("State"),
    Head::Text("Since"),
    Head::Number("Messages"),
];

/// `/console/sessions`.
pub async fn page<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    let Some(Answer::Sessions(list)) = answer(&admin, Question::Sessions).await else {
        let text = "A core that was asked does not answer.";
        return failure(StatusCode::SERVICE_UNAVAILABLE, text);
    };
    let rows: Vec<Cells> = list.sessions.iter().map(row).collect();
    let content = html! {
        p {
            (rows.len()) " of " (grouped(list.total as u64)) " two-party sessions, in no order. "
            "Conversations of three and more are "
            a href="/console/conferences" { "conferences" } "."
        }
        (table("Sessions", &HEADS, &rows))
    };
    Frame { page: "Sessions", title: "Sessions", refresh_s: REFRESH_S }
        .page(StatusCode::OK, &content)
}

fn row(one: &SessionSummary) -> Cells {
    vec![
        html! { (person(one.caller.as_str())) },
        html! { (person(one.callee.as_str())) },
        html! {
            (if one.established { "established" } else { "ringing" })
            @if one.bridged { ", one end in pager mode" }
            @if one.to_conference { ", into a conference" }
        },
        html! { (when(&utc(one.since_unix_ms))) },
        html! { (grouped(one.messages)) },
    ]
}
