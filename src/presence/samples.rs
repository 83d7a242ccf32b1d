//! What the tests of this module publish, and the table of what each level may see.

use std::sync::Arc;

use super::card::{Card, Phone, PhoneKind, Photo};
use super::category::{Category, CategorySet};
use super::container::{ContainerId, Relation};
use super::publication::{Key, Life, Meaning, Operation, Payload, Publication};
use super::state::{Activity, Availability, Note, NoteKind, State, StateKind};
use super::watch::{Format, Watch};
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, ShardId, Slot, SubscriptionId};
use crate::base::time::Now;

/// Texts that a full document holds, and the containers whose members may read them
/// (lync-facts 3.3). All others may not.
pub const SEEN: &[(&str, &[u32])] = &[
    ("the-name", &[0, 100, 200, 300, 400, 32_000]),
    ("the-mail", &[0, 100, 200, 300, 400, 32_000]),
    ("the-title", &[100, 200, 300, 400]),
    ("the-company", &[100, 200, 300, 400]),
    ("the-department", &[100, 200, 300, 400]),
    ("the-office", &[100, 200, 300, 400]),
    ("the-picture", &[100, 200, 300, 400]),
    ("the-work-phone", &[200, 300, 400]),
    ("the-mobile-phone", &[300, 400]),
    ("the-home-phone", &[400]),
    ("the-other-phone", &[400]),
    ("the-subject", &[300]),
    ("the-meeting-room", &[300]),
    ("the-activity", &[200, 300, 400]),
    ("the-custom-state", &[200, 300, 400]),
    ("the-location", &[200, 300, 400]),
    ("the-personal-note", &[200, 300, 400]),
    ("the-absence-note", &[200, 300, 400]),
    ("the-free-busy", &[200, 300, 400]),
    ("the-raw-state", &[]),
    ("the-device", &[]),
    ("the-secret", &[]),
];

/// All containers that anything is published in.
pub const CONTAINERS: [u32; 9] = [0, 1, 2, 3, 100, 200, 300, 400, 32_000];

pub fn now() -> Now {
    Now { mono_ms: 1_000, unix_ms: 1_700_000_000_000 }
}

pub fn conn(index: u32) -> ConnId {
    ConnId::new(ShardId(0), Slot { index, generation: 1 })
}

pub fn subscription(index: u32) -> SubscriptionId {
    SubscriptionId::new(ShardId(1), Slot { index, generation: 1 })
}

pub fn watch(index: u32, watcher: &str) -> Watch {
    Watch {
        subscription: subscription(index),
        watcher: Aor::new(watcher),
        relation: Relation::SameEnterprise,
        is_contact: true,
        categories: CategorySet::ALL,
        format: Format::Categories,
    }
}

pub fn key(category: Category, container: u32, instance: u32) -> Key {
    Key { category, container: ContainerId(container), instance }
}

pub fn payload(meaning: Meaning, source: &str) -> Arc<Payload> {
    Arc::new(Payload { meaning, source: source.into() })
}

/// Puts `payload` under `key`, whatever is there.
pub fn put(key: Key, life: Life, payload: Arc<Payload>) -> Operation {
    Operation { key, version: None, life, payload: Some(payload) }
}

/// Puts a state of `kind` into 2 and 3.
pub fn states(kind: StateKind, life: Life, availability: u32) -> [Operation; 2] {
    let state = payload(Meaning::State(State::new(kind, Availability(availability))), "");
    [2, 3].map(|container| {
        put(key(Category::State, container, kind as u32), life, (*state).clone().into())
    })
}

/// Puts a personal note into `container`.
pub fn note(container: u32, text: &str) -> Operation {
    let note = Note { kind: NoteKind::Personal, text: text.into() };
    put(key(Category::Note, container, 0), Life::Static, payload(Meaning::Note(note), ""))
}

pub fn publication(key: Key, life: Life, published_ms: u64, meaning: Meaning) -> Publication {
    Publication { key, version: 1, published_ms, life, payload: payload(meaning, "") }
}

/// A card with everything in it.
pub fn card() -> Card {
    let phone = |kind, uri: &str| Phone { kind, display: uri.into(), uri: uri.into() };
    Card {
        display_name: "the-name".into(),
        email: "the-mail".into(),
        title: "the-title".into(),
        company: "the-company".into(),
        department: "the-department".into(),
        office: "the-office".into(),
        phones: vec![
            phone(PhoneKind::Home, "the-home-phone"),
            phone(PhoneKind::Mobile, "the-mobile-phone"),
            phone(PhoneKind::Other, "the-other-phone"),
            phone(PhoneKind::Work, "the-work-phone"),
        ],
        photo: Some(Photo { uri: "the-picture".into(), hash: "the-picture".into() }),
    }
}

/// A state of the calendar that says all there is to say.
pub fn meeting() -> State {
    State {
        activity: Some(Activity {
            token: "the-activity".into(),
            custom: Arc::new([(1033, "the-custom-state".into())]),
        }),
        meeting_subject: Some("the-subject".into()),
        meeting_location: Some("the-meeting-room".into()),
        ..State::new(StateKind::Calendar, Availability::BUSY)
    }
}

/// Publishes everything there is to see in every container, with the texts of [`SEEN`].
pub fn everything(life: Life) -> Vec<Operation> {
    let machine = State {
        location: Some("the-location".into()),
        last_active: Some(1_699_999_990),
        ..State::new(StateKind::Machine, Availability::AVAILABLE)
    };
    let notes =
        [(NoteKind::Personal, "the-personal-note"), (NoteKind::OutOfOffice, "the-absence-note")];
    let raw = "the-raw-state";
    let mut all = Vec::new();
    for container in CONTAINERS {
        let key = |category, instance| key(category, container, instance);
        let mut add =
            |key, meaning, source: &str| all.push(put(key, life, payload(meaning, source)));
        add(key(Category::State, 1), Meaning::State(machine.clone()), raw);
        add(key(Category::State, 2), Meaning::State(meeting()), raw);
        for (instance, (kind, text)) in (0..).zip(notes) {
            let note = Meaning::Note(Note { kind, text: text.into() });
            add(key(Category::Note, instance), note, text);
        }
        add(key(Category::CalendarData, 0), Meaning::Opaque, "the-free-busy");
        add(key(Category::Device, 0), Meaning::Opaque, "the-device");
        // The source says more than some may see, so it is not shown.
        add(key(Category::ContactCard, 3), Meaning::Card(Box::new(card())), "the-secret");
        // What contradicts itself is not shown.
        add(key(Category::ContactCard, 4), Meaning::Opaque, "the-secret");
        add(key(Category::Services, 9), Meaning::State(meeting()), "the-secret");
        add(key(Category::of("mine"), 0), Meaning::Opaque, "the-secret");
    }
    all
}
