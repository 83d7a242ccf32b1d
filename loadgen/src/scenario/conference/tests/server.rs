//! A conference service without sockets, with faults on demand. It reads what it gets in its own
//! simple way.

use crate::clock::Moment;
use crate::world::Slot;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the server does wrong.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// How long messages are held back.
    pub hold: Duration,
    /// Makes no conference for this organiser.
    pub no_conference: Option<Slot>,
    /// Lets no more than so many members into a conference; all when zero.
    pub most: usize,
    /// Leaves the chat out of the roster.
    pub no_chat: bool,
    /// Answers every n-th message 500, and passes it on to nobody.
    pub refuse_every: u32,
    /// Passes every n-th message on to nobody.
    pub swallow_every: u32,
    /// Leaves one receiver of every n-th message out.
    pub skip_every: u32,
    /// Sends every message twice.
    pub repeat: bool,
    /// Holds every n-th message of an author back behind the next one.
    pub swap_every: u32,
    /// Sends messages back to their author too.
    pub echo: bool,
    /// Names the receiver as the author.
    pub misname: bool,
    /// Ends the membership of this member at the n-th message.
    pub throw_out: Option<(Slot, u32)>,
}

/// A member's way into one conference.
#[derive(Debug, Default)]
pub struct Member {
    pub focus: Option<String>,
    pub chat: Option<Leg>,
    pub roster: Option<String>,
}

/// The dialog of a member's messages.
#[derive(Clone, Debug)]
pub struct Leg {
    call_id: String,
    /// The member, with his tag.
    from: String,
    sequence: u32,
}

#[derive(Debug)]
pub struct Server {
    faults: Faults,
    /// Members by user, once they have come to a focus.
    pub members: BTreeMap<Slot, Member>,
    /// Messages in all, and of each author.
    messages: u32,
    said: BTreeMap<Slot, u32>,
    /// Identifiers of the conferences.
    pub conferences: Vec<String>,
    /// What is on its way, by time and order.
    queue: BTreeMap<(Moment, u64), (Slot, String)>,
    serial: u64,
}

