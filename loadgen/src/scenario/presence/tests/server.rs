//! A server of presence without sockets, with faults on demand. It reads what it gets in its own
//! simple way.

use crate::clock::Moment;
use crate::world::Slot;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// What the server does wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// How long notifications are held back.
    pub hold: Duration,
    /// Tells nobody of each user's states from this number on.
    pub drop_from: u32,
    /// Tells nobody of states whose number can be divided by this.
    pub drop_every: u32,
    /// Sends every notification twice.
    pub repeat: bool,
    /// Sends states whose number can be divided by this after the next one.
    pub swap_every: u32,
    /// Finds the version or the entity tag of this publication, of all under load, wrong.
    pub bump_at: u32,
    /// Does not watch this user for others.
    pub passive: Slot,
}

/// One subscription.
#[derive(Debug)]
pub struct Watched {
    watcher: Slot,
    users: Vec<String>,
    from: String,
    benotify: bool,
    sequence: u32,
}

#[derive(Debug)]
pub struct Server {
    faults: Faults,
    /// Subscriptions by Call-ID.
    pub watched: BTreeMap<String, Watched>,
    /// Versions by user, instance and container.
    versions: HashMap<String, u32>,
    /// Entity tags by user.
    pub tags: HashMap<String, u32>,
    /// Publications under load.
    publications: u32,
    users: usize,
    /// What is on its way, by time and order.
    queue: BTreeMap<(Moment, u64), (Slot, String)>,
    /// What users wrote.
    pub log: Vec<(Moment, Slot, String)>,
    serial: u64,
}

impl Server {
    pub fn new(users: usize, faults: Faults) -> Server {
        Server {
            faults,
            watched: BTreeMap::new(),
            versions: HashMap::new(),
            tags: HashMap::new(),
            publications: 0,
            users,
            queue: BTreeMap::new(),
            log: Vec::new(),
            serial: 0,
        }
    }

    /// What arrives at the users now.
    pub fn due(&mut self, now: Moment) -> Vec<(Slot, String)> {
        let later = self.queue.split_off(&(Moment(now.0 + 1), 0));
        std::mem::replace(&mut self.queue, later).into_values().collect()
    }

    /// Takes what a user has written.
    pub fn take(&mut self, slot: Slot, octets: &str, now: Moment) {
        self.log.push((now, slot, octets.to_owned()));
        let mut rest = octets;
        while let Some(end) = rest.find("\r\n\r\n") {
            let length: usize = header(rest, "Content-Length").unwrap().parse().unwrap();
            let (message, more) = rest.split_at(end + 4 + length);
            rest = more;
            self.handle(slot, message, now);
        }
        assert!(rest.trim().is_empty(), "{rest}");
    }

    fn handle(&mut self, slot: Slot, message: &str, now: Moment) {
        match message.split(' ').next().unwrap() {
            "SIP/2.0" => assert!(message.starts_with("SIP/2.0 200 OK\r\n"), "{message}"),
            "REGISTER" => self.answer(slot, message, "200 OK", "Expires: 3600\r\n", "", now),
            "SUBSCRIBE" => self.subscribe(slot, message, now),
            "SERVICE" => self.service(slot, message, now),
            "PUBLISH" => self.publish(slot, message, now),
            _ => panic!("{message}"),
        }
    }

    fn subscribe(&mut self, slot: Slot, message: &str, now: Moment) {
        let call_id = header(message, "Call-ID").unwrap();
        let contact = "Contact: <sip:fe01.example.test;transport=tls>\r\n";
        if header(message, "To").unwrap().contains(";tag=") {
            assert_eq!(header(message, "Expires").as_deref(), Some("0"));
            assert!(message.starts_with("SUBSCRIBE sip:fe01.example.test;transport=tls SIP/2.0"));
            assert!(self.watched.remove(&call_id).is_some());
            return self.answer(slot, message, "200 OK", contact, "", now);
        }
        let resources: Vec<String> = message
            .split("<resource uri=\"sip:")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect();
        let is_batch = message.contains("Require: adhoclist, categoryList\r\n");
        let users = match is_batch {
            true => resources,
            false => vec![address(&header(message, "To").unwrap())],
        };
        let passive = user(self.faults.passive);
        let shows = |one: &String| !is_batch || self.faults.passive == 0 || *one != passive;
        let (shown, hidden): (Vec<_>, Vec<_>) = users.into_iter().partition(shows);
        let list: String = shown
            .iter()
            .map(|one| (one, "active"))
            .chain(hidden.iter().map(|one| (one, "terminated")))
            .map(|(one, state)| {
                format!(
                    "<resource uri=\"sip:{one}\"><instance id=\"0\" state=\"{state}\"/></resource>"
                )
            })
            .collect();
        let body = if is_batch { format!("<list>{list}</list>") } else { String::new() };
        self.answer(slot, message, "200 OK", contact, &body, now);
        let from = header(message, "From").unwrap();
        let benotify = message.contains("Supported: ms-benotify\r\n");
        assert_eq!(benotify, message.contains("Proxy-Require: ms-benotify\r\n"));
        let watched = Watched { watcher: slot, users: shown, from, benotify, sequence: 0 };
        self.watched.insert(call_id, watched);
    }

