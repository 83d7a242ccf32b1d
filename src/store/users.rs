//! Rows of users.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database::Database;
use super::error::{Fault, StoreError};
use super::photos;
use super::request::UserChange;
use super::service;
use crate::directory::{Person, Secret, User};

pub(super) const COLUMNS: &str =
    "SELECT aor, login, display_name, ha1_md5, ha1_sha256, nt_hash, disabled, title, department,
     company, office, email, phone_work, phone_mobile, phone_home, photo_url, photo_hash, policy
     FROM user";

/// What happened to the users after some version of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserChanges {
    /// The version of the directory these changes lead to; ask with it next time.
    pub version: u64,
    /// Users that are new or different.
    pub changed: Vec<User>,
    /// Addresses-of-record of users that are gone. One that is among the changed too was removed
    /// first, and is somebody else now.
    pub removed: Vec<String>,
}

impl Database {
    /// The user of that address-of-record.
    pub fn user(&self, aor: &str) -> Result<Option<User>, StoreError> {
        let sql = format!("{COLUMNS} WHERE aor = ?1");
        let mut statement = self.connection.prepare_cached(&sql).map_err(Fault::from)?;
        Ok(statement.query_row([aor], user).optional().map_err(Fault::from)?)
    }

    /// All users by address.
    pub fn users(&self) -> Result<Vec<User>, StoreError> {
        let sql = format!("{COLUMNS} ORDER BY aor");
        Ok(users(&self.connection, &sql, []).map_err(Fault::from)?)
    }

    /// Applies one change, durably.
    pub fn change_user(&mut self, change: &UserChange) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        apply(&transaction, change)??;
        Ok(transaction.commit().map_err(Fault::from)?)
    }

    /// Applies all of the changes, durably and at once, or none of them.
    pub fn change_users(&mut self, changes: &[UserChange]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        for change in changes {
            apply(&transaction, change)??;
        }
        Ok(transaction.commit().map_err(Fault::from)?)
    }

    /// The version of the directory; it rises with each change of a user by any process. One page
    /// read, so it may be asked every second.
    pub fn users_version(&self) -> Result<u64, StoreError> {
        Ok(version(&self.connection).map_err(Fault::from)?)
    }

    /// What changed after `version`, by any process; 0 for all users. `None` when nothing did.
    pub fn users_since(&self, version: u64) -> Result<Option<UserChanges>, StoreError> {
        Ok(self.read_users_since(version).map_err(Fault::from)?)
    }

    fn read_users_since(&self, known: u64) -> rusqlite::Result<Option<UserChanges>> {
        // One snapshot for the version and the rows.
        let transaction = self.connection.unchecked_transaction()?;
        let version = version(&transaction)?;
        if version == known {
            return Ok(None);
        }
        let known = i64::try_from(known).unwrap_or(i64::MAX);
        let sql = format!("{COLUMNS} WHERE version > ?1 ORDER BY aor");
        let changed = users(&transaction, &sql, [known])?;
        let removed = transaction
            .prepare_cached("SELECT aor FROM removed_user WHERE version > ?1 ORDER BY aor")?
            .query_map([known], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(Some(UserChanges { version, changed, removed }))
    }
}

/// Applies `change` within the caller's transaction. The inner error is the change's own; the
/// transaction stands.
pub fn apply(
    connection: &Connection,
    change: &UserChange,
) -> Result<Result<(), StoreError>, Fault> {
    let affected = match change {
        UserChange::Add(user) => insert(connection, user),
        UserChange::Disable(aor) => set_disabled(connection, aor, true),
        UserChange::Enable(aor) => set_disabled(connection, aor, false),
        UserChange::Entry(entry) => service::put(connection, entry),
        UserChange::Looked(unix_ms) => service::looked(connection, *unix_ms),
        UserChange::Missing(aor) => service::miss(connection, aor),
        UserChange::Photo(change) => photos::put(connection, change),
        UserChange::Remove(aor) => remove(connection, aor),
        UserChange::Update(user) => update(connection, user),
    }?;
    if affected > 0 {
        return Ok(Ok(()));
    }
    Ok(Err(match change {
        UserChange::Add(user) => StoreError::UserExists(user.aor.clone()),
        UserChange::Entry(entry) => StoreError::UserExists(entry.aor.clone()),
        UserChange::Looked(_) => return Ok(Ok(())),
        UserChange::Photo(change) => StoreError::NoSuchUser(change.aor.clone()),
        UserChange::Update(user) => StoreError::NoSuchUser(user.aor.clone()),
        UserChange::Disable(aor)
        | UserChange::Enable(aor)
        | UserChange::Missing(aor)
        | UserChange::Remove(aor) => StoreError::NoSuchUser(aor.clone()),
    }))
}

