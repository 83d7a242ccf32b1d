//! What is written is read back.

use std::ops::ControlFlow;

use super::super::{CdrQuery, Database, StoreError, UserChange, cdr};
use super::*;
use crate::directory::{Person, Photo, PhotoChange};

fn aors(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.aor.as_str()).collect()
}

fn write(database: &mut Database, records: impl IntoIterator<Item = Record>) -> Vec<bool> {
    let transaction = database.begin().unwrap();
    let changed =
        records.into_iter().map(|record| cdr::apply(&transaction, &record).unwrap()).collect();
    transaction.commit().unwrap();
    changed
}

#[test]
fn a_user_survives_reopening_with_all_its_parts() {
    let folder = tempfile::tempdir().unwrap();
    let mut alice =
        User::with_password("alice@example.test", Some("CORP\\a"), "Alice \u{e9}", "r", "secret")
            .unwrap();
    alice.disabled = true;
    open(folder.path()).change_user(&UserChange::Add(alice.clone())).unwrap();
    let database = open(folder.path());
    assert_eq!(database.user("alice@example.test").unwrap(), Some(alice.clone()));
    assert_eq!(database.users().unwrap(), [alice]);
    assert_eq!(database.user("bob@example.test").unwrap(), None);
}

#[test]
fn users_are_added_changed_disabled_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let (alice, bob) = (user("alice@example.test", "a"), user("bob@example.test", "b"));
    database.change_user(&UserChange::Add(bob.clone())).unwrap();
    database.change_user(&UserChange::Add(alice.clone())).unwrap();
    assert_eq!(aors(&database.users().unwrap()), ["alice@example.test", "bob@example.test"]);

    database.change_user(&UserChange::Disable(bob.aor.clone())).unwrap();
    assert!(database.user(&bob.aor).unwrap().unwrap().disabled);
    database.change_user(&UserChange::Enable(bob.aor.clone())).unwrap();
    assert_eq!(database.user(&bob.aor).unwrap(), Some(bob.clone()));

    let changed = user("alice@example.test", "another");
    database.change_user(&UserChange::Update(changed.clone())).unwrap();
    assert_eq!(database.user(&alice.aor).unwrap(), Some(changed));

    database.change_user(&UserChange::Remove(alice.aor.clone())).unwrap();
    assert_eq!(aors(&database.users().unwrap()), ["bob@example.test"]);
}

#[test]
fn a_change_that_cannot_be_says_why_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let alice = user("alice@example.test", "a");
    database.change_user(&UserChange::Add(alice.clone())).unwrap();
    let again = UserChange::Add(user("alice@example.test", "b"));
    assert!(matches!(database.change_user(&again), Err(StoreError::UserExists(_))));
    let nobody = "nobody@example.test".to_owned();
    for change in [
        UserChange::Disable(nobody.clone()),
        UserChange::Enable(nobody.clone()),
        UserChange::Remove(nobody.clone()),
        UserChange::Update(user(&nobody, "x")),
    ] {
        assert!(matches!(database.change_user(&change), Err(StoreError::NoSuchUser(_))));
    }
    assert_eq!(database.users().unwrap(), [alice]);
    assert_eq!(database.users_version().unwrap(), 1);
}

#[test]
fn another_connection_sees_what_changed_since_it_last_asked() {
    let folder = tempfile::tempdir().unwrap();
    let server = open(folder.path());
    let mut command = open(folder.path());
    assert_eq!(server.users_since(0).unwrap(), None);

    for name in ["alice", "bob", "carol"] {
        let user = user(&format!("{name}@example.test"), "secret");
        command.change_user(&UserChange::Add(user)).unwrap();
    }
    let changes = server.users_since(0).unwrap().unwrap();
    assert_eq!(
        aors(&changes.changed),
        ["alice@example.test", "bob@example.test", "carol@example.test"]
    );
    assert_eq!(changes.removed, [""; 0]);
    assert_eq!(server.users_since(changes.version).unwrap(), None);

    command.change_user(&UserChange::Disable("bob@example.test".to_owned())).unwrap();
    command.change_user(&UserChange::Remove("carol@example.test".to_owned())).unwrap();
    let changes = server.users_since(changes.version).unwrap().unwrap();
    assert_eq!(aors(&changes.changed), ["bob@example.test"]);
    assert_eq!(changes.removed, ["carol@example.test"]);

    // Back again under the same address: no longer among the removed.
    command.change_user(&UserChange::Add(user("carol@example.test", "new"))).unwrap();
    let changes = server.users_since(changes.version).unwrap().unwrap();
    assert_eq!(aors(&changes.changed), ["carol@example.test"]);
    assert_eq!(changes.removed, [""; 0]);
}

