//! Rows of contacts and presence: what is written is read back, and goes with its user.

use std::sync::Arc;

use super::super::{Database, UserChange, durable};
use super::*;
use crate::base::aor::Aor;
use crate::base::ids::Slot;
use crate::contacts::{self, Contact, ContactList, Group, GroupId, Groups};
use crate::presence::card::{Card, Phone, PhoneKind, Photo};
use crate::presence::category::Category;
use crate::presence::container::{Container, ContainerId, Member};
use crate::presence::publication::{Key, Life, Meaning, Payload, Publication};
use crate::presence::row::Row;
use crate::presence::state::{Activity, Availability, Note, NoteKind, State, StateKind};
use crate::shard::durable::{NotWritten, Rows, Write};

pub const ALICE: &str = "alice@example.test";
const BOB: &str = "bob@example.test";

/// Rows of `aor` on their way to the store.
pub fn write(aor: &str, rows: Rows) -> Write {
    Write { ticket: Slot::default(), aor: Aor::new(aor), rows }
}

/// A contact of that address, in no group but the first.
pub fn contact(address: &str) -> contacts::Row {
    contacts::Row::PutContact(Contact {
        address: Aor::new(address),
        name: "".into(),
        groups: Groups::OTHERS,
        subscribed: true,
        external_uri: "".into(),
    })
}

/// A database with alice and bob.
fn with_users(folder: &Path) -> Database {
    let mut database = open(folder);
    for aor in [ALICE, BOB] {
        database.change_user(&UserChange::Add(user(aor, "secret"))).unwrap();
    }
    database
}

fn put(database: &mut Database, aor: &str, rows: Rows) -> Result<(), NotWritten> {
    let transaction = database.begin().unwrap();
    let written = durable::apply(&transaction, &write(aor, rows)).unwrap();
    transaction.commit().unwrap();
    written
}

fn group(number: u32, name: &str) -> contacts::Row {
    let id = GroupId::new(number).unwrap();
    contacts::Row::PutGroup(Group { id, name: name.into(), external_uri: "u:1".into() })
}

fn key(category: &str, container: u32, instance: u32) -> Key {
    Key { category: Category::of(category), container: ContainerId(container), instance }
}

fn publication(key: Key, version: u32, meaning: Meaning) -> Row {
    let source = Arc::from("<publication xmlns=\"x\">\u{e9}</publication>");
    Row::PutPublication(Publication {
        key,
        version,
        published_ms: EPOCH_MS + u64::from(version),
        life: Life::Static,
        payload: Arc::new(Payload { meaning, source }),
    })
}

fn note(text: &str) -> Meaning {
    Meaning::Note(Note { kind: NoteKind::Personal, text: text.into() })
}

/// All that a meaning can hold.
fn meanings() -> Vec<Meaning> {
    let mut states: Vec<State> =
        [StateKind::Machine, StateKind::User, StateKind::Calendar, StateKind::Phone]
            .map(|kind| State::new(kind, Availability::BUSY))
            .into();
    states.push(State {
        manual: false,
        activity: Some(Activity {
            token: "in-a-meeting".into(),
            custom: [(1033, "Thinking".into()), (1031, "Denkt".into())].into(),
        }),
        location: Some("Office".into()),
        meeting_subject: Some("Budget".into()),
        meeting_location: Some("Room 1".into()),
        last_active: Some(1_800_000_000),
        valid: Some((1_800_000_000, 1_800_003_600)),
        ..State::new(StateKind::User, Availability::DO_NOT_DISTURB)
    });
    let kinds = [PhoneKind::Work, PhoneKind::Mobile, PhoneKind::Home, PhoneKind::Other];
    let phone = |kind| Phone { kind, display: "+1 555".into(), uri: "tel:+1555".into() };
    let card = Card {
        display_name: "Alice \u{e9}".into(),
        email: "alice@example.test".into(),
        title: "Boss".into(),
        company: "Example".into(),
        department: "All".into(),
        office: "1/1".into(),
        phones: kinds.map(phone).into(),
        photo: Some(Photo { uri: "http://example.test/a".into(), hash: "abc".into() }),
    };
    let notes = [NoteKind::Personal, NoteKind::OutOfOffice]
        .map(|kind| Meaning::Note(Note { kind, text: "\"quoted\"\n<b>".into() }));
    let cards = [Card::default(), card].map(|card| Meaning::Card(Box::new(card)));
    let states = states.into_iter().map(Meaning::State);
    states.chain(notes).chain(cards).chain([Meaning::Opaque]).collect()
}

