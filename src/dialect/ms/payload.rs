//! The elements within categories: `state`, `note` and `contactCard`, read for what they mean and
//! written from it (MS-PRES section 2.2.2).

use std::sync::Arc;

use crate::presence::aggregate::Aggregate;
use crate::presence::card::{Card, Phone, PhoneKind, Photo};
use crate::presence::category::Category;
use crate::presence::publication::Meaning;
use crate::presence::state::{Activity, Availability, Note, NoteKind, State, StateKind};
use crate::wire::presence::Error;
use crate::wire::presence::time::{self, Utc};
use crate::wire::xml::{Element, Writer};

const STATE: &str = "http://schemas.microsoft.com/2006/09/sip/state";
const NOTE: &str = "http://schemas.microsoft.com/2006/09/sip/note";
const CARD: &str = "http://schemas.microsoft.com/2006/09/sip/contactcard";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// The LCID of a text that names none.
const LANGUAGE_NEUTRAL: u32 = 0;

/// The names of the kinds of state.
const KINDS: [(&str, StateKind); 4] = [
    ("calendarState", StateKind::Calendar),
    ("machineState", StateKind::Machine),
    ("phoneState", StateKind::Phone),
    ("userState", StateKind::User),
];

/// What an element of this category means.
///
/// # Errors
/// It is not what its category says.
pub fn read(category: &Category, element: Element<'_>) -> Result<Meaning, Error> {
    match category {
        Category::State => state(element),
        Category::Note => Ok(note(element).map_or(Meaning::Opaque, Meaning::Note)),
        Category::ContactCard => Ok(Meaning::Card(Box::new(card(element)))),
        _ => Ok(Meaning::Opaque),
    }
}

/// A state; of a kind that is not known, or without availability, it means nothing here.
fn state(element: Element<'_>) -> Result<Meaning, Error> {
    let kind = element.attribute_in(XSI, "type").unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == kind) else {
        return Ok(Meaning::Opaque);
    };
    let Some(availability) = element.child("availability") else { return Ok(Meaning::Opaque) };
    let availability = availability.text().trim().parse().map_err(|_| Error::Number)?;
    let text = |name| {
        let text = element.child(name)?.text();
        let text = text.trim();
        (!text.is_empty()).then(|| Arc::from(text))
    };
    let at = |name| element.attribute(name).and_then(time::read);
    let valid = match (at("startTime"), at("endTime")) {
        (None, None) => None,
        (from, to) => Some((from.unwrap_or(0), to.unwrap_or(u64::MAX))),
    };
    Ok(Meaning::State(State {
        manual: element.attribute("manual") == Some("true"),
        activity: element.child("activity").and_then(activity),
        location: text("endpointLocation"),
        meeting_subject: text("meetingSubject"),
        meeting_location: text("meetingLocation"),
        last_active: at("lastActive"),
        valid,
        ..State::new(*kind, Availability(availability))
    }))
}

fn activity(element: Element<'_>) -> Option<Activity> {
    let token: Arc<str> = element.attribute("token").unwrap_or_default().into();
    let texts = element.children().filter(|child| child.name() == "custom");
    let custom: Arc<[(u32, Arc<str>)]> = texts
        .map(|text| {
            let lcid = text.attribute("LCID").and_then(|lcid| lcid.parse().ok());
            (lcid.unwrap_or(LANGUAGE_NEUTRAL), Arc::from(text.text().trim()))
        })
        .collect();
    (!token.is_empty() || !custom.is_empty()).then_some(Activity { token, custom })
}

fn note(element: Element<'_>) -> Option<Note> {
    let body = element.child("body")?;
    let kind = match body.attribute("type") {
        Some("OOF") => NoteKind::OutOfOffice,
        _ => NoteKind::Personal,
    };
    Some(Note { kind, text: body.text().trim().into() })
}

fn card(element: Element<'_>) -> Card {
    let text = |element: Option<Element<'_>>| -> Arc<str> {
        element.map_or_else(Arc::default, |element| element.text().trim().into())
    };
    let identity = element.child("identity");
    let name = identity.and_then(|identity| identity.child("name"));
    let phones = element.children().filter(|child| child.name() == "phone").map(|phone| Phone {
        kind: match phone.attribute("type") {
            Some("work") => PhoneKind::Work,
            Some("mobile") => PhoneKind::Mobile,
            Some("home") => PhoneKind::Home,
            _ => PhoneKind::Other,
        },
        display: text(phone.child("displayString")),
        uri: text(phone.child("uri")),
    });
    let photo = element
        .child("photo")
        .map(|photo| Photo { uri: text(photo.child("uri")), hash: text(photo.child("hash")) });
    Card {
        display_name: text(name.and_then(|name| name.child("displayName"))),
        email: text(identity.and_then(|identity| identity.child("email"))),
        title: text(element.child("title")),
        company: text(element.child("company")),
        department: text(element.child("department")),
        office: text(element.child("office")),
        phones: phones.collect(),
        photo,
    }
}

