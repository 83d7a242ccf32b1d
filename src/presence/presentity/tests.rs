//! What the machine does, step by step.

mod model;
pub mod properties;
pub mod steps;

use std::time::Duration;

use super::*;
use crate::presence::container::Member;
use crate::presence::membership::MemberChange;
use crate::presence::publication::Meaning;
use crate::presence::samples::{
    card, conn, everything, key, note, now, payload, put, states, subscription, watch,
};
use crate::presence::state::{Availability, State, StateKind};
use crate::presence::watch::Format;

/// Much longer than any damping.
const LONG: Duration = Duration::from_secs(60);

fn limits() -> Limits {
    Limits::default()
}

/// A user with one endpoint, watched by bob at 200, who knows all.
fn alice() -> Presentity {
    let mut alice = Presentity::new(now(), card());
    alice.endpoint_added(now(), conn(1), &limits());
    alice.watch(watch(1, "bob@example.test"), false, &limits()).unwrap();
    alice.expire(now().plus(LONG), &limits());
    outputs(&mut alice);
    alice
}

fn later() -> Now {
    now().plus(LONG).plus(LONG)
}

fn outputs(presentity: &mut Presentity) -> Vec<Output> {
    presentity.check_invariants();
    std::iter::from_fn(|| presentity.next_output()).collect()
}

/// Only what watchers are told: who, and of what.
fn notices(presentity: &mut Presentity) -> Vec<(ContainerId, CategorySet, Vec<SubscriptionId>)> {
    let notice = |output| match output {
        Output::Notice { container, changed, watches, .. } => Some((container, changed, watches)),
        _ => None,
    };
    outputs(presentity).into_iter().filter_map(notice).collect()
}

fn of(categories: &[Category]) -> CategorySet {
    categories.iter().collect()
}

fn members(container: ContainerId, version: u32, step: MemberChange) -> MembersChange {
    MembersChange { container, version, steps: vec![step] }
}

fn bob() -> Member {
    Member::User(Aor::new("bob@example.test"))
}

#[test]
fn a_publication_is_told_to_watchers_and_own_endpoints() {
    let mut alice = alice();
    let busy = states(StateKind::User, Life::Static, 6500).to_vec();
    let published = alice.publish(later(), busy, &limits()).unwrap();
    assert_eq!(published.touched, [Category::State]);
    assert_eq!(published.rows.len(), 2);
    assert_eq!(
        outputs(&mut alice),
        [
            Output::OwnCategories(vec![Category::State]),
            Output::Notice {
                container: ContainerId::COLLEAGUES,
                format: Format::Categories,
                categories: CategorySet::ALL,
                changed: of(&[Category::State]),
                watches: vec![subscription(1)],
            }
        ]
    );
    let view = alice.view(ContainerId::COLLEAGUES);
    assert_eq!(view.state().unwrap().availability, Availability::BUSY);
}

#[test]
fn what_changes_nothing_for_a_watcher_is_not_told_to_him() {
    let mut alice = alice();
    let device = put(
        key(Category::Device, 2, 1),
        Life::Endpoint(conn(1)),
        payload(Meaning::Opaque, "<device/>"),
    );
    let raw = payload(Meaning::State(State::new(StateKind::User, Availability::BUSY)), "");
    let raw = put(key(Category::State, 200, 1), Life::Static, raw);
    let own = put(key(Category::Device, 200, 1), Life::Static, payload(Meaning::Opaque, ""));
    let elsewhere = note(300, "for the team");
    let meeting = put(
        key(Category::State, 2, 9),
        Life::Static,
        payload(
            Meaning::State(State {
                meeting_subject: Some("hush".into()),
                ..State::new(StateKind::Calendar, Availability(0))
            }),
            "",
        ),
    );
    alice.publish(later(), vec![device, raw, own, elsewhere, meeting], &limits()).unwrap();
    assert_eq!(notices(&mut alice), []);
    let hello = || vec![note(200, "hello")];
    alice.publish(later(), hello(), &limits()).unwrap();
    assert_eq!(notices(&mut alice).len(), 1);
    alice.publish(later().plus(LONG), hello(), &limits()).unwrap();
    assert_eq!(notices(&mut alice), []);
}

