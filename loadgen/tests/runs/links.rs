//! Users who share connections, as those of an Edge do, beside users who have their own.

use crate::registrar::tls::Certificate;
use crate::registrar::{Faults, Registrar};
use loadgen::report::Report;
use loadgen::run::run;
use loadgen::settings::{Dialect, Flow, Links, Load, Notify, Settings, Transport};
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

/// Two links of five users, and two users with connections of their own.
struct Run {
    registrar: Registrar,
    folder: TempDir,
    certificate: Certificate,
}

impl Run {
    fn new(faults: Faults) -> Run {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::new();
        certificate.write(&folder.path().join("link"));
        Run { registrar: Registrar::start(faults), folder, certificate }
    }

    fn settings(&self) -> Settings {
        let file = |name: &str| self.folder.path().join(name);
        let target = self.registrar.listen_tls(&self.certificate);
        let links = self.registrar.listen_tls(&Certificate::asking(&self.certificate));
        let (cert, key) = (file("link.pem"), file("link.key"));
        Settings {
            dialect: Dialect::Ms,
            links: Some(Links { cert, count: 2, key, target: links, users_per_link: 5 }),
            load: Load::Rate(100.0),
            transport: Transport::Tls,
            users: 12,
            marks: crate::unhurried(),
            ..Settings::new(target)
        }
    }
}

fn conduct(settings: Settings) -> Report {
    run(settings, &AtomicBool::new(false)).unwrap()
}

#[test]
fn users_of_links_and_others_talk_with_each_other() {
    let run = Run::new(Faults { challenge: 407, ..Faults::default() });
    for (dialect, threads) in [(Dialect::Ms, 1), (Dialect::Simple, 2)] {
        let report = conduct(Settings { dialect, threads, ..run.settings() });
        assert!(report.passed, "{report}");
        assert_eq!(report.operations["connect"].succeeded, 4, "two links, two of their own");
        assert_eq!(report.operations["sign_in"].succeeded, 12);
        assert!((98..=101).contains(&report.operations["delivery"].succeeded), "{report}");
        assert_eq!(report.operations["sign_out"].succeeded, 12);
        assert_eq!(run.registrar.signed_in(), 0);
        assert_eq!(report.seen.stray_answers, 0);
    }
}

#[test]
fn a_lost_link_fails_its_users_with_the_cause_and_no_others() {
    let run = Run::new(Faults { hang_up_at: 20, ..Faults::default() });
    let flow = Flow::Im { body: 10 };
    // Everybody is on one of the two links.
    let users = 10;
    let report = conduct(Settings { flow, users, dialect: Dialect::Simple, ..run.settings() });
    assert!(!report.passed);
    let hold = &report.operations["hold"];
    let lost = hold.failures["disconnected"];
    assert_eq!((hold.succeeded, lost), (5, 5), "{report}");
}

#[test]
fn a_server_that_takes_no_link_is_said_at_once() {
    let run = Run::new(Faults::default());
    let stranger = Certificate::new();
    stranger.write(&run.folder.path().join("link"));
    let error = loadgen::run::run(run.settings(), &AtomicBool::new(false)).unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("takes no link") && text.contains("--link-cert"), "{text}");
    assert!(!text.contains('\n'), "{text}");
    std::fs::write(run.folder.path().join("link.key"), "none").unwrap();
    let error = loadgen::run::run(run.settings(), &AtomicBool::new(false)).unwrap_err();
    assert!(format!("{error:#}").starts_with("--link-key "), "{error:#}");
}

#[test]
fn links_that_cannot_be_had_are_refused() {
    let run = Run::new(Faults::default());
    let notify = Notify::Benotify;
    let expiry_unix_s = 0;
    let silent =
        Flow::Conference { members: 12, body: 1, roster: false, notify, silent: 1, expiry_unix_s };
    type Change = fn(&mut Settings);
    let changes: [(Change, &str); 5] = [
        (|s| s.threads = 3, "must be a multiple of --threads 3"),
        (|s| s.users = 8, "is more than --users"),
        (|s| s.transport = Transport::Tcp, "needs --transport tls"),
        (|s| s.flow = Flow::Register { refresh: false }, "needs users who stay"),
        (|s| s.links.as_mut().unwrap().users_per_link = u32::MAX, "is too much"),
    ];
    for (change, said) in changes {
        let mut settings = run.settings();
        change(&mut settings);
        let error = loadgen::run::run(settings, &AtomicBool::new(false)).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let error =
        loadgen::run::run(Settings { flow: silent, ..run.settings() }, &AtomicBool::new(false));
    assert!(error.unwrap_err().to_string().contains("--silent"));
}
