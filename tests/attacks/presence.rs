//! Presence: bodies that break their form, floods of every request, and peers that do not read.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::harness::presence::{batch_body, machine_state, publication, soap_body};
use crate::outside::endpoint::Endpoint;
use crate::outside::eventually;
use crate::outside::metrics::{closed, hits};
use crate::outside::server::DOMAIN;
use crate::outside::stream::Message;
use crate::target::Target;

const PUBLISH: &str = "application/msrtc-category-publish+xml";
const MEMBERS: &str = "application/msrtc-setcontainermembers+xml";
const SUBSCRIBERS: &str = "application/msrtc-presence-setsubscriber+xml";
const SOAP: &str = "application/SOAP+xml";
const BATCH: &str = "application/msrtc-adrl-categorylist+xml";
const LISTS: &str = "application/resource-lists+xml";
const PIDF: &str = "application/pidf+xml";
const ROAMING: &str = "vnd-microsoft-roaming-self";

/// Two who talk to and watch one another while somebody else attacks.
struct Pair {
    bob: Endpoint,
    carol: Endpoint,
}

impl Pair {
    fn of(target: &Target) -> Self {
        Pair { bob: Endpoint::tls(target, "bob"), carol: Endpoint::tls(target, "carol") }
    }

    /// Fails unless carol's message reaches bob and she sees him.
    #[track_caller]
    fn works(&mut self) {
        let Pair { bob, carol } = self;
        let request = carol.request("MESSAGE", "bob", "Content-Type: text/plain\r\n", "hello");
        carol.stream.write(request);
        bob.answer("MESSAGE", 200, "");
        assert_eq!(carol.final_answer().status(), 200);
        let seen = watch(carol, "bob", 0, "");
        assert_eq!(seen.status(), 200, "{}", seen.head);
        let told = carol.answer("NOTIFY", 200, "");
        assert!(
            String::from_utf8_lossy(&told.body).contains("<basic>open</basic>"),
            "{}",
            told.head
        );
    }
}

/// Subscribes to the presence of a user.
fn watch(watcher: &mut Endpoint, user: &str, expires: u32, lines: &str) -> Message {
    let contact = watcher.contact();
    let lines = format!("Contact: {contact}\r\nEvent: presence\r\nExpires: {expires}\r\n{lines}");
    watcher.ask("SUBSCRIBE", user, &lines, "")
}

fn service(sender: &mut Endpoint, media_type: &str, body: &str) -> String {
    let user = sender.user.clone();
    sender.request("SERVICE", &user, &format!("Content-Type: {media_type}\r\n"), body)
}

fn publish(sender: &mut Endpoint, publications: &str) -> String {
    let body = format!(
        "<publish xmlns=\"http://schemas.microsoft.com/2006/09/sip/rich-presence\">\
         <publications uri=\"sip:{}@{DOMAIN}\">{publications}</publications></publish>",
        sender.user
    );
    service(sender, PUBLISH, &body)
}

/// Sends requests without a pause, and gives the statuses of their answers; what else comes is
/// passed over.
pub fn flood(sender: &mut Endpoint, requests: impl Iterator<Item = String>) -> Vec<u16> {
    let mut statuses = Vec::new();
    let requests: Vec<String> = requests.collect();
    // As many at a time as the sockets take while nobody reads.
    for some in requests.chunks(50) {
        sender.stream.write(some.concat());
        let mut left = some.len();
        while left > 0 {
            let message = sender.stream.message();
            if message.head.starts_with("SIP/2.0") {
                statuses.push(message.status());
                left -= 1;
            }
        }
    }
    statuses
}

