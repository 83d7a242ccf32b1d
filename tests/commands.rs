//! The commands as an operator runs them: the real binary, its output and its exit code.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};

use mynah::base::aor::Aor;
use mynah::base::ids::{ConferenceId, Slot};
use mynah::base::limits::Limits;
use mynah::base::seed::Seed;
use mynah::contacts::{self, Contact, Group, GroupId, Groups};
use mynah::presence::category::Category;
use mynah::presence::container::ContainerId;
use mynah::presence::publication::{Key, Life, Meaning, Payload, Publication};
use mynah::presence::row::Row;
use mynah::presence::state::{Note, NoteKind};
use mynah::records::{
    ConferenceEntered, ConferenceStarted, End, Ended, Ending, Kind, Record, RecordId, Role, Started,
};
use mynah::shard::durable::{self, NotWritten, Rows};
use mynah::store::{Receipt, Store, WayBack};

/// What a command said and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    code: i32,
    out: String,
    err: String,
}

/// Runs `mynah` in `folder` with `input` on standard input.
fn mynah(folder: &Path, line: &[&str], input: &str) -> Outcome {
    let mut child = Command::new(env!("CARGO_BIN_EXE_mynah"))
        .args(line)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that does not read leaves its pipe closed.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn good(folder: &Path, line: &[&str], input: &str) -> String {
    let outcome = mynah(folder, line, input);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{line:?}");
    outcome.out
}

/// The one line on standard error, without its newline.
fn bad(folder: &Path, line: &[&str], input: &str) -> String {
    let outcome = mynah(folder, line, input);
    assert_eq!((outcome.code, outcome.out.as_str()), (1, ""), "{line:?}");
    let text = outcome.err.strip_suffix('\n').unwrap();
    assert!(!text.contains('\n'), "{text}");
    text.to_owned()
}

#[test]
fn users_are_added_listed_changed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let add = ["user", "add", "Alice@Example.test", "--name", "Alice", "--password-stdin"];
    let out = good(at, &[&add[..], &["--data", "d"]].concat(), "secret\n");
    assert_eq!(out, "alice@example.test added\n");
    assert_eq!(fs::metadata(at.join("d")).unwrap().permissions().mode() & 0o777, 0o700);
    let bob = ["user", "add", "bob@example.test", "--login", "CORP\\bob", "--password-stdin"];
    good(at, &[&bob[..], &["--data", "d"]].concat(), "secret\n");
    let disable = ["user", "disable", "bob@example.test", "--data", "d"];
    assert_eq!(good(at, &disable, ""), "bob@example.test disabled\n");
    let list = ["user", "list", "--data", "d"];
    assert_eq!(
        good(at, &list, ""),
        "\
ADDRESS             LOGIN     STATE     POLICY   NAME
alice@example.test  alice     enabled   default  Alice
bob@example.test    CORP\\bob  disabled  default
"
    );
    let passwd = ["user", "passwd", "alice@example.test", "--password-stdin", "--data", "d"];
    assert_eq!(good(at, &passwd, "other\n"), "alice@example.test: password changed\n");
    let enable = ["user", "enable", "bob@example.test", "--data", "d"];
    assert_eq!(good(at, &enable, ""), "bob@example.test enabled\n");
    let remove = ["user", "remove", "bob@example.test", "--data", "d"];
    assert_eq!(good(at, &remove, ""), "bob@example.test removed\n");
    assert_eq!(good(at, &list, "").lines().count(), 2);
}

