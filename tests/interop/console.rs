//! The console in a real browser, without a window: what people read and do, on a desk and on a phone.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::browser::Browser;
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::server::{PASSWORD, Server};
use crate::outside::session::Session;
use crate::outside::stream::Stream;

/// The width of a window on a desk, and of one on a phone.
const DESK: u32 = 1280;
const PHONE: u32 = 390;
/// What a name may hold that must never be taken for a part of a page.
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&";

/// A server where something goes on.
fn busy() -> (Server, [Endpoint; 2]) {
    let server = Server::serve("[limits]\nendpoints_per_user_max = 1\n");
    let [mut alice, mut bob] = ["alice", "bob"].map(|user| Endpoint::tls(&server, user));
    Session::open(&mut alice, &mut bob);
    let set = ["user", "set", "carol@example.test", "--display-name", HOSTILE];
    assert!(server.command(&set).status.success());
    let mut carol = Endpoint { user: "carol".to_owned(), stream: Stream::tls(&server), cseq: 0 };
    assert_ne!(carol.register("wrong").status(), 200);
    let mut second = Endpoint { user: "alice".to_owned(), stream: Stream::tls(&server), cseq: 0 };
    assert_ne!(second.register(PASSWORD).status(), 200);
    (server, [alice, bob])
}

#[test]
fn every_page_reads_well_in_both_schemes_and_sizes_and_fetches_nothing_from_elsewhere() {
    let (server, _clients) = busy();
    let mut browser = Browser::start();
    let own = format!("http://{}", server.ready.http);
    let mut backgrounds = BTreeSet::new();
    let pages = [
        ("overview", "/console", "Health"),
        ("users", "/console/users", "alice@example.test"),
        ("user", "/console/users/alice@example.test?as=bob@example.test", "Last refusals"),
        ("hostile", "/console/users/carol@example.test", "<script>alert(1)</script>"),
        ("disable", "/console/users/alice@example.test/disable", "signed out of all devices"),
        ("sessions", "/console/sessions", "bob@example.test"),
        ("conferences", "/console/conferences", "0 of 0"),
        ("refusals", "/console/refusals?cause=wrong_password", "The password is wrong"),
        ("limits", "/console/limits", "Endpoints (bindings) of one user."),
        ("certificates", "/console/certificates", "days left"),
        ("missing", "/console/users/nobody@example.test", "There is no user"),
    ];
    for (scheme, width) in [("light", DESK), ("light", PHONE), ("dark", DESK), ("dark", PHONE)] {
        browser.show_as(width, scheme);
        for (name, path, wanted) in pages {
            browser.open(&format!("{own}{path}"));
            let text = browser.text();
            assert!(text.contains(wanted), "{path}: {text}");
            browser.picture(&format!("console-{name}-{scheme}-{width}"));
            // Also what is folded away at first is no wider than the window.
            browser.value("document.querySelectorAll('details').forEach(it => it.open = true)");
            let wide = browser.value("document.documentElement.scrollWidth");
            assert!(wide.as_u64().unwrap() <= u64::from(width), "{path} is {wide} wide at {width}");
            let background = browser.value("getComputedStyle(document.body).backgroundColor");
            backgrounds.insert((scheme, background.to_string()));
            check_structure(&mut browser, path);
            let (mut complaints, fetched) = browser.complaints_and_fetched();
            if name == "missing" {
                // The browser says of itself that the answer is 404.
                complaints.retain(|text| !text.contains("404"));
            }
            assert!(complaints.is_empty(), "{path}: {complaints:?}");
            assert!(fetched.iter().all(|url| url.starts_with(&own)), "{path}: {fetched:?}");
        }
    }
    assert_eq!(backgrounds.len(), 2, "one for each scheme: {backgrounds:?}");
}

/// What those need who do not see the page, or have no mouse.
fn check_structure(browser: &mut Browser, path: &str) {
    for (what, faults) in [
        ("a heading above all", "document.querySelectorAll('h1').length !== 1"),
        ("a language", "!document.documentElement.lang"),
        (
            "a name for each field",
            "[...document.querySelectorAll('input:not([type=hidden])')].some(i => !i.labels.length)",
        ),
        ("a scope for each head", "[...document.querySelectorAll('th')].some(t => !t.scope)"),
        (
            "words in each link and button",
            "[...document.querySelectorAll('a, button')].some(a => !a.textContent.trim())",
        ),
        ("no script", "document.scripts.length > 0"),
    ] {
        assert_eq!(browser.value(faults), false, "{path} has not {what}");
    }
    // The first thing the keyboard reaches leads past the bar of pages, and is seen then.
    browser.tab();
    let skip = browser.value(
        "(() => { const a = document.activeElement, r = a.getBoundingClientRect(); \
         return a.hash === '#content' && r.left >= 0 && r.right <= innerWidth && r.top >= 0 })()",
    );
    assert_eq!(skip, true, "{path}");
    browser.tab();
    let outline = browser.value(
        "[document.activeElement.tagName, getComputedStyle(document.activeElement).outlineStyle]",
    );
    assert_eq!(outline, serde_json::json!(["A", "solid"]), "{path}: the focus is seen");
}

