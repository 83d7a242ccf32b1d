//! Listings byte by byte.

use super::*;
use crate::base::ids::ConferenceId;
use crate::records::{ConferenceEnd, End, Ending, Kind, Parting, RecordId, Role, Visit, VisitEnd};

const START_MS: u64 = 1_795_248_000_123;

fn conversations() -> Vec<KeptRecord> {
    let whole = records::Cdr {
        id: RecordId::from_bytes([0x01; 16]),
        kind: Kind::Session,
        caller: "alice@example.test".to_owned(),
        callee: "bob@example.test".to_owned(),
        start_unix_ms: START_MS,
        end: Some(End {
            end_unix_ms: START_MS + 61_000,
            messages_from_caller: 2,
            messages_from_callee: 1,
            ending: Ending::ByeCallee,
        }),
        bridged: false,
    };
    let declined = records::Cdr {
        caller: "=1+1@example.test".to_owned(),
        kind: Kind::Pager,
        end: whole.end.map(|end| End { ending: Ending::Declined(603), ..end }),
        bridged: true,
        ..whole.clone()
    };
    let open = records::Cdr { callee: "evil\u{1b}[2J\"@x".to_owned(), end: None, ..whole.clone() };
    [whole, declined, open].map(KeptRecord::Conversation).into()
}

/// One that has ended, with three visits of which one was found open, and one that goes on.
fn conferences() -> Vec<KeptRecord> {
    let visit = |n: u8, member: &str, role, parting| Visit {
        id: RecordId::from_bytes([n; 16]),
        member: format!("{member}@example.test"),
        role,
        start_unix_ms: START_MS + u64::from(n) * 1000,
        end: Some(VisitEnd { end_unix_ms: START_MS + 61_000, messages: u64::from(n), parting }),
    };
    let whole = ConferenceCdr {
        id: RecordId::from_bytes([0x02; 16]),
        conference: ConferenceId(0xc7),
        organiser: "alice@example.test".to_owned(),
        subject: "+Budget\n\u{1b}".to_owned(),
        scheduled: true,
        start_unix_ms: START_MS,
        end: Some(ConferenceEnd {
            end_unix_ms: START_MS + 61_000,
            messages: 7,
            peak: 2,
            ending: ConferenceEnding::Expired,
        }),
        visits: vec![
            visit(3, "alice", Role::Presenter, Parting::Bye),
            visit(4, "=bob", Role::Attendee, Parting::ConnectionLost),
        ],
    };
    let lost = whole.end.map(|end| ConferenceEnd { ending: ConferenceEnding::ServerLost, ..end });
    let lost = ConferenceCdr { end: lost, subject: String::new(), visits: vec![], ..whole.clone() };
    let open = Visit { end: None, ..visit(5, "carol", Role::Attendee, Parting::Bye) };
    let open = ConferenceCdr {
        scheduled: false,
        subject: String::new(),
        end: None,
        visits: vec![open],
        ..whole.clone()
    };
    [whole, lost, open].map(KeptRecord::Conference).into()
}

