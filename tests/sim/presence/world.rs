//! One run: who there is, what happens in which order, and how it ends.

use mynah::base::limits::Limits;
use mynah::base::seed::Seed;
use mynah::config::AuthMethod;
use mynah::directory::{Person, User};
use mynah::shard::frame::Frame;
use mynah::shard::occupancy::Occupancy;
use mynah::shard::question::{Answer, Contacts, Presence, Question};

use super::agent::{Agent, Phase, ROAMING_CONTACTS, ROAMING_SELF};
use super::book::{Book, aor};
use super::own::{List, Own};
use super::reading::Facts;
use super::subscription::Topic;
use super::{levels, reading};
use crate::harness::Net;
use crate::stage::{Arrival, Stage, USERS};

/// Things that happen in one run.
const STEPS: u32 = 1_000;

/// Things that happen in one that goes on after a restart.
const MORE_STEPS: u32 = 250;

/// Of 100 runs those with bounds so tight that they are hit, those in which the users see only
/// their contacts' presence, and those in which Lync clients sign in by NTLM.
const TIGHT_PERCENT: u64 = 25;
const PRIVACY_PERCENT: u64 = 20;
const NTLM_PERCENT: u64 = 35;

/// Of 100 runs those in which frames are lost, and of 100 frames that may be lost those that are.
const LOSSY_PERCENT: u64 = 15;
const LOST_PERCENT: u64 = 5;

/// Of 100 writes to the store those that fail while it is well.
const STORE_FAILS_PERCENT: u64 = 3;

/// A run.
pub struct World {
    stage: Stage,
    book: Book,
    /// The directory.
    people: Vec<User>,
    /// Who owns each device, and whether it speaks the MS dialect.
    devices: Vec<(usize, bool)>,
    agents: Vec<Agent>,
    tight: bool,
    privacy: bool,
    /// How many of 100 things are a frame or a write that arrives.
    carries: u64,
    /// Frames are lost.
    lossy: bool,
    /// The store refuses everything.
    is_store_down: bool,
}

impl World {
    /// The run of a seed.
    pub fn new(seed: u64, told: bool) -> Self {
        let mut dice = Seed::from_u64(seed);
        let shards = 1 + dice.below(4) as u16;
        let users = 3 + dice.below(4) as usize;
        let tight = dice.below(100) < TIGHT_PERCENT;
        let privacy = dice.below(100) < PRIVACY_PERCENT;
        let lossy = dice.below(100) < LOSSY_PERCENT;
        let ntlm = dice.below(100) < NTLM_PERCENT;
        let net = Net::seeded(shards, seed, |settings| {
            if tight {
                tighten(&mut settings.limits, &mut dice);
            }
            if ntlm {
                settings.lync_auth = vec![AuthMethod::Ntlm];
            }
            if privacy {
                let parsed = mynah::config::parse("[policy.default]\nprivacy = true\n");
                settings.policies = parsed.expect("a configuration").policies;
            }
        });
        let mut devices = Vec::new();
        for user in 0..users {
            for _ in 0..=dice.below(2) {
                devices.push((user, dice.below(3) > 0));
            }
        }
        let fashion = [(); 3].map(|()| dice.below(100));
        let carries = 15 + dice.below(35);
        let (book, people, agents) = (Book::new(users, fashion), Vec::new(), Vec::new());
        let stage = Stage::new(net, users, dice, told);
        let is_store_down = false;
        let mut world = World {
            stage,
            book,
            people,
            devices,
            agents,
            tight,
            privacy,
            carries,
            lossy,
            is_store_down,
        };
        for user in 0..users {
            world.describe(user, false);
        }
        world.stage.net.settle();
        world
    }

    /// Everything from the first sign-in to the last check.
    pub fn run(mut self) {
        self.storm(STEPS);
        if self.stage.chance(50) {
            self.restart();
            self.check_held();
            self.storm(MORE_STEPS);
        }
        self.leave();
    }

    /// So many things happen, and then everything is right.
    fn storm(&mut self, steps: u32) {
        for _ in 0..steps {
            self.step();
        }
        self.calm_down();
        // Whoever missed something sees it with the next refresh.
        if !self.lossy {
            self.check_everybody();
        }
        for agent in self.agents.iter_mut().filter(|agent| !agent.asleep) {
            if self.stage.net.is_open(agent.conn()) {
                agent.refresh_all(&mut self.stage);
            }
        }
        self.come_to_rest();
        self.check_everybody();
    }

