//! One state of the user from the statements of all his endpoints (MS-PRES section 3.7;
//! lync-facts 3.1): a pure function.

use std::sync::Arc;

use super::category::Category;
use super::container::ContainerId;
use super::publication::{Life, Meaning, Publication};
use super::state::{Activity, Availability, Class, State, StateKind};
use crate::base::ids::ConnId;

/// What container 300 sees instead of "do not disturb".
const URGENT_ONLY_TOKEN: &str = "urgent-interruptions-only";

/// What an endpoint stands for that has no machine state: a client that only registered.
const UNSTATED: Availability = Availability::AVAILABLE;

/// The aggregated state of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// How available.
    pub availability: Availability,
    /// What he does.
    pub activity: Option<Activity>,
    /// Where the endpoint is that he used last.
    pub location: Option<Arc<str>>,
    /// Subject of the meeting he is in.
    pub meeting_subject: Option<Arc<str>>,
    /// Place of the meeting he is in.
    pub meeting_location: Option<Arc<str>>,
    /// When he last touched an endpoint, in seconds since 1970.
    pub last_active: Option<u64>,
}

impl Aggregate {
    /// Offline, and nothing else.
    pub const OFFLINE: Aggregate = Aggregate {
        availability: Availability::OFFLINE,
        activity: None,
        location: None,
        meeting_subject: None,
        meeting_location: None,
        last_active: None,
    };

    /// What the members of `container` see of it (lync-facts 3.3): the availability from 100 on,
    /// all but the meeting from 200, all in 300; who is blocked sees offline; container 0 sees
    /// nothing.
    pub fn as_seen_in(&self, container: ContainerId) -> Option<Aggregate> {
        match container {
            ContainerId::BLOCKED => Some(Aggregate::OFFLINE),
            ContainerId::WORKGROUP => Some(self.clone()),
            ContainerId::COLLEAGUES | ContainerId::FRIENDS => {
                Some(Aggregate { meeting_subject: None, meeting_location: None, ..self.clone() })
            }
            ContainerId::PUBLIC => {
                Some(Aggregate { availability: self.availability, ..Aggregate::OFFLINE })
            }
            _ => None,
        }
    }
}

/// The aggregate of what `publications` state in `container`, 2 or 3, at `unix_ms`, for a user
/// with those `endpoints`. Does not depend on the order of publications; linear in them.
///
/// Offline without an endpoint, or when the user wishes to look so. Else the base is what the
/// user chose, if that is less available than his machines or not older than what they say, else
/// the most available machine. A calendar or call that is not more available takes its place,
/// unless the user chose later. Busy at an idle machine is [`Availability::BUSY_IDLE`]; container
/// 3 sees [`Availability::URGENT_ONLY`] instead of "do not disturb".
pub fn aggregate(
    publications: &[Publication],
    container: ContainerId,
    endpoints: &[ConnId],
    unix_ms: u64,
) -> Aggregate {
    if endpoints.is_empty() {
        return Aggregate::OFFLINE;
    }
    let statements = statements(publications, container, unix_ms);
    let machine = machine(statements.clone(), endpoints);
    let (mut availability, mut activity) = decide(statements.clone(), &machine);
    match availability.class() {
        Class::Offline => return Aggregate::OFFLINE,
        Class::Busy if machine.availability.class() == Class::Idle => {
            availability = Availability::BUSY_IDLE;
        }
        Class::DoNotDisturb if container == ContainerId::TEAM_AGGREGATION => {
            availability = Availability::URGENT_ONLY;
            let custom = activity.map(|activity| activity.custom).unwrap_or_default();
            activity = Some(Activity { token: URGENT_ONLY_TOKEN.into(), custom });
        }
        _ => {}
    }
    let machines = statements.clone().filter(|one| one.state.kind == StateKind::Machine);
    let location = machines
        .clone()
        .filter(|one| one.state.location.is_some())
        .max_by_key(|one| (one.state.last_active, one.age()));
    let meeting = statements
        .filter(|one| one.state.kind == StateKind::Calendar)
        .filter(|one| one.state.meeting_subject.is_some() || one.state.meeting_location.is_some())
        .max_by_key(|one| (one.state.availability, one.age()));
    Aggregate {
        availability,
        activity,
        location: location.and_then(|one| one.state.location.clone()),
        meeting_subject: meeting.and_then(|one| one.state.meeting_subject.clone()),
        meeting_location: meeting.and_then(|one| one.state.meeting_location.clone()),
        last_active: machines.filter_map(|one| one.state.last_active).max(),
    }
}

