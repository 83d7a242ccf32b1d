use super::containers::{Member, MemberType};
use super::publish::ExpireType;
use super::*;
use crate::base::limits::Limits;
use crate::wire::xml::{self, Document, Writer};

fn parse(xml: &str) -> Document<'_> {
    Document::parse(xml.as_bytes(), &Limits::default()).unwrap()
}

/// As pidgin-sipe sends it at sign-in.
const PUBLISH: &str = "<publish xmlns=\"http://schemas.microsoft.com/2006/09/sip/rich-presence\">\
    <publications uri=\"sip:alice@example.test\">\
    <publication categoryName=\"state\" instance=\"993308598\" container=\"3\" version=\"0\" \
    expireType=\"endpoint\">\
    <state xmlns=\"http://schemas.microsoft.com/2006/09/sip/state\" manual=\"false\" \
    xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:type=\"machineState\">\
    <availability>3500</availability><endpointLocation/></state></publication>\
    <publication categoryName=\"note\" instance=\"0\" container=\"200\" version=\"2\" \
    expireType=\"static\" expires=\"0\"/></publications></publish>";

#[test]
fn a_publication_is_read() {
    let document = parse(PUBLISH);
    let read = publish::read(&document).unwrap();
    assert_eq!(read.uri, "sip:alice@example.test");
    let [state, note] = &read.publications[..] else { panic!("{read:?}") };
    assert_eq!((state.category, state.instance, state.container), ("state", 993_308_598, 3));
    assert_eq!((state.version, state.expire_type), (0, ExpireType::Endpoint));
    assert_eq!((state.expires, state.payload.unwrap().name()), (None, "state"));
    assert_eq!((note.category, note.version), ("note", 2));
    assert_eq!(note.expire_type, ExpireType::Static);
    assert!(note.expires == Some(0) && note.payload.is_none());
}

#[test]
fn a_malformed_publication_is_refused_with_its_reason() {
    let edited = |from: &str, to: &str| PUBLISH.replacen(from, to, 1);
    for (xml, error) in [
        (edited("rich-presence", "other"), Error::Root),
        (edited("<publish ", "<p:publish xmlns:p=\"urn:x\" "), Error::Xml(xml::Error::Nesting)),
        ("<publish/>".to_owned(), Error::Root),
        (edited("publications uri", "publications other"), Error::Missing),
        (edited("categoryName=\"state\"", ""), Error::Missing),
        (edited("categoryName=\"state\"", "categoryName=\"\""), Error::Missing),
        (edited("instance=\"993308598\"", ""), Error::Missing),
        (edited("\"993308598\"", "\"4294967296\""), Error::Number),
        (edited("\"993308598\"", "\"-1\""), Error::Number),
        (edited("\"993308598\"", "\"+1\""), Error::Number),
        (edited("\"993308598\"", "\"1e3\""), Error::Number),
        (edited("container=\"3\"", "container=\"32768\""), Error::Number),
        (edited("version=\"0\"", "version=\"99999999999999999999\""), Error::Number),
        (edited("expireType=\"endpoint\"", "expireType=\"never\""), Error::Value),
        (edited("expireType=\"endpoint\"", ""), Error::Missing),
        (edited("expires=\"0\"", "expires=\"x\""), Error::Number),
        (edited("expires=\"0\"", "expires=\"7\""), Error::Missing),
        (edited("</state></publication>", "</state><state/></publication>"), Error::TooMany),
        (
            edited("version=\"0\"", "version=\"0\" version=\"1\""),
            Error::Xml(xml::Error::DuplicateAttribute),
        ),
    ] {
        let document = Document::parse(xml.as_bytes(), &Limits::default());
        let read = document.as_ref().map_err(|error| Error::Xml(*error));
        let read = read.and_then(|document| publish::read(document).map(|_| ()));
        assert_eq!(read, Err(error), "{xml}");
        assert!(!error.reason().is_empty());
    }
}

#[test]
fn changes_of_members_are_read() {
    let document = parse(
        "<setContainerMembers \
         xmlns=\"http://schemas.microsoft.com/2006/09/sip/container-management\">\
         <container id=\"32000\" version=\"1\">\
         <member action=\"remove\" type=\"user\" value=\"bob@example.test\"/></container>\
         <container id=\"300\" version=\"0\"><member action=\"add\" type=\"sameEnterprise\"/>\
         </container></setContainerMembers>",
    );
    use set_container_members::{Action, Container};
    let bob = Member { kind: MemberType::User, value: "bob@example.test" };
    let all = Member { kind: MemberType::SameEnterprise, value: "" };
    let read = set_container_members::read(&document).unwrap();
    let expected = [
        Container { id: 32_000, version: 1, changes: vec![(Action::Remove, bob)] },
        Container { id: 300, version: 0, changes: vec![(Action::Add, all)] },
    ];
    assert_eq!(read, expected);
}

