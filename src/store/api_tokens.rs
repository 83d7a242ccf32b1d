//! Rows of the tokens of the API.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database::Database;
use super::error::{Fault, StoreError};
use crate::auth::api_token::{KeptToken, Role, SECRET_LEN, TokenId};

const COLUMNS: &str = "SELECT id, name, role, level, hash, created_unix_ms FROM api_token";

impl Database {
    /// Keeps a new token, durably; refused when its name is taken.
    pub fn add_api_token(&mut self, token: &KeptToken) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        if exists(&transaction, &token.name).map_err(Fault::from)? {
            return Err(StoreError::TokenExists(token.name.clone()));
        }
        insert(&transaction, token).map_err(Fault::from)?;
        Ok(transaction.commit().map_err(Fault::from)?)
    }

    /// The token that is kept under `id`. One page read: asked with each request to the API, so that
    /// a token that was revoked by any process proves nothing any more.
    pub fn api_token(&self, id: TokenId) -> Result<Option<KeptToken>, StoreError> {
        Ok(find(&self.connection, id).map_err(Fault::from)?)
    }

    /// All tokens by name.
    pub fn api_tokens(&self) -> Result<Vec<KeptToken>, StoreError> {
        Ok(all(&self.connection).map_err(Fault::from)?)
    }

    /// Forgets the token of that name, durably.
    pub fn revoke_api_token(&mut self, name: &str) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        let affected = transaction
            .prepare_cached("DELETE FROM api_token WHERE name = ?1")
            .and_then(|mut statement| statement.execute([name]))
            .map_err(Fault::from)?;
        if affected == 0 {
            return Err(StoreError::NoSuchToken(name.to_owned()));
        }
        Ok(transaction.commit().map_err(Fault::from)?)
    }
}

fn exists(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM api_token WHERE name = ?1")?.exists([name])
}

fn insert(connection: &Connection, token: &KeptToken) -> rusqlite::Result<usize> {
    connection.prepare_cached("INSERT INTO api_token VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
        params![
            token.id.0.cast_signed(),
            token.name,
            token.role.name(),
            token.level,
            token.hash,
            i64::try_from(token.created_unix_ms).unwrap_or(i64::MAX),
        ],
    )
}

fn find(connection: &Connection, id: TokenId) -> rusqlite::Result<Option<KeptToken>> {
    let sql = format!("{COLUMNS} WHERE id = ?1");
    connection.prepare_cached(&sql)?.query_row([id.0.cast_signed()], token).optional()
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<KeptToken>> {
    let sql = format!("{COLUMNS} ORDER BY name");
    connection.prepare_cached(&sql)?.query_map((), token)?.collect()
}

fn token(row: &Row<'_>) -> rusqlite::Result<KeptToken> {
    let role: String = row.get(2)?;
    let odd_role = || rusqlite::Error::InvalidColumnType(2, "role".to_owned(), Type::Text);
    Ok(KeptToken {
        id: TokenId(row.get::<_, i64>(0)?.cast_unsigned()),
        name: row.get(1)?,
        role: Role::from_name(&role).ok_or_else(odd_role)?,
        level: row.get(3)?,
        hash: row.get::<_, [u8; SECRET_LEN]>(4)?,
        created_unix_ms: u64::try_from(row.get::<_, i64>(5)?).unwrap_or(0),
    })
}
