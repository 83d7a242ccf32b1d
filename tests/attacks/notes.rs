//! What users say of themselves: kept as it is, written in every form so that nothing in it is
//! obeyed, and no more of it than the bound.

use serde_json::Value;

use crate::application::Application;
use crate::outside::api::API;
use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::fetch;
use crate::outside::presence::publish;
use crate::outside::server::DOMAIN;
use crate::outside::stream::Message;
use crate::target::Target;

/// Markup, quotes, an end of CDATA, marks that turn the direction of writing, and lines that would
/// end an event or a header.
const NOTE: &str = "<script>alert(1)</script> \"'&]]> \u{202e}gpj.exe\u{2066}\n\ndata: {}\nX: y";
const PIDF: &str = "Event: presence\r\nExpires: 600\r\nContent-Type: application/pidf+xml\r\n";

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\n', "&#10;")
}

/// What a watcher is shown of bob.
fn shown(watcher: &mut Endpoint) -> String {
    let contact = watcher.contact();
    let lines = format!("Contact: {contact}\r\nEvent: presence\r\nExpires: 0\r\n");
    assert_eq!(watcher.ask("SUBSCRIBE", "bob", &lines, "").status(), 200);
    String::from_utf8(watcher.answer("NOTIFY", 200, "").body).unwrap()
}

/// The octets of a PUBLISH with this note.
fn octets(bob: &mut Endpoint, note: &[u8]) -> Vec<u8> {
    let before = format!(
        "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
         xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" entity=\"sip:bob@{DOMAIN}\">\
         <dm:person id=\"p1\"><dm:note>"
    );
    let after = "</dm:note></dm:person>\
                 <tuple id=\"t1\"><status><basic>open</basic></status></tuple></presence>";
    let body = [before.as_bytes(), note, after.as_bytes()].concat();
    request_of(bob, &body)
}

/// A PUBLISH with these octets for a body.
fn request_of(bob: &mut Endpoint, body: &[u8]) -> Vec<u8> {
    let head = bob.request("PUBLISH", "bob", PIDF, "");
    let len = format!("Content-Length: {}", body.len());
    [head.replace("Content-Length: 0", &len).as_bytes(), body].concat()
}

fn publish_octets(bob: &mut Endpoint, octets: Vec<u8>) -> Message {
    bob.stream.write(octets);
    bob.final_answer()
}

#[test]
fn a_note_is_shown_as_it_is_and_obeyed_nowhere() {
    // 57
    let target = Target::with_config(API);
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    let application = Application::new(&target, "reader", "read", "colleagues");
    let mut events = application.events(&format!("/v1/presence/bob@{DOMAIN}/events"));
    events.next();
    publish(&mut bob, "busy", &escaped(NOTE));
    // To watchers, in XML.
    let body = shown(&mut alice);
    assert!(body.contains("&lt;script&gt;alert(1)") && !body.contains("<script>"), "{body}");
    assert!(body.contains("\u{202e}gpj.exe\u{2066}"), "{body}");
    // To applications, in JSON and in events of one line each.
    let note = |document: &Value| document["notes"][0]["text"].as_str().map(str::to_owned);
    let seen = application.get(&format!("/v1/presence/bob@{DOMAIN}")).good();
    assert_eq!(note(&seen).as_deref(), Some(NOTE));
    loop {
        let (name, data) = events.next().expect("another event");
        assert_eq!(
            (name.as_str(), &data["address"]),
            ("presence", &format!("bob@{DOMAIN}").into())
        );
        if note(&data).is_some() {
            assert_eq!(note(&data).as_deref(), Some(NOTE));
            break;
        }
    }
    // To operators, in a browser and on a terminal.
    let http = target.ready.http;
    let path = format!("/console/users/bob@{DOMAIN}?as=alice@{DOMAIN}");
    let (status, page) = fetch(http, &path);
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
    let (bob_at, alice_at) = (format!("bob@{DOMAIN}"), format!("alice@{DOMAIN}"));
    let line = ["presence", &bob_at, "--as", &alice_at, "--http", &http.to_string()];
    let output = target.command(&line);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("alert(1)"), "{text}");
    assert!(!text.contains(['\u{202e}', '\u{2066}']) && !text.contains("\ndata:"), "{text}");
    let output = target.command(&[&line[..], &["--json"]].concat());
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report.to_string().contains("gpj.exe"), "{report}");
    target.survived();
}

