//! Layer 4: the owner of users and sessions, without sockets, clock or randomness of its own.
//!
//! One rule: after every `handle`, drain `next_output` until it says `None`. Local and
//! cross-core messages enter by the same door.
//!
//! | file | what of a message's way it holds |
//! |---|---|
//! | `dispatch_request` | the first look at a request: identity, hops, method |
//! | `filter` | what users write and the clients they use, held against their policies |
//! | `dispatch_register` | sign-in, at the edge and at the user's home |
//! | `challenge`, `credentials` | what is asked of who signs in, and what he shows |
//! | `dispatch_ntlm` | its steps by NTLM |
//! | `dispatch_invite` | an invitation, from INVITE to its final answer |
//! | `dispatch_in_dialog` | a request in a session, at the edge |
//! | `session` | the same at the session's owner, and the session's end |
//! | `dispatch_message` | pager mode |
//! | `bridge` | between a session and pager mode |
//! | `dispatch_response` | answers |
//! | `signing` | signatures of clients that signed in by NTLM, verified and made |
//! | `timers` | what happens by itself |
//! | `configure`, `drain` | other settings while it runs, and the end |
//!
//! | file | what of conferences it holds |
//! |---|---|
//! | `leg` | a member's dialogs, at the edge |
//! | `conference` | the conference at its owner: what happens to it, what it wants done |
//! | `operation` | what is asked of it by SERVICE, INFO and REFER, and the answers |
//! | `fanout` | what is said, at the edge of each member |
//! | `conference_pager` | members in pager mode |
//! | `summons` | invitations to it |
//! | `conference_records` | its call detail record |
//!
//! | file | what of presence it holds |
//! |---|---|
//! | `dispatch_subscribe` | SUBSCRIBE at the edge |
//! | `subscription`, `notify` | its answer, its end, and how the subscriber is told |
//! | `watching` | the homes of those who are watched: first views and fan-out |
//! | `roaming` | what is a user's own: contacts, publications, containers |
//! | `service`, `publish` | SERVICE and PUBLISH at the user's home |
//! | `edit`, `durable` | changes that must be durable before they are answered |
//! | `search` | the directory |
//! | `observe` | applications that watch users, and what they see |
//! | `question`, `inspect` | what operators ask, and what they are answered |
//! | `session_standing`, `conference_standing` | sessions and conferences, as operators are told |
//! | `refusals` | the last requests that were refused, and why |

mod answer;
mod bridge;
mod challenge;
mod conference;
mod conference_pager;
mod conference_records;
pub mod conference_standing;
mod configure;
pub mod connection;
mod credentials;
mod dispatch_in_dialog;
mod dispatch_invite;
mod dispatch_message;
mod dispatch_ntlm;
mod dispatch_register;
mod dispatch_request;
mod dispatch_response;
mod dispatch_subscribe;
mod drain;
pub mod durable;
mod edit;
mod fanout;
mod filter;
mod forward;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod home;
pub mod input;
mod inspect;
pub mod invariants;
mod invitation;
mod leg;
mod notify;
pub mod observe;
pub mod occupancy;
mod operation;
pub mod output;
pub mod overheard;
mod publish;
pub mod question;
pub mod refusals;
mod relay;
mod roaming;
mod search;
mod service;
mod session;
pub mod session_standing;
mod signing;
mod subscription;
mod summons;
mod timers;
mod watching;

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use crate::auth::digest::Algorithm;
use crate::auth::lockout::Lockout;
use crate::auth::nonce::NonceKey;
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, RelayId, SessionId, ShardId, Slot};
use crate::base::limits::{Limit, Limits};
use crate::base::seed::Seed;
use crate::base::slab::Slab;
use crate::base::time::{Deadline, Now};
use crate::base::wheel::Wheel;
use crate::config::{DigestAlgorithm, Settings};
use crate::dialect::reject::Reject;
use crate::immcu::conference::Leaving;
use crate::immcu::pager::Conversations;
use crate::metrics::counters::{CloseReason, Counters};
use crate::metrics::names::Series;
use crate::records::Record;
use crate::registrar::admission::Admission;
use crate::sip::transaction_key::TransactionKeys;
use crate::wire::sip::head::HEADERS_MAX;
use crate::wire::sip::{Head, Message};
use conference::Conferences;
use connection::{Connection, Connections};
use dispatch_message::PagerFork;
use drain::Leave;
use edit::Pending;
use filter::Filters;
use frame::{Cargo, Frame, Stamp};
use home::Users;
use input::{Control, Input};
use invitation::Invitation;
use leg::LegEntry;
use output::Output;
use question::Question;
use refusals::Refusals;
use relay::Relays;
use search::SearchEntry;
use session::SessionEntry;
use subscription::SubscriptionEntry;
use timers::{LOOK_AHEAD, TICK_MS, Timer};
use watching::Watches;