    /// Category publications: each must rest on the current version.
    fn service(&mut self, slot: Slot, message: &str, now: Moment) {
        let own = address(&header(message, "From").unwrap());
        let named: Vec<(String, u32)> = message
            .split("<publication ")
            .skip(1)
            .map(|rest| {
                let of = |name: &str| attribute(rest, name).unwrap();
                let key = format!("{own} {} {}", of("instance"), of("container"));
                (key, of("version").parse().unwrap())
            })
            .collect();
        let bump = self.is_wrong(message);
        let wrong: String = named
            .iter()
            .enumerate()
            .filter_map(|(at, (key, version))| {
                let current = self.versions.entry(key.clone()).or_default();
                *current += u32::from(bump);
                let index = at + 1;
                (current != version).then(|| {
                    format!(
                        "<operation index=\"{index}\" version=\"{version}\" curVersion=\"{current}\"/>"
                    )
                })
            })
            .collect();
        if !wrong.is_empty() {
            return self.answer(slot, message, "409 Conflict", "", &wrong, now);
        }
        let mut body = String::from("<roamingData><categories>");
        for (key, version) in named {
            let (instance, container) = key.rsplit_once(' ').unwrap();
            let instance = instance.rsplit_once(' ').unwrap().1;
            self.versions.insert(key.clone(), version + 1);
            body += &format!(
                "<category name=\"state\" instance=\"{instance}\" container=\"{container}\" \
                 version=\"{}\"/>",
                version + 1
            );
        }
        self.answer(slot, message, "200 OK", "", &(body + "</categories></roamingData>"), now);
        self.tell(&own, message, now);
    }

    /// The publication of a SIMPLE client: it must rest on the last entity tag.
    fn publish(&mut self, slot: Slot, message: &str, now: Moment) {
        let own = address(&header(message, "From").unwrap());
        let tag = header(message, "SIP-If-Match").map(|tag| tag.parse().unwrap());
        if header(message, "Expires").as_deref() == Some("0") {
            assert_eq!(self.tags.remove(&own), tag);
            return self.answer(slot, message, "200 OK", "Expires: 0\r\n", "", now);
        }
        if self.is_wrong(message) {
            self.tags.remove(&own);
        }
        if tag.is_some() && self.tags.get(&own).copied() != tag {
            let status = "412 Conditional Request Failed";
            return self.answer(slot, message, status, "", "", now);
        }
        let next = tag.unwrap_or(0) + 1;
        self.tags.insert(own.clone(), next);
        let more = format!("SIP-ETag: {next}\r\nExpires: 3600\r\n");
        self.answer(slot, message, "200 OK", &more, "", now);
        self.tell(&own, message, now);
    }

    fn is_wrong(&mut self, message: &str) -> bool {
        self.publications += u32::from(number(stamp(message)) > 1);
        let is_first = number(stamp(message)) <= 1;
        !is_first && self.publications == self.faults.bump_at
    }

    /// Tells all who watch a user of his state.
    fn tell(&mut self, own: &str, publication: &str, now: Moment) {
        let stamp = stamp(publication);
        let number = number(stamp);
        let Faults { hold, drop_from, drop_every, repeat, swap_every, .. } = self.faults;
        let every = |n: u32| n > 0 && number.is_multiple_of(n);
        if drop_from > 0 && number >= drop_from || every(drop_every) {
            return;
        }
        let late = if every(swap_every) { Duration::from_millis(700) } else { Duration::ZERO };
        let at = now.after(hold + late);
        let told: Vec<(Slot, String)> = self
            .watched
            .iter_mut()
            .filter(|(_, watched)| watched.users.iter().any(|one| one == own))
            .map(|(call_id, watched)| (watched.watcher, watched.notification(call_id, stamp)))
            .collect();
        for (watcher, text) in told {
            for _ in 0..1 + u32::from(repeat) {
                self.send(watcher, text.clone(), at);
            }
        }
    }

    fn answer(
        &mut self,
        slot: Slot,
        request: &str,
        status: &str,
        more: &str,
        body: &str,
        now: Moment,
    ) {
        let line = |name: &str| format!("{name}: {}\r\n", header(request, name).unwrap());
        let to = header(request, "To").unwrap();
        let tag = if to.contains(";tag=") { "" } else { ";tag=srv" };
        let text = format!(
            "SIP/2.0 {status}\r\n{}{}To: {to}{tag}\r\n{}{}{more}Content-Length: {}\r\n\r\n{body}",
            line("Via"),
            line("From"),
            line("Call-ID"),
            line("CSeq"),
            body.len()
        );
        self.send(slot, text, now.after(Duration::from_millis(1)));
    }

    fn send(&mut self, slot: Slot, text: String, at: Moment) {
        assert!(slot < self.users);
        self.serial += 1;
        self.queue.insert((at, self.serial), (slot, text));
    }
}

impl Watched {
    fn notification(&mut self, call_id: &str, stamp: &str) -> String {
        self.sequence += 1;
        let method = if self.benotify { "BENOTIFY" } else { "NOTIFY" };
        let body = format!("<x:state><custom LCID=\"1033\">{stamp}</custom></x:state>");
        format!(
            "{method} sip:x SIP/2.0\r\nVia: SIP/2.0/TLS fe01.example.test;branch=z9hG4bK{}\r\n\
             From: <sip:x@example.test>;tag=srv\r\nTo: {}\r\nCall-ID: {call_id}\r\n\
             CSeq: {} {method}\r\nEvent: presence\r\nsubscription-state: active;expires=7000\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.sequence,
            self.from,
            self.sequence,
            body.len()
        )
    }
}

fn user(slot: Slot) -> String {
    format!("user{slot:07}@example.test")
}

fn header(message: &str, name: &str) -> Option<String> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(rest.split('"').next()?.to_owned())
}

/// `user@host` of an address.
fn address(text: &str) -> String {
    text.split("sip:").nth(1).unwrap().split(['>', ';']).next().unwrap().to_owned()
}

/// What the load generator writes into a state.
fn stamp(message: &str) -> &str {
    let at = message.find(">lg ").unwrap() + 1;
    message[at..].split('<').next().unwrap()
}

/// Which state of its user that is.
fn number(stamp: &str) -> u32 {
    stamp.split(' ').nth(3).unwrap().parse().unwrap()
}
