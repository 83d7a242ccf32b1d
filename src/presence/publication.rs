//! A publication: one instance of a category in one container (MS-PRES section 2.2.2).

use std::sync::Arc;

use super::card::Card;
use super::category::Category;
use super::container::ContainerId;
use super::state::{Note, State};
use crate::base::ids::ConnId;

/// What a publication is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its category.
    pub category: Category,
    /// The container it stands in.
    pub container: ContainerId,
    /// Its number, chosen by the publisher.
    pub instance: u32,
}

/// How long a publication lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// Until it is deleted; survives a restart.
    Static,
    /// As long as the connection of the endpoint that published it.
    Endpoint(ConnId),
    /// As long as the user has an endpoint.
    User,
    /// Until that time, in seconds since 1970.
    Until(u64),
}

/// What is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// What it says, as far as that matters here.
    pub meaning: Meaning,
    /// The element as it was published, complete in itself; empty when the publisher spoke
    /// another dialect. Not looked into here.
    pub source: Arc<str>,
}

impl Payload {
    /// Octets of text, for the bound on a presence document.
    pub fn octets(&self) -> usize {
        let meaning = match &self.meaning {
            Meaning::State(state) => state.octets(),
            Meaning::Note(note) => note.text.len(),
            Meaning::Card(card) => card.octets(),
            Meaning::Opaque => 0,
        };
        self.source.len().saturating_add(meaning)
    }
}

/// What a payload says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A statement about the user's state.
    State(State),
    /// A note.
    Note(Note),
    /// Something about the person.
    Card(Box<Card>),
    /// Whatever it is, only clients understand it.
    Opaque,
}

/// One wish of a publisher.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What is published.
    pub key: Key,
    /// The version the publisher takes for the current one, 0 for none; `None` overwrites
    /// whatever is there.
    pub version: Option<u32>,
    /// How long it shall live.
    pub life: Life,
    /// What it says; `None` deletes.
    pub payload: Option<Arc<Payload>>,
}

/// A publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// What it is known by.
    pub key: Key,
    /// Rises with each publication under the key; at least 1.
    pub version: u32,
    /// When it was published, in milliseconds since 1970.
    pub published_ms: u64,
    /// How long it lives.
    pub life: Life,
    /// What it says; publications with the same payload share it.
    pub payload: Arc<Payload>,
}
