//! The conference beside the model, and beside what its watchers and members make of what they are
//! told, over random lists of what may happen to it.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;

use super::model::{Model, Person, recalled, sent};
use super::stage::{leg, subscription, user, words};
use super::steps::*;
use crate::base::aor::Aor;
use crate::base::ids::{LegId, SubscriptionId};
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};
use crate::immcu::conference::*;

/// What a watcher knows: who is in or waits, as what, and members on which legs; and what was laid down.
#[derive(Clone, Debug, PartialEq, Eq)]
struct View {
    people: BTreeMap<Aor, (bool, Role, Vec<Reach>)>,
    described: (Box<str>, Admission, bool, bool),
    version: u32,
}

struct Drive {
    conference: Conference,
    limits: Limits,
    now: Now,
    /// Every leg there ever was, in the order of opening.
    legs: Vec<Reach>,
    views: BTreeMap<SubscriptionId, (Aor, View)>,
    /// What each member has been sent since he first came: numbers.
    heard: BTreeMap<Aor, Vec<(Reach, u64)>>,
    /// Members as the record has them.
    recorded: Vec<Aor>,
    ended: bool,
}

impl Drive {
    fn new(description: Description, limits: Limits) -> Self {
        let now = Now { mono_ms: 1_000, unix_ms: super::stage::BORN_UNIX_MS };
        Drive {
            conference: Conference::new(now, description, &limits),
            limits,
            now,
            legs: vec![],
            views: BTreeMap::new(),
            heard: BTreeMap::new(),
            recorded: vec![],
            ended: false,
        }
    }

    /// One of the latest legs.
    fn leg(&self, which: usize) -> Reach {
        let latest = self.legs.len().min(12);
        let at = (self.legs.len() - latest) + which.checked_rem(latest).unwrap_or(0);
        self.legs.get(at).cloned().unwrap_or(leg(0, 999))
    }

    fn input(&mut self, step: Step) -> Option<Input> {
        Some(match step {
            Step::Join(who, core, kind) => {
                let (name, relation) = PEOPLE[who];
                let reach = match core {
                    Some(core) => leg(core, self.legs.len() as u32),
                    None => Reach::Pager(user(name)),
                };
                self.legs.push(reach.clone());
                Input::Join(super::stage::join(name, reach, kind, relation))
            }
            Step::Left(which, how) => Input::Left { reach: self.leg(which), how },
            Step::Say(which, octets) => Input::Say {
                reach: self.leg(which),
                content_type: Bytes::from_static(b"text/plain"),
                body: vec![b'x'; octets].into(),
            },
            Step::Type(which) => Input::Type { reach: self.leg(which), typing: true },
            Step::Undelivered(which, back) => {
                let number = self.conference.messages().saturating_sub(back);
                Input::Undelivered { reach: self.leg(which), number, status: 408 }
            }
            Step::Command(by, command) => {
                let by = by.map(|by| user(PEOPLE[by].0));
                Input::Command { by, command }
            }
            Step::Watch(who, which, poll) => {
                let ((name, relation), subscription) = (PEOPLE[who], watched(which));
                Input::Watch { subscription, by: user(name), relation, poll }
            }
            Step::Unwatch(which) => Input::Unwatch { subscription: watched(which) },
            Step::Drain => Input::Drain,
            Step::Pass(_) => return None,
        })
    }

    fn take(&mut self, input: Input) -> Result<Vec<Output>, TestCaseError> {
        let before = (self.conference.version(), self.conference.messages());
        let watcher = match &input {
            Input::Watch { by, poll: false, .. } => Some(by.clone()),
            _ => None,
        };
        if let Input::Unwatch { subscription } | Input::Watch { subscription, .. } = &input {
            self.views.remove(subscription);
        }
        self.conference.handle(self.now, input, &self.limits);
        self.conference.check_invariants(&self.limits);
        let outputs: Vec<_> = std::iter::from_fn(|| self.conference.next_output()).collect();
        let version = self.conference.version();
        let went =
            outputs.iter().filter(|output| matches!(output, Output::Departed { .. })).count();
        let went = u32::try_from(went).unwrap_or(u32::MAX);
        let most = before.0 + went.max(1);
        prop_assert!((before.0..=most).contains(&version));
        for output in &outputs {
            prop_assert!(!self.ended || is_refusal(output), "{:?} after the end", output);
            self.hear(output, (version, went), watcher.as_ref())?;
        }
        self.look_around()?;
        let said = outputs.iter().filter(|output| matches!(output, Output::Said { .. })).count();
        prop_assert_eq!(self.conference.messages(), before.1 + said as u64);
        Ok(outputs)
    }