#[test]
fn a_note_that_is_no_text_is_refused_and_the_old_one_stays() {
    // 57
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    let first = octets(&mut bob, "Zo\u{eb}".as_bytes());
    let accepted = publish_octets(&mut bob, first);
    assert_eq!(accepted.status(), 200, "{}", accepted.head);
    let bad: [&[u8]; 10] = [
        b"\xff",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xf5\x80\x80\x80",
        b"\xc3",
        b"\0",
        b"&#0;",
        b"&#xfffe;",
        b"&#xd800;",
        b"\x1b[31m",
    ];
    for note in bad {
        let request = octets(&mut bob, note);
        let answer = publish_octets(&mut bob, request);
        assert_eq!(answer.status(), 400, "{note:?}: {}", answer.head);
    }
    // The whole document in another encoding.
    let text = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\" entity=\"sip:bob@example.test\"/>";
    for wide in [
        [&[0xff, 0xfe], &*text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<_>>()]
            .concat(),
        [&[0xfe, 0xff], &*text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<_>>()]
            .concat(),
        format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>{text}").into_bytes(),
        format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{text}").into_bytes(),
    ] {
        let request = request_of(&mut bob, &wide);
        let answer = publish_octets(&mut bob, request);
        assert_eq!(answer.status(), 400, "{wide:?}: {}", answer.head);
    }
    let body = shown(&mut alice);
    assert!(body.contains("Zo\u{eb}"), "{body}");
    target.survived();
}

#[test]
fn a_note_above_the_bound_is_refused_and_the_old_one_stays() {
    // 58
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let mut bob = Endpoint::tls(&target, "bob");
    publish(&mut bob, "busy", "the old note");
    let large = octets(&mut bob, "x".repeat(30_000).as_bytes());
    assert_eq!(publish_octets(&mut bob, large).status(), 413);
    assert_eq!(target.metrics().hits("publication_bytes_max"), 1.0);
    let body = shown(&mut alice);
    assert!(body.contains("the old note") && !body.contains("xxx"), "{body}");
    target.survived();
}

#[test]
fn what_a_client_calls_itself_is_shown_as_text() {
    // 57
    let target = Target::start();
    let name = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>";
    let mut bob = Endpoint::tls(&target, "bob");
    let lines = format!("Contact: {}\r\nUser-Agent: {name}\r\n", bob.contact());
    assert_eq!(bob.ask("REGISTER", DOMAIN, &lines, "").status(), 200);
    let http = target.ready.http;
    let (status, page) = fetch(http, &format!("/console/users/bob@{DOMAIN}"));
    assert_eq!(status, 200, "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"), "{page}");
    assert!(!page.contains("<img"), "{page}");
    // One who is refused, and says that he is somebody with markup in his name.
    let mut odd = Endpoint { user: "<b>".to_owned(), stream: bob.stream, cseq: 9 };
    let lines = format!("User-Agent: {name}\r\n");
    let answer = odd.ask("MESSAGE", "bob", &lines, "");
    assert!(matches!(answer.status(), 400 | 403), "{}", answer.head);
    let (status, refusals) = fetch(http, "/refusals");
    assert_eq!(status, 200, "{refusals}");
    serde_json::from_str::<Value>(&refusals).unwrap();
    // What is asked for by a path is no part of the page either.
    let (_, page) = fetch(http, "/console/users/%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert!(!page.contains("<script>alert"), "{page}");
    let (_, page) = fetch(http, "/console/users?address=%3Cscript%3Ealert(1)%3C%2Fscript%3E");
    assert!(!page.contains("<script>alert"), "{page}");
    target.survived();
}
