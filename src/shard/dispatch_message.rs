//! Pager mode (RFC 3428): a MESSAGE outside any session, at the edge and at the recipient's home,
//! which knows his endpoints and sends it to all of them.

use bytes::Bytes;

use super::Shard;
use super::forward;
use super::frame::{Frame, Origin, Pager, Reply};
use super::home::Endpoint;
use super::relay::Purpose;
use crate::base::aor::{Aor, home};
use crate::base::ids::{ConnId, Dialect, RelayId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::reject::Reject;
use crate::immcu::pager::{self, Conversation, Output as Notice, Talk};
use crate::metrics::names::Series;
use crate::records::{self, End, Ended, Kind, Record, RecordId, Started};
use crate::wire::sip::{Message, Rewrite};

/// A pager-mode message on its way to several endpoints. The first that takes it answers for
/// all; if none does, the best refusal is passed on.
#[derive(Debug)]
pub(super) struct PagerFork {
    pager: Pager,
    /// Branches without a final answer.
    open: usize,
    /// The sender has his answer.
    done: bool,
    best: Option<(u16, Bytes)>,
    /// The recipient, whose list of requests in flight the branches stand in.
    user: Slot,
}

impl Shard {
    /// Takes a MESSAGE outside any dialog from the user signed in on `conn`.
    pub(super) fn pager_received(&mut self, conn: ConnId, message: Message<'_>) {
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
        let Some(from) = self.connections.get(conn).and_then(|c| c.user.clone()) else { return };
        let request = self.keep(message);
        let home = to.home(self.shards);
        let pager = Pager { from, to, origin: Origin::Connection(conn), request };
        self.send_frame(home, Frame::Pager(Box::new(pager)));
    }

    /// Takes a pager-mode message for a user whose home this is.
    pub(super) fn pager(&mut self, now: Now, pager: Pager) {
        let Some(user) = self.users.slot(&pager.to) else {
            return self.pager_refused(&pager, Reject::UnknownUser);
        };
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

    /// Sends a pager-mode message to each of the endpoints.
    fn fork_pager(&mut self, now: Now, user: Slot, pager: Pager, endpoints: &[Endpoint]) {
        let (request, from) = (pager.request.clone(), pager.from.clone());
        let fork = PagerFork { pager, open: 0, done: false, best: None, user };
        let slot = match self.pagers.insert(fork) {
            Ok(slot) => slot,
            Err(fork) => {
                self.counters.hit(Limit::Relays);
                return self.pager_refused(&fork.pager, Reject::Overloaded);
            }
        };
        for endpoint in endpoints {
            let stamp = {
                let mut stamp = None;
                self.with_message(&request, |shard, message| stamp = shard.stamp(message));
                stamp
            };
            let purpose = Purpose::Pager { fork: slot };
            let Some(relay) = self.reserve_relay(now, Some(endpoint.conn), stamp, purpose) else {
                break;
            };
            let bytes = self.forwarded(&request, relay, endpoint, &from);
            if let Some(entry) = self.relays.get_mut(relay.slot) {
                entry.request = bytes.clone();
            }
            if let Some(fork) = self.pagers.get_mut(slot) {
                fork.open += 1;
            }
            self.users.in_flight(user, relay.slot);
            self.deliver(endpoint.conn, bytes, Some(relay));
        }
        if self.pagers.get(slot).is_some_and(|fork| fork.open == 0)
            && let Some(fork) = self.pagers.remove(slot)
        {
            self.pager_refused(&fork.pager, Reject::Overloaded);
        }
    }

    /// A request as it goes to one endpoint: to its Contact, with our Via on top.
    pub(super) fn forwarded(
        &mut self,
        request: &Bytes,
        relay: RelayId,
        endpoint: &Endpoint,
        from: &Aor,
    ) -> Bytes {
        let mut bytes = Bytes::new();
        self.with_message(request, |shard, message| {
            shard.write_via(relay.token());
            forward::write_asserted_identity(&mut shard.lines, from.as_str());
            let rewrite = Rewrite {
                uri: (endpoint.dialect == Dialect::Simple).then_some(&endpoint.contact),
                top: &shard.lines,
                drop: forward::STRIPPED,
                drop_routes: usize::MAX,
                max_forwards: forward::hops_left(message),
                ..Rewrite::default()
            };
            shard.arena.reserve(message.bytes().len() + shard.lines.len() + 512);
            let via_at = rewrite.write(message, &mut shard.arena);
            let mut out = shard.arena.split();
            forward::fill_via(&mut out, via_at, &shard.sent_by, endpoint.transport, relay);
            bytes = out.freeze();
        });
        bytes
    }

    /// Takes an endpoint's answer to a pager-mode message.
    pub(super) fn pager_answered(&mut self, _now: Now, slot: Slot, relay: RelayId, reply: Reply) {
        if reply.status < 200 {
            return;
        }
        self.relays.remove(relay.slot);
        let Some(fork) = self.pagers.get_mut(slot) else { return };
        fork.open = fork.open.saturating_sub(1);
        let (user, accepted) = (fork.user, (200..300).contains(&reply.status));
        if accepted && !fork.done {
            fork.done = true;
            fork.best = Some((reply.status, reply.bytes));
            self.pass_pager_answer(slot);
        } else if !fork.done && is_better(reply.status, fork.best.as_ref().map(|best| best.0)) {
            fork.best = Some((reply.status, reply.bytes));
        }
        self.users.settled(user, relay.slot);
        self.finish_pager(slot);
    }

    /// A branch got no answer of its own.
    pub(super) fn pager_branch_failed(&mut self, _now: Now, slot: Slot, relay: Slot, reject: Reject) {
        let Some(fork) = self.pagers.get_mut(slot) else { return };
        fork.open = fork.open.saturating_sub(1);
        let last = fork.open == 0 && !fork.done && fork.best.is_none();
        let user = fork.user;
        self.users.settled(user, relay);
        if last && let Some(fork) = self.pagers.remove(slot) {
            return self.pager_refused(&fork.pager, reject);
        }
        self.finish_pager(slot);
    }

    /// Once all branches are answered: passes the best refusal on, if nobody took it, and forgets
    /// the message.
    fn finish_pager(&mut self, slot: Slot) {
        let Some(fork) = self.pagers.get(slot) else { return };
        if fork.open > 0 {
            return;
        }
        if !fork.done {
            self.pass_pager_answer(slot);
        }
        self.pagers.remove(slot);
    }

    /// Tells the sender the best answer there is.
    fn pass_pager_answer(&mut self, slot: Slot) {
        let Some(fork) = self.pagers.get(slot) else { return };
        let Some((status, bytes)) = fork.best.clone() else { return };
        let (from, to) = (fork.pager.from.clone(), fork.pager.to.clone());
        match fork.pager.origin {
            Origin::Connection(conn) => {
                self.deliver(conn, bytes, None);
                self.talked(Talk { from, to, status });
            }
            Origin::Relay(relay) => self.reply_to_bridge(relay, status),
        }
    }

    /// Refuses a pager-mode message on behalf of its recipient.
    pub(super) fn pager_refused(&mut self, pager: &Pager, reject: Reject) {
        match pager.origin {
            Origin::Connection(conn) => {
                let request = pager.request.clone();
                self.with_message(&request, |shard, message| shard.reject(conn, message, reject));
                let talk =
                    Talk { from: pager.from.clone(), to: pager.to.clone(), status: reject.status() };
                if reject != Reject::UnknownUser {
                    self.talked(talk);
                }
            }
            Origin::Relay(relay) => self.reply_to_bridge(relay, reject.status()),
        }
    }

    /// Tells the owner of a bridged session what became of its message.
    fn reply_to_bridge(&mut self, relay: RelayId, status: u16) {
        let bytes = Bytes::new();
        let reply = Reply { relay, from: None, stamp: None, status, bytes, end: None };
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

/// Which refusal of several the sender is told (RFC 3261 section 16.7 step 6): 6xx before all,
/// then the lowest class.
fn is_better(status: u16, than: Option<u16>) -> bool {
    let rank = |status: u16| if status >= 600 { 0 } else { status / 100 };
    than.is_none_or(|than| rank(status) < rank(than))
}
