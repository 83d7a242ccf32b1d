//! Where the API listens, and where it does not.

use std::fs;
use std::process::Command;

use crate::outside::server::{BINARY, Server};

#[test]
fn it_is_off_unless_it_is_asked_for() {
    assert_eq!(Server::serve("").ready.api, None);
}

#[test]
fn off_loopback_it_needs_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("mynah.toml");
    let check = |text: &str| {
        fs::write(&config, text).unwrap();
        let output =
            Command::new(BINARY).args(["config", "check", "--config"]).arg(&config).output();
        let output = output.unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let without = "[listen]\ntls = \"none\"\ntcp = \"127.0.0.1:0\"\n[tls]\ncertificates = []\n";
    let loopback = format!("{without}[api]\nlisten = \"[::1]:9443\"\n");
    assert_eq!(check(&loopback), (Some(0), String::new()));
    let elsewhere = format!("{without}[api]\nlisten = \"192.0.2.1:9443\"\n");
    let (code, error) = check(&elsewhere);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    assert!(error.contains("the API speaks TLS but on loopback"), "{error}");
}
