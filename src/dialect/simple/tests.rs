//! Bodies of standard clients in, what the domain makes of them; and back, as they read it.

use std::sync::Arc;

use super::{pidf, publish, rls, winfo};
use crate::base::aor::Aor;
use crate::base::ids::{ConnId, ShardId, Slot, SubscriptionId};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::dialect::resources::{Outcome, Resource, Told};
use crate::presence::card::{Card, Photo};
use crate::presence::category::{Category, CategorySet};
use crate::presence::container::{ContainerId, Relation};
use crate::presence::presentity::Presentity;
use crate::presence::publication::{Key, Life, Meaning, Operation, Payload};
use crate::presence::state::{Activity, Availability, Class, NoteKind, State, StateKind};
use crate::presence::watch::{Format, Watch};
use crate::wire::mime::content_type::ContentType;
use crate::wire::mime::multipart;
use crate::wire::presence::{Error, rlmi::List};
use crate::wire::xml::{self, Document};

const BARESIP: &str = include_str!("../../../tests/conformance/presence/baresip_publish.xml");

/// 2026-11-20T21:23:25Z.
const NOW: Now = Now { mono_ms: 1_000, unix_ms: 1_795_209_805_000 };

fn read(body: &str) -> Result<Vec<Operation>, Error> {
    publish::read(body.as_bytes(), 77, 1_795_209_865, &Limits::default())
}

/// The state a document amounts to.
fn state(body: &str) -> State {
    let operations = read(body).unwrap();
    match &operations[0].payload.as_ref().unwrap().meaning {
        Meaning::State(state) => state.clone(),
        other => panic!("{other:?}"),
    }
}

fn with_activities(activities: &str) -> String {
    let activities = format!("<rpid:activities>{activities}</rpid:activities>");
    BARESIP.replace("<rpid:activities/>", &activities)
}

#[test]
fn what_baresip_publishes_is_a_machine_state_for_both_aggregations() {
    let operations = read(BARESIP).unwrap();
    let machine = Meaning::State(State::new(StateKind::Machine, Availability::AVAILABLE));
    let operation = |container| Operation {
        key: Key { category: Category::State, container: ContainerId(container), instance: 77 },
        version: None,
        life: Life::Until(1_795_209_865),
        payload: Some(Arc::new(Payload { meaning: machine.clone(), source: "".into() })),
    };
    assert_eq!(operations, [operation(2), operation(3)]);
}

#[test]
fn a_note_goes_to_the_levels_that_see_notes() {
    for body in [
        BARESIP.replace("</tuple>", "<note>At <![CDATA[<home>]]></note></tuple>"),
        BARESIP.replace("<rpid:activities/>", "<dm:note> At &lt;home></dm:note>"),
        BARESIP.replace("</presence>", "<note/><note>At &lt;home></note></presence>"),
    ] {
        let operations = read(&body).unwrap();
        let notes: Vec<_> =
            operations.iter().filter(|one| one.key.category == Category::Note).collect();
        let containers: Vec<_> = notes.iter().map(|one| one.key.container.0).collect();
        assert_eq!(containers, [200, 300, 400]);
        for note in notes {
            let Meaning::Note(note) = &note.payload.as_ref().unwrap().meaning else { panic!() };
            assert_eq!((note.kind, &*note.text), (NoteKind::Personal, "At <home>"));
        }
    }
}

