//! The presence of the users whose home this is: who watches them, and what goes out when it
//! changes. A body is made once for all who see the same; one frame goes to each shard.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::durable::Rows;
use super::edit::Change;
use super::frame::Frame;
use super::frame::watch::{Notice, OwnPackage, View, Watch, Watched};
use super::observe::OBSERVERS;
use super::publish::EntityTag;
use super::{LOOK_AHEAD, Shard, Timer};
use crate::base::aor::Aor;
use crate::base::grouped::grouped;
use crate::base::ids::{ConnId, Slot, SubscriptionId};
use crate::base::limits::Limit;
use crate::base::time::{Deadline, Now};
use crate::dialect::person::card;
use crate::dialect::reject::Reject;
use crate::dialect::{ms, simple};
use crate::directory::User;
use crate::metrics::names::Series;
use crate::presence::category::CategorySet;
use crate::presence::container::ContainerId;
use crate::presence::presentity::{Output, Presentity, WatchError};
use crate::presence::watch::{self, Format};

/// What a shard keeps of a user's presence.
#[derive(Debug)]
pub(super) struct PresenceEntry {
    /// The document and its watchers.
    pub(super) presentity: Presentity,
    /// Until then the user is not told who watches him.
    watchers_damped: Option<Deadline>,
    /// He knows who watches him, or does not want to.
    are_watchers_told: bool,
    /// The timer is armed for this time.
    armed: Option<Deadline>,
    /// What standard endpoints have published.
    pub(super) tags: Vec<EntityTag>,
}

impl PresenceEntry {
    /// What there is of a user at first.
    fn new(now: Now, user: &User, contacts_only: bool) -> Self {
        let mut presentity = Presentity::new(now, card(user));
        presentity.set_contacts_only(contacts_only);
        PresenceEntry {
            presentity,
            watchers_damped: None,
            are_watchers_told: true,
            armed: None,
            tags: Vec::new(),
        }
    }

    /// When time alone next gives something to tell.
    fn next_deadline(&self) -> Option<Deadline> {
        let watchers = self.watchers_damped.filter(|_| !self.are_watchers_told);
        watchers.into_iter().chain(self.presentity.next_deadline()).min()
    }
}

/// Whom each subscription watches at this home, so that it can be taken back.
pub(super) type Watches = HashMap<SubscriptionId, Vec<Slot>, ahash::RandomState>;

impl Shard {
    /// A watcher wants to see users whose home this is.
    pub(super) fn watch(&mut self, now: Now, watch: Watch) {
        let subscription = watch.subscription;
        let mut views = Vec::new();
        match &watch.resources {
            Some(resources) => {
                for resource in resources {
                    let body = self.watch_one(now, &watch, &resource.aor, resource.prompt);
                    views.push(View { aor: resource.aor.clone(), body });
                }
            }
            None => {
                for slot in self.watches.get(&subscription).cloned().unwrap_or_default() {
                    let Some(entry) = self.users.get(slot) else { continue };
                    let aor = Aor::new(&entry.user.aor);
                    let body = Ok(self.body_for(now, slot, &watch));
                    views.push(View { aor, body });
                }
            }
        }
        let watched = Watched { subscription: subscription.slot, views };
        self.send_frame(subscription.shard, Frame::Watched(Box::new(watched)));
    }

    /// Makes the watcher one of a user's; what he sees, or why he may not watch.
    fn watch_one(
        &mut self,
        now: Now,
        watch: &Watch,
        aor: &Aor,
        prompt: bool,
    ) -> Result<Bytes, Reject> {
        let slot = self.users.slot(aor).ok_or(Reject::UnknownUser)?;
        if !watch.poll {
            let is_contact = self.is_contact(slot, &watch.watcher);
            let settings = Arc::clone(&self.settings);
            // Batch after batch may add to one subscription: as many as a list has contacts.
            let watched = self.watches.get(&watch.subscription);
            let is_full = watched.is_some_and(|slots| {
                slots.len() >= settings.limits.contacts_per_user_max && !slots.contains(&slot)
            });
            if is_full {
                self.counters.hit(Limit::BatchResources);
                return Err(Reject::TooManyWatchers);
            }
            let presentity = self.presentity(now, slot).ok_or(Reject::UnknownUser)?;
            let wish = watch::Watch {
                subscription: watch.subscription,
                watcher: watch.watcher.clone(),
                relation: watch.relation,
                is_contact,
                categories: watch.categories,
                format: watch.format,
            };
            // Nobody has to be told that he has added himself.
            let prompt = prompt && watch.watcher != *aor;
            let admitted = match presentity.watch(wish, prompt, &settings.limits) {
                Ok(admitted) => admitted,
                Err(error) => {
                    self.counters.hit(match error {
                        WatchError::TooMany => Limit::Watchers,
                        WatchError::TooManyOfOne => Limit::WatchesPerWatcher,
                    });
                    return Err(Reject::TooManyWatchers);
                }
            };
            if admitted.is_prompt_refused {
                self.counters.hit(Limit::PromptedSubscribers);
            }
            if !admitted.rows.is_empty() {
                self.write(now, slot, None, Rows::Presence(admitted.rows), Change::Nothing);
            }
            let slots = self.watches.entry(watch.subscription).or_default();
            if !slots.contains(&slot) {
                slots.push(slot);
            }
            self.watchers_changed(now, slot);
            self.presence_changed(now, slot, None);
        }
        Ok(self.body_for(now, slot, watch))
    }

