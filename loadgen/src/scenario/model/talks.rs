//! The talks of one thread's users. A user is in one at a time.

use super::agenda::{Agenda, Due};
use super::talk::{Deed, Kind, Stage, Talk};
use crate::clock::Moment;
use crate::endpoint::Which;
use crate::population::mix;
use crate::profile::Sessions;
use crate::scenario::conference::ledger::{Ledger, Said};
use crate::scenario::way;
use crate::settings::Dialect;
use crate::stamp::Stamp;
use crate::stats::{Cause, Operation};
use crate::world::{Slot, World};
use std::collections::HashMap;
use std::time::Duration;

/// Marks the number of a message in a reminder, beside those of states.
pub const MESSAGE: u32 = 1 << 31;
/// How long a talk waits for what is under way before it looks again whether it can end.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How a conference goes.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Messages of each member.
    pub messages: u32,
    /// The one that goes on all the time.
    pub large: bool,
    /// In which all come in.
    pub join_within: Duration,
    /// From the beginning to the end.
    pub lasting: Duration,
    /// Octets of text a message.
    pub octets: usize,
}

/// Sessions and conferences that go on.
#[derive(Debug)]
pub struct Talks {
    dialect: Dialect,
    ledger: Ledger,
    seed: u64,
    serial: u32,
    talks: HashMap<u32, Talk>,
    /// The talk that each user is in; 0 for none.
    of: Vec<u32>,
}

impl Talks {
    /// None yet, of so many users.
    pub fn new(users: usize, dialect: Dialect, seed: u64) -> Talks {
        Talks {
            dialect,
            ledger: Ledger::new(users),
            seed,
            serial: 0,
            talks: HashMap::new(),
            of: vec![0; users],
        }
    }

    /// True when the user is in none.
    pub fn is_free(&self, slot: Slot) -> bool {
        self.of[slot] == 0
    }

    fn add(&mut self, kind: Kind, members: Vec<Slot>, octets: usize) -> u32 {
        self.serial += 1;
        let id = self.serial;
        for &member in &members {
            self.of[member] = id;
        }
        let seed = mix(self.seed ^ u64::from(id));
        self.talks.insert(id, Talk::new(kind, members, octets, seed));
        id
    }

    /// A session of two users, both of whom are free, begins. `gap` is between its messages.
    pub fn begin_session(
        &mut self,
        world: &mut World,
        agenda: &mut Agenda,
        members: [Slot; 2],
        sessions: &Sessions,
        (intended, now): (Moment, Moment),
    ) {
        let Sessions { messages, typing, gap, octets, .. } = *sessions;
        let kind = Kind::Session { left: messages, gap, typing };
        let id = self.add(kind, members.to_vec(), octets);
        let [caller, callee] = members;
        let pager = self.dialect == Dialect::Simple;
        let invited = pager || world.invite(caller, callee, now);
        if let Some(talk) = self.talks.get_mut(&id) {
            let stage = match pager {
                true => Stage::In,
                false => Stage::Waiting(Operation::Invite, intended),
            };
            talk.stages = vec![stage; 2];
        }
        if !invited {
            world.fail(Operation::Invite, intended, Cause::NoSession);
            self.drop_talk(world, id);
        }
        self.plan_message(agenda, id, 0, intended);
    }

