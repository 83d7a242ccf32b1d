//! What a reload would change, key by key, in the words of the file.

use std::fmt::Debug;
use std::path::Path;

use super::limits;
use super::policy::{Policies, Policy};
use super::reload::{Setting, changes};
use super::settings::{AuthMethod, DigestAlgorithm, LogFormat, Settings};
use crate::base::limits::Limits;

/// A key that differs between the running server and the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Section and key, as in `limits.contacts_per_user_max`.
    pub key: String,
    /// What is in force.
    pub old: String,
    /// What the file says.
    pub new: String,
    /// A reload applies it; else it waits for the next start.
    pub live: bool,
}

/// All keys in which `wanted` differs from `running`, those of each policy by themselves.
pub fn differences(running: &Settings, wanted: &Settings) -> Vec<Change> {
    let mut list = Vec::new();
    for setting in changes(running, wanted) {
        match setting {
            Setting::Policies => list.extend(of_policies(&running.policies, &wanted.policies)),
            setting => list.push(Change {
                key: format!("{}.{}", setting.section(), setting.key()),
                old: value(setting, running),
                new: value(setting, wanted),
                live: setting.reloads(),
            }),
        }
    }
    list
}

/// What `settings` say under a key outside `[policy]`.
fn value(setting: Setting, settings: &Settings) -> String {
    let Settings { listen, links, log, .. } = settings;
    let address = |address: Option<_>| match address {
        Some(address) => quoted(address),
        None => "\"none\"".to_owned(),
    };
    match setting {
        Setting::ApiListen => address(settings.api.listen),
        Setting::ApiOrigins => list(&settings.api.origins, |origin| quoted(origin)),
        Setting::ApiUrl => quoted(settings.api.url.as_deref().unwrap_or("none")),
        Setting::AuthLync => list(&settings.lync_auth, |method| quoted(AuthMethod::name(*method))),
        Setting::AuthStandard => {
            list(&settings.standard_auth, |method| quoted(AuthMethod::name(*method)))
        }
        Setting::Certificates => list(&settings.certificates, |certificate| {
            let (chain, key) = (path(&certificate.chain), path(&certificate.key));
            format!("{{ chain = {chain}, key = {key} }}")
        }),
        Setting::Cores => settings.cores.map_or("all".to_owned(), |cores| cores.to_string()),
        Setting::CustomStateUrl => quoted(settings.custom_state_url.as_deref().unwrap_or("none")),
        Setting::Data => path(&settings.data),
        Setting::Digest => list(&settings.digest, |one| quoted(DigestAlgorithm::name(*one))),
        // The password is in a file of its own.
        Setting::DirectoryLdap => {
            settings.ldap.as_ref().map_or("absent".to_owned(), |ldap| format!("{ldap:?}"))
        }
        Setting::Domains => list(&settings.domains, |domain| quoted(domain)),
        Setting::HepCaptureId => settings.hep.capture_id.to_string(),
        Setting::HepCollector => address(settings.hep.collector),
        Setting::HepOneIn => settings.hep.one_in.to_string(),
        Setting::HepUsers => list(&settings.hep.users, |user| quoted(user)),
        Setting::Limit(limit) => limits::write(settings.limits.value(limit)),
        Setting::LinksCa => path(&links.ca),
        Setting::LinksNames => list(&links.names, |name| quoted(name)),
        Setting::ListenExempt => list(&settings.exempt, |network| quoted(network)),
        Setting::ListenHttp => address(listen.http),
        Setting::ListenLinks => address(listen.links),
        Setting::ListenTcp => address(listen.tcp),
        Setting::ListenTls => address(listen.tls),
        Setting::LogFilter => quoted(&log.filter),
        Setting::LogFormat => quoted(match log.format {
            LogFormat::Json => "json",
            LogFormat::Text => "text",
        }),
        Setting::Name => quoted(&settings.name),
        Setting::NtlmVersion => settings.ntlm_version.number().to_string(),
        Setting::Policies => "*".to_owned(),
    }
}

fn quoted(text: impl ToString) -> String {
    format!("{:?}", text.to_string())
}

fn path(path: &Path) -> String {
    quoted(path.display())
}

