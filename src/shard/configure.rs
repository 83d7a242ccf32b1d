//! Other settings while the shard runs. What is under way keeps what it began with; whatever is
//! looked up when it is needed follows at once.

use std::sync::Arc;

use super::filter::Filters;
use super::{Shard, algorithm, own_limits};
use crate::base::ids::Slot;
use crate::base::time::Now;
use crate::config::Settings;

impl Shard {
    /// Takes other settings.
    pub(super) fn configure(&mut self, now: Now, settings: Arc<Settings>) {
        let limits = &settings.limits;
        self.own_limits = own_limits(limits);
        self.users.set_max(limits.users_per_shard_max);
        self.sessions.set_max(limits.sessions_per_shard_max);
        self.invitations.set_max(limits.sessions_per_shard_max);
        self.relays.set_max(limits.relays_per_shard_max);
        self.pagers.set_max(limits.relays_per_shard_max);
        self.subscriptions.set_max(limits.subscriptions_per_shard_max);
        self.legs.set_max(limits.legs_per_shard_max);
        self.searches.set_max(limits.searches_per_shard_max);
        self.failed_users.set_bounds(limits.auth_failures_per_user_max, limits.lockout_time);
        let per_address = limits.auth_failures_per_address_max;
        self.failed_addresses.set_bounds(per_address, limits.lockout_time);
        self.locked_addresses.set_bounds(1, limits.lockout_time);
        if limits.sign_ins_per_second_max != self.settings.limits.sign_ins_per_second_max {
            self.admission.set_rate(limits.sign_ins_per_second_max, self.shards);
        }
        self.algorithms = settings.digest.iter().map(algorithm).collect();
        let before = std::mem::replace(&mut self.settings, settings);
        if before.policies != self.settings.policies {
            self.filters = Filters::new(&self.settings.policies);
            self.privacy_changed(now, &before);
        }
    }

    /// Users whose policy has another idea of who sees them are seen so at once.
    fn privacy_changed(&mut self, now: Now, before: &Settings) {
        let (old, new) = (&before.policies, &self.settings.policies);
        let slots: Vec<Slot> = self
            .users
            .iter()
            .filter(|(_, entry)| {
                let policy = entry.user.policy.as_str();
                entry.presence.is_some() && old.of(policy).privacy != new.of(policy).privacy
            })
            .filter_map(|(aor, _)| self.users.slot(aor))
            .collect();
        for slot in slots {
            self.card_changed(now, slot);
        }
    }
}
