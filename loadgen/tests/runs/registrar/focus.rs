//! Conferences of the registrar: a focus, its roster and the messages of its members.

use super::{Registrar, Stream, answer, header, user_of, write};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

type Out = Arc<Mutex<Box<dyn Stream>>>;

/// One dialog of a member: who he is with his tag, and how he is reached.
#[derive(Clone, Debug)]
struct Leg {
    user: String,
    from: String,
    call_id: String,
    out: Out,
}

/// A conference.
#[derive(Debug, Default)]
struct Conference {
    foci: Vec<Leg>,
    rosters: Vec<Leg>,
    chats: Vec<Leg>,
}

/// Conferences by identifier.
#[derive(Debug, Default)]
pub struct Conferences(HashMap<String, Conference>);

impl Registrar {
    /// Dialogs of conferences that were not ended.
    pub fn legs(&self) -> usize {
        let conferences = self.conferences.lock().unwrap();
        let legs = |one: &Conference| one.foci.len() + one.rosters.len() + one.chats.len();
        conferences.0.values().map(legs).sum()
    }

    /// Takes a request to the service `uri`; the sequence of requests of the service is the number
    /// of its messages.
    pub(super) fn confer(&self, request: &str, uri: &str, out: &Out, number: u64) {
        let method = request.split(' ').next().unwrap();
        let from = header(request, "From").unwrap();
        let leg = Leg {
            user: user_of(&from),
            from,
            call_id: header(request, "Call-ID").unwrap(),
            out: Arc::clone(out),
        };
        let mut conferences = self.conferences.lock().unwrap();
        if method == "SERVICE" {
            assert!(uri.ends_with(";gruu;opaque=app:conf:focusfactory"), "{uri}");
            return conferences.create(request, &leg);
        }
        let conference = conferences.0.get_mut(uri.rsplit(':').next().unwrap()).unwrap();
        let contact = format!("Contact: <{uri}>;isfocus\r\n");
        match method {
            "INVITE" if uri.contains(":focus:") => {
                let added = "<response code=\"success\"><addUser/></response>";
                reply(&leg, request, "200 OK", &contact, added);
                conference.foci.push(leg);
            }
            "INVITE" => {
                reply(&leg, request, "200 OK", &contact, "v=0\r\n");
                conference.chats.push(leg);
                conference.tell(number);
            }
            "SUBSCRIBE" if header(request, "Expires").as_deref() == Some("0") => {
                conference.rosters.retain(|one| one.call_id != leg.call_id);
                reply(&leg, request, "200 OK", "", "");
            }
            "SUBSCRIBE" => {
                let chat = uri.replace(":focus:", ":chat:");
                let info = format!(
                    "<conference-info><conf-uris><entry><uri>{chat}</uri><purpose>chat</purpose>\
                     </entry></conf-uris></conference-info>"
                );
                reply(&leg, request, "200 OK", &contact, &info);
                conference.rosters.push(leg);
            }
            "MESSAGE" => conference.message(request, &leg, number),
            "BYE" => {
                for legs in [&mut conference.foci, &mut conference.chats] {
                    legs.retain(|one| one.call_id != leg.call_id);
                }
                reply(&leg, request, "200 OK", "", "");
                conference.tell(number);
            }
            "ACK" => {}
            _ => panic!("{request}"),
        }
    }
}

impl Conferences {
    fn create(&mut self, request: &str, leg: &Leg) {
        let id = request.split("conference-id>").nth(1).unwrap().trim_end_matches("</msci:");
        let focus = format!("sip:{}@example.test;gruu;opaque=app:conf:focus:id:{id}", leg.user);
        let body = format!(
            "<response code=\"success\"><addConference><conference-info entity=\"{focus}\"/>\
             </addConference></response>"
        );
        assert!(self.0.insert(id.to_owned(), Conference::default()).is_none());
        reply(leg, request, "200 OK", "", &body);
    }
}

impl Conference {
    /// Tells everybody that the roster has changed, each in another way.
    fn tell(&self, number: u64) {
        for (at, leg) in self.rosters.iter().enumerate() {
            let method = if at % 2 == 0 { "BENOTIFY" } else { "NOTIFY" };
            leg.request(method, number, "Event: conference\r\n", "<conference-info/>");
        }
        for leg in &self.foci {
            leg.request("INFO", number, "", "<response/>");
        }
    }

    fn message(&self, request: &str, author: &Leg, number: u64) {
        reply(author, request, "202 Accepted", &format!("Message-Id: {number}\r\n"), "");
        let body = request.split_once("\r\n\r\n").unwrap().1;
        let sender = format!("Ms-Sender: <sip:{}@example.test>\r\n", author.user);
        for leg in self.chats.iter().filter(|leg| leg.call_id != author.call_id) {
            leg.request("MESSAGE", number, &sender, body);
        }
    }
}

impl Leg {
    fn request(&self, method: &str, number: u64, more: &str, body: &str) {
        let Leg { user, from, call_id, out } = self;
        let text = format!(
            "{method} sip:{user}@example.test SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx\r\n\
             From: <sip:conference@example.test>;tag=srv\r\nTo: {from}\r\nCall-ID: {call_id}\r\n\
             CSeq: {number} {method}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        write(out, &text);
    }
}

fn reply(leg: &Leg, request: &str, status: &str, more: &str, body: &str) {
    let length = format!("Content-Length: {}\r\n", body.len());
    let text = answer(request, status, more).replace("Content-Length: 0\r\n", &length);
    write(&leg.out, &(text + body));
}
