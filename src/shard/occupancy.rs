//! How much a shard holds.

use super::Shard;

/// The sizes of a shard's tables: for gauges, and for tests that want them empty again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occupancy {
    /// Open connections.
    pub connections: usize,
    /// Sessions they are legs of, one by one.
    pub legs: usize,
    /// Users whose home this is.
    pub users: usize,
    /// Their endpoints.
    pub endpoints: usize,
    /// Connections signed in as one of them.
    pub signed_in: usize,
    /// Bridged sessions by which they are reached.
    pub bridges: usize,
    /// Pager-mode messages on their way to their endpoints.
    pub in_flight: usize,
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
    /// Subscriptions of the connections.
    pub subscriptions: usize,
    /// Users watched here, counted once for each subscription.
    pub watches: usize,
    /// What of their own is told to endpoints.
    pub own: usize,
    /// Conferences that this shard owns.
    pub conferences: usize,
    /// Members' dialogs with conferences.
    pub conference_legs: usize,
    /// Changes that the store is writing.
    pub edits: usize,
    /// Searches in progress.
    pub searches: usize,
    /// Timers armed, stale ones included.
    pub timers: usize,
}

impl Shard {
    /// The sizes of the tables.
    pub fn occupancy(&self) -> Occupancy {
        Occupancy {
            connections: self.connections.len(),
            legs: self.connections.iter().map(|(_, connection)| connection.legs.len()).sum(),
            users: self.users.len(),
            endpoints: self.users.sum(|entry| entry.registrar.len()),
            signed_in: self.users.sum(|entry| entry.connections.len()),
            bridges: self.users.sum(|entry| entry.bridges.len()),
            in_flight: self.users.sum(|entry| entry.in_flight.len()),
            sessions: self.sessions.len(),
            invitations: self.invitations.len(),
            relays: self.relays.len(),
            pagers: self.pagers.len(),
            conversations: self.conversations.len(),
            subscriptions: self.subscriptions.len(),
            watches: self.users.sum(|entry| {
                let presence = entry.presence.as_ref();
                presence.map_or(0, |presence| presence.presentity.watches().count())
            }),
            own: self.users.sum(|entry| entry.own.len()),
            conferences: self.conferences.len(),
            conference_legs: self.legs.len(),
            edits: self.edits.len(),
            searches: self.searches.len(),
            timers: self.wheel.len(),
        }
    }
}
