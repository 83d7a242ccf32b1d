//! What clients ask for of their own accord.

use super::agent::{Agent, ROAMING_CONTACTS, ROAMING_SELF, Sent};
use super::book::{Book, Edit, Key, Lasting, Moving, Publishing};
use super::levels::LEVELS;
use super::subscription::{Subscription, Topic};
use crate::harness::Request;
use crate::harness::client::uri;
use crate::harness::presence::{batch_body, publication, soap_body};
use crate::stage::{Stage, USERS};

const BATCH: &str = "application/msrtc-adrl-categorylist+xml";
const STATE: &str = "http://schemas.microsoft.com/2006/09/sip/state";

/// Values of a machine, and of its user.
const MACHINE: [u64; 4] = [3500, 4500, 6500, 15_500];
const CHOICES: [u64; 6] = [3500, 6500, 9500, 12_500, 15_500, 18_500];

impl Agent {
    /// Does something, as its dialect has it.
    pub fn act(&mut self, stage: &mut Stage, book: &mut Book) {
        let fashion = stage.index(book.fashion.len());
        let what = match stage.chance(40) {
            true => book.fashion[fashion],
            false => stage.below(100),
        };
        match (self.client.ms, what) {
            (_, 0..2) => self.register(stage),
            (_, 2) => self.sign_off(stage),
            (_, 3..9) => self.refresh(stage),
            (_, 9..12) => self.unsubscribe(stage),
            (true, 12..26) => self.subscribe_own(stage, book),
            (true, 26..38) => self.watch_several(stage, book),
            (_, 38..44) => self.watch_one(stage, book),
            (true, 44..48) => self.change_batch(stage),
            (true, 48..74) => self.publish(stage, book),
            (true, 74..84) => self.change_members(stage, book),
            (true, 84..95) => self.edit_contacts(stage, book),
            (true, 95..98) => self.acknowledge(stage, book),
            (true, _) => self.search(stage),
            (false, 12..30) => self.watch_one(stage, book),
            (false, 30..50) => self.watch_list(stage, book),
            (false, 50..58) => self.subscribe_own(stage, book),
            (false, _) => self.publish_standard(stage, book),
        }
    }

