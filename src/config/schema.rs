//! The shape of `mynah.toml`: sections, keys and how each value is written. Every key is optional;
//! a key that is not here is an error.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};
use toml::Spanned;

use super::filter::{WrittenClientFilter, WrittenFileFilter, WrittenImFilter};
use super::hep::WrittenHep;
use super::ldap::WrittenDirectory;
use super::policy::{Availability, CUSTOM_STATE_TEXT_MAX};
use super::settings::{AuthMethod, DigestAlgorithm, LogFormat, NtlmVersion};
use crate::base::host_name::is_host_name;
use crate::base::plain_text::is_plain_text;
use crate::base::policy_name::is_policy_name;

/// Most executors; far above any machine.
const CORES_CEILING: usize = 1024;
/// Longest address of a folder on the web, in octets.
const WEB_FOLDER_LEN_MAX: usize = 1024;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    pub server: Server,
    pub listen: Listen,
    pub api: Api,
    pub tls: Tls,
    pub links: Links,
    pub auth: Auth,
    pub log: Log,
    pub hep: WrittenHep,
    pub presence: Presence,
    pub directory: WrittenDirectory,
    pub policy: BTreeMap<PolicyName, Policy>,
    pub limits: BTreeMap<Spanned<String>, Spanned<Quantity>>,
}

/// `[server]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    pub domains: Option<Spanned<Vec<Spanned<HostName>>>>,
    pub name: Option<HostName>,
    pub data: Option<FilePath>,
    pub cores: Option<Cores>,
}

/// `[listen]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    pub tls: Option<Spanned<Listener>>,
    pub tcp: Option<Spanned<Listener>>,
    pub http: Option<Spanned<Listener>>,
    pub links: Option<Spanned<Listener>>,
    pub exempt: Option<Vec<Spanned<Network>>>,
}

/// `[api]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    pub listen: Option<Spanned<Listener>>,
    pub origins: Option<Vec<Spanned<Origin>>>,
    pub url: Option<WebFolder>,
}

/// `[tls]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    pub certificates: Option<Spanned<Vec<Certificate>>>,
}

/// An element of `tls.certificates`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    pub chain: FilePath,
    pub key: FilePath,
}

/// `[links]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Links {
    pub ca: Option<FilePath>,
    pub names: Option<Spanned<Vec<Spanned<HostName>>>>,
}

/// `[auth]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    pub lync: Option<Spanned<Vec<Spanned<LyncMethod>>>>,
    pub standard: Option<Vec<Spanned<StandardMethod>>>,
    pub digest: Option<Spanned<Vec<Spanned<Algorithm>>>>,
    pub ntlm_version: Option<Version>,
}

/// `[log]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    pub filter: Option<Filter>,
    pub format: Option<Format>,
}

/// `[presence]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Presence {
    pub custom_state_url: Option<WebFolder>,
}

/// `[policy.NAME]`
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    pub privacy: Option<bool>,
    pub contacts_max: Option<Spanned<i64>>,
    pub contact_groups_max: Option<Spanned<i64>>,
    pub custom_states: Option<Spanned<Vec<Spanned<CustomState>>>>,
    pub im_filter: WrittenImFilter,
    pub file_filter: WrittenFileFilter,
    pub client_filter: WrittenClientFilter,
}

/// An element of `custom_states`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomState {
    pub availability: Available,
    pub text: BTreeMap<Lcid, StateText>,
}

/// Implements `Deserialize` for a newtype that is written as text.
macro_rules! text {
    ($name:ident, $expected:literal, $read:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        let read: fn(&str) -> Option<$name> = $read;
                        read(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    };
}
pub(super) use text;

/// A domain or the name of a host, lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostName(pub String);
text!(HostName, "a host name such as \"example.test\"", |text| {
    is_host_name(text).then(|| HostName(text.to_ascii_lowercase()))
});

/// A file or a folder.
#[derive(Debug)]
pub struct FilePath(pub PathBuf);
text!(FilePath, "a path", |text| {
    (!text.is_empty() && !text.contains('\0')).then(|| FilePath(PathBuf::from(text)))
});

/// An address to listen on, or `none`.
#[derive(Clone, Copy, Debug)]
pub struct Listener(pub Option<SocketAddr>);
text!(
    Listener,
    "an address and port such as \"0.0.0.0:5061\" or \"[::]:5061\", or \"none\"",
    |text| match text {
        "none" => Some(Listener(None)),
        text => text.parse().ok().map(|address| Listener(Some(address))),
    }
);

/// A network, or one address.
#[derive(Clone, Copy, Debug)]
pub struct Network(pub IpNet);
text!(Network, "a network such as \"192.0.2.0/24\" or \"2001:db8::/48\", or an address", |text| {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse::<IpNet>().ok().or_else(|| address(text));
    network.map(|network| Network(network.trunc()))
});

/// A web site as browsers name it (RFC 6454), or `*` for all.
#[derive(Debug)]
pub struct Origin(pub String);
text!(
    Origin,
    "a web site such as \"https://intranet.example.test\", without a path, or \"*\"",
    |text| is_origin(text).then(|| Origin(text.to_ascii_lowercase()))
);

/// A digest algorithm.
#[derive(Clone, Copy, Debug)]
pub struct Algorithm(pub DigestAlgorithm);
text!(Algorithm, "\"SHA-256\" or \"MD5\"", |text| {
    [DigestAlgorithm::Md5, DigestAlgorithm::Sha256]
        .into_iter()
        .find(|algorithm| algorithm.name().eq_ignore_ascii_case(text))
        .map(Algorithm)
});

/// A way to sign in that Lync clients know.
#[derive(Clone, Copy, Debug)]
pub struct LyncMethod(pub AuthMethod);
text!(LyncMethod, "\"ntlm\" or \"digest\"", |text| match text {
    "digest" => Some(LyncMethod(AuthMethod::Digest)),
    "ntlm" => Some(LyncMethod(AuthMethod::Ntlm)),
    _ => None,
});

/// A way to sign in that standard clients know.
#[derive(Clone, Copy, Debug)]
pub struct StandardMethod(pub AuthMethod);
text!(StandardMethod, "\"digest\"", |text| match text {
    "digest" => Some(StandardMethod(AuthMethod::Digest)),
    _ => None,
});

/// A version of NTLM signatures.
#[derive(Clone, Copy, Debug)]
pub struct Version(pub NtlmVersion);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(deserializer)?;
        match number {
            3 => Ok(Version(NtlmVersion::V3)),
            4 => Ok(Version(NtlmVersion::V4)),
            _ => Err(D::Error::invalid_value(Unexpected::Signed(number), &"3 or 4")),
        }
    }
}

