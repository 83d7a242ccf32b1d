//! Coming in, by the door or through the lobby.

use std::sync::Arc;

use super::Conference;
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::immcu::conference::allowance::Allowance;
use crate::immcu::conference::description::{Role, check_label};
use crate::immcu::conference::input::{Join, LegKind, Reach, Relation};
use crate::immcu::conference::member::{Leg, Member};
use crate::immcu::conference::output::{Change, Output, Parting, Refusal};

impl Conference {
    pub(super) fn join(&mut self, now: Now, mut join: Join, limits: &Limits) {
        if matches!(join.reach, Reach::Pager(_)) {
            join.kind = LegKind::Chat;
        }
        if let Err(refusal) = self.check(&join, limits) {
            return self.refuse(join.reach, refusal);
        }
        if self.members.at(&join.reach).is_some() {
            // A member in pager mode asks again: he has no dialog to tell him that he is in.
            return self.outputs.push_back(Output::Joined { reach: join.reach });
        }
        if self.members.get(&join.who).is_some() {
            return self.add_leg(now, join, limits);
        }
        match self.admit(&join.who, join.relation, limits) {
            Ok(role) => self.enter(now, join, role, limits),
            Err(refusal) => self.wait(now, join, refusal, limits),
        }
    }

    /// What does not depend on the rules of admission.
    fn check(&self, join: &Join, limits: &Limits) -> Result<(), Refusal> {
        if self.over {
            return Err(Refusal::Ended);
        }
        check_label(&join.name, limits)?;
        check_label(&join.endpoint, limits)?;
        if matches!(&join.reach, Reach::Pager(aor) if *aor != join.who) {
            return Err(Refusal::NotMember);
        }
        let known = self.members.get(&join.who).or_else(|| self.waiting.get(&join.who));
        if known.is_some_and(|known| known.relation != join.relation) {
            return Err(Refusal::GuestsNotAllowed);
        }
        match self.who(&join.reach) {
            Some(who) if *who != join.who => Err(Refusal::NotMember),
            _ => Ok(()),
        }
    }

    /// As what somebody comes in who is not in yet.
    fn admit(&self, who: &Aor, relation: Relation, limits: &Limits) -> Result<Role, Refusal> {
        let is_organiser = *who == self.description.organiser && relation != Relation::Anonymous;
        if !is_organiser && self.members.len() >= limits.conference_members_max {
            return Err(Refusal::Full);
        }
        self.description.admits(who, relation)
    }

    fn add_leg(&mut self, now: Now, join: Join, limits: &Limits) {
        let Some(member) = self.members.get(&join.who) else { return };
        if member.legs.len() >= limits.conference_legs_per_member_max {
            return self.refuse(join.reach, Refusal::TooManyLegs);
        }
        let heard = (!member.has_chat()).then_some(member.heard);
        let leg = self.leg(&join);
        let reach = leg.reach.clone();
        let is_chat = leg.is_chat();
        self.members.add_leg(&join.who, leg);
        self.outputs.push_back(Output::Joined { reach: reach.clone() });
        if is_chat {
            self.recipients.add(&reach);
            if let Some(heard) = heard {
                self.recall(now, &reach, heard, limits);
            }
        }
        self.roster_changed(join.who, limits);
    }

    /// Lets somebody in; he may have waited on other legs until now.
    fn enter(&mut self, now: Now, join: Join, role: Role, limits: &Limits) {
        let leg = self.leg(&join);
        if let Some(waiting) = self.waiting.get(&join.who) {
            let is_new = waiting.leg(&join.reach).is_none();
            if is_new && waiting.legs.len() >= limits.conference_legs_per_member_max {
                return self.refuse(join.reach, Refusal::TooManyLegs);
            }
            let Some(mut member) = self.waiting.remove(&join.who) else { return };
            member.legs.extend(is_new.then_some(leg));
            self.outputs.push_back(Output::Joined { reach: join.reach });
            return self.let_in(now, member, role, limits);
        }
        self.outputs.push_back(Output::Joined { reach: join.reach.clone() });
        let member = self.newcomer(now, join, leg, limits);
        let who = member.aor.clone();
        self.come_in(now, member, role, limits);
        self.roster_changed(who, limits);
    }

