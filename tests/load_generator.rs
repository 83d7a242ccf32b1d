//! The load generator against the server itself, over TLS.

#[path = "outside/mod.rs"]
mod outside;

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadgen::pacer::Arrivals;
use loadgen::profile::Profile;
use loadgen::report::limits::Limits;
use loadgen::report::marks::mark_names;
use loadgen::report::{Ending, Report};
use loadgen::run::run;
use loadgen::settings::{Auth, Dialect, Flow, Load, Plan, Settings, Transport};
use outside::metrics::closed;
use outside::server::{PASSWORD, Server};

const USERS: u32 = 8;

/// A server on which Lync clients sign in by NTLM alone, which drops whoever does not sign, and that
/// knows the users of a run.
fn server() -> Server {
    let server = Server::serve("[auth]\nlync = [\"ntlm\"]\nstandard = []\n");
    let before = server.metrics().value("mynah_users_current");
    for number in 0..USERS {
        server.add_user(&format!("user{number:07}"), PASSWORD);
    }
    server.wait_metric("mynah_users_current", |users| users == before + f64::from(USERS));
    server
}

/// A run of users who sign, judged by what does not depend on the machine's speed.
fn settings(server: &Server) -> Settings {
    let hurried = mark_names().filter(|mark| mark.ends_with("_ms") || mark.ends_with("_percent"));
    Settings {
        auth: Auth::Ntlm,
        ca: Some(server.trusted()),
        dialect: Dialect::Ms,
        load: Load::Rate(100.0),
        marks: Limits::new(Vec::new(), hurried.map(str::to_owned).collect()),
        transport: Transport::Tls,
        users: USERS,
        ..Settings::new(server.ready.tls)
    }
}

fn conduct(settings: Settings) -> Report {
    run(settings, &AtomicBool::new(false)).unwrap()
}

fn succeeded(report: &Report, operation: &str) -> u64 {
    report.operations.get(operation).map_or(0, |row| row.succeeded)
}

#[test]
fn messages_are_signed_both_ways_while_users_make_new_keys() {
    let server = server();
    let keys_last = Duration::from_millis(300);
    let report = conduct(Settings { keys_last, ..settings(&server) });
    assert!(report.passed, "{report}");
    assert_eq!(succeeded(&report, "sign_in"), u64::from(USERS));
    assert!(succeeded(&report, "message") > 50, "{report}");
    assert_eq!(succeeded(&report, "delivery"), succeeded(&report, "message"));
    let renewed = succeeded(&report, "refresh");
    assert!(renewed >= u64::from(USERS), "{report}");
    let metrics = server.metrics();
    // Each handshake is offered, and then challenged.
    let handshakes = f64::from(USERS) + renewed as f64;
    assert_eq!(metrics.value("mynah_auth_challenges_total"), 2.0 * handshakes);
    assert_eq!(metrics.value(&closed("signature")), 0.0);
}

#[test]
fn users_of_a_profile_sign_too() {
    let server = server();
    let profile = Profile::load("im", USERS).unwrap().spoken(Dialect::Ms);
    let plan = Plan { profile, scale: 300.0, expiry_unix_s: 4_000_000_000 };
    let report = conduct(Settings {
        arrivals: Arrivals::Poisson,
        duration: Duration::from_secs(2),
        flow: Flow::Profile(Box::leak(Box::new(plan))),
        ..settings(&server)
    });
    assert!(report.passed, "{report}");
    assert!(succeeded(&report, "typing") > 0, "{report}");
    assert_eq!(succeeded(&report, "delivery"), succeeded(&report, "message"));
    assert_eq!(server.metrics().value(&closed("signature")), 0.0);
}

#[test]
fn a_wrong_password_is_counted_as_what_it_is() {
    let server = server();
    let report = conduct(Settings { password: "wrong".to_owned(), ..settings(&server) });
    assert_eq!(report.ending, Ending::NoSignIn);
    let causes = &report.operations["sign_in"].failures;
    assert_eq!(causes.iter().collect::<Vec<_>>(), [(&"auth".to_owned(), &u64::from(USERS))]);
    let refused = "mynah_auth_failures_total{cause=\"wrong_password\"}";
    assert_eq!(server.metrics().value(refused), f64::from(USERS));
}
