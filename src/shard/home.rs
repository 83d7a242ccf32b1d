//! The users whose home this shard is: account, endpoints, and what is on its way to them.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::Shard;
use super::Timer;
use super::edit::Edits;
use super::frame::{Frame, Locate, Located};
use super::roaming::OwnSubscription;
use super::watching::PresenceEntry;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Dialect, SessionId, ShardId, Slot};
use crate::base::limits::{Limit, Limits};
use crate::base::slab::Slab;
use crate::base::time::{Deadline, Now};
use crate::base::transport::Transport;
use crate::contacts::ContactList;
use crate::dialect::reject::Reject;
use crate::directory::{Findings, Index, Query, User};
use crate::metrics::names::Series;
use crate::registrar::gruu::InstanceId;
use crate::registrar::{Binding, Change, ChangeKind, Registrar};
use crate::wire::sip::Uri;

/// An endpoint as the shards that send to it need it.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Its connection.
    pub conn: ConnId,
    /// TLS or plain.
    pub transport: Transport,
    /// What it speaks.
    pub dialect: Dialect,
    /// The URI it wants as Request-URI.
    pub contact: Bytes,
}

impl From<&Binding> for Endpoint {
    fn from(binding: &Binding) -> Self {
        Endpoint {
            conn: binding.conn,
            transport: binding.transport,
            dialect: binding.dialect,
            contact: binding.contact.clone(),
        }
    }
}

/// A user at home.
#[derive(Debug)]
pub(super) struct UserEntry {
    pub(super) user: Arc<User>,
    pub(super) registrar: Registrar,
    /// Connections signed in as this user, with an endpoint or without: what a user who may not
    /// be signed in any more is signed out of.
    pub(super) connections: Vec<ConnId>,
    /// Bridged sessions this user holds, by the pager-mode user at their other end.
    pub(super) bridges: Vec<(Aor, SessionId)>,
    /// Requests in flight to this user's endpoints.
    pub(super) in_flight: Vec<Slot>,
    /// The timer that looks at the endpoints is armed for this time.
    armed: Option<Deadline>,
    /// His contact list.
    pub(super) contacts: ContactList,
    /// His presence, once there is any or somebody wants to see it.
    pub(super) presence: Option<Box<PresenceEntry>>,
    /// What of his own his endpoints are told.
    pub(super) own: Vec<OwnSubscription>,
    /// Writes that the store has not answered.
    pub(super) writes: usize,
    /// Changes on their way to the store.
    pub(super) edits: Option<Box<Edits>>,
}

impl UserEntry {
    /// Connections signed in as this user.
    pub(super) fn connections(&self) -> &[ConnId] {
        &self.connections
    }

    /// Bridged sessions he holds.
    pub(super) fn sessions(&self) -> impl Iterator<Item = SessionId> {
        self.bridges.iter().map(|(_, session)| *session)
    }
}

/// The users of a shard.
#[derive(Debug)]
pub(super) struct Users {
    by_aor: HashMap<Aor, Slot, ahash::RandomState>,
    slab: Slab<UserEntry>,
    /// What they can be found by.
    index: Index,
    endpoints: u64,
    signed_in: u64,
}

impl Users {
    pub(super) fn new(hasher: ahash::RandomState, max: usize) -> Self {
        Users {
            by_aor: HashMap::with_hasher(hasher),
            slab: Slab::new(max),
            index: Index::default(),
            endpoints: 0,
            signed_in: 0,
        }
    }

    /// Takes at most `max` users from now on.
    pub(super) fn set_max(&mut self, max: usize) {
        self.slab.set_max(max);
    }

