//! Conferences: which there are, who is in one, and the button that ends it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};

use super::super::conference_report::{ConferenceReport, ConferencesReport, MemberReport};
use super::super::questions::{FromHere, answer};
use super::super::server::{Admin, Sources};
use super::frame::{Frame, failure, grouped};
use super::user::person;
use crate::base::ids::ConferenceId;
use crate::shard::question::{Answer, Question};

/// Seconds after which the browser asks for the list again.
const REFRESH_S: u32 = 10;

/// Lets orders of the console's own pages pass, and none of other pages in the same browser.
pub struct FromConsole;

impl<S: Send + Sync> FromRequestParts<S> for FromConsole {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Response> {
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let host = text(header::HOST.as_str()).unwrap_or_default();
        let origin =
            text(header::ORIGIN.as_str()).and_then(|origin| origin.strip_prefix("http://"));
        let is_own = match text("sec-fetch-site") {
            Some(site) => site == "same-origin",
            None => origin.is_some_and(|origin| origin == host),
        };
        match is_own {
            true => Ok(FromConsole),
            false => Err(failure(StatusCode::FORBIDDEN, "Only a page of the console is obeyed.")),
        }
    }
}

/// `/console/conferences`.
pub async fn list<S: Sources>(_: FromHere, State(admin): State<Arc<Admin<S>>>) -> Response {
    let Some(Answer::Conferences(list)) = answer(&admin, Question::Conferences).await else {
        return failure(StatusCode::SERVICE_UNAVAILABLE, NO_ANSWER);
    };
    let report = ConferencesReport::from(&list);
    let content = html! {
        p { (report.conferences.len()) " of " (report.total) ", those with the most members first." }
        @if !report.conferences.is_empty() {
            div.wide tabindex="0" role="region" aria-label="Conferences" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Subject" }
                            th scope="col" { "Organiser" }
                            th.number scope="col" { "Members" }
                            th.number scope="col" { "Waiting" }
                            th.number scope="col" { "Messages" }
                            th scope="col" { "Since" }
                            th scope="col" { "Kind" }
                        }
                    }
                    tbody {
                        @for one in &report.conferences {
                            tr {
                                th scope="row" {
                                    a href={ "/console/conferences/" (one.id) } { (subject(&one.subject)) }
                                }
                                td { (person(&one.organiser)) }
                                td.number { (one.members) }
                                td.number { (one.waiting) }
                                td.number { (grouped(one.messages)) }
                                td { (one.started.as_deref().unwrap_or("not begun")) }
                                td {
                                    (if one.scheduled { "scheduled" } else { "ad hoc" })
                                    @if one.locked { ", locked" }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    Frame { title: "Conferences", refresh_s: REFRESH_S }.page(StatusCode::OK, &content)
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
        h2 { (subject(&conference.subject)) }
        dl {
            dt { "Organiser" } dd { (person(&conference.organiser)) }
            dt { "Name" } dd { code { (conference.id) } }
            dt { "Admission" }
            dd {
                (conference.admission.replace('_', " "))
                @if conference.lobby { ", with a lobby" }
                @if conference.locked { ", locked" }
            }
            dt { "Made" } dd { (conference.made) }
            dt { "Ends unless used" } dd { (conference.expires) }
            dt { "Messages" } dd { (grouped(conference.messages)) }
        }
        (members("Members", &report.members))
        (members("In the lobby", &report.waiting))
        form method="post" action={ "/console/conferences/" (conference.id) "/end" } {
            button.danger { "End this conference for all" }
        }
    };
    Frame { title: "Conferences", refresh_s: 0 }.page(StatusCode::OK, &content)
}

/// Ends one.
pub async fn end<S: Sources>(
    _: FromHere,
    _: FromConsole,
    State(admin): State<Arc<Admin<S>>>,
    Path(id): Path<String>,
) -> Response {
    let Some(id) = ConferenceId::parse(id.as_bytes()) else { return no_name() };
    match answer(&admin, Question::EndConference(id)).await {
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
                        ", " (one.role) " since " (one.since) ", " (one.messages) " messages"
                    }
                }
            }
        }
    }
}
