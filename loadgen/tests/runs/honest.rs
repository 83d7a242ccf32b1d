//! A run must say what really happened: against a server that works, and against servers that
//! lose, refuse, stall, hang up or talk nonsense.

use crate::registrar::{Faults, Registrar};
use loadgen::report::{Ending, Report};
use loadgen::run::run;
use loadgen::settings::{Dialect, Flow, Load, Notify, Settings};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

fn settings(registrar: &Registrar) -> Settings {
    Settings {
        load: Load::Rate(200.0),
        duration: Duration::from_millis(1000),
        users: 8,
        sources: 3,
        marks: crate::unhurried(),
        ..Settings::new(registrar.address)
    }
}

fn conduct(settings: Settings) -> Report {
    run(settings, &AtomicBool::new(false)).unwrap()
}

fn failures(report: &Report, operation: &str) -> Vec<(String, u64)> {
    let row = &report.operations[operation];
    row.failures.iter().map(|(cause, &count)| (cause.clone(), count)).collect()
}

fn only_failure(report: &Report, operation: &str) -> (String, u64) {
    let failures = failures(report, operation);
    assert_eq!(failures.len(), 1, "{report}");
    failures[0].clone()
}

#[test]
fn pager_messages_arrive_and_everybody_signs_out() {
    for (challenge, sha256) in [(0, false), (401, false), (401, true), (407, true)] {
        let registrar = Registrar::start(Faults { challenge, sha256, ..Faults::default() });
        let report = conduct(settings(&registrar));
        assert!(report.passed, "{report}");
        assert_eq!(report.signed_in, 8);
        let sent = report.operations["message"].succeeded;
        assert!((195..=201).contains(&sent), "{report}");
        assert_eq!(report.operations["delivery"].succeeded, sent);
        assert_eq!(report.operations["sign_out"].succeeded, 8);
        assert_eq!(registrar.signed_in(), 0);
        let hash = if sha256 { "algorithm=SHA-256" } else { "algorithm=MD5" };
        let log = registrar.log();
        let credentials = log.iter().filter(|request| request.contains(hash)).count();
        assert!(challenge == 0 || credentials >= 8);
    }
}

#[test]
fn lync_sessions_are_set_up_used_and_ended() {
    for record_route in [false, true] {
        let faults = Faults { challenge: 407, record_route, ..Faults::default() };
        let registrar = Registrar::start(faults);
        let report = conduct(Settings { dialect: Dialect::Ms, ..settings(&registrar) });
        assert!(report.passed, "{report}");
        assert_eq!(report.operations["invite"].succeeded, 4);
        assert_eq!(report.operations["bye"].succeeded, 4);
        let sent = report.operations["message"].succeeded;
        assert_eq!(report.operations["delivery"].succeeded, sent);
        assert_eq!(report.seen.stray_answers, 0);
        let log = registrar.log();
        let messages = log.iter().filter(|request| request.starts_with("MESSAGE "));
        for message in messages {
            assert!(message.starts_with("MESSAGE sip:user000000"), "{message}");
            assert!(message.contains(";opaque=user:epid:x;gruu SIP/2.0\r\n"), "{message}");
            assert_eq!(message.contains("Route: <sip:127.0.0.1;lr>\r\n"), record_route);
            assert!(!message.contains("branch="), "{message}");
        }
        let credentials = log.iter().find(|r| r.contains("Proxy-Authorization")).unwrap();
        assert!(credentials.contains("uri=\"(null)\", qop=auth, nc=00000001"), "{credentials}");
    }
}

#[test]
fn a_closed_loop_keeps_its_window_full() {
    let registrar = Registrar::start(Faults::default());
    let report = conduct(Settings { load: Load::Window(4), ..settings(&registrar) });
    assert!(report.passed, "{report}");
    // More than one window for each pair, however slow the machine.
    assert!(report.operations["message"].succeeded > 16, "{report}");
    let sent = registrar.log().iter().filter(|r| r.starts_with("MESSAGE")).count();
    assert!(sent as u64 >= report.operations["message"].succeeded);
}

