//! What a server's certificate is held to.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::fault::Fault;

/// TLS 1.2 or 1.3 with a certificate of one of the authorities in `ca` for the name in the URL.
pub fn config(ca: &Path) -> Result<Arc<ClientConfig>, Fault> {
    let fail = |what: &dyn std::fmt::Display| Fault::setup(ca.display(), what);
    let certificates = CertificateDer::pem_file_iter(ca).map_err(|error| fail(&error))?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let certificate = certificate.map_err(|error| fail(&error))?;
        // A bundle of a system may have one that is of no use to us: the others count.
        let _ = roots.add(certificate);
    }
    if roots.is_empty() {
        return Err(fail(&"no certificate of an authority in it"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| fail(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