#[test]
fn bodies_that_are_no_xml_are_refused_with_a_reason() {
    // 55, 56, 57
    let mut target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let mut laughs = "<!DOCTYPE a [<!ENTITY l0 \"ha\">".to_owned();
    for n in 1..20 {
        let _ = write!(laughs, "<!ENTITY l{n} \"&l{m};&l{m};&l{m};&l{m};\">", m = n - 1);
    }
    laughs.push_str("]><a>&l19;</a>");
    let bodies = [
        "<a".to_owned(),
        "<a></b>".to_owned(),
        "no xml".to_owned(),
        "<a>&unknown;</a>".to_owned(),
        "<a b=\"1\" b=\"2\"/>".to_owned(),
        "<a>\u{0}</a>".to_owned(),
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>".to_owned(),
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"http://127.0.0.1:9/x\">]><a>&x;</a>".to_owned(),
        laughs,
        "<a>".repeat(80_000),
        format!("<a>{}</a>", "<b/>".repeat(60_000)),
        format!("<a {}/>", (0..20_000).map(|n| format!("a{n}=\"\" ")).collect::<String>()),
        format!("<a>{}", "x".repeat(250_000)),
    ];
    let started = Instant::now();
    for body in &bodies {
        for media_type in [PUBLISH, MEMBERS, SUBSCRIBERS, SOAP] {
            let request = service(&mut alice, media_type, body);
            alice.stream.write(request);
            refused(&alice.final_answer(), media_type, body);
        }
        let contact = format!("Contact: {}\r\nEvent: ", alice.contact());
        for (event, media_type) in [("presence", BATCH), ("presence", LISTS), (ROAMING, "a/b")] {
            let lines = format!("{contact}{event}\r\nContent-Type: {media_type}\r\n");
            refused(&alice.ask("SUBSCRIBE", "alice", &lines, body), media_type, body);
        }
        let lines = format!("{contact}presence\r\nContent-Type: {PIDF}\r\n");
        refused(&alice.ask("PUBLISH", "alice", &lines, body), PIDF, body);
    }
    assert!(started.elapsed() < Duration::from_secs(60), "linear time");
    let metrics = target.metrics();
    for limit in ["xml_depth_max", "xml_elements_max", "xml_attributes_max"] {
        assert_eq!(metrics.hits(limit), 8.0, "{limit}");
    }
    assert_eq!(metrics.value("mynah_subscriptions_current"), 0.0);
    pair.works();
    target.serves_others();
    target.survived();
}

#[track_caller]
fn refused(answer: &Message, media_type: &str, body: &str) {
    let start = body.chars().take(40).collect::<String>();
    assert_eq!(answer.status(), 400, "{media_type} {start}: {}", answer.head);
    assert!(answer.header("Warning").is_some(), "{}", answer.head);
}

#[test]
fn a_body_above_the_bound_ends_the_connection_before_it_is_read() {
    // 12, 56
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let head = service(&mut alice, PUBLISH, "").replace("Length: 0", "Length: 10485760");
    alice.stream.write(head);
    assert_eq!(alice.final_answer().status(), 513);
    alice.stream.end();
    target.wait_metric(&hits("sip_body_bytes_max"), |count| count == 1.0);
    pair.works();
    target.survived();
}

#[test]
fn wrong_versions_in_a_loop_are_conflicts_and_no_more() {
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let first = publish(&mut alice, &machine_state(2, 3500, 0));
    alice.stream.write(first);
    assert_eq!(alice.final_answer().status(), 200);
    let mut refused = 0;
    let mut attack = || {
        let states: String = (0..50).map(|_| machine_state(2, 6500, 77)).collect();
        let requests: Vec<String> = (0..300).map(|_| publish(&mut alice, &states)).collect();
        let statuses = flood(&mut alice, requests.into_iter());
        assert!(statuses.iter().all(|status| *status == 409));
        refused += 300;
    };
    target.leaves_nothing(4.0, &mut attack);
    let conflicts = target.metrics().value("mynah_publication_conflicts_total");
    assert_eq!(conflicts, f64::from(refused));
    pair.works();
    target.survived();
}

