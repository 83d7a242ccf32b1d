//! One connection to the database of a data folder.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::ffi::{ErrorCode, SQLITE_FULL};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::error::{Fault, StoreError};
use super::{folder, migrations};
use crate::metrics::store::Alarm;

/// The write-ahead log is cut back to this after a checkpoint, so that one burst does not keep the
/// disk for ever.
const LOG_BYTES_KEPT: i64 = 64 << 20;
/// Room that a disk must have before it is no longer full, in octets: some large commits.
const ROOM: usize = 1 << 20;
/// Statements kept prepared; there are fewer.
const STATEMENTS_CACHED: usize = 64;

/// The database of a data folder, opened by this process: by the store's thread in the server, by
/// a command on the command line. Several may be open at a time, in any number of processes.
#[derive(Debug)]
pub struct Database {
    pub(super) connection: Connection,
}

impl Database {
    /// Opens the database in `folder`; folder and database are made when absent. A write waits
    /// `busy_timeout` for another process.
    pub fn open(folder: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        folder::prepare(folder)?;
        let _alone = folder::enter(folder)?;
        let path = folder::prepare_database(folder)?;
        let fail = |error: rusqlite::Error| {
            let foreign = error.sqlite_error_code() == Some(ErrorCode::NotADatabase);
            let fault = Fault::from(error);
            match foreign {
                true => StoreError::Foreign(path.clone()),
                false => StoreError::Open { path: path.clone(), fault },
            }
        };
        let mut connection = connect(&path, busy_timeout).map_err(fail)?;
        if !migrations::is_ours(&connection).map_err(fail)? {
            return Err(StoreError::Foreign(path));
        }
        configure(&connection).map_err(fail)?;
        if let Err(found) = migrations::migrate(&mut connection).map_err(fail)? {
            return Err(StoreError::Newer { path, found });
        }
        Ok(Database { connection })
    }

    /// Like [`open`](Self::open), but a folder without a database is an error.
    pub fn open_existing(folder: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        if !folder::database_path(folder).exists() {
            return Err(StoreError::Absent(folder.to_owned()));
        }
        Self::open(folder, busy_timeout)
    }

    /// Begins to write. The lock is taken at once, so a later statement cannot find it taken.
    pub(super) fn begin(&mut self) -> Result<Transaction<'_>, Fault> {
        Ok(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    /// Writes nothing new, but as deep as the disk: tells whether writing works again.
    pub(super) fn probe(&mut self) -> Result<(), Fault> {
        let transaction = self.begin()?;
        transaction.prepare_cached("UPDATE directory SET version = version")?.execute(())?;
        Ok(transaction.commit()?)
    }

    /// Tells whether the disk has room for some commits, by taking it for a moment. What
    /// [`probe`](Self::probe) writes finds a place that the log has already, on a full disk too.
    pub(super) fn look_for_room(&self) -> Result<(), Fault> {
        let Some(path) = self.connection.path() else { return Ok(()) };
        let path = PathBuf::from(format!("{path}-room"));
        let taken = std::fs::write(&path, vec![0; ROOM]);
        // What is left of it is overwritten by the next look.
        let _ = std::fs::remove_file(&path);
        match taken.map_err(|error| error.kind()) {
            Err(ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::WriteZero) => {
                Err(Fault { alarm: Alarm::DiskFull, code: SQLITE_FULL })
            }
            // Others are for SQLite to find.
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn connect(path: &PathBuf, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // The log is synced at each commit: also a loss of power takes no committed row.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_size_limit", LOG_BYTES_KEPT)?;
    // A removed user's hashes do not stay behind in free pages.
    connection.pragma_update(None, "secure_delete", "ON")?;
    // What is kept of a user is deleted with him.
    connection.pragma_update(None, "foreign_keys", "ON")?;
    connection.pragma_update(None, "trusted_schema", "OFF")
}
