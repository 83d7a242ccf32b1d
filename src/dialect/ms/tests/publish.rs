use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::dialect::ms::publish::read;
use crate::dialect::ms::{members, subscribers};
use crate::presence::container::Member;
use crate::presence::membership::{MemberChange, MembersChange};
use crate::wire::presence::Error;
use crate::wire::xml::{self, Document};

const SIGN_IN: &str = body!("sipe_publish.xml");

fn published(body: &str) -> Result<Vec<Operation>, Error> {
    read(body.as_bytes(), &Aor::new("alice@example.test"), conn(), NOW, &Limits::default())
}

/// One publication of Alice.
fn one(attributes: &str, payload: &str) -> String {
    format!(
        "<publish xmlns=\"http://schemas.microsoft.com/2006/09/sip/rich-presence\" \
         xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
         xmlns:s=\"http://schemas.microsoft.com/2006/09/sip/state\">\
         <publications uri=\"sip:alice@example.test\"><publication instance=\"5\" version=\"4\" \
         {attributes}>{payload}</publication></publications></publish>"
    )
}

fn meaning(attributes: &str, payload: &str) -> Meaning {
    let operations = published(&one(attributes, payload)).unwrap();
    operations[0].payload.as_ref().unwrap().meaning.clone()
}

const STATE: &str = "categoryName=\"state\" container=\"2\" expireType=\"endpoint\"";

#[test]
fn what_is_published_at_sign_in_is_understood() {
    let operations = published(SIGN_IN).unwrap();
    let machine = State::new(StateKind::Machine, Availability::AVAILABLE);
    let user = State::new(StateKind::User, Availability::AVAILABLE);
    let expected = [
        (key(&Category::Device, 2, 3_008_035_694), Life::Endpoint(conn()), Meaning::Opaque),
        (
            key(&Category::State, 2, 993_308_598),
            Life::Endpoint(conn()),
            Meaning::State(machine.clone()),
        ),
        (key(&Category::State, 3, 993_308_598), Life::Endpoint(conn()), Meaning::State(machine)),
        (key(&Category::State, 2, 0x2000_0000), Life::Static, Meaning::State(user.clone())),
        (key(&Category::State, 3, 0x2000_0000), Life::Static, Meaning::State(user)),
    ];
    assert_eq!(operations.len(), expected.len());
    for (operation, (key, life, meaning)) in operations.iter().zip(expected) {
        let payload = operation.payload.as_ref().unwrap();
        assert_eq!((&operation.key, operation.life, operation.version), (&key, life, Some(0)));
        assert_eq!(payload.meaning, meaning);
        assert!(SIGN_IN.contains(&*payload.source), "kept as it came: {}", payload.source);
        assert!(payload.source.contains(&format!("<{} xmlns=", key.category.name())));
    }
}

#[test]
fn a_note_comes_with_the_state() {
    let operations =
        read(body!("sipe_publish_note.xml").as_bytes(), &bob(), conn(), NOW, &Limits::default());
    let operations = operations.unwrap();
    let notes: Vec<_> = operations.iter().filter(|o| o.key.category == Category::Note).collect();
    let containers: Vec<_> = notes.iter().map(|note| note.key.container.0).collect();
    assert_eq!(containers, [200, 300, 400]);
    let note = Note { kind: NoteKind::Personal, text: "In a meeting room".into() };
    for operation in notes {
        assert_eq!(operation.payload.as_ref().unwrap().meaning, Meaning::Note(note.clone()));
        assert_eq!((operation.life, operation.version), (Life::Static, Some(0)));
    }
}

#[test]
fn a_life_is_what_the_publisher_says() {
    let life = |attributes: &str| {
        let body = one(&format!("categoryName=\"x\" container=\"1\" {attributes}"), "<x/>");
        published(&body).map(|operations| operations[0].life)
    };
    assert_eq!(life("expireType=\"static\""), Ok(Life::Static));
    assert_eq!(life("expireType=\"endpoint\" expires=\"60\""), Ok(Life::Endpoint(conn())));
    assert_eq!(life("expireType=\"user\""), Ok(Life::User));
    assert_eq!(life("expireType=\"time\" expires=\"60\""), Ok(Life::Until(1_795_209_865)));
    assert_eq!(life("expireType=\"time\""), Err(Error::Missing));
}

