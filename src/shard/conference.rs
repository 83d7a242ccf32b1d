//! Conferences at their owner: what happens to one, and what it wants done. How a request for
//! something to be done looks is `operation`'s business.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::frame::conference::{Carry, Join, Page, Roster, Say, ToConference, ToLeg, Typing};
use super::frame::watch::Subscribed;
use super::frame::{Cargo, Frame};
use super::operation::Asker;
use super::{LOOK_AHEAD, Shard, Timer};
use crate::base::aor::Aor;
use crate::base::grouped::grouped;
use crate::base::ids::{ConferenceId, ShardId, SubscriptionId};
use crate::base::limits::Limit;
use crate::base::time::{Deadline, Now};
use crate::dialect::conference_info;
use crate::dialect::reject::Reject;
use crate::immcu::conference::{
    self as immcu, Change, Command, Conference, Description, Ending, Input, Output, Reach, Refusal,
    Relation,
};
use crate::metrics::names::Series;
use crate::records::RecordId;
use crate::sip::subscription::Content;

/// A conference and its record.
#[derive(Debug)]
pub(super) struct ConferenceEntry {
    /// Who is in, and who may do what.
    pub(super) machine: Conference,
    /// Its call detail record, from its first member on.
    pub(super) record: Option<RecordId>,
    /// Those of the members who are in.
    pub(super) visits: Vec<(Aor, RecordId)>,
    /// The timer that looks at it is armed for this time.
    armed: Option<Deadline>,
}

/// The conferences of a shard.
#[derive(Debug)]
pub(super) struct Conferences {
    by_id: HashMap<ConferenceId, Box<ConferenceEntry>, ahash::RandomState>,
    /// How many each organiser has here.
    of: HashMap<Aor, usize, ahash::RandomState>,
    /// Those whose row the store has refused to write or remove: it is asked again.
    pub(super) unkept: HashSet<ConferenceId, ahash::RandomState>,
}

impl Conferences {
    pub(super) fn new(hasher: ahash::RandomState) -> Self {
        Conferences {
            by_id: HashMap::with_hasher(hasher.clone()),
            of: HashMap::with_hasher(hasher.clone()),
            unkept: HashSet::with_hasher(hasher),
        }
    }

    pub(super) fn get(&self, id: ConferenceId) -> Option<&ConferenceEntry> {
        self.by_id.get(&id).map(|entry| &**entry)
    }

    pub(super) fn get_mut(&mut self, id: ConferenceId) -> Option<&mut ConferenceEntry> {
        self.by_id.get_mut(&id).map(|entry| &mut **entry)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (ConferenceId, &ConferenceEntry)> {
        self.by_id.iter().map(|(id, entry)| (*id, &**entry))
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// How many an organiser has here.
    pub(super) fn of(&self, organiser: &Aor) -> usize {
        self.of.get(organiser).copied().unwrap_or(0)
    }

    fn insert(&mut self, machine: Conference) {
        let id = machine.description().id;
        let organiser = machine.description().organiser.clone();
        let entry = ConferenceEntry { machine, record: None, visits: Vec::new(), armed: None };
        if self.by_id.insert(id, Box::new(entry)).is_none() {
            *self.of.entry(organiser).or_default() += 1;
        }
    }

    fn remove(&mut self, id: ConferenceId) -> Option<Box<ConferenceEntry>> {
        let entry = self.by_id.remove(&id)?;
        let organiser = &entry.machine.description().organiser;
        if let Some(count) = self.of.get_mut(organiser) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of.remove(organiser);
            }
        }
        Some(entry)
    }
}

