//! What a publication says, as JSON that an operator can read. The names are part of the schema:
//! they stay, whatever the types they come from are called one day.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::presence::card::{Card, Phone, PhoneKind, Photo};
use crate::presence::publication::Meaning;
use crate::presence::state::{Activity, Availability, Note, NoteKind, State, StateKind};

/// The text of `meaning`.
pub fn write(meaning: &Meaning) -> String {
    // Writing to memory fails only for maps with odd keys, and there are none.
    serde_json::to_string(&Kept::from(meaning)).unwrap_or_default()
}

/// Reads [`write()`] back.
pub fn read(text: &str) -> Result<Meaning, serde_json::Error> {
    serde_json::from_str::<Kept>(text).map(Meaning::from)
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kept {
    State(KeptState),
    Note { kind: KeptNoteKind, text: String },
    Card(KeptCard),
    Opaque,
}

#[derive(Serialize, Deserialize)]
struct KeptState {
    kind: KeptStateKind,
    manual: bool,
    availability: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    activity: Option<KeptActivity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meeting_subject: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    meeting_location: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_active: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    valid: Option<(u64, u64)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptStateKind {
    Machine,
    User,
    Calendar,
    Phone,
}

#[derive(Serialize, Deserialize)]
struct KeptActivity {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    token: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    custom: Vec<(u32, String)>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptNoteKind {
    Personal,
    OutOfOffice,
}

#[derive(Serialize, Deserialize)]
struct KeptCard {
    display_name: String,
    email: String,
    title: String,
    company: String,
    department: String,
    office: String,
    phones: Vec<KeptPhone>,
    photo: Option<KeptPhoto>,
}

#[derive(Serialize, Deserialize)]
struct KeptPhone {
    kind: KeptPhoneKind,
    display: String,
    uri: String,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptPhoneKind {
    Work,
    Mobile,
    Home,
    Other,
}

#[derive(Serialize, Deserialize)]
struct KeptPhoto {
    uri: String,
    hash: String,
}

/// Turns one enum into another and back, name by name.
macro_rules! same_names {
    ($kept:ident, $domain:ident, $($name:ident)*) => {
        impl From<$domain> for $kept {
            fn from(value: $domain) -> Self {
                match value { $($domain::$name => $kept::$name,)* }
            }
        }

        impl From<$kept> for $domain {
            fn from(value: $kept) -> Self {
                match value { $($kept::$name => $domain::$name,)* }
            }
        }
    };
}

same_names! { KeptStateKind, StateKind, Machine User Calendar Phone }
same_names! { KeptNoteKind, NoteKind, Personal OutOfOffice }
same_names! { KeptPhoneKind, PhoneKind, Work Mobile Home Other }

impl From<&Meaning> for Kept {
    fn from(meaning: &Meaning) -> Self {
        match meaning {
            Meaning::State(state) => Kept::State(state.into()),
            Meaning::Note(note) => {
                Kept::Note { kind: note.kind.into(), text: note.text.to_string() }
            }
            Meaning::Card(card) => Kept::Card((&**card).into()),
            Meaning::Opaque => Kept::Opaque,
        }
    }
}

impl From<Kept> for Meaning {
    fn from(kept: Kept) -> Self {
        match kept {
            Kept::State(state) => Meaning::State(state.into()),
            Kept::Note { kind, text } => {
                Meaning::Note(Note { kind: kind.into(), text: text.into() })
            }
            Kept::Card(card) => Meaning::Card(Box::new(card.into())),
            Kept::Opaque => Meaning::Opaque,
        }
    }
}

impl From<&State> for KeptState {
    fn from(state: &State) -> Self {
        let text = |text: &Option<Arc<str>>| text.as_ref().map(ToString::to_string);
        KeptState {
            kind: state.kind.into(),
            manual: state.manual,
            availability: state.availability.0,
            activity: state.activity.as_ref().map(|activity| KeptActivity {
                token: activity.token.to_string(),
                custom: activity.custom.iter().map(|(id, text)| (*id, text.to_string())).collect(),
            }),
            location: text(&state.location),
            meeting_subject: text(&state.meeting_subject),
            meeting_location: text(&state.meeting_location),
            last_active: state.last_active,
            valid: state.valid,
        }
    }
}

impl From<KeptState> for State {
    fn from(kept: KeptState) -> Self {
        State {
            kind: kept.kind.into(),
            manual: kept.manual,
            availability: Availability(kept.availability),
            activity: kept.activity.map(|activity| Activity {
                token: activity.token.into(),
                custom: activity.custom.into_iter().map(|(id, text)| (id, text.into())).collect(),
            }),
            location: kept.location.map(Arc::from),
            meeting_subject: kept.meeting_subject.map(Arc::from),
            meeting_location: kept.meeting_location.map(Arc::from),
            last_active: kept.last_active,
            valid: kept.valid,
        }
    }
}

impl From<&Card> for KeptCard {
    fn from(card: &Card) -> Self {
        let phone = |phone: &Phone| KeptPhone {
            kind: phone.kind.into(),
            display: phone.display.to_string(),
            uri: phone.uri.to_string(),
        };
        let photo =
            |photo: &Photo| KeptPhoto { uri: photo.uri.to_string(), hash: photo.hash.to_string() };
        KeptCard {
            display_name: card.display_name.to_string(),
            email: card.email.to_string(),
            title: card.title.to_string(),
            company: card.company.to_string(),
            department: card.department.to_string(),
            office: card.office.to_string(),
            phones: card.phones.iter().map(phone).collect(),
            photo: card.photo.as_ref().map(photo),
        }
    }
}

impl From<KeptCard> for Card {
    fn from(kept: KeptCard) -> Self {
        let phone = |phone: KeptPhone| Phone {
            kind: phone.kind.into(),
            display: phone.display.into(),
            uri: phone.uri.into(),
        };
        Card {
            display_name: kept.display_name.into(),
            email: kept.email.into(),
            title: kept.title.into(),
            company: kept.company.into(),
            department: kept.department.into(),
            office: kept.office.into(),
            phones: kept.phones.into_iter().map(phone).collect(),
            photo: kept.photo.map(|photo| Photo { uri: photo.uri.into(), hash: photo.hash.into() }),
        }
    }
}