#[test]
fn what_others_see_of_a_user_is_set_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let add = ["user", "add", "alice@example.test", "--title", "Tester", "--password-stdin"];
    good(at, &[&add[..], &["--data", "d"]].concat(), "secret\n");
    let users = "address,password,display name,department,policy\n\
                 bob@example.test,secret,Bob,\"Sales, EU\",sales\n";
    let import = ["user", "import", "-", "--data", "d"];
    assert_eq!(good(at, &import, users), "1 users added\n");
    let set = |rest: &[&'static str]| {
        [&["user", "set", "alice@example.test", "--data", "d"][..], rest].concat()
    };
    for rest in [
        &["--display-name", "Alice Ames", "--title", "", "--office", "2.17"][..],
        &["--department", "R", "--company", "Ex", "--email", "a@mail.test", "--policy", "lab"],
        &["--phone-work", "+1 2", "--phone-mobile", "+1 3", "--phone-home", "+1 4"],
        &["--photo-url", "https://example.test/a", "--photo-hash", "h"],
    ] {
        assert_eq!(good(at, &set(rest), ""), "alice@example.test changed\n");
    }
    let list = ["user", "list", "--data", "d"];
    assert_eq!(
        good(at, &list, ""),
        "\
ADDRESS             LOGIN  STATE     POLICY  NAME
alice@example.test  alice  enabled   lab     Alice Ames
bob@example.test    bob    enabled   sales   Bob
"
    );
    let json = good(at, &[&list[..], &["--format", "json"]].concat(), "");
    let listed: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        listed[0],
        serde_json::json!({
            "address": "alice@example.test", "login": "alice", "enabled": true,
            "display_name": "Alice Ames", "title": "", "department": "R", "company": "Ex",
            "office": "2.17", "email": "a@mail.test", "phone_work": "+1 2",
            "phone_mobile": "+1 3", "phone_home": "+1 4",
            "photo_url": "https://example.test/a", "photo_hash": "h", "policy": "lab",
        })
    );
    assert_eq!(listed[1]["department"], "Sales, EU");

    assert_eq!(
        bad(at, &set(&[]), ""),
        "mynah: nothing to set: give --title, --policy or another option of `mynah user set -h`"
    );
    assert_eq!(
        bad(at, &set(&["--photo-url", "file:///x"]), ""),
        "mynah: the photo url must begin with https:// or http://, and the photo hash needs one"
    );
    assert_eq!(
        bad(at, &["user", "set", "x@example.test", "--title", "x", "--data", "d"], ""),
        "mynah: no user x@example.test: `mynah user list` shows all"
    );
    fs::write(at.join("m.toml"), "[server]\ndata = 'd'\n[policy.lab]\n").unwrap();
    let at_home = ["user", "set", "alice@example.test", "--config", "m.toml", "--policy"];
    assert_eq!(
        bad(at, &[&at_home[..], &["sales"]].concat(), ""),
        "mynah: sales: there is no such policy: use one of default, lab, or add a section \
         [policy.NAME]"
    );
    good(at, &[&at_home[..], &["lab"]].concat(), "");
}

#[test]
fn faults_are_one_line_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let add = ["user", "add", "alice@example.test", "--password-stdin", "--data", "d"];
    assert_eq!(
        bad(at, &add, ""),
        "mynah: no password on standard input: write it on the first line"
    );
    good(at, &add, "secret\n");
    assert_eq!(
        bad(at, &add, "secret\n"),
        "mynah: user alice@example.test exists: `mynah user passwd` changes the password"
    );
    assert_eq!(
        bad(at, &["user", "add", "bob@example.test", "--data", "d"], ""),
        "mynah: no terminal to ask for the password: give it on standard input with \
         --password-stdin"
    );
    assert_eq!(
        bad(at, &["user", "remove", "bob@example.test", "--data", "d"], ""),
        "mynah: no user bob@example.test: `mynah user list` shows all"
    );
    assert_eq!(
        bad(at, &["user", "list", "--data", "nowhere"], ""),
        "mynah: no database in nowhere: add a user with `mynah user add`, or give another --data"
    );
    assert!(!at.join("nowhere").exists());
    assert_eq!(
        bad(at, &["user", "list", "--config", "no.toml"], ""),
        "mynah: no.toml: give the configuration with --config: No such file or directory \
         (os error 2)"
    );
}

#[test]
fn a_wrong_command_line_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        &["nonsense"][..],
        &["user", "add", "not-an-address"],
        &["cdr", "--format", "xml"],
        &["cdr", "--since", "yesterday"],
        &["conference", "show", "C71C"],
        &["conference", "end"],
        &["serve", "--cores", "0"],
        &["demo", "--tls", "5061"],
        &[],
    ] {
        let outcome = mynah(folder.path(), line, "");
        assert_eq!(outcome.code, 2, "{line:?}: {outcome:?}");
        assert!(!outcome.err.is_empty());
    }
}

