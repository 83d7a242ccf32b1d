//! What users write and the clients they use, held against their policies: at the edge, before a
//! message goes anywhere, so that sessions, conferences and pager mode need not know.
//!
//! A client is judged when its connection becomes the user's, not when it refreshes: who is in
//! stays in, whatever happens to his policy, until he connects again. What is done with his
//! messages follows his policy from the next REGISTER on.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::Shard;
use super::frame::SignInError;
use super::refusals::Cause;
use crate::base::aor::Aor;
use crate::base::ids::ConnId;
use crate::base::limits::Limit;
use crate::base::time::Now;
use crate::config::{ClientAction, Policies};
use crate::dialect::reject::Reject;
use crate::dialect::{ms, simple};
use crate::immcu::filter::{Blocked, Clients, Filter, Verdict};
use crate::metrics::names::Series;
use crate::wire::sip::{HeaderName, HeaderSet, Message, Method, Rewrite};

/// What the policies want looked at, prepared at start.
#[derive(Debug)]
pub(super) struct Filters {
    by_policy: BTreeMap<String, PolicyFilters>,
}

/// What one policy wants looked at.
#[derive(Debug)]
struct PolicyFilters {
    messages: Option<Arc<Filter>>,
    clients: Option<Arc<Clients>>,
}

impl Filters {
    pub(super) fn new(policies: &Policies) -> Self {
        let by_policy = policies.iter().map(|(name, policy)| {
            let messages = Filter::new(policy).map(Arc::new);
            let clients = Clients::new(&policy.client_filter).map(Arc::new);
            (name.to_owned(), PolicyFilters { messages, clients })
        });
        Filters { by_policy: by_policy.collect() }
    }
}

impl Shard {
    /// Takes a request of the user signed in on `conn` that his policy does not let go on as it
    /// is: it was refused, or went on in another form. False if nothing was done.
    pub(super) fn is_filtered(&mut self, now: Now, conn: ConnId, message: Message<'_>) -> bool {
        let Some(filter) = self.connections.get(conn).and_then(|c| c.filter.as_ref()) else {
            return false;
        };
        match message.method() {
            // Without the first words in the invitation the client sends them as a message.
            Method::Invite if message.header(HeaderName::MsTextFormat).is_some() => {
                let drop = HeaderSet::of(&[HeaderName::MsTextFormat]);
                self.dispatch_as(now, conn, message, Rewrite { drop, ..Rewrite::default() });
                true
            }
            Method::Message => {
                let filter = filter.clone();
                self.filter_message(now, conn, message, &filter)
            }
            _ => false,
        }
    }

    fn filter_message(
        &mut self,
        now: Now,
        conn: ConnId,
        message: Message<'_>,
        filter: &Filter,
    ) -> bool {
        let limits = &self.settings.limits;
        let verdict = match is_encoded(message) {
            true => Verdict::Block(Blocked::Unreadable),
            false => filter.check(message.content_type(), message.body(), limits),
        };
        match verdict {
            Verdict::Pass => false,
            Verdict::Replace(body) if body.len() > limits.sip_body_bytes_max => {
                self.counters.hit(Limit::SipBodyBytes);
                self.block(conn, message, Reject::FilteredTooLong)
            }
            Verdict::Replace(body) => {
                self.counters.count(Series::MessagesChanged);
                let body = Some(body.as_slice());
                self.dispatch_as(now, conn, message, Rewrite { body, ..Rewrite::default() });
                true
            }
            Verdict::Block(blocked) => {
                if blocked == Blocked::TooManyLinks {
                    self.counters.hit(Limit::LinksPerMessage);
                }
                self.block(conn, message, refused_message(blocked))
            }
        }
    }

    fn block(&mut self, conn: ConnId, message: Message<'_>, reject: Reject) -> bool {
        self.counters.count(Series::MessagesBlocked);
        self.reject(conn, message, reject);
        true
    }

    /// Dispatches a request in another form.
    fn dispatch_as(&mut self, now: Now, conn: ConnId, message: Message<'_>, rewrite: Rewrite<'_>) {
        rewrite.write(message, &mut self.arena);
        let bytes = self.arena.split().freeze();
        self.with_message(&bytes, |shard, message| shard.dispatch(now, conn, message));
    }

    /// What is done with the messages of users under a policy.
    pub(super) fn filter_of(&self, policy: &str) -> Option<Arc<Filter>> {
        self.policy_filters(policy)?.messages.clone()
    }

    /// Judges the client that wants to become a connection of a user whose home this is.
    pub(super) fn welcome(
        &mut self,
        aor: &Aor,
        conn: ConnId,
        request: &Bytes,
    ) -> Result<(), SignInError> {
        let Some(entry) = self.users.slot(aor).and_then(|slot| self.users.get(slot)) else {
            return Ok(());
        };
        let Some(clients) = self.clients_of(&entry.user.policy) else { return Ok(()) };
        if entry.connections().contains(&conn) {
            return Ok(());
        }
        let mut action = ClientAction::Allow;
        self.with_message(request, |_, message| {
            action = clients.judge(message.header(HeaderName::UserAgent)).action;
        });
        match action {
            ClientAction::Allow => Ok(()),
            ClientAction::Block => {
                self.counters.count(Series::ClientsRefused);
                Err(SignInError::ClientBlocked)
            }
        }
    }

    /// Refuses the client of a user under a policy, in the policy's words: the client shows them
    /// to its user, who cannot help himself otherwise.
    pub(super) fn refuse_client(&mut self, conn: ConnId, message: Message<'_>, policy: &str) {
        let clients = self.clients_of(policy);
        let text = words_for(clients.as_deref(), message).unwrap_or(Reject::ClientBlocked.reason());
        let source = self.settings.name.clone();
        self.note_refusal(conn, message, Cause::Reject(Reject::ClientBlocked));
        self.respond(conn, message, Reject::ClientBlocked.status(), |writer| {
            let writer = simple::warning(writer, text, &source);
            ms::public_diagnostics_saying(writer, Reject::ClientBlocked, text).finish();
        });
    }

    /// What a policy says to a client that may sign in; no text if it says nothing.
    pub(super) fn words_to_client(&self, policy: &str, message: Message<'_>) -> Option<String> {
        words_for(self.clients_of(policy).as_deref(), message).map(str::to_owned)
    }

    fn clients_of(&self, policy: &str) -> Option<Arc<Clients>> {
        self.policy_filters(policy)?.clients.clone()
    }

    fn policy_filters(&self, policy: &str) -> Option<&PolicyFilters> {
        self.filters.by_policy.get(self.settings.policies.effective(policy))
    }
}

/// Whether the body is in an encoding that links are not seen in (RFC 3261 section 20.12).
fn is_encoded(message: Message<'_>) -> bool {
    let mut encodings = message.headers(HeaderName::ContentEncoding);
    encodings.any(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
}

/// What the rules say to the client that sent a request; `None` if nothing.
fn words_for<'a>(clients: Option<&'a Clients>, message: Message<'_>) -> Option<&'a str> {
    let text = clients?.judge(message.header(HeaderName::UserAgent)).text;
    (!text.is_empty()).then_some(text)
}

fn refused_message(blocked: Blocked) -> Reject {
    match blocked {
        Blocked::File => Reject::FileBlocked,
        Blocked::Link => Reject::LinkBlocked,
        Blocked::TooManyLinks => Reject::TooManyLinks,
        Blocked::Unreadable => Reject::Unfilterable,
    }
}
