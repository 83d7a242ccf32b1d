use proptest::prelude::*;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    SupportedProtocolVersion,
};
use std::io::{Read, Write};

use super::*;

/// Both ends in memory.
struct Pair {
    client: ClientConnection,
    server: Session,
    /// What the server received, and what waits for the client.
    plain: Vec<u8>,
    outgoing: Vec<u8>,
    /// What the client received.
    back: Vec<u8>,
    closed: bool,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion) -> Self {
        let name = ServerName::try_from("fe01.example.test").unwrap();
        Pair {
            client: ClientConnection::new(client_config(version), name).unwrap(),
            server: Session::new(server_config()).unwrap(),
            plain: Vec::new(),
            outgoing: Vec::new(),
            back: Vec::new(),
            closed: false,
        }
    }

    fn connected(version: &'static SupportedProtocolVersion) -> Self {
        let mut pair = Pair::new(version);
        pair.exchange(usize::MAX).unwrap();
        assert!(!pair.server.is_handshaking() && !pair.client.is_handshaking());
        pair
    }

    /// Carries octets both ways, `step` at a time towards the server, until none are left.
    fn exchange(&mut self, step: usize) -> Result<(), TlsError> {
        loop {
            let mut octets = Vec::new();
            while self.client.wants_write() {
                self.client.write_tls(&mut octets).unwrap();
            }
            if octets.is_empty() && self.outgoing.is_empty() {
                return Ok(());
            }
            for part in octets.chunks(step) {
                self.feed(part)?;
            }
            let mut outgoing = &std::mem::take(&mut self.outgoing)[..];
            while !outgoing.is_empty() {
                self.client.read_tls(&mut outgoing).unwrap();
                self.client.process_new_packets().unwrap();
                // It takes no more while plaintext waits.
                let received = self.client_reads();
                self.back.extend(received);
            }
        }
    }

    fn feed(&mut self, octets: &[u8]) -> Result<(), TlsError> {
        let mut incoming = [self.server.carry(), octets].concat();
        let received = self.server.receive(&mut incoming, &mut self.plain, &mut self.outgoing)?;
        self.closed |= received.peer_closed;
        Ok(())
    }

    fn client_reads(&mut self) -> Vec<u8> {
        let mut plain = Vec::new();
        match self.client.reader().read_to_end(&mut plain) {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => panic!("{error}"),
            _ => plain,
        }
    }
}

const VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[test]
fn a_handshake_in_single_octets_ends_like_one_in_flights() {
    for version in VERSIONS {
        let mut pair = Pair::new(version);
        pair.exchange(1).unwrap();
        assert!(!pair.server.is_handshaking());
        pair.client.writer().write_all(b"INVITE").unwrap();
        pair.exchange(1).unwrap();
        assert_eq!(pair.plain, b"INVITE");
        assert_eq!(pair.server.carry.capacity(), 0, "an idle session holds no buffer");
    }
}

#[test]
fn what_is_written_together_leaves_in_as_few_records_as_fit() {
    for version in VERSIONS {
        let mut pair = Pair::connected(version);
        let plain = vec![7; 2 * RECORD + 1];
        pair.server.encrypt(&plain, &mut pair.outgoing).unwrap();
        assert!(pair.outgoing.len() <= plain.len() + 3 * RECORD_OVERHEAD);
        let mut records = 0;
        let mut rest = &pair.outgoing[..];
        while let [0x17, 3, 3, high, low, tail @ ..] = rest {
            rest = &tail[usize::from(u16::from_be_bytes([*high, *low]))..];
            records += 1;
        }
        assert_eq!((records, rest.len()), (3, 0));
        pair.exchange(usize::MAX).unwrap();
        assert!(pair.back == plain);
    }
}

#[test]
fn the_session_writes_while_a_record_is_half_received() {
    for version in VERSIONS {
        let mut pair = Pair::connected(version);
        pair.client.writer().write_all(b"from the client").unwrap();
        let mut octets = Vec::new();
        pair.client.write_tls(&mut octets).unwrap();
        let (front, back) = octets.split_at(octets.len() / 2);
        pair.feed(front).unwrap();
        pair.server.encrypt(b"from the server", &mut pair.outgoing).unwrap();
        pair.feed(back).unwrap();
        pair.exchange(usize::MAX).unwrap();
        assert_eq!(pair.plain, b"from the client");
        assert_eq!(pair.back, b"from the server");
    }
}

