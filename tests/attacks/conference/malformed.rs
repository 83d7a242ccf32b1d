//! C3P requests and names that break their form, or keep it and try to break that of others.

use std::fmt::Write;

use super::{
    ID, Member, ask, c3p, convene, convened, factory, invite_focus, nothing_left, operator,
    service, standing, typed, watch, wish,
};
use crate::harness::conference::{CCCP, Meeting};
use crate::outside::endpoint::Endpoint;
use crate::outside::server::DOMAIN;
use crate::outside::stream::Message;
use crate::target::Target;

/// Bodies of every kind that cannot be read.
fn unreadable(to: &str) -> Vec<String> {
    let mut laughs = "<!DOCTYPE a [<!ENTITY l0 \"ha\">".to_owned();
    for n in 1..20 {
        let _ = write!(laughs, "<!ENTITY l{n} \"&l{m};&l{m};&l{m};&l{m};\">", m = n - 1);
    }
    laughs.push_str("]><a>&l19;</a>");
    let whole = c3p("alice", to, "<getConferences/>");
    vec![
        String::new(),
        "no xml".to_owned(),
        "<a".to_owned(),
        "<a></b>".to_owned(),
        laughs,
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>".to_owned(),
        format!("<!DOCTYPE request [<!ENTITY x SYSTEM \"http://127.0.0.1:9/x\">]>{whole}"),
        "<a>".repeat(80_000),
        format!("<a>{}</a>", "<b/>".repeat(60_000)),
        format!("<a {}/>", (0..20_000).map(|n| format!("a{n}=\"\" ")).collect::<String>()),
        format!("<a>{}", "x".repeat(250_000)),
        whole.replace("urn:ietf:params:xml:ns:cccp", "urn:other"),
        whole.replace("<request ", "<response ").replace("</request>", "</response>"),
        whole.replace(" requestId=\"1\"", ""),
        whole.replace(" to=", " at="),
        whole.replace(" from=", " by="),
        whole.replace("requestId=\"1\"", "requestId=\"1\" requestId=\"2\""),
        whole.replace("requestId=\"1\"", "requestId=\"&#1;\""),
        whole.replace("<getConferences/>", ""),
        whole.replace("<getConferences/>", "<getConferences/><getConferences/>"),
        whole.replace("<getConferences/>", "<addConference/>"),
        whole.replace("<getConferences/>", "<deleteUser/>"),
        whole.replace(
            "<getConferences/>",
            "<modifyConferenceLock><locked>2</locked></modifyConferenceLock>",
        ),
        whole.replace(
            "<getConferences/>",
            "<setLobbyAccess><access>granted</access></setLobbyAccess>",
        ),
        whole.replace("<getConferences/>", "\u{fffe}"),
    ]
}

#[test]
fn requests_that_cannot_be_read_are_refused_wherever_they_come() {
    // 55, 56, 57
    let mut target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::at_focus(alice, &meeting);
    let before = standing(&target);
    let refused = |answer: &Message, body: &str| {
        let start = body.chars().take(60).collect::<String>();
        assert_eq!(answer.status(), 400, "{start}: {}", answer.head);
        assert!(answer.header("Warning").is_some(), "{}", answer.head);
    };
    for to in [factory("alice"), meeting.focus.clone()] {
        for body in unreadable(&to) {
            refused(&ask(&mut alice.endpoint, "SERVICE", &to, &typed(CCCP), &body), &body);
        }
    }
    for body in unreadable(&meeting.focus) {
        refused(&alice.ask("INFO", &typed(CCCP), &body), &body);
        let lines = format!("Contact: {}\r\n{}", alice.endpoint.contact(), typed(CCCP));
        refused(&ask(&mut alice.endpoint, "INVITE", &meeting.focus, &lines, &body), &body);
    }
    let mut octets = super::outside(
        &mut alice.endpoint,
        "SERVICE",
        &meeting.focus,
        &typed(CCCP),
        &c3p("alice", &meeting.focus, "<getConferences>#####</getConferences>"),
    )
    .into_bytes();
    let at = octets.windows(5).position(|octets| octets == b"#####").unwrap();
    octets[at..at + 5].copy_from_slice(b"\xff\xfe\xc0\x80\xed");
    alice.endpoint.stream.write(octets);
    refused(&alice.final_answer(), "no UTF-8");
    let metrics = target.metrics();
    for limit in ["xml_depth_max", "xml_elements_max", "xml_attributes_max"] {
        assert_eq!(metrics.hits(limit), 4.0, "{limit}");
    }
    assert_eq!(standing(&target), before);
    target.serves_others();
    alice.leave();
    nothing_left(&target);
    target.survived();
}

