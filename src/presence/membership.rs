//! Who is in which container, and so which level a watcher is at.

use super::container::{Container, ContainerId, Member, Relation};
use super::row::Row;
use crate::base::aor::Aor;
use crate::base::limits::Limits;

/// Adds a member to a container or takes one away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// Puts it in; nothing happens if it is there.
    Add(Member),
    /// Takes it out; nothing happens if it is not there.
    Remove(Member),
}

/// What shall change in one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MembersChange {
    /// Which container.
    pub container: ContainerId,
    /// The version the user takes for the current one.
    pub version: u32,
    /// Step by step.
    pub steps: Vec<MemberChange>,
}

/// Why no container was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MembersError {
    /// A change rests on a version that is not the current one.
    Stale {
        /// Position of the change, from 1.
        index: u32,
        /// The version it rests on.
        version: u32,
        /// The current one.
        current: u32,
    },
    /// A container has more than `members_per_container_max` members.
    TooMany,
    /// It is none of [`ContainerId::LEVELS`]: nobody could be at that level.
    Unknown(ContainerId),
}

/// The members of all containers of one user. Containers that nobody has changed have the
/// members of lync-facts 3.3 and version 0, and take no room.
#[derive(Clone, Debug, Default)]
pub struct Membership {
    changed: Vec<Container>,
}

impl Membership {
    /// The rows that make `changes` true; nothing changes yet. All or nothing: an error names
    /// the first change that cannot be made. A container may be named more than once; its version
    /// rises by one with each.
    pub fn plan(
        &self,
        changes: &[MembersChange],
        limits: &Limits,
    ) -> Result<Vec<Row>, MembersError> {
        let mut planned: Vec<Container> = Vec::new();
        for (index, change) in (1..).zip(changes) {
            if change.container.level().is_none() {
                return Err(MembersError::Unknown(change.container));
            }
            let known = planned.iter().position(|container| container.id == change.container);
            let at = known.unwrap_or(planned.len());
            if known.is_none() {
                planned.push(self.container(change.container));
            }
            let Some(container) = planned.get_mut(at) else { continue };
            let (version, current) = (change.version, container.version);
            if version != current {
                return Err(MembersError::Stale { index, version, current });
            }
            let before = container.members.len();
            container.version = current.saturating_add(1);
            for step in &change.steps {
                take(&mut container.members, step);
                // Looked at with each step: a long list costs no more than one that fits.
                let after = container.members.len();
                if after > limits.members_per_container_max && after > before {
                    return Err(MembersError::TooMany);
                }
            }
        }
        Ok(planned.into_iter().map(Row::PutContainer).collect())
    }

    /// Takes `container` for what is said of it.
    pub fn put(&mut self, mut container: Container) {
        container.members.sort_unstable();
        container.members.dedup();
        match self.changed.binary_search_by_key(&container.id, |known| known.id) {
            Ok(at) => self.changed[at] = container,
            Err(at) => self.changed.insert(at, container),
        }
    }

    /// All levels that can have members, by number.
    pub fn containers(&self) -> impl Iterator<Item = Container> + '_ {
        ContainerId::LEVELS.iter().rev().map(|id| self.container(*id))
    }

    /// The level of somebody who stands to the user in `relation`: as one person in the order of
    /// [`ContainerId::LEVELS`], else as one of his domain, else by relation, else as anybody. An
    /// application is where the operator put it.
    pub fn level_of(&self, who: &Aor, relation: Relation) -> ContainerId {
        let domain = who.domain();
        let by_user = |member: &Member| match member {
            Member::User(user) => user.cmp(who),
            _ => std::cmp::Ordering::Greater,
        };
        let by_domain = |member: &Member| match member {
            Member::User(_) => std::cmp::Ordering::Less,
            Member::Domain(name) => (**name).cmp(domain),
            _ => std::cmp::Ordering::Greater,
        };
        let related = match relation {
            Relation::SameEnterprise => Member::SameEnterprise,
            Relation::Federated => Member::Federated,
            Relation::PublicCloud => Member::PublicCloud,
            Relation::Application(level) => {
                return ContainerId::LEVELS.get(usize::from(level)).copied().unwrap_or_default();
            }
        };
        self.find(|members| members.binary_search_by(by_user).is_ok())
            .or_else(|| self.find(|members| members.binary_search_by(by_domain).is_ok()))
            .or_else(|| self.find(|members| members.binary_search(&related).is_ok()))
            .or_else(|| self.find(|members| members.binary_search(&Member::Everyone).is_ok()))
            .unwrap_or(ContainerId::DEFAULT)
    }

    /// Panics when the containers are out of order (debug builds).
    pub fn check_invariants(&self) {
        debug_assert!(self.changed.is_sorted_by(|a, b| a.id < b.id));
        for container in &self.changed {
            debug_assert!(container.members.is_sorted_by(|a, b| a < b));
        }
    }

    fn find(&self, has: impl Fn(&[Member]) -> bool) -> Option<ContainerId> {
        ContainerId::LEVELS.into_iter().find(|level| has(self.members(*level)))
    }

    fn members(&self, id: ContainerId) -> &[Member] {
        match self.changed.binary_search_by_key(&id, |known| known.id) {
            Ok(at) => self.changed.get(at).map_or(&[], |container| &container.members),
            Err(_) => default_members(id),
        }
    }

    fn container(&self, id: ContainerId) -> Container {
        let version = self.changed.iter().find(|known| known.id == id).map_or(0, |one| one.version);
        Container { id, version, members: self.members(id).to_vec() }
    }
}

fn default_members(id: ContainerId) -> &'static [Member] {
    match id {
        ContainerId::PUBLIC => &[Member::Federated],
        ContainerId::COLLEAGUES => &[Member::SameEnterprise],
        ContainerId::BLOCKED => &[Member::PublicCloud],
        _ => &[],
    }
}

fn take(members: &mut Vec<Member>, step: &MemberChange) {
    match step {
        MemberChange::Add(member) => {
            if let Err(at) = members.binary_search(member) {
                members.insert(at, member.clone());
            }
        }
        MemberChange::Remove(member) => {
            if let Ok(at) = members.binary_search(member) {
                members.remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