#[test]
fn a_contact_list_is_restored_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let birds = GroupId::new(2).unwrap();
    let carol = Contact {
        address: Aor::new("carol@elsewhere.test"),
        name: "Carol \u{e9}".into(),
        groups: Groups::OTHERS.with(birds).with(GroupId::MAX),
        subscribed: false,
        external_uri: "u:2".into(),
    };
    let rows = vec![
        group(2, "Birds"),
        group(64, ""),
        contact(BOB),
        contacts::Row::PutContact(carol),
        contacts::Row::DeltaNumber(7),
    ];
    put(&mut database, ALICE, Rows::Contacts(rows.clone())).unwrap();
    drop(database);
    let mut database = open(folder.path());
    assert_eq!(database.contact_rows(ALICE).unwrap(), rows);
    assert_eq!(database.contact_rows(BOB).unwrap(), []);

    let mut list = ContactList::default();
    rows.into_iter().for_each(|row| list.restore(row));
    let changes = vec![
        contacts::Row::DeleteContact(Aor::new(BOB)),
        contacts::Row::DeleteGroup(birds),
        group(64, "Fish"),
        contacts::Row::DeltaNumber(8),
    ];
    put(&mut database, ALICE, Rows::Contacts(changes.clone())).unwrap();
    changes.into_iter().for_each(|row| list.restore(row));
    let mut restored = ContactList::default();
    for row in database.contact_rows(ALICE).unwrap() {
        restored.restore(row);
    }
    assert_eq!(restored, list);
}

#[test]
fn every_meaning_of_a_publication_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let rows: Vec<Row> = (0..)
        .zip(meanings())
        .map(|(instance, meaning)| publication(key("state", 2, instance), instance + 1, meaning))
        .collect();
    put(&mut database, ALICE, Rows::Presence(rows.clone())).unwrap();
    assert_eq!(open(folder.path()).presence_rows(ALICE).unwrap(), rows);
}

#[test]
fn a_meaning_is_kept_under_names_that_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let rows = vec![
        publication(key("note", 400, 0), 1, note("back soon")),
        publication(
            key("state", 2, 1),
            1,
            Meaning::State(State::new(StateKind::User, Availability::BUSY)),
        ),
    ];
    put(&mut database, ALICE, Rows::Presence(rows)).unwrap();
    let mut statement =
        database.connection.prepare("SELECT meaning FROM publication ORDER BY category").unwrap();
    let texts: Vec<String> =
        statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        texts,
        [
            r#"{"note":{"kind":"personal","text":"back soon"}}"#,
            r#"{"state":{"kind":"user","manual":true,"availability":6500}}"#,
        ]
    );
}

