//! One run: who there is, what happens in which order, and how it ends.

use mynah::base::ids::ConferenceId;
use mynah::base::limits::Limits;
use mynah::base::seed::Seed;
use mynah::immcu::conference::{LegKind, Reach};
use mynah::shard::conference_standing::{ConferenceStanding, LegStanding};
use mynah::shard::input::{Control, Input};
use mynah::shard::question::{Answer, Question};

use super::agent::{Agent, Phase};
use super::book::Book;
use super::ledger;
use super::roster::Roster;
use crate::harness::Net;
use crate::stage::{Arrival, Stage, USERS, uri};

/// Things that happen in one run.
const STEPS: u32 = 2_500;

/// Of 100 runs those in which the server goes down while everybody talks, and those with bounds so
/// tight that they are hit.
const ABRUPT_PERCENT: u64 = 12;
const TIGHT_PERCENT: u64 = 25;

/// Of 100 runs those with a store that fails, and of 100 writes to it those that do.
const FRAIL_PERCENT: u64 = 60;
const STORE_FAILS_PERCENT: u64 = 15;

/// A run.
pub struct World {
    stage: Stage,
    book: Book,
    /// Who owns each device, and whether it speaks the MS dialect.
    devices: Vec<(usize, bool)>,
    agents: Vec<Agent>,
    tight: bool,
    told_max: usize,
    /// The store fails now and then.
    is_frail: bool,
    /// How many of 100 things are a frame or a write that arrives.
    carries: u64,
    /// The step at which the server goes down.
    drain_at: Option<u32>,
}

impl World {
    /// The run of a seed.
    pub fn new(seed: u64, told: bool) -> Self {
        let mut dice = Seed::from_u64(seed);
        let shards = 1 + dice.below(4) as u16;
        let users = 3 + dice.below(5) as usize;
        let tight = dice.below(100) < TIGHT_PERCENT;
        let is_frail = dice.below(100) < FRAIL_PERCENT;
        let mut told_max = usize::MAX;
        let mut net = Net::seeded(shards, seed, |settings| {
            if tight {
                tighten(&mut settings.limits, &mut dice);
            }
            told_max = settings.limits.conference_roster_told_max;
        });
        for user in &USERS[..users] {
            net.put_user(user, |_| {});
        }
        let mut book = Book::default();
        let mut devices = Vec::new();
        for user in 0..users {
            // The first two can talk to one another and go on from there.
            let ms = user < 2 || dice.below(100) < 60;
            if !ms && dice.below(2) == 0 {
                book.pagers.push(user);
            }
            devices.push((user, ms));
            if dice.below(100) < 40 {
                devices.push((user, ms && dice.below(100) < 75));
            }
        }
        let drain_at = (dice.below(100) < ABRUPT_PERCENT).then(|| dice.below(STEPS.into()) as u32);
        let carries = 20 + dice.below(30);
        let stage = Stage::new(net, users, dice, told);
        let agents = Vec::new();
        World { stage, book, devices, agents, tight, told_max, is_frail, carries, drain_at }
    }

    /// Everything from the first sign-in to the last record.
    pub fn run(mut self) {
        for step in 0..STEPS {
            if self.drain_at == Some(step) {
                self.drain();
            }
            self.step();
        }
        self.calm_down();
        self.book.judge(self.tight);
        if self.book.down.is_none() {
            self.check_rosters();
            match self.stage.below(100) {
                0..25 => {
                    self.drain();
                    self.come_to_rest();
                }
                25..50 => self.restart(),
                _ => {}
            }
        }
        self.leave();
        // What the process had not written when it died is not to be looked for.
        if self.book.died.is_none() {
            let is_down = self.book.down.is_some();
            self.stage.oracle.check_records(&self.stage.net.records, is_down);
        }
        ledger::check(&self.book, &self.stage.net.records);
        let ((said, heard), (written, delivered)) =
            (self.book.counts(), self.stage.oracle.counts());
        self.stage.tell(format_args!(
            "{} conferences: {said} said, {heard} heard; {written} written, {delivered} delivered",
            self.book.halls.len()
        ));
    }

    fn step(&mut self) {
        if self.stage.chance(self.carries) {
            for _ in 0..=self.stage.below(3) {
                self.carry();
            }
            return;
        }
        match self.stage.below(100) {
            0..40 => self.read(),
            40..44 => self.pass(),
            44..50 => self.connect(),
            50..90 => self.act(),
            90..99 => self.with_somebody(|agent, stage, book| {
                agent.catch_up(stage, book);
            }),
            _ => self.disturb(),
        }
    }

