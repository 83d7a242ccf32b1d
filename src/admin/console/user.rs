//! One user: his account, where he is signed in, what his presence says and to whom, who watches him,
//! whom he knows, and what was refused to him.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::super::accounts::Accounts as _;
use super::super::diagnosis::{self, RefusalReport};
use super::super::questions::{FromHere, address, answer};
use super::super::report::{ContactsReport, PresenceReport, WatchersReport};
use super::super::server::{Admin, Sources};
use super::action::{Action, Done};
use super::frame::{Frame, failure};
use super::users::account;
use super::{devices, policy, presence, refusals};
use crate::base::aor::Aor;
use crate::directory::User;
use crate::shard::question::{Answer, Question, Standing};

/// Contacts and watchers on one page.
const LISTED_MAX: usize = 200;
/// His last refusals on one page.
const REFUSALS_MAX: usize = 20;

/// The form of [`page`].
#[derive(Debug, Deserialize)]
pub struct Seen {
    /// Through whose eyes.
    #[serde(default, rename = "as")]
    watcher: String,
    /// What was just done.
    #[serde(default)]
    done: String,
}

/// What the cores and the database know of a user.
struct Facts {
    account: Option<User>,
    standing: Standing,
    presence: PresenceReport,
    devices: Vec<devices::Device>,
    watchers: WatchersReport,
    contacts: ContactsReport,
    /// `None` when a core does not answer.
    refusals: Option<Vec<RefusalReport>>,
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
    let facts = match facts(&admin, &user, watcher).await {
        Ok(facts) => facts,
        Err(response) => return response,
    };
    let settings = admin.sources.settings();
    let under = &facts.standing.policy;
    let watchers = facts.watchers.watchers.iter().map(|one| {
        html! {
            (person(&one.address)) " – " (one.level_name.replace('_', " "))
            @if !one.is_contact { ", no contact of his" }
        }
    });
    let contacts = facts.contacts.contacts.iter().map(|one| {
        html! { (person(&one.address)) @if !one.name.is_empty() { " – " (one.name) } }
    });
    let content = html! {
        @if let Some(done) = Done::parse(&seen.done) {
            p.note.done role="status" { (done.text()) }
        }
        (head(&facts))
        (actions(&admin, &user, &facts))
        section {
            h2 { "Signed in" }
            (devices::table(&user, &facts.devices))
        }
        (presence::as_seen(&seen.watcher, facts.presence.seen.as_ref()))
        section {
            h2 { "Last refusals" }
            @match &facts.refusals {
                Some(list) => { (refusals::table(list.iter().take(REFUSALS_MAX))) }
                None => { p.note { "A core that was asked does not answer." } }
            }
        }
        (policy::details(settings.policies.effective(under), settings.policies.of(under)))
        (people("Watchers", watchers))
        (people("Contacts", contacts))
        (presence::publications(&facts.presence))
        (presence::levels(&facts.presence))
    };
    Frame { page: "Users", title: user.as_str(), refresh_s: 0 }.page(StatusCode::OK, &content)
}

async fn facts<S: Sources>(
    admin: &Admin<S>,
    user: &Aor,
    watcher: Option<Aor>,
) -> Result<Facts, Response> {
    let (account, standing, presence, watchers, contacts, refusals) = tokio::join!(
        admin.sources.accounts().user(user.clone()),
        answer(admin, Question::Standing(user.clone())),
        answer(admin, Question::Presence { user: user.clone(), watcher }),
        answer(admin, Question::Watchers(user.clone())),
        answer(admin, Question::Contacts(user.clone())),
        diagnosis::last(admin, Some(user.clone())),
    );
    // A database that cannot be read now hides nothing of what the cores know.
    let account = account.ok().flatten();
    match (standing, presence, watchers, contacts) {
        (
            Some(Answer::Standing(standing)),
            Some(Answer::Presence(presence)),
            Some(Answer::Watchers(watchers)),
            Some(Answer::Contacts(contacts)),
        ) => Ok(Facts {
            account,
            devices: devices::of(admin, &presence.endpoints).await,
            standing: *standing,
            presence: PresenceReport::from(&*presence),
            watchers: WatchersReport::from(&*watchers),
            contacts: ContactsReport::from(&contacts),
            refusals,
        }),
        (_, Some(Answer::NoSuchUser), ..) => Err(match account {
            Some(_) => {
                let text = "The user was just added: the cores know it within two seconds.";
                failure(StatusCode::OK, text)
            }
            None => failure(StatusCode::NOT_FOUND, &format!("There is no user {user}.")),
        }),
        _ => {
            let text = "The core that is home to this user does not answer.";
            Err(failure(StatusCode::SERVICE_UNAVAILABLE, text))
        }
    }
}

fn head(facts: &Facts) -> Markup {
    let name = facts.account.as_ref().map_or("", |account| &account.display_name);
    html! {
        p.pills {
            @if !name.is_empty() { strong { (name) } }
            (account(is_enabled(facts)))
            @if let Some(seconds) = facts.standing.locked_s {
                span.pill.look { "locked out for " (seconds) " s" }
            }
        }
        (presence::state(&facts.presence.state))
    }
}

/// The database knows it before the cores do.
fn is_enabled(facts: &Facts) -> bool {
    let disabled = facts.account.as_ref().map(|account| account.disabled);
    !disabled.unwrap_or(facts.standing.disabled)
}

/// What can be done: what hurts asks again first.
fn actions<S: Sources>(admin: &Admin<S>, user: &Aor, facts: &Facts) -> Markup {
    let link = |action: Action, class: &str| {
        html! { a class=(class) href=(action.path(user)) { (action.label()) } }
    };
    html! {
        div.actions role="group" aria-label="Account" {
            @if is_enabled(facts) {
                (link(Action::Disable, "button danger"))
            } @else {
                (admin.forms.form(&Action::Enable.path(user), &html! {
                    button { (Action::Enable.label()) }
                }))
            }
            (link(Action::Password, "button"))
            @if !facts.devices.is_empty() { (link(Action::SignOut, "button danger")) }
        }
    }
}

fn people(title: &str, people: impl ExactSizeIterator<Item = Markup>) -> Markup {
    let len = people.len();
    html! {
        details {
            summary { (title) " (" (len) ")" }
            ul { @for one in people.take(LISTED_MAX) { li { (one) } } }
            @if len > LISTED_MAX { p.small { "And " (len - LISTED_MAX) " more." } }
        }
    }
}

/// A link to a user's page.
pub fn person(address: &str) -> Markup {
    html! { a href=(path(address)) { (address) } }
}

/// The page of a user.
pub fn path(address: &str) -> String {
    format!("/console/users/{}", utf8_percent_encode(address, ESCAPED))
}

/// What an address may hold and a segment of a path may not as it is (RFC 3986 section 3.3), and
/// more.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'@').remove(b'.').remove(b'-').remove(b'_');

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_segment_of_a_path() {
        assert_eq!(path("alice@example.test"), "/console/users/alice@example.test");
        assert_eq!(path("a/b?c%#@x"), "/console/users/a%2Fb%3Fc%25%23@x");
    }
}