/// What a core drives: the shard, or a stand-in for it in tests of the layers above.
pub trait Machine {
    /// Takes one input at the time `now`.
    fn handle(&mut self, now: Now, input: Input<'_>);

    /// The next effect of what was handled; `None` when all are out.
    fn next_output(&mut self) -> Option<Output>;

    /// The counters of this core; the layers above count theirs here too.
    fn counters(&mut self) -> &mut Counters;

    /// Who signed in on a connection.
    fn user(&self, conn: ConnId) -> Option<&Aor>;

    /// True when nobody waits for what becomes of something he has said or changed. Looks through
    /// all that is in flight.
    fn is_idle(&self) -> bool;
}

/// Secrets that all shards of a process share, so that what one mints another can check.
#[derive(Clone)]
pub struct Keys {
    /// Keys of the hashes that travel between shards.
    pub hash: [u64; 4],
    /// Key of the nonces.
    pub nonce: [u8; 32],
}

/// What a shard is made of.
pub struct Options {
    /// Which shard this is.
    pub id: ShardId,
    /// How many there are.
    pub shards: u16,
    /// This shard's generator.
    pub seed: Seed,
    /// Shared by all shards.
    pub keys: Keys,
    /// The configuration.
    pub settings: Arc<Settings>,
    /// `host:port` of our Via and Record-Route.
    pub sent_by: String,
}

/// The deadline of what has its timer elsewhere.
const NEVER: Deadline = Deadline(u64::MAX);

/// Size of the blocks that outgoing messages are cut from.
const ARENA_BYTES: usize = 64 * 1024;

/// One shard: everything one core owns.
pub struct Shard {
    id: ShardId,
    shards: u16,
    settings: Arc<Settings>,
    /// For messages that grew by our own lines.
    own_limits: Limits,
    sent_by: Arc<str>,
    seed: Seed,
    hasher: ahash::RandomState,
    nonces: NonceKey,
    /// Digest algorithms in the order they are offered.
    algorithms: Vec<Algorithm>,
    transaction_keys: TransactionKeys,

    connections: Connections,
    users: Users,
    sessions: Slab<SessionEntry>,
    invitations: Slab<Invitation>,
    relays: Relays,
    pagers: Slab<PagerFork>,
    conversations: Conversations,
    /// Subscriptions of our connections.
    subscriptions: Slab<SubscriptionEntry>,
    /// Whom each subscription watches, of the users whose home this is.
    watches: Watches,
    /// Conferences that this shard owns.
    conferences: Conferences,
    /// Members of them all.
    conference_members: u64,
    /// Members' dialogs with conferences, of our connections.
    legs: Slab<LegEntry>,
    /// Changes that the store is writing.
    edits: Slab<Pending>,
    searches: Slab<SearchEntry>,
    /// What the policies want looked at.
    filters: Filters,
    /// Sign-ins that may begin.
    admission: Admission,
    /// Failed sign-ins by user, for the users whose home this is.
    failed_users: Lockout,
    /// Failed sign-ins by address, for the addresses this shard watches.
    failed_addresses: Lockout,
    /// Addresses that some shard locked out.
    locked_addresses: Lockout,
    wheel: Wheel<Timer>,

    /// When the input in hand came, for what is remembered of it.
    now: Now,
    refusals: Refusals,

    counters: Counters,
    outputs: VecDeque<Output>,
    /// Frames to ourselves: they take the same door as those of others.
    local: VecDeque<Frame>,
    draining: bool,
    /// When the last connection will have been closed, once no new work is taken.
    leaving: Option<Leave>,

