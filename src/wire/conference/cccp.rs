//! Requests to a focus and to its factory (MS-CONFBAS section 2.2, MS-CONFPRO section 2.2),
//! `application/cccp+xml`.

use std::borrow::Cow;

use super::{CCCP, EXTENSIONS, Error, INFO, LATER_EXTENSIONS, OWN, boolean, required, root};
use crate::wire::presence::time;
use crate::wire::xml::{Document, Element};

/// The content type of requests and answers.
pub const CONTENT_TYPE: &str = "application/cccp+xml";

/// A request: who wants what of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'t> {
    /// The number the client knows it by.
    pub id: &'t str,
    /// Who, as a URI.
    pub from: &'t str,
    /// The focus or the factory, as a URI.
    pub to: &'t str,
    /// What.
    pub operation: Operation<'t>,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation<'t> {
    /// Make a conference.
    AddConference(Conference<'t>),
    /// Join, or ask somebody in.
    AddUser {
        /// Where.
        keys: Keys<'t>,
        /// Who.
        user: User<'t>,
    },
    /// End it.
    DeleteConference(Keys<'t>),
    /// Remove somebody.
    DeleteUser {
        /// Where.
        keys: Keys<'t>,
        /// Whom, as a URI.
        user: Cow<'t, str>,
    },
    /// Tell of one conference.
    GetConference(Keys<'t>),
    /// Tell of all conferences of the sender.
    GetConferences,
    /// Tell what conferences can do.
    GetConferencingCapabilities,
    /// Change what it is.
    ModifyConference(Conference<'t>),
    /// Lock it, or unlock it.
    ModifyConferenceLock {
        /// Which.
        keys: Keys<'t>,
        /// Locked.
        locked: bool,
    },
    /// Change what somebody may do.
    ModifyUserRoles {
        /// Where.
        keys: Keys<'t>,
        /// Who, as a URI.
        user: Cow<'t, str>,
        /// What he becomes.
        role: Cow<'t, str>,
    },
    /// Let in who waits, or refuse him.
    SetLobbyAccess {
        /// Where.
        keys: Keys<'t>,
        /// Whom, as URIs; at least one.
        users: Vec<Cow<'t, str>>,
        /// Let in.
        granted: bool,
    },
    /// Anything else, by its name.
    Unknown(&'t str),
}

/// Names a conference: at the focus by its URI, at the factory by that or the identifier alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys<'t> {
    /// Its URI; empty when it is not said.
    pub entity: &'t str,
    /// Its identifier; empty when it is not said.
    pub id: Cow<'t, str>,
}

/// What an organiser says of a conference. What is not said is `None` or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conference<'t> {
    /// Which one.
    pub keys: Keys<'t>,
    /// What it is about.
    pub subject: Option<Cow<'t, str>>,
    /// Who may join.
    pub admission: Option<Cow<'t, str>>,
    /// Who is not let in at once waits.
    pub lobby: Option<bool>,
    /// When it may end, in seconds since 1970.
    pub expiry: Option<u64>,
    /// Who is asked in.
    pub users: Vec<User<'t>>,
    /// The kinds of conferencing it shall have, such as `chat`.
    pub views: Vec<&'t str>,
}

/// Somebody in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User<'t> {
    /// Who, as a URI.
    pub entity: &'t str,
    /// As what; empty when it is not said.
    pub role: Cow<'t, str>,
    /// The name of his endpoint; empty when it is not said.
    pub endpoint: &'t str,
}

/// Reads a request. Elements of namespaces that are not known are passed over.
pub fn read<'t>(document: &'t Document<'t>) -> Result<Request<'t>, Error> {
    let root = root(document, CCCP, "request")?;
    let mut operations = root.children().filter(|child| is_known(child.namespace()));
    let operation = operations.next().ok_or(Error::Missing)?;
    if operations.next().is_some() {
        return Err(Error::TooMany);
    }
    Ok(Request {
        id: required(root, "requestId")?,
        from: required(root, "from")?.trim(),
        to: required(root, "to")?.trim(),
        operation: read_operation(operation)?,
    })
}

fn read_operation(element: Element<'_>) -> Result<Operation<'_>, Error> {
    Ok(match element.name() {
        "addConference" => Operation::AddConference(conference(element)?),
        "addUser" => {
            let user = child(element, "user").ok_or(Error::Missing)?;
            Operation::AddUser { keys: keys(element), user: read_user(user)? }
        }
        "deleteConference" => Operation::DeleteConference(keys(element)),
        "deleteUser" => {
            let (keys, user) = user_keys(element)?;
            Operation::DeleteUser { keys, user }
        }
        "getConference" => Operation::GetConference(keys(element)),
        "getConferences" => Operation::GetConferences,
        "getConferencingCapabilities" => Operation::GetConferencingCapabilities,
        "modifyConference" => Operation::ModifyConference(conference(element)?),
        "modifyConferenceLock" => {
            let locked = child(element, "locked").ok_or(Error::Missing)?;
            Operation::ModifyConferenceLock {
                keys: keys(element),
                locked: boolean(&locked.text())?,
            }
        }
        "modifyUserRoles" => {
            let (keys, user) = user_keys(element)?;
            let roles = child(element, "user-roles").ok_or(Error::Missing)?;
            let role = child(roles, "entry").ok_or(Error::Missing)?.text();
            Operation::ModifyUserRoles { keys, user, role }
        }
        "setLobbyAccess" => lobby_access(element)?,
        name => Operation::Unknown(name),
    })
}

fn lobby_access(element: Element<'_>) -> Result<Operation<'_>, Error> {
    let users = element.children().filter(|child| child.is(CCCP, "userEntity"));
    let users: Vec<_> = users.map(Element::text).collect();
    if users.is_empty() {
        return Err(Error::Missing);
    }
    let granted = match &*child(element, "access").ok_or(Error::Missing)?.text() {
        "granted" => true,
        "denied" => false,
        _ => return Err(Error::Value),
    };
    Ok(Operation::SetLobbyAccess { keys: keys(element), users, granted })
}

/// `conferenceKeys`, which a focus does not need.
fn keys(element: Element<'_>) -> Keys<'_> {
    child(element, "conferenceKeys").map(keys_of).unwrap_or_default()
}

fn user_keys(element: Element<'_>) -> Result<(Keys<'_>, Cow<'_, str>), Error> {
    let keys = child(element, "userKeys").ok_or(Error::Missing)?;
    Ok((keys_of(keys), Cow::Borrowed(required(keys, "userEntity")?)))
}

fn keys_of(element: Element<'_>) -> Keys<'_> {
    let id = element.attribute_in(EXTENSIONS, "conference-id");
    let id = id.or_else(|| element.attribute("conference-id")).unwrap_or_default();
    let entity = element.attribute("confEntity").unwrap_or_default();
    Keys { entity: entity.trim(), id: Cow::Borrowed(id.trim()) }
}

fn conference(element: Element<'_>) -> Result<Conference<'_>, Error> {
    let info = child(element, "conference-info").ok_or(Error::Missing)?;
    let mut conference = Conference::default();
    conference.keys.entity = info.attribute("entity").unwrap_or_default().trim();
    if let Some(description) = child(info, "conference-description") {
        describe(&mut conference, description)?;
    }
    let users = child(info, "users").into_iter().flat_map(Element::children);
    let users = users.filter(|user| user.is(INFO, "user")).map(read_user);
    conference.users = users.collect::<Result<_, _>>()?;
    let views = child(info, "conference-view").into_iter().flat_map(Element::children);
    let views = views.filter(|view| is_known(view.namespace()) && view.name() == "entity-view");
    conference.views = views.filter_map(|view| view.attribute("entity")).collect();
    Ok(conference)
}

fn describe<'t>(conference: &mut Conference<'t>, description: Element<'t>) -> Result<(), Error> {
    for part in description.children() {
        match (part.namespace(), part.name()) {
            (INFO, "subject") => conference.subject = Some(part.text()),
            (EXTENSIONS, "conference-id") => conference.keys.id = part.text(),
            (EXTENSIONS, "expiry-time") => {
                conference.expiry = Some(time::read(&part.text()).ok_or(Error::Value)?);
            }
            (EXTENSIONS, "admission-policy") => conference.admission = Some(part.text()),
            (OWN, "lobby") => conference.lobby = Some(boolean(&part.text())?),
            _ => {}
        }
    }
    Ok(())
}

fn read_user(element: Element<'_>) -> Result<User<'_>, Error> {
    let role = child(element, "roles").and_then(|roles| child(roles, "entry"));
    let endpoint = child(element, "endpoint").and_then(|one| one.attribute("entity"));
    Ok(User {
        entity: required(element, "entity")?.trim(),
        role: role.map(Element::text).unwrap_or_default(),
        endpoint: endpoint.unwrap_or_default(),
    })
}

/// The first element of that name directly within, in any of the namespaces of requests: clients
/// do not agree on which.
fn child<'t>(element: Element<'t>, name: &str) -> Option<Element<'t>> {
    element.children().find(|child| child.name() == name && is_known(child.namespace()))
}

fn is_known(namespace: &str) -> bool {
    matches!(namespace, CCCP | INFO | EXTENSIONS | LATER_EXTENSIONS)
}