#[test]
fn activities_come_to_an_availability() {
    for (activities, availability, token) in [
        ("", Availability::AVAILABLE, ""),
        ("<rpid:unknown/><rpid:tv/>", Availability::AVAILABLE, ""),
        ("<rpid:busy/>", Availability::BUSY, ""),
        ("<rpid:on-the-phone/>", Availability::BUSY, "on-the-phone"),
        ("<rpid:meeting/><rpid:playing/>", Availability::BUSY, "in-a-meeting"),
        ("<rpid:presentation/>", Availability::DO_NOT_DISTURB, "in-presentation"),
        ("<rpid:lunch/>", Availability::BE_RIGHT_BACK, ""),
        ("<rpid:busy/><rpid:away/>", Availability::AWAY, ""),
        ("<rpid:vacation/>", Availability::AWAY, "out-of-office"),
        ("<busy xmlns=\"urn:x\"/>", Availability::AVAILABLE, ""),
    ] {
        let state = state(&with_activities(activities));
        assert_eq!(state.availability, availability, "{activities}");
        let known = state.activity.as_ref().map_or("", |activity| &*activity.token);
        assert_eq!(known, token, "{activities}");
    }
    let tea = state(&with_activities("<rpid:busy/><rpid:other>Tea</rpid:other>"));
    let activity = tea.activity.unwrap();
    assert_eq!((&*activity.token, &*activity.custom), ("", &[(0, Arc::from("Tea"))][..]));
}

#[test]
fn who_is_closed_is_offline_and_who_is_idle_is_idle() {
    let closed = BARESIP.replace("open", "closed");
    assert_eq!(state(&closed).availability, Availability::OFFLINE);
    let two = "<tuple id=\"x\"><status><basic>open</basic></status></tuple></presence>";
    assert_eq!(state(&closed.replace("</presence>", two)).availability, Availability::AVAILABLE);
    for basic in ["", "<basic>unknown</basic>"] {
        let unsaid = BARESIP.replace("<basic>open</basic>", basic);
        assert_eq!(state(&unsaid).availability, Availability::AVAILABLE, "{basic}");
    }

    let input = "<rpid:user-input last-input=\"2026-11-20T21:00:00Z\">idle</rpid:user-input>";
    let idle = state(&BARESIP.replace("<rpid:activities/>", input));
    assert_eq!((idle.availability, idle.last_active), (Availability::IDLE, Some(1_795_208_400)));
    let busy = format!("<rpid:activities><rpid:busy/></rpid:activities>{input}");
    let busy = state(&BARESIP.replace("<rpid:activities/>", &busy));
    assert_eq!(busy.availability, Availability::BUSY_IDLE);
    let device =
        "<dm:device id=\"d\"><rpid:user-input>active</rpid:user-input></dm:device></presence>";
    let active = BARESIP.replace("<rpid:activities/>", input).replace("</presence>", device);
    assert_eq!(state(&active).availability, Availability::AVAILABLE);
    let place = "<rpid:place-type><rpid:other>Home</rpid:other></rpid:place-type>";
    let at_home = state(&BARESIP.replace("<rpid:activities/>", place));
    assert_eq!(at_home.location.as_deref(), Some("Home"));
}

#[test]
fn what_breaks_the_form_is_refused_with_its_reason() {
    for (body, error) in [
        (String::new(), Error::Xml(xml::Error::Root)),
        ("<!DOCTYPE x><presence/>".to_owned(), Error::Xml(xml::Error::DocumentType)),
        (BARESIP.replace("ns:pidf\"", "ns:other\""), Error::Root),
        (BARESIP.replace("open", "ajar"), Error::Value),
        (BARESIP.replace(" entity=\"sip:alice@example.test\"", ""), Error::Missing),
        (BARESIP.replace("open", &"x".repeat(300_000)), Error::Xml(xml::Error::TooLarge)),
    ] {
        assert_eq!(read(&body), Err(error));
    }
}

fn conn() -> ConnId {
    ConnId::new(ShardId(0), Slot { index: 7, generation: 1 })
}

/// A user at one endpoint who states this, and has published a note.
fn presentity(state: State) -> Presentity {
    let limits = Limits::default();
    let photo = Photo { uri: "https://p.test/bob".into(), hash: "1f".into() };
    let card = Card { display_name: "Bob".into(), photo: Some(photo), ..Card::default() };
    let mut presentity = Presentity::new(NOW, card);
    presentity.endpoint_added(NOW, conn(), &limits);
    let mut operations =
        read(&BARESIP.replace("</presence>", "<note>Hi &amp; bye</note></presence>"));
    for operation in operations.as_mut().unwrap() {
        if operation.key.category == Category::State {
            let payload = Payload { meaning: Meaning::State(state.clone()), source: "".into() };
            operation.payload = Some(Arc::new(payload));
        }
    }
    presentity.publish(NOW, operations.unwrap(), &limits).unwrap();
    presentity
}

