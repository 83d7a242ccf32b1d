//! The subscriptions of the connections of this shard: what they are to, how their SUBSCRIBE is
//! answered, and how they end. `notify` is how they are told; what they are told comes from the
//! homes of the users it is about.

use bytes::Bytes;

use super::frame::conference::ToConference;
use super::frame::watch::{OwnPackage, Subscribed, View, Watched};
use super::frame::{Cargo, Frame};
use super::{LOOK_AHEAD, Shard, Timer};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, ShardId, Slot, SubscriptionId};
use crate::base::limits::Limit;
use crate::base::time::{Deadline, Now};
use crate::base::transport::Transport;
use crate::dialect::reject::Reject;
use crate::dialect::resources::{Outcome, Told};
use crate::dialect::{ms, simple};
use crate::metrics::names::Series;
use crate::presence::category::CategorySet;
use crate::presence::watch::Format;
use crate::sip::subscription::{Content, Standing, Subscription};
use crate::wire::sip::{HeaderName, Message, Writer};

/// One subscription.
#[derive(Debug)]
pub(super) struct SubscriptionEntry {
    /// On this connection.
    pub(super) conn: ConnId,
    /// Its dialog.
    pub(super) dialog: Subscription,
    /// What it is to.
    pub(super) topic: Topic,
    /// Notifications need no answer (BENOTIFY).
    pub(super) unanswered: bool,
    /// The answer to SUBSCRIBE carries the first notification.
    pub(super) piggyback: bool,
    /// A notification that has no answer yet: the next one waits for it.
    pub(super) in_flight: Option<Slot>,
    /// What is to be told next, by the user it is about.
    pub(super) pending: Vec<(Option<Aor>, Content)>,
    /// A SUBSCRIBE that has no answer yet.
    pub(super) opening: Option<Box<Opening>>,
    /// Version of the next resource list (RFC 4662 section 5.1).
    pub(super) list_version: u32,
}

/// What a subscription is to.
#[derive(Clone, Debug)]
pub(super) enum Topic {
    /// Other users' presence.
    Presence(Presence),
    /// Something of the subscriber's own.
    Own(OwnPackage, Aor),
    /// The roster of a conference, and whose that is.
    Conference(ConferenceId, Aor),
}

/// What a subscription to presence asks for.
#[derive(Clone, Debug)]
pub(super) struct Presence {
    /// How it is written.
    pub(super) format: Format,
    /// What of it.
    pub(super) categories: CategorySet,
    /// The URI of the list, if it is one (RFC 4662, MS-PRES batch).
    pub(super) list: Option<Box<str>>,
    /// Homes of the users watched.
    pub(super) homes: Vec<ShardId>,
}

/// A SUBSCRIBE whose answer waits for the homes.
#[derive(Debug)]
pub(super) struct Opening {
    /// The request.
    pub(super) request: Bytes,
    /// Seconds granted; 0 asks once.
    pub(super) expires: u32,
    /// It extends or changes a subscription there is, which goes on when this is refused.
    pub(super) in_dialog: bool,
    /// Homes that have not answered.
    pub(super) homes: usize,
    /// What has been answered, and what we know ourselves.
    pub(super) views: Vec<View>,
    /// Users the client has to ask for one by one, as the list was too long.
    pub(super) apart: Vec<Aor>,
    /// It asks for all that is watched, so that whatever waits to be told is older.
    pub(super) is_whole: bool,
    /// When the answer leaves with what is there.
    pub(super) deadline: Deadline,
}

impl SubscriptionEntry {
    /// When it is to be looked at.
    fn next_deadline(&self) -> Deadline {
        self.opening.as_ref().map_or(self.dialog.expires_at(), |opening| opening.deadline)
    }
}

impl Shard {
    /// A home has told what a watcher sees at first.
    pub(super) fn watched(&mut self, now: Now, watched: Watched) {
        let slot = watched.subscription;
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        if let Some(opening) = entry.opening.as_mut() {
            // What waits of them is older: a home's words come in order.
            let views = &watched.views;
            let is_newer = |aor: &Aor| views.iter().any(|view| view.aor == *aor);
            entry.pending.retain(|(about, _)| !about.as_ref().is_some_and(is_newer));
            opening.views.extend(watched.views);
            opening.homes = opening.homes.saturating_sub(1);
            if opening.homes == 0 {
                self.answer_subscribe(now, slot);
            }
            return;
        }
        // Too late for the answer: told like a change.
        for View { aor, body } in watched.views {
            let Ok(body) = body else { continue };
            self.noticed_one(now, slot, &aor, &body);
        }
    }

    /// The subscriber's home has answered for what is his own.
    pub(super) fn subscribed(&mut self, now: Now, subscribed: Subscribed) {
        let Subscribed { subscription: slot, outcome } = subscribed;
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        if entry.opening.is_none() {
            return;
        }
        match outcome {
            Ok(content) => {
                // What waits is older than this.
                entry.pending.clear();
                entry.pending.push((None, content));
                self.answer_subscribe(now, slot);
            }
            Err(reject) => self.refuse_subscribe(now, slot, reject),
        }
    }

