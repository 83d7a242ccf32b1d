//! SUBSCRIBE at the edge: what is subscribed to, for how long, and which homes are asked.

use std::sync::Arc;
use std::time::Duration;

use super::Shard;
use super::frame::Frame;
use super::frame::conference::ToConference;
use super::frame::watch::{OwnPackage, Resource, Subscribe, View, Watch};
use super::subscription::{Opening, Presence, SubscriptionEntry, Topic, contact};
use crate::base::aor::Aor;
use crate::base::grouped::grouped;
use crate::base::ids::{ConferenceId, ConnId, ShardId, Slot, SubscriptionId};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::conference_uri::ConferenceUri;
use crate::dialect::reject::Reject;
use crate::dialect::resources::Batch;
use crate::dialect::{ms, simple};
use crate::metrics::names::Series;
use crate::presence::category::CategorySet;
use crate::presence::container::Relation;
use crate::presence::watch::Format;
use crate::sip::dialog::DialogHash;
use crate::sip::subscription::{Standing, Subscription};
use crate::wire::sip::{HeaderName, Message};

/// Extensions a SUBSCRIBE may require of a proxy or of us.
const EXTENSIONS: [&str; 5] =
    ["adhoclist", "categoryList", "eventlist", "ms-benotify", "recipient-list-subscribe"];

/// What a client supports that takes the first notification with the answer.
const PIGGYBACK: &str = "ms-piggyback-first-notify";

/// The event packages served, for Allow-Events.
pub(super) const PACKAGES: &str = "conference,presence,presence.winfo";

/// What a SUBSCRIBE to presence asks for.
struct Asked {
    /// Whom to watch; `None` for those watched already.
    resources: Option<Vec<Resource>>,
    /// Whom to watch no longer.
    dropped: Vec<Aor>,
    /// Users asked for that are not of this server.
    strangers: Vec<Aor>,
    /// Users beyond what one list may have.
    apart: Vec<Aor>,
    categories: CategorySet,
    list: Option<Box<str>>,
}

impl Asked {
    /// What a SUBSCRIBE without a list asks for.
    fn without_list(resources: Option<Vec<Resource>>) -> Self {
        Asked {
            resources,
            dropped: Vec::new(),
            strangers: Vec::new(),
            apart: Vec::new(),
            categories: CategorySet::ALL,
            list: None,
        }
    }

    /// True if it is about this user and nobody else.
    fn is_only(&self, user: &Aor) -> bool {
        let resources = self.resources.as_deref().unwrap_or_default();
        self.dropped.is_empty() && resources.iter().all(|resource| resource.aor == *user)
    }
}

impl Shard {
    /// Takes a SUBSCRIBE from the user signed in on `conn`.
    pub(super) fn subscribe(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let known =
            |token: &[u8]| EXTENSIONS.iter().any(|e| e.as_bytes().eq_ignore_ascii_case(token));
        let mut required =
            message.list(HeaderName::ProxyRequire).chain(message.list(HeaderName::Require));
        if !required.all(known) {
            return self.reject(conn, message, Reject::BadExtension);
        }
        let limits = &self.settings.limits;
        let (default, max) = (limits.subscription_time_default, limits.subscription_time_max);
        let expires = match self.time_granted(message, default, max) {
            Ok(expires) => expires,
            Err(reject) => return self.reject(conn, message, reject),
        };
        let is_known = message.to_tag().is_some();
        let is_end = expires == 0 && (is_known || package(message) == b"conference");
        let refused = self.draining || self.leaving.is_some() && !is_known;
        if refused && !is_end {
            return self.reject(conn, message, Reject::GoingDown);
        }
        let outcome = match message.to_tag() {
            Some(_) => self.resubscribe(now, conn, message, expires),
            None => self.subscribe_anew(now, conn, message, expires),
        };
        if let Err(reject) = outcome {
            self.reject(conn, message, reject);
        }
    }

