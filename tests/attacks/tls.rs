//! What TLS offers to whom it should not: old versions, weak ciphers, compression, early data.

use std::io::{Read, Write};
use std::process::Command;
use std::sync::Arc;

use rustls::ClientConfig;

use crate::outside::PATIENCE;
use crate::outside::program::require;
use crate::outside::stream::{Stream, client_config, client_hello, connect};
use crate::target::Target;

/// Parts of the names of ciphers that nobody should use any more.
const WEAK: [&str; 9] = ["NULL", "EXP", "RC4", "RC2", "DES", "MD5", "ADH", "AECDH", "CBC"];

#[test]
fn sslscan_finds_no_old_version_no_weak_cipher_and_no_renegotiation() {
    // 27
    require("sslscan", "sslscan");
    let target = Target::start();
    let mut command = Command::new("sslscan");
    command.args(["--no-colour", "--show-cipher-ids", &target.ready.tls.to_string()]);
    let output = command.output().unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{report}");
    for (version, wanted) in [
        ("SSLv2", "disabled"),
        ("SSLv3", "disabled"),
        ("TLSv1.0", "disabled"),
        ("TLSv1.1", "disabled"),
        ("TLSv1.2", "enabled"),
        ("TLSv1.3", "enabled"),
    ] {
        let is_it = |line: &str| line.split_whitespace().collect::<Vec<_>>() == [version, wanted];
        assert!(report.lines().any(is_it), "{version} is not {wanted}: {report}");
    }
    assert!(report.contains("Session renegotiation not supported"), "{report}");
    assert!(!report.contains(" vulnerable to heartbleed") || report.contains("not vulnerable"));
    let ciphers: Vec<&str> = report
        .lines()
        .filter(|line| line.starts_with("Preferred") || line.starts_with("Accepted"))
        .collect();
    assert!(ciphers.len() >= 6, "{report}");
    for cipher in ciphers {
        let is_weak = WEAK.iter().any(|weak| cipher.contains(weak));
        let authenticates = cipher.contains("GCM") || cipher.contains("POLY1305");
        assert!(!is_weak && authenticates, "{cipher}");
    }
    target.survived();
}

#[test]
fn nobody_is_offered_compression() {
    // 27
    let target = Target::start();
    // What a client of TLS 1.3 must not offer.
    let mut stream = connect(target.ready.tls);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&with_deflate(client_hello())).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    // An alert, which is fatal: illegal_parameter, or decode_error.
    assert!(matches!(answer.get(..7), Some([21, 3, _, 0, 2, 2, 47 | 50])), "{answer:?}");
    target.wait_metric("mynah_tls_handshake_failures_total", |failures| failures == 1.0);
    target.survived();
}

/// A ClientHello that offers DEFLATE beside no compression.
fn with_deflate(hello: Vec<u8>) -> Vec<u8> {
    const RECORD: usize = 5;
    const BEFORE_SESSION: usize = RECORD + 4 + 2 + 32;
    let suites = BEFORE_SESSION + 1 + usize::from(hello[BEFORE_SESSION]);
    let methods = suites + 2 + usize::from(u16::from_be_bytes([hello[suites], hello[suites + 1]]));
    assert_eq!(hello[methods..methods + 2], [1, 0], "no compression alone");
    let mut longer = [&hello[..methods], &[2, 1, 0], &hello[methods + 2..]].concat();
    for (at, len) in [(3, longer.len() - RECORD), (7, longer.len() - RECORD - 4)] {
        longer[at..at + 2].copy_from_slice(&u16::try_from(len).unwrap().to_be_bytes());
    }
    longer
}

#[test]
fn nobody_may_send_early_data() {
    // 32
    let target = Target::start();
    let mut config = ClientConfig::clone(&client_config(&target));
    config.enable_early_data = true;
    let config = Arc::new(config);
    let open = || Stream::tls_over(connect(target.ready.tls), &config, PATIENCE).unwrap();
    for (number, resumed) in [(1, false), (2, true)] {
        let mut stream = open();
        let tls = stream.session();
        assert_eq!(tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed), resumed);
        assert!(!tls.is_early_data_accepted());
        // An answer brings the ticket along.
        let request = crate::outside::endpoint::head(
            "OPTIONS",
            crate::outside::server::DOMAIN,
            "mallory",
            "mallory",
            number,
            "127.0.0.1:9",
        );
        stream.write(request + "Content-Length: 0\r\n\r\n");
        assert_eq!(stream.message().status(), 200);
    }
    // A third one would send its first octets early, if the ticket said that it may.
    let name = "fe01.example.test".try_into().unwrap();
    let mut third = rustls::ClientConnection::new(config, name).unwrap();
    assert!(third.early_data().is_none());
    target.survived();
}