    fn step(&mut self) {
        if self.stage.chance(self.carries) {
            for _ in 0..=self.stage.below(3) {
                self.carry();
            }
            return;
        }
        match self.stage.below(100) {
            0..36 => self.read(),
            36..42 => self.pass(),
            42..51 => self.connect(),
            51..88 => self.act(),
            88..97 => self.with_somebody(|agent, stage, _| {
                agent.catch_up(stage);
            }),
            _ => self.disturb(),
        }
    }

    /// One frame arrives, in its turn on its link, or the store answers a write.
    fn carry(&mut self) {
        match self.stage.next_arrival() {
            Some(Arrival::Frame(link)) if self.lossy && self.stage.chance(LOST_PERCENT) => {
                let lost = self.stage.net.lose(link, may_be_lost);
                self.stage.tell(format_args!("a frame is lost: {lost}"));
            }
            Some(Arrival::Frame(link)) => self.stage.net.carry(link),
            Some(Arrival::Write) => {
                let fails = self.is_store_down || self.stage.chance(STORE_FAILS_PERCENT);
                self.stage.answer_write(fails);
                self.book.catch_up(&self.stage.net);
            }
            None => {}
        }
    }

    /// A client reads some messages.
    fn read(&mut self) {
        if let Some(reader) = self.stage.reader(self.agents.iter().map(Agent::conn)) {
            for _ in 0..=self.stage.below(4) {
                self.agents[reader].read(&mut self.stage, &mut self.book);
            }
        }
    }

    /// Time passes: mostly little, seldom so much that something runs out.
    fn pass(&mut self) {
        let ms = match self.stage.below(200) {
            0..190 => 20 + self.stage.below(200),
            190..198 => 1_000 + self.stage.below(7_000),
            198 => 40_000,
            _ => 70_000 + self.stage.below(600_000),
        };
        self.stage.pass_ms(ms);
        let net = &self.stage.net;
        self.agents.retain(|agent| net.is_open(agent.conn()));
    }

    /// A device without a connection gets one, to whichever shard, and begins to sign in.
    fn connect(&mut self) {
        let device = self.stage.index(self.devices.len());
        if self.agents.iter().any(|agent| agent.device == device && !agent.asleep) {
            return;
        }
        let (user, ms) = self.devices[device];
        let client = self.stage.client((user, ms), device);
        let mut agent = Agent::new(client, user, device, (self.privacy, self.tight));
        agent.register(&mut self.stage);
        self.agents.push(agent);
    }

    fn act(&mut self) {
        let (asks, starts) = (self.stage.chance(75), self.stage.chance(50));
        self.with_somebody(|agent, stage, book| match agent.phase {
            Phase::In if agent.subscriptions.len() < 2 && starts => {
                agent.subscribe_own(stage, book)
            }
            Phase::In if asks => {
                // Some do several things in one breath.
                for _ in 0..if stage.chance(15) { 3 } else { 1 } {
                    if agent.phase == Phase::In {
                        agent.act(stage, book);
                    }
                }
            }
            Phase::Out if asks => agent.register(stage),
            _ => {}
        });
    }

    /// Something that is no client's ordinary course.
    fn disturb(&mut self) {
        if self.is_store_down && self.stage.chance(60) {
            self.is_store_down = false;
            return self.stage.tell(format_args!("the store is well again"));
        }
        match self.stage.below(100) {
            0..50 => self.vanish(),
            50..60 => self.with_somebody(|agent, _, _| agent.fall_asleep()),
            60..75 => {
                let user = self.stage.index(self.stage.users);
                let disabled = self.stage.chance(20);
                self.describe(user, disabled);
            }
            75..92 => {
                self.is_store_down = true;
                self.stage.tell(format_args!("the store is down"));
            }
            _ if self.stage.chance(40) => self.restart(),
            _ => {}
        }
    }

    /// The directory says something new about a user.
    fn describe(&mut self, user: usize, disabled: bool) {
        let mark = self.book.mark(USERS[user]);
        let text = |what: &str| format!("{what} {mark}").into();
        let person = Person {
            title: text("title"),
            department: text("department"),
            company: text("company"),
            office: text("office"),
            email: format!("{mark}@mail.test").into(),
            phone_work: text("work"),
            phone_mobile: text("mobile"),
            phone_home: text("home"),
            photo_url: format!("https://example.test/{mark}.jpg").into(),
            photo_hash: text("hash"),
        };
        self.stage.tell(format_args!("{mark} is described, disabled: {disabled}"));
        let mut known = None;
        self.stage.net.change_user(USERS[user], |user| {
            user.set_display_name(&format!("a {mark}")).expect("a name");
            user.set_person(person).expect("a person");
            user.disabled = disabled;
            known = Some(user.clone());
        });
        let known = known.expect("it was called");
        match self.people.get_mut(user) {
            Some(before) => *before = known,
            None => self.people.push(known),
        }
    }

