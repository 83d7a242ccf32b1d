//! Versions, lives and bounds.

use super::*;
use crate::presence::publication::Meaning;
use crate::presence::samples::{conn, key, payload};

const MAX: usize = 4;

fn limits() -> Limits {
    Limits { publications_per_user_max: MAX, publication_bytes_max: 100, ..Limits::default() }
}

fn operation(instance: u32, version: Option<u32>, life: Life, text: Option<&str>) -> Operation {
    Operation {
        key: key(Category::Services, 2, instance),
        version,
        life,
        payload: text.map(|text| payload(Meaning::Opaque, text)),
    }
}

fn publish(document: &mut Document, one: Operation) -> Result<Changes, PublishError> {
    let result = document.publish(10_500, vec![one], &[conn(0)], &limits());
    document.check_invariants();
    result
}

fn version(document: &Document, instance: u32) -> Option<u32> {
    document.get(&key(Category::Services, 2, instance)).map(|publication| publication.version)
}

fn stale(version: u32, current: u32) -> Result<Changes, PublishError> {
    Err(PublishError::Stale(vec![Stale { index: 1, version, current }]))
}

#[test]
fn each_publication_of_a_key_has_the_next_version() {
    let mut document = Document::default();
    for before in 0..3 {
        publish(&mut document, operation(1, Some(before), Life::Static, Some("a"))).unwrap();
        assert_eq!(version(&document, 1), Some(before + 1));
    }
    assert_eq!(publish(&mut document, operation(1, Some(0), Life::Static, Some("b"))), stale(0, 3));
    assert_eq!(publish(&mut document, operation(1, Some(2), Life::Static, None)), stale(2, 3));
    assert_eq!(publish(&mut document, operation(9, Some(2), Life::Static, None)), stale(2, 0));
    publish(&mut document, operation(1, None, Life::Static, Some("b"))).unwrap();
    assert_eq!(version(&document, 1), Some(4));
}

#[test]
fn a_deleted_key_remembers_its_version() {
    let mut document = Document::default();
    publish(&mut document, operation(1, Some(0), Life::Static, Some("a"))).unwrap();
    let changes = publish(&mut document, operation(1, Some(1), Life::Static, None)).unwrap();
    let key = key(Category::Services, 2, 1);
    assert_eq!(changes.rows, [Row::DeletePublication { key, version: 1 }]);
    // Once more, for the first answer was lost, or the store had failed: nothing changes, and it
    // is written all the same.
    let again = publish(&mut document, operation(1, Some(1), Life::Static, None)).unwrap();
    assert_eq!(again, Changes { rows: changes.rows, ..Changes::default() });
    assert_eq!(publish(&mut document, operation(1, Some(7), Life::Static, Some("a"))), stale(7, 1));
    publish(&mut document, operation(1, Some(0), Life::Static, Some("a"))).unwrap();
    assert_eq!(version(&document, 1), Some(2));
}

#[test]
fn a_list_of_operations_is_taken_in_order_and_as_a_whole() {
    let mut document = Document::default();
    let operations = vec![
        operation(1, Some(0), Life::Static, Some("a")),
        operation(1, Some(1), Life::Static, Some("b")),
        operation(1, Some(1), Life::Static, Some("c")),
        operation(2, Some(5), Life::Static, Some("d")),
    ];
    let result = document.publish(0, operations.clone(), &[], &limits());
    let expected = vec![
        Stale { index: 3, version: 1, current: 2 },
        Stale { index: 4, version: 5, current: 0 },
    ];
    assert_eq!(result, Err(PublishError::Stale(expected)));
    assert_eq!(document.publications(), []);
    document.publish(0, operations[..2].to_vec(), &[], &limits()).unwrap();
    assert_eq!(version(&document, 1), Some(2));
}

#[test]
fn a_life_that_is_over_is_no_life() {
    let mut document = Document::default();
    for life in [Life::Endpoint(conn(9)), Life::Until(10), Life::Until(0)] {
        publish(&mut document, operation(1, Some(0), life, Some("a"))).unwrap();
        assert_eq!(document.publications(), [], "{life:?}");
    }
    for (instance, life) in
        (1..).zip([Life::Endpoint(conn(0)), Life::Until(11), Life::User, Life::Static])
    {
        publish(&mut document, operation(instance, Some(0), life, Some("a"))).unwrap();
        assert_eq!(version(&document, instance), Some(1), "{life:?}");
    }
    let user = vec![operation(1, None, Life::User, Some("b"))];
    document.publish(0, user, &[], &limits()).unwrap();
    assert_eq!(version(&document, 1), None);
}

#[test]
fn what_says_the_same_is_kept_once() {
    let mut document = Document::default();
    publish(&mut document, operation(1, Some(0), Life::Static, Some("the same"))).unwrap();
    publish(&mut document, operation(2, Some(0), Life::Static, Some("the same"))).unwrap();
    let [one, other] = document.publications() else { panic!() };
    assert!(Arc::ptr_eq(&one.payload, &other.payload));
}

