//! A two-party session between two endpoints, seen from the caller.

use std::fmt::Write;

use super::endpoint::Endpoint;
use super::stream::Message;

/// An offer and answer of instant messaging.
pub const SDP: &str = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=session\r\nc=IN IP4 127.0.0.1\r\n\
                       t=0 0\r\nm=message 5060 sip null\r\na=accept-types:text/plain\r\n";

/// A session that was accepted.
pub struct Session {
    uri: String,
    route: String,
    from: String,
    to: String,
    call_id: String,
    cseq: u32,
}

impl Session {
    /// `caller` invites `callee`, who accepts.
    pub fn open(caller: &mut Endpoint, callee: &mut Endpoint) -> Self {
        let media = "Content-Type: application/sdp\r\n";
        let lines = format!("Contact: {}\r\n{media}", caller.contact());
        let invite = caller.request("INVITE", &callee.user.clone(), &lines, SDP);
        caller.stream.write(invite);
        let invite = callee.stream.message();
        assert_eq!(invite.method(), "INVITE", "{}", invite.head);
        let lines = format!("Contact: {}\r\n{media}", callee.contact());
        callee.respond(&invite, 200, &lines, SDP);
        let accepted = caller.final_answer();
        assert_eq!(accepted.status(), 200, "{}", accepted.head);
        let mut session = Session::of(&accepted);
        caller.stream.write(session.request("ACK", "", ""));
        let ack = callee.stream.message();
        assert_eq!(ack.method(), "ACK", "{}", ack.head);
        session
    }

    /// The dialog of a subscription of `subscriber` to `whom`, which is accepted.
    pub fn subscribe(subscriber: &mut Endpoint, whom: &str, lines: &str) -> Self {
        let accepted = subscriber.ask("SUBSCRIBE", whom, lines, "");
        assert_eq!(accepted.status(), 200, "{}", accepted.head);
        Session::of(&accepted)
    }

    fn of(accepted: &Message) -> Self {
        let header = |name| accepted.header(name).unwrap().to_owned();
        let contact = header("Contact");
        Session {
            uri: contact.trim_start_matches('<').split('>').next().unwrap().to_owned(),
            route: accepted.headers("Record-Route").iter().rev().fold(
                String::new(),
                |mut lines, route| {
                    let _ = write!(lines, "Route: {route}\r\n");
                    lines
                },
            ),
            from: header("From"),
            to: header("To"),
            call_id: header("Call-ID"),
            cseq: header("CSeq").split(' ').next().unwrap().parse().unwrap(),
        }
    }

    /// A request of the caller in the session.
    pub fn request(&mut self, method: &str, lines: &str, body: &str) -> String {
        if method != "ACK" {
            self.cseq += 1;
        }
        let Session { uri, route, from, to, call_id, cseq } = self;
        format!(
            "{method} {uri} SIP/2.0\r\n\
             Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK-{method}-{cseq}-{call_id}\r\n\
             {route}Max-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\n{lines}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    /// The caller writes, and the callee accepts.
    pub fn say(&mut self, caller: &mut Endpoint, callee: &mut Endpoint, text: &str) {
        caller.stream.write(self.request("MESSAGE", "Content-Type: text/plain\r\n", text));
        assert_eq!(callee.answer("MESSAGE", 200, "").body, text.as_bytes());
        assert_eq!(caller.final_answer().status(), 200);
    }

    /// The caller says goodbye.
    pub fn close(mut self, caller: &mut Endpoint, callee: &mut Endpoint) {
        caller.stream.write(self.request("BYE", "", ""));
        callee.answer("BYE", 200, "");
        assert_eq!(caller.final_answer().status(), 200);
    }
}
