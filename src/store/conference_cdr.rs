//! Rows of call detail records of conferences, and of the visits in them.

use rusqlite::{Connection, Row, params};

use super::cdr::{signed, unknown, unsigned};
use crate::base::ids::ConferenceId;
use crate::records::{
    ConferenceCdr, ConferenceDeparted, ConferenceEnd, ConferenceEnded, ConferenceEnding,
    ConferenceEntered, ConferenceStarted, Parting, RecordId, Role, Visit, VisitEnd,
};

/// Inserts an open record; 0 when it is there already.
pub fn start(connection: &Connection, started: &ConferenceStarted) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO conference_cdr (id, conference, organiser, subject, scheduled,
             start_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            started.id.to_bytes(),
            started.conference.to_string(),
            started.organiser,
            started.subject,
            started.scheduled,
            signed(started.start_unix_ms),
        ])
}

/// Inserts an open visit; 0 when it is there already, or its record is not open.
pub fn enter(connection: &Connection, entered: &ConferenceEntered) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO conference_visit (id, cdr, member, role, start_unix_ms)
             SELECT ?1, id, ?3, ?4, ?5 FROM conference_cdr WHERE id = ?2 AND ending IS NULL
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            entered.visit.to_bytes(),
            entered.id.to_bytes(),
            entered.member,
            entered.role.name(),
            signed(entered.unix_ms),
        ])
}

/// Completes an open visit; 0 when there is none.
pub fn depart(connection: &Connection, departed: &ConferenceDeparted) -> rusqlite::Result<usize> {
    let end = departed.end;
    connection
        .prepare_cached(
            "UPDATE conference_visit SET end_unix_ms = ?2, messages = ?3, parting = ?4
             WHERE id = ?1 AND parting IS NULL",
        )?
        .execute(params![
            departed.visit.to_bytes(),
            signed(end.end_unix_ms),
            signed(end.messages),
            end.parting.name(),
        ])
}

/// Completes an open record; 0 when there is none.
pub fn end(connection: &Connection, ended: &ConferenceEnded) -> rusqlite::Result<usize> {
    let end = ended.end;
    connection
        .prepare_cached(
            "UPDATE conference_cdr SET end_unix_ms = ?2, messages = ?3, peak = ?4, ending = ?5
             WHERE id = ?1 AND ending IS NULL",
        )?
        .execute(params![
            ended.id.to_bytes(),
            signed(end.end_unix_ms),
            signed(end.messages),
            end.peak,
            end.ending.name(),
        ])
}

/// Ends the records and visits that a server left open when it died, at `unix_ms`. Returns the
/// number of records.
pub fn end_lost(connection: &Connection, unix_ms: i64) -> rusqlite::Result<usize> {
    connection.execute(
        "UPDATE conference_visit SET parting = ?1, messages = 0, end_unix_ms = ?2
         WHERE parting IS NULL",
        params![Parting::ServerLost.name(), unix_ms],
    )?;
    connection.execute(
        "UPDATE conference_cdr SET ending = ?1, messages = 0, peak = 0, end_unix_ms = ?2
         WHERE ending IS NULL",
        params![ConferenceEnding::ServerLost.name(), unix_ms],
    )
}

/// Reads a record from the columns id, anything, organiser, conference, start_unix_ms, scheduled,
/// end_unix_ms, messages, peak, ending, subject; and its visits.
pub fn cdr(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<ConferenceCdr> {
    let id = RecordId::from_bytes(row.get(0)?);
    let ending: Option<String> = row.get(9)?;
    let end = match ending {
        None => None,
        Some(name) => Some(ConferenceEnd {
            end_unix_ms: unsigned(row, 6)?,
            messages: unsigned(row, 7)?,
            peak: row.get(8)?,
            ending: ConferenceEnding::from_name(&name).ok_or_else(|| unknown(9))?,
        }),
    };
    Ok(ConferenceCdr {
        id,
        conference: ConferenceId::parse(row.get_ref(3)?.as_bytes()?).ok_or_else(|| unknown(3))?,
        organiser: row.get(2)?,
        subject: row.get(10)?,
        scheduled: row.get(5)?,
        start_unix_ms: unsigned(row, 4)?,
        end,
        visits: visits(connection, id)?,
    })
}

fn visits(connection: &Connection, id: RecordId) -> rusqlite::Result<Vec<Visit>> {
    connection
        .prepare_cached(
            "SELECT id, member, role, start_unix_ms, end_unix_ms, messages, parting
             FROM conference_visit WHERE cdr = ?1 ORDER BY id",
        )?
        .query_map([id.to_bytes()], visit)?
        .collect()
}

fn visit(row: &Row<'_>) -> rusqlite::Result<Visit> {
    let parting: Option<String> = row.get(6)?;
    let end = match parting {
        None => None,
        Some(name) => Some(VisitEnd {
            end_unix_ms: unsigned(row, 4)?,
            messages: unsigned(row, 5)?,
            parting: Parting::from_name(&name).ok_or_else(|| unknown(6))?,
        }),
    };
    Ok(Visit {
        id: RecordId::from_bytes(row.get(0)?),
        member: row.get(1)?,
        role: Role::from_name(row.get_ref(2)?.as_str()?).ok_or_else(|| unknown(2))?,
        start_unix_ms: unsigned(row, 3)?,
        end,
    })
}
