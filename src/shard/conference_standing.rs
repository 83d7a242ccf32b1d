//! How conferences stand, as operators are told.

use std::cmp::Reverse;

use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::immcu::conference::{Admission, Conference, Leg, LegKind, Member, Reach, Role};

/// The conferences of one shard, or of several; those with the most members if there are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceList {
    /// Number of all there are.
    pub total: usize,
    /// As many as may be listed, those with the most members first.
    pub conferences: Vec<ConferenceSummary>,
}

impl ConferenceList {
    /// The list of `conferences`, of which at most `max` are listed.
    pub fn of<'a>(conferences: impl Iterator<Item = &'a Conference>, max: usize) -> Self {
        let mut ranked: Vec<_> = conferences
            .map(|conference| {
                (rank(conference.members().count(), conference.description().id), conference)
            })
            .collect();
        let total = ranked.len();
        if max < total {
            ranked.select_nth_unstable_by_key(max, |(rank, _)| *rank);
            ranked.truncate(max);
        }
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        let listed = ranked.into_iter().map(|(_, conference)| ConferenceSummary::from(conference));
        ConferenceList { total, conferences: listed.collect() }
    }

    /// Takes in the list of another shard; at most `max` are listed then.
    pub fn merge(&mut self, other: ConferenceList, max: usize) {
        self.total = self.total.saturating_add(other.total);
        self.conferences.extend(other.conferences);
        self.conferences.sort_unstable_by_key(|conference| rank(conference.members, conference.id));
        self.conferences.truncate(max);
    }
}

/// The place of a conference in a list.
fn rank(members: usize, id: ConferenceId) -> (Reverse<usize>, ConferenceId) {
    (Reverse(members), id)
}

/// A conference in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceSummary {
    /// Its name.
    pub id: ConferenceId,
    /// Who made it.
    pub organiser: Aor,
    /// What it is about; may be empty.
    pub subject: Box<str>,
    /// Who may join.
    pub admission: Admission,
    /// Who is not let in at once waits to be let in.
    pub lobby: bool,
    /// Nobody else joins.
    pub locked: bool,
    /// It survives its last member and a restart.
    pub scheduled: bool,
    /// When it was made or, a scheduled one, read at the start of the server; in milliseconds since
    /// the Unix epoch.
    pub made_unix_ms: u64,
    /// When its first member came in, in milliseconds since the Unix epoch; `None` when nobody did.
    pub started_unix_ms: Option<u64>,
    /// When it ends if nobody is in, in milliseconds since the Unix epoch.
    pub expires_unix_ms: u64,
    /// Members now.
    pub members: usize,
    /// Most members at the same time.
    pub peak: usize,
    /// Waiting in the lobby now.
    pub waiting: usize,
    /// Messages accepted.
    pub messages: u64,
}

impl From<&Conference> for ConferenceSummary {
    fn from(conference: &Conference) -> Self {
        let description = conference.description();
        ConferenceSummary {
            id: description.id,
            organiser: description.organiser.clone(),
            subject: description.subject.clone(),
            admission: description.admission,
            lobby: description.lobby,
            locked: description.locked,
            scheduled: description.scheduled,
            made_unix_ms: conference.made().unix_ms,
            started_unix_ms: conference.started().map(|started| started.unix_ms),
            expires_unix_ms: description.expires_unix_ms,
            members: conference.members().count(),
            peak: conference.peak(),
            waiting: conference.waiting().count(),
            messages: conference.messages(),
        }
    }
}

/// A conference with all that are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceStanding {
    /// The conference.
    pub summary: ConferenceSummary,
    /// Who is in, in the order of joining.
    pub members: Vec<MemberStanding>,
    /// Who waits in the lobby.
    pub waiting: Vec<MemberStanding>,
    /// Whom presenters have asked in, and as what; by address.
    pub invited: Vec<(Aor, Role)>,
}

impl From<&Conference> for ConferenceStanding {
    fn from(conference: &Conference) -> Self {
        let invited = conference.description().invited.iter();
        ConferenceStanding {
            summary: ConferenceSummary::from(conference),
            members: conference.members().map(MemberStanding::from).collect(),
            waiting: conference.waiting().map(MemberStanding::from).collect(),
            invited: invited.map(|(who, role)| (who.clone(), *role)).collect(),
        }
    }
}

/// A member, or somebody in the lobby.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStanding {
    /// Who.
    pub aor: Aor,
    /// His name as others see it; may be empty.
    pub name: Box<str>,
    /// What he may do.
    pub role: Role,
    /// Since when, in milliseconds since the Unix epoch.
    pub since_unix_ms: u64,
    /// Messages of his that were accepted.
    pub messages: u64,
    /// Where he is reached.
    pub legs: Vec<LegStanding>,
}

impl From<&Member> for MemberStanding {
    fn from(member: &Member) -> Self {
        MemberStanding {
            aor: member.aor.clone(),
            name: member.name.as_ref().into(),
            role: member.role,
            since_unix_ms: member.since.unix_ms,
            messages: member.messages,
            legs: member.legs.iter().map(LegStanding::from).collect(),
        }
    }
}

/// A leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegStanding {
    /// Where it leads.
    pub reach: Reach,
    /// What it is for.
    pub kind: LegKind,
    /// What the client calls its endpoint; may be empty.
    pub endpoint: Box<str>,
}

impl From<&Leg> for LegStanding {
    fn from(leg: &Leg) -> Self {
        LegStanding { reach: leg.reach.clone(), kind: leg.kind, endpoint: leg.endpoint.clone() }
    }
}

#[cfg(test)]
mod tests;
