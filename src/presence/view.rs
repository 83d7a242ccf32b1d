//! What the members of one container see of a presence document (lync-facts 3.3).

use super::aggregate::Aggregate;
use super::card::Card;
use super::category::{Category, CategorySet};
use super::container::ContainerId;
use super::publication::{Meaning, Payload, Publication};
use super::state::{Note, NoteKind};

/// The instance number of the aggregated state in a view.
pub const STATE_INSTANCE: u32 = 1;
/// The instance number of the card from the directory in a view.
pub const CARD_INSTANCE: u32 = 0;

/// All that a container sees: complete and never more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View<'a> {
    /// Which container.
    pub container: ContainerId,
    /// By category, in the order of [`Category`].
    pub items: Vec<Item<'a>>,
}

/// One instance in a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item<'a> {
    /// Its category.
    pub category: Category,
    /// Its number.
    pub instance: u32,
    /// Since when it says so, in milliseconds since 1970.
    pub published_ms: u64,
    /// What it says.
    pub content: Content<'a>,
}

/// What an instance in a view says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content<'a> {
    /// The aggregated state.
    State(Box<Aggregate>),
    /// A card, reduced to what the container sees: to be written from its fields.
    Card(Box<Card>),
    /// As it was published: a note, or what only clients understand.
    Published(&'a Payload),
}

impl View<'_> {
    /// The aggregated state; `None` in container 0.
    pub fn state(&self) -> Option<&Aggregate> {
        self.items.iter().find_map(|item| match &item.content {
            Content::State(state) => Some(&**state),
            Content::Card(_) | Content::Published(_) => None,
        })
    }

    /// The card from the directory.
    pub fn card(&self) -> Option<&Card> {
        self.items.iter().find_map(|item| match &item.content {
            Content::Card(card) if item.instance == CARD_INSTANCE => Some(&**card),
            _ => None,
        })
    }

    /// The notes: at most one of each kind, none without text.
    pub fn notes(&self) -> impl Iterator<Item = &Note> {
        self.items.iter().filter_map(|item| match &item.content {
            Content::Published(Payload { meaning: Meaning::Note(note), .. }) => Some(note),
            _ => None,
        })
    }

    /// The instances of `categories`.
    pub fn of(&self, categories: CategorySet) -> impl Iterator<Item = &Item<'_>> {
        self.items.iter().filter(move |item| categories.contains(&item.category))
    }

    /// Those of `categories` of which nothing is seen: what a watcher is told to forget.
    pub fn cleared(&self, categories: CategorySet) -> impl Iterator<Item = &'static Category> {
        Category::remote().filter(move |category| {
            categories.contains(category)
                && !self.items.iter().any(|item| item.category == **category)
        })
    }
}

/// True if what is published of `category` in `container` is ever seen by its members: all but
/// states, which are aggregated; notes and free and busy times from 200 on only; nothing by who
/// is blocked or not known.
pub fn is_shown(category: &Category, container: ContainerId) -> bool {
    let is_known = matches!(
        container,
        ContainerId::PUBLIC
            | ContainerId::COLLEAGUES
            | ContainerId::WORKGROUP
            | ContainerId::FRIENDS
    );
    let is_private =
        matches!(category, Category::CalendarData | Category::Note | Category::NoteHistory);
    category.is_remote()
        && *category != Category::State
        && is_known
        && (!is_private || container != ContainerId::PUBLIC)
}

/// The view of `container`.
pub fn view<'a>(
    container: ContainerId,
    aggregate: Option<(Aggregate, u64)>,
    card: (&Card, u64),
    publications: &'a [Publication],
) -> View<'a> {
    let mut items = vec![Item {
        category: Category::ContactCard,
        instance: CARD_INSTANCE,
        published_ms: card.1,
        content: Content::Card(Box::new(card.0.as_seen_in(container))),
    }];
    let shown = publications
        .iter()
        .filter(|one| one.key.container == container && is_shown(&one.key.category, container));
    items.extend(shown.clone().filter(|one| is_newest(one, shown.clone())).filter_map(|one| {
        let content = match &one.payload.meaning {
            Meaning::Card(card) => match (&one.key.category, one.key.instance) {
                (Category::ContactCard, CARD_INSTANCE) => return None,
                (Category::ContactCard, _) => Content::Card(Box::new(card.as_seen_in(container))),
                _ => return None,
            },
            Meaning::Note(_) if one.key.category == Category::Note => {
                Content::Published(&one.payload)
            }
            Meaning::Opaque if one.key.category != Category::ContactCard => {
                Content::Published(&one.payload)
            }
            Meaning::Note(_) | Meaning::Opaque | Meaning::State(_) => return None,
        };
        Some(Item {
            category: one.key.category.clone(),
            instance: one.key.instance,
            published_ms: one.published_ms,
            content,
        })
    }));
    items.extend(aggregate.map(|(aggregate, published_ms)| Item {
        category: Category::State,
        instance: STATE_INSTANCE,
        published_ms,
        content: Content::State(Box::new(aggregate)),
    }));
    items.sort_by(|a, b| (&a.category, a.instance).cmp(&(&b.category, b.instance)));
    View { container, items }
}

/// False for a note without text and for one that a newer note of its kind replaces.
fn is_newest<'a>(one: &Publication, all: impl Iterator<Item = &'a Publication>) -> bool {
    let note_of = |publication: &Publication| -> Option<(NoteKind, bool)> {
        match &publication.payload.meaning {
            Meaning::Note(note) => Some((note.kind, note.text.is_empty())),
            Meaning::State(_) | Meaning::Card(_) | Meaning::Opaque => None,
        }
    };
    let Some((kind, is_cleared)) = note_of(one) else { return true };
    let age = |publication: &Publication| (publication.published_ms, publication.key.instance);
    !is_cleared
        && !all
            .filter(|other| note_of(other).is_some_and(|(other, _)| other == kind))
            .any(|other| age(other) > age(one))
}

#[cfg(test)]
mod tests;