    /// All that a watcher sees of a user.
    fn body_for(&mut self, now: Now, slot: Slot, watch: &Watch) -> Bytes {
        let is_contact = self.is_contact(slot, &watch.watcher);
        let container = self.presentity(now, slot).map_or(ContainerId::DEFAULT, |presentity| {
            presentity.level_of(&watch.watcher, watch.relation, is_contact)
        });
        self.render(slot, container, watch.format, watch.categories, CategorySet::ALL)
    }

    /// A watcher is gone, or looks away from some.
    pub(super) fn unwatch(&mut self, now: Now, subscription: SubscriptionId, aors: Option<&[Aor]>) {
        let slots = match aors {
            None => self.watches.remove(&subscription).unwrap_or_default(),
            Some(aors) => {
                let gone: Vec<Slot> = aors.iter().filter_map(|aor| self.users.slot(aor)).collect();
                gone.iter().for_each(|slot| self.forget_watch(subscription, *slot));
                gone
            }
        };
        for slot in slots {
            let Some(entry) = self.users.get_mut(slot) else { continue };
            if let Some(presence) = entry.presence.as_mut() {
                presence.presentity.unwatch(subscription);
            }
            self.watchers_changed(now, slot);
        }
    }

    /// Those who watch a user have changed: he is told at once, and then not for a while, as each
    /// document names them all.
    pub(super) fn watchers_changed(&mut self, now: Now, slot: Slot) {
        let time = self.settings.limits.watcher_info_damping_time;
        let Some(entry) = self.users.get_mut(slot) else { return };
        let is_wanted = entry.own.iter().any(|own| own.package == OwnPackage::WatcherInfo);
        let Some(presence) = entry.presence.as_mut() else { return };
        let is_time = presence.watchers_damped.is_none_or(|end| now.reached(end));
        presence.are_watchers_told = is_time || !is_wanted;
        if is_time && is_wanted {
            presence.watchers_damped = Some(now.after(time));
            self.tell_own(now, slot, OwnPackage::WatcherInfo);
        }
        self.watch_presence(now, slot);
    }

    /// A subscription watches one user less.
    fn forget_watch(&mut self, subscription: SubscriptionId, slot: Slot) {
        let Some(slots) = self.watches.get_mut(&subscription) else { return };
        slots.retain(|known| *known != slot);
        if slots.is_empty() {
            self.watches.remove(&subscription);
        }
    }

    /// The document of a user, made when it is first needed.
    pub(super) fn presentity(&mut self, now: Now, slot: Slot) -> Option<&mut Presentity> {
        let entry = self.users.get_mut(slot)?;
        let settings = &self.settings;
        let presence = entry.presence.get_or_insert_with(|| {
            let contacts_only = settings.policies.of(&entry.user.policy).privacy;
            let mut presence = PresenceEntry::new(now, &entry.user, contacts_only);
            for binding in entry.registrar.bindings(now) {
                presence.presentity.endpoint_added(now, binding.conn, &settings.limits);
            }
            // There is nobody to be told yet.
            while presence.presentity.next_output().is_some() {}
            Box::new(presence)
        });
        Some(&mut presence.presentity)
    }

    /// The store has kept this of a user.
    pub(super) fn restore(&mut self, now: Now, aor: &Aor, rows: Rows) {
        let Some(slot) = self.users.slot(aor) else { return };
        match rows {
            Rows::Contacts(rows) => {
                let Some(entry) = self.users.get_mut(slot) else { return };
                rows.into_iter().for_each(|row| entry.contacts.restore(row));
            }
            Rows::Presence(rows) => {
                let Some(presentity) = self.presentity(now, slot) else { return };
                rows.into_iter().for_each(|row| presentity.restore(row));
            }
        }
    }

    /// What the directory says of a user has changed.
    pub(super) fn card_changed(&mut self, now: Now, slot: Slot) {
        let settings = Arc::clone(&self.settings);
        let Some(entry) = self.users.get_mut(slot) else { return };
        let Some(presence) = entry.presence.as_mut() else { return };
        presence.presentity.set_card(now, card(&entry.user), &settings.limits);
        presence.presentity.set_contacts_only(settings.policies.of(&entry.user.policy).privacy);
        self.presence_changed(now, slot, None);
    }

