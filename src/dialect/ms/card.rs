//! The category `contactCard` (MS-PRES section 2.2.2.2).

use std::sync::Arc;

use crate::presence::card::{Card, Phone, PhoneKind, Photo};
use crate::wire::presence::Error;
use crate::wire::xml::{Element, Writer};

const NAMESPACE: &str = "http://schemas.microsoft.com/2006/09/sip/contactcard";

const PHONES: [(&str, PhoneKind); 4] = [
    ("work", PhoneKind::Work),
    ("mobile", PhoneKind::Mobile),
    ("home", PhoneKind::Home),
    ("other", PhoneKind::Other),
];

/// Reads a card; what is not known is passed over.
pub(super) fn read(element: Element<'_>) -> Result<Card, Error> {
    if !element.is(NAMESPACE, "contactCard") {
        return Err(Error::Value);
    }
    let identity = element.child("identity");
    let name = identity.and_then(|identity| identity.child("name"));
    let photo = element
        .child("photo")
        .map(|photo| Photo { uri: text(photo, "uri"), hash: text(photo, "hash") });
    Ok(Card {
        display_name: name.map(|name| text(name, "displayName")).unwrap_or_default(),
        email: identity.map(|identity| text(identity, "email")).unwrap_or_default(),
        title: text(element, "title"),
        company: text(element, "company"),
        department: text(element, "department"),
        office: text(element, "office"),
        phones: element.children().filter(|child| child.name() == "phone").map(phone).collect(),
        photo: photo.filter(|photo| !photo.uri.is_empty()),
    })
}

fn text(element: Element<'_>, name: &str) -> Arc<str> {
    element.child(name).map(|child| (&*child.text()).into()).unwrap_or_default()
}

fn phone(element: Element<'_>) -> Phone {
    let name = element.attribute("type").unwrap_or_default();
    let kind = PHONES.iter().find(|(known, _)| *known == name);
    Phone {
        kind: kind.map_or(PhoneKind::Other, |(_, kind)| *kind),
        display: text(element, "displayString"),
        uri: text(element, "uri"),
    }
}

/// Writes a card, as far as the reader may see it.
pub(super) fn write(writer: &mut Writer, card: &Card) {
    writer.start("contactCard").attribute("xmlns", NAMESPACE).start("identity");
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
        let name = PHONES.iter().find(|(_, kind)| *kind == phone.kind).map_or("", |(name, _)| name);
        writer.start("phone").attribute("type", name);
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

fn leaf(writer: &mut Writer, name: &'static str, text: &str) {
    if !text.is_empty() {
        writer.leaf(name, text);
    }
}
