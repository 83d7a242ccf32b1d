//! What a standard client publishes: PUBLISH with PIDF (RFC 3903, RFC 3863, RFC 4480), written
//! into the same document as all else the user publishes.

use std::sync::Arc;

use crate::base::limits::Limits;
use crate::presence::category::Category;
use crate::presence::container::ContainerId;
use crate::presence::publication::{Key, Life, Meaning, Operation, Payload};
use crate::presence::state::{Activity, Availability, Class, Note, NoteKind, State, StateKind};
use crate::wire::presence::Error;
use crate::wire::presence::pidf::{self, Pidf, UserInput};
use crate::wire::xml::Document;

pub use crate::wire::presence::pidf::CONTENT_TYPE;

/// The language of text whose language is not known: none.
const NO_LCID: u32 = 0;

/// Reads what is published under one entity tag, until that second since 1970: a machine state
/// for both aggregations, and a note if there is one. All of it has the number `instance`. It
/// takes the place of everything that was published under the tag before.
///
/// # Errors
/// What breaks the form.
pub fn read(
    body: &[u8],
    instance: u32,
    until: u64,
    limits: &Limits,
) -> Result<Vec<Operation>, Error> {
    let document = Document::parse(body, limits)?;
    let pidf = Pidf::read(&document)?;
    let operation = |category: &Category, container, meaning: &Meaning| Operation {
        key: Key { category: category.clone(), container, instance },
        version: None,
        life: Life::Until(until),
        payload: Some(Arc::new(Payload { meaning: meaning.clone(), source: Arc::default() })),
    };
    let state = Meaning::State(state(&pidf));
    let aggregations = [ContainerId::SELF_AGGREGATION, ContainerId::TEAM_AGGREGATION];
    let mut operations: Vec<Operation> = aggregations
        .into_iter()
        .map(|container| operation(&Category::State, container, &state))
        .collect();
    if let Some(text) = note(&pidf) {
        let note = Meaning::Note(Note { kind: NoteKind::Personal, text: text.into() });
        let levels = [ContainerId::COLLEAGUES, ContainerId::WORKGROUP, ContainerId::FRIENDS];
        let notes = levels.into_iter().map(|level| operation(&Category::Note, level, &note));
        operations.extend(notes);
    }
    Ok(operations)
}

/// The note: of the person, else of a way to reach him, else of the document.
fn note<'p>(pidf: &'p Pidf<'_>) -> Option<&'p str> {
    let persons = pidf.persons.iter().flat_map(|person| &person.notes);
    let tuples = pidf.tuples.iter().flat_map(|tuple| &tuple.notes);
    let mut notes = persons.chain(tuples).chain(&pidf.notes);
    notes.find(|note| !note.is_empty()).map(|note| &**note)
}

fn state(pidf: &Pidf<'_>) -> State {
    let is_closed = pidf.tuples.iter().any(|tuple| tuple.is_open == Some(false))
        && !pidf.tuples.iter().any(|tuple| tuple.is_open == Some(true));
    if is_closed {
        return State::new(StateKind::Machine, Availability::OFFLINE);
    }
    let persons = pidf.persons.iter().flat_map(|person| &person.activities);
    let tuples = pidf.tuples.iter().flat_map(|tuple| &tuple.activities);
    let activities: Vec<&pidf::Activity<'_>> = persons.chain(tuples).collect();
    let known = activities.iter().filter_map(|activity| known(&activity.name));
    let (availability, token) = known
        .max_by_key(|(availability, _)| *availability)
        .unwrap_or((Availability::AVAILABLE, ""));
    let custom = activities.iter().filter(|one| one.name == "other" && !one.text.is_empty());
    let custom: Arc<[_]> = custom.take(1).map(|one| (NO_LCID, (&*one.text).into())).collect();

    let inputs = || {
        let persons = pidf.persons.iter().filter_map(|person| person.user_input);
        persons.chain(pidf.devices.iter().filter_map(|device| device.user_input))
    };
    let is_idle = inputs().next().is_some() && inputs().all(|input: UserInput| input.is_idle);
    let availability = match availability.class() {
        Class::Available if is_idle => Availability::IDLE,
        Class::Busy if is_idle => Availability::BUSY_IDLE,
        _ => availability,
    };
    let place = pidf.persons.iter().map(|person| &person.place).find(|place| !place.is_empty());
    State {
        activity: (!token.is_empty() || !custom.is_empty())
            .then(|| Activity { token: token.into(), custom }),
        location: place.map(|place| (&**place).into()),
        last_active: inputs().filter_map(|input| input.last).max(),
        ..State::new(StateKind::Machine, availability)
    }
}

/// What an activity of RFC 4480 section 3.2 comes to on the scale of the domain, and the token
/// for it; `None` for one that says nothing about being available.
fn known(name: &str) -> Option<(Availability, &'static str)> {
    Some(match name {
        "appointment" | "busy" | "spectator" | "steering" | "worship" => (Availability::BUSY, ""),
        "meeting" => (Availability::BUSY, "in-a-meeting"),
        "on-the-phone" => (Availability::BUSY, "on-the-phone"),
        "performance" => (Availability::DO_NOT_DISTURB, ""),
        "presentation" => (Availability::DO_NOT_DISTURB, "in-presentation"),
        "breakfast" | "dinner" | "lunch" | "meal" => (Availability::BE_RIGHT_BACK, ""),
        "away" | "in-transit" | "shopping" | "sleeping" | "travel" => (Availability::AWAY, ""),
        "holiday" | "permanent-absence" | "vacation" => (Availability::AWAY, "out-of-office"),
        _ => return None,
    })
}
