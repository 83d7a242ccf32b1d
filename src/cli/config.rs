//! `mynah config check`

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::config_file;
use super::text::one_line;
use crate::ldap;
use crate::net::certs::Certificates;

/// Days before its end at which a certificate is worth a warning.
const EXPIRY_WARNING_DAYS: i64 = 14;

/// Commands about the configuration file.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// Read the file and the certificates it names, and say whether a server would start with them
    Check(Check),
}

/// `mynah config check`
#[derive(Args, Debug)]
pub struct Check {
    /// Configuration file [default: ./mynah.toml, then /etc/mynah/mynah.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Config {
    /// Runs the command.
    pub fn run(self) -> Result<()> {
        match self {
            Config::Check(check) => check.run(),
        }
    }
}

impl Check {
    fn run(self) -> Result<()> {
        let Some(path) = config_file::find(self.config.as_deref()) else {
            bail!("no mynah.toml here or in /etc/mynah: give --config FILE");
        };
        let settings = config_file::read(&path)?;
        if settings.listen.tls.is_some() || settings.listen.links.is_some() {
            // Read as the server reads them.
            let links_ca = settings.listen.links.is_some().then_some(settings.links.ca.as_path());
            let mut certificates = Certificates::new(&settings.certificates, links_ca)?;
            certificates.load()?;
            for warning in certificates.warnings(EXPIRY_WARNING_DAYS) {
                eprintln!("mynah: warning: {}", one_line(&warning));
            }
        }
        if let Some(ldap) = &settings.ldap {
            ldap::check_files(ldap)?;
        }
        println!("{}: good", path.display());
        Ok(())
    }
}
