//! The call detail record: one for each IM session, each pager-mode conversation and each
//! conference. It says who spoke with whom, from when to when, how much and how it ended; never
//! what was said.

use std::fmt;

use super::conference::{
    ConferenceCdr, ConferenceDeparted, ConferenceEnded, ConferenceEntered, ConferenceStarted,
};
use crate::base::seed::Seed;

/// What happened to a record, in the order the shard reports it: once started, once ended. The
/// visits of a conference lie between its start and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The conversation began: the record is inserted as open.
    Started(Started),
    /// The conversation is over: the open record is completed.
    Ended(Ended),
    /// The first member of a conference is in: its record is inserted as open.
    ConferenceStarted(ConferenceStarted),
    /// A member came in: his visit is inserted as open.
    ConferenceEntered(ConferenceEntered),
    /// A member has gone with his last leg: his open visit is completed.
    ConferenceDeparted(ConferenceDeparted),
    /// A conference is over, all its visits too: its open record is completed.
    ConferenceEnded(ConferenceEnded),
}

impl Record {
    /// The record this is about, or the visit.
    pub fn id(&self) -> RecordId {
        match self {
            Record::Started(started) => started.id,
            Record::Ended(ended) => ended.id,
            Record::ConferenceStarted(started) => started.id,
            Record::ConferenceEntered(entered) => entered.visit,
            Record::ConferenceDeparted(departed) => departed.visit,
            Record::ConferenceEnded(ended) => ended.id,
        }
    }
}

/// The first half of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// Unique for ever.
    pub id: RecordId,
    /// Session or pager mode.
    pub kind: Kind,
    /// Address-of-record of the side that sent the INVITE or the first MESSAGE.
    pub caller: String,
    /// Address-of-record of the other side.
    pub callee: String,
    /// Milliseconds since the Unix epoch.
    pub start_unix_ms: u64,
    /// True when one side speaks in a session and the other in pager mode.
    pub bridged: bool,
}

/// The second half of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// The record that [`Started`] opened.
    pub id: RecordId,
    /// How it ended.
    pub end: End,
    /// True when the IMMCU bridged a session and pager mode; may become so after the start.
    pub bridged: bool,
}

/// When and how a conversation ended, and how much was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// Milliseconds since the Unix epoch.
    pub end_unix_ms: u64,
    /// MESSAGE requests accepted from the caller.
    pub messages_from_caller: u64,
    /// MESSAGE requests accepted from the callee.
    pub messages_from_callee: u64,
    /// Why it is over.
    pub ending: Ending,
}

/// A record as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cdr {
    /// Unique for ever.
    pub id: RecordId,
    /// Session or pager mode.
    pub kind: Kind,
    /// Address-of-record of the side that began.
    pub caller: String,
    /// Address-of-record of the other side.
    pub callee: String,
    /// Milliseconds since the Unix epoch.
    pub start_unix_ms: u64,
    /// `None` while the conversation goes on.
    pub end: Option<End>,
    /// True when the IMMCU bridged a session and pager mode.
    pub bridged: bool,
}

/// A record as it is kept, of either sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptRecord {
    /// Of a conference.
    Conference(ConferenceCdr),
    /// Of a session or a pager-mode conversation.
    Conversation(Cdr),
}

impl KeptRecord {
    /// Unique for ever; sorts by start.
    pub fn id(&self) -> RecordId {
        match self {
            KeptRecord::Conference(cdr) => cdr.id,
            KeptRecord::Conversation(cdr) => cdr.id,
        }
    }
}

/// Names a record. The first 48 bits are the start in milliseconds since the Unix epoch, the rest
/// is random (RFC 9562 section 5.7, UUID version 7): unique without a shared counter, and rows
/// that are written together lie together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(u128);

impl RecordId {
    /// A fresh name for a conversation that starts at `start_unix_ms`.
    pub fn new(start_unix_ms: u64, seed: &mut Seed) -> Self {
        const VERSION: u128 = 7 << 76;
        const VERSION_MASK: u128 = 0xf << 76;
        const VARIANT: u128 = 2 << 62;
        const VARIANT_MASK: u128 = 3 << 62;
        let RecordId(time) = RecordId::first_of(start_unix_ms);
        let random = (u128::from(seed.next_u64()) << 64 | u128::from(seed.next_u64())) >> 48;
        let random = random & !VERSION_MASK & !VARIANT_MASK;
        RecordId(time | VERSION | VARIANT | random)
    }

    /// The smallest name of a conversation that starts at `start_unix_ms`: names from there on are
    /// of conversations that start then or later.
    pub const fn first_of(start_unix_ms: u64) -> Self {
        const UNIX_MS_MAX: u64 = 0xffff_ffff_ffff;
        let time = if start_unix_ms > UNIX_MS_MAX { UNIX_MS_MAX } else { start_unix_ms };
        RecordId((time as u128) << 80)
    }

