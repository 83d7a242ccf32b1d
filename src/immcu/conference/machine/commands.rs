//! What presenters and the operator may do.

use super::{Conference, expiry};
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::immcu::conference::description::{Role, check_label};
use crate::immcu::conference::input::{Command, Modification};
use crate::immcu::conference::output::{Ending, Output, Parting, Refusal};

impl Conference {
    pub(super) fn command(
        &mut self,
        now: Now,
        by: Option<&Aor>,
        command: Command,
        limits: &Limits,
    ) {
        if let Err(refusal) = self.permits(by, &command, limits) {
            return self.outputs.push_back(Output::Forbidden(refusal));
        }
        self.outputs.push_back(Output::Done);
        match command {
            Command::Invite { who, role } => self.invite(who, role),
            Command::SetRole { who, role } => self.set_role(&who, role, limits),
            Command::Eject { who } if self.waiting.get(&who).is_some() => {
                self.turn_away(&who, limits);
            }
            Command::Eject { who } => self.depart(now, &who, Parting::Ejected, limits),
            Command::Lock(locked) => self.lock(locked),
            Command::Admit { who, let_in: true } => {
                let Some(member) = self.waiting.remove(&who) else { return };
                let role = self.description.role(&who, member.relation);
                self.let_in(now, member, role, limits);
            }
            Command::Admit { who, let_in: false } => self.turn_away(&who, limits),
            Command::Modify(modification) => self.modify(now, modification, limits),
            Command::End => self.finish(match by {
                Some(_) => Ending::Deleted,
                None => Ending::Operator,
            }),
        }
    }

    /// Whether a command is carried out at all.
    fn permits(&self, by: Option<&Aor>, command: &Command, limits: &Limits) -> Result<(), Refusal> {
        if self.over {
            return Err(Refusal::Ended);
        }
        if by.is_some_and(|by| !self.is_presenter(by)) {
            return Err(Refusal::NotPresenter);
        }
        let organiser = &self.description.organiser;
        match command {
            Command::Invite { who, .. } => {
                let invited = &self.description.invited;
                let has_room = invited.len() < limits.conference_invited_max;
                let fits = has_room || who == organiser || invited.contains_key(who);
                fits.then_some(()).ok_or(Refusal::TooManyInvited)
            }
            Command::SetRole { who, role: Role::Attendee } if who == organiser => {
                Err(Refusal::Organiser)
            }
            Command::Eject { who } if who == organiser && by.is_some() => Err(Refusal::Organiser),
            Command::SetRole { who, .. } => {
                self.members.get(who).map(|_| ()).ok_or(Refusal::NoSuchMember)
            }
            Command::Eject { who } => {
                let known = self.members.get(who).or_else(|| self.waiting.get(who));
                known.map(|_| ()).ok_or(Refusal::NoSuchMember)
            }
            Command::Admit { who, let_in } => {
                if self.waiting.get(who).is_none() {
                    return Err(Refusal::NoSuchMember);
                }
                let fits = !let_in || self.members.len() < limits.conference_members_max;
                fits.then_some(()).ok_or(Refusal::Full)
            }
            Command::Modify(Modification { subject: Some(subject), .. }) => {
                check_label(subject, limits)
            }
            Command::Lock(_) | Command::Modify(_) | Command::End => Ok(()),
        }
    }

    /// The organiser is one even when he is not in.
    fn is_presenter(&self, who: &Aor) -> bool {
        *who == self.description.organiser
            || self.members.get(who).is_some_and(|member| member.role == Role::Presenter)
    }

    fn invite(&mut self, who: Aor, role: Role) {
        if who != self.description.organiser {
            let before = self.description.invited.insert(who.clone(), role);
            if before != Some(role) {
                self.keep();
            }
        }
        if self.members.get(&who).is_none() {
            self.outputs.push_back(Output::Invited { who });
        }
    }

    /// Who was invited comes back as what he was made.
    fn set_role(&mut self, who: &Aor, role: Role, limits: &Limits) {
        let Some(member) = self.members.get_mut(who) else { return };
        if member.role != role {
            member.role = role;
            let who = member.aor.clone();
            self.roster_changed(who, limits);
        }
        if let Some(invited) = self.description.invited.get_mut(who).filter(|was| **was != role) {
            *invited = role;
            self.keep();
        }
    }

    fn lock(&mut self, locked: bool) {
        if self.description.locked != locked {
            self.description.locked = locked;
            self.description_changed();
        }
    }

    /// Whoever waits goes on waiting: he is let in by name, or joins again.
    fn modify(&mut self, now: Now, modification: Modification, limits: &Limits) {
        let before = self.description.clone();
        let Modification { subject, admission, lobby, expires_unix_ms } = modification;
        let description = &mut self.description;
        description.subject = subject.unwrap_or_else(|| before.subject.clone());
        description.admission = admission.unwrap_or(before.admission);
        description.lobby = lobby.unwrap_or(before.lobby);
        description.expires_unix_ms = expires_unix_ms.unwrap_or(before.expires_unix_ms);
        let ad_hoc_ms = limits.conference_ad_hoc_time_max.as_millis();
        let life_ms = description.expires_unix_ms.saturating_sub(self.made.unix_ms);
        description.scheduled |= u128::from(life_ms) > ad_hoc_ms;
        if *description != before {
            self.expired = expiry(now, &self.description);
            self.description_changed();
        }
    }
}
