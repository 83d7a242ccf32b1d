//! A world of one seed: who is in it, what happens, and that all of it ends.

use std::collections::BTreeSet;
use std::time::Duration;

use mynah::base::ids::ConnId;
use mynah::base::limits::Limits;
use mynah::base::seed::Seed;
use mynah::records::Kind;
use mynah::shard::input::Control;

use crate::endpoint::{Endpoint, Inviting, Online, State};
use crate::harness::client::{LYNC_TEXT, TYPING, uri};
use crate::harness::{Client, Device, Net};
use crate::ledger::Ledger;
use crate::reaction::{decide, give, react};

/// Steps of a world's life.
const STEPS: u32 = 2_000;
/// Endpoints.
const ENDPOINTS: u64 = 7;
const USERS: [&str; 3] = ["alice", "bob", "carol"];

/// What happened in a world, or in several.
#[derive(Clone, Debug, Default)]
pub struct Census {
    pub written: usize,
    pub accepted: usize,
    pub counted: u64,
    pub sessions: usize,
    pub bridged: usize,
    pub pagers: usize,
    pub endings: BTreeSet<String>,
}

impl Census {
    pub fn add(&mut self, other: Census) {
        self.written += other.written;
        self.accepted += other.accepted;
        self.counted += other.counted;
        self.sessions += other.sessions;
        self.bridged += other.bridged;
        self.pagers += other.pagers;
        self.endings.extend(other.endings);
    }
}

/// Shards, clients and what they know of one another.
pub struct World {
    net: Net,
    seed: Seed,
    endpoints: Vec<Endpoint>,
    ledger: Ledger,
    /// Messages that are not plain text.
    odd: Vec<usize>,
    /// How often, of a thousand, connections are lost.
    losses: u64,
    /// The user who may not sign in.
    disabled: Option<&'static str>,
    told: bool,
}

impl World {
    /// The world of a seed; `told` tells what happens in it.
    pub fn new(seed: u64, told: bool) -> Self {
        let mut chance = Seed::from_u64(seed);
        let shards = 1 + chance.below(4) as u16;
        let small = chance.below(4) == 0;
        let net = Net::seeded(shards, seed, |settings| {
            if small {
                shrink(&mut settings.limits);
            }
        });
        let lync = 1 + chance.below(9);
        let endpoints = (0..ENDPOINTS).map(|n| Endpoint {
            user: USERS[(n % 3) as usize],
            ms: chance.below(10) < lync,
            number: n as u32,
            online: None,
        });
        World {
            endpoints: endpoints.collect(),
            losses: [1, 10, 40][chance.below(3) as usize],
            net,
            seed: chance,
            ledger: Ledger::default(),
            odd: Vec::new(),
            disabled: None,
            told,
        }
    }

    /// Lives it to its end; what happened in it.
    pub fn live(mut self) -> Census {
        for _ in 0..STEPS {
            self.step();
        }
        let drained = self.seed.below(4) == 0;
        if drained {
            self.tell(|| "the server goes down".to_owned());
            self.net.control(|| Control::Drain);
            self.come_to_rest();
        } else {
            self.come_to_rest();
            self.wait_for_answers();
            self.ledger.check_answered(&self.net);
            self.fall_silent();
        }
        self.close_all();
        self.ledger.check_records(&self.net, drained);
        for id in 0..self.ledger.written.len() {
            self.ledger.check_told(id, !self.odd.contains(&id));
        }
        self.census()
    }

    fn step(&mut self) {
        // What cannot happen now leaves its turn to the next.
        let happened = match self.seed.below(1_000) {
            0..350 => self.carry() || self.arrive() || self.read(),
            350..600 => self.arrive() || self.read() || self.carry(),
            600..800 => self.read() || self.carry() || self.arrive(),
            800..975 => false,
            975..998 => {
                let ms = [5, 20, 200, 2_000][self.seed.below(4) as usize];
                self.wait(Duration::from_millis(ms));
                true
            }
            _ => {
                self.rare();
                true
            }
        };
        if !happened {
            self.act();
        }
    }

    /// A frame comes to its shard.
    fn carry(&mut self) -> bool {
        let busy: Vec<_> = self.net.busy().collect();
        let link = self.pick(&busy);
        link.into_iter().for_each(|link| self.net.carry(link));
        link.is_some()
    }

