//! Bodies of a real client in, what the domain makes of them; and back, as that client reads it.

mod client;
mod publish;
mod told;
mod watching;

use std::sync::Arc;

use crate::base::aor::Aor;
use crate::base::ids::{ConnId, ShardId, Slot, SubscriptionId};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::presence::card::{Card, Phone, PhoneKind, Photo};
use crate::presence::category::Category;
use crate::presence::container::ContainerId;
use crate::presence::presentity::Presentity;
use crate::presence::publication::{Key, Life, Meaning, Operation, Payload};
use crate::presence::state::{Activity, Availability, Note, NoteKind, State, StateKind};

/// A body of a real client, or one that a real client took.
macro_rules! body {
    ($name:literal) => {
        include_str!(concat!("../../../../tests/conformance/presence/", $name))
    };
}
use body;

/// 2026-11-20T21:23:25Z.
const NOW: Now = Now { mono_ms: 1_000, unix_ms: 1_795_209_805_000 };

fn conn() -> ConnId {
    ConnId::new(ShardId(0), Slot { index: 7, generation: 1 })
}

fn bob() -> Aor {
    Aor::new("bob@example.test")
}

fn key(category: &Category, container: u32, instance: u32) -> Key {
    Key { category: category.clone(), container: ContainerId(container), instance }
}

fn overwrite(category: &Category, container: u32, meaning: Meaning) -> Operation {
    Operation {
        key: key(category, container, 9),
        version: None,
        life: Life::User,
        payload: Some(Arc::new(Payload { meaning, source: "".into() })),
    }
}

fn card() -> Card {
    let phone = |kind, display: &str| Phone {
        kind,
        display: display.into(),
        uri: format!("tel:{}", display.replace(' ', "")).into(),
    };
    Card {
        display_name: "Bob Boyle".into(),
        email: "bob@example.test".into(),
        title: "Tester".into(),
        company: "Example & Co".into(),
        department: "Quality".into(),
        office: "B 12".into(),
        phones: vec![
            phone(PhoneKind::Work, "+1 1"),
            phone(PhoneKind::Mobile, "+1 2"),
            phone(PhoneKind::Home, "+1 3"),
        ],
        photo: Some(Photo { uri: "https://p.test/bob".into(), hash: "1f".into() }),
    }
}

/// Bob at one endpoint, in a meeting, with a note.
fn presentity() -> Presentity {
    let limits = Limits::default();
    let mut presentity = Presentity::new(NOW, card());
    presentity.endpoint_added(NOW, conn(), &limits);
    let machine = State {
        location: Some("Room <1>".into()),
        last_active: Some(1_795_209_805),
        ..State::new(StateKind::Machine, Availability::AVAILABLE)
    };
    let user = State {
        activity: Some(Activity {
            token: "".into(),
            custom: [(1033, "Writing \"tests\"".into())].into_iter().collect(),
        }),
        ..State::new(StateKind::User, Availability::BUSY)
    };
    let calendar = State {
        meeting_subject: Some("Secret".into()),
        meeting_location: Some("Cellar".into()),
        ..State::new(StateKind::Calendar, Availability(3400))
    };
    let mut operations = Vec::new();
    for container in [2, 3] {
        for (instance, state) in [(1, &machine), (2, &user), (3, &calendar)] {
            let mut one = overwrite(&Category::State, container, Meaning::State(state.clone()));
            one.key.instance = instance;
            operations.push(one);
        }
    }
    let note = Note { kind: NoteKind::Personal, text: "1 < 2".into() };
    for container in [200, 300, 400] {
        operations.push(overwrite(&Category::Note, container, Meaning::Note(note.clone())));
    }
    presentity.publish(NOW, operations, &limits).unwrap();
    presentity
}

fn subscription(index: u32) -> SubscriptionId {
    SubscriptionId::new(ShardId(1), Slot { index, generation: 1 })
}
