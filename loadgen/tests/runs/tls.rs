//! The same endpoints over TLS, and the certificate errors an operator will meet.

use crate::registrar::tls::Certificate;
use crate::registrar::{Faults, Registrar};
use loadgen::report::Report;
use loadgen::run::run;
use loadgen::settings::{Dialect, Flow, Load, Settings, TlsVersion, Transport};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::AtomicBool;

fn settings(address: SocketAddr) -> Settings {
    Settings {
        dialect: Dialect::Ms,
        load: Load::Rate(100.0),
        users: 6,
        transport: Transport::Tls,
        marks: crate::unhurried(),
        ..Settings::new(address)
    }
}

fn conduct(settings: Settings) -> Report {
    run(settings, &AtomicBool::new(false)).unwrap()
}

fn pem_file(certificate: &Certificate) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(certificate.pem.as_bytes()).unwrap();
    file
}

#[test]
fn both_tls_versions_carry_sessions_with_a_checked_certificate() {
    let (certificate, registrar) = (Certificate::new(), Registrar::start(challenging()));
    let (address, ca) = (registrar.listen_tls(&certificate), pem_file(&certificate));
    for version in [None, Some(TlsVersion::Tls12), Some(TlsVersion::Tls13)] {
        let report = conduct(Settings {
            ca: Some(ca.path().to_owned()),
            tls_version: version,
            ..settings(address)
        });
        assert!(report.passed, "{report}");
        assert_eq!(report.operations["invite"].succeeded, 3);
        assert!((98..=101).contains(&report.operations["delivery"].succeeded), "{report}");
        assert_eq!(registrar.signed_in(), 0);
    }
}

#[test]
fn a_certificate_of_the_file_may_call_itself_an_authority() {
    let (certificate, registrar) = (Certificate::authority(), Registrar::start(challenging()));
    let (address, ca) = (registrar.listen_tls(&certificate), pem_file(&certificate));
    let report = conduct(Settings { ca: Some(ca.path().to_owned()), ..settings(address) });
    assert!(report.passed, "{report}");
}

#[test]
fn messages_longer_than_a_record_arrive_whole() {
    let (certificate, registrar) = (Certificate::new(), Registrar::start(challenging()));
    let address = registrar.listen_tls(&certificate);
    let flow = Flow::Im { body: 40_000 };
    let report = conduct(Settings { flow, load: Load::Window(3), ..settings(address) });
    assert!(report.passed && report.operations["delivery"].succeeded > 10, "{report}");
}

#[test]
fn handshakes_are_opened_and_closed_at_the_rate() {
    let (certificate, registrar) = (Certificate::new(), Registrar::start(challenging()));
    let address = registrar.listen_tls(&certificate);
    let report = conduct(Settings { flow: Flow::Connect, users: 50, ..settings(address) });
    assert!(report.passed, "{report}");
    assert!((98..=101).contains(&report.operations["connect"].succeeded), "{report}");
}

#[test]
fn a_certificate_that_does_not_fit_is_said_before_the_run() {
    let (certificate, registrar) = (Certificate::new(), Registrar::start(challenging()));
    let address = registrar.listen_tls(&certificate);
    let (own, other) = (pem_file(&certificate), pem_file(&Certificate::new()));
    let fails = |settings| run(settings, &AtomicBool::new(false)).unwrap_err().to_string();
    let with = |ca: &tempfile::NamedTempFile, name: &str| Settings {
        ca: Some(ca.path().to_owned()),
        server_name: name.to_owned(),
        ..settings(address)
    };
    let wrong_authority = fails(with(&other, "127.0.0.1"));
    assert!(wrong_authority.contains("--ca"), "{wrong_authority}");
    let wrong_name = fails(with(&own, "other.example.test"));
    assert!(wrong_name.contains("--server-name"), "{wrong_name}");
    let no_file = Settings { ca: Some("/nonexistent".into()), ..settings(address) };
    assert!(fails(no_file).contains("cannot be read"));
    let no_tls = fails(settings(registrar.address));
    assert!(no_tls.contains("--transport"), "{no_tls}");
}

fn challenging() -> Faults {
    Faults { challenge: 407, ..Faults::default() }
}
