//! A second conference, written as naively as can be: everything that was ever said is kept, with
//! everybody it was sent to, and whatever is asked for is looked for from the beginning.

mod speech;

use std::collections::BTreeMap;

use self::speech::Said;
pub use self::speech::{recalled, sent};
use super::stage::{BORN_UNIX_MS, words};
use crate::base::aor::Aor;
use crate::base::ids::SubscriptionId;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::immcu::conference::*;

#[derive(Clone, Debug)]
pub struct Person {
    pub aor: Aor,
    pub relation: Relation,
    pub role: Role,
    /// With a number that no other leg has, ever.
    pub legs: Vec<(Reach, LegKind, usize)>,
    messages: u64,
}

pub struct Model {
    pub description: Description,
    pub members: Vec<Person>,
    pub waiting: Vec<Person>,
    pub watchers: BTreeMap<SubscriptionId, Aor>,
    pub over: bool,
    started: bool,
    said: Vec<Said>,
    /// Thousandths of messages that may be said, as of a millisecond.
    allowances: BTreeMap<Aor, (u64, u64)>,
    /// Who left, while what was said before is remembered.
    departed: Vec<Aor>,
    spoken_ms: Option<u64>,
    /// When something was said last, or the conference was made.
    last_ms: u64,
    /// When to look whether those who are in, all in pager mode, are to be given up.
    idle_ms: Option<u64>,
    /// Legs that are over, with their owners.
    gone: Vec<(Reach, usize, Aor)>,
    opened: usize,
    born_ms: u64,
    limits: Limits,
    /// What is to be put out.
    pub words: Vec<String>,
}

impl Person {
    fn has_chat(&self) -> bool {
        self.legs.iter().any(|(_, kind, _)| *kind == LegKind::Chat)
    }

    fn has(&self, reach: &Reach) -> bool {
        self.legs.iter().any(|(leg, _, _)| leg == reach)
    }
}

impl Model {
    pub fn new(now: Now, description: Description, limits: &Limits) -> Self {
        Model {
            description,
            members: vec![],
            waiting: vec![],
            watchers: BTreeMap::new(),
            over: false,
            started: false,
            said: vec![],
            allowances: BTreeMap::new(),
            departed: vec![],
            spoken_ms: None,
            last_ms: now.mono_ms,
            idle_ms: None,
            gone: vec![],
            opened: 0,
            born_ms: now.mono_ms,
            limits: limits.clone(),
            words: vec![],
        }
    }

    pub fn take(&mut self, now: Now, input: &Input) {
        self.words.clear();
        let before = self.description.clone();
        self.silence(now);
        match input.clone() {
            Input::Join(join) => self.join(now, join),
            Input::Left { reach, how } => self.left(now, &reach, how),
            Input::Say { reach, body, .. } => self.say(now, reach, body.len()),
            Input::Type { reach, .. } => self.typing(now, &reach),
            Input::Undelivered { reach, number, status } => {
                self.undelivered(&reach, number, status)
            }
            Input::Command { by, command } => self.command(now, by, command),
            Input::Watch { subscription, by, relation, poll } => {
                self.watch(subscription, by, relation, poll);
            }
            Input::Unwatch { subscription } => {
                self.watchers.remove(&subscription);
            }
            Input::Drain => self.end(Ending::Drained),
            Input::Tick if self.idle_ms.is_some_and(|at| now.mono_ms >= at) => self.give_up(now),
            Input::Tick => self.end_if_due(now),
        }
        self.watch_idle(now);
        if self.description.scheduled && self.description != before {
            self.put(Output::Changed);
        }
        self.words.sort();
    }

    /// Whether it should have ended by now.
    pub fn is_due(&self, now: Now) -> Option<Ending> {
        let empty = !self.over && self.members.is_empty();
        let expired = now.unix_ms >= self.description.expires_unix_ms;
        let abandoned_ms = self.limits.conference_unjoined_time_max.as_millis() as u64;
        match self.description.scheduled {
            true if empty && expired => Some(Ending::Expired),
            false if empty && now.mono_ms >= self.born_ms + abandoned_ms => Some(Ending::Abandoned),
            _ => None,
        }
    }

    /// Begins to wait when members in pager mode alone are left.
    fn watch_idle(&mut self, now: Now) {
        let is_pager = |(reach, _, _): &(Reach, LegKind, usize)| matches!(reach, Reach::Pager(_));
        let waits = !self.members.is_empty()
            && self.members.iter().all(|person| person.legs.iter().all(is_pager));
        let timeout = self.limits.pager_idle_timeout.as_millis() as u64;
        self.idle_ms = waits.then(|| self.idle_ms.unwrap_or(now.mono_ms + timeout));
    }