#[test]
fn a_removed_user_leaves_no_secret_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let alice = user("alice@example.test", "secret");
    database.change_user(&UserChange::Add(alice.clone())).unwrap();
    database.change_user(&UserChange::Remove(alice.aor.clone())).unwrap();
    // The last connection to close folds the log into the database and deletes it.
    drop(database);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let octets = std::fs::read(&path).unwrap();
        for secret in [&alice.ha1_md5[..], &alice.ha1_sha256[..], &alice.nt_hash[..]] {
            let found = octets.windows(secret.len()).any(|window| window == secret);
            assert!(!found, "{}", path.display());
        }
    }
}

#[test]
fn a_record_is_open_until_its_end_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    assert_eq!(write(&mut database, [Record::Started(started(5))]), [true]);
    let open = Cdr { end: None, bridged: false, ..whole(5) };
    assert_eq!(cdrs(&database), [open]);
    assert_eq!(write(&mut database, [Record::Ended(ended(5))]), [true]);
    assert_eq!(cdrs(&database), [whole(5)]);
}

#[test]
fn a_second_start_or_end_and_an_end_without_start_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    write(&mut database, both(1));
    let mut other_start = started(1);
    other_start.caller = "mallory@example.test".to_owned();
    let mut other_end = ended(1);
    other_end.end.messages_from_caller = 99;
    let strays = [Record::Started(other_start), Record::Ended(other_end), Record::Ended(ended(2))];
    assert_eq!(write(&mut database, strays), [false, false, false]);
    assert_eq!(cdrs(&database), [whole(1)]);
}

#[test]
fn every_kind_of_ending_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let endings = [
        Ending::ByeCallee,
        Ending::ByeCaller,
        Ending::Cancelled,
        Ending::ConnectionLostCallee,
        Ending::ConnectionLostCaller,
        Ending::Declined(603),
        Ending::Drained,
        Ending::Idle,
        Ending::NoAnswer,
        Ending::ServerLost,
    ];
    for (n, ending) in (0u64..).zip(endings) {
        let mut ended = ended(n);
        ended.end.ending = ending;
        write(&mut database, [Record::Started(started(n)), Record::Ended(ended)]);
    }
    let kept: Vec<Ending> = cdrs(&database).iter().map(|cdr| cdr.end.unwrap().ending).collect();
    assert_eq!(kept, endings);
}

#[test]
fn a_query_chooses_by_user_start_and_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    write(&mut database, (0..30).flat_map(both));
    let found = |user: Option<&str>, since_unix_ms, rows_max| {
        let query = CdrQuery { user: user.map(str::to_owned), since_unix_ms, rows_max };
        let number = |cdr: &Cdr| (cdr.start_unix_ms - EPOCH_MS) / 1000;
        conversations(database.cdrs(&query).unwrap()).iter().map(number).collect::<Vec<u64>>()
    };
    assert_eq!(found(None, 0, None), (0..30).collect::<Vec<_>>());
    assert_eq!(found(None, EPOCH_MS + 27_000, None), [27, 28, 29]);
    assert_eq!(found(None, EPOCH_MS + 26_001, None), [27, 28, 29]);
    assert_eq!(found(None, 0, Some(2)), [28, 29]);
    assert_eq!(found(None, u64::MAX, None), [0u64; 0]);
    assert_eq!(found(Some("carol@example.test"), EPOCH_MS + 20_000, None), [21, 24, 27]);
    assert_eq!(found(Some("carol@example.test"), 0, Some(2)), [24, 27]);
    assert_eq!(found(Some("alice@example.test"), 0, None).len(), 30);
    assert_eq!(found(Some("nobody@example.test"), 0, None), [0u64; 0]);
}

#[test]
fn reading_breaks_off_when_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    write(&mut database, (0..30).flat_map(both));
    let mut count = 0;
    let each = |_| {
        count += 1;
        if count == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    database.for_each_cdr(&CdrQuery::default(), each).unwrap();
    assert_eq!(count, 3);
}