#[test]
fn versions_of_what_was_deleted_and_forgotten_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let (first, second) = (key("note", 400, 0), key("mine", 400, 7));
    let rows = vec![
        publication(first.clone(), 3, note("a")),
        publication(second.clone(), 5, Meaning::Opaque),
        Row::DeletePublication { key: first.clone(), version: 3 },
        Row::DeletePublication { key: second.clone(), version: 5 },
    ];
    put(&mut database, ALICE, Rows::Presence(rows)).unwrap();
    let kept = database.presence_rows(ALICE).unwrap();
    let deleted = |key: &Key, version| Row::DeletePublication { key: key.clone(), version };
    assert_eq!(kept, [deleted(&second, 5), deleted(&first, 3)]);

    // A lower floor does not replace a higher one.
    for (key, floor) in [(second, 5), (key("note", 300, 0), 2)] {
        put(&mut database, ALICE, Rows::Presence(vec![Row::Forget { key, floor }])).unwrap();
    }
    let kept = database.presence_rows(ALICE).unwrap();
    assert!(matches!(kept[0], Row::Forget { floor: 5, .. }), "{kept:?}");
    assert_eq!(kept[1..], [deleted(&first, 3)]);

    put(&mut database, ALICE, Rows::Presence(vec![publication(first.clone(), 6, note("b"))]))
        .unwrap();
    assert_eq!(database.presence_rows(ALICE).unwrap()[1..], [publication(first, 6, note("b"))]);
}

#[test]
fn containers_and_subscribers_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let members = vec![
        Member::User(Aor::new(BOB)),
        Member::Domain("elsewhere.test".into()),
        Member::SameEnterprise,
        Member::Federated,
        Member::PublicCloud,
        Member::Everyone,
    ];
    let container =
        |version, members| Row::PutContainer(Container { id: ContainerId(300), version, members });
    let subscriber = |name: &str, acknowledged| Row::PutSubscriber {
        user: Aor::new(&format!("{name}@example.test")),
        acknowledged,
    };
    let rows = vec![container(1, members), subscriber("bob", false), subscriber("carol", true)];
    put(&mut database, ALICE, Rows::Presence(rows.clone())).unwrap();
    assert_eq!(database.presence_rows(ALICE).unwrap(), rows);

    let fewer = container(2, vec![Member::User(Aor::new("carol@example.test"))]);
    let changes = vec![
        fewer.clone(),
        subscriber("bob", true),
        Row::DeleteSubscriber(Aor::new("carol@example.test")),
    ];
    put(&mut database, ALICE, Rows::Presence(changes)).unwrap();
    assert_eq!(database.presence_rows(ALICE).unwrap(), [fewer, subscriber("bob", true)]);
}

#[test]
fn what_is_kept_goes_with_its_user_and_stays_with_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let of_alice = vec![contact(BOB), contacts::Row::DeltaNumber(2)];
    let of_bob = vec![contact(ALICE), contacts::Row::DeltaNumber(2)];
    put(&mut database, ALICE, Rows::Contacts(of_alice)).unwrap();
    put(&mut database, BOB, Rows::Contacts(of_bob.clone())).unwrap();
    let rows = meanings().into_iter().zip(0..);
    let mut rows: Vec<Row> =
        rows.map(|(meaning, n)| publication(key("note", 400, n), 1, meaning)).collect();
    let members = vec![Member::User(Aor::new(BOB))];
    rows.push(Row::PutContainer(Container { id: ContainerId(300), version: 1, members }));
    rows.push(Row::PutSubscriber { user: Aor::new(BOB), acknowledged: true });
    put(&mut database, ALICE, Rows::Presence(rows)).unwrap();

    // By a command, in another process.
    open(folder.path()).change_user(&UserChange::Remove(ALICE.to_owned())).unwrap();
    for table in ["contact", "contact_group", "contact_list", "container", "container_member"]
        .into_iter()
        .chain(["presence", "publication", "subscriber"])
    {
        let sql = format!("SELECT count(*) FROM {table} WHERE owner = ?1");
        let left: i64 = database.connection.query_row(&sql, [ALICE], |row| row.get(0)).unwrap();
        assert_eq!(left, 0, "{table}");
    }
    assert_eq!(database.contact_rows(BOB).unwrap(), of_bob);

    let gone = put(&mut database, ALICE, Rows::Contacts(vec![contact(BOB)]));
    assert_eq!(gone, Err(NotWritten::NoSuchUser));
    open(folder.path()).change_user(&UserChange::Add(user(ALICE, "new"))).unwrap();
    assert_eq!(database.contact_rows(ALICE).unwrap(), []);
    assert_eq!(database.presence_rows(ALICE).unwrap(), []);
}

