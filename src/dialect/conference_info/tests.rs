use std::collections::BTreeMap;

use super::*;
use crate::base::ids::{ConferenceId, ShardId, Slot, SubscriptionId};
use crate::base::limits::Limits;
use crate::base::time::Now;
use crate::immcu::conference::{
    Accepts, Admission, Command, Input, Join, Leaving, Output, Relation,
};
use crate::wire::xml::{Document, Element};

const START: &str = concat!(
    r#"<conference-info xmlns="urn:ietf:params:xml:ns:conference-info" "#,
    r#"xmlns:msci="http://schemas.microsoft.com/rtc/2005/08/confinfoextensions" "#,
    r#"entity="sip:alice@example.test;gruu;opaque=app:conf:focus:id:"#,
    r#"C71C6BB0267883E2248C1EA7F80725B8""#,
);

fn alice() -> Aor {
    Aor::new("alice@example.test")
}

fn bob() -> Aor {
    Aor::new("bob@example.test")
}

fn conference(change: impl FnOnce(&mut Description)) -> Conference {
    let mut description = Description {
        id: ConferenceId::parse(b"C71C6BB0267883E2248C1EA7F80725B8").unwrap(),
        organiser: alice(),
        organiser_name: "Alice Ames".into(),
        subject: "".into(),
        admission: Admission::OpenAuthenticated,
        lobby: false,
        locked: false,
        expires_unix_ms: 1_795_235_007_000,
        scheduled: false,
        invited: BTreeMap::new(),
    };
    change(&mut description);
    Conference::new(Now::default(), description, &Limits::default())
}

fn leg(index: u32) -> Reach {
    Reach::Leg(LegId::new(ShardId(1), Slot { index, generation: 2 }))
}

/// Somebody joins; what the conference wants done about it.
fn join(conference: &mut Conference, who: &Aor, name: &str, kind: LegKind, reach: Reach) {
    let endpoint = match kind {
        LegKind::Focus => "{880C5B60-72C3-B958-7CE5-896FBBB19F72}",
        LegKind::Chat => "",
    };
    let join = Join {
        reach,
        who: who.clone(),
        name: name.into(),
        relation: Relation::Enterprise,
        kind,
        endpoint: endpoint.into(),
        accepts: Accepts::default(),
    };
    conference.handle(Now::default(), Input::Join(join), &Limits::default());
}

/// The changes that were told since the last look.
fn changes(conference: &mut Conference) -> Vec<(u32, Change)> {
    let mut changes = Vec::new();
    while let Some(output) = conference.next_output() {
        if let Output::Tell { version, change, .. } = output {
            changes.push((version, change));
        }
    }
    changes
}

/// The organiser is in, and watches.
fn with_alice() -> Conference {
    let mut conference = conference(|_| {});
    let watch = Input::Watch {
        subscription: SubscriptionId::default(),
        by: alice(),
        relation: Relation::Enterprise,
        poll: false,
    };
    conference.handle(Now::default(), watch, &Limits::default());
    join(&mut conference, &alice(), "Alice Ames", LegKind::Focus, leg(1));
    join(&mut conference, &alice(), "Alice Ames", LegKind::Chat, leg(2));
    conference
}

#[test]
fn the_whole_is_told_to_members() {
    let conference = with_alice();
    let expected = format!(
        concat!(
            r#"{} state="full" version="{}"><conference-description><subject/><conf-uris><entry>"#,
            r#"<uri>sip:alice@example.test;gruu;opaque=app:conf:chat:id:"#,
            r#"C71C6BB0267883E2248C1EA7F80725B8</uri><display-text>chat</display-text>"#,
            r#"<purpose>chat</purpose></entry></conf-uris>"#,
            r#"<msci:conference-id>C71C6BB0267883E2248C1EA7F80725B8</msci:conference-id>"#,
            r#"<msci:expiry-time>2026-11-21T04:23:27Z</msci:expiry-time>"#,
            r#"<msci:admission-policy>openAuthenticated</msci:admission-policy><msci:organizer>"#,
            r#"<msci:display-name>Alice Ames</msci:display-name>"#,
            r#"<msci:uri>sip:alice@example.test</msci:uri></msci:organizer>"#,
            r#"<lobby xmlns="urn:mynah:conference">false</lobby></conference-description>"#,
            r#"<conference-state><user-count>1</user-count><locked>false</locked>"#,
            r#"</conference-state><users state="full">"#,
            r#"<user entity="sip:alice@example.test" state="full">"#,
            r#"<display-text>Alice Ames</display-text><roles><entry>presenter</entry></roles>"#,
            r#"<endpoint entity="{{880C5B60-72C3-B958-7CE5-896FBBB19F72}}" "#,
            r#"msci:session-type="focus"><status>connected</status></endpoint>"#,
            r#"<endpoint entity="{{00000002-0001-0000-0000-000000000002}}" "#,
            r#"msci:session-type="chat"><status>connected</status></endpoint></user></users>"#,
            r#"<msci:conference-view><msci:entity-view entity="sip:alice@example.test;gruu;"#,
            r#"opaque=app:conf:chat:id:C71C6BB0267883E2248C1EA7F80725B8"><msci:entity-state>"#,
            r#"<msci:locked>false</msci:locked><msci:media><entry label="chat">"#,
            r#"<type>chat</type></entry></msci:media></msci:entity-state></msci:entity-view>"#,
            r#"</msci:conference-view></conference-info>"#
        ),
        START,
        conference.version()
    );
    assert_eq!(full(&conference, &alice()), expected);
    assert_eq!(partial(&conference, conference.version(), &Change::All), expected);
}

