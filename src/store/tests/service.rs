//! Users of a directory service beside those of operators.

use super::super::{Store, StoreError, UserChange};
use super::*;
use crate::directory::{Entry, Origin, Person, Proofs, Secret};

fn entry(name: &str, title: &str) -> Entry {
    Entry {
        dn: format!("uid={name},dc=test"),
        aor: format!("{name}@example.test"),
        login: name.to_owned(),
        display_name: String::new(),
        person: Person { title: title.into(), ..Person::default() },
        policy: None,
        ha1_md5: None,
        ha1_sha256: None,
        nt_hash: None,
        password_changed: None,
        spare: Proofs {
            ha1_md5: Secret::new([1; 16]),
            ha1_sha256: Secret::new([2; 32]),
            nt_hash: Secret::new([3; 16]),
        },
    }
}

fn put(name: &str, title: &str) -> UserChange {
    UserChange::Entry(Box::new(entry(name, title)))
}

#[test]
fn an_entry_makes_a_user_changes_him_and_is_no_change_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    database.change_user(&put("al", "A")).unwrap();
    let version = database.users_version().unwrap();
    database.change_user(&put("al", "A")).unwrap();
    assert_eq!(database.users_version().unwrap(), version);
    database.change_user(&put("al", "B")).unwrap();
    let known = database.known_user("al@example.test").unwrap().unwrap();
    assert_eq!(&*known.user.person.title, "B");
    let dn = "uid=al,dc=test".to_owned();
    let password_changed = None;
    assert_eq!(known.origin, Origin::Service { dn, missing: false, password_changed });
    let changes = database.users_since(version).unwrap().unwrap();
    assert_eq!((changes.changed.len(), changes.removed.len()), (1, 0));
}

#[test]
fn who_is_missing_is_disabled_until_he_is_back_unless_an_operator_did_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    for name in ["al", "bo"] {
        database.change_user(&put(name, "A")).unwrap();
    }
    let aor = |name: &str| format!("{name}@example.test");
    database.change_user(&UserChange::Disable(aor("bo"))).unwrap();
    for name in ["al", "bo", "nobody"] {
        database.change_user(&UserChange::Missing(aor(name))).unwrap();
    }
    let mut seen = Vec::new();
    let each = |aor: &str, disabled| seen.push((aor.to_owned(), disabled));
    assert_eq!(database.for_each_service_user(each).unwrap(), 2);
    assert_eq!(seen, [(aor("al"), true), (aor("bo"), true)]);
    for name in ["al", "bo"] {
        assert!(database.user(&aor(name)).unwrap().unwrap().disabled, "{name}");
        database.change_user(&put(name, "A")).unwrap();
    }
    assert!(!database.user(&aor("al")).unwrap().unwrap().disabled);
    assert!(database.user(&aor("bo")).unwrap().unwrap().disabled);
}

#[test]
fn when_the_password_was_changed_is_kept_and_what_was_proved_before_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let mut entry = entry("al", "A");
    let aor = entry.aor.clone();
    for (time, stays) in [(Some("1"), true), (None, true), (Some("1"), true), (Some("2"), false)] {
        database.change_user(&UserChange::Entry(Box::new(entry.clone()))).unwrap();
        let mut user = database.user(&aor).unwrap().unwrap();
        user.set_password("example.test", "secret").unwrap();
        database.change_user(&UserChange::Update(user.clone())).unwrap();
        entry.password_changed = time.map(str::to_owned);
        database.change_user(&UserChange::Entry(Box::new(entry.clone()))).unwrap();
        let now = database.user(&aor).unwrap().unwrap();
        assert_eq!(now.nt_hash == user.nt_hash, stays, "{time:?}");
    }
}

#[test]
fn a_user_of_an_operator_is_not_the_services() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let alice = user("alice@example.test", "secret");
    database.change_user(&UserChange::Add(alice.clone())).unwrap();
    let refused = database.change_user(&put("alice", "A"));
    assert!(matches!(refused, Err(StoreError::UserExists(_))), "{refused:?}");
    database.change_user(&UserChange::Missing(alice.aor.clone())).unwrap();
    assert_eq!(database.user(&alice.aor).unwrap(), Some(alice));
    assert_eq!(database.for_each_service_user(|_, _| ()).unwrap(), 0);
}

#[test]
fn changes_together_are_each_on_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    handle.change_user(UserChange::Add(user("alice@example.test", "a"))).unwrap().wait().unwrap();
    let changes = vec![put("alice", "A"), put("al", "A"), UserChange::Looked(77)];
    let refused = handle.change_users(changes).unwrap().wait();
    assert!(matches!(refused, Err(StoreError::UserExists(_))), "{refused:?}");
    store.close().unwrap();
    let database = open(folder.path());
    assert!(database.user("al@example.test").unwrap().is_some());
    assert_eq!(database.service_looked().unwrap(), Some(77));
}

#[test]
fn what_is_kept_of_a_user_survives_his_changes_and_goes_with_him() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    database.change_user(&put("al", "A")).unwrap();
    database
        .connection
        .execute_batch("INSERT INTO contact_list VALUES ('al@example.test', 3);")
        .unwrap();
    database.change_user(&put("al", "B")).unwrap();
    let lists = |database: &Database| {
        let sql = "SELECT count(*) FROM contact_list";
        database.connection.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(lists(&database), 1);
    database.change_user(&UserChange::Remove("al@example.test".to_owned())).unwrap();
    assert_eq!(lists(&database), 0);
    assert_eq!(database.for_each_service_user(|_, _| ()).unwrap(), 0);
}