#[test]
fn one_answer_in_ten_that_is_lost_is_one_timeout_in_ten() {
    let registrar = Registrar::start(Faults { drop_answer_every: 10, ..Faults::default() });
    let timeout = Duration::from_secs(3);
    let report = conduct(Settings { timeout, ..settings(&registrar) });
    let row = &report.operations["message"];
    let (cause, lost) = only_failure(&report, "message");
    assert_eq!(cause, "timeout");
    let share = lost as f64 / (row.succeeded + lost) as f64;
    assert!((0.06..0.14).contains(&share), "{report}");
    // What was lost was delivered all the same.
    assert_eq!(report.operations["delivery"].succeeded, row.succeeded + lost);
    assert!(!report.passed);
}

#[test]
fn refusals_are_failures_and_not_fast_successes() {
    let registrar = Registrar::start(Faults { fail_every: 2, ..Faults::default() });
    let report = conduct(settings(&registrar));
    let row = &report.operations["message"];
    let (cause, refused) = only_failure(&report, "message");
    assert_eq!(cause, "status 500");
    assert!(refused.abs_diff(row.succeeded) <= 2, "{report}");
    assert_eq!(report.operations["delivery"].succeeded, row.succeeded);
    assert!(!report.passed);
}

#[test]
fn an_answer_without_delivery_is_a_failure() {
    let registrar = Registrar::start(Faults { swallow_every: 4, ..Faults::default() });
    let report = conduct(settings(&registrar));
    let accepted = report.operations["message"].succeeded;
    let (cause, swallowed) = only_failure(&report, "delivery");
    assert_eq!(cause, "undelivered");
    assert_eq!(report.operations["delivery"].succeeded + swallowed, accepted);
    assert!(swallowed.abs_diff(accepted / 4) <= 1, "{report}");
    assert!(!report.passed);
}

#[test]
fn latency_counts_from_the_intended_moment_through_a_stall() {
    let stall = Some((Duration::from_millis(300), Duration::from_millis(500)));
    let registrar = Registrar::start(Faults { stall, ..Faults::default() });
    let report = conduct(settings(&registrar));
    assert!(report.passed, "{report}");
    let latency = report.operations["message"].latency_ms.unwrap();
    // A server that stands still for half of the second delays half of the messages that were
    // meant for it: a generator that waited for answers before sending would see one late
    // message a pair and a tiny median.
    assert!(latency.max > 400.0, "{report}");
    assert!(latency.p90 > 250.0, "{report}");
    assert!(latency.mean > 60.0, "{report}");
    assert!((195..=201).contains(&report.operations["message"].succeeded), "{report}");
}

#[test]
fn a_lost_connection_is_counted_with_everything_that_waited_on_it() {
    let registrar = Registrar::start(Faults { hang_up_at: 50, ..Faults::default() });
    let report = conduct(settings(&registrar));
    assert_eq!(failures(&report, "hold"), [("disconnected".to_owned(), 1)]);
    assert_eq!(report.operations["hold"].succeeded, 7);
    let causes = failures(&report, "message");
    assert!(causes.iter().any(|(cause, count)| cause == "no session" && *count > 20), "{report}");
    let all = report.operations["message"].succeeded + report.operations["message"].failed;
    assert!((195..=201).contains(&all), "{report}");
}

#[test]
fn nonsense_from_the_server_is_a_protocol_failure() {
    let registrar = Registrar::start(Faults { garble_at: 50, ..Faults::default() });
    let report = conduct(settings(&registrar));
    assert_eq!(failures(&report, "hold"), [("protocol".to_owned(), 1)]);
    assert_eq!(report.examples["protocol"], "a line does not end in CRLF");
    assert!(failures(&report, "message").iter().any(|(cause, _)| cause == "protocol"));
}

#[test]
fn a_refused_password_ends_the_run_early() {
    let registrar = Registrar::start(Faults { challenge: 407, ..Faults::default() });
    let report = conduct(Settings {
        user_prefix: "mallory".to_owned(),
        duration: Duration::from_secs(60),
        ..settings(&registrar)
    });
    assert_eq!(report.ending, Ending::NoSignIn);
    assert_eq!(failures(&report, "sign_in"), [("auth".to_owned(), 8)]);
    assert!(!report.passed);
}