#[test]
fn a_configuration_says_where_the_data_is_and_which_domains_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    fs::create_dir(at.join("etc")).unwrap();
    fs::write(at.join("etc/m.toml"), "[server]\ndata = 'var'\ndomains = ['corp.test']\n").unwrap();
    let add = ["user", "add", "a@corp.test", "--password-stdin", "--config", "etc/m.toml"];
    good(at, &add, "secret\n");
    assert!(at.join("etc/var/mynah.db").exists(), "paths are relative to the file");
    let other = ["user", "add", "a@other.test", "--password-stdin", "--config", "etc/m.toml"];
    assert_eq!(
        bad(at, &other, "secret\n"),
        "mynah: other.test: this server serves corp.test: use one of them, or add the domain to \
         server.domains"
    );
    // In its usual place the file need not be named.
    let listed = good(&at.join("etc"), &["user", "list", "--data", "var"], "");
    fs::rename(at.join("etc/m.toml"), at.join("etc/mynah.toml")).unwrap();
    assert_eq!(good(&at.join("etc"), &["user", "list"], ""), listed);
}

#[test]
fn config_check_names_line_and_column() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let check = ["config", "check", "--config", "m.toml"];
    fs::write(at.join("m.toml"), "[listen]\ntls = 5061\n").unwrap();
    assert_eq!(
        bad(at, &check, ""),
        "mynah: m.toml:2:7: invalid type: integer `5061`, expected an address and port such as \
         \"0.0.0.0:5061\" or \"[::]:5061\", or \"none\""
    );
    let text = "[tls]\ncertificates = [{ chain = 'c.pem', key = 'k.pem' }]\n";
    fs::write(at.join("m.toml"), text).unwrap();
    assert_eq!(
        bad(at, &check, ""),
        "mynah: cannot read c.pem: No such file or directory (os error 2)"
    );
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    fs::write(at.join("c.pem"), made.cert.pem()).unwrap();
    fs::write(at.join("k.pem"), "no key").unwrap();
    assert_eq!(bad(at, &check, ""), "mynah: k.pem holds no PEM private key");
    fs::write(at.join("k.pem"), made.signing_key.serialize_pem()).unwrap();
    assert_eq!(good(at, &check, ""), "m.toml: good\n");
}

#[test]
fn records_are_listed_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("d"), &Limits::default()).unwrap();
    let handle = store.handle();
    let mut seed = Seed::from_u64(1);
    for (callee, start_unix_ms) in
        [("bob@b.test", 1_795_248_000_000), ("carol@b.test", 1_795_251_600_000)]
    {
        let id = RecordId::new(start_unix_ms, &mut seed);
        let started = Started {
            id,
            kind: Kind::Session,
            caller: "alice@b.test".to_owned(),
            callee: callee.to_owned(),
            start_unix_ms,
            bridged: false,
        };
        let end = End {
            end_unix_ms: start_unix_ms + 1000,
            messages_from_caller: 2,
            messages_from_callee: 3,
            ending: Ending::ByeCaller,
        };
        handle.try_record(Record::Started(started)).unwrap();
        handle.try_record(Record::Ended(Ended { id, end, bridged: false })).unwrap();
    }
    handle.flush().unwrap().wait().unwrap();

    let list =
        |options: &[&str]| good(folder.path(), &[&["cdr", "--data", "d"], options].concat(), "");
    assert_eq!(list(&[]).lines().count(), 3);
    assert_eq!(list(&["--user", "carol@b.test"]).lines().count(), 2);
    assert_eq!(list(&["--since", "2026-11-21T08:30:00Z"]).lines().count(), 2);
    assert_eq!(list(&["--format", "csv", "--user", "nobody@b.test"]).lines().count(), 1);
    let json: serde_json::Value = serde_json::from_str(&list(&["--format", "json"])).unwrap();
    assert_eq!(json[1]["callee"], "carol@b.test");
    assert_eq!(json[1]["start"], "2026-11-21T09:00:00.000Z");
    assert_eq!(json[1]["messages_from_callee"], 3);

    let name = "C71C6BB0267883E2248C1EA7F80725B8";
    let id = RecordId::new(1_795_255_200_000, &mut seed);
    let visit = RecordId::new(1_795_255_200_001, &mut seed);
    let conference = ConferenceStarted {
        id,
        conference: ConferenceId::parse(name.as_bytes()).unwrap(),
        organiser: "alice@b.test".to_owned(),
        subject: "Budget".to_owned(),
        scheduled: false,
        start_unix_ms: 1_795_255_200_000,
    };
    let entered = ConferenceEntered {
        id,
        visit,
        member: "dave@b.test".to_owned(),
        role: Role::Attendee,
        unix_ms: 1_795_255_200_001,
    };
    let before = list(&[]);
    handle.try_record(Record::ConferenceStarted(conference)).unwrap();
    handle.try_record(Record::ConferenceEntered(entered)).unwrap();
    handle.flush().unwrap().wait().unwrap();
    let table = list(&[]);
    let added = table.strip_prefix(&before).unwrap().split_whitespace();
    assert_eq!(
        added.collect::<Vec<_>>().join(" "),
        format!(
            "2026-11-21 10:00:00 conference alice@b.test {name} - - open, Budget \
             2026-11-21 10:00:00 visit dave@b.test attendee - - open"
        )
    );
    let json: serde_json::Value =
        serde_json::from_str(&list(&["--user", "dave@b.test", "--format", "json"])).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1);
    assert_eq!(json[0]["visits"][0]["member"], "dave@b.test");
}

