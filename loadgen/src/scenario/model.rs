//! A population that does what a profile says, all flows at once and open loop: each flow has a
//! schedule of its own over the whole population, from the seed, and draws who does it. Nobody has
//! a timer for what he will do some day.
//!
//! Contacts and talks stay within a thread.

mod agenda;
mod graph;
mod talk;
mod talks;
#[cfg(test)]
mod tests;

use super::conference::ledger::Said;
use super::states::States;
use super::{Scenario, Share};
use crate::clock::Moment;
use crate::endpoint::{Event, Which};
use crate::link::Purpose;
use crate::pacer::Pacer;
use crate::population::mix;
use crate::profile::{Conferences, Profile, Sessions};
use crate::settings::{Plan, Settings};
use crate::stats::{Cause, Operation};
use crate::world::{Notice, Slot, Window, World};
use agenda::{Agenda, Due};
use graph::{Graph, below};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::HashSet;
use std::time::Duration;
use talk::unit;
use talks::{Course, MESSAGE, Talks};

/// How often somebody else is drawn when a user cannot do what is due.
const DRAWS_MAX: usize = 32;
/// Most requests of users who leave that wait for answers at once, for one thread.
const LEAVING_MAX: usize = 64;

/// Operations that count only within the window, where users come and go within it.
const MEASURED_WITH_SIGN_IN: &[Operation] = &[
    Operation::SignIn,
    Operation::OwnData,
    Operation::Subscribe,
    Operation::Message,
    Operation::Delivery,
    Operation::Typing,
    Operation::Invite,
    Operation::Create,
    Operation::Focus,
    Operation::Publish,
    Operation::Notify,
    Operation::ShortNotify,
    Operation::Poll,
    Operation::Search,
    Operation::ShortSubscribe,
    Operation::Refresh,
];
/// The same where all come before it: without what signing in consists of.
const MEASURED: &[Operation] = MEASURED_WITH_SIGN_IN.split_at(3).1;

/// Operations of a profile that count only within the window.
pub fn measured(profile: &Profile) -> &'static [Operation] {
    match profile.registration.returns_per_hour > 0.0 {
        true => MEASURED_WITH_SIGN_IN,
        false => MEASURED,
    }
}

/// The operation that stands for a profile where there is room for one.
pub fn main_operation(profile: &Profile) -> Operation {
    if profile.sessions.is_some() {
        Operation::Message
    } else if profile.publications_per_hour > 0.0 {
        Operation::Notify
    } else if profile.conferences.is_some() {
        Operation::Delivery
    } else if profile.registration.returns_per_hour > 0.0 {
        Operation::SignIn
    } else if !profile.polls.is_empty() {
        Operation::Poll
    } else if profile.search.is_some() {
        Operation::Search
    } else if profile.short_subscriptions.is_some() {
        Operation::ShortSubscribe
    } else {
        Operation::Refresh
    }
}

/// What is done at the moments of one schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Renew,
    Return,
    Publish,
    /// Which of the profile's polls.
    Poll(usize),
    SubscribeShortly,
    Search,
    Session,
    Conference,
}

/// One schedule, and the draws that belong to it.
struct Flow {
    deed: Deed,
    /// How often a second.
    rate: f64,
    pacer: Pacer,
    rng: StdRng,
}

/// Users who do what a profile says.
pub struct Model {
    plan: &'static Plan,
    users: usize,
    graph: Graph,
    states: States,
    talks: Talks,
    agenda: Agenda,
    flows: Vec<Flow>,
    /// For what belongs to no flow.
    rng: StdRng,
    /// Whether this thread has the large conference.
    has_large: bool,
    /// Users who subscribed shortly when they came, with the number of batches.
    early: Vec<(Slot, usize)>,
    /// Users who sign out to come back.
    returning: HashSet<Slot>,
    next_renewal: Slot,
    running: bool,
    until: Moment,
    /// The next one to leave, once they do.
    leaving: Option<Slot>,
}

