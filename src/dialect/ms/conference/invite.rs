//! Invitations to a conference: `application/ms-conf-invite+xml`.

use crate::base::limits::Limits;
use crate::dialect::conference_uri::ConferenceUri;
use crate::dialect::reject::{Refusal, Reject};
use crate::wire::conference::invite;
use crate::wire::xml::Document;

pub use crate::wire::conference::invite::CONTENT_TYPE;

/// What an invitation says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The focus; `None` for one that is not of this server.
    pub focus: Option<ConferenceUri>,
    /// What the conference is about; may be empty.
    pub subject: Box<str>,
}

/// Reads an invitation.
///
/// # Errors
/// [`Reject::BadBody`] when it cannot be read.
pub fn read(body: &[u8], limits: &Limits) -> Result<Invite, Refusal> {
    let document = Document::parse(body, limits)
        .map_err(|error| Refusal { reject: Reject::BadBody, limit: error.limit() })?;
    let invite = invite::read(&document).map_err(|_| Reject::BadBody)?;
    Ok(Invite {
        focus: ConferenceUri::parse(invite.focus.as_bytes()),
        subject: (*invite.subject).into(),
    })
}

/// An invitation to the conference whose focus is this URI.
pub fn write(focus: &str, subject: &str) -> String {
    invite::Invite { focus: focus.into(), subject: subject.into(), im: true }.write()
}
