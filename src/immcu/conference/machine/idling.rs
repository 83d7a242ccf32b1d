//! Conferences in which nobody has a dialog: no word comes when such members go, so silence tells.

use super::Conference;
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::immcu::conference::output::Parting;

impl Conference {
    /// Begins to wait when the last dialog is gone and members in pager mode are left.
    pub(super) fn watch_idle(&mut self, now: Now, limits: &Limits) {
        let waits = !self.members.is_empty() && !self.members.has_dialogs();
        self.idle = match self.idle {
            _ if !waits => None,
            None => Some(now.after(limits.pager_idle_timeout)),
            armed => armed,
        };
    }

    /// Takes everybody out if nothing was said for long; else waits on.
    pub(super) fn give_up(&mut self, now: Now, limits: &Limits) {
        let deadline = self.spoken.after(limits.pager_idle_timeout);
        if !now.reached(deadline) {
            self.idle = Some(deadline);
            return;
        }
        self.idle = None;
        let members: Vec<Aor> = self.members.iter().map(|member| member.aor.clone()).collect();
        for who in members {
            self.depart(now, &who, Parting::Gone, limits);
        }
    }
}
