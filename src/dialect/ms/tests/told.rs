use std::collections::BTreeMap;

use super::client::{Buddy, Own};
use super::*;
use crate::dialect::ms::categories::document;
use crate::dialect::ms::roaming_self::{self, Parts, RoamingList};
use crate::dialect::ms::{acl, fault, pending};
use crate::presence::category::CategorySet;
use crate::presence::container::{Member, Relation};
use crate::presence::document::{PublishError, Stale};
use crate::presence::membership::{MemberChange, MembersChange};
use crate::presence::watch::{Format, Watch};

fn told(presentity: &Presentity, container: ContainerId, categories: CategorySet) -> String {
    document("bob@example.test", &presentity.view(container), categories, CategorySet::ALL)
}

fn read(xml: &str) -> Buddy {
    let mut buddy = Buddy::default();
    buddy.is_told(xml);
    buddy
}

fn usual() -> CategorySet {
    [&Category::CalendarData, &Category::ContactCard, &Category::Note, &Category::State]
        .into_iter()
        .collect()
}

#[test]
fn a_workgroup_sees_everything_but_what_is_private() {
    let xml = told(&presentity(), ContainerId::WORKGROUP, usual());
    let expected = "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" \
        uri=\"sip:bob@example.test\">\
        <category name=\"contactCard\" instance=\"0\" publishTime=\"2026-11-20T21:23:25Z\">\
        <contactCard xmlns=\"http://schemas.microsoft.com/2006/09/sip/contactcard\"><identity>\
        <name><displayName>Bob Boyle</displayName></name><email>bob@example.test</email></identity>\
        <company>Example &amp; Co</company><department>Quality</department><title>Tester</title>\
        <office>B 12</office><phone type=\"work\"><uri>tel:+11</uri><displayString>+1 1\
        </displayString></phone><phone type=\"mobile\"><uri>tel:+12</uri><displayString>+1 2\
        </displayString></phone><photo type=\"enterprise\"><uri>https://p.test/bob</uri>\
        <hash>1f</hash></photo></contactCard></category>\
        <category name=\"note\" instance=\"9\" publishTime=\"2026-11-20T21:23:25Z\">\
        <note xmlns=\"http://schemas.microsoft.com/2006/09/sip/note\">\
        <body type=\"personal\" uri=\"\">1 &lt; 2</body></note></category>\
        <category name=\"state\" instance=\"1\" publishTime=\"2026-11-20T21:23:25Z\">\
        <state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"aggregateState\" \
        lastActive=\"2026-11-20T21:23:25Z\"><availability>6500</availability><activity>\
        <custom LCID=\"1033\">Writing \"tests\"</custom></activity>\
        <endpointLocation>Room &lt;1&gt;</endpointLocation><meetingSubject>Secret</meetingSubject>\
        <meetingLocation>Cellar</meetingLocation></state></category>\
        <category name=\"calendarData\"/></categories>";
    assert_eq!(xml, expected);
}

#[test]
fn the_client_understands_what_it_is_told() {
    let buddy = read(&told(&presentity(), ContainerId::WORKGROUP, usual()));
    assert_eq!((buddy.availability, &*buddy.activity), (6500, "Writing \"tests\""));
    assert_eq!(buddy.note, ("1 < 2".to_owned(), false, 1_795_209_805));
    assert_eq!(buddy.meeting, ("Secret".to_owned(), "Cellar".to_owned()));
    let fields: Vec<_> = buddy.fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let expected = [
        ("company", "Example & Co"),
        ("department", "Quality"),
        ("email", "bob@example.test"),
        ("hash", "1f"),
        ("mobile", "tel:+12"),
        ("name", "Bob Boyle"),
        ("office", "B 12"),
        ("photo", "https://p.test/bob"),
        ("title", "Tester"),
        ("work", "tel:+11"),
    ];
    assert_eq!(fields, expected);
}

#[test]
fn it_reads_like_what_a_real_client_took() {
    let limits = Limits::default();
    let card = Card {
        display_name: "Bob Boyle".into(),
        email: "bob@example.test".into(),
        title: "Tester".into(),
        ..Card::default()
    };
    let mut presentity = Presentity::new(NOW, card);
    presentity.endpoint_added(NOW, conn(), &limits);
    let body = body!("sipe_publish_note.xml").replace("version=\"1\"", "version=\"0\"");
    let operations =
        crate::dialect::ms::publish::read(body.as_bytes(), &bob(), conn(), NOW, &limits);
    presentity.publish(NOW, operations.unwrap(), &limits).unwrap();
    let ours = told(&presentity, ContainerId::COLLEAGUES, usual());
    assert_eq!(read(&ours), read(body!("accepted_categories.xml")));
    let note = "<body type=\"personal\" uri=\"\">In a meeting room</body>";
    assert!(ours.contains(note) && body!("accepted_categories.xml").contains(note));
}