#[test]
fn requests_that_ask_for_what_cannot_be_are_refused() {
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let at = factory("alice");
    let described =
        |expiry: &str| wish(ID, &format!("<m:expiry-time>{expiry}</m:expiry-time>"), "");
    let users = |users: &str| wish(ID, "", &format!("<users>{users}</users>"));
    let many: String = (0..9_500).map(|n| format!("<user entity=\"u{n}@b\"/>")).collect();
    for (operation, status) in [
        (described("1969-12-31T23:59:59Z"), 400),
        (described("2001-01-01T00:00:00Z"), 400),
        (described("99999-01-01T00:00:00Z"), 400),
        (described("tomorrow"), 400),
        (described(""), 400),
        (users("<user entity=\"nobody\"/>"), 400),
        (users("<user entity=\"sip:a b@c\"/>"), 400),
        (users("<user entity=\"sip:a&#13;&#10;X: y@c\"/>"), 400),
        (users("<user entity=\"sip:b@c\"><roles><entry>king</entry></roles></user>"), 400),
        (users(&many), 413),
        (wish(ID, "<m:admission-policy>all</m:admission-policy>", ""), 400),
        (wish(ID, "<m:admission-policy>anonymous</m:admission-policy>", ""), 403),
        (wish(ID, "<subject>&#1;</subject>", ""), 400),
        (wish(ID, &format!("<subject>{}</subject>", "x".repeat(100_000)), ""), 413),
        ("<inviteAll/>".to_owned(), 501),
        ("<a.b-c\u{e9}/>".to_owned(), 501),
        (format!("<{}/>", "x".repeat(100_000)), 501),
    ] {
        let answer = service(&mut alice, &at, &operation);
        let start = operation.chars().take(400).collect::<String>();
        assert_eq!(answer.status(), status, "{start}: {}", answer.head);
        assert!(answer.header("Warning").is_some(), "{}", answer.head);
    }
    assert_eq!(operator(&target, &["conference", "list"])["total"], 0);
    // As late as there are dates: one that is kept, and listed.
    assert_eq!(service(&mut alice, &at, &described("9999-12-30T22:00:00Z")).status(), 200);
    let list = operator(&target, &["conference", "list"]);
    assert_eq!(list["conferences"][0]["scheduled"], true, "{list}");
    let meeting = Meeting::of("alice", ID);
    let mut alice = Member::at_focus(alice, &meeting);
    let others = Meeting::of("alice", &ID.replace('C', "D"));
    for (operation, status) in [
        (meeting.eject("bob").replace(ID, &others.id), 400),
        (meeting.set_role("bob", "king"), 400),
        (meeting.set_role("bob", "presenter"), 404),
        (meeting.set_role("alice", "attendee"), 403),
        (meeting.eject("alice"), 403),
        (meeting.admit("bob", true), 404),
        (meeting.admit("alice", false), 404),
        (meeting.invite("bob", "").replace(&format!("sip:bob@{DOMAIN}"), "tel:+1"), 400),
        (meeting.lock(true).replace(ID, "x"), 400),
        (described("2001-01-01T00:00:00Z").replace("addConference", "modifyConference"), 400),
    ] {
        let answer = alice.operate(&operation);
        assert_eq!(answer.status(), status, "{operation}: {}", answer.head);
        let answer = service(&mut alice.endpoint, &meeting.focus, &operation);
        assert_eq!(answer.status(), status, "{operation}: {}", answer.head);
    }
    alice.leave();
    nothing_left(&target);
    target.survived();
}

/// What stands in XML as it is written below, and as it is.
const ODD: [(&str, &str); 5] = [
    ("&lt;/subject>&lt;x a='&amp;'/>", "</subject><x a='&'/>"),
    ("]]&gt;&lt;!--&quot;&apos;", "]]><!--\"'"),
    ("&#13;&#10;X-Injected: yes&#9;", "\r\nX-Injected: yes\t"),
    ("\u{202e}\u{2066}\u{feff}", "\u{202e}\u{2066}\u{feff}"),
    ("{{1+1}} $(id) %s \\u0000 \\", "{{1+1}} $(id) %s \\u0000 \\"),
];

