//! Rows of call detail records: those of conversations, and how all are found.

use std::ops::ControlFlow;

use rusqlite::{Connection, Row, params};

use super::conference_cdr;
use super::database::Database;
use super::error::{Fault, StoreError};
use crate::records::{Cdr, End, Ended, Ending, KeptRecord, Kind, Record, RecordId, Started};

const COLUMNS: &str = "SELECT id, kind, caller, callee, start_unix_ms, bridged, end_unix_ms, \
                       messages_from_caller, messages_from_callee, ending, status FROM cdr";

/// The columns of a conference in the places of those of a conversation, so that one statement
/// reads both in their order.
const CONFERENCE_COLUMNS: &str = "SELECT id, 'conference', organiser, conference, start_unix_ms, scheduled, end_unix_ms, \
     messages, peak, ending, subject FROM conference_cdr";

/// Names begin with a start, so the newest row of each table is found at once.
const LAST_SIGN_OF_LIFE: &str =
    "SELECT max(coalesce((SELECT start_unix_ms FROM cdr ORDER BY id DESC LIMIT 1), 0),
     coalesce((SELECT start_unix_ms FROM conference_cdr ORDER BY id DESC LIMIT 1), 0),
     coalesce((SELECT start_unix_ms FROM conference_visit ORDER BY id DESC LIMIT 1), 0))";

/// The kind of a conference in [`CONFERENCE_COLUMNS`].
const CONFERENCE: &str = "conference";

/// Which records are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CdrQuery {
    /// Only those with this address-of-record on either side, and conferences he made or was in.
    pub user: Option<String>,
    /// Only those that started then or later; milliseconds since the Unix epoch.
    pub since_unix_ms: u64,
    /// Only so many, the newest.
    pub rows_max: Option<usize>,
}

impl Database {
    /// Gives the records that `query` wants to `each`, in the order of their start, as they are
    /// read, so that their number has no bound, until `each` breaks off.
    pub fn for_each_cdr(
        &self,
        query: &CdrQuery,
        each: impl FnMut(KeptRecord) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        Ok(read(&self.connection, query, each).map_err(Fault::from)?)
    }

    /// The records that `query` wants, in the order of their start, all in memory.
    pub fn cdrs(&self, query: &CdrQuery) -> Result<Vec<KeptRecord>, StoreError> {
        let mut cdrs = Vec::new();
        self.for_each_cdr(query, |cdr| {
            cdrs.push(cdr);
            ControlFlow::Continue(())
        })?;
        Ok(cdrs)
    }

    /// Ends the records that a server left open when it died. When they really ended nobody knows:
    /// they get the start of the newest record or visit, the last sign of life of that server.
    /// Returns how many records there were.
    pub(super) fn end_lost_cdrs(&mut self) -> Result<usize, Fault> {
        let transaction = self.begin()?;
        let unix_ms: i64 = transaction.query_row(LAST_SIGN_OF_LIFE, (), |row| row.get(0))?;
        let conversations = transaction.execute(
            "UPDATE cdr SET ending = ?1, messages_from_caller = 0, messages_from_callee = 0,
             end_unix_ms = ?2 WHERE ending IS NULL",
            params![Ending::ServerLost.name(), unix_ms],
        )?;
        let conferences = conference_cdr::end_lost(&transaction, unix_ms)?;
        transaction.commit()?;
        Ok(conversations + conferences)
    }
}

/// Writes `record` within the caller's transaction. False when it changed nothing: a start that is
/// already there, or an end without an open start.
pub fn apply(connection: &Connection, record: &Record) -> rusqlite::Result<bool> {
    let affected = match record {
        Record::Started(started) => insert(connection, started),
        Record::Ended(ended) => update(connection, ended),
        Record::ConferenceStarted(started) => conference_cdr::start(connection, started),
        Record::ConferenceEntered(entered) => conference_cdr::enter(connection, entered),
        Record::ConferenceDeparted(departed) => conference_cdr::depart(connection, departed),
        Record::ConferenceEnded(ended) => conference_cdr::end(connection, ended),
    }?;
    Ok(affected > 0)
}

