//! The conference itself: who is in, what is carried to whom, and when it ends.

mod commands;
mod idling;
mod joining;
mod speech;
mod watching;

use std::collections::VecDeque;

use super::description::Description;
use super::input::{Input, Leaving, Reach};
use super::member::Member;
use super::output::{Change, Ending, Output, Parting, Refusal};
use super::recent::{Departed, Recent};
use super::recipients::Recipients;
use super::reports::Reports;
use super::roster::Roster;
use super::watchers::Watchers;
use crate::base::aor::Aor;
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};

/// One conference, at the shard that owns it.
#[derive(Debug)]
pub struct Conference {
    description: Description,
    made: Now,
    started: Option<Now>,
    over: bool,
    members: Roster,
    /// The lobby.
    waiting: Roster,
    recipients: Recipients,
    watchers: Watchers,
    recent: Recent,
    reports: Reports,
    /// Number of what the watchers see.
    version: u32,
    /// There are so many members that their changes are not told.
    quiet: bool,
    peak: usize,
    /// Messages accepted, which is the number of the last one.
    messages: u64,
    spoken: Now,
    /// When it ends if nobody has joined.
    abandoned: Deadline,
    /// When its time is up, as far as the clock goes now.
    expired: Deadline,
    /// When to look whether what is remembered can be forgotten.
    forget: Option<Deadline>,
    /// When those who are in are given up: all speak pager mode, so that no dialog ends when they
    /// go.
    idle: Option<Deadline>,
    outputs: VecDeque<Output>,
}

impl Conference {
    /// A conference as its organiser made it, or as it was kept; nobody is in.
    pub fn new(now: Now, description: Description, limits: &Limits) -> Self {
        Conference {
            made: now,
            started: None,
            over: false,
            members: Roster::new(),
            waiting: Roster::new(),
            recipients: Recipients::default(),
            watchers: Watchers::default(),
            recent: Recent::default(),
            reports: Reports::default(),
            version: 1,
            quiet: false,
            peak: 0,
            messages: 0,
            spoken: now,
            abandoned: now.after(limits.conference_unjoined_time_max),
            expired: expiry(now, &description),
            forget: None,
            idle: None,
            outputs: VecDeque::new(),
            description,
        }
    }

    /// Takes one input; after the end whatever asks is refused. The caller takes all outputs before
    /// the next input.
    pub fn handle(&mut self, now: Now, input: Input, limits: &Limits) {
        match input {
            Input::Say { reach, content_type, body } => {
                self.say(now, reach, content_type, body, limits);
            }
            Input::Type { reach, typing } => self.typing(now, &reach, typing, limits),
            Input::Undelivered { reach, number, status } => {
                self.undelivered(reach, number, status, limits);
            }
            Input::Join(join) => self.join(now, join, limits),
            Input::Left { reach, how } => self.left(now, &reach, how, limits),
            Input::Command { by, command } => self.command(now, by.as_ref(), command, limits),
            Input::Watch { subscription, by, relation, poll } => {
                self.watch(subscription, by, relation, poll, limits);
            }
            Input::Unwatch { subscription } => self.watchers.remove(subscription),
            Input::Drain => self.finish(Ending::Drained),
            Input::Tick => self.tick(now, limits),
        }
        self.watch_idle(now, limits);
    }