    /// Answers a SUBSCRIBE: all homes have answered, or the time is up.
    pub(super) fn answer_subscribe(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        let Some(opening) = entry.opening.take() else { return };
        let Opening { request, expires, in_dialog, mut views, mut apart, homes, is_whole, .. } =
            *opening;
        let is_full = homes == 0;
        let mut is_list = false;
        let first = match &entry.topic {
            Topic::Own(..) | Topic::Conference(..) if entry.pending.is_empty() => {
                Err(Reject::Overloaded)
            }
            Topic::Own(..) | Topic::Conference(..) => Ok(entry.pending.remove(0).1),
            Topic::Presence(presence) => {
                let octets_max = self.settings.limits.outgoing_bytes_per_connection_max / 2;
                if presence.list.is_some() && cut(&mut views, &mut apart, octets_max) {
                    self.counters.hit(Limit::BatchResources);
                }
                let version = entry.list_version;
                is_list = presence.list.is_some();
                entry.list_version = version.wrapping_add(u32::from(is_list));
                first_content(presence, version, is_full, views, &apart)
            }
        };
        let first = match first {
            Ok(first) => first,
            Err(reject) => {
                return self.refuse_request(now, slot, &request, in_dialog, reject);
            }
        };
        let piggyback = entry.piggyback;
        let standing = match (expires, piggyback) {
            (0, true) => Standing::Terminated(""),
            (0, false) => Standing::Terminated("timeout"),
            _ => Standing::Active(expires),
        };
        let cseq = if piggyback { entry.dialog.next_cseq() } else { 0 };
        let require_list = is_list && piggyback;
        self.accept_subscribe(slot, &request, expires, |message, writer| {
            if !piggyback {
                return writer.finish();
            }
            let event = message.header(HeaderName::Event).unwrap_or_default();
            let writer = standing.write(writer.line("Event", event));
            let writer = match require_list {
                true => writer.line("Require", "eventlist"),
                false => writer,
            };
            writer
                .line_fmt("ms-piggyback-cseq", format_args!("{cseq}"))
                .line("Supported", "ms-benotify")
                .line("Supported", "ms-piggyback-first-notify")
                .body(&first.media_type, &first.body);
        });
        if !piggyback && !self.comes_next(slot, is_whole, &first) {
            self.send_notification(now, slot, standing, Some((&first.media_type, &first.body)));
        }
        if expires == 0 {
            return self.forget_subscription(slot);
        }
        self.watch_expiry(now, slot);
        self.notify(now, slot);
    }

    /// Puts a first notification before all that waits; false if nothing has to be waited for.
    fn comes_next(&mut self, slot: Slot, is_whole: bool, first: &Content) -> bool {
        let Some(entry) = self.subscriptions.get_mut(slot) else { return false };
        let waits = entry.in_flight.is_some();
        if waits {
            // Of the users themselves only what is newer waits by now.
            entry.pending.retain(|(about, _)| about.is_some() || !is_whole);
            let older = entry.pending.iter().take_while(|(about, _)| about.is_none()).count();
            entry.pending.insert(older, (None, first.clone()));
        }
        waits
    }

    /// Writes the 200 to a SUBSCRIBE; `rest` adds to it and ends it.
    fn accept_subscribe(
        &mut self,
        slot: Slot,
        request: &Bytes,
        expires: u32,
        rest: impl FnOnce(Message<'_>, Writer<'_>),
    ) {
        let Some(entry) = self.subscriptions.get(slot) else { return };
        let conn = entry.conn;
        let tag = entry.dialog.tag().to_vec();
        let Some(connection) = self.connections.get(conn) else { return };
        let contact = contact(&self.sent_by, connection.transport);
        self.with_message(request, |shard, message| {
            let bytes = shard.response_bytes_tagged(conn, message, 200, Some(&tag), |writer| {
                let writer = writer
                    .line_fmt("Expires", format_args!("{expires}"))
                    .line_fmt("Contact", format_args!("<{contact}>"));
                rest(message, writer);
            });
            shard.counters.answered(message.method() as usize, 200);
            shard.deliver(conn, bytes, Cargo::Plain);
        });
    }

    /// Refuses the SUBSCRIBE that waits.
    pub(super) fn refuse_subscribe(&mut self, now: Now, slot: Slot, reject: Reject) {
        let Some(entry) = self.subscriptions.get_mut(slot) else { return };
        let Some(opening) = entry.opening.take() else { return };
        self.refuse_request(now, slot, &opening.request, opening.in_dialog, reject);
    }

    /// Refuses a SUBSCRIBE and forgets what it was for, unless that was there before and
    /// still has a meaning (RFC 6665 section 4.1.2.2).
    fn refuse_request(
        &mut self,
        now: Now,
        slot: Slot,
        request: &Bytes,
        in_dialog: bool,
        reject: Reject,
    ) {
        let Some(conn) = self.subscriptions.get(slot).map(|entry| entry.conn) else { return };
        self.with_message(request, |shard, message| shard.reject(conn, message, reject));
        if !in_dialog || reject == Reject::UnknownUser {
            return self.forget_subscription(slot);
        }
        self.watch_expiry(now, slot);
        self.notify(now, slot);
    }