impl Server {
    pub fn new(faults: Faults) -> Server {
        Server {
            faults,
            members: BTreeMap::new(),
            messages: 0,
            said: BTreeMap::new(),
            conferences: Vec::new(),
            queue: BTreeMap::new(),
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
        let (method, uri) = message.split_once(' ').unwrap();
        let uri = uri.split(' ').next().unwrap();
        let in_dialog = || header(message, "To").unwrap().contains(";tag=");
        match method {
            "SIP/2.0" => assert!(message.starts_with("SIP/2.0 200 OK\r\n"), "{message}"),
            "ACK" => assert!(in_dialog()),
            "REGISTER" => self.answer(slot, message, "200 OK", "Expires: 3600\r\n", "", now),
            "SERVICE" => self.create(slot, message, now),
            "INVITE" if uri.contains(":focus:") => self.join(slot, message, uri, now),
            "INVITE" => self.chat(slot, message, uri, now),
            "SUBSCRIBE" => self.subscribe(slot, message, uri, now),
            "MESSAGE" => self.message(slot, message, now),
            "BYE" => self.bye(slot, message, now),
            _ => panic!("{message}"),
        }
    }

    fn create(&mut self, slot: Slot, message: &str, now: Moment) {
        let own = user(slot);
        assert!(message.starts_with(&format!(
            "SERVICE sip:{own};gruu;opaque=app:conf:focusfactory SIP/2.0\r\n"
        )));
        if self.faults.no_conference == Some(slot) {
            let failure = "<response code=\"failure\" reason=\"conferenceExistsAlready\"/>";
            return self.answer(slot, message, "200 OK", "", failure, now);
        }
        let id = between(message, "<msci:conference-id>", "<");
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
        assert!(message.contains("<msci:expiry-time>2026-11-21T04:23:27Z</msci:expiry-time>"));
        assert!(!self.conferences.contains(&id));
        let body = format!(
            "<response code=\"success\"><addConference><conference-info \
             entity=\"sip:{own};gruu;opaque=app:conf:focus:id:{id}\" version=\"1\"/></addConference>\
             </response>"
        );
        self.conferences.push(id);
        self.answer(slot, message, "200 OK", "", &body, now);
    }

    fn join(&mut self, slot: Slot, message: &str, uri: &str, now: Moment) {
        self.conference(uri);
        assert!(message.contains(&format!("<addUser><conferenceKeys confEntity=\"{uri}\"/>")));
        assert!(message.contains(&format!("entity=\"sip:{}\"><ci:roles>", user(slot))));
        let others = self.members.values().filter(|m| m.focus.as_deref() == Some(uri)).count();
        if self.faults.most > 0 && others >= self.faults.most {
            return self.answer(slot, message, "486 Busy Here", "", "", now);
        }
        let member = self.members.entry(slot).or_default();
        assert!(member.focus.replace(uri.to_owned()).is_none());
        let more = format!("Contact: <{uri}>;isfocus\r\n");
        let body = "<response code=\"success\"><addUser/></response>";
        self.answer(slot, message, "200 OK", &more, body, now);
    }

    fn subscribe(&mut self, slot: Slot, message: &str, uri: &str, now: Moment) {
        assert_eq!(header(message, "Event").as_deref(), Some("conference"));
        let id = self.conference(uri);
        let more = format!("Contact: <{uri}>;isfocus\r\n");
        let call_id = header(message, "Call-ID");
        let member = self.members.get_mut(&slot).unwrap();
        if header(message, "Expires").as_deref() == Some("0") {
            assert!(call_id.is_some() && std::mem::take(&mut member.roster) == call_id);
            return self.answer(slot, message, "200 OK", &more, "", now);
        }
        assert!(member.focus.is_some() && member.roster.is_none());
        member.roster = call_id;
        let purpose = if self.faults.no_chat { "audio-video" } else { "chat" };
        let chat = uri.replace(":focus:", ":chat:");
        assert!(chat.ends_with(&id));
        let body = format!(
            "<conference-info><conf-uris><entry><uri>{chat}</uri><purpose>{purpose}</purpose>\
             </entry></conf-uris></conference-info>"
        );
        self.answer(slot, message, "200 OK", &more, &body, now);
    }

    fn chat(&mut self, slot: Slot, message: &str, uri: &str, now: Moment) {
        self.conference(uri);
        assert!(uri.contains(";opaque=app:conf:chat:id:"), "{uri}");
        assert!(message.contains("\r\nm=message 5061 sip null\r\na=accept-types:text/plain "));
        let member = self.members.get_mut(&slot).unwrap();
        assert!(member.focus.is_some() && member.chat.is_none());
        member.chat = Some(Leg {
            call_id: header(message, "Call-ID").unwrap(),
            from: header(message, "From").unwrap(),
            sequence: 0,
        });
        let more = format!("Contact: <{uri}>;isfocus\r\n");
        self.answer(slot, message, "200 OK", &more, "v=0\r\n", now);
    }

    fn message(&mut self, slot: Slot, message: &str, now: Moment) {
        self.messages += 1;
        let (number, faults) = (self.messages, self.faults);
        let every = |n: u32| n > 0 && number.is_multiple_of(n);
        if every(faults.refuse_every) {
            return self.answer(slot, message, "500 Server Internal Error", "", "", now);
        }
        self.answer(slot, message, "202 Accepted", "Message-Id: 1\r\n", "", now);
        if let Some((member, at)) = faults.throw_out
            && at == number
        {
            self.throw_out(member, now);
        }
        if every(faults.swallow_every) {
            return;
        }
        let said = self.said.entry(slot).or_default();
        *said += 1;
        let late = faults.swap_every > 0 && said.is_multiple_of(faults.swap_every);
        let late = if late { Duration::from_millis(700) } else { Duration::ZERO };
        let at = now.after(faults.hold + late);
        let body = message.split_once("\r\n\r\n").unwrap().1;
        let call_id = header(message, "Call-ID");
        let focus = self.members[&slot].focus.clone();
        assert_eq!(self.members[&slot].chat.as_ref().map(|leg| &leg.call_id), call_id.as_ref());
        let mut others: Vec<Slot> = self.members.keys().copied().collect();
        others.retain(|one| self.members[one].focus == focus && (*one != slot || faults.echo));
        if every(faults.skip_every) {
            others.pop();
        }
        for other in others {
            let author = if faults.misname { other } else { slot };
            let Some(leg) = &mut self.members.get_mut(&other).unwrap().chat else { continue };
            let text = leg.request("MESSAGE", &format!("Ms-Sender: <{}>\r\n", sip(author)), body);
            for _ in 0..1 + u32::from(faults.repeat) {
                self.send(other, text.clone(), at);
            }
        }
    }

    fn throw_out(&mut self, slot: Slot, now: Moment) {
        let member = self.members.get_mut(&slot).unwrap();
        member.focus = None;
        let mut leg = member.chat.take().unwrap();
        self.send(slot, leg.request("BYE", "", ""), now);
    }

    fn bye(&mut self, slot: Slot, message: &str, now: Moment) {
        let call_id = header(message, "Call-ID").unwrap();
        let member = self.members.get_mut(&slot).unwrap();
        let gone = if member.chat.as_ref().is_some_and(|leg| leg.call_id == call_id) {
            member.chat.take().is_some()
        } else {
            member.focus.take().is_some()
        };
        let status = if gone { "200 OK" } else { "481 Call/Transaction Does Not Exist" };
        self.answer(slot, message, status, "", "", now);
    }

    /// The identifier in a URI, which must be one of a conference.
    fn conference(&self, uri: &str) -> String {
        let id = uri.rsplit(':').next().unwrap().to_owned();
        assert!(self.conferences.contains(&id), "{uri}");
        id
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
        self.serial += 1;
        self.queue.insert((at, self.serial), (slot, text));
    }
}

impl Leg {
    fn request(&mut self, method: &str, more: &str, body: &str) -> String {
        self.sequence += 1;
        let Leg { call_id, from, sequence } = self;
        format!(
            "{method} sip:x SIP/2.0\r\nVia: SIP/2.0/TLS fe01.example.test;branch=z9hG4bK{sequence}\r\n\
             From: <sip:chat@example.test>;tag=srv\r\nTo: {from}\r\nCall-ID: {call_id}\r\n\
             CSeq: {sequence} {method}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

fn user(slot: Slot) -> String {
    format!("user{slot:07}@example.test")
}

fn sip(slot: Slot) -> String {
    format!("sip:{}", user(slot))
}

fn header(message: &str, name: &str) -> Option<String> {
    let head = message.split("\r\n\r\n").next().unwrap();
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
}

fn between(text: &str, before: &str, after: &str) -> String {
    text.split(before).nth(1).unwrap().split(after).next().unwrap().to_owned()
}
