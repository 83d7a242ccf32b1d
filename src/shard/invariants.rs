//! The rules that the tables of a shard keep among one another, and those of several shards when
//! no frame is between them. They hold in debug builds only and walk everything: for tests.

use super::connection::Connection;
use super::dispatch_message::PagerFork;
use super::frame::{Origin, Pager};
use super::observe::OBSERVERS;
use super::relay::{Purpose, Relay};
use super::session::Leg;
use super::{Shard, TICK_MS};
use crate::base::ids::{ConnId, LegId, SessionId, SubscriptionId};
use crate::base::side::Side;
use crate::base::time::{Deadline, Now};
use crate::immcu::conference::Reach;
use crate::sip::fork::Fork;

impl Shard {
    /// Panics when the tables break a rule among one another. Does nothing in release builds.
    pub fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            self.check_sessions();
            self.check_invitations();
            // What is in flight when the server goes down outlives its session.
            if !self.draining {
                self.check_relays();
            }
            self.users.check_invariants(self.id, self.shards);
            self.check_subscriptions();
            self.check_conferences();
            for relay in self.users.all_in_flight() {
                let purpose = self.relays.get(relay).map(|relay| &relay.purpose);
                debug_assert!(matches!(purpose, Some(Purpose::Pager { .. })), "{purpose:?}");
            }
        }
    }

    fn check_sessions(&self) {
        for (slot, entry) in self.sessions.iter() {
            for relay in &entry.in_flight {
                let purpose = self.relays.get(*relay).map(|relay| &relay.purpose);
                let of_session = match purpose {
                    Some(
                        Purpose::InDialog { session, .. }
                        | Purpose::ToPager { session, .. }
                        | Purpose::Bridged { session, .. },
                    ) => *session == slot,
                    _ => false,
                };
                debug_assert!(of_session, "a session waits for {purpose:?}");
            }
            let ringing = entry.invitation.and_then(|slot| self.invitations.get(slot));
            debug_assert_eq!(ringing.is_some(), entry.invitation.is_some());
            debug_assert!(ringing.is_none_or(|invitation| invitation.session == slot));
            debug_assert!(entry.dialog.is_none() || entry.invitation.is_none());
            debug_assert!(
                entry.dialog.is_some() || entry.invitation.is_some() || entry.closing.is_some(),
                "a session with neither dialog nor invitation"
            );
            debug_assert!(
                entry.closing.is_none() || !entry.in_flight.is_empty(),
                "a session that is over and waits for nothing"
            );
            if let Leg::Connection(conn, _) = entry.leg(Side::Caller) {
                debug_assert_eq!(conn.shard, self.id, "the caller's shard owns the session");
            }
        }
    }

    fn check_conferences(&self) {
        for (slot, entry) in self.legs.iter() {
            let connection = self.connections.get(entry.conn);
            let known = connection.is_some_and(|connection| {
                connection.conference_legs.contains(&(entry.dialog.id(), slot))
            });
            debug_assert!(known, "a leg that its connection does not know");
        }
        for (_, connection) in self.connections.iter() {
            let legs = &connection.conference_legs;
            debug_assert!(legs.iter().all(|(_, slot)| self.legs.get(*slot).is_some()));
        }
        for (id, entry) in self.conferences.iter() {
            debug_assert_eq!(id.home(self.shards), self.id, "a conference is at home");
            debug_assert_eq!(entry.visits.len(), entry.machine.members().count());
            entry.machine.check_invariants(&self.settings.limits);
        }
        let members: u64 =
            self.conferences.iter().map(|(_, entry)| entry.visits.len() as u64).sum();
        debug_assert_eq!(self.conference_members, members);
    }

    fn check_invitations(&self) {
        for (slot, invitation) in self.invitations.iter() {
            for (index, branch) in (0u16..).zip(&invitation.branches) {
                let Some(relay) = self.relays.get(branch.relay.slot) else { continue };
                let own = matches!(
                    relay.purpose,
                    Purpose::Invite { invitation, branch } if invitation == slot && branch == index
                );
                debug_assert!(own, "a branch's relay is {:?}", relay.purpose);
            }
            let session = self.sessions.get(invitation.session);
            let waits = session.is_some_and(|entry| entry.invitation == Some(slot));
            debug_assert!(waits || invitation.fork.is_some(), "nobody waits for an invitation");
            let deadline = invitation.fork.as_ref().and_then(|fork| fork.next_deadline());
            let armed = invitation.armed();
            debug_assert!(
                armed.is_some() && deadline.is_none_or(|deadline| armed <= Some(deadline))
            );
        }
    }

    fn check_subscriptions(&self) {
        for (slot, entry) in self.subscriptions.iter() {
            let connection = self.connections.get(entry.conn);
            let known = connection.is_some_and(|c| c.subscriptions.contains(&slot));
            debug_assert!(known, "{:?} does not know its subscription", entry.conn);
            let in_flight = entry.in_flight.map(|relay| self.relays.get(relay).is_some());
            debug_assert!(in_flight != Some(false), "a notification that is not in flight");
        }
        for (subscription, slots) in &self.watches {
            debug_assert!(!slots.is_empty(), "{subscription:?} watches nobody");
            for slot in slots {
                let presence = self.users.get(*slot).and_then(|entry| entry.presence.as_ref());
                let watched = presence.is_some_and(|presence| {
                    presence.presentity.watches().any(|w| w.subscription() == *subscription)
                });
                debug_assert!(watched, "{subscription:?} watches one who does not know");
            }
        }
        for (_, entry) in self.users.iter() {
            let Some(presence) = &entry.presence else { continue };
            presence.presentity.check_invariants();
            let here = presence.presentity.endpoints();
            let bound = |conn: &ConnId| entry.registrar.all().any(|b| b.conn == *conn);
            debug_assert!(here.iter().all(bound), "an endpoint that is not registered");
            for watch in presence.presentity.watches() {
                debug_assert!(self.watches.contains_key(&watch.subscription()));
            }
        }
    }

    fn check_relays(&self) {
        for (slot, relay) in self.relays.iter() {
            let waits = match &relay.purpose {
                Purpose::InDialog { session, .. }
                | Purpose::ToPager { session, .. }
                | Purpose::Bridged { session, .. } => {
                    let entry = self.sessions.get(*session);
                    entry.is_some_and(|entry| entry.in_flight.contains(&slot))
                }
                Purpose::Invite { invitation, .. } => self.invitations.get(*invitation).is_some(),
                Purpose::Pager { fork, .. } => self.pagers.get(*fork).is_some(),
                Purpose::Notification { subscription } => {
                    let entry = self.subscriptions.get(*subscription);
                    entry.is_some_and(|entry| entry.in_flight == Some(slot))
                }
                Purpose::Carried { leg, number } => {
                    let entry = self.legs.get(*leg);
                    entry.is_some_and(|entry| entry.in_flight.contains(&(slot, *number)))
                }
                Purpose::Paged { .. } | Purpose::Own => true,
            };
            debug_assert!(waits, "nobody waits for {:?}", relay.purpose);
        }
    }

    /// True if somebody waits for the answer, so that the end of the connection it went to must
    /// be known at once; for any other its timer is soon enough.
    fn is_awaited(&self, relay: &Relay) -> bool {
        match relay.purpose {
            Purpose::InDialog { .. } | Purpose::ToPager { .. } | Purpose::Bridged { .. } => true,
            Purpose::Invite { invitation, .. } => {
                let fork = self.invitations.get(invitation).and_then(|i| i.fork.as_ref());
                fork.is_some_and(Fork::is_waiting)
            }
            Purpose::Pager { fork, .. } => self.pagers.get(fork).is_some_and(PagerFork::waits),
            Purpose::Carried { .. } | Purpose::Paged { .. } => true,
            Purpose::Notification { .. } | Purpose::Own => false,
        }
    }

    /// The pager-mode messages that wait here for something.
    fn waiting_pagers(&self) -> impl Iterator<Item = Origin> {
        let forks =
            self.pagers.iter().filter(|(_, fork)| fork.waits()).map(|(_, fork)| fork.pager());
        let waiting = self.invitations.iter().flat_map(|(_, invitation)| &invitation.waiting);
        let bridged = self.relays.iter().filter_map(|(_, relay)| match relay.purpose {
            Purpose::Bridged { origin, .. } => Some(origin),
            _ => None,
        });
        forks.chain(waiting).map(|pager: &Pager| pager.origin).chain(bridged)
    }
}