    /// The process dies, some of what it wanted written is, and it starts again.
    fn restart(&mut self) {
        self.stage.tell(format_args!("the process starts again"));
        for _ in 0..self.stage.below(3) {
            self.stage.net.shelf.commit_unheard();
        }
        self.book.catch_up(&self.stage.net);
        self.stage.net.restart();
        self.agents.clear();
    }

    /// A client's connection ends, whatever it was about to do.
    fn vanish(&mut self) {
        if self.agents.is_empty() {
            return;
        }
        let index = self.stage.index(self.agents.len());
        let agent = self.agents.swap_remove(index);
        self.stage.tell(format_args!("{agent} vanishes"));
        self.stage.net.end(agent.conn());
    }

    /// Lets a client that is awake and connected do something.
    fn with_somebody(&mut self, act: impl FnOnce(&mut Agent, &mut Stage, &mut Book)) {
        let awake = |agent: &Agent| !agent.asleep && self.stage.net.is_open(agent.conn());
        let awake = self.agents.iter().map(awake).collect();
        if let Some(index) = self.stage.one_of(awake) {
            act(&mut self.agents[index], &mut self.stage, &mut self.book);
        }
    }

    /// Nobody begins anything new: all that is on its way arrives, every NOTIFY is answered, and
    /// what had to wait has its time.
    fn calm_down(&mut self) {
        self.stage.tell(format_args!("calm"));
        self.is_store_down = false;
        for _ in 0..4 {
            self.come_to_rest();
            self.stage.pass_ms(300);
        }
        self.come_to_rest();
        let net = &self.stage.net;
        let open = self.agents.iter().filter(|agent| net.is_open(agent.conn()));
        // What was lost is never answered.
        for agent in open.filter(|_| !self.lossy) {
            assert!(agent.waiting.is_empty(), "{agent} got no answer to {:?}", agent.waiting);
        }
    }

    fn come_to_rest(&mut self) {
        loop {
            self.stage.net.settle();
            self.book.catch_up(&self.stage.net);
            let mut idle = true;
            for agent in &mut self.agents {
                while agent.read(&mut self.stage, &mut self.book) || agent.catch_up(&mut self.stage)
                {
                    idle = false;
                }
            }
            if idle {
                return;
            }
        }
    }

    /// What the server holds of everybody is what came of it all.
    fn check_held(&mut self) -> (Vec<Presence>, Vec<Contacts>) {
        let users = 0..self.stage.users;
        let held: Vec<Presence> = users.clone().map(|user| self.presence_of(user)).collect();
        let lists: Vec<Contacts> = users.map(|user| self.contacts_of(user)).collect();
        for (user, (held, list)) in held.iter().zip(&lists).enumerate() {
            self.book.check_held(user, held);
            self.book.check_contacts(&self.stage.net, user, list);
        }
        (held, lists)
    }

    /// Every picture is right, and the server holds what it was told.
    fn check_everybody(&mut self) {
        let (held, lists) = self.check_held();
        let net = &self.stage.net;
        let (mut pictures, mut own) = (0, 0);
        for agent in self.agents.iter().filter(|agent| net.is_open(agent.conn())) {
            for (call_id, one) in &agent.subscriptions {
                if !one.is_certain(net.now.mono_ms) || agent.asleep && self.lossy {
                    continue;
                }
                match one.topic {
                    Topic::Own(ROAMING_SELF) => {
                        assert_eq!(agent.own, Own::of(&held[agent.user]), "{agent}'s own");
                    }
                    Topic::Own(ROAMING_CONTACTS) => {
                        assert_eq!(agent.list, List::of(&lists[agent.user]), "{agent}'s list");
                    }
                    Topic::Own(_) => {}
                    _ => {
                        for who in one.asked.difference(&one.dropped) {
                            let seen = one.seen.get(who);
                            let full = self.tight || self.lossy;
                            assert!(seen.is_some() || full, "{agent} sees nothing of {who}");
                            let Some(seen) = seen else { continue };
                            let right = self.view(agent.user, who, &held, one.wanted());
                            for (category, right) in right {
                                let known = seen.facts.get(&category).cloned().unwrap_or_default();
                                assert_eq!(
                                    known, right,
                                    "{agent} sees the {category} of {who} in {call_id}"
                                );
                            }
                            pictures += 1;
                        }
                        continue;
                    }
                }
                own += 1;
            }
        }
        self.stage.tell(format_args!("{pictures} pictures and {own} own lists are right"));
    }

