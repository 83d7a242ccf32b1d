//! One user: where he is signed in, what his presence says and to whom, who watches him, whom he
//! knows.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::questions::{FromHere, address, answer};
use super::super::report::{
    ContactsReport, PresenceReport, SeenReport, StateReport, WatchersReport,
};
use super::super::server::{Admin, Sources};
use super::frame::{Frame, failure};
use crate::shard::question::{Answer, Question};

/// Contacts and watchers on one page.
const LISTED_MAX: usize = 200;

/// The form of [`find`].
#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    address: String,
}

/// `/console/users`: asks whom.
pub async fn find(_: FromHere, Query(wanted): Query<Wanted>) -> Response {
    match address(wanted.address.trim()) {
        Ok(address) => {
            Redirect::to(&format!("/console/users/{}", path(address.as_str()))).into_response()
        }
        Err(error) => {
            let content = html! {
                (search(&wanted.address))
                @if !wanted.address.trim().is_empty() {
                    p.note role="alert" { (error) }
                }
            };
            Frame { title: "Users", refresh_s: 0 }.page(StatusCode::OK, &content)
        }
    }
}

/// The form of [`page`].
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// Through whose eyes.
    #[serde(default, rename = "as")]
    watcher: String,
}

/// `/console/users/{user}`.
pub async fn page<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Path(user): Path<String>,
    Query(seen): Query<Seen>,
) -> Response {
    let user = match address(&user) {
        Ok(user) => user,
        Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let watcher = match seen.watcher.trim() {
        "" => None,
        text => match address(text) {
            Ok(watcher) => Some(watcher),
            Err(error) => return failure(StatusCode::BAD_REQUEST, &error.to_string()),
        },
    };
    let (presence, watchers, contacts) = tokio::join!(
        answer(&admin, Question::Presence { user: user.clone(), watcher }),
        answer(&admin, Question::Watchers(user.clone())),
        answer(&admin, Question::Contacts(user.clone())),
    );
    let content = match (presence, watchers, contacts) {
        (
            Some(Answer::Presence(presence)),
            Some(Answer::Watchers(watchers)),
            Some(Answer::Contacts(contacts)),
        ) => {
            let presence = PresenceReport::from(&*presence);
            html! {
                (search(user.as_str()))
                h2 { (user) }
                (state(&presence.state))
                (endpoints(&presence))
                (as_seen(&seen.watcher, presence.seen.as_ref()))
                (publications(&presence))
                (levels(&presence))
                (watchers_of(&WatchersReport::from(&*watchers)))
                (contacts_of(&ContactsReport::from(&contacts)))
            }
        }
        (Some(Answer::NoSuchUser), ..) => {
            return failure(StatusCode::NOT_FOUND, &format!("There is no user {user}."));
        }
        _ => {
            let text = "The core that is home to this user does not answer.";
            return failure(StatusCode::SERVICE_UNAVAILABLE, text);
        }
    };
    Frame { title: "Users", refresh_s: 0 }.page(StatusCode::OK, &content)
}

fn search(address: &str) -> Markup {
    html! {
        form.search action="/console/users" method="get" role="search" {
            label for="address" { "Address" }
            input id="address" name="address" type="search" required autocomplete="off"
                placeholder="alice@example.com" value=(address);
            button { "Show" }
        }
    }
}

fn state(state: &StateReport) -> Markup {
    let details = [
        state.activity.as_deref(),
        state.location.as_deref(),
        state.meeting_subject.as_deref(),
        state.meeting_location.as_deref(),
    ];
    html! {
        p.state {
            span class=(format!("dot {}", state.class)) aria-hidden="true" {}
            strong { (state.class.replace('_', " ")) }
            " (" (state.availability) ")"
            @for detail in details.into_iter().flatten() { ", " (detail) }
            @if let Some(active) = &state.last_active { ", last active " (active) }
        }
    }
}

fn endpoints(presence: &PresenceReport) -> Markup {
    html! {
        section {
            h3 { "Signed in" }
            @if presence.endpoints.is_empty() { p.small { "Nowhere." } } @else {
                div.wide tabindex="0" role="region" aria-label="Endpoints" {
                    table {
                        thead {
                            tr {
                                th scope="col" { "Client" }
                                th scope="col" { "Device" }
                                th scope="col" { "By" }
                                th scope="col" { "Connection" }
                                th.number scope="col" { "Registers again in" }
                            }
                        }
                        tbody {
                            @for one in &presence.endpoints {
                                tr {
                                    th scope="row" { (one.user_agent.as_deref().unwrap_or("unnamed")) }
                                    td { (one.epid.as_deref().unwrap_or("–")) }
                                    td { (one.dialect) " over " (one.transport) }
                                    td { code { (one.connection) } }
                                    td.number { (one.expires_s) " s" }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn as_seen(watcher: &str, seen: Option<&SeenReport>) -> Markup {
    html! {
        section {
            h3 { "As others see him" }
            form.search method="get" {
                label for="as" { "Through the eyes of" }
                input id="as" name="as" type="search" placeholder="bob@example.com" value=(watcher);
                button { "Look" }
            }
            @if let Some(seen) = seen {
                p { "Access level " (seen.level) ", " (seen.level_name.replace('_', " ")) "." }
                @if let Some(of) = &seen.state { (state(of)) } @else { p { "No state." } }
                ul {
                    @for line in seen.notes.iter().chain(&seen.card) { li { (line) } }
                    @for other in &seen.others { li { (other) } }
                }
            }
        }
    }
}

fn publications(presence: &PresenceReport) -> Markup {
    html! {
        details {
            summary { "Publications (" (presence.publications.len()) ")" }
            div.wide tabindex="0" role="region" aria-label="Publications" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Category" }
                            th.number scope="col" { "Instance" }
                            th.number scope="col" { "Container" }
                            th.number scope="col" { "Version" }
                            th scope="col" { "Lives" }
                            th scope="col" { "Says" }
                        }
                    }
                    tbody {
                        @for one in &presence.publications {
                            tr {
                                th scope="row" { (one.category) }
                                td.number { (one.instance) }
                                td.number { (one.container) }
                                td.number { (one.version) }
                                td { (one.life) }
                                td { (one.text) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn levels(presence: &PresenceReport) -> Markup {
    html! {
        details {
            summary { "Access levels" }
            dl {
                @for one in &presence.containers {
                    dt { (one.name.replace('_', " ")) " (" (one.id) ")" }
                    dd {
                        @if one.members.is_empty() { "nobody" }
                        @else { (one.members.join(", ")) }
                    }
                }
            }
        }
    }
}

fn watchers_of(report: &WatchersReport) -> Markup {
    html! {
        details {
            summary { "Watchers (" (report.watchers.len()) ")" }
            ul {
                @for one in report.watchers.iter().take(LISTED_MAX) {
                    li {
                        (person(&one.address)) " – " (one.level_name.replace('_', " "))
                        @if !one.is_contact { ", no contact of his" }
                    }
                }
            }
            (rest(report.watchers.len()))
        }
    }
}

fn contacts_of(report: &ContactsReport) -> Markup {
    html! {
        details {
            summary { "Contacts (" (report.contacts.len()) ")" }
            ul {
                @for one in report.contacts.iter().take(LISTED_MAX) {
                    li {
                        (person(&one.address))
                        @if !one.name.is_empty() { " – " (one.name) }
                    }
                }
            }
            (rest(report.contacts.len()))
        }
    }
}

fn rest(len: usize) -> Markup {
    html! {
        @if len > LISTED_MAX { p.small { "And " (len - LISTED_MAX) " more." } }
    }
}

/// A link to a user's page.
pub fn person(address: &str) -> Markup {
    html! { a href={ "/console/users/" (path(address)) } { (address) } }
}

/// `address` as a segment of a path (RFC 3986): what is not plainly allowed is in hexadecimal.
fn path(address: &str) -> String {
    let mut path = String::with_capacity(address.len());
    for octet in address.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'@' | b'.' | b'-' | b'_' => {
                path.push(char::from(octet));
            }
            _ => path.push_str(&format!("%{octet:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_segment_of_a_path() {
        assert_eq!(path("alice@example.test"), "alice@example.test");
        assert_eq!(path("a/b?c%#@x"), "a%2Fb%3Fc%25%23@x");
    }
}
