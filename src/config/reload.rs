//! What a reload may change while the server runs.

use super::settings::Settings;
use crate::base::limits::Limit;

/// A key of `mynah.toml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// `api.listen`
    ApiListen,
    /// `api.origins`
    ApiOrigins,
    /// `api.url`
    ApiUrl,
    /// `auth.lync`
    AuthLync,
    /// `auth.standard`
    AuthStandard,
    /// `auth.digest`
    Digest,
    /// `directory.ldap`
    DirectoryLdap,
    /// `hep.capture_id`
    HepCaptureId,
    /// `hep.collector`
    HepCollector,
    /// `hep.one_in`
    HepOneIn,
    /// `hep.users`
    HepUsers,
    /// `limits.…`
    Limit(Limit),
    /// `listen.exempt`
    ListenExempt,
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
    pub const PLAIN: [Setting; 28] = [
        Setting::ApiListen,
        Setting::ApiOrigins,
        Setting::ApiUrl,
        Setting::AuthLync,
        Setting::AuthStandard,
        Setting::Digest,
        Setting::DirectoryLdap,
        Setting::HepCaptureId,
        Setting::HepCollector,
        Setting::HepOneIn,
        Setting::HepUsers,
        Setting::ListenExempt,
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
            Setting::ApiListen | Setting::ApiOrigins | Setting::ApiUrl => "api",
            Setting::AuthLync | Setting::AuthStandard | Setting::Digest | Setting::NtlmVersion => {
                "auth"
            }
            Setting::DirectoryLdap => "directory",
            Setting::HepCaptureId
            | Setting::HepCollector
            | Setting::HepOneIn
            | Setting::HepUsers => "hep",
            Setting::Limit(_) => "limits",
            Setting::LinksCa | Setting::LinksNames => "links",
            Setting::ListenExempt
            | Setting::ListenHttp
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
            Setting::ApiListen => "listen",
            Setting::ApiOrigins => "origins",
            Setting::ApiUrl => "url",
            Setting::AuthLync => "lync",
            Setting::AuthStandard => "standard",
            Setting::Digest => "digest",
            Setting::DirectoryLdap => "ldap",
            Setting::HepCaptureId => "capture_id",
            Setting::HepCollector => "collector",
            Setting::HepOneIn => "one_in",
            Setting::HepUsers => "users",
            Setting::Limit(limit) => limit.name(),
            Setting::ListenExempt => "exempt",
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
    /// queues), or was promised to clients for as long as they stay, and waits for the next one.
    pub fn reloads(self) -> bool {
        match self {
            Setting::AuthLync
            | Setting::AuthStandard
            | Setting::Certificates
            | Setting::CustomStateUrl
            | Setting::Digest
            | Setting::LinksCa
            | Setting::LinksNames
            | Setting::ListenExempt
            | Setting::LogFilter
            | Setting::Policies => true,
            Setting::Limit(limit) => !AT_START.contains(&limit),
            // Who is in the middle of a sign-in by NTLM has been told the version, and who the
            // server is.
            Setting::ApiListen
            | Setting::ApiOrigins
            | Setting::ApiUrl
            | Setting::Cores
            | Setting::Data
            | Setting::DirectoryLdap
            | Setting::Domains
            | Setting::HepCaptureId
            | Setting::HepCollector
            | Setting::HepOneIn
            | Setting::HepUsers
            | Setting::ListenHttp
            | Setting::ListenLinks
            | Setting::ListenTcp
            | Setting::ListenTls
            | Setting::LogFormat
            | Setting::Name
            | Setting::NtlmVersion => false,
        }
    }

    /// Gives `settings` the value that `running` has.
    fn keep(self, settings: &mut Settings, running: &Settings) {
        match self {
            Setting::ApiListen => settings.api.listen = running.api.listen,
            Setting::ApiOrigins => settings.api.origins.clone_from(&running.api.origins),
            Setting::ApiUrl => settings.api.url.clone_from(&running.api.url),
            Setting::AuthLync => settings.lync_auth.clone_from(&running.lync_auth),
            Setting::AuthStandard => settings.standard_auth.clone_from(&running.standard_auth),
            Setting::Certificates => settings.certificates.clone_from(&running.certificates),
            Setting::Cores => settings.cores = running.cores,
            Setting::CustomStateUrl => {
                settings.custom_state_url.clone_from(&running.custom_state_url);
            }
            Setting::Data => settings.data.clone_from(&running.data),
            Setting::Digest => settings.digest.clone_from(&running.digest),
            Setting::DirectoryLdap => settings.ldap.clone_from(&running.ldap),
            Setting::Domains => settings.domains.clone_from(&running.domains),
            Setting::HepCaptureId => settings.hep.capture_id = running.hep.capture_id,
            Setting::HepCollector => settings.hep.collector = running.hep.collector,
            Setting::HepOneIn => settings.hep.one_in = running.hep.one_in,
            Setting::HepUsers => settings.hep.users.clone_from(&running.hep.users),
            Setting::Limit(limit) => {
                let fits = settings.limits.set(limit, running.limits.value(limit));
                debug_assert!(fits, "a value of the same limit");
            }
            Setting::LinksCa => settings.links.ca.clone_from(&running.links.ca),
            Setting::LinksNames => settings.links.names.clone_from(&running.links.names),
            Setting::ListenExempt => settings.exempt = running.exempt.clone(),
            Setting::ListenHttp => settings.listen.http = running.listen.http,
            Setting::ListenLinks => settings.listen.links = running.listen.links,
            Setting::ListenTcp => settings.listen.tcp = running.listen.tcp,
            Setting::ListenTls => settings.listen.tls = running.listen.tls,
            Setting::LogFilter => settings.log.filter.clone_from(&running.log.filter),
            Setting::LogFormat => settings.log.format = running.log.format,
            Setting::Name => settings.name.clone_from(&running.name),
            Setting::NtlmVersion => settings.ntlm_version = running.ntlm_version,
            Setting::Policies => settings.policies.clone_from(&running.policies),
        }
    }

    fn differs(self, running: &Settings, wanted: &Settings) -> bool {
        match self {
            Setting::ApiListen => running.api.listen != wanted.api.listen,
            Setting::ApiOrigins => running.api.origins != wanted.api.origins,
            Setting::ApiUrl => running.api.url != wanted.api.url,
            Setting::AuthLync => running.lync_auth != wanted.lync_auth,
            Setting::AuthStandard => running.standard_auth != wanted.standard_auth,
            Setting::Digest => running.digest != wanted.digest,
            Setting::DirectoryLdap => running.ldap != wanted.ldap,
            Setting::HepCaptureId => running.hep.capture_id != wanted.hep.capture_id,
            Setting::HepCollector => running.hep.collector != wanted.hep.collector,
            Setting::HepOneIn => running.hep.one_in != wanted.hep.one_in,
            Setting::HepUsers => running.hep.users != wanted.hep.users,
            Setting::Limit(limit) => running.limits.value(limit) != wanted.limits.value(limit),
            Setting::ListenExempt => running.exempt != wanted.exempt,
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

/// Bounds that are read once: those of queues and tables between threads, of the store and of the
/// pages; times that clients were told, and so may count on; and what a conference's roster or a
/// conversation in progress was begun with.
const AT_START: &[Limit] = &[
    Limit::AdminAnswerTime,
    Limit::AdminConnections,
    Limit::AdminConnectionTime,
    Limit::ApiBodyBytes,
    Limit::ApiConnections,
    Limit::ApiEvents,
    Limit::ApiHeartbeatTime,
    Limit::ApiSilenceTime,
    Limit::ApiStreams,
    Limit::ApiUsers,
    Limit::CdrQueryRows,
    Limit::CommitRows,
    Limit::CommitTime,
    Limit::ConferenceRoster,
    Limit::ConferencesListed,
    Limit::ControlQueue,
    Limit::IdleTime,
    Limit::LaneIdleTime,
    Limit::LdapEntries,
    Limit::LockoutEntries,
    Limit::MeshFrames,
    Limit::MeshOverflow,
    Limit::PagerConversations,
    Limit::PagerIdleTime,
    Limit::PhotoBytes,
    Limit::PhotoPixels,
    Limit::RegistrationTime,
    Limit::RegistrationTimeMin,
    Limit::StoreBusyTime,
    Limit::StoreRequests,
    Limit::StoreRetryTime,
    Limit::StoreWrites,
    Limit::WritesInFlight,
];

/// The keys in which `wanted` differs from `running`. Certificate files whose content changed under
/// the same name are not seen here.
pub fn changes(running: &Settings, wanted: &Settings) -> Vec<Setting> {
    let limits = Limit::ALL.iter().copied().map(Setting::Limit);
    let all = Setting::PLAIN.into_iter().chain(limits);
    all.filter(|setting| setting.differs(running, wanted)).collect()
}

/// The settings after a reload: `wanted`, but for the keys that wait for the next start.
pub fn reloaded(running: &Settings, wanted: &Settings) -> Settings {
    let mut settings = wanted.clone();
    let waiting = changes(running, wanted).into_iter().filter(|setting| !setting.reloads());
    waiting.for_each(|setting| setting.keep(&mut settings, running));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{limits, parse};

    #[test]
    fn equal_settings_differ_in_nothing() {
        assert_eq!(changes(&Settings::default(), &Settings::default()), []);
    }

    /// Settings in which every key outside `[limits]` and two bounds differ from the default.
    fn other() -> Settings {
        parse(
            "[server]\ndomains = ['a.test']\nname = 'a.test'\ndata = '/d'\ncores = 1\n\
             [listen]\ntls = '0.0.0.0:1'\ntcp = '0.0.0.0:2'\nhttp = '0.0.0.0:3'\n\
             links = '0.0.0.0:4'\nexempt = ['10.0.0.0/8']\n[links]\nca = 'c'\nnames = ['edge.a.test']\n\
             [api]\nlisten = '127.0.0.1:5'\norigins = ['*']\nurl = 'https://a.test'\n\
             [tls]\ncertificates = [{ chain = 'a', key = 'b' }]\n[auth]\nlync = ['digest']\nstandard = []\n\
             digest = ['MD5']\nntlm_version = 3\n\
             [log]\nfilter = 'debug'\nformat = 'json'\n[presence]\n\
             custom_state_url = 'https://a.test'\n\
             [hep]\ncollector = '127.0.0.1:9'\ncapture_id = 7\none_in = 2\nusers = ['a@a.test']\n\
             [directory.ldap]\nurls = ['ldap://a.test']\nbase = 'dc=a'\n[policy.a]\n[limits]\n\
             lockout_time = '1s'\nmesh_queue_frames_max = 7\n",
        )
        .unwrap()
    }

    #[test]
    fn every_key_that_differs_is_named_once() {
        let changes = changes(&Settings::default(), &other());
        let mut expected = Setting::PLAIN.to_vec();
        expected.extend([Limit::MeshFrames, Limit::LockoutTime].map(Setting::Limit));
        assert_eq!(changes, expected);
    }

    #[test]
    fn a_reload_changes_what_it_may_and_leaves_the_rest() {
        let (running, wanted) = (Settings::default(), other());
        let settings = reloaded(&running, &wanted);
        let changed = changes(&running, &settings);
        let waiting = changes(&settings, &wanted);
        assert!(changed.iter().all(|setting| setting.reloads()), "{changed:?}");
        assert!(waiting.iter().all(|setting| !setting.reloads()), "{waiting:?}");
        assert_eq!(changed.len() + waiting.len(), Setting::PLAIN.len() + 2);
        assert!(changed.contains(&Setting::Limit(Limit::LockoutTime)));
        assert!(waiting.contains(&Setting::Limit(Limit::MeshFrames)));
    }

    #[test]
    fn bounds_that_must_be_in_order_wait_or_change_together() {
        // Else a reload could leave the lower above the upper.
        for (low, high) in limits::ORDERED.iter().chain(limits::BELOW) {
            let (low, high) = (Setting::Limit(*low), Setting::Limit(*high));
            assert_eq!(low.reloads(), high.reloads(), "{low:?} {high:?}");
        }
    }
}
