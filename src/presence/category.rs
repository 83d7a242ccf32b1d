//! Names of categories (MS-PRES section 2.2.2).

use std::sync::Arc;

/// Octets of the longest name of a category that is not known here.
pub const NAME_MAX: usize = 64;

/// Declares the categories that have a meaning here, or that clients are known to use.
macro_rules! categories {
    ($($(#[$doc:meta])* $variant:ident = $name:literal;)*) => {
        /// The name of a category.
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Category {
            $($(#[$doc])* $variant,)*
            /// Any other: stored and handed on without being understood.
            Other(Arc<str>),
        }

        impl Category {
            const KNOWN: &'static [(&'static str, Category)] = &[$(($name, Category::$variant),)*];

            /// The name on the wire.
            pub fn name(&self) -> &str {
                match self {
                    $(Category::$variant => $name,)*
                    Category::Other(name) => name,
                }
            }

            /// The category of that name; names are case-sensitive.
            pub fn of(name: &str) -> Self {
                Category::KNOWN
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map_or_else(|| Category::Other(name.into()), |(_, category)| category.clone())
            }

            /// The categories that watchers may see.
            pub fn remote() -> impl Iterator<Item = &'static Category> {
                Category::KNOWN.iter().map(|(_, category)| category).filter(|one| one.is_remote())
            }

            /// The bit of this category in a [`CategorySet`]; all others share one.
            const fn bit(&self) -> u16 {
                #[allow(clippy::items_after_statements, reason = "numbers the variants")]
                #[repr(u16)]
                enum Number { $($variant,)* Other }
                match self {
                    $(Category::$variant => 1 << Number::$variant as u16,)*
                    Category::Other(_) => 1 << Number::Other as u16,
                }
            }
        }
    };
}

categories! {
    /// Free and busy times and working hours.
    CalendarData = "calendarData";
    /// Name, title, telephone numbers, photo.
    ContactCard = "contactCard";
    /// An endpoint and what it can do.
    Device = "device";
    /// Who may interrupt "do not disturb".
    DndState = "dndState";
    /// State for clients of an older generation.
    LegacyInterop = "legacyInterop";
    /// A personal or an out-of-office note.
    Note = "note";
    /// Earlier notes.
    NoteHistory = "noteHistory";
    /// Remote call control.
    RccOptions = "rccOptions";
    /// Call routing.
    Routing = "routing";
    /// What an endpoint offers.
    Services = "services";
    /// Availability and activity.
    State = "state";
    /// Properties of the user that only he reads.
    UserProperties = "userProperties";
}

impl Category {
    /// True for what watchers may see; the rest is for the user's own endpoints
    /// (lync-facts 3.3, remote categories).
    pub fn is_remote(&self) -> bool {
        matches!(
            self,
            Category::CalendarData
                | Category::ContactCard
                | Category::DndState
                | Category::LegacyInterop
                | Category::Note
                | Category::NoteHistory
                | Category::Routing
                | Category::Services
                | Category::State
        )
    }
}

/// A set of categories: what a watcher asked for. All [`Other`](Category::Other) count as one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CategorySet(u16);

impl CategorySet {
    /// Every category.
    pub const ALL: CategorySet = CategorySet(u16::MAX);

    /// Adds one.
    pub fn insert(&mut self, category: &Category) {
        self.0 |= category.bit();
    }

    /// True if it is in the set.
    pub fn contains(self, category: &Category) -> bool {
        self.0 & category.bit() != 0
    }

    /// What is in both.
    pub const fn and(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 & other.0)
    }

    /// What is in either.
    pub const fn or(self, other: CategorySet) -> CategorySet {
        CategorySet(self.0 | other.0)
    }

    /// The set of that one.
    pub const fn only(category: &Category) -> CategorySet {
        CategorySet(category.bit())
    }

    /// Number of categories in it, all [`Other`](Category::Other) counted as one.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// True for the set of nothing.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl<'a> FromIterator<&'a Category> for CategorySet {
    fn from_iter<I: IntoIterator<Item = &'a Category>>(categories: I) -> Self {
        let mut set = CategorySet::default();
        categories.into_iter().for_each(|category| set.insert(category));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_its_category_and_back() {
        for (name, category) in Category::KNOWN {
            assert_eq!(Category::of(name), *category);
            assert_eq!(category.name(), *name);
        }
        assert_eq!(Category::of("State").name(), "State");
        assert_ne!(Category::of("State"), Category::State);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: CategorySet = [&Category::State, &Category::Note].into_iter().collect();
        assert!(set.contains(&Category::State) && set.contains(&Category::Note));
        assert!(!set.contains(&Category::Device) && !set.contains(&Category::of("mine")));
        assert!(CategorySet::ALL.contains(&Category::of("mine")));
        assert!(CategorySet::default().is_empty());
    }
}
