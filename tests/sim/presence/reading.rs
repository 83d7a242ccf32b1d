//! What a client reads of the documents it is sent. Not with the server's own parser.

use std::collections::{BTreeMap, BTreeSet};

/// What is known of somebody: by category, in words that can be compared. A PIDF document, which
/// is always whole, is one category.
pub type Facts = BTreeMap<String, BTreeSet<String>>;

/// The category that stands for a PIDF document.
pub const PIDF: &str = "pidf";

/// The elements of that name, none within another: what stands in the tag, and what within.
pub fn elements<'a>(text: &'a str, name: &str) -> Vec<(&'a str, &'a str)> {
    let (open, close) = (format!("<{name}"), format!("</{name}>"));
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(&open) {
        let after = &rest[at + open.len()..];
        rest = after;
        if !after.starts_with([' ', '>', '/']) {
            continue;
        }
        let end = after.find('>').expect("the end of a tag");
        let tag = &after[..end];
        rest = &after[end + 1..];
        if tag.ends_with('/') {
            found.push((tag, ""));
            continue;
        }
        let end = rest.find(&close).expect("an end tag");
        found.push((tag, &rest[..end]));
        rest = &rest[end + close.len()..];
    }
    found
}

/// The value of an attribute; empty without it.
pub fn attribute<'a>(tag: &'a str, name: &str) -> &'a str {
    let mark = format!(" {name}=\"");
    let Some(at) = tag.find(&mark) else { return "" };
    tag[at + mark.len()..].split('"').next().unwrap_or_default()
}

/// A number in an attribute.
pub fn number(tag: &str, name: &str) -> u32 {
    attribute(tag, name).parse().unwrap_or_else(|_| panic!("{name} in {tag}"))
}

fn leaf<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    elements(text, name).first().map(|(_, inner)| *inner)
}

/// The documents in a body, whether it is one or a list of them: of whom each is, and what it
/// says. Of a category that is named without content nothing is left.
pub fn documents(body: &str) -> Vec<(String, Facts)> {
    let categories = elements(body, "categories").into_iter().map(|(tag, inner)| {
        let mut facts = Facts::new();
        for (tag, inner) in elements(inner, "category") {
            let name = attribute(tag, "name");
            facts.entry(name.to_owned()).or_default().extend(category(name, tag, inner));
        }
        (user(attribute(tag, "uri")), facts)
    });
    let presences = elements(body, "presence").into_iter().map(|(tag, inner)| {
        (user(attribute(tag, "entity")), Facts::from([(PIDF.to_owned(), presence(inner))]))
    });
    categories.chain(presences).collect()
}

/// The user in `sip:user@domain` or `user@domain`.
pub fn user(uri: &str) -> String {
    uri.trim_start_matches("sip:").split('@').next().unwrap_or_default().to_owned()
}

fn category(name: &str, tag: &str, inner: &str) -> Vec<String> {
    let mut facts = Vec::new();
    let mut note = |what: &str, value: Option<&str>| {
        facts
            .extend(value.filter(|value| !value.is_empty()).map(|value| format!("{what}={value}")));
    };
    match name {
        "state" => {
            note("availability", leaf(inner, "availability"));
            for (tag, _) in elements(inner, "activity") {
                note("token", Some(attribute(tag, "token")));
            }
            note("custom", leaf(inner, "custom"));
            note("location", leaf(inner, "endpointLocation"));
            note("subject", leaf(inner, "meetingSubject"));
            note("place", leaf(inner, "meetingLocation"));
        }
        "note" => {
            for (tag, text) in elements(inner, "body") {
                note(attribute(tag, "type"), Some(text));
            }
        }
        "contactCard" => {
            for name in ["displayName", "email", "title", "company", "department", "office"] {
                note(name, leaf(inner, name));
            }
            for (tag, phone) in elements(inner, "phone") {
                note(attribute(tag, "type"), leaf(phone, "displayString"));
            }
            note("photo", leaf(inner, "photo").and_then(|photo| leaf(photo, "uri")));
        }
        _ => note(attribute(tag, "instance"), leaf(inner, "mark")),
    }
    facts
}

fn presence(inner: &str) -> BTreeSet<String> {
    let mut facts = BTreeSet::new();
    let mut note = |what: &str, value: &str| facts.insert(format!("{what}={value}"));
    let basic = leaf(inner, "basic").unwrap_or("unknown");
    note("basic", basic);
    for (_, text) in elements(inner, "dm:note") {
        note("note", text);
    }
    for (_, activities) in elements(inner, "rpid:activities") {
        for name in ["busy", "away"] {
            if !elements(activities, &format!("rpid:{name}")).is_empty() {
                note("activity", name);
            }
        }
        leaf(activities, "rpid:other").map(|text| note("custom", text));
    }
    let place = leaf(inner, "rpid:place-type").and_then(|place| leaf(place, "rpid:other"));
    place.map(|text| note("location", text));
    leaf(inner, "rpid:status-icon").map(|text| note("photo", text));
    leaf(inner, "c:display-name").map(|text| note("displayName", text));
    facts
}