    /// Seconds a SUBSCRIBE or PUBLISH is granted (RFC 6665 section 4.2.1.1, RFC 3903 section 6):
    /// `default` when it does not say, 0 to end, and never more than `max`.
    pub(super) fn time_granted(
        &self,
        message: Message<'_>,
        default: Duration,
        max: Duration,
    ) -> Result<u32, Reject> {
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        match message.expires().map_err(|_| Reject::BadBody)? {
            Some(0) => Ok(0),
            Some(wish) if wish < seconds(self.settings.limits.subscription_time_min) => {
                Err(Reject::SubscriptionTooBrief)
            }
            Some(wish) => Ok(wish.min(seconds(max))),
            None => Ok(seconds(default)),
        }
    }

    /// A SUBSCRIBE outside any dialog.
    fn subscribe_anew(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        expires: u32,
    ) -> Result<(), Reject> {
        let connection = self.connections.get(conn).ok_or(Reject::EndpointLost)?;
        let user = connection.user.clone().ok_or(Reject::NotYourIdentity)?;
        let (transport, held) = (connection.transport, connection.subscriptions.len());
        let mut asked = None;
        let topic = match own_package(message) {
            Some(package) => {
                if self.local_user(message.uri())? != user {
                    return Err(Reject::NotYours);
                }
                Topic::Own(package, user.clone())
            }
            None if package(message) == b"presence" => {
                let format = format(message);
                let what = self.resources(message)?;
                if what.list.is_some() {
                    // Lists are the user's own; one user apart is asked for by his address.
                    let target = self.local_user(message.uri())?;
                    if target != user && !what.is_only(&target) {
                        return Err(Reject::NotYours);
                    }
                }
                let (categories, list) = (what.categories, what.list.clone());
                asked = Some(what);
                Topic::Presence(Presence { format, categories, list, homes: Vec::new() })
            }
            None if package(message) == b"conference" => {
                let Some(ConferenceUri::Focus(organiser, id)) = ConferenceUri::parse(message.uri())
                else {
                    return Err(Reject::UnknownConference);
                };
                let piggyback = message.has_token(HeaderName::Supported, PIGGYBACK);
                if expires == 0 && piggyback && self.leaves_roster(conn, id) {
                    self.confirm_end(conn, message, piggyback);
                    return Ok(());
                }
                Topic::Conference(id, organiser)
            }
            None => return Err(Reject::BadEvent),
        };
        if held >= self.settings.limits.subscriptions_per_connection_max {
            self.counters.hit(Limit::SubscriptionsPerConnection);
            return Err(Reject::TooManySubscriptions);
        }
        let tag = self.seed.token();
        let contact = contact(&self.sent_by, transport);
        let until = now.after(Duration::from_secs(u64::from(expires)));
        let dialog = Subscription::new(&self.hasher, message, &tag, &contact, until)
            .map_err(|_| Reject::BadContact)?;
        let list = match &topic {
            Topic::Presence(Presence { list: Some(list), .. }) => list.len(),
            Topic::Presence(_) | Topic::Own(..) | Topic::Conference(..) => 0,
        };
        if dialog.octets().saturating_add(list) > self.settings.limits.subscription_bytes_max {
            self.counters.hit(Limit::SubscriptionBytes);
            return Err(Reject::SubscriptionTooLong);
        }
        let entry = SubscriptionEntry {
            conn,
            dialog,
            topic,
            unanswered: message.has_token(HeaderName::Supported, "ms-benotify"),
            piggyback: message.has_token(HeaderName::Supported, PIGGYBACK),
            in_flight: None,
            pending: Vec::new(),
            opening: None,
            list_version: 0,
        };
        let slot = self.subscriptions.insert(entry).map_err(|_| {
            self.counters.hit(Limit::Subscriptions);
            Reject::Overloaded
        })?;
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.subscriptions.push(slot);
        }
        self.counters.set(Series::SubscriptionsCurrent, self.subscriptions.len() as u64);
        self.ask_homes(now, slot, message, expires, asked);
        Ok(())
    }

    /// A SUBSCRIBE in the dialog of a subscription: it is extended, changed or ended.
    fn resubscribe(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        expires: u32,
    ) -> Result<(), Reject> {
        let slot = self.subscription_of(conn, message).ok_or(Reject::UnknownDialog)?;
        let cseq = message.cseq().map_err(|_| Reject::OutOfOrder)?.number;
        let entry = self.subscriptions.get_mut(slot).ok_or(Reject::UnknownDialog)?;
        if !entry.topic.is_of(message) {
            return Err(Reject::BadEvent);
        }
        if !entry.dialog.order(cseq) {
            return Err(Reject::OutOfOrder);
        }
        if expires == 0 {
            self.unsubscribe(now, conn, slot, message);
            return Ok(());
        }
        if entry.opening.is_some() {
            return Err(Reject::TooManyRequests);
        }
        let asked = match &entry.topic {
            Topic::Own(..) | Topic::Conference(..) => None,
            Topic::Presence(_) if message.body().is_empty() => Some(Asked::without_list(None)),
            Topic::Presence(_) => Some(self.resources(message)?),
        };
        if let Some(entry) = self.subscriptions.get_mut(slot) {
            entry.dialog.extend(now.after(Duration::from_secs(u64::from(expires))));
        }
        self.ask_homes(now, slot, message, expires, asked);
        Ok(())
    }

    /// The subscription whose dialog a request is in.
    fn subscription_of(&self, conn: ConnId, message: Message<'_>) -> Option<Slot> {
        let (call_id, from, to) = (message.call_id().ok()?, message.from_tag()?, message.to_tag()?);
        let id = DialogHash::of(&self.hasher, call_id, from, to);
        let connection = self.connections.get(conn)?;
        let mut slots = connection.subscriptions.iter().copied();
        slots.find(|slot| self.subscriptions.get(*slot).is_some_and(|entry| entry.dialog.is(id)))
    }

    /// Ends a subscription as its subscriber wishes.
    fn unsubscribe(&mut self, now: Now, conn: ConnId, slot: Slot, message: Message<'_>) {
        let Some(entry) = self.subscriptions.get(slot) else { return };
        let piggyback = entry.piggyback;
        self.confirm_end(conn, message, piggyback);
        if !piggyback {
            self.send_notification(now, slot, Standing::Terminated("timeout"), None);
        }
        self.forget_subscription(slot);
    }

    fn confirm_end(&mut self, conn: ConnId, message: Message<'_>, piggyback: bool) {
        let event = message.header(HeaderName::Event).unwrap_or_default();
        self.respond(conn, message, 200, |writer| {
            let writer = writer.line("Expires", "0");
            if piggyback {
                Standing::Terminated("").write(writer.line("Event", event)).finish();
            } else {
                writer.finish();
            }
        });
    }

    /// A Lync client that leaves a conference, or was removed from it, asks once more, outside the
    /// dialog: it wants the end of its subscription, and takes one more roster for a reason to join
    /// again. False for one that is in without a subscription, and wants to see the roster.
    fn leaves_roster(&mut self, conn: ConnId, id: ConferenceId) -> bool {
        let Some(connection) = self.connections.get(conn) else { return false };
        let is_of = |slot: &Slot| {
            let entry = self.subscriptions.get(*slot);
            entry.is_some_and(|entry| matches!(entry.topic, Topic::Conference(of, _) if of == id))
        };
        let held: Vec<Slot> = connection.subscriptions.iter().copied().filter(is_of).collect();
        let is_in = connection
            .conference_legs
            .iter()
            .any(|(_, slot)| self.legs.get(*slot).is_some_and(|entry| entry.conference == id));
        held.iter().for_each(|slot| self.forget_subscription(*slot));
        !held.is_empty() || !is_in
    }

    /// Asks the homes of what is subscribed to; the answer waits for theirs.
    fn ask_homes(
        &mut self,
        now: Now,
        slot: Slot,
        message: Message<'_>,
        expires: u32,
        asked: Option<Asked>,
    ) {
        let request = self.keep(message);
        let deadline = now.after(self.settings.limits.home_answer_time_max);
        let subscription = SubscriptionId::new(self.id, slot);
        let Some(conn) = self.subscriptions.get(slot).map(|entry| entry.conn) else { return };
        let user = self.connections.get(conn).and_then(|c| c.user.clone());
        let (Some(entry), Some(watcher)) = (self.subscriptions.get_mut(slot), user) else { return };
        let (homes, views, apart) = (0, Vec::new(), Vec::new());
        let request_kept = request.clone();
        let in_dialog = message.to_tag().is_some();
        let is_list = |asked: &Asked| asked.resources.is_some() && asked.list.is_some();
        let is_whole = !asked.as_ref().is_some_and(is_list);
        let mut opening =
            Opening { request, expires, in_dialog, homes, views, apart, is_whole, deadline };
        let mut frames: Vec<(ShardId, Frame)> = Vec::new();
        match (&mut entry.topic, asked) {
            (Topic::Own(package, aor), _) => {
                opening.homes = 1;
                let (aor, package, poll) = (aor.clone(), *package, expires == 0);
                let home = aor.home(self.shards);
                let request = request_kept;
                let subscribe = Subscribe { aor, conn, subscription, package, poll, request };
                frames.push((home, Frame::Subscribe(Box::new(subscribe))));
            }
            (Topic::Conference(id, organiser), _) => {
                opening.homes = 1;
                let (organiser, by, poll) = (organiser.clone(), watcher, expires == 0);
                let word = ToConference::Watch { subscription, organiser, by, poll };
                let (conference, word) = (*id, Box::new(word));
                let home = conference.home(self.shards);
                frames.push((home, Frame::ToConference { conference, word }));
            }
            (Topic::Presence(presence), Some(asked)) => {
                opening.apart = asked.apart;
                let strangers = asked.strangers.into_iter();
                opening
                    .views
                    .extend(strangers.map(|aor| View { aor, body: Err(Reject::UnknownUser) }));
                let watch = |resources| Watch {
                    subscription,
                    watcher: watcher.clone(),
                    relation: Relation::SameEnterprise,
                    categories: presence.categories,
                    format: presence.format,
                    poll: expires == 0,
                    resources,
                };
                for (home, aors) in by_home(asked.dropped, self.shards, |aor| aor) {
                    frames.push((home, Frame::Unwatch { subscription, aors: Some(aors) }));
                }
                match asked.resources {
                    None => frames.extend(
                        presence
                            .homes
                            .iter()
                            .map(|home| (*home, Frame::Watch(Box::new(watch(None))))),
                    ),
                    Some(resources) => {
                        for (home, part) in by_home(resources, self.shards, |r| &r.aor) {
                            frames.push((home, Frame::Watch(Box::new(watch(Some(part))))));
                        }
                    }
                }
                let asked = frames.iter().filter(|(_, frame)| matches!(frame, Frame::Watch(_)));
                opening.homes = asked.clone().count();
                let new: Vec<ShardId> = asked.map(|(home, _)| *home).collect();
                presence.homes.extend(new);
                presence.homes.sort_unstable();
                presence.homes.dedup();
            }
            (Topic::Presence(_), None) => {}
        }
        let waits = opening.homes > 0;
        entry.opening = Some(Box::new(opening));
        for (home, frame) in frames {
            self.send_frame(home, frame);
        }
        match waits {
            true => self.watch_expiry(now, slot),
            false => self.answer_subscribe(now, slot),
        }
    }

    /// Whom a SUBSCRIBE to presence asks for: a list in its body, or the Request-URI, which in a
    /// dialog is our own Contact.
    fn resources(&mut self, message: Message<'_>) -> Result<Asked, Reject> {
        let body = message.body();
        let settings = Arc::clone(&self.settings);
        let limits = &settings.limits;
        let batch = if message.is_media_type(ms::batch::CONTENT_TYPE) {
            ms::batch::read(body, limits).map_err(|error| self.unreadable(error))?
        } else if message.is_media_type(simple::rls::CONTENT_TYPE) {
            simple::rls::read(body, limits).map_err(|error| self.unreadable(error))?
        } else if body.is_empty() {
            let resources = vec![Resource { aor: self.local_user(message.uri())?, prompt: false }];
            return Ok(Asked::without_list(Some(resources)));
        } else {
            return Err(Reject::UnsupportedMedia);
        };
        Ok(self.within_bounds(batch, message.uri()))
    }

    /// Sorts the entries of a batch: those to be watched, those of other servers, and those
    /// beyond the bounds, which the client may ask for one by one.
    fn within_bounds(&mut self, batch: Batch, uri: &[u8]) -> Asked {
        let limits = &self.settings.limits;
        let per_user = batch.categories.len().max(1);
        let max = limits.batch_resources_max.min(limits.category_subscriptions_max / per_user);
        let mut asked = Asked {
            resources: None,
            dropped: batch.unsubscribe,
            strangers: Vec::new(),
            apart: Vec::new(),
            categories: batch.categories,
            list: Some(String::from_utf8_lossy(uri).into()),
        };
        let mut resources = Vec::new();
        for resource in batch.subscribe {
            if !self.serves(&resource.aor) {
                asked.strangers.push(resource.aor);
            } else if resources.len() >= max {
                asked.apart.push(resource.aor);
            } else {
                resources.push(resource);
            }
        }
        if !asked.apart.is_empty() {
            self.counters.hit(Limit::BatchResources);
        }
        asked.resources = Some(resources);
        asked
    }
}