#[test]
fn a_conference_command_that_cannot_be_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert_eq!(
        bad(at, &["conference", "list", "--data", "d"], ""),
        "mynah: no d/ready.json: is the server running? Give --http ADDR or --ready-file FILE"
    );
    // Bound and then let go: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let name = "C71C6BB0267883E2248C1EA7F80725B8";
    for line in [&["list"][..], &["show", name], &["end", name]] {
        let line = [&["conference"], line, &["--http", &address]].concat();
        assert_eq!(
            bad(at, &line, ""),
            format!(
                "mynah: nothing answers at http://{address}: is the server running?: \
                 Connection refused (os error 111)"
            )
        );
    }
}

#[test]
fn an_end_is_asked_for_by_post_and_told_when_it_does_not_last() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let name = "C71C6BB0267883E2248C1EA7F80725B8";
    let answers =
        ["200 OK\r\n\r\n{\"kept\":false}", "200 OK\r\n\r\n{\"kept\":true}", "404 X\r\n\r\n{}"];
    let (asked, requests) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = socket.accept().unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            asked.send(request.next().unwrap().unwrap()).unwrap();
            while request.next().unwrap().unwrap() != "" {}
            stream.write_all(format!("HTTP/1.0 {answer}").as_bytes()).unwrap();
        }
    });
    let lower = name.to_ascii_lowercase();
    let line = ["conference", "end", &lower, "--http", &address];
    assert_eq!(good(folder.path(), &line, ""), format!("ended {name}\n"));
    assert_eq!(requests.recv().unwrap(), format!("POST /conferences/{name}/end HTTP/1.0"));
    assert_eq!(
        bad(folder.path(), &line, ""),
        format!(
            "mynah: conference {name} has ended, but the store cannot write: it is there again \
             after the next start"
        )
    );
    assert_eq!(
        bad(folder.path(), &line, ""),
        "mynah: no such conference: `mynah conference list` shows all"
    );
}

#[test]
fn status_asks_where_the_ready_file_points() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert_eq!(
        bad(at, &["status", "--data", "d"], ""),
        "mynah: no d/ready.json: is the server running? Give --http ADDR or --ready-file FILE"
    );
    // Bound and then let go: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::create_dir(at.join("d")).unwrap();
    fs::write(at.join("d/ready.json"), format!("{{\"pid\":1,\"http\":\"{address}\"}}")).unwrap();
    assert_eq!(
        bad(at, &["status", "--data", "d"], ""),
        format!(
            "mynah: nothing answers at http://{address}: is the server running?: \
             Connection refused (os error 111)"
        )
    );
}