impl Model {
    /// For one thread.
    pub fn new(plan: &'static Plan, settings: &Settings, share: Share) -> Model {
        let profile = &plan.profile;
        let users = share.count as usize;
        let seed = share.seed(settings);
        let mut rng = StdRng::seed_from_u64(seed);
        let graph = Graph::new(users, profile.contacts.as_ref(), &mut rng);
        let polls = profile.polls.iter().enumerate();
        let conferences = profile.conferences.as_ref().map_or(0.0, Conferences::per_hour);
        let mut deeds = vec![
            (Deed::Renew, 3600.0 / profile.registration.refresh_every.as_secs_f64()),
            (Deed::Return, profile.registration.returns_per_hour),
            (Deed::Publish, profile.publications_per_hour),
            (Deed::Search, profile.search.map_or(0.0, |search| search.per_hour)),
            (
                Deed::SubscribeShortly,
                profile.short_subscriptions.map_or(0.0, |short| short.per_hour),
            ),
            (Deed::Session, profile.sessions.map_or(0.0, |sessions| sessions.per_hour)),
            (Deed::Conference, conferences),
        ];
        deeds.extend(polls.map(|(kind, polls)| (Deed::Poll(kind), polls.per_hour)));
        let flow = |(at, (deed, per_hour)): (usize, (Deed, f64))| Flow {
            deed,
            rate: per_hour / 3600.0 * users as f64 * plan.scale,
            pacer: Pacer::new(0.0, settings.arrivals, Moment(0), 0),
            rng: StdRng::seed_from_u64(mix(seed ^ mix(at as u64 + 1))),
        };
        let large = profile.conferences.as_ref().map_or(0, |conferences| conferences.large);
        Model {
            plan,
            users,
            states: States::new(users, graph.edges()),
            graph,
            talks: Talks::new(users, settings.dialect, seed),
            agenda: Agenda::default(),
            flows: deeds.into_iter().enumerate().map(flow).collect(),
            rng,
            has_large: large > 0 && share.first == 0 && users > large as usize,
            early: Vec::new(),
            returning: HashSet::new(),
            next_renewal: 0,
            running: false,
            until: Moment(0),
            leaving: None,
        }
    }

    /// A time of the profile, in the time of this run.
    fn lasting(&self, time: Duration) -> Duration {
        time.div_f64(self.plan.scale)
    }

    /// A user has signed in: he asks for what is his, watches his contacts, and says that he is
    /// there.
    fn come(&mut self, world: &mut World, slot: Slot, now: Moment) {
        if self.plan.profile.registration.own_data {
            world.own_data(slot, now);
        }
        for batch in self.batches(world, slot) {
            world.subscribe(slot, &batch, now);
        }
        if self.graph.edges() > 0 {
            self.states.publish(world, slot, now, now);
        }
        let Some(short) = self.plan.profile.short_subscriptions else { return };
        // As many are alive on average when the load begins as later.
        let alive = short.per_hour * short.lasting.as_secs_f64() / 3600.0;
        let one_more = unit(self.rng.next_u64()) < alive.fract();
        for _ in 0..alive as usize + usize::from(one_more) {
            let batches = self.subscribe_shortly(world, slot, now, now);
            if !self.running && batches > 0 {
                self.early.push((slot, batches));
            }
        }
    }

    /// The contacts of a user, by their numbers, in as many lists as they are asked for with.
    fn batches(&self, world: &World, slot: Slot) -> Vec<Vec<u32>> {
        let most = self.plan.profile.contacts.as_ref().map_or(1, |contacts| contacts.batch_max);
        let numbers = |part: &[u32]| part.iter().map(|&user| world.number(user as Slot)).collect();
        self.graph.contacts(slot).chunks(most.max(1)).map(numbers).collect()
    }

