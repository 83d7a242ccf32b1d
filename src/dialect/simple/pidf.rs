//! What a standard client is told of somebody it watches: PIDF, always the whole document.

use std::borrow::Cow;

use crate::dialect::address::uri;
use crate::presence::aggregate::Aggregate;
use crate::presence::state::Class;
use crate::presence::view::{Content, View};
use crate::wire::presence::pidf::{Activity, Person, Pidf, Tuple, UserInput};

pub use crate::wire::presence::pidf::CONTENT_TYPE;

/// The identity of the only tuple, and of the person: the same in each document, so that a
/// client sees them change and not come and go.
const TUPLE: &str = "t1";
const PERSON: &str = "p1";

/// What `view` shows of the user `aor`. Clients that know only PIDF itself find the note in the
/// tuple.
pub fn document(aor: &str, view: &View<'_>) -> String {
    let uri = uri(aor);
    let state = view.state();
    let since = view.items.iter().find(|item| matches!(item.content, Content::State(_)));
    let notes: Vec<Cow<'_, str>> = view.notes().map(|note| (*note.text).into()).collect();
    let card = view.card();
    let icon = card.and_then(|card| card.photo.as_ref()).map_or("", |photo| &*photo.uri);
    let person = Person {
        id: PERSON.into(),
        activities: state.map(activities).unwrap_or_default(),
        place: state.and_then(|state| state.location.as_deref()).unwrap_or_default().into(),
        status_icon: icon.into(),
        user_input: state.and_then(user_input),
        display_name: card.map_or("", |card| &*card.display_name).into(),
        notes: notes.clone(),
        timestamp: None,
    };
    let tuple = Tuple {
        id: TUPLE.into(),
        is_open: state.map(|state| state.availability.class() != Class::Offline),
        activities: Vec::new(),
        contact: uri.as_str().into(),
        notes,
        timestamp: since.map(|item| item.published_ms / 1000),
    };
    let pidf = Pidf {
        entity: uri.as_str().into(),
        tuples: vec![tuple],
        persons: vec![person],
        ..Pidf::default()
    };
    pidf.write()
}

/// What he does. Besides what the token says there is always `busy` or `away`, for clients that
/// know no others.
fn activities(state: &Aggregate) -> Vec<Activity<'_>> {
    let token = state.activity.as_ref().map_or("", |activity| &*activity.token);
    let exact = match token {
        "on-the-phone" | "in-a-conference" => Some("on-the-phone"),
        "in-a-meeting" => Some("meeting"),
        "in-presentation" => Some("presentation"),
        "out-of-office" => Some("vacation"),
        _ => None,
    };
    let plain = match state.availability.class() {
        Class::Available | Class::Idle | Class::Offline => None,
        Class::Busy | Class::BusyIdle | Class::DoNotDisturb => Some("busy"),
        Class::BeRightBack | Class::Away => Some("away"),
    };
    let named = exact.filter(|_| plain.is_some()).into_iter().chain(plain);
    let mut activities: Vec<_> =
        named.map(|name| Activity { name: name.into(), text: "".into() }).collect();
    let custom = state.activity.as_ref().and_then(|activity| activity.custom.first());
    if let Some((_, text)) = custom {
        activities.push(Activity { name: "other".into(), text: (&**text).into() });
    }
    activities
}

fn user_input(state: &Aggregate) -> Option<UserInput> {
    let is_idle = match state.availability.class() {
        Class::Offline => return None,
        Class::Idle | Class::BusyIdle | Class::Away => true,
        Class::Available | Class::Busy | Class::DoNotDisturb | Class::BeRightBack => false,
    };
    Some(UserInput { is_idle, last: state.last_active })
}
