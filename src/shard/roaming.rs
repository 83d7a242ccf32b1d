//! What is a user's own, told to his endpoints at his home: contacts, publications, containers,
//! who added him, who watches him, how the server is used (MS-PRES roaming-self, MS-SIP
//! roaming-contacts, provisioning, wpending; RFC 3857).

use std::sync::Arc;

use super::Shard;
use super::frame::Frame;
use super::frame::watch::{OwnPackage, Subscribe, Subscribed};
use super::service::content;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Slot, SubscriptionId};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::contacts::Delta;
use crate::dialect::ms;
use crate::dialect::ms::roaming_self::{Parts, RoamingList};
use crate::dialect::reject::Reject;
use crate::dialect::simple;
use crate::presence::category::Category;
use crate::sip::subscription::Content;

/// A subscription of one of the user's endpoints to something of his own.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnSubscription {
    /// Its name; its shard is that of the endpoint's connection.
    pub(super) id: SubscriptionId,
    /// On this connection.
    pub(super) conn: ConnId,
    /// What it is to.
    pub(super) package: OwnPackage,
    /// What of roaming-self it wants.
    pub(super) wants: RoamingList,
}

impl Shard {
    /// A user subscribes to something of his own.
    pub(super) fn subscribe_own(&mut self, now: Now, subscribe: Subscribe) {
        let Subscribe { aor, conn, subscription, package, poll, request } = subscribe;
        let mut outcome = Err(Reject::UnknownUser);
        if let Some(slot) = self.users.slot(&aor) {
            self.with_message(&request, |shard, message| {
                outcome = shard.wanted(package, message.body()).and_then(|wants| {
                    if !poll {
                        shard.keep_own(
                            slot,
                            OwnSubscription { id: subscription, conn, package, wants },
                        )?;
                    }
                    shard.own_content(now, slot, package, wants, message.body())
                });
            });
        }
        let subscribed = Subscribed { subscription: subscription.slot, outcome };
        self.send_frame(subscription.shard, Frame::Subscribed(Box::new(subscribed)));
    }

    /// What of roaming-self a SUBSCRIBE asks for: everything, if it does not say.
    fn wanted(&mut self, package: OwnPackage, body: &[u8]) -> Result<RoamingList, Reject> {
        if package != OwnPackage::RoamingSelf || body.is_empty() {
            return Ok(RoamingList { categories: true, containers: true, subscribers: true });
        }
        let read = ms::roaming_self::read(body, &self.settings.limits);
        read.map_err(|error| self.unreadable(error))
    }

    /// Takes note of a subscription; a refresh is the same one.
    fn keep_own(&mut self, slot: Slot, wanted: OwnSubscription) -> Result<(), Reject> {
        let max = self.settings.limits.own_subscriptions_per_user_max;
        let entry = self.users.get_mut(slot).ok_or(Reject::UnknownUser)?;
        entry.own.retain(|known| known.id != wanted.id);
        if entry.own.len() >= max {
            self.counters.hit(Limit::OwnSubscriptions);
            return Err(Reject::TooManySubscriptions);
        }
        entry.own.push(wanted);
        Ok(())
    }

    /// A subscription of a user to something of his own is over.
    pub(super) fn unsubscribe_own(&mut self, aor: &Aor, subscription: SubscriptionId) {
        let Some(entry) = self.users.slot(aor).and_then(|slot| self.users.get_mut(slot)) else {
            return;
        };
        entry.own.retain(|known| known.id != subscription);
        if entry.own.is_empty() {
            entry.own = Vec::new();
        }
    }

