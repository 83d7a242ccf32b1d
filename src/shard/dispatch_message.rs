//! Pager mode (RFC 3428): a MESSAGE outside any session, at the edge and at the recipient's home,
//! which knows his endpoints and sends it to all of them.

use bytes::Bytes;

use super::Shard;
use super::forward;
use super::frame::{Cargo, Frame, Origin, Pager, Reply};
use super::home::Endpoint;
use super::relay::Purpose;
use crate::base::aor::{Aor, home};
use crate::base::ids::{ConnId, Dialect, RelayId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::conference_uri::ConferenceUri;
use crate::dialect::reject::Reject;
use crate::immcu::pager::{self, Conversation, Output as Notice, Talk};
use crate::metrics::names::Series;
use crate::records::{self, End, Ended, Kind, Record, RecordId, Started};
use crate::sip::Kind as TransactionKind;
use crate::sip::fork::{self, Fork, Output, Source};
use crate::wire::sip::Message;

/// A pager-mode message on its way to several endpoints.
#[derive(Debug)]
pub(super) struct PagerFork {
    pager: Pager,
    fork: Fork,
    /// The best refusal so far, as the sender would see it.
    held: Option<Bytes>,
    /// The recipient, whose list of requests in flight the branches stand in.
    user: Slot,
    /// The branches' requests in flight.
    relays: Vec<Slot>,
}

impl PagerFork {
    /// The message.
    pub(super) fn pager(&self) -> &Pager {
        &self.pager
    }

    /// True while its sender waits for an answer.
    pub(super) fn waits(&self) -> bool {
        self.fork.is_waiting()
    }
}

impl Shard {
    /// Takes a MESSAGE outside any dialog from the user signed in on `conn`.
    pub(super) fn pager_received(&mut self, conn: ConnId, message: Message<'_>) {
        if let Some(uri) = ConferenceUri::parse(message.uri()) {
            return self.page_received(conn, message, uri);
        }
        let to = match self.local_user(message.uri()) {
            Ok(to) => to,
            Err(reject) => return self.reject(conn, message, reject),
        };
        if self.requires_more(message) {
            return self.reject(conn, message, Reject::BadExtension);
        }
        if forward::hops_left(message).is_none() {
            return self.reject(conn, message, Reject::TooManyHops);
        }
        let Some(from) = self.pager_place(conn, message) else { return };
        let request = self.keep(message);
        let home = to.home(self.shards);
        let pager = Pager { from, to, origin: Origin::Connection(conn), request };
        self.send_frame(home, Frame::Pager(Box::new(pager)));
    }

    /// Takes one of the places a connection has for pager-mode messages without an answer, for the
    /// user signed in there; without a place the message is refused.
    pub(super) fn pager_place(&mut self, conn: ConnId, message: Message<'_>) -> Option<Aor> {
        let max = self.settings.limits.relays_per_connection_max;
        let connection = self.connections.get_mut(conn)?;
        let user = connection.user.clone()?;
        if connection.pagers >= max {
            self.counters.hit(Limit::RelaysPerConnection);
            self.reject(conn, message, Reject::TooManyRequests);
            return None;
        }
        connection.pagers += 1;
        Some(user)
    }

    /// Takes a pager-mode message for a user whose home this is.
    pub(super) fn pager(&mut self, now: Now, pager: Pager) {
        if self.draining {
            return self.pager_refused(&pager, Reject::GoingDown);
        }
        let Some(user) = self.users.slot(&pager.to) else {
            return self.pager_refused(&pager, Reject::UnknownUser);
        };
        if self.leaving.is_some() && !self.goes_on(user, &pager) {
            return self.pager_refused(&pager, Reject::GoingDown);
        }
        let mut endpoints = Vec::new();
        let request = pager.request.clone();
        self.with_message(&request, |shard, message| {
            endpoints = shard.users.endpoints(now, user, message.uri());
        });
        if let Origin::Connection(conn) = pager.origin {
            endpoints.retain(|endpoint| endpoint.conn != conn);
        }
        if endpoints.is_empty() {
            return self.pager_refused(&pager, Reject::NoEndpoint);
        }
        endpoints.retain(|endpoint| endpoint.dialect == Dialect::Simple);
        if endpoints.is_empty() {
            return match pager.origin {
                Origin::Connection(_) => self.bridge(now, user, pager),
                // A bridged session leads to pager-mode clients only.
                Origin::Relay(_) => self.pager_refused(&pager, Reject::NoEndpoint),
            };
        }
        self.counters.count(Series::PagerMessages);
        self.fork_pager(now, user, pager, &endpoints);
    }

    /// True for a pager-mode message that belongs to a session: that of a member, or one through the
    /// bridge, whichever end it comes from.
    fn goes_on(&self, user: Slot, pager: &Pager) -> bool {
        match pager.origin {
            Origin::Connection(_) => self.users.bridge_to(user, &pager.from).is_some(),
            Origin::Relay(_) => true,
        }
    }

    /// Sends a pager-mode message to each of the endpoints, as far as there is room.
    fn fork_pager(&mut self, now: Now, user: Slot, pager: Pager, endpoints: &[Endpoint]) {
        let (request, from) = (pager.request.clone(), pager.from.clone());
        let room = self.relays.room().min(endpoints.len());
        let endpoints = endpoints.get(..room).unwrap_or_default();
        let fork = Fork::new(now, TransactionKind::NonInvite, room, &self.settings.limits);
        let relays = Vec::with_capacity(room);
        let entry = PagerFork { pager, fork, held: None, user, relays };
        let slot = match self.pagers.insert(entry) {
            Ok(slot) if room > 0 => slot,
            Ok(slot) => {
                self.counters.hit(Limit::Relays);
                let entry = self.pagers.remove(slot);
                return entry.into_iter().for_each(|entry| {
                    self.pager_refused(&entry.pager, Reject::Overloaded);
                });
            }
            Err(entry) => {
                self.counters.hit(Limit::Relays);
                return self.pager_refused(&entry.pager, Reject::Overloaded);
            }
        };
        let mut stamp = None;
        self.with_message(&request, |shard, message| stamp = shard.stamp(message));
        for (branch, endpoint) in (0u16..).zip(endpoints) {
            let purpose = Purpose::Pager { fork: slot, branch };
            let Some(relay) = self.reserve_relay(now, Some(endpoint.conn), stamp, purpose) else {
                continue;
            };
            self.users.in_flight(user, relay.slot);
            if let Some(entry) = self.pagers.get_mut(slot) {
                entry.relays.push(relay.slot);
            }
            let bytes = self.forwarded(&request, relay, endpoint, &from, None);
            self.deliver(endpoint.conn, bytes, Cargo::Request(relay));
        }
    }

    /// Takes an endpoint's answer to a pager-mode message.
    pub(super) fn pager_answered(&mut self, now: Now, slot: Slot, branch: u16, reply: Reply) {
        let relay = reply.relay.slot;
        if reply.status >= 200 {
            self.relays.remove(relay);
        }
        let input = fork::Input::Response { branch: usize::from(branch), status: reply.status };
        self.drive_pager(now, slot, relay, input, Some(reply));
    }

    /// Gives the fork of a pager-mode message an input and does what it says. `reply` is the
    /// answer the input came from, `relay` the request it is about.
    pub(super) fn drive_pager(
        &mut self,
        now: Now,
        slot: Slot,
        relay: Slot,
        input: fork::Input,
        reply: Option<Reply>,
    ) {
        let Some(entry) = self.pagers.get_mut(slot) else { return };
        entry.fork.handle(now, input, &self.settings.limits);
        if reply.as_ref().is_none_or(|reply| reply.status >= 200) {
            self.users.settled(entry.user, relay);
        }
        while let Some(entry) = self.pagers.get_mut(slot) {
            let Some(output) = entry.fork.next_output() else { break };
            match (output, reply.as_ref()) {
                (Output::Hold { .. }, Some(reply)) => entry.held = Some(reply.bytes.clone()),
                (Output::Final { from: Source::Branch(_), status }, _) => {
                    let held = entry.held.take();
                    let accepted = reply.as_ref().map(|reply| reply.bytes.clone());
                    let bytes = if status < 300 { accepted } else { held };
                    self.pass_pager_answer(slot, status, bytes.unwrap_or_default());
                }
                (Output::Final { from: Source::Own, status }, _) => {
                    let pager = entry.pager.clone();
                    self.pager_refused(&pager, unanswered(status));
                }
                _ => {}
            }
        }
        if self.pagers.get(slot).is_some_and(|entry| entry.fork.is_finished())
            && let Some(entry) = self.pagers.remove(slot)
        {
            // One deadline ends all branches, so some may not have been told off one by one.
            for relay in entry.relays {
                self.relays.remove(relay);
                self.users.settled(entry.user, relay);
            }
        }
    }

    /// Tells the sender what the endpoints answered.
    fn pass_pager_answer(&mut self, slot: Slot, status: u16, bytes: Bytes) {
        let Some(entry) = self.pagers.get(slot) else { return };
        let (from, to) = (entry.pager.from.clone(), entry.pager.to.clone());
        match entry.pager.origin {
            Origin::Connection(conn) => {
                self.deliver(conn, bytes, Cargo::PagerAnswer);
                self.talked(Talk { from, to, status });
            }
            Origin::Relay(relay) => self.reply_to_bridge(relay, status, false),
        }
    }

    /// Refuses a pager-mode message on behalf of its recipient.
    pub(super) fn pager_refused(&mut self, pager: &Pager, reject: Reject) {
        self.answer_pager(pager, Err(reject));
        if matches!(pager.origin, Origin::Connection(_)) && reject != Reject::UnknownUser {
            let (from, to) = (pager.from.clone(), pager.to.clone());
            self.talked(Talk { from, to, status: reject.status() });
        }
    }

    /// Answers a pager-mode message ourselves; what it counts as is the caller's business.
    pub(super) fn answer_pager(&mut self, pager: &Pager, answer: Result<(), Reject>) {
        match pager.origin {
            Origin::Connection(conn) => self.answer_page(conn, &pager.request, answer),
            Origin::Relay(relay) => {
                let nobody = matches!(answer, Err(Reject::NoEndpoint | Reject::UnknownUser));
                let status = answer.map_or_else(Reject::status, |()| 200);
                self.reply_to_bridge(relay, status, nobody);
            }
        }
    }

    /// Answers the pager-mode `request` of a connection, which may be another core's.
    pub(super) fn answer_page(
        &mut self,
        conn: ConnId,
        request: &Bytes,
        answer: Result<(), Reject>,
    ) {
        self.with_message(request, |shard, message| {
            let (status, bytes) = match answer {
                Ok(()) => (200, shard.response_bytes(conn, message, 200, |w| w.finish())),
                Err(reject) => (reject.status(), shard.refusal_bytes(conn, message, reject)),
            };
            shard.counters.answered(message.method() as usize, status);
            shard.deliver(conn, bytes, Cargo::PagerAnswer);
        });
    }

    /// Tells the owner of a bridged session, or of a conference, what became of its message.
    fn reply_to_bridge(&mut self, relay: RelayId, status: u16, nobody: bool) {
        let bytes = Bytes::new();
        let reply = Reply { relay, from: None, stamp: None, status, bytes, end: None, nobody };
        self.send_frame(relay.shard, Frame::Reply(reply));
    }

    /// Reports a pager-mode message to the shard that accounts for the two people.
    fn talked(&mut self, talk: Talk) {
        let to = home(pager::pair(&talk.from, &talk.to), self.shards);
        self.send_frame(to, Frame::Talk(talk));
    }

    /// Accounts for a pager-mode message.
    pub(super) fn account(&mut self, now: Now, talk: Talk) {
        let name = RecordId::new(now.unix_ms, &mut self.seed).to_bytes();
        if !self.conversations.handle(now, talk, name) {
            self.counters.hit(Limit::PagerConversations);
        }
        if self.draining {
            // A last word: nobody will look at it again.
            self.conversations.drain();
        }
        self.note_conversations();
    }

    /// Carries what the conversations want recorded to the store.
    pub(super) fn note_conversations(&mut self) {
        while let Some(notice) = self.conversations.next_output() {
            let record = match notice {
                Notice::Started(conversation) => Record::Started(Started {
                    id: RecordId::from_bytes(conversation.name),
                    kind: Kind::Pager,
                    caller: conversation.caller.as_str().to_owned(),
                    callee: conversation.callee.as_str().to_owned(),
                    start_unix_ms: conversation.started.unix_ms,
                    bridged: false,
                }),
                Notice::Ended(conversation) => ended(&conversation, records::Ending::Idle),
                Notice::Drained(conversation) => ended(&conversation, records::Ending::Drained),
            };
            self.record(record);
        }
    }
}

/// The second half of a conversation's record. One in which nothing was accepted was declined.
fn ended(conversation: &Conversation, ending: records::Ending) -> Record {
    let [messages_from_caller, messages_from_callee] = conversation.messages;
    let declined = messages_from_caller + messages_from_callee == 0 && conversation.refused != 0;
    let end = End {
        end_unix_ms: conversation.last.unix_ms,
        messages_from_caller,
        messages_from_callee,
        ending: if declined { records::Ending::Declined(conversation.refused) } else { ending },
    };
    Record::Ended(Ended { id: RecordId::from_bytes(conversation.name), end, bridged: false })
}

/// The refusal for an answer that no endpoint gave.
pub(super) fn unanswered(status: u16) -> Reject {
    match status {
        408 => Reject::NoAnswer,
        487 => Reject::Cancelled,
        500 => Reject::EndpointOverloaded,
        _ => Reject::EndpointLost,
    }
}
