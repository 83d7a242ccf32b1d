//! Subscriptions to the roster.

use super::Conference;
use crate::base::aor::Aor;
use crate::base::ids::SubscriptionId;
use crate::base::limits::Limits;
use crate::immcu::conference::input::Relation;
use crate::immcu::conference::output::{Output, Refusal};

impl Conference {
    pub(super) fn watch(
        &mut self,
        subscription: SubscriptionId,
        by: Aor,
        relation: Relation,
        poll: bool,
        limits: &Limits,
    ) {
        if let Err(refusal) = self.may_watch(subscription, &by, relation, poll, limits) {
            self.watchers.remove(subscription);
            return self.outputs.push_back(Output::Unseen { subscription, refusal });
        }
        if poll {
            self.watchers.remove(subscription);
        } else {
            let waits = self.waiting.get(&by).is_some();
            self.watchers.insert(subscription, by.clone(), waits);
        }
        self.outputs.push_back(Output::Seen { subscription, by });
    }

    fn may_watch(
        &self,
        subscription: SubscriptionId,
        by: &Aor,
        relation: Relation,
        poll: bool,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        if self.over {
            return Err(Refusal::Ended);
        }
        match self.members.get(by).or_else(|| self.waiting.get(by)) {
            Some(known) if known.relation == relation => {}
            Some(_) => return Err(Refusal::GuestsNotAllowed),
            None => self.description.admits(by, relation).map(|_| ())?,
        }
        if poll || self.watchers.contains(subscription) {
            return Ok(());
        }
        let of_one = self.watchers.count(by) >= limits.watches_per_watcher_max;
        if of_one || self.watchers.len() >= limits.conference_watchers_max {
            return Err(Refusal::TooManyWatchers);
        }
        Ok(())
    }
}
