//! The call detail record of a conference: one from the first member in to the end, with a visit
//! for each time a member was in. A conference that nobody joined leaves none, and a scheduled one
//! that goes on after a restart gets another.

use super::cdr::RecordId;
use crate::base::ids::ConferenceId;

/// The first half of a conference's record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceStarted {
    /// Unique for ever.
    pub id: RecordId,
    /// Which conference.
    pub conference: ConferenceId,
    /// Address-of-record of who made it.
    pub organiser: String,
    /// What it was about then; may be empty.
    pub subject: String,
    /// It survives its last member and a restart.
    pub scheduled: bool,
    /// When its first member came in, in milliseconds since the Unix epoch.
    pub start_unix_ms: u64,
}

/// The first half of a visit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceEntered {
    /// The record of the conference.
    pub id: RecordId,
    /// Names the visit; unique for ever.
    pub visit: RecordId,
    /// Address-of-record of the member.
    pub member: String,
    /// What he came in as.
    pub role: Role,
    /// Milliseconds since the Unix epoch.
    pub unix_ms: u64,
}

/// The second half of a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConferenceDeparted {
    /// The visit that [`ConferenceEntered`] opened.
    pub visit: RecordId,
    /// How it ended.
    pub end: VisitEnd,
}

/// The second half of a conference's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConferenceEnded {
    /// The record that [`ConferenceStarted`] opened.
    pub id: RecordId,
    /// How it ended.
    pub end: ConferenceEnd,
}

/// When and how a visit ended, and how much the member said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitEnd {
    /// Milliseconds since the Unix epoch.
    pub end_unix_ms: u64,
    /// Messages of his that were accepted.
    pub messages: u64,
    /// Why it is over.
    pub parting: Parting,
}

/// When and how a conference ended, and how much was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConferenceEnd {
    /// Milliseconds since the Unix epoch.
    pub end_unix_ms: u64,
    /// Messages accepted from all members.
    pub messages: u64,
    /// Most members that were in at the same time.
    pub peak: u32,
    /// Why it is over.
    pub ending: ConferenceEnding,
}

/// A conference's record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConferenceCdr {
    /// Unique for ever.
    pub id: RecordId,
    /// Which conference.
    pub conference: ConferenceId,
    /// Address-of-record of who made it.
    pub organiser: String,
    /// What it was about at its start; may be empty.
    pub subject: String,
    /// It survives its last member and a restart.
    pub scheduled: bool,
    /// When its first member came in, in milliseconds since the Unix epoch.
    pub start_unix_ms: u64,
    /// `None` while it goes on.
    pub end: Option<ConferenceEnd>,
    /// Who was in, in the order of coming.
    pub visits: Vec<Visit>,
}

/// A visit as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Unique for ever.
    pub id: RecordId,
    /// Address-of-record of the member.
    pub member: String,
    /// What he came in as.
    pub role: Role,
    /// Milliseconds since the Unix epoch.
    pub start_unix_ms: u64,
    /// `None` while he is in.
    pub end: Option<VisitEnd>,
}

/// Declares a closed set of words that are kept.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// All values.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The word in the database and in every listing.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// Reads [`name`](Self::name) back.
            pub fn from_name(name: &str) -> Option<Self> {
                $name::ALL.iter().copied().find(|value| value.name() == name)
            }
        }
    };
}

words! {
    /// What a member came in as.
    Role {
        /// Speaks and listens.
        Attendee = "attendee",
        /// May also invite, remove, promote, lock, change and end.
        Presenter = "presenter",
    }
}

words! {
    /// Why a visit is over.
    Parting {
        /// He said goodbye.
        Bye = "bye",
        /// His connection was lost.
        ConnectionLost = "connection_lost",
        /// A presenter removed him.
        Ejected = "ejected",
        /// The conference ended.
        Ended = "ended",
        /// He had no endpoint any more, or was not heard of for long (pager mode).
        Gone = "gone",
        /// The server died. The visit was found open at the next start; its count is unknown.
        ServerLost = "server_lost",
        /// He answered nothing that was said to him.
        Unresponsive = "unresponsive",
    }
}

words! {
    /// Why a conference is over.
    ConferenceEnding {
        /// A presenter ended it.
        Deleted = "deleted",
        /// The server went down in order. A scheduled conference goes on after the restart, with
        /// another record.
        Drained = "drained",
        /// Its time was up.
        Expired = "expired",
        /// Its last member left.
        LastLeft = "last_left",
        /// The operator ended it.
        Operator = "operator",
        /// The server died. The record was found open at the next start; its counts are unknown.
        ServerLost = "server_lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_survives_its_name() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(*role));
        }
        for parting in Parting::ALL {
            assert_eq!(Parting::from_name(parting.name()), Some(*parting));
        }
        for ending in ConferenceEnding::ALL {
            assert_eq!(ConferenceEnding::from_name(ending.name()), Some(*ending));
        }
        assert_eq!(Role::from_name("organiser"), None);
        assert_eq!(Parting::from_name("last_left"), None);
        assert_eq!(ConferenceEnding::from_name(""), None);
    }
}
