//! What the organiser lays down for a conference; the whole of it is kept when it is scheduled.

use std::collections::BTreeMap;

use super::output::Refusal;
use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::base::limits::Limits;

/// A conference as its organiser made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub id: ConferenceId,
    /// Who made it; always a presenter.
    pub organiser: Aor,
    /// The organiser's name as others see it; may be empty.
    pub organiser_name: Box<str>,
    /// What it is about; may be empty.
    pub subject: Box<str>,
    /// Who may join.
    pub admission: Admission,
    /// Whoever is not let in at once waits to be let in by a presenter, instead of being refused.
    pub lobby: bool,
    /// Nobody else joins; the organiser may.
    pub locked: bool,
    /// When it ends if nobody is in, in milliseconds since the Unix epoch.
    pub expires_unix_ms: u64,
    /// It survives its last member and a restart. An ad-hoc conference ends with its last member.
    pub scheduled: bool,
    /// Whom a presenter has asked in, and as what. They may join a closed conference.
    pub invited: BTreeMap<Aor, Role>,
}

impl Description {
    /// Whether a conference may be made like this: whoever makes one asks before
    /// [`Conference::new`](super::Conference::new). One that was kept is taken as it is.
    pub fn check(&self, limits: &Limits) -> Result<(), Refusal> {
        check_label(&self.subject, limits)?;
        check_label(&self.organiser_name, limits)?;
        if self.invited.len() > limits.conference_invited_max {
            return Err(Refusal::TooManyInvited);
        }
        Ok(())
    }
}

/// Whether a subject, a name or the like is short enough to be kept.
pub(super) fn check_label(label: &str, limits: &Limits) -> Result<(), Refusal> {
    let fits = label.len() <= limits.conference_label_bytes_max;
    fits.then_some(()).ok_or(Refusal::LabelTooLong)
}

/// Who may join (MS-CONFBAS section 2.2.2.3, admission-policy).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Admission {
    /// Only those who were invited.
    ClosedAuthenticated,
    /// Everybody of the enterprise, and who was invited.
    OpenAuthenticated,
    /// Also guests who have not proven who they are.
    Anonymous,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Speaks and listens.
    Attendee,
    /// May also invite, remove, promote, lock, change and end.
    Presenter,
}
