//! Call detail records as `mynah cdr --format json` lists them.

use serde::Deserialize;

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
        let user = |aor: &'_ str| aor.len() - "@example.test".len();
        (
            self.kind,
            &self.caller[..user(&self.caller)],
            &self.callee[..user(&self.callee)],
            self.messages_from_caller.unwrap_or(u64::MAX),
            self.messages_from_callee.unwrap_or(u64::MAX),
            self.ending.expect("the record has ended"),
        )
    }
}

/// Reads a listing.
pub fn read(json: &[u8]) -> Vec<Record> {
    serde_json::from_slice(json)
        .unwrap_or_else(|error| panic!("{error} in {}", String::from_utf8_lossy(json)))
}
