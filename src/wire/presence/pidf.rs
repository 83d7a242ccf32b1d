//! Presence as standard clients speak of it (RFC 3863, the data model of RFC 4479, RFC 4480 and
//! the name of RFC 4482), `application/pidf+xml`.
//!
//! Prefixes are written as baresip looks for them: `rpid:` for activities, none for PIDF itself.

use std::borrow::Cow;

use super::time::{self, Utc};
use super::{Error, required, root};
use crate::wire::xml::{Document, Element, Writer};

/// The content type.
pub const CONTENT_TYPE: &str = "application/pidf+xml";

const NAMESPACE: &str = "urn:ietf:params:xml:ns:pidf";
const DATA_MODEL: &str = "urn:ietf:params:xml:ns:pidf:data-model";
const RPID: &str = "urn:ietf:params:xml:ns:pidf:rpid";
const CIPID: &str = "urn:ietf:params:xml:ns:pidf:cipid";

/// A presence document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pidf<'a> {
    /// The presentity, as a URI.
    pub entity: Cow<'a, str>,
    /// Ways to reach him.
    pub tuples: Vec<Tuple<'a>>,
    /// What he writes beside his name.
    pub notes: Vec<Cow<'a, str>>,
    /// The person.
    pub persons: Vec<Person<'a>>,
    /// His devices.
    pub devices: Vec<Device<'a>>,
}

/// A way to reach the presentity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tuple<'a> {
    /// Unique in the document.
    pub id: Cow<'a, str>,
    /// Whether it is open for messages; `None` when it is not said.
    pub is_open: Option<bool>,
    /// What the person does there: clients of before RFC 4479 say it in the tuple.
    pub activities: Vec<Activity<'a>>,
    /// Where to reach him, as a URI; empty when it is not said.
    pub contact: Cow<'a, str>,
    /// Notes about this way.
    pub notes: Vec<Cow<'a, str>>,
    /// Since when, in seconds since 1970.
    pub timestamp: Option<u64>,
}

/// The person behind the presentity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Person<'a> {
    /// Unique in the document.
    pub id: Cow<'a, str>,
    /// What he does.
    pub activities: Vec<Activity<'a>>,
    /// Where he is, in his words; empty when it is not said.
    pub place: Cow<'a, str>,
    /// Where his picture is, as a URI; empty when it is not said.
    pub status_icon: Cow<'a, str>,
    /// Whether he is at the keyboard.
    pub user_input: Option<UserInput>,
    /// His name; empty when it is not said.
    pub display_name: Cow<'a, str>,
    /// What he writes beside his name.
    pub notes: Vec<Cow<'a, str>>,
    /// Since when, in seconds since 1970.
    pub timestamp: Option<u64>,
}

/// A device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device<'a> {
    /// Unique in the document.
    pub id: Cow<'a, str>,
    /// Unique among devices, a URN.
    pub device_id: Cow<'a, str>,
    /// Whether somebody is at its keyboard.
    pub user_input: Option<UserInput>,
    /// Notes about it.
    pub notes: Vec<Cow<'a, str>>,
}

/// What a person does: the name of an element of RFC 4480 section 3.2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity<'a> {
    /// Its name, such as `on-the-phone`; `other` has a text.
    pub name: Cow<'a, str>,
    /// What `other` is; else empty.
    pub text: Cow<'a, str>,
}

/// What is known of the use of a keyboard (RFC 4480 section 3.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserInput {
    /// It is not in use.
    pub is_idle: bool,
    /// When it last was, in seconds since 1970.
    pub last: Option<u64>,
}

impl<'t> Pidf<'t> {
    /// Reads a document. What is not known is passed over.
    pub fn read(document: &'t Document<'t>) -> Result<Self, Error> {
        let root = root(document, NAMESPACE, "presence")?;
        let mut pidf = Pidf { entity: required(root, "entity")?.into(), ..Pidf::default() };
        for child in root.children() {
            match (child.namespace(), child.name()) {
                (NAMESPACE, "tuple") => pidf.tuples.push(tuple(child)?),
                (NAMESPACE, "note") => pidf.notes.push(child.text()),
                (DATA_MODEL, "person") => pidf.persons.push(person(child)?),
                (DATA_MODEL, "device") => pidf.devices.push(device(child)?),
                _ => {}
            }
        }
        Ok(pidf)
    }
}