#[test]
fn connections_and_registrations_are_counted_each() {
    let registrar = Registrar::start(Faults { challenge: 401, ..Faults::default() });
    let connect = conduct(Settings { flow: Flow::Connect, ..settings(&registrar) });
    assert!(connect.passed, "{connect}");
    assert!((195..=201).contains(&connect.operations["connect"].succeeded), "{connect}");
    let fresh = Flow::Register { refresh: false };
    let fresh = conduct(Settings { flow: fresh, ..settings(&registrar) });
    assert!(fresh.passed, "{fresh}");
    assert!((195..=201).contains(&fresh.operations["sign_in"].succeeded), "{fresh}");
    let refresh = Flow::Register { refresh: true };
    let refresh = conduct(Settings { flow: refresh, ..settings(&registrar) });
    assert!(refresh.passed, "{refresh}");
    assert!((195..=201).contains(&refresh.operations["refresh"].succeeded), "{refresh}");
    let idle = conduct(Settings {
        flow: Flow::Idle { contacts: 0, notify: Notify::Notify },
        ..settings(&registrar)
    });
    assert!(idle.passed, "{idle}");
    assert_eq!(idle.operations["hold"].succeeded, 8);
    let closed = Settings { flow: Flow::Connect, load: Load::Window(4), ..settings(&registrar) };
    let closed = conduct(closed);
    // How many there are is the machine's business: more than one for each user.
    assert!(closed.passed && closed.operations["connect"].succeeded > 8, "{closed}");
}

#[test]
fn several_threads_share_the_users_and_the_rate() {
    let registrar = Registrar::start(Faults { challenge: 407, ..Faults::default() });
    let dialect = Dialect::Ms;
    let report = conduct(Settings { threads: 3, users: 10, dialect, ..settings(&registrar) });
    assert!(report.passed, "{report}");
    assert_eq!(report.operations["sign_in"].succeeded, 10);
    assert!((194..=203).contains(&report.operations["message"].succeeded), "{report}");
}

#[test]
fn an_interrupt_ends_in_good_order_with_a_report() {
    let registrar = Registrar::start(Faults::default());
    let settings = Settings { duration: Duration::from_secs(600), ..settings(&registrar) };
    let interrupt = AtomicBool::new(false);
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !registrar.log().iter().any(|request| request.starts_with("MESSAGE")) {
                std::thread::sleep(Duration::from_millis(10));
            }
            interrupt.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        run(settings, &interrupt).unwrap()
    });
    assert_eq!(report.ending, Ending::Interrupted);
    assert!(report.operations["message"].succeeded > 0);
    assert_eq!(report.operations["sign_out"].succeeded, 8);
    assert!(report.passed, "{report}");
}

#[test]
fn a_condition_ends_the_run() {
    let registrar = Registrar::start(Faults { fail_every: 2, ..Faults::default() });
    let report = conduct(Settings {
        abort: Some("failure_percent > 20".parse().unwrap()),
        duration: Duration::from_secs(600),
        ..settings(&registrar)
    });
    assert_eq!(report.ending, Ending::Aborted);
    assert!(report.window_s < 60.0 && !report.passed);
}

#[test]
fn what_cannot_be_run_is_said_in_one_line() {
    let registrar = Registrar::start(Faults::default());
    let fails = |settings| run(settings, &AtomicBool::new(false)).unwrap_err().to_string();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(fails(Settings::new(closed)).contains("does not answer"));
    let odd = Settings { users: 3, ..settings(&registrar) };
    assert!(fails(odd).contains("--users must be even"));
    let gone = Settings { pid: Some(u32::MAX), ..settings(&registrar) };
    assert!(fails(gone).contains("no such process"));
    let many = Settings { users: 4_000_000_000, ..settings(&registrar) };
    assert!(fails(many).contains("ulimit -n"));
}
