//! The pages for people: who may see them, what stands on them, and what they do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Fake, FakeAccounts, ask_host, start, two_shards};
use crate::admin::Health;
use crate::admin::accounts::{AccountChange, Trouble};
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, ConnId, Dialect, ShardId, Slot};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::base::transport::Transport;
use crate::contacts::ContactList;
use crate::dialect::reject::Reject;
use crate::directory::User;
use crate::metrics::counters::{AuthFailure, TlsCipher};
use crate::metrics::store::Alarm;
use crate::presence::card::Card;
use crate::presence::container::Relation;
use crate::presence::presentity::Presentity;
use crate::shard::conference_standing::ConferenceList;
use crate::shard::question::{
    Answer, ConnectionStanding, Endpoint, Presence, Question, Seen, Standing,
};
use crate::shard::refusals::{Cause, Refused};
use crate::shard::session_standing::{SessionList, SessionSummary};
use crate::wire::sip::Method;

const HOST: &str = "localhost:9090";
const NAME: &str = "C71C6BB0267883E2248C1EA7F80725B8";

fn aor(name: &str) -> Aor {
    Aor::new(&format!("{name}@example.test"))
}

async fn get(fake: Fake, path: &str) -> (String, String) {
    ask_host(start(fake, Limits::default()).await, &format!("GET {path}"), HOST).await
}

/// A page that is shown.
async fn shown(fake: Fake, path: &str) -> String {
    let (status, page) = get(fake, path).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    page
}

