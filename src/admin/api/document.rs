//! Presence as applications read it.

use serde::Serialize;

use super::problem::{self, Kind, Problem};
use crate::admin::report::StateReport;
use crate::admin::wording;
use crate::presence::card::Card;
use crate::presence::state::NoteKind;
use crate::shard::observe::{Glimpse, Sight, Unseen};

/// What an application sees of a user.
#[derive(Debug, Serialize)]
pub struct Presence<'a> {
    address: &'a str,
    /// The access level that decides.
    access_level: u32,
    access_level_name: &'static str,
    /// `null` where the level shows none.
    state: Option<StateReport>,
    #[serde(flatten)]
    person: Person<'a>,
    notes: Vec<Note<'a>>,
}

/// The person; what the level does not show is left out.
#[derive(Debug, Default, Serialize)]
struct Person<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    company: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    department: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    office: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    phones: Vec<Phone<'a>>,
}

#[derive(Debug, Serialize)]
struct Phone<'a> {
    kind: &'static str,
    number: &'a str,
}

#[derive(Debug, Serialize)]
struct Note<'a> {
    kind: &'static str,
    text: &'a str,
}

/// An element of a list: a user, or why he is not seen.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Listed<'a> {
    /// He is seen.
    Seen(Box<Presence<'a>>),
    /// He is not.
    Unseen {
        /// Who.
        address: &'a str,
        /// Why.
        problem: problem::Document<'a>,
    },
}

/// Why an application sees nothing.
pub fn problem(reason: Unseen) -> Problem {
    match reason {
        Unseen::NoSuchUser => Problem::new(Kind::NoSuchUser, ""),
        Unseen::TooManyWatchers => Problem::new(Kind::TooManyWatchers, ""),
    }
}

impl<'a> Presence<'a> {
    /// `glimpse` of the user at `address`.
    pub fn new(address: &'a str, glimpse: &'a Glimpse) -> Self {
        Presence {
            address,
            access_level: glimpse.level.0,
            access_level_name: wording::level(glimpse.level),
            state: glimpse.state.as_ref().map(StateReport::from),
            person: glimpse.card.as_ref().map(Person::from).unwrap_or_default(),
            notes: glimpse.notes.iter().map(Note::from).collect(),
        }
    }
}

impl<'a> Listed<'a> {
    /// `sight` as an element of a list; `refusal` is where a reason is kept meanwhile.
    pub fn new(sight: &'a Sight, refusal: &'a mut Option<Problem>) -> Self {
        let address = sight.user.as_str();
        match &sight.view {
            Ok(glimpse) => Listed::Seen(Box::new(Presence::new(address, glimpse))),
            Err(reason) => {
                Listed::Unseen { address, problem: refusal.insert(problem(*reason)).document() }
            }
        }
    }
}

impl<'a> From<&'a Card> for Person<'a> {
    fn from(card: &'a Card) -> Self {
        let phone = |phone: &'a crate::presence::card::Phone| Phone {
            kind: wording::phone(phone.kind),
            number: &phone.display,
        };
        Person {
            name: &card.display_name,
            email: &card.email,
            title: &card.title,
            company: &card.company,
            department: &card.department,
            office: &card.office,
            phones: card.phones.iter().map(phone).collect(),
        }
    }
}

impl<'a> From<&'a crate::presence::state::Note> for Note<'a> {
    fn from(note: &'a crate::presence::state::Note) -> Self {
        let kind = match note.kind {
            NoteKind::Personal => "personal",
            NoteKind::OutOfOffice => "out_of_office",
        };
        Note { kind, text: &note.text }
    }
}
