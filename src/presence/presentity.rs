//! The machine: one user's presence, who sees what of it, and who must be told.

mod output;
mod settle;

use std::collections::VecDeque;

use super::aggregate::Aggregate;
use super::card::Card;
use super::category::{Category, CategorySet};
use super::container::{Container, ContainerId, Relation};
use super::document::{Changes, Document, PublishError};
use super::membership::{MembersChange, MembersError, Membership};
use super::publication::{Life, Operation, Publication};
use super::row::Row;
use super::subscribers::{Prompt, Subscribers};
use super::view::{View, view};
use super::watch::{Watch, Watches, Watching};
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, SubscriptionId};
use crate::base::limits::Limits;
use crate::base::time::{Deadline, Now};

pub use output::{Admitted, Output, Published, WatchError};

/// The presence of one user, at his home shard. After each call that takes `&mut self` the caller
/// drains [`next_output`](Self::next_output) and asks for the [`next_deadline`](Self::next_deadline).
#[derive(Debug)]
pub struct Presentity {
    card: Card,
    card_since_ms: u64,
    document: Document,
    endpoints: Vec<ConnId>,
    /// For watchers in 100, 200 and 400 (container 2), and in 300 (container 3).
    aggregates: [Aggregated; 2],
    membership: Membership,
    contacts_only: bool,
    subscribers: Subscribers,
    watches: Watches,
    /// What each level has not been told yet.
    untold: [CategorySet; ContainerId::LEVELS.len()],
    /// Until then, changes wait.
    damped_until: Option<Deadline>,
    /// When time alone next changes the document.
    turn: Option<Deadline>,
    outputs: VecDeque<Output>,
}

/// The aggregated state, as the user's own endpoints see it: category `state`, instance 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregated {
    /// What it says.
    pub aggregate: Aggregate,
    /// Rises with each change; at least 1.
    pub version: u32,
    /// Since when it says so, in milliseconds since 1970.
    pub published_ms: u64,
}

impl Presentity {
    /// A user without endpoints, publications and watchers.
    pub fn new(now: Now, card: Card) -> Self {
        let offline =
            Aggregated { aggregate: Aggregate::OFFLINE, version: 1, published_ms: now.unix_ms };
        Presentity {
            card,
            card_since_ms: now.unix_ms,
            document: Document::default(),
            endpoints: Vec::new(),
            aggregates: [offline.clone(), offline],
            membership: Membership::default(),
            contacts_only: false,
            subscribers: Subscribers::default(),
            watches: Watches::default(),
            untold: Default::default(),
            damped_until: None,
            turn: None,
            outputs: VecDeque::new(),
        }
    }

    /// The directory says something else about the user.
    pub fn set_card(&mut self, now: Now, card: Card, limits: &Limits) {
        if self.card == card {
            return;
        }
        for (level, untold) in ContainerId::LEVELS.into_iter().zip(&mut self.untold) {
            if self.card.as_seen_in(level) != card.as_seen_in(level) {
                untold.insert(&Category::ContactCard);
            }
        }
        self.card = card;
        self.card_since_ms = now.unix_ms;
        self.tell(now, limits);
    }

    /// Takes one durable row, before the user has an endpoint: tells nobody.
    pub fn restore(&mut self, row: Row) {
        match row {
            Row::PutPublication(_) | Row::DeletePublication { .. } | Row::Forget { .. } => {
                self.document.restore(row);
            }
            Row::PutContainer(container) => self.membership.put(container),
            Row::PutSubscriber { user, acknowledged } => self.subscribers.put(user, acknowledged),
            Row::DeleteSubscriber(user) => self.subscribers.remove(&user),
        }
    }

    /// The user has an endpoint at `conn`; nothing happens if it is known.
    pub fn endpoint_added(&mut self, now: Now, conn: ConnId, limits: &Limits) {
        if let Err(at) = self.endpoints.binary_search(&conn) {
            self.endpoints.insert(at, conn);
            self.settle(now, Changes::default(), limits);
        }
    }

    /// The user has no endpoint at `conn` any more: what lived with it goes, and with the last
    /// endpoint what lived with the user. When an endpoint moves to another connection, add that
    /// first: otherwise he is offline in between, and watchers are told.
    pub fn endpoint_removed(&mut self, now: Now, conn: ConnId, limits: &Limits) {
        if let Ok(at) = self.endpoints.binary_search(&conn) {
            self.endpoints.remove(at);
            let is_last = self.endpoints.is_empty();
            let changes = self.document.remove_if(|life| match life {
                Life::Endpoint(other) => other == conn,
                Life::User => is_last,
                Life::Static | Life::Until(_) => false,
            });
            self.settle(now, changes, limits);
        }
    }

