//! Who sees what.

use super::*;
use crate::base::limits::Limits;
use crate::presence::document::Document;
use crate::presence::publication::Life;
use crate::presence::samples::{self, SEEN, card, conn, key, payload, put};

fn document(operations: Vec<crate::presence::publication::Operation>) -> Document {
    let mut document = Document::default();
    document.publish(5_000, operations, &[conn(0)], &Limits::default()).unwrap();
    document
}

fn full_aggregate(document: &Document) -> Aggregate {
    let state = crate::presence::aggregate::aggregate(
        document.publications(),
        ContainerId::SELF_AGGREGATION,
        &[conn(0)],
        5_000,
    );
    assert!(state.location.is_some() && state.meeting_subject.is_some());
    state
}

#[test]
fn each_level_reads_exactly_what_the_table_gives_it() {
    let document = document(samples::everything(Life::Static));
    let state = full_aggregate(&document);
    for container in ContainerId::LEVELS {
        let state = state.as_seen_in(container).map(|state| (state, 0));
        let text = format!("{:?}", view(container, state, (&card(), 0), document.publications()));
        for (marker, levels) in SEEN {
            let is_seen = text.contains(&format!("\"{marker}\""));
            assert_eq!(is_seen, levels.contains(&container.0), "{marker} in {container:?}");
        }
    }
}

#[test]
fn who_is_blocked_sees_what_he_would_see_of_somebody_who_is_offline_and_unknown() {
    let document = document(samples::everything(Life::Static));
    let state = full_aggregate(&document).as_seen_in(ContainerId::BLOCKED);
    let blocked = view(
        ContainerId::BLOCKED,
        state.map(|state| (state, 0)),
        (&card(), 0),
        document.publications(),
    );
    assert_eq!(blocked.state(), Some(&Aggregate::OFFLINE));
    assert_eq!(blocked.items.len(), 2);
    let cleared: Vec<_> = blocked.cleared(CategorySet::ALL).map(Category::name).collect();
    assert!(cleared.contains(&"note") && !cleared.contains(&"state"), "{cleared:?}");
}

#[test]
fn the_newest_note_of_each_kind_is_seen_and_a_cleared_one_hides_the_older() {
    let mut document = Document::default();
    let mut publish = |at, instance, kind, text: &str| {
        let note = Meaning::Note(Note { kind, text: text.into() });
        let operation = put(key(Category::Note, 200, instance), Life::Static, payload(note, ""));
        document.publish(at, vec![operation], &[], &Limits::default()).unwrap();
        let view = view(ContainerId::COLLEAGUES, None, (&card(), 0), document.publications());
        view.notes().map(|note| note.text.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(publish(1, 5, NoteKind::Personal, "one"), ["one"]);
    assert_eq!(publish(2, 4, NoteKind::Personal, "two"), ["two"]);
    assert_eq!(publish(3, 9, NoteKind::OutOfOffice, "away"), ["two", "away"]);
    assert_eq!(publish(4, 5, NoteKind::Personal, ""), ["away"]);
    assert_eq!(publish(5, 4, NoteKind::Personal, "three"), ["three", "away"]);
}

#[test]
fn a_published_card_is_seen_beside_that_of_the_directory_but_never_in_its_place() {
    let own = Meaning::Card(Box::new(Card { email: "my-own".into(), ..card() }));
    let document = document(vec![
        put(key(Category::ContactCard, 200, 0), Life::Static, payload(own.clone(), "")),
        put(key(Category::ContactCard, 200, 2), Life::Static, payload(own, "")),
    ]);
    let view = view(ContainerId::COLLEAGUES, None, (&card(), 0), document.publications());
    assert_eq!(view.card().unwrap(), &card().as_seen_in(ContainerId::COLLEAGUES));
    let instances: Vec<u32> = view.items.iter().map(|item| item.instance).collect();
    assert_eq!(instances, [0, 2]);
}

#[test]
fn a_view_can_be_narrowed_to_what_was_asked_for() {
    let document = document(samples::everything(Life::Static));
    let view = view(ContainerId::FRIENDS, None, (&card(), 0), document.publications());
    let asked: CategorySet = [&Category::Note, &Category::Routing].into_iter().collect();
    assert!(view.of(asked).all(|item| item.category == Category::Note));
    assert_eq!(view.of(asked).count(), 2);
    assert_eq!(view.cleared(asked).collect::<Vec<_>>(), [&Category::Routing]);
}
