//! Where the running server answers.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;

use super::config_file::Place;
use super::server_options::READY_FILE;

/// Which running server a command is about.
#[derive(Args, Debug)]
pub struct ServerAddress {
    /// Address of the server's metrics page [default: from the ready file, then the configuration]
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Ready file that the server wrote [default: ready.json in the data folder]
    #[arg(long, value_name = "FILE", conflicts_with = "http")]
    ready_file: Option<PathBuf>,
    /// Where its data are
    #[command(flatten)]
    pub place: Place,
}

impl ServerAddress {
    /// The address.
    pub fn find(&self) -> Result<SocketAddr> {
        if let Some(address) = self.http {
            return Ok(address);
        }
        if let Some(path) = &self.ready_file {
            return ready_address(path);
        }
        let settings = self.place.settings()?;
        let path = self.place.folder(settings.as_ref()).join(READY_FILE);
        if path.exists() {
            return ready_address(&path);
        }
        match settings.and_then(|settings| settings.listen.http) {
            Some(address) if address.port() != 0 => Ok(address),
            _ => bail!(
                "no {}: is the server running? Give --http ADDR or --ready-file FILE",
                path.display()
            ),
        }
    }

    /// True when the command line names a running server, so that nothing else will do.
    pub fn is_given(&self) -> bool {
        self.http.is_some() || self.ready_file.is_some()
    }
}

/// The part of the ready file that matters here.
#[derive(Deserialize)]
struct Ready {
    http: Option<SocketAddr>,
}

fn ready_address(path: &Path) -> Result<SocketAddr> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("{}: is the server running?", path.display()))?;
    let ready: Ready = serde_json::from_str(&text)
        .with_context(|| format!("{}: not a ready file", path.display()))?;
    ready.http.with_context(|| format!("{}: the server has no http listener", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_file_says_where() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(READY_FILE);
        fs::write(&path, r#"{"pid":7,"tls":"127.0.0.1:1","tcp":null,"http":"127.0.0.1:9"}"#)
            .unwrap();
        assert_eq!(ready_address(&path).unwrap(), "127.0.0.1:9".parse().unwrap());
        fs::write(&path, r#"{"pid":7,"tls":"127.0.0.1:1"}"#).unwrap();
        assert!(ready_address(&path).unwrap_err().to_string().ends_with("has no http listener"));
    }
}
