use proptest::prelude::*;

use super::*;
use crate::base::limits::Limits;
use crate::contacts::Bounds;
use crate::dialect::ms::soap::{self, Command};
use crate::wire::xml::Document;

const START: &str = concat!(
    r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" "#,
    r#"xmlns:m="http://schemas.microsoft.com/winrtc/2002/11/sip"><s:Body>"#,
);

fn soap(body: &str) -> String {
    format!("{START}{body}</s:Body></s:Envelope>")
}

fn edit(body: &str) -> Result<Edit, Reject> {
    match soap::read(soap(body).as_bytes(), &Limits::default())? {
        Command::Edit(edit) => Ok(edit),
        Command::Search(query) => panic!("{query:?}"),
    }
}

fn bob(name: &str, groups: &[u32]) -> Contact {
    Contact {
        address: Aor::new("bob@example.test"),
        name: name.into(),
        groups: groups.iter().map(|number| GroupId::new(*number).unwrap()).collect(),
        subscribed: true,
        external_uri: "".into(),
    }
}

/// The conversation of the transcript `contact-ops`: each request, its answer, and what all
/// endpoints are told; but for the ampersand, which was not escaped there.
const CONVERSATION: &[(&str, &str, &str)] = &[
    (
        "<m:addGroup><m:name>Team</m:name><m:externalURI /><m:deltaNum>1</m:deltaNum></m:addGroup>",
        "<m:addGroup><m:groupID>2</m:groupID></m:addGroup>",
        r#"<contactDelta deltaNum="2" prevDeltaNum="1"><addedGroup id="2" name="Team" externalURI=""/></contactDelta>"#,
    ),
    (
        "<m:setContact><m:displayName>Bob Boyle</m:displayName><m:groups>2</m:groups><m:subscribed>true</m:subscribed><m:URI>sip:bob@example.test</m:URI><m:externalURI /><m:deltaNum>2</m:deltaNum></m:setContact>",
        "<m:setContact/>",
        r#"<contactDelta deltaNum="3" prevDeltaNum="2"><addedContact uri="sip:bob@example.test" name="Bob Boyle" groups="2" subscribed="true" externalURI=""/></contactDelta>"#,
    ),
    (
        "<m:setContact><m:displayName>Bobby</m:displayName><m:groups>2</m:groups><m:subscribed>true</m:subscribed><m:URI>sip:bob@example.test</m:URI><m:externalURI /><m:deltaNum>3</m:deltaNum></m:setContact>",
        "<m:setContact/>",
        r#"<contactDelta deltaNum="4" prevDeltaNum="3"><modifiedContact uri="sip:bob@example.test" name="Bobby" groups="2" subscribed="true" externalURI=""/></contactDelta>"#,
    ),
    (
        "<m:modifyGroup><m:groupID>2</m:groupID><m:name>Core &amp; Team</m:name><m:externalURI /><m:deltaNum>4</m:deltaNum></m:modifyGroup>",
        "<m:modifyGroup/>",
        r#"<contactDelta deltaNum="5" prevDeltaNum="4"><modifiedGroup id="2" name="Core &amp; Team" externalURI=""/></contactDelta>"#,
    ),
    (
        "<m:addGroup><m:name>Others2</m:name><m:externalURI /><m:deltaNum>5</m:deltaNum></m:addGroup>",
        "<m:addGroup><m:groupID>3</m:groupID></m:addGroup>",
        r#"<contactDelta deltaNum="6" prevDeltaNum="5"><addedGroup id="3" name="Others2" externalURI=""/></contactDelta>"#,
    ),
    (
        "<m:setContact><m:displayName>Bobby</m:displayName><m:groups>3</m:groups><m:subscribed>true</m:subscribed><m:URI>sip:bob@example.test</m:URI><m:externalURI /><m:deltaNum>6</m:deltaNum></m:setContact>",
        "<m:setContact/>",
        r#"<contactDelta deltaNum="7" prevDeltaNum="6"><modifiedContact uri="sip:bob@example.test" name="Bobby" groups="3" subscribed="true" externalURI=""/></contactDelta>"#,
    ),
    (
        "<m:deleteContact><m:URI>sip:bob@example.test</m:URI><m:deltaNum>7</m:deltaNum></m:deleteContact>",
        "<m:deleteContact/>",
        r#"<contactDelta deltaNum="8" prevDeltaNum="7"><deletedContact uri="sip:bob@example.test"/></contactDelta>"#,
    ),
    (
        "<m:deleteGroup><m:groupID>2</m:groupID><m:deltaNum>8</m:deltaNum></m:deleteGroup>",
        "<m:deleteGroup/>",
        r#"<contactDelta deltaNum="9" prevDeltaNum="8"><deletedGroup id="2"/></contactDelta>"#,
    ),
];

#[test]
fn the_client_is_spoken_to_as_it_expects() {
    let mut contacts = ContactList::default();
    let first =
        r#"<contactList deltaNum="1"><group id="1" name="~" externalURI=""/></contactList>"#;
    assert_eq!(list(&contacts), first);
    for (request, expected, told) in CONVERSATION {
        let edit = edit(request).unwrap();
        let step = contacts.apply(edit, &Bounds::new(&Limits::default())).unwrap();
        assert_eq!(answer(&step), soap(expected));
        assert_eq!(delta(&step), *told);
    }
    assert_eq!(
        list(&contacts),
        r#"<contactList deltaNum="9"><group id="1" name="~" externalURI=""/><group id="3" name="Others2" externalURI=""/></contactList>"#
    );
}