#[test]
fn an_operator_sees_who_is_signed_in_and_that_the_server_is_well() {
    let server = Server::demo();
    let _alice = Endpoint::tls(&server, "alice");
    let at = |path: &str| format!("http://{}{path}", server.ready.http);
    let mut browser = Browser::start();
    browser.show_as(DESK, "light");
    eventually("alice is counted", || {
        browser.open(&at("/console"));
        let page = browser.value("document.body.innerHTML").to_string();
        let is_counted = page.contains("<dt>Users signed in</dt><dd>1</dd>");
        if is_counted { Ok(()) } else { Err(page) }
    });
    let level = |name: &str| {
        format!(
            "[...document.querySelectorAll('.indicators li')].find(i => \
             i.querySelector('strong').textContent === '{name}').className"
        )
    };
    for name in ["Cores", "Store", "New work", "Certificates"] {
        assert_eq!(browser.value(&level(name)), "good", "{name}");
    }
    browser.open(&at("/console/users?q=ALI"));
    browser.follow("tbody a");
    let text = browser.text();
    assert!(text.contains("simple over TLS 1.3") && text.contains("127.0.0.1:"), "{text}");
}

/// Whether a user with this password may sign in.
fn signs_in(server: &Server, user: &str, password: &str) -> bool {
    let stream = Stream::tls(server);
    let mut endpoint = Endpoint { user: user.to_owned(), stream, cseq: 0 };
    endpoint.register(password).status() == 200
}

/// A server that lets a test look for a password until it is told to the cores.
fn patient() -> Server {
    Server::serve(
        "[limits]\nauth_failures_per_user_max = 100000\nauth_failures_per_address_max = 100000\n",
    )
}

fn wait_sign_in(server: &Server, password: &str, wanted: bool) {
    eventually("another answer to the sign-in", || {
        let is_in = signs_in(server, "alice", password);
        if is_in == wanted { Ok(()) } else { Err(is_in.to_string()) }
    });
}

#[test]
fn an_operator_signs_out_keeps_out_lets_in_and_sets_passwords() {
    let server = patient();
    let mut browser = Browser::start();
    browser.show_as(DESK, "light");
    let page = format!("http://{}/console/users/alice@example.test", server.ready.http);

    // One of two devices.
    let mut first = Endpoint::tls(&server, "alice");
    let mut second = Endpoint::tls(&server, "alice");
    browser.open(&page);
    assert_eq!(browser.value("document.querySelectorAll('a[href*=connection]').length"), 2);
    let own = first.stream.local().to_string();
    let link = format!(
        "[...document.querySelectorAll('tr')].find(r => r.textContent.includes('{own}'))\
         .querySelector('a[href*=connection]').id = 'first'"
    );
    browser.value(&link);
    browser.follow("#first");
    browser.follow("form.order button");
    assert!(browser.text().contains("The user is signed out"), "{}", browser.text());
    assert!(first.stream.try_message().is_err(), "the connection is closed");
    assert_eq!(second.register(PASSWORD).status(), 200, "the other one stays");

    browser.open(&page);
    browser.follow("a[href$=disable]");
    browser.follow("form.order button");
    assert!(browser.text().contains("The account is disabled"), "{}", browser.text());
    assert!(second.stream.try_message().is_err(), "the connection is closed");
    assert!(!signs_in(&server, "alice", PASSWORD));
    browser.follow("form.order button");
    assert!(browser.text().contains("The account is enabled"), "{}", browser.text());
    wait_sign_in(&server, PASSWORD, true);

    browser.open(&page);
    browser.follow("a[href$=password]");
    browser.follow("form.order button");
    let password = browser.value("document.querySelector('.secret').textContent");
    wait_sign_in(&server, password.as_str().unwrap(), true);
    assert!(!signs_in(&server, "alice", PASSWORD), "the old one is none any more");
    browser.open(&page);
    assert!(!browser.text().contains(password.as_str().unwrap()), "it is shown once");
}

/// A request as no browser sends it; status and answer.
fn ask(server: SocketAddr, head: &str, body: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(server).unwrap();
    let len = body.len();
    write!(
        stream,
        "{head}\r\nHost: {server}\r\nConnection: close\r\nContent-Length: {len}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    (answer.split(' ').nth(1).unwrap().parse().unwrap(), answer)
}

#[test]
fn forms_work_without_a_script_and_only_from_the_console_while_they_are_fresh() {
    let server = patient();
    let http = server.ready.http;
    let path = "/console/users/alice@example.test/disable";
    let (status, page) = ask(http, &format!("GET {path} HTTP/1.1"), "");
    assert_eq!(status, 200);
    let token = page.split_once("name=\"token\" value=\"").unwrap().1;
    let token = token.split_once('"').unwrap().0.to_owned();
    let post = |origin: &str, token: &str| {
        let head = format!("POST {path} HTTP/1.1\r\nOrigin: {origin}");
        ask(http, &head, &format!("token={token}")).0
    };
    let own = format!("http://{http}");
    let old = format!("1{}", &token[1..]);
    for (origin, token) in
        [("http://evil.example", &token), ("null", &token), (&own, &old), (&own, &String::new())]
    {
        assert_eq!(post(origin, token), 403, "{origin} {token}");
    }
    assert!(signs_in(&server, "alice", PASSWORD), "nothing was done");
    // What another process wrote into its form is of no use here.
    let other = patient();
    let head = format!("POST {path} HTTP/1.1\r\nOrigin: http://{}", other.ready.http);
    assert_eq!(ask(other.ready.http, &head, &format!("token={token}")).0, 403);
    assert_eq!(post(&own, &token), 303);
    wait_sign_in(&server, PASSWORD, false);
}