#[test]
fn a_user_removed_and_added_again_is_told_as_both() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let known = database.users_version().unwrap();
    database.change_user(&UserChange::Remove(ALICE.to_owned())).unwrap();
    let between = database.users_version().unwrap();
    database.change_user(&UserChange::Add(user(ALICE, "new"))).unwrap();
    let changes = database.users_since(known).unwrap().unwrap();
    assert_eq!(changes.removed, [ALICE]);
    assert_eq!(changes.changed, [user(ALICE, "new")]);
    let changes = database.users_since(between).unwrap().unwrap();
    assert_eq!((changes.removed.len(), changes.changed.len()), (0, 1));
}

#[test]
fn a_change_of_a_user_leaves_what_is_kept_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let rows = vec![contact(BOB), contacts::Row::DeltaNumber(2)];
    put(&mut database, ALICE, Rows::Contacts(rows.clone())).unwrap();
    database.change_user(&UserChange::Update(user(ALICE, "another"))).unwrap();
    database.change_user(&UserChange::Disable(ALICE.to_owned())).unwrap();
    assert_eq!(database.contact_rows(ALICE).unwrap(), rows);
}

#[test]
fn each_home_reads_the_rows_of_its_own_users_a_user_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let list = vec![contact(BOB), contacts::Row::DeltaNumber(2)];
    put(&mut database, ALICE, Rows::Contacts(list.clone())).unwrap();
    put(&mut database, BOB, Rows::Contacts(vec![contacts::Row::DeltaNumber(3)])).unwrap();
    let document = vec![publication(key("note", 400, 0), 1, note("a"))];
    put(&mut database, ALICE, Rows::Presence(document.clone())).unwrap();
    let mut found = Vec::new();
    database
        .for_each_rows(|aor| aor.as_str() == ALICE, |aor, rows| found.push((aor, rows)))
        .unwrap();
    let [(first, Rows::Contacts(contacts)), (second, Rows::Presence(presence))] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!((first.as_str(), second.as_str()), (ALICE, ALICE));
    assert_eq!((contacts, presence), (&list, &document));
}

#[test]
fn a_row_that_was_not_written_by_us_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_users(folder.path());
    let rows = vec![publication(key("note", 400, 0), 1, note("a"))];
    put(&mut database, ALICE, Rows::Presence(rows)).unwrap();
    database.connection.execute("UPDATE publication SET meaning = '{}'", ()).unwrap();
    let error = database.presence_rows(ALICE).unwrap_err().to_string();
    assert!(error.starts_with("the database is damaged"), "{error}");
}

#[test]
fn a_database_of_the_first_version_is_taken_over_with_its_users() {
    let folder = tempfile::tempdir().unwrap();
    super::super::folder::prepare_database(folder.path()).unwrap();
    let path = super::super::folder::database_path(folder.path());
    let old = rusqlite::Connection::open(path).unwrap();
    old.execute_batch(include_str!("version_1.sql")).unwrap();
    drop(old);
    let mut database = open(folder.path());
    let users = database.users().unwrap();
    assert_eq!(users.iter().map(|user| user.aor.as_str()).collect::<Vec<_>>(), [ALICE, BOB]);
    assert_eq!(users[0].display_name, "Alice");
    assert!(users[1].disabled);
    assert_eq!(cdrs(&database).len(), 1);
    assert_eq!(database.users_version().unwrap(), 2);
    put(&mut database, ALICE, Rows::Contacts(vec![contact(BOB)])).unwrap();
    assert_eq!(open(folder.path()).contact_rows(ALICE).unwrap()[0], contact(BOB));
}
