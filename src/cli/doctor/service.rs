//! Where the DNS says that clients of a domain shall connect.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;

use super::finding::Findings;
use crate::cli::host_port::HostPort;

/// What clients look up, and who does (lync-facts: the Lync client asks for the first inside the
/// enterprise and for the second everywhere, standard clients for the second alone).
const SERVICES: [(&str, &str); 2] =
    [("_sipinternaltls._tcp", "Lync clients inside"), ("_sip._tls", "all clients")];
/// For one question.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Looks the services of `domain` up: they must lead to `server`, and its certificate must be for
/// the names they lead to.
pub fn look(
    domain: &str,
    server: &HostPort,
    certificate: Option<&CertificateDer<'_>>,
    dns: Option<SocketAddr>,
    findings: &mut Findings,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let targets = runtime.block_on(async {
        let resolver = match resolver(dns) {
            Ok(resolver) => resolver,
            Err(error) => return Err(format!("no name server can be asked: {error}")),
        };
        let mut found = Vec::new();
        for (service, who) in SERVICES {
            let name = format!("{service}.{domain}.");
            let lookup = resolver.srv_lookup(name.as_str()).await;
            let records = match lookup {
                Ok(lookup) => Ok(lookup
                    .answers()
                    .iter()
                    .filter_map(|record| match &record.data {
                        RData::SRV(srv) => Some(HostPort {
                            host: srv.target.to_utf8().trim_end_matches('.').to_ascii_lowercase(),
                            port: srv.port,
                        }),
                        _ => None,
                    })
                    .collect::<Vec<_>>()),
                Err(error) if error.is_no_records_found() => Ok(Vec::new()),
                Err(error) => Err(error.to_string()),
            };
            found.push((name, who, records));
        }
        Ok(found)
    });
    let targets = match targets {
        Ok(targets) => targets,
        Err(error) => {
            findings.warn("DNS", error);
            return Ok(());
        }
    };
    let any = targets.iter().any(|(.., records)| records.as_ref().is_ok_and(|r| !r.is_empty()));
    for (name, who, records) in targets {
        match records {
            Err(error) => findings.warn("DNS", format!("{name}: {error}")),
            Ok(records) if records.is_empty() => {
                let text = format!("{name} has no SRV record, by which {who} find the server");
                if any { findings.warn("DNS", text) } else { findings.fault("DNS", text) }
            }
            Ok(records) => records
                .iter()
                .for_each(|target| judge(&name, target, server, certificate, findings)),
        }
    }
    Ok(())
}

fn judge(
    name: &str,
    target: &HostPort,
    server: &HostPort,
    certificate: Option<&CertificateDer<'_>>,
    findings: &mut Findings,
) {
    let is_named = certificate.and_then(|der| ParsedCertificate::try_from(der).ok()).is_none_or(
        |certificate| {
            ServerName::try_from(target.host.as_str())
                .is_ok_and(|name| verify_server_name(&certificate, &name).is_ok())
        },
    );
    if !is_named {
        let host = &target.host;
        findings.fault("DNS", format!("{name} leads to {host}, for which the certificate is not"));
    } else if target.port != server.port {
        findings.warn("DNS", format!("{name} leads to {target}, another port than {server}"));
    } else {
        findings.good("DNS", format!("{name} leads to {target}"));
    }
}

fn resolver(dns: Option<SocketAddr>) -> Result<TokioResolver> {
    let mut builder = match dns {
        None => TokioResolver::builder_tokio()?,
        Some(address) => {
            let mut connection = ConnectionConfig::udp();
            connection.port = address.port();
            let server = NameServerConfig::new(address.ip(), true, vec![connection]);
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        }
    };
    builder.options_mut().timeout = TIMEOUT;
    builder.options_mut().attempts = 1;
    Ok(builder.build()?)
}