#[test]
fn no_time_left_deletes() {
    for payload in ["", "<x/>"] {
        let body =
            one("categoryName=\"x\" container=\"1\" expireType=\"user\" expires=\"0\"", payload);
        let operations = published(&body).unwrap();
        assert_eq!((operations[0].version, &operations[0].payload), (Some(4), &None));
    }
}

#[test]
fn all_that_a_state_says_is_understood() {
    let payload = "<s:state xsi:type=\"s:calendarState\" manual=\"false\" \
        startTime=\"2026-11-20T21:00:00Z\" endTime=\"2026-11-20T22:00:00Z\" \
        lastActive=\"2026-11-20T20:00:00Z\"><s:availability> 6500 </s:availability>\
        <s:activity token=\"in-a-meeting\" minAvailability=\"6500\"><s:custom LCID=\"1031\">Im \
        Gespr\u{e4}ch</s:custom><s:custom>In a talk</s:custom></s:activity><s:endpointLocation>Home\
        </s:endpointLocation><s:meetingSubject>A &amp; B</s:meetingSubject><s:meetingLocation/>\
        </s:state>";
    let activity = Activity {
        token: "in-a-meeting".into(),
        custom: [(1031, "Im Gespr\u{e4}ch".into()), (0, "In a talk".into())].into_iter().collect(),
    };
    let state = State {
        activity: Some(activity),
        location: Some("Home".into()),
        meeting_subject: Some("A & B".into()),
        last_active: Some(1_795_204_800),
        valid: Some((1_795_208_400, 1_795_212_000)),
        ..State::new(StateKind::Calendar, Availability::BUSY)
    };
    assert_eq!(meaning(STATE, payload), Meaning::State(state));
    let operations = published(&one(STATE, payload)).unwrap();
    let source = &operations[0].payload.as_ref().unwrap().source;
    let document = Document::parse(source.as_bytes(), &Limits::default());
    assert_eq!(document.unwrap().root().name(), "state", "complete in itself: {source}");
}

#[test]
fn states_that_only_the_server_makes_mean_nothing() {
    for kind in ["aggregateState", "other"] {
        let payload =
            format!("<s:state xsi:type=\"{kind}\"><s:availability>3500</s:availability></s:state>");
        assert_eq!(meaning(STATE, &payload), Meaning::Opaque);
    }
}

#[test]
fn an_absence_has_no_availability() {
    let payload =
        "<s:state xsi:type=\"calendarState\"><s:activity token=\"out-of-office\"/></s:state>";
    let Meaning::State(state) = meaning(STATE, payload) else { panic!() };
    assert_eq!((state.availability, state.valid), (Availability(0), None));
}

#[test]
fn a_card_is_read_as_it_is_written() {
    let mut writer = xml::Writer::new();
    crate::dialect::ms::card::write(&mut writer, &card());
    let attributes = "categoryName=\"contactCard\" container=\"400\" expireType=\"static\"";
    assert_eq!(meaning(attributes, &writer.finish()), Meaning::Card(Box::new(card())));
}

#[test]
fn a_note_may_be_out_of_office_or_cleared() {
    let attributes = "categoryName=\"note\" container=\"200\" expireType=\"static\"";
    let note = |body: &str| {
        let xml = "http://schemas.microsoft.com/2006/09/sip/note";
        meaning(attributes, &format!("<note xmlns=\"{xml}\">{body}</note>"))
    };
    let oof = Note { kind: NoteKind::OutOfOffice, text: "Gone".into() };
    assert_eq!(note("<body type=\"OOF\" uri=\"\">Gone</body>"), Meaning::Note(oof));
    let cleared = Note { kind: NoteKind::Personal, text: "".into() };
    assert_eq!(note(""), Meaning::Note(cleared.clone()));
    assert_eq!(note("<body type=\"personal\"/>"), Meaning::Note(cleared));
}

