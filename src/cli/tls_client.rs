//! TLS as a client: to whom a command speaks, and whom it trusts.

use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, RootCertStore, SignatureScheme,
    StreamOwned,
};

/// A connection that is encrypted.
pub type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Where Debian keeps the authorities of the system.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The authorities in `file`, or those of the system.
pub fn authorities(file: Option<&Path>) -> Result<RootCertStore> {
    let file = file.unwrap_or(Path::new(SYSTEM));
    let context = || format!("{}: give --ca FILE", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).with_context(context)? {
        // One that rustls cannot read is of no use, and no harm.
        let _ = roots.add(certificate.with_context(context)?);
    }
    if roots.is_empty() {
        bail!("{} holds no certificate of an authority", file.display());
    }
    Ok(roots)
}

/// A handshake on `stream` with the server `name`.
///
/// # Errors
/// When it fails; also, unless `witness` is given, when the certificate does not hold.
pub fn handshake(
    stream: TcpStream,
    name: ServerName<'static>,
    roots: RootCertStore,
    witness: Option<&mut Option<Arc<Witness>>>,
) -> Result<Stream> {
    let provider = Arc::new(default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions()?;
    let mut config = match witness {
        None => builder.with_root_certificates(roots).with_no_client_auth(),
        Some(place) => {
            let judge =
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            let witness = Arc::new(Witness { judge, verdict: Mutex::new(None) });
            *place = Some(Arc::clone(&witness));
            builder.dangerous().with_custom_certificate_verifier(witness).with_no_client_auth()
        }
    };
    config.resumption = Resumption::disabled();
    let session = ClientConnection::new(Arc::new(config), name)?;
    let mut stream = StreamOwned::new(session, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    Ok(stream)
}

/// Lets any certificate pass and remembers whether it holds: for a look at it. Nothing is ever
/// told to a server that was let in by it.
#[derive(Debug)]
pub struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    verdict: Mutex<Option<Result<(), rustls::Error>>>,
}

impl Witness {
    /// Whether the certificate held; `None` before one was shown.
    pub fn verdict(&self) -> Option<Result<(), rustls::Error>> {
        self.verdict.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self.judge.verify_server_cert(certificate, intermediates, name, ocsp, now);
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = Some(verdict.map(drop));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
