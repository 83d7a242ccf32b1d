use super::request::{Operation, Request, Wanted, read};
use super::response::{Success, failure, success};
use super::*;
use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::base::limits::{Limit, Limits};
use crate::dialect::conference_uri::{self, ConferenceUri};
use crate::dialect::reject::{Refusal, Reject};
use crate::immcu::conference::Command;
use crate::immcu::conference::input::Modification;
use crate::wire::xml::Document;

const ID: &str = "C71C6BB0267883E2248C1EA7F80725B8";
const CI: &str = "urn:ietf:params:xml:ns:conference-info";
const MSCI: &str = "http://schemas.microsoft.com/rtc/2005/08/confinfoextensions";
const FACTORY: &str = "sip:focus@example.test;gruu;opaque=app:conf:focusfactory";

fn alice() -> Aor {
    Aor::new("alice@example.test")
}

fn bob() -> Aor {
    Aor::new("bob@example.test")
}

fn id() -> ConferenceId {
    ConferenceId::parse(ID.as_bytes()).unwrap()
}

fn focus() -> String {
    conference_uri::focus(&alice(), id())
}

fn request(to: &str, from: &Aor, operation: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><request xmlns=\"urn:ietf:params:xml:ns:cccp\" \
         xmlns:mscp=\"http://schemas.microsoft.com/rtc/2005/08/cccpextensions\" C3PVersion=\"1\" \
         to=\"{to}\" from=\"sip:{from}\" requestId=\"2\">{operation}</request>"
    )
}

fn at(to: &str, from: &Aor, operation: &str) -> Result<Request, Refusal> {
    let uri = ConferenceUri::parse(to.as_bytes()).unwrap();
    read(request(to, from, operation).as_bytes(), &uri, from, &Limits::default())
}

fn at_focus(from: &Aor, operation: &str) -> Result<Operation, Reject> {
    Ok(at(&focus(), from, operation)?.operation)
}

fn at_factory(operation: &str) -> Result<Operation, Reject> {
    Ok(at(FACTORY, &alice(), operation)?.operation)
}

/// As pidgin-sipe says it, with more in the description and besides.
fn add_conference(description: &str, more: &str) -> String {
    format!(
        "<addConference><ci:conference-info xmlns:ci=\"{CI}\" entity=\"\" xmlns:msci=\"{MSCI}\">\
         <ci:conference-description>{description}</ci:conference-description>{more}\
         </ci:conference-info></addConference>"
    )
}

fn add_user(who: &str) -> String {
    format!(
        "<addUser><conferenceKeys confEntity=\"{}\"/><ci:user xmlns:ci=\"{CI}\" entity=\"{who}\">\
         <ci:roles><ci:entry>attendee</ci:entry></ci:roles>\
         <ci:endpoint entity=\"{{880C5B60-72C3-B958-7CE5-896FBBB19F72}}\"/></ci:user></addUser>",
        focus()
    )
}

#[test]
fn what_an_organiser_wants_is_read() {
    let description = format!(
        "<ci:subject/><msci:conference-id>{ID}</msci:conference-id>\
         <msci:expiry-time>2026-11-21T04:23:27Z</msci:expiry-time>\
         <msci:admission-policy>openAuthenticated</msci:admission-policy>"
    );
    let view = "<msci:conference-view><msci:entity-view entity=\"chat\"/></msci:conference-view>";
    let wanted = Wanted {
        id: Some(id()),
        subject: "".into(),
        admission: Admission::OpenAuthenticated,
        lobby: false,
        expires_unix_ms: Some(1_795_235_007_000),
        invited: Vec::new(),
        chat: true,
    };
    let xml = add_conference(&description, view);
    assert_eq!(at_factory(&xml), Ok(Operation::Add(wanted.clone())));

    let users = "<ci:users><ci:user entity=\"sip:Bob@example.test\"><ci:roles><ci:entry>presenter\
        </ci:entry></ci:roles></ci:user><ci:user entity=\"sip:carol@example.test\"/></ci:users>\
        <msci:conference-view><msci:entity-view entity=\"audio-video\"/></msci:conference-view>";
    let description = "<ci:subject>Plans &amp; more</ci:subject>\
        <msci:conference-id>5D3747C</msci:conference-id>\
        <msci:admission-policy>closedAuthenticated</msci:admission-policy>\
        <lobby xmlns=\"urn:mynah:conference\">true</lobby>";
    let wanted = Wanted {
        id: None,
        subject: "Plans & more".into(),
        admission: Admission::ClosedAuthenticated,
        lobby: true,
        expires_unix_ms: None,
        invited: vec![(bob(), Role::Presenter), (Aor::new("carol@example.test"), Role::Attendee)],
        chat: false,
    };
    assert_eq!(at_factory(&add_conference(description, users)), Ok(Operation::Add(wanted)));
}