#[test]
fn subscriptions_above_the_bounds_are_refused() {
    // 47, 48
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let attack = || {
        let mut alice = Endpoint::tls(&target, "alice");
        let contact = alice.contact();
        let mut ask = |user: &str, count: usize| {
            let lines = format!(
                "Contact: {contact}\r\nEvent: presence\r\nSupported: ms-benotify\r\n\
                 Supported: ms-piggyback-first-notify\r\n"
            );
            let requests: Vec<String> =
                (0..count).map(|_| alice.request("SUBSCRIBE", user, &lines, "")).collect();
            flood(&mut alice, requests.into_iter())
        };
        let statuses = ask("bob", 100);
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 64);
        assert!(statuses.iter().all(|status| matches!(status, 200 | 403)));
        let statuses: Vec<u16> =
            ["alice", "carol", "bob"].iter().flat_map(|user| ask(user, 100)).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 128);
    };
    // One at a time: the watches of who was cut are counted until the server has seen her end.
    target.comes_to_rest(3.0, attack);
    let metrics = target.metrics();
    assert!(metrics.hits("watches_per_watcher_max") > 0.0);
    let mut alice = Endpoint::tls(&target, "alice");
    for (wish, status) in [("0", 200), ("1", 423), ("4294967295", 200), ("4294967296", 200)] {
        let lines =
            format!("Contact: {}\r\nEvent: presence\r\nExpires: {wish}\r\n", alice.contact());
        let answer = alice.ask("SUBSCRIBE", "bob", &lines, "");
        assert_eq!(answer.status(), status, "{wish}");
        if status == 200 {
            let granted = if wish == "0" { "0" } else { "43200" };
            assert_eq!(answer.header("Expires"), Some(granted));
            alice.answer("NOTIFY", 200, "");
        }
    }
    let list: String =
        (0..4_000).map(|n| format!("<resource uri=\"sip:u{n}@{DOMAIN}\"/>")).collect();
    let body = batch_body(
        &format!("sip:alice@{DOMAIN}"),
        &format!("<adhocList>{list}</adhocList>"),
        "subscribe",
    );
    let lines = format!(
        "Contact: {}\r\nEvent: presence\r\nSupported: ms-benotify\r\n\
         Supported: ms-piggyback-first-notify\r\nContent-Type: {BATCH}\r\n",
        alice.contact()
    );
    let answer = alice.ask("SUBSCRIBE", "alice", &lines, &body);
    assert_eq!(answer.status(), 200, "{}", answer.head);
    let body = String::from_utf8_lossy(&answer.body).into_owned();
    assert_eq!(body.matches("reason=\"deactivated\"").count(), 3_800);
    assert_eq!(target.metrics().hits("batch_resources_max"), 1.0);
    pair.works();
    target.survived();
}

#[test]
fn a_connection_that_subscribes_on_and_on_is_refused() {
    let target = Target::with_limits("subscriptions_per_connection_max = 5");
    let mut alice = Endpoint::tls(&target, "alice");
    for n in 0..8 {
        let answer = watch(&mut alice, "bob", 600, "");
        assert_eq!(answer.status(), if n < 5 { 200 } else { 403 }, "{n}: {}", answer.head);
        if n < 5 {
            alice.answer("NOTIFY", 200, "");
        }
    }
    assert_eq!(target.metrics().hits("subscriptions_per_connection_max"), 3.0);
    target.survived();
}

#[test]
fn a_publish_flood_is_damped() {
    // 49
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let accepted = watch(&mut pair.carol, "alice", 600, "Supported: ms-benotify\r\n");
    assert_eq!(accepted.status(), 200);
    let before = target.metrics().value("mynah_notifications_total");
    let started = Instant::now();
    let requests: Vec<String> = (0..3_000)
        .map(|version| publish(&mut alice, &machine_state(2, 3500 + version % 2 * 3000, version)))
        .collect();
    let statuses = flood(&mut alice, requests.into_iter());
    assert!(statuses.iter().all(|status| *status == 200));
    let told = target.metrics().value("mynah_notifications_total") - before;
    let most = started.elapsed().as_secs_f64() / 0.1 + 3.0;
    assert!(told <= most, "{told} notifications where {most} have room");
    eventually("the last state to be told", || {
        let told = pair.carol.stream.message();
        let text = String::from_utf8_lossy(&told.body).into_owned();
        if text.contains("busy") { Ok(()) } else { Err(text) }
    });
    target.survived();
}

