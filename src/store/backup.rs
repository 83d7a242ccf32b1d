//! Backups. A backup is one file: a database with all that ours holds at one moment, written beside a
//! server that works, and put in the place of a database when none does.
//!
//! A file gets its name when it is whole, has been read through and is on the disk; before that it
//! has another, and is removed when anything fails.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::ffi::ErrorCode;
use rusqlite::{Connection, OpenFlags};
use tempfile::NamedTempFile;

use super::database::Database;
use super::error::{Fault, StoreError};
use super::folder::{self, Lock};
use super::migrations;

/// End of the name of a file that is not whole yet.
const UNFINISHED: &str = ".part";
/// What stands behind the name of a database in those of its files: itself, its log, the log's index.
const FILES: [&str; 3] = ["", "-wal", "-shm"];

/// What a backup holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Users.
    pub users: u64,
    /// Call detail records of conversations and conferences.
    pub records: u64,
    /// Length of the file.
    pub octets: u64,
}

/// What was restored.
#[derive(Debug, PartialEq, Eq)]
pub struct Restored {
    /// What is in the database now.
    pub contents: Contents,
    /// The folder with the database that was there before.
    pub kept: Option<PathBuf>,
}

impl Database {
    /// Writes what the database holds at this moment to a new file, which only its owner can read.
    /// Writers, this process or another, do not wait for it.
    pub fn back_up(&self, file: &Path) -> Result<Contents, StoreError> {
        if fs::symlink_metadata(file).is_ok() {
            return Err(StoreError::BackupExists(file.to_owned()));
        }
        let failed = |source| StoreError::File { path: file.to_owned(), source };
        let parent = folder_of(file);
        let unfinished = unfinished(parent).map_err(failed)?;
        let name = unfinished.path().to_str().ok_or_else(|| {
            failed(io::Error::new(io::ErrorKind::InvalidInput, "the name is not UTF-8"))
        })?;
        // One reading of the database from its beginning to its end, without its free pages.
        self.connection.execute("VACUUM INTO ?1", [name]).map_err(|error| StoreError::Backup {
            path: file.to_owned(),
            fault: Fault::from(error),
        })?;
        let contents = inspect(unfinished.path())?;
        unfinished.as_file().sync_all().map_err(failed)?;
        unfinished.persist_noclobber(file).map_err(|error| failed(error.error))?;
        sync(parent).map_err(failed)?;
        Ok(contents)
    }
}

/// Makes the backup `file` the database of `data`, which is made when it is absent. A database that
/// is there already is moved to the new folder `keep` in it, or is an error without one.
///
/// # Errors
/// When a server runs on `data`, or the file is damaged, of another program or of a newer version.
/// Nothing has changed then.
pub fn restore(file: &Path, data: &Path, keep: Option<&str>) -> Result<Restored, StoreError> {
    // Before anything is made for its sake.
    inspect(file)?;
    folder::prepare(data)?;
    let _lock = Lock::take(data)?;
    let _alone = folder::enter(data)?;
    let database = folder::database_path(data);
    // A log alone is what is left of a database: it would be taken for that of the new one.
    let is_there = FILES.iter().any(|end| fs::symlink_metadata(with_end(&database, end)).is_ok());
    if is_there && keep.is_none() {
        return Err(StoreError::NotEmpty(data.to_owned()));
    }
    let failed = |source| StoreError::Folder { folder: data.to_owned(), source };
    let mut copy = unfinished(data).map_err(failed)?;
    let mut backup =
        File::open(file).map_err(|source| StoreError::File { path: file.to_owned(), source })?;
    io::copy(&mut backup, copy.as_file_mut()).map_err(failed)?;
    // What counts is what the disk took.
    let contents = inspect(copy.path())?;
    folder::give(copy.as_file(), data);
    copy.as_file().sync_all().map_err(failed)?;
    let kept = match keep.filter(|_| is_there) {
        Some(keep) => Some(move_away(&database, &data.join(keep)).map_err(failed)?),
        None => None,
    };
    // After a loss of power too, the old log is gone before the new database is there.
    sync(data).map_err(failed)?;
    copy.persist_noclobber(&database).map_err(|error| failed(error.error))?;
    sync(data).map_err(failed)?;
    Ok(Restored { contents, kept })
}

/// Moves a database and what is beside it to the new folder `to`.
fn move_away(database: &Path, to: &Path) -> io::Result<PathBuf> {
    DirBuilder::new().mode(0o700).create(to)?;
    folder::give(&File::open(to)?, folder_of(database));
    // The database first: a log without one is nothing, one without its log has lost changes.
    for end in FILES {
        let file = with_end(database, end);
        let Some(name) = file.file_name() else { continue };
        match fs::rename(&file, to.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    sync(to)?;
    Ok(to.to_owned())
}

/// Reads a file through: whether it is a whole database of ours, of a version that we know. Neither
/// it nor what is beside it is changed.
fn inspect(path: &Path) -> Result<Contents, StoreError> {
    let file = |source| StoreError::File { path: path.to_owned(), source };
    let metadata = fs::metadata(path).map_err(file)?;
    // Also tells what cannot be opened in the system's words.
    let mut first = [0; 1];
    if !metadata.is_file() || File::open(path).map_err(file)?.read(&mut first).map_err(file)? == 0 {
        return Err(StoreError::NoBackup(path.to_owned()));
    }
    let fault = |error: rusqlite::Error| match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => StoreError::NoBackup(path.to_owned()),
        Some(ErrorCode::DatabaseCorrupt) => StoreError::DamagedBackup(path.to_owned()),
        _ => StoreError::Open { path: path.to_owned(), fault: Fault::from(error) },
    };
    let connection = read_only(path).map_err(fault)?;
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    if number("application_id").map_err(fault)? != migrations::APPLICATION_ID {
        return Err(StoreError::NoBackup(path.to_owned()));
    }
    let found = number("user_version").map_err(fault)?;
    if !(1..=migrations::VERSION).contains(&found) {
        return Err(StoreError::Newer { path: path.to_owned(), found });
    }
    // SQLite reads what is missing of the last page as zeros.
    let pages = number("page_count").map_err(fault)?;
    let whole = number("page_size").map_err(fault)?.checked_mul(pages);
    if whole.and_then(|whole| u64::try_from(whole).ok()) != Some(metadata.len()) {
        return Err(StoreError::DamagedBackup(path.to_owned()));
    }
    let verdict: String =
        connection.pragma_query_value(None, "integrity_check", |row| row.get(0)).map_err(fault)?;
    if verdict != "ok" {
        return Err(StoreError::DamagedBackup(path.to_owned()));
    }
    let rows = |table: &str| -> rusqlite::Result<u64> {
        // Older versions have fewer tables.
        if !connection.table_exists(None, table)? {
            return Ok(0);
        }
        let count: i64 =
            connection.query_row(&format!("SELECT count(*) FROM {table}"), (), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    };
    let users = rows("user").map_err(fault)?;
    let records = rows("cdr").map_err(fault)? + rows("conference_cdr").map_err(fault)?;
    Ok(Contents { users, records, octets: metadata.len() })
}

/// Opens a file that nobody writes: no lock is taken and no log is made beside it.
fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{name}?immutable=1"), flags)
}

/// A new file in `folder` that only its owner can read, and that goes unless it is given a name.
fn unfinished(folder: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new().prefix(".mynah-").suffix(UNFINISHED).tempfile_in(folder)
}

/// The folder of a file; this one of a bare name.
fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `database` with `end` behind its name.
fn with_end(database: &Path, end: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Has the names in `folder` on the disk.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
