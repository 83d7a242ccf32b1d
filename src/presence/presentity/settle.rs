//! What becomes of changes: marked by level, aggregated, told in groups, damped.

use super::{Output, Presentity, level_of};
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};
use crate::presence::aggregate::aggregate;
use crate::presence::category::{Category, CategorySet};
use crate::presence::container::ContainerId;
use crate::presence::document::Changes;
use crate::presence::publication::{Life, Meaning};
use crate::presence::view::is_shown;
use crate::presence::watch::Group;

impl Presentity {
    /// Finds out what `changes`, endpoints and time have made of the aggregated state, and tells.
    pub(super) fn settle(&mut self, now: Now, changes: Changes, limits: &Limits) {
        let Changes { mut touched, keys, .. } = changes;
        for key in keys {
            self.mark(key.container, &key.category);
        }
        if self.aggregate_anew(now) && !touched.contains(&Category::State) {
            touched.push(Category::State);
        }
        if !touched.is_empty() {
            self.outputs.push_back(Output::OwnCategories(touched));
        }
        self.turn = self.next_turn(now);
        self.tell(now, limits);
    }

    fn mark(&mut self, container: ContainerId, category: &Category) {
        let untold = container.level().and_then(|level| self.untold.get_mut(usize::from(level)));
        if let Some(untold) = untold.filter(|_| is_shown(category, container)) {
            untold.insert(category);
        }
    }

    /// True if the aggregated state in 2 or 3 has become another.
    fn aggregate_anew(&mut self, now: Now) -> bool {
        let sources = [ContainerId::SELF_AGGREGATION, ContainerId::TEAM_AGGREGATION];
        let mut is_other = false;
        for (at, source) in sources.into_iter().enumerate() {
            let publications = self.document.publications();
            let new = aggregate(publications, source, &self.endpoints, now.unix_ms);
            let Some(known) = self.aggregates.get_mut(at).filter(|old| old.aggregate != new) else {
                continue;
            };
            is_other = true;
            let old = std::mem::replace(&mut known.aggregate, new.clone());
            known.version = known.version.saturating_add(1);
            known.published_ms = now.unix_ms;
            for (level, untold) in ContainerId::LEVELS.into_iter().zip(&mut self.untold) {
                let is_fed =
                    (level == ContainerId::WORKGROUP) == (source == ContainerId::TEAM_AGGREGATION);
                if is_fed && old.as_seen_in(level) != new.as_seen_in(level) {
                    untold.insert(&Category::State);
                }
            }
        }
        is_other
    }

    /// When the next publication ends or the next state begins or ceases to hold.
    fn next_turn(&self, now: Now) -> Option<Deadline> {
        let ends = self.document.publications().iter().filter_map(|one| match one.life {
            Life::Until(end) => Some(end.saturating_mul(1000)),
            Life::Static | Life::User | Life::Endpoint(_) => None,
        });
        let bounds =
            self.document.publications().iter().filter_map(|one| match &one.payload.meaning {
                Meaning::State(state) => state.valid,
                Meaning::Note(_) | Meaning::Card(_) | Meaning::Opaque => None,
            });
        let bounds = bounds
            .flat_map(|(from, to)| [from, to])
            .map(|bound| bound.saturating_mul(1000))
            .filter(|bound| *bound > now.unix_ms);
        let wait_ms = ends.chain(bounds).min()?.saturating_sub(now.unix_ms);
        Some(Deadline(now.mono_ms.saturating_add(wait_ms)))
    }

    /// Tells what the levels have not been told, unless the last telling was only just now.
    pub(super) fn tell(&mut self, now: Now, limits: &Limits) {
        if self.untold.iter().all(|untold| untold.is_empty())
            || self.damped_until.is_some_and(|end| !now.reached(end))
        {
            return;
        }
        let mut is_told = false;
        for (container, changed) in ContainerId::LEVELS.into_iter().zip(self.untold) {
            for group in self.watches.groups(container, changed) {
                self.outputs.push_back(notice(group, changed));
                is_told = true;
            }
        }
        self.untold = Default::default();
        if is_told {
            self.damped_until = Some(now.after(limits.presence_damping_time));
        }
    }

    /// Finds the levels of all watchers anew and shows those that moved all of their new view.
    pub(super) fn relevel(&mut self) {
        let (membership, contacts_only) = (&self.membership, self.contacts_only);
        let moved = self.watches.relevel(|who, relation, is_contact| {
            level_of(membership, contacts_only, who, relation, is_contact)
        });
        self.outputs.extend(moved.into_iter().map(|group| notice(group, CategorySet::ALL)));
    }
}

fn notice(group: Group, changed: CategorySet) -> Output {
    let Group { container, format, categories, watches } = group;
    Output::Notice { container, format, categories, changed: changed.and(categories), watches }
}
