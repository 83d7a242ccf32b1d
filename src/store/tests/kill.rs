//! kill -9 takes no row whose commit was answered.

use std::collections::BTreeSet;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use super::super::{Receipt, Store, UserChange, WayBack};
use super::conferences::{
    conference_cdrs, conference_started, entered, scheduled, scheduled_in, write_of,
};
use super::durable::{contact, write};
use super::*;
use crate::base::aor::Aor;
use crate::base::ids::Slot;
use crate::contacts::Row;
use crate::immcu::conference::Description;
use crate::records::{ConferenceEntered, ConferenceStarted};
use crate::shard::durable::{NotWritten, Rows};

/// Set in the child: the data folder to write to.
const FOLDER: &str = "MYNAH_TEST_KILL_FOLDER";
/// Answers after which the child is killed, round by round.
const ROUNDS: [usize; 4] = [1, 7, 40, 90];
/// Records between two answers.
const STRIDE: u64 = 10;

#[test]
fn a_killed_server_has_lost_nothing_it_answered() {
    if let Some(folder) = env::var_os(FOLDER) {
        serve_until_killed(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut answered = BTreeSet::new();
    let mut users = BTreeSet::new();
    let mut lists = BTreeSet::new();
    let mut visits = BTreeSet::new();
    let mut conferences = BTreeSet::new();
    for (round, answers) in ROUNDS.into_iter().enumerate() {
        for line in kill_after(answers, folder.path()) {
            match line.split_once(' ') {
                Some(("record", id)) => answered.insert(id.to_owned()),
                Some(("user", aor)) => users.insert(aor.to_owned()),
                Some(("list", aor)) => lists.insert(aor.to_owned()),
                Some(("visit", id)) => visits.insert(id.to_owned()),
                Some(("conference", id)) => conferences.insert(id.to_owned()),
                _ => panic!("the child said {line:?}"),
            };
        }
        assert!(answered.len() as u64 >= STRIDE, "round {round}");

        let store = Store::open(folder.path(), &limits()).unwrap();
        let database = open(folder.path());
        let kept: BTreeSet<_> = cdrs(&database).iter().map(|cdr| cdr.id.to_string()).collect();
        assert!(kept.is_superset(&answered), "round {round}");
        let kept: BTreeSet<_> = database.users().unwrap().into_iter().map(|u| u.aor).collect();
        assert!(kept.is_superset(&users), "round {round}");
        for aor in &lists {
            // All of a write, or nothing.
            assert_eq!(database.contact_rows(aor).unwrap(), rows(aor), "round {round}");
        }
        for aor in kept.difference(&lists) {
            let found = database.contact_rows(aor).unwrap();
            assert!(found.is_empty() || found == rows(aor), "round {round}: {found:?}");
        }
        let records = conference_cdrs(&database);
        let kept: Vec<_> = records.iter().flat_map(|cdr| &cdr.visits).collect();
        assert!(kept.iter().all(|visit| visit.end.is_some()), "round {round}");
        let kept: BTreeSet<_> = kept.iter().map(|visit| visit.id.to_string()).collect();
        assert!(kept.is_superset(&visits), "round {round}");
        assert!(records.iter().all(|cdr| cdr.end.is_some()), "round {round}");
        let kept = scheduled_in(&database);
        assert!(kept.iter().all(|found| *found == scheduled_of(found)), "round {round}");
        let kept: BTreeSet<_> = kept.iter().map(|found| found.id.to_string()).collect();
        assert!(kept.is_superset(&conferences), "round {round}");
        // The child ends every other record only: the rest was found open and is ended now.
        assert!(store.lost_records() > 0, "round {round}");
        assert!(cdrs(&database).iter().all(|cdr| cdr.end.is_some()), "round {round}");
        let whole: String =
            database.connection.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok");
    }
}

/// How the lines of the child begin.
const SAID: [&str; 5] = ["record ", "user ", "list ", "visit ", "conference "];

/// Starts the child on `folder`, kills it after so many answers, and returns all lines it managed
/// to write.
fn kill_after(answers: usize, folder: &Path) -> Vec<String> {
    let mut child = Killed(
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture"])
            .arg("store::tests::kill::a_killed_server_has_lost_nothing_it_answered")
            .env(FOLDER, folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in lines.map(Result::unwrap) {
        // The test runner speaks first.
        if SAID.iter().any(|word| line.starts_with(word)) {
            said.push(line);
        }
        if said.len() == answers * (STRIDE as usize + 4) {
            child.0.kill().unwrap();
        }
    }
    said
}

/// Ends its process whatever happens to the test.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The child: writes as fast as it can and says what was answered, a line each.
fn serve_until_killed(folder: &Path) -> ! {
    let store = Store::open(folder, &limits()).unwrap();
    let handle = store.handle();
    let mut seed = Seed::from_u64(u64::from(std::process::id()));
    let mut stdout = std::io::stdout();
    for round in 0.. {
        let mut said = String::new();
        for n in 0..STRIDE {
            let id = RecordId::new(EPOCH_MS + round * STRIDE + n, &mut seed);
            handle.try_record(Record::Started(Started { id, ..started(n) })).unwrap();
            if n.is_multiple_of(2) {
                handle.try_record(Record::Ended(Ended { id, ..ended(n) })).unwrap();
            }
            said += &format!("record {id}\n");
        }
        // A conference with one visit, that never ends.
        let id = RecordId::new(EPOCH_MS + round * STRIDE, &mut seed);
        let visit = RecordId::new(EPOCH_MS + round * STRIDE, &mut seed);
        let opened = ConferenceStarted { id, ..conference_started(1) };
        handle.try_record(Record::ConferenceStarted(opened)).unwrap();
        let came = ConferenceEntered { id, visit, ..entered(1, 0) };
        handle.try_record(Record::ConferenceEntered(came)).unwrap();
        said += &format!("visit {visit}\n");
        handle.flush().unwrap().wait().unwrap();
        let aor = format!("u{}-{round}@example.test", std::process::id());
        handle.change_user(UserChange::Add(user(&aor, "x"))).unwrap().wait().unwrap();
        said += &format!("user {aor}\n");
        let (ticket, rows) = (Slot::default(), Rows::Contacts(rows(&aor)));
        let (way_back, answer) = channel();
        let receipt = Receipt::new(ticket, Arc::new(Answered(way_back)));
        handle.write(write(&aor, rows), receipt);
        answer.recv().unwrap().unwrap();
        said += &format!("list {aor}\n");
        let scheduled = Description { organiser: Aor::new(&aor), ..scheduled(visit_number(visit)) };
        let (way_back, answer) = channel();
        let receipt = Receipt::new(ticket, Arc::new(Answered(way_back)));
        handle.write_conference(write_of(&scheduled), receipt);
        answer.recv().unwrap().unwrap();
        said += &format!("conference {}\n", scheduled.id);
        stdout.write_all(said.as_bytes()).unwrap();
    }
    unreachable!("a process is killed before it counts so far")
}

/// A number that no other round has.
fn visit_number(visit: RecordId) -> u128 {
    u128::from_be_bytes(visit.to_bytes())
}

/// What the child wrote as the conference `found`: all but who made it and its name is the same.
fn scheduled_of(found: &Description) -> Description {
    Description { organiser: found.organiser.clone(), ..scheduled(found.id.0) }
}

/// The list of a user: ten contacts whose addresses tell whose they are.
fn rows(aor: &str) -> Vec<Row> {
    let contacts = (0..10).map(|n| contact(&format!("c{n}-{aor}")));
    contacts.chain([Row::DeltaNumber(11)]).collect()
}

/// Passes an answer on to who waits for it.
struct Answered(Sender<Result<(), NotWritten>>);

impl WayBack for Answered {
    fn written(&self, _: Slot, result: Result<(), NotWritten>) {
        self.0.send(result).unwrap();
    }
}
