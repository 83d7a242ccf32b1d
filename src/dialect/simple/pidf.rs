//! A user as standard clients see him: a view as PIDF (RFC 3863, RFC 4480).

use std::borrow::Cow;

use crate::presence::aggregate::Aggregate;
use crate::presence::card::Card;
use crate::presence::state::{Availability, Class};
use crate::presence::view::View;
pub use crate::wire::presence::pidf::MEDIA_TYPE as CONTENT_TYPE;
use crate::wire::presence::pidf::{Activity, Person, Pidf, Tuple, UserInput};

/// Writes the whole document: these clients know no part of one.
pub fn document(aor: &str, view: &View<'_>) -> String {
    let offline = Aggregate::OFFLINE;
    let state = view.state().unwrap_or(&offline);
    let is_open = state.availability.class() != Class::Offline;
    let notes: Vec<Cow<'_, str>> = view.notes().map(|note| (&*note.text).into()).collect();
    let entity = format!("sip:{aor}");
    let person = Person {
        id: "person".into(),
        activities: if is_open { activities(state) } else { Vec::new() },
        place: state.location.as_deref().unwrap_or_default().into(),
        status_icon: photo(view.card()).into(),
        user_input: user_input(state),
        display_name: view.card().map_or("", |card| &card.display_name).into(),
        notes: notes.clone(),
        timestamp: None,
    };
    let tuple = Tuple {
        id: "im".into(),
        is_open: Some(is_open),
        contact: entity.as_str().into(),
        // baresip and others show the note of the tuple.
        notes,
        ..Tuple::default()
    };
    let (tuples, persons) = (vec![tuple], vec![person]);
    let entity = entity.as_str().into();
    Pidf { entity, tuples, persons, ..Pidf::default() }.write()
}

fn photo(card: Option<&Card>) -> &str {
    card.and_then(|card| card.photo.as_ref()).map_or("", |photo| &photo.uri)
}

/// What he does, in the words of RFC 4480: the nearest there is to his availability, and what is
/// said beyond it.
fn activities(state: &Aggregate) -> Vec<Activity<'_>> {
    let named = |name: &'static str| Activity { name: name.into(), text: "".into() };
    let mut activities = match state.availability.class() {
        Class::Available | Class::Idle | Class::Offline => Vec::new(),
        Class::Busy | Class::BusyIdle => vec![named("busy")],
        // There is no word for it; busy is what clients know.
        Class::DoNotDisturb => vec![named("busy")],
        Class::BeRightBack | Class::Away => vec![named("away")],
    };
    let Some(activity) = &state.activity else { return activities };
    let name = match &*activity.token {
        "on-the-phone" => Some("on-the-phone"),
        "in-a-conference" | "in-a-meeting" => Some("meeting"),
        "in-presentation" => Some("presentation"),
        "out-of-office" => Some("vacation"),
        _ => None,
    };
    activities.extend(name.map(named));
    if let Some((_, text)) = activity.custom.first() {
        activities.push(Activity { name: "other".into(), text: (&**text).into() });
    }
    activities
}

fn user_input(state: &Aggregate) -> Option<UserInput> {
    let is_idle = matches!(state.availability.class(), Class::Idle | Class::BusyIdle);
    (is_idle || state.availability < Availability::IDLE)
        .then_some(UserInput { is_idle, last: state.last_active })
}
