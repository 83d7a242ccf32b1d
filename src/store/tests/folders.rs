//! The data folder and the database file in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::super::{Store, StoreError, UserChange};
use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn only_the_owner_can_read_what_is_made() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("var/mynah");
    let store = Store::open(&folder, &limits()).unwrap();
    store.handle().change_user(UserChange::Add(user("a@b.test", "x"))).unwrap().wait().unwrap();
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 4, "database, its log, the log's index, lock: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_database_that_others_can_read_is_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let path = folder.path().join("mynah.db");
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    drop(open(folder.path()));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_folder_that_others_can_write_to_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o1777)).unwrap();
    let error = Database::open(folder.path(), BUSY_TIMEOUT).unwrap_err();
    assert!(matches!(error, StoreError::FolderOpen(_)), "{error}");
    assert_eq!(mode(folder.path()), 0o777);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_file_in_place_of_the_folder_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let error = Database::open(&folder, BUSY_TIMEOUT).unwrap_err();
        assert!(matches!(error, StoreError::Folder { .. }), "{error}");
    }
}

#[test]
fn a_command_that_only_reads_makes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let error = Database::open_existing(folder.path(), BUSY_TIMEOUT).unwrap_err();
    assert!(matches!(error, StoreError::Absent(_)), "{error}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_second_server_on_the_folder_is_told_who_has_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    match Store::open(folder.path(), &limits()).unwrap_err() {
        StoreError::InUse { pid, .. } => assert_eq!(pid, std::process::id().to_string()),
        error => panic!("{error}"),
    }
    assert!(matches!(Store::check_free(folder.path()), Err(StoreError::InUse { .. })));
    store.close().unwrap();
    Store::check_free(folder.path()).unwrap();
    Store::check_free(&folder.path().join("absent")).unwrap();
    Store::open(folder.path(), &limits()).unwrap();
}

#[test]
fn what_is_no_database_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mynah.db");
    fs::write(&path, "hosts: files dns\n".repeat(1000)).unwrap();
    let error = Database::open(folder.path(), BUSY_TIMEOUT).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error}");
    assert!(fs::read(&path).unwrap().starts_with(b"hosts: files dns\n"));

    fs::remove_file(&path).unwrap();
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE bookmark (url TEXT)").unwrap();
    let error = Database::open(folder.path(), BUSY_TIMEOUT).unwrap_err();
    assert!(matches!(error, StoreError::Foreign(_)), "{error}");
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(folder.path());
    database.connection.pragma_update(None, "user_version", 1_000).unwrap();
    drop(database);
    match Database::open(folder.path(), BUSY_TIMEOUT).unwrap_err() {
        StoreError::Newer { found, .. } => assert_eq!(found, 1_000),
        error => panic!("{error}"),
    }
}

#[test]
fn processes_that_make_the_database_at_once_do_not_disturb_each_other() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let folder = folder.path();
            scope.spawn(move || {
                let user = user(&format!("user{n}@example.test"), "secret");
                open(folder).change_user(&UserChange::Add(user)).unwrap();
            });
        }
    });
    assert_eq!(open(folder.path()).users().unwrap().len(), 8);
}

#[test]
fn errors_are_one_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let _store = Store::open(folder.path(), &limits()).unwrap();
    let error = Store::open(folder.path(), &limits()).unwrap_err().to_string();
    let expected = format!(
        "another server (process {}) runs on data folder {}: stop it, or give another --data",
        std::process::id(),
        folder.path().display(),
    );
    assert_eq!(error, expected);
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_folder() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, data) = (folder.path().join("backup.db"), folder.path().join("data"));
    fs::create_dir(&data).unwrap();
    std::os::unix::fs::chown(&data, Some(4321), Some(8765)).unwrap();
    let owner = |path: &Path| {
        let metadata = fs::metadata(path).unwrap();
        (metadata.uid(), metadata.gid())
    };
    drop(Store::open(&data, &limits()).unwrap());
    open(&data).back_up(&file).unwrap();
    super::super::restore(&file, &data, Some("old")).unwrap();
    for name in ["mynah.db", "mynah.lock", "old", "old/mynah.db"] {
        assert_eq!(owner(&data.join(name)), (4321, 8765), "{name}");
    }
}
