//! How much a shard holds, and the rules its tables keep among one another.

use super::Shard;
use super::relay::Purpose;
use super::session::Leg;
use crate::base::side::Side;

/// The sizes of a shard's tables: for gauges, and for tests that want them empty again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Open connections.
    pub connections: usize,
    /// Users whose home this is.
    pub users: usize,
    /// Their endpoints.
    pub endpoints: usize,
    /// Two-party sessions, those included that ring or wait for a last answer.
    pub sessions: usize,
    /// Invitations some endpoint of which has not answered.
    pub invitations: usize,
    /// Requests in flight.
    pub relays: usize,
    /// Pager-mode messages in flight.
    pub pagers: usize,
    /// Pager-mode conversations accounted for.
    pub conversations: usize,
    /// Timers armed, stale ones included.
    pub timers: usize,
}

impl Shard {
    /// The sizes of the tables.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            connections: self.connections.len(),
            users: self.users.len(),
            endpoints: self.users.endpoints_kept(),
            sessions: self.sessions.len(),
            invitations: self.invitations.len(),
            relays: self.relays.len(),
            pagers: self.pagers.len(),
            conversations: self.conversations.len(),
            timers: self.wheel.len(),
        }
    }

    /// Panics when the tables break a rule among one another. Does nothing in release builds;
    /// walks everything, so it is for tests.
    pub fn check_invariants(&self) {
        if cfg!(debug_assertions) {
            self.check_sessions();
            self.check_invitations();
            // What is in flight when the server goes down outlives its session.
            if !self.draining {
                self.check_relays();
            }
            self.users.check_invariants(self.id, self.shards);
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
        }
    }

    fn check_relays(&self) {
        for (slot, relay) in self.relays.iter() {
            let waits = match &relay.purpose {
                Purpose::InDialog { session, .. }
                | Purpose::ToPager { session, .. }
                | Purpose::Bridged { session, .. } => {
                    let entry = self.sessions.get(*session);
                    // The end of the server ends a session before its last answers.
                    self.draining || entry.is_some_and(|entry| entry.in_flight.contains(&slot))
                }
                Purpose::Invite { invitation, .. } => self.invitations.get(*invitation).is_some(),
                Purpose::Pager { fork, .. } => self.pagers.get(*fork).is_some(),
                Purpose::Own => true,
            };
            debug_assert!(waits, "nobody waits for {:?}", relay.purpose);
        }
    }
}
