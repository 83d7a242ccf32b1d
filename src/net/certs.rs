//! The server's certificates: read from files, offered side by side, read again when they change.
//!
//! A set that was read is never changed: a new one is made and given to each core, and connections
//! keep the one they began with. So there is nothing to lock, and a broken new file changes
//! nothing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};

use super::certificate_names::names;
use super::validity::{Validity, validity};
use crate::config::Certificate;

/// A certificate cannot be used. Each names the file and fits on a line.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// None is configured, but there is a TLS listener.
    #[error("no certificate is configured: set tls.certificates")]
    None,
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The chain file holds no certificate in PEM form.
    #[error("{path} holds no PEM certificate")]
    Chain {
        /// The file.
        path: PathBuf,
    },
    /// The key file holds no private key in PEM form.
    #[error("{path} holds no PEM private key")]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The key is of a kind that is not supported, or not of this certificate.
    #[error("{key} does not fit the certificate in {chain}: {source}")]
    Mismatch {
        /// The key file.
        key: PathBuf,
        /// The chain file.
        chain: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// rustls cannot be set up at all.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// What TLS listeners offer to who connects.
#[derive(Clone, Debug, Default)]
pub struct Offers {
    /// To clients.
    pub clients: Option<Arc<ServerConfig>>,
    /// To other servers, which must show a certificate of the authority of links.
    pub links: Option<Arc<ServerConfig>>,
}

/// The certificates of the configuration and what was last read of them. A copy has the same tickets.
#[derive(Clone, Debug)]
pub struct Certificates {
    files: Vec<Certificate>,
    /// The authority that signs the certificates of servers that open links.
    links_ca: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    /// Kept across reloads, so a reload does not end resumption.
    tickets: Arc<dyn ProducesTickets>,
    /// The files as they were when last read, and when last looked at.
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
    /// What was last read says of itself.
    dated: Vec<Dated>,
}

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dated {
    /// The file it was read from.
    pub file: PathBuf,
    /// It is the authority of links.
    pub is_authority: bool,
    /// For whom it is.
    pub names: Vec<String>,
    /// From when to when; `None` when that cannot be read.
    pub validity: Option<Validity>,
}

/// What tells a file from a later one at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
}

impl Certificates {
    /// Certificates from `files`, in the order in which they are offered; `links_ca` is the file
    /// of the authority of links, when there is a listener for them.
    pub fn new(files: &[Certificate], links_ca: Option<&Path>) -> Result<Self, CertificateError> {
        if files.is_empty() {
            return Err(CertificateError::None);
        }
        Ok(Certificates {
            files: files.to_vec(),
            links_ca: links_ca.map(Path::to_owned),
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            tickets: rustls::crypto::aws_lc_rs::Ticketer::new()?,
            read: Vec::new(),
            seen: Vec::new(),
            dated: Vec::new(),
        })
    }

    /// Reads the files and makes what TLS listeners offer: TLS 1.2 and 1.3, tickets instead of
    /// sessions kept here, no early data.
    pub fn load(&mut self) -> Result<Offers, CertificateError> {
        // Noted first: a file that changes while it is read is read again.
        self.read = self.stamps();
        let mut keys = Vec::with_capacity(self.files.len());
        for file in &self.files {
            keys.push(Arc::new(self.read_one(file)?));
        }
        let mut dated: Vec<Dated> = self
            .files
            .iter()
            .zip(&keys)
            .filter_map(|(file, key)| Some(Dated::new(&file.chain, false, key.cert.first()?)))
            .collect();
        let offer = Arc::new(Offer(keys));
        let mut clients = self.config()?.with_no_client_auth().with_cert_resolver(offer.clone());
        clients.ticketer = self.tickets.clone();
        clients.session_storage = Arc::new(NoServerSessionStorage {});
        clients.send_tls13_tickets = 1;
        clients.max_early_data_size = 0;
        let links = match &self.links_ca {
            Some(path) => {
                let links = Arc::new(self.for_links(path, offer)?);
                let authority = CertificateDer::from_pem_slice(&read(path)?);
                dated.extend(authority.ok().map(|one| Dated::new(path, true, &one)));
                Some(links)
            }
            None => None,
        };
        self.dated = dated;
        Ok(Offers { clients: Some(Arc::new(clients)), links })
    }

    fn config(&self) -> Result<ConfigBuilder<ServerConfig, WantsVerifier>, rustls::Error> {
        ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
    }

