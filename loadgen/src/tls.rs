//! TLS driven by hand over octets that somebody else reads and writes: rustls's unbuffered API, so
//! that an idle connection holds no buffers and all connections of a thread share one.

use crate::settings::{Links, Settings, TlsVersion};
use anyhow::{Context, Result};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, UnbufferedClientConnection, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use std::path::Path;
use std::sync::Arc;

/// What every TLS connection of a run shares.
#[derive(Clone, Debug)]
pub struct Client {
    /// Configuration.
    pub config: Arc<ClientConfig>,
    /// Name the certificate must carry.
    pub name: ServerName<'static>,
}

impl Client {
    /// From the run's settings. Sessions are not resumed: the users are different people.
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub fn new(settings: &Settings) -> Result<Client> {
        Client::showing(settings, None)
    }

    /// The same for links, which show a certificate.
    ///
    /// # Errors
    /// Says which setting is wrong.
    pub fn for_links(settings: &Settings, links: &Links) -> Result<Client> {
        Client::showing(settings, Some(links))
    }

    fn showing(settings: &Settings, links: Option<&Links>) -> Result<Client> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let versions: &[&rustls::SupportedProtocolVersion] = match settings.tls_version {
            None => rustls::ALL_VERSIONS,
            Some(TlsVersion::Tls12) => &[&rustls::version::TLS12],
            Some(TlsVersion::Tls13) => &[&rustls::version::TLS13],
        };
        let builder = ClientConfig::builder_with_provider(provider.clone());
        let builder = builder.with_protocol_versions(versions).context("TLS version")?;
        let verifier: Arc<dyn ServerCertVerifier> = match &settings.ca {
            Some(path) => Arc::new(Checked::new(path, provider)?),
            None => Arc::new(Unchecked(provider)),
        };
        let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
        let mut config = match links {
            None => builder.with_no_client_auth(),
            Some(links) => {
                let (chain, key) = identity(links)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .context("--link-key does not fit --link-cert")?
            }
        };
        config.resumption = Resumption::disabled();
        let name = ServerName::try_from(settings.server_name.clone()).with_context(|| {
            format!("--server-name {:?} is not a host name or address", settings.server_name)
        })?;
        Ok(Client { config: Arc::new(config), name })
    }
}

/// What a link shows.
fn identity(links: &Links) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let (cert, key) = (links.cert.display(), links.key.display());
    let chain = CertificateDer::pem_file_iter(&links.cert)
        .with_context(|| format!("--link-cert {cert} cannot be read"))?
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("--link-cert {cert} is not PEM"))?;
    anyhow::ensure!(!chain.is_empty(), "--link-cert {cert} holds no certificate");
    let key = PrivateKeyDer::from_pem_file(&links.key)
        .with_context(|| format!("--link-key {key} cannot be read, or holds no private key"))?;
    Ok((chain, key))
}

/// Takes a certificate that chains to one of the file, or that stands in the file itself, as one
/// that signs itself does (rustls refuses such a one when it calls itself an authority).
#[derive(Debug)]
struct Checked {
    listed: Vec<CertificateDer<'static>>,
    chained: Arc<WebPkiServerVerifier>,
}

impl Checked {
    fn new(path: &Path, provider: Arc<CryptoProvider>) -> Result<Checked> {
        let shown = path.display();
        let listed = CertificateDer::pem_file_iter(path)
            .with_context(|| format!("--ca {shown} cannot be read"))?
            .collect::<Result<Vec<_>, _>>()
            .with_context(|| format!("--ca {shown} is not PEM"))?;
        anyhow::ensure!(!listed.is_empty(), "--ca {shown} holds no certificate");
        let mut roots = RootCertStore::empty();
        for certificate in &listed {
            roots.add(certificate.clone()).with_context(|| format!("--ca {shown}"))?;
        }
        let chained = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .with_context(|| format!("--ca {shown}"))?;
        Ok(Checked { listed, chained })
    }
}

impl ServerCertVerifier for Checked {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chained = &self.chained;
        let checked =
            chained.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match checked {
            Err(rustls::Error::InvalidCertificate(CertificateError::Other(_)))
                if self.listed.iter().any(|listed| listed == end_entity) =>
            {
                Ok(ServerCertVerified::assertion())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chained.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chained.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chained.supported_verify_schemes()
    }
}

/// Takes any certificate: without `--ca` the load matters, not who answers.
#[derive(Debug)]
struct Unchecked(Arc<CryptoProvider>);

impl ServerCertVerifier for Unchecked {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// One TLS connection.
pub struct Session {
    connection: UnbufferedClientConnection,
    /// Received octets that do not make a whole record yet.
    carry: Vec<u8>,
    /// True once application data can be sent.
    up: bool,
    /// True once the peer said it will send no more.
    closed: bool,
}

impl Session {
    /// Before the handshake.
    ///
    /// # Errors
    /// As rustls says.
    pub fn new(client: &Client) -> Result<Session, rustls::Error> {
        let connection =
            UnbufferedClientConnection::new(Arc::clone(&client.config), client.name.clone())?;
        Ok(Session { connection, carry: Vec::new(), up: false, closed: false })
    }