fn list<T>(items: &[T], text: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// Policies that are new, gone or different. One that is new or gone is compared with one that says
/// nothing.
fn of_policies(running: &Policies, wanted: &Policies) -> Vec<Change> {
    let mut names: Vec<&str> = running.iter().chain(wanted.iter()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    let silent = Policy::new(&Limits::default());
    let mut list = Vec::new();
    for name in names {
        let (old, new) = (running.contains(name), wanted.contains(name));
        let there = |is_there| if is_there { "there" } else { "absent" }.to_owned();
        if old != new {
            let key = format!("policy.{name}");
            list.push(Change { key, old: there(old), new: there(new), live: true });
        }
        let of = |policies: &Policies, is_there| {
            if is_there { policies.of(name).clone() } else { silent.clone() }
        };
        list.extend(of_policy(name, &of(running, old), &of(wanted, new)));
    }
    list
}

fn of_policy(name: &str, old: &Policy, new: &Policy) -> Vec<Change> {
    let mut list = Vec::new();
    let mut compare = |key: &str, old: &dyn Debug, new: &dyn Debug| {
        let (old, new) = (format!("{old:?}"), format!("{new:?}"));
        if old != new {
            list.push(Change { key: format!("policy.{name}.{key}"), old, new, live: true });
        }
    };
    compare("privacy", &old.privacy, &new.privacy);
    compare("contacts_max", &old.contacts_max, &new.contacts_max);
    compare("contact_groups_max", &old.contact_groups_max, &new.contact_groups_max);
    compare("custom_states", &old.custom_states, &new.custom_states);
    let (before, after) = (&old.im_filter, &new.im_filter);
    compare("im_filter.action", &before.action, &after.action);
    compare("im_filter.allow_message", &before.allow_message, &after.allow_message);
    compare("im_filter.warn_message", &before.warn_message, &after.warn_message);
    compare("im_filter.prefixes", &before.prefixes, &after.prefixes);
    compare("im_filter.ignore_local", &before.ignore_local, &after.ignore_local);
    let (before, after) = (&old.file_filter, &new.file_filter);
    compare("file_filter.action", &before.action, &after.action);
    compare("file_filter.extensions", &before.extensions, &after.extensions);
    let (before, after) = (&old.client_filter, &new.client_filter);
    compare("client_filter.default", &before.default, &after.default);
    compare("client_filter.default_text", &before.default_text, &after.default_text);
    compare("client_filter.rules", &before.rules, &after.rules);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::parse;

    fn lines(running: &str, wanted: &str) -> Vec<String> {
        let differences = differences(&parse(running).unwrap(), &parse(wanted).unwrap());
        let line = |change: Change| {
            let Change { key, old, new, live } = change;
            format!("{key}: {old} -> {new}{}", if live { "" } else { ", restart" })
        };
        differences.into_iter().map(line).collect()
    }

    #[test]
    fn each_key_says_old_and_new_as_the_file_would() {
        assert_eq!(
            lines(
                "[limits]\nlockout_time = '15m'",
                "[server]\ncores = 2\n[listen]\ntls = '127.0.0.1:5061'\ntcp = '127.0.0.1:5060'\n\
                 [auth]\nlync = ['ntlm', 'digest']\n[log]\nfilter = 'info,mynah::net=debug'\n\
                 [limits]\nlockout_time = '90s'\nsip_head_bytes_max = '12KiB'",
            ),
            [
                "auth.lync: [\"ntlm\"] -> [\"ntlm\", \"digest\"]",
                "listen.tcp: \"none\" -> \"127.0.0.1:5060\", restart",
                "listen.tls: \"0.0.0.0:5061\" -> \"127.0.0.1:5061\", restart",
                "log.filter: \"info\" -> \"info,mynah::net=debug\"",
                "server.cores: all -> 2, restart",
                "limits.sip_head_bytes_max: 16384 -> 12288",
                "limits.lockout_time: 15m -> 90s",
            ]
        );
    }

    #[test]
    fn policies_are_compared_key_by_key() {
        assert_eq!(
            lines(
                "[policy.lab]\nprivacy = true\n[policy.old]\n",
                "[policy.lab]\nprivacy = false\n[policy.new]\ncontacts_max = 7\n",
            ),
            [
                "policy.lab.privacy: true -> false",
                "policy.new: absent -> there",
                "policy.new.contacts_max: 1000 -> 7",
                "policy.old: there -> absent",
            ]
        );
    }

    #[test]
    fn nothing_is_told_of_what_stays() {
        assert_eq!(lines("", ""), [""; 0]);
    }
}
