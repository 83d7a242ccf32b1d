//! What operators ask the home of a user or of a conference, or every shard, and what they answer.

use std::net::{IpAddr, SocketAddr};

pub use super::observe::Sight;

use super::conference_standing::{ConferenceList, ConferenceStanding};
use super::refusals::Refused;
use super::session_standing::SessionList;
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, Dialect, ShardId, SubscriptionId};
use crate::base::time::Now;
use crate::base::transport::Transport;
use crate::contacts::{Contact, ContactList, Group};
use crate::metrics::counters::TlsCipher;
use crate::presence::aggregate::Aggregate;
use crate::presence::card::Card;
use crate::presence::category::{Category, CategorySet};
use crate::presence::container::{Container, ContainerId, Relation};
use crate::presence::presentity::Presentity;
use crate::presence::publication::Publication;
use crate::presence::state::Note;
use crate::presence::view::{Content, View};
use crate::presence::watch::{Format, Watching};
use crate::registrar::Binding;

/// A question to the home of a user or of a conference, or to every shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// One conference, with its members.
    Conference(ConferenceId),
    /// The conferences of the shard; every shard is asked, and the answers are
    /// [put together](ConferenceList::merge).
    Conferences,
    /// What one shard knows of connections of its own.
    Connections(Vec<ConnId>),
    /// His contact list.
    Contacts(Aor),
    /// How many endpoints users have; every shard is asked.
    Endpoints(Vec<Aor>),
    /// An order: the conference ends for all.
    EndConference(ConferenceId),
    /// His presence document, and what a watcher would see of it.
    Presence {
        /// The user.
        user: Aor,
        /// Who would watch.
        watcher: Option<Aor>,
    },
    /// The last refusals of requests of his, or of all users'; every shard is asked.
    Refusals(Option<Aor>),
    /// Whether he may sign in, and where he has.
    Standing(Aor),
    /// What an application sees of users whose home is one shard.
    Sights {
        /// The users.
        users: Vec<Aor>,
        /// The level that the operator gave the application.
        level: ContainerId,
    },
    /// Two-party sessions of the shard; every shard is asked.
    Sessions,
    /// An order: he is signed out, and may sign in again.
    SignOut {
        /// The user.
        user: Aor,
        /// The connection that is closed; `None` for all of his.
        conn: Option<ConnId>,
    },
    /// Who watches him.
    Watchers(Aor),
}

impl Question {
    /// The shard that is asked, of `shards`; `None` for every one.
    pub fn home(&self, shards: u16) -> Option<ShardId> {
        match self {
            Question::Conference(id) | Question::EndConference(id) => Some(id.home(shards)),
            Question::Conferences
            | Question::Endpoints(_)
            | Question::Refusals(_)
            | Question::Sessions => None,
            Question::Connections(conns) => conns.first().map(|conn| conn.shard),
            Question::Contacts(user) | Question::Presence { user, .. } => Some(user.home(shards)),
            Question::SignOut { user, .. }
            | Question::Standing(user)
            | Question::Watchers(user) => Some(user.home(shards)),
            Question::Sights { users, .. } => users.first().map(|user| user.home(shards)),
        }
    }

    /// The user it is about.
    pub fn user(&self) -> Option<&Aor> {
        match self {
            Question::Contacts(user) | Question::Presence { user, .. } => Some(user),
            Question::SignOut { user, .. }
            | Question::Standing(user)
            | Question::Watchers(user) => Some(user),
            Question::Conference(_)
            | Question::Conferences
            | Question::Connections(_)
            | Question::EndConference(_)
            | Question::Endpoints(_)
            | Question::Refusals(_)
            | Question::Sessions
            | Question::Sights { .. } => None,
        }
    }
}

/// The answer to a [`Question`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To [`Question::Conference`].
    Conference(Box<ConferenceStanding>),
    /// To [`Question::EndConference`]: it is over.
    ConferenceEnded,
    /// To the same: it is over, but the store cannot forget it now, so that it is there again after
    /// the next start.
    ConferenceStays,
    /// To [`Question::Conferences`].
    Conferences(ConferenceList),
    /// To [`Question::Connections`], those that there still are.
    Connections(Vec<ConnectionStanding>),
    /// To [`Question::Contacts`].
    Contacts(Contacts),
    /// To [`Question::Endpoints`]: the users whose home the shard is.
    Endpoints(Vec<(Aor, usize)>),
    /// There is no such conference.
    NoSuchConference,
    /// The user is not in the directory.
    NoSuchUser,
    /// To [`Question::Presence`].
    Presence(Box<Presence>),
    /// To [`Question::Refusals`], in no order.
    Refusals(Vec<Refused>),
    /// To [`Question::Standing`].
    Standing(Box<Standing>),
    /// To [`Question::Sights`], in the order of the users.
    Sights(Vec<Sight>),
    /// To [`Question::Sessions`].
    Sessions(SessionList),
    /// To [`Question::SignOut`]: connections that are closed.
    SignedOut(usize),
    /// To [`Question::Watchers`].
    Watchers(Vec<Watcher>),
}

impl Answer {
    /// This answer of some shards with `part`, that of one more, to a question that goes to every
    /// one; at most `listed_max` are listed. `None` when they do not answer the same.
    pub fn merged(mut self, part: Answer, listed_max: usize) -> Option<Self> {
        match (&mut self, part) {
            (Answer::Conferences(list), Answer::Conferences(part)) => list.merge(part, listed_max),
            (Answer::Endpoints(users), Answer::Endpoints(part)) => users.extend(part),
            (Answer::Refusals(refusals), Answer::Refusals(part)) => refusals.extend(part),
            (Answer::Sessions(list), Answer::Sessions(part)) => list.merge(part),
            _ => return None,
        }
        Some(self)
    }
}