    fn hear(
        &mut self,
        output: &Output,
        (version, went): (u32, u32),
        watcher: Option<&Aor>,
    ) -> Result<(), TestCaseError> {
        match output {
            Output::Said { number, .. } => prop_assert_eq!(*number, self.conference.messages()),
            Output::Carry { shard, legs, except, speech } => {
                prop_assert!(except.is_none_or(|except| legs.contains(&except)));
                for slot in legs.iter().filter(|slot| Some(**slot) != *except) {
                    self.reach(Reach::Leg(LegId::new(*shard, *slot)), speech)?;
                }
            }
            Output::Page { to, speech } => self.reach(Reach::Pager(to.clone()), speech)?,
            Output::Recall { reach, speech } => self.reach(reach.clone(), speech)?,
            Output::Seen { subscription, .. } => {
                if let Some(watcher) = watcher {
                    let view = self.view(watcher);
                    self.views.insert(*subscription, (watcher.clone(), view));
                }
            }
            Output::Dismiss { subscription } => {
                prop_assert!(self.views.remove(subscription).is_some());
            }
            Output::Tell { version: told, change, subscriptions } => {
                // Those who are given up together go one after another, each with a version.
                prop_assert!((version.saturating_sub(went)..=version).contains(told));
                prop_assert!(subscriptions.is_sorted());
                for subscription in subscriptions.iter() {
                    self.tell(*subscription, *told, change)?;
                }
            }
            Output::Entered { who, .. } => {
                prop_assert!(!self.recorded.contains(who));
                self.recorded.push(who.clone());
            }
            Output::Departed { who, .. } => {
                prop_assert!(self.recorded.contains(who));
                self.recorded.retain(|other| other != who);
            }
            Output::Ended(_) => self.ended = true,
            _ => {}
        }
        Ok(())
    }

    /// A message is carried to a leg: to none twice, and to each in order.
    fn reach(&mut self, reach: Reach, speech: &Speech) -> Result<(), TestCaseError> {
        let who = self.conference.who(&reach).cloned();
        prop_assert!(who.is_some(), "carried to a leg of nobody");
        let Some(who) = who else { return Ok(()) };
        let heard = self.heard.entry(who).or_default();
        let last = heard.iter().rev().find(|(leg, _)| *leg == reach);
        prop_assert!(last.is_none_or(|(_, last)| *last < speech.number));
        heard.push((reach, speech.number));
        Ok(())
    }

    /// A watcher takes up what has changed, as a client does.
    fn tell(
        &mut self,
        subscription: SubscriptionId,
        version: u32,
        change: &Change,
    ) -> Result<(), TestCaseError> {
        let Some((who, mut view)) = self.views.remove(&subscription) else {
            return Err(TestCaseError::fail("told to nobody"));
        };
        prop_assert!(version > view.version);
        let now = self.view(&who);
        match change {
            Change::All => view = now,
            Change::Description => view.described = now.described,
            Change::Members(members) => {
                for member in members {
                    match now.people.get(member) {
                        Some(person) => view.people.insert(member.clone(), person.clone()),
                        None => view.people.remove(member),
                    };
                }
            }
        }
        view.version = version;
        self.views.insert(subscription, (who, view));
        Ok(())
    }

    /// What can be seen by somebody: who waits sees himself alone.
    fn view(&self, who: &Aor) -> View {
        let waits = self.conference.waiting().any(|member| member.aor == *who);
        let seen = |member: &Member, is_in: bool| {
            // On how many legs somebody waits concerns nobody.
            let legs = member.legs.iter().filter(|_| is_in).map(|leg| leg.reach.clone()).collect();
            (member.aor.clone(), (is_in, member.role, legs))
        };
        let members = self.conference.members().map(|member| seen(member, true));
        let waiting = self.conference.waiting().map(|member| seen(member, false));
        let description = self.conference.description();
        let Description { subject, admission, lobby, locked, .. } = description;
        View {
            people: members.chain(waiting).filter(|(aor, _)| !waits || aor == who).collect(),
            described: (subject.clone(), *admission, *lobby, *locked),
            version: self.conference.version(),
        }
    }

    /// While changes are told, whoever watches knows exactly what is; the record knows who is in.
    fn look_around(&self) -> Result<(), TestCaseError> {
        for (who, view) in self.views.values() {
            let now = self.view(who);
            let waits = self.conference.waiting().any(|member| member.aor == *who);
            if waits {
                continue;
            }
            prop_assert_eq!(&view.described, &now.described);
            if self.conference.is_told() {
                prop_assert_eq!(view, &now);
            }
        }
        let mut members: Vec<_> = self.conference.members().map(|one| one.aor.clone()).collect();
        members.sort();
        let mut recorded = self.recorded.clone();
        recorded.sort();
        prop_assert_eq!(members, recorded);
        let is_empty = self.conference.members().chain(self.conference.waiting()).next().is_none();
        prop_assert!(!self.ended || (is_empty && self.views.is_empty()));
        prop_assert_eq!(self.ended, self.conference.is_over());
        Ok(())
    }
}

fn watched(which: u32) -> SubscriptionId {
    subscription(which as u16 % 2, which)
}

fn is_refusal(output: &Output) -> bool {
    match output {
        Output::Refused { refusal, .. }
        | Output::Forbidden(refusal)
        | Output::Unsaid { refusal, .. }
        | Output::Unseen { refusal, .. } => *refusal == Refusal::Ended,
        _ => false,
    }
}

