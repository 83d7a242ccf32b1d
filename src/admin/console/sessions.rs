//! Conversations of two that go on.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};

use super::super::questions::{FromHere, answer};
use super::super::report::utc;
use super::super::server::{Admin, Sources};
use super::frame::{Frame, failure, grouped};
use super::table::{Head, table};
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
    let rows: Vec<Markup> = list.sessions.iter().map(row).collect();
    let content = html! {
        p {
            (rows.len()) " of " (grouped(list.total as u64)) " two-party sessions, in no order. "
            "Conversations of three and more are "
            a href="/console/conferences" { "conferences" } "."
        }
        (table("Sessions", &HEADS, &rows))
    };
    Frame { title: "Sessions", refresh_s: REFRESH_S }.page(StatusCode::OK, &content)
}

fn row(one: &SessionSummary) -> Markup {
    html! {
        th scope="row" { (person(one.caller.as_str())) }
        td { (person(one.callee.as_str())) }
        td {
            (if one.established { "established" } else { "ringing" })
            @if one.bridged { ", one end in pager mode" }
            @if one.to_conference { ", into a conference" }
        }
        td { (utc(one.since_unix_ms)) }
        td.number { (grouped(one.messages)) }
    }
}
