//! How subscribers are told: one notification at a time to those who answer (NOTIFY), at once to
//! those who need not (BENOTIFY).

use bytes::Bytes;

use super::forward::fill_via;
use super::frame::conference::{Roster, ToConference};
use super::frame::watch::{Notice, View};
use super::frame::{Cargo, Frame};
use super::relay::Purpose;
use super::subscription::{SubscriptionEntry, Topic, media_type};
use super::{Shard, stamp};
use crate::base::aor::Aor;
use crate::base::ids::{Slot, SubscriptionId};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::reject::Reject;
use crate::dialect::resources::Told;
use crate::dialect::simple;
use crate::metrics::names::Series;
use crate::presence::watch::Format;
use crate::sip::subscription::{Content, Standing};
use crate::wire::sip::Method;

impl SubscriptionEntry {
    /// The list whose members' documents are told together, if it is one of that kind.
    fn standard_list(&self) -> Option<&str> {
        match &self.topic {
            Topic::Presence(presence) if presence.format == Format::Pidf => {
                presence.list.as_deref()
            }
            _ => None,
        }
    }

    /// Takes note of what is to be told; false if a whole document took the place of an older one,
    /// or may do so: then no more can wait than there are users.
    fn remember(&mut self, about: Option<Aor>, content: Content) -> bool {
        let whole = matches!(
            &self.topic,
            Topic::Presence(presence) if presence.format == Format::Pidf
        );
        match self.pending.iter_mut().find(|(known, _)| whole && *known == about) {
            Some((_, old)) => *old = content,
            None => self.pending.push((about, content)),
        }
        !whole
    }
}

impl Shard {
    /// A user has changed whom subscriptions of this shard watch.
    pub(super) fn noticed(&mut self, now: Now, notice: &Notice) {
        for slot in &notice.subscriptions {
            if self.subscriptions.get(*slot).is_none() {
                // The word that it is over was lost.
                let subscription = SubscriptionId::new(self.id, *slot);
                let home = notice.aor.home(self.shards);
                self.send_frame(home, Frame::Unwatch { subscription, aors: None });
                continue;
            }
            self.noticed_one(now, *slot, &notice.aor, &notice.body);
        }
    }

    /// Tells one subscription what has become of a user.
    pub(super) fn noticed_one(&mut self, now: Now, slot: Slot, aor: &Aor, body: &Bytes) {
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        let Topic::Presence(presence) = &entry.topic else { return };
        let media_type = media_type(presence.format);
        let busy = entry.opening.is_some() || entry.in_flight.is_some();
        if busy || !entry.pending.is_empty() || entry.standard_list().is_some() {
            let content = Content { media_type: media_type.into(), body: body.clone() };
            return self.tell_later(now, slot, Some(aor.clone()), content);
        }
        let standing = Standing::Active(entry.dialog.expires_in(now));
        self.send_notification(now, slot, standing, Some((media_type, body)));
    }

    /// Something of the subscriber's own has changed.
    pub(super) fn own_noticed(&mut self, now: Now, slot: Slot, content: Content) {
        self.tell_later(now, slot, None, content);
    }

    /// The roster of a conference has changed, or is not to be seen any more: then a Lync client is
    /// told nothing, since one more word would make it join again.
    pub(super) fn roster_changed(&mut self, now: Now, roster: Roster) {
        for slot in roster.subscriptions {
            let Some(entry) = self.subscriptions.get(slot) else {
                // It is over, and the word of that is on its way, or lost.
                let subscription = SubscriptionId::new(self.id, slot);
                self.tell_conference(roster.conference, ToConference::Unwatch { subscription });
                continue;
            };
            let is_answered = !entry.unanswered && entry.opening.is_none();
            match &roster.content {
                Some(content) => self.tell_later(now, slot, None, content.clone()),
                None => {
                    if is_answered {
                        let standing = Standing::Terminated("noresource");
                        self.send_notification(now, slot, standing, None);
                    }
                    self.forget_subscription(slot);
                }
            }
        }
    }

