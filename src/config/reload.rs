//! What a reload may change while the server runs.

use super::settings::Settings;
use crate::base::limits::Limit;

/// A key of `mynah.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `auth.lync`
    AuthLync,
    /// `auth.standard`
    AuthStandard,
    /// `auth.digest`
    Digest,
    /// `directory.ldap`
    DirectoryLdap,
    /// `limits.…`
    Limit(Limit),
    /// `listen.http`
    ListenHttp,
    /// `links.ca`
    LinksCa,
    /// `links.names`
    LinksNames,
    /// `listen.links`
    ListenLinks,
    /// `listen.tcp`
    ListenTcp,
    /// `listen.tls`
    ListenTls,
    /// `log.filter`
    LogFilter,
    /// `log.format`
    LogFormat,
    /// `auth.ntlm_version`
    NtlmVersion,
    /// `policy.…`
    Policies,
    /// `presence.custom_state_url`
    CustomStateUrl,
    /// `server.cores`
    Cores,
    /// `server.data`
    Data,
    /// `server.domains`
    Domains,
    /// `server.name`
    Name,
    /// `tls.certificates`
    Certificates,
}

impl Setting {
    /// All keys outside `[limits]`.
    pub const PLAIN: [Setting; 20] = [
        Setting::AuthLync,
        Setting::AuthStandard,
        Setting::Digest,
        Setting::DirectoryLdap,
        Setting::ListenHttp,
        Setting::LinksCa,
        Setting::LinksNames,
        Setting::ListenLinks,
        Setting::ListenTcp,
        Setting::ListenTls,
        Setting::LogFilter,
        Setting::LogFormat,
        Setting::NtlmVersion,
        Setting::Policies,
        Setting::CustomStateUrl,
        Setting::Cores,
        Setting::Data,
        Setting::Domains,
        Setting::Name,
        Setting::Certificates,
    ];

    /// The section of the file.
    pub const fn section(self) -> &'static str {
        match self {
            Setting::AuthLync | Setting::AuthStandard | Setting::Digest | Setting::NtlmVersion => {
                "auth"
            }
            Setting::DirectoryLdap => "directory",
            Setting::Limit(_) => "limits",
            Setting::LinksCa | Setting::LinksNames => "links",
            Setting::ListenHttp
            | Setting::ListenLinks
            | Setting::ListenTcp
            | Setting::ListenTls => "listen",
            Setting::LogFilter | Setting::LogFormat => "log",
            Setting::Policies => "policy",
            Setting::CustomStateUrl => "presence",
            Setting::Cores | Setting::Data | Setting::Domains | Setting::Name => "server",
            Setting::Certificates => "tls",
        }
    }

    /// The key in its section; `*` for all policies together.
    pub const fn key(self) -> &'static str {
        match self {
            Setting::AuthLync => "lync",
            Setting::AuthStandard => "standard",
            Setting::Digest => "digest",
            Setting::DirectoryLdap => "ldap",
            Setting::Limit(limit) => limit.name(),
            Setting::ListenHttp => "http",
            Setting::LinksCa => "ca",
            Setting::LinksNames => "names",
            Setting::ListenLinks => "links",
            Setting::ListenTcp => "tcp",
            Setting::ListenTls => "tls",
            Setting::LogFilter => "filter",
            Setting::LogFormat => "format",
            Setting::NtlmVersion => "ntlm_version",
            Setting::Policies => "*",
            Setting::CustomStateUrl => "custom_state_url",
            Setting::Cores => "cores",
            Setting::Data => "data",
            Setting::Domains => "domains",
            Setting::Name => "name",
            Setting::Certificates => "certificates",
        }
    }

    /// True when a reload applies it. Everything else is laid out at start (sockets, executors,
    /// tables and their bounds) and waits for the next one.
    pub const fn reloads(self) -> bool {
        matches!(self, Setting::Certificates | Setting::LogFilter)
    }

    fn differs(self, running: &Settings, wanted: &Settings) -> bool {
        match self {
            Setting::AuthLync => running.lync_auth != wanted.lync_auth,
            Setting::AuthStandard => running.standard_auth != wanted.standard_auth,
            Setting::Digest => running.digest != wanted.digest,
            Setting::DirectoryLdap => running.ldap != wanted.ldap,
            Setting::Limit(limit) => running.limits.value(limit) != wanted.limits.value(limit),
            Setting::ListenHttp => running.listen.http != wanted.listen.http,
            Setting::LinksCa => running.links.ca != wanted.links.ca,
            Setting::LinksNames => running.links.names != wanted.links.names,
            Setting::ListenLinks => running.listen.links != wanted.listen.links,
            Setting::ListenTcp => running.listen.tcp != wanted.listen.tcp,
            Setting::ListenTls => running.listen.tls != wanted.listen.tls,
            Setting::LogFilter => running.log.filter != wanted.log.filter,
            Setting::LogFormat => running.log.format != wanted.log.format,
            Setting::NtlmVersion => running.ntlm_version != wanted.ntlm_version,
            Setting::Policies => running.policies != wanted.policies,
            Setting::CustomStateUrl => running.custom_state_url != wanted.custom_state_url,
            Setting::Cores => running.cores != wanted.cores,
            Setting::Data => running.data != wanted.data,
            Setting::Domains => running.domains != wanted.domains,
            Setting::Name => running.name != wanted.name,
            Setting::Certificates => running.certificates != wanted.certificates,
        }
    }
}

/// The keys in which `wanted` differs from `running`. The caller applies those that
/// [reload](Setting::reloads) and reports the others as waiting for a restart. Certificate files
/// whose content changed under the same name are not seen here.
pub fn changes(running: &Settings, wanted: &Settings) -> Vec<Setting> {
    let limits = Limit::ALL.iter().copied().map(Setting::Limit);
    let all = Setting::PLAIN.into_iter().chain(limits);
    all.filter(|setting| setting.differs(running, wanted)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    #[test]
    fn equal_settings_differ_in_nothing() {
        assert_eq!(changes(&Settings::default(), &Settings::default()), []);
    }

    #[test]
    fn every_key_that_differs_is_named_once() {
        let wanted = parse(
            "[server]\ndomains = ['a.test']\nname = 'a.test'\ndata = '/d'\ncores = 1\n\
             [listen]\ntls = '0.0.0.0:1'\ntcp = '0.0.0.0:2'\nhttp = '0.0.0.0:3'\n\
             links = '0.0.0.0:4'\n[links]\nca = 'c'\nnames = ['edge.a.test']\n\
             [tls]\ncertificates = [{ chain = 'a', key = 'b' }]\n[auth]\nlync = ['digest']\nstandard = []\n\
             digest = ['MD5']\nntlm_version = 3\n\
             [log]\nfilter = 'debug'\nformat = 'json'\n[presence]\n\
             custom_state_url = 'https://a.test'\n\
             [directory.ldap]\nurls = ['ldap://a.test']\nbase = 'dc=a'\n[policy.a]\n[limits]\nlockout_time = '1s'\n",
        )
        .unwrap();
        let changes = changes(&Settings::default(), &wanted);
        let mut expected = Setting::PLAIN.to_vec();
        expected.push(Setting::Limit(Limit::LockoutTime));
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_reload_applies_certificates_and_the_log_filter() {
        let applied: Vec<_> = Setting::PLAIN.into_iter().filter(|s| s.reloads()).collect();
        assert_eq!(applied, [Setting::LogFilter, Setting::Certificates]);
        assert!(!Setting::Limit(Limit::Users).reloads());
    }
}
