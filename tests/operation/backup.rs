//! A backup is taken while the server works, and put back where there is none; a file that is none
//! changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;

use crate::outside::cdr;
use crate::outside::endpoint::Endpoint;
use crate::outside::program::require;
use crate::outside::server::{BINARY, PASSWORD, Server};
use crate::outside::session::Session;
use crate::outside::stream::Stream;

/// Size of the file system that a backup of the demo does not fit on, as `mount` reads it.
const SMALL_DISK: &str = "size=32k";

fn mynah(arguments: &[&str], data: &Path) -> Output {
    Command::new(BINARY).args(arguments).arg("--data").arg(data).output().unwrap()
}

/// What it said when all went well.
fn good(output: Output) -> String {
    let said = String::from_utf8(output.stdout).unwrap();
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), wrong.as_str()), (Some(0), ""), "{said}");
    said
}

/// The one line that says why not.
fn refused(output: Output) -> String {
    let wrong = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(1), &b""[..]), "{wrong}");
    assert_eq!(wrong.lines().count(), 1, "{wrong}");
    wrong.trim_end().to_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A backup of a database with one user and one contact, in `folder`.
fn small_backup(folder: &Path) -> PathBuf {
    let (data, file) = (folder.join("small"), folder.join("small.db"));
    let add = ["user", "import", "-"];
    let mut command = Command::new(BINARY);
    command.args(add).arg("--data").arg(&data).stdin(std::process::Stdio::piped());
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let users = "address,password\nerin@example.test,secret\n";
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), users.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
    good(mynah(&["backup", text(&file)], &data));
    file
}

#[test]
fn a_backup_under_traffic_is_a_whole_server_elsewhere() {
    let server = Server::demo();
    server.add_user("dave", "other");
    let stopped = server.stop();
    let server = stopped.with_data(|data| {
        let database = Connection::open(data.join("mynah.db")).unwrap();
        database
            .execute_batch(
                "INSERT INTO contact_list VALUES ('alice@example.test', 5);
                 INSERT INTO contact_group VALUES ('alice@example.test', 1, '~', '');
                 INSERT INTO contact VALUES
                     ('alice@example.test', 'bob@example.test', 'Bobby', '1', 1, '');",
            )
            .unwrap();
    });
    let mut alice = Endpoint::tcp(&server, "alice");
    let mut bob = Endpoint::tls(&server, "bob");
    let goes_on = Arc::new(AtomicBool::new(true));
    let is_watched = Arc::clone(&goes_on);
    let traffic = thread::spawn(move || {
        let talk = AssertUnwindSafe(|| {
            while is_watched.load(Ordering::Relaxed) {
                let mut session = Session::open(&mut alice, &mut bob);
                session.say(&mut alice, &mut bob, "hello");
                session.close(&mut alice, &mut bob);
            }
        });
        std::panic::catch_unwind(talk).is_ok()
    });
    server.wait_metric("mynah_im_sessions_started_total", |started| started >= 20.0);
    let shown: Vec<_> =
        server.records().into_iter().filter(|record| record.ending.is_some()).collect();
    let elsewhere = tempfile::tempdir().unwrap();
    let first = elsewhere.path().join("first.db");
    let said = good(server.command(&["backup", text(&first)]));
    let begin = format!("{}: 4 users, ", first.display());
    assert!(said.starts_with(&begin) && said.lines().count() == 1, "{said}");
    assert!(said.contains("read through and good; not in it: mynah.toml, certificates"), "{said}");
    assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
    // Its name is taken now; a folder gets another name each second.
    let exists = refused(server.command(&["backup", text(&first)]));
    assert!(exists.ends_with("first.db exists: give a new name, or a folder"), "{exists}");
    good(server.command(&["backup", text(elsewhere.path())]));
    let found = names(elsewhere.path());
    assert_eq!(found.len(), 2, "nothing is left that was not finished: {found:?}");
    assert!(found.iter().any(|name| name.starts_with("mynah-") && name.ends_with("Z.db")));
    goes_on.store(false, Ordering::Relaxed);
    assert!(traffic.join().unwrap(), "nobody noticed the backup");
    server.stop();

    let new = Server::demo_with_data(|data| {
        let said = good(mynah(&["restore", text(&first)], data));
        assert!(said.starts_with(&format!("{} restored: 4 users, ", data.display())), "{said}");
        assert_eq!(
            fs::metadata(data.join("mynah.db")).unwrap().permissions().mode() & 0o777,
            0o600
        );
    });
    Endpoint::sign_in(Stream::tls(&new), "dave", "other");
    Endpoint::sign_in(Stream::tls(&new), "alice", PASSWORD);
    let server = new.ready.http.to_string();
    let contacts = ["contacts", "alice@example.test", "--http", &server];
    let contacts = good(new.command(&contacts));
    assert!(contacts.contains("bob@example.test") && contacts.contains("Bobby"), "{contacts}");
    let restored = cdr::read(&new.command(&["cdr", "--format", "json"]).stdout);
    for record in &shown {
        assert!(restored.contains(record), "{record:#?} is not in the backup");
    }
    new.stop();
}

