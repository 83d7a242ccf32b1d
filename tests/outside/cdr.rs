//! Call detail records as `mynah cdr --format json` lists them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Records of both sorts, each in the order of the listing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Listing {
    pub conversations: Vec<Record>,
    pub conferences: Vec<Conference>,
}

/// The record of a conversation between two.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub id: String,
    pub kind: Kind,
    pub caller: String,
    pub callee: String,
    pub start: String,
    pub end: Option<String>,
    pub messages_from_caller: Option<u64>,
    pub messages_from_callee: Option<u64>,
    pub ending: Option<Ending>,
    pub status: Option<u16>,
    pub bridged: bool,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Pager,
    Session,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    ByeCallee,
    ByeCaller,
    Cancelled,
    ConnectionLostCallee,
    ConnectionLostCaller,
    Declined,
    Drained,
    Idle,
    NoAnswer,
    ServerLost,
}

/// The record of a conference, with a visit for each time that a member was in.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Conference {
    pub id: String,
    kind: ConferenceKind,
    pub conference: String,
    pub organiser: String,
    pub subject: String,
    pub scheduled: bool,
    pub start: String,
    pub end: Option<String>,
    pub messages: Option<u64>,
    pub peak: Option<u32>,
    pub ending: Option<ConferenceEnding>,
    pub visits: Vec<Visit>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum ConferenceKind {
    Conference,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    pub id: String,
    pub member: String,
    pub role: Role,
    pub start: String,
    pub end: Option<String>,
    pub messages: Option<u64>,
    pub parting: Option<Parting>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum ConferenceEnding {
    Deleted,
    Drained,
    Expired,
    LastLeft,
    Operator,
    ServerLost,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Attendee,
    Presenter,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Parting {
    Bye,
    ConnectionLost,
    Ejected,
    Ended,
    Gone,
    ServerLost,
    Unresponsive,
}

/// What matters of a record that has ended: kind, caller, callee, messages from the caller and
/// from the callee, ending.
pub type Summary<'a> = (Kind, &'a str, &'a str, u64, u64, Ending);

impl Record {
    /// The record in short; panics while it is open.
    pub fn summary(&self) -> Summary<'_> {
        (
            self.kind,
            user(&self.caller),
            user(&self.callee),
            self.messages_from_caller.unwrap_or(u64::MAX),
            self.messages_from_callee.unwrap_or(u64::MAX),
            self.ending.expect("the record has ended"),
        )
    }
}

/// What matters of a visit that is over: member, messages of his, how he left.
pub type VisitSummary<'a> = (&'a str, u64, Parting);

impl Conference {
    /// The visits in short, in the order of joining; panics while one is open.
    pub fn visits(&self) -> Vec<VisitSummary<'_>> {
        let visits = self.visits.iter().map(|visit| {
            let parting = visit.parting.expect("the visit is over");
            (user(&visit.member), visit.messages.unwrap_or(u64::MAX), parting)
        });
        visits.collect()
    }

    /// Messages, most members at a time, ending; panics while it is open.
    pub fn summary(&self) -> (u64, u32, ConferenceEnding) {
        let ending = self.ending.expect("the conference has ended");
        (self.messages.unwrap_or(u64::MAX), self.peak.unwrap_or(u32::MAX), ending)
    }
}

/// The part of an address before the domain of the demo.
fn user(aor: &str) -> &str {
    aor.strip_suffix("@example.test").unwrap_or_else(|| panic!("{aor} is not of the demo"))
}

/// Reads a listing.
pub fn read(json: &[u8]) -> Listing {
    let records: Vec<Value> = serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(json)));
    let mut listing = Listing::default();
    for record in records {
        match record["kind"].as_str() {
            Some("conference") => listing.conferences.push(typed(record)),
            _ => listing.conversations.push(typed(record)),
        }
    }
    listing
}

fn typed<T: DeserializeOwned>(record: Value) -> T {
    T::deserialize(&record).unwrap_or_else(|error| panic!("{error} in {record}"))
}