    /// What a watcher shall see.
    fn view(&self, watcher: usize, who: &str, held: &[Presence], wanted: &[&str]) -> Facts {
        let of = USERS.iter().position(|user| *user == who).expect("one of us");
        let circle = self.book.circles[of].last().expect("the first");
        let level = circle.level_of(USERS[watcher], self.privacy);
        let unix_ms = self.stage.net.now.unix_ms;
        let facts = match wanted {
            [reading::PIDF] => levels::pidf(level, &held[of], &self.people[of], unix_ms),
            _ => levels::categories(level, &held[of], &self.people[of], unix_ms),
        };
        facts.into_iter().filter(|(category, _)| wanted.contains(&&**category)).collect()
    }

    fn presence_of(&mut self, user: usize) -> Presence {
        let question = Question::Presence { user: aor(user), watcher: None };
        match self.stage.net.inquire(question) {
            Answer::Presence(held) => *held,
            other => panic!("{other:?}"),
        }
    }

    fn contacts_of(&mut self, user: usize) -> Contacts {
        match self.stage.net.inquire(Question::Contacts(aor(user))) {
            Answer::Contacts(list) => list,
            other => panic!("{other:?}"),
        }
    }

    /// Everybody leaves, in any order; then nothing is left but what somebody said for good.
    fn leave(&mut self) {
        while !self.agents.is_empty() {
            self.vanish();
            self.carry();
        }
        self.stage.net.settle();
        // Where the word that somebody is gone was lost, the next news finds it out.
        for user in 0..if self.lossy { self.stage.users } else { 0 } {
            self.describe(user, false);
        }
        self.stage.net.settle();
        self.stage.net.pass_s(40);
        for held in self.occupied() {
            let empty =
                Occupancy { users: held.users, timers: held.timers, ..Occupancy::default() };
            assert_eq!(held, empty, "after all have left");
        }
        for _ in 0..2 {
            self.stage.net.pass_s(25 * 3600);
        }
        for held in self.occupied() {
            assert_eq!(held, Occupancy { users: held.users, ..Occupancy::default() }, "at the end");
        }
        let (held, _) = self.check_held();
        for (held, user) in held.iter().zip(USERS) {
            assert!(held.endpoints.is_empty(), "{user} is not there any more");
            let lasts = |life| matches!(life, mynah::presence::publication::Life::Static);
            assert!(held.publications.iter().all(|one| lasts(one.life)), "{:?}", held.publications);
        }
    }

    fn occupied(&self) -> Vec<Occupancy> {
        self.stage.net.all().iter().map(|shard| shard.occupancy()).collect()
    }
}

/// True for what can be lost without more harm than its doc says, in a run of this kind.
fn may_be_lost(frame: &Frame) -> bool {
    matches!(
        frame,
        Frame::Watch(_)
            | Frame::Watched(_)
            | Frame::Unwatch { .. }
            | Frame::Notice(_)
            | Frame::Subscribe(_)
            | Frame::Subscribed(_)
            | Frame::Unsubscribe { .. }
            | Frame::OwnNotice { .. }
            | Frame::Service(_)
            | Frame::Search(_)
            | Frame::Found(_)
    )
}

/// Bounds that a few clients hit.
fn tighten(limits: &mut Limits, dice: &mut Seed) {
    let mut few = |least: u64| (least + dice.below(6)) as usize;
    limits.edits_waiting_per_user_max = few(1);
    limits.subscriptions_per_connection_max = few(3);
    limits.subscriptions_per_shard_max = few(8);
    limits.watchers_per_user_max = few(3);
    limits.batch_resources_max = few(1);
    limits.publications_per_user_max = few(8);
    limits.entity_tags_per_user_max = few(1);
    limits.searches_per_shard_max = few(1);
    limits.contacts_per_user_max = few(1);
    limits.contact_groups_per_user_max = few(2);
    limits.writes_in_flight_per_shard_max = few(2);
    limits.relays_per_shard_max = few(4);
}