    /// Takes the operations, all or none. What is to live with a connection that is no endpoint
    /// of the user, or until a time that has passed, is over at once.
    pub fn publish(
        &mut self,
        now: Now,
        operations: Vec<Operation>,
        limits: &Limits,
    ) -> Result<Published, PublishError> {
        if self.turn.is_some_and(|turn| now.reached(turn)) {
            self.expire(now, limits);
        }
        let mut touched: Vec<Category> = Vec::new();
        for Operation { key, .. } in &operations {
            if !touched.contains(&key.category) {
                touched.push(key.category.clone());
            }
        }
        let mut changes =
            self.document.publish(now.unix_ms, operations, &self.endpoints, limits)?;
        let rows = std::mem::take(&mut changes.rows);
        self.settle(now, changes, limits);
        Ok(Published { touched, rows })
    }

    /// The rows that make `changes` of container members true, all or none. Nothing changes yet:
    /// [`commit`](Self::commit) them when they are kept.
    pub fn plan_members(
        &self,
        changes: &[MembersChange],
        limits: &Limits,
    ) -> Result<Vec<Row>, MembersError> {
        self.membership.plan(changes, limits)
    }

    /// The rows that make the user's answers to those who added him true. Nothing changes yet:
    /// [`commit`](Self::commit) them when they are kept.
    pub fn plan_acknowledge(&self, answers: &[(Aor, bool)]) -> Vec<Row> {
        self.subscribers.plan(answers)
    }

    /// Takes planned rows and tells who must know. Watchers whose level changes are told at once.
    pub fn commit(&mut self, rows: Vec<Row>) {
        let mut containers = Vec::new();
        let mut has_subscribers = false;
        for row in rows {
            match &row {
                Row::PutContainer(container) => containers.push(container.id),
                Row::PutSubscriber { .. } | Row::DeleteSubscriber(_) => has_subscribers = true,
                Row::PutPublication(_) | Row::DeletePublication { .. } | Row::Forget { .. } => {}
            }
            self.restore(row);
        }
        if !containers.is_empty() {
            self.outputs.push_back(Output::OwnContainers(containers));
            self.relevel();
        }
        if has_subscribers {
            self.outputs.push_back(Output::OwnSubscribers);
        }
    }

    /// [`plan_members`](Self::plan_members) and [`commit`](Self::commit) in one.
    pub fn set_members(
        &mut self,
        changes: &[MembersChange],
        limits: &Limits,
    ) -> Result<Vec<Row>, MembersError> {
        let rows = self.plan_members(changes, limits)?;
        self.commit(rows.clone());
        Ok(rows)
    }

    /// [`plan_acknowledge`](Self::plan_acknowledge) and [`commit`](Self::commit) in one.
    pub fn acknowledge(&mut self, answers: &[(Aor, bool)]) -> Vec<Row> {
        let rows = self.plan_acknowledge(answers);
        self.commit(rows.clone());
        rows
    }

    /// Adds a subscription, or puts another in the place of the one of that identity. With
    /// `prompt` the user is told that the watcher added him, unless he knows, has the watcher as
    /// a contact or has blocked him.
    pub fn watch(
        &mut self,
        watch: Watch,
        prompt: bool,
        limits: &Limits,
    ) -> Result<Admitted, WatchError> {
        let is_new = !self.watches.contains(watch.subscription);
        if is_new && self.watches.len() >= limits.watchers_per_user_max {
            return Err(WatchError::TooMany);
        }
        if is_new && self.watches.of(&watch.watcher) >= limits.watches_per_watcher_max {
            return Err(WatchError::TooManyOfOne);
        }
        let container = self.level_of(&watch.watcher, watch.relation, watch.is_contact);
        let mut admitted = Admitted { container, rows: Vec::new(), is_prompt_refused: false };
        if prompt && !watch.is_contact && container != ContainerId::BLOCKED {
            match self.subscribers.prompt(&watch.watcher, limits) {
                Prompt::Known => {}
                Prompt::Refused => admitted.is_prompt_refused = true,
                Prompt::Told(rows) => {
                    admitted.rows = rows;
                    self.outputs.push_back(Output::OwnSubscribers);
                }
            }
        }
        self.watches.insert(watch, container);
        Ok(admitted)
    }

    /// Ends a subscription; nothing happens if there is none.
    pub fn unwatch(&mut self, subscription: SubscriptionId) {
        self.watches.remove(subscription);
    }

