//! TLS in front of the registrar: one thread a direction and connection.

use super::Registrar;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// A certificate for 127.0.0.1 that signs itself.
pub struct Certificate {
    /// The certificate as PEM.
    pub pem: String,
    key: String,
    config: Arc<ServerConfig>,
}

impl Certificate {
    /// One as servers make it for themselves.
    pub fn new() -> Certificate {
        Certificate::with(IsCa::NoCa, None)
    }

    /// One that may sign others, as openssl makes it.
    pub fn authority() -> Certificate {
        Certificate::with(IsCa::Ca(BasicConstraints::Unconstrained), None)
    }

    /// One whose server asks its clients for this one.
    pub fn asking(clients: &Certificate) -> Certificate {
        Certificate::with(IsCa::NoCa, Some(clients))
    }

    /// Writes it and its key beside each other, as `PATH.pem` and `PATH.key`.
    pub fn write(&self, path: &Path) {
        std::fs::write(path.with_extension("pem"), &self.pem).unwrap();
        std::fs::write(path.with_extension("key"), &self.key).unwrap();
    }

    fn with(is_ca: IsCa, asked: Option<&Certificate>) -> Certificate {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.is_ca = is_ca;
        let key = KeyPair::generate().unwrap();
        let made = params.self_signed(&key).unwrap();
        let chain = vec![CertificateDer::from(made.der().to_vec())];
        let text = key.serialize_pem();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(rustls::ALL_VERSIONS)
            .unwrap();
        let builder = match asked {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let mut roots = RootCertStore::empty();
                let asked = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap();
                roots.add(asked).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let config = builder.with_single_cert(chain, key).unwrap();
        Certificate { pem: made.pem(), key: text, config: Arc::new(config) }
    }
}

impl Registrar {
    /// Where TLS is spoken with this certificate.
    pub fn listen_tls(&self, certificate: &Certificate) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (config, plain) = (Arc::clone(&certificate.config), self.address);
        thread::spawn(move || {
            for outside in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                bridge(outside.unwrap(), TcpStream::connect(plain).unwrap(), connection);
            }
        });
        address
    }
}

fn bridge(outside: TcpStream, inside: TcpStream, connection: ServerConnection) {
    let shared = Arc::new(Mutex::new(connection));
    let (mut from_outside, mut to_outside) = (outside.try_clone().unwrap(), outside);
    let (mut from_inside, mut to_inside) = (inside.try_clone().unwrap(), inside);
    let connection = Arc::clone(&shared);
    let mut answers = to_outside.try_clone().unwrap();
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = from_outside.read(&mut chunk) {
            let mut connection = connection.lock().unwrap();
            let mut records = &chunk[..length];
            while !records.is_empty() {
                if connection.read_tls(&mut records).is_err() {
                    break;
                }
                let processed = connection.process_new_packets();
                while connection.wants_write() && connection.write_tls(&mut answers).is_ok() {}
                let Ok(state) = processed else { break };
                let mut plain = vec![0; state.plaintext_bytes_to_read()];
                connection.reader().read_exact(&mut plain).unwrap();
                let _ = to_inside.write_all(&plain);
            }
        }
        let _ = to_inside.shutdown(Shutdown::Both);
        let _ = answers.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(length @ 1..) = from_inside.read(&mut chunk) {
            let mut connection = shared.lock().unwrap();
            connection.writer().write_all(&chunk[..length]).unwrap();
            while connection.wants_write() && connection.write_tls(&mut to_outside).is_ok() {}
        }
        let _ = to_outside.shutdown(Shutdown::Both);
    });
}