#[test]
fn the_sender_joins_and_others_are_asked_in() {
    let endpoint = "{880C5B60-72C3-B958-7CE5-896FBBB19F72}".into();
    let me = add_user("sip:bob@example.test");
    assert_eq!(at_focus(&bob(), &me), Ok(Operation::Join { endpoint }));
    let invite = Command::Invite { who: bob(), role: Role::Attendee };
    assert_eq!(at_focus(&alice(), &me), Ok(Operation::Commands(vec![invite])));
}

#[test]
fn operations_become_commands() {
    let focus = focus();
    let keys = format!("<conferenceKeys confEntity=\"{focus}\"/>");
    let user = format!("<userKeys confEntity=\"{focus}\" userEntity=\"sip:bob@example.test\"/>");
    let admit = |who| Command::Admit { who, let_in: false };
    for (xml, commands) in [
        (
            format!(
                "<modifyUserRoles>{user}<user-roles xmlns=\"{CI}\"><entry>presenter</entry>\
                 </user-roles></modifyUserRoles>"
            ),
            vec![Command::SetRole { who: bob(), role: Role::Presenter }],
        ),
        (format!("<deleteUser>{user}</deleteUser>"), vec![Command::Eject { who: bob() }]),
        (
            format!("<modifyConferenceLock>{keys}<locked>true</locked></modifyConferenceLock>"),
            vec![Command::Lock(true)],
        ),
        (
            format!(
                "<setLobbyAccess>{keys}<userEntity>sip:bob@example.test</userEntity>\
                 <userEntity>sip:alice@example.test</userEntity><access>denied</access>\
                 </setLobbyAccess>"
            ),
            vec![admit(bob()), admit(alice())],
        ),
        (format!("<deleteConference>{keys}</deleteConference>"), vec![Command::End]),
        (
            format!(
                "<modifyConference><conference-info xmlns=\"{CI}\" entity=\"{focus}\">\
                 <conference-description><subject>New</subject></conference-description>\
                 </conference-info></modifyConference>"
            ),
            vec![Command::Modify(Modification {
                subject: Some("New".into()),
                ..Modification::default()
            })],
        ),
    ] {
        let name = xml.get(1..xml.find('>').unwrap()).unwrap();
        let read = at_focus(&alice(), &xml).unwrap();
        assert_eq!(read.name(), name);
        assert_eq!(read, Operation::Commands(commands));
    }
    assert_eq!(
        at_focus(&bob(), &format!("<getConference>{keys}</getConference>")),
        Ok(Operation::Get(Some(id())))
    );
}

#[test]
fn the_factory_is_asked_about_conferences_by_name() {
    let by_entity = format!("<conferenceKeys confEntity=\"{}\"/>", focus());
    let by_id = format!("<conferenceKeys xmlns:m=\"{MSCI}\" m:conference-id=\"{ID}\"/>");
    let foreign = by_entity.replace("alice", "carol");
    let short = by_id.replace(ID, "SDFBSD12");
    for (keys, found) in [(by_entity, true), (by_id, true), (foreign, false), (short, false)] {
        let id = found.then(id);
        let get = format!("<getConference>{keys}</getConference>");
        assert_eq!(at_factory(&get), Ok(Operation::Get(id)), "{keys}");
        let delete = format!("<deleteConference>{keys}</deleteConference>");
        assert_eq!(at_factory(&delete), Ok(Operation::Delete(id)), "{keys}");
    }
    let modify = add_conference(&format!("<msci:conference-id>{ID}</msci:conference-id>"), "")
        .replace("addConference", "modifyConference");
    let modification = Modification::default();
    assert_eq!(at_factory(&modify), Ok(Operation::Modify(Some(id()), modification)));
    assert_eq!(at_factory("<getConferences/>"), Ok(Operation::List));
    assert_eq!(at_factory("<getConferencingCapabilities />"), Ok(Operation::Capabilities));
    assert_eq!(at_factory("<getMcu/>"), Ok(Operation::Unknown("getMcu".into())));
}

