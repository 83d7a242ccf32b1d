//! The end of a shard: no new work, and every conversation ended and recorded. The connections are
//! the partition's to close, spread over its window: until then what is in flight is answered.

use super::Shard;
use crate::base::ids::Slot;
use crate::base::time::Now;
use crate::immcu::session::Ending;

impl Shard {
    /// Takes the word that the server goes down.
    pub(super) fn drain(&mut self, now: Now) {
        self.draining = true;
        let sessions: Vec<Slot> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in sessions {
            let invitation = self.sessions.get(slot).and_then(|entry| entry.invitation);
            match invitation {
                Some(invitation) => self.drain_invitation(now, invitation),
                None => self.end_session(now, slot, Ending::Drained),
            }
            // What is in flight is not waited for: the records are.
            if let Some(entry) = self.sessions.get_mut(slot) {
                entry.in_flight.clear();
            }
            self.close_if_settled(now, slot);
        }
        self.drain_conferences(now);
        self.conversations.drain();
        self.note_conversations();
    }
}