    /// Takes all out if nothing was said for long.
    fn give_up(&mut self, now: Now) {
        let until = self.last_ms + self.limits.pager_idle_timeout.as_millis() as u64;
        self.idle_ms = (now.mono_ms < until).then_some(until);
        while self.idle_ms.is_none() && !self.members.is_empty() {
            self.depart(now, 0, Parting::Gone);
        }
    }

    pub fn messages(&self) -> u64 {
        self.said.len() as u64
    }

    fn put(&mut self, output: Output) {
        self.words.push(words(&output));
    }

    fn silence(&mut self, now: Now) {
        let silence = self.limits.conference_recent_time.max(2 * self.limits.request_timeout);
        let is_over = |ms: u64| now.mono_ms >= ms + silence.as_millis() as u64;
        if self.spoken_ms.is_some_and(is_over) {
            self.spoken_ms = None;
            self.departed.clear();
            self.gone.clear();
            self.said.iter_mut().for_each(|said| said.carried.clear());
        }
    }

    fn find(&self, who: &Aor) -> Option<&Person> {
        self.members.iter().chain(&self.waiting).find(|person| person.aor == *who)
    }

    fn is_member(&self, who: &Aor) -> bool {
        self.members.iter().any(|person| person.aor == *who)
    }

    fn admits(&self, who: &Aor, relation: Relation) -> Result<(), Refusal> {
        let description = &self.description;
        if relation != Relation::Anonymous && *who == description.organiser {
            return Ok(());
        }
        if description.locked {
            return Err(Refusal::Locked);
        }
        let needs_invitation = match (description.admission, relation) {
            (Admission::Anonymous, Relation::Anonymous) => false,
            (_, Relation::Anonymous) => return Err(Refusal::GuestsNotAllowed),
            (Admission::ClosedAuthenticated, _) | (_, Relation::Federated) => true,
            _ => false,
        };
        if needs_invitation && !description.invited.contains_key(who) {
            return Err(Refusal::NotInvited);
        }
        Ok(())
    }

    fn role(&self, who: &Aor, relation: Relation) -> Role {
        if relation == Relation::Anonymous {
            return Role::Attendee;
        }
        let invited_as = self.description.invited.get(who) == Some(&Role::Presenter);
        let presents = *who == self.description.organiser || invited_as;
        if presents { Role::Presenter } else { Role::Attendee }
    }

    fn join(&mut self, now: Now, join: Join) {
        let Join { reach, who, relation, .. } = join;
        let chat = join.kind == LegKind::Chat || matches!(reach, Reach::Pager(_));
        let kind = if chat { LegKind::Chat } else { LegKind::Focus };
        let legs = self.find(&who).map_or(0, |person| person.legs.len());
        let room = legs < self.limits.conference_legs_per_member_max;
        let is_full = self.members.len() >= self.limits.conference_members_max;
        let admitted = match self.admits(&who, relation) {
            _ if who != self.description.organiser && is_full => Err(Refusal::Full),
            admitted => admitted,
        };
        let waits = self.waiting.iter().any(|person| person.aor == who);
        let refusal = if self.over {
            Refusal::Ended
        } else if self.is_member(&who) {
            if self.find(&who).is_some_and(|person| person.has(&reach)) {
                return self.put(Output::Joined { reach });
            }
            if room {
                self.put(Output::Joined { reach: reach.clone() });
                return self.open(now, &who, reach, kind);
            }
            Refusal::TooManyLegs
        } else {
            match admitted {
                Ok(()) if room => {
                    self.put(Output::Joined { reach: reach.clone() });
                    return self.enter(now, who, relation, Some((reach, kind)));
                }
                Ok(()) => Refusal::TooManyLegs,
                Err(_) if waits && chat => Refusal::InLobby,
                Err(_) if waits && !room => Refusal::TooManyLegs,
                Err(refusal) if !waits && (chat || !self.description.lobby) => refusal,
                Err(Refusal::Full) if !waits => Refusal::Full,
                Err(_) if !waits && self.waiting.len() >= self.limits.conference_members_max => {
                    Refusal::Full
                }
                Err(_) => return self.wait(who, relation, reach),
            }
        };
        self.put(Output::Refused { reach, refusal });
    }

    fn wait(&mut self, who: Aor, relation: Relation, reach: Reach) {
        self.put(Output::Waiting { reach: reach.clone() });
        self.opened += 1;
        let leg = (reach, LegKind::Focus, self.opened);
        match self.waiting.iter_mut().find(|person| person.aor == who) {
            Some(person) => person.legs.push(leg),
            None => {
                let (role, legs) = (Role::Attendee, vec![leg]);
                self.waiting.push(Person { aor: who, relation, role, legs, messages: 0 });
            }
        }
    }

