//! Populations that do what a profile says, against the server of these tests.

use crate::registrar::{Faults, Registrar};
use loadgen::pacer::Arrivals;
use loadgen::profile::Profile;
use loadgen::report::{Ending, Report};
use loadgen::run::run;
use loadgen::settings::{Dialect, Flow, Plan, Settings};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

const USERS: u32 = 40;

/// A profile for the users of these tests, so much faster than its time; of a built-in one, or of a
/// text when that is longer.
fn plan(profile: &str, scale: f64, dialect: Dialect) -> Flow {
    let profile = match profile.contains('\n') {
        true => Profile::parse("test.toml", profile, USERS),
        false => Profile::load(profile, USERS),
    };
    let profile = profile.unwrap().spoken(dialect);
    Flow::Profile(Box::leak(Box::new(Plan { profile, scale, expiry_unix_s: 4_000_000_000 })))
}

fn conduct(registrar: &Registrar, flow: Flow, dialect: Dialect) -> Report {
    let settings = Settings {
        arrivals: Arrivals::Poisson,
        dialect,
        duration: Duration::from_secs(2),
        flow,
        users: USERS,
        warmup: Duration::from_millis(500),
        ..Settings::new(registrar.address)
    };
    run(settings, &AtomicBool::new(false)).unwrap()
}

fn succeeded(report: &Report, operation: &str) -> u64 {
    report.operations.get(operation).map_or(0, |row| row.succeeded)
}

#[test]
fn users_begin_sessions_type_talk_and_go() {
    let registrar = Registrar::start(Faults { challenge: 407, ..Faults::default() });
    let report = conduct(&registrar, plan("im", 300.0, Dialect::Ms), Dialect::Ms);
    assert!(report.passed, "{report}");
    let messages = succeeded(&report, "message");
    assert!(messages > 20 && succeeded(&report, "invite") > 2, "{report}");
    assert_eq!(succeeded(&report, "delivery"), messages);
    assert!(succeeded(&report, "typing").abs_diff(2 * messages) <= messages / 4, "{report}");
    assert!(succeeded(&report, "bye") > 0 && report.seen.stray_answers == 0, "{report}");
    assert_eq!(registrar.signed_in(), 0);
    let log = registrar.log();
    assert!(log.iter().any(|request| request.starts_with("INFO ")));
    // Both sides write.
    let callers = log.iter().filter(|r| r.starts_with("INVITE ")).count();
    assert!(log.iter().filter(|r| r.starts_with("BYE ")).count() <= 2 * callers);
}

#[test]
fn a_simple_client_talks_without_sessions() {
    let registrar = Registrar::start(Faults::default());
    let flow = plan("im", 300.0, Dialect::Simple);
    let report = conduct(&registrar, flow, Dialect::Simple);
    assert!(report.passed, "{report}");
    assert_eq!(succeeded(&report, "delivery"), succeeded(&report, "message"));
    assert_eq!((succeeded(&report, "invite"), succeeded(&report, "typing")), (0, 0));
}

#[test]
fn a_message_of_a_session_that_does_not_arrive_is_a_failure() {
    let registrar = Registrar::start(Faults { swallow_every: 5, ..Faults::default() });
    let report = conduct(&registrar, plan("im", 300.0, Dialect::Ms), Dialect::Ms);
    let row = &report.operations["delivery"];
    assert!(row.failures["undelivered"] > 0 && !report.passed, "{report}");
    assert_eq!(row.succeeded + row.failed, succeeded(&report, "message"), "{report}");
}

#[test]
fn conferences_begin_are_joined_talked_in_and_left() {
    let registrar = Registrar::start(Faults::default());
    let report = conduct(&registrar, plan("conference", 100.0, Dialect::Ms), Dialect::Ms);
    assert!(report.passed, "{report}");
    assert!(succeeded(&report, "create") > 0 && succeeded(&report, "join") > 4, "{report}");
    let (said, arrived) = (succeeded(&report, "message"), succeeded(&report, "delivery"));
    assert!(said > 10 && arrived >= 3 * said, "{report}");
    assert_eq!(registrar.signed_in(), 0);
}

#[test]
fn a_run_ends_when_most_of_the_first_sign_ins_fail() {
    let registrar = Registrar::start(Faults { refuse_from: 80, ..Faults::default() });
    let settings = Settings {
        duration: Duration::from_secs(60),
        flow: plan("im", 1.0, Dialect::Simple),
        users: 300,
        ..Settings::new(registrar.address)
    };
    let report = run(settings, &AtomicBool::new(false)).unwrap();
    assert_eq!(report.ending, Ending::FewSignIns);
    assert!(report.operations["sign_in"].failures["status 403"] >= 120, "{report}");
    assert!(!report.passed);
}