    /// Octets of a client come to its shard.
    fn arrive(&mut self) -> bool {
        let writing = self.those(|online| !online.outbox.is_empty());
        let place = self.pick(&writing);
        place.into_iter().for_each(|place| self.arrive_from(place));
        place.is_some()
    }

    fn arrive_from(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        let Some(octets) = online.outbox.pop_front() else { return };
        let conn = online.client.conn;
        if self.told {
            println!(
                "{:>8} {conn:?} ->\n{}",
                self.net.now.mono_ms,
                String::from_utf8_lossy(&octets)
            );
        }
        self.net.write(conn, &octets);
        self.notice_closed();
    }

    /// A client reads a message.
    fn read(&mut self) -> bool {
        let net = &self.net;
        let waiting = self.those(|online| net.waiting(online.client.conn) > 0);
        let place = self.pick(&waiting);
        place.into_iter().for_each(|place| self.read_at(place));
        place.is_some()
    }

    fn read_at(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_ref() else { return };
        let conn = online.client.conn;
        let Some(received) = self.net.try_recv(conn) else { return };
        self.tell(|| format!("{conn:?} <- {received:?}"));
        react(&mut self.endpoints[place], &received, &mut self.ledger, &mut self.seed);
        if let Some(id) = self.ledger.written.len().checked_sub(1) {
            self.ledger.check_told(id, !self.odd.contains(&id));
        }
    }

    /// A client does something by itself.
    fn act(&mut self) {
        let place = self.seed.below(ENDPOINTS) as usize;
        if self.endpoints[place].online.is_none() {
            return self.sign_in(place);
        }
        if self.seed.below(1_000) < self.losses {
            return self.vanish(place);
        }
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        match online.state {
            State::SigningIn => {}
            State::Leaving if online.outbox.is_empty() => self.vanish(place),
            State::Leaving => {}
            State::SignedIn => self.chat(place),
        }
    }

    fn chat(&mut self, place: usize) {
        match self.seed.below(60) {
            0..6 => self.invite(place),
            6..22 => self.say(place),
            22..34 => self.page(place),
            34..36 => self.type_something(place),
            36..39 => self.say_goodbye(place),
            39..41 => self.cancel(place),
            41..48 => self.answer_late(place),
            48..50 => self.register(place),
            50..59 => {
                let seed = &mut self.seed;
                if let Some(online) = self.endpoints[place].online.as_mut() {
                    decide(online, seed);
                }
            }
            _ => self.sign_off(place),
        }
    }

    fn sign_in(&mut self, place: usize) {
        let shard = self.seed.below(self.net.shards().into()) as u16;
        let Endpoint { user, ms, number, .. } = self.endpoints[place];
        let mut client = Client::on(&mut self.net, shard, Device { user, ms, number });
        let request = client.register();
        let mut online = Online::new(client);
        self.ledger.ask(online.client.conn, &request, None);
        online.send(&request);
        online.registering = Some(request);
        self.endpoints[place].online = Some(online);
    }

    fn register(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        if online.registering.is_none() {
            let request = online.client.register();
            self.ledger.ask(online.client.conn, &request, None);
            online.send(&request);
            online.registering = Some(request);
        }
    }

    fn sign_off(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        for mut dialog in std::mem::take(&mut online.dialogs) {
            let bye = online.client.within(&mut dialog, "BYE");
            self.ledger.ask(online.client.conn, &bye, None);
            online.send(&bye);
        }
        let request = online.client.register().with("Expires", "0");
        self.ledger.ask(online.client.conn, &request, None);
        online.send(&request);
        online.registering = Some(request);
        online.state = State::Leaving;
    }

    /// A connection is lost, and with it the end of what was written on it.
    fn vanish(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_ref() else { return };
        let conn = online.client.conn;
        for _ in 0..self.seed.below(online.outbox.len() as u64 + 1) {
            self.arrive_from(place);
        }
        if self.endpoints[place].online.take().is_some() {
            self.tell(|| format!("{conn:?} vanishes"));
            self.net.end(conn);
        }
    }

    fn invite(&mut self, place: usize) {
        let to = self.somebody();
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        if online.client.ms || self.seed.below(4) == 0 {
            let invite = online.client.invite(to);
            self.ledger.ask(online.client.conn, &invite, None);
            online.send(&invite);
            online.inviting.push(Inviting { invite, cancelled: false });
        }
    }