#[test]
fn who_comes_and_goes_is_told_alone() {
    let mut conference = with_alice();
    changes(&mut conference);
    join(&mut conference, &bob(), "Bob <&> \"B\"", LegKind::Chat, Reach::Pager(bob()));
    let told = changes(&mut conference);
    let [(version, change)] = &told[..] else { panic!("{told:?}") };
    let expected = format!(
        concat!(
            r#"{} state="partial" version="{}"><conference-state><user-count>2</user-count>"#,
            r#"<locked>false</locked></conference-state><users state="partial">"#,
            r#"<user entity="sip:bob@example.test" state="full">"#,
            r#"<display-text>Bob &lt;&amp;&gt; "B"</display-text>"#,
            r#"<roles><entry>attendee</entry></roles><endpoint entity="sip:bob@example.test" "#,
            r#"msci:session-type="chat"><status>connected</status></endpoint></user></users>"#,
            r#"</conference-info>"#
        ),
        START, version
    );
    assert_eq!(partial(&conference, *version, change), expected);
    let left = Input::Left { reach: Reach::Pager(bob()), how: Leaving::Gone };
    conference.handle(Now::default(), left, &Limits::default());
    let told = changes(&mut conference);
    let [(later, change)] = &told[..] else { panic!("{told:?}") };
    assert_eq!(*later, version + 1);
    let expected = format!(
        concat!(
            r#"{} state="partial" version="{}"><conference-state><user-count>1</user-count>"#,
            r#"<locked>false</locked></conference-state><users state="partial">"#,
            r#"<user entity="sip:bob@example.test" state="deleted"/></users></conference-info>"#
        ),
        START, later
    );
    assert_eq!(partial(&conference, *later, change), expected);
}

#[test]
fn a_change_of_the_description_tells_the_lock() {
    let mut conference = with_alice();
    changes(&mut conference);
    let command = Command::Lock(true);
    let lock = Input::Command { by: Some(alice()), command };
    conference.handle(Now::default(), lock, &Limits::default());
    let told = changes(&mut conference);
    let [(version, change)] = &told[..] else { panic!("{told:?}") };
    let text = partial(&conference, *version, change);
    assert!(text.starts_with(&format!("{START} state=\"partial\" version=\"{version}\">")));
    assert!(text.contains("<msci:locked>true</msci:locked>"), "{text}");
    let standing = "<conference-state><user-count>1</user-count><locked>true</locked>";
    assert!(text.contains(standing), "{text}");
    assert!(!text.contains("<users"), "{text}");
}

fn users<'t>(document: &'t Document<'t>) -> Vec<(&'t str, Vec<(&'t str, String)>)> {
    let endpoint = |endpoint: Element<'t>| {
        let kind = endpoint.attribute_in(
            "http://schemas.microsoft.com/rtc/2005/08/confinfoextensions",
            "session-type",
        );
        (kind.unwrap(), endpoint.child("status").unwrap().text().into_owned())
    };
    let users = document.root().child("users").unwrap().children();
    let endpoints = |user: Element<'t>| user.children().filter(|one| one.name() == "endpoint");
    users
        .map(|user| (user.attribute("entity").unwrap(), endpoints(user).map(endpoint).collect()))
        .collect()
}

#[test]
fn who_waits_sees_himself_alone_and_others_see_him_on_hold() {
    let mut conference = conference(|description| {
        (description.lobby, description.locked) = (true, true);
    });
    join(&mut conference, &alice(), "", LegKind::Chat, leg(1));
    join(&mut conference, &bob(), "Bob", LegKind::Focus, leg(2));
    let limits = Limits::default();
    let waits = full(&conference, &bob());
    let document = Document::parse(waits.as_bytes(), &limits).unwrap();
    let on_hold = ("sip:bob@example.test", vec![("focus", "on-hold".to_owned())]);
    assert_eq!(users(&document), std::slice::from_ref(&on_hold));
    assert!(!waits.contains("app:conf:chat") && !waits.contains("user-count"), "{waits}");
    let seen = full(&conference, &alice());
    let document = Document::parse(seen.as_bytes(), &limits).unwrap();
    let chats = ("sip:alice@example.test", vec![("chat", "connected".to_owned())]);
    assert_eq!(users(&document), [chats, on_hold.clone()]);
    assert!(seen.contains("<user-count>1</user-count>"));
    let change = partial(&conference, 9, &Change::Members(vec![bob()]));
    let document = Document::parse(change.as_bytes(), &limits).unwrap();
    assert_eq!(users(&document), [on_hold]);
}

#[test]
fn versions_rise_by_one_for_each_change() {
    let mut conference = with_alice();
    let before = conference.version();
    changes(&mut conference);
    join(&mut conference, &bob(), "", LegKind::Chat, leg(3));
    let told: Vec<u32> = changes(&mut conference).iter().map(|(version, _)| *version).collect();
    assert_eq!(told, [before + 1]);
}
