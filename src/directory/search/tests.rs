use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn user(name: &str, display_name: &str, department: &str) -> Arc<User> {
    let aor = format!("{name}@example.test");
    let mut user = User::with_password(&aor, None, display_name, "example.test", "secret").unwrap();
    user.person.department = department.into();
    user.person.email = format!("mail.{name}@example.test").into();
    user.person.company = "Example Ltd".into();
    Arc::new(user)
}

fn index(users: &[Arc<User>]) -> Index {
    let mut index = Index::default();
    users.iter().for_each(|user| index.insert(user));
    index
}

fn people() -> Index {
    index(&[
        user("alice", "Alice Ames", "Research"),
        user("bob.boyle", "Bob Boyle", "Sales"),
        user("carol", "Carol O'Neil-\u{c9}mile", "Sales & Service"),
        user("zoe", "Zo\u{cb} Ames", "Research"),
    ])
}

fn search(index: &Index, texts: &[(Field, &str)], max: usize) -> (Vec<String>, bool) {
    let limits = Limits::default();
    let findings = index.search(&Query::new(texts.iter().copied(), max, &limits), &limits);
    let name = |found: &Found| found.aor.split('@').next().unwrap().to_owned();
    (findings.users.iter().map(name).collect(), findings.more)
}

fn names(index: &Index, texts: &[(Field, &str)]) -> Vec<String> {
    let (names, more) = search(index, texts, 100);
    assert!(!more);
    names
}

#[test]
fn users_are_found_by_the_beginnings_of_words() {
    let people = people();
    for (field, text, found) in [
        (Field::Any, "AL", &["alice"][..]),
        (Field::Any, "ames", &["alice", "zoe"]),
        (Field::Any, "mes", &[]),
        (Field::Any, "boyle", &["bob.boyle"]),
        (Field::Any, "bob.boyle@example", &["bob.boyle"]),
        (Field::Any, "boyle@example", &[]),
        (Field::Any, "mail.al", &["alice"]),
        (Field::Any, "mail.alice@", &["alice"]),
        (Field::Any, "o'neil", &["carol"]),
        (Field::Any, "\u{e9}mi", &["carol"]),
        (Field::Any, "ZO\u{cb} ames", &["zoe"]),
        (Field::Any, "serv", &["carol"]),
        (Field::Any, "example", &[]),
        (Field::Company, "exam", &["alice", "bob.boyle", "carol", "zoe"]),
        (Field::Name, "sales", &[]),
        (Field::Name, "zoe", &[]),
        (Field::Address, "zoe", &["zoe"]),
        (Field::Address, "sales", &[]),
        (Field::Department, "sales", &["bob.boyle", "carol"]),
        (Field::Email, "mail.carol@example.test", &["carol"]),
        (Field::Email, "carol@example.test", &["carol"]),
        (Field::Unknown, "alice", &[]),
        (Field::Any, "", &[]),
        (Field::Any, " ., ", &[]),
    ] {
        assert_eq!(names(&people, &[(field, text)]), found, "{field:?} {text:?}");
    }
}

#[test]
fn every_word_of_a_query_must_be_there() {
    let people = people();
    let both = [(Field::Name, "ames"), (Field::Department, "res")];
    assert_eq!(names(&people, &both), ["alice", "zoe"]);
    assert_eq!(names(&people, &[(Field::Name, "ames zo")]), ["zoe"]);
    assert_eq!(names(&people, &[(Field::Name, "ames"), (Field::Name, "bob")]), [""; 0]);
    assert_eq!(names(&people, &[(Field::Name, "ames"), (Field::Unknown, "de")]), [""; 0]);
}

#[test]
fn a_changed_a_disabled_and_a_removed_user_are_no_longer_found_as_before() {
    let alice = user("alice", "Alice", "");
    let mut index = index(&[alice.clone(), user("bob", "Bob", "")]);
    let words = index.words_len();
    let mut changed = User::clone(&alice);
    changed.set_display_name("Alina").unwrap();
    let changed = Arc::new(changed);
    index.remove(&alice);
    index.insert(&changed);
    assert_eq!(names(&index, &[(Field::Name, "alice")]), [""; 0]);
    assert_eq!(names(&index, &[(Field::Name, "alina")]), ["alice"]);
    assert_eq!(index.words_len(), words + 1);

    let disabled = Arc::new(User { disabled: true, ..User::clone(&changed) });
    index.remove(&changed);
    index.insert(&disabled);
    assert_eq!(names(&index, &[(Field::Any, "al")]), [""; 0]);
    index.remove(&disabled);
    index.remove(&user("bob", "Bob", ""));
    assert_eq!(index.words_len(), 0);
}

