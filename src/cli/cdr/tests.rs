//! Listings byte by byte.

use super::*;
use crate::records::{End, Ending, Kind, RecordId};

const START_MS: u64 = 1_795_248_000_123;

fn rows() -> Vec<Row> {
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
    [whole, declined, open].iter().map(Row::of).collect()
}

fn listing(format: Format, rows: &[Row]) -> String {
    let mut out = Vec::new();
    let mut listing = Listing::begin(format, &mut out).unwrap();
    for row in rows {
        listing.row(row).unwrap();
    }
    listing.end().unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_is_for_people() {
    assert_eq!(
        listing(Format::Table, &rows()),
        "\
START (UTC)          KIND     CALLER                        CALLEE                         SENT  RECVD  ENDING
2026-11-21 08:00:00  session  alice@example.test            bob@example.test                  2      1  bye_callee
2026-11-21 08:00:00  pager    =1+1@example.test             bob@example.test                  2      1  declined 603, bridged
2026-11-21 08:00:00  session  alice@example.test            evil\u{fffd}[2J\"@x                       -      -  open
"
    );
}

#[test]
fn csv_has_a_head_and_no_formula() {
    assert_eq!(
        listing(Format::Csv, &rows()),
        "\
id,kind,caller,callee,start,end,messages_from_caller,messages_from_callee,ending,status,bridged
01010101-0101-0101-0101-010101010101,session,alice@example.test,bob@example.test,2026-11-21T08:00:00.123Z,2026-11-21T08:01:01.123Z,2,1,bye_callee,,false
01010101-0101-0101-0101-010101010101,pager,'=1+1@example.test,bob@example.test,2026-11-21T08:00:00.123Z,2026-11-21T08:01:01.123Z,2,1,declined,603,true
01010101-0101-0101-0101-010101010101,session,alice@example.test,\"evil\u{1b}[2J\"\"@x\",2026-11-21T08:00:00.123Z,,,,,,false
"
    );
}

#[test]
fn json_is_one_array_with_an_object_a_line() {
    let text = listing(Format::Json, &rows());
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
    let row = serde_json::to_value(&rows()[0]).unwrap();
    let mut fields: Vec<&String> = row.as_object().unwrap().keys().collect();
    let mut head = CSV_HEAD.map(str::to_owned).to_vec();
    fields.sort_unstable();
    head.sort_unstable();
    assert_eq!(fields, head.iter().collect::<Vec<_>>());
}

#[test]
fn a_start_is_a_time_a_day_or_so_long_ago() {
    let now: Zoned = "2026-11-21T10:00:00+02:00[+02:00]".parse().unwrap();
    for (text, expected) in [
        ("2h", "2026-11-21T06:00:00Z"),
        ("30m", "2026-11-21T07:30:00Z"),
        ("7d", "2026-11-14T08:00:00Z"),
        ("2026-11-20", "2026-11-19T22:00:00Z"),
        ("2026-11-20T08:00", "2026-11-20T06:00:00Z"),
        ("2026-11-20 08:00:30", "2026-11-20T06:00:30Z"),
        ("2026-11-20T08:00:00Z", "2026-11-20T08:00:00Z"),
        ("2026-11-20T08:00:00+01:00", "2026-11-20T07:00:00Z"),
    ] {
        let expected: Timestamp = expected.parse().unwrap();
        assert_eq!(since_at(text, &now).unwrap(), expected, "{text}");
    }
    for text in ["", "yesterday", "2026-13-01", "2", "-2h", "99999999999999d"] {
        assert!(since_at(text, &now).is_err(), "{text:?}");
    }
}
