//! What can go wrong with the store, in words that say what to do.

use std::fmt;
use std::io;
use std::path::PathBuf;

use rusqlite::ffi::ErrorCode;

use crate::metrics::store::Alarm;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data folder cannot be made, entered or read.
    #[error("data folder {}: {source}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The data folder lets other users of the machine put files into it.
    #[error(
        "data folder {} can be written by others: run chmod 0700 on it, or give another",
        .0.display()
    )]
    FolderOpen(PathBuf),
    /// The folder has no database and the caller does not want one made.
    #[error(
        "no database in {}: add a user with `mynah user add`, or give another --data",
        .0.display()
    )]
    Absent(PathBuf),
    /// Another server has the data folder.
    #[error(
        "another server (process {pid}) runs on data folder {}: stop it, or give another --data",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The other server, as it wrote it into the lock file.
        pid: String,
    },
    /// The file is no database, or one of another program.
    #[error("{} is not a database of Mynah: move it away, or give another --data", .0.display())]
    Foreign(PathBuf),
    /// The database has a schema this version does not know.
    #[error("{} was written by a newer Mynah (schema {found}): use that version", path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema version.
        found: i64,
    },
    /// The database cannot be opened.
    #[error("{}: {fault}", path.display())]
    Open {
        /// The database.
        path: PathBuf,
        /// Why.
        fault: Fault,
    },
    /// The file of a backup cannot be made or read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A backup was not written.
    #[error("{} was not written: {}", path.display(), backup_advice(*fault))]
    Backup {
        /// The file that is not there.
        path: PathBuf,
        /// Why.
        fault: Fault,
    },
    /// There is a file of the backup's name.
    #[error("{} exists: give a new name, or a folder", .0.display())]
    BackupExists(PathBuf),
    /// The file is no backup.
    #[error("{} is no backup of Mynah: give a file that `mynah backup` wrote", .0.display())]
    NoBackup(PathBuf),
    /// The file is a backup, but not all of it, or not as it was written.
    #[error("{} is damaged or cut off: give another backup", .0.display())]
    DamagedBackup(PathBuf),
    /// A backup would take the place of a database.
    #[error(
        "data folder {} has a database: give --replace, which keeps it in a folder beside, or \
         another --data",
        .0.display()
    )]
    NotEmpty(PathBuf),
    /// A read or a write failed.
    #[error("{0}")]
    Fault(Fault),
    /// No user has that address.
    #[error("no user {0}: `mynah user list` shows all")]
    NoSuchUser(String),
    /// No token of the API has that name.
    #[error("no token {0}: `mynah api token list` shows all")]
    NoSuchToken(String),
    /// The name of a token is taken.
    #[error("token {0} exists: revoke it first, or give another name")]
    TokenExists(String),
    /// The address is taken.
    #[error("user {0} exists: `mynah user passwd` changes the password")]
    UserExists(String),
    /// Too many requests wait.
    #[error("the store has too many requests waiting: try again")]
    QueueFull,
    /// The store's thread has ended.
    #[error("the store has stopped")]
    Stopped,
    /// The system refuses a thread.
    #[error("cannot start the store's thread: {0}")]
    Thread(io::Error),
    /// The store was told to stop while the disk refused: so many records are lost.
    #[error("{records} call detail records could not be written: {fault}")]
    Unwritten {
        /// Records lost.
        records: usize,
        /// Why.
        fault: Fault,
    },
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        StoreError::Fault(fault)
    }
}

/// What to do when a backup is not written: the disk that is full is not that of the data folder.
fn backup_advice(fault: Fault) -> String {
    match fault.alarm {
        Alarm::DiskFull => "the disk is full: free space there, or give another folder".to_owned(),
        _ => fault.to_string(),
    }
}

/// A failure of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What kind, and so what to do.
    pub alarm: Alarm,
    /// SQLite's extended result code; 0 when the fault is not SQLite's.
    pub code: i32,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLite code {})", self.alarm.advice(), self.code)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let Some(error) = error.sqlite_error() else {
            // A row that cannot be read back: it was not written by us.
            return Fault { alarm: Alarm::Corrupt, code: 0 };
        };
        let alarm = match error.code {
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed => Alarm::Busy,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Alarm::Corrupt,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Alarm::Denied,
            ErrorCode::DiskFull => Alarm::DiskFull,
            ErrorCode::SystemIoFailure => Alarm::Io,
            ErrorCode::ReadOnly => Alarm::ReadOnly,
            _ => Alarm::Other,
        };
        Fault { alarm, code: error.extended_code }
    }
}
