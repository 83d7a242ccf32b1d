//! What a client wants of a focus or of its factory: C3P requests in SERVICE, INVITE and INFO.

use super::{admission_of, role_of};
use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::base::limits::{Limit, Limits};
use crate::dialect::address::address;
use crate::dialect::conference_uri::ConferenceUri;
use crate::dialect::reject::{Refusal, Reject};
use crate::immcu::conference::input::Modification;
use crate::immcu::conference::{Admission, Command, Role};
use crate::wire::conference::cccp::{self, Conference, Keys, User};
use crate::wire::xml::Document;

pub use crate::wire::conference::cccp::CONTENT_TYPE;

/// A request that has been read, and what its answer repeats of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The number the client knows it by.
    pub id: Box<str>,
    /// Who sent it, as he wrote it.
    pub from: Box<str>,
    /// Whom to, as he wrote it.
    pub to: Box<str>,
    /// What is wanted.
    pub operation: Operation,
}

/// What is wanted. A conference that is `None` is none that can be ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Tell what conferences can do: getConferencingCapabilities.
    Capabilities,
    /// Make one: addConference.
    Add(Wanted),
    /// Tell of one: getConference.
    Get(Option<ConferenceId>),
    /// Tell of all that the sender has made: getConferences.
    List,
    /// End one: deleteConference at the factory.
    Delete(Option<ConferenceId>),
    /// Change one: modifyConference at the factory.
    Modify(Option<ConferenceId>, Modification),
    /// The sender wants in: addUser about himself.
    Join {
        /// What his client calls its endpoint; empty when it does not say.
        endpoint: Box<str>,
    },
    /// Something to be done by the conference whose focus it is for, in order; at least one, and
    /// more than one of setLobbyAccess alone.
    Commands(Vec<Command>),
    /// Anything else, by its name.
    Unknown(Box<str>),
}

/// What an organiser wants to have made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The name he chose, if it is one that nobody guesses.
    pub id: Option<ConferenceId>,
    /// What it is about; may be empty.
    pub subject: Box<str>,
    /// Who may join; everybody of the enterprise when he does not say.
    pub admission: Admission,
    /// Who is not let in at once waits.
    pub lobby: bool,
    /// When it may end, in milliseconds since the Unix epoch.
    pub expires_unix_ms: Option<u64>,
    /// Whom he asks in.
    pub invited: Vec<(Aor, Role)>,
    /// It shall have messages; so it has when he does not say.
    pub chat: bool,
}

impl Operation {
    /// Its name on the wire.
    pub fn name(&self) -> &str {
        match self {
            Operation::Capabilities => "getConferencingCapabilities",
            Operation::Add(_) => "addConference",
            Operation::Get(_) => "getConference",
            Operation::List => "getConferences",
            Operation::Delete(_) => "deleteConference",
            Operation::Modify(..) => "modifyConference",
            Operation::Join { .. } => "addUser",
            Operation::Commands(commands) => commands.first().map_or("", name_of),
            Operation::Unknown(name) => name,
        }
    }
}

const fn name_of(command: &Command) -> &'static str {
    match command {
        Command::Invite { .. } => "addUser",
        Command::SetRole { .. } => "modifyUserRoles",
        Command::Eject { .. } => "deleteUser",
        Command::Lock(_) => "modifyConferenceLock",
        Command::Admit { .. } => "setLobbyAccess",
        Command::Modify(_) => "modifyConference",
        Command::End => "deleteConference",
    }
}

/// Reads a request of `sender` that came to `at`, the factory or a focus.
///
/// # Errors
/// [`Reject::BadConferenceRequest`] when it cannot be read, [`Reject::NotYourRequest`] when it is
/// from somebody else than the sender, [`Reject::NotThisConference`] when it is for something else
/// than it came to, [`Reject::TooManyInvited`] when it names more users than a conference may have.
pub fn read(
    body: &[u8],
    at: &ConferenceUri,
    sender: &Aor,
    limits: &Limits,
) -> Result<Request, Refusal> {
    let document = Document::parse(body, limits)
        .map_err(|error| Refusal { reject: Reject::BadConferenceRequest, limit: error.limit() })?;
    let request = cccp::read(&document).map_err(|_| Reject::BadConferenceRequest)?;
    if address(request.from).as_ref() != Some(sender) {
        return Err(Reject::NotYourRequest.into());
    }
    if ConferenceUri::parse(request.to.as_bytes()).as_ref() != Some(at) {
        return Err(Reject::NotThisConference.into());
    }
    let operation = Reader { at, sender, limits }.operation(request.operation)?;
    Ok(Request {
        id: request.id.into(),
        from: request.from.into(),
        to: request.to.into(),
        operation,
    })
}

struct Reader<'a> {
    at: &'a ConferenceUri,
    sender: &'a Aor,
    limits: &'a Limits,
}

