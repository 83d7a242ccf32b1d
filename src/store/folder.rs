//! The data folder: who may look into it, and that one server at a time works in it.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use super::error::StoreError;

const DATABASE: &str = "mynah.db";
const LOCK: &str = "mynah.lock";
/// Group or world may put files into the folder.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The path of the database in `folder`.
pub fn database_path(folder: &Path) -> PathBuf {
    folder.join(DATABASE)
}

/// Makes `folder` with mode 0700 when it is absent. One that exists keeps its mode, for it may be
/// a home or `/tmp`: it is refused when others can write to it.
pub fn prepare(folder: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Folder { folder: folder.to_owned(), source };
    match fs::metadata(folder) {
        Ok(metadata) if !metadata.is_dir() => Err(failed(io::ErrorKind::NotADirectory.into())),
        Ok(metadata) if metadata.permissions().mode() & WRITABLE_BY_OTHERS != 0 => {
            Err(StoreError::FolderOpen(folder.to_owned()))
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)
        }
        Err(error) => Err(failed(error)),
    }
}

/// Makes the database file when it is absent, and sees to it that only its owner can read it: its
/// hashes are as good as passwords. SQLite gives its log files the mode of the database.
pub fn prepare_database(folder: &Path) -> Result<PathBuf, StoreError> {
    let failed = |source| StoreError::Folder { folder: folder.to_owned(), source };
    let path = database_path(folder);
    let options = || {
        let mut options = OpenOptions::new();
        options.write(true).mode(0o600);
        options
    };
    match options().create_new(true).open(&path) {
        Ok(file) => give(&file, folder),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let mode = fs::metadata(&path).map_err(failed)?.permissions().mode();
            if mode & 0o077 != 0 {
                fs::set_permissions(&path, Permissions::from_mode(0o600)).map_err(failed)?;
            }
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(path)
}

/// Gives a file that root has made to the owner of the folder, as far as the system lets us: the
/// server runs as that user, and could not read it otherwise.
pub fn give(file: &File, folder: &Path) {
    if rustix::process::geteuid().is_root()
        && let Ok(owner) = fs::metadata(folder)
    {
        let _ = fchown(file, Some(owner.uid()), Some(owner.gid()));
    }
}

/// Waits until no other process is opening the database in `folder`; the file returned keeps others
/// waiting while it lives. Turning a new database to its write-ahead log cannot stand company:
/// SQLite answers busy there without waiting.
pub fn enter(folder: &Path) -> Result<File, StoreError> {
    let failed = |source| StoreError::Folder { folder: folder.to_owned(), source };
    let file = File::open(folder).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// Held by the one server of a data folder; the system lets go of it when the process dies.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, or says who holds it.
    pub fn take(folder: &Path) -> Result<Self, StoreError> {
        let failed = |source| StoreError::Folder { folder: folder.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(folder.join(LOCK))
            .map_err(failed)?;
        give(&file, folder);
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let read = (&mut file).take(20).read_to_string(&mut pid);
                if read.is_err() || pid.is_empty() || !pid.bytes().all(|b| b.is_ascii_digit()) {
                    pid = "unknown".to_owned();
                }
                return Err(StoreError::InUse { folder: folder.to_owned(), pid });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0).map_err(failed)?;
        write!(file, "{}", std::process::id()).map_err(failed)?;
        Ok(Lock { _file: file })
    }
}