    /// How many subscriptions that makes; while the load runs they are ended in time.
    fn subscribe_shortly(
        &mut self,
        world: &mut World,
        slot: Slot,
        intended: Moment,
        now: Moment,
    ) -> usize {
        let batches = self.batches(world, slot);
        for batch in &batches {
            world.subscribe_shortly(slot, batch, intended, now);
        }
        if let Some(short) = self.plan.profile.short_subscriptions.filter(|_| self.running) {
            let end = intended.after(self.lasting(short.lasting));
            self.agenda.note(end, Due::Unsubscribe { slot, batches: batches.len() });
        }
        batches.len()
    }

    /// Does one thing of a flow.
    fn act(&mut self, world: &mut World, flow: usize, intended: Moment, now: Moment) {
        let (deed, at) = (self.flows[flow].deed, (intended, now));
        match deed {
            Deed::Renew => {
                let slot = self.next_renewal;
                self.next_renewal = (slot + 1) % self.users;
                // Else he is being renewed already, or not there: that is counted as his connection.
                if world.is_signed_in(slot) && !world.is_renewing(slot) {
                    world.refresh(slot, intended, now);
                }
            }
            Deed::Return => match self.drawn(world, flow, |model, slot| {
                model.talks.is_free(slot) && !world.is_renewing(slot)
            }) {
                Some(slot) if world.sign_out(slot, now) => _ = self.returning.insert(slot),
                _ => world.fail(Operation::SignIn, intended, Cause::Overrun),
            },
            Deed::Publish => {
                let fits = |model: &Model, slot| !model.states.is_unanswered(slot);
                match self.drawn(world, flow, fits) {
                    Some(slot) => _ = self.states.publish(world, slot, intended, now),
                    None => world.fail(Operation::Publish, intended, Cause::Overrun),
                }
            }
            Deed::Poll(kind) => self.poll(world, flow, kind, intended, now),
            Deed::SubscribeShortly => {
                let fits = |model: &Model, slot| !model.graph.contacts(slot).is_empty();
                match self.drawn(world, flow, fits) {
                    Some(slot) => _ = self.subscribe_shortly(world, slot, intended, now),
                    None => world.fail(Operation::ShortSubscribe, intended, Cause::NoSession),
                }
            }
            Deed::Search => {
                let results_max = self.plan.profile.search.map_or(1, |search| search.results_max);
                let Some(slot) = self.drawn(world, flow, |_, _| true) else {
                    return world.fail(Operation::Search, intended, Cause::NoSession);
                };
                let user = world.number(below(&mut self.flows[flow].rng, self.users));
                let name = format!("Load User {}", user / 10);
                world.search(slot, &name, results_max, intended, now);
            }
            Deed::Session => {
                if let Some(sessions) = self.plan.profile.sessions {
                    self.begin_session(world, flow, &sessions, at);
                }
            }
            Deed::Conference => {
                let plan = self.plan;
                if let Some(conferences) = &plan.profile.conferences {
                    let lasting = conferences.lasting;
                    let members = pick(&mut self.flows[flow].rng, &conferences.sizes, |size| {
                        (size.share, size.members)
                    });
                    self.begin_conference(world, flow, members, lasting, at);
                }
            }
        }
    }

    fn poll(&mut self, world: &mut World, flow: usize, kind: usize, intended: Moment, now: Moment) {
        let Some(slot) = self.drawn(world, flow, |_, _| true) else {
            return world.fail(Operation::Poll, intended, Cause::NoSession);
        };
        let wanted = self.plan.profile.polls.get(kind).map_or(1, |polls| polls.users as usize);
        let rng = &mut self.flows[flow].rng;
        let mut users: Vec<u32> = Vec::with_capacity(wanted);
        // Those who follow a drawn one in the list of users: nobody twice, and not the user himself.
        let first = below(rng, self.users);
        let following = (0..self.users).map(|step| (first + step) % self.users);
        let others = following.filter(|other| *other != slot).take(wanted);
        users.extend(others.map(|other| world.number(other)));
        world.poll(slot, &users, intended, now);
    }