#[test]
fn what_breaks_the_form_is_refused_with_its_reason() {
    let state =
        |inner: &str| one(STATE, &format!("<s:state xsi:type=\"userState\">{inner}</s:state>"));
    let deep = format!("{}{}", "<s:x>".repeat(40), "</s:x>".repeat(40));
    for (body, error) in [
        (String::new(), Error::Xml(xml::Error::Root)),
        (format!("<!DOCTYPE x>{SIGN_IN}"), Error::Xml(xml::Error::DocumentType)),
        (state("&evil;"), Error::Xml(xml::Error::Entity)),
        (state(&deep), Error::Xml(xml::Error::TooDeep)),
        (state(&"<s:x/>".repeat(20_000)), Error::Xml(xml::Error::TooManyElements)),
        (state(&"x".repeat(300_000)), Error::Xml(xml::Error::TooLarge)),
        (SIGN_IN.replace("rich-presence", "poor-presence"), Error::Root),
        (
            SIGN_IN.replace("<publications uri=\"sip:alice", "<publications uri=\"sip:bob"),
            Error::Value,
        ),
        (state("<s:availability>-1</s:availability>"), Error::Number),
        (state("<s:availability>4294967296</s:availability>"), Error::Number),
        (state("<s:availability>busy</s:availability>"), Error::Number),
        (state("<s:activity><s:custom LCID=\"x\"/></s:activity>"), Error::Number),
        (one(STATE, "<s:state/>"), Error::Missing),
        (one(STATE, "<s:note xsi:type=\"userState\"/>"), Error::Value),
        (one(STATE, "<state xsi:type=\"userState\"/>"), Error::Value),
        (one(STATE, "<s:state xsi:type=\"userState\" lastActive=\"soon\"/>"), Error::Value),
        (
            one("categoryName=\"note\" container=\"200\" expireType=\"static\"", "<s:note/>"),
            Error::Value,
        ),
        (
            one("categoryName=\"contactCard\" container=\"0\" expireType=\"static\"", "<s:card/>"),
            Error::Value,
        ),
    ] {
        assert_eq!(published(&body), Err(error), "{}", body.get(..600).unwrap_or(&body));
        assert!(!error.reason().is_empty());
    }
}

#[test]
fn members_are_moved_from_container_to_container() {
    let changes = members::read(body!("sipe_members.xml").as_bytes(), &Limits::default()).unwrap();
    let change = |container, version, step| MembersChange {
        container: ContainerId(container),
        version,
        steps: vec![step],
    };
    let expected = [
        change(32_000, 1, MemberChange::Remove(Member::User(bob()))),
        change(300, 0, MemberChange::Add(Member::User(bob()))),
    ];
    assert_eq!(changes, expected);
    let bad = body!("sipe_members.xml").replace("bob@example.test", "@");
    assert_eq!(members::read(bad.as_bytes(), &Limits::default()), Err(Error::Value));
}

#[test]
fn the_user_has_seen_who_added_him() {
    let read = subscribers::read(body!("sipe_subscribers.xml").as_bytes(), &Limits::default());
    assert_eq!(read, Ok(vec![(Aor::new("alice@example.test"), true)]));
    let bad = body!("sipe_subscribers.xml").replace("alice@example.test", "alice");
    assert_eq!(subscribers::read(bad.as_bytes(), &Limits::default()), Err(Error::Value));
}

proptest! {
    /// Whatever is taken is kept as text that is complete in itself.
    #[test]
    fn what_is_published_can_be_handed_on(
        edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)
    ) {
        let mut body = SIGN_IN.as_bytes().to_vec();
        for (at, octet) in edits {
            let at = at.index(body.len());
            body[at] = octet;
        }
        let limits = Limits::default();
        let alice = Aor::new("alice@example.test");
        for operation in read(&body, &alice, conn(), NOW, &limits).unwrap_or_default() {
            let payload = operation.payload.unwrap();
            let document = Document::parse(payload.source.as_bytes(), &limits);
            prop_assert!(document.is_ok(), "{}", payload.source);
        }
    }
}