    /// The same certificates for other servers, which must show one too. There are few of them, so
    /// none resumes: each shows its certificate whenever it connects.
    fn for_links(&self, path: &Path, offer: Arc<Offer>) -> Result<ServerConfig, CertificateError> {
        let none = || CertificateError::Chain { path: path.to_owned() };
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(&read(path)?) {
            roots.add(authority.map_err(|_| none())?).map_err(|_| none())?;
        }
        let provider = self.provider.clone();
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
            .build()
            .map_err(|_| none())?;
        let mut config =
            self.config()?.with_client_cert_verifier(verifier).with_cert_resolver(offer);
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.max_early_data_size = 0;
        Ok(config)
    }

    /// Takes other files from the next [`load`](Self::load) on. There is an authority of links
    /// afterwards if there was one before.
    pub fn replace(
        &mut self,
        files: &[Certificate],
        links_ca: &Path,
    ) -> Result<(), CertificateError> {
        if files.is_empty() {
            return Err(CertificateError::None);
        }
        self.files = files.to_vec();
        if let Some(path) = &mut self.links_ca {
            *path = links_ca.to_owned();
        }
        Ok(())
    }

    /// True when a file differs from what was last read and has stopped changing: it was the same
    /// at the call before. So a chain and its key that are replaced one after the other are read
    /// together.
    pub fn changed(&mut self) -> bool {
        let now = self.stamps();
        let settled = now == self.seen;
        let changed = settled && now != self.read;
        self.seen = now;
        changed
    }

    /// What the certificates that were last read say of themselves.
    pub fn dated(&self) -> &[Dated] {
        &self.dated
    }

    /// The certificates that are not valid `days_ahead` days from now, as lines for the log.
    pub fn warnings(&self, days_ahead: i64) -> Vec<String> {
        let now = jiff::Timestamp::now().as_second();
        let own = self.files.iter().map(|file| &file.chain);
        own.chain(&self.links_ca).filter_map(|path| warning(path, now, days_ahead)).collect()
    }

    fn read_one(&self, file: &Certificate) -> Result<CertifiedKey, CertificateError> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&read(&file.chain)?)
                .collect::<Result<_, _>>()
                .map_err(|_| CertificateError::Chain { path: file.chain.clone() })?;
        if chain.is_empty() {
            return Err(CertificateError::Chain { path: file.chain.clone() });
        }
        let key = PrivateKeyDer::from_pem_slice(&read(&file.key)?)
            .map_err(|_| CertificateError::Key { path: file.key.clone() })?;
        CertifiedKey::from_der(chain, key, &self.provider).map_err(|source| {
            CertificateError::Mismatch { key: file.key.clone(), chain: file.chain.clone(), source }
        })
    }

    fn stamps(&self) -> Vec<Stamp> {
        let stamp = |path: &PathBuf| {
            let data = fs::metadata(path).ok();
            Stamp {
                modified: data.as_ref().and_then(|data| data.modified().ok()),
                len: data.map_or(0, |data| data.len()),
            }
        };
        let own = self.files.iter().flat_map(|file| [&file.chain, &file.key]);
        own.chain(&self.links_ca).map(stamp).collect()
    }
}

impl Dated {
    fn new(file: &Path, is_authority: bool, certificate: &CertificateDer<'_>) -> Self {
        Dated {
            file: file.to_owned(),
            is_authority,
            names: names(certificate),
            validity: validity(certificate),
        }
    }
}

/// Certificates side by side. A client gets the first whose signature it can verify.
#[derive(Debug)]
struct Offer(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for Offer {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        self.0.iter().find(|key| key.key.choose_scheme(schemes).is_some()).cloned()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|source| CertificateError::Read { path: path.to_owned(), source })
}

fn warning(path: &Path, now: i64, days_ahead: i64) -> Option<String> {
    const DAY: i64 = 24 * 3600;
    let chain = fs::read(path).ok()?;
    let first = CertificateDer::from_pem_slice(&chain).ok()?;
    let Validity { not_before, not_after } = validity(&first)?;
    let path = path.display();
    if now > not_after {
        Some(format!("the certificate in {path} has expired {} days ago", (now - not_after) / DAY))
    } else if now < not_before {
        Some(format!("the certificate in {path} is not valid yet"))
    } else if now + days_ahead * DAY > not_after {
        Some(format!("the certificate in {path} expires in {} days", (not_after - now) / DAY))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
