//! Applications that watch users whose home this is: like other watchers, but at a level that the
//! operator gave them, and told in values by the core itself instead of in documents by a
//! connection.

use std::sync::Arc;

use super::Shard;
use super::output::Output;
use crate::base::aor::Aor;
use crate::base::ids::{ShardId, Slot, SubscriptionId};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::presence::aggregate::Aggregate;
use crate::presence::card::Card;
use crate::presence::category::CategorySet;
use crate::presence::container::{ContainerId, Relation};
use crate::presence::presentity::{Presentity, WatchError};
use crate::presence::state::Note;
use crate::presence::watch::{Format, Watch};

/// Where the subscriptions of applications would have their connections. No shard has that number.
pub const OBSERVERS: ShardId = ShardId(u16::MAX);

/// An application's wish to watch users whose home is one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it is known by: chosen by who asks, and never used again.
    pub observer: Slot,
    /// What the operator calls the application.
    pub application: Aor,
    /// The level he gave it.
    pub level: ContainerId,
    /// Whom it watches.
    pub users: Vec<Aor>,
}

/// What an application sees of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// Whom it asked for.
    pub user: Aor,
    /// What it sees, or why it sees nothing.
    pub view: Result<Glimpse, Unseen>,
}

/// Why an application sees nothing of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unseen {
    /// He is not in the directory.
    NoSuchUser,
    /// Too many watch him.
    TooManyWatchers,
}

/// What the members of a container see of a user, as far as applications read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glimpse {
    /// The container that decides: less than the level of the application where the user shows
    /// himself to contacts alone.
    pub level: ContainerId,
    /// The state; `None` where the level has none.
    pub state: Option<Aggregate>,
    /// The person.
    pub card: Option<Card>,
    /// Notes, at most one of a kind.
    pub notes: Vec<Note>,
}

impl Glimpse {
    /// What members of `level` see of `presentity`.
    fn new(presentity: &Presentity, level: ContainerId) -> Self {
        let view = presentity.view(level);
        Glimpse {
            level,
            state: view.state().cloned(),
            card: view.card().cloned(),
            notes: view.notes().cloned().collect(),
        }
    }
}

impl Shard {
    /// What an application at `level` sees of `user` now.
    pub(super) fn sight(&mut self, now: Now, user: &Aor, level: ContainerId) -> Sight {
        let slot = self.users.slot(user);
        let presentity = slot.and_then(|slot| self.presentity(now, slot));
        let view = presentity.ok_or(Unseen::NoSuchUser).map(|presentity| {
            // In privacy mode it is a stranger, as everybody is who is no contact.
            let level = presentity.level_of(user, Relation::application(level), false);
            Glimpse::new(presentity, level)
        });
        Sight { user: user.clone(), view }
    }

    /// An application watches: it sees all of them now, and each whenever he changes.
    pub(super) fn observe(&mut self, now: Now, observation: Observation) {
        let Observation { observer, application, level, users } = observation;
        for user in users {
            let sight = match self.observe_one(now, observer, &application, level, &user) {
                Ok(()) => self.sight(now, &user, level),
                Err(reason) => Sight { user, view: Err(reason) },
            };
            self.outputs.push_back(Output::Observed { observer, sight: Box::new(sight) });
        }
    }

    fn observe_one(
        &mut self,
        now: Now,
        observer: Slot,
        application: &Aor,
        level: ContainerId,
        user: &Aor,
    ) -> Result<(), Unseen> {
        let settings = Arc::clone(&self.settings);
        let slot = self.users.slot(user).ok_or(Unseen::NoSuchUser)?;
        let presentity = self.presentity(now, slot).ok_or(Unseen::NoSuchUser)?;
        let subscription = SubscriptionId::new(OBSERVERS, observer);
        let watch = Watch {
            subscription,
            watcher: application.clone(),
            relation: Relation::application(level),
            is_contact: false,
            categories: CategorySet::ALL,
            format: Format::Pidf,
        };
        // Users are not asked to answer an application that added them.
        if let Err(error) = presentity.watch(watch, false, &settings.limits) {
            self.counters.hit(match error {
                WatchError::TooMany => Limit::Watchers,
                WatchError::TooManyOfOne => Limit::WatchesPerWatcher,
            });
            return Err(Unseen::TooManyWatchers);
        }
        let slots = self.watches.entry(subscription).or_default();
        if !slots.contains(&slot) {
            slots.push(slot);
        }
        Ok(())
    }

    /// An application watches no more.
    pub(super) fn unobserve(&mut self, now: Now, observer: Slot) {
        self.unwatch(now, SubscriptionId::new(OBSERVERS, observer), None);
    }

    /// Shows applications what members of `container` see of a user by now.
    pub(super) fn show(&mut self, slot: Slot, container: ContainerId, observers: &[Slot]) {
        let Some(entry) = self.users.get(slot) else { return };
        let Some(presence) = entry.presence.as_ref() else { return };
        let view = Ok(Glimpse::new(&presence.presentity, container));
        let sight = Sight { user: Aor::new(&entry.user.aor), view };
        for observer in observers {
            let sight = Box::new(sight.clone());
            self.outputs.push_back(Output::Observed { observer: *observer, sight });
        }
    }
}
