//! What is told of a conference, `application/conference-info+xml`: RFC 4575, with the extensions
//! of MS-CONFBAS section 2.2.2. Elements stand in the order of the schema.

use super::{EXTENSIONS, INFO, OWN};
use crate::wire::presence::time::Utc;
use crate::wire::xml::Writer;

/// The content type.
pub const CONTENT_TYPE: &str = "application/conference-info+xml";

/// A document, or a part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// All there is.
    Full,
    /// What has changed.
    Partial,
    /// It is gone.
    Deleted,
}

/// A document; what is `None` is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info<'a> {
    /// The conference, as the URI of its focus.
    pub entity: &'a str,
    /// Whether it tells all.
    pub state: State,
    /// Rises by one with each document.
    pub version: u32,
    /// What its organiser laid down.
    pub description: Option<Description<'a>>,
    /// How many are in, and whether nobody else joins. Told as a whole: what is missing is gone
    /// (RFC 4575 section 4.6).
    pub standing: Option<(usize, bool)>,
    /// Who is in.
    pub users: Option<Vec<User<'a>>>,
    /// Where messages go, as a URI, and whether nobody else joins.
    pub view: Option<(&'a str, bool)>,
}

/// What its organiser laid down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description<'a> {
    /// What it is about.
    pub subject: &'a str,
    /// Where messages go, as a URI; empty when it is not told.
    pub chat: &'a str,
    /// Its identifier.
    pub id: &'a str,
    /// When it may end, in seconds since 1970.
    pub expiry: u64,
    /// Who may join.
    pub admission: &'a str,
    /// Who is not let in at once waits.
    pub lobby: bool,
    /// The organiser, as a URI.
    pub organiser: &'a str,
    /// His name; may be empty.
    pub organiser_name: &'a str,
}

/// Somebody in the roster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User<'a> {
    /// Who, as a URI.
    pub entity: &'a str,
    /// Whether he is in.
    pub state: State,
    /// His name; may be empty.
    pub name: &'a str,
    /// What he may do; empty when it is not told.
    pub role: &'a str,
    /// How he is in.
    pub endpoints: Vec<Endpoint<'a>>,
}

/// One way in which somebody is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint<'a> {
    /// Its name, which no other one of his has.
    pub entity: &'a str,
    /// What for: `focus` or `chat`.
    pub session_type: &'a str,
    /// `connected`, or `on-hold` for who waits.
    pub status: &'a str,
}

impl State {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            State::Full => "full",
            State::Partial => "partial",
            State::Deleted => "deleted",
        }
    }
}

impl Info<'_> {
    /// The document, without a declaration: it may stand in another.
    pub fn write(&self) -> String {
        let mut writer = Writer::new();
        writer
            .start("conference-info")
            .attribute("xmlns", INFO)
            .attribute("xmlns:msci", EXTENSIONS)
            .attribute("entity", self.entity)
            .attribute("state", self.state.name())
            .attribute_of("version", self.version);
        if let Some(description) = &self.description {
            description.write(&mut writer);
        }
        if let Some((count, locked)) = self.standing {
            writer
                .start("conference-state")
                .leaf_of("user-count", count)
                .leaf_of("locked", locked)
                .end();
        }
        if let Some(users) = &self.users {
            writer.start("users").attribute("state", self.state.name());
            users.iter().for_each(|user| user.write(&mut writer));
            writer.end();
        }
        if let Some((chat, locked)) = self.view {
            view(&mut writer, chat, locked);
        }
        writer.finish()
    }
}

impl Description<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.start("conference-description").leaf("subject", self.subject);
        if !self.chat.is_empty() {
            writer
                .start("conf-uris")
                .start("entry")
                .leaf("uri", self.chat)
                .leaf("display-text", "chat")
                .leaf("purpose", "chat")
                .end()
                .end();
        }
        writer
            .leaf("msci:conference-id", self.id)
            .leaf_of("msci:expiry-time", Utc(self.expiry))
            .leaf("msci:admission-policy", self.admission)
            .start("msci:organizer")
            .leaf("msci:display-name", self.organiser_name)
            .leaf("msci:uri", self.organiser)
            .end();
        writer.start("lobby").attribute("xmlns", OWN);
        writer.text(if self.lobby { "true" } else { "false" }).end();
        writer.end();
    }
}

impl User<'_> {
    fn write(&self, writer: &mut Writer) {
        writer.start("user").attribute("entity", self.entity).attribute("state", self.state.name());
        if !self.name.is_empty() {
            writer.leaf("display-text", self.name);
        }
        if !self.role.is_empty() {
            writer.start("roles").leaf("entry", self.role).end();
        }
        for endpoint in &self.endpoints {
            writer
                .start("endpoint")
                .attribute("entity", endpoint.entity)
                .attribute("msci:session-type", endpoint.session_type)
                .leaf("status", endpoint.status)
                .end();
        }
        writer.end();
    }
}

/// What MS-CONFBAS section 2.2.2.5 calls the view of one kind of conferencing.
fn view(writer: &mut Writer, chat: &str, locked: bool) {
    writer
        .start("msci:conference-view")
        .start("msci:entity-view")
        .attribute("entity", chat)
        .start("msci:entity-state")
        .leaf_of("msci:locked", locked)
        .start("msci:media")
        .start("entry")
        .attribute("label", "chat")
        .leaf("type", "chat")
        .end()
        .end()
        .end()
        .end()
        .end();
}