#[test]
fn who_speaks_with_himself_is_listed_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let started = Started { callee: "alice@example.test".to_owned(), ..started(1) };
    write(&mut database, [Record::Started(started)]);
    let query = CdrQuery { user: Some("alice@example.test".to_owned()), ..CdrQuery::default() };
    assert_eq!(database.cdrs(&query).unwrap().len(), 1);
}

#[test]
fn a_query_by_user_uses_the_indices_and_sorts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    let query = CdrQuery { user: Some("alice@example.test".to_owned()), ..CdrQuery::default() };
    let plan: Vec<String> = database
        .connection
        .prepare(&format!("EXPLAIN QUERY PLAN {}", cdr::select(&query)))
        .unwrap()
        .query_map(["alice@example.test", ""], |row| row.get(3))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let plan = plan.join("; ");
    assert!(plan.contains("cdr_by_caller") && plan.contains("cdr_by_callee"), "{plan}");
    assert!(plan.contains("conference_cdr_by_organiser"), "{plan}");
    assert!(plan.contains("conference_visit_by_member"), "{plan}");
    assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{plan}");
}

#[test]
fn what_is_known_of_a_user_is_kept_and_can_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let mut alice = user("alice@example.test", "a");
    let person = |n: u8| Person {
        title: format!("title {n}").into(),
        department: format!("department {n}").into(),
        company: format!("company {n}").into(),
        office: format!("office {n}").into(),
        email: format!("email {n}").into(),
        phone_work: format!("work {n}").into(),
        phone_mobile: format!("mobile {n}").into(),
        phone_home: format!("home {n}").into(),
        photo_url: format!("https://example.test/{n}").into(),
        photo_hash: format!("hash {n}").into(),
    };
    alice.set_person(person(1)).unwrap();
    alice.set_policy("sales").unwrap();
    database.change_user(&UserChange::Add(alice.clone())).unwrap();
    assert_eq!(database.user(&alice.aor).unwrap(), Some(alice.clone()));
    alice.set_person(person(2)).unwrap();
    alice.set_policy("").unwrap();
    database.change_user(&UserChange::Update(alice.clone())).unwrap();
    assert_eq!(database.user(&alice.aor).unwrap(), Some(alice));
}

#[test]
fn a_picture_takes_the_place_of_another_and_goes_with_its_user() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    database.change_user(&UserChange::Add(user("alice@example.test", "a"))).unwrap();
    let picture = |name: &[u8]| Photo { large: name.into(), small: (*b"small").into() };
    let put = |aor: &str, photo: Option<Photo>| {
        let url = Some(format!("https://a.test/{}", photo.is_some()));
        UserChange::Photo(Box::new(PhotoChange { aor: aor.to_owned(), photo, url }))
    };
    let (first, second) = (picture(b"first"), picture(b"second"));
    database.change_user(&put("alice@example.test", Some(first.clone()))).unwrap();
    let version = database.users_version().unwrap();
    assert_eq!(database.photo("alice@example.test").unwrap(), Some(first.clone()));
    let card = database.user("alice@example.test").unwrap().unwrap().person;
    assert_eq!(*card.photo_url, *"https://a.test/true");
    assert_eq!(*card.photo_hash, *first.hash().to_string());
    database.change_user(&put("alice@example.test", Some(second.clone()))).unwrap();
    assert!(database.users_version().unwrap() > version, "the cores are told");
    assert_eq!(database.photo_by_hash(second.hash()).unwrap(), Some(second.clone()));
    assert_eq!(database.photo_by_hash(first.hash()).unwrap(), None);
    for photo in [Some(first), None] {
        let nobody = database.change_user(&put("bob@example.test", photo));
        assert!(matches!(nobody, Err(StoreError::NoSuchUser(_))), "{nobody:?}");
    }
    database.change_user(&put("alice@example.test", None)).unwrap();
    database.change_user(&put("alice@example.test", None)).unwrap();
    let card = database.user("alice@example.test").unwrap().unwrap().person;
    assert!(card.photo_url.is_empty() && card.photo_hash.is_empty());
    database.change_user(&put("alice@example.test", Some(second.clone()))).unwrap();
    database.change_user(&UserChange::Remove("alice@example.test".to_owned())).unwrap();
    assert_eq!(database.photo_by_hash(second.hash()).unwrap(), None);
}
