//! Tables byte by byte.

use super::*;
use crate::admin::conference_report::{InvitedReport, LegReport};

fn summary() -> SummaryReport {
    SummaryReport {
        id: "000000000000000000000000000000C7".to_owned(),
        organiser: "alice@example.test".to_owned(),
        subject: "Budget\n\u{1b}".to_owned(),
        admission: "open_authenticated".to_owned(),
        lobby: true,
        locked: true,
        scheduled: false,
        made: "2026-11-21T08:00:00Z".to_owned(),
        started: Some("2026-11-21T08:00:01Z".to_owned()),
        expires: "2026-11-21T20:00:00Z".to_owned(),
        members: 2,
        peak: 3,
        waiting: 1,
        messages: 12,
    }
}

fn member(address: &str, legs: &[(&str, Option<&str>)]) -> MemberReport {
    let legs = legs.iter().map(|(kind, leg)| LegReport {
        leg: leg.map(str::to_owned),
        kind: (*kind).to_owned(),
        endpoint: "{E1}".to_owned(),
    });
    MemberReport {
        address: address.to_owned(),
        name: "A \u{202e}B".to_owned(),
        role: "presenter".to_owned(),
        since: "2026-11-21T08:00:01Z".to_owned(),
        messages: 4,
        legs: legs.collect(),
    }
}

#[test]
fn a_list_has_a_line_for_each_conference() {
    let empty = SummaryReport {
        subject: String::new(),
        lobby: false,
        locked: false,
        scheduled: true,
        started: None,
        members: 0,
        ..summary()
    };
    let report = ConferencesReport { total: 2, conferences: vec![summary(), empty] };
    assert_eq!(
        list(&report),
        "\
conferences  2
  ID                                ORGANISER           MEMBERS  WAITING  MESSAGES  STARTED               STATE                  SUBJECT
  000000000000000000000000000000C7  alice@example.test  2        1        12        2026-11-21T08:00:01Z  ad hoc, lobby, locked  Budget \u{fffd}
  000000000000000000000000000000C7  alice@example.test  0        1        12        -                     scheduled
"
    );
    let report = ConferencesReport { total: 3, conferences: vec![summary()] };
    assert!(list(&report).starts_with("conferences  3, of which those 1 with the most members\n"));
    assert_eq!(list(&ConferencesReport { total: 0, conferences: vec![] }), "conferences  0\n");
}

#[test]
fn a_conference_is_shown_with_who_is_in_and_who_is_not() {
    let report = ConferenceReport {
        conference: summary(),
        members: vec![
            member("alice@example.test", &[("focus", Some("0001")), ("chat", Some("0002"))]),
            member("bob@example.test", &[("pager", None)]),
        ],
        waiting: vec![],
        invited: vec![InvitedReport {
            address: "carol@example.test".to_owned(),
            role: "attendee".to_owned(),
        }],
    };
    assert_eq!(
        show(&report),
        "\
conference  000000000000000000000000000000C7
organiser   alice@example.test
subject     Budget \u{fffd}
state       ad hoc, lobby, locked
admission   open_authenticated
made        2026-11-21T08:00:00Z
started     2026-11-21T08:00:01Z
expires     2026-11-21T20:00:00Z
messages    12
members     2, peak 3
  ADDRESS             NAME  ROLE       SINCE                 MESSAGES  LEGS
  alice@example.test  A \u{fffd}B  presenter  2026-11-21T08:00:01Z  4         focus 0001, chat 0002
  bob@example.test    A \u{fffd}B  presenter  2026-11-21T08:00:01Z  4         pager
waiting     0
invited     1
  ADDRESS             ROLE
  carol@example.test  attendee
"
    );
}
