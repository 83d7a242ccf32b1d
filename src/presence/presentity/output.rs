//! What the presence machine answers, and what it wants others to be told.

use crate::base::ids::SubscriptionId;
use crate::presence::category::{Category, CategorySet};
use crate::presence::container::ContainerId;
use crate::presence::row::Row;
use crate::presence::watch::Format;

/// What was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Categories of which the publisher is told the complete set.
    pub touched: Vec<Category>,
    /// Durable changes; empty when nothing static was touched.
    pub rows: Vec<Row>,
}

/// What became of a wish to watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// What the watcher sees is what this container sees.
    pub container: ContainerId,
    /// Durable changes: the user has to be told that he was added.
    pub rows: Vec<Row>,
    /// The user is not told, for `prompted_subscribers_max` others wait for him.
    pub is_prompt_refused: bool,
}

/// Why a watcher is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchError {
    /// More than `watchers_per_user_max` subscriptions.
    TooMany,
    /// More than `watches_per_watcher_max` of this watcher.
    TooManyOfOne,
}

/// Who must be told what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// These watchers see something new: render once for all of them.
    Notice {
        /// What they see is what this container sees.
        container: ContainerId,
        /// How it is written for them.
        format: Format,
        /// What they asked for.
        categories: CategorySet,
        /// What of that is to be told: all instances the view has of each category, and that of
        /// which it has none as cleared.
        changed: CategorySet,
        /// Who they are.
        watches: Vec<SubscriptionId>,
    },
    /// The user's own endpoints: the complete set of these categories has changed.
    OwnCategories(Vec<Category>),
    /// The user's own endpoints: the members of these containers have changed.
    OwnContainers(Vec<ContainerId>),
    /// The user's own endpoints: those who added him have changed.
    OwnSubscribers,
}
