//! Conferences: their records with the visits, and the scheduled ones that are kept.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::super::{CdrQuery, Store, UserChange, conferences};
use super::durable::ALICE;
use super::*;
use crate::base::aor::Aor;
use crate::base::ids::{ConferenceId, Slot};
use crate::immcu::conference::{Admission, Description};
use crate::records::{
    ConferenceCdr, ConferenceDeparted, ConferenceEnd, ConferenceEnded, ConferenceEnding,
    ConferenceEntered, ConferenceStarted, Parting, Role, Visit, VisitEnd,
};
use crate::shard::durable::{ConferenceWrite, NotWritten};

const BOB: &str = "bob@example.test";

/// A name that no conversation has.
fn name(unix_ms: u64, n: u64) -> RecordId {
    RecordId::new(unix_ms, &mut Seed::from_u64(1000 + n))
}

/// The start of the `n`th conference, half a second after that of the `n`th conversation.
pub fn conference_started(n: u64) -> ConferenceStarted {
    let start_unix_ms = EPOCH_MS + n * 1000 + 500;
    ConferenceStarted {
        id: name(start_unix_ms, n),
        conference: ConferenceId(u128::from(n) << 64 | 7),
        organiser: ALICE.to_owned(),
        subject: format!("Subject {n} \u{e9}"),
        scheduled: n.is_multiple_of(2),
        start_unix_ms,
    }
}

/// The `k`th member of the `n`th conference comes in.
pub fn entered(n: u64, k: u64) -> ConferenceEntered {
    let started = conference_started(n);
    let unix_ms = started.start_unix_ms + k;
    ConferenceEntered {
        id: started.id,
        visit: name(unix_ms, 100 * n + k),
        member: if k == 0 { ALICE.to_owned() } else { format!("m{k}@example.test") },
        role: if k == 0 { Role::Presenter } else { Role::Attendee },
        unix_ms,
    }
}

/// And goes.
fn departed(n: u64, k: u64, parting: Parting) -> ConferenceDeparted {
    let entered = entered(n, k);
    let end = VisitEnd { end_unix_ms: entered.unix_ms + 10, messages: k + 1, parting };
    ConferenceDeparted { visit: entered.visit, end }
}

fn conference_ended(n: u64, ending: ConferenceEnding) -> ConferenceEnded {
    let started = conference_started(n);
    let end_unix_ms = started.start_unix_ms + 20;
    ConferenceEnded {
        id: started.id,
        end: ConferenceEnd { end_unix_ms, messages: 3, peak: 2, ending },
    }
}

/// All records of the `n`th conference, in which two were.
fn whole_records(n: u64) -> Vec<Record> {
    let mut records = vec![Record::ConferenceStarted(conference_started(n))];
    records.extend((0..2).map(|k| Record::ConferenceEntered(entered(n, k))));
    records.extend((0..2).map(|k| Record::ConferenceDeparted(departed(n, k, Parting::Bye))));
    records.push(Record::ConferenceEnded(conference_ended(n, ConferenceEnding::LastLeft)));
    records
}

/// The `n`th conference as it is kept after all of them.
fn whole_conference(n: u64) -> ConferenceCdr {
    let started = conference_started(n);
    let visit = |k| {
        let entered = entered(n, k);
        Visit {
            id: entered.visit,
            member: entered.member,
            role: entered.role,
            start_unix_ms: entered.unix_ms,
            end: Some(departed(n, k, Parting::Bye).end),
        }
    };
    ConferenceCdr {
        id: started.id,
        conference: started.conference,
        organiser: started.organiser,
        subject: started.subject,
        scheduled: started.scheduled,
        start_unix_ms: started.start_unix_ms,
        end: Some(conference_ended(n, ConferenceEnding::LastLeft).end),
        visits: vec![visit(0), visit(1)],
    }
}

/// Writes `records`; returns how many of them changed nothing.
fn record(database: &mut Database, records: impl IntoIterator<Item = Record>) -> usize {
    let transaction = database.begin().unwrap();
    let strays =
        records.into_iter().filter(|record| !cdr::apply(&transaction, record).unwrap()).count();
    transaction.commit().unwrap();
    strays
}

/// The records of conferences.
pub fn conference_cdrs(database: &Database) -> Vec<ConferenceCdr> {
    let conference = |record| match record {
        KeptRecord::Conference(cdr) => Some(cdr),
        KeptRecord::Conversation(_) => None,
    };
    let all = database.cdrs(&CdrQuery::default()).unwrap();
    all.into_iter().filter_map(conference).collect()
}

