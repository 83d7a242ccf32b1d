use std::borrow::Cow;

use super::cccp::{Conference, Keys, Operation, User};
use super::info::{Description, Endpoint, Info, State};
use super::*;
use crate::base::limits::Limits;
use crate::wire::xml::{self, Document};

fn parse(xml: &str) -> Document<'_> {
    Document::parse(xml.as_bytes(), &Limits::default()).unwrap()
}

const FOCUS: &str =
    "sip:alice@example.test;gruu;opaque=app:conf:focus:id:C71C6BB0267883E2248C1EA7F80725B8";

/// As pidgin-sipe sends it.
const ADD_CONFERENCE: &str = concat!(
    r#"<?xml version="1.0"?><request xmlns="urn:ietf:params:xml:ns:cccp" "#,
    r#"xmlns:mscp="http://schemas.microsoft.com/rtc/2005/08/cccpextensions" C3PVersion="1" "#,
    r#"to="sip:focus@example.test;gruu;opaque=app:conf:focusfactory" "#,
    r#"from="sip:alice@example.test" requestId="1"><addConference><ci:conference-info "#,
    r#"xmlns:ci="urn:ietf:params:xml:ns:conference-info" entity="" "#,
    r#"xmlns:msci="http://schemas.microsoft.com/rtc/2005/08/confinfoextensions">"#,
    r#"<ci:conference-description><ci:subject/>"#,
    r#"<msci:conference-id>C71C6BB0267883E2248C1EA7F80725B8</msci:conference-id>"#,
    r#"<msci:expiry-time>2026-11-21T04:23:27Z</msci:expiry-time>"#,
    r#"<msci:admission-policy>openAuthenticated</msci:admission-policy>"#,
    r#"</ci:conference-description><msci:conference-view><msci:entity-view entity="chat"/>"#,
    r#"</msci:conference-view></ci:conference-info></addConference></request>"#,
);

/// A request at the focus with this operation.
fn at_focus(operation: &str) -> String {
    format!(
        "<request xmlns=\"{CCCP}\" C3PVersion=\"1\" to=\"{FOCUS}\" from=\"sip:bob@example.test\" \
         requestId=\"7\">{operation}</request>"
    )
}

fn keys() -> Keys<'static> {
    Keys { entity: FOCUS, id: "".into() }
}

#[test]
fn a_conference_to_be_made_is_read() {
    let document = parse(ADD_CONFERENCE);
    let request = cccp::read(&document).unwrap();
    assert_eq!((request.id, request.from), ("1", "sip:alice@example.test"));
    assert_eq!(request.to, "sip:focus@example.test;gruu;opaque=app:conf:focusfactory");
    let conference = Conference {
        keys: Keys { entity: "", id: "C71C6BB0267883E2248C1EA7F80725B8".into() },
        subject: Some("".into()),
        admission: Some("openAuthenticated".into()),
        lobby: None,
        expiry: Some(1_795_235_007),
        users: Vec::new(),
        views: vec!["chat"],
    };
    assert_eq!(request.operation, Operation::AddConference(conference));
}