#[test]
fn status_shows_a_server_that_answers_and_fails_with_its_reasons() {
    let folder = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    // Left to itself: should the command fail early, the test does, too, and waits for nobody.
    std::thread::spawn(move || {
        for body in [
            r#"{"status":"failing","reasons":[{"cause":"x","detail":"the disk is full"}]}"#,
            "mynah_users_current{shard=\"0\"} 3\n",
        ] {
            let (mut stream, _) = socket.accept().unwrap();
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines();
            while request.next().unwrap().unwrap() != "" {}
            let answer = format!("HTTP/1.0 503 Service Unavailable\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let outcome = mynah(folder.path(), &["status", "--http", &address], "");
    assert_eq!(outcome.code, 1);
    assert_eq!(outcome.err, "mynah: the server is not well: the disk is full\n");
    assert!(outcome.out.starts_with("health        failing\n"), "{}", outcome.out);
    assert!(outcome.out.contains("users         3 known"), "{}", outcome.out);
}

#[test]
fn serve_without_a_configuration_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        bad(folder.path(), &["serve"], ""),
        "mynah: no mynah.toml here or in /etc/mynah: give --config FILE, or try `mynah demo`"
    );
}

/// Alice's contact list and presence, as a server leaves them in `folder`.
fn keep_rows(folder: &Path) {
    let store = Store::open(folder, &Limits::default()).unwrap();
    let (answers, answered) = mpsc::channel();
    let way_back = Arc::new(Answered(answers));
    let birds = GroupId::new(2).unwrap();
    let contact = Contact {
        address: Aor::new("bob@example.test"),
        name: "Bob".into(),
        groups: Groups::OTHERS.with(birds),
        subscribed: true,
        external_uri: "".into(),
    };
    let group = Group { id: birds, name: "Birds".into(), external_uri: "".into() };
    let contacts = vec![
        contacts::Row::PutGroup(group),
        contacts::Row::PutContact(contact),
        contacts::Row::DeltaNumber(3),
    ];
    let note = Meaning::Note(Note { kind: NoteKind::Personal, text: "back\u{1b} soon".into() });
    let publication = Publication {
        key: Key { category: Category::Note, container: ContainerId(400), instance: 0 },
        version: 2,
        published_ms: 1_800_000_000_000,
        life: Life::Static,
        payload: Arc::new(Payload { meaning: note, source: "".into() }),
    };
    for rows in [Rows::Contacts(contacts), Rows::Presence(vec![Row::PutPublication(publication)])] {
        let (ticket, aor) = (Slot::default(), Aor::new("alice@example.test"));
        let receipt = Receipt::new(ticket, way_back.clone());
        store.handle().write(durable::Write { ticket, aor, rows }, receipt);
        answered.recv().unwrap().unwrap();
    }
    store.close().unwrap();
}

/// Passes answers of the store on.
struct Answered(mpsc::Sender<Result<(), NotWritten>>);

impl WayBack for Answered {
    fn written(&self, _: Slot, result: Result<(), NotWritten>) {
        self.0.send(result).unwrap();
    }
}

/// A command without a server: what it says of the database.
fn stored(folder: &Path, line: &[&str]) -> String {
    let outcome = mynah(folder, line, "");
    let told = "mynah: no server answers: this is what the database keeps\n";
    assert_eq!((outcome.code, outcome.err.as_str()), (0, told), "{line:?}");
    outcome.out
}

#[test]
fn without_a_server_the_database_tells_what_it_keeps() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let add = ["user", "add", "alice@example.test", "--password-stdin", "--data", "d"];
    good(at, &add, "secret\n");
    keep_rows(&at.join("d"));
    assert_eq!(
        stored(at, &["contacts", "alice@example.test", "--data", "d"]),
        "\
contacts  1, list number 3
groups
  ID  NAME
  1   ~
  2   Birds
contacts
  ADDRESS           NAME  PRESENCE  GROUPS
  bob@example.test  Bob   watched   ~, Birds
"
    );
    let presence = stored(at, &["presence", "alice@example.test", "--data", "d"]);
    for line in [
        "state  18500 offline\n",
        "endpoints  0\n",
        "  note      0         400        2        2027-01-15T08:00:00Z  static  personal: back\u{fffd} soon\n",
        "  200    colleagues          0        same_enterprise\n",
    ] {
        assert!(presence.contains(line), "{line} is not in {presence}");
    }
    let json = stored(at, &["presence", "alice@example.test", "--data", "d", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["publications"][0]["text"], "personal: back\u{1b} soon");

    // What needs a server says so.
    let seen = ["presence", "alice@example.test", "--as", "bob@example.test", "--data", "d"];
    assert!(bad(at, &seen, "").contains("--as needs one"));
    let watchers = ["watchers", "alice@example.test", "--data", "d"];
    assert!(bad(at, &watchers, "").contains("nobody watches"));
    // A ready file of a server that was killed.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    fs::write(at.join("d/ready.json"), format!(r#"{{"pid":7,"http":"{nobody}"}}"#)).unwrap();
    stored(at, &["contacts", "alice@example.test", "--data", "d"]);
    let named = ["contacts", "alice@example.test", "--http", &nobody.to_string()];
    assert!(bad(at, &named, "").contains("nothing answers at"));
}

#[test]
fn a_question_about_nobody_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let add = ["user", "add", "alice@example.test", "--password-stdin", "--data", "d"];
    good(at, &add, "secret\n");
    let outcome = mynah(at, &["contacts", "bob@example.test", "--data", "d"], "");
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.ends_with("no user bob@example.test: `mynah user list` shows all\n"));
    let outcome = mynah(at, &["contacts", "bob", "--data", "d"], "");
    assert_eq!(outcome.code, 2);
}
