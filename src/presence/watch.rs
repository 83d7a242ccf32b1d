//! Who watches a presentity, in groups that are told the same.

use super::category::{Category, CategorySet};
use super::container::{ContainerId, Relation};
use crate::base::aor::Aor;
use crate::base::ids::SubscriptionId;

/// How a presence document is written for a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// As categories (MS-PRES).
    Categories,
    /// As PIDF (RFC 3863, RFC 4480).
    Pidf,
}

impl Format {
    /// The categories that leave a trace in a document of this format.
    pub const fn categories(self) -> CategorySet {
        match self {
            Format::Categories => CategorySet::ALL,
            Format::Pidf => CategorySet::only(&Category::State)
                .or(CategorySet::only(&Category::Note))
                .or(CategorySet::only(&Category::ContactCard)),
        }
    }
}

/// A subscription to a user's presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Which.
    pub subscription: SubscriptionId,
    /// Whose.
    pub watcher: Aor,
    /// How the watcher stands to the enterprise of the user.
    pub relation: Relation,
    /// The watcher is a contact of the user.
    pub is_contact: bool,
    /// What the watcher asked for.
    pub categories: CategorySet,
    /// How it is written for him.
    pub format: Format,
}

/// A subscription in force. Small, for a user has dozens.
#[derive(Clone, Debug)]
pub struct Watching {
    watcher: Aor,
    /// Of the watcher's address: those of others are passed over without a look at the address.
    tag: u32,
    subscription: SubscriptionId,
    categories: CategorySet,
    level: u8,
    relation: Relation,
    is_contact: bool,
    format: Format,
}

impl Watching {
    /// What was asked for.
    pub fn watch(&self) -> Watch {
        Watch {
            subscription: self.subscription,
            watcher: self.watcher.clone(),
            relation: self.relation,
            is_contact: self.is_contact,
            categories: self.categories,
            format: self.format,
        }
    }

    /// Whose it is.
    pub fn watcher(&self) -> &Aor {
        &self.watcher
    }

    /// Which it is.
    pub fn subscription(&self) -> SubscriptionId {
        self.subscription
    }

    /// What the watcher sees is what this container sees.
    pub fn level(&self) -> ContainerId {
        ContainerId::LEVELS.get(usize::from(self.level)).copied().unwrap_or_default()
    }

    fn is_of(&self, watcher: &Aor, tag: u32) -> bool {
        self.tag == tag && self.watcher == *watcher
    }

    /// Watchings of the same group are told the same.
    fn group(&self) -> (u8, Format, CategorySet) {
        (self.level, self.format, self.categories)
    }
}

/// Watchings that are told the same.
#[derive(Debug)]
pub struct Group {
    /// What they see is what this container sees.
    pub container: ContainerId,
    /// How it is written.
    pub format: Format,
    /// What they asked for.
    pub categories: CategorySet,
    /// Who they are.
    pub watches: Vec<SubscriptionId>,
}

impl Group {
    fn of(watchings: &[Watching]) -> Option<Group> {
        let first = watchings.first()?;
        Some(Group {
            container: first.level(),
            format: first.format,
            categories: first.categories,
            watches: watchings.iter().map(|watching| watching.subscription).collect(),
        })
    }
}

/// All watchings of one user, ordered by group.
#[derive(Clone, Debug, Default)]
pub struct Watches {
    watchings: Vec<Watching>,
}

impl Watches {
    /// Adds a subscription at `level`; one of the same identity is replaced.
    pub fn insert(&mut self, watch: Watch, level: ContainerId) {
        self.remove(watch.subscription);
        let Watch { subscription, watcher, relation, is_contact, categories, format } = watch;
        let categories = categories.and(format.categories());
        let level = level.level().unwrap_or(ContainerId::LEVELS.len() as u8 - 1);
        let tag = watcher.tag();
        let one = Watching {
            watcher,
            tag,
            subscription,
            categories,
            level,
            relation,
            is_contact,
            format,
        };
        if self.watchings.len() == self.watchings.capacity() {
            // Doubling would leave half of the room of most users empty.
            self.watchings.reserve_exact(self.watchings.len() / 8 + 4);
        }
        let at = self.watchings.partition_point(|other| other.group() <= one.group());
        self.watchings.insert(at, one);
    }

    /// Removes a subscription; false if there is none.
    pub fn remove(&mut self, subscription: SubscriptionId) -> bool {
        let at = self.watchings.iter().position(|one| one.subscription == subscription);
        at.map(|at| self.watchings.remove(at)).is_some()
    }

    /// True if there is such a subscription.
    pub fn contains(&self, subscription: SubscriptionId) -> bool {
        self.watchings.iter().any(|one| one.subscription == subscription)
    }

    /// How many are of `watcher`.
    pub fn of(&self, watcher: &Aor) -> usize {
        let tag = watcher.tag();
        self.watchings.iter().filter(|one| one.is_of(watcher, tag)).count()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.watchings.len()
    }

    /// True for none.
    pub fn is_empty(&self) -> bool {
        self.watchings.is_empty()
    }

    /// All, ordered by group.
    pub fn iter(&self) -> impl Iterator<Item = &Watching> {
        self.watchings.iter()
    }

    /// `other` has become, or is no longer, a contact of the user.
    pub fn set_contact(&mut self, other: &Aor, is_contact: bool) {
        let tag = other.tag();
        for one in self.watchings.iter_mut().filter(|one| one.is_of(other, tag)) {
            one.is_contact = is_contact;
        }
    }

    /// The groups of watchers at `container` who asked for something of `changed`.
    pub fn groups(
        &self,
        container: ContainerId,
        changed: CategorySet,
    ) -> impl Iterator<Item = Group> + '_ {
        let level = container.level().unwrap_or(u8::MAX);
        let from = self.watchings.partition_point(|one| one.level < level);
        let to = self.watchings.partition_point(|one| one.level <= level);
        let those = self.watchings.get(from..to).unwrap_or_default();
        those
            .chunk_by(|a, b| a.group() == b.group())
            .filter(move |group| {
                group.first().is_some_and(|one| !one.categories.and(changed).is_empty())
            })
            .filter_map(Group::of)
    }

    /// Gives every watching the level that `level_of` finds, and returns those that moved, in
    /// their new groups.
    pub fn relevel(
        &mut self,
        level_of: impl Fn(&Aor, Relation, bool) -> ContainerId,
    ) -> Vec<Group> {
        let mut moved: Vec<Watching> = Vec::new();
        self.watchings.retain_mut(|one| {
            let level = level_of(&one.watcher, one.relation, one.is_contact).level();
            let Some(level) = level.filter(|level| *level != one.level) else { return true };
            moved.push(Watching { level, ..one.clone() });
            false
        });
        moved.sort_by_key(Watching::group);
        let groups = moved.chunk_by(|a, b| a.group() == b.group()).filter_map(Group::of).collect();
        self.watchings.append(&mut moved);
        self.watchings.sort_by_key(Watching::group);
        groups
    }

    /// Panics when the watchings are out of order (debug builds).
    pub fn check_invariants(&self) {
        debug_assert!(self.watchings.is_sorted_by_key(Watching::group));
        let mut known: Vec<_> = self.watchings.iter().map(|one| one.subscription).collect();
        known.sort_unstable();
        debug_assert!(known.is_sorted_by(|a, b| a < b));
    }
}

#[cfg(test)]
mod tests;
