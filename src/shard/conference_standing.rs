//! How conferences stand, as operators are told.

use std::cmp::Reverse;

use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::immcu::conference::{Admission, LegKind, Reach, Role};

/// The conferences of one shard, or of several; those with the most members if there are too many.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConferenceList {
    /// Number of all there are.
    pub total: usize,
    /// As many as may be listed, those with the most members first.
    pub conferences: Vec<ConferenceSummary>,
}

impl ConferenceList {
    /// Takes in the list of another shard; at most `max` are listed then.
    pub fn merge(&mut self, other: ConferenceList, max: usize) {
        self.total = self.total.saturating_add(other.total);
        self.conferences.extend(other.conferences);
        self.conferences.sort_by_key(|conference| (Reverse(conference.members), conference.id));
        self.conferences.truncate(max);
    }
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

/// A conference with all that are in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceStanding {
    /// The conference.
    pub summary: ConferenceSummary,
    /// Who is in, in the order of joining.
    pub members: Vec<MemberStanding>,
    /// Who waits in the lobby.
    pub waiting: Vec<MemberStanding>,
    /// Whom presenters have asked in, and as what.
    pub invited: Vec<(Aor, Role)>,
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
