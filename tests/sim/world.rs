//! One run: who there is, what happens in which order, and how it ends.

use mynah::base::limits::Limits;
use mynah::base::seed::Seed;
use mynah::shard::input::{Control, Input};
use mynah::shard::occupancy::Occupancy;

use crate::agent::{Agent, Phase};
use crate::harness::Net;
use crate::oracle::DeviceId;
use crate::stage::{Arrival, Stage, USERS};

/// Things that happen in one run.
const STEPS: u32 = 2_500;

/// Of 100 runs those in which the server goes down while everybody talks.
const ABRUPT_PERCENT: u64 = 12;

/// Of 100 runs those with bounds so tight that they are hit.
const TIGHT_PERCENT: u64 = 30;

/// Of 100 writes to the store those that fail.
const STORE_FAILS_PERCENT: u64 = 8;

/// A run.
pub struct World {
    stage: Stage,
    /// Who owns each device, and whether it speaks the MS dialect.
    devices: Vec<(usize, bool)>,
    /// The clients that are connected. The last of a device that is awake is the one in use.
    agents: Vec<Agent>,
    /// Users who are removed or disabled.
    banned: Vec<usize>,
    /// The step at which the server goes down.
    drain_at: Option<u32>,
}

impl World {
    /// The run of a seed.
    pub fn new(seed: u64, told: bool) -> Self {
        let mut dice = Seed::from_u64(seed);
        let shards = 1 + dice.below(4) as u16;
        let users = 6 + dice.below(5) as usize;
        let tight = dice.below(100) < TIGHT_PERCENT;
        let mut net = Net::seeded(shards, seed, |settings| {
            if tight {
                tighten(&mut settings.limits, &mut dice);
            }
        });
        for user in &USERS[..users] {
            net.put_user(user, |_| {});
        }
        let mut devices = Vec::new();
        for user in 0..users {
            for _ in 0..=dice.below(3) {
                devices.push((user, dice.below(2) == 0));
            }
        }
        let abrupt = dice.below(100) < ABRUPT_PERCENT;
        let drain_at = abrupt.then(|| dice.below(u64::from(STEPS)) as u32);
        let stage = Stage::new(net, users, dice, told);
        World { stage, devices, agents: Vec::new(), banned: Vec::new(), drain_at }
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
        while !self.banned.is_empty() {
            self.administer();
        }
        if self.drain_at.is_none() && self.stage.chance(50) {
            self.drain();
        }
        self.leave();
        let at_drain = self.drain_at.is_some();
        self.stage.oracle.check_records(&self.stage.net.records, at_drain);
        let (written, delivered) = self.stage.oracle.counts();
        self.stage.tell(format_args!("{written} texts, {delivered} delivered"));
    }

    fn step(&mut self) {
        match self.stage.below(100) {
            0..40 => self.carry(),
            40..65 => self.read(),
            65..70 => self.pass(),
            70..76 => self.connect(),
            76..88 => self.act(),
            88..96 => self.with_somebody(|agent, stage| agent.catch_up(stage)),
            _ => self.disturb(),
        }
    }

    /// One frame arrives, in its turn on its link, or the store answers a write.
    fn carry(&mut self) {
        match self.stage.next_arrival() {
            Some(Arrival::Frame(link)) => self.stage.net.carry(link),
            Some(Arrival::Write) => {
                let fails = self.stage.chance(STORE_FAILS_PERCENT);
                self.stage.answer_write(fails);
            }
            None => {}
        }
    }

    /// A client reads a message.
    fn read(&mut self) {
        if let Some(reader) = self.stage.reader(self.agents.iter().map(Agent::conn)) {
            self.agents[reader].read(&mut self.stage);
        }
    }

    /// Time passes: mostly little, seldom so much that requests or registrations run out. What is
    /// on its way stays there.
    fn pass(&mut self) {
        let ms = match self.stage.below(100) {
            0..93 => 20 + self.stage.below(200),
            93..98 => 1_000 + self.stage.below(15_000),
            98 => 40_000,
            _ if self.stage.chance(50) => 200_000,
            _ => 700_000,
        };
        self.stage.pass_ms(ms);
        let net = &self.stage.net;
        self.agents.retain(|agent| net.is_open(agent.conn()));
    }

    /// A device without a connection gets one, to whichever shard, and begins to sign in.
    fn connect(&mut self) {
        let device: DeviceId = self.stage.index(self.devices.len());
        if self.agents.iter().any(|agent| agent.device == device && !agent.asleep) {
            return;
        }
        let (user, ms) = self.devices[device];
        let client = self.stage.client((user, ms), device);
        let honest = !self.stage.chance(4);
        let mut agent = Agent::new(client, user, device, honest);
        agent.register(&mut self.stage);
        self.agents.push(agent);
    }

