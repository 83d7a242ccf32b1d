//! The pages for people: who may see them, what stands on them, and what they do.

use std::sync::{Arc, Mutex};

use super::{Fake, ask_host, start, two_shards};
use crate::admin::Health;
use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::contacts::ContactList;
use crate::metrics::store::Alarm;
use crate::presence::card::Card;
use crate::presence::container::Relation;
use crate::presence::presentity::Presentity;
use crate::shard::conference_standing::ConferenceList;
use crate::shard::question::{Answer, Presence, Question, Seen};

const HOST: &str = "localhost:9090";
const NAME: &str = "C71C6BB0267883E2248C1EA7F80725B8";

fn aor(name: &str) -> Aor {
    Aor::new(&format!("{name}@example.test"))
}

async fn get(fake: Fake, path: &str) -> (String, String) {
    ask_host(start(fake, Limits::default()).await, &format!("GET {path}"), HOST).await
}

/// Asks until the first look at the counters is done.
async fn looked(fake: Fake, path: &str) -> String {
    let address = start(fake, Limits::default()).await;
    loop {
        let (status, page) = ask_host(address, &format!("GET {path}"), HOST).await;
        assert_eq!(status, "HTTP/1.1 200 OK");
        if !page.contains("The first look") {
            return page;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_overview_says_whether_the_server_is_well() {
    let health = Health { store: Some(Alarm::DiskFull), ..Health::default() };
    let fake = Fake { shards: two_shards(), health: Mutex::new(health), ..Fake::default() };
    let page = looked(fake, "/console").await;
    assert!(page.contains("<strong>Store</strong><span>the disk is full"), "{page}");
    assert!(page.contains(r#"<li class="bad">"#), "{page}");
    assert!(page.contains("2 answer, 0 stood still lately"), "{page}");
    assert!(page.contains(r#"<a href="/console" aria-current="page">Overview</a>"#), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
}

#[tokio::test]
async fn refusals_are_told_by_cause() {
    let page = looked(Fake { shards: two_shards(), ..Fake::default() }, "/console/refusals").await;
    let row = |cause: &str| {
        format!(r#"<th scope="row">{cause}</th><td class="number">0</td><td class="number">2</td>"#)
    };
    for cause in ["wrong password", "401", "endpoints per user max", "tls"] {
        assert!(page.contains(&row(cause)), "{cause}: {page}");
    }
    assert!(page.contains("<p class=\"small\">None.</p>"), "{page}");
}

#[tokio::test]
async fn only_the_machine_of_the_server_sees_the_console() {
    for path in ["/console", "/console/refusals", "/console/users", "/console/conferences"] {
        let address = start(Fake::default(), Limits::default()).await;
        let line = format!("GET {path}");
        let (status, _) = ask_host(address, &line, "evil.example:9090").await;
        assert_eq!(status, "HTTP/1.1 403 Forbidden", "{path}");
    }
}

#[tokio::test]
async fn a_user_is_found_by_address_and_what_is_none_is_said() {
    let (status, answer) =
        get(Fake::default(), "/console/users?address=sip:Alice@example.test").await;
    assert_eq!(status, "HTTP/1.1 303 See Other");
    assert!(answer.contains("location: /console/users/alice@example.test\r\n"), "{answer}");
    let (status, page) = get(Fake::default(), "/console/users?address=%3Cscript%3E").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(page.contains("value=\"&lt;script&gt;\"") && !page.contains("<script>"), "{page}");
    assert!(page.contains(r#"role="alert""#), "{page}");
}

#[tokio::test]
async fn a_user_is_shown_as_he_is_and_as_another_sees_him() {
    let card = Card { display_name: "<Alice>".into(), ..Card::default() };
    let presentity = Presentity::new(Now::default(), card);
    let seen = Seen::new(&presentity, aor("bob"), Relation::SameEnterprise, false);
    let presence = Presence::new(&presentity, Vec::new(), Some(seen));
    let alice = aor("alice");
    let fake = || Fake {
        answers: vec![
            (
                Question::Presence { user: alice.clone(), watcher: Some(aor("bob")) },
                Answer::Presence(Box::new(presence.clone())),
            ),
            (Question::Watchers(alice.clone()), Answer::Watchers(Vec::new())),
            (Question::Contacts(alice.clone()), Answer::Contacts((&ContactList::default()).into())),
        ],
        ..Fake::default()
    };
    let (status, page) = get(fake(), "/console/users/alice@example.test?as=bob@example.test").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(page.contains("<strong>offline</strong>"), "{page}");
    assert!(page.contains("Access level 200, colleagues."), "{page}");
    assert!(page.contains("<li>name &lt;Alice&gt;</li>"), "{page}");
    let (status, page) = get(fake(), "/console/users/alice@example.test").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(page.contains("does not answer"), "{page}");
    let nobody = Fake { answer: Some(Answer::NoSuchUser), ..Fake::default() };
    let (status, page) = get(nobody, "/console/users/carol@example.test").await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    assert!(page.contains("There is no user carol@example.test."), "{page}");
}

#[tokio::test]
async fn conferences_are_listed() {
    let list = Answer::Conferences(ConferenceList::default());
    let (status, page) =
        get(Fake { answer: Some(list), ..Fake::default() }, "/console/conferences").await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(page.contains("0 of 0, those with the most members first."), "{page}");
}

#[tokio::test]
async fn only_a_page_of_the_console_ends_a_conference() {
    let asked = Arc::<Mutex<Vec<Question>>>::default();
    for (headers, status) in [
        ("Origin: http://localhost:9090", "HTTP/1.1 303 See Other"),
        ("Sec-Fetch-Site: same-origin", "HTTP/1.1 303 See Other"),
        ("Origin: http://evil.example", "HTTP/1.1 403 Forbidden"),
        ("Sec-Fetch-Site: cross-site", "HTTP/1.1 403 Forbidden"),
        ("Sec-Fetch-Site: same-site\r\nOrigin: http://localhost:9090", "HTTP/1.1 403 Forbidden"),
        ("X-Nothing: 1", "HTTP/1.1 403 Forbidden"),
    ] {
        let answer = Some(Answer::ConferenceEnded);
        let fake = Fake { answer, asked: asked.clone(), ..Fake::default() };
        let address = start(fake, Limits::default()).await;
        let line = format!("POST /console/conferences/{NAME}/end");
        let (told, _) = ask_host(address, &line, &format!("{HOST}\r\n{headers}")).await;
        assert_eq!(told, status, "{headers}");
    }
    let id = ConferenceId::parse(NAME.as_bytes()).unwrap();
    assert_eq!(*asked.lock().unwrap(), [Question::EndConference(id), Question::EndConference(id)]);
}