#[test]
fn operations_at_the_focus_are_read() {
    let conference = format!("<conferenceKeys confEntity=\"{FOCUS}\"/>");
    let user = format!("<userKeys confEntity=\"{FOCUS}\" userEntity=\"sip:bob@example.test\"/>");
    let bob = || Cow::Borrowed("sip:bob@example.test");
    for (xml, operation) in [
        (
            format!(
                "<addUser>{conference}<ci:user xmlns:ci=\"{INFO}\" entity=\"sip:bob@example.test\">\
                 <ci:roles><ci:entry>attendee</ci:entry></ci:roles>\
                 <ci:endpoint entity=\"{{5A82-1}}\" xmlns:msci=\"{EXTENSIONS}\"/></ci:user></addUser>"
            ),
            Operation::AddUser {
                keys: keys(),
                user: User {
                    entity: "sip:bob@example.test",
                    role: "attendee".into(),
                    endpoint: "{5A82-1}",
                },
            },
        ),
        (
            format!(
                "<modifyUserRoles>{user}<user-roles xmlns=\"{INFO}\"><entry>presenter</entry>\
                 </user-roles></modifyUserRoles>"
            ),
            Operation::ModifyUserRoles { keys: keys(), user: bob(), role: "presenter".into() },
        ),
        (
            format!("<deleteUser>{user}</deleteUser>"),
            Operation::DeleteUser { keys: keys(), user: bob() },
        ),
        (
            format!(
                "<modifyConferenceLock>{conference}<locked>true</locked></modifyConferenceLock>"
            ),
            Operation::ModifyConferenceLock { keys: keys(), locked: true },
        ),
        (
            format!(
                "<setLobbyAccess>{conference}<userEntity>sip:bob@example.test</userEntity>\
                 <userEntity> sip:carol@example.test </userEntity><access>granted</access>\
                 </setLobbyAccess>"
            ),
            Operation::SetLobbyAccess {
                keys: keys(),
                users: vec![bob(), "sip:carol@example.test".into()],
                granted: true,
            },
        ),
        (format!("<getConference>{conference}</getConference>"), Operation::GetConference(keys())),
        (
            format!(
                "<getConference><conferenceKeys xmlns:msci=\"{EXTENSIONS}\" \
                 msci:conference-id=\"SDFBSD12\"/></getConference>"
            ),
            Operation::GetConference(Keys { entity: "", id: "SDFBSD12".into() }),
        ),
        (
            format!("<deleteConference>{conference}</deleteConference>"),
            Operation::DeleteConference(keys()),
        ),
        ("<getConferences/>".to_owned(), Operation::GetConferences),
        ("<getConferencingCapabilities />".to_owned(), Operation::GetConferencingCapabilities),
        ("<playRecordedName/>".to_owned(), Operation::Unknown("playRecordedName")),
    ] {
        let text = at_focus(&xml);
        assert_eq!(cccp::read(&parse(&text)).unwrap().operation, operation, "{xml}");
    }
}

#[test]
fn changes_of_a_conference_are_read() {
    let text = at_focus(&format!(
        "<modifyConference xmlns:x=\"urn:other\"><conference-info xmlns=\"{INFO}\" entity=\"{FOCUS}\" \
         xmlns:msci=\"{EXTENSIONS}\"><conference-description><subject>a &lt; b</subject>\
         <x:subject>no</x:subject><msci:admission-policy>closedAuthenticated</msci:admission-policy>\
         <lobby xmlns=\"{OWN}\">1</lobby></conference-description><users>\
         <user entity=\"sip:c@d\"/><x:user/></users></conference-info></modifyConference>"
    ));
    let document = parse(&text);
    let Operation::ModifyConference(read) = cccp::read(&document).unwrap().operation else {
        panic!()
    };
    assert_eq!(read.keys.entity, FOCUS);
    assert_eq!(read.subject.as_deref(), Some("a < b"));
    assert_eq!(read.admission.as_deref(), Some("closedAuthenticated"));
    assert_eq!((read.lobby, read.expiry, read.views.len()), (Some(true), None, 0));
    assert_eq!(read.users, [User { entity: "sip:c@d", role: "".into(), endpoint: "" }]);
}