#[test]
fn malformed_changes_of_members_are_refused_with_their_reason() {
    let change = |container: &str, member: &str| {
        format!(
            "<setContainerMembers \
             xmlns=\"http://schemas.microsoft.com/2006/09/sip/container-management\">\
             <container {container}><member {member}/></container></setContainerMembers>"
        )
    };
    let good = "id='1' version='0'";
    for (xml, error) in [
        (change("id='1'", "action='add' type='everyone'"), Error::Missing),
        (change("id='40000' version='0'", "action='add' type='everyone'"), Error::Number),
        (change(good, "type='everyone'"), Error::Missing),
        (change(good, "action='move' type='everyone'"), Error::Value),
        (change(good, "action='add' type='nobody'"), Error::Value),
        (change(good, "action='add' type='user'"), Error::Missing),
        (change(good, "action='add' type='domain' value=''"), Error::Missing),
    ] {
        let document = parse(&xml);
        assert_eq!(set_container_members::read(&document), Err(error), "{xml}");
    }
}

#[test]
fn the_users_word_on_those_who_added_him_is_read() {
    let namespace = "http://schemas.microsoft.com/2006/09/sip/presence-subscribers";
    let xml = format!(
        "<setSubscribers xmlns=\"{namespace}\">\
         <subscriber user=\"alice@example.test\" acknowledged=\"true\"/></setSubscribers>"
    );
    let document = parse(&xml);
    let read = set_subscribers::read(&document).unwrap();
    let alice = set_subscribers::Subscriber { user: "alice@example.test", acknowledged: true };
    assert_eq!(read, [alice]);
    let xml = xml.replace("\"true\"", "\"perhaps\"");
    assert_eq!(set_subscribers::read(&parse(&xml)), Err(Error::Value));
    let xml = xml.replace("user=\"alice@example.test\" acknowledged=\"perhaps\"", "");
    assert_eq!(set_subscribers::read(&parse(&xml)), Err(Error::Missing));
}

#[test]
fn roaming_data_is_asked_for_by_kind() {
    let xml = "<roamingList xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\">\
        <roaming type=\"categories\"/><roaming type=\"containers\"/><roaming type=\"other\"/>\
        </roamingList>";
    let expected = roaming_self::Request { categories: true, containers: true, subscribers: false };
    assert_eq!(roaming_self::read(&parse(xml)), Ok(expected));
    assert_eq!(roaming_self::read(&parse("<roamingList/>")), Err(Error::Root));
}

#[test]
fn roaming_data_is_written_as_clients_accept_it() {
    let mut writer = Writer::new();
    roaming_self::start(&mut writer);
    let federated = Member { kind: MemberType::Federated, value: "" };
    let bob = Member { kind: MemberType::User, value: "bob@example.test" };
    let container = |id, version, members| roaming_self::Container { id, version, members };
    roaming_self::containers(
        &mut writer,
        [
            container(100, 1, vec![federated]),
            container(300, 1, vec![bob]),
            container(32_000, 2, vec![]),
        ],
    );
    let alice = roaming_self::Subscriber {
        user: "alice@example.test",
        display_name: "Alice Ames",
        acknowledged: false,
        kind: MemberType::SameEnterprise,
    };
    roaming_self::subscribers(&mut writer, [alice]);
    let expected = "<roamingData xmlns=\"http://schemas.microsoft.com/2006/09/sip/roaming-self\">\
        <containers xmlns=\"http://schemas.microsoft.com/2006/09/sip/containers\">\
        <container id=\"100\" version=\"1\"><member type=\"federated\"/></container>\
        <container id=\"300\" version=\"1\"><member type=\"user\" value=\"bob@example.test\"/>\
        </container><container id=\"32000\" version=\"2\"/></containers>\
        <subscribers xmlns=\"http://schemas.microsoft.com/2006/09/sip/presence-subscribers\">\
        <subscriber user=\"alice@example.test\" displayName=\"Alice Ames\" acknowledged=\"false\" \
        type=\"sameEnterprise\"/></subscribers></roamingData>";
    assert_eq!(writer.finish(), expected);
}

