//! Rows of the pictures of users.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database::Database;
use super::error::{Fault, StoreError};
use super::users::next_version;
use crate::directory::{Photo, PhotoChange, PhotoHash};

impl Database {
    /// The picture of the user of that address-of-record.
    pub fn photo(&self, aor: &str) -> Result<Option<Photo>, StoreError> {
        let sql = "SELECT large, small FROM photo WHERE aor = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(Fault::from)?;
        Ok(statement.query_row([aor], photo).optional().map_err(Fault::from)?)
    }

    /// The picture of that hash, whoever has it.
    pub fn photo_by_hash(&self, hash: PhotoHash) -> Result<Option<Photo>, StoreError> {
        let sql = "SELECT large, small FROM photo WHERE hash = ?1 LIMIT 1";
        let mut statement = self.connection.prepare_cached(sql).map_err(Fault::from)?;
        Ok(statement.query_row([hash.0], photo).optional().map_err(Fault::from)?)
    }
}

/// Puts a picture in the place of the one there is, or takes it away; 0 when there is no such user.
pub(super) fn put(connection: &Connection, change: &PhotoChange) -> rusqlite::Result<usize> {
    let PhotoChange { aor, photo, url } = change;
    let known = connection.prepare_cached("DELETE FROM photo WHERE aor = ?1")?.execute([aor])?;
    if photo.is_none() && known == 0 {
        let exists = connection.prepare_cached("SELECT 1 FROM user WHERE aor = ?1")?;
        return { exists }.exists([aor]).map(usize::from);
    }
    let url = url.as_deref().filter(|_| photo.is_some());
    let hash = photo.as_ref().map(Photo::hash);
    let affected = connection
        .prepare_cached(
            "UPDATE user SET photo_url = ?2, photo_hash = ?3, version = ?4 WHERE aor = ?1",
        )?
        .execute(params![
            aor,
            url.unwrap_or_default(),
            hash.filter(|_| url.is_some()).map(|hash| hash.to_string()).unwrap_or_default(),
            next_version(connection)?,
        ])?;
    if let (Some(photo), Some(hash), 1..) = (photo, hash, affected) {
        connection
            .prepare_cached("INSERT INTO photo VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![aor, hash.0, &*photo.large, &*photo.small])?;
    }
    Ok(affected)
}

fn photo(row: &Row<'_>) -> rusqlite::Result<Photo> {
    let (large, small): (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
    Ok(Photo { large: large.into(), small: small.into() })
}