#[test]
fn a_malformed_request_is_refused_with_its_reason() {
    let edited = |from: &str, to: &str| ADD_CONFERENCE.replacen(from, to, 1);
    let operation = |xml: &str| at_focus(xml);
    for (xml, error) in [
        (edited("xml:ns:cccp\"", "xml:ns:other\""), Error::Root),
        (edited("requestId=\"1\"", ""), Error::Missing),
        (edited("from=", "form="), Error::Missing),
        (
            edited("to=\"sip:focus@example.test;gruu;opaque=app:conf:focusfactory\"", "to=\"\""),
            Error::Missing,
        ),
        (edited("2026-11-21T04:23:27Z", "tomorrow"), Error::Value),
        (edited("<?xml version=\"1.0\"?>", "<!DOCTYPE r>"), Error::Xml(xml::Error::DocumentType)),
        (edited("openAuthenticated", "&lol;"), Error::Xml(xml::Error::Entity)),
        (operation(""), Error::Missing),
        (operation("<x:addUser xmlns:x=\"urn:x\"/>"), Error::Missing),
        (operation("<getConferences/><getConferences/>"), Error::TooMany),
        (operation("<addConference/>"), Error::Missing),
        (operation("<addUser/>"), Error::Missing),
        (operation("<addUser><user/></addUser>"), Error::Missing),
        (operation("<deleteUser/>"), Error::Missing),
        (operation("<deleteUser><userKeys userEntity=\"\"/></deleteUser>"), Error::Missing),
        (operation("<modifyConferenceLock/>"), Error::Missing),
        (
            operation("<modifyConferenceLock><locked>yes</locked></modifyConferenceLock>"),
            Error::Value,
        ),
        (
            operation("<modifyUserRoles><userKeys userEntity=\"a\"/></modifyUserRoles>"),
            Error::Missing,
        ),
        (operation("<setLobbyAccess><access>granted</access></setLobbyAccess>"), Error::Missing),
        (
            operation(
                "<setLobbyAccess><userEntity>a</userEntity><access>x</access></setLobbyAccess>",
            ),
            Error::Value,
        ),
    ] {
        let document = Document::parse(xml.as_bytes(), &Limits::default());
        let read = document.as_ref().map_err(|error| Error::Xml(*error));
        let read = read.and_then(|document| cccp::read(document).map(|_| ()));
        assert_eq!(read, Err(error), "{xml}");
    }
}

#[test]
fn answers_are_what_clients_know() {
    let head = answer::Head {
        id: "0",
        from: "sip:focus@example.test;gruu;opaque=app:conf:focusfactory",
        to: "sip:alice@example.test",
        operation: "getConferencingCapabilities",
    };
    let expected = concat!(
        r#"<?xml version="1.0"?><response xmlns="urn:ietf:params:xml:ns:cccp" "#,
        r#"xmlns:msacp="http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions" "#,
        r#"requestId="0" C3PVersion="1" "#,
        r#"from="sip:focus@example.test;gruu;opaque=app:conf:focusfactory" "#,
        r#"to="sip:alice@example.test" code="success"><getConferencingCapabilities><mcu-types>"#,
        r#"<mcuType>chat</mcuType></mcu-types></getConferencingCapabilities></response>"#
    );
    assert_eq!(answer::success(head, answer::Content::Capabilities(&["chat"])), expected);
    let head = answer::Head { id: "1", operation: "addConference", ..head };
    let expected = concat!(
        r#"<?xml version="1.0"?><response xmlns="urn:ietf:params:xml:ns:cccp" "#,
        r#"xmlns:msacp="http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions" "#,
        r#"requestId="1" C3PVersion="1" "#,
        r#"from="sip:focus@example.test;gruu;opaque=app:conf:focusfactory" "#,
        r#"to="sip:alice@example.test" code="success"><addConference><conference-info "#,
        r#"xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:alice@example.test;gruu;"#,
        r#"opaque=app:conf:focus:id:C71C6BB0267883E2248C1EA7F80725B8" version="1"/>"#,
        r#"</addConference></response>"#
    );
    assert_eq!(answer::success(head, answer::Content::Entity(FOCUS, Some(1))), expected);
    let head = answer::Head { id: "2", from: FOCUS, operation: "addUser", ..head };
    let expected = concat!(
        r#"<?xml version="1.0"?><response xmlns="urn:ietf:params:xml:ns:cccp" "#,
        r#"xmlns:msacp="http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions" "#,
        r#"requestId="2" C3PVersion="1" from="sip:alice@example.test;gruu;opaque=app:conf:focus:"#,
        r#"id:C71C6BB0267883E2248C1EA7F80725B8" to="sip:alice@example.test" code="success">"#,
        r#"<addUser><conferenceKeys confEntity="sip:alice@example.test;gruu;opaque=app:conf:"#,
        r#"focus:id:C71C6BB0267883E2248C1EA7F80725B8"/></addUser></response>"#
    );
    assert_eq!(answer::success(head, answer::Content::Keys(FOCUS)), expected);
}