#[test]
fn a_conference_is_kept_with_its_visits() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    assert_eq!(record(&mut database, (0..3).flat_map(whole_records)), 0);
    drop(database);
    let expected: Vec<_> = (0..3).map(whole_conference).collect();
    assert_eq!(conference_cdrs(&open(folder.path())), expected);
}

#[test]
fn record_and_visits_are_open_until_their_ends_come() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let mut records = whole_records(1);
    let ended = records.pop().unwrap();
    let departed = records.pop().unwrap();
    record(&mut database, records);
    let found = conference_cdrs(&database);
    assert_eq!(found[0].end, None);
    let open: Vec<bool> = found[0].visits.iter().map(|visit| visit.end.is_none()).collect();
    assert_eq!(open, [false, true]);
    assert_eq!(record(&mut database, [departed, ended]), 0);
    assert_eq!(conference_cdrs(&database), [whole_conference(1)]);
}

#[test]
fn a_second_start_or_end_and_what_belongs_to_no_record_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let [enter, depart, end] = [
        Record::ConferenceEntered(entered(2, 0)),
        Record::ConferenceDeparted(departed(2, 0, Parting::Gone)),
        Record::ConferenceEnded(conference_ended(2, ConferenceEnding::Operator)),
    ];
    assert_eq!(record(&mut database, [enter.clone(), depart, end]), 3, "there is no start");
    assert_eq!(conference_cdrs(&database), []);

    record(&mut database, whole_records(1));
    assert_eq!(record(&mut database, whole_records(1)), 6);
    let late = Record::ConferenceEntered(entered(1, 7));
    assert_eq!(record(&mut database, [late]), 1, "the conference is over");
    assert_eq!(conference_cdrs(&database), [whole_conference(1)]);

    // Nothing of it stands in the way of a commit.
    record(&mut database, [Record::ConferenceStarted(conference_started(2))]);
    assert_eq!(record(&mut database, [enter.clone(), enter]), 1);
}

#[test]
fn every_ending_and_parting_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    for (n, ending) in (0u64..).zip(ConferenceEnding::ALL) {
        record(&mut database, [Record::ConferenceStarted(conference_started(n))]);
        for (k, parting) in (0u64..).zip(Parting::ALL) {
            let records = [
                Record::ConferenceEntered(entered(n, k)),
                Record::ConferenceDeparted(departed(n, k, *parting)),
            ];
            assert_eq!(record(&mut database, records), 0);
        }
        record(&mut database, [Record::ConferenceEnded(conference_ended(n, *ending))]);
    }
    let found = conference_cdrs(&database);
    let endings: Vec<_> = found.iter().map(|cdr| cdr.end.unwrap().ending).collect();
    assert_eq!(endings, ConferenceEnding::ALL);
    for cdr in found {
        let partings: Vec<_> = cdr.visits.iter().map(|visit| visit.end.unwrap().parting).collect();
        assert_eq!(partings, Parting::ALL);
    }
}

#[test]
fn conferences_are_listed_among_conversations_by_start_and_user() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let kept = (0..10).flat_map(|n| both(n).into_iter().chain(whole_records(n)));
    assert_eq!(record(&mut database, kept), 0);
    // Conversations by their number, conferences by theirs and a half.
    let found = |user: Option<&str>, since_unix_ms, rows_max| {
        let query = CdrQuery { user: user.map(str::to_owned), since_unix_ms, rows_max };
        let start = |record: KeptRecord| match record {
            KeptRecord::Conference(cdr) => cdr.start_unix_ms,
            KeptRecord::Conversation(cdr) => cdr.start_unix_ms,
        };
        let halves = |record| (start(record) - EPOCH_MS) / 500;
        database.cdrs(&query).unwrap().into_iter().map(halves).collect::<Vec<u64>>()
    };
    assert_eq!(found(None, 0, None), (0..20).collect::<Vec<_>>());
    assert_eq!(found(None, EPOCH_MS + 8500, None), [17, 18, 19]);
    assert_eq!(found(None, 0, Some(3)), [17, 18, 19]);
    assert_eq!(found(Some(ALICE), 0, None).len(), 20, "organiser and member is one");
    assert_eq!(found(Some("m1@example.test"), EPOCH_MS + 8000, None), [17, 19]);
    assert_eq!(found(Some("m1@example.test"), 0, Some(1)), [19]);
    assert_eq!(found(Some("m2@example.test"), 0, None), [0u64; 0]);

    let mut listed = 0;
    let each = |_| {
        listed += 1;
        if listed == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    database.for_each_cdr(&CdrQuery::default(), each).unwrap();
    assert_eq!(listed, 3);
}

