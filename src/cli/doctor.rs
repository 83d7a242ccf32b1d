//! `mynah doctor`

mod certificate;
mod finding;
mod machine;
mod service;
mod user;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::host_port::HostPort;
use super::inquiry;
use super::server_address::ServerAddress;
use finding::Findings;

/// `mynah doctor`
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["user", "tls"]))]
pub struct Doctor {
    /// A user who cannot sign in: alice@example.test, or alice for the first domain of the server
    #[arg(value_name = "USER", value_parser = user::address)]
    user: Option<String>,
    /// Look at the certificate of this server, its names in the DNS, and this machine
    #[arg(long, value_name = "HOST[:PORT]")]
    tls: Option<HostPort>,
    /// SIP domain whose DNS records are looked up [default: HOST without its first label]
    #[arg(long, value_name = "DOMAIN", requires = "tls")]
    domain: Option<String>,
    /// Authorities to trust, in PEM [default: those of the system]
    #[arg(long, value_name = "FILE", requires = "tls")]
    ca: Option<PathBuf>,
    /// Name server to ask [default: those of the system]
    #[arg(long, value_name = "ADDR", requires = "tls")]
    dns: Option<SocketAddr>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    server: ServerAddress,
}

impl Doctor {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        let faults = match (&self.user, &self.tls) {
            (Some(user), _) => {
                let report = user::ask(&self.server, user)?;
                inquiry::print(self.json, &report, user::table)?;
                user::judge(&report).faults()
            }
            (None, Some(server)) => {
                let findings = self.look(server)?;
                inquiry::print(self.json, &findings, Findings::table)?;
                findings.faults()
            }
            (None, None) => 0,
        };
        match faults {
            0 => Ok(()),
            1 => bail!("one thing is wrong"),
            faults => bail!("{faults} things are wrong"),
        }
    }

    fn look(&self, server: &HostPort) -> Result<Findings> {
        let mut findings = Findings::default();
        let chain = certificate::look(server, self.ca.as_deref(), &mut findings)?;
        if let Some(domain) = self.domain.as_deref().or_else(|| domain_of(&server.host)) {
            service::look(domain, server, chain.first(), self.dns, &mut findings)?;
        }
        machine::look(&mut findings);
        if let Ok(http) = self.server.find() {
            machine::look_at_server(http, &mut findings);
        }
        Ok(findings)
    }
}

/// The domain that a host is most likely of; an address has none.
fn domain_of(host: &str) -> Option<&str> {
    if host.parse::<IpAddr>().is_ok() {
        return None;
    }
    let (_, domain) = host.split_once('.')?;
    Some(domain)
}
