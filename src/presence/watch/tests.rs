//! Groups of watchers.

use super::*;
use crate::presence::samples::{subscription, watch};

fn at(watches: &Watches, container: ContainerId, changed: CategorySet) -> Vec<Vec<SubscriptionId>> {
    watches.groups(container, changed).map(|group| group.watches).collect()
}

#[test]
fn a_watching_is_small() {
    assert!(size_of::<Watching>() <= 40, "{}", size_of::<Watching>());
    assert!(size_of::<Watch>() <= 40, "{}", size_of::<Watch>());
}

#[test]
fn forty_watchers_leave_little_room_empty() {
    let mut watches = Watches::default();
    (0..40).for_each(|index| watches.insert(watch(index, "bob@x"), ContainerId::COLLEAGUES));
    assert!(watches.watchings.capacity() <= 48, "{}", watches.watchings.capacity());
}

#[test]
fn those_who_are_told_the_same_are_one_group() {
    let mut watches = Watches::default();
    let notes = CategorySet::only(&Category::Note);
    for index in 0..6 {
        let format = if index % 2 == 0 { Format::Categories } else { Format::Pidf };
        watches.insert(Watch { format, ..watch(index, "bob@x") }, ContainerId::COLLEAGUES);
    }
    watches.insert(Watch { categories: notes, ..watch(6, "bob@x") }, ContainerId::COLLEAGUES);
    watches.insert(watch(7, "bob@x"), ContainerId::FRIENDS);
    watches.check_invariants();

    let state = CategorySet::only(&Category::State);
    assert_eq!(
        at(&watches, ContainerId::COLLEAGUES, state),
        [[0, 2, 4].map(subscription), [1, 3, 5].map(subscription)]
    );
    assert_eq!(at(&watches, ContainerId::COLLEAGUES, notes).len(), 3);
    assert_eq!(at(&watches, ContainerId::FRIENDS, notes), [[subscription(7)]]);
    assert!(at(&watches, ContainerId::BLOCKED, CategorySet::ALL).is_empty());
    // A PIDF document has no place for services.
    let services = CategorySet::only(&Category::Services);
    assert_eq!(at(&watches, ContainerId::COLLEAGUES, services).len(), 1);
}

#[test]
fn a_subscription_that_comes_again_takes_its_own_place() {
    let mut watches = Watches::default();
    watches.insert(watch(1, "bob@x"), ContainerId::COLLEAGUES);
    watches.insert(watch(1, "bob@x"), ContainerId::FRIENDS);
    assert_eq!(watches.len(), 1);
    assert!(at(&watches, ContainerId::COLLEAGUES, CategorySet::ALL).is_empty());
    assert!(watches.remove(subscription(1)) && !watches.remove(subscription(1)));
    assert!(watches.is_empty());
}

#[test]
fn only_those_whose_level_changes_move() {
    let mut watches = Watches::default();
    for (index, name) in ["a@x", "b@x", "a@x"].into_iter().enumerate() {
        watches.insert(watch(index as u32, name), ContainerId::COLLEAGUES);
    }
    let level_of = |who: &Aor, _, _| match who.as_str() {
        "a@x" => ContainerId::BLOCKED,
        _ => ContainerId::COLLEAGUES,
    };
    let moved = watches.relevel(level_of);
    watches.check_invariants();
    assert_eq!(moved.len(), 1);
    assert_eq!(moved[0].container, ContainerId::BLOCKED);
    assert_eq!(moved[0].watches, [0, 2].map(subscription));
    assert!(watches.relevel(level_of).is_empty());
}
