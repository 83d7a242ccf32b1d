//! Rows of scheduled conferences. Each goes with the user who made it.

use std::collections::BTreeMap;

use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::error::{Fault, StoreError};
use crate::base::aor::Aor;
use crate::base::ids::ConferenceId;
use crate::immcu::conference::{Admission, Description, Role};
use crate::shard::durable::{ConferenceWrite, NotWritten};

impl Database {
    /// Gives the scheduled conferences that `wanted` names to `each`, one at a time, so that their
    /// number has no bound.
    pub fn for_each_conference(
        &self,
        wanted: impl Fn(ConferenceId) -> bool,
        each: impl FnMut(Description),
    ) -> Result<(), StoreError> {
        Ok(read(&self.connection, wanted, each).map_err(Fault::from)?)
    }
}

/// Writes or removes a conference within the caller's transaction. The inner error is the write's
/// own; the transaction stands.
pub fn apply(
    connection: &Connection,
    write: &ConferenceWrite,
) -> Result<Result<(), NotWritten>, Fault> {
    let id = write.id.to_string();
    let Some(description) = &write.row else {
        connection.prepare_cached("DELETE FROM conference WHERE id = ?1")?.execute([id])?;
        return Ok(Ok(()));
    };
    let organiser = description.organiser.as_str();
    let exists =
        connection.prepare_cached("SELECT 1 FROM user WHERE aor = ?1")?.exists([organiser])?;
    if !exists {
        return Ok(Err(NotWritten::NoSuchUser));
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO conference VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            id,
            organiser,
            description.organiser_name,
            description.subject,
            admission_name(description.admission),
            description.lobby,
            description.locked,
            i64::try_from(description.expires_unix_ms).unwrap_or(i64::MAX),
            invited_text(&description.invited),
        ])?;
    Ok(Ok(()))
}

fn read(
    connection: &Connection,
    wanted: impl Fn(ConferenceId) -> bool,
    mut each: impl FnMut(Description),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "SELECT id, organiser, organiser_name, subject, admission, lobby, locked, expires_unix_ms, \
         invited FROM conference ORDER BY id",
    )?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let id = ConferenceId::parse(row.get_ref(0)?.as_bytes()?).ok_or_else(|| unknown(0))?;
        if wanted(id) {
            each(description(id, row)?);
        }
    }
    Ok(())
}

fn description(id: ConferenceId, row: &Row<'_>) -> rusqlite::Result<Description> {
    Ok(Description {
        id,
        organiser: Aor::new(row.get_ref(1)?.as_str()?),
        organiser_name: row.get(2)?,
        subject: row.get(3)?,
        admission: admission(row.get_ref(4)?.as_str()?).ok_or_else(|| unknown(4))?,
        lobby: row.get(5)?,
        locked: row.get(6)?,
        expires_unix_ms: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
        // Others are not kept.
        scheduled: true,
        invited: invited(row.get_ref(8)?.as_str()?).ok_or_else(|| unknown(8))?,
    })
}

fn admission_name(admission: Admission) -> &'static str {
    match admission {
        Admission::ClosedAuthenticated => "closed_authenticated",
        Admission::OpenAuthenticated => "open_authenticated",
        Admission::Anonymous => "anonymous",
    }
}

fn admission(name: &str) -> Option<Admission> {
    let all = [Admission::ClosedAuthenticated, Admission::OpenAuthenticated, Admission::Anonymous];
    all.into_iter().find(|admission| admission_name(*admission) == name)
}

/// The words are part of the schema: they stay.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeptRole {
    Attendee,
    Presenter,
}

/// A JSON object that an operator can read: who, and as what.
fn invited_text(invited: &BTreeMap<Aor, Role>) -> String {
    let kept: BTreeMap<&str, KeptRole> = invited
        .iter()
        .map(|(who, role)| {
            let role = match role {
                Role::Attendee => KeptRole::Attendee,
                Role::Presenter => KeptRole::Presenter,
            };
            (who.as_str(), role)
        })
        .collect();
    // Writing to memory fails only for maps with odd keys, and there are none.
    serde_json::to_string(&kept).unwrap_or_default()
}

/// Reads [`invited_text`] back.
fn invited(text: &str) -> Option<BTreeMap<Aor, Role>> {
    let kept: BTreeMap<String, KeptRole> = serde_json::from_str(text).ok()?;
    let invited = kept.into_iter().map(|(who, role)| {
        let role = match role {
            KeptRole::Attendee => Role::Attendee,
            KeptRole::Presenter => Role::Presenter,
        };
        (Aor::new(&who), role)
    });
    Some(invited.collect())
}

/// Something in `column` that this program never wrote.
fn unknown(column: usize) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, "unknown word".into())
}