    /// Where the user of this address is.
    pub(super) fn slot(&self, aor: &Aor) -> Option<Slot> {
        self.by_aor.get(aor).copied()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&UserEntry> {
        self.slab.get(slot)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut UserEntry> {
        self.slab.get_mut(slot)
    }

    /// The endpoints that `uri` means: one if it is a GRUU, else all; of a connection the one
    /// that registered last.
    pub(super) fn endpoints(&self, now: Now, slot: Slot, uri: &[u8]) -> Vec<Endpoint> {
        let Some(entry) = self.slab.get(slot) else { return Vec::new() };
        let instance = Uri::parse(uri).ok().and_then(|uri| {
            InstanceId::from_params(uri.params.get("opaque"), uri.params.get("gr"))
        });
        let mut endpoints: Vec<Endpoint> = match instance {
            Some(id) => entry.registrar.by_instance(now, id).map(Endpoint::from).collect(),
            None => entry.registrar.bindings(now).map(Endpoint::from).collect(),
        };
        // A client that changed its Contact has two bindings for a while, and one pair of ears.
        let mut seen = Vec::with_capacity(endpoints.len());
        endpoints.retain(|endpoint| {
            let new = !seen.contains(&endpoint.conn);
            seen.push(endpoint.conn);
            new
        });
        endpoints
    }

    /// Those whom a query describes.
    pub(super) fn search(&self, query: &Query, limits: &Limits) -> Findings {
        self.index.search(query, limits)
    }

    /// The bridge by which `peer` talks to the user.
    pub(super) fn bridge_to(&self, slot: Slot, peer: &Aor) -> Option<SessionId> {
        let entry = self.slab.get(slot)?;
        entry.bridges.iter().find(|(aor, _)| aor == peer).map(|(_, session)| *session)
    }

    /// A bridge opened or closed. A newer one to the same peer takes the place of the older.
    pub(super) fn bridge(&mut self, aor: &Aor, peer: Aor, session: SessionId, open: bool) {
        let Some(entry) = self.slot(aor).and_then(|slot| self.slab.get_mut(slot)) else { return };
        if open {
            entry.bridges.retain(|(known, _)| *known != peer);
            entry.bridges.push((peer, session));
        } else {
            entry.bridges.retain(|known| *known != (peer.clone(), session));
        }
    }

    /// A connection proved to be the user's; false when he has `max` already.
    pub(super) fn connected(&mut self, slot: Slot, conn: ConnId, max: usize) -> bool {
        let Some(entry) = self.slab.get_mut(slot) else { return false };
        if entry.connections.contains(&conn) {
            return true;
        }
        let room = entry.connections.len() < max;
        if room {
            entry.connections.push(conn);
        }
        room
    }

    /// A request is on its way to the user.
    pub(super) fn in_flight(&mut self, slot: Slot, relay: Slot) {
        if let Some(entry) = self.slab.get_mut(slot) {
            entry.in_flight.push(relay);
        }
    }

    /// It has its final answer.
    pub(super) fn settled(&mut self, slot: Slot, relay: Slot) {
        if let Some(entry) = self.slab.get_mut(slot) {
            entry.in_flight.retain(|known| *known != relay);
        }
    }

    /// Number of users.
    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    /// What there is of something, counted user by user.
    pub(super) fn sum(&self, of: impl Fn(&UserEntry) -> usize) -> usize {
        self.slab.iter().map(|(_, entry)| of(entry)).sum()
    }

    /// The users and what is kept of each.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Aor, &UserEntry)> {
        self.by_aor.iter().filter_map(|(aor, slot)| Some((aor, self.slab.get(*slot)?)))
    }

    /// The requests in flight to all of them.
    pub(super) fn all_in_flight(&self) -> impl Iterator<Item = Slot> {
        self.slab.iter().flat_map(|(_, entry)| entry.in_flight.iter().copied())
    }

    /// Panics when the users of shard `id`, of `shards`, break a rule. Does nothing in release
    /// builds.
    pub(super) fn check_invariants(&self, id: ShardId, shards: u16) {
        debug_assert_eq!(self.by_aor.len(), self.slab.len());
        debug_assert_eq!(self.endpoints, self.sum(|entry| entry.registrar.len()) as u64);
        let mut signed_in = 0;
        for (aor, slot) in &self.by_aor {
            debug_assert_eq!(aor.home(shards), id, "{aor} is at home elsewhere");
            let entry = self.slab.get(*slot);
            debug_assert!(entry.is_some_and(|entry| entry.user.aor == aor.as_str()));
            let Some(entry) = entry else { continue };
            entry.registrar.check_invariants();
            signed_in += u64::from(!entry.registrar.is_empty());
        }
        debug_assert_eq!(self.signed_in, signed_in);
    }

    /// Keeps the gauges right after the endpoints of one user changed.
    fn count(&mut self, before: usize, after: usize) {
        self.endpoints = (self.endpoints + after as u64).saturating_sub(before as u64);
        match (before, after) {
            (0, 1..) => self.signed_in += 1,
            (1.., 0) => self.signed_in = self.signed_in.saturating_sub(1),
            _ => {}
        }
    }
}

impl Shard {
    /// Takes note of a user whose home this is; of others it need not know.
    pub(super) fn put_user(&mut self, now: Now, user: Arc<User>) {
        let aor = Aor::new(&user.aor);
        if aor.home(self.shards) != self.id {
            return;
        }
        if let Some(slot) = self.users.slot(&aor) {
            return self.change_user(now, slot, user);
        }
        self.users.index.insert(&user);
        let entry = UserEntry {
            user,
            registrar: Registrar::new(),
            connections: Vec::new(),
            bridges: Vec::new(),
            in_flight: Vec::new(),
            armed: None,
            contacts: ContactList::default(),
            presence: None,
            own: Vec::new(),
            writes: 0,
            edits: None,
        };
        match self.users.slab.insert(entry) {
            Ok(slot) => {
                self.users.by_aor.insert(aor, slot);
            }
            Err(_) => self.counters.hit(Limit::Users),
        }
        self.counters.set(Series::UsersCurrent, self.users.slab.len() as u64);
    }