    /// Somebody who is signed in and of whom `fits` holds.
    fn drawn(
        &mut self,
        world: &World,
        flow: usize,
        fits: impl Fn(&Model, Slot) -> bool,
    ) -> Option<Slot> {
        (0..DRAWS_MAX).find_map(|_| {
            let slot = below(&mut self.flows[flow].rng, self.users);
            let can = world.is_signed_in(slot) && !self.returning.contains(&slot);
            (can && fits(self, slot)).then_some(slot)
        })
    }

    /// Somebody who is signed in and talks to nobody.
    fn free(&mut self, world: &World, flow: usize) -> Option<Slot> {
        self.drawn(world, flow, |model, slot| model.talks.is_free(slot))
    }

    fn begin_session(
        &mut self,
        world: &mut World,
        flow: usize,
        sessions: &Sessions,
        at: (Moment, Moment),
    ) {
        let pair = (0..DRAWS_MAX).find_map(|_| {
            let caller = self.free(world, flow)?;
            let contacts = self.graph.contacts(caller);
            let rng = &mut self.flows[flow].rng;
            let callee = match contacts.is_empty() {
                true => below(rng, self.users),
                false => contacts[below(rng, contacts.len())] as Slot,
            };
            let fits = callee != caller
                && world.is_signed_in(callee)
                && !self.returning.contains(&callee)
                && self.talks.is_free(callee);
            fits.then_some([caller, callee])
        });
        let sessions = Sessions { gap: self.lasting(sessions.gap), ..*sessions };
        match pair {
            Some(pair) => {
                self.talks.begin_session(world, &mut self.agenda, pair, &sessions, at);
            }
            None => world.fail(Operation::Invite, at.0, Cause::Overrun),
        }
    }

    /// Begins a conference that has `rest` of its time, as the profile counts it.
    fn begin_conference(
        &mut self,
        world: &mut World,
        flow: usize,
        members: u32,
        rest: Duration,
        at: (Moment, Moment),
    ) {
        let plan = self.plan;
        let Some(conferences) = &plan.profile.conferences else { return };
        let mut slots: Vec<Slot> = Vec::with_capacity(members as usize);
        for _ in 0..members {
            let fits = |model: &Model, slot| model.talks.is_free(slot) && !slots.contains(&slot);
            match self.drawn(world, flow, fits) {
                Some(slot) => slots.push(slot),
                None => return world.fail(Operation::Create, at.0, Cause::Overrun),
            }
        }
        let messages =
            pick(&mut self.flows[flow].rng, &conferences.kinds, |kind| (kind.share, kind.messages));
        let lasting = self.lasting(rest);
        // One that is in the middle when the load begins is joined at once, so that it is so when
        // the window opens.
        let whole = rest == conferences.lasting;
        let join_within = match (whole, world.window()) {
            (false, Some(window)) => lasting.mul_f64(0.5).min(window.from.since(window.start)),
            _ => self.lasting(conferences.join_within),
        };
        let course = Course {
            messages,
            large: members == conferences.large,
            join_within: join_within.min(lasting),
            lasting,
            octets: conferences.octets,
        };
        self.talks.begin_conference(world, &mut self.agenda, slots, course, at);
    }

    /// Plans the conferences that go on when the load begins.
    fn plan_conferences(&mut self, window: Window) {
        let plan = self.plan;
        let Some(conferences) = &plan.profile.conferences else { return };
        let warm_up = window.from.since(window.start);
        let going_on = conferences.users * self.users as f64 / conferences.members();
        for _ in 0..going_on.round() as usize {
            let at = window.start.after(warm_up.mul_f64(unit(self.rng.next_u64()) / 2.0));
            let rest = conferences.lasting.mul_f64(unit(self.rng.next_u64()));
            let rest_ns = u64::try_from(rest.as_nanos()).unwrap_or(u64::MAX);
            self.agenda.note(at, Due::Begin { large: false, rest_ns });
        }
        if self.has_large {
            self.plan_large(conferences, window.start);
        }
    }

    fn plan_large(&mut self, conferences: &Conferences, at: Moment) {
        let rest_ns = u64::try_from(conferences.lasting.as_nanos()).unwrap_or(u64::MAX);
        self.agenda.note(at, Due::Begin { large: true, rest_ns });
    }