#[test]
fn a_refusal_says_why_at_the_operation() {
    let head = answer::Head { id: "\"<", from: "a&b", to: "sip:b", operation: "modifyUserRoles" };
    let text = answer::failure(head, "unauthorized");
    let document = parse(&text);
    let root = document.root();
    assert_eq!(root.attribute("code"), Some("failure"));
    assert_eq!((root.attribute("requestId"), root.attribute("from")), (Some("\"<"), Some("a&b")));
    let operation = root.child("modifyUserRoles").unwrap();
    assert_eq!(operation.attribute("reason"), Some("unauthorized"));
    let done = answer::success(head, answer::Content::Done);
    assert!(done.ends_with("code=\"success\"><modifyUserRoles/></response>"), "{done}");
    let both = ["<a xmlns=\"urn:x\"/>".to_owned(), "<b xmlns=\"urn:x\"/>".to_owned()];
    let told = answer::success(head, answer::Content::Conferences(&both));
    assert!(
        told.ends_with("<a xmlns=\"urn:x\"/><b xmlns=\"urn:x\"/></modifyUserRoles></response>")
    );
}

#[test]
fn a_delivery_report_is_what_the_client_prints() {
    let expected = concat!(
        r#"<?xml version="1.0"?><imdn xmlns="http://schemas.microsoft.com/rtc/2005/08/imdn">"#,
        r#"<message-id>225caf51-fd59-44c6-b7a6-7ef9d7fb86e2</message-id>"#,
        r#"<recipient uri="&lt;sip:carol@example.test&gt;"><status>408</status></recipient></imdn>"#
    );
    let id = "225caf51-fd59-44c6-b7a6-7ef9d7fb86e2";
    assert_eq!(imdn::write(id, "sip:carol@example.test", 408), expected);
}

/// As pidgin-sipe sends it.
const INVITE: &str = concat!(
    r#"<Conferencing version="2.0"><focus-uri>sip:alice@example.test;gruu;opaque=app:conf:focus:"#,
    r#"id:C71C6BB0267883E2248C1EA7F80725B8</focus-uri><subject></subject>"#,
    r#"<im available="true"><first-im/></im></Conferencing>"#,
);

#[test]
fn an_invitation_is_read_and_written() {
    let document = parse(INVITE);
    let read = invite::read(&document).unwrap();
    assert_eq!(read, invite::Invite { focus: FOCUS.into(), subject: "".into(), im: true });
    assert_eq!(read.write(), INVITE.replace("<subject></subject>", "<subject/>"));
    let other = invite::Invite { subject: "<&>".into(), im: false, ..read };
    let text = other.write();
    assert!(
        text.ends_with("<subject>&lt;&amp;&gt;</subject><im available=\"false\"/></Conferencing>")
    );
    assert_eq!(invite::read(&parse(&text)), Ok(other));
    for (xml, error) in [
        ("<Conferencing/>", Error::Missing),
        ("<Conferencing><focus-uri> </focus-uri></Conferencing>", Error::Missing),
        ("<Conferencing xmlns=\"urn:x\"><focus-uri>a</focus-uri></Conferencing>", Error::Root),
        (
            "<Conferencing><focus-uri>a</focus-uri><im available=\"x\"/></Conferencing>",
            Error::Value,
        ),
    ] {
        assert_eq!(invite::read(&parse(xml)), Err(error), "{xml}");
    }
}

#[test]
fn notices_of_typing_are_read_and_written() {
    for typing in [true, false] {
        let standard = typing::is_composing(typing);
        assert_eq!(typing::read_is_composing(&parse(standard)), Ok(typing));
        let lync = typing::keyboard_activity(typing);
        assert_eq!(typing::read_keyboard_activity(&parse(lync)), Ok(typing));
        assert_eq!(typing::read_keyboard_activity(&parse(standard)), Err(Error::Root));
    }
    let more = "<isComposing xmlns='urn:ietf:params:xml:ns:im-iscomposing'>\
        <state>typing</state><refresh>60</refresh></isComposing>";
    assert_eq!(typing::read_is_composing(&parse(more)), Ok(false));
    let none = "<KeyboardActivity><status/></KeyboardActivity>";
    assert_eq!(typing::read_keyboard_activity(&parse(none)), Err(Error::Missing));
}