#[test]
fn answers_are_bounded() {
    let people = people();
    assert!(!search(&people, &[(Field::Company, "ex")], 4).1);
    let (names, more) = search(&people, &[(Field::Company, "ex")], 3);
    assert_eq!((names.len(), more), (3, true));

    let limits = Limits { directory_search_results_max: 2, ..Limits::default() };
    let query = Query::new([(Field::Company, "ex")], usize::MAX, &limits);
    let findings = people.search(&query, &limits);
    assert_eq!((findings.users.len(), findings.limit), (2, Some(Limit::SearchResults)));
    assert_eq!(people.search(&Query::new([(Field::Any, "al")], 0, &limits), &limits).users, []);
}

#[test]
fn the_users_looked_at_are_bounded() {
    let limits = Limits { directory_search_candidates_max: 3, ..Limits::default() };
    let found = |texts: &[(Field, &str)]| {
        let findings = people().search(&Query::new(texts.iter().copied(), 100, &limits), &limits);
        (findings.users.len(), findings.more, findings.limit)
    };
    let hit = Some(Limit::SearchCandidates);
    assert_eq!(found(&[(Field::Company, "ex")]), (3, true, hit));
    // The rarer word leads.
    assert_eq!(found(&[(Field::Company, "ex"), (Field::Name, "zo")]), (1, false, None));
}

fn a_user() -> impl Strategy<Value = (u8, Arc<User>)> {
    let words = "[ab\u{c9} ]{0,4}";
    (0u8..6, words, words, words, "[ab]{0,2}", any::<bool>()).prop_map(
        |(number, name, department, company, login, disabled)| {
            let mut user = User::clone(&user(&format!("a.{number}"), &name, &department));
            user.person.company = company.into();
            user.login = login;
            user.person.email = if disabled { "".into() } else { user.person.email };
            user.disabled = disabled && number == 0;
            (number, Arc::new(user))
        },
    )
}

fn a_query() -> impl Strategy<Value = Vec<(Field, String)>> {
    let field = prop::sample::select(vec![
        Field::Address,
        Field::Any,
        Field::Company,
        Field::Department,
        Field::Email,
        Field::Name,
    ]);
    let text =
        prop_oneof!["[ab\u{e9}0-3]{0,3}", Just("a.1@ex".to_owned()), Just("MAIL.a.2@".into())];
    prop::collection::vec((field, text), 0..3)
}

proptest! {
    /// After any inserts, updates and removals a search finds whom a look at every user finds.
    #[test]
    fn the_index_finds_whom_a_scan_finds(
        changes in prop::collection::vec((a_user(), any::<bool>()), 0..12),
        texts in a_query(),
        max in 0usize..6,
    ) {
        let limits = Limits::default();
        let mut index = Index::default();
        let mut users: BTreeMap<u8, Arc<User>> = BTreeMap::new();
        for ((number, user), removed) in changes {
            if let Some(before) = users.remove(&number) {
                index.remove(&before);
            }
            if !removed {
                index.insert(&user);
                users.insert(number, user);
            }
        }
        let query = Query::new(texts.iter().map(|(field, text)| (*field, &**text)), max, &limits);
        let scan = users.values().filter(|user| {
            !query.words.is_empty() && !user.disabled && query.matches(user)
        });
        let scan: Vec<Found> = scan.map(|user| Found::from(&**user)).collect();
        let findings = index.search(&query, &limits);
        prop_assert_eq!(findings.more, scan.len() > max);
        if findings.more {
            prop_assert_eq!(findings.users.len(), max);
            prop_assert!(findings.users.iter().all(|found| scan.contains(found)));
        } else {
            prop_assert_eq!(findings.users, scan);
        }
        for user in users.values() {
            index.remove(user);
        }
        prop_assert_eq!(index.words_len(), 0);
    }
}

#[test]
fn the_word_that_fewest_have_leads_however_many_have_another() {
    let limits = Limits::default();
    let all: Vec<_> = (0..50).map(|n| user(&format!("user{n}"), "Load User", "")).collect();
    let all = index(&all);
    let rarest = |texts: &[&str], max| {
        let query = Query::new(texts.iter().map(|text| (Field::Any, *text)), 10, &limits);
        all.rarest(&query, max).map(str::to_owned)
    };
    assert_eq!(rarest(&["load user user49"], 1000).as_deref(), Some("user49"));
    assert_eq!(rarest(&["user49 load"], 1000).as_deref(), Some("user49"));
    assert_eq!(rarest(&["user nobody"], 1000).as_deref(), Some("nobody"));
    // Above the bound all are the same: the walk ends.
    assert!(rarest(&["load user"], 3).is_some());
    assert_eq!(rarest(&[], 3), None);
}
