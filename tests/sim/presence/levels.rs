//! Who sees what: the table of access levels, written down a second time and as simply as can be.

use std::collections::{BTreeMap, BTreeSet};

use mynah::directory::User;
use mynah::presence::aggregate::{Aggregate, aggregate};
use mynah::presence::container::ContainerId;
use mynah::presence::publication::{Meaning, Publication};
use mynah::presence::state::NoteKind;
use mynah::shard::question::Presence;

use super::reading::{Facts, PIDF};

/// Who is blocked.
pub const BLOCKED: u32 = 32_000;

/// Containers that a user can put others in, the first that has somebody decides.
pub const LEVELS: [u32; 6] = [BLOCKED, 400, 300, 200, 100, 0];

/// What of a user's own data decides who is at which level.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circle {
    /// Users in containers.
    pub members: BTreeMap<u32, BTreeSet<String>>,
    /// His contacts.
    pub contacts: BTreeSet<String>,
}

impl Circle {
    /// The level of another user of this server. `privacy` shows strangers nothing.
    pub fn level_of(&self, who: &str, privacy: bool) -> u32 {
        let has = |level: &&u32| self.members.get(level).is_some_and(|users| users.contains(who));
        let level = LEVELS.iter().find(has).copied().unwrap_or(200);
        match privacy && level != BLOCKED && !self.contacts.contains(who) {
            true => 0,
            false => level,
        }
    }
}

/// All that a watcher at `level` sees of a user, by category.
pub fn categories(level: u32, held: &Presence, user: &User, unix_ms: u64) -> Facts {
    let mut facts = Facts::new();
    let mut see = |category: &str, fact: Option<String>| {
        facts.entry(category.to_owned()).or_default().extend(fact);
    };
    for category in ["calendarData", "note", "services"] {
        see(category, None);
    }
    let state = state(level, held, unix_ms);
    see("state", Some(format!("availability={}", state.as_ref().map_or(0, |s| s.availability.0))));
    if let Some(state) = state {
        let activity = state.activity.as_ref().map(|one| (&*one.token, one.custom.first()));
        if let Some((token, custom)) = activity {
            see("state", (!token.is_empty()).then(|| format!("token={token}")));
            see("state", custom.map(|(_, text)| format!("custom={text}")));
        }
        see("state", state.location.map(|text| format!("location={text}")));
        see("state", state.meeting_subject.map(|text| format!("subject={text}")));
        see("state", state.meeting_location.map(|text| format!("place={text}")));
    }
    for (kind, text) in notes(level, held) {
        let kind = if kind == NoteKind::Personal { "personal" } else { "OOF" };
        see("note", Some(format!("{kind}={text}")));
    }
    for publication in published(level, held, "calendarData", 200) {
        see("calendarData", Some(opaque(publication)));
    }
    for publication in published(level, held, "services", 100) {
        see("services", Some(opaque(publication)));
    }
    let person = &user.person;
    let card: [(&str, &str, u32); 10] = [
        ("displayName", &user.display_name, 0),
        ("email", &person.email, 0),
        ("title", &person.title, 100),
        ("company", &person.company, 100),
        ("department", &person.department, 100),
        ("office", &person.office, 100),
        ("photo", &person.photo_url, 100),
        ("work", &person.phone_work, 200),
        ("mobile", &person.phone_mobile, 300),
        ("home", &person.phone_home, 400),
    ];
    let standing = if level == BLOCKED { 0 } else { level };
    for (name, value, from) in card {
        see("contactCard", (standing >= from).then(|| format!("{name}={value}")));
    }
    facts
}

/// The same as PIDF.
pub fn pidf(level: u32, held: &Presence, user: &User, unix_ms: u64) -> Facts {
    let mut facts = BTreeSet::new();
    let state = state(level, held, unix_ms);
    let basic = match state.as_ref().map(|state| state.availability.0) {
        None => "unknown",
        Some(..18_000) => "open",
        Some(_) => "closed",
    };
    facts.insert(format!("basic={basic}"));
    if let Some(state) = state {
        match state.availability.0 {
            6000..12_000 => drop(facts.insert("activity=busy".to_owned())),
            12_000..18_000 => drop(facts.insert("activity=away".to_owned())),
            _ => {}
        }
        let custom = state.activity.as_ref().and_then(|one| one.custom.first());
        facts.extend(custom.map(|(_, text)| format!("custom={text}")));
        facts.extend(state.location.map(|text| format!("location={text}")));
    }
    facts.extend(notes(level, held).into_iter().map(|(_, text)| format!("note={text}")));
    facts.insert(format!("displayName={}", user.display_name));
    if (100..BLOCKED).contains(&level) {
        facts.insert(format!("photo={}", user.person.photo_url));
    }
    Facts::from([(PIDF.to_owned(), facts)])
}

