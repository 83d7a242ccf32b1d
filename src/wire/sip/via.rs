//! Via (RFC 3261 section 20.42).

use super::error::Error;
use super::octets;
use super::params::Params;
use super::uri;

/// One Via element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport as written, `TLS` or `tls`.
    pub transport: &'a [u8],
    /// Host and port as written.
    pub sent_by: &'a [u8],
    /// The host; an IPv6 address with its brackets.
    pub host: &'a [u8],
    /// The port.
    pub port: Option<u16>,
    /// branch, received, rport and others.
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// Reads one element, not a list. Blanks may stand around the slashes and the colon.
    ///
    /// # Errors
    /// [`Error::Via`] when it is not `SIP/2.0/transport host[:port]`; [`Error::Params`] when its
    /// parameters break the grammar or `branch` stands twice.
    pub fn parse(value: &'a [u8]) -> Result<Via<'a>, Error> {
        let (transport, rest) = split_transport(octets::trim(value)).ok_or(Error::Via)?;
        let sent_by = octets::trim_start(rest);
        if sent_by.len() == rest.len() {
            return Err(Error::Via);
        }
        let (host, port, rest) = split_sent_by(sent_by).ok_or(Error::Via)?;
        let len = sent_by.len() - rest.len();
        let sent_by = sent_by.get(..len).ok_or(Error::Via)?;
        let rest = octets::trim_start(rest);
        if !(rest.is_empty() || rest.starts_with(b";")) {
            return Err(Error::Via);
        }
        Ok(Via { transport, sent_by, host, port, params: Params::parse(rest, "branch")? })
    }

    /// The `branch` parameter; the Lync client leaves it out on most requests.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.get("branch")
    }

    /// Whether `rport` stands there, with or without a value (RFC 3581).
    pub fn has_rport(&self) -> bool {
        self.params.get("rport").is_some()
    }
}

/// The transport behind `SIP/2.0/`, and what follows it.
fn split_transport(value: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(rest) = value.strip_prefix(b"SIP/2.0/") {
        let (transport, rest) = octets::take(rest, octets::TOKEN);
        if !transport.is_empty() {
            return Some((transport, rest));
        }
    }
    let (name, rest) = word(value);
    let (version, rest) = word(slash(rest)?);
    let (transport, rest) = octets::take(octets::trim_start(slash(rest)?), octets::TOKEN);
    let sip = name.eq_ignore_ascii_case(b"SIP") && version == b"2.0" && !transport.is_empty();
    sip.then_some((transport, rest))
}

/// A token with the blanks around it.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let (token, rest) = octets::take(octets::trim_start(text), octets::TOKEN);
    (token, octets::trim_start(rest))
}

fn slash(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"/")
}

/// Host and port, and what follows. `COLON` allows blanks around it.
fn split_sent_by(text: &[u8]) -> Option<(&[u8], Option<u16>, &[u8])> {
    let (host, port, rest) = match uri::split_host(text) {
        Some(parts) => parts,
        // `host: port` has no number right behind the colon.
        None => {
            let colon = memchr::memchr(b':', text)?;
            let (host, none, rest) = uri::split_host(text.get(..colon)?)?;
            (host, none, if rest.is_empty() { text.get(colon..)? } else { return None })
        }
    };
    if port.is_some() {
        return Some((host, port, rest));
    }
    let Some(after) = octets::trim_start(rest).strip_prefix(b":") else {
        return Some((host, None, rest));
    };
    let after = octets::trim_start(after);
    let end = after.iter().position(|o| !o.is_ascii_digit()).unwrap_or(after.len());
    let (digits, rest) = after.split_at_checked(end)?;
    Some((host, Some(u16::try_from(octets::digits(digits)?).ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Via<'_> {
        Via::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{text}: {e:?}"))
    }

    #[test]
    fn the_lync_clients_via_without_branch_is_read() {
        let via = parse("SIP/2.0/tls 127.0.0.1:41046");
        assert_eq!(via.transport, b"tls");
        assert_eq!(via.sent_by, b"127.0.0.1:41046");
        assert_eq!((via.host, via.port), (&b"127.0.0.1"[..], Some(41046)));
        assert_eq!((via.branch(), via.has_rport()), (None, false));
    }

    #[test]
    fn parameters_are_read() {
        let via = parse("SIP/2.0/TLS [::1]:5061;branch=z9hG4bKb5;rport;received=[::1]");
        assert_eq!(via.host, b"[::1]");
        assert_eq!(via.branch(), Some(&b"z9hG4bKb5"[..]));
        assert!(via.has_rport());
        assert!(parse("SIP/2.0/UDP a;rport=5").has_rport());
    }

    #[test]
    fn blanks_may_stand_around_slashes_and_colon() {
        for text in [
            "SIP / 2.0 / UDP first.example: 4000;ttl=16 ;branch=z9",
            "sip/2.0/UDP\r\n first.example : 4000 ; ttl=16; branch=z9",
            "SIP/2.0 /\tUDP first.example:4000;ttl=16;branch=z9",
        ] {
            let via = parse(text);
            assert_eq!(via.transport, b"UDP");
            assert_eq!((via.host, via.port), (&b"first.example"[..], Some(4000)));
            assert_eq!(via.branch(), Some(&b"z9"[..]));
        }
    }

    #[test]
    fn what_is_no_via_is_refused() {
        for bad in [
            "",
            "SIP/2.0",
            "SIP/2.0/",
            "SIP/2.0/TLS",
            "SIP/2.0/TLS ",
            "SIP/1.0/TLS a",
            "HTTP/2.0/TLS a",
            "SIP/2.0/TLS a:",
            "SIP/2.0/TLS a:b",
            "SIP/2.0/TLS a:65536",
            "SIP/2.0/TLS a b",
            "SIP/2.0/TLS a, SIP/2.0/TLS b",
            "SIP/2.0/TLS ;branch=x",
            "SIP/2.0/TLS [::1",
            "SIP/2.0/TLS a@b",
            "SIP/2.0/TLS<a",
            "SIP/2.0/TLS a::5",
        ] {
            assert_eq!(Via::parse(bad.as_bytes()), Err(Error::Via), "{bad}");
        }
        for bad in ["SIP/2.0/TLS a;", "SIP/2.0/TLS a;branch=x;branch=y", "SIP/2.0/TLS a;branch="] {
            assert_eq!(Via::parse(bad.as_bytes()), Err(Error::Params), "{bad}");
        }
    }
}
