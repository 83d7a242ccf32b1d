//! A host that clients are told to go to, with its port.

use std::fmt;

use super::host_name::is_host_name;

/// The port of SIP over TLS (RFC 3261 section 19.1.2).
const SIPS: u16 = 5061;

/// A name of a host, or an IPv4 address, with a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    host: Box<str>,
    port: u16,
}

impl HostPort {
    /// Reads `host` or `host:port`; without a port it is that of SIP over TLS.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0)?),
            None => (text, SIPS),
        };
        is_host_name(host).then(|| HostPort { host: host.into(), port })
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_may_be_left_out_and_nothing_else_may_follow() {
        let read = |text| HostPort::parse(text).map(|place| place.to_string());
        assert_eq!(read("fe02.example.test").unwrap(), "fe02.example.test:5061");
        assert_eq!(read("10.0.0.1:443").unwrap(), "10.0.0.1:443");
        for bad in
            ["", ":5061", "a:0", "a:65536", "a:", "a:1:2", "a;transport=tcp", "a\r\nb", "<a>"]
        {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