#[test]
fn publications_above_the_bounds_are_refused() {
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let payload = format!("<a>{}</a>", "x".repeat(30_000));
    let large = publish(&mut alice, &publication("services", 1, 2, 0, "endpoint", &payload));
    alice.stream.write(large);
    assert_eq!(alice.final_answer().status(), 413);
    let many: String =
        (0..300).map(|n| publication("services", n, 2, 0, "endpoint", "<a/>")).collect();
    let many = publish(&mut alice, &many);
    alice.stream.write(many);
    let refused = alice.final_answer();
    assert_eq!(refused.status(), 413);
    assert!(refused.header("Warning").is_some(), "{}", refused.head);
    let metrics = target.metrics();
    assert_eq!(metrics.hits("publication_bytes_max"), 1.0);
    assert_eq!(metrics.hits("publications_per_user_max"), 1.0);
    pair.works();
    target.survived();
}

#[test]
fn whoever_never_answers_a_notification_is_forgotten() {
    // 24
    let target = Target::with_limits("request_timeout = \"4s\"\npending_notifications_max = 4");
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let mut deaf = Endpoint::tls(&target, "bob");
    // As PIDF: the newest document waits alone.
    assert_eq!(watch(&mut deaf, "alice", 600, "").status(), 200);
    for version in 0..20 {
        let state = machine_state(2, 3500 + version % 2 * 3000, version);
        let request = publish(&mut alice, &state);
        alice.stream.write(request);
        assert_eq!(alice.final_answer().status(), 200);
    }
    // One notification is in flight.
    target.wait_metric("mynah_relays_current", |count| count == 1.0);
    assert_eq!(target.metrics().hits("pending_notifications_max"), 0.0);
    target.wait_metric("mynah_subscriptions_current", |count| count == 0.0);
    // As categories: what changed is all there is of it, so each change waits.
    drop(deaf);
    let mut deaf = Endpoint::tls(&target, "bob");
    let lines = "Accept: application/msrtc-event-categories+xml\r\n";
    assert_eq!(watch(&mut deaf, "alice", 600, lines).status(), 200);
    for version in 20..40 {
        let state = machine_state(2, 3500 + version % 2 * 3000, version);
        let request = publish(&mut alice, &state);
        alice.stream.write(request);
        assert_eq!(alice.final_answer().status(), 200);
        std::thread::sleep(Duration::from_millis(60));
    }
    target.wait_metric(&hits("pending_notifications_max"), |count| count == 1.0);
    target.wait_metric("mynah_subscriptions_current", |count| count == 0.0);
    drop(deaf);
    pair.works();
    target.survived();
}

#[test]
fn whoever_does_not_read_his_notifications_is_dropped() {
    // 24
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let mut deaf = Endpoint::tls(&target, "alice");
    let lines = format!(
        "Contact: {}\r\nEvent: {ROAMING}\r\nSupported: ms-benotify\r\n\
         Supported: ms-piggyback-first-notify\r\n",
        deaf.contact()
    );
    let mut accepted = 0;
    for _ in 0..140 {
        match deaf.ask("SUBSCRIBE", "alice", &lines, "").status() {
            200 => accepted += 1,
            status => assert_eq!(status, 403),
        }
    }
    assert_eq!(accepted, 128);
    assert_eq!(target.metrics().hits("own_subscriptions_per_user_max"), 12.0);
    let payload = format!("<a>{}</a>", "x".repeat(20_000));
    for version in 0..100 {
        let large = publication("services", 1, 2, version, "endpoint", &payload);
        let request = publish(&mut alice, &large);
        alice.stream.write(request);
        assert_eq!(alice.final_answer().status(), 200);
        if target.metrics().closed("slow_reader") == 1.0 {
            break;
        }
    }
    target.wait_metric(&closed("slow_reader"), |count| count == 1.0);
    target.wait_metric("mynah_subscriptions_current", |count| count == 0.0);
    pair.works();
    drop(deaf);
    target.survived();
}

