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

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;

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

/// The certificates of the configuration and what was last read of them.
#[derive(Debug)]
pub struct Certificates {
    files: Vec<Certificate>,
    provider: Arc<CryptoProvider>,
    /// Kept across reloads, so a reload does not end resumption.
    tickets: Arc<dyn ProducesTickets>,
    /// The files as they were when last read, and when last looked at.
    read: Vec<Stamp>,
    seen: Vec<Stamp>,
}

/// What tells a file from a later one at the same path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
}

impl Certificates {
    /// Certificates from `files`, in the order in which they are offered.
    pub fn new(files: &[Certificate]) -> Result<Self, CertificateError> {
        if files.is_empty() {
            return Err(CertificateError::None);
        }
        Ok(Certificates {
            files: files.to_vec(),
            provider: Arc::new(rustls::crypto::aws_lc_rs::default_provider()),
            tickets: rustls::crypto::aws_lc_rs::Ticketer::new()?,
            read: Vec::new(),
            seen: Vec::new(),
        })
    }

    /// Reads the files and makes what TLS listeners offer: TLS 1.2 and 1.3, tickets instead of
    /// sessions kept here, no early data.
    pub fn load(&mut self) -> Result<Arc<ServerConfig>, CertificateError> {
        // Noted first: a file that changes while it is read is read again.
        self.read = self.stamps();
        let mut keys = Vec::with_capacity(self.files.len());
        for file in &self.files {
            keys.push(Arc::new(self.read_one(file)?));
        }
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Offer(keys)));
        config.ticketer = self.tickets.clone();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 1;
        config.max_early_data_size = 0;
        Ok(Arc::new(config))
    }

    /// Takes other files from the next [`load`](Self::load) on.
    pub fn replace(&mut self, files: &[Certificate]) -> Result<(), CertificateError> {
        if files.is_empty() {
            return Err(CertificateError::None);
        }
        self.files = files.to_vec();
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

    /// The certificates that are not valid `days_ahead` days from now, as lines for the log.
    pub fn warnings(&self, days_ahead: i64) -> Vec<String> {
        let now = jiff::Timestamp::now().as_second();
        self.files.iter().filter_map(|file| warning(&file.chain, now, days_ahead)).collect()
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
        self.files.iter().flat_map(|file| [&file.chain, &file.key]).map(stamp).collect()
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