    /// A client that is signed in does something of its own.
    fn act(&mut self) {
        let present = self.agents.iter().filter(|agent| agent.phase == Phase::In && !agent.asleep);
        self.stage.present = present.map(|agent| agent.user).collect();
        let what = self.stage.below(100);
        self.with_somebody(|agent, stage| match (agent.phase, what) {
            (Phase::Knocking, _) => {}
            (Phase::Out, 0..50) => agent.register(stage),
            (Phase::Out, _) => {}
            (Phase::In, 0..65) => agent.write(stage),
            (Phase::In, 65..80) => agent.invite(stage),
            (Phase::In, 80..88) => agent.signal(stage, "INFO"),
            (Phase::In, 88..92) => agent.register(stage),
            (Phase::In, 92..97) => agent.signal(stage, "BYE"),
            (Phase::In, _) => agent.cancel(stage),
        });
    }

    /// Something that is no conversation's ordinary course.
    fn disturb(&mut self) {
        match self.stage.below(100) {
            0..30 => self.vanish(),
            30..45 => self.with_somebody(|agent, _| agent.asleep = true),
            45..50 => self.administer(),
            50..60 => self.with_somebody(|agent, stage| match agent.phase {
                Phase::In => agent.sign_off(stage),
                Phase::Knocking | Phase::Out => {}
            }),
            60..75 => self.with_somebody(|agent, stage| agent.cancel(stage)),
            _ => self.with_somebody(|agent, stage| agent.signal(stage, "BYE")),
        }
    }

    /// A user is removed or disabled; more often one who was is as he was at first.
    fn administer(&mut self) {
        let net = &mut self.stage.net;
        if let Some(user) = self.banned.pop() {
            return net.put_user(USERS[user], |_| {});
        }
        let user = self.stage.index(self.stage.users);
        self.banned.push(user);
        let removed = self.stage.chance(50);
        self.stage.tell(format_args!("{} is gone: {removed}", USERS[user]));
        match removed {
            true => self.stage.net.remove_user(USERS[user]),
            false => self.stage.net.put_user(USERS[user], |user| user.disabled = true),
        }
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
    fn with_somebody(&mut self, act: impl FnOnce(&mut Agent, &mut Stage)) {
        let awake = |agent: &Agent| !agent.asleep && self.stage.net.is_open(agent.conn());
        let awake = self.agents.iter().map(awake).collect();
        if let Some(index) = self.stage.one_of(awake) {
            act(&mut self.agents[index], &mut self.stage);
        }
    }

    /// The server is told to go down, one shard after the other.
    fn drain(&mut self) {
        self.stage.tell(format_args!("the server goes down"));
        for shard in 0..self.stage.net.shards() {
            self.stage.net.handle(shard, Input::Control(Control::Drain));
            for _ in 0..5 {
                self.carry();
                self.read();
            }
        }
    }

    /// Nobody begins anything new: all that is on its way arrives, and what nobody answers runs
    /// out of time. Then every request has its answer.
    fn calm_down(&mut self) {
        self.come_to_rest();
        if self.drain_at.is_some() {
            self.stage.net.pass_s(40);
            self.come_to_rest();
            let ended = |held: &Occupancy| (held.sessions, held.conversations) == (0, 0);
            assert!(
                self.stage.occupied().iter().all(ended),
                "the server is down: {:?}",
                self.stage.occupied()
            );
        }
        for round in 0..60 {
            self.stage.net.pass_s(10);
            self.come_to_rest();
            let in_vain =
                |agent: &Agent| self.stage.net.is_open(agent.conn()) && agent.cancelled_in_vain();
            assert!(round < 7 || !self.agents.iter().any(in_vain), "a CANCEL has no effect");
        }
        self.check_legs();
        for agent in &self.agents {
            if self.stage.net.is_open(agent.conn()) {
                let left = agent.unanswered();
                assert!(left.is_empty(), "{agent} got no answer to {left:?}");
            }
        }
    }

    /// No connection is the leg of a session that is over.
    fn check_legs(&self) {
        let held = self.stage.occupied();
        let sum = |of: fn(&Occupancy) -> usize| held.iter().map(of).sum::<usize>();
        let (legs, sessions) = (sum(|held| held.legs), sum(|held| held.sessions));
        assert!(legs <= 2 * sessions, "{legs} legs of {sessions} sessions");
    }

    fn come_to_rest(&mut self) {
        loop {
            self.stage.net.settle();
            let mut idle = true;
            for agent in &mut self.agents {
                while agent.read(&mut self.stage) {
                    idle = false;
                }
            }
            if idle {
                return;
            }
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
    let mut few = || 1 + dice.below(6) as usize;
    limits.endpoints_per_user_max = few();
    limits.connections_per_user_max = few();
    limits.sessions_per_shard_max = few();
    limits.sessions_per_connection_max = few();
    limits.relays_per_shard_max = 2 * few();
    limits.relays_per_connection_max = few();
    limits.pager_conversations_per_shard_max = few();
    limits.bridge_messages_max = few();
}