#[test]
fn a_data_folder_in_use_is_not_touched_and_one_with_a_database_when_told() {
    let elsewhere = tempfile::tempdir().unwrap();
    let backup = small_backup(elsewhere.path());
    let server = Server::demo();
    for line in [&["restore", text(&backup)][..], &["restore", text(&backup), "--replace"]] {
        let said = refused(server.command(line));
        let process = format!("another server (process {}) runs on data folder", server.ready.pid);
        assert!(said.contains(&process), "{said}");
    }
    let data = server.data();
    let stopped = server.stop();
    let before = names(&data);
    let said = refused(mynah(&["restore", text(&backup)], &data));
    assert!(said.contains("has a database: give --replace"), "{said}");
    assert_eq!(names(&data), before);

    let said = good(mynah(&["restore", text(&backup), "--replace"], &data));
    let kept = PathBuf::from(said.trim_end().rsplit_once(" is in ").unwrap().1);
    assert!(kept.starts_with(&data) && kept != data, "{said}");
    assert!(good(mynah(&["user", "list"], &data)).contains("erin@example.test"));
    let old = good(mynah(&["user", "list"], &kept));
    assert!(old.contains("alice@example.test") && !old.contains("erin"), "{old}");
    drop(stopped);
}

#[test]
fn a_file_that_is_no_whole_backup_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let backup = small_backup(folder.path());
    let whole = fs::read(&backup).unwrap();
    let page = 4096;
    fs::write(at("half"), &whole[..whole.len() / 2]).unwrap();
    fs::write(at("last-page"), &whole[..whole.len() - page]).unwrap();
    fs::write(at("last-octet"), &whole[..whole.len() - 1]).unwrap();
    fs::write(at("head"), &whole[..50]).unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("text"), "no database at all\n".repeat(500)).unwrap();
    let mut hole = whole.clone();
    hole[page..2 * page].fill(0x5a);
    fs::write(at("hole"), hole).unwrap();
    Connection::open(at("other")).unwrap().execute_batch("CREATE TABLE t (a)").unwrap();
    fs::copy(&backup, at("newer")).unwrap();
    Connection::open(at("newer")).unwrap().pragma_update(None, "user_version", 999).unwrap();
    fs::create_dir(at("folder")).unwrap();

    let damaged = "is damaged or cut off: give another backup";
    let none = "is no backup of Mynah: give a file that `mynah backup` wrote";
    let existing = at("small");
    let database = fs::read(existing.join("mynah.db")).unwrap();
    for (name, reason) in [
        ("half", damaged),
        ("last-page", damaged),
        ("last-octet", damaged),
        ("hole", damaged),
        ("head", none),
        ("empty", none),
        ("text", none),
        ("other", none),
        ("folder", none),
        ("newer", "was written by a newer Mynah (schema 999): use that version"),
        ("absent", "No such file or directory"),
    ] {
        let file = at(name);
        let said = refused(mynah(&["restore", text(&file)], &at("new")));
        assert!(said.contains(&format!("/{name}")) && said.contains(reason), "{name}: {said}");
        assert!(!at("new").exists(), "{name}");
        let before = names(&existing);
        refused(mynah(&["restore", text(&file), "--replace"], &existing));
        assert_eq!(names(&existing), before, "{name}");
        assert_eq!(fs::read(existing.join("mynah.db")).unwrap(), database, "{name}");
    }
    // Names that mean something to SQLite are names.
    fs::copy(&backup, at("a?mode=rwc#b%41.db")).unwrap();
    good(mynah(&["restore", text(&at("a?mode=rwc#b%41.db"))], &at("new")));
}

#[test]
fn a_full_disk_leaves_no_half_backup() {
    require("unshare", "util-linux");
    let folder = tempfile::tempdir().unwrap();
    small_backup(folder.path());
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    // A file system of its own, which only these programs see, and which goes with them.
    let script = format!(
        "mount -t tmpfs -o {SMALL_DISK} none \"$1\" && ! \"$0\" backup \"$1/b.db\" --data \"$2\" && \
         ls -A \"$1\""
    );
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script, BINARY]);
    let output = command.arg(&disk).arg(folder.path().join("small")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "/b.db was not written: the disk is full: free space there";
    assert!(said.contains(expected) && said.lines().count() == 1, "{said}");
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]), "{said}");
}
