//! The aggregation against a model that was written from the rules in words, over every
//! combination of a small set of statements.

use super::*;
use crate::presence::publication::Key;
use crate::presence::samples::{conn, key, publication};

/// The time of all these tests, in seconds.
const NOW: u64 = 100;

/// A statement as the model knows it.
#[derive(Clone, Debug)]
struct Said {
    kind: StateKind,
    availability: u32,
    at: u64,
    valid: Option<(u64, u64)>,
    /// The endpoint whose machine it is; `None` for a machine of no endpoint.
    endpoint: Option<u32>,
    token: &'static str,
    location: Option<&'static str>,
    last_active: Option<u64>,
    subject: Option<&'static str>,
}

impl Said {
    fn new(kind: StateKind, availability: u32, at: u64, token: &'static str) -> Said {
        let (endpoint, valid) = (None, None);
        let (location, last_active, subject) = (None, None, None);
        Said { kind, availability, at, valid, endpoint, token, location, last_active, subject }
    }

    fn since(&self) -> u64 {
        match self.valid {
            Some((from, _)) if from > self.at => from,
            _ => self.at,
        }
    }
}

/// What matters of an aggregate: availability, token, location, last active, subject.
type Picture = (u32, Option<&'static str>, Option<&'static str>, Option<u64>, Option<&'static str>);

const OFFLINE: Picture = (18_500, None, None, None, None);

/// The rules, one after the other.
fn model(said: &[Said], endpoints: u32, team: bool) -> Picture {
    if endpoints == 0 {
        return OFFLINE;
    }
    let mut live = Vec::new();
    for one in said {
        if one.valid.is_none() || one.valid.unwrap().0 <= NOW && NOW < one.valid.unwrap().1 {
            live.push(one);
        }
    }
    let of = |kind: StateKind| live.iter().filter(move |one| one.kind == kind).copied();

    // Who has no machine state is available, and has said so at no time.
    let mut machines: Vec<(u32, u64, Option<&str>)> = of(StateKind::Machine)
        .map(|one| (one.availability.max(3500), one.since(), Some(one.token)))
        .collect();
    for endpoint in 0..endpoints {
        let is_covered = of(StateKind::Machine)
            .any(|one| one.endpoint == Some(endpoint) || one.endpoint.is_none());
        if !is_covered {
            machines.push((3500, 0, None));
        }
    }
    machines.sort_by_key(|one| one.1);
    machines.reverse();
    machines.sort_by_key(|one| one.0);
    let (machine, machine_since, machine_token) = machines[0];

    let mut users: Vec<&Said> = of(StateKind::User).collect();
    users.sort_by_key(|one| one.since());
    let choice = users.last().copied().filter(|one| one.availability != 0);
    let mut shown = (machine, machine_token);
    let mut chosen_at = None;
    if let Some(choice) = choice {
        if choice.availability >= 18_000 {
            return OFFLINE;
        }
        if choice.availability >= machine || choice.since() >= machine_since {
            shown = (choice.availability, Some(choice.token));
            chosen_at = Some(choice.since());
        } else if (4500..6000).contains(&machine) && choice.availability < 4500 {
            shown.1 = Some(choice.token);
        }
    }
    let base = shown.0;
    let mut engagements: Vec<&Said> = of(StateKind::Calendar).chain(of(StateKind::Phone)).collect();
    engagements.sort_by_key(|one| (one.availability, one.since()));
    for one in engagements {
        let is_overruled = chosen_at.is_some_and(|chosen_at| chosen_at > one.since());
        if one.availability >= base && !is_overruled {
            shown = (one.availability, Some(one.token));
        }
    }
    let (mut availability, mut token) = shown;
    if (6000..7500).contains(&availability) && (4500..6000).contains(&machine) {
        availability = 7500;
    }
    if team && (9000..12_000).contains(&availability) {
        (availability, token) = (6900, Some("urgent-interruptions-only"));
    }

    let mut placed: Vec<&Said> =
        of(StateKind::Machine).filter(|one| one.location.is_some()).collect();
    placed.sort_by_key(|one| (one.last_active, one.since()));
    let mut meetings: Vec<&Said> =
        of(StateKind::Calendar).filter(|one| one.subject.is_some()).collect();
    meetings.sort_by_key(|one| (one.availability, one.since()));
    (
        availability,
        token,
        placed.last().and_then(|one| one.location),
        of(StateKind::Machine).filter_map(|one| one.last_active).max(),
        meetings.last().and_then(|one| one.subject),
    )
}

fn publish(said: &Said, container: u32, instance: u32) -> Publication {
    let state = State {
        activity: Some(Activity { token: said.token.into(), custom: Arc::default() }),
        location: said.location.map(Into::into),
        last_active: said.last_active,
        meeting_subject: said.subject.map(Into::into),
        valid: said.valid,
        ..State::new(said.kind, Availability(said.availability))
    };
    let life = match (said.kind, said.endpoint) {
        (StateKind::Machine, Some(endpoint)) => Life::Endpoint(conn(endpoint)),
        _ => Life::Static,
    };
    let key = key(Category::State, container, instance);
    publication(key, life, said.at * 1000, Meaning::State(state))
}

/// Checks the machine against the model, in both containers and two orders.
fn check(said: &[Said], endpoints: u32) {
    let connections: Vec<ConnId> = (0..endpoints).map(conn).collect();
    for (container, team) in [(2, false), (3, true)] {
        let expected = model(said, endpoints, team);
        let mut publications: Vec<Publication> =
            (0..).zip(said).map(|(instance, one)| publish(one, container, instance)).collect();
        for _ in 0..2 {
            let all =
                aggregate(&publications, ContainerId(container), &connections, NOW * 1000 + 999);
            let picture = (
                all.availability.0,
                all.activity.as_ref().map(|activity| &*activity.token),
                all.location.as_deref(),
                all.last_active,
                all.meeting_subject.as_deref(),
            );
            assert_eq!(picture, expected, "{endpoints} endpoints, team {team}: {said:#?}");
            publications.reverse();
        }
    }
}

fn machines_of(endpoint: u32) -> Vec<Option<Said>> {
    let tokens = ["first", "second"];
    let mut all = vec![None];
    for availability in [0, 3500, 4500, 6500, 15_500] {
        // No two endpoints say something at the same instant.
        for at in [10, 30] {
            let at = at + u64::from(endpoint);
            all.push(Some(Said {
                endpoint: Some(endpoint),
                location: (availability != 6500).then_some(tokens[endpoint as usize]),
                last_active: (availability != 0).then_some(40 - at),
                ..Said::new(StateKind::Machine, availability, at, tokens[endpoint as usize])
            }));
        }
    }
    all
}

fn users() -> Vec<Option<Said>> {
    let mut all = vec![None];
    for availability in [0, 3500, 6500, 9500, 12_500, 15_500, 18_500] {
        for at in [5, 20, 30, 60] {
            all.push(Some(Said::new(StateKind::User, availability, at, "user")));
        }
    }
    all
}

fn engagements() -> Vec<Vec<Said>> {
    let calendar = |availability, at, valid| Said {
        valid,
        subject: Some("subject"),
        ..Said::new(StateKind::Calendar, availability, at, "calendar")
    };
    let phone = |availability, at| Said::new(StateKind::Phone, availability, at, "phone");
    let meeting = calendar(6500, 15, None);
    let begun = calendar(6500, 3, Some((25, 101)));
    let away = calendar(15_500, 1, None);
    vec![
        vec![],
        vec![calendar(6500, 15, Some((101, 200)))],
        vec![calendar(9500, 15, Some((20, 100)))],
        vec![begun.clone()],
        vec![away.clone()],
        vec![phone(6500, 20)],
        vec![phone(6500, 35)],
        vec![phone(9500, 70)],
        vec![meeting.clone(), phone(6500, 35)],
        vec![meeting, phone(3500, 80)],
        vec![begun, phone(9500, 4)],
        vec![away, phone(6500, 80)],
    ]
}

#[test]
fn every_combination_of_two_machines_a_user_and_his_engagements_is_as_the_rules_say() {
    let unbound = [None, Some(Said::new(StateKind::Machine, 4500, 22, "unbound"))];
    let mut count = 0;
    for first in machines_of(0) {
        for second in machines_of(1) {
            for (user, unbound) in users()
                .into_iter()
                .flat_map(|user| unbound.iter().map(move |unbound| (user.clone(), unbound.clone())))
            {
                for engagements in engagements() {
                    let said: Vec<Said> = [&first, &second, &user, &unbound]
                        .into_iter()
                        .flatten()
                        .chain(&engagements)
                        .cloned()
                        .collect();
                    let least = if second.is_some() { 2 } else { u32::from(first.is_some()) };
                    (least..=2).for_each(|endpoints| check(&said, endpoints));
                    count += 1;
                }
            }
        }
    }
    assert_eq!(count, 11 * 11 * 29 * 2 * 12);
}

#[test]
fn of_several_choices_the_newest_counts_even_if_it_takes_the_others_back() {
    let machine = Said { endpoint: Some(0), ..Said::new(StateKind::Machine, 3500, 10, "machine") };
    for first in users().into_iter().flatten() {
        for second in users().into_iter().flatten() {
            let second = Said { at: second.at + 1, token: "second", ..second };
            check(&[machine.clone(), first.clone(), second], 1);
        }
    }
}

/// One statement each of machine and user, as a table that anybody can check against the text.
#[test]
fn the_well_known_cases() {
    let cases: &[(u32, u64, u32, u64, u32)] = &[
        // machine, said at, user, chosen at, seen
        (3500, 10, 3500, 5, 3500),
        (4500, 10, 3500, 5, 4500),
        (4500, 10, 3500, 20, 3500),
        (4500, 10, 6500, 5, 7500),
        (15_500, 10, 6500, 5, 15_500),
        (15_500, 10, 6500, 20, 6500),
        (3500, 10, 6500, 5, 6500),
        (4500, 10, 9500, 5, 9500),
        (15_500, 10, 9500, 5, 15_500),
        (4500, 10, 12_500, 5, 12_500),
        (3500, 10, 15_500, 5, 15_500),
        (3500, 10, 18_500, 5, 18_500),
        (15_500, 10, 18_500, 5, 18_500),
        (0, 10, 3500, 5, 3500),
    ];
    for &(machine, said_at, user, chosen_at, seen) in cases {
        let said = [
            Said { endpoint: Some(0), ..Said::new(StateKind::Machine, machine, said_at, "m") },
            Said::new(StateKind::User, user, chosen_at, "u"),
        ];
        check(&said, 1);
        assert_eq!(model(&said, 1, false).0, seen, "{said:?}");
    }
}

#[test]
fn a_state_the_administrator_defined_is_shown_even_at_an_idle_machine() {
    let custom: Arc<[(u32, Arc<str>)]> = Arc::new([(1033, "Out for lunch".into())]);
    let activity = Activity { token: Arc::default(), custom: custom.clone() };
    let state_of = |kind, availability| State::new(kind, Availability(availability));
    let keyed = |instance: u32| -> Key { key(Category::State, 2, instance) };
    for (chosen, idle, seen) in [(3500, 3500, 3500), (3500, 4500, 4500), (6500, 4500, 7500)] {
        let user = State { activity: Some(activity.clone()), ..state_of(StateKind::User, chosen) };
        let machine = Meaning::State(state_of(StateKind::Machine, idle));
        let publications = [
            publication(keyed(0), Life::Static, 1000, Meaning::State(user)),
            publication(keyed(1), Life::Endpoint(conn(0)), 2000, machine),
        ];
        let all = aggregate(&publications, ContainerId(2), &[conn(0)], NOW * 1000);
        assert_eq!(all.availability, Availability(seen));
        assert_eq!(all.activity.unwrap().custom, custom);
    }
}

#[test]
fn a_choice_to_be_left_alone_never_becomes_more_available() {
    let connections = [conn(0)];
    for chosen in [9500, 12_500, 15_500] {
        for machine in [0, 3500, 4500, 6500, 7500, 9500, 12_500, 15_500] {
            for engagement in [3500, 6500, 9500, 15_500] {
                for instants in [[1, 2, 3], [3, 1, 2], [2, 3, 1]] {
                    let said = [
                        Said::new(StateKind::User, chosen, instants[0], "u"),
                        Said {
                            endpoint: Some(0),
                            ..Said::new(StateKind::Machine, machine, instants[1], "m")
                        },
                        Said::new(StateKind::Phone, engagement, instants[2], "p"),
                    ];
                    let publications: Vec<Publication> =
                        (0..).zip(&said).map(|(at, one)| publish(one, 2, at)).collect();
                    let all = aggregate(&publications, ContainerId(2), &connections, NOW * 1000);
                    assert!(all.availability >= Availability(chosen), "{said:?}: {all:?}");
                }
            }
        }
    }
}

#[test]
fn what_is_not_a_state_or_stands_elsewhere_states_nothing() {
    let busy = || Meaning::State(State::new(StateKind::User, Availability::BUSY));
    let publications = [
        publication(key(Category::Services, 2, 0), Life::Static, 1000, busy()),
        publication(key(Category::State, 200, 0), Life::Static, 1000, busy()),
        publication(key(Category::State, 2, 0), Life::Static, 1000, Meaning::Opaque),
    ];
    let all = aggregate(&publications, ContainerId(2), &[conn(0)], NOW * 1000);
    assert_eq!(all.availability, Availability::AVAILABLE);
}