    /// True once application data can be sent.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// True once the peer said it will send no more.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Takes octets from the wire (none to begin the handshake), hands decrypted ones to `plain`
    /// and appends what must be sent to `out`.
    ///
    /// # Errors
    /// As rustls says; the connection is to be closed, after sending what is in `out`.
    pub fn receive(
        &mut self,
        wire: &mut [u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<(), rustls::Error> {
        if self.carry.is_empty() {
            let used = self.process(wire, &[], out, plain)?;
            self.carry.extend_from_slice(wire.get(used..).unwrap_or(&[]));
        } else {
            let mut carry = std::mem::take(&mut self.carry);
            carry.extend_from_slice(wire);
            let used = self.process(&mut carry, &[], out, plain)?;
            if used < carry.len() {
                carry.drain(..used);
                self.carry = carry;
            }
        }
        Ok(())
    }

    /// Encrypts `data` and appends the records to `out`.
    ///
    /// # Errors
    /// As rustls says.
    pub fn send(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), rustls::Error> {
        let mut carry = std::mem::take(&mut self.carry);
        let used = self.process(&mut carry, data, out, &mut |_| {})?;
        carry.drain(..used);
        self.carry = carry;
        Ok(())
    }

    /// Appends a close_notify to `out`, when the handshake is over.
    pub fn close(&mut self, out: &mut Vec<u8>) {
        let mut carry = std::mem::take(&mut self.carry);
        let status = self.connection.process_tls_records(&mut carry);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = status.state {
            let _ = grow(out, 64, |room| match traffic.queue_close_notify(room) {
                Err(EncryptError::InsufficientSize(size)) => Err(Some(size)),
                Err(_) => Err(None),
                Ok(written) => Ok(written),
            });
        }
    }

    /// Runs the state machine until it wants octets; returns how many of `incoming` were used.
    fn process(
        &mut self,
        incoming: &mut [u8],
        mut data: &[u8],
        out: &mut Vec<u8>,
        plain: &mut dyn FnMut(&[u8]),
    ) -> Result<usize, rustls::Error> {
        let mut used = 0;
        loop {
            let rest = incoming.get_mut(used..).unwrap_or_default();
            let UnbufferedStatus { mut discard, state } = self.connection.process_tls_records(rest);
            let mut blocked = false;
            match state? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plain(record.payload);
                    }
                }
                ConnectionState::EncodeTlsData(mut encoding) => {
                    let _ = grow(out, 4096, |room| match encoding.encode(room) {
                        Err(EncodeError::InsufficientSize(size)) => Err(Some(size)),
                        Err(EncodeError::AlreadyEncoded) => Err(None),
                        Ok(written) => Ok(written),
                    });
                }
                ConnectionState::TransmitTlsData(transmit) => transmit.done(),
                ConnectionState::WriteTraffic(mut traffic) => {
                    self.up = true;
                    blocked = data.is_empty();
                    if !data.is_empty() {
                        let room = data.len() + (data.len() / 16_384 + 1) * 64;
                        let encrypted = grow(out, room, |room| match traffic.encrypt(data, room) {
                            Err(EncryptError::InsufficientSize(size)) => Err(Some(size)),
                            Err(EncryptError::EncryptExhausted) => Err(None),
                            Ok(written) => Ok(written),
                        });
                        if !encrypted {
                            return Err(rustls::Error::EncryptError);
                        }
                        data = &[];
                    }
                }
                ConnectionState::PeerClosed => self.closed = true,
                ConnectionState::Closed => {
                    self.closed = true;
                    blocked = true;
                }
                // Also what a later rustls may add: nothing more can be done with these octets.
                _ => blocked = true,
            }
            used += discard;
            if blocked {
                return Ok(used);
            }
        }
    }
}

/// Lets `write` append to `out`, first with `room` octets, then with as many as it asks for;
/// false when it fails for another reason.
fn grow(
    out: &mut Vec<u8>,
    room: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> bool {
    let start = out.len();
    let mut room = room;
    loop {
        out.resize(start + room, 0);
        let result = write(out.get_mut(start..).unwrap_or_default());
        match result {
            Ok(written) => {
                out.truncate(start + written);
                return true;
            }
            Err(Some(size)) if size.required_size > room => room = size.required_size,
            Err(_) => {
                out.truncate(start);
                return false;
            }
        }
    }
}
