//! The end of a shard: no new work, sessions ended and recorded, connections closed.

use super::Shard;
use super::output::Output;
use crate::base::ids::{ConnId, Slot};
use crate::base::time::Now;
use crate::immcu::session::Ending;
use crate::metrics::counters::CloseReason;

impl Shard {
    /// Takes the word that the server goes down.
    pub(super) fn drain(&mut self, now: Now) {
        self.draining = true;
        let sessions: Vec<Slot> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in sessions {
            self.end_session(now, slot, Ending::Drained);
            // What is in flight is not waited for: the records are.
            if let Some(entry) = self.sessions.get_mut(slot) {
                entry.in_flight.clear();
            }
            self.close_if_settled(now, slot);
        }
        self.conversations.drain();
        self.note_conversations();
        let conns: Vec<ConnId> = self.connections.iter().map(|(conn, _)| conn).collect();
        for conn in conns {
            self.connections.remove(conn);
            self.outputs.push_back(Output::Close { conn, reason: CloseReason::Drain });
        }
    }
}