#[test]
fn a_refresh_says_nothing_new() {
    let mut document = Document::default();
    let refresh = |life| vec![operation(1, None, life, Some("a"))];
    document.publish(1_000, refresh(Life::Until(60)), &[], &limits()).unwrap();
    let changes = document.publish(50_000, refresh(Life::Until(120)), &[], &limits()).unwrap();
    assert_eq!((changes.touched.len(), changes.keys.len()), (1, 0));
    let [one] = document.publications() else { panic!() };
    assert_eq!((one.published_ms, one.life, one.version), (1_000, Life::Until(120), 2));
}

#[test]
fn there_are_no_more_publications_than_the_limit() {
    let mut document = Document::default();
    for instance in 0..MAX as u32 {
        publish(&mut document, operation(instance, Some(0), Life::Static, Some("a"))).unwrap();
    }
    let one_more = operation(99, Some(0), Life::Static, Some("a"));
    assert_eq!(publish(&mut document, one_more.clone()), Err(PublishError::TooMany));
    publish(&mut document, operation(1, None, Life::Static, Some("b"))).unwrap();
    publish(&mut document, operation(1, None, Life::Static, None)).unwrap();
    publish(&mut document, one_more).unwrap();
    let many = vec![operation(1, None, Life::Static, None); MAX + 1];
    assert_eq!(document.publish(0, many, &[], &limits()), Err(PublishError::TooMany));
}

#[test]
fn there_are_no_more_octets_than_the_limit() {
    let mut document = Document::default();
    let text = "x".repeat(60);
    publish(&mut document, operation(1, None, Life::Static, Some(&text))).unwrap();
    let more = operation(2, None, Life::Static, Some(&text[..41]));
    assert_eq!(publish(&mut document, more), Err(PublishError::TooLarge));
    publish(&mut document, operation(2, None, Life::Static, Some(&text[..40]))).unwrap();
    // The bound was lowered; what makes less of it is taken.
    let limits = Limits { publication_bytes_max: 10, ..limits() };
    let less = vec![operation(1, None, Life::Static, Some("less"))];
    document.publish(0, less, &[], &limits).unwrap();
    let more = vec![operation(1, None, Life::Static, Some("more than less"))];
    assert_eq!(document.publish(0, more, &[], &limits), Err(PublishError::TooLarge));
}

#[test]
fn the_oldest_deleted_keys_are_forgotten_and_yet_no_version_comes_again() {
    let mut document = Document::default();
    for _ in 0..5 {
        publish(&mut document, operation(0, None, Life::Static, Some("a"))).unwrap();
    }
    let mut forgotten = Vec::new();
    for instance in 0..=MAX as u32 + 1 {
        publish(&mut document, operation(instance, None, Life::Static, Some("a"))).unwrap();
        let changes = publish(&mut document, operation(instance, None, Life::Static, None));
        forgotten.extend(
            changes.unwrap().rows.into_iter().filter(|row| matches!(row, Row::Forget { .. })),
        );
    }
    let forget = |instance| Row::Forget { key: key(Category::Services, 2, instance), floor: 6 };
    assert_eq!(forgotten, [forget(0), forget(1)]);
    publish(&mut document, operation(0, Some(0), Life::Static, Some("a"))).unwrap();
    assert_eq!(version(&document, 0), Some(7));
}

#[test]
fn a_static_publication_that_becomes_another_leaves_the_store_and_comes_back_higher() {
    let mut document = Document::default();
    let endpoint = Life::Endpoint(conn(0));
    publish(&mut document, operation(1, None, Life::Static, Some("a"))).unwrap();
    let changes = publish(&mut document, operation(1, None, endpoint, Some("a"))).unwrap();
    assert_eq!(
        changes.rows,
        [Row::DeletePublication { key: key(Category::Services, 2, 1), version: 1 }]
    );
    document.remove_if(|life| life == endpoint);
    document.check_invariants();
    assert_eq!(version(&document, 1), None);
    let changes = publish(&mut document, operation(1, Some(0), Life::Static, Some("a"))).unwrap();
    let [Row::PutPublication(row)] = &changes.rows[..] else { panic!("{changes:?}") };
    assert_eq!(row.version, 3);
}

#[test]
fn what_the_store_kept_is_all_that_is_needed_to_go_on() {
    let (mut document, mut kept) = (Document::default(), Document::default());
    let steps = [
        (1, Some("a")),
        (2, Some("b")),
        (1, None),
        (3, Some("c")),
        (2, Some("d")),
        (1, Some("e")),
        (3, None),
    ];
    for (instance, text) in steps {
        let changes = publish(&mut document, operation(instance, None, Life::Static, text));
        changes.unwrap().rows.into_iter().for_each(|row| kept.restore(row));
    }
    kept.check_invariants();
    assert_eq!(kept.publications(), document.publications());
    publish(&mut kept, operation(3, None, Life::Static, Some("f"))).unwrap();
    assert_eq!(version(&kept, 3), Some(2));
}

#[test]
fn a_deletion_of_what_had_been_static_is_written_once_more() {
    let mut document = Document::default();
    publish(&mut document, operation(1, Some(0), Life::Static, Some("a"))).unwrap();
    let over =
        publish(&mut document, operation(1, Some(1), Life::Until(9_999), Some("b"))).unwrap();
    let gone = publish(&mut document, operation(1, Some(2), Life::Until(9_999), None)).unwrap();
    assert_eq!(gone.rows, over.rows, "the store may have failed the first time");
}