#[test]
fn new_keys_in_the_middle_change_nothing() {
    let mut pair = Pair::connected(&rustls::version::TLS13);
    for round in 0..5u8 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.client.writer().write_all(&[round]).unwrap();
        pair.exchange(3).unwrap();
        pair.server.encrypt(&[round], &mut pair.outgoing).unwrap();
        pair.exchange(3).unwrap();
    }
    assert_eq!(pair.back, [0, 1, 2, 3, 4]);
    assert_eq!(pair.plain, [0, 1, 2, 3, 4]);
}

#[test]
fn both_ends_close_in_order() {
    for version in VERSIONS {
        let mut pair = Pair::connected(version);
        pair.client.writer().write_all(b"last").unwrap();
        pair.client.send_close_notify();
        pair.exchange(usize::MAX).unwrap();
        assert_eq!(pair.plain, b"last");
        assert!(pair.closed);
        pair.server.encrypt(b"answer", &mut pair.outgoing).unwrap();
        pair.server.close_notify(&mut pair.outgoing).unwrap();
        pair.exchange(usize::MAX).unwrap();
        assert_eq!(pair.back, b"answer");
        assert_eq!(pair.client.reader().read(&mut [0]).expect("closed in order"), 0);
    }
}

#[test]
fn nothing_is_written_before_the_handshake_is_done() {
    let mut pair = Pair::new(&rustls::version::TLS13);
    let before = pair.server.encrypt(b"early", &mut pair.outgoing);
    assert!(matches!(before, Err(TlsError::State)));
    assert!(pair.outgoing.is_empty());
}

#[test]
fn a_record_without_end_is_refused() {
    let mut pair = Pair::new(&rustls::version::TLS13);
    // Handshake records that hold the front of one message of 64 KiB.
    let mut octets = vec![0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xff];
    octets.resize(5 + 0x4000, 0);
    let mut result = Ok(());
    for _ in 0..8 {
        result = result.and_then(|()| pair.feed(&octets));
        octets[5..9].fill(0);
    }
    assert!(result.is_err());
    assert!(pair.server.carry().len() <= CARRY_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever an attacker changes of the client's octets: an error, with an alert, or nothing.
    #[test]
    fn changed_octets_are_an_error_and_no_more(
        tls13: bool, at in 0usize..2000, mask in 1u8..=255, step in 1usize..300,
    ) {
        let mut pair = Pair::new(VERSIONS[usize::from(tls13)]);
        let mut passed = 0;
        for _ in 0..4 {
            let mut octets = Vec::new();
            while pair.client.wants_write() {
                pair.client.write_tls(&mut octets).unwrap();
            }
            if let Some(octet) = at.checked_sub(passed).and_then(|at| octets.get_mut(at)) {
                *octet ^= mask;
            }
            passed += octets.len();
            for part in octets.chunks(step) {
                if pair.feed(part).is_err() {
                    prop_assert!(pair.server.carry().is_empty());
                    return Ok(());
                }
            }
            let mut outgoing = &std::mem::take(&mut pair.outgoing)[..];
            while !outgoing.is_empty() && pair.client.wants_read() {
                pair.client.read_tls(&mut outgoing).unwrap();
                if pair.client.process_new_packets().is_err() {
                    return Ok(());
                }
            }
            if !pair.client.is_handshaking() {
                pair.client.writer().write_all(b"data").unwrap();
            }
        }
    }

    /// Noise in any pieces.
    #[test]
    fn noise_is_refused(noise in prop::collection::vec(any::<u8>(), 0..3000), step in 1usize..999) {
        let mut pair = Pair::new(&rustls::version::TLS13);
        for part in noise.chunks(step) {
            if pair.feed(part).is_err() {
                break;
            }
        }
        prop_assert!(pair.plain.is_empty());
    }
}

fn server_config() -> Arc<ServerConfig> {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["fe01.example.test".into()]).unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    Arc::new(config)
}

fn client_config(version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let provider = aws_lc_rs::default_provider();
    let verifier = AnyCertificate(provider.signature_verification_algorithms);
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Arc::new(config)
}

/// Takes any certificate: it is not what is tested here.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
