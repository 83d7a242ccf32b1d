//! Conferences: members that do not read, operations of those who may not, whatever breaks its form,
//! and much of all of it.

mod exported;
mod guessing;
mod limits;
mod malformed;
mod operations;
mod slow;
mod storm;
mod summons;

use std::collections::VecDeque;
use std::fmt::Write;

use serde_json::Value;

use crate::harness::conference::{CCCP, Meeting};
use crate::outside::endpoint::{Endpoint, head};
use crate::outside::eventually;
use crate::outside::server::{DOMAIN, PASSWORD};
use crate::outside::session::SDP;
use crate::outside::stream::Message;
use crate::target::Target;

/// The name of alice's conference.
const ID: &str = "C71C6BB0267883E2248C1EA7F80725B8";
/// Series that are zero when nobody is in a conference and nothing is under way.
const LEFT: [&str; 5] = [
    "mynah_conference_legs_current",
    "mynah_conference_members_current",
    "mynah_im_sessions_current",
    "mynah_relays_current",
    "mynah_subscriptions_current",
];

/// A dialog with a conference.
struct Dialog {
    uri: String,
    from: String,
    to: String,
    call_id: String,
    cseq: u32,
}

impl Dialog {
    /// That of an INVITE to `uri` which was taken.
    fn of(uri: &str, accepted: &Message) -> Self {
        let header = |name| accepted.header(name).unwrap().to_owned();
        let (from, to, call_id) = (header("From"), header("To"), header("Call-ID"));
        let cseq = header("CSeq").split(' ').next().unwrap().parse().unwrap();
        Dialog { uri: uri.to_owned(), from, to, call_id, cseq }
    }

    /// The next request in it.
    fn request(&mut self, method: &str, lines: &str, body: &str) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        let Dialog { uri, from, to, call_id, cseq } = self;
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK-{method}-{cseq}-{call_id}\r\n\
             Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }
}

/// Somebody with a dialog with a conference. What comes meanwhile is taken and kept.
struct Member {
    endpoint: Endpoint,
    dialog: Dialog,
    /// Requests that came, oldest first.
    came: VecDeque<Message>,
}

impl Member {
    /// Joins for messages.
    #[track_caller]
    fn join(mut endpoint: Endpoint, meeting: &Meeting) -> Self {
        let answer = invite(&mut endpoint, &meeting.chat);
        Member::in_dialog(endpoint, &meeting.chat, &answer)
    }

    /// Joins the focus.
    #[track_caller]
    fn at_focus(mut endpoint: Endpoint, meeting: &Meeting) -> Self {
        let answer = invite_focus(&mut endpoint, meeting, "{1}");
        Member::in_dialog(endpoint, &meeting.focus, &answer)
    }

    #[track_caller]
    fn in_dialog(mut endpoint: Endpoint, uri: &str, accepted: &Message) -> Self {
        assert_eq!(accepted.status(), 200, "{}", accepted.head);
        let mut dialog = Dialog::of(uri, accepted);
        endpoint.stream.write(dialog.request("ACK", "", ""));
        Member { endpoint, dialog, came: VecDeque::new() }
    }

    /// Sends a request in the dialog and waits for its final answer.
    fn ask(&mut self, method: &str, lines: &str, body: &str) -> Message {
        let request = self.dialog.request(method, lines, body);
        self.send(request)
    }

    /// Sends a request and waits for its final answer.
    fn send(&mut self, request: String) -> Message {
        self.endpoint.stream.write(request);
        self.final_answer()
    }

    /// Waits for a final answer, and takes what else comes.
    fn final_answer(&mut self) -> Message {
        loop {
            let message = self.endpoint.stream.message();
            match message.method() {
                "SIP/2.0" if message.status() >= 200 => return message,
                "SIP/2.0" => {}
                _ => self.take(message),
            }
        }
    }

    fn take(&mut self, message: Message) {
        if message.method() != "BENOTIFY" {
            self.endpoint.respond(&message, 200, "", "");
        }
        self.came.push_back(message);
    }

    /// Says something to all.
    fn say(&mut self, text: &str) -> Message {
        self.ask("MESSAGE", "Content-Type: text/plain\r\n", text)
    }

    /// Waits for a request of this method, past all others that came before it.
    fn wait(&mut self, method: &str) -> Message {
        loop {
            while let Some(message) = self.came.pop_front() {
                if message.method() == method {
                    return message;
                }
            }
            let message = self.endpoint.stream.message();
            self.take(message);
        }
    }

    /// Fails unless this is the next message that he gets.
    #[track_caller]
    fn hears(&mut self, text: &str) -> Message {
        let message = self.wait("MESSAGE");
        assert_eq!(String::from_utf8_lossy(&message.body), text, "{}", message.head);
        message
    }

    /// An operation in the dialog.
    fn operate(&mut self, operation: &str) -> Message {
        let body = c3p(&self.endpoint.user, &self.dialog.uri, operation);
        self.ask("INFO", &typed(CCCP), &body)
    }

    /// Says goodbye.
    fn leave(mut self) -> Endpoint {
        assert_eq!(self.ask("BYE", "", "").status(), 200);
        self.endpoint
    }
}

