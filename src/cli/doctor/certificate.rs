//! What a client sees of a server's TLS: version and cipher, chain, names, days left.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, Error};

use super::finding::Findings;
use crate::cli::host_port::HostPort;
use crate::cli::tls_client::{Stream, Witness, authorities, handshake};
use crate::net::certificate_names::names;
use crate::net::validity::{Validity, validity};

/// For the connection, and for each read of the handshake.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Days left of a certificate below which it is time to renew it.
const DAYS_WARNING: i64 = 30;
const DAY_S: i64 = 24 * 3600;

/// Looks at the TLS of `server`; the certificates it shows, the server's own first.
pub fn look(
    server: &HostPort,
    ca: Option<&Path>,
    findings: &mut Findings,
) -> Result<Vec<CertificateDer<'static>>> {
    let roots = authorities(ca)?;
    let name = ServerName::try_from(server.host.clone()).map_err(|_| anyhow!("no name"))?;
    let began = Instant::now();
    let stream = match server.connect(TIMEOUT) {
        Ok(stream) => stream,
        Err(error) => {
            findings.fault("connection", format!("{error:#}: does the server listen there?"));
            return Ok(Vec::new());
        }
    };
    findings.good("connection", format!("{server} in {} ms", began.elapsed().as_millis()));
    let began = Instant::now();
    let mut witness = None;
    let stream = match handshake(stream, name, roots, Some(&mut witness)) {
        Ok(stream) => stream,
        Err(error) => {
            findings.fault("TLS", format!("the handshake fails: {error:#}"));
            return Ok(Vec::new());
        }
    };
    findings.good("TLS", spoken(&stream, began.elapsed()));
    let shown = stream.conn.peer_certificates().unwrap_or_default();
    let chain: Vec<_> = shown.iter().map(|one| one.clone().into_owned()).collect();
    judge(server, witness, &chain, findings);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for (place, certificate) in chain.iter().enumerate() {
        let what = if place == 0 { "certificate" } else { "intermediate" };
        dates(what, validity(certificate), now.as_secs() as i64, findings);
    }
    Ok(chain)
}

fn spoken(stream: &Stream, took: Duration) -> String {
    let version = stream.conn.protocol_version().and_then(|version| version.as_str());
    let cipher = stream.conn.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    let (version, cipher) = (version.unwrap_or("?"), cipher.unwrap_or("?"));
    format!("{version}, {cipher}, in {} ms", took.as_millis())
}

/// Says whether the chain leads to an authority and the certificate is for this server. A name is
/// looked at only once the chain holds.
fn judge(
    server: &HostPort,
    witness: Option<Arc<Witness>>,
    chain: &[CertificateDer<'_>],
    findings: &mut Findings,
) {
    let names = chain.first().map(names).unwrap_or_default().join(", ");
    let count = chain.len();
    match witness.and_then(|witness| witness.verdict()) {
        Some(Ok(())) => {
            findings
                .good("chain", format!("{count} certificates, to an authority that is trusted"));
            findings.good("names", names);
        }
        Some(Err(Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ))) => {
            findings
                .good("chain", format!("{count} certificates, to an authority that is trusted"));
            findings.fault(
                "names",
                format!("it is for {names}, not for {}: clients will not connect", server.host),
            );
        }
        Some(Err(Error::InvalidCertificate(CertificateError::UnknownIssuer))) => findings.fault(
            "chain",
            "no trusted authority signed it: are the intermediates in the file of the chain, and \
             is the authority among those given by --ca?",
        ),
        Some(Err(error)) => findings.fault("chain", error.to_string()),
        None => findings.fault("chain", "the server shows no certificate"),
    }
}

fn dates(what: &str, validity: Option<Validity>, now: i64, findings: &mut Findings) {
    let Some(Validity { not_before, not_after }) = validity else {
        return findings.warn(what, "its dates cannot be read");
    };
    let days = (not_after - now).div_euclid(DAY_S);
    if now < not_before {
        findings.fault(what, "it is not valid yet: is the clock right?");
    } else if now > not_after {
        findings.fault(what, format!("it expired {} days ago: renew it", -days - 1));
    } else if days < DAYS_WARNING {
        findings.warn(what, format!("it is valid for {days} days more: renew it"));
    } else {
        findings.good(what, format!("valid for {days} days more"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::finding::Level;

    #[test]
    fn days_are_told_before_they_are_over() {
        let found = |now: i64| {
            let mut findings = Findings::default();
            let validity = Validity { not_before: 100, not_after: 100 + 40 * DAY_S };
            dates("certificate", Some(validity), now, &mut findings);
            (findings.findings[0].level, findings.findings[0].text.clone())
        };
        assert_eq!(found(99).0, Level::Fault);
        assert_eq!(found(100), (Level::Good, "valid for 40 days more".to_owned()));
        assert_eq!(found(100 + 35 * DAY_S).1, "it is valid for 5 days more: renew it");
        assert_eq!(found(101 + 40 * DAY_S).1, "it expired 0 days ago: renew it");
    }

    #[test]
    fn names_are_read() {
        let names_of = vec!["fe01.example.test".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names_of.clone()).unwrap();
        assert_eq!(names(made.cert.der()), names_of);
        assert_eq!(names(&CertificateDer::from(vec![0x30, 0x00])), Vec::<String>::new());
    }
}