    fn cancel(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        let Some(inviting) = online.inviting.iter_mut().find(|i| !i.cancelled) else { return };
        inviting.cancelled = true;
        let cancel = online.client.cancel(&inviting.invite);
        self.ledger.ask(online.client.conn, &cancel, None);
        online.send(&cancel);
    }

    /// Writes in a session.
    fn say(&mut self, place: usize) {
        let user = self.endpoints[place].user;
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        let count = online.dialogs.len() as u64;
        let Some(dialog) = online.dialogs.get_mut(self.seed.below(count) as usize) else { return };
        if self.seed.below(4) == 0 {
            dialog.routes.clear();
        }
        let conn = online.client.conn;
        let html = self.seed.below(10) == 0;
        let content_type = if html { "text/html" } else { LYNC_TEXT };
        let text = self.ledger.text();
        let message = online.client.within(dialog, "MESSAGE").body(content_type, &text);
        let id = self.ledger.write(conn, user, &dialog.remote, Some(&dialog.call_id));
        self.ledger.ask(conn, &message, Some(id));
        online.send(&message);
        if html {
            self.odd.push(id);
        }
    }

    /// Writes outside any session.
    fn page(&mut self, place: usize) {
        let user = self.endpoints[place].user;
        let to = self.somebody();
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        if online.client.ms {
            return;
        }
        let conn = online.client.conn;
        let composing = self.seed.below(8) == 0;
        let content_type = if composing { "application/im-iscomposing+xml" } else { "text/plain" };
        let text = self.ledger.text();
        let message = online.client.request("MESSAGE", &uri(to)).body(content_type, &text);
        let id = self.ledger.write(conn, user, to, None);
        self.ledger.ask(conn, &message, Some(id));
        online.send(&message);
        if composing {
            self.odd.push(id);
        }
    }

    fn type_something(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        let Some(dialog) = online.dialogs.first_mut() else { return };
        let info = online.client.within(dialog, "INFO").body("application/xml", TYPING);
        self.ledger.ask(online.client.conn, &info, None);
        online.send(&info);
    }

    fn say_goodbye(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        let Some(mut dialog) = online.dialogs.pop() else { return };
        let bye = online.client.within(&mut dialog, "BYE");
        self.ledger.ask(online.client.conn, &bye, None);
        online.send(&bye);
    }

    fn answer_late(&mut self, place: usize) {
        let Some(online) = self.endpoints[place].online.as_mut() else { return };
        if let Some(owed) = online.owed.pop() {
            give(online, owed, &mut self.ledger);
        }
    }

    /// What happens seldom: a long silence, a user who is disabled and enabled again.
    fn rare(&mut self) {
        match (self.seed.below(4), self.disabled.take()) {
            (_, Some(user)) => self.net_user(user, false),
            (0, None) => {
                let user = USERS[self.seed.below(3) as usize];
                self.disabled = Some(user);
                self.net_user(user, true);
            }
            (1, None) => self.wait(Duration::from_secs(33)),
            (2, None) => self.wait(Duration::from_secs(200)),
            _ => self.wait(Duration::from_secs(650)),
        }
    }

    fn net_user(&mut self, user: &str, disabled: bool) {
        self.tell(|| format!("{user} disabled: {disabled}"));
        self.net.put_user(user, |user| user.disabled = disabled);
        self.notice_closed();
    }

    fn wait(&mut self, time: Duration) {
        self.net.pass(time);
        self.notice_closed();
    }

    /// Everything on its way arrives and is reacted to.
    fn come_to_rest(&mut self) {
        for _ in 0..10_000 {
            self.net.settle();
            self.notice_closed();
            let mut quiet = true;
            for place in 0..self.endpoints.len() {
                while self.endpoints[place].online.as_ref().is_some_and(|o| !o.outbox.is_empty()) {
                    quiet = false;
                    self.arrive_from(place);
                }
                let conn = self.conn(place);
                while conn.is_some_and(|conn| self.net.waiting(conn) > 0)
                    && self.endpoints[place].online.is_some()
                {
                    quiet = false;
                    self.read_at(place);
                }
            }
            if quiet {
                return;
            }
        }
        panic!("the world never comes to rest");
    }