#[test]
fn an_organiser_who_never_joined_finds_his_conference() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    let records = [
        Record::ConferenceStarted(conference_started(1)),
        Record::ConferenceEntered(entered(1, 1)),
    ];
    record(&mut database, records);
    let query = CdrQuery { user: Some(ALICE.to_owned()), ..CdrQuery::default() };
    assert_eq!(database.cdrs(&query).unwrap().len(), 1);
}

#[test]
fn what_a_dead_server_left_open_is_ended_once_a_server_starts() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), &limits()).unwrap();
    let handle = store.handle();
    let mut records = whole_records(1);
    // One has gone, one is in, a third comes in later and is the last sign of life.
    records.truncate(4);
    records.extend(both(1));
    records.push(Record::Started(started(0)));
    records.push(Record::ConferenceEntered(entered(1, 9)));
    records.extend(whole_records(0));
    for record in records {
        handle.try_record(record).unwrap();
    }
    store.close().unwrap();

    let store = Store::open(folder.path(), &limits()).unwrap();
    assert_eq!(store.lost_records(), 2, "a conversation and a conference");
    let last = entered(1, 9).unix_ms;
    let database = open(folder.path());
    let found = conference_cdrs(&database);
    assert_eq!(found[0], whole_conference(0));
    let end = found[1].end.unwrap();
    assert_eq!((end.ending, end.end_unix_ms), (ConferenceEnding::ServerLost, last));
    assert_eq!((end.messages, end.peak), (0, 0));
    let partings: Vec<_> = found[1]
        .visits
        .iter()
        .map(|visit| visit.end.map(|end| (end.parting, end.end_unix_ms, end.messages)).unwrap())
        .collect();
    let gone = departed(1, 0, Parting::Bye).end;
    let lost = (Parting::ServerLost, last, 0);
    assert_eq!(partings, [(Parting::Bye, gone.end_unix_ms, gone.messages), lost, lost]);
    assert_eq!(cdrs(&database)[0].end.unwrap().end_unix_ms, last);
    store.close().unwrap();
    assert_eq!(Store::open(folder.path(), &limits()).unwrap().lost_records(), 0);
}

#[test]
fn a_word_that_was_not_written_by_us_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = open(folder.path());
    for change in [
        "UPDATE conference_cdr SET ending = 'x'",
        "UPDATE conference_cdr SET conference = '7'",
        "UPDATE conference_visit SET parting = 'x'",
        "UPDATE conference_visit SET role = 'x'",
    ] {
        database.connection.execute("DELETE FROM conference_cdr", ()).unwrap();
        record(&mut database, whole_records(1));
        database.connection.execute(change, ()).unwrap();
        let error = database.cdrs(&CdrQuery::default()).unwrap_err().to_string();
        assert!(error.starts_with("the database is damaged"), "{change}: {error}");
    }
}

/// A scheduled conference of alice with all that one can have.
pub fn scheduled(id: u128) -> Description {
    use crate::immcu::conference::Role;
    Description {
        id: ConferenceId(id),
        organiser: Aor::new(ALICE),
        organiser_name: "Alice \u{e9}".into(),
        subject: "\"Budget\"\n<b>".into(),
        admission: Admission::OpenAuthenticated,
        lobby: true,
        locked: false,
        expires_unix_ms: EPOCH_MS + 86_400_001,
        scheduled: true,
        invited: BTreeMap::from([
            (Aor::new(BOB), Role::Attendee),
            (Aor::new("carol@elsewhere.test"), Role::Presenter),
        ]),
    }
}

/// `description` on its way to the store.
pub fn write_of(description: &Description) -> ConferenceWrite {
    let row = Some(Box::new(description.clone()));
    ConferenceWrite { ticket: Slot::default(), id: description.id, row }
}

fn keep(database: &mut Database, write: &ConferenceWrite) -> Result<(), NotWritten> {
    let transaction = database.begin().unwrap();
    let written = conferences::apply(&transaction, write).unwrap();
    transaction.commit().unwrap();
    written
}

/// What is kept, as a server that starts reads it.
pub fn scheduled_in(database: &Database) -> Vec<Description> {
    let mut found = Vec::new();
    database.for_each_conference(|_| true, |description| found.push(description)).unwrap();
    found
}

fn with_alice(folder: &Path) -> Database {
    let mut database = open(folder);
    database.change_user(&UserChange::Add(user(ALICE, "secret"))).unwrap();
    database
}