impl Shard {
    /// Somebody wants to join: at his home, which knows his name, and at the owner.
    pub(super) fn join(&mut self, now: Now, mut join: Join) {
        if join.name.is_none() {
            join.name = Some(self.name_of(&join.who));
            let home = join.conference.home(self.shards);
            return self.send_frame(home, Frame::Join(Box::new(join)));
        }
        let Join { conference, organiser, reach, who, name, kind, endpoint, accepts, .. } = join;
        let asker = match (join.first, join.summons) {
            (Some(page), _) => Asker::Page(page),
            (None, Some(session)) => Asker::Summons(session),
            (None, None) => Asker::Nobody,
        };
        let known = self.conferences.get(conference).filter(|entry| entry.is_of(&organiser));
        let is_in = known.is_some_and(|entry| entry.machine.who(&reach).is_some());
        // A member in pager mode joins with all he says.
        let refused = self.draining || self.leaving.is_some() && !is_in;
        let Some(entry) = known.filter(|_| !refused) else {
            let reject = if refused { Reject::GoingDown } else { Reject::UnknownConference };
            return self.join_refused(conference, &reach, &asker, reject);
        };
        let machine = &entry.machine;
        if join.asked_by.is_some_and(|by| !entry.is_of(&by) && machine.member(&by).is_none()) {
            return self.join_refused(conference, &reach, &asker, Reject::NotMember);
        }
        if is_in {
            self.answer_summons(&asker, Ok(()));
        } else {
            let relation = self.relation_to(&who);
            let (reach, name) = (reach.clone(), name.unwrap_or_default());
            let join = immcu::Join { reach, who, name, relation, kind, endpoint, accepts };
            self.conference(now, conference, Input::Join(join), asker.clone());
        }
        let entry = self.conferences.get(conference);
        if entry.is_some_and(|entry| entry.machine.who(&reach).is_some()) {
            self.say_request(now, conference, reach, asker);
        }
    }

    /// How somebody stands to the enterprise.
    fn relation_to(&self, who: &Aor) -> Relation {
        match self.serves(who) {
            true => Relation::Enterprise,
            false => Relation::Federated,
        }
    }

    /// The name of a user whose home this is, as others see it.
    pub(super) fn name_of(&self, who: &Aor) -> Box<str> {
        let user = self.users.slot(who).and_then(|slot| self.users.get(slot));
        user.map(|entry| entry.user.display_name.as_str().into()).unwrap_or_default()
    }

    /// A word for a conference.
    pub(super) fn conference_told(&mut self, now: Now, id: ConferenceId, word: ToConference) {
        let input = match word {
            ToConference::Left { reach, how } => Input::Left { reach, how },
            ToConference::Undelivered { reach, number, status } => {
                self.counters.count(Series::ConferenceUndelivered);
                Input::Undelivered { reach, number, status }
            }
            ToConference::Type { leg, typing } => Input::Type { reach: Reach::Leg(leg), typing },
            ToConference::Operation(operation) => return self.operate(now, id, operation),
            ToConference::Watch { subscription, organiser, by, poll } => {
                if !self.conferences.get(id).is_some_and(|entry| entry.is_of(&organiser)) {
                    return self.answer_watch(subscription, Err(Reject::UnknownConference));
                }
                let relation = self.relation_to(&by);
                Input::Watch { subscription, by, relation, poll }
            }
            ToConference::Unwatch { subscription } => Input::Unwatch { subscription },
        };
        self.conference(now, id, input, Asker::Nobody);
    }

    /// A member says something on a leg of his.
    pub(super) fn say(&mut self, now: Now, say: Say) {
        let Say { conference, leg, conn, request } = say;
        let asker = Asker::Author(Page { conn, request });
        self.say_request(now, conference, Reach::Leg(leg), asker);
    }

    fn say_request(&mut self, now: Now, id: ConferenceId, reach: Reach, asker: Asker) {
        let (Asker::Author(page) | Asker::Page(page)) = &asker else { return };
        if self.conferences.get(id).is_none() {
            return self.answer_author(&asker, Err(Reject::UnknownDialog));
        }
        let request = page.request.clone();
        let mut said = None;
        self.with_message(&request, |_, message| {
            let plain = || Bytes::from_static(b"text/plain");
            let content_type =
                message.content_type().map_or_else(plain, |of| request.slice_ref(of));
            said = Some((content_type, request.slice_ref(message.body())));
        });
        let Some((content_type, body)) = said else { return };
        self.conference(now, id, Input::Say { reach, content_type, body }, asker);
    }

