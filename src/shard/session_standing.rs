//! How two-party sessions stand, as operators are told.

use super::session::SessionEntry;
use crate::base::aor::Aor;
use crate::base::side::Side;

/// Sessions in one list. A shard may own half a million: it looks no further than at these.
pub const LISTED_MAX: usize = 200;

/// Sessions of one shard, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionList {
    /// Number of all there are.
    pub total: usize,
    /// The first that were found.
    pub sessions: Vec<SessionSummary>,
}

impl SessionList {
    /// The first of `sessions`, of which there are `total`.
    pub fn of(sessions: impl Iterator<Item = SessionSummary>, total: usize) -> Self {
        SessionList { total, sessions: sessions.take(LISTED_MAX).collect() }
    }

    /// Takes in the list of another shard.
    pub fn merge(&mut self, other: SessionList) {
        self.total = self.total.saturating_add(other.total);
        self.sessions.extend(other.sessions);
        self.sessions.truncate(LISTED_MAX);
    }
}

/// A session in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// Who invited.
    pub caller: Aor,
    /// Who was invited.
    pub callee: Aor,
    /// The invitation was accepted.
    pub established: bool,
    /// The server speaks for one end, which writes in pager mode.
    pub bridged: bool,
    /// It is an invitation to a conference.
    pub to_conference: bool,
    /// When it was begun, in milliseconds since the Unix epoch.
    pub since_unix_ms: u64,
    /// Messages of both ends that were accepted by the other.
    pub messages: u64,
}

impl From<&SessionEntry> for SessionSummary {
    fn from(entry: &SessionEntry) -> Self {
        let session = &entry.session;
        SessionSummary {
            caller: session.caller().clone(),
            callee: session.callee().clone(),
            established: session.is_established(),
            bridged: session.is_bridged(),
            to_conference: entry.summons.is_some(),
            since_unix_ms: session.started().unix_ms,
            messages: session.messages(Side::Caller) + session.messages(Side::Callee),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(total: usize) -> SessionList {
        let session = |number: usize| SessionSummary {
            caller: Aor::new(&format!("user{number}@example.test")),
            callee: Aor::new("bob@example.test"),
            established: true,
            bridged: false,
            to_conference: false,
            since_unix_ms: 0,
            messages: 0,
        };
        SessionList::of((0..total).map(session), total)
    }

    #[test]
    fn a_list_is_bounded_and_its_total_is_not() {
        assert_eq!(list(3).sessions.len(), 3);
        let mut whole = list(LISTED_MAX - 1);
        whole.merge(list(LISTED_MAX * 2));
        assert_eq!((whole.total, whole.sessions.len()), (LISTED_MAX * 3 - 1, LISTED_MAX));
    }
}