    arena: BytesMut,
    lines: BytesMut,
    scratch: Option<Box<Head>>,
    /// For the messages to be signed, which another message may have led to.
    signing_head: Box<Head>,
    due: Vec<Timer>,
    due_relays: Vec<Slot>,
}

impl Machine for Shard {
    fn handle(&mut self, now: Now, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Opened { conn, peer, origin, transport, cipher, lane } => {
                let mut connection = Connection::new(peer, origin, transport, lane);
                connection.since_unix_ms = now.unix_ms;
                connection.cipher = cipher;
                self.connections.insert(conn, connection);
                let deadline = now.after(self.settings.limits.authenticate_timeout);
                self.wheel.arm(deadline, Timer::Authenticate(conn));
            }
            Input::Message { conn, message } if !self.is_genuine(now, conn, message) => {}
            Input::Message { conn, message } if message.is_request() => {
                self.request_received(now, conn, message);
            }
            Input::Message { conn, message } => self.answer_received(now, conn, message),
            Input::Malformed { conn, message, error } => self.malformed(conn, message, error),
            Input::Broken { conn, message, error } => self.broken(now, conn, message, error),
            Input::Closed { conn, .. } => self.connection_closed(now, conn),
            Input::Frame(frame) => {
                self.counters.count(Series::FramesReceived);
                self.frame(now, frame);
            }
            Input::Control(Control::Configure(settings)) => self.configure(now, settings),
            Input::Control(Control::Refuse) => self.draining = true,
            Input::Control(Control::Drain) => self.drain(now),
            Input::Control(Control::Leave { over, to }) => self.leave_over(now, over, to),
            Input::Control(Control::PutUser(user)) => self.put_user(now, user),
            Input::Control(Control::RemoveUser(aor)) => {
                self.end_scheduled_of(now, &aor);
                self.remove_user(now, &aor);
            }
            Input::Control(Control::PutRows(aor, rows)) => self.restore(now, &aor, rows),
            Input::Control(Control::Written { ticket, result }) => {
                self.written(now, ticket, result);
            }
            Input::Control(Control::PutConference(description)) => {
                self.put_conference(now, *description);
            }
            Input::Control(Control::Ask { ticket, question: Question::EndConference(id) }) => {
                self.end_conference(now, ticket, id);
            }
            Input::Control(Control::Ask { ticket, question }) => {
                let answer = self.inspect(now, &question);
                self.outputs.push_back(Output::Answer { ticket, answer });
            }
            Input::Control(Control::Observe(observation)) => self.observe(now, observation),
            Input::Control(Control::Unobserve(observer)) => self.unobserve(now, observer),
            Input::Tick => self.tick(now),
        }
        while let Some(frame) = self.local.pop_front() {
            self.frame(now, frame);
        }
    }

    fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn counters(&mut self) -> &mut Counters {
        &mut self.counters
    }

    fn user(&self, conn: ConnId) -> Option<&Aor> {
        self.connections.get(conn)?.user.as_ref()
    }

    fn is_idle(&self) -> bool {
        self.edits.is_empty() && !self.relays.iter().any(|(_, relay)| relay.purpose.has_sender())
    }
}

impl Shard {
    /// An empty shard at `now`.
    pub fn new(now: Now, options: Options) -> Self {
        let [a, b, c, d] = options.keys.hash;
        let hasher = ahash::RandomState::with_seeds(a, b, c, d);
        let limits = options.settings.limits.clone();
        let mut seed = options.seed;
        let transaction_keys = TransactionKeys::new(&mut seed);
        let mut lockout = |failures_max| {
            let (time, entries) = (limits.lockout_time, limits.lockout_entries_max);
            Lockout::new(failures_max, time, entries, &mut seed)
        };
        Shard {
            id: options.id,
            shards: options.shards.max(1),
            sent_by: options.sent_by.into(),
            own_limits: own_limits(&limits),
            nonces: NonceKey::new(options.keys.nonce),
            algorithms: options.settings.digest.iter().map(algorithm).collect(),
            transaction_keys,
            connections: Connections::new(options.id),
            users: Users::new(hasher.clone(), limits.users_per_shard_max),
            sessions: Slab::new(limits.sessions_per_shard_max),
            invitations: Slab::new(limits.sessions_per_shard_max),
            relays: Relays::new(limits.relays_per_shard_max),
            pagers: Slab::new(limits.relays_per_shard_max),
            conversations: Conversations::new(
                hasher.clone(),
                limits.pager_idle_timeout,
                limits.pager_conversations_per_shard_max,
            ),
            subscriptions: Slab::new(limits.subscriptions_per_shard_max),
            watches: Watches::with_hasher(hasher.clone()),
            conferences: Conferences::new(hasher.clone()),
            conference_members: 0,
            legs: Slab::new(limits.legs_per_shard_max),
            edits: Slab::new(limits.writes_in_flight_per_shard_max),
            searches: Slab::new(limits.searches_per_shard_max),
            filters: Filters::new(&options.settings.policies),
            admission: Admission::new(limits.sign_ins_per_second_max, options.shards),
            failed_users: lockout(limits.auth_failures_per_user_max),
            failed_addresses: lockout(limits.auth_failures_per_address_max),
            // One word of the shard that counts is enough.
            locked_addresses: lockout(1),
            wheel: Wheel::new(TICK_MS, now),
            now,
            refusals: Refusals::default(),
            counters: Counters::default(),
            outputs: VecDeque::new(),
            local: VecDeque::new(),
            draining: false,
            leaving: None,
            arena: BytesMut::with_capacity(ARENA_BYTES),
            lines: BytesMut::with_capacity(256),
            scratch: Some(Box::default()),
            signing_head: Box::default(),
            due: Vec::new(),
            due_relays: Vec::new(),
            seed,
            hasher,
            settings: options.settings,
        }
    }

