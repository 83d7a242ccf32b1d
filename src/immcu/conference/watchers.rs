//! Who is told of the roster.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::aor::Aor;
use crate::base::ids::SubscriptionId;

/// Subscriptions in force, grouped by core.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    by_id: BTreeMap<SubscriptionId, Watcher>,
    /// Those who are told of changes; `None` when it must be made anew.
    told: Option<Arc<[SubscriptionId]>>,
}

#[derive(Debug)]
struct Watcher {
    who: Aor,
    /// He waits in the lobby and sees himself alone: nothing changes for him.
    waits: bool,
}

impl Watchers {
    /// Adds a subscription, or says anew whose it is.
    pub(super) fn insert(&mut self, subscription: SubscriptionId, who: Aor, waits: bool) {
        self.by_id.insert(subscription, Watcher { who, waits });
        self.told = None;
    }

    /// Removes a subscription.
    pub(super) fn remove(&mut self, subscription: SubscriptionId) {
        if self.by_id.remove(&subscription).is_some() {
            self.told = None;
        }
    }

    /// Removes the subscriptions of one user and names them.
    pub(super) fn remove_all(&mut self, who: &Aor) -> Vec<SubscriptionId> {
        let removed = self.of(who);
        removed.iter().for_each(|subscription| self.remove(*subscription));
        removed
    }

    /// Somebody begins to wait in the lobby, or is let in.
    pub(super) fn set_waits(&mut self, who: &Aor, waits: bool) {
        for watcher in self.by_id.values_mut().filter(|watcher| watcher.who == *who) {
            watcher.waits = waits;
            self.told = None;
        }
    }

    /// Removes all of them and names them.
    pub(super) fn take(&mut self) -> impl Iterator<Item = SubscriptionId> + use<> {
        self.told = None;
        std::mem::take(&mut self.by_id).into_keys()
    }

    /// Whom to tell of a change.
    pub(super) fn told(&mut self) -> Arc<[SubscriptionId]> {
        let by_id = &self.by_id;
        self.told
            .get_or_insert_with(|| {
                by_id.iter().filter(|(_, watcher)| !watcher.waits).map(|(id, _)| *id).collect()
            })
            .clone()
    }

    /// The subscriptions of one user.
    pub(super) fn of(&self, who: &Aor) -> Vec<SubscriptionId> {
        self.by_id.iter().filter(|(_, watcher)| watcher.who == *who).map(|(id, _)| *id).collect()
    }

    /// True if it is in force.
    pub(super) fn contains(&self, subscription: SubscriptionId) -> bool {
        self.by_id.contains_key(&subscription)
    }

    /// How many one user has.
    pub(super) fn count(&self, who: &Aor) -> usize {
        self.by_id.values().filter(|watcher| watcher.who == *who).count()
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Panics when somebody is told who waits, or is not told though he does not.
    pub(super) fn check_invariants(&self, waits: impl Fn(&Aor) -> bool) {
        assert!(self.by_id.values().all(|watcher| watcher.waits == waits(&watcher.who)));
        if let Some(told) = &self.told {
            let watchers = self.by_id.iter().filter(|(_, watcher)| !watcher.waits);
            assert!(told.iter().eq(watchers.map(|(id, _)| id)));
        }
    }
}