    /// Does what the agenda says.
    fn due(&mut self, world: &mut World, due: Due, at: Moment, now: Moment) {
        let plan = self.plan;
        match (due, &plan.profile.conferences) {
            (Due::Unsubscribe { slot, batches }, _) => {
                world.unsubscribe_from(slot, Which::Short(batches), now);
            }
            (Due::Begin { large, rest_ns }, Some(conferences)) => {
                let flow = self.flows.iter().position(|flow| flow.deed == Deed::Conference);
                let Some(flow) = flow else { return };
                let members = match large {
                    true => conferences.large,
                    false => pick(&mut self.flows[flow].rng, &conferences.sizes, |size| {
                        (size.share, size.members)
                    }),
                };
                let rest = Duration::from_nanos(rest_ns);
                self.begin_conference(world, flow, members, rest, (at, now));
            }
            (due, conferences) => {
                let over = self.talks.due(world, &mut self.agenda, due, (at, now));
                if let Some(conferences) = conferences.as_ref().filter(|_| over) {
                    self.plan_large(conferences, now);
                }
            }
        }
    }

    fn finished(
        &mut self,
        world: &mut World,
        slot: Slot,
        (operation, intended): (Operation, Moment),
        result: Result<(), Cause>,
        now: Moment,
    ) {
        // What users do when they come has no window, but must not fail unseen.
        if let Err(cause) = result
            && self.leaving.is_none()
            && world.window().is_none()
            && !world.counts(operation, intended)
        {
            world.stats.fail(operation, cause, 1);
        }
        match operation {
            Operation::SignIn if result.is_ok() => self.come(world, slot, now),
            // Only of those who come back: else the driver hears it.
            Operation::SignIn => world.close(slot),
            Operation::Publish => {
                if self.states.answered(slot, result) {
                    self.states.settle(&self.graph, slot);
                }
            }
            _ => self.talks.finished(world, slot, operation, intended, result, now),
        }
        let ends =
            matches!(operation, Operation::Unsubscribe | Operation::Unpublish | Operation::Bye);
        if ends {
            self.leave_on(world, now);
        }
    }

    fn down(&mut self, world: &mut World, slot: Slot, now: Moment) {
        for at in 0..self.graph.contacts(slot).len() {
            let contact = self.graph.contacts(slot)[at] as Slot;
            self.states.watches(&self.graph, slot, contact, false);
            self.states.settle(&self.graph, contact);
        }
        self.talks.left(world, slot, now);
        if self.returning.remove(&slot) && self.running {
            world.open(slot, Purpose::SignIn, now, now);
        }
    }

    /// Lets some more leave.
    fn leave_on(&mut self, world: &mut World, now: Moment) {
        while let Some(slot) = self.leaving.filter(|&slot| slot < self.users)
            && world.outstanding < LEAVING_MAX
        {
            self.leaving = Some(slot + 1);
            world.unsubscribe(slot, now);
            world.bye(slot, now);
            world.unpublish(slot, now);
        }
    }
}

/// One of several with shares that come to 1.
fn pick<T>(rng: &mut StdRng, choices: &[T], of: impl Fn(&T) -> (f64, u32)) -> u32 {
    let mut rest = unit(rng.next_u64());
    let mut last = 0;
    for (share, value) in choices.iter().map(of).filter(|(share, _)| *share > 0.0) {
        last = value;
        if rest < share {
            break;
        }
        rest -= share;
    }
    last
}

impl Scenario for Model {
    fn signs_in(&self) -> bool {
        true
    }

    fn start(&mut self, world: &mut World, window: Window, _now: Moment) {
        let arrivals = world.settings().arrivals;
        for flow in &mut self.flows {
            let seed = flow.rng.next_u64();
            flow.pacer = Pacer::new(flow.rate, arrivals, window.start, seed);
        }
        self.until = window.until;
        self.running = true;
        if let Some(short) = self.plan.profile.short_subscriptions {
            let lasting = self.lasting(short.lasting);
            for (slot, batches) in std::mem::take(&mut self.early) {
                let end = window.start.after(lasting.mul_f64(unit(self.rng.next_u64())));
                self.agenda.note(end, Due::Unsubscribe { slot, batches });
            }
        }
        self.plan_conferences(window);
    }

