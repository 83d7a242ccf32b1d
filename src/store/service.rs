//! Users that come from a directory service. They are rows as those of others, and here is noted
//! whose they are.

use rusqlite::{Connection, OptionalExtension, params};

use super::database::Database;
use super::error::{Fault, StoreError};
use super::users::{self, COLUMNS};
use crate::directory::{Entry, Known, Merged, Origin, merge};

impl Database {
    /// The user of that address-of-record and where he comes from.
    pub fn known_user(&self, aor: &str) -> Result<Option<Known>, StoreError> {
        Ok(known(&self.connection, aor).map_err(Fault::from)?)
    }

    /// Tells `each` of every user of the directory service: his address, and whether he is disabled.
    /// Returns how many there are.
    pub fn for_each_service_user(
        &self,
        mut each: impl FnMut(&str, bool),
    ) -> Result<usize, StoreError> {
        let mut read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT aor, disabled FROM service_user JOIN user USING (aor) ORDER BY aor",
            )?;
            let mut rows = statement.query(())?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                each(row.get_ref(0)?.as_str()?, row.get(1)?);
                count += 1;
            }
            Ok::<usize, rusqlite::Error>(count)
        };
        Ok(read().map_err(Fault::from)?)
    }

    /// When all users of the directory service were looked at last, in milliseconds.
    pub fn service_looked(&self) -> Result<Option<u64>, StoreError> {
        let looked = self
            .connection
            .query_row("SELECT unix_ms FROM service_look", (), |row| row.get::<_, i64>(0))
            .optional()
            .map_err(Fault::from)?;
        Ok(looked.and_then(|unix_ms| u64::try_from(unix_ms).ok()))
    }
}

/// Makes or changes the user of `entry`; 0 when an operator made one of that address.
pub fn put(connection: &Connection, entry: &Entry) -> rusqlite::Result<usize> {
    let known = known(connection, &entry.aor)?;
    let user = match merge(entry, known.as_ref()) {
        Merged::Changed(user) => user,
        Merged::Operators => return Ok(0),
        Merged::Same => return Ok(1),
    };
    match known {
        // Not replaced: what is kept of him would go with the old row.
        Some(_) => users::update(connection, &user)?,
        None => users::insert(connection, &user)?,
    };
    connection
        .prepare_cached(
            "INSERT INTO service_user VALUES (?1, ?2, 0, ?3)
             ON CONFLICT DO UPDATE SET dn = ?2, missing = 0,
             password_changed = coalesce(?3, password_changed)",
        )?
        .execute(params![entry.aor, entry.dn, entry.password_changed])
}

/// Disables a user who is not there any more; one whom an operator had disabled before stays so when
/// he is back.
pub fn miss(connection: &Connection, aor: &str) -> rusqlite::Result<usize> {
    let Some(known) = known(connection, aor)? else { return Ok(1) };
    if known.user.disabled || known.origin == Origin::Operator {
        return Ok(1);
    }
    users::set_disabled(connection, aor, true)?;
    connection.prepare_cached("UPDATE service_user SET missing = 1 WHERE aor = ?1")?.execute([aor])
}

/// Notes when all were looked at.
pub fn looked(connection: &Connection, unix_ms: u64) -> rusqlite::Result<usize> {
    let unix_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    connection
        .prepare_cached("INSERT OR REPLACE INTO service_look VALUES (1, ?1)")?
        .execute(params![unix_ms])
}

fn known(connection: &Connection, aor: &str) -> rusqlite::Result<Option<Known>> {
    let sql = format!("{COLUMNS} WHERE aor = ?1");
    let user = connection.prepare_cached(&sql)?.query_row([aor], users::user).optional()?;
    let Some(user) = user else { return Ok(None) };
    let origin = connection
        .prepare_cached("SELECT dn, missing, password_changed FROM service_user WHERE aor = ?1")?
        .query_row([aor], |row| {
            let (dn, missing) = (row.get(0)?, row.get(1)?);
            Ok(Origin::Service { dn, missing, password_changed: row.get(2)? })
        })
        .optional()?;
    Ok(Some(Known { user, origin: origin.unwrap_or(Origin::Operator) }))
}
