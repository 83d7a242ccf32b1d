//! Rows of presence documents. The row of `presence` is there as soon as anything is kept of a
//! document; all else goes with it. A publication without time is one that was deleted: its
//! version stays, so that the next one under its key is higher.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, params};

use super::database::Database;
use super::error::{Fault, StoreError};
use super::meaning;
use crate::base::aor::Aor;
use crate::presence::category::Category;
use crate::presence::container::{Container, ContainerId, Member};
use crate::presence::publication::{Key, Life, Payload, Publication};
use crate::presence::row::Row;

impl Database {
    /// What is kept of the presence document of the user of that address, in the order in which
    /// it is restored; nothing for a user without.
    pub fn presence_rows(&self, aor: &str) -> Result<Vec<Row>, StoreError> {
        let transaction = self.connection.unchecked_transaction().map_err(Fault::from)?;
        Ok(rows(&transaction, aor).map_err(Fault::from)?)
    }
}

/// Writes `rows` of the document of `owner`, who is a user, within the caller's transaction.
pub fn apply(connection: &Connection, owner: &str, rows: &[Row]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO presence VALUES (?1, 0) ON CONFLICT DO NOTHING")?
        .execute([owner])?;
    for row in rows {
        match row {
            Row::PutPublication(publication) => put(connection, owner, publication)?,
            Row::DeletePublication { key, version } => retire(connection, owner, key, *version)?,
            Row::Forget { key, floor } => forget(connection, owner, key, *floor)?,
            Row::PutContainer(container) => put_container(connection, owner, container)?,
            Row::PutSubscriber { user, acknowledged } => {
                connection
                    .prepare_cached("INSERT OR REPLACE INTO subscriber VALUES (?1, ?2, ?3)")?
                    .execute(params![owner, user.as_str(), acknowledged])?;
            }
            Row::DeleteSubscriber(user) => {
                connection
                    .prepare_cached("DELETE FROM subscriber WHERE owner = ?1 AND address = ?2")?
                    .execute([owner, user.as_str()])?;
            }
        }
    }
    Ok(())
}

fn put(connection: &Connection, owner: &str, publication: &Publication) -> rusqlite::Result<()> {
    debug_assert_eq!(publication.life, Life::Static, "only what is static is kept");
    let Publication { key, version, published_ms, payload, .. } = publication;
    connection.prepare_cached(PUT_PUBLICATION)?.execute(params![
        owner,
        key.container.0,
        key.category.name(),
        key.instance,
        version,
        i64::try_from(*published_ms).unwrap_or(i64::MAX),
        meaning::write(&payload.meaning),
        payload.source,
    ])?;
    Ok(())
}

fn retire(connection: &Connection, owner: &str, key: &Key, version: u32) -> rusqlite::Result<()> {
    connection.prepare_cached(PUT_PUBLICATION)?.execute(params![
        owner,
        key.container.0,
        key.category.name(),
        key.instance,
        version,
        None::<i64>,
        None::<String>,
        None::<String>,
    ])?;
    Ok(())
}

const PUT_PUBLICATION: &str =
    "INSERT OR REPLACE INTO publication VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

fn forget(connection: &Connection, owner: &str, key: &Key, floor: u32) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "DELETE FROM publication \
             WHERE owner = ?1 AND container = ?2 AND category = ?3 AND instance = ?4",
        )?
        .execute(params![owner, key.container.0, key.category.name(), key.instance])?;
    connection
        .prepare_cached(
            "UPDATE presence SET version_floor = max(version_floor, ?2) WHERE owner = ?1",
        )?
        .execute(params![owner, floor])?;
    Ok(())
}

fn put_container(
    connection: &Connection,
    owner: &str,
    container: &Container,
) -> rusqlite::Result<()> {
    let Container { id, version, members } = container;
    connection
        .prepare_cached("INSERT OR REPLACE INTO container VALUES (?1, ?2, ?3)")?
        .execute(params![owner, id.0, version])?;
    connection
        .prepare_cached("DELETE FROM container_member WHERE owner = ?1 AND container = ?2")?
        .execute(params![owner, id.0])?;
    let mut insert = connection
        .prepare_cached("INSERT OR IGNORE INTO container_member VALUES (?1, ?2, ?3, ?4)")?;
    for member in members {
        let (kind, value) = match member {
            Member::User(aor) => (USER, aor.as_str()),
            Member::Domain(domain) => (DOMAIN, &**domain),
            Member::SameEnterprise => (SAME_ENTERPRISE, ""),
            Member::Federated => (FEDERATED, ""),
            Member::PublicCloud => (PUBLIC_CLOUD, ""),
            Member::Everyone => (EVERYONE, ""),
        };
        insert.execute(params![owner, id.0, kind, value])?;
    }
    Ok(())
}