    fn tick(&mut self, world: &mut World, now: Moment) {
        if !self.running {
            return;
        }
        for at in 0..self.flows.len() {
            while self.flows[at].pacer.next() < self.until
                && let Some(intended) = self.flows[at].pacer.take(now)
            {
                self.act(world, at, intended, now);
            }
        }
        while self.agenda.next() < self.until
            && let Some((at, due)) = self.agenda.take(now)
        {
            self.due(world, due, at, now);
        }
    }

    fn next_deadline(&self) -> Moment {
        if !self.running {
            return Moment::NEVER;
        }
        let flows = self.flows.iter().map(|flow| flow.pacer.next());
        flows.fold(self.agenda.next(), Moment::min)
    }

    fn handle(&mut self, world: &mut World, slot: Slot, notice: &Notice, now: Moment) {
        let event = match notice {
            Notice::Endpoint(event) => event,
            Notice::Reminder(number) if number & MESSAGE != 0 => {
                return self.talks.overdue(world, slot, number & !MESSAGE);
            }
            Notice::Reminder(number) => {
                if self.states.overdue(&self.graph, world, slot, *number) {
                    self.states.settle(&self.graph, slot);
                }
                return;
            }
            Notice::Down => return self.down(world, slot, now),
            Notice::Up => return,
        };
        match event {
            Event::Finished { pending, result } => {
                let what = (pending.operation, pending.intended);
                self.finished(world, slot, what, *result, now);
            }
            Event::Noticed(stamp) => {
                let new = self.states.arrived(&self.graph, world, slot, stamp, now);
                if let Some(publisher) = new {
                    self.states.settle(&self.graph, publisher);
                }
            }
            Event::NoticedShortly(stamp) if stamp.run == world.env.run => {
                world.succeed(Operation::ShortNotify, stamp.intended, now);
            }
            Event::Watching(users) => {
                for contact in users.iter().filter_map(|user| world.slot(*user)) {
                    self.states.watches(&self.graph, slot, contact, true);
                }
            }
            Event::Unwatched(users) if self.leaving.is_none() => {
                let ending = users.is_empty();
                if !ending {
                    world.stats.fail(Operation::Subscribe, Cause::Terminated, 1);
                }
                for contact in users.iter().filter_map(|user| world.slot(*user)) {
                    self.states.watches(&self.graph, slot, contact, false);
                }
            }
            Event::Arrived(stamp) => self.talks.arrived(world, slot, stamp, now),
            Event::Misattributed(stamp) => {
                world.fail(Operation::Delivery, stamp.intended, Cause::Misattributed);
                self.talks.arrived(world, slot, stamp, now);
            }
            Event::Created(focus) => self.talks.created(slot, focus),
            Event::Chat(chat) => self.talks.found_chat(slot, chat),
            Event::Refused(reason) => world.stats.example(Cause::Refused, || reason.clone()),
            Event::Ended if self.leaving.is_none() => self.talks.ended(world, slot, now),
            _ => {}
        }
    }

    fn stop(&mut self) {
        self.running = false;
        self.agenda.clear();
    }

    fn missing(&self, world: &World) -> u64 {
        self.lost(world).iter().map(|(_, count)| count).sum()
    }

    fn lost(&self, world: &World) -> Vec<(Operation, u64)> {
        let counting = |said: &&Said| world.counts(Operation::Delivery, said.intended);
        let said = self.talks.missing().filter(counting);
        vec![
            (Operation::Delivery, said.map(|said| u64::from(said.missing)).sum()),
            (Operation::Notify, self.states.missing(&self.graph, world)),
        ]
    }

    fn leave(&mut self, world: &mut World, now: Moment) {
        self.leaving = Some(0);
        self.leave_on(world, now);
    }
}