    /// All there is to tell in a package.
    fn own_content(
        &mut self,
        now: Now,
        slot: Slot,
        package: OwnPackage,
        wants: RoamingList,
        body: &[u8],
    ) -> Result<Content, Reject> {
        let settings = Arc::clone(&self.settings);
        self.presentity(now, slot).ok_or(Reject::UnknownUser)?;
        let entry = self.users.get(slot).ok_or(Reject::UnknownUser)?;
        let presentity = entry.presence.as_ref().map(|presence| &presence.presentity);
        let presentity = presentity.ok_or(Reject::UnknownUser)?;
        let aor = &entry.user.aor;
        Ok(match package {
            OwnPackage::Contacts => {
                content(ms::contacts::CONTENT_TYPE, ms::contacts::list(&entry.contacts))
            }
            OwnPackage::RoamingSelf => content(
                ms::roaming_self::CONTENT_TYPE,
                ms::roaming_self::document(now, aor, presentity, Parts::of(wants)),
            ),
            OwnPackage::Acl => content(ms::acl::CONTENT_TYPE, ms::acl::document(presentity)),
            OwnPackage::Provisioning => {
                let groups = match ms::provisioning::read(body, &settings.limits) {
                    Ok(groups) => groups,
                    Err(refusal) => return Err(self.counted(refusal)),
                };
                let answer = ms::provisioning::answer(&groups, &entry.user, &settings);
                content(ms::provisioning::CONTENT_TYPE, answer)
            }
            OwnPackage::PendingWatchers => {
                content(ms::pending::CONTENT_TYPE, ms::pending::document(presentity))
            }
            OwnPackage::WatcherInfo => {
                // Always whole, so any number that rises will do for its version.
                let document = simple::winfo::document(
                    aor,
                    presentity,
                    now.unix_ms,
                    settings.limits.watcher_info_entries_max,
                );
                content(simple::winfo::CONTENT_TYPE, document)
            }
        })
    }

    /// The user's own publications of some categories have changed: every instance of each is told
    /// (an endpoint forgets what is left out).
    pub(super) fn tell_own_categories(
        &mut self,
        now: Now,
        slot: Slot,
        categories: &[Category],
        origin: Option<ConnId>,
    ) {
        self.tell_roaming_self(now, slot, Parts::categories(categories), |own| {
            own.wants.categories && Some(own.conn) != origin
        });
    }

    /// The same to the endpoint on `conn` alone.
    pub(super) fn tell_publisher(
        &mut self,
        now: Now,
        slot: Slot,
        categories: &[Category],
        conn: ConnId,
    ) {
        self.tell_roaming_self(now, slot, Parts::categories(categories), |own| {
            own.wants.categories && own.conn == conn
        });
    }

    /// Members of a user's containers have changed.
    pub(super) fn tell_own_containers(&mut self, now: Now, slot: Slot) {
        self.tell_roaming_self(now, slot, Parts::containers(), |own| own.wants.containers);
    }

    /// Somebody has added the user, or he has answered.
    pub(super) fn tell_own_subscribers(&mut self, now: Now, slot: Slot) {
        self.tell_roaming_self(now, slot, Parts::subscribers(), |own| own.wants.subscribers);
        self.tell_own(now, slot, OwnPackage::PendingWatchers);
        self.watchers_changed(now, slot);
    }

    fn tell_roaming_self(
        &mut self,
        now: Now,
        slot: Slot,
        parts: Parts<'_>,
        to: impl Fn(&OwnSubscription) -> bool,
    ) {
        let Some(entry) = self.users.get(slot) else { return };
        let told: Vec<SubscriptionId> = entry
            .own
            .iter()
            .filter(|own| own.package == OwnPackage::RoamingSelf && to(own))
            .map(|own| own.id)
            .collect();
        let Some(presence) = entry.presence.as_ref().filter(|_| !told.is_empty()) else { return };
        let body = ms::roaming_self::document(now, &entry.user.aor, &presence.presentity, parts);
        self.tell_each(&told, &content(ms::roaming_self::CONTENT_TYPE, body));
    }

    /// Tells all there is in a package to those who subscribe to it.
    pub(super) fn tell_own(&mut self, now: Now, slot: Slot, package: OwnPackage) {
        let Some(entry) = self.users.get(slot) else { return };
        let told: Vec<SubscriptionId> =
            entry.own.iter().filter(|own| own.package == package).map(|own| own.id).collect();
        if told.is_empty() {
            return;
        }
        if let Ok(content) = self.own_content(now, slot, package, RoamingList::default(), &[]) {
            self.tell_each(&told, &content);
        }
    }

    /// Tells a change of the contact list to all endpoints of the user.
    pub(super) fn tell_contacts(&mut self, slot: Slot, delta: &Delta) {
        let Some(entry) = self.users.get(slot) else { return };
        let own = entry.own.iter().filter(|own| own.package == OwnPackage::Contacts);
        let told: Vec<SubscriptionId> = own.map(|own| own.id).collect();
        self.tell_each(&told, &content(ms::contacts::CONTENT_TYPE, ms::contacts::delta(delta)));
    }

    fn tell_each(&mut self, subscriptions: &[SubscriptionId], content: &Content) {
        for subscription in subscriptions {
            let (slot, content) = (subscription.slot, content.clone());
            self.send_frame(subscription.shard, Frame::OwnNotice { subscription: slot, content });
        }
    }
}