    /// The name as it is stored, big-endian so that it sorts by start.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Reads [`to_bytes`](Self::to_bytes) back.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        RecordId(u128::from_be_bytes(bytes))
    }
}

/// The usual text form of a UUID.
impl fmt::Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (id >> 96) as u32,
            (id >> 80) as u16,
            (id >> 64) as u16,
            (id >> 48) as u16,
            id as u64 & 0xffff_ffff_ffff,
        )
    }
}

/// How the two sides spoke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Pager-mode MESSAGE requests (RFC 3428), taken together until they fall silent.
    Pager,
    /// An INVITE session.
    Session,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 2] = [Kind::Pager, Kind::Session];

    /// The word in the database and in every listing.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Pager => "pager",
            Kind::Session => "session",
        }
    }

    /// Reads [`name`](Self::name) back.
    pub fn from_name(name: &str) -> Option<Self> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Why a conversation is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The callee sent BYE.
    ByeCallee,
    /// The caller sent BYE.
    ByeCaller,
    /// The caller took the invitation back.
    Cancelled,
    /// The callee's connection was lost.
    ConnectionLostCallee,
    /// The caller's connection was lost.
    ConnectionLostCaller,
    /// The callee, or the server in its place, refused with this SIP status.
    Declined(u16),
    /// The server went down in order.
    Drained,
    /// Nothing was said for the configured time: the usual end of a pager-mode conversation.
    Idle,
    /// Nobody answered the invitation in time.
    NoAnswer,
    /// The server died. The record was found open at the next start; its counts are unknown.
    ServerLost,
}

impl Ending {
    /// The word in the database and in every listing.
    pub const fn name(self) -> &'static str {
        match self {
            Ending::ByeCallee => "bye_callee",
            Ending::ByeCaller => "bye_caller",
            Ending::Cancelled => "cancelled",
            Ending::ConnectionLostCallee => "connection_lost_callee",
            Ending::ConnectionLostCaller => "connection_lost_caller",
            Ending::Declined(_) => "declined",
            Ending::Drained => "drained",
            Ending::Idle => "idle",
            Ending::NoAnswer => "no_answer",
            Ending::ServerLost => "server_lost",
        }
    }

    /// The SIP status of a refusal.
    pub const fn status(self) -> Option<u16> {
        match self {
            Ending::Declined(status) => Some(status),
            _ => None,
        }
    }

    /// Reads [`name`](Self::name) and [`status`](Self::status) back.
    pub fn from_parts(name: &str, status: Option<u16>) -> Option<Self> {
        Some(match (name, status) {
            ("bye_callee", None) => Ending::ByeCallee,
            ("bye_caller", None) => Ending::ByeCaller,
            ("cancelled", None) => Ending::Cancelled,
            ("connection_lost_callee", None) => Ending::ConnectionLostCallee,
            ("connection_lost_caller", None) => Ending::ConnectionLostCaller,
            ("declined", Some(status)) => Ending::Declined(status),
            ("drained", None) => Ending::Drained,
            ("idle", None) => Ending::Idle,
            ("no_answer", None) => Ending::NoAnswer,
            ("server_lost", None) => Ending::ServerLost,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_version_7_uuid_and_survives_its_bytes() {
        let id = RecordId::new(0x0123_4567_89ab, &mut Seed::from_u64(1));
        let text = id.to_string();
        assert_eq!(text.len(), 36);
        assert!(text.starts_with("01234567-89ab-7"), "{text}");
        assert!(matches!(text.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{text}");
        assert_eq!(RecordId::from_bytes(id.to_bytes()), id);
    }

    #[test]
    fn identifiers_sort_by_start_and_do_not_repeat() {
        let mut seed = Seed::from_u64(2);
        let mut ids: Vec<_> = (0..1000).map(|ms| RecordId::new(ms / 10, &mut seed)).collect();
        assert!(ids.chunks(10).is_sorted_by(|a, b| a.iter().max() < b.iter().min()));
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 1000);
    }

    #[test]
    fn every_ending_survives_its_name_and_status() {
        for ending in [
            Ending::ByeCallee,
            Ending::ByeCaller,
            Ending::Cancelled,
            Ending::ConnectionLostCallee,
            Ending::ConnectionLostCaller,
            Ending::Declined(603),
            Ending::Drained,
            Ending::Idle,
            Ending::NoAnswer,
            Ending::ServerLost,
        ] {
            assert_eq!(Ending::from_parts(ending.name(), ending.status()), Some(ending));
        }
        assert_eq!(Ending::from_parts("declined", None), None);
        assert_eq!(Ending::from_parts("idle", Some(480)), None);
        assert_eq!(Ending::from_parts("other", None), None);
    }

    #[test]
    fn every_kind_survives_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::from_name("conference"), None);
    }
}