    /// A user is removed: to his watchers he is offline for good.
    pub(super) fn forget_presence(&mut self, slot: Slot) {
        let Some(presence) = self.users.get(slot).and_then(|entry| entry.presence.as_ref()) else {
            return;
        };
        let watches = presence.presentity.watches().map(|watching| watching.watch());
        let groups = grouped(watches.map(|w| ((w.format, w.categories), w.subscription)));
        for ((format, categories), subscriptions) in groups {
            for subscription in &subscriptions {
                self.forget_watch(*subscription, slot);
            }
            let container = ContainerId::BLOCKED;
            let body = self.render(slot, container, format, categories, CategorySet::ALL);
            self.fan_out(slot, container, format, &body, &subscriptions);
        }
    }

    /// The endpoints of a user have changed.
    pub(super) fn endpoints_of_presence(&mut self, now: Now, slot: Slot) {
        let limits = &self.settings.limits;
        let Some(entry) = self.users.get_mut(slot) else { return };
        let Some(presence) = entry.presence.as_mut() else { return };
        let conns: Vec<ConnId> = entry.registrar.bindings(now).map(|b| b.conn).collect();
        let known = presence.presentity.endpoints().to_vec();
        // Added first: who moves to another connection is never without one.
        for conn in &conns {
            presence.presentity.endpoint_added(now, *conn, limits);
        }
        let gone: Vec<ConnId> = known.into_iter().filter(|conn| !conns.contains(conn)).collect();
        for conn in &gone {
            presence.presentity.endpoint_removed(now, *conn, limits);
        }
        self.drop_published(now, slot, &gone);
        self.presence_changed(now, slot, None);
    }

    /// Carries what a presentity has to tell: to its watchers, and to the user's own endpoints
    /// but that on `origin`, which has its answer.
    pub(super) fn presence_changed(&mut self, now: Now, slot: Slot, origin: Option<ConnId>) {
        while let Some(output) = self
            .users
            .get_mut(slot)
            .and_then(|entry| entry.presence.as_mut())
            .and_then(|presence| presence.presentity.next_output())
        {
            match output {
                Output::Notice { container, format, categories, changed, watches } => {
                    let body = self.render(slot, container, format, categories, changed);
                    self.fan_out(slot, container, format, &body, &watches);
                }
                Output::OwnCategories(categories) => {
                    self.tell_own_categories(now, slot, &categories, origin);
                }
                Output::OwnContainers(_) => self.tell_own_containers(now, slot),
                Output::OwnSubscribers => self.tell_own_subscribers(now, slot),
            }
        }
        self.watch_presence(now, slot);
    }

    /// Renders what the members of a container see of a user.
    fn render(
        &mut self,
        slot: Slot,
        container: ContainerId,
        format: Format,
        categories: CategorySet,
        changed: CategorySet,
    ) -> Bytes {
        self.counters.count(Series::PresenceRenderings);
        let Some(entry) = self.users.get(slot) else { return Bytes::new() };
        let Some(presence) = entry.presence.as_ref() else { return Bytes::new() };
        let view = presence.presentity.view(container);
        let aor = &entry.user.aor;
        match format {
            Format::Categories => ms::categories::document(aor, &view, categories, changed).into(),
            Format::Pidf => simple::pidf::document(aor, &view).into(),
        }
    }

    /// Sends one body to all who see it, one frame for each shard. Applications, which read no
    /// body, are shown what members of the container see.
    fn fan_out(
        &mut self,
        slot: Slot,
        container: ContainerId,
        format: Format,
        body: &Bytes,
        watches: &[SubscriptionId],
    ) {
        let Some(aor) = self.users.get(slot).map(|entry| Aor::new(&entry.user.aor)) else { return };
        let parts = grouped(watches.iter().map(|watch| (watch.shard, watch.slot)));
        for (shard, subscriptions) in parts {
            if shard == OBSERVERS {
                self.show(slot, container, &subscriptions);
                continue;
            }
            let notice = Notice { aor: aor.clone(), format, body: body.clone(), subscriptions };
            self.send_frame(shard, Frame::Notice(Box::new(notice)));
        }
    }

    /// Some time that a presentity waits for has come.
    pub(super) fn presence_due(&mut self, now: Now, slot: Slot) {
        let Some(presence) = self.users.get_mut(slot).and_then(|entry| entry.presence.as_mut())
        else {
            return;
        };
        if presence.armed.is_none_or(|armed| !now.reached(armed)) {
            return;
        }
        presence.armed = None;
        presence.presentity.expire(now, &self.settings.limits);
        if !presence.are_watchers_told {
            self.watchers_changed(now, slot);
        }
        self.presence_changed(now, slot, None);
    }

    /// Arms the timer for what a presentity waits for next, unless an earlier one is armed.
    fn watch_presence(&mut self, now: Now, slot: Slot) {
        let Some(presence) = self.users.get_mut(slot).and_then(|entry| entry.presence.as_mut())
        else {
            return;
        };
        let Some(next) = presence.next_deadline() else { return };
        let next = next.min(now.after(LOOK_AHEAD));
        if presence.armed.is_none_or(|armed| next < armed) {
            presence.armed = Some(next);
            self.wheel.arm(next, Timer::Presence(slot));
        }
    }
}