impl Topic {
    /// True if a SUBSCRIBE in the dialog is about it: another one in the same dialog is not
    /// served (RFC 6665 section 4.5.2).
    fn is_of(&self, message: Message<'_>) -> bool {
        match self {
            Topic::Own(own, _) => own_package(message) == Some(*own),
            Topic::Presence(_) => package(message) == b"presence",
            Topic::Conference(..) => package(message) == b"conference",
        }
    }
}

/// The event package, without parameters.
fn package<'a>(message: Message<'a>) -> &'a [u8] {
    let event = message.header(HeaderName::Event).unwrap_or_default();
    event.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii()
}

/// The package about the subscriber himself that a SUBSCRIBE names.
fn own_package(message: Message<'_>) -> Option<OwnPackage> {
    let package = package(message);
    [
        ("vnd-microsoft-roaming-contacts", OwnPackage::Contacts),
        ("vnd-microsoft-roaming-self", OwnPackage::RoamingSelf),
        ("vnd-microsoft-roaming-ACL", OwnPackage::Acl),
        ("vnd-microsoft-provisioning-v2", OwnPackage::Provisioning),
        ("presence.wpending", OwnPackage::PendingWatchers),
        ("presence.winfo", OwnPackage::WatcherInfo),
    ]
    .into_iter()
    .find_map(|(name, own)| package.eq_ignore_ascii_case(name.as_bytes()).then_some(own))
}

/// How the subscriber wants presence written.
fn format(message: Message<'_>) -> Format {
    let categories = "application/msrtc-event-categories+xml";
    let accepts = |value: &[u8]| {
        let media = value.split(|octet| *octet == b';').next().unwrap_or_default().trim_ascii();
        media.eq_ignore_ascii_case(categories.as_bytes())
    };
    match message.list(HeaderName::Accept).any(accepts) {
        true => Format::Categories,
        false => Format::Pidf,
    }
}

/// Things by the home of the user they are about.
fn by_home<T>(things: Vec<T>, shards: u16, aor: impl Fn(&T) -> &Aor) -> Vec<(ShardId, Vec<T>)> {
    grouped(things.into_iter().map(|thing| (aor(&thing).home(shards), thing)))
}
