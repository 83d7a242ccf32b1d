//! The store on real files in temporary folders.

mod api_tokens;
mod batches;
mod conferences;
mod durable;
mod folders;
mod kill;
mod rows;
mod service;
mod user_pages;
mod writes;

use std::path::Path;
use std::time::Duration;

use super::{Database, cdr};
use crate::base::limits::Limits;
use crate::base::seed::Seed;
use crate::directory::User;
use crate::records::{Cdr, End, Ended, Ending, KeptRecord, Kind, Record, RecordId, Started};

/// Wait for another writer: long enough that only a deadlock fails a test.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// Start of the first record.
const EPOCH_MS: u64 = 1_800_000_000_000;

fn open(folder: &Path) -> Database {
    Database::open(folder, BUSY_TIMEOUT).unwrap()
}

fn limits() -> Limits {
    Limits { store_busy_timeout: BUSY_TIMEOUT, ..Limits::default() }
}

fn user(aor: &str, password: &str) -> User {
    User::with_password(aor, None, "", "example.test", password).unwrap()
}

/// The start of the `n`th record; a second lies between two.
fn started(n: u64) -> Started {
    let start_unix_ms = EPOCH_MS + n * 1000;
    Started {
        id: RecordId::new(start_unix_ms, &mut Seed::from_u64(n)),
        kind: if n.is_multiple_of(2) { Kind::Session } else { Kind::Pager },
        caller: "alice@example.test".to_owned(),
        callee: if n.is_multiple_of(3) { "carol@example.test" } else { "bob@example.test" }
            .to_owned(),
        start_unix_ms,
        bridged: false,
    }
}

/// The end of the `n`th record, half a second later.
fn ended(n: u64) -> Ended {
    Ended {
        id: started(n).id,
        end: End {
            end_unix_ms: EPOCH_MS + n * 1000 + 500,
            messages_from_caller: n,
            messages_from_callee: n + 1,
            ending: if n.is_multiple_of(2) { Ending::ByeCaller } else { Ending::Declined(486) },
        },
        bridged: n.is_multiple_of(5),
    }
}

/// The `n`th record as it is kept after both.
fn whole(n: u64) -> Cdr {
    let (started, ended) = (started(n), ended(n));
    Cdr {
        id: started.id,
        kind: started.kind,
        caller: started.caller,
        callee: started.callee,
        start_unix_ms: started.start_unix_ms,
        end: Some(ended.end),
        bridged: ended.bridged,
    }
}

fn both(n: u64) -> [Record; 2] {
    [Record::Started(started(n)), Record::Ended(ended(n))]
}

fn cdrs(database: &Database) -> Vec<Cdr> {
    conversations(database.cdrs(&super::CdrQuery::default()).unwrap())
}

/// Those of `records` that are of conversations.
fn conversations(records: Vec<KeptRecord>) -> Vec<Cdr> {
    let conversation = |record| match record {
        KeptRecord::Conference(_) => None,
        KeptRecord::Conversation(cdr) => Some(cdr),
    };
    records.into_iter().filter_map(conversation).collect()
}