    /// A frame for this shard, from another or from itself.
    fn frame(&mut self, now: Now, frame: Frame) {
        match frame {
            Frame::Deliver { conn, bytes, cargo } => self.deliver(conn, bytes, cargo),
            Frame::Invite { conn, bytes, relay, leg } => self.ring_here(conn, bytes, relay, leg),
            Frame::Undeliverable { relay } => {
                self.fail_relay(now, relay.slot, Reject::EndpointLost);
            }
            Frame::Leave { conn, session } => {
                if let Some(connection) = self.connections.get_mut(conn) {
                    connection.leave(session);
                }
            }
            Frame::LegLost { session, conn } => self.leg_lost(now, session.slot, conn),
            Frame::InDialog(request) => self.relay_in_dialog(now, request),
            Frame::Reply(reply) => self.reply(now, reply),
            Frame::SignIn(sign_in) => self.sign_in(now, *sign_in),
            Frame::SignedIn(signed_in) => self.signed_in(now, *signed_in),
            Frame::SignedOff { aor, conn } => self.signed_off(now, &aor, conn),
            Frame::Revoke { conn } => {
                if self.connections.get(conn).is_some() {
                    self.close(now, conn, CloseReason::Policy);
                }
            }
            Frame::Locate(locate) => self.locate(now, *locate),
            Frame::Located(located) => self.located(now, *located),
            Frame::Pager(pager) => self.pager(now, *pager),
            Frame::Bridge(bridge) => self.bridge_in(now, *bridge),
            Frame::BridgeGone(bridge) => self.bridge_gone(now, *bridge),
            Frame::BridgeState { aor, peer, session, open } => {
                self.users.bridge(&aor, peer, session, open);
            }
            Frame::Talk(talk) => self.account(now, talk),
            Frame::AddressFailed { ip } => self.address_failed(now, ip),
            Frame::AddressLocked { ip } => {
                self.locked_addresses.failure(now, ip);
            }
            Frame::Watch(watch) => self.watch(now, *watch),
            Frame::Watched(watched) => self.watched(now, *watched),
            Frame::Unwatch { subscription, aors } => {
                self.unwatch(now, subscription, aors.as_deref())
            }
            Frame::Notice(notice) => self.noticed(now, &notice),
            Frame::Subscribe(subscribe) => self.subscribe_own(now, *subscribe),
            Frame::Subscribed(subscribed) => self.subscribed(now, *subscribed),
            Frame::Unsubscribe { subscription, aor } => self.unsubscribe_own(&aor, subscription),
            Frame::OwnNotice { subscription, content } => {
                self.own_noticed(now, subscription, content);
            }
            Frame::Service(service) => self.serve(now, *service),
            Frame::Search(search) => self.search(*search),
            Frame::Found(found) => self.found(*found),
            Frame::Join(join) => self.join(now, *join),
            Frame::Summoned { session, outcome } => self.summoned(now, session, outcome),
            Frame::Convene(convene) => self.convene(now, *convene),
            Frame::ToConference { conference, word } => {
                self.conference_told(now, conference, *word);
            }
            Frame::Say(say) => self.say(now, say),
            Frame::Carry(carry) => self.carry(now, &carry),
            Frame::Typing(typing) => self.tell_typing(now, &typing),
            Frame::ToLeg { leg, word } => self.leg_told(now, leg, *word),
            Frame::Roster(roster) => self.roster_changed(now, *roster),
        }
    }

    /// Sends a frame to the owner of something, who may be ourselves.
    fn send_frame(&mut self, to: ShardId, frame: Frame) {
        if to == self.id {
            self.local.push_back(frame);
        } else if to.0 < self.shards {
            self.counters.count(Series::FramesSent);
            self.outputs.push_back(Output::Frame { to, frame });
        }
    }

