//! Containers: access levels with members (MS-PRES section 2.2.3; lync-facts 3.3).

use crate::base::aor::Aor;

/// The number of a container, 0 to 32767 on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerId(pub u32);

impl ContainerId {
    /// Everybody: who one is, nothing else.
    pub const DEFAULT: ContainerId = ContainerId(0);
    /// The user's own endpoints.
    pub const SELF: ContainerId = ContainerId(1);
    /// Input of the aggregation for 100, 200 and 400.
    pub const SELF_AGGREGATION: ContainerId = ContainerId(2);
    /// Input of the aggregation for 300.
    pub const TEAM_AGGREGATION: ContainerId = ContainerId(3);
    /// External contacts.
    pub const PUBLIC: ContainerId = ContainerId(100);
    /// Colleagues.
    pub const COLLEAGUES: ContainerId = ContainerId(200);
    /// Workgroup, which may interrupt.
    pub const WORKGROUP: ContainerId = ContainerId(300);
    /// Friends and family.
    pub const FRIENDS: ContainerId = ContainerId(400);
    /// Blocked: the user looks offline.
    pub const BLOCKED: ContainerId = ContainerId(32_000);

    /// The levels a watcher can be at, in the order in which membership is looked for.
    pub const LEVELS: [ContainerId; 6] = [
        ContainerId::BLOCKED,
        ContainerId::FRIENDS,
        ContainerId::WORKGROUP,
        ContainerId::COLLEAGUES,
        ContainerId::PUBLIC,
        ContainerId::DEFAULT,
    ];

    /// Position in [`LEVELS`](Self::LEVELS); `None` for a container that no watcher is in.
    pub fn level(self) -> Option<u8> {
        ContainerId::LEVELS.iter().position(|level| *level == self).map(|at| at as u8)
    }
}

/// Whom a container has as a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Member {
    /// One person.
    User(Aor),
    /// Everybody of a domain, lower case.
    Domain(Box<str>),
    /// Everybody of this enterprise.
    SameEnterprise,
    /// Everybody of a federated enterprise.
    Federated,
    /// Everybody of a public provider.
    PublicCloud,
    /// Everybody.
    Everyone,
}

/// How a watcher stands to the enterprise of the presentity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Relation {
    /// Of the same enterprise.
    SameEnterprise,
    /// Of a federated one.
    Federated,
    /// Of a public provider.
    PublicCloud,
    /// None at all: an application, to which the operator has given a level, by its position in
    /// [`ContainerId::LEVELS`]. Users cannot put it into a container.
    Application(u8),
}

impl Relation {
    /// That of an application at `level`; one that is no level sees as little as can be.
    pub fn application(level: ContainerId) -> Self {
        let everybody = ContainerId::LEVELS.len() as u8 - 1;
        Relation::Application(level.level().unwrap_or(everybody))
    }
}

/// A container and its members, sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    /// Which.
    pub id: ContainerId,
    /// Rises with each change of the members.
    pub version: u32,
    /// Whom it has.
    pub members: Vec<Member>,
}