    /// Gives a conference an input and does what it wants.
    pub(super) fn conference(&mut self, now: Now, id: ConferenceId, input: Input, asker: Asker) {
        let settings = Arc::clone(&self.settings);
        let Some(entry) = self.conferences.get_mut(id) else { return };
        entry.machine.handle(now, input, &settings.limits);
        let scheduled = entry.machine.description().scheduled;
        let (mut ended, mut changed, mut done) = (None, false, false);
        while let Some(output) =
            self.conferences.get_mut(id).and_then(|entry| entry.machine.next_output())
        {
            match output {
                Output::Ended(ending) => ended = Some(ending),
                Output::Changed => changed = true,
                // Nothing has to be kept first: who asked hears of it before all others.
                Output::Done if !scheduled => self.operation_done(id, &asker),
                Output::Done => done = true,
                output => self.carry_out_conference(now, id, output, &asker),
            }
        }
        let asker = if done { asker } else { Asker::Nobody };
        match ended {
            Some(ending) => self.conference_ended(now, id, ending, asker),
            None if changed => self.keep_conference(now, id, asker),
            None => self.operation_done(id, &asker),
        }
        self.watch_conference(now, id);
    }

    fn carry_out_conference(&mut self, now: Now, id: ConferenceId, output: Output, asker: &Asker) {
        match output {
            Output::Joined { reach } => {
                self.tell_joined(id, &reach);
                self.answer_summons(asker, Ok(()));
            }
            Output::Waiting { reach } => self.tell_joined(id, &reach),
            Output::Refused { reach, refusal } => {
                let reject = self.refused_by(refusal);
                self.join_refused(id, &reach, asker, reject);
            }
            Output::Forbidden(refusal) => self.operation_refused(asker, refusal),
            Output::Seen { subscription, by } => {
                let Some(entry) = self.conferences.get(id) else { return };
                let content = roster(conference_info::full(&entry.machine, &by));
                self.answer_watch(subscription, Ok(content));
            }
            Output::Unseen { subscription, refusal } => {
                let reject = self.refused_by(refusal);
                self.answer_watch(subscription, Err(reject));
            }
            Output::Said { number, .. } => {
                self.counters.count(Series::ConferenceMessages);
                self.answer_author(asker, Ok(number));
            }
            Output::Unsaid { refusal, .. } => {
                let reject = self.refused_by(refusal);
                self.answer_author(asker, Err(reject));
            }
            Output::Carry { shard, legs, except, speech } => {
                if shard != self.id {
                    self.counters.count(Series::ConferenceFrames);
                }
                self.send_frame(
                    shard,
                    Frame::Carry(Carry { conference: id, legs, except, speech }),
                );
            }
            Output::Page { to, speech } => self.page_member(now, id, to, &speech),
            Output::Recall { reach: Reach::Pager(to), speech } => {
                self.page_member(now, id, to, &speech);
            }
            Output::Recall { reach: Reach::Leg(leg), speech } => {
                let legs = Arc::new([leg.slot]);
                let carry = Carry { conference: id, legs, except: None, speech };
                self.send_frame(leg.shard, Frame::Carry(carry));
            }
            Output::Typing { shard, legs, except, who, typing } => {
                let typing = Typing { legs, except, who, typing };
                self.send_frame(shard, Frame::Typing(Box::new(typing)));
            }
            Output::Report { reach, number, recipient, status } => {
                self.tell_leg(&reach, ToLeg::Report { number, recipient, status });
            }
            Output::Release { reach, .. } => self.tell_leg(&reach, ToLeg::Release),
            Output::Tell { version, change, subscriptions } => {
                self.tell_roster(id, version, &change, &subscriptions);
            }
            Output::Dismiss { subscription } => {
                let subscriptions = vec![subscription.slot];
                let roster = Roster { conference: id, subscriptions, content: None };
                self.send_frame(subscription.shard, Frame::Roster(Box::new(roster)));
            }
            Output::Invited { who } => self.invited(now, id, who, asker),
            Output::Started => self.conference_started(now, id),
            Output::Entered { who, role } => self.entered(now, id, who, role),
            Output::Departed { who, messages, how } => self.departed(now, id, &who, messages, how),
            Output::Ended(_) | Output::Changed | Output::Done => {}
        }
    }

