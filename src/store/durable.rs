//! Rows of users that a shard has the store keep, and the way back at start.

use rusqlite::Connection;

use super::database::Database;
use super::error::{Fault, StoreError};
use super::{contacts, presence};
use crate::base::aor::Aor;
use crate::shard::durable::{NotWritten, Rows, Write};

impl Database {
    /// Gives the rows of all users that `wanted` names to `each`, those of one user at a time, so
    /// that their number has no bound. Users of whom nothing is kept cost nothing.
    pub fn for_each_rows(
        &self,
        wanted: impl Fn(&Aor) -> bool,
        each: impl FnMut(Aor, Rows),
    ) -> Result<(), StoreError> {
        Ok(self.read_all_rows(wanted, each).map_err(Fault::from)?)
    }

    fn read_all_rows(
        &self,
        wanted: impl Fn(&Aor) -> bool,
        mut each: impl FnMut(Aor, Rows),
    ) -> rusqlite::Result<()> {
        // One snapshot for all tables.
        let transaction = self.connection.unchecked_transaction()?;
        for aor in owners(&transaction, "SELECT owner FROM contact_list", &wanted)? {
            let rows = contacts::rows(&transaction, aor.as_str())?;
            each(aor, Rows::Contacts(rows));
        }
        for aor in owners(&transaction, "SELECT owner FROM presence", &wanted)? {
            let rows = presence::rows(&transaction, aor.as_str())?;
            each(aor, Rows::Presence(rows));
        }
        Ok(())
    }
}

/// Writes rows within the caller's transaction. The inner error is the write's own; the
/// transaction stands.
pub fn apply(connection: &Connection, write: &Write) -> Result<Result<(), NotWritten>, Fault> {
    let owner = write.aor.as_str();
    let exists = connection.prepare_cached("SELECT 1 FROM user WHERE aor = ?1")?.exists([owner])?;
    if !exists {
        return Ok(Err(NotWritten::NoSuchUser));
    }
    match &write.rows {
        Rows::Contacts(rows) => contacts::apply(connection, owner, rows)?,
        Rows::Presence(rows) => presence::apply(connection, owner, rows)?,
    }
    Ok(Ok(()))
}

fn owners(
    connection: &Connection,
    sql: &str,
    wanted: impl Fn(&Aor) -> bool,
) -> rusqlite::Result<Vec<Aor>> {
    let mut owners = Vec::new();
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(())?;
    while let Some(row) = rows.next()? {
        let aor = Aor::new(row.get_ref(0)?.as_str()?);
        if wanted(&aor) {
            owners.push(aor);
        }
    }
    Ok(owners)
}
