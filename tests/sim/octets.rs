//! A whole server driven by octets, for the fuzz target `octets`: they choose what clients of both
//! dialects send, what is wrong with it, what they answer, when they vanish, and what operators and
//! the store do meanwhile.
//!
//! After each step the shards' own rules and those between shards are checked, and that whatever is
//! written to a client can be read, and at the end that nothing is kept of clients that are gone.

use std::collections::VecDeque;

use mynah::base::ids::ConnId;
use mynah::shard::durable::NotWritten;

use crate::harness::conference::{FACTORY, Meeting, Wish, id_at};
use crate::harness::{Client, Device, Dialog, Net, Request, Text};

/// Steps of one run.
const STEPS_MAX: usize = 120;
/// Requests that wait for an answer of a client; the oldest is forgotten.
const WAITING_MAX: usize = 32;
/// What the values of headers are exchanged for.
const VALUES: &[&str] = &[
    "",
    "0",
    "1",
    "4294967295",
    "*",
    "%",
    "<sip:bob@example.test>;tag=1",
    "<sip:alice@example.test>;tag=x;epid=y",
    "<sip:carol@example.test;opaque=user:epid:CF4L2AMcWg2NmvFJquaVSgAAA;gruu>",
    "<sip:fe01.example.test:5061;transport=tls;lr>",
    "\"a, b\" <sips:eve@elsewhere.test>;expires=0, <sip:c@d.test>;q=0.5",
    "SIP/2.0/TLS fe01.example.test:5061;branch=z9hG4bK0;received=::1",
    "1 MESSAGE",
    "presence.winfo",
    "vnd-microsoft-roaming-contacts",
    "multipart/alternative; boundary=b",
    "application/pidf+xml",
    "text/plain",
    "ms-benotify, gruu-10, msrtc-event-categories, 100rel",
    "Digest username=\"alice\", realm=\"example.test\", nonce=\"x\", response=\"y\"",
];
/// Headers that are exchanged, or added.
const NAMES: &[&str] = &[
    "Accept",
    "Authorization",
    "Call-ID",
    "Contact",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Event",
    "Expires",
    "From",
    "Max-Forwards",
    "Ms-Sender",
    "Proxy-Require",
    "Record-Route",
    "Refer-To",
    "Require",
    "Route",
    "SIP-If-Match",
    "Supported",
    "To",
    "Via",
];

/// Octets, used up one by one; 0 when there are no more.
struct Octets<'a>(&'a [u8]);

impl Octets<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.next()) % bound.max(1)
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    /// ASCII alone: clients of the tests read text, and a cut through a character leaves none. What
    /// other octets do is the business of `sip_message`.
    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken.iter().map(|octet| octet & 0x7f).collect()
    }

    fn text(&mut self) -> String {
        let len = self.below(24);
        String::from_utf8_lossy(&self.take(len)).replace(['\r', '\n', '<', '&'], " ")
    }
}

struct World<'a> {
    octets: Octets<'a>,
    net: Net,
    clients: Vec<Client>,
    /// Which client, and its end of a dialog.
    dialogs: Vec<(usize, Dialog)>,
    /// Invitations under way.
    invites: Vec<(usize, Request)>,
    /// Requests that came to clients.
    waiting: VecDeque<(usize, Text)>,
    /// What was sent, to be sent again.
    sent: Vec<(usize, Vec<u8>)>,
    meetings: Vec<Meeting>,
}

/// Runs the server by these octets.
pub fn body(data: &[u8]) {
    // Signed messages are not among them: one with something wrong with it ends its connection.
    let mut net = Net::new(2);
    let clients = [("alice", true, 0), ("bob", true, 1), ("carol", false, 0), ("bob", false, 1)]
        .map(|(user, ms, shard)| {
            Client::device(&mut net, shard, Device { user, ms, number: u32::from(shard) })
        });
    let stranger = Client::on(&mut net, 1, Device { user: "carol", ms: true, number: 3 });
    let meetings = vec![Meeting::of("alice", &id_at(2, 1, 1))];
    let mut world = World {
        octets: Octets(data),
        net,
        clients: clients.into_iter().chain([stranger]).collect(),
        dialogs: Vec::new(),
        invites: Vec::new(),
        waiting: VecDeque::new(),
        sent: Vec::new(),
        meetings,
    };
    for _ in 0..STEPS_MAX {
        if world.octets.0.is_empty() {
            break;
        }
        world.step();
        world.look();
    }
    world.end();
}