#[tokio::test]
async fn the_overview_says_whether_the_server_is_well() {
    let health = Health { store: Some(Alarm::DiskFull), ..Health::default() };
    let fake = Fake { shards: two_shards(), health: Mutex::new(health), ..Fake::default() };
    let page = shown(fake, "/console").await;
    assert!(page.contains("<strong>Store</strong><span>the disk is full"), "{page}");
    assert!(page.contains(r#"<li class="bad">"#), "{page}");
    assert!(page.contains("2 answer, 0 stood still lately"), "{page}");
    assert!(page.contains(r#"<a href="/console" aria-current="page">Overview</a>"#), "{page}");
    assert!(page.contains("content-security-policy: default-src 'none'"), "{page}");
}

#[tokio::test]
async fn refusals_are_told_by_cause() {
    let page = shown(Fake { shards: two_shards(), ..Fake::default() }, "/console/refusals").await;
    let row = |cause: &str| {
        format!(
            "<th role=\"rowheader\" scope=\"row\">{cause}</th>\
             <td role=\"cell\" class=\"number\" data-label=\"Lately\">0</td>\
             <td role=\"cell\" class=\"number\" data-label=\"In all\">2</td>"
        )
    };
    for cause in ["wrong password", "401", "tls"] {
        assert!(page.contains(&row(cause)), "{cause}: {page}");
    }
    assert!(page.contains("<p class=\"small\">None.</p>"), "{page}");
}

#[tokio::test]
async fn only_the_machine_of_the_server_sees_the_console() {
    for path in ["", "/refusals", "/users", "/sessions", "/conferences", "/limits", "/certificates"]
    {
        let path = format!("/console{path}");
        let address = start(Fake::default(), Limits::default()).await;
        let line = format!("GET {path}");
        let (status, _) = ask_host(address, &line, "evil.example:9090").await;
        assert_eq!(status, "HTTP/1.1 403 Forbidden", "{path}");
    }
}

const HOSTILE: &str = "<script>alert('1')</script>\"&";
const ESCAPED: &str = "&lt;script&gt;alert('1')&lt;/script&gt;&quot;&amp;";

fn user(name: &str) -> User {
    let aor = format!("{name}@example.test");
    let mut user = User::with_password(&aor, None, "", "example.test", "secret").unwrap();
    HOSTILE.clone_into(&mut user.display_name);
    user.disabled = name == "bob";
    user
}

fn accounts(users: Vec<User>) -> FakeAccounts {
    FakeAccounts { users, ..FakeAccounts::default() }
}

#[tokio::test]
async fn users_are_found_by_text_page_by_page() {
    let names = (0..60).map(|number| format!("user{number:02}"));
    let users: Vec<User> = names.map(|name| user(&name)).chain([user("bob")]).collect();
    let fake = || {
        let known = Answer::Endpoints(vec![(aor("user01"), 3)]);
        Fake { accounts: accounts(users.clone()), answer: Some(known), ..Fake::default() }
    };
    let page = shown(fake(), "/console/users?q=user").await;
    assert_eq!(page.matches("scope=\"row\">").count(), 50);
    let row = |name: &str, devices: u32| {
        format!(
            "<a href=\"/console/users/{name}@example.test\">{name}@example.test</a></th>\
             <td role=\"cell\" data-label=\"Name\">{ESCAPED}</td>\
             <td role=\"cell\" data-label=\"Account\"><span class=\"pill good\">enabled</span></td>\
             <td role=\"cell\" data-label=\"Policy\">default</td>\
             <td role=\"cell\" class=\"number\" data-label=\"Devices\">{devices}</td>"
        )
    };
    assert!(page.contains(&row("user00", 0)) && page.contains(&row("user01", 3)), "{page}");
    assert!(!page.contains("<script>"), "{page}");
    let next = "/console/users?q=user&amp;after=user49%40example.test";
    assert!(page.contains(&format!("href=\"{next}\"")), "{page}");
    let page = shown(fake(), &next.replace("&amp;", "&")).await;
    assert_eq!(page.matches("scope=\"row\">").count(), 10);
    assert!(!page.contains("Next page"), "{page}");
    let page = shown(fake(), "/console/users?q=bob").await;
    assert!(page.contains("<span class=\"pill bad\">disabled</span>"), "{page}");
    let page = shown(fake(), "/console/users?q=%3Cscript%3E").await;
    assert!(page.contains("value=\"&lt;script&gt;\"") && !page.contains("<script>"), "{page}");
    assert!(page.contains("There is no such user."), "{page}");
}

#[tokio::test]
async fn a_database_or_a_core_that_does_not_answer_is_said() {
    let trouble = Some(Trouble::Unavailable("the disk is full".to_owned()));
    let broken = FakeAccounts { trouble, ..FakeAccounts::default() };
    let (status, page) = get(Fake { accounts: broken, ..Fake::default() }, "/console/users").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(page.contains("the disk is full"), "{page}");
    let fake = Fake { accounts: accounts(vec![user("alice")]), ..Fake::default() };
    let page = shown(fake, "/console/users").await;
    assert!(page.contains("A core does not answer") && page.contains(">?</td>"), "{page}");
}

const CONN: ConnId = ConnId { shard: ShardId(1), slot: Slot { index: 2, generation: 3 } };

/// Alice, with one device and one refusal, as bob sees her.
fn alice() -> Fake {
    let card = Card { display_name: HOSTILE.into(), ..Card::default() };
    let presentity = Presentity::new(Now::default(), card);
    let seen = Seen::new(&presentity, aor("bob"), Relation::SameEnterprise, false);
    let endpoint = Endpoint {
        conn: CONN,
        transport: Transport::Tls,
        dialect: Dialect::Ms,
        epid: Some("01020304".into()),
        user_agent: Some(HOSTILE.into()),
        expires_s: 600,
    };
    let presence = Presence::new(&presentity, vec![endpoint], Some(seen));
    let alice = aor("alice");
    let connection = ConnectionStanding {
        conn: CONN,
        peer: "192.0.2.7:40000".parse().unwrap(),
        origin: Some("192.0.2.7".parse().unwrap()),
        cipher: Some(TlsCipher::Aes128Gcm),
        since_unix_ms: 1_800_000_000_000,
    };
    let refused = Refused {
        unix_ms: 1_800_000_000_000,
        user: alice.clone(),
        peer: None,
        origin: None,
        transport: None,
        method: Method::Register,
        to: None,
        cause: Cause::Auth(AuthFailure::WrongPassword),
        client: HOSTILE.into(),
    };
    let standing = Standing { known: true, locked_s: Some(9), ..Standing::default() };
    let presence = Answer::Presence(Box::new(presence));
    let contacts = Answer::Contacts((&ContactList::default()).into());
    let answers = vec![
        (Question::Presence { user: alice.clone(), watcher: Some(aor("bob")) }, presence.clone()),
        (Question::Presence { user: alice.clone(), watcher: None }, presence),
        (Question::Watchers(alice.clone()), Answer::Watchers(Vec::new())),
        (Question::Contacts(alice.clone()), contacts),
        (Question::Standing(alice.clone()), Answer::Standing(Box::new(standing))),
        (Question::Connections(vec![CONN]), Answer::Connections(vec![connection])),
        (Question::Refusals(Some(alice.clone())), Answer::Refusals(vec![refused])),
        (Question::SignOut { user: alice.clone(), conn: Some(CONN) }, Answer::SignedOut(1)),
        (Question::SignOut { user: alice, conn: None }, Answer::SignedOut(0)),
    ];
    Fake { answers, accounts: accounts(vec![user("alice"), user("bob")]), ..Fake::default() }
}

#[tokio::test]
async fn a_user_is_shown_as_he_is_and_as_another_sees_him() {
    let page = shown(alice(), "/console/users/alice@example.test?as=bob@example.test").await;
    assert!(page.contains("<strong>offline</strong>"), "{page}");
    assert!(page.contains("Access level 200, colleagues."), "{page}");
    assert!(page.contains(&format!("<li>name {ESCAPED}</li>")), "{page}");
    assert!(page.contains("locked out for 9 s"), "{page}");
    assert!(page.contains("ms over TLS 1.3") && page.contains("192.0.2.7:40000"), "{page}");
    assert!(page.contains("2027-01-15T08:00:00Z"), "{page}");
    assert!(page.contains("The password is wrong (wrong password)"), "{page}");
    assert!(page.contains("Policy (default)"), "{page}");
    assert!(!page.contains("<script>"), "{page}");
    let (status, page) = get(Fake::default(), "/console/users/alice@example.test").await;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(page.contains("does not answer"), "{page}");
    let nobody = || Fake { answer: Some(Answer::NoSuchUser), ..Fake::default() };
    let (status, page) = get(nobody(), "/console/users/carol@example.test").await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
    assert!(page.contains("There is no user carol@example.test."), "{page}");
    let new = Fake { accounts: accounts(vec![user("carol")]), ..nobody() };
    let page = shown(new, "/console/users/carol@example.test").await;
    assert!(page.contains("just added"), "{page}");
}

#[tokio::test]
async fn refusals_are_shown_one_by_one_and_by_cause() {
    let refused = |cause, client: &str| Refused {
        unix_ms: 0,
        user: aor("alice"),
        peer: None,
        origin: None,
        transport: None,
        method: Method::Message,
        to: Some(aor("bob")),
        cause,
        client: client.into(),
    };
    let fake = || Fake {
        answer: Some(Answer::Refusals(vec![
            refused(Cause::Auth(AuthFailure::WrongPassword), "one"),
            refused(Cause::Reject(Reject::NoEndpoint), "two"),
        ])),
        ..Fake::default()
    };
    let page = shown(fake(), "/console/refusals").await;
    assert!(page.contains("All (2)") && page.contains("The password is wrong (1)"), "{page}");
    assert!(page.contains(">one<") && page.contains(">two<"), "{page}");
    let page = shown(fake(), "/console/refusals?cause=wrong_password").await;
    assert!(page.contains(">one<") && !page.contains(">two<"), "{page}");
    let page = shown(fake(), "/console/refusals?cause=%3Cscript%3E").await;
    assert!(page.contains("None.") && !page.contains("<script>"), "{page}");
}

#[tokio::test]
async fn sessions_are_listed() {
    let session = SessionSummary {
        caller: aor("alice"),
        callee: aor("bob"),
        established: true,
        bridged: true,
        to_conference: false,
        since_unix_ms: 1_800_000_000_000,
        messages: 1234,
    };
    let list = SessionList { total: 5000, sessions: vec![session] };
    let fake = Fake { answer: Some(Answer::Sessions(list)), ..Fake::default() };
    let page = shown(fake, "/console/sessions").await;
    assert!(page.contains("1 of 5,000 two-party sessions"), "{page}");
    assert!(page.contains("established, one end in pager mode"), "{page}");
    assert!(page.contains("2027-01-15T08:00:00Z") && page.contains("1,234"), "{page}");
}

#[tokio::test]
async fn limits_that_were_hit_are_told_with_their_bound_and_what_to_do() {
    let page = shown(Fake { shards: two_shards(), ..Fake::default() }, "/console/limits").await;
    for part in [
        "<code>endpoints_per_user_max</code></th>",
        "data-label=\"Bound\">8</td>",
        "data-label=\"Lately\">0</td>",
        "data-label=\"In all\">2</td>",
        ">Endpoints (bindings) of one user.<br>",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(page.contains("after <code>mynah reload</code>."), "{page}");
    assert!(page.contains("mesh_queue_frames_max"), "all are listed: {page}");
}

#[tokio::test]
async fn certificates_are_told_with_their_days() {
    let page = shown(Fake::default(), "/console/certificates").await;
    assert!(page.contains("<code>/etc/mynah/sip.pem</code>"), "{page}");
    assert!(page.contains("sip.example.test") && page.contains("1970-01-01T00:00:01Z"), "{page}");
    assert!(page.contains("<span class=\"pill bad\">bad</span> it expired"), "{page}");
    let page = shown(Fake { shards: two_shards(), ..Fake::default() }, "/console").await;
    assert!(page.contains("Certificates</a></strong><span>/etc/mynah/sip.pem: it exp"), "{page}");
}

/// Sends a form as a browser does; the status line and the whole answer.
async fn post(
    address: SocketAddr,
    path: &str,
    headers: &str,
    fields: &[(&str, &str)],
) -> (String, String) {
    let mut body = form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(fields).finish();
    let len = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len}\r\n\r\n{body}"
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer.lines().next().unwrap().to_owned(), answer)
}

/// The token of the form that is shown at `page` and sent to `action`.
async fn token(address: SocketAddr, page: &str, action: &str) -> String {
    let (_, page) = ask_host(address, &format!("GET {page}"), HOST).await;
    let form = page.split_once(&format!("method=\"post\" action=\"{action}\"")).expect(&page).1;
    let token = form.split_once("name=\"token\" value=\"").unwrap().1;
    token.split_once('"').unwrap().0.to_owned()
}

const OWN: &str = "Sec-Fetch-Site: same-origin\r\n";

#[tokio::test]
async fn an_account_is_changed_by_the_form_that_says_so() {
    let fake = alice();
    let (changes, asked) = (fake.accounts.changes.clone(), fake.asked.clone());
    let address = start(fake, Limits::default()).await;
    let of = |user: &str, action: &str| format!("/console/users/{user}@example.test/{action}");

    let disable = of("alice", "disable");
    let good = token(address, &disable, &disable).await;
    let (status, answer) = post(address, &disable, OWN, &[("token", &good)]).await;
    assert_eq!(status, "HTTP/1.1 303 See Other");
    assert!(answer.contains("location: /console/users/alice@example.test?done=disabled\r\n"));
    let page = ask_host(address, "GET /console/users/alice@example.test?done=disabled", HOST).await;
    assert!(page.1.contains("The account is disabled"), "{}", page.1);

    // One without harm has its form on the page of the user.
    let enable = of("alice", "enable");
    let good = token(address, &enable, &enable).await;
    post(address, &enable, OWN, &[("token", &good)]).await;

    let password = of("alice", "password");
    let good = token(address, &password, &password).await;
    let (status, page) = post(address, &password, OWN, &[("token", &good)]).await;
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(page.contains("cache-control: no-store"), "{page}");
    let secret = page.split_once("<code class=\"secret\">").unwrap().1;
    let secret = secret.split_once('<').unwrap().0.to_owned();
    let changes = std::mem::take(&mut *changes.lock().unwrap());
    let [AccountChange::Disable(one), AccountChange::Enable(two), AccountChange::Password(_, set)] =
        &changes[..]
    else {
        panic!("{changes:?}");
    };
    assert_eq!((one, two, &**set), (&aor("alice"), &aor("alice"), &secret));

    let sign_out = of("alice", "sign-out");
    let conn = String::from_utf8(CONN.token().to_vec()).unwrap();
    let good = token(address, &sign_out, &sign_out).await;
    let (_, answer) =
        post(address, &sign_out, OWN, &[("token", &good), ("connection", &conn)]).await;
    assert!(answer.contains("?done=signed-out\r\n"), "{answer}");
    let (_, answer) = post(address, &sign_out, OWN, &[("token", &good)]).await;
    assert!(answer.contains("?done=not-signed-in\r\n"), "{answer}");
    let (status, _) = post(address, &sign_out, OWN, &[("token", &good), ("connection", "x")]).await;
    assert_eq!(status, "HTTP/1.1 400 Bad Request");
    let one = Question::SignOut { user: aor("alice"), conn: Some(CONN) };
    assert!(asked.lock().unwrap().contains(&one));
    let (status, _) = ask_host(address, &format!("GET {}", of("alice", "remove")), HOST).await;
    assert_eq!(status, "HTTP/1.1 404 Not Found");
}

#[tokio::test]
async fn no_form_is_obeyed_that_is_not_of_the_console_and_fresh() {
    let fake = alice();
    let changes = fake.accounts.changes.clone();
    let address = start(fake, Limits::default()).await;
    let path = "/console/users/alice@example.test/disable";
    let good = token(address, path, path).await;
    for headers in [
        "Origin: http://evil.example\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\nOrigin: http://localhost:9090\r\n",
        "X-Forwarded-For: 192.0.2.1\r\nSec-Fetch-Site: same-origin\r\n",
        "",
    ] {
        let (status, _) = post(address, path, headers, &[("token", &good)]).await;
        assert_eq!(status, "HTTP/1.1 403 Forbidden", "{headers}");
    }
    let other = path.replace("alice", "bob");
    let of_other = token(address, &other, &other).await;
    let elsewhere = start(alice(), Limits::default()).await;
    let of_another_process = token(elsewhere, path, path).await;
    for bad in ["", "x", &of_other, &of_another_process] {
        let (status, page) = post(address, path, OWN, &[("token", bad)]).await;
        assert_eq!(status, "HTTP/1.1 403 Forbidden", "{bad}");
        assert!(page.contains("open the page anew"), "{page}");
    }
    let long = "x".repeat(5000);
    let (status, _) = post(address, path, OWN, &[("token", &good), ("x", &long)]).await;
    assert_eq!(status, "HTTP/1.1 413 Payload Too Large");
    assert!(changes.lock().unwrap().is_empty());
    let own = "Origin: http://localhost:9090\r\n";
    let (status, _) = post(address, path, own, &[("token", &good)]).await;
    assert_eq!(status, "HTTP/1.1 303 See Other");
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
    let answer = Some(Answer::ConferenceEnded);
    let fake = Fake { answer, asked: asked.clone(), ..Fake::default() };
    let address = start(fake, Limits::default()).await;
    let path = format!("/console/conferences/{NAME}/end");
    let good = token(address, &path, &path).await;
    let foreign = "Origin: http://evil.example\r\n";
    let (status, _) = post(address, &path, foreign, &[("token", &good)]).await;
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
    let (status, _) = post(address, &path, OWN, &[]).await;
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
    let (status, _) = post(address, &path, OWN, &[("token", &good)]).await;
    assert_eq!(status, "HTTP/1.1 303 See Other");
    let id = ConferenceId::parse(NAME.as_bytes()).unwrap();
    assert_eq!(*asked.lock().unwrap(), [Question::EndConference(id)]);
}
