//! What a conference says for the record, in the words of the record.

use crate::immcu::conference::{Ending, Parting, Role};
use crate::records;

impl From<Role> for records::Role {
    fn from(role: Role) -> Self {
        match role {
            Role::Attendee => records::Role::Attendee,
            Role::Presenter => records::Role::Presenter,
        }
    }
}

impl From<Parting> for records::Parting {
    fn from(parting: Parting) -> Self {
        match parting {
            Parting::Bye => records::Parting::Bye,
            Parting::ConnectionLost => records::Parting::ConnectionLost,
            Parting::Unresponsive => records::Parting::Unresponsive,
            Parting::Gone => records::Parting::Gone,
            Parting::Ejected => records::Parting::Ejected,
            Parting::Ended => records::Parting::Ended,
        }
    }
}

/// The ending as it stands in the record; `None` for a conference that nobody joined, which has
/// none.
pub fn ending(ending: Ending) -> Option<records::ConferenceEnding> {
    Some(match ending {
        Ending::Abandoned => return None,
        Ending::Deleted => records::ConferenceEnding::Deleted,
        Ending::Drained => records::ConferenceEnding::Drained,
        Ending::Expired => records::ConferenceEnding::Expired,
        Ending::LastLeft => records::ConferenceEnding::LastLeft,
        Ending::Operator => records::ConferenceEnding::Operator,
    })
}
