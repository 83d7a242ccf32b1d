//! Presence icons in pages of other sites, in a real browser: what is seen, what those are told who
//! do not see it, and what a site may not do that is not listed.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::outside::api::{API, token};
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::presence::publish;
use crate::outside::server::{DOMAIN, Server};

/// A web site of one page, for as long as the test runs.
struct Site {
    address: SocketAddr,
    page: Arc<Mutex<String>>,
}

impl Site {
    fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let page = Arc::<Mutex<String>>::default();
        let shown = page.clone();
        thread::spawn(move || {
            for stream in socket.incoming() {
                // A browser connects in reserve too, and says nothing then.
                let shown = shown.clone();
                thread::spawn(move || answer(stream.unwrap(), &shown.lock().unwrap()));
            }
        });
        Site { address, page }
    }

    /// What the browser calls the site.
    fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Shows, from now on, a page that includes the script of `server`, and three people.
    fn show(&self, server: &Server, key: &str) {
        let api = url(server);
        *self.page.lock().unwrap() = format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>People</title>\
             <link rel=\"icon\" href=\"data:,\">\
             <script>const timers = []; window.setInterval = (run, ms) => timers.push({{run, ms}})\
             </script><script src=\"{api}/v1/embed/presence.js\" data-key=\"{key}\" defer></script>\
             </head><body><p data-presence=\"Alice@{DOMAIN}\">Alice</p>\
             <p data-presence=\"bob@{DOMAIN}\">Bob</p><p data-presence=\"zoe@{DOMAIN}\">Zoe</p>\
             </body></html>"
        );
    }
}

/// Answers one request with the page.
fn answer(mut stream: TcpStream, page: &str) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
    let len = page.len();
    // The browser may have gone.
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len}\r\n\
         Connection: close\r\n\r\n{page}"
    );
}

fn url(server: &Server) -> String {
    format!("http://{}", server.ready.api.unwrap())
}

/// A server whose API pages of `site` may ask, and a token of that role.
fn server_for(site: &Site, role: &str) -> (Server, String) {
    let origin = site.origin();
    let server = Server::serve(&format!("{API}origins = [\"{origin}\"]\n"));
    let token = token(&server, role, role, "external");
    (server, token)
}

/// What stands beside each address: the tooltip, what is told instead of the picture, and the state
/// that the picture shows; only pictures that are drawn.
const ICONS: &str = "[...document.querySelectorAll('[data-presence] > img')]\
     .filter(i => i.complete && i.naturalWidth === 16)\
     .map(i => [i.title, i.alt, \
     /data-state='(.*?)'/.exec(decodeURIComponent(i.src))?.[1] ?? 'not told'])";

/// An icon of a page that may read what it shows.
fn icon(user: &str, words: &str, state: &str) -> Value {
    let told = format!("{user}@{DOMAIN}: {words}");
    json!([told, told, state])
}

/// Lets what the browser keeps grow old, has the page `look` again, and waits for these icons.
fn wait_icons(browser: &mut Browser, look: &str, icons: &[Value]) {
    eventually(&format!("{icons:?}"), || {
        browser.forget();
        browser.value(look);
        let shown = browser.value(ICONS);
        if shown == json!(icons) { Ok(()) } else { Err(shown.to_string()) }
    });
}

