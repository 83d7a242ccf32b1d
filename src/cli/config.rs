//! `mynah config check`

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use super::config_file;

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
        if settings.listen.tls.is_some() {
            for certificate in &settings.certificates {
                for file in [&certificate.chain, &certificate.key] {
                    super::certificate::check_pem(file)?;
                }
            }
        }
        println!("{}: good", path.display());
        Ok(())
    }
}