    /// Puts what is to be told in the line. A line that grows too long ends the subscription: the
    /// subscriber is asked to subscribe anew (RFC 6665 section 4.1.3) and gets the whole.
    fn tell_later(&mut self, now: Now, slot: Slot, about: Option<Aor>, content: Content) {
        let max = self.settings.limits.pending_notifications_max;
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        if entry.remember(about, content) && entry.pending.len() > max {
            self.counters.hit(Limit::PendingNotifications);
            if entry.opening.is_none() {
                let standing = Standing::Terminated("deactivated");
                self.send_notification(now, slot, standing, None);
            }
            self.refuse_subscribe(now, slot, Reject::Overloaded);
            return self.forget_subscription(slot);
        }
        self.notify(now, slot);
    }

    /// Tells what waits, as far as the last word was answered.
    pub(super) fn notify(&mut self, now: Now, slot: Slot) {
        while let Some(entry) = self.subscriptions.get_mut(slot) {
            if entry.opening.is_some() || entry.in_flight.is_some() || entry.pending.is_empty() {
                return;
            }
            let standing = Standing::Active(entry.dialog.expires_in(now));
            let is_whole = entry.pending.first().is_some_and(|(about, _)| about.is_none());
            let list = entry.standard_list().filter(|_| !is_whole).map(str::to_owned);
            let content = match list {
                None => entry.pending.remove(0).1,
                Some(list) => {
                    let changed = std::mem::take(&mut entry.pending);
                    let views: Vec<View> = changed
                        .into_iter()
                        .filter_map(|(aor, content)| Some((aor?, Ok(content.body))))
                        .map(|(aor, body)| View { aor, body })
                        .collect();
                    let version = entry.list_version;
                    entry.list_version = version.wrapping_add(1);
                    let told: Vec<Told<'_>> = views.iter().map(View::told).collect();
                    simple::rls::content(&list, version, false, &told).into()
                }
            };
            if entry.pending.is_empty() {
                entry.pending = Vec::new();
            }
            let content = Some((content.media_type.as_ref(), content.body.as_ref()));
            self.send_notification(now, slot, standing, content);
        }
    }

    /// Sends a notification.
    pub(super) fn send_notification(
        &mut self,
        now: Now,
        slot: Slot,
        standing: Standing,
        content: Option<(&str, &[u8])>,
    ) {
        let Some(entry) = self.subscriptions.get(slot) else { return };
        let (conn, unanswered) = (entry.conn, entry.unanswered);
        let Some(transport) = self.connections.get(conn).map(|c| c.transport) else { return };
        // Without a place to wait for the answer it is not waited for.
        let tracked = (!unanswered)
            .then(|| {
                let purpose = Purpose::Notification { subscription: slot };
                self.reserve_relay(now, Some(conn), None, purpose)
            })
            .flatten();
        let serial = self.seed.next_u64() as u32;
        let relay = tracked.unwrap_or_else(|| self.untracked(serial));
        let method = if unanswered { Method::Benotify } else { Method::Notify };
        self.write_via(relay.token());
        self.arena.reserve(content.map_or(0, |(_, body)| body.len()) + 1024);
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        let via_at = entry.dialog.start_line_len(method);
        let (writer, cseq) =
            entry.dialog.notification(&mut self.arena, method, &self.lines, standing);
        match content {
            Some((media_type, body)) => writer.body(media_type, body),
            None => writer.finish(),
        }
        let mut bytes = self.arena.split();
        fill_via(&mut bytes, via_at, &self.sent_by, transport, relay);
        if let Some(relay) = tracked {
            // A refresh and the end are told at once: then the word before is waited for no more.
            if let Some(before) = entry.in_flight.replace(relay.slot) {
                self.relays.remove(before);
            }
            let stamp = stamp(&self.hasher, entry.dialog.call_id(), cseq, b"NOTIFY");
            if let Some(relay) = self.relays.get_mut(relay.slot) {
                relay.stamp = Some(stamp);
            }
        }
        self.counters.count(Series::Notifications);
        self.deliver(conn, bytes.freeze(), Cargo::Plain);
    }

    /// The answer to a notification; `None` when there was none in time. Whoever refuses it, or
    /// stays silent, wants no more (RFC 6665 section 4.2.2).
    pub(super) fn notification_answered(&mut self, now: Now, slot: Slot, status: Option<u16>) {
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        entry.in_flight = None;
        match status {
            Some(200..300) => self.notify(now, slot),
            _ => self.forget_subscription(slot),
        }
    }
}