    /// What is to be done next.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Deadline> {
        if self.over {
            return None;
        }
        let end = match (self.members.is_empty(), self.description.scheduled) {
            (true, true) => Some(self.expired),
            (true, false) => Some(self.abandoned),
            (false, _) => self.idle,
        };
        end.into_iter().chain(self.forget).min()
    }

    /// What its organiser laid down, and presenters changed.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Number of the roster as it is now: rises by one with each change.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Who is in, in the order of joining.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.iter()
    }

    /// Somebody who is in.
    pub fn member(&self, who: &Aor) -> Option<&Member> {
        self.members.get(who)
    }

    /// Who waits in the lobby, in the order of coming.
    pub fn waiting(&self) -> impl Iterator<Item = &Member> {
        self.waiting.iter()
    }

    /// Whose leg it is, be he in or waiting.
    pub fn who(&self, reach: &Reach) -> Option<&Aor> {
        self.members.at(reach).or_else(|| self.waiting.at(reach)).map(|member| &member.aor)
    }

    /// True while changes of members are told: there are not too many.
    pub fn is_told(&self) -> bool {
        !self.quiet
    }

    /// True after the end.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The most members there ever were at a time.
    pub fn peak(&self) -> usize {
        self.peak
    }

    /// Messages accepted.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// When the first member came in.
    pub fn started(&self) -> Option<Now> {
        self.started
    }

    /// When it was made, or taken from the store.
    pub fn made(&self) -> Now {
        self.made
    }

    /// Panics when members, legs, recipients and watchers do not fit together, or more is kept than
    /// may be.
    pub fn check_invariants(&self, limits: &Limits) {
        self.members.check_invariants();
        self.waiting.check_invariants();
        self.recipients.check_invariants();
        self.recent.check_invariants(limits);
        self.reports.check_invariants(limits);
        self.watchers.check_invariants(|who| self.waiting.get(who).is_some());
        assert!(self.members.iter().all(|member| self.waiting.get(&member.aor).is_none()));
        assert!(self.waiting.iter().all(|member| !member.has_chat()));
        for member in self.members.iter().chain(self.waiting.iter()) {
            assert!(member.legs.len() <= limits.conference_legs_per_member_max);
        }
        let chat = self.members.iter().flat_map(Member::chat_legs).map(|leg| leg.reach.clone());
        let (mut chat, mut carried) =
            (chat.collect::<Vec<_>>(), self.recipients.iter().collect::<Vec<_>>());
        chat.sort();
        carried.sort();
        assert_eq!(chat, carried);
        assert!(self.members.len() <= limits.conference_members_max + 1, "all and the organiser");
        assert!(self.waiting.len() <= limits.conference_members_max);
        assert!(self.watchers.len() <= limits.conference_watchers_max);
        assert_eq!(self.quiet, self.members.len() > limits.conference_roster_told_max);
        assert!(self.peak >= self.members.len());
        if self.over {
            assert!(self.members.is_empty() && self.waiting.is_empty() && self.watchers.len() == 0);
        }
    }

    fn left(&mut self, now: Now, reach: &Reach, how: Leaving, limits: &Limits) {
        if self.waiting.at(reach).is_some() {
            return self.left_lobby(reach, limits);
        }
        let heard = self.messages;
        let Some((member, leg)) = self.members.remove_leg(reach) else { return };
        let who = member.aor.clone();
        if leg.is_chat() {
            if !member.has_chat() {
                member.heard = heard;
            }
            self.recipients.remove(reach);
            self.reports.leave(&leg, who.clone(), heard, limits);
        }
        if !member.legs.is_empty() {
            return self.roster_changed(who, limits);
        }
        self.depart(now, &who, how.parting(), limits);
    }

    /// Takes a member out whose legs were let go, or are to be when he is removed.
    fn depart(&mut self, now: Now, who: &Aor, how: Parting, limits: &Limits) {
        let Some(member) = self.members.remove(who) else { return };
        let heard = if member.has_chat() { self.messages } else { member.heard };
        for leg in member.chat_legs() {
            self.recipients.remove(&leg.reach);
            self.reports.leave(leg, who.clone(), self.messages, limits);
        }
        for leg in &member.legs {
            self.outputs.push_back(Output::Release { reach: leg.reach.clone(), why: how });
        }
        if self.forget.is_some() {
            let allowance = member.allowance;
            self.recent.depart(Departed { who: who.clone(), heard, allowance }, limits);
        }
        if how == Parting::Ejected || self.description.admits(who, member.relation).is_err() {
            self.dismiss(who);
        }
        let (who, messages) = (member.aor, member.messages);
        self.outputs.push_back(Output::Departed { who: who.clone(), messages, how });
        self.roster_changed(who, limits);
        if self.members.is_empty() {
            self.emptied(now);
        }
    }

    /// The last member has left.
    fn emptied(&mut self, now: Now) {
        if !self.description.scheduled {
            self.finish(Ending::LastLeft);
        } else if now.unix_ms >= self.description.expires_unix_ms {
            self.finish(Ending::Expired);
        } else {
            self.expired = expiry(now, &self.description);
        }
    }

    fn tick(&mut self, now: Now, limits: &Limits) {
        if self.over {
            return;
        }
        if self.forget.is_some_and(|deadline| now.reached(deadline)) {
            self.forget(now, limits);
        }
        if self.idle.is_some_and(|deadline| now.reached(deadline)) {
            return self.give_up(now, limits);
        }
        if !self.members.is_empty() {
            return;
        }
        if !self.description.scheduled {
            if now.reached(self.abandoned) {
                self.finish(Ending::Abandoned);
            }
        } else if now.unix_ms >= self.description.expires_unix_ms {
            self.finish(Ending::Expired);
        } else {
            // The clock may have been set since the deadline was reckoned.
            self.expired = expiry(now, &self.description);
        }
    }

    /// Ends it for all.
    fn finish(&mut self, ending: Ending) {
        if self.over {
            return;
        }
        self.over = true;
        self.quiet = false;
        let members: Vec<Member> = self.members.take().collect();
        for leg in members.iter().flat_map(|member| &member.legs) {
            let reach = leg.reach.clone();
            self.outputs.push_back(Output::Release { reach, why: Parting::Ended });
        }
        for leg in self.waiting.take().flat_map(|member| member.legs) {
            self.outputs.push_back(Output::Release { reach: leg.reach, why: Parting::Ended });
        }
        for subscription in self.watchers.take() {
            self.outputs.push_back(Output::Dismiss { subscription });
        }
        for member in members {
            let Member { aor: who, messages, .. } = member;
            self.outputs.push_back(Output::Departed { who, messages, how: Parting::Ended });
        }
        self.recipients = Recipients::default();
        self.recent.clear();
        self.reports.clear();
        self.outputs.push_back(Output::Ended(ending));
    }

    /// A member came, went, or changed.
    fn roster_changed(&mut self, who: Aor, limits: &Limits) {
        let was_quiet = self.quiet;
        self.quiet = self.members.len() > limits.conference_roster_told_max;
        self.version = self.version.saturating_add(1);
        match (was_quiet, self.quiet) {
            (_, true) => {}
            (true, false) => self.tell(Change::All),
            (false, false) => self.tell(Change::Members(vec![who])),
        }
    }

    /// Somebody came to the lobby or left it, for which somebody waits: that is always told.
    fn lobby_changed(&mut self, who: Aor, limits: &Limits) {
        self.quiet = self.members.len() > limits.conference_roster_told_max;
        self.version = self.version.saturating_add(1);
        self.tell(Change::Members(vec![who]));
    }

    /// What was laid down has changed.
    fn description_changed(&mut self) {
        self.version = self.version.saturating_add(1);
        self.tell(Change::Description);
        self.keep();
    }

    /// Something that is to survive a restart has changed.
    fn keep(&mut self) {
        if self.description.scheduled {
            self.outputs.push_back(Output::Changed);
        }
    }

    fn tell(&mut self, change: Change) {
        let subscriptions = self.watchers.told();
        if !subscriptions.is_empty() {
            self.outputs.push_back(Output::Tell { version: self.version, change, subscriptions });
        }
    }

    fn dismiss(&mut self, who: &Aor) {
        for subscription in self.watchers.remove_all(who) {
            self.outputs.push_back(Output::Dismiss { subscription });
        }
    }

    fn refuse(&mut self, reach: Reach, refusal: Refusal) {
        self.outputs.push_back(Output::Refused { reach, refusal });
    }
}

/// When the time of a conference is up, if the clock runs on as it does.
fn expiry(now: Now, description: &Description) -> Deadline {
    let left_ms = description.expires_unix_ms.saturating_sub(now.unix_ms);
    Deadline(now.mono_ms.saturating_add(left_ms))
}
