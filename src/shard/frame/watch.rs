//! What shards say to one another about subscriptions, presence and a user's own data.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::aor::Aor;
use crate::base::ids::{ConnId, ShardId, Slot, SubscriptionId};
use crate::dialect::reject::Reject;
pub use crate::dialect::resources::Resource;
use crate::dialect::resources::{Outcome, Told};
use crate::directory::{Findings, Query};
use crate::presence::category::CategorySet;
use crate::presence::container::Relation;
use crate::presence::watch::Format;
use crate::sip::subscription::Content;

/// A watcher's wish to see users whose home is one shard.
#[derive(Debug)]
pub struct Watch {
    /// His subscription.
    pub subscription: SubscriptionId,
    /// Who he is.
    pub watcher: Aor,
    /// How he stands to this enterprise.
    pub relation: Relation,
    /// What he wants to see.
    pub categories: CategorySet,
    /// How he wants it written.
    pub format: Format,
    /// He asks once and is not told of changes.
    pub poll: bool,
    /// Whom he wants to see; `None` repeats what he sees already.
    pub resources: Option<Vec<Resource>>,
}

/// What a watcher sees at first.
#[derive(Debug)]
pub struct Watched {
    /// His subscription.
    pub subscription: Slot,
    /// One for each resource.
    pub views: Vec<View>,
}

/// One user as a watcher sees him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Who.
    pub aor: Aor,
    /// The document, or why there is none.
    pub body: Result<Bytes, Reject>,
}

impl View {
    /// As it stands in a list.
    pub fn told(&self) -> Told<'_> {
        let outcome = self.body.as_deref().map_or(Outcome::Unknown, Outcome::Seen);
        Told { aor: &self.aor, outcome }
    }
}

/// Something about a user has changed. The body was made once for all who see the same.
#[derive(Debug)]
pub struct Notice {
    /// Who.
    pub aor: Aor,
    /// How the body is written.
    pub format: Format,
    /// The document.
    pub body: Bytes,
    /// The subscriptions of this shard that see it.
    pub subscriptions: Vec<Slot>,
}

/// An event package about the subscriber himself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnPackage {
    /// `vnd-microsoft-roaming-contacts`.
    Contacts,
    /// `vnd-microsoft-roaming-self`.
    RoamingSelf,
    /// `vnd-microsoft-roaming-ACL`.
    Acl,
    /// `vnd-microsoft-provisioning-v2`.
    Provisioning,
    /// `presence.wpending`.
    PendingWatchers,
    /// `presence.winfo` (RFC 3857).
    WatcherInfo,
}

/// A user subscribes to something of his own, at his home.
#[derive(Debug)]
pub struct Subscribe {
    /// Who.
    pub aor: Aor,
    /// On this connection.
    pub conn: ConnId,
    /// His subscription.
    pub subscription: SubscriptionId,
    /// To what.
    pub package: OwnPackage,
    /// He asks once and is not told of changes.
    pub poll: bool,
    /// The whole request.
    pub request: Bytes,
}

/// The answer of his home.
#[derive(Debug)]
pub struct Subscribed {
    /// His subscription.
    pub subscription: Slot,
    /// What it is now, or why not.
    pub outcome: Result<Content, Reject>,
}

/// A request that a user's home carries out: SERVICE or PUBLISH.
#[derive(Clone, Debug)]
pub struct Service {
    /// Who sent it, about himself.
    pub aor: Aor,
    /// On this connection.
    pub conn: ConnId,
    /// The whole request.
    pub request: Bytes,
}

/// A search of the directory, for one shard's users.
#[derive(Debug)]
pub struct Search {
    /// The shard that collects the answers.
    pub from: ShardId,
    /// Its name there.
    pub search: Slot,
    /// What is looked for.
    pub query: Arc<Query>,
}

/// What one shard found.
#[derive(Debug)]
pub struct SearchFound {
    /// The search.
    pub search: Slot,
    /// Its users among them.
    pub findings: Findings,
}