    /// The user has made `other` a contact, or no longer has him as one.
    pub fn contact_changed(&mut self, other: &Aor, is_contact: bool) {
        self.watches.set_contact(other, is_contact);
        if self.contacts_only {
            self.relevel();
        }
    }

    /// Privacy mode: whether only contacts of the user see more than container 0.
    pub fn set_contacts_only(&mut self, contacts_only: bool) {
        if self.contacts_only != contacts_only {
            self.contacts_only = contacts_only;
            self.relevel();
        }
    }

    /// The container that decides what `who` sees. In privacy mode somebody who is no contact is
    /// in container 0, unless he is blocked.
    pub fn level_of(&self, who: &Aor, relation: Relation, is_contact: bool) -> ContainerId {
        level_of(&self.membership, self.contacts_only, who, relation, is_contact)
    }

    /// All that `container` sees, as of the last call that changed something.
    pub fn view(&self, container: ContainerId) -> View<'_> {
        let source = self.aggregated(if container == ContainerId::WORKGROUP {
            ContainerId::TEAM_AGGREGATION
        } else {
            ContainerId::SELF_AGGREGATION
        });
        // To the blocked nothing ever happens.
        let since = if container == ContainerId::BLOCKED {
            self.card_since_ms
        } else {
            source.published_ms
        };
        let state = source.aggregate.as_seen_in(container).map(|state| (state, since));
        view(container, state, (&self.card, self.card_since_ms), self.document.publications())
    }

    /// All publications, by key.
    pub fn publications(&self) -> impl Iterator<Item = &Publication> {
        self.document.publications().iter()
    }

    /// The aggregated state that the user's own endpoints see in `container`: 3 for
    /// [`TEAM_AGGREGATION`](ContainerId::TEAM_AGGREGATION), else 2.
    pub fn aggregated(&self, container: ContainerId) -> &Aggregated {
        let [general, team] = &self.aggregates;
        if container == ContainerId::TEAM_AGGREGATION { team } else { general }
    }

    /// All levels, with members and versions, by number.
    pub fn containers(&self) -> impl Iterator<Item = Container> + '_ {
        self.membership.containers()
    }

    /// Who added the user, and whether he has seen it.
    pub fn subscribers(&self) -> impl Iterator<Item = (&Aor, bool)> {
        self.subscribers.iter()
    }

    /// All subscriptions in force.
    pub fn watches(&self) -> impl Iterator<Item = &Watching> {
        self.watches.iter()
    }

    /// The connections of the user's endpoints.
    pub fn endpoints(&self) -> &[ConnId] {
        &self.endpoints
    }

    /// What is to be told next.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`expire`](Self::expire) has something to do.
    pub fn next_deadline(&self) -> Option<Deadline> {
        let is_waiting = self.untold.iter().any(|untold| !untold.is_empty());
        let damped = self.damped_until.filter(|_| is_waiting);
        damped.into_iter().chain(self.turn).min()
    }

    /// Ends what has lived long enough and tells what had to wait.
    pub fn expire(&mut self, now: Now, limits: &Limits) {
        if self.turn.is_some_and(|turn| now.reached(turn)) {
            let second = now.unix_ms / 1000;
            let changes =
                self.document.remove_if(|life| matches!(life, Life::Until(end) if end <= second));
            self.settle(now, changes, limits);
        } else {
            self.tell(now, limits);
        }
    }

    /// Panics when the parts contradict one another (debug builds).
    pub fn check_invariants(&self) {
        self.document.check_invariants();
        self.membership.check_invariants();
        self.watches.check_invariants();
        debug_assert!(self.endpoints.is_sorted_by(|a, b| a < b));
        for publication in self.document.publications() {
            match publication.life {
                Life::Endpoint(conn) => debug_assert!(self.endpoints.contains(&conn)),
                Life::User => debug_assert!(!self.endpoints.is_empty()),
                Life::Static | Life::Until(_) => {}
            }
        }
        for one in self.watches.iter() {
            let watch = one.watch();
            let level = self.level_of(&watch.watcher, watch.relation, watch.is_contact);
            debug_assert_eq!(one.level(), level);
        }
    }
}

fn level_of(
    membership: &Membership,
    contacts_only: bool,
    who: &Aor,
    relation: Relation,
    is_contact: bool,
) -> ContainerId {
    let level = membership.level_of(who, relation);
    let is_stranger = contacts_only && !is_contact && level != ContainerId::BLOCKED;
    if is_stranger { ContainerId::DEFAULT } else { level }
}

#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, unused_imports))]
pub(super) mod tests;