#[test]
fn no_level_is_told_more_than_it_may_see() {
    let presentity = presentity();
    let secrets = ["Secret", "Cellar", "Room", "1 &lt; 2", "tests", "+12", "+13", "+11", "6500"];
    for (container, seen) in [
        (ContainerId::DEFAULT, &[][..]),
        (ContainerId::BLOCKED, &[]),
        (ContainerId::PUBLIC, &["6500"]),
        (ContainerId::COLLEAGUES, &["Room", "1 &lt; 2", "tests", "+11", "6500"]),
        (ContainerId::FRIENDS, &["Room", "1 &lt; 2", "tests", "+12", "+13", "+11", "6500"]),
    ] {
        let xml = told(&presentity, container, CategorySet::ALL);
        for secret in secrets {
            assert_eq!(xml.contains(secret), seen.contains(&secret), "{secret} in {container:?}");
        }
        assert_eq!(read(&xml).fields["name"], "Bob Boyle");
    }
}

#[test]
fn a_change_of_level_leaves_nothing_of_the_old_one() {
    let presentity = presentity();
    for (container, availability) in
        [(ContainerId::BLOCKED, 18_500), (ContainerId::DEFAULT, 0), (ContainerId::PUBLIC, 6500)]
    {
        let mut buddy = read(&told(&presentity, ContainerId::WORKGROUP, usual()));
        buddy.is_told(&told(&presentity, container, usual()));
        assert_eq!((buddy.availability, &*buddy.activity), (availability, ""));
        assert_eq!((&*buddy.note.0, &*buddy.meeting.0), ("", ""));
    }
}

#[test]
fn only_what_was_asked_for_and_has_changed_is_told() {
    let presentity = presentity();
    let view = presentity.view(ContainerId::COLLEAGUES);
    let only = |asked: &Category, changed: &Category| {
        let (asked, changed) = (CategorySet::only(asked), CategorySet::only(changed));
        document("bob@example.test", &view, asked, changed)
    };
    assert!(!only(&Category::Note, &Category::State).contains("<category"));
    let note = only(&Category::Note, &Category::Note);
    assert!(note.contains("1 &lt; 2") && note.matches("<category ").count() == 1);
    assert!(
        only(&Category::CalendarData, &Category::CalendarData)
            .contains("<category name=\"calendarData\"/>")
    );
}

#[test]
fn what_is_not_understood_is_handed_on_as_it_came() {
    let limits = Limits::default();
    let mut presentity = presentity();
    let source = "<calendarData xmlns=\"urn:c\"><freeBusy>AAAA</freeBusy></calendarData>";
    let mut operation = overwrite(&Category::CalendarData, 200, Meaning::Opaque);
    operation.payload = Some(Arc::new(Payload { meaning: Meaning::Opaque, source: source.into() }));
    presentity.publish(NOW, vec![operation], &limits).unwrap();
    let xml = told(&presentity, ContainerId::COLLEAGUES, usual());
    assert!(xml.contains(source));
    assert_eq!(read(&xml).free_busy, "AAAA");
}

/// What the client knows after the initial data and each answer.
fn own(presentity: &Presentity, known: &mut Own, parts: Parts<'_>) -> String {
    let xml = roaming_self::document(NOW, "bob@example.test", presentity, parts);
    known.is_told(&xml);
    xml
}

const EVERYTHING: RoamingList =
    RoamingList { categories: true, containers: true, subscribers: true };

#[test]
fn the_users_endpoints_know_all_publications_and_versions() {
    let limits = Limits::default();
    let mut presentity = presentity();
    let mut known = Own::default();
    own(&presentity, &mut known, Parts::of(EVERYTHING));
    let is = |presentity: &Presentity, known: &Own| {
        let publications = presentity.publications().map(|one| {
            let name = one.key.category.name().to_owned();
            ((name, one.key.instance, one.key.container.0), one.version)
        });
        assert_eq!(publications.collect::<BTreeMap<_, _>>(), known.publications);
    };
    assert_eq!(known.aggregate, Some(6500));
    is(&presentity, &known);

    let state = State::new(StateKind::Machine, Availability::AWAY);
    let change = overwrite(&Category::State, 2, Meaning::State(state));
    let published = presentity.publish(NOW, vec![change], &limits).unwrap();
    let xml = own(&presentity, &mut known, Parts::categories(&published.touched));
    assert!(!xml.contains("\"note\"") && xml.contains("xsi:type=\"machineState\""));
    is(&presentity, &known);

    let cleared = [200, 300, 400].map(|container| Operation {
        payload: None,
        ..overwrite(&Category::Note, container, Meaning::Opaque)
    });
    let device =
        Operation { life: Life::Static, ..overwrite(&Category::Device, 2, Meaning::Opaque) };
    presentity.publish(NOW, vec![device.clone()], &limits).unwrap();
    own(&presentity, &mut known, Parts::categories(&[Category::Device]));
    is(&presentity, &known);
    let gone = Operation { payload: None, ..device };
    presentity.publish(NOW, vec![gone], &limits).unwrap();
    own(&presentity, &mut known, Parts::categories(&[Category::Device]));
    is(&presentity, &known);
    assert!(!known.is_note_cleared, "the client keeps its note when a device is gone");
    let published = presentity.publish(NOW, cleared.to_vec(), &limits).unwrap();
    own(&presentity, &mut known, Parts::categories(&published.touched));
    is(&presentity, &known);
    assert!(known.is_note_cleared);
}