    fn enter(&mut self, now: Now, who: Aor, relation: Relation, leg: Option<(Reach, LegKind)>) {
        if !std::mem::replace(&mut self.started, true) {
            self.put(Output::Started);
        }
        let role = self.role(&who, relation);
        self.put(Output::Entered { who: who.clone(), role });
        self.departed.retain(|departed| *departed != who);
        let waited = self.waiting.iter().position(|person| person.aor == who);
        let legs = waited.map(|at| self.waiting.remove(at).legs).unwrap_or_default();
        self.members.push(Person { aor: who.clone(), relation, role, legs, messages: 0 });
        if let Some((reach, kind)) = leg {
            self.open(now, &who, reach, kind);
        }
    }

    fn open(&mut self, now: Now, who: &Aor, reach: Reach, kind: LegKind) {
        let Some(person) = self.members.iter_mut().find(|person| person.aor == *who) else {
            return;
        };
        let first = kind == LegKind::Chat && !person.has_chat();
        self.opened += 1;
        person.legs.push((reach.clone(), kind, self.opened));
        if !first {
            return;
        }
        let (mut count, mut octets) = (0, 0);
        let mut missed = vec![];
        for said in self.said.iter_mut().rev() {
            count += 1;
            octets += said.octets;
            let age_ms = now.mono_ms - said.at_ms;
            if count > self.limits.conference_recent_messages_max
                || octets > self.limits.conference_recent_bytes_max
                || u128::from(age_ms) >= self.limits.conference_recent_time.as_millis()
            {
                break;
            }
            if said.heard_by.insert(who.clone()) {
                missed.push(said.number);
            }
        }
        for number in missed {
            self.words.push(recalled(&reach, number));
        }
    }

    fn left(&mut self, now: Now, reach: &Reach, how: Leaving) {
        if let Some(at) = self.waiting.iter().position(|person| person.has(reach)) {
            self.waiting[at].legs.retain(|(leg, _, _)| leg != reach);
            if self.waiting[at].legs.is_empty() {
                let who = self.waiting.remove(at).aor;
                self.dismiss(&who);
            }
            return;
        }
        let Some(at) = self.members.iter().position(|person| person.has(reach)) else { return };
        let person = &mut self.members[at];
        for (leg, _, opened) in person.legs.extract_if(.., |(leg, _, _)| leg == reach) {
            self.gone.push((leg, opened, person.aor.clone()));
        }
        if person.legs.is_empty() {
            self.depart(now, at, how.parting());
        }
    }

    fn depart(&mut self, now: Now, at: usize, how: Parting) {
        let Person { aor, relation, legs, messages, .. } = self.members.remove(at);
        for (reach, _, opened) in legs {
            self.gone.push((reach.clone(), opened, aor.clone()));
            self.put(Output::Release { reach, why: how });
        }
        if self.spoken_ms.is_some() {
            self.departed.push(aor.clone());
            if self.departed.len() > self.limits.conference_members_max {
                let forgotten = self.departed.remove(0);
                self.allowances.remove(&forgotten);
                self.said.iter_mut().for_each(|said| _ = said.heard_by.remove(&forgotten));
            }
        }
        if how == Parting::Ejected || self.admits(&aor, relation).is_err() {
            self.dismiss(&aor);
        }
        self.put(Output::Departed { who: aor, messages, how });
        match self.description.scheduled {
            _ if !self.members.is_empty() => {}
            false => self.end(Ending::LastLeft),
            true => self.end_if_due(now),
        }
    }

    fn dismiss(&mut self, who: &Aor) {
        for (subscription, _) in self.watchers.clone().iter().filter(|(_, aor)| *aor == who) {
            self.watchers.remove(subscription);
            self.put(Output::Dismiss { subscription: *subscription });
        }
    }

    fn end_if_due(&mut self, now: Now) {
        if let Some(ending) = self.is_due(now) {
            self.end(ending);
        }
    }