    /// What is known of a user has changed.
    fn change_user(&mut self, now: Now, slot: Slot, user: Arc<User>) {
        let Some(entry) = self.users.slab.get_mut(slot) else { return };
        self.users.index.remove(&entry.user);
        self.users.index.insert(&user);
        let disabled = user.disabled;
        entry.user = user;
        if disabled {
            let conns = entry.connections.clone();
            self.revoke(&conns);
        }
        self.card_changed(now, slot);
    }

    /// Forgets a user and signs him out.
    pub(super) fn remove_user(&mut self, now: Now, aor: &Aor) {
        let Some(slot) = self.users.by_aor.remove(aor) else { return };
        self.forget_presence(slot);
        let Some(entry) = self.users.slab.remove(slot) else { return };
        self.users.index.remove(&entry.user);
        self.users.count(entry.registrar.len(), 0);
        self.revoke(&entry.connections);
        for relay in entry.in_flight {
            self.fail_relay(now, relay, Reject::UnknownUser);
        }
        self.count_endpoints();
        self.counters.set(Series::UsersCurrent, self.users.slab.len() as u64);
    }

    /// Closes all connections of a user, or the `one` that is his; how many that are. He may sign
    /// in again.
    pub(super) fn sign_out(&mut self, slot: Slot, one: Option<ConnId>) -> usize {
        let all = self.users.get(slot).map_or(&[][..], |entry| &entry.connections);
        let meant = all.iter().copied().filter(|conn| one.is_none_or(|one| one == *conn));
        let conns: Vec<ConnId> = meant.collect();
        self.revoke(&conns);
        conns.len()
    }

    /// A connection of a user is gone: so are its endpoints, and what was on its way to them.
    pub(super) fn signed_off(&mut self, now: Now, aor: &Aor, conn: ConnId) {
        let Some(slot) = self.users.slot(aor) else { return };
        let Some(entry) = self.users.get_mut(slot) else { return };
        entry.connections.retain(|known| *known != conn);
        // The word that each is over may have been lost.
        entry.own.retain(|own| own.conn != conn);
        let before = entry.registrar.len();
        let changes = entry.registrar.connection_lost(conn);
        let after = entry.registrar.len();
        let in_flight = entry.in_flight.clone();
        self.users.count(before, after);
        self.endpoints_changed(&changes);
        self.endpoints_of_presence(now, slot);
        for relay in in_flight {
            if self.relays.get(relay).is_some_and(|relay| relay.to == Some(conn)) {
                self.fail_relay(now, relay, Reject::EndpointLost);
            }
        }
    }

    /// Some endpoint of a user may have expired.
    pub(super) fn expire_endpoints(&mut self, now: Now, slot: Slot) {
        let Some(entry) = self.users.get_mut(slot) else { return };
        // An endpoint that expired sooner armed another timer since: that one goes on.
        if entry.armed.is_none_or(|armed| !now.reached(armed)) {
            return;
        }
        entry.armed = None;
        let before = entry.registrar.len();
        let changes = entry.registrar.expire(now);
        let after = entry.registrar.len();
        self.users.count(before, after);
        self.endpoints_changed(&changes);
        self.endpoints_of_presence(now, slot);
        self.watch_endpoints(slot);
    }

    /// Arms the timer for the endpoint that expires next, unless an earlier one is armed.
    pub(super) fn watch_endpoints(&mut self, slot: Slot) {
        let Some(entry) = self.users.get_mut(slot) else { return };
        let Some(next) = entry.registrar.next_deadline() else { return };
        if entry.armed.is_none_or(|armed| next < armed) {
            entry.armed = Some(next);
            self.wheel.arm(next, Timer::Registration(slot));
        }
    }

    /// Answers where a user can be reached.
    pub(super) fn locate(&mut self, now: Now, locate: Locate) {
        let endpoints =
            self.users.slot(&locate.aor).map(|slot| self.users.endpoints(now, slot, &locate.uri));
        let session = locate.session;
        self.send_frame(session.shard, Frame::Located(Box::new(Located { session, endpoints })));
    }

    /// Counts what became of endpoints; `before` and `after` are counted by the caller.
    pub(super) fn endpoints_changed(&mut self, changes: &[Change]) {
        for change in changes {
            match change.kind {
                ChangeKind::Added => self.counters.count(Series::SignIns),
                ChangeKind::Removed(_) => self.counters.count(Series::SignOuts),
                ChangeKind::Refreshed | ChangeKind::Moved { .. } => {}
            }
        }
        self.count_endpoints();
    }

    /// Counts the endpoints of one user after a registration.
    pub(super) fn registered(&mut self, before: usize, after: usize, changes: &[Change]) {
        self.users.count(before, after);
        self.endpoints_changed(changes);
    }

    /// Closes connections whose user may not be signed in any more.
    fn revoke(&mut self, conns: &[ConnId]) {
        for conn in conns {
            self.send_frame(conn.shard, Frame::Revoke { conn: *conn });
        }
    }

    fn count_endpoints(&mut self) {
        self.counters.set(Series::EndpointsCurrent, self.users.endpoints);
        self.counters.set(Series::UsersSignedInCurrent, self.users.signed_in);
    }
}