    fn somebody(&self, stage: &mut Stage) -> &'static str {
        USERS[stage.index(stage.users)]
    }

    fn some(&self, stage: &mut Stage) -> Vec<&'static str> {
        let several = 1 + stage.index(4);
        let mut users: Vec<_> = (0..several).map(|_| self.somebody(stage)).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// Subscribes to something of its own it does not have yet.
    pub fn subscribe_own(&mut self, stage: &mut Stage, book: &Book) {
        let packages: &[&'static str] = match self.client.ms {
            true => {
                &[ROAMING_SELF, ROAMING_CONTACTS, "vnd-microsoft-roaming-ACL", "presence.wpending"]
            }
            false => &["presence.winfo"],
        };
        let has = |package: &str| {
            let mut known = self.subscriptions.values();
            known.any(|one| !one.over && matches!(one.topic, Topic::Own(own) if own == package))
        };
        let Some(package) = packages.iter().find(|package| !has(package)) else { return };
        let request = match self.client.ms {
            true => self.client.subscribe_own(package),
            false => {
                let own = uri(&self.client.user);
                self.client.request("SUBSCRIBE", &own).header("Event", package)
            }
        };
        self.subscribe(stage, book, Topic::Own(package), &[], request);
    }

    fn watch_several(&mut self, stage: &mut Stage, book: &Book) {
        let users = self.some(stage);
        if stage.chance(30) {
            let request = self.client.batch_added(users[0]);
            return self.subscribe(stage, book, Topic::Batch, &users[..1], request);
        }
        let request = self.client.batch(&users);
        self.subscribe(stage, book, Topic::Batch, &users, request);
    }

    fn watch_list(&mut self, stage: &mut Stage, book: &Book) {
        let users = self.some(stage);
        let entries: String =
            users.iter().map(|user| format!("<entry uri=\"{}\"/>", uri(user))).collect();
        let own = uri(&self.client.user);
        let request = self
            .client
            .request("SUBSCRIBE", &own)
            .header("Event", "presence")
            .header("Require", "recipient-list-subscribe")
            .header("Supported", "eventlist")
            .body(
                "application/resource-lists+xml",
                &format!(
                    "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\
                     {entries}</list></resource-lists>"
                ),
            );
        self.subscribe(stage, book, Topic::List, &users, request);
    }

    fn watch_one(&mut self, stage: &mut Stage, book: &Book) {
        let user = self.somebody(stage);
        let request = match self.client.ms {
            true => {
                let request = self.client.piggyback("presence", &uri(user));
                request.header("Accept", "application/msrtc-event-categories+xml")
            }
            false => self.client.request("SUBSCRIBE", &uri(user)).header("Event", "presence"),
        };
        self.subscribe(stage, book, Topic::Single, &[user], request);
    }

    fn subscribe(
        &mut self,
        stage: &mut Stage,
        book: &Book,
        topic: Topic,
        users: &[&str],
        request: Request,
    ) {
        let own = matches!(topic, Topic::Own(_));
        let seconds = match stage.below(100) {
            0..20 if !own => 0,
            20..30 => 60 + stage.below(60),
            _ => 7200,
        };
        let request = request.with("Expires", &seconds.to_string());
        let call_id = request.value("Call-ID").to_owned();
        let subscription = Subscription::new(topic, request.clone(), users, book);
        self.subscriptions.insert(call_id.clone(), subscription);
        self.ask(stage, request, Sent::Subscribe(call_id, seconds));
    }

    /// The next SUBSCRIBE of some subscription, of that topic if one is named.
    fn again(
        &mut self,
        stage: &mut Stage,
        topic: Option<Topic>,
        seconds: u64,
    ) -> Option<(String, Request)> {
        let open = self
            .subscriptions
            .iter()
            .filter(|(_, one)| one.is_open() && topic.is_none_or(|topic| one.topic == topic));
        let open: Vec<String> = open.map(|(call_id, _)| call_id.clone()).collect();
        if open.is_empty() {
            return None;
        }
        let call_id = open[stage.index(open.len())].clone();
        let request = self.next_of(&call_id, seconds);
        Some((call_id, request))
    }

    fn next_of(&mut self, call_id: &str, seconds: u64) -> Request {
        let subscription = self.subscriptions.get_mut(call_id).expect("it is its own");
        subscription.cseq += 1;
        subscription.waits = true;
        let accepted = subscription.accepted.as_ref().expect("it is open");
        self.client.again(&subscription.first, accepted, subscription.cseq, seconds as u32)
    }

    fn refresh(&mut self, stage: &mut Stage) {
        let seconds = if stage.chance(20) { 60 + stage.below(60) } else { 7200 };
        if let Some((call_id, request)) = self.again(stage, None, seconds) {
            self.ask(stage, request, Sent::Subscribe(call_id, seconds));
        }
    }

    /// Refreshes every subscription it has.
    pub fn refresh_all(&mut self, stage: &mut Stage) {
        let open = self.subscriptions.iter().filter(|(_, one)| one.is_open());
        let open: Vec<String> = open.map(|(call_id, _)| call_id.clone()).collect();
        for call_id in open {
            let request = self.next_of(&call_id, 7200);
            self.ask(stage, request, Sent::Subscribe(call_id, 7200));
        }
    }

    fn unsubscribe(&mut self, stage: &mut Stage) {
        if let Some((call_id, request)) = self.again(stage, None, 0) {
            self.ask(stage, request, Sent::Unsubscribe(call_id));
        }
    }

    /// Watches somebody more or less in a dialog there is.
    fn change_batch(&mut self, stage: &mut Stage) {
        let Some((call_id, request)) = self.again(stage, Some(Topic::Batch), 7200) else { return };
        let user = self.somebody(stage);
        let list = format!("<adhocList><resource uri=\"{}\"/></adhocList>", uri(user));
        let own = uri(&self.client.user);
        let adds = stage.chance(60);
        let body = batch_body(&own, &list, if adds { "subscribe" } else { "unsubscribe" });
        let request = request.body(BATCH, &body);
        let subscription = self.subscriptions.get_mut(&call_id).expect("it is its own");
        if adds {
            subscription.asked.insert(user.to_owned());
            subscription.dropped.remove(user);
            self.ask(stage, request, Sent::Subscribe(call_id, 7200));
        } else {
            self.ask(stage, request, Sent::Drop(call_id, user.to_owned()));
        }
    }

    fn publish(&mut self, stage: &mut Stage, book: &mut Book) {
        let mut wishes = Vec::new();
        let what = stage.below(100);
        let delete = stage.chance(18);
        let out = stage.chance(25);
        let device = self.device as u32;
        let (category, instance, containers, lasting): (_, _, &[u32], _) = match what {
            0..20 => ("state", 1000 + device, &[2, 3], Lasting::Endpoint),
            20..45 => ("state", 536_870_912, &[2, 3], Lasting::Static),
            45..55 => {
                ("state", 2000 + device, &[2, 3], Lasting::Seconds(30 + stage.below(90) as u32))
            }
            // Where nobody may see it, too.
            55..78 => ("note", u32::from(out), &[200, 300, 400, 100, 0, 32_000], Lasting::Static),
            78..83 => ("note", 10 + device, &[200, 300, 400], Lasting::Endpoint),
            83..92 => {
                ("calendarData", stage.below(2) as u32, &[200, 300, 400, 100], Lasting::Static)
            }
            _ => ("services", device, &[100, 200, 300, 400, 0], Lasting::Endpoint),
        };
        let value = match what {
            0..20 => MACHINE[stage.index(MACHINE.len())],
            _ => CHOICES[stage.index(CHOICES.len())],
        };
        // Some clients put only part of it where it belongs.
        let from = if stage.chance(10) { stage.index(containers.len()) } else { 0 };
        for container in &containers[from..] {
            let key: Key = (category.to_owned(), *container, instance);
            let known = self.hints.get(&key).or(self.own.versions.get(&key));
            let known = known.copied().unwrap_or(0);
            let version = if stage.chance(8) { stage.below(4) as u32 } else { known };
            let sort = if category == "state" { 'k' } else { 'c' };
            let mark = format!("{}{sort}{container}", book.mark("m"));
            let mark = (!delete).then_some(mark);
            let publishing = Publishing {
                user: self.user,
                key,
                version: Some(version),
                lasting,
                mark: mark.clone(),
                status: None,
            };
            let payload = match (category, what) {
                ("state", _) => state(what, value, mark.as_deref().unwrap_or_default()),
                ("note", _) => note(out, mark.as_deref().unwrap_or_default()),
                (name, _) => format!(
                    "<{name} xmlns=\"urn:x\"><mark>{}</mark></{name}>",
                    mark.unwrap_or_default()
                ),
            };
            let life = match (lasting, delete) {
                (Lasting::Static, false) => "static".to_owned(),
                (Lasting::Endpoint, false) => "endpoint".to_owned(),
                (Lasting::Seconds(seconds), false) => format!("time\" expires=\"{seconds}"),
                (Lasting::Static, true) => "static\" expires=\"0".to_owned(),
                (Lasting::Endpoint, true) => "endpoint\" expires=\"0".to_owned(),
                (Lasting::Seconds(_), true) => "time\" expires=\"0".to_owned(),
            };
            let text = publication(category, instance, *container, version, &life, &payload);
            wishes.push((book.publish(publishing), text));
        }
        let (wishes, texts): (Vec<usize>, Vec<String>) = wishes.into_iter().unzip();
        let request = self.client.publish(&texts);
        self.ask(stage, request, Sent::Publish(wishes));
    }

    fn publish_standard(&mut self, stage: &mut Stage, book: &mut Book) {
        let etag = match stage.below(100) {
            0..80 => self.etag.clone(),
            80..90 => Some("00000000000000aa".to_owned()),
            _ => None,
        };
        let mark = book.mark("p");
        let activity = ["", "busy", "away"][stage.index(3)];
        let note = if stage.chance(60) { &*mark } else { "" };
        let mut request = self.client.publish_pidf(activity, note, etag.as_deref());
        let seconds = 60 + stage.below(200);
        request = request.with("Expires", &seconds.to_string());
        let mut lasting = Lasting::Seconds(seconds as u32);
        if etag.is_some() && stage.chance(25) {
            // Only longer, or no more.
            let own = uri(&self.client.user);
            let expires = if stage.chance(40) { 0 } else { seconds };
            lasting = Lasting::Seconds(expires as u32);
            request = self
                .client
                .request("PUBLISH", &own)
                .header("Event", "presence")
                .header("Expires", &expires.to_string())
                .header("SIP-If-Match", &etag.unwrap_or_default());
        }
        let publishing = Publishing {
            user: self.user,
            key: ("note".to_owned(), 200, 0),
            version: None,
            lasting,
            mark: Some(mark),
            status: None,
        };
        let wish = book.publish(publishing);
        self.ask(stage, request, Sent::Standard(wish));
    }

    /// Puts somebody at another level, as the client does: out of one container, into another.
    fn change_members(&mut self, stage: &mut Stage, book: &mut Book) {
        let who = self.somebody(stage);
        let to = LEVELS[stage.index(LEVELS.len())];
        let mut steps = Vec::new();
        let held = self
            .own
            .containers
            .iter()
            .filter(|(id, (_, users))| users.contains(who) && (**id != to || stage.chance(50)));
        for (id, (version, _)) in held {
            steps.push((*id, *version, false, who.to_owned()));
        }
        if !steps.iter().any(|step| step.0 == to) && stage.chance(85) {
            let known = self.own.containers.get(&to).map_or(0, |(version, _)| *version);
            let version = if stage.chance(8) { stage.below(4) as u32 } else { known };
            steps.push((to, version, true, who.to_owned()));
        }
        if steps.is_empty() {
            return;
        }
        let changes: Vec<(u32, u32, &str, &str)> = steps
            .iter()
            .map(|(id, version, add, who)| {
                (*id, *version, if *add { "add" } else { "remove" }, &**who)
            })
            .collect();
        let request = self.client.set_members(&changes);
        let moving = book.change_members(Moving { user: self.user, steps, status: None });
        self.ask(stage, request, Sent::Members(moving));
    }

    fn edit_contacts(&mut self, stage: &mut Stage, book: &mut Book) {
        let name = book.mark("x");
        let who = self.somebody(stage);
        let groups: Vec<u32> = self.list.groups.keys().copied().filter(|id| *id > 1).collect();
        let group = if groups.is_empty() { 2 } else { groups[stage.index(groups.len())] };
        let uri = format!("<m:URI>{}</m:URI>", uri(who));
        let (method, arguments, edit) = match stage.below(100) {
            0..20 => ("addGroup", format!("<m:name>{name}</m:name>"), Edit::AddGroup(name)),
            20..30 => (
                "modifyGroup",
                format!("<m:groupID>{group}</m:groupID><m:name>{name}</m:name>"),
                Edit::RenameGroup(group, name),
            ),
            30..38 => {
                ("deleteGroup", format!("<m:groupID>{group}</m:groupID>"), Edit::DeleteGroup(group))
            }
            38..52 => ("deleteContact", uri, Edit::DeleteContact(who.to_owned())),
            _ => {
                let groups = if stage.chance(50) { group.to_string() } else { String::new() };
                let arguments = format!(
                    "<m:displayName>{name}</m:displayName><m:groups>{groups}</m:groups>\
                     <m:subscribed>true</m:subscribed>{uri}"
                );
                ("setContact", arguments, Edit::SetContact(who.to_owned(), name))
            }
        };
        let arguments = format!("{arguments}<m:externalURI/><m:deltaNum>1</m:deltaNum>");
        let request = self.client.soap(method, &arguments);
        let edit = book.edit(&stage.net, self.user, edit);
        self.ask(stage, request, Sent::Edit(edit));
    }

    fn acknowledge(&mut self, stage: &mut Stage, book: &mut Book) {
        let new = self.own.subscribers.iter().find(|(_, seen)| !**seen);
        let Some(who) = new.map(|(who, _)| who.clone()) else { return };
        let request = self.client.service(
            "application/msrtc-presence-setsubscriber+xml",
            &format!(
                "<setSubscribers xmlns=\"http://schemas.microsoft.com/2006/09/sip/presence-subscribers\">\
                 <subscriber user=\"{who}@example.test\" acknowledged=\"true\"/></setSubscribers>"
            ),
        );
        let edit = book.edit(&stage.net, self.user, Edit::Acknowledge(who));
        self.ask(stage, request, Sent::Edit(edit));
    }

    fn search(&mut self, stage: &mut Stage) {
        let body = soap_body(
            "directorySearch",
            "<m:filter m:href=\"#searchArray\"/><m:maxResults>100</m:maxResults>\
             </m:directorySearch><m:Array xmlns:m=\"http://schemas.microsoft.com/winrtc/2002/11/sip\" \
             m:id=\"searchArray\"><m:row m:attrib=\"displayName\" m:value=\"a\"/></m:Array>\
             <m:directorySearch>",
        )
        .replace("<m:directorySearch></m:directorySearch>", "");
        let request =
            self.client.request("SERVICE", "sip:example.test").body("application/SOAP+xml", &body);
        self.ask(stage, request, Sent::Search);
    }
}

fn state(what: u64, value: u64, mark: &str) -> String {
    let (kind, manual, inner) = match what {
        0..20 => ("machineState", false, format!("<endpointLocation>{mark}</endpointLocation>")),
        20..45 => (
            "userState",
            true,
            format!("<activity><custom LCID=\"1033\">{mark}</custom></activity>"),
        ),
        _ => (
            "calendarState",
            false,
            format!(
                "<meetingSubject>{mark}</meetingSubject><meetingLocation>{mark}</meetingLocation>"
            ),
        ),
    };
    format!(
        "<state xmlns=\"{STATE}\" manual=\"{manual}\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"{kind}\">\
         <availability>{value}</availability>{inner}</state>"
    )
}

fn note(out: bool, mark: &str) -> String {
    let kind = if out { "OOF" } else { "personal" };
    format!(
        "<note xmlns=\"http://schemas.microsoft.com/2006/09/sip/note\">\
         <body type=\"{kind}\" uri=\"\">{mark}</body></note>"
    )
}
