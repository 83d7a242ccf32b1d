//! What the command line says over the configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Result, ensure};
use clap::Args;

use crate::config::Settings;

/// Name of the ready file in the data folder, where `mynah status` looks for it.
pub const READY_FILE: &str = "ready.json";

/// Options of `serve` and `demo`.
#[derive(Args, Clone, Debug)]
pub struct ServerOptions {
    /// Data folder
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Address for SIP over TLS, or none; port 0 lets the kernel choose
    #[arg(long, value_name = "ADDR")]
    pub tls: Option<Listener>,
    /// Address for SIP over plain TCP, or none
    #[arg(long, value_name = "ADDR")]
    pub tcp: Option<Listener>,
    /// Address of /metrics, /healthz and /custom-states/, or none
    #[arg(long, value_name = "ADDR")]
    pub http: Option<Listener>,
    /// Address for links of other servers, which carry many users, or none
    #[arg(long, value_name = "ADDR")]
    pub links: Option<Listener>,
    /// Address of the API, or none; TLS but on loopback
    #[arg(long, value_name = "ADDR")]
    pub api: Option<Listener>,
    /// Executors, each pinned to a core [default: all cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub cores: Option<u16>,
    /// File to write once all listeners are up: {"pid":…,"tls":"ip:port","tcp":…,"http":…,"links":…,"api":…}
    /// [default: ready.json in the data folder]
    #[arg(long, value_name = "FILE")]
    pub ready_file: Option<PathBuf>,
}

/// An address to listen on, or `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener(Option<SocketAddr>);

impl FromStr for Listener {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Listener(None)),
            text => text
                .parse()
                .map(|address| Listener(Some(address)))
                .map_err(|_| "write an address and port such as 127.0.0.1:5061, or none"),
        }
    }
}

impl ServerOptions {
    /// Puts what was given in the place of what `settings` say.
    pub fn apply(&self, settings: &mut Settings) -> Result<()> {
        if let Some(data) = &self.data {
            settings.data.clone_from(data);
        }
        if let Some(cores) = self.cores {
            settings.cores = Some(cores.into());
        }
        let listen = &mut settings.listen;
        for (given, address) in [
            (self.tls, &mut listen.tls),
            (self.tcp, &mut listen.tcp),
            (self.http, &mut listen.http),
            (self.links, &mut listen.links),
            (self.api, &mut settings.api.listen),
        ] {
            if let Some(Listener(given)) = given {
                *address = given;
            }
        }
        ensure!(
            listen.tls.is_some() || listen.tcp.is_some(),
            "nothing listens for SIP: give --tls or --tcp an address such as 127.0.0.1:5061"
        );
        ensure!(
            (listen.tls.is_none() && listen.links.is_none()) || !settings.certificates.is_empty(),
            "TLS needs a certificate: add it to tls.certificates, or give --tls none"
        );
        ensure!(
            !settings.api.needs_tls() || !settings.certificates.is_empty(),
            "the API speaks TLS but on loopback, and TLS needs a certificate: add it to \
             tls.certificates, or give --api an address such as 127.0.0.1:9443"
        );
        ensure!(
            listen.links.is_none() || !settings.links.names.is_empty(),
            "nobody may open a link: name a server in links.names, or give --links none"
        );
        Ok(())
    }

    /// Where the ready file goes.
    pub fn ready_file(&self, settings: &Settings) -> PathBuf {
        self.ready_file.clone().unwrap_or_else(|| settings.data.join(READY_FILE))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: ServerOptions,
    }

    fn options(line: &str) -> ServerOptions {
        Line::try_parse_from(line.split(' ')).map(|line| line.options).unwrap()
    }

    #[test]
    fn what_is_given_stands_over_the_file() {
        let mut settings = Settings::default();
        let options = options(
            "x --data d --tls 127.0.0.1:0 --tcp [::1]:5060 --http none --cores 2 --ready-file r",
        );
        options.apply(&mut settings).unwrap();
        assert_eq!(settings.data, PathBuf::from("d"));
        assert_eq!(settings.cores, Some(2));
        assert_eq!(settings.listen.tls, Some("127.0.0.1:0".parse().unwrap()));
        assert_eq!(settings.listen.tcp, Some("[::1]:5060".parse().unwrap()));
        assert_eq!(settings.listen.http, None);
        assert_eq!(options.ready_file(&settings), PathBuf::from("r"));
    }

    #[test]
    fn what_is_not_given_stays() {
        let mut settings = Settings::default();
        options("x").apply(&mut settings).unwrap();
        assert_eq!(settings, Settings::default());
        assert_eq!(options("x").ready_file(&settings), settings.data.join("ready.json"));
    }

    #[test]
    fn a_server_without_a_sip_listener_or_certificate_is_refused() {
        assert!(options("x --tls none").apply(&mut Settings::default()).is_err());
        let mut settings = Settings { certificates: Vec::new(), ..Settings::default() };
        assert!(options("x").apply(&mut settings).is_err());
        assert!(options("x --tls none --tcp 127.0.0.1:0").apply(&mut settings).is_ok());
    }

    #[test]
    fn links_need_somebody_who_may_open_them() {
        let options = options("x --links 127.0.0.1:0");
        assert!(options.apply(&mut Settings::default()).is_err());
        let mut settings = Settings::default();
        settings.links.names.push("edge.example.test".to_owned());
        options.apply(&mut settings).unwrap();
        assert_eq!(settings.listen.links, Some("127.0.0.1:0".parse().unwrap()));
    }

    #[test]
    fn the_api_needs_a_certificate_but_on_loopback() {
        let mut settings = Settings { certificates: Vec::new(), ..Settings::default() };
        settings.listen.tls = None;
        settings.listen.tcp = Some("127.0.0.1:0".parse().unwrap());
        assert!(options("x --api 127.0.0.1:0").apply(&mut settings.clone()).is_ok());
        assert!(options("x --api [::1]:0").apply(&mut settings.clone()).is_ok());
        assert!(options("x --api 0.0.0.0:0").apply(&mut settings.clone()).is_err());
        assert!(options("x --api 0.0.0.0:0").apply(&mut Settings::default()).is_ok());
        settings.api.listen = Some("0.0.0.0:0".parse().unwrap());
        assert!(options("x --api none").apply(&mut settings).is_ok());
        assert_eq!(settings.api.listen, None);
    }

    #[test]
    fn odd_values_are_refused() {
        for line in ["x --tls 5061", "x --tls localhost:5061", "x --cores 0", "x --cores many"] {
            assert!(Line::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
