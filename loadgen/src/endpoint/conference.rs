//! How an endpoint makes conferences and comes into them. Addresses are without scheme.

use super::compose::{Question, Request};
use super::incoming::outcome;
use super::{Endpoint, Env, Event, Wait};
use crate::conference::{accepted, focus};
use crate::dialog::Kind;
use crate::link::Link;
use crate::population::{mix, number_of};
use crate::scan::{Message, Name, uri_of};
use crate::settings::{Flow, Settings};
use crate::stats::Cause;
use crate::transactions::Pending;

impl Endpoint {
    /// Asks for a conference of the user's own.
    pub fn create_conference(&mut self, env: &mut Env, link: &mut Link, pending: Pending) -> Wait {
        let number = self.begin_alone(pending);
        env.text.uri.clear();
        for part in ["sip:", &self.identity.aor, ";gruu;opaque=app:conf:focusfactory"] {
            env.text.uri.extend_from_slice(part.as_bytes());
        }
        let document = format!(
            "<msci:conference-id>{}{:016X}</msci:conference-id>\
             <msci:expiry-time>{}</msci:expiry-time>",
            String::from_utf8_lossy(&self.stem).to_ascii_uppercase(),
            mix(env.run ^ u64::from(number)),
            env.expiry
        );
        env.text.body.clear();
        env.text.body.extend_from_slice(document.as_bytes());
        self.ask(env, link, Question::Create, number);
        Wait::Pager { number }
    }

    /// Comes into the conference with this focus.
    pub fn join(&mut self, env: &mut Env, link: &mut Link, focus: &str, pending: Pending) -> Wait {
        self.begin_dialog(env, link, focus, (Kind::Focus, Request::Join), pending)
    }

    /// Takes up the instant messages of a conference.
    pub fn chat(&mut self, env: &mut Env, link: &mut Link, chat: &str, pending: Pending) -> Wait {
        self.begin_dialog(env, link, chat, (Kind::Session, Request::Chat), pending)
    }
}

/// What the answer to the request for a conference comes to.
pub(super) fn create_answered(
    message: Message<'_>,
    status: u16,
    events: &mut Vec<Event>,
) -> Result<(), Cause> {
    outcome(status)?;
    carried_out(message, events)?;
    let address = focus(message.body()).ok_or(Cause::Protocol)?;
    events.push(Event::Created(address));
    Ok(())
}

/// Whether an answer says that its request was carried out.
pub(super) fn carried_out(message: Message<'_>, events: &mut Vec<Event>) -> Result<(), Cause> {
    accepted(message.body()).map_err(|reason| {
        events.push(Event::Refused(reason));
        Cause::Refused
    })
}

/// Whether a message names this user as its author, in a flow in which messages do. In a profile
/// those of conferences do and those of sessions do not.
pub(super) fn is_attributed(settings: &Settings, message: Message<'_>, author: u32) -> bool {
    let sender = message.value(Name::MsSender);
    let names = match settings.flow {
        Flow::Conference { .. } => true,
        Flow::Profile(_) => !sender.is_empty(),
        _ => false,
    };
    let named = || {
        let uri = std::str::from_utf8(uri_of(sender)).ok()?;
        number_of(settings, uri.strip_prefix("sip:")?)
    };
    !names || named() == Some(author)
}