    /// The refusal of a conference, whose bound, if it was one, is counted.
    pub(super) fn refused_by(&mut self, refusal: Refusal) -> Reject {
        if let Some(limit) = refusal.limit() {
            self.counters.hit(limit);
        }
        refusal.into()
    }

    fn tell_leg(&mut self, reach: &Reach, word: ToLeg) {
        if let Reach::Leg(leg) = reach {
            self.send_frame(leg.shard, Frame::ToLeg { leg: leg.slot, word: Box::new(word) });
        }
    }

    fn tell_joined(&mut self, conference: ConferenceId, reach: &Reach) {
        self.tell_leg(reach, ToLeg::Joined { conference, outcome: Ok(()) });
    }

    fn join_refused(
        &mut self,
        conference: ConferenceId,
        reach: &Reach,
        asker: &Asker,
        reject: Reject,
    ) {
        self.counters.count(Series::ConferenceJoinsRefused);
        self.tell_leg(reach, ToLeg::Joined { conference, outcome: Err(reject) });
        self.answer_author(asker, Err(reject));
        self.answer_summons(asker, Err(reject));
    }

    /// Answers who asked somebody in by an invitation that we took for him.
    fn answer_summons(&mut self, asker: &Asker, outcome: Result<(), Reject>) {
        if let Asker::Summons(session) = asker {
            self.send_frame(session.shard, Frame::Summoned { session: session.slot, outcome });
        }
    }

    /// Answers who said something: under which number, or why not.
    fn answer_author(&mut self, asker: &Asker, answer: Result<u64, Reject>) {
        let (page, cargo) = match asker {
            Asker::Author(page) => (page, Cargo::Plain),
            Asker::Page(page) => (page, Cargo::PagerAnswer),
            Asker::Nobody | Asker::Summons(_) | Asker::Operation(_) | Asker::Operator(_) => return,
        };
        let (conn, request) = (page.conn, page.request.clone());
        self.with_message(&request, |shard, message| {
            let (status, bytes) = match answer {
                Ok(number) => {
                    let bytes = shard.response_bytes(conn, message, 202, |writer| {
                        writer.line_fmt("Message-Id", format_args!("{number}")).finish();
                    });
                    (202, bytes)
                }
                Err(reject) => (reject.status(), shard.refusal_bytes(conn, message, reject)),
            };
            shard.counters.answered(message.method() as usize, status);
            shard.deliver(conn, bytes, cargo);
        });
    }

    /// Answers a subscription to the roster.
    fn answer_watch(&mut self, subscription: SubscriptionId, outcome: Result<Content, Reject>) {
        let subscribed = Subscribed { subscription: subscription.slot, outcome };
        self.send_frame(subscription.shard, Frame::Subscribed(Box::new(subscribed)));
    }

    /// Tells subscriptions what has changed: written once, one frame a core.
    fn tell_roster(
        &mut self,
        id: ConferenceId,
        version: u32,
        change: &Change,
        subscriptions: &[SubscriptionId],
    ) {
        let Some(entry) = self.conferences.get(id) else { return };
        let document = match change {
            // Who waits in the lobby is told when he is let in: by then he sees all.
            Change::All => {
                let organiser = &entry.machine.description().organiser;
                conference_info::full(&entry.machine, organiser)
            }
            change => conference_info::partial(&entry.machine, version, change),
        };
        let content = roster(document);
        let by_shard: Vec<(ShardId, Vec<_>)> =
            grouped(subscriptions.iter().map(|known| (known.shard, known.slot)));
        for (shard, subscriptions) in by_shard {
            self.counters.add(Series::ConferenceNotices, subscriptions.len() as u64);
            let content = Some(content.clone());
            let roster = Roster { conference: id, subscriptions, content };
            self.send_frame(shard, Frame::Roster(Box::new(roster)));
        }
    }

