//! The end of a shard: no new work, sessions ended and recorded. The connections are closed by the
//! layer below, spread over the time it has.

use super::Shard;
use crate::base::ids::Slot;
use crate::base::time::Now;
use crate::dialect::reject::Reject;
use crate::immcu::session::Ending;
use crate::sip::fork;

impl Shard {
    /// Takes the word that the server goes down.
    pub(super) fn drain(&mut self, now: Now) {
        self.draining = true;
        let sessions: Vec<Slot> = self.sessions.iter().map(|(slot, _)| slot).collect();
        for slot in sessions {
            if let Some(invitation) = self.sessions.get(slot).and_then(|entry| entry.invitation) {
                self.drain_invitation(now, invitation);
            }
            self.end_session(now, slot, Ending::Drained);
            // What is in flight is not waited for: the records are.
            if let Some(entry) = self.sessions.get_mut(slot) {
                entry.in_flight.clear();
            }
            self.close_if_settled(now, slot);
        }
        self.conversations.drain();
        self.note_conversations();
    }
    /// Nobody will answer an invitation any more: whoever waits is told so, and the endpoints
    /// stop ringing.
    fn drain_invitation(&mut self, now: Now, slot: Slot) {
        let Some(invitation) = self.invitations.get_mut(slot) else { return };
        let (caller, session) = (invitation.caller.take(), invitation.session);
        let waiting = std::mem::take(&mut invitation.waiting);
        let invite = invitation.invite.clone();
        if let Some(caller) = caller {
            let reject = Reject::GoingDown;
            self.with_message(&invite, |shard, message| shard.reject(caller, message, reject));
            self.answered_caller(now, caller, session, reject.status());
        }
        for pager in waiting {
            self.pager_refused(&pager, Reject::GoingDown);
        }
        self.leave_branches(slot);
        self.drive(now, slot, fork::Input::CallerLost, None);
    }
}
