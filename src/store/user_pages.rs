//! The users a page at a time, for those who look at many.

use rusqlite::{Connection, params};

use super::database::Database;
use super::error::{Fault, StoreError};
use super::users::{self, COLUMNS};
use crate::directory::User;

/// Which users, and how many at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPage {
    /// What stands in the address or in the name that others see, whatever the case of
    /// its letters from a to z; empty for all.
    pub text: String,
    /// Address of the last user of the page before; empty for the first page.
    pub after: String,
    /// Most users.
    pub users_max: usize,
}

impl Database {
    /// A page of users, by address.
    pub fn users_page(&self, page: &UserPage) -> Result<Vec<User>, StoreError> {
        Ok(read(&self.connection, page).map_err(Fault::from)?)
    }
}

fn read(connection: &Connection, page: &UserPage) -> rusqlite::Result<Vec<User>> {
    let sql = format!(
        "{COLUMNS} WHERE aor > ?1 AND (?2 = '' OR instr(aor, lower(?2)) > 0
         OR instr(lower(display_name), lower(?2)) > 0) ORDER BY aor LIMIT ?3"
    );
    let rows = i64::try_from(page.users_max).unwrap_or(i64::MAX);
    connection
        .prepare_cached(&sql)?
        .query_map(params![page.after, page.text, rows], users::user)?
        .collect()
}