    /// Somebody is let in from the lobby, with all his legs.
    pub(super) fn let_in(&mut self, now: Now, member: Member, role: Role, limits: &Limits) {
        let who = member.aor.clone();
        self.come_in(now, member, role, limits);
        self.lobby_changed(who.clone(), limits);
        let subscriptions: Arc<[_]> = self.watchers.of(&who).into();
        self.watchers.set_waits(&who, false);
        if !subscriptions.is_empty() {
            let (version, change) = (self.version, Change::All);
            self.outputs.push_back(Output::Tell { version, change, subscriptions });
        }
    }

    fn come_in(&mut self, now: Now, mut member: Member, role: Role, limits: &Limits) {
        let who = member.aor.clone();
        member.role = role;
        member.since = now;
        if let Some(departed) = self.recent.rejoin(&who) {
            member.heard = departed.heard;
            member.allowance = departed.allowance;
        }
        if self.started.is_none() {
            self.started = Some(now);
            self.outputs.push_back(Output::Started);
        }
        self.outputs.push_back(Output::Entered { who, role });
        for (at, leg) in member.chat_legs().enumerate() {
            self.recipients.add(&leg.reach);
            if at == 0 {
                self.recall(now, &leg.reach, member.heard, limits);
            }
        }
        self.members.insert(member);
        self.peak = self.peak.max(self.members.len());
    }

    /// Somebody is not let in: he waits, if there is a lobby and room in it.
    fn wait(&mut self, now: Now, join: Join, refusal: Refusal, limits: &Limits) {
        if let Some(waiting) = self.waiting.get(&join.who) {
            if join.kind == LegKind::Chat {
                return self.refuse(join.reach, Refusal::InLobby);
            }
            let is_new = waiting.leg(&join.reach).is_none();
            if is_new && waiting.legs.len() >= limits.conference_legs_per_member_max {
                return self.refuse(join.reach, Refusal::TooManyLegs);
            }
            self.outputs.push_back(Output::Waiting { reach: join.reach.clone() });
            if is_new {
                let leg = self.leg(&join);
                self.waiting.add_leg(&join.who, leg);
                self.lobby_changed(join.who, limits);
            }
            return;
        }
        let waits =
            self.description.lobby && join.kind == LegKind::Focus && refusal != Refusal::Full;
        if !waits {
            return self.refuse(join.reach, refusal);
        }
        if self.waiting.len() >= limits.conference_members_max {
            return self.refuse(join.reach, Refusal::Full);
        }
        self.outputs.push_back(Output::Waiting { reach: join.reach.clone() });
        let leg = self.leg(&join);
        let member = self.newcomer(now, join, leg, limits);
        let who = member.aor.clone();
        self.watchers.set_waits(&who, true);
        self.waiting.insert(member);
        self.lobby_changed(who, limits);
    }

    /// Whoever waited has closed a leg.
    pub(super) fn left_lobby(&mut self, reach: &Reach, limits: &Limits) {
        let Some((member, _)) = self.waiting.remove_leg(reach) else { return };
        let (who, stays) = (member.aor.clone(), !member.legs.is_empty());
        if stays {
            return self.lobby_changed(who, limits);
        }
        self.turn_away(&who, limits);
    }

    /// Takes somebody out of the lobby who does not come in.
    pub(super) fn turn_away(&mut self, who: &Aor, limits: &Limits) {
        let Some(member) = self.waiting.remove(who) else { return };
        for leg in member.legs {
            self.outputs.push_back(Output::Release { reach: leg.reach, why: Parting::Ejected });
        }
        self.dismiss(who);
        self.lobby_changed(member.aor, limits);
    }

    fn recall(&mut self, now: Now, reach: &Reach, heard: u64, limits: &Limits) {
        let said = self.recent.since(heard, now, limits).cloned();
        let recalls = said.map(|speech| Output::Recall { reach: reach.clone(), speech });
        self.outputs.extend(recalls);
    }

    fn newcomer(&self, now: Now, join: Join, leg: Leg, limits: &Limits) -> Member {
        Member {
            aor: join.who,
            name: join.name.into(),
            role: Role::Attendee,
            relation: join.relation,
            legs: vec![leg],
            messages: 0,
            since: now,
            allowance: Allowance::new(now, limits),
            heard: 0,
        }
    }

    fn leg(&self, join: &Join) -> Leg {
        Leg {
            reach: join.reach.clone(),
            kind: join.kind,
            endpoint: join.endpoint.clone(),
            accepts: join.accepts,
            opened_after: self.messages,
        }
    }
}