#[test]
fn an_older_note_that_is_published_again_as_it_was_takes_its_place_back() {
    let mut alice = alice();
    let mut at = later();
    for (instance, text) in [(1, "one"), (2, "two"), (1, "one")] {
        let key = key(Category::Note, 200, instance);
        let operation = Operation { key, version: Some(0), ..note(200, text) };
        let current = alice.publications().find(|one| one.key == operation.key);
        let version = current.map(|one| one.version).or(Some(0));
        alice.publish(at, vec![Operation { version, ..operation }], &limits()).unwrap();
        assert_eq!(notices(&mut alice).len(), 1, "{text}");
        let view = alice.view(ContainerId::COLLEAGUES);
        assert!(view.notes().map(|note| &*note.text).eq([text]));
        at = at.plus(LONG);
    }
}

#[test]
fn with_the_endpoint_goes_what_it_said_and_with_the_last_one_what_the_user_said() {
    let mut alice = alice();
    alice.endpoint_added(later(), conn(2), &limits());
    let operations = [
        states(StateKind::Machine, Life::Endpoint(conn(1)), 4500),
        states(StateKind::Phone, Life::User, 6500),
        states(StateKind::User, Life::Static, 3500),
    ];
    alice.publish(later(), operations.concat(), &limits()).unwrap();
    alice.endpoint_removed(later(), conn(1), &limits());
    assert_eq!(alice.publications().count(), 4);
    alice.check_invariants();
    alice.endpoint_removed(later(), conn(2), &limits());
    assert_eq!(alice.publications().count(), 2);
    assert_eq!(alice.view(ContainerId::COLLEAGUES).state(), Some(&Aggregate::OFFLINE));
    outputs(&mut alice);
}

#[test]
fn a_publication_with_an_end_ends_then() {
    let mut alice = alice();
    let end = later().unix_ms / 1000 + 10;
    let busy = states(StateKind::User, Life::Until(end), 6500).to_vec();
    alice.publish(later(), busy, &limits()).unwrap();
    outputs(&mut alice);
    let due = later().plus(Duration::from_secs(10));
    assert_eq!(alice.next_deadline(), Some(Deadline(due.mono_ms)));
    alice.expire(due, &limits());
    assert_eq!(alice.publications().count(), 0);
    assert_eq!(alice.next_deadline(), None);
    assert_eq!(outputs(&mut alice).first(), Some(&Output::OwnCategories(vec![Category::State])));
}

#[test]
fn a_publication_with_an_end_ends_even_if_nobody_asked_at_the_time() {
    let mut alice = alice();
    let end = later().unix_ms / 1000 + 10;
    let busy = states(StateKind::User, Life::Until(end), 6500).to_vec();
    alice.publish(later(), busy, &limits()).unwrap();
    let late = later().plus(LONG);
    alice.endpoint_added(late, conn(7), &limits());
    assert_eq!(alice.next_deadline(), Some(Deadline(late.mono_ms)));
    alice.publish(late, Vec::new(), &limits()).unwrap();
    assert_eq!(alice.publications().count(), 0);
}

#[test]
fn a_meeting_begins_and_ends_by_the_calendar() {
    let mut alice = alice();
    let second = later().unix_ms / 1000;
    let meeting = State {
        valid: Some((second + 60, second + 120)),
        ..State::new(StateKind::Calendar, Availability::BUSY)
    };
    let operation =
        put(key(Category::State, 2, 9), Life::Static, payload(Meaning::State(meeting), "<state/>"));
    alice.publish(later(), vec![operation], &limits()).unwrap();
    let mut at = later();
    for expected in [Availability::BUSY, Availability::AVAILABLE] {
        at = at.plus(LONG);
        assert_eq!(alice.next_deadline(), Some(Deadline(at.mono_ms)));
        alice.expire(at, &limits());
        assert_eq!(alice.view(ContainerId::COLLEAGUES).state().unwrap().availability, expected);
        assert_eq!(notices(&mut alice).len(), 1);
    }
    assert_eq!(alice.next_deadline(), None);
}

#[test]
fn the_first_change_leaves_at_once_and_a_burst_together_at_the_end_of_the_window() {
    let mut alice = alice();
    let window = limits().presence_damping_time;
    alice.publish(later(), vec![note(200, "one")], &limits()).unwrap();
    assert_eq!(notices(&mut alice).len(), 1);
    let soon = later().plus(window / 2);
    alice.publish(soon, vec![note(200, "two")], &limits()).unwrap();
    let busy = states(StateKind::User, Life::Static, 6500).to_vec();
    alice.publish(soon, busy, &limits()).unwrap();
    assert_eq!(notices(&mut alice), []);
    let end = later().plus(window);
    assert_eq!(alice.next_deadline(), Some(Deadline(end.mono_ms)));
    alice.expire(soon, &limits());
    assert_eq!(notices(&mut alice), []);
    alice.expire(end, &limits());
    let both = of(&[Category::Note, Category::State]);
    assert_eq!(notices(&mut alice), [(ContainerId::COLLEAGUES, both, vec![subscription(1)])]);
    assert_eq!(alice.next_deadline(), None);
}