#[test]
fn the_answer_to_a_publication_is_what_a_real_client_took() {
    let limits = Limits::default();
    let mut presentity = Presentity::new(NOW, card());
    presentity.endpoint_added(NOW, conn(), &limits);
    let state = body!("sipe_publish_note.xml").replace("version=\"1\"", "version=\"0\"");
    let operations =
        crate::dialect::ms::publish::read(state.as_bytes(), &bob(), conn(), NOW, &limits).unwrap();
    let published = presentity.publish(NOW, operations, &limits).unwrap();
    let mut ours = Own::default();
    let xml = own(&presentity, &mut ours, Parts::categories(&published.touched));
    let category = "<category name=\"state\" instance=\"988436328\" \
        publishTime=\"2026-11-20T21:23:25Z\" container=\"2\" version=\"1\" \
        expireType=\"endpoint\"><state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" \
        manual=\"false\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" \
        xsi:type=\"machineState\"><availability>6500</availability><endpointLocation/></state>\
        </category>";
    assert!(xml.contains(category));
    let accepted = body!("accepted_roaming_self.xml");
    let form = |text: &str| text.replace("2026-11-20T21:36:02Z", "2026-11-20T21:23:25Z");
    assert!(form(accepted).contains(&category.replace("6500", "3500")));
    let mut theirs = Own::default();
    theirs.is_told(accepted);
    let keys = |own: &Own| -> Vec<_> {
        own.publications.keys().filter(|(name, ..)| name == "state").cloned().collect()
    };
    assert_eq!(keys(&ours), keys(&theirs));
}

#[test]
fn containers_and_subscribers_are_told() {
    let limits = Limits::default();
    let mut presentity = presentity();
    let block = MembersChange {
        container: ContainerId::BLOCKED,
        version: 0,
        steps: vec![MemberChange::Add(Member::User(Aor::new("eve@example.test")))],
    };
    presentity.set_members(&[block], &limits).unwrap();
    let watch = Watch {
        subscription: subscription(1),
        watcher: Aor::new("alice@example.test"),
        relation: Relation::SameEnterprise,
        is_contact: false,
        categories: CategorySet::ALL,
        format: Format::Categories,
    };
    presentity.watch(watch, true, &limits).unwrap();
    let mut known = Own::default();
    own(&presentity, &mut known, Parts::of(EVERYTHING));
    assert!(known.containers[&200].1.contains(&("sameEnterprise".to_owned(), String::new())));
    let eve = ("user".to_owned(), "eve@example.test".to_owned());
    assert!(known.containers[&32_000].1.contains(&eve) && known.containers[&32_000].0 == 1);
    assert_eq!(known.unseen, ["alice@example.test"]);

    let xml = roaming_self::document(NOW, "bob@example.test", &presentity, Parts::subscribers());
    let expected = "<roamingData xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\">\
        <subscribers xmlns=\"http://schemas.microsoft.com/2006/09/sip/presence-subscribers\">\
        <subscriber user=\"alice@example.test\" displayName=\"alice@example.test\" \
        acknowledged=\"false\" type=\"sameEnterprise\"/></subscribers></roamingData>";
    assert_eq!(xml, expected);
    let pending = pending::document(&presentity);
    assert_eq!(
        pending,
        "<watchers><watcher uri=\"sip:alice@example.test\" displayName=\"alice@example.test\"/>\
         </watchers>"
    );
    presentity.acknowledge(&[(Aor::new("alice@example.test"), true)]);
    assert_eq!(pending::document(&presentity), "<watchers/>");
    let acl = acl::document(&presentity);
    assert!(acl.starts_with("<ACLlist deltaNum=\"2\"><ACE type=\"ALL\" mask=\"\" rights=\"AA\"/>"));
    assert!(acl.contains("<ACE type=\"USER\" mask=\"eve@example.test\" rights=\"BD\"/>"));
}

#[test]
fn an_endpoint_is_told_what_it_asked_for() {
    let limits = Limits::default();
    let list = roaming_self::read(body!("sipe_roaming_list.xml").as_bytes(), &limits);
    assert_eq!(list, Ok(EVERYTHING));
    let none = Parts::of(RoamingList::default());
    let xml = roaming_self::document(NOW, "bob@example.test", &presentity(), none);
    assert_eq!(
        xml,
        "<roamingData xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\"/>"
    );
}

#[test]
fn a_conflict_says_which_versions_are_current() {
    let limits = Limits::default();
    let mut presentity = presentity();
    let mut operation = overwrite(&Category::Note, 200, Meaning::Opaque);
    operation.version = Some(7);
    let Err(PublishError::Stale(stale)) = presentity.publish(NOW, vec![operation], &limits) else {
        panic!("accepted a wrong version")
    };
    let stale: Vec<Stale> = stale;
    let expected = "<Fault><Faultcode>Client.BadCall.WrongDelta</Faultcode><details>\
        <operation index=\"1\" version=\"7\" curVersion=\"1\"/></details></Fault>";
    assert_eq!(fault::wrong_versions(&stale), expected);
}