#[test]
fn categories_are_written_as_clients_accept_it() {
    let mut writer = Writer::new();
    categories::start(&mut writer, "sip:alice@example.test");
    let mut category =
        categories::Category { name: "state", instance: 1, publish_time: 1_795_209_811, own: None };
    category.start(&mut writer);
    writer.raw("<state/>").end();
    let expire_type = ExpireType::Time;
    let own = categories::Own { container: 2, version: 7, expire_type, expires: Some(60) };
    category.own = Some(own);
    category.start(&mut writer);
    writer.end();
    categories::cleared(&mut writer, "note", None);
    categories::cleared(&mut writer, "device", Some(2));
    let expected = "<categories xmlns=\"http://schemas.microsoft.com/2006/09/sip/categories\" \
        uri=\"sip:alice@example.test\">\
        <category name=\"state\" instance=\"1\" publishTime=\"2026-11-20T21:23:31Z\"><state/>\
        </category><category name=\"state\" instance=\"1\" publishTime=\"2026-11-20T21:23:31Z\" \
        container=\"2\" version=\"7\" expireType=\"time\" expires=\"60\"/><category name=\"note\"/>\
        <category name=\"device\" container=\"2\"/></categories>";
    assert_eq!(writer.finish(), expected);
}

#[test]
fn a_fault_names_the_versions() {
    let operations = [
        fault::Operation { index: 4, version: 0, current: 1 },
        fault::Operation { index: 5, version: 0, current: 2 },
    ];
    let expected = "<Fault><Faultcode>Client.BadCall.WrongDelta</Faultcode><details>\
        <operation index=\"4\" version=\"0\" curVersion=\"1\"/>\
        <operation index=\"5\" version=\"0\" curVersion=\"2\"/></details></Fault>";
    assert_eq!(fault::wrong_delta(operations), expected);
}

/// As pidgin-sipe sends it for a contact that was just added.
const BATCH: &str = "<batchSub xmlns=\"http://schemas.microsoft.com/2006/01/sip/batch-subscribe\" \
    uri=\"sip:alice@example.test\" name=\"\">\n\
    <action name=\"subscribe\" id=\"63792024\"><adhocList>\n\
    <resource uri=\"sip:bob@example.test\"><context/></resource>\n\
    <resource uri=\"sip:carol@example.test\"/>\n\
    </adhocList>\n\
    <categoryList xmlns=\"http://schemas.microsoft.com/2006/09/sip/categorylist\">\n\
    <category name=\"note\"/>\n\
    <category name=\"state\"/>\n\
    </categoryList>\n\
    </action>\n\
    </batchSub>";

#[test]
fn a_batch_is_read() {
    use batch_sub::{Action, ActionName, BatchSub, Resource};
    let document = parse(BATCH);
    let resources = vec![
        Resource { uri: "sip:bob@example.test", is_added: true },
        Resource { uri: "sip:carol@example.test", is_added: false },
    ];
    let action = Action {
        name: ActionName::Subscribe,
        id: "63792024",
        resources,
        categories: vec!["note", "state"],
    };
    let expected = BatchSub { uri: "sip:alice@example.test", actions: vec![action] };
    assert_eq!(batch_sub::read(&document), Ok(expected));
    for (from, to, error) in [
        ("batch-subscribe", "other", Error::Root),
        ("\"subscribe\"", "\"forget\"", Error::Value),
        ("<adhocList>", "<adhocList xmlns=\"urn:x\">", Error::Missing),
        ("uri=\"sip:bob@example.test\"", "", Error::Missing),
        ("<category name=\"note\"/>", "<category/>", Error::Missing),
        (" uri=\"sip:alice@example.test\"", "", Error::Missing),
    ] {
        let xml = BATCH.replacen(from, to, 1);
        assert_eq!(batch_sub::read(&parse(&xml)), Err(error), "{xml}");
    }
    let empty = "<batchSub xmlns=\"http://schemas.microsoft.com/2006/01/sip/batch-subscribe\"/>";
    assert_eq!(batch_sub::read(&parse(empty)), Err(Error::Missing));
}

