//! CHALLENGE_MESSAGE (MS-NLMP section 2.2.1.2), written.

use bytes::BufMut;

use super::{SIGNATURE, flags};

/// Octets before the payload: the fixed fields and the version.
const FIXED_LEN: usize = 56;
/// Windows 6.1 build 7601, NTLM revision 15: what clients have seen most often.
const VERSION: [u8; 8] = [6, 1, 0xb1, 0x1d, 0, 0, 0, 15];
/// Longest name put in, in UTF-16 units: a host name has at most 253 octets.
const NAME_UNITS_MAX: usize = 255;

/// Attributes of TargetInfo (MS-NLMP section 2.2.2.1).
const NETBIOS_COMPUTER: u16 = 1;
const NETBIOS_DOMAIN: u16 = 2;
const DNS_COMPUTER: u16 = 3;
const DNS_DOMAIN: u16 = 4;

/// A challenge: eight octets of chance, and who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Challenge<'a> {
    /// Chance.
    pub server_challenge: [u8; 8],
    /// The domain as old clients know it: at most 15 characters, upper case.
    pub netbios_domain: &'a str,
    /// The server in the same form.
    pub netbios_computer: &'a str,
    /// The DNS name of the domain.
    pub dns_domain: &'a str,
    /// The fully qualified name of the server.
    pub dns_computer: &'a str,
}

impl Challenge<'_> {
    /// The octets of the message. Names beyond 255 UTF-16 units are cut.
    pub fn octets(&self) -> Vec<u8> {
        let target = utf16(self.netbios_domain);
        let mut info = Vec::new();
        for (id, name) in [
            (NETBIOS_DOMAIN, self.netbios_domain),
            (NETBIOS_COMPUTER, self.netbios_computer),
            (DNS_DOMAIN, self.dns_domain),
            (DNS_COMPUTER, self.dns_computer),
        ] {
            let value = utf16(name);
            info.put_u16_le(id);
            info.put_u16_le(value.len() as u16);
            info.put_slice(&value);
        }
        info.put_u32_le(0);

        let mut out = Vec::with_capacity(FIXED_LEN + target.len() + info.len());
        out.put_slice(SIGNATURE);
        out.put_u32_le(2);
        put_field(&mut out, target.len(), FIXED_LEN);
        out.put_u32_le(flags::OFFERED);
        out.put_slice(&self.server_challenge);
        out.put_u64_le(0);
        put_field(&mut out, info.len(), FIXED_LEN + target.len());
        out.put_slice(&VERSION);
        out.put_slice(&target);
        out.put_slice(&info);
        out
    }
}

/// Length, room and offset of a part of the payload. All names together are below 64 KiB, since
/// each is cut.
fn put_field(out: &mut Vec<u8>, len: usize, offset: usize) {
    out.put_u16_le(len as u16);
    out.put_u16_le(len as u16);
    out.put_u32_le(offset as u32);
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().take(NAME_UNITS_MAX).flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// The challenge of the transcript `ntlm-v4`, which the Lync client took.
    const TRANSCRIPT: &str = "TlRMTVNTUAACAAAADgAOADgAAABVgpjiUEkizQ6wBH8AAAAAAAAAAGQAZABGAAAA\
        BgGxHQAAAA9FAFgAQQBNAFAATABFAAIADgBFAFgAQQBNAFAATABFAAEACABGAEUAMAAxAAQAGABlAHgAYQBtAHAAbABl\
        AC4AdABlAHMAdAADACIAZgBlADAAMQAuAGUAeABhAG0AcABsAGUALgB0AGUAcwB0AAAAAAA=";

    #[test]
    fn a_challenge_is_written_as_in_the_transcript() {
        let challenge = Challenge {
            server_challenge: [0x50, 0x49, 0x22, 0xcd, 0x0e, 0xb0, 0x04, 0x7f],
            netbios_domain: "EXAMPLE",
            netbios_computer: "FE01",
            dns_domain: "example.test",
            dns_computer: "fe01.example.test",
        };
        assert_eq!(flags::OFFERED, 0xe298_8255);
        assert_eq!(STANDARD.encode(challenge.octets()), TRANSCRIPT);
    }

    #[test]
    fn names_of_any_length_are_cut_to_fit() {
        let long = "x".repeat(100_000);
        let challenge = Challenge {
            server_challenge: [0; 8],
            netbios_domain: &long,
            netbios_computer: &long,
            dns_domain: &long,
            dns_computer: &long,
        };
        assert_eq!(challenge.octets().len(), 56 + 510 + 4 * (4 + 510) + 4);
    }
}
