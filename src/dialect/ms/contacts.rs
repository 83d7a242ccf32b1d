//! The contact list as the Lync client reads and changes it: SOAP methods in, `contactList` and
//! `contactDelta` out (MS-SIP section 9.1, MS-PRES).

use crate::base::aor::Aor;
use crate::contacts::{
    Change, Contact, ContactList, Delta, Edit, EditError, Group, GroupId, Groups,
};
use crate::dialect::address;
use crate::dialect::reject::Reject;
use crate::wire::soap::{Request, envelope};
use crate::wire::xml::Writer;

/// The content type of [`list`] and [`delta`].
pub const CONTENT_TYPE: &str = "application/vnd-microsoft-roaming-contacts+xml";

/// The edit a request asks for. The number of the list it names is not looked at: see
/// [`ContactList::apply`].
pub(super) fn read(request: &Request<'_>) -> Result<Edit, Reject> {
    let text = |name| request.argument(name).unwrap_or_default().as_ref().into();
    match request.method() {
        "addGroup" => {
            let name = request.argument("name").ok_or(Reject::BadSoap)?;
            Ok(Edit::AddGroup { name: name.as_ref().into(), external_uri: text("externalURI") })
        }
        "deleteContact" => contact_address(request).map(Edit::DeleteContact),
        "deleteGroup" => group_id(request).map(Edit::DeleteGroup),
        "modifyGroup" => {
            let id = group_id(request)?;
            let name = request.argument("name").ok_or(Reject::BadSoap)?;
            let external_uri = text("externalURI");
            Ok(Edit::ModifyGroup(Group { id, name: name.as_ref().into(), external_uri }))
        }
        "setContact" => Ok(Edit::SetContact(Contact {
            address: contact_address(request)?,
            name: text("displayName"),
            groups: groups(&request.argument("groups").unwrap_or_default())?,
            subscribed: boolean(&request.argument("subscribed").unwrap_or_default())?,
            external_uri: text("externalURI"),
        })),
        _ => Err(Reject::UnknownSoapMethod),
    }
}

/// The answer to the edit that led to `delta`; the number of a new group stands in it.
pub fn answer(delta: &Delta) -> String {
    envelope(|writer| {
        // What was asked for is done last.
        match delta.changes.last() {
            Some(Change::ContactAdded(_) | Change::ContactModified(_)) => {
                writer.start("m:setContact");
            }
            Some(Change::ContactDeleted(_)) => {
                writer.start("m:deleteContact");
            }
            Some(Change::GroupAdded(group)) => {
                writer.start("m:addGroup").leaf_of("m:groupID", group.id);
            }
            Some(Change::GroupDeleted(_)) => {
                writer.start("m:deleteGroup");
            }
            Some(Change::GroupModified(_)) => {
                writer.start("m:modifyGroup");
            }
            None => {}
        }
    })
}

/// Why an edit is refused.
pub const fn reject(error: EditError) -> Reject {
    match error {
        EditError::GroupStays => Reject::GroupStays,
        EditError::Text => Reject::BadText,
        EditError::TooLong => Reject::ContactTooLong,
        EditError::TooManyContacts => Reject::TooManyContacts,
        EditError::TooManyGroups => Reject::TooManyGroups,
        EditError::UnknownContact => Reject::UnknownContact,
        EditError::UnknownGroup => Reject::UnknownGroup,
    }
}

/// The whole list, for who subscribes to it.
pub fn list(list: &ContactList) -> String {
    let mut writer = Writer::new();
    writer.start("contactList").attribute_of("deltaNum", list.number());
    for group in list.groups() {
        self::group(&mut writer, "group", &group);
    }
    for contact in list.contacts() {
        // Without scheme here, with it in a delta.
        self::contact(&mut writer, "contact", contact.address.as_str(), &contact);
    }
    writer.finish()
}

/// One step of the list, for all endpoints of its user, that which asked for it included.
pub fn delta(delta: &Delta) -> String {
    let mut writer = Writer::new();
    writer
        .start("contactDelta")
        .attribute_of("deltaNum", delta.number)
        .attribute_of("prevDeltaNum", delta.previous);
    for change in &delta.changes {
        let (name, changed) = match change {
            Change::ContactAdded(contact) => ("addedContact", contact),
            Change::ContactModified(contact) => ("modifiedContact", contact),
            Change::ContactDeleted(address) => {
                writer
                    .start("deletedContact")
                    .attribute("uri", &address::uri(address.as_str()))
                    .end();
                continue;
            }
            Change::GroupAdded(group) => {
                self::group(&mut writer, "addedGroup", group);
                continue;
            }
            Change::GroupModified(group) => {
                self::group(&mut writer, "modifiedGroup", group);
                continue;
            }
            Change::GroupDeleted(id) => {
                writer.start("deletedGroup").attribute_of("id", id).end();
                continue;
            }
        };
        contact(&mut writer, name, &address::uri(changed.address.as_str()), changed);
    }
    writer.finish()
}

fn group(writer: &mut Writer, name: &'static str, group: &Group) {
    writer
        .start(name)
        .attribute_of("id", group.id)
        .attribute("name", &group.name)
        .attribute("externalURI", &group.external_uri)
        .end();
}

fn contact(writer: &mut Writer, name: &'static str, uri: &str, contact: &Contact) {
    let groups: Vec<String> = contact.groups.iter().map(|id| id.to_string()).collect();
    writer
        .start(name)
        .attribute("uri", uri)
        .attribute("name", &contact.name)
        .attribute("groups", &groups.join(" "))
        .attribute_of("subscribed", contact.subscribed)
        .attribute("externalURI", &contact.external_uri)
        .end();
}

fn contact_address(request: &Request<'_>) -> Result<Aor, Reject> {
    let uri = request.argument("URI").ok_or(Reject::BadSoap)?;
    address::address(&uri).ok_or(Reject::BadSoap)
}

fn group_id(request: &Request<'_>) -> Result<GroupId, Reject> {
    one_group(&request.argument("groupID").ok_or(Reject::BadSoap)?)
}

/// Numbers with blanks between.
fn groups(text: &str) -> Result<Groups, Reject> {
    text.split_ascii_whitespace().map(one_group).collect()
}

fn one_group(text: &str) -> Result<GroupId, Reject> {
    let number = text.parse().map_err(|_| Reject::BadSoap)?;
    GroupId::new(number).ok_or(Reject::UnknownGroup)
}

/// `xs:boolean`; who does not say wants to see presence.
fn boolean(text: &str) -> Result<bool, Reject> {
    match text {
        "" | "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(Reject::BadSoap),
    }
}

#[cfg(test)]
mod tests;