/// Alice's conference: who knows of it may join.
#[track_caller]
fn convened(alice: &mut Endpoint) -> Meeting {
    let answer = convene(alice, ID, "");
    assert_eq!(answer.status(), 200, "{}", answer.head);
    Meeting::of("alice", ID)
}

/// Asks for an ad-hoc conference; `more` stands there as XML.
fn convene(sender: &mut Endpoint, id: &str, more: &str) -> Message {
    let factory = factory(&sender.user);
    service(sender, &factory, &wish(id, "", more))
}

/// The operation that makes a conference: more of its description, and of what it is.
fn wish(id: &str, described: &str, more: &str) -> String {
    format!(
        "<addConference><conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" \
         xmlns:m=\"http://schemas.microsoft.com/rtc/2005/08/confinfoextensions\" entity=\"\">\
         <conference-description><m:conference-id>{id}</m:conference-id>{described}\
         </conference-description>{more}</conference-info></addConference>"
    )
}

/// Adds a user, whom the server knows at the end.
fn newcomer(target: &Target, user: &str) {
    let before = target.metrics().value("mynah_users_current");
    target.add_user(user, PASSWORD);
    target.wait_metric("mynah_users_current", |users| users == before + 1.0);
}

/// A request outside any dialog to a URI that is none of a user.
fn outside(sender: &mut Endpoint, method: &str, uri: &str, lines: &str, body: &str) -> String {
    sender.cseq += 1;
    let (sent_by, uri) = (sender.stream.local().to_string(), uri.trim_start_matches("sip:"));
    let mut text = head(method, uri, &sender.user, "alice", sender.cseq, &sent_by);
    let _ = write!(text, "{lines}Content-Length: {}\r\n\r\n{body}", body.len());
    text
}

/// Sends such a request and waits for its final answer: what was said before he came in may come
/// to him first.
fn ask(sender: &mut Endpoint, method: &str, uri: &str, lines: &str, body: &str) -> Message {
    let request = outside(sender, method, uri, lines, body);
    sender.stream.write(request);
    loop {
        let message = sender.stream.message();
        if message.method() == "SIP/2.0" && message.status() >= 200 {
            return message;
        }
    }
}

/// Asks to join for messages, and to be told of those that do not reach somebody.
fn invite(sender: &mut Endpoint, uri: &str) -> Message {
    let lines = format!(
        "Contact: {}\r\nSupported: ms-sender\r\nContent-Type: application/sdp\r\n",
        sender.contact()
    );
    ask(sender, "INVITE", uri, &lines, SDP)
}

/// Asks to join the focus with an endpoint of this name, which stands there as XML.
fn invite_focus(sender: &mut Endpoint, meeting: &Meeting, endpoint: &str) -> Message {
    let operation = format!(
        "<addUser>{}<user xmlns=\"urn:ietf:params:xml:ns:conference-info\" \
         entity=\"sip:{}@{DOMAIN}\"><endpoint entity=\"{endpoint}\"/></user></addUser>",
        meeting.keys(),
        sender.user
    );
    let body = c3p(&sender.user, &meeting.focus, &operation);
    let lines = format!("Contact: {}\r\nContent-Type: {CCCP}\r\n", sender.contact());
    ask(sender, "INVITE", &meeting.focus, &lines, &body)
}

/// Asks for something to be done, in a SERVICE.
fn service(sender: &mut Endpoint, uri: &str, operation: &str) -> Message {
    let body = c3p(&sender.user, uri, operation);
    ask(sender, "SERVICE", uri, &typed(CCCP), &body)
}

/// Subscribes to a roster, for so many seconds.
fn watch(sender: &mut Endpoint, uri: &str, expires: u32) -> Message {
    let lines =
        format!("Contact: {}\r\nEvent: conference\r\nExpires: {expires}\r\n", sender.contact());
    ask(sender, "SUBSCRIBE", uri, &lines, "")
}

/// A C3P request.
fn c3p(user: &str, to: &str, operation: &str) -> String {
    format!(
        "<request xmlns=\"urn:ietf:params:xml:ns:cccp\" C3PVersion=\"1\" requestId=\"1\" \
         from=\"sip:{user}@{DOMAIN}\" to=\"{to}\">{operation}</request>"
    )
}

/// The header line of a content type.
fn typed(media_type: &str) -> String {
    format!("Content-Type: {media_type}\r\n")
}

/// Where alice and all others make conferences.
fn factory(user: &str) -> String {
    format!("sip:{user}@{DOMAIN};gruu;opaque=app:conf:focusfactory")
}

/// What an operator sees of alice's conference.
#[track_caller]
fn standing(target: &Target) -> Value {
    operator(target, &["conference", "show", ID])
}

/// What a command prints as JSON.
#[track_caller]
fn operator(target: &Target, command: &[&str]) -> Value {
    let http = target.ready.http.to_string();
    let output = target.command(&[command, &["--json", "--http", &http]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Fails unless nobody is in a conference any more, and nothing is under way.
#[track_caller]
fn nothing_left(target: &Target) {
    eventually("nothing left of conferences", || {
        let metrics = target.metrics();
        let left: Vec<_> = LEFT.iter().map(|series| (series, metrics.value(series))).collect();
        if left.iter().all(|(_, value)| *value == 0.0) { Ok(()) } else { Err(format!("{left:?}")) }
    });
}