    /// Sees that a subscription is looked at when something of it is due. A connection has one
    /// timer for all of them, or each one that comes and goes would leave its own behind.
    pub(super) fn watch_expiry(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.subscriptions.get(slot) else { return };
        let (conn, next) = (entry.conn, entry.next_deadline().min(now.after(LOOK_AHEAD)));
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if connection.armed.is_none_or(|armed| next < armed) {
            connection.armed = Some(next);
            self.wheel.arm(next, Timer::Subscriptions(conn));
        }
    }

    /// Looks at the subscriptions of a connection.
    pub(super) fn subscriptions_due(&mut self, now: Now, conn: ConnId) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if connection.armed.is_none_or(|armed| !now.reached(armed)) {
            return;
        }
        connection.armed = None;
        for slot in connection.subscriptions.clone() {
            self.subscription_due(now, slot);
            self.watch_expiry(now, slot);
        }
    }

    /// A subscription may have run out, or waited too long for the homes.
    fn subscription_due(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.subscriptions.get(slot) else { return };
        match &entry.opening {
            Some(opening) if now.reached(opening.deadline) => match entry.topic {
                Topic::Presence(_) => self.answer_subscribe(now, slot),
                Topic::Own(..) | Topic::Conference(..) => {
                    self.refuse_subscribe(now, slot, Reject::Overloaded);
                }
            },
            None if now.reached(entry.dialog.expires_at()) => {
                let standing = Standing::Terminated("timeout");
                self.send_notification(now, slot, standing, None);
                self.forget_subscription(slot);
            }
            _ => {}
        }
    }

    /// Forgets a subscription, here and at the homes.
    pub(super) fn forget_subscription(&mut self, slot: Slot) {
        let Some(entry) = self.subscriptions.remove(slot) else { return };
        if let Some(connection) = self.connections.get_mut(entry.conn) {
            connection.subscriptions.retain(|known| *known != slot);
        }
        if let Some(relay) = entry.in_flight {
            self.relays.remove(relay);
        }
        if let Some(opening) = entry.opening.filter(|_| self.connections.get(entry.conn).is_some())
        {
            self.with_message(&opening.request, |shard, message| {
                shard.reject(entry.conn, message, Reject::UnknownDialog);
            });
        }
        let subscription = SubscriptionId::new(self.id, slot);
        match entry.topic {
            Topic::Presence(presence) => {
                for home in presence.homes {
                    let aors = None;
                    self.send_frame(home, Frame::Unwatch { subscription, aors });
                }
            }
            Topic::Own(_, aor) => {
                self.send_frame(aor.home(self.shards), Frame::Unsubscribe { subscription, aor });
            }
            Topic::Conference(id, _) => {
                self.tell_conference(id, ToConference::Unwatch { subscription });
            }
        }
        self.counters.set(Series::SubscriptionsCurrent, self.subscriptions.len() as u64);
    }
}

/// Leaves users out whose documents would make an answer longer than a connection takes: they are
/// asked for one by one. False if all of them fit.
fn cut(views: &mut Vec<View>, apart: &mut Vec<Aor>, octets_max: usize) -> bool {
    let mut octets = 0_usize;
    let fit = views.iter().take_while(|view| {
        octets = octets.saturating_add(view.body.as_ref().map_or(0, Bytes::len));
        octets <= octets_max
    });
    let rest = views.split_off(fit.count());
    apart.extend(rest.iter().map(|view| view.aor.clone()));
    !rest.is_empty()
}

/// The URI under which we take further requests of a subscription.
pub(super) fn contact(sent_by: &str, transport: Transport) -> String {
    let transport = match transport {
        Transport::Tls => "tls",
        Transport::Tcp => "tcp",
    };
    format!("sip:{sent_by};transport={transport}")
}

/// The type of one user's document.
pub(super) const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Categories => ms::categories::CONTENT_TYPE,
        Format::Pidf => simple::pidf::CONTENT_TYPE,
    }
}

/// What the first notification of a subscription to presence carries, or why the only user asked
/// for is not seen. `is_full` says that all homes have answered.
fn first_content(
    presence: &Presence,
    version: u32,
    is_full: bool,
    views: Vec<View>,
    apart: &[Aor],
) -> Result<Content, Reject> {
    let Some(list) = &presence.list else {
        // That nobody answered in time does not mean that there is nobody.
        let none = if is_full { Reject::UnknownUser } else { Reject::Overloaded };
        let body = views.into_iter().next().ok_or(none)?.body?;
        return Ok(Content { media_type: media_type(presence.format).into(), body });
    };
    let apart = apart.iter().map(|aor| Told { aor, outcome: Outcome::Apart });
    let told: Vec<Told<'_>> = views.iter().map(View::told).chain(apart).collect();
    Ok(match presence.format {
        Format::Categories => ms::batch::content(list, version, is_full, &told).into(),
        Format::Pidf => simple::rls::content(list, version, is_full, &told).into(),
    })
}
