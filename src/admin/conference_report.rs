//! Answers about conferences as they leave the server, like those in [`report`](super::report).

use serde::{Deserialize, Serialize};

use super::report::utc;
use super::wording;
use crate::base::aor::Aor;
use crate::immcu::conference::{Reach, Role};
use crate::shard::conference_standing::{
    ConferenceList, ConferenceStanding, ConferenceSummary, LegStanding, MemberStanding,
};

/// The conferences of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferencesReport {
    /// Number of all there are.
    pub total: usize,
    /// As many as are listed, those with the most members first.
    pub conferences: Vec<SummaryReport>,
}

/// A conference in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SummaryReport {
    /// Its name, 32 hexadecimal digits.
    pub id: String,
    /// Who made it.
    pub organiser: String,
    /// What it is about; may be empty.
    pub subject: String,
    /// `closed_authenticated`, `open_authenticated` or `anonymous`.
    pub admission: String,
    /// Who is not let in at once waits to be let in.
    pub lobby: bool,
    /// Nobody else joins.
    pub locked: bool,
    /// It survives its last member and a restart.
    pub scheduled: bool,
    /// When it was made or, a scheduled one, read at the start of the server.
    pub made: String,
    /// When its first member came in, if one did.
    pub started: Option<String>,
    /// When it ends if nobody is in.
    pub expires: String,
    /// Members now.
    pub members: usize,
    /// Most members at the same time.
    pub peak: usize,
    /// Waiting in the lobby now.
    pub waiting: usize,
    /// Messages accepted.
    pub messages: u64,
}

/// A conference with all that are in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConferenceReport {
    /// The conference.
    pub conference: SummaryReport,
    /// Who is in, in the order of joining.
    pub members: Vec<MemberReport>,
    /// Who waits in the lobby.
    pub waiting: Vec<MemberReport>,
    /// Whom presenters have asked in, by address.
    pub invited: Vec<InvitedReport>,
}

/// A member, or somebody in the lobby.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberReport {
    /// Who.
    pub address: String,
    /// His name as others see it; may be empty.
    pub name: String,
    /// `attendee` or `presenter`.
    pub role: String,
    /// Since when.
    pub since: String,
    /// Messages of his that were accepted.
    pub messages: u64,
    /// Where he is reached.
    pub legs: Vec<LegReport>,
}

/// A leg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegReport {
    /// Its dialog, as in the log; `None` in pager mode.
    pub leg: Option<String>,
    /// `focus`, `chat` or `pager`.
    pub kind: String,
    /// What the client calls its endpoint; may be empty.
    pub endpoint: String,
}

/// Somebody who was asked in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedReport {
    /// Who.
    pub address: String,
    /// As what: `attendee` or `presenter`.
    pub role: String,
}

/// A conference that the operator has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedReport {
    /// The store could not forget it: a scheduled one is there again after the next start.
    pub kept: bool,
}

impl From<&ConferenceList> for ConferencesReport {
    fn from(list: &ConferenceList) -> Self {
        ConferencesReport {
            total: list.total,
            conferences: list.conferences.iter().map(SummaryReport::from).collect(),
        }
    }
}

impl From<&ConferenceSummary> for SummaryReport {
    fn from(summary: &ConferenceSummary) -> Self {
        SummaryReport {
            id: summary.id.to_string(),
            organiser: summary.organiser.to_string(),
            subject: summary.subject.to_string(),
            admission: wording::admission(summary.admission).to_owned(),
            lobby: summary.lobby,
            locked: summary.locked,
            scheduled: summary.scheduled,
            made: utc(summary.made_unix_ms),
            started: summary.started_unix_ms.map(utc),
            expires: utc(summary.expires_unix_ms),
            members: summary.members,
            peak: summary.peak,
            waiting: summary.waiting,
            messages: summary.messages,
        }
    }
}

impl From<&ConferenceStanding> for ConferenceReport {
    fn from(standing: &ConferenceStanding) -> Self {
        let invited = |(who, role): &(Aor, Role)| InvitedReport {
            address: who.to_string(),
            role: wording::role(*role).to_owned(),
        };
        ConferenceReport {
            conference: SummaryReport::from(&standing.summary),
            members: standing.members.iter().map(MemberReport::from).collect(),
            waiting: standing.waiting.iter().map(MemberReport::from).collect(),
            invited: standing.invited.iter().map(invited).collect(),
        }
    }
}

impl From<&MemberStanding> for MemberReport {
    fn from(member: &MemberStanding) -> Self {
        MemberReport {
            address: member.aor.to_string(),
            name: member.name.to_string(),
            role: wording::role(member.role).to_owned(),
            since: utc(member.since_unix_ms),
            messages: member.messages,
            legs: member.legs.iter().map(LegReport::from).collect(),
        }
    }
}

impl From<&LegStanding> for LegReport {
    fn from(leg: &LegStanding) -> Self {
        let dialog = match leg.reach {
            Reach::Leg(id) => Some(wording::token(&id.token())),
            Reach::Pager(_) => None,
        };
        let kind = dialog.as_ref().map_or("pager", |_| wording::leg(leg.kind));
        LegReport { kind: kind.to_owned(), leg: dialog, endpoint: leg.endpoint.to_string() }
    }
}