    /// Every timer of every transaction runs out; nobody says anything new.
    fn wait_for_answers(&mut self) {
        for _ in 0..8 {
            self.wait(Duration::from_secs(35));
            self.come_to_rest();
        }
        for place in 0..self.endpoints.len() {
            let Some(online) = self.endpoints[place].online.as_mut() else { continue };
            online.ringing.clear();
            online.owed.clear();
            assert_eq!(online.inviting.len(), 0, "an invitation without an end");
            // An INVITE that was accepted after its time is over is never acknowledged.
            let acknowledged = &online.acknowledged;
            online.dialogs.retain(|dialog| acknowledged.contains(&dialog.local_tag));
            let conn = online.client.conn;
            let known = self.net.all()[usize::from(conn.shard.0)].sessions_of(conn);
            assert_eq!(online.dialogs.len(), known, "sessions of {conn:?}");
        }
        for shard in self.net.all() {
            let held = shard.occupancy();
            assert_eq!((held.invitations, held.relays, held.pagers), (0, 0, 0), "{held:?}");
        }
    }

    /// Connections live, nobody writes: what a pager-mode client is part of ends by itself.
    fn fall_silent(&mut self) {
        for _ in 0..3 {
            self.wait(Duration::from_secs(650));
            self.come_to_rest();
        }
        let (started, ended) = self.net.conversations();
        let ended: BTreeSet<_> = ended.iter().map(|record| record.id).collect();
        let open = started.into_iter().filter(|record| !ended.contains(&record.id));
        for record in open {
            assert!(record.kind == Kind::Session && !record.bridged, "goes on: {record:?}");
        }
    }

    /// Every connection is closed and time passes: nothing is left.
    fn close_all(&mut self) {
        for place in 0..self.endpoints.len() {
            if let Some(online) = self.endpoints[place].online.take() {
                self.net.end(online.client.conn);
            }
        }
        self.net.settle();
        for seconds in [1, 40, 40, 200, 700, 90_000, 90_000] {
            self.net.pass_s(seconds);
        }
        for shard in self.net.all() {
            let held = shard.occupancy();
            let empty =
                mynah::shard::occupancy::Occupancy { users: held.users, ..Default::default() };
            assert_eq!(held, empty);
        }
        let users: usize = self.net.all().iter().map(|shard| shard.occupancy().users).sum();
        assert_eq!(users, USERS.len(), "every user has one home");
    }

    /// Clients see that the server closed their connections.
    fn notice_closed(&mut self) {
        for endpoint in &mut self.endpoints {
            let closed = |online: &Online| !self.net.is_open(online.client.conn);
            if endpoint.online.as_ref().is_some_and(closed) {
                endpoint.online = None;
            }
        }
    }

    fn conn(&self, place: usize) -> Option<ConnId> {
        self.endpoints[place].online.as_ref().map(|online| online.client.conn)
    }

    fn somebody(&mut self) -> &'static str {
        match self.seed.below(30) {
            0 => "nobody",
            n => USERS[(n % 3) as usize],
        }
    }

    fn those(&self, which: impl Fn(&Online) -> bool) -> Vec<usize> {
        let endpoints = self.endpoints.iter().enumerate();
        endpoints.filter(|(_, e)| e.online.as_ref().is_some_and(&which)).map(|(i, _)| i).collect()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> Option<T> {
        from.get(self.seed.below(from.len() as u64) as usize).copied()
    }

    fn census(&self) -> Census {
        let (started, ended) = self.net.conversations();
        let mut endings = BTreeSet::new();
        for record in &ended {
            let ending = format!("{:?}", record.end.ending);
            endings.insert(ending.split('(').next().unwrap_or_default().to_owned());
        }
        Census {
            written: self.ledger.written.len(),
            accepted: self.ledger.written.iter().filter(|message| message.accepted).count(),
            counted: ended
                .iter()
                .map(|record| record.end.messages_from_caller + record.end.messages_from_callee)
                .sum(),
            sessions: started.iter().filter(|s| s.kind == Kind::Session && !s.bridged).count(),
            bridged: started.iter().filter(|s| s.bridged).count(),
            pagers: started.iter().filter(|s| s.kind == Kind::Pager).count(),
            endings,
        }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("{:>8} {}", self.net.now.mono_ms, what());
        }
    }
}

/// Bounds that are hit.
fn shrink(limits: &mut Limits) {
    limits.sessions_per_shard_max = 3;
    limits.sessions_per_connection_max = 2;
    limits.relays_per_shard_max = 4;
    limits.relays_per_connection_max = 2;
    limits.bridge_messages_max = 1;
    limits.pager_conversations_per_shard_max = 1;
    limits.endpoints_per_user_max = 2;
    limits.connections_per_user_max = 3;
}