    /// Writes octets to a connection, here or on another core.
    fn deliver(&mut self, conn: ConnId, bytes: Bytes, cargo: Cargo) {
        if conn.shard != self.id {
            return self.send_frame(conn.shard, Frame::Deliver { conn, bytes, cargo });
        }
        match (self.connections.get_mut(conn), cargo) {
            (Some(connection), cargo) => {
                if cargo == Cargo::PagerAnswer {
                    connection.pagers = connection.pagers.saturating_sub(1);
                }
                self.send(conn, bytes);
            }
            (None, Cargo::Request(relay)) => {
                self.send_frame(relay.shard, Frame::Undeliverable { relay });
            }
            (None, Cargo::Plain | Cargo::PagerAnswer) => {}
        }
    }

    /// A connection of ours rings and becomes a leg of a session, unless it has all it may have.
    fn ring_here(&mut self, conn: ConnId, bytes: Bytes, relay: RelayId, leg: frame::Leg) {
        let max = self.settings.limits.sessions_per_connection_max;
        if let Some(connection) = self.connections.get_mut(conn) {
            if connection.legs.len() >= max {
                self.counters.hit(Limit::SessionsPerConnection);
                return self.send_frame(relay.shard, Frame::Undeliverable { relay });
            }
            connection.legs.push(leg);
        }
        self.deliver(conn, bytes, Cargo::Request(relay));
    }

    /// Closes a connection of ours; what was sent to it goes out first.
    fn close(&mut self, now: Now, conn: ConnId, reason: CloseReason) {
        self.connection_closed(now, conn);
        self.outputs.push_back(Output::Close { conn, reason });
    }

    /// A connection is gone: its legs' sessions and its user's home are told.
    fn connection_closed(&mut self, _now: Now, conn: ConnId) {
        let Some(connection) = self.connections.remove(conn) else { return };
        for subscription in connection.subscriptions {
            self.forget_subscription(subscription);
        }
        for (_, slot) in connection.conference_legs {
            self.leave(slot, Leaving::ConnectionLost);
        }
        for leg in connection.legs {
            let session = leg.session;
            self.send_frame(session.shard, Frame::LegLost { session, conn });
        }
        if let Some(aor) = connection.user {
            self.send_frame(aor.home(self.shards), Frame::SignedOff { aor, conn });
        }
    }

    /// Calls `then` with a message read from octets of our own keeping.
    fn with_message(&mut self, bytes: &Bytes, then: impl FnOnce(&mut Self, Message<'_>)) {
        let mut head = self.scratch.take().unwrap_or_default();
        if matches!(head.index(bytes, &self.own_limits), Ok(Some(_))) {
            then(self, Message::new(bytes, &head));
        }
        self.scratch = Some(head);
    }

    fn record(&mut self, record: Record) {
        if matches!(record, Record::Ended(_) | Record::ConferenceEnded(_)) {
            self.counters.count(Series::RecordsWritten);
        }
        self.outputs.push_back(Output::Record(record));
    }

    /// A Call-ID as the edge remembers it.
    fn hash_call(&self, call_id: &[u8]) -> u64 {
        self.hasher.hash_one(call_id)
    }

    /// The stamp of a message.
    fn stamp(&self, message: Message<'_>) -> Option<Stamp> {
        let cseq = message.cseq().ok()?;
        Some(stamp(&self.hasher, message.call_id().ok()?, cseq.number, cseq.method))
    }

    /// The name of a session of ours.
    fn session_id(&self, slot: Slot) -> SessionId {
        SessionId::new(self.id, slot)
    }
}

/// The bounds of messages that grew by our own lines.
fn own_limits(limits: &Limits) -> Limits {
    Limits {
        sip_head_bytes_max: usize::from(u16::MAX),
        sip_header_line_bytes_max: usize::from(u16::MAX),
        sip_header_count_max: HEADERS_MAX,
        ..limits.clone()
    }
}

fn algorithm(configured: &DigestAlgorithm) -> Algorithm {
    match configured {
        DigestAlgorithm::Md5 => Algorithm::Md5,
        DigestAlgorithm::Sha256 => Algorithm::Sha256,
    }
}

/// The stamp of a request with this Call-ID and CSeq.
fn stamp(hasher: &ahash::RandomState, call_id: &[u8], cseq: u32, method: &[u8]) -> Stamp {
    let mut state = hasher.build_hasher();
    state.write_usize(call_id.len());
    state.write(call_id);
    state.write_u32(cseq);
    state.write(method);
    Stamp(state.finish())
}
