//! What a standard client publishes (RFC 3903, PIDF) as publications of the one document.

use std::sync::Arc;

use crate::base::limits::Limits;
use crate::presence::category::Category;
use crate::presence::container::ContainerId;
use crate::presence::publication::{Key, Life, Meaning, Operation, Payload};
use crate::presence::state::{Activity, Availability, Note, NoteKind, State, StateKind};
use crate::wire::presence::Error;
use crate::wire::presence::pidf::{self, Pidf};
use crate::wire::xml::Document;

/// Reads the state and the note of a PIDF document. They become instances `instance` that live
/// until `until`, in seconds since 1970.
///
/// # Errors
/// The document breaks the format.
pub fn read(
    body: &[u8],
    instance: u32,
    until: u64,
    limits: &Limits,
) -> Result<Vec<Operation>, Error> {
    let document = Document::parse(body, limits).map_err(|_| Error::Root)?;
    let pidf = Pidf::read(&document)?;
    let state = Meaning::State(state(&pidf));
    let note = note(&pidf).map(|text| Note { kind: NoteKind::Personal, text: text.into() });
    let payload = |meaning| Arc::new(Payload { meaning, source: Arc::default() });
    let put = |category: Category, container, payload: &Arc<Payload>| Operation {
        key: Key { category, container, instance },
        version: None,
        life: Life::Until(until),
        payload: Some(Arc::clone(payload)),
    };
    let state = payload(state);
    let mut operations = vec![
        put(Category::State, ContainerId::SELF_AGGREGATION, &state),
        put(Category::State, ContainerId::TEAM_AGGREGATION, &state),
    ];
    if let Some(note) = note {
        let note = payload(Meaning::Note(note));
        for level in [ContainerId::COLLEAGUES, ContainerId::WORKGROUP, ContainerId::FRIENDS] {
            operations.push(put(Category::Note, level, &note));
        }
    }
    Ok(operations)
}

/// The document as a statement of one machine.
fn state(pidf: &Pidf<'_>) -> State {
    let closed = pidf.tuples.iter().any(|tuple| tuple.is_open == Some(false));
    let open = pidf.tuples.iter().any(|tuple| tuple.is_open == Some(true));
    let idle = pidf.persons.iter().filter_map(|person| person.user_input);
    let idle = idle.chain(pidf.devices.iter().filter_map(|device| device.user_input));
    let activities = pidf.persons.iter().flat_map(|person| &person.activities);
    let activities = activities.chain(pidf.tuples.iter().flat_map(|tuple| &tuple.activities));
    let mut availability = Availability::AVAILABLE;
    let mut token = "";
    let mut custom = Vec::new();
    for activity in activities {
        let (value, meant) = meaning(activity);
        if value > availability {
            availability = value;
        }
        if !meant.is_empty() {
            token = meant;
        }
        if activity.name == "other" && !activity.text.is_empty() {
            custom.push((LANGUAGE_NEUTRAL, Arc::from(&*activity.text)));
        }
    }
    let inputs: Vec<pidf::UserInput> = idle.collect();
    let is_idle = !inputs.is_empty() && inputs.iter().all(|input| input.is_idle);
    if is_idle && availability == Availability::AVAILABLE {
        availability = Availability::IDLE;
    }
    if closed && !open {
        availability = Availability::OFFLINE;
    }
    let mut state = State::new(StateKind::Machine, availability);
    if !token.is_empty() || !custom.is_empty() {
        state.activity = Some(Activity { token: token.into(), custom: custom.into() });
    }
    let place = pidf.persons.iter().map(|person| &*person.place).find(|place| !place.is_empty());
    state.location = place.map(Arc::from);
    state.last_active = inputs.iter().filter_map(|input| input.last).max();
    state
}

/// The LCID of a text in no particular language.
const LANGUAGE_NEUTRAL: u32 = 0;

/// How available somebody is who does this, and what Lync clients call it.
fn meaning(activity: &pidf::Activity<'_>) -> (Availability, &'static str) {
    match &*activity.name {
        "on-the-phone" => (Availability::BUSY, "on-the-phone"),
        "meeting" | "appointment" => (Availability::BUSY, "in-a-meeting"),
        "presentation" | "performance" => (Availability::DO_NOT_DISTURB, "in-presentation"),
        "busy" | "working" | "looking-for-work" => (Availability::BUSY, ""),
        "vacation" | "holiday" | "travel" => (Availability::AWAY, "out-of-office"),
        "breakfast" | "lunch" | "dinner" | "meal" | "steering" | "in-transit" => {
            (Availability::BE_RIGHT_BACK, "")
        }
        "away" | "sleeping" | "permanent-absence" | "shopping" | "spectator" | "tv" => {
            (Availability::AWAY, "")
        }
        _ => (Availability::AVAILABLE, ""),
    }
}

/// His note: beside his name, or in the tuple.
fn note<'a>(pidf: &'a Pidf<'_>) -> Option<&'a str> {
    let persons = pidf.persons.iter().flat_map(|person| &person.notes);
    let tuples = pidf.tuples.iter().flat_map(|tuple| &tuple.notes);
    let mut notes = persons.chain(&pidf.notes).chain(tuples).map(|note| note.trim());
    notes.find(|note| !note.is_empty())
}
