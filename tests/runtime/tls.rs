//! Versions, certificates and their reload.

use std::path::Path;
use std::sync::Arc;

use mynah::metrics::counters::CloseReason;
use mynah::metrics::names::Series;
use mynah::runtime::boot::StartError;
use rustls::ProtocolVersion;
use rustls::crypto::aws_lc_rs::{self, cipher_suite};
use rustls::version::{TLS12, TLS13};

use super::client::{Client, Tls, config, session};
use super::stand_in::{Running, wait_until, write_certificate};

#[test]
fn tls_1_2_and_1_3_are_spoken() {
    let server = Running::start(|_| {});
    for (version, expected) in
        [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)]
    {
        let mut client = Client::with(server.tls(), config(&server.ca(), &[version]));
        client.ask("ok", 1);
        assert_eq!(client.stream.conn.protocol_version(), Some(expected));
    }
    assert_eq!(server.value(Series::Handshakes), 2);
}

#[test]
fn a_session_is_resumed_by_its_ticket() {
    let server = Running::start(|_| {});
    for version in [&TLS12, &TLS13] {
        let config = config(&server.ca(), &[version]);
        Client::with(server.tls(), config.clone()).ask("ok", 1);
        let mut again = Client::with(server.tls(), config);
        again.ask("ok", 2);
        assert_eq!(again.stream.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    }
}

#[test]
fn a_client_gets_the_first_certificate_it_can_verify() {
    let server = Running::start(|settings| {
        let folder = settings.certificates[0].chain.parent().unwrap().to_owned();
        settings.certificates.push(write_certificate(&folder, "rsa", &rcgen::PKCS_RSA_SHA256));
    });
    let rsa = server.folder.path().join("rsa.pem");
    let mut both = Client::tls(server.tls(), &server.ca());
    both.ask("ok", 1);

    // A client that knows only the cipher suites of RSA.
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384];
    let mut roots = rustls::RootCertStore::empty();
    roots.add(super::client::certificate(&rsa)).unwrap();
    let old = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::with(server.tls(), Arc::new(old)).ask("ok", 1);
}

#[test]
fn tls_before_1_2_is_refused() {
    let server = Running::start(|_| {});
    let mut client = Client::plain(server.tls());
    // A ClientHello of TLS 1.0 with two of its cipher suites and no extensions.
    let mut hello = vec![0x16, 0x03, 0x01, 0x00, 0x31, 0x01, 0x00, 0x00, 0x2d, 0x03, 0x01];
    hello.extend([7; 32]);
    hello.extend([0x00, 0x00, 0x04, 0x00, 0x2f, 0x00, 0x35, 0x01, 0x00, 0x00, 0x00]);
    client.send(&hello);
    let answer = client.closed();
    assert_eq!(&answer[..2], [0x15, 0x03], "an alert");
    server.wait_closed(CloseReason::Tls, 1);
    assert_eq!(server.value(Series::HandshakeFailures), 1);
}

#[test]
fn a_reload_offers_the_new_certificate_and_keeps_connections() {
    let server = Running::start(|_| {});
    let old = std::fs::read(server.ca()).unwrap();
    let before = server.folder.path().join("before.pem");
    std::fs::write(&before, &old).unwrap();
    let mut kept = Client::tls(server.tls(), &before);
    kept.ask("ok", 1);

    write_certificate(server.folder.path(), "ecdsa", &rcgen::PKCS_ECDSA_P256_SHA256);
    wait_until("the new certificate is offered", || handshakes(&server, &server.ca()));
    assert!(!handshakes(&server, &before));
    kept.ask("ok", 2);
}

#[test]
fn a_broken_new_certificate_leaves_the_old_one() {
    let server = Running::start(|_| {});
    let before = server.folder.path().join("before.pem");
    std::fs::copy(server.ca(), &before).unwrap();
    // A chain that does not fit the key, then one that is none.
    let other = write_certificate(server.folder.path(), "other", &rcgen::PKCS_ECDSA_P256_SHA256);
    let since = server.value(Series::Ticks);
    std::fs::copy(other.chain, server.ca()).unwrap();
    // Ten times the time between two looks.
    wait_until("it was looked at", || server.value(Series::Ticks) > since + 10);
    assert!(handshakes(&server, &before));
    std::fs::write(server.ca(), "no certificate").unwrap();
    let since = server.value(Series::Ticks);
    wait_until("it was looked at", || server.value(Series::Ticks) > since + 10);
    assert!(handshakes(&server, &before));
}

#[test]
fn a_certificate_that_cannot_be_used_is_named_at_start() {
    let start = |change: &dyn Fn(&Path)| {
        let result = Running::try_start(|settings| {
            change(settings.certificates[0].chain.parent().unwrap());
        });
        match result {
            Err(error @ StartError::Certificate(_)) => error.to_string(),
            Err(error) => panic!("{error}"),
            Ok(_) => panic!("it started"),
        }
    };
    let missing = start(&|folder| std::fs::remove_file(folder.join("ecdsa.key")).unwrap());
    assert!(missing.contains("ecdsa.key: No such file"), "{missing}");
    let empty = start(&|folder| std::fs::write(folder.join("ecdsa.pem"), "").unwrap());
    assert!(empty.ends_with("ecdsa.pem holds no PEM certificate"), "{empty}");
    let mismatch = start(&|folder| {
        let other = write_certificate(folder, "other", &rcgen::PKCS_ECDSA_P256_SHA256);
        std::fs::copy(other.key, folder.join("ecdsa.key")).unwrap();
    });
    assert!(mismatch.contains("ecdsa.key does not fit the certificate in "), "{mismatch}");
    for line in [missing, empty, mismatch] {
        assert!(!line.contains('\n'), "{line}");
    }
}

#[test]
fn a_taken_address_is_named_at_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let result = Running::try_start(|settings| settings.listen.tcp = Some(address));
    let error = result.err().expect("it does not start").to_string();
    assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
}

#[test]
fn a_server_without_a_listener_does_not_start() {
    let result = Running::try_start(|settings| {
        (settings.listen.tls, settings.listen.tcp) = (None, None);
    });
    let error = result.err().expect("it does not start").to_string();
    assert_eq!(error, "no listener is configured: set listen.tls or listen.tcp");
}

/// Whether a client that trusts `ca` alone gets through.
fn handshakes(server: &Running, ca: &Path) -> bool {
    let Some(config) = std::panic::catch_unwind(|| config(ca, rustls::ALL_VERSIONS)).ok() else {
        // Read while it was written.
        return false;
    };
    let mut stream = super::client::connect(server.tls());
    let mut session = session(config);
    while session.is_handshaking() {
        if session.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    let mut client = Tls::from_parts(session, stream);
    client.ask("ok", 1);
    true
}
