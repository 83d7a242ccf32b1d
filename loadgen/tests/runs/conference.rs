//! Conferences over real connections.

use crate::registrar::tls::Certificate;
use crate::registrar::{Faults, Registrar};
use loadgen::report::Report;
use loadgen::run::run;
use loadgen::settings::{Dialect, Flow, Load, Notify, Settings, Transport};
use std::sync::atomic::AtomicBool;

fn settings(registrar: &Registrar, silent: u32) -> Settings {
    Settings {
        dialect: Dialect::Ms,
        load: Load::Rate(100.0),
        users: 10,
        flow: Flow::Conference {
            members: 5,
            body: 100,
            roster: true,
            notify: Notify::Benotify,
            silent,
            expiry_unix_s: 1_795_235_007,
        },
        marks: crate::unhurried(),
        ..Settings::new(registrar.address)
    }
}

fn conduct(settings: Settings) -> Report {
    run(settings, &AtomicBool::new(false)).unwrap()
}

fn challenging() -> Registrar {
    Registrar::start(Faults { challenge: 407, ..Faults::default() })
}

#[test]
fn members_come_in_write_to_each_other_and_leave() {
    for threads in [1, 2] {
        let registrar = challenging();
        let report = conduct(Settings { threads, ..settings(&registrar, 0) });
        assert!(report.passed, "{report}");
        let succeeded = |operation: &str| report.operations[operation].succeeded;
        let sent = succeeded("message");
        assert!((97..=102).contains(&sent), "{report}");
        assert_eq!(succeeded("delivery"), sent * 4);
        for (operation, count) in
            [("create", 2), ("focus", 10), ("subscribe", 10), ("invite", 10), ("join", 10)]
        {
            assert_eq!(succeeded(operation), count, "{operation}: {report}");
        }
        assert!(report.operations["join"].per_second.is_some_and(|rate| rate > 0.0));
        assert_eq!((succeeded("unsubscribe"), succeeded("bye")), (10, 20));
        assert_eq!(report.seen.stray_answers + report.seen.requests_refused, 0);
        assert_eq!((registrar.legs(), registrar.signed_in()), (0, 0));
        // What has a dialog already names no branch, as the real client.
        let log = registrar.log();
        let branch = |request: &&String| request.contains(";branch=");
        assert!(log.iter().filter(|request| request.starts_with("SERVICE")).all(|r| branch(&r)));
        let dialogs = |r: &&String| r.starts_with("INVITE") || r.starts_with("MESSAGE");
        assert!(!log.iter().filter(dialogs).any(|r| branch(&r)));
    }
}

#[test]
fn conferences_are_held_over_tls() {
    let (certificate, registrar) = (Certificate::new(), challenging());
    let target = registrar.listen_tls(&certificate);
    let load = Load::Window(4);
    let transport = Transport::Tls;
    let report = conduct(Settings { target, transport, load, ..settings(&registrar, 0) });
    assert!(report.passed, "{report}");
    let sent = report.operations["message"].succeeded;
    assert!(sent > 10, "{report}");
    assert!(report.operations["delivery"].succeeded.abs_diff(sent * 4) <= 4 * 4, "{report}");
}

#[test]
fn silent_members_come_in_and_answer_nothing_more() {
    let registrar = challenging();
    let report = conduct(settings(&registrar, 2));
    assert!(report.passed, "{report}");
    assert_eq!(report.operations["join"].succeeded, 10);
    let sent = report.operations["message"].succeeded;
    assert_eq!(report.operations["delivery"].succeeded, sent * 2);
    assert_eq!(report.operations["sign_out"].succeeded, 6);
    let answers = registrar.answers();
    let from = |user: &str| answers.iter().filter(|to| *to == user).count() as u64;
    assert!(from("user0000001") > 0);
    for silent in ["user0000003", "user0000004", "user0000008", "user0000009"] {
        assert_eq!(from(silent), 0, "{silent}");
    }
}