#[test]
fn a_scheduled_conference_is_restored_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_alice(folder.path());
    let all = [Admission::ClosedAuthenticated, Admission::OpenAuthenticated, Admission::Anonymous];
    let descriptions: Vec<Description> = (1..)
        .zip(all)
        .map(|(id, admission)| Description {
            admission,
            lobby: id == 1,
            locked: id == 2,
            ..scheduled(id)
        })
        .collect();
    for description in &descriptions {
        keep(&mut database, &write_of(description)).unwrap();
    }
    drop(database);
    let mut database = open(folder.path());
    assert_eq!(scheduled_in(&database), descriptions);

    // It changes, and it ends; what is not there can be removed too.
    let changed = Description {
        subject: "".into(),
        locked: true,
        invited: BTreeMap::new(),
        ..descriptions[0].clone()
    };
    keep(&mut database, &write_of(&changed)).unwrap();
    for id in [2, 2, 99].map(ConferenceId) {
        let removal = ConferenceWrite { ticket: Slot::default(), id, row: None };
        keep(&mut database, &removal).unwrap();
    }
    assert_eq!(scheduled_in(&database), [changed, descriptions[2].clone()]);
}

#[test]
fn as_many_as_may_be_invited_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_alice(folder.path());
    let max = Limits::default().conference_invited_max;
    let role = crate::immcu::conference::Role::Attendee;
    let invited = (0..max).map(|n| (Aor::new(&format!("u{n}@example.test")), role));
    let description = Description { invited: invited.collect(), ..scheduled(1) };
    keep(&mut database, &write_of(&description)).unwrap();
    assert_eq!(scheduled_in(&database), [description]);
}

#[test]
fn whom_a_conference_invites_is_kept_under_names_that_stay() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_alice(folder.path());
    keep(&mut database, &write_of(&scheduled(0xc7))).unwrap();
    let kept: (String, String, String) = database
        .connection
        .query_row("SELECT id, admission, invited FROM conference", (), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(kept.0, "000000000000000000000000000000C7");
    assert_eq!(kept.1, "open_authenticated");
    assert_eq!(kept.2, r#"{"bob@example.test":"attendee","carol@elsewhere.test":"presenter"}"#);
}

#[test]
fn a_conference_goes_with_who_made_it_and_its_record_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_alice(folder.path());
    let of_bob = Description { organiser: Aor::new(BOB), ..scheduled(2) };
    assert_eq!(keep(&mut database, &write_of(&of_bob)), Err(NotWritten::NoSuchUser));
    database.change_user(&UserChange::Add(user(BOB, "secret"))).unwrap();
    for description in [&scheduled(1), &of_bob] {
        keep(&mut database, &write_of(description)).unwrap();
    }
    record(&mut database, whole_records(1));
    // By a command, in another process.
    open(folder.path()).change_user(&UserChange::Remove(ALICE.to_owned())).unwrap();
    assert_eq!(scheduled_in(&database), [of_bob]);
    assert_eq!(conference_cdrs(&database), [whole_conference(1)]);
    assert_eq!(keep(&mut database, &write_of(&scheduled(1))), Err(NotWritten::NoSuchUser));
}

#[test]
fn each_home_reads_its_own_conferences() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_alice(folder.path());
    for id in 1..=20 {
        keep(&mut database, &write_of(&scheduled(id))).unwrap();
    }
    let mut found = Vec::new();
    for shard in 0..3 {
        let own = |id: ConferenceId| id.home(3).0 == shard;
        let mut count = 0;
        let each = |description: Description| {
            assert_eq!(description.id.home(3).0, shard);
            count += 1;
            found.push(description.id);
        };
        database.for_each_conference(own, each).unwrap();
        assert!(count > 0, "shard {shard}");
    }
    found.sort_unstable();
    assert_eq!(found, (1..=20).map(ConferenceId).collect::<Vec<_>>());
}

#[test]
fn a_conference_that_was_not_written_by_us_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = with_alice(folder.path());
    for change in
        ["admission = 'x'", "invited = '{\"a@b.test\":\"x\"}'", "invited = ''", "id = '1'"]
    {
        database.connection.execute("DELETE FROM conference", ()).unwrap();
        keep(&mut database, &write_of(&scheduled(1))).unwrap();
        database.connection.execute(&format!("UPDATE conference SET {change}"), ()).unwrap();
        let error = database.for_each_conference(|_| true, |_| {}).unwrap_err().to_string();
        assert!(error.starts_with("the database is damaged"), "{change}: {error}");
    }
}