/// The state, cut down to a level; nothing in container 0.
fn state(level: u32, held: &Presence, unix_ms: u64) -> Option<Aggregate> {
    let endpoints: BTreeSet<_> = held.endpoints.iter().map(|endpoint| endpoint.conn).collect();
    let endpoints: Vec<_> = endpoints.into_iter().collect();
    let source = ContainerId(if level == 300 { 3 } else { 2 });
    let all = aggregate(&held.publications, source, &endpoints, unix_ms);
    let bare = |availability| Aggregate { availability, ..Aggregate::OFFLINE };
    match level {
        0 => None,
        100 => Some(bare(all.availability)),
        200 | 400 => Some(Aggregate { meeting_subject: None, meeting_location: None, ..all }),
        300 => Some(all),
        _ => Some(Aggregate::OFFLINE),
    }
}

/// The newest note of each kind that has a text.
fn notes(level: u32, held: &Presence) -> Vec<(NoteKind, String)> {
    let mut notes = Vec::new();
    for kind in [NoteKind::Personal, NoteKind::OutOfOffice] {
        let of_kind = published(level, held, "note", 200).filter_map(|one| {
            let Meaning::Note(note) = &one.payload.meaning else { return None };
            (note.kind == kind).then(|| (one.published_ms, one.key.instance, note.text.to_string()))
        });
        notes.extend(of_kind.max().map(|(_, _, text)| (kind, text)).filter(|n| !n.1.is_empty()));
    }
    notes
}

/// What is published in exactly that container, if it is seen from `least` on.
fn published<'a>(
    level: u32,
    held: &'a Presence,
    category: &'a str,
    least: u32,
) -> impl Iterator<Item = &'a Publication> {
    held.publications.iter().filter(move |one| {
        one.key.category.name() == category
            && one.key.container.0 == level
            && (least..BLOCKED).contains(&level)
    })
}

fn opaque(publication: &Publication) -> String {
    let source = &publication.payload.source;
    let mark = super::reading::elements(source, "mark");
    format!("{}={}", publication.key.instance, mark.first().map_or("", |(_, text)| text))
}

/// Why somebody at `level` should not have been told this; `None` if he may know all of it, and
/// nothing is missing that he would have been told with it.
pub fn above(facts: &Facts, level: u32) -> Option<String> {
    facts.iter().find_map(|(category, facts)| {
        let bad = facts.iter().find(|fact| !is_for(category, fact, level));
        let missing = (category == "contactCard")
            .then(|| {
                CARD_FROM.iter().find(|(name, from)| {
                    (*from..BLOCKED).contains(&level) && !facts.iter().any(|f| f.starts_with(name))
                })
            })
            .flatten();
        bad.cloned().or_else(|| missing.map(|(name, _)| format!("no {name}")))
    })
}

const CARD_FROM: [(&str, u32); 8] = [
    ("title=", 100),
    ("company=", 100),
    ("department=", 100),
    ("office=", 100),
    ("photo=", 100),
    ("work=", 200),
    ("mobile=", 300),
    ("home=", 400),
];

/// True if somebody at `level` may be told this. Texts name where they were published: those for
/// watchers end in `c` and the container, those for an aggregation in `k` and its container.
fn is_for(category: &str, fact: &str, level: u32) -> bool {
    let (name, value) = fact.split_once('=').unwrap_or((fact, ""));
    let shown = (200..=400).contains(&level);
    let written_for = |mark: char| value.rsplit_once(mark).and_then(|(_, n)| n.parse::<u32>().ok());
    let source = if level == 300 { 3 } else { 2 };
    match (category, name) {
        ("state", "availability") => match level {
            0 => value == "0",
            BLOCKED => value == "18500",
            _ => value != "0",
        },
        ("state", "subject" | "place") => level == 300 && written_for('k') == Some(3),
        ("state", "token") => shown && (value != "urgent-interruptions-only" || level == 300),
        ("state" | PIDF, "custom" | "location") => {
            shown && written_for('k').is_none_or(|k| k == source)
        }
        ("note", _) | (PIDF, "note") => shown && written_for('c').is_none_or(|c| c == level),
        ("calendarData", _) => shown && written_for('c') == Some(level),
        ("services", _) => (100..=400).contains(&level) && written_for('c') == Some(level),
        (PIDF, "basic") => match level {
            0 => value == "unknown",
            BLOCKED => value == "closed",
            _ => value != "unknown",
        },
        (PIDF, "activity") => (100..=400).contains(&level),
        (PIDF, "photo") => (100..=400).contains(&level),
        ("contactCard", name) => {
            let from = CARD_FROM.iter().find(|(known, _)| known.trim_end_matches('=') == name);
            from.is_none_or(|(_, from)| (*from..BLOCKED).contains(&level))
        }
        (PIDF, "displayName") => true,
        _ => false,
    }
}