#[test]
fn a_resource_list_is_read_with_the_lists_within() {
    let xml = "<resource-lists xmlns=\"urn:ietf:params:xml:ns:resource-lists\">\
        <list name=\"x\"><entry uri=\"sip:a@b\"/><list><display-name>y</display-name>\
        <entry uri=\"sip:c@d\"/></list><entry uri=\"sip:e@f\"/></list></resource-lists>";
    assert_eq!(resource_lists::read(&parse(xml)), Ok(vec!["sip:a@b", "sip:c@d", "sip:e@f"]));
    let xml = xml.replace(" uri=\"sip:c@d\"", "");
    assert_eq!(resource_lists::read(&parse(&xml)), Err(Error::Missing));
}

#[test]
fn a_list_of_resources_is_written_and_read_as_clients_accept_it() {
    let xml = "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:alice@example.test\" \
        version=\"1\" fullState=\"true\"><resource uri=\"sip:bob@example.test\">\
        <instance id=\"0\" state=\"active\" cid=\"sip:bob@example.test\"/></resource></list>";
    let document = parse(xml);
    let list = rlmi::List::read(&document).unwrap();
    assert!(list.full_state && list.version == 1);
    let instance = list.resources[0].instance.as_ref().unwrap();
    assert_eq!((instance.state, instance.cid), (rlmi::State::Active, "sip:bob@example.test"));
    assert_eq!(list.write(), xml);
    let xml = "<list xmlns=\"urn:ietf:params:xml:ns:rlmi\" uri=\"sip:a@b\" version=\"2\" \
        fullState=\"false\"><resource uri=\"sip:c@d\"><instance id=\"0\" state=\"terminated\" \
        reason=\"noresource\"/></resource><resource uri=\"sip:e@f\"><instance id=\"0\" \
        state=\"resubscribe\" poolFqdn=\"p.test\"/></resource><resource uri=\"sip:g@h\"/></list>";
    assert_eq!(rlmi::List::read(&parse(xml)).unwrap().write(), xml);
}

/// As baresip publishes it.
const BARESIP: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\r\n\
    <presence xmlns=\"urn:ietf:params:xml:ns:pidf\"\r\n    \
    xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\"\r\n    \
    xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\"\r\n    \
    entity=\"sip:alice@example.test\">\r\n  \
    <dm:person id=\"p4159\"><rpid:activities><rpid:busy/></rpid:activities></dm:person>\r\n  \
    <tuple id=\"t4109\">\r\n    <status>\r\n      <basic>open</basic>\r\n    </status>\r\n    \
    <contact>sip:alice@example.test</contact>\r\n  </tuple>\r\n</presence>\r\n";

#[test]
fn what_baresip_publishes_is_read() {
    let document = parse(BARESIP);
    let read = pidf::Pidf::read(&document).unwrap();
    assert_eq!(read.entity, "sip:alice@example.test");
    let [tuple] = &read.tuples[..] else { panic!("{read:?}") };
    assert_eq!((tuple.is_open, &*tuple.contact), (Some(true), "sip:alice@example.test"));
    let [person] = &read.persons[..] else { panic!("{read:?}") };
    assert_eq!(person.activities, [pidf::Activity { name: "busy".into(), text: "".into() }]);
}