#[test]
fn a_list_has_no_scheme_and_is_escaped() {
    let mut contacts = ContactList::default();
    let bounds = Bounds::new(&Limits::default());
    let name = "\"Bob\" & <co>";
    contacts
        .apply(Edit::AddGroup { name: "A&B".into(), external_uri: "<x/>".into() }, &bounds)
        .unwrap();
    let contact = Contact { subscribed: false, ..bob(name, &[1, 2]) };
    contacts.apply(Edit::SetContact(contact), &bounds).unwrap();
    let expected = concat!(
        r#"<contactList deltaNum="3"><group id="1" name="~" externalURI=""/>"#,
        r#"<group id="2" name="A&amp;B" externalURI="&lt;x/&gt;"/>"#,
        r#"<contact uri="bob@example.test" name="&quot;Bob&quot; &amp; &lt;co&gt;" groups="1 2" "#,
        r#"subscribed="false" externalURI=""/></contactList>"#,
    );
    assert_eq!(list(&contacts), expected);
}

#[test]
fn a_group_leaves_with_what_its_contacts_become() {
    let mut contacts = ContactList::default();
    let bounds = Bounds::new(&Limits::default());
    for body in [CONVERSATION[0].0, CONVERSATION[1].0] {
        contacts.apply(edit(body).unwrap(), &bounds).unwrap();
    }
    let step = contacts.apply(Edit::DeleteGroup(GroupId::new(2).unwrap()), &bounds).unwrap();
    assert_eq!(answer(&step), soap("<m:deleteGroup/>"));
    assert_eq!(
        delta(&step),
        concat!(
            r#"<contactDelta deltaNum="4" prevDeltaNum="3"><modifiedContact "#,
            r#"uri="sip:bob@example.test" name="Bob Boyle" groups="1" subscribed="true" "#,
            r#"externalURI=""/><deletedGroup id="2"/></contactDelta>"#
        )
    );
}

#[test]
fn a_contact_is_read_in_every_form() {
    let set = |rest: &str| {
        edit(&format!("<m:setContact><m:URI>SIP:Bob@Example.Test;x=y</m:URI>{rest}</m:setContact>"))
    };
    assert_eq!(set(""), Ok(Edit::SetContact(bob("", &[]))));
    assert_eq!(set("<m:groups> 2  64 </m:groups>"), Ok(Edit::SetContact(bob("", &[2, 64]))));
    let unseen = Contact { subscribed: false, ..bob("", &[]) };
    assert_eq!(set("<m:subscribed>0</m:subscribed>"), Ok(Edit::SetContact(unseen)));
    assert_eq!(set("<m:subscribed>maybe</m:subscribed>"), Err(Reject::BadSoap));
    assert_eq!(set("<m:groups>2,3</m:groups>"), Err(Reject::BadSoap));
    assert_eq!(set("<m:groups>65</m:groups>"), Err(Reject::UnknownGroup));
}

#[test]
fn requests_without_their_arguments_are_refused() {
    for (body, reject) in [
        ("<m:addGroup/>", Reject::BadSoap),
        ("<m:deleteContact/>", Reject::BadSoap),
        ("<m:deleteContact><m:URI>bob</m:URI></m:deleteContact>", Reject::BadSoap),
        ("<m:deleteContact><m:URI>tel:+1</m:URI></m:deleteContact>", Reject::BadSoap),
        ("<m:deleteContact><m:URI>sip:example.test</m:URI></m:deleteContact>", Reject::BadSoap),
        ("<m:deleteGroup><m:groupID>x</m:groupID></m:deleteGroup>", Reject::BadSoap),
        ("<m:deleteGroup><m:groupID>0</m:groupID></m:deleteGroup>", Reject::UnknownGroup),
        ("<m:modifyGroup><m:groupID>2</m:groupID></m:modifyGroup>", Reject::BadSoap),
        ("<m:setPresence/>", Reject::UnknownSoapMethod),
    ] {
        assert_eq!(edit(body), Err(reject), "{body}");
    }
}

#[test]
fn every_refusal_has_its_status() {
    for (error, status) in [
        (EditError::GroupStays, 403),
        (EditError::Text, 400),
        (EditError::TooLong, 413),
        (EditError::TooManyContacts, 403),
        (EditError::TooManyGroups, 403),
        (EditError::UnknownContact, 404),
        (EditError::UnknownGroup, 404),
    ] {
        assert_eq!(reject(error).status(), status);
    }
}

proptest! {
    /// Whatever users call their contacts and groups, every endpoint reads what they wrote.
    #[test]
    fn names_are_read_as_they_were_written(name in any::<String>(), uri in "[ -~\u{e9}]{0,20}") {
        let limits = Limits::default();
        let mut contacts = ContactList::default();
        let edits = [
            Edit::AddGroup { name: name.as_str().into(), external_uri: uri.as_str().into() },
            Edit::SetContact(Contact { external_uri: uri.as_str().into(), ..bob(&name, &[2]) }),
        ];
        for edit in edits {
            let Ok(step) = contacts.apply(edit, &Bounds::new(&limits)) else { return Ok(()) };
            let text = delta(&step);
            let document = Document::parse(text.as_bytes(), &limits).unwrap();
            let told = document.root().children().next().unwrap();
            prop_assert_eq!(told.attribute("name"), Some(&*name));
        }
        let text = list(&contacts);
        let document = Document::parse(text.as_bytes(), &limits).unwrap();
        let last = document.root().children().last().unwrap();
        prop_assert_eq!(last.attribute("name"), Some(&*name));
        prop_assert_eq!(last.attribute("externalURI"), Some(&*uri));
    }
}