fn told(state: State, container: ContainerId) -> String {
    pidf::document("bob@example.test", &presentity(state).view(container))
}

fn in_a_call() -> State {
    State {
        activity: Some(Activity {
            token: "on-the-phone".into(),
            custom: [(1033, "Busy bee".into())].into_iter().collect(),
        }),
        location: Some("Room 1".into()),
        meeting_subject: Some("Secret".into()),
        last_active: Some(1_795_209_805),
        ..State::new(StateKind::Machine, Availability::BUSY)
    }
}

#[test]
fn the_document_is_always_whole() {
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
        xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
        xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:bob@example.test\">\
        <tuple id=\"t1\"><status><basic>open</basic></status>\
        <contact>sip:bob@example.test</contact><note>Hi &amp; bye</note>\
        <timestamp>2026-11-20T21:23:25Z</timestamp></tuple><dm:person id=\"p1\">\
        <rpid:activities><rpid:on-the-phone/><rpid:busy/><rpid:other>Busy bee</rpid:other>\
        </rpid:activities><rpid:place-type><rpid:other>Room 1</rpid:other></rpid:place-type>\
        <rpid:status-icon>https://p.test/bob</rpid:status-icon>\
        <rpid:user-input last-input=\"2026-11-20T21:23:25Z\">active</rpid:user-input>\
        <c:display-name xmlns:c=\"urn:ietf:params:xml:ns:pidf:cipid\">Bob</c:display-name>\
        <dm:note>Hi &amp; bye</dm:note></dm:person></presence>";
    assert_eq!(told(in_a_call(), ContainerId::COLLEAGUES), expected);
}

#[test]
fn no_level_is_told_more_than_it_may_see() {
    let secrets =
        ["Room 1", "Busy bee", "Hi &amp;", "on-the-phone", "<rpid:busy/>", "p.test", "open"];
    for (container, seen) in [
        (ContainerId::DEFAULT, &[][..]),
        (ContainerId::BLOCKED, &[]),
        (ContainerId::PUBLIC, &["<rpid:busy/>", "p.test", "open"]),
        (ContainerId::WORKGROUP, &secrets),
    ] {
        let xml = told(in_a_call(), container);
        for secret in secrets {
            assert_eq!(xml.contains(secret), seen.contains(&secret), "{secret} in {container:?}");
        }
        assert!(xml.contains("Bob") && !xml.contains("Secret"));
        assert_eq!(xml.contains("closed"), container == ContainerId::BLOCKED);
    }
}

/// How baresip reads it: by patterns, `away` before `busy` before `on-the-phone`.
fn as_baresip_reads(xml: &str) -> &'static str {
    let (_, basic) = xml.split_once("<basic>").unwrap_or_default();
    let has = |name: &str| xml.contains(&format!("<rpid:{name}/>"));
    match basic.split_once("</basic>") {
        _ if has("away") => "away",
        _ if has("busy") || has("on-the-phone") => "busy",
        Some(("open", _)) => "open",
        _ => "closed",
    }
}

#[test]
fn baresip_sees_who_is_open_busy_away_and_closed() {
    for (availability, expected, class) in [
        (Availability::AVAILABLE, "open", Class::Available),
        (Availability::IDLE, "open", Class::Idle),
        (Availability::BUSY, "busy", Class::Busy),
        (Availability::BUSY_IDLE, "busy", Class::BusyIdle),
        (Availability::DO_NOT_DISTURB, "busy", Class::Busy),
        (Availability::BE_RIGHT_BACK, "away", Class::Away),
        (Availability::AWAY, "away", Class::Away),
        (Availability::OFFLINE, "closed", Class::Offline),
    ] {
        let xml = told(State::new(StateKind::Machine, availability), ContainerId::COLLEAGUES);
        assert_eq!(as_baresip_reads(&xml), expected, "{availability:?}");
        assert_eq!(state(&xml).availability.class(), class, "what is told could be published");
    }
}