impl Reader<'_> {
    fn operation(&self, operation: cccp::Operation<'_>) -> Result<Operation, Refusal> {
        use cccp::Operation as Wire;
        Ok(match operation {
            Wire::GetConferencingCapabilities => Operation::Capabilities,
            Wire::AddConference(conference) => Operation::Add(self.wanted(&conference)?),
            Wire::GetConference(keys) => Operation::Get(self.conference(&keys)?),
            Wire::GetConferences => Operation::List,
            Wire::DeleteConference(keys) => match (self.conference(&keys)?, self.at) {
                (id, ConferenceUri::Factory) => Operation::Delete(id),
                _ => Operation::Commands(vec![Command::End]),
            },
            Wire::ModifyConference(conference) => {
                let modification = modification(&conference)?;
                match (self.conference(&conference.keys)?, self.at) {
                    (id, ConferenceUri::Factory) => Operation::Modify(id, modification),
                    _ => Operation::Commands(vec![Command::Modify(modification)]),
                }
            }
            Wire::AddUser { keys, user } => self.add_user(&keys, &user)?,
            Wire::ModifyUserRoles { keys, user, role } => {
                let role = role_of(&role).ok_or(Reject::BadConferenceRequest)?;
                self.command(&keys, Command::SetRole { who: who(&user)?, role })?
            }
            Wire::DeleteUser { keys, user } => {
                self.command(&keys, Command::Eject { who: who(&user)? })?
            }
            Wire::ModifyConferenceLock { keys, locked } => {
                self.command(&keys, Command::Lock(locked))?
            }
            Wire::SetLobbyAccess { keys, users, granted } => {
                self.check_place(&keys)?;
                self.check_count(users.len())?;
                let admit = |user: &str| Ok(Command::Admit { who: who(user)?, let_in: granted });
                let commands = users.iter().map(|user| admit(user));
                Operation::Commands(commands.collect::<Result<_, Refusal>>()?)
            }
            Wire::Unknown(name) => Operation::Unknown(name.into()),
        })
    }

    fn add_user(&self, keys: &Keys<'_>, user: &User<'_>) -> Result<Operation, Refusal> {
        self.check_place(keys)?;
        let who = who(user.entity)?;
        if who == *self.sender {
            return Ok(Operation::Join { endpoint: user.endpoint.into() });
        }
        let role = role(user)?;
        Ok(Operation::Commands(vec![Command::Invite { who, role }]))
    }

    fn wanted(&self, conference: &Conference<'_>) -> Result<Wanted, Refusal> {
        self.check_count(conference.users.len())?;
        let asked = |user: &User<'_>| Ok((who(user.entity)?, role(user)?));
        let invited = conference.users.iter().map(asked);
        Ok(Wanted {
            id: ConferenceId::parse(conference.keys.id.as_bytes()),
            subject: conference.subject.as_deref().unwrap_or_default().into(),
            admission: admission(conference)?.unwrap_or(Admission::OpenAuthenticated),
            lobby: conference.lobby.unwrap_or(false),
            expires_unix_ms: conference.expiry.map(milliseconds),
            invited: invited.collect::<Result<_, Refusal>>()?,
            chat: conference.views.is_empty() || conference.views.contains(&"chat"),
        })
    }

    fn command(&self, keys: &Keys<'_>, command: Command) -> Result<Operation, Refusal> {
        self.check_place(keys)?;
        Ok(Operation::Commands(vec![command]))
    }

    /// Operations on members are for the focus of their conference.
    fn check_place(&self, keys: &Keys<'_>) -> Result<(), Refusal> {
        match self.at {
            ConferenceUri::Factory => Err(Reject::NotThisConference.into()),
            _ => self.conference(keys).map(|_| ()),
        }
    }

    /// The conference that the request is about; at a focus only its own.
    fn conference(&self, keys: &Keys<'_>) -> Result<Option<ConferenceId>, Refusal> {
        let entity = ConferenceUri::parse(keys.entity.as_bytes());
        let named = match &entity {
            Some(uri) => uri.conference(),
            None => ConferenceId::parse(keys.id.as_bytes()),
        };
        let ConferenceUri::Focus(organiser, id) = self.at else {
            let foreign = matches!(&entity, Some(ConferenceUri::Focus(organiser, _))
                if organiser != self.sender);
            return Ok(named.filter(|_| !foreign));
        };
        let said = !keys.entity.is_empty() || !keys.id.is_empty();
        let own = match &entity {
            Some(ConferenceUri::Focus(of, named)) => of == organiser && named == id,
            _ => named == Some(*id),
        };
        if said && !own {
            return Err(Reject::NotThisConference.into());
        }
        Ok(Some(*id))
    }

    fn check_count(&self, users: usize) -> Result<(), Refusal> {
        if users <= self.limits.conference_invited_max {
            return Ok(());
        }
        let limit = Some(Limit::ConferenceInvited);
        Err(Refusal { reject: Reject::TooManyInvited, limit })
    }
}

fn modification(conference: &Conference<'_>) -> Result<Modification, Refusal> {
    Ok(Modification {
        subject: conference.subject.as_deref().map(Box::from),
        admission: admission(conference)?,
        lobby: conference.lobby,
        expires_unix_ms: conference.expiry.map(milliseconds),
    })
}

fn admission(conference: &Conference<'_>) -> Result<Option<Admission>, Refusal> {
    let Some(name) = &conference.admission else { return Ok(None) };
    Ok(Some(admission_of(name).ok_or(Reject::BadConferenceRequest)?))
}

fn who(uri: &str) -> Result<Aor, Refusal> {
    Ok(address(uri).ok_or(Reject::BadConferenceRequest)?)
}

/// An attendee unless something else is said.
fn role(user: &User<'_>) -> Result<Role, Refusal> {
    match &*user.role {
        "" => Ok(Role::Attendee),
        name => Ok(role_of(name).ok_or(Reject::BadConferenceRequest)?),
    }
}

const fn milliseconds(seconds: u64) -> u64 {
    seconds.saturating_mul(1000)
}