#[test]
fn nobody_acts_for_another() {
    // 33
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let state = machine_state(2, 3500, 0);
    let own = publish(&mut alice, &state);
    let body = own.split_once("\r\n\r\n").unwrap().1;
    let contact = format!("Contact: {}\r\n", alice.contact());
    let requests = [
        ("SERVICE", format!("Content-Type: {PUBLISH}\r\n"), body),
        ("SERVICE", format!("Content-Type: {MEMBERS}\r\n"), "<a/>"),
        ("SERVICE", format!("Content-Type: {SOAP}\r\n"), "<a/>"),
        ("PUBLISH", format!("Event: presence\r\nContent-Type: {PIDF}\r\n"), "<a/>"),
        ("SUBSCRIBE", format!("{contact}Event: {ROAMING}\r\n"), ""),
        ("SUBSCRIBE", format!("{contact}Event: presence.winfo\r\n"), ""),
        ("SUBSCRIBE", format!("{contact}Event: vnd-microsoft-roaming-contacts\r\n"), ""),
    ];
    for (method, lines, body) in &requests {
        let answer = alice.ask(method, "bob", lines, body);
        assert_eq!(answer.status(), 403, "{method} {lines}: {}", answer.head);
        // And as another, to the other.
        let forged = alice.request(method, "bob", lines, body);
        let forged = forged.replace("From: <sip:alice@", "From: <sip:bob@");
        alice.stream.write(forged);
        let answer = alice.final_answer();
        assert_eq!(answer.status(), 403, "{method} {lines}: {}", answer.head);
        assert!(answer.header("Warning").is_some(), "{}", answer.head);
    }
    // In his own name, for another.
    let other = body.replace("uri=\"sip:alice@", "uri=\"sip:bob@");
    let request = service(&mut alice, PUBLISH, &other);
    alice.stream.write(request);
    assert_eq!(alice.final_answer().status(), 400);
    pair.works();
    target.survived();
}

#[test]
fn a_search_flood_is_served_and_leaves_nothing() {
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let search =
        soap_body("directorySearch", "<m:filter m:href=\"#a\"/><m:maxResults>100</m:maxResults>")
            .replace(
                "</s:Body>",
                "<m:Array m:id=\"a\"><m:row m:attrib=\"mail\" m:value=\"b\"/></m:Array></s:Body>",
            );
    let lines = format!("Content-Type: {SOAP}\r\n");
    let mut searches = 0;
    let mut attack = || {
        let requests: Vec<String> =
            (0..500).map(|_| alice.request("SERVICE", DOMAIN, &lines, &search)).collect();
        let statuses = flood(&mut alice, requests.into_iter());
        assert!(statuses.iter().all(|status| *status == 200));
        searches += statuses.len();
    };
    target.leaves_nothing(4.0, &mut attack);
    assert_eq!(target.metrics().value("mynah_directory_searches_total"), searches as f64);
    pair.works();
    target.survived();
}

#[test]
fn ten_thousand_members_are_refused() {
    let target = Target::start();
    let mut pair = Pair::of(&target);
    let mut alice = Endpoint::tls(&target, "alice");
    let change = |count: u32| {
        let members: String = (0..count)
            .map(|n| format!("<member action=\"add\" type=\"user\" value=\"{n}@b\"/>"))
            .collect();
        format!(
            "<setContainerMembers \
             xmlns=\"http://schemas.microsoft.com/2006/09/sip/container-management\">\
             <container id=\"300\" version=\"0\">{members}</container></setContainerMembers>"
        )
    };
    let many = service(&mut alice, MEMBERS, &change(5_000));
    alice.stream.write(many);
    let refused = alice.final_answer();
    assert_eq!(refused.status(), 413, "{}", refused.head);
    assert!(refused.header("Warning").is_some(), "{}", refused.head);
    assert_eq!(target.metrics().hits("members_per_container_max"), 1.0);
    let some = service(&mut alice, MEMBERS, &change(1_000));
    alice.stream.write(some);
    assert_eq!(alice.final_answer().status(), 200, "as many as may be");
    let most = service(&mut alice, MEMBERS, &change(10_000));
    let _ = alice.stream.try_write(most);
    alice.stream.end();
    target.wait_metric(&hits("sip_body_bytes_max"), |count| count == 1.0);
    pair.works();
    target.survived();
}
