//! Conferences: which there are, who is in one, and the form that ends it.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::super::conference_report::{
    ConferenceReport, ConferencesReport, MemberReport, SummaryReport,
};
use super::super::questions::{FromHere, answer};
use super::super::server::{Admin, Sources};
use super::forms::Order;
use super::frame::{Frame, failure, grouped, when};
use super::table::{Cells, Head, table};
use super::user::person;
use crate::base::ids::ConferenceId;
use crate::shard::question::{Answer, Question};

/// Seconds after which the browser asks for the list again.
const REFRESH_S: u32 = 10;

const HEADS: [Head; 7] = [
    Head::Text("Subject"),
    Head::Text("Organiser"),
    Head::Number("Members"),
    Head::Number("Waiting"),
    Head::Number("Messages"),
    Head::Text("Since"),
    Head::Text("Kind"),
];

/// `/console/conferences`.
pub async fn list<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    let Some(Answer::Conferences(list)) = answer(&admin, Question::Conferences).await else {
        return failure(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER);
    };
    let report = ConferencesReport::from(&list);
    let row = |one: &SummaryReport| {
        vec![
            html! { a href=(path(&one.id)) { (subject(&one.subject)) } },
            html! { (person(&one.organiser)) },
            html! { (one.members) },
            html! { (one.waiting) },
            html! { (grouped(one.messages)) },
            html! {
                @match &one.started { Some(time) => { (when(time)) } None => { "not begun" } }
            },
            html! {
                (if one.scheduled { "scheduled" } else { "ad hoc" })
                @if one.locked { ", locked" }
            },
        ]
    };
    let rows: Vec<Cells> = report.conferences.iter().map(row).collect();
    let content = html! {
        p { (report.conferences.len()) " of " (report.total) ", those with the most members first." }
        (table("Conferences", &HEADS, &rows))
    };
    Frame { page: "Conferences", title: "Conferences", refresh_s: REFRESH_S }
        .page(StatusCode::OK, &content)
}

/// `/console/conferences/{id}`.
pub async fn page<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<String>,
) -> Response {
    let Some(id) = ConferenceId::parse(id.as_bytes()) else { return no_name() };
    let report = match answer(&admin, Question::Conference(id)).await {
        Some(Answer::Conference(standing)) => ConferenceReport::from(&*standing),
        Some(Answer::NoSuchConference) => return gone(),
        _ => return failure(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER),
    };
    let conference = &report.conference;
    let content = html! {
        dl.facts {
            dt { "Organiser" } dd { (person(&conference.organiser)) }
            dt { "Name" } dd { code { (conference.id) } }
            dt { "Admission" }
            dd {
                (conference.admission.replace('_', " "))
                @if conference.lobby { ", with a lobby" }
                @if conference.locked { ", locked" }
            }
            dt { "Made" } dd { (when(&conference.made)) }
            dt { "Ends unless used" } dd { (when(&conference.expires)) }
            dt { "Messages" } dd { (grouped(conference.messages)) }
        }
        (members("Members", &report.members))
        (members("In the lobby", &report.waiting))
        div.actions { a.button.danger href={ (path(&conference.id)) "/end" } { (END) } }
    };
    let frame = Frame { page: "Conferences", title: subject(&conference.subject), refresh_s: 0 };
    frame.page(StatusCode::OK, &content)
}

/// What is on the button that ends one.
const END: &str = "End this conference for all";

/// `GET /console/conferences/{id}/end`: asks whether it is meant.
pub async fn ask_end<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<String>,
) -> Response {
    let Some(id) = ConferenceId::parse(id.as_bytes()) else { return no_name() };
    let path = path(&id.to_string());
    let content = html! {
        p.whom { code { (id) } }
        p { "All members are let go at once, and nobody can join it any more." }
        (admin.forms.form(&format!("{path}/end"), &html! {
            button.danger { (END) }
            a.button href=(path) { "Cancel" }
        }))
    };
    Frame { page: "Conferences", title: END, refresh_s: 0 }.page(StatusCode::OK, &content)
}

/// `POST /console/conferences/{id}/end`: ends it.
pub async fn end<S: Sources>(
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<String>,
    order: Order,
) -> Response {
    let Some(id) = ConferenceId::parse(id.as_bytes()) else { return no_name() };
    let answer = answer(&admin, Question::EndConference(id)).await;
    if let Some(Answer::ConferenceEnded | Answer::ConferenceStays) = answer {
        tracing::info!(by = %order.by, conference = %id, "conference ended through the console");
    }
    match answer {
        Some(Answer::ConferenceEnded) => Redirect::to("/console/conferences").into_response(),
        Some(Answer::ConferenceStays) => failure(
            StatusCode::ACCEPTED,
            "The conference is over, but the store cannot forget it now: it is there again after \
             the next start.",
        ),
        Some(Answer::NoSuchConference) => gone(),
        _ => failure(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER),
    }
}

fn path(id: &str) -> String {
    format!("/console/conferences/{id}")
}

const NO_ANSWER: &str = "A core that was asked does not answer.";

fn gone() -> Response {
    failure(StatusCode::NOT_FOUND, "There is no such conference, or it is over.")
}

fn no_name() -> Response {
    failure(StatusCode::BAD_REQUEST, "The name of a conference has 32 hexadecimal digits.")
}

fn subject(subject: &str) -> &str {
    if subject.is_empty() { "without subject" } else { subject }
}

fn members(title: &str, members: &[MemberReport]) -> Markup {
    html! {
        section {
            h3 { (title) " (" (members.len()) ")" }
            ul {
                @for one in members {
                    li {
                        (person(&one.address))
                        @if !one.name.is_empty() { " – " (one.name) }
                        ", " (one.role) " since " (when(&one.since)) ", " (one.messages) " messages"
                    }
                }
            }
        }
    }
}