fn tuple(element: Element<'_>) -> Result<Tuple<'_>, Error> {
    let status = element.child("status").ok_or(Error::Missing)?;
    let is_open = match status.child("basic").map(Element::text).as_deref() {
        // No value of RFC 3863; baresip begins with it, and says open at once behind it.
        None | Some("unknown") => None,
        Some("open") => Some(true),
        Some("closed") => Some(false),
        Some(_) => return Err(Error::Value),
    };
    let mut activities = activities(element);
    activities.extend(self::activities(status));
    Ok(Tuple {
        id: required(element, "id")?.into(),
        is_open,
        activities,
        contact: element.child("contact").map(Element::text).unwrap_or_default(),
        notes: notes(element),
        timestamp: timestamp(element)?,
    })
}

fn person(element: Element<'_>) -> Result<Person<'_>, Error> {
    let place = element.children().find(|child| child.is(RPID, "place-type"));
    let place = place.and_then(|place| place.children().find(|child| child.name() == "other"));
    let text = |namespace: &str, name: &str| {
        let child = element.children().find(|child| child.is(namespace, name));
        child.map(Element::text).unwrap_or_default()
    };
    Ok(Person {
        id: required(element, "id")?.into(),
        activities: activities(element),
        place: place.map(Element::text).unwrap_or_default(),
        status_icon: text(RPID, "status-icon"),
        user_input: user_input(element)?,
        display_name: text(CIPID, "display-name"),
        notes: notes(element),
        timestamp: timestamp(element)?,
    })
}

fn device(element: Element<'_>) -> Result<Device<'_>, Error> {
    Ok(Device {
        id: required(element, "id")?.into(),
        device_id: element.child("deviceID").map(Element::text).unwrap_or_default(),
        user_input: user_input(element)?,
        notes: notes(element),
    })
}

fn activities(element: Element<'_>) -> Vec<Activity<'_>> {
    element
        .children()
        .filter(|child| child.is(RPID, "activities"))
        .flat_map(Element::children)
        .filter(|activity| activity.namespace() == RPID && activity.name() != "note")
        .map(|activity| Activity { name: activity.name().into(), text: activity.text() })
        .collect()
}

/// Notes are of PIDF in a tuple, and of the data model elsewhere.
fn notes(element: Element<'_>) -> Vec<Cow<'_, str>> {
    let is_note = |child: &Element<'_>| child.is(NAMESPACE, "note") || child.is(DATA_MODEL, "note");
    element.children().filter(is_note).map(Element::text).collect()
}

fn timestamp(element: Element<'_>) -> Result<Option<u64>, Error> {
    element
        .child("timestamp")
        .map(|child| time::read(&child.text()).ok_or(Error::Value))
        .transpose()
}

fn user_input(element: Element<'_>) -> Result<Option<UserInput>, Error> {
    let Some(child) = element.children().find(|child| child.is(RPID, "user-input")) else {
        return Ok(None);
    };
    let last = child.attribute("last-input");
    Ok(Some(UserInput {
        is_idle: child.text() == "idle",
        last: last.map(|last| time::read(last).ok_or(Error::Value)).transpose()?,
    }))
}

impl Pidf<'_> {
    /// The document. Activities whose names are not of RFC 4480 are left out.
    pub fn write(&self) -> String {
        let mut writer = Writer::after("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned());
        writer
            .start("presence")
            .attribute("xmlns", NAMESPACE)
            .attribute("xmlns:dm", DATA_MODEL)
            .attribute("xmlns:rpid", RPID)
            .attribute("entity", &self.entity);
        for tuple in &self.tuples {
            tuple.write(&mut writer);
        }
        for note in &self.notes {
            writer.leaf("note", note);
        }
        for person in &self.persons {
            person.write(&mut writer);
        }
        for device in &self.devices {
            device.write(&mut writer);
        }
        writer.finish()
    }
}

impl Tuple<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.start("tuple").attribute("id", &self.id).start("status");
        if let Some(is_open) = self.is_open {
            writer.leaf("basic", if is_open { "open" } else { "closed" });
        }
        writer.end();
        write_activities(writer, &self.activities);
        if !self.contact.is_empty() {
            writer.leaf("contact", &self.contact);
        }
        for note in &self.notes {
            writer.leaf("note", note);
        }
        if let Some(timestamp) = self.timestamp {
            writer.leaf_of("timestamp", Utc(timestamp));
        }
        writer.end();
    }
}

impl Person<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.start("dm:person").attribute("id", &self.id);
        write_activities(writer, &self.activities);
        if !self.place.is_empty() {
            writer.start("rpid:place-type").leaf("rpid:other", &self.place).end();
        }
        if !self.status_icon.is_empty() {
            writer.leaf("rpid:status-icon", &self.status_icon);
        }
        write_user_input(writer, self.user_input);
        if !self.display_name.is_empty() {
            writer.start("c:display-name").attribute("xmlns:c", CIPID);
            writer.text(&self.display_name).end();
        }
        for note in &self.notes {
            writer.leaf("dm:note", note);
        }
        if let Some(timestamp) = self.timestamp {
            writer.leaf_of("dm:timestamp", Utc(timestamp));
        }
        writer.end();
    }
}

impl Device<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.start("dm:device").attribute("id", &self.id);
        write_user_input(writer, self.user_input);
        writer.leaf("dm:deviceID", &self.device_id);
        for note in &self.notes {
            writer.leaf("dm:note", note);
        }
        writer.end();
    }
}

/// The activities of RFC 4480 section 3.2, as they are written.
const ACTIVITIES: [&str; 26] = [
    "rpid:appointment",
    "rpid:away",
    "rpid:breakfast",
    "rpid:busy",
    "rpid:dinner",
    "rpid:holiday",
    "rpid:in-transit",
    "rpid:looking-for-work",
    "rpid:lunch",
    "rpid:meal",
    "rpid:meeting",
    "rpid:on-the-phone",
    "rpid:other",
    "rpid:performance",
    "rpid:permanent-absence",
    "rpid:playing",
    "rpid:presentation",
    "rpid:shopping",
    "rpid:sleeping",
    "rpid:spectator",
    "rpid:steering",
    "rpid:travel",
    "rpid:tv",
    "rpid:unknown",
    "rpid:vacation",
    "rpid:worship",
];

fn write_activities(writer: &mut Writer, activities: &[Activity<'_>]) {
    let mut known = activities
        .iter()
        .filter_map(|activity| {
            let is_it = |known: &&&str| known.strip_prefix("rpid:") == Some(&activity.name);
            Some((ACTIVITIES.iter().find(is_it)?, activity))
        })
        .peekable();
    if known.peek().is_none() {
        return;
    }
    writer.start("rpid:activities");
    for (name, activity) in known {
        writer.leaf(name, &activity.text);
    }
    writer.end();
}

fn write_user_input(writer: &mut Writer, user_input: Option<UserInput>) {
    let Some(UserInput { is_idle, last }) = user_input else { return };
    writer.start("rpid:user-input");
    if let Some(last) = last {
        writer.attribute_of("last-input", Utc(last));
    }
    writer.text(if is_idle { "idle" } else { "active" }).end();
}
