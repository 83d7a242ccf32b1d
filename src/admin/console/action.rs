//! What an operator does to an account, by a form of its own that says what it does. It goes the way
//! of `mynah user` and of the API, and is logged with who did it.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::super::accounts::{AccountChange, Accounts as _};
use super::super::questions::{FromHere, address, answer};
use super::super::server::{Admin, Sources};
use super::forms::Order;
use super::frame::{Frame, failure, trouble};
use super::{password, user};
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::shard::question::{Answer, Question};

/// The field of the connection that is closed.
const CONNECTION: &str = "connection";

/// What can be done to an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// He may not sign in any more.
    Disable,
    /// He may again.
    Enable,
    /// He gets another password.
    Password,
    /// He is signed out of one device or of all.
    SignOut,
}

impl Action {
    const ALL: [Action; 4] = [Action::Disable, Action::Enable, Action::Password, Action::SignOut];

    fn parse(name: &str) -> Option<Self> {
        Action::ALL.into_iter().find(|action| action.name() == name)
    }

    /// The last segment of its path.
    const fn name(self) -> &'static str {
        match self {
            Action::Disable => "disable",
            Action::Enable => "enable",
            Action::Password => "password",
            Action::SignOut => "sign-out",
        }
    }

    /// What is on the button.
    pub const fn label(self) -> &'static str {
        match self {
            Action::Disable => "Disable the account",
            Action::Enable => "Enable the account",
            Action::Password => "Set a new password",
            Action::SignOut => "Sign out",
        }
    }

    /// What it does, for who is about to do it.
    const fn consequence(self, is_one: bool) -> &'static str {
        match self {
            Action::Disable => {
                "The user is signed out of all devices at once and cannot sign in until the account \
                 is enabled again. Contacts, conferences and records stay."
            }
            Action::Enable => "The user can sign in again with the password as it was.",
            Action::Password => {
                "The server thinks of a password and shows it once, on the next page. The old one \
                 does not sign in any more; devices that are signed in stay so until they have to \
                 prove themselves again."
            }
            Action::SignOut if is_one => {
                "The connection of this device is closed. A client that knows the password signs in \
                 again by itself: to keep the user out, disable the account."
            }
            Action::SignOut => {
                "The connections of all devices are closed. Clients that know the password sign in \
                 again by themselves: to keep the user out, disable the account."
            }
        }
    }

    /// Where it is asked for and done.
    pub fn path(self, user: &Aor) -> String {
        format!("{}/{}", user::path(user.as_str()), self.name())
    }
}

/// What was just done, as the page of the user says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    Disabled,
    Enabled,
    NotSignedIn,
    SignedOut,
}

impl Done {
    const ALL: [Done; 4] = [Done::Disabled, Done::Enabled, Done::NotSignedIn, Done::SignedOut];

    /// What stands in the address of the page.
    pub fn parse(name: &str) -> Option<Self> {
        Done::ALL.into_iter().find(|done| done.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Done::Disabled => "disabled",
            Done::Enabled => "enabled",
            Done::NotSignedIn => "not-signed-in",
            Done::SignedOut => "signed-out",
        }
    }

    /// What people read.
    pub const fn text(self) -> &'static str {
        match self {
            Done::Disabled => {
                "The account is disabled: the cores sign the user out within 2 seconds."
            }
            Done::Enabled => "The account is enabled: the cores know it within 2 seconds.",
            Done::NotSignedIn => "There was no such device any more.",
            Done::SignedOut => "The user is signed out: what is still listed is being closed.",
        }
    }
}

/// Whom a path means, and what.
pub struct Meant {
    user: Aor,
    action: Action,
}

impl<S: Send + Sync> FromRequestParts<S> for Meant {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let no_page = || failure(StatusCode::NOT_FOUND, "There is no such page.");
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((user, action)) = path.map_err(|_| no_page())?;
        let action = Action::parse(&action).ok_or_else(no_page)?;
        match address(&user) {
            Ok(user) => Ok(Meant { user, action }),
            Err(error) => Err(failure(StatusCode::BAD_REQUEST, &error.to_string())),
        }
    }
}

/// What [`ask`] is asked with.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// The device; empty for all.
    #[serde(default)]
    connection: String,
}

