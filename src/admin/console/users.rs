//! Users: a search and a page of those found, with what an operator asks for first.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use form_urlencoded::Serializer;
use maud::{Markup, html};
use serde::Deserialize;

use super::super::accounts::Accounts as _;
use super::super::questions::{FromHere, answer};
use super::super::server::{Admin, Sources};
use super::frame::{Frame, trouble};
use super::table::{Cells, Head, table};
use super::user::person;
use crate::base::aor::Aor;
use crate::directory::User;
use crate::shard::question::{Answer, Question};

/// Users on one page.
const PAGE_USERS_MAX: usize = 50;
/// Longest text to search for, in octets.
const TEXT_LEN_MAX: usize = 256;

/// The form of [`list`].
#[derive(Debug, Deserialize)]
pub struct Wanted {
    /// What stands in address or name.
    #[serde(default)]
    q: String,
    /// Address of the last user of the page before.
    #[serde(default)]
    after: String,
}

/// `/console/users`.
pub async fn list<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Query(Wanted { q, after }): Query<Wanted>,
) -> Response {
    let text = q.trim();
    let frame = Frame { page: "Users", title: "Users", refresh_s: 0 };
    if text.len() > TEXT_LEN_MAX || after.len() > TEXT_LEN_MAX {
        let content = html! { (search("")) p.note role="alert" { "That is too long a text." } };
        return frame.page(StatusCode::BAD_REQUEST, &content);
    }
    let accounts = admin.sources.accounts();
    // One more tells whether there is another page.
    let found = accounts.users(text.to_owned(), after, PAGE_USERS_MAX + 1).await;
    let mut users = match found {
        Ok(users) => users,
        Err(error) => return trouble(&error),
    };
    let is_more = users.len() > PAGE_USERS_MAX;
    users.truncate(PAGE_USERS_MAX);
    let devices = devices(&admin, &users).await;
    let next = users.last().filter(|_| is_more).map(|user| {
        let mut query = Serializer::new(String::new());
        if !text.is_empty() {
            query.append_pair("q", text);
        }
        format!("/console/users?{}", query.append_pair("after", &user.aor).finish())
    });
    let content = html! {
        (search(text))
        @if devices.is_none() {
            p.note role="alert" { "A core does not answer: who is signed in is not known now." }
        }
        (rows(&users, devices.as_ref()))
        @if let Some(next) = next { p { a.button href=(next) rel="next" { "Next page" } } }
    };
    frame.page(StatusCode::OK, &content)
}

/// How many endpoints each of `users` has; `None` when a core does not answer.
async fn devices<S: Sources>(admin: &Admin<S>, users: &[User]) -> Option<HashMap<Aor, usize>> {
    let users: Vec<Aor> = users.iter().map(|user| Aor::new(&user.aor)).collect();
    match answer(admin, Question::Endpoints(users)).await {
        Some(Answer::Endpoints(known)) => Some(known.into_iter().collect()),
        _ => None,
    }
}

/// The form that asks whom.
fn search(text: &str) -> Markup {
    html! {
        form.search action="/console/users" method="get" role="search" {
            label for="q" { "Address or name" }
            input id="q" name="q" type="search" autocomplete="off" placeholder="alice"
                maxlength=(TEXT_LEN_MAX) value=(text);
            button { "Search" }
        }
    }
}

const HEADS: [Head; 5] = [
    Head::Text("Address"),
    Head::Text("Name"),
    Head::Text("Account"),
    Head::Text("Policy"),
    Head::Number("Devices"),
];

fn rows(users: &[User], devices: Option<&HashMap<Aor, usize>>) -> Markup {
    if users.is_empty() {
        return html! { p { "There is no such user." } };
    }
    let row = |user: &User| {
        let devices = devices.map(|known| known.get(&Aor::new(&user.aor)).copied());
        vec![
            html! { (person(&user.aor)) },
            html! { (user.display_name) },
            html! { (account(!user.disabled)) },
            html! { (user.policy_name()) },
            html! {
                @match devices {
                    Some(devices) => { (devices.unwrap_or_default()) }
                    None => { "?" }
                }
            },
        ]
    };
    let rows: Vec<Cells> = users.iter().map(row).collect();
    table("Users", &HEADS, &rows)
}

/// Whether an account may sign in.
pub fn account(enabled: bool) -> Markup {
    html! {
        @if enabled { span.pill.good { "enabled" } } @else { span.pill.bad { "disabled" } }
    }
}