/// How available the user is and what he does, before the touches for idle machines and for
/// container 3.
fn decide<'a>(
    statements: impl Iterator<Item = Statement<'a>> + Clone,
    machine: &Machine<'a>,
) -> (Availability, Option<Activity>) {
    let choice = statements
        .clone()
        .filter(|one| one.state.kind == StateKind::User && one.state.manual)
        .max_by_key(Statement::age)
        // A choice of 0 takes the choice back.
        .filter(|one| one.state.availability > Availability(0));
    if choice.is_some_and(|choice| choice.state.availability.class() == Class::Offline) {
        return (Availability::OFFLINE, None);
    }
    // A request that carries both is an act of the user, so at one instant his choice wins.
    let user = choice.filter(|choice| {
        choice.state.availability >= machine.availability || choice.since_ms >= machine.since_ms
    });
    let base = user.map_or(machine.availability, |user| user.state.availability);
    let engagement = statements
        .filter(|one| matches!(one.state.kind, StateKind::Calendar | StateKind::Phone))
        .filter(|one| one.state.availability >= base)
        .filter(|one| user.is_none_or(|user| user.since_ms <= one.since_ms))
        .max_by_key(|one| (one.state.availability, one.age()));
    if let Some(winner) = engagement.or(user) {
        return (winner.state.availability, winner.state.activity.clone());
    }
    // What the user does stays true while he only does not touch the machine.
    let is_idle = machine.availability.class() == Class::Idle;
    let activity = choice
        .filter(|choice| is_idle && choice.state.availability.class() == Class::Available)
        .and_then(|choice| choice.state.activity.clone())
        .or_else(|| machine.statement.and_then(|one| one.state.activity.clone()));
    (base, activity)
}

/// A statement that holds now.
#[derive(Clone, Copy)]
struct Statement<'a> {
    state: &'a State,
    life: Life,
    /// Since when it holds: a meeting that was published ahead begins with its validity.
    since_ms: u64,
    /// Decides between two of one age.
    instance: u32,
}

impl Statement<'_> {
    /// The newest has the highest.
    fn age(&self) -> (u64, u32) {
        (self.since_ms, self.instance)
    }
}

fn statements(
    publications: &[Publication],
    container: ContainerId,
    unix_ms: u64,
) -> impl Iterator<Item = Statement<'_>> + Clone {
    publications
        .iter()
        .filter(move |one| one.key.category == Category::State && one.key.container == container)
        .filter_map(move |publication| {
            let Meaning::State(state) = &publication.payload.meaning else { return None };
            let from_ms = state.valid.map_or(0, |(from, _)| from.saturating_mul(1000));
            state.is_valid(unix_ms).then_some(Statement {
                state,
                life: publication.life,
                since_ms: publication.published_ms.max(from_ms),
                instance: publication.key.instance,
            })
        })
}

/// The most available machine.
struct Machine<'a> {
    availability: Availability,
    /// When the newest machine of that availability said so; 0 if none said anything.
    since_ms: u64,
    statement: Option<Statement<'a>>,
}

/// The most available of the machine states and of the endpoints that have none. A machine state
/// that is not bound to an endpoint speaks for those.
fn machine<'a>(
    statements: impl Iterator<Item = Statement<'a>> + Clone,
    endpoints: &[ConnId],
) -> Machine<'a> {
    let statements = statements.filter(|one| one.state.kind == StateKind::Machine);
    let speaks_for = |endpoint: ConnId| {
        statements.clone().any(|one| match one.life {
            Life::Endpoint(conn) => conn == endpoint,
            Life::Static | Life::User | Life::Until(_) => true,
        })
    };
    let all_stated = endpoints.iter().all(|endpoint| speaks_for(*endpoint));
    let availability_of = |one: &Statement<'_>| one.state.availability.max(UNSTATED);
    let lowest = statements
        .clone()
        .min_by_key(|one| (availability_of(one), std::cmp::Reverse(one.age())))
        .filter(|one| all_stated || availability_of(one) == UNSTATED);
    Machine {
        availability: lowest.as_ref().map_or(UNSTATED, availability_of),
        since_ms: lowest.map_or(0, |one| one.since_ms),
        statement: lowest,
    }
}

#[cfg(test)]
mod tests;
