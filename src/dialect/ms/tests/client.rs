//! How pidgin-sipe reads what it is told: by local names, category by category.

use std::collections::BTreeMap;

use crate::base::limits::Limits;
use crate::wire::presence::time;
use crate::wire::xml::{Document, Element, XSI};

/// What the client knows of somebody on its list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buddy {
    pub uri: String,
    pub availability: u32,
    pub activity: String,
    pub meeting: (String, String),
    /// Text, whether it is out of office, since when.
    pub note: (String, bool, u64),
    pub free_busy: String,
    pub fields: BTreeMap<String, String>,
}

/// What the client knows of the user's own data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Own {
    /// Versions by category, instance and container.
    pub publications: BTreeMap<(String, u32, u32), u32>,
    pub aggregate: Option<u32>,
    /// The note is gone.
    pub is_note_cleared: bool,
    /// Version and members by number.
    pub containers: BTreeMap<u32, (u32, Vec<(String, String)>)>,
    /// Those who added the user, and that he has not seen it.
    pub unseen: Vec<String>,
}

fn child<'t>(element: Element<'t>, path: &str) -> Option<Element<'t>> {
    path.split('/').try_fold(element, |at, name| at.children().find(|one| one.name() == name))
}

fn text(element: Element<'_>, path: &str) -> String {
    child(element, path).map(|one| one.text().into_owned()).unwrap_or_default()
}

fn number(element: Element<'_>, name: &str) -> Option<u32> {
    element.attribute(name).map(|text| text.parse().unwrap())
}

fn all<'t>(element: Element<'t>, name: &'static str) -> impl Iterator<Item = Element<'t>> {
    element.children().filter(move |one| one.name() == name)
}

impl Buddy {
    pub fn is_told(&mut self, xml: &str) {
        let document = Document::parse(xml.as_bytes(), &Limits::default()).unwrap();
        let root = document.root();
        self.uri = root.attribute("uri").unwrap().to_owned();
        assert!(self.uri.starts_with("sip:"));
        let mut has_note = false;
        for category in all(root, "category") {
            let since = category.attribute("publishTime").map_or(0, |at| time::read(at).unwrap());
            match category.attribute("name").unwrap() {
                "contactCard" => self.card(category),
                "note" => {
                    if !has_note {
                        has_note = true;
                        self.note = (String::new(), false, since);
                    }
                    if since >= self.note.2 {
                        let body = child(category, "note/body");
                        let is_oof = body.and_then(|body| body.attribute("type")) == Some("OOF");
                        let text = body.map(|body| body.text().into_owned());
                        self.note = (text.unwrap_or_default(), is_oof, since);
                    }
                }
                "state" => self.state(category),
                "calendarData" => {
                    if let Some(free_busy) = child(category, "calendarData/freeBusy") {
                        self.free_busy = free_busy.text().into_owned();
                    }
                }
                _ => {}
            }
        }
    }

    fn card(&mut self, category: Element<'_>) {
        let Some(card) = child(category, "contactCard") else { return };
        for (field, path) in [
            ("name", "identity/name/displayName"),
            ("email", "identity/email"),
            ("company", "company"),
            ("department", "department"),
            ("title", "title"),
            ("office", "office"),
            ("photo", "photo/uri"),
            ("hash", "photo/hash"),
        ] {
            self.fields.insert(field.to_owned(), text(card, path));
        }
        for phone in all(card, "phone") {
            let kind = phone.attribute("type").unwrap().to_owned();
            self.fields.insert(kind, text(phone, "uri"));
        }
        self.fields.retain(|_, text| !text.is_empty());
    }

    fn state(&mut self, category: Element<'_>) {
        let Some(state) = child(category, "state") else { return };
        let Some(availability) = child(state, "availability") else { return };
        self.availability = availability.text().parse().unwrap();
        let token = child(state, "activity").and_then(|one| one.attribute("token"));
        self.activity = match text(state, "activity/custom") {
            custom if custom.is_empty() => token.unwrap_or_default().to_owned(),
            custom => custom,
        };
        self.meeting = (text(state, "meetingSubject"), text(state, "meetingLocation"));
    }
}

impl Own {
    pub fn is_told(&mut self, xml: &str) {
        let document = Document::parse(xml.as_bytes(), &Limits::default()).unwrap();
        let root = document.root();
        if let Some(categories) = child(root, "categories") {
            for category in all(categories, "category") {
                let name = category.attribute("name").unwrap();
                self.publications.retain(|(known, ..), _| known != name);
            }
            all(categories, "category").for_each(|category| self.category(category));
        }
        for container in child(root, "containers").into_iter().flat_map(|c| all(c, "container")) {
            let members = all(container, "member").map(|member| {
                let of = |name| member.attribute(name).unwrap_or_default().to_owned();
                (of("type"), of("value"))
            });
            let version = number(container, "version").unwrap();
            self.containers.insert(number(container, "id").unwrap(), (version, members.collect()));
        }
        let subscribers = child(root, "subscribers").into_iter();
        for subscriber in subscribers.flat_map(|one| all(one, "subscriber")) {
            assert!(subscriber.attribute("displayName").is_some_and(|name| !name.is_empty()));
            if subscriber.attribute("acknowledged") == Some("false") {
                self.unseen.push(subscriber.attribute("user").unwrap().to_owned());
            }
        }
    }

    fn category(&mut self, category: Element<'_>) {
        let name = category.attribute("name").unwrap();
        let (container, instance) = (number(category, "container"), number(category, "instance"));
        self.is_note_cleared |= match (container, instance) {
            (None, _) => true,
            (container, None) => container == Some(200),
            _ => false,
        };
        let (Some(container), Some(instance)) = (container, instance) else { return };
        assert!(category.attribute("publishTime").is_some_and(|at| time::read(at).is_some()));
        let state = child(category, "state");
        let kind = state.and_then(|state| state.attribute_in(XSI, "type"));
        if kind == Some("aggregateState") {
            if container == 2 {
                self.aggregate = Some(text(category, "state/availability").parse().unwrap());
            }
            return;
        }
        let version = number(category, "version").unwrap();
        self.publications.insert((name.to_owned(), instance, container), version);
    }
}
