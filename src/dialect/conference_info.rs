//! What is told of a conference, in both dialects: `application/conference-info+xml` (RFC 4575,
//! MS-CONFBAS section 2.2.2).
//!
//! A Lync client takes somebody off its list when it is told that he is deleted, or that he has no
//! connected chat endpoint; that he is not named says nothing to it. Who waits in the lobby has a
//! focus endpoint on hold, by which presenters find him.

use super::address::uri;
use super::conference_uri;
use super::ms::conference::{admission_name, role_name};
use crate::base::aor::Aor;
use crate::base::ids::LegId;
use crate::immcu::conference::{
    Change, Conference, Description, Leg, LegKind, Member, Reach, Role,
};
use crate::wire::conference::info::{self, Endpoint, Info, State, User};

pub use crate::wire::conference::info::CONTENT_TYPE;

/// All that `viewer` may see now. Who waits in the lobby sees himself alone, and not where messages
/// go.
pub fn full(conference: &Conference, viewer: &Aor) -> String {
    let version = conference.version();
    match conference.waiting().find(|member| member.aor == *viewer) {
        Some(member) => {
            let page = Page { in_lobby: true, ..Page::new(conference.description()) };
            page.whole(version, None, vec![Row::waiting(member)])
        }
        None => everything(conference, version),
    }
}

/// What has changed, for those who have been told what was before and are in. All of it names no
/// one who has gone.
pub fn partial(conference: &Conference, version: u32, change: &Change) -> String {
    let page = Page::new(conference.description());
    let count = conference.members().count();
    match change {
        Change::All => everything(conference, version),
        Change::Description => page.description(version, count),
        Change::Members(members) => {
            let rows = members.iter().map(|who| Row::of(conference, who)).collect();
            page.members(version, count, rows)
        }
    }
}

fn everything(conference: &Conference, version: u32) -> String {
    let members = conference.members().map(Row::member);
    let rows: Vec<Row<'_>> = members.chain(conference.waiting().map(Row::waiting)).collect();
    let count = conference.members().count();
    Page::new(conference.description()).whole(version, Some(count), rows)
}

/// What every document says, whatever it is about.
struct Page<'a> {
    description: &'a Description,
    focus: String,
    chat: String,
    id: String,
    organiser: String,
    /// For somebody in the lobby.
    in_lobby: bool,
}

impl<'a> Page<'a> {
    fn new(description: &'a Description) -> Self {
        let (organiser, id) = (&description.organiser, description.id);
        Page {
            description,
            focus: conference_uri::focus(organiser, id),
            chat: conference_uri::chat(organiser, id),
            id: id.to_string(),
            organiser: uri(organiser.as_str()),
            in_lobby: false,
        }
    }

    fn whole(&self, version: u32, count: Option<usize>, rows: Vec<Row<'_>>) -> String {
        Info {
            state: State::Full,
            description: Some(self.laid_down()),
            standing: count.map(|count| (count, self.description.locked)),
            users: Some(rows.iter().map(Row::user).collect()),
            view: self.view(),
            ..self.nothing(version)
        }
        .write()
    }

    fn description(&self, version: u32, count: usize) -> String {
        Info {
            description: Some(self.laid_down()),
            standing: Some((count, self.description.locked)),
            view: self.view(),
            ..self.nothing(version)
        }
        .write()
    }

    fn members(&self, version: u32, count: usize, rows: Vec<Row<'_>>) -> String {
        Info {
            standing: Some((count, self.description.locked)),
            users: Some(rows.iter().map(Row::user).collect()),
            ..self.nothing(version)
        }
        .write()
    }

    fn nothing(&self, version: u32) -> Info<'_> {
        Info {
            entity: &self.focus,
            state: State::Partial,
            version,
            description: None,
            standing: None,
            users: None,
            view: None,
        }
    }

    fn laid_down(&self) -> info::Description<'_> {
        info::Description {
            subject: &self.description.subject,
            chat: if self.in_lobby { "" } else { &self.chat },
            id: &self.id,
            expiry: self.description.expires_unix_ms / 1000,
            admission: admission_name(self.description.admission),
            lobby: self.description.lobby,
            organiser: &self.organiser,
            organiser_name: &self.description.organiser_name,
        }
    }

    fn view(&self) -> Option<(&str, bool)> {
        (!self.in_lobby).then_some((&self.chat, self.description.locked))
    }
}

/// Somebody in the roster.
struct Row<'a> {
    uri: String,
    state: State,
    name: &'a str,
    role: Option<Role>,
    /// Name, kind and status of each endpoint.
    endpoints: Vec<(String, LegKind, &'static str)>,
}

impl<'a> Row<'a> {
    fn of(conference: &'a Conference, who: &Aor) -> Self {
        let waiting = || conference.waiting().find(|member| member.aor == *who);
        match conference.member(who) {
            Some(member) => Row::member(member),
            None => waiting().map_or_else(|| Row::gone(who), Row::waiting),
        }
    }

    fn member(member: &'a Member) -> Self {
        Row::present(member, "connected")
    }

    fn waiting(member: &'a Member) -> Self {
        Row::present(member, "on-hold")
    }

    fn present(member: &'a Member, status: &'static str) -> Self {
        let endpoints = member.legs.iter().map(|leg| (endpoint(leg), leg.kind, status));
        Row {
            uri: uri(member.aor.as_str()),
            state: State::Full,
            name: &member.name,
            role: Some(member.role),
            endpoints: endpoints.collect(),
        }
    }

    fn gone(who: &Aor) -> Self {
        Row {
            uri: uri(who.as_str()),
            state: State::Deleted,
            name: "",
            role: None,
            endpoints: Vec::new(),
        }
    }

    fn user(&self) -> User<'_> {
        let endpoints = self.endpoints.iter().map(|(entity, kind, status)| Endpoint {
            entity,
            session_type: match kind {
                LegKind::Focus => "focus",
                LegKind::Chat => "chat",
            },
            status,
        });
        User {
            entity: &self.uri,
            state: self.state,
            name: self.name,
            role: self.role.map_or("", role_name),
            endpoints: endpoints.collect(),
        }
    }
}

/// The name of an endpoint: what its client calls it, else one of ours in the same form.
fn endpoint(leg: &Leg) -> String {
    match &leg.reach {
        _ if !leg.endpoint.is_empty() => leg.endpoint.to_string(),
        Reach::Leg(id) => guid(*id),
        Reach::Pager(aor) => uri(aor.as_str()),
    }
}

fn guid(leg: LegId) -> String {
    let LegId { shard, slot } = leg;
    format!("{{{:08x}-{:04x}-0000-0000-0000{:08x}}}", slot.index, shard.0, slot.generation)
}

#[cfg(test)]
mod tests;