/// `GET /console/users/{user}/{action}`: says what will happen, and has the button.
pub async fn ask<S: Sources>(
    _: FromHere,
    State(admin): State<Arc<Admin<S>>>,
    Meant { user, action }: Meant,
    Query(Asked { connection }): Query<Asked>,
) -> Response {
    let is_one = !connection.is_empty();
    let danger = if action == Action::Enable { "" } else { "danger" };
    let content = html! {
        p.whom { (user) }
        p { (action.consequence(is_one)) }
        (admin.forms.form(&action.path(&user), &html! {
            @if is_one { input type="hidden" name=(CONNECTION) value=(connection); }
            button class=(danger) { (action.label()) }
            a.button href=(user::path(user.as_str())) { "Cancel" }
        }))
    };
    Frame { page: "Users", title: action.label(), refresh_s: 0 }.page(StatusCode::OK, &content)
}

/// `POST /console/users/{user}/{action}`: does it.
pub async fn carry_out<S: Sources>(
    State(admin): State<Arc<Admin<S>>>,
    Meant { user, action }: Meant,
    order: Order,
) -> Response {
    match action {
        Action::Disable => {
            change(&admin, &order, &user, AccountChange::Disable(user.clone()), Done::Disabled)
                .await
        }
        Action::Enable => {
            change(&admin, &order, &user, AccountChange::Enable(user.clone()), Done::Enabled).await
        }
        Action::Password => set_password(&admin, &order, &user).await,
        Action::SignOut => sign_out(&admin, &order, &user).await,
    }
}

async fn change<S: Sources>(
    admin: &Admin<S>,
    order: &Order,
    user: &Aor,
    change: AccountChange,
    done: Done,
) -> Response {
    match admin.sources.accounts().change(change).await {
        Ok(()) => {
            log(order, user, done.name());
            back(user, done)
        }
        Err(error) => trouble(&error),
    }
}

async fn set_password<S: Sources>(admin: &Admin<S>, order: &Order, user: &Aor) -> Response {
    let password = password::generate();
    let change = AccountChange::Password(user.clone(), password.clone());
    if let Err(error) = admin.sources.accounts().change(change).await {
        return trouble(&error);
    }
    log(order, user, "given a new password");
    let content: Markup = html! {
        p.whom { (user) }
        p.note.done role="status" {
            "Read it out or copy it now: it is kept nowhere and not shown again."
        }
        p { code.secret { (*password) } }
        p { "It signs in within 2 seconds." }
        p { a.button href=(user::path(user.as_str())) { "Back to the user" } }
    };
    Frame { page: "Users", title: "New password", refresh_s: 0 }.page(StatusCode::OK, &content)
}

async fn sign_out<S: Sources>(admin: &Admin<S>, order: &Order, user: &Aor) -> Response {
    let conn = match order.field(CONNECTION) {
        "" => None,
        token => match ConnId::from_token(token.as_bytes()) {
            Some(conn) => Some(conn),
            None => return failure(StatusCode::BAD_REQUEST, "There is no such connection."),
        },
    };
    match answer(admin, Question::SignOut { user: user.clone(), conn }).await {
        Some(Answer::SignedOut(0)) => back(user, Done::NotSignedIn),
        Some(Answer::SignedOut(_)) => {
            log(order, user, Done::SignedOut.name());
            back(user, Done::SignedOut)
        }
        Some(Answer::NoSuchUser) => failure(StatusCode::NOT_FOUND, "There is no such user."),
        _ => failure(StatusCode::SERVICE_UNAVAILABLE, "The core that was asked does not answer."),
    }
}

fn back(user: &Aor, done: Done) -> Response {
    Redirect::to(&format!("{}?done={}", user::path(user.as_str()), done.name())).into_response()
}

fn log(order: &Order, user: &Aor, done: &'static str) {
    tracing::info!(by = %order.by, %user, "user {done} through the console");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for action in Action::ALL {
            assert_eq!(Action::parse(action.name()), Some(action));
        }
        for done in Done::ALL {
            assert_eq!(Done::parse(done.name()), Some(done));
        }
        assert_eq!((Action::parse("remove"), Done::parse("")), (None, None));
    }
}