#[test]
fn the_roster_stands_in_the_order_of_the_schema() {
    let user =
        |entity, state, name, role| info::User { entity, state, name, role, endpoints: Vec::new() };
    let alice = info::User {
        endpoints: vec![Endpoint { entity: "{1}", session_type: "chat", status: "connected" }],
        ..user("sip:a@b", State::Full, "A \"<&>", "presenter")
    };
    let info = Info {
        entity: "sip:a@b;x",
        state: State::Full,
        version: 3,
        description: Some(Description {
            subject: "<s>",
            chat: "sip:a@b;y",
            id: "ID",
            expiry: 1_795_235_007,
            admission: "anonymous",
            lobby: true,
            organiser: "sip:a@b",
            organiser_name: "A&B",
        }),
        standing: Some((1, false)),
        users: Some(vec![user("sip:c@d", State::Deleted, "", ""), alice]),
        view: Some(("sip:a@b;y", false)),
    };
    let expected = concat!(
        r#"<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" "#,
        r#"xmlns:msci="http://schemas.microsoft.com/rtc/2005/08/confinfoextensions" "#,
        r#"entity="sip:a@b;x" state="full" version="3"><conference-description>"#,
        r#"<subject>&lt;s&gt;</subject><conf-uris><entry><uri>sip:a@b;y</uri>"#,
        r#"<display-text>chat</display-text><purpose>chat</purpose></entry></conf-uris>"#,
        r#"<msci:conference-id>ID</msci:conference-id>"#,
        r#"<msci:expiry-time>2026-11-21T04:23:27Z</msci:expiry-time>"#,
        r#"<msci:admission-policy>anonymous</msci:admission-policy><msci:organizer>"#,
        r#"<msci:display-name>A&amp;B</msci:display-name><msci:uri>sip:a@b</msci:uri>"#,
        r#"</msci:organizer><lobby xmlns="urn:mynah:conference">true</lobby>"#,
        r#"</conference-description><conference-state><user-count>1</user-count>"#,
        r#"<locked>false</locked></conference-state><users state="full">"#,
        r#"<user entity="sip:c@d" state="deleted"/><user entity="sip:a@b" state="full">"#,
        r#"<display-text>A "&lt;&amp;&gt;</display-text><roles><entry>presenter</entry></roles>"#,
        r#"<endpoint entity="{1}" msci:session-type="chat"><status>connected</status></endpoint>"#,
        r#"</user></users><msci:conference-view><msci:entity-view entity="sip:a@b;y">"#,
        r#"<msci:entity-state><msci:locked>false</msci:locked><msci:media><entry label="chat">"#,
        r#"<type>chat</type></entry></msci:media></msci:entity-state></msci:entity-view>"#,
        r#"</msci:conference-view></conference-info>"#
    );
    assert_eq!(info.write(), expected);
    let empty = Info {
        state: State::Partial,
        description: None,
        standing: None,
        users: None,
        view: None,
        ..info
    };
    assert!(empty.write().ends_with(" entity=\"sip:a@b;x\" state=\"partial\" version=\"3\"/>"));
}

mod properties {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::super::fuzz;
    use super::*;

    const OPERATIONS: &[&str] = &[
        "<addUser>",
        "</addUser>",
        "<deleteUser>",
        "</deleteUser>",
        "<setLobbyAccess>",
        "</setLobbyAccess>",
        "<userKeys userEntity='sip:a@b'/>",
        "<conferenceKeys confEntity='sip:a@b'/>",
        "<userEntity>&#60;</userEntity>",
        "<access>granted</access>",
        "<user entity='sip:a@b' xmlns='urn:ietf:params:xml:ns:conference-info'/>",
        "<caf\u{e9}/>",
        "text",
    ];

    proptest! {
        #[test]
        fn any_body_is_read_or_refused(
            sample in proptest::sample::select(&[ADD_CONFERENCE, INVITE][..]),
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
        fn anything_like_a_request_is_read_or_refused(
            parts in vec(proptest::sample::select(OPERATIONS), 0..8)
        ) {
            fuzz::body(at_focus(&parts.concat()).as_bytes());
        }
    }
}