fn listing(format: Format, records: &[KeptRecord]) -> String {
    let mut out = Vec::new();
    let mut listing = Listing::begin(format, &mut out).unwrap();
    for record in records {
        listing.record(record).unwrap();
    }
    listing.end().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_is_for_people() {
    assert_eq!(
        listing(Format::Table, &conversations()),
        "\
START (UTC)          KIND        CALLER                        CALLEE                             SENT  RECVD  ENDING
2026-11-21 08:00:00  session     alice@example.test            bob@example.test                      2      1  bye_callee
2026-11-21 08:00:00  pager       =1+1@example.test             bob@example.test                      2      1  declined 603, bridged
2026-11-21 08:00:00  session     alice@example.test            evil\u{fffd}[2J\"@x                           -      -  open
"
    );
}

#[test]
fn csv_has_a_head_and_no_formula() {
    assert_eq!(
        listing(Format::Csv, &conversations()),
        "\
id,kind,caller,callee,start,end,messages_from_caller,messages_from_callee,ending,status,bridged,record,conference,scheduled,subject,role,messages,peak
01010101-0101-0101-0101-010101010101,session,alice@example.test,bob@example.test,2026-11-21T08:00:00.123Z,2026-11-21T08:01:01.123Z,2,1,bye_callee,,false,,,,,,,
01010101-0101-0101-0101-010101010101,pager,'=1+1@example.test,bob@example.test,2026-11-21T08:00:00.123Z,2026-11-21T08:01:01.123Z,2,1,declined,603,true,,,,,,,
01010101-0101-0101-0101-010101010101,session,alice@example.test,\"evil\u{1b}[2J\"\"@x\",2026-11-21T08:00:00.123Z,,,,,,false,,,,,,,
"
    );
}

#[test]
fn json_is_one_array_with_an_object_a_line() {
    let text = listing(Format::Json, &conversations());
    assert_eq!(text.lines().count(), 5);
    assert_eq!(
        text.lines().nth(1).unwrap(),
        concat!(
            r#"  {"id":"01010101-0101-0101-0101-010101010101","kind":"session","#,
            r#""caller":"alice@example.test","callee":"bob@example.test","#,
            r#""start":"2026-11-21T08:00:00.123Z","end":"2026-11-21T08:01:01.123Z","#,
            r#""messages_from_caller":2,"messages_from_callee":1,"ending":"bye_callee","#,
            r#""status":null,"bridged":false},"#,
        )
    );
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed[1]["status"], 603);
    assert_eq!(parsed[2]["callee"], "evil\u{1b}[2J\"@x");
    assert!(parsed[2]["end"].is_null());
}

#[test]
fn nothing_to_list_is_still_well_formed() {
    assert_eq!(listing(Format::Json, &[]), "[]\n");
    assert_eq!(listing(Format::Table, &[]).lines().count(), 1);
    assert_eq!(listing(Format::Csv, &[]).trim_end(), CSV_HEAD.join(","));
}

#[test]
fn the_head_names_the_fields() {
    let row = serde_json::to_value(Cells::default()).unwrap();
    let mut fields: Vec<&String> = row.as_object().unwrap().keys().collect();
    let mut head = CSV_HEAD.map(str::to_owned).to_vec();
    fields.sort_unstable();
    head.sort_unstable();
    assert_eq!(fields, head.iter().collect::<Vec<_>>());
}

#[test]
fn a_conference_is_listed_with_its_visits() {
    assert_eq!(
        listing(Format::Table, &conferences()),
        "\
START (UTC)          KIND        CALLER                        CALLEE                             SENT  RECVD  ENDING
2026-11-21 08:00:00  conference  alice@example.test            000000000000000000000000000000C7      7      -  expired, peak 2, scheduled, +Budget \u{fffd}
2026-11-21 08:00:03    visit     alice@example.test            presenter                             3      -  bye
2026-11-21 08:00:04    visit     =bob@example.test             attendee                              4      -  connection_lost
2026-11-21 08:00:00  conference  alice@example.test            000000000000000000000000000000C7      7      -  server_lost, scheduled
2026-11-21 08:00:00  conference  alice@example.test            000000000000000000000000000000C7      -      -  open
2026-11-21 08:00:05    visit     carol@example.test            attendee                              -      -  open
"
    );
}

#[test]
fn csv_has_a_line_for_each_visit() {
    let text = listing(Format::Csv, &conferences()[..1]);
    assert_eq!(
        text.split_once('\n').unwrap().1,
        "\
02020202-0202-0202-0202-020202020202,conference,alice@example.test,,2026-11-21T08:00:00.123Z,2026-11-21T08:01:01.123Z,,,expired,,,,000000000000000000000000000000C7,true,\"'+Budget\n\u{1b}\",,7,2
03030303-0303-0303-0303-030303030303,visit,alice@example.test,,2026-11-21T08:00:03.123Z,2026-11-21T08:01:01.123Z,,,bye,,,02020202-0202-0202-0202-020202020202,000000000000000000000000000000C7,,,presenter,3,
04040404-0404-0404-0404-040404040404,visit,'=bob@example.test,,2026-11-21T08:00:04.123Z,2026-11-21T08:01:01.123Z,,,connection_lost,,,02020202-0202-0202-0202-020202020202,000000000000000000000000000000C7,,,attendee,4,
"
    );
}

#[test]
fn json_has_the_visits_in_their_conference() {
    let text = listing(Format::Json, &conferences());
    assert_eq!(
        text.lines().nth(3).unwrap(),
        concat!(
            r#"  {"id":"02020202-0202-0202-0202-020202020202","kind":"conference","#,
            r#""conference":"000000000000000000000000000000C7","#,
            r#""organiser":"alice@example.test","subject":"","scheduled":false,"#,
            r#""start":"2026-11-21T08:00:00.123Z","end":null,"messages":null,"peak":null,"#,
            r#""ending":null,"visits":[{"id":"05050505-0505-0505-0505-050505050505","#,
            r#""member":"carol@example.test","role":"attendee","#,
            r#""start":"2026-11-21T08:00:05.123Z","end":null,"messages":null,"parting":null}]}"#,
        )
    );
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(parsed[0]["visits"][1]["parting"], "connection_lost");
}