pub(super) fn insert(connection: &Connection, user: &User) -> rusqlite::Result<usize> {
    let exists =
        connection.prepare_cached("SELECT 1 FROM user WHERE aor = ?1")?.exists([&user.aor])?;
    if exists {
        return Ok(0);
    }
    write(
        connection,
        "INSERT INTO user (aor, login, display_name, ha1_md5, ha1_sha256, nt_hash, disabled,
         version, title, department, company, office, email, phone_work, phone_mobile, phone_home,
         photo_url, photo_hash, policy)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
         ?19)",
        user,
    )
}

pub(super) fn update(connection: &Connection, user: &User) -> rusqlite::Result<usize> {
    write(
        connection,
        "UPDATE user SET login = ?2, display_name = ?3, ha1_md5 = ?4, ha1_sha256 = ?5,
         nt_hash = ?6, disabled = ?7, version = ?8, title = ?9, department = ?10, company = ?11,
         office = ?12, email = ?13, phone_work = ?14, phone_mobile = ?15, phone_home = ?16,
         photo_url = ?17, photo_hash = ?18, policy = ?19 WHERE aor = ?1",
        user,
    )
}

fn write(connection: &Connection, sql: &str, user: &User) -> rusqlite::Result<usize> {
    let person = &user.person;
    connection.prepare_cached(sql)?.execute(params![
        user.aor,
        user.login,
        user.display_name,
        user.ha1_md5.as_ref(),
        user.ha1_sha256.as_ref(),
        user.nt_hash.as_ref(),
        user.disabled,
        next_version(connection)?,
        person.title,
        person.department,
        person.company,
        person.office,
        person.email,
        person.phone_work,
        person.phone_mobile,
        person.phone_home,
        person.photo_url,
        person.photo_hash,
        user.policy,
    ])
}

pub(super) fn set_disabled(
    connection: &Connection,
    aor: &str,
    disabled: bool,
) -> rusqlite::Result<usize> {
    connection
        .prepare_cached("UPDATE user SET disabled = ?2, version = ?3 WHERE aor = ?1")?
        .execute(params![aor, disabled, next_version(connection)?])
}

fn remove(connection: &Connection, aor: &str) -> rusqlite::Result<usize> {
    let affected = connection.prepare_cached("DELETE FROM user WHERE aor = ?1")?.execute([aor])?;
    if affected > 0 {
        connection
            .prepare_cached("INSERT OR REPLACE INTO removed_user VALUES (?1, ?2)")?
            .execute(params![aor, next_version(connection)?])?;
    }
    Ok(affected)
}

pub(super) fn next_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection
        .prepare_cached("UPDATE directory SET version = version + 1 RETURNING version")?
        .query_row((), |row| row.get(0))
}

fn version(connection: &Connection) -> rusqlite::Result<u64> {
    connection
        .prepare_cached("SELECT version FROM directory")?
        .query_row((), |row| row.get::<_, i64>(0))
        .map(|version| u64::try_from(version).unwrap_or(0))
}

fn users<const N: usize>(
    connection: &Connection,
    sql: &str,
    parameters: [i64; N],
) -> rusqlite::Result<Vec<User>> {
    connection
        .prepare_cached(sql)?
        .query_map(rusqlite::params_from_iter(parameters), user)?
        .collect()
}

pub(super) fn user(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        aor: row.get(0)?,
        login: row.get(1)?,
        display_name: row.get(2)?,
        ha1_md5: Secret::new(row.get(3)?),
        ha1_sha256: Secret::new(row.get(4)?),
        nt_hash: Secret::new(row.get(5)?),
        disabled: row.get(6)?,
        person: Box::new(Person {
            title: row.get(7)?,
            department: row.get(8)?,
            company: row.get(9)?,
            office: row.get(10)?,
            email: row.get(11)?,
            phone_work: row.get(12)?,
            phone_mobile: row.get(13)?,
            phone_home: row.get(14)?,
            photo_url: row.get(15)?,
            photo_hash: row.get(16)?,
        }),
        policy: row.get(17)?,
    })
}