    /// Plans the next message of a session, and that its author types before.
    fn plan_message(&mut self, agenda: &mut Agenda, id: u32, member: u32, after: Moment) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        let Kind::Session { left, gap, typing } = talk.kind else { return };
        let wait = talk.wait(gap);
        let at = after.after(wait);
        if left == 0 {
            return agenda.note(at, Due::End { talk: id });
        }
        talk.kind = Kind::Session { left: left - 1, gap, typing };
        for notice in 1..=typing {
            let part = f64::from(notice) / f64::from(typing + 1);
            agenda.note(after.after(wait.mul_f64(part)), Due::Type { talk: id, member });
        }
        agenda.note(at, Due::Say { talk: id, member });
    }

    /// A conference of these users, all of whom are free, begins: the first one makes it.
    pub fn begin_conference(
        &mut self,
        world: &mut World,
        agenda: &mut Agenda,
        members: Vec<Slot>,
        course: Course,
        (intended, now): (Moment, Moment),
    ) {
        let Course { messages, large, join_within, lasting, octets } = course;
        let id = self.add(Kind::Conference { chat: messages > 0, large }, members, octets);
        let Some(talk) = self.talks.get_mut(&id) else { return };
        let talking = lasting.saturating_sub(join_within);
        for member in 0..talk.members.len() as u32 {
            if member > 0 {
                let at = intended.after(join_within.mul_f64(talk.draw()));
                agenda.note(at, Due::Come { talk: id, member });
            }
            for _ in 0..messages {
                let at = intended.after(join_within + talking.mul_f64(talk.draw()));
                agenda.note(at, Due::Say { talk: id, member });
            }
        }
        agenda.note(intended.after(lasting), Due::End { talk: id });
        self.take_step(world, id, 0, Operation::Create, (intended, now));
    }

    /// Does what is due in a talk; true when the large conference is over.
    pub fn due(
        &mut self,
        world: &mut World,
        agenda: &mut Agenda,
        due: Due,
        (at, now): (Moment, Moment),
    ) -> bool {
        match due {
            Due::Come { talk, member } => self.come(world, talk, member as usize, at, now),
            Due::Type { talk, member } => {
                self.write(world, talk, Deed::Type(member as usize), (at, now));
            }
            Due::Say { talk, member } => {
                self.write(world, talk, Deed::Say(member as usize), (at, now));
                self.plan_message(agenda, talk, 1 - member.min(1), at);
            }
            Due::End { talk } => return self.end(world, agenda, talk, now),
            Due::Begin { .. } | Due::Unsubscribe { .. } => {}
        }
        false
    }

    /// Sends what a member writes; while he is on his way it waits, as a person would.
    fn write(&mut self, world: &mut World, id: u32, deed: Deed, (intended, now): (Moment, Moment)) {
        let member = deed.member();
        match self.talks.get_mut(&id) {
            Some(talk) if talk.is_in(member) => match deed {
                Deed::Type(_) => world.typing(talk.members[member], intended, now),
                Deed::Say(_) => self.say(world, id, member, intended, now),
            },
            Some(talk) if talk.is_coming(member) => talk.held.push((intended, deed)),
            _ => world.fail(deed.operation(), intended, Cause::NoSession),
        }
    }

    /// Sends what has waited for members who can write now.
    fn write_held(&mut self, world: &mut World, id: u32, now: Moment) {
        let held = self.talks.get_mut(&id).map(|talk| std::mem::take(&mut talk.held));
        for (intended, deed) in held.unwrap_or_default() {
            self.write(world, id, deed, (intended, now));
        }
    }

    fn say(&mut self, world: &mut World, id: u32, member: usize, intended: Moment, now: Moment) {
        let Some(talk) = self.talks.get(&id) else { return };
        let slot = talk.members[member];
        let number = self.ledger.next(slot);
        let stamp = Stamp { run: world.env.run, pair: world.number(slot), number, intended };
        let sent = match (self.dialect, talk.members.as_slice()) {
            (Dialect::Simple, &[one, other]) => {
                let peer = if slot == one { other } else { one };
                world.message(slot, peer, &stamp, talk.octets, now)
            }
            _ => world.say(slot, &stamp, talk.octets, now),
        };
        if sent {
            self.ledger.begin(slot, intended, talk.listening().saturating_sub(1));
            world.remind(slot, number | MESSAGE, now.after(world.settings().timeout));
        }
    }

    fn come(&mut self, world: &mut World, id: u32, member: usize, at: Moment, now: Moment) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        if talk.stages.get(member) != Some(&Stage::Out) {
            return;
        }
        if talk.place.focus.is_empty() {
            talk.stages[member] = Stage::Due(at);
        } else {
            self.take_step(world, id, member, Operation::Focus, (at, now));
        }
    }

    fn take_step(
        &mut self,
        world: &mut World,
        id: u32,
        member: usize,
        step: Operation,
        (began, now): (Moment, Moment),
    ) {
        let Some(talk) = self.talks.get_mut(&id) else { return };
        talk.stages[member] = Stage::Waiting(step, began);
        if !way::take(world, talk.members[member], step, &talk.place, now) {
            talk.stages[member] = Stage::Out;
            let what = if step == Operation::Create { step } else { Operation::Join };
            world.fail(what, began, Cause::NoSession);
        }
    }

    /// A request of a user has its outcome.
    pub fn finished(
        &mut self,
        world: &mut World,
        slot: Slot,
        operation: Operation,
        intended: Moment,
        result: Result<(), Cause>,
        now: Moment,
    ) {
        if operation == Operation::Message {
            self.ledger.answered(slot, intended, result.is_ok());
            return;
        }
        let id = self.of[slot];
        let Some(talk) = self.talks.get_mut(&id) else {
            // What was begun for a talk that has ended since.
            if result.is_ok() && matches!(operation, Operation::Focus | Operation::Invite) {
                world.bye(slot, now);
            }
            return;
        };
        let Some(member) = talk.member(slot) else { return };
        if operation == Operation::Bye && talk.ending {
            return self.release(slot);
        }
        let Stage::Waiting(step, began) = talk.stages[member] else { return };
        if step != operation {
            return;
        }
        match (talk.kind, result) {
            (Kind::Session { .. }, Ok(())) => {
                for member in 0..talk.members.len() {
                    talk.let_in(member, |author| self.ledger.next(author) - 1);
                }
                self.write_held(world, id, now);
            }
            (Kind::Session { .. }, Err(_)) => self.drop_talk(world, id),
            (Kind::Conference { .. }, Err(_)) => {
                talk.stages[member] = Stage::Out;
                self.write_held(world, id, now);
            }
            (Kind::Conference { chat, .. }, Ok(())) => {
                match way::next(operation, true, chat) {
                    // The way of the conference's maker counts from here on, as that of all others.
                    Some(step) if operation == Operation::Create => {
                        self.take_step(world, id, member, step, (now, now));
                        self.let_in(world, id, now);
                    }
                    Some(step) => self.take_step(world, id, member, step, (began, now)),
                    None => {
                        talk.let_in(member, |author| self.ledger.next(author) - 1);
                        world.succeed(Operation::Join, began, now);
                        self.write_held(world, id, now);
                    }
                }
            }
        }
    }

    /// Lets those come who have waited for the conference to be made.
    fn let_in(&mut self, world: &mut World, id: u32, now: Moment) {
        let count = self.talks.get(&id).map_or(0, |talk| talk.members.len());
        for member in 0..count {
            let stage = self.talks.get(&id).and_then(|talk| talk.stages.get(member).copied());
            if let Some(Stage::Due(at)) = stage {
                self.take_step(world, id, member, Operation::Focus, (at, now));
            }
        }
    }

    /// A conference was made: where it is.
    pub fn created(&mut self, slot: Slot, focus: &str) {
        if let Some(talk) = self.talks.get_mut(&self.of[slot]) {
            focus.clone_into(&mut talk.place.focus);
        }
    }

    /// Where the messages of a conference go.
    pub fn found_chat(&mut self, slot: Slot, chat: &str) {
        if let Some(talk) = self.talks.get_mut(&self.of[slot])
            && talk.place.chat.is_empty()
        {
            chat.clone_into(&mut talk.place.chat);
        }
    }

    /// A message has reached a user.
    pub fn arrived(&mut self, world: &mut World, slot: Slot, stamp: &Stamp, now: Moment) {
        if stamp.run != world.env.run {
            return;
        }
        let Some(author) = world.slot(stamp.pair) else { return };
        let talk = self.talks.get_mut(&self.of[author]);
        let both = talk.and_then(|talk| Some((talk.member(slot)?, talk.member(author)?, talk)));
        let Some((member, from, talk)) = both.filter(|(member, from, _)| member != from) else {
            // What was given up may come late, when its author talks to others.
            if self.ledger.waits_for(author, stamp.number) {
                world.fail(Operation::Delivery, stamp.intended, Cause::Misdelivered);
            }
            return;
        };
        if talk.is_past(member, from, stamp.number) {
            return;
        }
        let arrival = talk.arrived(member, from).note(stamp.number);
        if !world.is_new(arrival, stamp.intended) {
            return;
        }
        let (expected, _) = self.ledger.arrived(author, stamp.number);
        // Else it was given up before.
        if expected {
            world.succeed(Operation::Delivery, stamp.intended, now);
        }
    }

    /// The time of a message is up: who does not have it has lost it.
    pub fn overdue(&mut self, world: &mut World, slot: Slot, number: u32) {
        let Some(said) = self.ledger.overdue(slot, number) else { return };
        if world.counts(Operation::Delivery, said.intended) {
            let lost = u64::from(said.missing);
            world.stats.fail(Operation::Delivery, Cause::Undelivered, lost);
        }
    }

    /// Messages that were accepted and that some have not got.
    pub fn missing(&self) -> impl Iterator<Item = &Said> {
        self.ledger.missing()
    }

    /// The server has ended a session or a membership of a user.
    pub fn ended(&mut self, world: &mut World, slot: Slot, now: Moment) {
        let Some(talk) = self.talks.get_mut(&self.of[slot]) else { return };
        if !talk.ending {
            let conference = matches!(talk.kind, Kind::Conference { .. });
            let what = if conference { Operation::Join } else { Operation::Invite };
            world.stats.fail(what, Cause::Terminated, 1);
        }
        self.left(world, slot, now);
    }

    /// A user is out of his talk, if he was in one; a session ends with that.
    pub fn left(&mut self, world: &mut World, slot: Slot, now: Moment) {
        let id = self.of[slot];
        self.release(slot);
        let Some(talk) = self.talks.get_mut(&id) else { return };
        if matches!(talk.kind, Kind::Session { .. }) && !talk.ending {
            talk.ending = true;
            let other = talk.members.iter().copied().find(|member| *member != slot);
            if let Some(other) = other {
                world.bye(other, now);
            }
        }
    }

    /// The time of a talk is up; true when it was the large one and is over.
    fn end(&mut self, world: &mut World, agenda: &mut Agenda, id: u32, now: Moment) -> bool {
        let Some(talk) = self.talks.get_mut(&id) else { return false };
        let large = matches!(talk.kind, Kind::Conference { large: true, .. });
        if talk.ending {
            // Somebody was not told, or not answered, in the time that requests have.
            if !large && self.dialect == Dialect::Ms {
                world.fail(Operation::Bye, now, Cause::Undelivered);
            }
            self.drop_talk(world, id);
            return large;
        }
        // Those under way go first; what takes too long is given up by itself.
        if talk.members.iter().any(|&member| self.ledger.is_open(member)) {
            agenda.note(now.after(LOOK_AGAIN), Due::End { talk: id });
            return false;
        }
        talk.ending = true;
        for (intended, deed) in std::mem::take(&mut talk.held) {
            world.fail(deed.operation(), intended, Cause::NoSession);
        }
        agenda.note(now.after(world.settings().timeout), Due::End { talk: id });
        let conference = matches!(talk.kind, Kind::Conference { .. });
        let members: Vec<(Slot, Stage)> =
            talk.members.iter().copied().zip(talk.stages.iter().copied()).collect();
        for (at, (slot, stage)) in members.into_iter().enumerate() {
            match stage {
                Stage::Due(began) => {
                    world.fail(Operation::Join, began, Cause::NoSession);
                    self.release(slot);
                }
                Stage::Out => self.release(slot),
                Stage::Gone => {}
                Stage::Waiting(..) | Stage::In if conference => {
                    world.unsubscribe_from(slot, Which::Roster, now);
                    world.bye(slot, now);
                }
                Stage::Waiting(..) | Stage::In if self.dialect == Dialect::Simple => {
                    self.release(slot);
                }
                // The other one is told.
                Stage::Waiting(..) | Stage::In if at > 0 => {}
                Stage::Waiting(..) | Stage::In => world.bye(slot, now),
            }
        }
        false
    }

    fn release(&mut self, slot: Slot) {
        let id = std::mem::take(&mut self.of[slot]);
        if let Some(talk) = self.talks.get_mut(&id) {
            if let Some(member) = talk.member(slot) {
                talk.stages[member] = Stage::Gone;
            }
            if talk.is_over() {
                self.talks.remove(&id);
            }
        }
    }

    fn drop_talk(&mut self, world: &mut World, id: u32) {
        let Some(talk) = self.talks.remove(&id) else { return };
        for (intended, deed) in talk.held {
            world.fail(deed.operation(), intended, Cause::NoSession);
        }
        for member in talk.members {
            if self.of[member] == id {
                self.of[member] = 0;
            }
        }
    }
}
