//! Questions about a user: who may ask, and how the answers read.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::super::report::{ContactsReport, PresenceReport, WatchersReport};
use super::{Fake, ask_host, start};
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, Dialect, ShardId, Slot, SubscriptionId};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::base::transport::Transport;
use crate::contacts::{self, ContactList, Group, GroupId};
use crate::presence::card::{Card, Phone, PhoneKind};
use crate::presence::category::{Category, CategorySet};
use crate::presence::container::{ContainerId, Relation};
use crate::presence::presentity::Presentity;
use crate::presence::publication::{Key, Life, Meaning, Payload, Publication};
use crate::presence::row::Row;
use crate::presence::state::{Availability, Note, NoteKind, State, StateKind};
use crate::presence::watch::Format;
use crate::shard::question::{Answer, Endpoint, Presence, Question, Seen, Watcher};

const HOST: &str = "127.0.0.1:9090";

fn aor(name: &str) -> Aor {
    Aor::new(&format!("{name}@example.test"))
}

/// Status line and body of the answer to a GET.
async fn get(fake: Fake, path: &str) -> (String, String) {
    let address = start(fake, Limits::default()).await;
    let (status, answer) = ask_host(address, &format!("GET {path}"), HOST).await;
    (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
}

fn answering(answer: Answer) -> Fake {
    Fake { answer: Some(answer), ..Fake::default() }
}

/// A connection, or a subscription, on shard 1.
fn slot(index: u32) -> Slot {
    Slot { index, generation: 1 }
}

fn presentity() -> Presentity {
    let card = Card {
        display_name: "Alice".into(),
        phones: vec![Phone {
            kind: PhoneKind::Work,
            display: "+1 555".into(),
            uri: "tel:+1555".into(),
        }],
        ..Card::default()
    };
    let mut presentity = Presentity::new(Now::default(), card);
    let note = Meaning::Note(Note { kind: NoteKind::Personal, text: "back soon".into() });
    let state = Meaning::State(State::new(StateKind::User, Availability::BUSY));
    for (category, container, meaning) in [(Category::Note, 200, note), (Category::State, 2, state)]
    {
        presentity.restore(Row::PutPublication(Publication {
            key: Key { category, container: ContainerId(container), instance: 0 },
            version: 3,
            published_ms: 1_800_000_000_999,
            life: Life::Static,
            payload: Arc::new(Payload { meaning, source: "".into() }),
        }));
    }
    presentity.restore(Row::PutSubscriber { user: aor("bob"), acknowledged: false });
    presentity
}

#[tokio::test]
async fn each_page_asks_the_home_of_its_user() {
    let asked = Arc::<Mutex<Vec<Question>>>::default();
    let fake = Fake { asked: asked.clone(), ..answering(Answer::NoSuchUser) };
    let address = start(fake, Limits::default()).await;
    for path in [
        "/contacts/Alice@example.test",
        "/presence/a&b=c+d!@example.test",
        "/presence/alice@example.test/as/bob%40example.test",
        "/watchers/sip:alice@example.test",
    ] {
        let (status, answer) = ask_host(address, &format!("GET {path}"), HOST).await;
        assert_eq!(status, "HTTP/1.1 404 Not Found");
        assert!(answer.ends_with(r#"{"error":"no such user"}"#), "{answer}");
    }
    let presence = |user, watcher| Question::Presence { user, watcher };
    assert_eq!(
        *asked.lock().unwrap(),
        [
            Question::Contacts(aor("alice")),
            presence(aor("a&b=c+d!"), None),
            presence(aor("alice"), Some(aor("bob"))),
            Question::Watchers(aor("alice")),
        ]
    );
}

#[tokio::test]
async fn what_is_no_address_is_refused_unasked() {
    let asked = Arc::<Mutex<Vec<Question>>>::default();
    let fake = Fake { asked: asked.clone(), ..answering(Answer::NoSuchUser) };
    let address = start(fake, Limits::default()).await;
    for path in ["/contacts/alice", "/presence/%ff@x", "/presence/a@x.test/as/b", "/watchers/%00@x"]
    {
        let (status, _) = ask_host(address, &format!("GET {path}"), HOST).await;
        assert_eq!(status, "HTTP/1.1 400 Bad Request", "{path}");
    }
    assert_eq!(*asked.lock().unwrap(), []);
}

#[tokio::test]
async fn a_page_in_a_browser_and_a_stranger_behind_a_proxy_learn_nothing() {
    let path = "GET /contacts/alice@example.test";
    for (host, status) in [
        ("evil.example:9090", "HTTP/1.1 403 Forbidden"),
        ("localhost.evil.example", "HTTP/1.1 403 Forbidden"),
        ("localhost:9090", "HTTP/1.1 404 Not Found"),
        ("[::1]:9090", "HTTP/1.1 404 Not Found"),
        ("10.0.0.5", "HTTP/1.1 404 Not Found"),
        ("localhost\r\nX-Forwarded-For: 10.0.0.5", "HTTP/1.1 403 Forbidden"),
    ] {
        let address = start(answering(Answer::NoSuchUser), Limits::default()).await;
        assert_eq!(ask_host(address, path, host).await.0, status, "{host}");
    }
}

#[tokio::test]
async fn a_core_that_does_not_answer_in_time_is_said_to() {
    let fake = Fake { mute: true, ..Fake::default() };
    let limits = Limits { admin_answer_timeout: Duration::from_millis(1), ..Limits::default() };
    let address = start(fake, limits).await;
    let (status, answer) = ask_host(address, "GET /watchers/a@x.test", HOST).await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(answer.ends_with(r#"{"error":"a core that was asked does not answer"}"#), "{answer}");
    assert_eq!(get(Fake::default(), "/watchers/a@x.test").await.0, status);
}

#[tokio::test]
async fn a_contact_list_is_told_whole() {
    let mut list = ContactList::default();
    let id = GroupId::new(2).unwrap();
    let group = Group { id, name: "Birds".into(), external_uri: "".into() };
    list.restore(contacts::Row::PutGroup(group));
    list.restore(contacts::Row::DeltaNumber(2));
    let (status, body) =
        get(answering(Answer::Contacts((&list).into())), "/contacts/alice@example.test").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    let report: ContactsReport = serde_json::from_str(&body).unwrap();
    let groups: Vec<_> = report.groups.iter().map(|group| (group.id, &*group.name)).collect();
    assert_eq!((report.number, &groups[..]), (2, &[(1, "~"), (2, "Birds")][..]));
}

#[tokio::test]
async fn a_presence_document_is_told_with_what_a_watcher_sees() {
    let presentity = presentity();
    let endpoint = Endpoint {
        conn: ConnId::new(ShardId(1), slot(2)),
        transport: Transport::Tls,
        dialect: Dialect::Ms,
        epid: Some("e1".into()),
        user_agent: None,
        expires_s: 300,
    };
    let seen = Seen::new(&presentity, aor("bob"), Relation::SameEnterprise, false);
    let presence = Presence::new(&presentity, vec![endpoint], Some(seen));
    let answer = Answer::Presence(Box::new(presence));
    let (_, body) = get(answering(answer), "/presence/alice@example.test").await;
    let report: PresenceReport = serde_json::from_str(&body).unwrap();
    assert_eq!((report.state.availability, &*report.state.class), (18_500, "offline"));
    assert_eq!(report.endpoints[0].connection, "00010000000200000001");
    let said: Vec<_> = report
        .publications
        .iter()
        .map(|one| (&*one.category, one.version, &*one.life, &*one.published, &*one.text))
        .collect();
    assert_eq!(
        said,
        [
            ("note", 3, "static", "2027-01-15T08:00:00Z", "personal: back soon"),
            ("state", 3, "static", "2027-01-15T08:00:00Z", "user 6500 busy"),
        ]
    );
    let colleagues = report.containers.iter().find(|container| container.id == 200).unwrap();
    assert_eq!(
        (&*colleagues.name, &colleagues.members[..]),
        ("colleagues", &["same_enterprise".to_owned()][..])
    );
    assert_eq!(report.subscribers[0].address, "bob@example.test");
    let seen = report.seen.unwrap();
    assert_eq!(
        (&*seen.watcher, seen.level, &*seen.level_name),
        ("bob@example.test", 200, "colleagues")
    );
    assert_eq!(seen.card, ["name Alice", "work phone +1 555"]);
    assert_eq!(seen.notes, ["personal: back soon"]);
}

#[tokio::test]
async fn watchers_are_told_with_their_levels() {
    let watcher = Watcher {
        watcher: aor("bob"),
        subscription: SubscriptionId::new(ShardId(1), slot(7)),
        level: ContainerId::BLOCKED,
        relation: Relation::Federated,
        is_contact: true,
        format: Format::Pidf,
        categories: CategorySet::ALL,
    };
    let (_, body) =
        get(answering(Answer::Watchers(vec![watcher])), "/watchers/alice@example.test").await;
    let report: WatchersReport = serde_json::from_str(&body).unwrap();
    let one = &report.watchers[0];
    assert_eq!((one.level, &*one.level_name, &*one.relation), (32_000, "blocked", "federated"));
    assert_eq!((&*one.format, &*one.subscription), ("pidf", "00010000000700000001"));
}