#[test]
fn a_request_is_of_its_sender_and_for_where_it_came() {
    let uri = ConferenceUri::Focus(alice(), id());
    let limits = Limits::default();
    let refused = |body: &str, at: &ConferenceUri, sender: &Aor| {
        read(body.as_bytes(), at, sender, &limits).unwrap_err().reject
    };
    let lock = "<modifyConferenceLock><locked>true</locked></modifyConferenceLock>";
    let body = request(&focus(), &alice(), lock);
    assert!(read(body.as_bytes(), &uri, &alice(), &limits).is_ok());
    assert_eq!(refused(&body, &uri, &bob()), Reject::NotYourRequest);
    let other = ConferenceUri::Focus(alice(), ConferenceId(7));
    assert_eq!(refused(&body, &other, &alice()), Reject::NotThisConference);
    let other = ConferenceUri::Focus(bob(), id());
    assert_eq!(refused(&body, &other, &alice()), Reject::NotThisConference);
    assert_eq!(refused(&body, &ConferenceUri::Factory, &alice()), Reject::NotThisConference);
    let foreign = add_user("sip:alice@example.test").replace(ID, &ID.replace('C', "D"));
    assert_eq!(at_focus(&alice(), &foreign), Err(Reject::NotThisConference));
    for member_operation in [lock, &add_user("sip:alice@example.test")] {
        assert_eq!(at_factory(member_operation), Err(Reject::NotThisConference));
    }
}

#[test]
fn what_cannot_be_read_is_refused() {
    let user = "<userKeys userEntity=\"sip:bob@example.test\"/>";
    let role = |role: &str| {
        format!(
            "<modifyUserRoles>{user}<user-roles xmlns=\"{CI}\"><entry>{role}</entry></user-roles>\
             </modifyUserRoles>"
        )
    };
    for xml in [
        "".to_owned(),
        "<addUser/>".to_owned(),
        add_user("tel:+1"),
        add_user("sip:bob@example.test").replace("attendee", "king"),
        role("king"),
        "<deleteUser><userKeys userEntity=\"nobody\"/></deleteUser>".to_owned(),
        "<setLobbyAccess><userEntity/><access>granted</access></setLobbyAccess>".to_owned(),
    ] {
        assert_eq!(at_focus(&alice(), &xml), Err(Reject::BadConferenceRequest), "{xml}");
    }
    let policy = "<msci:admission-policy>everybody</msci:admission-policy>";
    assert_eq!(at_factory(&add_conference(policy, "")), Err(Reject::BadConferenceRequest));
    let uri = ConferenceUri::Factory;
    let deep = "<a>".repeat(40);
    let refusal = read(deep.as_bytes(), &uri, &alice(), &Limits::default()).unwrap_err();
    assert_eq!(refusal.limit, Some(Limit::XmlDepth));
}

#[test]
fn more_users_than_may_be_invited_are_refused() {
    let limits = Limits { conference_invited_max: 1, ..Limits::default() };
    let users = "<ci:users><ci:user entity=\"sip:b@c\"/><ci:user entity=\"sip:d@e\"/></ci:users>";
    let lobby = "<setLobbyAccess><userEntity>sip:b@c</userEntity><userEntity>sip:d@e</userEntity>\
        <access>granted</access></setLobbyAccess>";
    for (to, xml) in [(FACTORY, add_conference("", users)), (&*focus(), lobby.to_owned())] {
        let uri = ConferenceUri::parse(to.as_bytes()).unwrap();
        let body = request(to, &alice(), &xml);
        let refusal = read(body.as_bytes(), &uri, &alice(), &limits).unwrap_err();
        let limit = Some(Limit::ConferenceInvited);
        assert_eq!(refusal, Refusal { reject: Reject::TooManyInvited, limit });
        assert!(read(body.as_bytes(), &uri, &alice(), &Limits::default()).is_ok());
    }
}

