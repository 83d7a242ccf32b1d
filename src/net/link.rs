//! Links: connections of other servers that carry many users, each in a lane of his own. The
//! machine knows lanes as connections, and nothing of links.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::admission::is_exempt;
use super::carrier::Carrier;
use super::inner::Inner;
use super::lane::{self, Lane};
use crate::base::ids::{ConnId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::base::transport::Transport;
use crate::metrics::counters::CloseReason;
use crate::metrics::names::Series;
use crate::shard::Machine;
use crate::shard::input::Input;
use crate::wire::sip::write::response;
use crate::wire::sip::{Message, Method};

/// Log cause of a lane that was refused, beside those of connections.
pub(super) const LANE_REFUSED: usize = CloseReason::COUNT + 1;
/// Time in one tick for the lanes of links that are gone: each end costs the machine some tens of
/// microseconds, and others wait.
const ORPHANS_TIME: Duration = Duration::from_millis(4);
/// Slots looked at in one tick for lanes that are silent: 100,000 have their turn in half a minute.
const SLOTS_LOOKED_AT: u32 = 64;
/// Seconds after which who was refused may come again, and over how many more they are spread.
const RETRY_AFTER: u64 = 5;
const RETRY_SPREAD: u64 = 25;

/// What a link is besides a connection.
#[derive(Debug, Default)]
pub(super) struct Link {
    /// Its lanes, by what their requests are found by.
    pub lanes: HashMap<u64, Slot, ahash::RandomState>,
}

impl<M: Machine, C: Carrier> Inner<M, C> {
    /// The handshake of a link is done: lets it carry users, if its certificate names a server
    /// that may.
    pub fn link_up(&mut self, slot: Slot, now: Now) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        let trusted = connection.tls.as_ref().is_some_and(|tls| tls.peer_is_any(&self.link_names));
        if !trusted {
            return self.close(slot, CloseReason::ForeignPeer, now);
        }
        if self.links >= self.limits.links_per_core_max {
            self.machine.counters().hit(Limit::Links);
            return self.close(slot, CloseReason::Refused, now);
        }
        connection.link = Some(Box::default());
        // It may have no user to speak for yet.
        connection.heard_message = true;
        self.links += 1;
        self.machine.counters().set(Series::LinksCurrent, self.links as u64);
    }

    /// Whom a message on a stream is of: the connection itself, or a lane if it is a link. `None`
    /// when it goes no further.
    pub fn party(&mut self, slot: Slot, message: Message<'_>, now: Now) -> Option<ConnId> {
        let connection = self.connections.get_mut(slot)?;
        let Some(link) = &connection.link else { return Some(ConnId::new(self.shard, slot)) };
        if !message.is_request() {
            return self.asked(slot, message, now);
        }
        let key = lane::key(&self.lane_keys, message);
        match link.lanes.get(&key).copied() {
            Some(known) => self.hear(known, now),
            None => self.open_lane(slot, key, message, now),
        }
    }

    /// Has the machine handle a message on a stream. On a link a panic costs the lane only.
    pub fn handle_of(&mut self, slot: Slot, conn: ConnId, now: Now, input: Input<'_>) {
        if conn.slot == slot {
            return self.handle(now, input);
        }
        self.guarded(conn.slot, now, |inner| inner.handle(now, input));
    }

    /// The lane that an answer on a link names: one of that link, or the answer is nobody's.
    fn asked(&mut self, slot: Slot, answer: Message<'_>, now: Now) -> Option<ConnId> {
        let named = lane::named(answer).filter(|conn| conn.shard == self.shard);
        let own = named.filter(|conn| {
            self.connections.lane_mut(conn.slot).is_some_and(|lane| lane.link == slot)
        });
        let Some(conn) = own else {
            self.machine.counters().count(Series::ResponsesStray);
            return None;
        };
        self.hear(conn.slot, now)
    }

    fn hear(&mut self, slot: Slot, now: Now) -> Option<ConnId> {
        self.connections.lane_mut(slot)?.heard_ms = now.mono_ms;
        Some(ConnId::new(self.shard, slot))
    }

    /// A sender speaks for the first time on this link.
    fn open_lane(
        &mut self,
        link: Slot,
        key: u64,
        request: Message<'_>,
        now: Now,
    ) -> Option<ConnId> {
        let origin = lane::origin(request);
        let slot = match self.enter_lane(Lane::new(link, key, origin, now.mono_ms)) {
            Ok(slot) => slot,
            Err(limit) => {
                self.refuse_lane(link, key, request, limit, now);
                return None;
            }
        };
        let connection = self.connections.get_mut(link)?;
        let peer = connection.peer;
        if let Some(link) = &mut connection.link {
            link.lanes.insert(key, slot);
        }
        let current = self.connections.lanes() as u64;
        let counters = self.machine.counters();
        counters.count(Series::LanesOpened);
        counters.set(Series::LanesCurrent, current);
        if let Some(lane) = self.connections.lane_mut(slot) {
            lane.told = true;
        }
        let conn = ConnId::new(self.shard, slot);
        let transport = Transport::Tls;
        let input = Input::Opened { conn, peer, origin, transport, cipher: None, lane: true };
        self.handle_of(link, conn, now, input);
        Some(conn)
    }

    /// Finds room for a lane, or says what is full.
    fn enter_lane(&mut self, lane: Lane) -> Result<Slot, Limit> {
        let Lane { link, origin, .. } = lane;
        let lanes = self.connections.get_mut(link).and_then(|connection| connection.link.as_ref());
        if lanes.is_none_or(|link| link.lanes.len() >= self.limits.lanes_per_link_max) {
            return Err(Limit::LanesPerLink);
        }
        let mut enter = |address| self.addresses.enter(address, is_exempt(&self.exempt, address));
        if origin.is_some_and(|address| !enter(address)) {
            return Err(Limit::ConnectionsPerAddress);
        }
        self.connections.insert_lane(lane).ok_or_else(|| {
            origin.into_iter().for_each(|address| self.addresses.leave(address));
            Limit::Connections
        })
    }

    /// Tells a sender that there is no room for him: the machine cannot, as it never hears of him.
    fn refuse_lane(&mut self, link: Slot, key: u64, request: Message<'_>, limit: Limit, now: Now) {
        let counters = self.machine.counters();
        counters.hit(limit);
        counters.count(Series::LanesRefused);
        let Some(connection) = self.connections.get_mut(link) else { return };
        let peer = connection.peer;
        if let Some(held_back) = self.log.pass(now, LANE_REFUSED) {
            tracing::warn!(%peer, limit = limit.name(), held_back, "user on a link refused");
        }
        if request.method() == Method::Ack {
            return;
        }
        let tag = format!("{key:016x}");
        let retry = RETRY_AFTER + key % RETRY_SPREAD;
        response(&mut self.written, request, 503, Some(tag.as_bytes()), Some(peer))
            .line_fmt("Retry-After", format_args!("{retry}"))
            .finish();
        let bytes = self.written.split().freeze();
        self.machine.counters().answered(request.method() as usize, 503);
        self.send(ConnId::new(self.shard, link), bytes, now);
    }

    /// Ends a lane, and nothing else of its link. The caller settles.
    pub fn close_lane(&mut self, slot: Slot, reason: CloseReason) {
        let Some(lane) = self.connections.remove_lane(slot) else { return };
        lane.origin.into_iter().for_each(|address| self.addresses.leave(address));
        if let Some(connection) = self.connections.get_mut(lane.link)
            && let Some(link) = &mut connection.link
            && link.lanes.get(&lane.key) == Some(&slot)
        {
            link.lanes.remove(&lane.key);
        }
        if lane.told {
            self.ended.push_back((ConnId::new(self.shard, slot), reason));
        }
        let current = self.connections.lanes() as u64;
        self.machine.counters().set(Series::LanesCurrent, current);
    }

    /// What a tick does for lanes: ends those of links that are gone, a few at a time, and looks
    /// at some of the others for whether their users still speak.
    pub fn tend_lanes(&mut self, now: Now) {
        let began = Instant::now();
        while let Some((slot, reason)) = self.orphans.pop() {
            self.end_lane(slot, reason, now);
            if began.elapsed() > ORPHANS_TIME {
                break;
            }
        }
        if self.connections.lanes() > 0 {
            self.look_for_silent_lanes(now);
        }
    }

    fn look_for_silent_lanes(&mut self, now: Now) {
        let silent_ms = self.limits.lane_idle_timeout.as_millis() as u64;
        for _ in 0..SLOTS_LOOKED_AT.min(self.connections.slots()) {
            if self.next_lane >= self.connections.slots() {
                self.next_lane = 0;
            }
            let looked_at = self.connections.lane_at(self.next_lane);
            self.next_lane += 1;
            if let Some((slot, lane)) = looked_at
                && now.mono_ms.saturating_sub(lane.heard_ms) > silent_ms
            {
                self.machine.counters().hit(Limit::LaneIdleTime);
                self.end_lane(slot, CloseReason::IdleTimeout, now);
            }
        }
    }

    fn end_lane(&mut self, slot: Slot, reason: CloseReason, now: Now) {
        self.guarded(slot, now, |inner| {
            inner.close_lane(slot, reason);
            inner.settle(now);
        });
    }
}