/// Panics when shards, between which no frame is on its way, contradict one another at `now`; each
/// has looked at its deadlines. Does nothing in release builds.
pub fn check_together(now: Now, shards: &[Shard]) {
    if cfg!(debug_assertions) {
        for shard in shards {
            check_legs(shards, shard);
            check_users(now, shards, shard);
            check_watches(shards, shard);
            check_members(shards, shard);
            // What is in flight when the server goes down outlives its session.
            let awaited = |relay: &Relay| !shard.draining && shard.is_awaited(relay);
            for (_, relay) in shard.relays.iter().filter(|(_, relay)| awaited(relay)) {
                let there = relay.to.is_none_or(|to| connection(shards, to).is_some());
                debug_assert!(there, "in flight to nobody: {:?}", relay.purpose);
            }
            for (conn, connection) in shard.connections.iter() {
                let origin = Origin::Connection(conn);
                let waiting = shards.iter().flat_map(Shard::waiting_pagers);
                let waiting = waiting.filter(|waiting| *waiting == origin).count();
                debug_assert_eq!(connection.pagers, waiting, "{conn:?} has so many in flight");
            }
        }
    }
}

/// Sessions and the connections that are their legs know of one another.
fn check_legs(shards: &[Shard], shard: &Shard) {
    for (slot, entry) in shard.sessions.iter().filter(|(_, entry)| entry.closing.is_none()) {
        let session = SessionId::new(shard.id, slot);
        for leg in entry.legs {
            let Leg::Connection(conn, _) = leg else { continue };
            let legs = connection(shards, conn).map(|connection| &connection.legs);
            let known = legs.is_some_and(|legs| legs.iter().any(|leg| leg.session == session));
            debug_assert!(known, "{conn:?} does not know its session");
        }
    }
    for (conn, connection) in shard.connections.iter() {
        for leg in &connection.legs {
            let owner = shards.get(usize::from(leg.session.shard.0));
            let session = owner.and_then(|owner| owner.sessions.get(leg.session.slot));
            debug_assert!(session.is_some(), "{conn:?} is a leg of no session");
        }
    }
}

