//! What was written, and what became of it as the clients see it.

use std::collections::{BTreeMap, BTreeSet};

use mynah::base::ids::ConnId;
use mynah::records::Record;

use crate::harness::text::bracketed;
use crate::harness::{DOMAIN, Net, Request, Text};

/// A message that a client wrote.
#[derive(Debug)]
pub struct Written {
    pub from: &'static str,
    pub to: String,
    /// The connection it was written on.
    conn: ConnId,
    /// The Call-ID of the session it was written in; none in pager mode.
    session: Option<String>,
    /// Connections it arrived on.
    pub arrived: Vec<ConnId>,
    /// Some endpoint of the recipient accepted it.
    pub accepted: bool,
    /// Its writer was told it was accepted.
    told: bool,
}

/// A request of a client that has had no final answer, or its one final answer.
#[derive(Debug)]
struct Asked {
    method: String,
    message: Option<usize>,
    answer: Option<u16>,
}

/// Connection, Call-ID, CSeq.
type Key = (ConnId, String, String);

/// All messages and requests of a world.
#[derive(Debug, Default)]
pub struct Ledger {
    pub written: Vec<Written>,
    asked: BTreeMap<Key, Asked>,
    /// The last message that arrived on a connection out of a session of a connection.
    last: BTreeMap<(ConnId, ConnId, String), usize>,
    /// Invitations that rang, by connection and Call-ID.
    rang: BTreeSet<(ConnId, String)>,
}

impl Ledger {
    /// The text of the next message.
    pub fn text(&self) -> String {
        format!("m{}", self.written.len())
    }

    /// A client writes a message, whose body is [`Ledger::text`].
    pub fn write(
        &mut self,
        conn: ConnId,
        from: &'static str,
        to: &str,
        session: Option<&str>,
    ) -> usize {
        self.written.push(Written {
            from,
            to: to.to_owned(),
            conn,
            session: session.map(str::to_owned),
            arrived: Vec::new(),
            accepted: false,
            told: false,
        });
        self.written.len() - 1
    }

    /// A client sends a request that wants an answer.
    pub fn ask(&mut self, conn: ConnId, request: &Request, message: Option<usize>) {
        let (call, cseq) = (request.value("Call-ID"), request.value("CSeq"));
        let method = cseq.rsplit(' ').next().unwrap_or_default().to_owned();
        let key = (conn, call.to_owned(), cseq.to_owned());
        let asked = Asked { method, message, answer: None };
        assert!(self.asked.insert(key, asked).is_none(), "asked twice");
    }

    /// A client got an answer.
    pub fn answered(&mut self, conn: ConnId, answer: &Text) {
        let key = (conn, answer.header("Call-ID").to_owned(), answer.header("CSeq").to_owned());
        let asked = self.asked.get_mut(&key);
        let asked = asked.unwrap_or_else(|| panic!("an answer to nothing: {answer:?}"));
        assert_eq!(answer.headers("Via").len(), 1, "one Via comes back: {answer:?}");
        if answer.status() < 200 {
            assert_eq!(asked.answer, None, "a provisional answer after the final: {answer:?}");
            return;
        }
        let again = asked.method == "REGISTER" && matches!(asked.answer, Some(401 | 407));
        assert!(asked.answer.is_none() || again, "a second final answer: {answer:?}");
        asked.answer = Some(answer.status());
        let Some(message) = asked.message.and_then(|id| self.written.get_mut(id)) else { return };
        if (200..300).contains(&answer.status()) {
            message.told = true;
        }
    }

    /// Whoever writes is told that he was heard only if somebody heard him. `is_text` is false
    /// for what the bridge takes and throws away.
    pub fn check_told(&self, id: usize, is_text: bool) {
        let Some(message) = self.written.get(id) else { return };
        assert!(!message.told || !is_text || message.accepted, "nobody accepted m{id}");
    }

