//! Call detail records as `mynah cdr --format json` lists them.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// One record.
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

/// The record of a conference.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Conference {
    pub id: String,
    pub kind: String,
    pub conference: String,
    pub organiser: String,
    pub subject: String,
    pub scheduled: bool,
    pub start: String,
    pub end: Option<String>,
    pub messages: Option<u64>,
    pub peak: Option<u32>,
    pub ending: Option<String>,
    pub visits: Vec<Visit>,
}

/// One time that a member was in.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    pub id: String,
    pub member: String,
    pub role: String,
    pub start: String,
    pub end: Option<String>,
    pub messages: Option<u64>,
    pub parting: Option<String>,
}

/// What matters of a visit that is over: member, messages from him, how he parted.
pub type VisitSummary<'a> = (&'a str, u64, &'a str);

impl Conference {
    /// Messages, most members at a time and ending; panics while it is open.
    pub fn summary(&self) -> (u64, u32, &str) {
        let ending = self.ending.as_deref().expect("the conference has ended");
        (self.messages.unwrap_or(u64::MAX), self.peak.unwrap_or(u32::MAX), ending)
    }

    /// The visits in short, in the order of joining; panics while one is open.
    pub fn visits(&self) -> Vec<VisitSummary<'_>> {
        let visits = self.visits.iter().map(|visit| {
            let parting = visit.parting.as_deref().expect("the visit is over");
            (user(&visit.member), visit.messages.unwrap_or(u64::MAX), parting)
        });
        visits.collect()
    }
}

/// The part before the domain of the address of a user of the demo.
fn user(aor: &str) -> &str {
    aor.strip_suffix("@example.test").unwrap_or_else(|| panic!("{aor} is not of the demo"))
}

/// Reads the conversations of a listing.
pub fn read(json: &[u8]) -> Vec<Record> {
    listed(json, |kind| kind != "conference")
}

/// Reads the conferences of a listing.
pub fn conferences(json: &[u8]) -> Vec<Conference> {
    listed(json, |kind| kind == "conference")
}

fn listed<T: DeserializeOwned>(json: &[u8], wanted: impl Fn(&str) -> bool) -> Vec<T> {
    let all: Vec<serde_json::Value> = serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(json)));
    let wanted = all.into_iter().filter(|one| one["kind"].as_str().is_some_and(&wanted));
    wanted.map(|one| serde_json::from_value(one).unwrap()).collect()
}