#[test]
fn without_a_window_nothing_waits() {
    let mut alice = alice();
    let limits = Limits { presence_damping_time: Duration::ZERO, ..limits() };
    for text in ["one", "two", "three"] {
        alice.publish(later(), vec![note(200, text)], &limits).unwrap();
        assert_eq!(notices(&mut alice).len(), 1);
    }
}

#[test]
fn a_change_of_level_is_told_at_once_and_as_a_whole() {
    let mut alice = alice();
    alice.publish(later(), everything(Life::Static), &limits()).unwrap();
    outputs(&mut alice);
    let block = members(ContainerId::BLOCKED, 0, MemberChange::Add(bob()));
    let rows = alice.set_members(&[block], &limits()).unwrap();
    assert!(matches!(&rows[..], [Row::PutContainer(one)] if one.version == 1));
    assert_eq!(
        outputs(&mut alice),
        [
            Output::OwnContainers(vec![ContainerId::BLOCKED]),
            Output::Notice {
                container: ContainerId::BLOCKED,
                format: Format::Categories,
                categories: CategorySet::ALL,
                changed: CategorySet::ALL,
                watches: vec![subscription(1)],
            }
        ]
    );
    let view = alice.view(ContainerId::BLOCKED);
    let cleared: Vec<_> = view.cleared(CategorySet::ALL).collect();
    assert!(cleared.contains(&&Category::Note) && cleared.contains(&&Category::CalendarData));
}

#[test]
fn planned_members_change_nothing_before_they_are_committed() {
    let mut alice = alice();
    let block = members(ContainerId::BLOCKED, 0, MemberChange::Add(bob()));
    let rows = alice.plan_members(&[block], &limits()).unwrap();
    assert_eq!(outputs(&mut alice), []);
    alice.commit(rows);
    assert_eq!(outputs(&mut alice).len(), 2);
}

#[test]
fn in_privacy_mode_only_contacts_see_more_than_the_name() {
    let mut alice = alice();
    alice.set_contacts_only(true);
    assert_eq!(notices(&mut alice), []);
    let other = Aor::new("bob@example.test");
    alice.contact_changed(&other, false);
    assert_eq!(
        notices(&mut alice),
        [(ContainerId::DEFAULT, CategorySet::ALL, vec![subscription(1)])]
    );
    let level = |alice: &Presentity, relation| alice.level_of(&other, relation, false);
    assert_eq!(level(&alice, Relation::Federated), ContainerId::DEFAULT);
    assert_eq!(level(&alice, Relation::PublicCloud), ContainerId::BLOCKED);
    alice.contact_changed(&other, true);
    assert_eq!(notices(&mut alice).len(), 1);
    alice.contact_changed(&other, false);
    outputs(&mut alice);
    alice.set_contacts_only(false);
    assert_eq!(notices(&mut alice).len(), 1);
}

#[test]
fn the_user_is_asked_about_strangers_only() {
    let mut alice = alice();
    let stranger = |index, who: &str| Watch { is_contact: false, ..watch(index, who) };
    let block = members(
        ContainerId::BLOCKED,
        0,
        MemberChange::Add(Member::User(Aor::new("mallory@example.test"))),
    );
    alice.set_members(&[block], &limits()).unwrap();
    outputs(&mut alice);
    assert!(alice.watch(watch(2, "bob@example.test"), true, &limits()).unwrap().rows.is_empty());
    let mallory = stranger(3, "mallory@example.test");
    let admitted = alice.watch(mallory, true, &limits()).unwrap();
    assert!(admitted.rows.is_empty() && admitted.container == ContainerId::BLOCKED);
    assert_eq!(outputs(&mut alice), []);

    let carol = stranger(4, "carol@example.test");
    let admitted = alice.watch(carol.clone(), true, &limits()).unwrap();
    assert_eq!(admitted.rows.len(), 1);
    assert_eq!(outputs(&mut alice), [Output::OwnSubscribers]);
    assert!(alice.watch(carol.clone(), true, &limits()).unwrap().rows.is_empty());
    let answers = [(carol.watcher.clone(), true)];
    assert_eq!(alice.acknowledge(&answers).len(), 1);
    assert_eq!(outputs(&mut alice), [Output::OwnSubscribers]);
    assert_eq!(alice.subscribers().collect::<Vec<_>>(), [(&carol.watcher, true)]);
    assert_eq!(alice.acknowledge(&answers), []);

    let full = Limits { prompted_subscribers_max: 0, ..limits() };
    let admitted = alice.watch(stranger(5, "dave@example.test"), true, &full).unwrap();
    assert!(admitted.is_prompt_refused);
}