    /// A MESSAGE came to a client of `user`; which one it is.
    pub fn arrived(&mut self, conn: ConnId, user: &str, received: &Text) -> usize {
        let id = received.body().trim_start_matches('m').parse();
        let id: usize = id.unwrap_or_else(|_| panic!("nobody wrote this: {received:?}"));
        let message = &mut self.written[id];
        assert_eq!(message.to, user, "m{id} came to somebody else");
        let writer = format!("sip:{}@{DOMAIN}", message.from);
        assert_eq!(bracketed(received.header("From")), writer, "m{id} came from somebody else");
        for asserted in received.headers("P-Asserted-Identity") {
            assert_eq!(asserted, format!("<{writer}>"));
        }
        assert!(!message.arrived.contains(&conn), "m{id} came twice");
        message.arrived.push(conn);
        // Outside a session order is only kept in a session that it is bridged into.
        let inside = (!received.to_tag().is_empty()).then(|| received.header("Call-ID").to_owned());
        if let Some(session) = message.session.clone().or(inside) {
            let last = self.last.insert((conn, message.conn, session), id);
            assert!(last.is_none_or(|last| last < id), "m{id} came after {last:?}");
        }
        id
    }

    /// An INVITE came to a client.
    pub fn rang(&mut self, conn: ConnId, received: &Text) {
        let new = self.rang.insert((conn, received.header("Call-ID").to_owned()));
        assert!(new, "it rings twice: {received:?}");
    }

    /// Nothing that came to any client bears what ends at the server.
    pub fn check_received(received: &Text) {
        for header in ["Route", "Authorization", "Proxy-Authorization", "P-Preferred-Identity"] {
            assert!(!received.has(header), "{header} in {received:?}");
        }
        let via = received.header("Via");
        assert!(via.starts_with(&format!("SIP/2.0/TLS {}", crate::harness::SENT_BY)), "{via}");
    }

    /// Every request of a connection that lives was answered, once.
    pub fn check_answered(&self, net: &Net) {
        for ((conn, call, cseq), asked) in &self.asked {
            assert!(
                asked.answer.is_some() || !net.is_open(*conn),
                "no answer to {} {call} {cseq} on {conn:?}",
                asked.method
            );
        }
    }

    /// Every conversation that began ended, once; and the records count what was accepted: no
    /// less than the writers were told, no more than the recipients accepted.
    pub fn check_records(&self, net: &Net, drained: bool) {
        let mut open = BTreeMap::new();
        let mut counted: BTreeMap<(String, String), u64> = BTreeMap::new();
        for record in &net.records {
            match record {
                Record::Started(started) => {
                    let parties = (started.caller.clone(), started.callee.clone());
                    assert!(open.insert(started.id, parties).is_none(), "begun twice: {started:?}");
                }
                Record::Ended(ended) => {
                    let parties = open.remove(&ended.id);
                    let (caller, callee) =
                        parties.unwrap_or_else(|| panic!("ended before it began: {ended:?}"));
                    let pair = (caller.clone(), callee.clone());
                    *counted.entry(pair).or_default() += ended.end.messages_from_caller;
                    *counted.entry((callee, caller)).or_default() += ended.end.messages_from_callee;
                }
            }
        }
        assert!(open.is_empty(), "never ended: {open:?}");
        let mut bounds: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
        for message in self.written.iter().filter(|message| message.accepted) {
            let aor = |user: &str| format!("{user}@{DOMAIN}");
            let bound = bounds.entry((aor(message.from), aor(&message.to))).or_default();
            bound.0 += u64::from(message.told);
            bound.1 += 1;
        }
        for (pair, (told, accepted)) in &bounds {
            let count = counted.remove(pair).unwrap_or(0);
            // What was in flight when the server went down is answered, but its record is closed.
            let told = if drained { 0 } else { *told };
            assert!((told..=*accepted).contains(&count), "{pair:?}: {count}, {told}..={accepted}");
        }
        assert!(counted.values().all(|count| *count == 0), "counted from nowhere: {counted:?}");
    }
}