fn insert(connection: &Connection, started: &Started) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO cdr (id, kind, caller, callee, start_unix_ms, bridged)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            started.id.to_bytes(),
            started.kind.name(),
            started.caller,
            started.callee,
            signed(started.start_unix_ms),
            started.bridged,
        ])
}

fn update(connection: &Connection, ended: &Ended) -> rusqlite::Result<usize> {
    let end = ended.end;
    connection
        .prepare_cached(
            "UPDATE cdr SET bridged = ?2, end_unix_ms = ?3, messages_from_caller = ?4,
             messages_from_callee = ?5, ending = ?6, status = ?7
             WHERE id = ?1 AND ending IS NULL",
        )?
        .execute(params![
            ended.id.to_bytes(),
            ended.bridged,
            signed(end.end_unix_ms),
            signed(end.messages_from_caller),
            signed(end.messages_from_callee),
            end.ending.name(),
            end.ending.status(),
        ])
}

fn read(
    connection: &Connection,
    query: &CdrQuery,
    mut each: impl FnMut(KeptRecord) -> ControlFlow<()>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(&select(query))?;
    statement.raw_bind_parameter(1, &query.user)?;
    statement.raw_bind_parameter(2, RecordId::first_of(query.since_unix_ms).to_bytes())?;
    if let Some(rows_max) = query.rows_max {
        statement.raw_bind_parameter(3, i64::try_from(rows_max).unwrap_or(i64::MAX))?;
    }
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let record = match row.get_ref(1)?.as_str()? {
            CONFERENCE => KeptRecord::Conference(conference_cdr::cdr(connection, row)?),
            kind => KeptRecord::Conversation(cdr(row, kind)?),
        };
        if each(record).is_break() {
            break;
        }
    }
    Ok(())
}

/// The statement for `query`: ?1 is the user, ?2 the smallest identifier, ?3 the number of rows.
pub(super) fn select(query: &CdrQuery) -> String {
    let all = match &query.user {
        // Each side has its index; both are read in order and merged. Who speaks with himself
        // counts as caller.
        Some(_) => format!(
            "{COLUMNS} WHERE caller = ?1 AND id >= ?2 \
             UNION ALL {COLUMNS} WHERE callee = ?1 AND caller <> ?1 AND id >= ?2 \
             UNION ALL {CONFERENCE_COLUMNS} WHERE id IN ( \
                 SELECT id FROM conference_cdr WHERE organiser = ?1 AND id >= ?2 UNION ALL \
                 SELECT cdr FROM conference_visit WHERE member = ?1 AND cdr >= ?2 \
             ) ORDER BY id"
        ),
        None => format!(
            "{COLUMNS} WHERE ?1 IS NULL AND id >= ?2 \
             UNION ALL {CONFERENCE_COLUMNS} WHERE id >= ?2 ORDER BY id"
        ),
    };
    match query.rows_max {
        Some(_) => format!("SELECT * FROM ({all} DESC LIMIT ?3) ORDER BY id"),
        None => all,
    }
}

fn cdr(row: &Row<'_>, kind: &str) -> rusqlite::Result<Cdr> {
    let ending: Option<String> = row.get(9)?;
    let end = match ending {
        None => None,
        Some(name) => Some(End {
            end_unix_ms: unsigned(row, 6)?,
            messages_from_caller: unsigned(row, 7)?,
            messages_from_callee: unsigned(row, 8)?,
            ending: Ending::from_parts(&name, row.get(10)?).ok_or_else(|| unknown(9))?,
        }),
    };
    Ok(Cdr {
        id: RecordId::from_bytes(row.get(0)?),
        kind: Kind::from_name(kind).ok_or_else(|| unknown(1))?,
        caller: row.get(2)?,
        callee: row.get(3)?,
        start_unix_ms: unsigned(row, 4)?,
        end,
        bridged: row.get(5)?,
    })
}

/// A word in `column` that this program never wrote.
pub(super) fn unknown(column: usize) -> rusqlite::Error {
    let error = "unknown word".into();
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error)
}

/// SQLite's integers are signed; a count or a time beyond them is not real.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or(0))
}
