//! The users: all from their number and the seed, so that the server's user list and every run
//! agree without a file between them.

use crate::number::read_number;
use crate::settings::Settings;
use std::io::{self, Write};

/// One user's identity and the identity of the device he signs in from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Address of record without scheme: `user0000000@example.test`.
    pub aor: String,
    /// Endpoint identifier: 12 hexadecimal digits.
    pub epid: String,
    /// `user0000000`.
    pub user: String,
    /// UUID of `+sip.instance`.
    pub uuid: String,
}

impl Identity {
    /// User `number` of the population.
    pub fn new(settings: &Settings, number: u32) -> Identity {
        let user = name(&settings.user_prefix, number);
        let device = mix(settings.seed ^ (u64::from(number) << 20));
        let more = mix(device);
        let uuid = format!(
            "{:08x}-{:04x}-5{:03x}-9{:03x}-{:012x}",
            device >> 32,
            device >> 16 & 0xffff,
            device & 0xfff,
            more >> 48 & 0xfff,
            more & 0xffff_ffff_ffff,
        );
        Identity {
            aor: format!("{user}@{}", settings.domain),
            epid: format!("{:012x}", mix(more) & 0xffff_ffff_ffff),
            user,
            uuid,
        }
    }
}

/// Number of the user of the population with this address (`user@domain`).
pub fn number_of(settings: &Settings, address: &str) -> Option<u32> {
    let (user, domain) = address.split_once('@')?;
    let digits = user.strip_prefix(settings.user_prefix.as_str())?;
    let number = read_number(digits.as_bytes()).and_then(|number| u32::try_from(number).ok())?;
    // As `name` writes it: seven digits, more only when they are needed.
    let as_written = digits.len() == 7 || digits.len() > 7 && !digits.starts_with('0');
    (domain == settings.domain && as_written).then_some(number)
}

/// Number of the user of the population whom a SIP URI, or a value with one in it, names. The host
/// is not looked at: in a Contact it is an address.
pub fn number_in(settings: &Settings, text: &[u8]) -> Option<u32> {
    let user = text.get(memchr::memmem::find(text, b"sip:")? + 4..)?;
    let user = user.get(..memchr::memchr(b'@', user)?)?;
    let digits = user.strip_prefix(settings.user_prefix.as_bytes())?;
    u32::try_from(read_number(digits)?).ok()
}

/// Address (`user@domain`) of a user of the population.
pub fn address_of(settings: &Settings, number: u32) -> String {
    format!("{}@{}", name(&settings.user_prefix, number), settings.domain)
}

/// Writes the list of users as comma-separated values: address, password, display name.
///
/// # Errors
/// When `out` fails.
pub fn write_csv(
    out: &mut impl Write,
    prefix: &str,
    domain: &str,
    password: &str,
    count: u32,
) -> io::Result<()> {
    writeln!(out, "address,password,display name")?;
    let password = csv_value(password);
    for number in 0..count {
        let user = name(prefix, number);
        let address = csv_value(&format!("{user}@{domain}"));
        writeln!(out, "{address},{password},{}", csv_value(&format!("Load User {number}")))?;
    }
    Ok(())
}

fn name(prefix: &str, number: u32) -> String {
    format!("{prefix}{number:07}")
}

fn csv_value(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Spreads a number over 64 bits (the finalizer of SplitMix64).
pub fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, SocketAddr};

    #[test]
    fn users_are_found_by_their_address() {
        let settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        for number in [77, 9_999_999, 10_000_000, u32::MAX] {
            let address = address_of(&settings, number);
            assert_eq!(number_of(&settings, &address), Some(number));
        }
        for other in [
            "user77@example.test",
            "user00000077@example.test",
            "user0000077@other",
            "x0000077@example.test",
            "",
        ] {
            assert_eq!(number_of(&settings, other), None, "{other}");
        }
    }

    #[test]
    fn users_are_found_in_uris_and_in_values_with_one() {
        let settings = Settings::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 5060)));
        for text in [
            "sip:user0000077@example.test",
            "sip:user0000077@example.test;opaque=user:epid:x;gruu",
            "sip:user0000077@10.0.0.78:5061;transport=tls",
            "\"Load User 77\" <sip:user0000077@example.test>;tag=1;epid=2",
        ] {
            assert_eq!(number_in(&settings, text.as_bytes()), Some(77), "{text}");
        }
        for text in ["sip:example.test", "sip:bob@example.test", "sip:user@x", "tel:77", ""] {
            assert_eq!(number_in(&settings, text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn the_list_quotes_what_needs_it() {
        let mut out = Vec::new();
        write_csv(&mut out, "user", "example.test", "a,\"b", 2).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "address,password,display name\n\
             user0000000@example.test,\"a,\"\"b\",Load User 0\n\
             user0000001@example.test,\"a,\"\"b\",Load User 1\n"
        );
    }
}