    /// Takes a conference into the table: one just made, or one that the store kept.
    pub(super) fn put_conference(&mut self, now: Now, description: Description) {
        let id = description.id;
        if self.conferences.get(id).is_some() {
            return;
        }
        self.conferences.insert(Conference::new(now, description, &self.settings.limits));
        self.counters.set(Series::ConferencesCurrent, self.conferences.len() as u64);
        self.watch_conference(now, id);
    }

    /// Whether an organiser may make another conference here.
    pub(super) fn room_for(&mut self, organiser: &Aor) -> Result<(), Reject> {
        let limits = &self.settings.limits;
        let (limit, reject) = if self.conferences.len() >= limits.conferences_per_shard_max {
            (Limit::Conferences, Reject::Overloaded)
        } else if self.conferences.of(organiser) >= limits.conferences_per_organiser_max {
            (Limit::ConferencesPerOrganiser, Reject::TooManyConferences)
        } else {
            return Ok(());
        };
        self.counters.hit(limit);
        Err(reject)
    }

    /// Sees that a conference is looked at when something of it is due, or sooner: the timer of one
    /// that is removed stays for as long as it was armed, and it may be laid down for years.
    fn watch_conference(&mut self, now: Now, id: ConferenceId) {
        let Some(entry) = self.conferences.get_mut(id) else { return };
        let Some(next) = entry.machine.next_deadline() else { return };
        let next = next.min(now.after(LOOK_AHEAD));
        if entry.armed.is_none_or(|armed| next < armed) {
            entry.armed = Some(next);
            self.wheel.arm(next, Timer::Conference(id));
        }
    }

    /// Time has passed for a conference.
    pub(super) fn conference_due(&mut self, now: Now, id: ConferenceId) {
        let Some(entry) = self.conferences.get_mut(id) else { return };
        if entry.armed.is_none_or(|armed| !now.reached(armed)) {
            return;
        }
        entry.armed = None;
        self.conference(now, id, Input::Tick, Asker::Nobody);
        self.watch_conference(now, id);
    }

    /// A user was removed from the directory: what he has laid down ends here as it did in the store,
    /// so that whoever gets his address next is not its organiser. Those who talk in an ad-hoc
    /// conference may go on.
    pub(super) fn end_scheduled_of(&mut self, now: Now, organiser: &Aor) {
        if self.conferences.of(organiser) == 0 {
            return;
        }
        let his: Vec<ConferenceId> = self
            .conferences
            .iter()
            .filter(|(_, entry)| entry.is_of(organiser) && entry.machine.description().scheduled)
            .map(|(id, _)| id)
            .collect();
        for id in his {
            let input = Input::Command { by: None, command: Command::End };
            self.conference(now, id, input, Asker::Nobody);
        }
    }

    /// The server goes down: every conference ends, and is recorded.
    pub(super) fn drain_conferences(&mut self, now: Now) {
        let all: Vec<ConferenceId> = self.conferences.iter().map(|(id, _)| id).collect();
        for id in all {
            self.conference(now, id, Input::Drain, Asker::Nobody);
        }
    }

    fn conference_ended(&mut self, now: Now, id: ConferenceId, ending: Ending, asker: Asker) {
        let Some(entry) = self.conferences.remove(id) else { return };
        self.counters.set(Series::ConferencesCurrent, self.conferences.len() as u64);
        self.record_ended(now, &entry, ending);
        let scheduled = entry.machine.description().scheduled;
        match scheduled && ending != Ending::Drained {
            true => self.remove_conference(now, id, asker),
            false => self.operation_done(id, &asker),
        }
    }
}

impl ConferenceEntry {
    /// True if this is the organiser.
    pub(super) fn is_of(&self, organiser: &Aor) -> bool {
        self.machine.description().organiser == *organiser
    }
}

/// The content of a notification.
fn roster(document: String) -> Content {
    Content { media_type: conference_info::CONTENT_TYPE.into(), body: document.into() }
}
