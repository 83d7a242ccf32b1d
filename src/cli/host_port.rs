//! A server as it is named on the command line: `HOST[:PORT]`.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::base::host_name::is_host_name;

/// Port of SIP over TLS (RFC 3261 section 18.2).
pub const PORT: u16 = 5061;

/// Name or address, and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A host name, or an address without brackets.
    pub host: String,
    /// 5061 unless another is named.
    pub port: u16,
}

impl HostPort {
    /// Connects to the first of its addresses that answers, each within `timeout`.
    pub fn connect(&self, timeout: Duration) -> Result<TcpStream> {
        let addresses = (self.host.as_str(), self.port).to_socket_addrs();
        let addresses: Vec<SocketAddr> =
            addresses.with_context(|| format!("{}: no address", self.host))?.collect();
        let mut last = io::Error::other("no address");
        for address in addresses {
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(timeout))?;
                    stream.set_write_timeout(Some(timeout))?;
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last).with_context(|| self.to_string())
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write HOST, HOST:PORT or [ADDRESS]:PORT".to_owned();
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(HostPort { host: address.ip().to_string(), port: address.port() });
        }
        let bare = text.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(HostPort { host: address.to_string(), port: PORT });
        }
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (text, PORT),
        };
        if !is_host_name(host) {
            return Err(wrong());
        }
        Ok(HostPort { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_with_a_port_or_without() {
        for (text, shown) in [
            ("Sip.Example.test", "sip.example.test:5061"),
            ("a:5062", "a:5062"),
            ("127.0.0.1", "127.0.0.1:5061"),
            ("127.0.0.1:1", "127.0.0.1:1"),
            ("[::1]:5", "[::1]:5"),
            ("[::1]", "[::1]:5061"),
            ("::1", "[::1]:5061"),
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), shown);
        }
        for bad in ["", "a:", "a:b", "a:70000", "a b", "a/b", ":1"] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad}");
        }
    }
}