#[test]
fn there_are_no_more_watchers_than_the_limit() {
    let mut alice = alice();
    let limits = Limits { watchers_per_user_max: 2, ..limits() };
    alice.watch(watch(2, "carol@example.test"), false, &limits).unwrap();
    let third = alice.watch(watch(3, "dave@example.test"), false, &limits);
    assert_eq!(third, Err(WatchError::TooMany));
    alice.watch(watch(2, "carol@example.test"), false, &limits).unwrap();
    alice.unwatch(subscription(1));
    alice.watch(watch(3, "dave@example.test"), false, &limits).unwrap();
    assert_eq!(alice.watches().count(), 2);
}

#[test]
fn a_new_card_is_told_to_those_who_see_the_difference() {
    let mut alice = alice();
    let mut card = card();
    card.phones.retain(|phone| &*phone.uri != "the-home-phone");
    alice.set_card(later(), card.clone(), &limits());
    assert_eq!(notices(&mut alice), []);
    card.title = "Head of presence".into();
    alice.set_card(later(), card.clone(), &limits());
    let told = of(&[Category::ContactCard]);
    assert_eq!(notices(&mut alice), [(ContainerId::COLLEAGUES, told, vec![subscription(1)])]);
    alice.set_card(later().plus(LONG), card, &limits());
    assert_eq!(notices(&mut alice), []);
}

#[test]
fn the_aggregated_state_has_a_version_that_rises() {
    let mut alice = alice();
    let before = alice.aggregated(ContainerId::TEAM_AGGREGATION).clone();
    let busy = states(StateKind::User, Life::Static, 9500).to_vec();
    alice.publish(later(), busy, &limits()).unwrap();
    let after = alice.aggregated(ContainerId::TEAM_AGGREGATION);
    assert_eq!(after.version, before.version + 1);
    assert_eq!(after.published_ms, later().unix_ms);
    assert_eq!(after.aggregate.availability, Availability::URGENT_ONLY);
    let general = alice.aggregated(ContainerId::SELF_AGGREGATION);
    assert_eq!(general.aggregate.availability, Availability::DO_NOT_DISTURB);
}

#[test]
fn what_was_restored_is_there_when_the_user_comes() {
    let mut before = alice();
    let mut rows = before.publish(later(), everything(Life::Static), &limits()).unwrap().rows;
    let block = members(ContainerId::BLOCKED, 0, MemberChange::Add(bob()));
    rows.extend(before.set_members(&[block], &limits()).unwrap());
    let stranger = Watch { is_contact: false, ..watch(9, "carol@example.test") };
    rows.extend(before.watch(stranger, true, &limits()).unwrap().rows);

    let mut after = Presentity::new(now(), card());
    rows.into_iter().for_each(|row| after.restore(row));
    assert_eq!(outputs(&mut after), []);
    assert_eq!(after.view(ContainerId::COLLEAGUES).state(), Some(&Aggregate::OFFLINE));
    after.endpoint_added(later(), conn(1), &limits());
    let level = ContainerId::WORKGROUP;
    assert_eq!(after.view(level).items.len(), before.view(level).items.len());
    assert_eq!(after.view(level).state(), before.view(level).state());
    assert!(after.publications().eq(before.publications()));
    assert!(after.containers().eq(before.containers()));
    assert!(after.subscribers().eq(before.subscribers()));
}

#[test]
fn a_user_takes_little_room() {
    assert!(size_of::<Presentity>() <= 800, "{}", size_of::<Presentity>());
    assert!(size_of::<Publication>() <= 72, "{}", size_of::<Publication>());
    assert!(size_of::<Output>() <= 48, "{}", size_of::<Output>());
}