/// Conferences and the legs of their members know of one another.
fn check_members(shards: &[Shard], shard: &Shard) {
    for (slot, entry) in shard.legs.iter().filter(|(_, entry)| !entry.is_joining()) {
        let reach = Reach::Leg(LegId::new(shard.id, slot));
        let owner = shards.get(usize::from(entry.conference.home(shard.shards).0));
        let conference = owner.and_then(|owner| owner.conferences.get(entry.conference));
        let who = conference.and_then(|conference| conference.machine.who(&reach));
        debug_assert_eq!(who, Some(&entry.who), "a leg of nobody");
    }
    for (_, entry) in shard.conferences.iter() {
        for member in entry.machine.members().chain(entry.machine.waiting()) {
            for leg in &member.legs {
                let Reach::Leg(id) = leg.reach else { continue };
                let there = shards.get(usize::from(id.shard.0)).and_then(|s| s.legs.get(id.slot));
                debug_assert!(there.is_some(), "{} has a leg that is over", member.aor);
            }
        }
    }
}

/// Subscriptions and the homes of those they watch know of one another.
fn check_watches(shards: &[Shard], shard: &Shard) {
    let of = |id: SubscriptionId| shards.get(usize::from(id.shard.0))?.subscriptions.get(id.slot);
    for subscription in shard.watches.keys().filter(|watch| watch.shard != OBSERVERS) {
        debug_assert!(of(*subscription).is_some(), "{subscription:?} is over");
    }
    for (aor, entry) in shard.users.iter() {
        for own in &entry.own {
            debug_assert!(of(own.id).is_some(), "{:?} of {aor} is over", own.id);
        }
    }
}

/// A user's home and his connections know of one another.
fn check_users(now: Now, shards: &[Shard], shard: &Shard) {
    for (aor, entry) in shard.users.iter() {
        for conn in entry.connections() {
            let user = connection(shards, *conn).and_then(|connection| connection.user.as_ref());
            debug_assert_eq!(user, Some(aor), "{conn:?} is not his");
        }
        for binding in entry.registrar.all() {
            debug_assert!(entry.connections().contains(&binding.conn), "{binding:?} of a stranger");
            // A timer fires in the slot of the wheel after its deadline.
            let over = Deadline(binding.expires_at.0.saturating_add(TICK_MS));
            debug_assert!(!now.reached(over), "{binding:?} outlived its time");
        }
        for session in entry.sessions() {
            let owner = shards.get(usize::from(session.shard.0));
            let bridge = owner.and_then(|owner| owner.sessions.get(session.slot));
            debug_assert!(bridge.is_some_and(|entry| entry.session.is_bridged()), "no bridge");
        }
    }
    for (conn, connection) in shard.connections.iter() {
        let Some(aor) = connection.user.as_ref() else { continue };
        let home = shards.get(usize::from(aor.home(shard.shards).0));
        let entry = home.and_then(|home| home.users.get(home.users.slot(aor)?));
        // One who was removed is being signed out.
        debug_assert!(entry.is_none_or(|entry| entry.connections().contains(&conn)), "{conn:?}");
    }
}

fn connection(shards: &[Shard], conn: ConnId) -> Option<&Connection> {
    shards.get(usize::from(conn.shard.0))?.connections.get(conn)
}