/// A connection, as far as its own shard knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionStanding {
    /// Which.
    pub conn: ConnId,
    /// The other end.
    pub peer: SocketAddr,
    /// Where the client is; on a link not the other end.
    pub origin: Option<IpAddr>,
    /// What it is encrypted with; `None` for a plain one, and on a link.
    pub cipher: Option<TlsCipher>,
    /// When it was ready for SIP, in milliseconds since the Unix epoch.
    pub since_unix_ms: u64,
}

/// Whether a user may sign in, and where he has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// He is in the directory.
    pub known: bool,
    /// He is, and may not sign in.
    pub disabled: bool,
    /// Seconds for which he may not try again, after too many failures.
    pub locked_s: Option<u64>,
    /// The policy that governs him; empty for the default one.
    pub policy: String,
    /// Where he has signed in.
    pub endpoints: Vec<Endpoint>,
}

/// A contact list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contacts {
    /// The number of the list.
    pub number: u32,
    /// Groups by number.
    pub groups: Vec<Group>,
    /// Contacts by address.
    pub contacts: Vec<Contact>,
}

impl From<&ContactList> for Contacts {
    fn from(list: &ContactList) -> Self {
        Contacts {
            number: list.number(),
            groups: list.groups().collect(),
            contacts: list.contacts().collect(),
        }
    }
}

/// A presence document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presence {
    /// The aggregated state, as the user himself sees it.
    pub state: Aggregate,
    /// The endpoints.
    pub endpoints: Vec<Endpoint>,
    /// All that is published, by key.
    pub publications: Vec<Publication>,
    /// Access levels, by number.
    pub containers: Vec<Container>,
    /// Who added the user, and whether he has seen it.
    pub subscribers: Vec<(Aor, bool)>,
    /// What the watcher asked about would see.
    pub seen: Option<Seen>,
}

impl Presence {
    /// What `presentity` holds, and `seen` of it.
    pub fn new(presentity: &Presentity, endpoints: Vec<Endpoint>, seen: Option<Seen>) -> Self {
        let subscribers = presentity.subscribers();
        Presence {
            state: presentity.aggregated(ContainerId::SELF_AGGREGATION).aggregate.clone(),
            endpoints,
            publications: presentity.publications().cloned().collect(),
            containers: presentity.containers().collect(),
            subscribers: subscribers.map(|(user, seen)| (user.clone(), seen)).collect(),
            seen,
        }
    }
}

/// An endpoint of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its connection.
    pub conn: ConnId,
    /// TLS or plain.
    pub transport: Transport,
    /// What it speaks.
    pub dialect: Dialect,
    /// The device, in the MS dialect.
    pub epid: Option<Box<str>>,
    /// What it calls itself.
    pub user_agent: Option<Box<str>>,
    /// Seconds until it must register again.
    pub expires_s: u32,
}

impl Endpoint {
    /// The endpoint of `binding` at `now`.
    pub fn new(now: Now, binding: &Binding) -> Self {
        Endpoint {
            conn: binding.conn,
            transport: binding.transport,
            dialect: binding.dialect,
            epid: binding.epid.clone(),
            user_agent: binding.user_agent.clone(),
            expires_s: binding.expires_in(now),
        }
    }
}

/// What a watcher sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Who.
    pub watcher: Aor,
    /// The container that decides.
    pub level: ContainerId,
    /// The state, if any.
    pub state: Option<Aggregate>,
    /// The person.
    pub card: Option<Card>,
    /// Notes, at most one of a kind.
    pub notes: Vec<Note>,
    /// Categories of what only clients understand, with their instances.
    pub others: Vec<(Category, u32)>,
}

impl Seen {
    /// What `watcher` sees of `presentity`.
    pub fn new(
        presentity: &Presentity,
        watcher: Aor,
        relation: Relation,
        is_contact: bool,
    ) -> Self {
        let level = presentity.level_of(&watcher, relation, is_contact);
        let view = presentity.view(level);
        Seen {
            watcher,
            level,
            state: view.state().cloned(),
            card: view.card().cloned(),
            notes: view.notes().cloned().collect(),
            others: others(&view),
        }
    }
}

fn others(view: &View<'_>) -> Vec<(Category, u32)> {
    let other = view.items.iter().filter(|item| {
        matches!(item.content, Content::Published(_)) && item.category != Category::Note
    });
    other.map(|item| (item.category.clone(), item.instance)).collect()
}

/// A subscription to a user's presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watcher {
    /// Whose.
    pub watcher: Aor,
    /// Which; its shard is that of the connection.
    pub subscription: SubscriptionId,
    /// What he sees is what this container sees.
    pub level: ContainerId,
    /// How he stands to the enterprise of the user.
    pub relation: Relation,
    /// Whether the user has him as a contact.
    pub is_contact: bool,
    /// How it is written for him: categories for the Lync client, PIDF for others.
    pub format: Format,
    /// What he asked for.
    pub categories: CategorySet,
}

impl From<&Watching> for Watcher {
    fn from(watching: &Watching) -> Self {
        let watch = watching.watch();
        Watcher {
            watcher: watch.watcher,
            subscription: watch.subscription,
            level: watching.level(),
            relation: watch.relation,
            is_contact: watch.is_contact,
            format: watch.format,
            categories: watch.categories,
        }
    }
}