#[test]
fn a_full_presence_document_is_written_and_read_again() {
    let activity = |name: &'static str, text: &'static str| pidf::Activity {
        name: name.into(),
        text: text.into(),
    };
    let full = pidf::Pidf {
        entity: "sip:a@b".into(),
        tuples: vec![pidf::Tuple {
            id: "t".into(),
            is_open: Some(false),
            activities: vec![activity("away", "")],
            contact: "sip:a@b".into(),
            notes: vec!["1 < 2".into()],
            timestamp: Some(1_795_209_811),
        }],
        notes: vec!["n".into()],
        persons: vec![pidf::Person {
            id: "p".into(),
            activities: vec![activity("on-the-phone", ""), activity("other", "tea")],
            place: "Room 1".into(),
            status_icon: "https://x/y".into(),
            user_input: Some(pidf::UserInput { is_idle: true, last: Some(1_795_209_811) }),
            display_name: "Alice".into(),
            notes: vec!["m".into()],
            timestamp: Some(1_795_209_811),
        }],
        devices: vec![pidf::Device {
            id: "d".into(),
            device_id: "urn:x".into(),
            user_input: Some(pidf::UserInput { is_idle: false, last: None }),
            notes: vec![],
        }],
    };
    let expected = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
        <presence xmlns=\"urn:ietf:params:xml:ns:pidf\" \
        xmlns:dm=\"urn:ietf:params:xml:ns:pidf:data-model\" \
        xmlns:rpid=\"urn:ietf:params:xml:ns:pidf:rpid\" entity=\"sip:a@b\"><tuple id=\"t\"><status>\
        <basic>closed</basic></status><rpid:activities><rpid:away/></rpid:activities>\
        <contact>sip:a@b</contact><note>1 &lt; 2</note><timestamp>2026-11-20T21:23:31Z</timestamp>\
        </tuple><note>n</note><dm:person id=\"p\"><rpid:activities><rpid:on-the-phone/>\
        <rpid:other>tea</rpid:other></rpid:activities><rpid:place-type><rpid:other>Room 1\
        </rpid:other></rpid:place-type><rpid:status-icon>https://x/y</rpid:status-icon>\
        <rpid:user-input last-input=\"2026-11-20T21:23:31Z\">idle</rpid:user-input>\
        <c:display-name xmlns:c=\"urn:ietf:params:xml:ns:pidf:cipid\">Alice</c:display-name>\
        <dm:note>m</dm:note><dm:timestamp>2026-11-20T21:23:31Z</dm:timestamp></dm:person>\
        <dm:device id=\"d\"><rpid:user-input>active</rpid:user-input><dm:deviceID>urn:x\
        </dm:deviceID></dm:device></presence>";
    let text = full.write();
    assert_eq!(text, expected);
    assert_eq!(pidf::Pidf::read(&parse(&text)), Ok(full));
}

#[test]
fn a_malformed_presence_document_is_refused_with_its_reason() {
    for (from, to, error) in [
        ("urn:ietf:params:xml:ns:pidf\"", "urn:x\"", Error::Root),
        ("entity=\"sip:alice@example.test\"", "", Error::Missing),
        (" id=\"t4109\"", "", Error::Missing),
        (" id=\"p4159\"", "", Error::Missing),
        ("open", "ajar", Error::Value),
        ("<status>", "<state>", Error::Missing),
        ("<contact>", "<timestamp>soon</timestamp><contact>", Error::Value),
    ] {
        let xml = BARESIP
            .replacen(from, to, 1)
            .replace("</status>", if to == "<state>" { "</state>" } else { "</status>" });
        assert_eq!(pidf::Pidf::read(&parse(&xml)), Err(error), "{xml}");
    }
}

#[test]
fn watchers_are_listed() {
    use watcherinfo::{Event, Status, Watcher};
    let bob = Watcher {
        id: "1f",
        uri: "sip:bob@example.test",
        display_name: "Bob",
        status: Status::Active,
        event: Event::Subscribe,
    };
    let gone =
        Watcher { status: Status::Terminated, event: Event::Timeout, display_name: "", ..bob };
    let expected = "<watcherinfo xmlns=\"urn:ietf:params:xml:ns:watcherinfo\" version=\"3\" \
        state=\"partial\"><watcher-list resource=\"sip:alice@example.test\" package=\"presence\">\
        <watcher id=\"1f\" status=\"active\" event=\"subscribe\" display-name=\"Bob\">\
        sip:bob@example.test</watcher><watcher id=\"1f\" status=\"terminated\" event=\"timeout\">\
        sip:bob@example.test</watcher></watcher-list></watcherinfo>";
    assert_eq!(watcherinfo::write("sip:alice@example.test", 3, false, [bob, gone]), expected);
}

mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::fuzz;
    use super::*;

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(
            sample in proptest::sample::select(&[PUBLISH, BATCH, BARESIP][..]),
            edits in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        ) {
            let mut body = sample.as_bytes().to_vec();
            for (at, octet) in edits {
                let at = at.index(body.len());
                body[at] = octet;
            }
            fuzz::body(&body);
        }

        #[test]
        fn any_list_of_resources_is_read_again(
            uris in vec("[ -~]{1,12}", 0..4), version: u32, full_state: bool
        ) {
            let instance = rlmi::Instance {
                id: "0",
                state: rlmi::State::Active,
                reason: "",
                cid: "c",
                pool_fqdn: "",
            };
            let resource = |uri| rlmi::Resource { uri, instance: Some(instance.clone()) };
            let resources = uris.iter().map(|uri| resource(uri)).collect();
            let list = rlmi::List { uri: "sip:a@b", version, full_state, resources };
            let text = list.write();
            let document = parse(&text);
            prop_assert_eq!(rlmi::List::read(&document), Ok(list));
        }
    }
}