#[test]
fn an_answer_repeats_what_it_is_the_answer_to() {
    let request = at(&focus(), &alice(), &add_user("sip:alice@example.test")).unwrap();
    let focus = focus();
    let expected = format!(
        "<?xml version=\"1.0\"?><response xmlns=\"urn:ietf:params:xml:ns:cccp\" \
         xmlns:msacp=\"http://schemas.microsoft.com/rtc/2005/08/acpconfinfoextensions\" \
         requestId=\"2\" C3PVersion=\"1\" from=\"{focus}\" to=\"sip:alice@example.test\" \
         code=\"success\"><addUser><conferenceKeys confEntity=\"{focus}\"/></addUser></response>"
    );
    assert_eq!(success(&request, Success::Joined(&focus)), expected);
    let start = expected.split("code=").next().unwrap();
    let refused = failure(&request, Reject::UnknownConference.into());
    let end = "code=\"failure\"><addUser reason=\"conferenceDoesntExist\"/></response>";
    assert_eq!(refused, format!("{start}{end}"));
    let unknown = at(FACTORY, &alice(), "<x:getMcu xmlns:x=\"urn:ietf:params:xml:ns:cccp\"/>");
    let text = failure(&unknown.unwrap(), failure::Failure::NotSupported);
    assert!(text.contains("><getMcu reason=\"notSupported\"/></response>"), "{text}");
}

#[test]
fn every_refusal_has_a_reason_in_both_languages() {
    use crate::immcu::conference::Refusal;
    for refusal in [
        Refusal::NotPresenter,
        Refusal::Organiser,
        Refusal::NoSuchMember,
        Refusal::Locked,
        Refusal::Full,
        Refusal::TooFast,
        Refusal::TooLong,
        Refusal::Ended,
    ] {
        let (reject, failure) = (Reject::from(refusal), failure::Failure::from(refusal));
        assert_eq!(failure, failure::Failure::from(reject), "{refusal:?}");
        assert!(!reject.reason().is_empty() && !failure.reason().is_empty());
    }
    assert_eq!(Reject::from(Refusal::NotPresenter).status(), 403);
    assert_eq!(Reject::from(Refusal::Full).status(), 486);
    assert_eq!(Reject::from(Refusal::TooLong).status(), 413);
}

#[test]
fn invitations_name_the_focus() {
    let text = invite::write(&focus(), "Plans <&>");
    let limits = Limits::default();
    let read = invite::read(text.as_bytes(), &limits).unwrap();
    assert_eq!(read.focus, Some(ConferenceUri::Focus(alice(), id())));
    assert_eq!(&*read.subject, "Plans <&>");
    let foreign = invite::write("sip:x@y;opaque=app:conf:focus:id:12", "");
    assert_eq!(invite::read(foreign.as_bytes(), &limits).unwrap().focus, None);
    assert_eq!(invite::read(b"<a", &limits).unwrap_err().reject, Reject::BadBody);
}

#[test]
fn typing_is_known_by_its_content_type() {
    let limits = Limits::default();
    for typing in [true, false] {
        let lync = typing::keyboard_activity(typing).as_bytes();
        let standard = typing::is_composing(typing).as_bytes();
        assert_eq!(typing::read(b"application/xml", lync, &limits), Some(typing));
        let composing = b"Application/IM-isComposing+xml; charset=UTF-8";
        assert_eq!(typing::read(composing, standard, &limits), Some(typing));
        assert_eq!(typing::read(composing, lync, &limits), None);
        assert_eq!(typing::read(b"text/plain", lync, &limits), None);
    }
    assert_eq!(typing::read(b"application/xml", b"<ConversationInfo/>", &limits), None);
}

#[test]
fn a_report_names_the_recipient() {
    let text = imdn::body("17", &bob(), 408);
    let limits = Limits::default();
    let document = Document::parse(text.as_bytes(), &limits).unwrap();
    let recipient = document.root().child("recipient").unwrap();
    assert_eq!(recipient.attribute("uri"), Some("<sip:bob@example.test>"));
    assert_eq!(document.root().child("message-id").unwrap().text(), "17");
}
