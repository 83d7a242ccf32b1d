//! Answers: at the edge, where our Via comes off, and at the owner of the request they answer.

use super::Shard;
use super::forward::{STRIPPED_FROM_ANSWERS, relay_of_branch};
use super::frame::{AnsweringEnd, Frame, Reply};
use super::relay::{Purpose, Relay};
use crate::base::ids::{ConnId, RelayId};
use crate::base::time::Now;
use crate::dialect::reject::Reject;
use crate::metrics::names::Series;
use crate::wire::sip::{Message, Method, Rewrite};

impl Shard {
    /// Takes an answer that came on `conn`: its top Via names the request it answers.
    pub(super) fn answer_received(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let relay = message
            .top_via()
            .ok()
            .and_then(|via| via.branch())
            .and_then(relay_of_branch)
            .filter(|relay| relay.shard.0 < self.shards);
        let Some(relay) = relay else {
            return self.counters.count(Series::ResponsesStray);
        };
        if self.ends_here(relay) {
            return self.own_reply(now, relay, conn, message);
        }
        let end = (message.method() == Method::Invite).then(|| {
            Box::new(AnsweringEnd {
                tag: message.to_tag().unwrap_or_default().into(),
                target: message.remote_target().into(),
            })
        });
        let rewrite =
            Rewrite { drop_first_via: true, drop: STRIPPED_FROM_ANSWERS, ..Rewrite::default() };
        self.arena.reserve(message.bytes().len());
        rewrite.write(message, &mut self.arena);
        let bytes = self.arena.split().freeze();
        let (from, stamp) = (Some(conn), self.stamp(message));
        let status = message.status();
        let reply = Reply { relay, from, stamp, status, bytes, end, nobody: false };
        self.send_frame(relay.shard, Frame::Reply(reply));
    }

    /// True for a request in flight that this shard made itself for a connection of its own.
    fn ends_here(&self, relay: RelayId) -> bool {
        let own = (relay.shard == self.id).then(|| self.relays.get(relay.slot)).flatten();
        own.is_some_and(|own| {
            matches!(own.purpose, Purpose::Notification { .. } | Purpose::Carried { .. })
        })
    }

    /// Takes the answer to such a request. It ends here, so nothing of it is copied.
    fn own_reply(&mut self, now: Now, id: RelayId, conn: ConnId, message: Message<'_>) {
        let stamp = self.stamp(message);
        let expected = |relay: &&Relay| relay.to == Some(conn) && relay.stamp == stamp;
        let Some(relay) = self.relays.get(id.slot).filter(expected) else {
            return self.counters.count(Series::ResponsesStray);
        };
        let (purpose, status) = (relay.purpose.clone(), message.status());
        if status < 200 {
            return;
        }
        self.relays.remove(id.slot);
        match purpose {
            Purpose::Notification { subscription } => {
                self.notification_answered(now, subscription, Some(status));
            }
            Purpose::Carried { leg, number } => self.carried(leg, id.slot, number, Some(status)),
            _ => {}
        }
    }

    /// Takes an answer to a request in flight that this shard owns. It counts only if it comes
    /// from where the request went and to a request that still waits.
    pub(super) fn reply(&mut self, now: Now, reply: Reply) {
        let relay = reply.relay;
        let purpose = self
            .relays
            .get(relay.slot)
            .filter(|relay| relay.to == reply.from && relay.stamp == reply.stamp)
            .map(|relay| relay.purpose.clone());
        match purpose {
            None => self.counters.count(Series::ResponsesStray),
            Some(Purpose::InDialog { .. }) => self.reply_in_dialog(now, relay, reply),
            Some(Purpose::Invite { invitation, branch }) => {
                self.branch_answered(now, invitation, branch, reply);
            }
            Some(Purpose::Pager { fork, branch }) => self.pager_answered(now, fork, branch, reply),
            Some(Purpose::ToPager { .. }) => {
                if reply.status >= 200 {
                    self.text_out_answered(now, relay.slot, reply.status);
                }
            }
            Some(Purpose::Bridged { session, side, origin, pager }) => {
                if reply.status >= 200 {
                    self.relays.remove(relay.slot);
                    let status = reply.status;
                    self.bridged_answered(now, relay.slot, session, side, origin, pager, status);
                }
            }
            // Its answer comes where it went out from, and is taken there.
            Some(Purpose::Notification { .. } | Purpose::Carried { .. }) => {
                self.counters.count(Series::ResponsesStray);
            }
            Some(Purpose::Paged { conference, member, number }) => {
                if reply.status >= 200 {
                    self.relays.remove(relay.slot);
                    let Reply { status, nobody, .. } = reply;
                    self.paged(now, conference, member.clone(), number, status);
                    if nobody {
                        self.pager_gone(now, conference, member);
                    }
                }
            }
            Some(Purpose::Own) => {
                if reply.status >= 200 {
                    self.relays.remove(relay.slot);
                }
            }
        }
    }

    /// Gives up on the requests in flight whose time is up.
    pub(super) fn sweep_relays(&mut self, now: Now) {
        let mut due = std::mem::take(&mut self.due_relays);
        self.relays.sweep(now, &mut due);
        for slot in due.drain(..) {
            self.counters.count(Series::RelayTimeouts);
            self.fail_relay(now, slot, Reject::NoAnswer);
        }
        self.due_relays = due;
        self.counters.set(Series::RelaysCurrent, self.relays.len() as u64);
    }
}