    fn end(&mut self, ending: Ending) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        for person in std::mem::take(&mut self.members) {
            let Person { aor, legs, messages, .. } = person;
            for (reach, _, _) in legs {
                self.put(Output::Release { reach, why: Parting::Ended });
            }
            self.put(Output::Departed { who: aor, messages, how: Parting::Ended });
        }
        for (reach, _, _) in std::mem::take(&mut self.waiting).into_iter().flat_map(|one| one.legs)
        {
            self.put(Output::Release { reach, why: Parting::Ended });
        }
        for (subscription, _) in std::mem::take(&mut self.watchers) {
            self.put(Output::Dismiss { subscription });
        }
        self.put(Output::Ended(ending));
    }

    fn watch(&mut self, subscription: SubscriptionId, by: Aor, relation: Relation, poll: bool) {
        let known = self.watchers.contains_key(&subscription);
        let mine = self.watchers.values().filter(|aor| **aor == by).count();
        let full = mine >= self.limits.watches_per_watcher_max
            || self.watchers.len() >= self.limits.conference_watchers_max;
        let refusal = match self.admits(&by, relation) {
            _ if self.over => Some(Refusal::Ended),
            Err(refusal) if self.find(&by).is_none() => Some(refusal),
            _ if full && !known && !poll => Some(Refusal::TooManyWatchers),
            _ => None,
        };
        self.watchers.remove(&subscription);
        match refusal {
            Some(refusal) => self.put(Output::Unseen { subscription, refusal }),
            None => {
                self.put(Output::Seen { subscription, by: by.clone() });
                if !poll {
                    self.watchers.insert(subscription, by);
                }
            }
        }
    }

    fn forbids(&self, by: Option<&Aor>, command: &Command) -> Option<Refusal> {
        let organiser = &self.description.organiser;
        let presents = |who: &Aor| {
            let person = self.members.iter().find(|person| person.aor == *who);
            who == organiser || person.is_some_and(|person| person.role == Role::Presenter)
        };
        let waits = |who: &Aor| self.waiting.iter().any(|person| person.aor == *who);
        match command {
            _ if self.over => Some(Refusal::Ended),
            _ if !by.is_none_or(presents) => Some(Refusal::NotPresenter),
            Command::Invite { who, .. } => {
                let invited = &self.description.invited;
                let is_new = who != organiser && !invited.contains_key(who);
                let full = invited.len() >= self.limits.conference_invited_max;
                (is_new && full).then_some(Refusal::TooManyInvited)
            }
            Command::Eject { who } if who == organiser && by.is_some() => Some(Refusal::Organiser),
            Command::SetRole { who, role } if who == organiser && *role == Role::Attendee => {
                Some(Refusal::Organiser)
            }
            Command::Eject { who } if self.find(who).is_none() => Some(Refusal::NoSuchMember),
            Command::SetRole { who, .. } if !self.is_member(who) => Some(Refusal::NoSuchMember),
            Command::Admit { who, .. } if !waits(who) => Some(Refusal::NoSuchMember),
            Command::Admit { let_in: true, .. }
                if self.members.len() >= self.limits.conference_members_max =>
            {
                Some(Refusal::Full)
            }
            _ => None,
        }
    }

    fn command(&mut self, now: Now, by: Option<Aor>, command: Command) {
        if let Some(refusal) = self.forbids(by.as_ref(), &command) {
            return self.put(Output::Forbidden(refusal));
        }
        self.put(Output::Done);
        match command {
            Command::Invite { who, role } => {
                if who != self.description.organiser {
                    self.description.invited.insert(who.clone(), role);
                }
                if !self.is_member(&who) {
                    self.put(Output::Invited { who });
                }
            }
            Command::SetRole { who, role } => {
                self.description.invited.entry(who.clone()).and_modify(|invited| *invited = role);
                let person = self.members.iter_mut().find(|person| person.aor == who);
                person.into_iter().for_each(|person| person.role = role);
            }
            Command::Eject { who } => {
                match self.members.iter().position(|person| person.aor == who) {
                    Some(at) => self.depart(now, at, Parting::Ejected),
                    None => self.turn_away(&who),
                }
            }
            Command::Lock(locked) => self.description.locked = locked,
            Command::Admit { who, let_in: true } => {
                let relation = self.find(&who).map(|person| person.relation);
                self.enter(now, who, relation.unwrap_or(Relation::Enterprise), None);
            }
            Command::Admit { who, let_in: false } => self.turn_away(&who),
            Command::Modify(change) => {
                let description = &mut self.description;
                change.admission.into_iter().for_each(|one| description.admission = one);
                change.lobby.into_iter().for_each(|one| description.lobby = one);
                change.expires_unix_ms.into_iter().for_each(|at| description.expires_unix_ms = at);
                description.scheduled |= description.expires_unix_ms > BORN_UNIX_MS + 86_400_000;
            }
            Command::End => self.end(by.map_or(Ending::Operator, |_| Ending::Deleted)),
        }
    }

    fn turn_away(&mut self, who: &Aor) {
        let Some(at) = self.waiting.iter().position(|person| person.aor == *who) else { return };
        for (reach, _, _) in self.waiting.remove(at).legs {
            self.put(Output::Release { reach, why: Parting::Ejected });
        }
        self.dismiss(who);
    }
}
