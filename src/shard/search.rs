//! Search of the directory: every shard looks among its users, the shard of the asker collects.

use std::sync::Arc;

use bytes::Bytes;

use super::frame::Frame;
use super::frame::watch::{Search, SearchFound};
use super::{Shard, Timer};
use crate::base::ids::{ConnId, ShardId, Slot};
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::dialect::ms;
use crate::dialect::reject::Reject;
use crate::directory::{Found, Query};
use crate::metrics::names::Series;
use crate::wire::sip::Message;

/// A search that waits for the shards.
#[derive(Debug)]
pub(super) struct SearchEntry {
    conn: ConnId,
    request: Bytes,
    query: Arc<Query>,
    /// Shards that have not answered.
    left: u16,
    users: Vec<Found>,
    more: bool,
}

impl Shard {
    /// Takes a search from the user signed in on `conn`.
    pub(super) fn search_received(&mut self, now: Now, conn: ConnId, message: Message<'_>) {
        let limits = &self.settings.limits;
        let query = match ms::soap::read(message.body(), limits) {
            Ok(ms::soap::Command::Search(query)) => Arc::new(query),
            Ok(ms::soap::Command::Edit(_)) => {
                return self.reject(conn, message, Reject::UnknownSoapMethod);
            }
            Err(refusal) => {
                let reject = self.counted(refusal);
                return self.reject(conn, message, reject);
            }
        };
        let deadline = now.after(limits.home_answer_time_max);
        let request = self.keep(message);
        let (left, users) = (self.shards, Vec::new());
        let entry = SearchEntry { conn, request, query: query.clone(), left, users, more: false };
        let Ok(search) = self.searches.insert(entry) else {
            self.counters.hit(Limit::Searches);
            return self.reject(conn, message, Reject::Overloaded);
        };
        self.counters.count(Series::Searches);
        self.wheel.arm(deadline, Timer::Search(search));
        for shard in (0..self.shards).map(ShardId) {
            let (from, query) = (self.id, query.clone());
            self.send_frame(shard, Frame::Search(Box::new(Search { from, search, query })));
        }
    }

    /// Looks among the users whose home this is.
    pub(super) fn search(&mut self, search: Search) {
        let Search { from, search, query } = search;
        let findings = self.users.search(&query, &self.settings.limits);
        findings.limit.into_iter().for_each(|limit| self.counters.hit(limit));
        self.send_frame(from, Frame::Found(Box::new(SearchFound { search, findings })));
    }

    /// A shard has looked.
    pub(super) fn found(&mut self, found: SearchFound) {
        let Some(entry) = self.searches.get_mut(found.search) else { return };
        entry.users.extend(found.findings.users);
        entry.more |= found.findings.more;
        entry.left = entry.left.saturating_sub(1);
        if entry.left == 0 {
            self.answer_search(found.search);
        }
    }

    /// Answers a search with what was found so far.
    pub(super) fn answer_search(&mut self, search: Slot) {
        let Some(entry) = self.searches.remove(search) else { return };
        let SearchEntry { conn, request, query, mut users, more, .. } = entry;
        users.sort_by(|a, b| (&a.display_name, &a.aor).cmp(&(&b.display_name, &b.aor)));
        let more = more || users.len() > query.max();
        users.truncate(query.max());
        let body = ms::search::answer(&users, more);
        self.with_message(&request, |shard, message| {
            shard.respond(conn, message, 200, |writer| {
                writer.body(ms::soap::CONTENT_TYPE, body.as_bytes());
            });
        });
    }
}