    /// One frame arrives, in its turn on its link, or the store answers a write.
    fn carry(&mut self) {
        match self.stage.next_arrival() {
            Some(Arrival::Frame(link)) => self.stage.net.carry(link),
            Some(Arrival::Write) => {
                let fails = self.is_frail && self.stage.chance(STORE_FAILS_PERCENT);
                self.stage.answer_write(fails);
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

    /// Time passes: mostly little, seldom so much that something runs out. A frame is not on its
    /// way for that long, and what runs out later than something else does not at the same moment.
    fn pass(&mut self) {
        let ms = match self.stage.below(100) {
            0..92 => 20 + self.stage.below(200),
            92..98 => 1_000 + self.stage.below(7_000),
            _ => 15_000 + self.stage.below(14_000),
        };
        if ms > 10_000 {
            self.stage.net.settle();
        }
        self.stage.pass_ms(ms);
        let net = &self.stage.net;
        let (agents, gone): (Vec<Agent>, Vec<Agent>) =
            std::mem::take(&mut self.agents).into_iter().partition(|a| net.is_open(a.conn()));
        self.agents = agents;
        gone.into_iter().for_each(|agent| self.lose(agent));
    }

    /// A device gets a connection, to whichever shard, and signs in; the one it had may still be
    /// there.
    fn connect(&mut self) {
        let device = self.stage.index(self.devices.len());
        let has = self.agents.iter().any(|agent| agent.device == device && !agent.asleep);
        let (_, ms) = self.devices[device];
        if !has || ms && self.stage.chance(4) {
            self.connect_as(device, Vec::new());
        }
    }

    /// A device gets a connection, and comes to these conferences.
    fn connect_as(&mut self, device: usize, heading: Vec<usize>) {
        let (user, ms) = self.devices[device];
        let client = self.stage.client((user, ms), device);
        let mut agent = Agent::new(client, user, device);
        agent.heading = heading;
        agent.register(&mut self.stage);
        self.agents.push(agent);
    }

    fn act(&mut self) {
        self.with_somebody(|agent, stage, book| match agent.phase {
            Phase::In => agent.act(stage, book),
            Phase::Out => agent.register(stage),
            Phase::Knocking => {}
        });
    }

    /// Something that is no client's ordinary course.
    fn disturb(&mut self) {
        match self.stage.below(100) {
            0..50 => self.vanish(),
            50..70 => self.with_somebody(|agent, _, _| agent.fall_asleep()),
            _ => self.move_on(),
        }
    }

    /// A device changes its network: it comes back on another connection while the server has not
    /// heard yet that the old one is gone, or just has.
    fn move_on(&mut self) {
        let awake = |agent: &Agent| !agent.asleep && agent.phase == Phase::In;
        let awake = self.agents.iter().map(awake).collect();
        let Some(index) = self.stage.one_of(awake) else {
            return;
        };
        let agent = &mut self.agents[index];
        let (device, heading) = (agent.device, agent.seats.keys().copied().collect());
        agent.fall_asleep();
        self.stage.tell(format_args!("{agent} moves"));
        if self.stage.chance(50) {
            let agent = self.agents.swap_remove(index);
            self.lose(agent);
        }
        self.connect_as(device, heading);
    }

    /// A client's connection ends, whatever it was about to do.
    fn vanish(&mut self) {
        if self.agents.is_empty() {
            return;
        }
        let index = self.stage.index(self.agents.len());
        let agent = self.agents.swap_remove(index);
        self.lose(agent);
    }

    fn lose(&mut self, mut agent: Agent) {
        self.stage.tell(format_args!("{agent} vanishes"));
        let is_other = |other: &Agent| {
            other.user == agent.user
                && !other.client.ms
                && other.phase == Phase::In
                && !other.asleep
        };
        let alone = !self.agents.iter().any(is_other);
        agent.vanish(&mut self.stage, &mut self.book, alone);
    }

    /// Lets a client that is awake and connected do something.
    fn with_somebody(&mut self, act: impl FnOnce(&mut Agent, &mut Stage, &mut Book)) {
        let awake = |agent: &Agent| !agent.asleep && self.stage.net.is_open(agent.conn());
        let awake = self.agents.iter().map(awake).collect();
        if let Some(index) = self.stage.one_of(awake) {
            act(&mut self.agents[index], &mut self.stage, &mut self.book);
        }
    }

    /// The server is told to go down, one shard after the other.
    fn drain(&mut self) {
        self.stage.tell(format_args!("the server goes down"));
        self.book.down = Some(self.book.now(self.stage.net.now.mono_ms).0);
        for shard in 0..self.stage.net.shards() {
            self.stage.net.handle(shard, Input::Control(Control::Drain));
            for _ in 0..5 {
                self.carry();
                self.read();
            }
        }
    }

    /// The process dies and starts again: what the store has kept is there, without members.
    fn restart(&mut self) {
        self.stage.tell(format_args!("the process starts again"));
        self.check_kept();
        self.book.died = Some(self.stage.net.records.len());
        self.stage.net.restart();
        self.agents.clear();
        let kept: Vec<_> = self.stage.net.shelf.conferences().into_iter().map(|c| c.id).collect();
        for (hall, standing) in self.standings().into_iter().enumerate() {
            let id = &self.book.halls[hall].id;
            let is_kept = kept.iter().any(|known| known.to_string() == *id);
            assert_eq!(standing.is_some(), is_kept, "{id} after the start");
            assert!(standing.is_none_or(|standing| standing.members.is_empty()), "{id} is empty");
        }
    }

    /// What is to survive is what the store has kept, unless it failed.
    fn check_kept(&mut self) {
        if self.is_frail {
            return;
        }
        let kept = self.stage.net.shelf.conferences();
        for (hall, standing) in self.standings().into_iter().enumerate() {
            let Some(standing) = standing.filter(|standing| standing.summary.scheduled) else {
                continue;
            };
            let id = &self.book.halls[hall].id;
            let is_kept = kept.iter().any(|known| known.id.to_string() == *id);
            assert!(is_kept, "{id} is not kept: {standing:?}");
        }
    }

    /// How the conferences stand.
    fn standings(&mut self) -> Vec<Option<ConferenceStanding>> {
        let ids = self.book.halls.iter().map(|hall| hall.id.clone());
        let ids: Vec<_> =
            ids.map(|id| ConferenceId::parse(id.as_bytes()).expect("an id")).collect();
        ids.into_iter()
            .map(|id| match self.stage.net.inquire_now(Question::Conference(id)) {
                Answer::Conference(standing) => Some(*standing),
                answer => {
                    assert_eq!(answer, Answer::NoSuchConference);
                    None
                }
            })
            .collect()
    }

    /// Nobody begins anything new: all that is on its way arrives, and what nobody answers runs
    /// out of time. Then every request has its answer.
    fn calm_down(&mut self) {
        self.stage.tell(format_args!("calm"));
        self.come_to_rest();
        for _ in 0..24 {
            self.stage.net.pass_s(10);
            self.come_to_rest();
        }
        for agent in &self.agents {
            if self.stage.net.is_open(agent.conn()) {
                assert!(agent.waiting.is_empty(), "{agent} got no answer to {:?}", agent.waiting);
            }
        }
    }

    fn come_to_rest(&mut self) {
        loop {
            self.stage.net.settle();
            let mut idle = true;
            for agent in &mut self.agents {
                while agent.read(&mut self.stage, &mut self.book)
                    || agent.catch_up(&mut self.stage, &mut self.book)
                {
                    idle = false;
                }
            }
            if idle {
                return;
            }
        }
    }

    /// Who takes what he is told has exactly who there is, and every leg is known at both ends.
    fn check_rosters(&mut self) {
        for (hall, standing) in self.standings().into_iter().enumerate() {
            let Some(standing) = standing else { continue };
            let truth = Roster::of(&standing);
            self.check_legs(hall, &standing);
            if standing.members.len() > self.told_max {
                continue;
            }
            let mut pictures = 0;
            for agent in self.agents.iter().filter(|agent| !agent.asleep) {
                let watch = agent.seats.get(&hall).and_then(|seat| seat.watch.as_ref());
                let Some(watch) = watch.filter(|watch| watch.accepted && !watch.doubtful) else {
                    continue;
                };
                let is_open = self.stage.net.is_open(agent.conn());
                let was_out = self.book.was_out(hall, agent.user, watch.since);
                if !is_open || was_out || self.stage.net.now.mono_ms > watch.until_ms {
                    continue;
                }
                let seen = truth.clone();
                let me = uri(agent.user);
                if truth.people.get(&me).is_some_and(|seen| seen.waits) {
                    // He sees himself as he was when he asked.
                    let knows = watch.roster.people.keys().eq([&me]);
                    assert!(knows && watch.roster.people[&me].waits, "{agent} in {hall}");
                    continue;
                }
                assert_eq!(watch.roster.unnumbered(), seen, "{agent} in {hall}");
                pictures += 1;
            }
            self.stage.tell(format_args!("{pictures} pictures of {hall} are right: {truth:?}"));
        }
    }

    fn check_legs(&self, hall: usize, standing: &ConferenceStanding) {
        for (user, name) in USERS[..self.stage.users].iter().enumerate() {
            let legs = self.book.open_legs(hall, user);
            let member = standing.members.iter().find(|m| format!("sip:{}", m.aor) == uri(user));
            let is_dialog = |leg: &&LegStanding| {
                leg.kind == LegKind::Chat && matches!(leg.reach, Reach::Leg(_))
            };
            let held = member.map_or(0, |member| member.legs.iter().filter(is_dialog).count());
            assert_eq!(held, legs, "legs of {name} in {hall}");
        }
    }

    /// Everybody leaves, in any order; then nothing is left.
    fn leave(&mut self) {
        while !self.agents.is_empty() {
            self.vanish();
            self.carry();
        }
        self.stage.empties();
    }
}

/// Bounds that a few clients hit.
fn tighten(limits: &mut Limits, dice: &mut Seed) {
    let mut few = |least: u64| (least + dice.below(6)) as usize;
    limits.conference_members_max = few(2);
    limits.conference_legs_per_member_max = few(2);
    limits.conference_invited_max = few(1);
    limits.conference_watchers_max = few(2);
    limits.conference_roster_told_max = few(1);
    limits.conference_recent_messages_max = few(1);
    limits.conference_unanswered_max = few(1);
    limits.conferences_per_organiser_max = few(1);
    limits.legs_per_connection_max = few(2);
    limits.relays_per_shard_max = 2 * few(4);
    limits.subscriptions_per_connection_max = few(1);
}