const USER: &str = "user";
const DOMAIN: &str = "domain";
const SAME_ENTERPRISE: &str = "same_enterprise";
const FEDERATED: &str = "federated";
const PUBLIC_CLOUD: &str = "public_cloud";
const EVERYONE: &str = "everyone";

/// What is kept of the document of `owner`; what was forgotten comes first.
pub fn rows(connection: &Connection, owner: &str) -> rusqlite::Result<Vec<Row>> {
    let mut kept = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT version_floor FROM presence WHERE owner = ?1 AND version_floor > 0",
    )?;
    let mut rows = statement.query([owner])?;
    while let Some(row) = rows.next()? {
        // Which keys were forgotten is not kept; this is nobody's.
        let key = Key { category: Category::of(""), container: ContainerId::DEFAULT, instance: 0 };
        kept.push(Row::Forget { key, floor: row.get(0)? });
    }
    read_publications(connection, owner, &mut kept)?;
    read_containers(connection, owner, &mut kept)?;
    let mut statement = connection
        .prepare_cached("SELECT address, acknowledged FROM subscriber WHERE owner = ?1")?;
    let mut rows = statement.query([owner])?;
    while let Some(row) = rows.next()? {
        let user = Aor::new(row.get_ref(0)?.as_str()?);
        kept.push(Row::PutSubscriber { user, acknowledged: row.get(1)? });
    }
    Ok(kept)
}

fn read_publications(
    connection: &Connection,
    owner: &str,
    kept: &mut Vec<Row>,
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT category, container, instance, version, published_unix_ms, meaning, source \
         FROM publication WHERE owner = ?1",
    )?;
    let mut rows = statement.query([owner])?;
    while let Some(row) = rows.next()? {
        let key = Key {
            category: Category::of(row.get_ref(0)?.as_str()?),
            container: ContainerId(row.get(1)?),
            instance: row.get(2)?,
        };
        let version = row.get(3)?;
        let Some(published) = row.get::<_, Option<i64>>(4)? else {
            kept.push(Row::DeletePublication { key, version });
            continue;
        };
        let meaning = meaning::read(row.get_ref(5)?.as_str()?).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(5, Type::Text, error.into())
        })?;
        let source = Arc::from(row.get_ref(6)?.as_str()?);
        kept.push(Row::PutPublication(Publication {
            key,
            version,
            published_ms: u64::try_from(published).unwrap_or(0),
            life: Life::Static,
            payload: Arc::new(Payload { meaning, source }),
        }));
    }
    Ok(())
}

fn read_containers(
    connection: &Connection,
    owner: &str,
    kept: &mut Vec<Row>,
) -> rusqlite::Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT id, version FROM container WHERE owner = ?1")?;
    let mut rows = statement.query([owner])?;
    while let Some(row) = rows.next()? {
        let id = ContainerId(row.get(0)?);
        let members = read_members(connection, owner, id)?;
        kept.push(Row::PutContainer(Container { id, version: row.get(1)?, members }));
    }
    Ok(())
}

fn read_members(
    connection: &Connection,
    owner: &str,
    id: ContainerId,
) -> rusqlite::Result<Vec<Member>> {
    let mut members = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT kind, value FROM container_member WHERE owner = ?1 AND container = ?2",
    )?;
    let mut rows = statement.query(params![owner, id.0])?;
    while let Some(row) = rows.next()? {
        let value = row.get_ref(1)?.as_str()?;
        members.push(match row.get_ref(0)?.as_str()? {
            USER => Member::User(Aor::new(value)),
            DOMAIN => Member::Domain(value.into()),
            SAME_ENTERPRISE => Member::SameEnterprise,
            FEDERATED => Member::Federated,
            PUBLIC_CLOUD => Member::PublicCloud,
            EVERYONE => Member::Everyone,
            _ => {
                let error = "unknown word".into();
                return Err(rusqlite::Error::FromSqlConversionFailure(0, Type::Text, error));
            }
        });
    }
    members.sort();
    Ok(members)
}