#[test]
fn a_page_of_a_listed_site_shows_who_is_there_to_all_and_follows_them() {
    let site = Site::start();
    let (server, key) = server_for(&site, "icon");
    site.show(&server, &key);
    let mut browser = Browser::start();
    browser.show_as(640, "light");
    browser.open(&site.origin());
    let bob = icon("bob", "offline", "offline");
    let zoe = icon("zoe", "presence unknown", "unknown");
    let all = |alice: Value| [alice, bob.clone(), zoe.clone()];
    wait_icons(&mut browser, "", &all(icon("alice", "offline", "offline")));

    // The page looks by itself twice a minute, and when somebody turns to it again.
    assert_eq!(browser.value("timers.map(timer => timer.ms)"), json!([30_000]));
    let turn = "timers.forEach(timer => timer.run())";
    let return_to = "document.dispatchEvent(new Event('visibilitychange'))";
    let mut alice = Endpoint::tcp(&server, "alice");
    wait_icons(&mut browser, turn, &all(icon("alice", "available", "available")));
    publish(&mut alice, "busy", "");
    wait_icons(&mut browser, return_to, &all(icon("alice", "busy", "busy")));
    publish(&mut alice, "away", "");
    wait_icons(&mut browser, turn, &all(icon("alice", "away", "away")));
    browser.picture("embed");

    // Those who do not see the page are told the same.
    let wanted = [("alice", "away"), ("bob", "offline"), ("zoe", "presence unknown")]
        .map(|(user, words)| format!("{user}@{DOMAIN}: {words}"));
    eventually("the same words", || {
        let told = browser.told("image");
        if told == wanted { Ok(()) } else { Err(format!("{told:?}")) }
    });

    // Whoever is put into the page later is found, and whoever is taken out is not asked for.
    browser.value(
        "(() => { document.querySelectorAll('p').forEach(p => p.remove()); \
         const p = document.createElement('p'); p.dataset.presence = 'carol@example.test'; \
         p.textContent = 'Carol'; document.body.append(p) })()",
    );
    wait_icons(&mut browser, "", &[icon("carol", "offline", "offline")]);
    let (complaints, fetched) = browser.complaints_and_fetched();
    assert!(complaints.is_empty(), "{complaints:?}");
    let known = [site.origin(), url(&server), "data:".to_owned()];
    let is_known = |url: &String| known.iter().any(|start| url.starts_with(start.as_str()));
    assert!(fetched.iter().all(is_known), "{fetched:?}");
    wait_icons(&mut browser, turn, &[icon("carol", "offline", "offline")]);
    let (_, fetched) = browser.complaints_and_fetched();
    assert!(fetched.iter().all(|url| !url.contains("alice")), "{fetched:?}");
}

#[test]
fn a_page_of_another_site_shows_icons_and_is_told_nothing() {
    let (site, other) = (Site::start(), Site::start());
    let (server, key) = server_for(&site, "icon");
    let read = token(&server, "read", "read", "external");
    for site in [&site, &other] {
        site.show(&server, &key);
    }
    let ask = format!(
        "fetch('{}/v1/presence/alice@example.test', \
         {{ headers: {{ Authorization: 'Bearer {read}' }} }})\
         .then(answer => answer.json()).then(shown => shown.state.class, error => error.name)",
        url(&server)
    );
    let mut browser = Browser::start();
    browser.open(&site.origin());
    assert_eq!(browser.value(&ask), "offline", "a listed site may ask");
    browser.complaints_and_fetched();

    browser.open(&other.origin());
    let untold = ["alice", "bob", "zoe"]
        .map(|user| json!(["", format!("presence of {user}@{DOMAIN}"), "not told"]));
    wait_icons(&mut browser, "", &untold);
    assert_eq!(browser.value(&ask), "TypeError", "what a browser says of what CORS forbids");
    // The script for each icon, and the page for itself.
    let mut complaints = Vec::new();
    eventually("four complaints", || {
        browser.value("");
        complaints.extend(browser.complaints_and_fetched().0);
        let forbidden = complaints.iter().filter(|text| text.contains("blocked by CORS policy"));
        if forbidden.count() == 4 { Ok(()) } else { Err(format!("{complaints:?}")) }
    });
}

#[test]
fn the_page_of_the_server_tries_it() {
    let site = Site::start();
    let (server, key) = server_for(&site, "icon");
    let _alice = Endpoint::tcp(&server, "alice");
    let mut browser = Browser::start();
    browser.show_as(640, "dark");
    browser.open(&format!("{}/v1/embed/demo.html#{key}", url(&server)));
    let wanted = [
        icon("alice", "available", "available"),
        icon("bob", "offline", "offline"),
        icon("carol", "offline", "offline"),
    ];
    wait_icons(&mut browser, "", &wanted);
    browser.picture("embed-demo");
    browser.value("document.getElementById('addresses').value = 'bob@example.test'");
    browser.value("document.getElementById('show').click()");
    wait_icons(&mut browser, "", &wanted[1..2]);
    let unnamed = browser
        .value("[...document.querySelectorAll('input, textarea')].some(f => !f.labels.length)");
    assert_eq!(unnamed, false);
    let (complaints, fetched) = browser.complaints_and_fetched();
    assert!(complaints.is_empty(), "{complaints:?}");
    let api = url(&server);
    let is_own = |url: &String| url.starts_with(&api) || url.starts_with("data:");
    assert!(fetched.iter().all(is_own), "{fetched:?}");
    // The token goes where it must and nowhere else.
    let mut with_key = fetched.iter().filter(|url| url.contains(&key));
    assert!(with_key.all(|url| url.contains("/icon.svg?key=")), "{fetched:?}");
}
