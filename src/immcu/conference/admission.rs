//! Who may join, and as what (MS-CONFBAS section 2.2.2.3).

use super::description::{Admission, Description, Role};
use super::input::Relation;
use super::output::Refusal;
use crate::base::aor::Aor;

impl Description {
    /// What `who` is when he joins; or why he may not, unless he is let in from the lobby. Whoever
    /// has not proven who he is is neither the organiser nor invited.
    pub fn admits(&self, who: &Aor, relation: Relation) -> Result<Role, Refusal> {
        let role = self.role(who, relation);
        let is_proven = relation != Relation::Anonymous;
        if is_proven && *who == self.organiser {
            return Ok(role);
        }
        if self.locked {
            return Err(Refusal::Locked);
        }
        let is_invited = is_proven && self.invited.contains_key(who);
        match (relation, self.admission) {
            (Relation::Anonymous, Admission::Anonymous) => Ok(role),
            (Relation::Anonymous, _) => Err(Refusal::GuestsNotAllowed),
            (Relation::Enterprise, Admission::OpenAuthenticated | Admission::Anonymous) => Ok(role),
            (Relation::Enterprise | Relation::Federated, _) if is_invited => Ok(role),
            (Relation::Enterprise | Relation::Federated, _) => Err(Refusal::NotInvited),
        }
    }

    /// What `who` is once he is in.
    pub fn role(&self, who: &Aor, relation: Relation) -> Role {
        match relation {
            Relation::Anonymous => Role::Attendee,
            _ if *who == self.organiser => Role::Presenter,
            _ => self.invited.get(who).copied().unwrap_or(Role::Attendee),
        }
    }
}