/// Outputs as the model has them: each leg for itself, in no order, without what watchers are told.
fn plain(outputs: &[Output]) -> Vec<String> {
    let mut plain = vec![];
    for output in outputs {
        match output {
            Output::Tell { .. } | Output::Typing { .. } => {}
            Output::Carry { shard, legs, except, speech } => {
                let others = legs.iter().filter(|slot| Some(**slot) != *except);
                let reaches = others.map(|slot| Reach::Leg(LegId::new(*shard, *slot)));
                plain.extend(reaches.map(|reach| sent(&reach, speech.number)));
            }
            Output::Page { to, speech } => {
                plain.push(sent(&Reach::Pager(to.clone()), speech.number));
            }
            Output::Recall { reach, speech } => plain.push(recalled(reach, speech.number)),
            other => plain.push(words(other)),
        }
    }
    plain.sort();
    plain
}

fn people<'a>(members: impl Iterator<Item = &'a Member>) -> Vec<(Aor, Relation, Role, Vec<Reach>)> {
    let legs = |member: &Member| member.legs.iter().map(|leg| leg.reach.clone()).collect();
    members.map(|one| (one.aor.clone(), one.relation, one.role, legs(one))).collect()
}

fn modelled(people: &[Person]) -> Vec<(Aor, Relation, Role, Vec<Reach>)> {
    let legs = |one: &Person| one.legs.iter().map(|(reach, _, _)| reach.clone()).collect();
    people.iter().map(|one| (one.aor.clone(), one.relation, one.role, legs(one))).collect()
}

/// Takes one input beside the model.
fn take(drive: &mut Drive, model: &mut Model, input: Input) -> Result<(), TestCaseError> {
    model.take(drive.now, &input);
    let outputs = drive.take(input.clone())?;
    prop_assert_eq!(plain(&outputs), model.words.clone(), "{:?}", input);
    prop_assert_eq!(people(drive.conference.members()), modelled(&model.members));
    prop_assert_eq!(people(drive.conference.waiting()), modelled(&model.waiting));
    prop_assert_eq!(drive.conference.description(), &model.description);
    prop_assert_eq!(drive.conference.messages(), model.messages());
    prop_assert!(drive.views.keys().eq(model.watchers.keys()));
    Ok(())
}

/// Time passes; the caller wakes the conference when it asks for it, and never in vain.
fn sleep(drive: &mut Drive, model: &mut Model, ms: u64) -> Result<(), TestCaseError> {
    let until = drive.now.plus(pass(ms));
    while let Some(due) = drive.conference.next_deadline().filter(|due| until.reached(*due)) {
        drive.now = drive.now.plus(pass(due.0.saturating_sub(drive.now.mono_ms)));
        take(drive, model, Input::Tick)?;
        let next = drive.conference.next_deadline();
        prop_assert!(next.is_none_or(|next| next > Deadline(drive.now.mono_ms)), "wakes for ever");
    }
    drive.now = until;
    prop_assert_eq!(model.is_due(until), None);
    Ok(())
}

/// Takes steps beside the model, and the end.
pub fn run(
    description: Description,
    limits: Limits,
    steps: Vec<Step>,
    end: Step,
) -> Result<(), TestCaseError> {
    let mut drive = Drive::new(description.clone(), limits.clone());
    let mut model = Model::new(drive.now, description, &limits);
    for step in steps.into_iter().chain([end]) {
        match (drive.input(step.clone()), step) {
            (Some(input), _) => take(&mut drive, &mut model, input)?,
            (None, Step::Pass(ms)) => sleep(&mut drive, &mut model, ms)?,
            (None, _) => {}
        }
    }
    prop_assert!(drive.ended && model.over);
    prop_assert_eq!(drive.conference.next_deadline(), None);
    Ok(())
}

proptest! {
    /// Who comes in, waits, is refused or let go, what is carried, recalled and reported to whom, and
    /// when it ends: all is as the model says. Watchers know what is, legs are sent nothing twice.
    #[test]
    fn behaves_as_the_model(
        description in any_description(),
        steps in prop::collection::vec(any_step(), 0..80),
        end in any_end(),
    ) {
        let limits = Limits { conference_reports_max: 1000, ..limits() };
        run(description, limits, steps, end)?;
    }

    /// With room for next to nothing, no more is kept than may be.
    #[test]
    fn stays_within_its_bounds(
        description in any_description(),
        steps in prop::collection::vec(any_step(), 0..80),
        max in 0..3usize,
    ) {
        let limits = Limits {
            conference_reports_max: max,
            conference_recent_messages_max: max,
            conference_recent_bytes_max: 8 * max,
            ..limits()
        };
        let mut drive = Drive::new(description, limits);
        for step in steps {
            match (drive.input(step.clone()), step) {
                (Some(input), _) => drop(drive.take(input)?),
                (None, Step::Pass(ms)) => {
                    drive.now = drive.now.plus(pass(ms));
                    drop(drive.take(Input::Tick)?);
                }
                (None, _) => {}
            }
        }
    }
}