impl World<'_> {
    fn step(&mut self) {
        let who = self.octets.below(self.clients.len());
        match self.octets.next() % 20 {
            0..=8 => {
                let request = self.request(who);
                self.send(who, &request);
            }
            9..=11 => self.within_a_dialog(),
            12..=14 => self.answer(),
            15 => {
                let len = self.octets.below(80);
                let octets = self.octets.take(len);
                self.write(who, &octets);
            }
            16 => {
                let ms = self.octets.one(&[1, 100, 1_000, 30_000, 400_000, 8_000_000]);
                self.net.pass(std::time::Duration::from_millis(ms));
            }
            17 => {
                if !self.sent.is_empty() {
                    let at = self.octets.below(self.sent.len());
                    let (who, octets) = self.sent[at].clone();
                    self.write(who, &octets);
                }
            }
            18 => self.come_back(who),
            _ => self.behind_the_scenes(),
        }
    }

    /// A request outside of any dialog.
    fn request(&mut self, who: usize) -> Request {
        let user = self.octets.one(&["alice", "bob", "carol", "dave"]);
        let meeting = self.octets.one(&self.meetings);
        let kind = self.octets.below(24);
        let (text, number) = (self.octets.text(), u32::from(self.octets.next()));
        let client = &mut self.clients[who];
        match kind {
            0 | 1 => client.invite(user),
            2 | 3 => client.page(user, &text),
            4 => client.register(),
            5 => client.register().with("Expires", "0"),
            6 => client.register().with("Contact", "*").with("Expires", "0"),
            7 => client.subscribe(user, number * 40),
            8 => client.batch(&[user, "bob"]),
            9 => client.subscribe_own("vnd-microsoft-roaming-self"),
            10 => client.subscribe_own("vnd-microsoft-roaming-contacts"),
            11 => client.publish_state(number * 100, number % 3),
            12 => client.publish_note(&text, number % 3),
            13 => client.publish_pidf("away", &text, None),
            14 => client.set_members(&[(32_000, number % 2, "add", user)]),
            15 => client.soap("addGroup", &format!("<m:name>{text}</m:name>")),
            16 => client.soap(
                "setContact",
                &format!("<m:URI>sip:{user}@example.test</m:URI><m:groups>1</m:groups>"),
            ),
            17 => {
                let id = id_at(2, u16::from(number % 2 == 1), number % 4);
                self.meetings.push(Meeting::of(&client.user, &id));
                client.convene(&id, Wish::default())
            }
            18 => client.invite_focus(&meeting),
            19 => client.invite_chat(&meeting),
            20 => client.invite_plain(&meeting),
            21 => client.watch(&meeting),
            22 => client.operation_at(FACTORY, &meeting.end()),
            _ => {
                let to = format!("sip:{user}@example.test");
                client.request(self.octets.one(&["OPTIONS", "INFO", "NOTIFY", "FOO"]), &to)
            }
        }
    }

    fn within_a_dialog(&mut self) {
        if self.dialogs.is_empty() {
            return;
        }
        let at = self.octets.below(self.dialogs.len());
        let (kind, text) = (self.octets.below(10), self.octets.text());
        let user = self.octets.one(&["alice", "bob", "carol", "dave"]);
        let meeting = self.octets.one(&self.meetings);
        let (who, dialog) = &mut self.dialogs[at];
        let (who, client) = (*who, &mut self.clients[*who]);
        let request = match kind {
            0..=2 => client.say(dialog, &text),
            3 => client.within(dialog, "BYE"),
            4 => client.within(dialog, "INVITE"),
            5 => client.ack(dialog),
            6 => client.operate(dialog, &meeting.invite(user, "attendee")),
            7 => client.operate(dialog, &meeting.eject(user)),
            8 => client.operate(dialog, &meeting.lock(!text.is_empty())),
            _ => client.refer(dialog, &format!("<sip:{user}@example.test>")),
        };
        self.send(who, &request);
    }

    /// A client answers a request, or takes its own invitation back.
    fn answer(&mut self) {
        let status = self.octets.one(&[100, 180, 200, 202, 302, 408, 481, 486, 500, 603]);
        if self.octets.next().is_multiple_of(8) {
            if let Some((who, invite)) = self.invites.last().cloned() {
                let cancel = self.clients[who].cancel(&invite);
                self.send(who, &cancel);
            }
            return;
        }
        if self.waiting.is_empty() {
            return;
        }
        let at = self.octets.below(self.waiting.len());
        let (who, request) = self.waiting[at].clone();
        if status >= 200 {
            self.waiting.remove(at);
        }
        let answer = match (request.method(), status) {
            ("INVITE", 200) => {
                let (answer, dialog) = self.clients[who].accept(&request);
                self.dialogs.push((who, dialog));
                answer
            }
            _ => request.answer(status, "t1"),
        };
        self.send(who, &answer);
    }

    fn come_back(&mut self, who: usize) {
        let old = &self.clients[who];
        let (user, ms, number) = (old.user.clone(), old.ms, who as u32);
        if self.octets.next().is_multiple_of(2) {
            self.net.end(old.conn);
            self.net.settle();
        }
        let shard = self.octets.below(2) as u16;
        let mut client = Client::on(&mut self.net, shard, Device { user: &user, ms, number });
        let register = client.register();
        let challenge = self.net.ask(client.conn, &register);
        if challenge.status() == 401 && !ms || challenge.status() == 407 {
            let again = client.prove(register, &challenge, crate::harness::PASSWORD);
            self.net.send(client.conn, &again);
        }
        self.clients[who] = client;
    }

    /// What operators and the store do.
    fn behind_the_scenes(&mut self) {
        let user = self.octets.one(&["alice", "bob", "carol", "dave"]);
        match self.octets.below(8) {
            0 => self.net.remove_user(user),
            1 => self.net.put_user(user, |user| user.disabled = true),
            2 => self.net.put_user(user, |_| {}),
            3 => self.net.shelf.held = true,
            4 => self.net.shelf.held = false,
            5 => self.net.shelf.fails = Some(NotWritten::Failing),
            6 => self.net.shelf.fails = None,
            _ => {
                let few = self.octets.below(4);
                self.net.configure(|settings| {
                    settings.limits.watchers_per_user_max = few;
                    settings.limits.publications_per_user_max = 4 * few;
                });
            }
        }
        self.net.settle();
    }

    /// Sends a message, as it should be or with something wrong with it.
    fn send(&mut self, who: usize, request: &Request) {
        if request.value("Via").is_empty() {
            return;
        }
        if request.octets().starts_with(b"INVITE") {
            self.invites.push((who, request.clone()));
        }
        let wrong = self.octets.next();
        if wrong < 160 {
            let conn = self.clients[who].conn;
            if self.net.is_open(conn) {
                self.net.send(conn, request);
            }
            return;
        }
        let mut request = request.clone();
        for _ in 0..=wrong % 2 {
            let name = self.octets.one(NAMES);
            request = match self.octets.below(4) {
                0 => request.without(name),
                1 => request.header(name, self.octets.one(VALUES)),
                2 => request.with(name, self.octets.one(VALUES)),
                _ => {
                    let other = request.value(self.octets.one(NAMES)).to_owned();
                    request.with(name, &other)
                }
            };
        }
        let mut octets = request.octets();
        if wrong >= 220 && !octets.is_empty() {
            let at = (self.octets.below(256) * 256 + self.octets.below(256)) % octets.len();
            let len = self.octets.below(5);
            let other = self.octets.take(len);
            let end = (at + self.octets.below(5)).min(octets.len());
            octets.splice(at..end, other);
        }
        self.write(who, &octets);
    }

    fn write(&mut self, who: usize, octets: &[u8]) {
        let conn = self.clients[who].conn;
        if self.net.is_open(conn) {
            self.net.send_octets(conn, octets);
            self.sent.push((who, octets.to_vec()));
        }
    }

    /// Clients look at what came, and acknowledge what must be.
    fn look(&mut self) {
        for who in 0..self.clients.len() {
            let conn = self.clients[who].conn;
            while let Some(message) = self.net.try_recv(conn) {
                self.came(who, conn, message);
            }
        }
    }

    fn came(&mut self, who: usize, conn: ConnId, message: Text) {
        if !message.is_response() {
            if message.method() != "ACK" && message.method() != "BENOTIFY" {
                self.waiting.push_back((who, message));
            }
            if self.waiting.len() > WAITING_MAX {
                self.waiting.pop_front();
            }
            return;
        }
        let of = |(from, invite): &(usize, Request)| {
            *from == who
                && invite.value("Call-ID") == message.header("Call-ID")
                && message.header("CSeq").ends_with(" INVITE")
        };
        if message.status() < 200 || !self.net.is_open(conn) {
            return;
        }
        let Some(at) = self.invites.iter().position(of) else { return };
        let (_, invite) = self.invites.remove(at);
        let client = &mut self.clients[who];
        let ack = match message.status() {
            200..300 => {
                let dialog = client.conference_dialog(&invite, &message);
                let ack = client.ack(&dialog);
                self.dialogs.push((who, dialog));
                ack
            }
            _ => client.acknowledge(&invite, &message),
        };
        if self.octets.next() % 8 != 1 {
            self.net.send(conn, &ack);
        }
    }

    /// All clients go, and nothing is left of them.
    fn end(&mut self) {
        self.net.shelf.held = false;
        self.net.shelf.fails = None;
        self.net.settle();
        for conn in self.net.connections() {
            self.net.end(conn);
        }
        self.net.settle();
        for _ in 0..4 {
            self.net.pass_s(8_000);
        }
        self.net.at_rest();
    }
}