#[test]
fn names_that_look_like_markup_stay_names() {
    // 57
    for (written, name) in ODD {
        let target = Target::start();
        let mut alice = Endpoint::tls(&target, "alice");
        let at = factory("alice");
        let made = wish(ID, &format!("<subject>{written}</subject>"), "");
        assert_eq!(service(&mut alice, &at, &made).status(), 200);
        let meeting = Meeting::of("alice", ID);
        let mut bob = Endpoint::tls(&target, "bob");
        let attribute = written.replace('"', "&quot;");
        let joined = invite_focus(&mut bob, &meeting, &attribute);
        assert_eq!(joined.header("X-Injected"), None, "{}", joined.head);
        let mut bob = Member::in_dialog(bob, &meeting.focus, &joined);
        // The roster, the answer to a question, and an invitation of ours.
        assert_eq!(watch(&mut alice, &meeting.focus, 0).status(), 200);
        let told = alice.answer("NOTIFY", 200, "");
        let get = format!("<getConference>{}</getConference>", meeting.keys());
        let got = service(&mut alice, &meeting.focus, &get);
        assert_eq!(got.status(), 200, "{}", got.head);
        for document in [&told, &got] {
            assert_eq!(document.header("X-Injected"), None, "{}", document.head);
            let body = String::from_utf8(document.body.clone()).unwrap();
            assert_eq!(text_of(&body, "subject"), name.trim(), "{body}");
            assert_eq!(endpoint_of(&body), name, "{body}");
        }
        let shown = standing(&target);
        assert_eq!(shown["conference"]["subject"], name.trim());
        assert_eq!(shown["members"][0]["legs"][0]["endpoint"], name, "{shown}");
        let http = target.ready.http.to_string();
        let page = target.command(&["conference", "show", ID, "--http", &http]);
        let page = String::from_utf8(page.stdout).unwrap();
        let controls: Vec<char> = page.chars().filter(|c| c.is_control() && *c != '\n').collect();
        assert!(controls.is_empty() && !page.contains("\nX-Injected"), "{page:?}");
        // An answer repeats what the request was called.
        let body = c3p("alice", &meeting.focus, &get)
            .replace("requestId=\"1\"", &format!("requestId=\"{attribute}\""));
        let answer = ask(&mut alice, "SERVICE", &meeting.focus, &typed(CCCP), &body);
        assert_eq!(answer.status(), 200, "{}", answer.head);
        let body = String::from_utf8(answer.body).unwrap();
        assert_eq!(attribute_of(&body, "requestId"), name, "{body}");
        assert_eq!(bob.ask("BYE", "", "").status(), 200);
        // And in what is recorded.
        let records = target.wait_conferences_ended(1);
        assert_eq!(records[0].subject, name.trim());
        target.survived();
    }
}

/// The text of the first element of that name, its escapes undone.
fn text_of(document: &str, name: &str) -> String {
    let start = document.find(&format!("<{name}>")).unwrap_or_else(|| panic!("{document}"));
    let rest = &document[start + name.len() + 2..];
    unescaped(&rest[..rest.find('<').unwrap()])
}

/// The name of the first endpoint.
fn endpoint_of(document: &str) -> String {
    let start = document.find("<endpoint ").unwrap_or_else(|| panic!("{document}"));
    attribute_of(&document[start..], "entity")
}

/// The first attribute of that name.
fn attribute_of(document: &str, name: &str) -> String {
    let start = document.find(&format!(" {name}=\"")).unwrap_or_else(|| panic!("{document}"));
    let rest = &document[start + name.len() + 3..];
    let value = &rest[..rest.find('"').unwrap()];
    assert!(!value.contains(['<', '\r', '\n', '\t']), "{value:?} does not survive");
    unescaped(value)
}

fn unescaped(text: &str) -> String {
    let mut text = text.to_owned();
    for (escape, octet) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#13;", "\r"),
        ("&#10;", "\n"),
        ("&#9;", "\t"),
        ("&#xD;", "\r"),
        ("&#xA;", "\n"),
        ("&#x9;", "\t"),
        ("&amp;", "&"),
    ] {
        text = text.replace(escape, octet);
    }
    text
}

#[test]
fn what_an_answer_repeats_is_bounded_by_the_request() {
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let meeting = convened(&mut alice);
    let mut alice = Member::at_focus(alice, &meeting);
    let long = "&lt;".repeat(25 * 1024);
    for operation in [meeting.lock(true), meeting.lock(false), "<inviteAll/>".to_owned()] {
        let body = c3p("alice", &meeting.focus, &operation)
            .replace("requestId=\"1\"", &format!("requestId=\"{long}\""));
        let answer = ask(&mut alice.endpoint, "SERVICE", &meeting.focus, &typed(CCCP), &body);
        assert!(matches!(answer.status(), 200 | 501), "{}", answer.head);
        assert!(answer.body.len() < body.len() + 1024, "{}", answer.body.len());
        let answer = alice.ask("INFO", &typed(CCCP), &body);
        if answer.status() == 202 {
            assert!(alice.wait("INFO").body.len() < body.len() + 1024);
        }
    }
    assert_eq!(convene(&mut alice.endpoint, ID, "").status(), 200);
    alice.leave();
    nothing_left(&target);
    target.survived();
}