/// What is logged.
#[derive(Debug)]
pub struct Filter(pub String);
text!(
    Filter,
    "off, error, warn, info, debug or trace, with target=level after a comma for parts, \
     such as \"info,mynah::net=debug\"",
    |text| is_filter(text).then(|| Filter(text.to_owned()))
);

/// How log lines look.
#[derive(Debug)]
pub struct Format(pub LogFormat);
text!(Format, "\"text\" or \"json\"", |text| match text {
    "json" => Some(Format(LogFormat::Json)),
    "text" => Some(Format(LogFormat::Text)),
    _ => None,
});

/// Where clients find something on the web, or `none`; without a slash at the end.
#[derive(Debug)]
pub struct WebFolder(pub Option<String>);
text!(
    WebFolder,
    "a URL such as \"https://fe01.example.test/custom-states\", or \"none\"",
    |text| match text {
        "none" => Some(WebFolder(None)),
        text => is_web_folder(text).then(|| WebFolder(Some(text.trim_end_matches('/').to_owned()))),
    }
);

/// The name of a policy.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyName(pub String);
text!(PolicyName, "a name of 1 to 64 lower-case letters, digits or -", |text| {
    is_policy_name(text).then(|| PolicyName(text.to_owned()))
});

/// The state of the product that a custom state is.
#[derive(Debug)]
pub struct Available(pub Availability);
text!(Available, "\"online\", \"busy\" or \"do-not-disturb\"", |text| {
    Availability::ALL.into_iter().find(|state| state.name() == text).map(Available)
});

/// A language, as Windows numbers them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lcid(pub u32);
text!(Lcid, "the number of a language (LCID) such as 1033", |text| {
    text.parse().ok().filter(|lcid| *lcid > 0).map(Lcid)
});

/// What a custom state is called.
#[derive(Debug)]
pub struct StateText(pub String);
text!(StateText, "1 to 64 characters without control characters", |text| {
    let fits = (1..=CUSTOM_STATE_TEXT_MAX).contains(&text.chars().count());
    (fits && is_plain_text(text)).then(|| StateText(text.to_owned()))
});

/// A number of executors, or `all`.
#[derive(Clone, Copy, Debug)]
pub struct Cores(pub Option<usize>);

impl<'de> Deserialize<'de> for Cores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CoresVisitor;

        impl Visitor<'_> for CoresVisitor {
            type Value = Cores;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a number from 1 to {CORES_CEILING}, or \"all\"")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Cores, E> {
                usize::try_from(number)
                    .ok()
                    .and_then(NonZeroUsize::new)
                    .map(NonZeroUsize::get)
                    .filter(|number| *number <= CORES_CEILING)
                    .map(|number| Cores(Some(number)))
                    .ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Cores, E> {
                match text {
                    "all" => Ok(Cores(None)),
                    _ => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(CoresVisitor)
    }
}

/// The value of a limit, not read yet: which of both it must be depends on the limit.
#[derive(Debug)]
pub enum Quantity {
    Number(u64),
    Text(String),
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct QuantityVisitor;

        impl Visitor<'_> for QuantityVisitor {
            type Value = Quantity;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number, or text such as \"10s\" or \"16KiB\"")
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Quantity, E> {
                u64::try_from(number)
                    .map(Quantity::Number)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Quantity, E> {
                Ok(Quantity::Text(text.to_owned()))
            }
        }

        deserializer.deserialize_any(QuantityVisitor)
    }
}

/// A URL of the web without query, in characters that need no escape in XML or logs.
fn is_web_folder(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && text.len() <= WEB_FOLDER_LEN_MAX
            && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b))
    })
}

/// `*`, or scheme, host and perhaps port: what a browser writes into `Origin`.
fn is_origin(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    text == "*"
        || rest.is_some_and(|rest| {
            rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
                && text.len() <= WEB_FOLDER_LEN_MAX
                && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b))
        })
}

/// A comma list of `level` and `target=level`, at least one.
fn is_filter(text: &str) -> bool {
    fn is_level(text: &str) -> bool {
        matches!(text, "off" | "error" | "warn" | "info" | "debug" | "trace")
    }
    fn is_target(text: &str) -> bool {
        let word = |word: &str| {
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        text.split("::").all(word)
    }
    text.split(',').all(|directive| match directive.split_once('=') {
        Some((target, level)) => is_target(target) && is_level(level),
        None => is_level(directive),
    })
}
