//! What a subscriber knows of a conference from what he was told.

use std::collections::BTreeMap;

use mynah::immcu::conference::{LegKind, Role};
use mynah::shard::conference_standing::{ConferenceStanding, MemberStanding};

use crate::presence::reading::{attribute, elements, number};

/// Somebody in it: presenter or not, his focus and chat endpoints, and whether he waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub presents: bool,
    pub focus: usize,
    pub chat: usize,
    pub waits: bool,
}

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    pub people: BTreeMap<String, Seen>,
    pub locked: bool,
    version: u32,
}

impl Roster {
    /// Takes a document.
    pub fn take(&mut self, body: &str) {
        let documents = elements(body, "conference-info");
        let (tag, inner) = documents.first().expect("a document");
        let version = number(tag, "version");
        let whole = attribute(tag, "state") == "full";
        if whole {
            assert!(version >= self.version, "version {version} after {}", self.version);
            self.people.clear();
        } else {
            assert!(version > self.version, "version {version} after {}", self.version);
        }
        self.version = version;
        for (tag, inner) in elements(inner, "user") {
            let who = attribute(tag, "entity").to_owned();
            match attribute(tag, "state") {
                "deleted" => drop(self.people.remove(&who)),
                _ => drop(self.people.insert(who, seen(inner))),
            }
        }
        let states = elements(inner, "conference-state");
        if let Some((_, locked)) = states.first().and_then(|(_, s)| elements(s, "locked").pop()) {
            self.locked = locked == "true";
        }
    }

    /// What the server holds, as a member is told of it.
    pub fn of(standing: &ConferenceStanding) -> Self {
        let members = standing.members.iter().map(|member| row(member, false));
        let waiting = standing.waiting.iter().map(|member| row(member, true));
        let people = members.chain(waiting).collect();
        Roster { people, locked: standing.summary.locked, version: 0 }
    }

    /// The same without the number of the document.
    pub fn unnumbered(&self) -> Self {
        Roster { version: 0, ..self.clone() }
    }

    /// True if messages go to and fro on some leg of his.
    pub fn carries(&self, who: &str) -> bool {
        self.people.get(who).is_some_and(|seen| seen.chat > 0 && !seen.waits)
    }
}

fn seen(user: &str) -> Seen {
    let mut seen = Seen { presents: user.contains("<entry>presenter</entry>"), ..Seen::default() };
    for (tag, inner) in elements(user, "endpoint") {
        seen.waits |= inner.contains("on-hold");
        match attribute(tag, "msci:session-type") {
            "focus" => seen.focus += 1,
            "chat" => seen.chat += 1,
            other => panic!("an endpoint for {other}"),
        }
    }
    seen
}

fn row(member: &MemberStanding, waits: bool) -> (String, Seen) {
    let count = |kind| member.legs.iter().filter(|leg| leg.kind == kind).count();
    let seen = Seen {
        presents: member.role == Role::Presenter,
        focus: count(LegKind::Focus),
        chat: count(LegKind::Chat),
        waits,
    };
    (format!("sip:{}", member.aor), seen)
}