/// Writes an aggregated state.
pub fn write_aggregate(writer: &mut Writer, aggregate: &Aggregate) {
    begin_state(writer, "aggregateState", None, aggregate.last_active);
    writer.leaf_of("availability", aggregate.availability.0);
    write_activity(writer, aggregate.activity.as_ref(), aggregate.availability);
    write_places(
        writer,
        aggregate.location.as_deref(),
        aggregate.meeting_subject.as_deref(),
        aggregate.meeting_location.as_deref(),
    );
    writer.end();
}

/// Writes what was published in another dialect.
pub fn write(writer: &mut Writer, meaning: &Meaning) {
    match meaning {
        Meaning::State(state) => {
            let kind = KINDS.iter().find(|(_, kind)| *kind == state.kind);
            let kind = kind.map_or("machineState", |(name, _)| name);
            begin_state(writer, kind, Some(state.manual), state.last_active);
            writer.leaf_of("availability", state.availability.0);
            write_activity(writer, state.activity.as_ref(), state.availability);
            write_places(
                writer,
                state.location.as_deref(),
                state.meeting_subject.as_deref(),
                state.meeting_location.as_deref(),
            );
            writer.end();
        }
        Meaning::Note(note) => {
            let kind = match note.kind {
                NoteKind::Personal => "personal",
                NoteKind::OutOfOffice => "OOF",
            };
            writer.start("note").attribute("xmlns", NOTE).start("body");
            writer.attribute("type", kind).attribute("uri", "").text(&note.text).end().end();
        }
        Meaning::Card(card) => write_card(writer, card),
        Meaning::Opaque => {}
    }
}

fn begin_state(writer: &mut Writer, kind: &str, manual: Option<bool>, last_active: Option<u64>) {
    writer.start("state").attribute("xmlns", STATE);
    if let Some(manual) = manual {
        writer.attribute_of("manual", manual);
    }
    writer.attribute("xmlns:xsi", XSI).attribute("xsi:type", kind);
    if let Some(last_active) = last_active {
        writer.attribute_of("lastActive", Utc(last_active));
    }
}

/// Writes an activity with the band of availability in which it is shown.
fn write_activity(writer: &mut Writer, activity: Option<&Activity>, availability: Availability) {
    let Some(activity) = activity else { return };
    writer.start("activity");
    if !activity.token.is_empty() {
        writer.attribute("token", &activity.token);
    }
    let (min, max) = availability.class().band();
    writer.attribute_of("minAvailability", min).attribute_of("maxAvailability", max);
    for (lcid, text) in activity.custom.iter() {
        writer.start("custom").attribute_of("LCID", lcid).text(text).end();
    }
    writer.end();
}

fn write_places(
    writer: &mut Writer,
    location: Option<&str>,
    subject: Option<&str>,
    meeting: Option<&str>,
) {
    for (name, text) in
        [("endpointLocation", location), ("meetingSubject", subject), ("meetingLocation", meeting)]
    {
        if let Some(text) = text {
            writer.leaf(name, text);
        }
    }
}

/// Writes a card; what is unknown is left out.
pub fn write_card(writer: &mut Writer, card: &Card) {
    let leaf = |writer: &mut Writer, name, text: &str| {
        if !text.is_empty() {
            writer.leaf(name, text);
        }
    };
    writer.start("contactCard").attribute("xmlns", CARD).start("identity");
    if !card.display_name.is_empty() {
        writer.start("name").leaf("displayName", &card.display_name).end();
    }
    leaf(writer, "email", &card.email);
    writer.end();
    leaf(writer, "company", &card.company);
    leaf(writer, "department", &card.department);
    leaf(writer, "title", &card.title);
    leaf(writer, "office", &card.office);
    for phone in &card.phones {
        let kind = match phone.kind {
            PhoneKind::Work => "work",
            PhoneKind::Mobile => "mobile",
            PhoneKind::Home => "home",
            PhoneKind::Other => "other",
        };
        writer.start("phone").attribute("type", kind);
        leaf(writer, "uri", &phone.uri);
        leaf(writer, "displayString", &phone.display);
        writer.end();
    }
    if let Some(photo) = &card.photo {
        writer.start("photo").attribute("type", "enterprise").leaf("uri", &photo.uri);
        leaf(writer, "hash", &photo.hash);
        writer.end();
    }
    writer.end();
}
