//! Icons: what they show, what browsers keep of them, and who may show them.

use super::client::Application;
use crate::outside::api::API;
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::presence::publish;
use crate::outside::server::Server;

#[test]
fn an_icon_follows_the_user_and_is_kept_as_long_as_it_holds() {
    let server = Server::serve(API);
    let icon = Application::new(&server, "pages", "icon", "external");
    let anybody = Application::with_token(&server, "");
    let path = format!("/v1/presence/alice@example.test/icon.svg?key={}", icon.token());
    let shown = anybody.get(&path);
    assert_eq!(shown.status, 200);
    assert_eq!(shown.headers["content-type"], "image/svg+xml");
    assert_eq!(shown.headers["cache-control"], "private, max-age=15");
    assert!(shown.headers["content-security-policy"].starts_with("default-src 'none'"));
    assert!(shown.body.contains("data-state='offline'"), "{}", shown.body);
    assert!(shown.body.contains(">alice@example.test: offline</title>"), "{}", shown.body);

    let tag = &shown.headers["etag"];
    let known = |tag: &str| anybody.ask("GET", &path, &format!("If-None-Match: {tag}\r\n"), "");
    let kept = known(&format!("\"x\", W/{tag}"));
    assert_eq!((kept.status, kept.body.as_str()), (304, ""));
    assert_eq!(&kept.headers["etag"], tag);

    let mut alice = Endpoint::tcp(&server, "alice");
    for (activity, state) in
        [("busy", "busy"), ("away", "away"), ("", "available"), ("on-the-phone", "busy")]
    {
        publish(&mut alice, activity, "");
        eventually(state, || match anybody.get(&path).body {
            body if body.contains(&format!("data-state='{state}'")) => Ok(()),
            body => Err(body),
        });
    }
    assert_eq!(known(tag).status, 200, "it holds no more");

    let unknown = path.replace("alice", "nobody");
    assert!(anybody.get(&unknown).body.contains("data-state='unknown'"));
    let read = Application::new(&server, "reader", "read", "external");
    let leaked = path.replace(icon.token(), read.token());
    assert_eq!(anybody.get(&leaked).problem(), (401, "token-refused".to_owned()));
}

#[test]
fn pages_of_listed_sites_may_ask_and_those_of_others_may_not() {
    let api = format!("{API}origins = [\"https://intranet.example.test\"]\n");
    let server = Server::serve(&api);
    let icon = Application::new(&server, "pages", "icon", "external");
    let anybody = Application::with_token(&server, "");
    let path = format!("/v1/presence/alice@example.test/icon.svg?key={}", icon.token());
    let from = |site: &str| anybody.ask("GET", &path, &format!("Origin: {site}\r\n"), "");
    let allowed = from("https://intranet.example.test");
    let name = "access-control-allow-origin";
    assert_eq!(allowed.headers[name], "https://intranet.example.test");
    assert!(!from("https://evil.example.test").headers.contains_key(name));
    let lines = "Origin: https://intranet.example.test\r\n\
                 Access-Control-Request-Method: POST\r\n";
    let preflight = anybody.ask("OPTIONS", "/v1/presence", lines, "");
    assert_eq!(preflight.status, 204);
    assert!(preflight.headers["access-control-allow-headers"].contains("Authorization"));

    for (path, kind) in [
        ("/v1/embed/presence.js", "text/javascript; charset=utf-8"),
        ("/v1/embed/demo.js", "text/javascript; charset=utf-8"),
        ("/v1/embed/demo.html", "text/html; charset=utf-8"),
    ] {
        let asset = anybody.get(path);
        assert_eq!((asset.status, asset.headers["content-type"].as_str()), (200, kind));
        assert!(!asset.body.contains("http://") || path.ends_with(".js"), "{path}");
    }
}
