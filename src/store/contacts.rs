//! Rows of contact lists. The row of `contact_list` is there as soon as anything is kept of a
//! list; all else goes with it.

use rusqlite::{Connection, params};

use super::database::Database;
use super::error::{Fault, StoreError};
use crate::base::aor::Aor;
use crate::contacts::{Contact, Group, GroupId, Groups, Row};

impl Database {
    /// What is kept of the contact list of the user of that address, in the order in which it is
    /// restored; nothing for a user without.
    pub fn contact_rows(&self, aor: &str) -> Result<Vec<Row>, StoreError> {
        let transaction = self.connection.unchecked_transaction().map_err(Fault::from)?;
        Ok(rows(&transaction, aor).map_err(Fault::from)?)
    }
}

/// Writes `rows` of the list of `owner`, who is a user, within the caller's transaction.
pub fn apply(connection: &Connection, owner: &str, rows: &[Row]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO contact_list VALUES (?1, 1) ON CONFLICT DO NOTHING")?
        .execute([owner])?;
    for row in rows {
        match row {
            Row::DeltaNumber(number) => connection
                .prepare_cached("UPDATE contact_list SET delta = ?2 WHERE owner = ?1")?
                .execute(params![owner, number])?,
            Row::DeleteContact(address) => connection
                .prepare_cached("DELETE FROM contact WHERE owner = ?1 AND address = ?2")?
                .execute([owner, address.as_str()])?,
            Row::DeleteGroup(id) => connection
                .prepare_cached("DELETE FROM contact_group WHERE owner = ?1 AND id = ?2")?
                .execute(params![owner, id.number()])?,
            Row::PutContact(contact) => connection
                .prepare_cached("INSERT OR REPLACE INTO contact VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                .execute(params![
                    owner,
                    contact.address.as_str(),
                    contact.name,
                    group_ids(contact.groups),
                    contact.subscribed,
                    contact.external_uri,
                ])?,
            Row::PutGroup(group) => connection
                .prepare_cached("INSERT OR REPLACE INTO contact_group VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![owner, group.id.number(), group.name, group.external_uri])?,
        };
    }
    Ok(())
}

/// What is kept of the list of `owner`: groups before the contacts in them, its number last.
pub fn rows(connection: &Connection, owner: &str) -> rusqlite::Result<Vec<Row>> {
    let mut kept = Vec::new();
    let mut statement = connection.prepare_cached(
        "SELECT id, name, external_uri FROM contact_group WHERE owner = ?1 ORDER BY id",
    )?;
    let mut rows = statement.query([owner])?;
    while let Some(row) = rows.next()? {
        let number = row.get(0)?;
        let id = GroupId::new(number).ok_or(out_of_range(0, number))?;
        kept.push(Row::PutGroup(Group { id, name: row.get(1)?, external_uri: row.get(2)? }));
    }
    let mut statement = connection.prepare_cached(
        "SELECT address, name, group_ids, subscribed, external_uri FROM contact \
         WHERE owner = ?1 ORDER BY address",
    )?;
    let mut rows = statement.query([owner])?;
    while let Some(row) = rows.next()? {
        kept.push(Row::PutContact(Contact {
            address: Aor::new(row.get_ref(0)?.as_str()?),
            name: row.get(1)?,
            groups: groups(row.get_ref(2)?.as_str()?),
            subscribed: row.get(3)?,
            external_uri: row.get(4)?,
        }));
    }
    let mut statement =
        connection.prepare_cached("SELECT delta FROM contact_list WHERE owner = ?1")?;
    let mut rows = statement.query([owner])?;
    while let Some(row) = rows.next()? {
        kept.push(Row::DeltaNumber(row.get(0)?));
    }
    Ok(kept)
}

/// The groups as an operator reads them: `1 4`.
fn group_ids(groups: Groups) -> String {
    let ids: Vec<String> = groups.iter().map(|id| id.to_string()).collect();
    ids.join(" ")
}

/// Reads [`group_ids`]; what is no number of a group is left out.
fn groups(ids: &str) -> Groups {
    ids.split_ascii_whitespace().filter_map(|id| GroupId::new(id.parse().ok()?)).collect()
}

fn out_of_range(column: usize, number: u32) -> rusqlite::Error {
    rusqlite::Error::IntegralValueOutOfRange(column, number.into())
}