#[test]
fn a_resource_list_is_watched() {
    let list = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\"><list>\
        <entry uri=\"sip:bob@example.test\"/><entry uri=\"sip:BOB@example.test\"/>\
        <entry uri=\"sip:carol@example.test\"/><entry uri=\"tel:+1\"/></list></resource-lists>";
    let batch = rls::read(list.as_bytes(), &Limits::default()).unwrap();
    let resource = |aor| Resource { aor: Aor::new(aor), prompt: false };
    assert_eq!(batch.subscribe, [resource("bob@example.test"), resource("carol@example.test")]);
    assert_eq!((batch.unsubscribe, batch.categories), (vec![], CategorySet::ALL));
    assert_eq!(rls::read(b"<list/>", &Limits::default()), Err(Error::Root));
}

#[test]
fn the_answer_names_each_resource_and_carries_what_is_seen_of_it() {
    let [bob, carol, dan] =
        ["bob@example.test", "carol@example.test", "dan@example.test"].map(Aor::new);
    let told = [
        Told { aor: &carol, outcome: Outcome::Unknown },
        Told { aor: &bob, outcome: Outcome::Seen(b"<presence/>") },
        Told { aor: &dan, outcome: Outcome::Apart },
    ];
    let answer = rls::content("sip:alice@example.test;transport=tls", 3, false, &told);
    let content_type = ContentType::parse(answer.content_type.as_bytes());
    assert_eq!(content_type.param("start"), Some(&b"<list@example.test>"[..]));
    assert_eq!(content_type.param("type"), Some(&b"application/rlmi+xml"[..]));
    let limits = Limits::default();
    let parts = multipart::parts(content_type, &answer.body, &limits).unwrap();
    let [list, bob] = parts[..] else { panic!("{parts:?}") };
    assert_eq!(list.content_id, b"list@example.test");
    assert_eq!((bob.content_id, bob.body), (&b"2@example.test"[..], &b"<presence/>\r\n"[..]));
    let text = "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" \
        uri=\"sip:alice@example.test;transport=tls\" version=\"3\" fullState=\"false\">\
        <resource uri=\"sip:carol@example.test\"><instance id=\"1\" state=\"terminated\" \
        reason=\"noresource\"/></resource><resource uri=\"sip:bob@example.test\">\
        <instance id=\"1\" state=\"active\" cid=\"2@example.test\"/></resource>\
        <resource uri=\"sip:dan@example.test\"><instance id=\"1\" state=\"terminated\" \
        reason=\"deactivated\"/></resource></list>\r\n";
    assert_eq!(std::str::from_utf8(list.body), Ok(text));
    let document = Document::parse(list.body, &limits).unwrap();
    assert_eq!(List::read(&document).unwrap().resources.len(), 3);
}

#[test]
fn a_user_is_told_who_watches_him() {
    let mut presentity = presentity(in_a_call());
    let subscription = SubscriptionId::new(ShardId(1), Slot { index: 2, generation: 3 });
    let watch = Watch {
        subscription,
        watcher: Aor::new("alice@example.test"),
        relation: Relation::SameEnterprise,
        is_contact: false,
        categories: CategorySet::ALL,
        format: Format::Pidf,
    };
    presentity.watch(watch, false, &Limits::default()).unwrap();
    let expected = "<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"5\" \
        state=\"full\"><watcher-list resource=\"sip:bob@example.test\" package=\"presence\">\
        <watcher id=\"00010000000200000003\" status=\"active\" event=\"subscribe\">\
        sip:alice@example.test</watcher></watcher-list></watcherinfo>";
    assert_eq!(winfo::document("bob@example.test", &presentity, 5, 9), expected);
}
